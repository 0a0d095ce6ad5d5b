//! What the targets of this member share.
//!
//! | file | question it answers |
//! |---|---|
//! | `naive` | in which order does an executor poll that is too simple to be wrong? |
//! | `reports` | what has the loop reported on this thread? |
//! | `bounded_park` | how does a lost wake fail a test instead of hanging it? |

pub mod bounded_park;
pub mod naive;
pub mod reports;
