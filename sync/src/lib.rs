//! What tasks use among themselves.
#![forbid(unsafe_code)]
