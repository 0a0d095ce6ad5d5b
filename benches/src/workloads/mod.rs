//! What is measured, one subject a file, each generic over its peer.

pub mod channels;
pub mod clock;
pub mod events;
pub mod groups;
pub mod growth;
pub mod join_all;
pub mod memory;
pub mod once;
pub mod precision;
pub mod ring;
pub mod semaphores;
pub mod sleeps;
pub mod spawn1;
pub mod spawn10k;
pub mod timeouts;
pub mod yields;
