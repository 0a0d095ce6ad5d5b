//! What the targets of this member share.
