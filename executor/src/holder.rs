//! Who has what somebody waits for? A lock notes it in two words; a report makes a sentence of them.
//!
//! ```text
//!   lock ── Taken::here ──► Taken { number of who is being polled, line }    at every lock: two stores
//!                              └── holder() ──► Holder { who, since, … }     when somebody asks
//! ```
//!
//! A number that is stale by then says that its task has ended, and not which one it was: the line is
//! left. Nothing else is kept for the sake of reports.

use std::fmt;
use std::panic::Location;

use crate::core::Core;
use crate::num::Num;
use crate::task_id::TaskId;
use crate::trace::Who;
use crate::waker::running;

/// Who has what is awaited, and since which line.
///
/// It is who *took* it: a guard that has moved to another task since is still told as the one's who
/// awaited it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Who took it, or was handed it.
    pub who: HeldBy,
    /// The line on which that one asked for it.
    pub since: &'static Location<'static>,
    /// It was handed over, and the future that it was handed to has not been polled since.
    ///
    /// In the report of a deadlock that is a future which somebody keeps and nobody polls any more (a
    /// "futurelock"): an arm of a `race` that was given as `&mut future` and has lost, say. Drop it, or
    /// await it.
    pub unclaimed: bool,
}

/// Who holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldBy {
    /// The future given to `block_on` or `run`.
    Main,
    /// A task of this loop.
    Task(TaskId),
    /// A task that has ended, or the main of a run that is over: the guard was leaked, or has moved.
    Ended,
    /// Nobody that this loop knows: it was taken between two turns, in another loop, or where none
    /// runs; or nobody has noted who it was, as with a semaphore's permits.
    Unknown,
}

impl HeldBy {
    /// The task as `Waiting::task` has it, main being `None`; `None` for who does not wait.
    pub(crate) fn root(self) -> Option<Option<TaskId>> {
        match self {
            HeldBy::Main => Some(None),
            HeldBy::Task(task) => Some(Some(task)),
            HeldBy::Ended | HeldBy::Unknown => None,
        }
    }
}

/// Who was being polled when something was taken, and on which line that was asked for.
///
/// For primitives: keep it while the thing is held, and make a [`Holder`] of it when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    root: Option<Num>,
    since: &'static Location<'static>,
}

impl Taken {
    /// By whoever is being polled now: the task, or main, not its child.
    #[inline]
    #[must_use]
    pub fn here(since: &'static Location<'static>) -> Taken {
        Taken { root: running(Core::root).flatten(), since }
    }

    /// Who that is, as the loop that runs here knows him. `unclaimed`: see [`Holder::unclaimed`].
    #[must_use]
    pub fn holder(self, unclaimed: bool) -> Holder {
        let who = self.root.and_then(|num| {
            running(|core| (core.index() == num.loop_index()).then(|| core.who(num))).flatten()
        });
        let who = match who {
            None => HeldBy::Unknown,
            Some(Who::Main) => HeldBy::Main,
            Some(Who::Task(task)) => HeldBy::Task(task),
            Some(_) => HeldBy::Ended,
        };
        Holder { who, since: self.since, unclaimed }
    }
}

impl Holder {
    /// Of something that was handed to a future which has not come for it; by whom that was polled is
    /// not noted.
    #[must_use]
    pub fn unclaimed(since: &'static Location<'static>) -> Holder {
        Holder { who: HeldBy::Unknown, since, unclaimed: true }
    }

    /// ", held by Task-1 since src/main.rs:4:9": how the sentence goes on after what is awaited.
    /// `name` says what a task, or main, is called.
    pub(crate) fn write(
        &self,
        to: &mut dyn fmt::Write,
        name: impl FnOnce(Option<TaskId>) -> String,
    ) -> fmt::Result {
        let Holder { who, since, unclaimed } = self;
        match (who.root().map(name), unclaimed) {
            (Some(who), false) => write!(to, ", held by {who} since {since}"),
            (Some(who), true) => {
                write!(to, ", handed to {who}, which has not polled its future of {since} since")
            }
            (None, false) if *who == HeldBy::Ended => {
                write!(to, ", taken at {since} by somebody who has ended")
            }
            (None, false) => write!(to, ", taken at {since} outside of this loop"),
            (None, true) => {
                write!(to, ", handed to a future of {since}, which has not been polled since")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lock_notes_is_two_words() {
        assert_eq!(size_of::<Option<Taken>>(), 16);
    }

    #[test]
    fn taken_where_no_loop_runs_is_taken_by_nobody_known() {
        let holder = Taken::here(Location::caller()).holder(false);
        assert_eq!((holder.who, holder.who.root()), (HeldBy::Unknown, None));
    }
}
