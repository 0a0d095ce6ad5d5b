//! What does a future wait for? It says so when it returns Pending, if anybody listens.
//!
//! A leaf calls [`say`] where it returns Pending. Nobody listens as a rule: then that is the test of
//! a flag. Listening are a trace and a chooser (see `schedule`), during every poll, and a report, which
//! polls everybody once more in order to ask: extra polls of a future are harmless, and so nothing has
//! to be kept meanwhile.

use std::cell::{Cell, RefCell};
use std::panic::Location;

use crate::holder::Holder;
use crate::task_id::TaskId;

/// What somebody waits for, and the line on which it was written.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Await {
    /// For what: "a permit", "a sleep".
    pub on: &'static str,
    /// For whose end, if it is a task that is waited for.
    pub task: Option<TaskId>,
    /// Who has it, if it is a thing that somebody holds.
    pub holder: Option<Holder>,
    /// Where that future was made: the line of its `.await`, as a rule.
    pub site: &'static Location<'static>,
    /// Where the child of a group was spawned that waits, if it is one.
    pub child: Option<&'static Location<'static>>,
}

impl Await {
    /// Whether it is a combinator, which waits for what others in the list wait for.
    pub(crate) fn is_combinator(&self) -> bool {
        const COMBINATORS: [&str; 18] = [
            "a scope",
            "a task group",
            "a deadline",
            "as_completed",
            "cancel_all",
            "gather",
            "join!",
            "join_all",
            "join_next",
            "race",
            "race_ok",
            "race_staggered",
            "race_tasks",
            "select!",
            "try_gather",
            "try_join!",
            "wait",
            "the cleanups of a stream",
        ];
        COMBINATORS.contains(&self.on)
    }
}

thread_local! {
    /// Whether anybody listens.
    static LISTENING: Cell<bool> = const { Cell::new(cfg!(feature = "trace")) };
    /// Whether that is a report, which wants to hear everybody.
    static ASKING: Cell<bool> = const { Cell::new(false) };
    /// The child of a group that is being polled, by its line; kept only while somebody listens.
    static CHILD: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    static SAID: RefCell<Vec<Await>> = const { RefCell::new(Vec::new()) };
}

/// Says what the future being polled waits for. Nobody listens: then `what` is not called.
#[inline]
pub(crate) fn say(what: impl FnOnce() -> Await) {
    if LISTENING.get() {
        let what = what();
        // At the thread's exit nobody listens any more.
        let _ = SAID.try_with(|said| said.borrow_mut().push(what));
    }
}

/// Polls the child of a group that was spawned at `site`: what it waits for is told as the child's.
#[inline]
pub fn as_child<R>(site: &'static Location<'static>, poll: impl FnOnce() -> R) -> R {
    if LISTENING.get() { as_child_told(site, poll) } else { poll() }
}

fn as_child_told<R>(site: &'static Location<'static>, poll: impl FnOnce() -> R) -> R {
    struct PutBack(Option<&'static Location<'static>>);
    impl Drop for PutBack {
        fn drop(&mut self) {
            CHILD.set(self.0);
        }
    }
    let _put_back = PutBack(CHILD.replace(Some(site)));
    poll()
}

/// Something that neither is a task nor has a holder.
#[inline]
pub(crate) fn thing(on: &'static str, site: &'static Location<'static>) -> Await {
    Await { on, task: None, holder: None, site, child: CHILD.get() }
}

/// The end of a task: the line is where that was spawned.
#[inline]
pub(crate) fn end_of(task: TaskId, site: &'static Location<'static>) -> Await {
    Await { on: "the end of", task: Some(task), holder: None, site, child: CHILD.get() }
}

/// How much has been said so far.
#[cfg(feature = "trace")]
pub(crate) fn said() -> usize {
    SAID.try_with(|said| said.borrow().len()).unwrap_or(0)
}

/// Takes what was said since so much had been.
pub(crate) fn take_since(mark: usize) -> Vec<Await> {
    let since = SAID.try_with(|said| {
        let mut said = said.borrow_mut();
        let mark = mark.min(said.len());
        said.split_off(mark)
    });
    since.unwrap_or_default()
}

/// Whether a report asks: then a group lets all of its children answer.
#[inline]
pub(crate) fn is_asking() -> bool {
    ASKING.get()
}

/// Nobody asks for now, for another loop runs inside of a poll; what was is put back when the guard
/// is dropped.
pub(crate) fn suspend() -> Suspended {
    Suspended {
        asking: ASKING.replace(false),
        child: CHILD.take(),
        listening: LISTENING.replace(cfg!(feature = "trace")),
    }
}

/// While it lives another loop runs.
pub(crate) struct Suspended {
    asking: bool,
    child: Option<&'static Location<'static>>,
    listening: bool,
}

impl Drop for Suspended {
    fn drop(&mut self) {
        ASKING.set(self.asking);
        CHILD.set(self.child);
        LISTENING.set(self.listening);
    }
}

/// Listens from here on, until the loop that runs is left: somebody chooses who runs next, and tells
/// what everybody waits for.
pub(crate) fn listen() {
    LISTENING.set(true);
}

/// Puts back what was taken.
#[cfg(feature = "trace")]
pub(crate) fn put_back(said: Vec<Await>) {
    let _ = SAID.try_with(|all| all.borrow_mut().extend(said));
}

/// Listens to everybody until the guard is dropped.
pub(crate) fn ask() -> Asking {
    let before = take_since(0);
    ASKING.set(true);
    Asking { listened: LISTENING.replace(true), before }
}

/// While it lives a report asks.
pub(crate) struct Asking {
    listened: bool,
    /// What was said before, which a chooser may still want to hear.
    before: Vec<Await>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let before = std::mem::take(&mut self.before);
        let _ = SAID.try_with(|said| said.replace(before));
        ASKING.set(false);
        LISTENING.set(self.listened);
    }
}
