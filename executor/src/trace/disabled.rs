//! The twin without feature `trace`: nothing is recorded, and nothing is left of the calls.

use std::panic::Location;

use super::{Cause, Event, Who};
use crate::awaits::{self, Await};
use crate::holder::Holder;
use crate::num::Num;
use crate::task_id::TaskId;

/// Emits what `event` returns: not without feature `trace`.
#[inline(always)]
pub fn emit(_event: impl FnOnce() -> Event) {}

/// Holds events back while a borrow of ours is held: not without feature `trace`.
#[inline(always)]
#[must_use = "events are held back while the guard lives"]
pub fn hold() -> Held {
    Held(())
}

/// While it lives events are held back.
#[derive(Debug)]
pub struct Held(());

/// Tells a text as part of the story: not without feature `trace`.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     lone::note(|| "half way".to_string());
/// });
/// ```
#[inline(always)]
pub fn note(_text: impl FnOnce() -> String) {}

/// Says what the future being polled waits for; a leaf calls it when it returns Pending.
///
/// Without feature `trace` only a report listens, when the loop has come to a deadlock.
#[inline]
pub fn awaits(on: &'static str, site: &'static Location<'static>) {
    awaits::say(|| awaits::thing(on, site));
}

/// As [`awaits`], for what somebody may hold: `holder` is asked only if anybody listens.
#[inline]
pub fn awaits_held(
    on: &'static str,
    site: &'static Location<'static>,
    holder: impl FnOnce() -> Option<Holder>,
) {
    awaits::say(|| Await { holder: holder(), ..awaits::thing(on, site) });
}

/// Who lives behind a number: not known without feature `trace`.
#[inline(always)]
#[must_use]
pub fn who(_num: Num) -> Option<Who> {
    None
}

/// Gives the wakes made while the guard lives their cause: not without feature `trace`.
#[inline(always)]
#[must_use = "the cause holds while the guard lives"]
pub fn because(_cause: Cause) -> CauseGuard {
    CauseGuard(())
}

/// The line on which a future was made, where only a trace asks for it: no size without.
#[derive(Clone, Copy, Debug)]
pub struct Site(());

impl Site {
    /// The caller's line.
    #[inline(always)]
    #[must_use]
    pub fn caller() -> Site {
        Site(())
    }

    /// Says what the future being polled waits for: to nobody without feature `trace`.
    #[inline(always)]
    pub fn awaits(self, _on: &'static str) {}
}

/// While it lives, wakes have the cause that it was made with.
#[derive(Debug)]
pub struct CauseGuard(());

/// How much the future being polled has said so far: nothing without feature `trace`.
#[inline(always)]
#[must_use]
pub fn mark() -> Mark {
    Mark(())
}

/// How much the future being polled had said when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Mark(());

impl Mark {
    /// What was said since is not awaited any more: nothing was.
    #[inline(always)]
    pub fn forget(self) {}
}

/// As [`awaits`], for the end of a task: the line is where that was spawned.
#[inline]
pub(crate) fn awaits_task(task: TaskId, site: &'static Location<'static>) {
    awaits::say(|| awaits::end_of(task, site));
}

#[inline(always)]
pub(crate) fn begin_child(_num: Num) -> Mark {
    Mark(())
}

#[inline(always)]
pub(crate) fn end_child(_num: Num, _polled: Mark) {}

#[inline(always)]
pub(crate) fn begin_poll(_num: Num) {}

#[inline(always)]
pub(crate) fn end_poll(_num: Num) {}

/// What owns a wait list: without feature `trace` only its kind, for reports.
#[derive(Clone, Copy)]
pub struct Object {
    kind: &'static str,
}

impl Object {
    /// A new object of this kind.
    #[inline(always)]
    #[must_use]
    pub const fn new(kind: &'static str) -> Object {
        Object { kind }
    }

    /// Its kind: "semaphore".
    #[must_use]
    pub fn kind(self) -> &'static str {
        self.kind
    }

    /// What names it in traces.
    #[inline(always)]
    #[must_use]
    pub fn label(self) -> Label {
        Label(())
    }

    /// Its name in traces.
    #[inline(always)]
    #[must_use]
    pub fn name(self) -> String {
        String::new()
    }
}

/// What names an object in traces: no size without feature `trace`.
#[derive(Clone, Copy, Debug)]
pub struct Label(());

impl Label {
    /// The object's name in traces.
    #[inline(always)]
    #[must_use]
    pub fn name(self) -> String {
        String::new()
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)
    }
}
