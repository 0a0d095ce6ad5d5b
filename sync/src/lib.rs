//! What tasks use among themselves.
#![forbid(unsafe_code)]

mod cancel_all;
mod event;
mod gather;
mod join;
mod queue;
mod race;
mod semaphore;
mod try_gather;
mod wait;
mod wait_list;

pub use cancel_all::{CancelAll, cancel_all};
pub use event::{Event, EventWait};
pub use gather::{Gather, gather};
pub use queue::{
    Get, GetError, Put, PutError, Queue, QueueJoin, TaskDoneError, TryGetError, TryPutError,
};
pub use race::{Race, race};
pub use semaphore::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore};
pub use try_gather::{TryGather, try_gather};
pub use wait::{Joinable, ReturnWhen, Wait, Waited, wait};

/// For the expansion of [`join!`] only.
#[doc(hidden)]
pub mod __private {
    pub use crate::join::{Join, JoinArm, JoinArms, join, join_arm};
}

mod timeout;

pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
