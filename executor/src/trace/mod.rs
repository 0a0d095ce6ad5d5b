//! What happened, in order, and because of whom? One [`Event`] for every station and beat.
//!
//! ```text
//!   [1] spawn  [2] enqueue  [3] dequeue  [4] poll  [5] await  [6] wake  [7] complete  [8] join
//!   [9] reap        a drain the inbox   b run one batch   c ask   d park   e fire
//! ```
//!
//! The code of the loop says `trace::emit(|| Event::…)` where the thing has just happened. With
//! feature `trace` that is formatted and given to `log` (target `lone::…`, level trace), so that
//! `RUST_LOG=lone=trace` reads as a story. Without it this module is its twin `disabled`, in which
//! every type has no size and every function is empty, but for one: a leaf that has to wait still says for what, if a report of a deadlock asks.
//!
//! Invariants:
//! - **After the fact**: an event is emitted when the state that it names has changed.
//! - **Causes are facts**: who woke whom is known where the wake is made, never guessed later.

mod event;

#[cfg(feature = "trace")]
mod enabled;
#[cfg(feature = "trace")]
mod story;
#[cfg(feature = "trace")]
pub use enabled::{
    CauseGuard, Held, Label, Mark, Object, Site, awaits, awaits_held, because, emit, hold, mark,
    note, who,
};
#[cfg(feature = "trace")]
pub(crate) use enabled::{awaits_task, begin_child, begin_poll, cause, end_child, end_poll};

#[cfg(not(feature = "trace"))]
mod disabled;
#[cfg(not(feature = "trace"))]
pub use disabled::{
    CauseGuard, Held, Label, Mark, Object, Site, awaits, awaits_held, because, emit, hold, mark,
    note, who,
};
#[cfg(not(feature = "trace"))]
pub(crate) use disabled::{awaits_task, begin_child, begin_poll, end_child, end_poll};

pub use crate::awaits::{Await, as_child};
pub use event::{Cause, Event, Who};
