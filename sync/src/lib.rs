//! What tasks of lone use among themselves. No `unsafe`; everything that waits stands on one wait list,
//! everything that polls many on child slots.
//!
//! | file | question it answers |
//! |---|---|
//! | `wait_list` | how do tasks stand in line, and how is something handed to the first? |
//! | `mutex`, `semaphore`, `event`, `queue` | how do they share a value, permits, a signal, items? |
//! | `condvar` | how do they wait until a value under a mutex is as it should be? |
//! | `rw_lock` | how is a value read by many, or changed by one, over awaits? |
//! | `barrier` | how do n of them wait for each other? |
//! | `once_cell` | how is a value made once, by whoever asks first? |
//! | `oneshot` | how does one task hand one value to another? |
//! | `watch` | how do many follow a value that changes? |
//! | `broadcast` | how does each of many get every item? |
//! | `rate_limiter` | how do at most n begin a second? |
//! | `statistics` | how busy is one of these now? |
//! | `gather`, `try_gather`, `join`, `try_join` | how does one wait for all of several? |
//! | `race`, `race_tasks`, `select` | how does one wait for the first of several? |
//! | `race_ok`, `race_staggered` | for the first that succeeds? |
//! | `as_completed` | how does one take the outputs of many as they come? |
//! | `wait`, `cancel_all` | how does one watch, or end, tasks by their handles? |
//! | `join_set` | how does one own tasks, and join them as they end? |
//! | `timeout`, `timeout_scope` | how does one stop waiting after a while? |
//! | `task_group` | how do several run as one, so that none outlives the others? |
//! | `scope`, `shield` | how is a part of a task cancelled, or kept from it? |
//! | `stream` | how does one take values as they come, and make them? |
//! | `using` | how is something closed, awaits included, whatever happens? |
//! | `scoped` | what do all scopes have in common? |
//! | `drain` | how are several children dropped at once, and what they leave awaited? |

#![forbid(unsafe_code)]

mod as_completed;
mod barrier;
pub mod broadcast;
mod cancel_all;
mod condvar;
mod drain;
mod event;
mod gather;
mod join;
mod join_set;
mod mutex;
mod once_cell;
pub mod oneshot;
mod queue;
mod race;
mod race_ok;
mod race_staggered;
mod race_tasks;
mod rate_limiter;
mod rw_lock;
mod scope;
mod scoped;
mod select;
mod semaphore;
mod shield;
mod statistics;
pub mod stream;
mod task_group;
mod timeout;
mod timeout_scope;
mod try_gather;
mod try_join;
mod using;
mod wait;
mod wait_list;
pub mod watch;

pub use as_completed::{
    AsCompleted, AsCompletedWithin, NextCompleted, as_completed, as_completed_bounded,
};
pub use barrier::{Barrier, BarrierStatistics, BarrierWait, BarrierWaitResult, BrokenBarrier};
pub use cancel_all::{CancelAll, cancel_all};
pub use condvar::{Condvar, CondvarStatistics, CondvarWait, CondvarWaitTimeout, CondvarWaitWhile};
pub use event::{Event, EventWait};
pub use gather::{Gather, gather};
pub use join_set::{JoinAll, JoinNext, JoinSet};
pub use mutex::{Lock, LockOwned, Mutex, MutexGuard, OwnedMutexGuard, Relock};
pub use once_cell::{GetOrInit, GetOrTryInit, OnceCell, OnceCellStatistics, SetError};
pub use queue::{
    Fifo, Get, GetError, Lifo, LifoQueue, Prioritized, PriorityQueue, Put, PutError, Queue,
    QueueJoin, QueueOf, QueueOrder, SmallestFirst, TaskDoneError, TryGetError, TryPutError,
};
pub use race::{Race, race};
pub use race_ok::{RaceOk, race_ok};
pub use race_staggered::{RaceStaggered, Staggered, race_staggered};
pub use race_tasks::{RaceTasks, Won, race_tasks};
pub use rate_limiter::{AcquireTokens, RateLimiter};
pub use rw_lock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, ReadLock, ReadLockOwned, RwLock, RwLockReadGuard,
    RwLockStatistics, RwLockWriteGuard, WriteLock, WriteLockOwned,
};
pub use scope::{Scope, ScopeRun};
pub use semaphore::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore};
pub use shield::{Shield, shield};
pub use statistics::{
    EventStatistics, MutexStatistics, QueueStatistics, RateLimiterStatistics, SemaphoreStatistics,
};
pub use task_group::{Failure, Failures, GroupError, GroupHandle, IntoFailure, TaskGroup};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use timeout_scope::{RescheduleError, TimeoutRun, TimeoutScope, timeout_scope};
pub use try_gather::{AttachedTryGather, TryGather, TryGatherError, try_gather};
pub use using::{AsyncClose, CloseError, finally, using};
pub use wait::{Joinable, ReturnWhen, Wait, Waited, wait};

/// For the expansions of [`join!`], [`try_join!`] and [`select!`] only.
#[doc(hidden)]
pub mod __private {
    pub use crate::join::{Join, JoinArm, JoinArms, join, join_arm};
    pub use crate::select::{
        AllOff, Arm, Arms, NoArm, Select, Selected, all_arms_are_off, arm, select, select_at_random,
    };
    pub use crate::try_join::{TryJoin, TryJoinArms, try_join};
}
