//! The twin with feature `trace`: events become lines of the story in the log.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use super::story;
use super::{Cause, Event, Who};
use crate::awaits::{self, Await};
use crate::core::Core;
use crate::holder::Holder;
use crate::num::Num;
use crate::task_id::TaskId;
use crate::waker::running;

thread_local! {
    /// Because of what wakes are made now, where it is not whoever is being polled.
    static CAUSE: Cell<Option<Cause>> = const { Cell::new(None) };
    /// A sink may run code of ours: what that does is not told, or it would never end.
    static TELLING: Cell<bool> = const { Cell::new(false) };
    /// How many guards hold events back, and those that they do.
    static HELD: Cell<u32> = const { Cell::new(0) };
    static BACK: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// Emits what `event` returns: now, or when the last [`Held`] has gone.
pub fn emit(event: impl FnOnce() -> Event) {
    if log::max_level() < log::LevelFilter::Trace || TELLING.replace(true) {
        return;
    }
    let event = event();
    TELLING.set(false);
    if HELD.get() > 0 {
        let _ = BACK.try_with(|back| back.borrow_mut().push(event));
    } else {
        tell(&event);
    }
}

/// Gives an event to the logger. One that panics must not unwind into the midst of a task's end: the
/// event is lost, and what the panic hook says is all that is seen of it.
fn tell(event: &Event) {
    if TELLING.replace(true) {
        return;
    }
    let line = || log::log!(target: event.target(), log::Level::Trace, "{}", story::line(event));
    let told = catch_unwind(AssertUnwindSafe(line));
    TELLING.set(false);
    drop(told);
}

/// Holds events back until the guard is dropped: a logger is user code, and must not run while a
/// borrow of ours is held. Make it before the borrow.
#[must_use = "events are held back while the guard lives"]
pub fn hold() -> Held {
    HELD.set(HELD.get() + 1);
    Held(())
}

/// While it lives events are held back.
#[derive(Debug)]
pub struct Held(());

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
        if HELD.get() == 0 {
            let back = BACK.try_with(|back| std::mem::take(&mut *back.borrow_mut()));
            back.unwrap_or_default().iter().for_each(tell);
        }
    }
}

/// Tells `text` as part of the story.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     lone::note(|| "half way".to_string());
/// });
/// ```
pub fn note(text: impl FnOnce() -> String) {
    emit(|| Event::Note { who: running(Core::polled).unwrap_or(Who::Unknown), text: text() });
}

/// Says what the future being polled waits for; a leaf calls it when it returns Pending.
pub fn awaits(on: &'static str, site: &'static Location<'static>) {
    awaits::say(|| awaits::thing(on, site));
}

/// As [`awaits`], for what somebody may hold: `holder` is asked only if anybody listens.
pub fn awaits_held(
    on: &'static str,
    site: &'static Location<'static>,
    holder: impl FnOnce() -> Option<Holder>,
) {
    awaits::say(|| Await { holder: holder(), ..awaits::thing(on, site) });
}

/// As [`awaits`], for the end of a task: the line is where that was spawned.
pub(crate) fn awaits_task(task: TaskId, site: &'static Location<'static>) {
    awaits::say(|| awaits::end_of(task, site));
}

/// How much the future being polled has said so far.
///
/// A future that polls others and is done with them while some are pending takes a mark first, and
/// forgets what they have said: they are dropped, and nobody awaits them.
#[must_use]
pub fn mark() -> Mark {
    Mark(awaits::said())
}

/// How much the future being polled had said when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Mark {
    /// What was said since is not awaited any more.
    pub fn forget(self) {
        drop(self.take());
    }

    /// What was said since; it counts for somebody else.
    fn take(self) -> Vec<Await> {
        awaits::take_since(self.0)
    }
}

/// `[4]` poll of a child.
pub(crate) fn begin_child(num: Num) -> Mark {
    emit(|| Event::Poll { who: who(num).unwrap_or(Who::Unknown) });
    mark()
}

/// `[5]` or `[7]`: what a child has said is what it awaits, and not the one who polls it.
pub(crate) fn end_child(num: Num, polled: Mark) {
    if awaits::is_asking() {
        return;
    }
    let awaits = polled.take();
    if !awaits.is_empty() {
        emit(|| Event::Pending { who: who(num).unwrap_or(Who::Unknown), awaits });
    }
}

/// Who lives behind a number of the loop that runs here.
#[must_use]
pub fn who(num: Num) -> Option<Who> {
    running(|core| if core.index() == num.loop_index() { Some(core.who(num)) } else { None })
        .flatten()
}

/// Gives the wakes made while the guard lives their cause.
#[must_use = "the cause holds while the guard lives"]
pub fn because(cause: Cause) -> CauseGuard {
    CauseGuard { before: CAUSE.with(|cell| cell.replace(Some(cause))) }
}

/// The line on which a future was made, where only a trace asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Site(&'static Location<'static>);

impl Site {
    /// The caller's line.
    #[track_caller]
    #[must_use]
    pub fn caller() -> Site {
        Site(Location::caller())
    }

    /// Says what the future being polled waits for.
    pub fn awaits(self, on: &'static str) {
        awaits(on, self.0);
    }
}

/// While it lives, wakes have the cause that it was made with.
#[derive(Debug)]
pub struct CauseGuard {
    before: Option<Cause>,
}

impl Drop for CauseGuard {
    fn drop(&mut self) {
        let _ = CAUSE.try_with(|cell| cell.set(self.before));
    }
}

/// Because of what a wake is made now.
pub(crate) fn cause(current: Who) -> Cause {
    CAUSE.try_with(Cell::get).ok().flatten().unwrap_or(Cause::Who(current))
}

pub(crate) fn begin_poll(num: Num) {
    if !awaits::is_asking() {
        drop(awaits::take_since(0));
    }
    emit(|| Event::Poll { who: who(num).unwrap_or(Who::Unknown) });
}

pub(crate) fn end_poll(num: Num) {
    // A report takes what was said by itself.
    let awaits = if awaits::is_asking() { Vec::new() } else { awaits::take_since(0) };
    emit(|| Event::Pending { who: who(num).unwrap_or(Who::Unknown), awaits: awaits.clone() });
    // A chooser may want to hear it too; the next poll drops it.
    awaits::put_back(awaits);
}

/// What names an object in traces.
pub type Label = Object;

/// The name of a wait list's owner in traces: its kind and a number.
#[derive(Clone, Copy)]
pub struct Object {
    kind: &'static str,
    number: u32,
}

impl Object {
    /// A new object of this kind.
    #[must_use]
    pub fn new(kind: &'static str) -> Object {
        static MADE: AtomicU32 = AtomicU32::new(0);
        Object { kind, number: MADE.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// Its kind: "semaphore".
    #[must_use]
    pub fn kind(self) -> &'static str {
        self.kind
    }

    /// What names it in traces.
    #[must_use]
    pub fn label(self) -> Label {
        self
    }

    /// Its name in traces: "semaphore#3".
    #[must_use]
    pub fn name(self) -> String {
        format!("{}#{}", self.kind, self.number)
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}
