//! The executor of lone: tasks, wakers, one ready queue, and a [`Park`] to wait with.
//!
//! No I/O, no clock, no thread of its own. A task's life is nine stations, a turn of the loop five
//! beats; the tags stand in the code where the thing happens:
//!
//! ```text
//!  [1] spawn → [2] enqueue → [3] dequeue → [4] poll ─┬→ [7] complete → [8] join → [9] reap
//!                   ▲                                │
//!                   └──────── [6] wake ←──────── [5] await   (a leaf returned Pending and kept the waker)
//!
//!  one turn:   a drain the inbox (wakes from other threads)
//!              b run one batch   (the tasks that were ready when the turn began)
//!              c ask how long we may sleep
//!              d park            (poll I/O)
//!              e fire            (timers that are due, I/O that is ready: both only wake tasks)
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `executor`, `pace` | what does the loop do? |
//! | `settings`, `run_error` | what can be set about it, and why may it fail? |
//! | `schedule` | in which order do ready tasks run? |
//! | `core` | what does a loop own that its tasks may reach? |
//! | `spawn`, `current` | how does a task begin, and which one is running? |
//! | `slots`, `growth` | who lives behind a number, and how much room do they take? |
//! | `pool` | where do the nodes of a list live? |
//! | `num`, `waker`, `route`, `kept_waker` | what is a waker, where does a wake go, and how is one kept? |
//! | `cell`, `block` | what is a task in memory, and where? |
//! | `join`, `cancelled`, `panicked` | how does a task end, and who learns of it? |
//! | `cleanup` | what of it has to be awaited when a future is dropped? |
//! | `children`, `pinned` | how does one future poll many? |
//! | `inbox`, `registry`, `remote`, `remote_waker` | how does another thread reach a loop? |
//! | `in_flight`, `thread_wait` | what does another thread do for a loop, and does it wait? |
//! | `attached` | what else ends with a loop? |
//! | `park`, `linger` | who waits, and is it worth while to fall asleep? |
//! | `deadlock`, `stall` | what if nobody can be woken any more, or only by others? |
//! | `snapshot`, `task_info`, `everybody`, `awaits`, `holder` | who is there, and who waits for whom? |
//! | `debug`, `watch` | what takes too long, and what does nobody come for? |
//! | `budget`, `yield_now` | why can no task keep the loop to itself? |
//! | `idle` | how does a test wait until all others wait? |
//! | `random` | which one, where any would do? |
//! | `trace`, `report` | what happened, and what must be said unasked? |
//!
//! `unsafe` stands in `waker`, `cell`, `block` and `pinned`, and nowhere else.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("lone needs 64-bit pointers: a waker's data pointer holds a task's 64-bit number");

pub mod budget;
pub mod children;
pub mod cleanup;
pub mod pool;
pub mod report;
pub mod trace;
pub mod watch;

mod attached;
mod awaits;
mod block;
mod cancelled;
mod cell;
mod core;
mod current;
mod deadlock;
mod debug;
mod everybody;
mod executor;
mod growth;
mod holder;
mod idle;
mod in_flight;
mod inbox;
mod join;
mod kept_waker;
mod linger;
mod num;
mod pace;
mod panicked;
mod park;
mod pinned;
mod random;
mod ready;
mod registry;
mod remote;
mod remote_waker;
mod route;
mod run_error;
mod schedule;
mod settings;
mod slots;
mod snapshot;
mod spawn;
mod stall;
mod task_id;
mod task_info;
mod thread_wait;
mod waker;
mod yield_now;

pub use attached::{Attached, attached, find_attached};
pub use cancelled::{Cancelled, Reason, Source};
pub use current::{current_task, is_running, remote};
pub use deadlock::Deadlock;
pub use everybody::Waiting;
pub use executor::Executor;
pub use holder::{HeldBy, Holder, Taken};
pub use idle::{AllBlocked, wait_all_tasks_blocked};
pub use in_flight::{InFlight, is_clock_held};
pub use join::{CancelOnDrop, JoinError, JoinHandle};
pub use kept_waker::KeptWaker;
pub use num::Num;
pub use panicked::Panic;
pub use park::{Park, Release, ThreadPark, Unpark};
pub use pinned::Pinned;
pub use random::{Random, random_below};
pub use registry::{LoopNumber, Outside, outside};
pub use remote::{Closed, Remote, RemoteJoin};
pub use remote_waker::RemoteWaker;
pub use run_error::RunError;
pub use schedule::{Choose, Left, Ready};
pub use settings::{Settings, Statistics, Turn};
pub use snapshot::{Snapshot, TakeSnapshot, Tree, snapshot};
pub use spawn::spawn;
pub use stall::{OnStall, Stalled};
pub use task_id::TaskId;
pub use task_info::{TaskInfo, all_tasks};
pub use thread_wait::wait_on_thread;
pub use waker::number;
pub use yield_now::{YieldNow, yield_now};
