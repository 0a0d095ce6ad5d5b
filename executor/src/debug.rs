//! What does a loop in debug mode look at? How long a poll takes, and what nobody comes for.
//!
//! `Builder::debug(true)` or `LONE_DEBUG=1` turns it on; all of it is said as a warning, under target
//! `lone::debug`:
//!
//! | what | when it is said |
//! |---|---|
//! | a poll that took longer than [`Settings::slow_poll`](crate::Settings::slow_poll), in real time | after that poll |
//! | a grant, or a cancel, whose future is not polled though its task is (see `watch`) | at the end of a turn |
//! | a task that is left when its loop shuts down, and what it awaits | before it is cancelled |
//! | a generator that is dropped half way and leaves cleanups to others (`stream` in sync) | when it is |
//!
//! Cost: off, a test per batch of polls, one per turn and one per grant; on, two readings of the clock
//! per poll (40 ns).

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use log::Level;

use crate::cell::Task;
use crate::core::Core;
use crate::num::Num;
use crate::report;

/// What a loop in debug mode knows.
pub(crate) struct Debug {
    slow_poll: Duration,
    /// Counts the turns, but for those that end with main.
    turn: Cell<u64>,
    /// In which turn each slot was polled last; 0: in none.
    polled: RefCell<Vec<u64>>,
}

impl Debug {
    pub(crate) fn new(slow_poll: Duration) -> Debug {
        Debug { slow_poll, turn: Cell::new(1), polled: RefCell::default() }
    }

    pub(crate) fn end_turn(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn.get()
    }

    /// In which turn a root was polled last; 0: in none.
    pub(crate) fn polled(&self, root: Num) -> u64 {
        self.polled.borrow().get(root.slot()).copied().unwrap_or(0)
    }

    /// A root is about to be polled.
    fn is_polled(&self, root: Num) {
        let mut polled = self.polled.borrow_mut();
        if polled.len() <= root.slot() {
            polled.resize(root.slot() + 1, 0);
        }
        polled[root.slot()] = self.turn.get();
    }
}

/// What is done before and after each poll of a batch: nothing, but in debug mode.
pub(crate) trait Timing: Copy {
    type Begun;
    /// A root is about to be polled: this task, or main.
    fn begin(self, root: Num, task: Option<&Task>) -> Self::Begun;
    /// It was polled, and may have ended.
    fn end(self, begun: Self::Begun);
}

impl Timing for () {
    type Begun = ();

    #[inline(always)]
    fn begin(self, _root: Num, _task: Option<&Task>) {}

    #[inline(always)]
    fn end(self, _begun: ()) {}
}

impl Timing for &Debug {
    type Begun = (Option<Task>, Instant);

    fn begin(self, root: Num, task: Option<&Task>) -> Self::Begun {
        self.is_polled(root);
        (task.cloned(), Instant::now())
    }

    fn end(self, (task, begin): Self::Begun) {
        let took = begin.elapsed();
        if took >= self.slow_poll {
            say_slow(&describe(task.as_ref()), took);
        }
    }
}

#[cold]
fn say_slow(who: &str, took: Duration) {
    say(&format!(
        "{who} ran for {took:?} without giving way, and nothing else could run meanwhile: let it do \
         what blocks or computes on a thread of its own (`to_thread`), or call `yield_now` in between"
    ));
}

/// "Task-3 `crawler`, spawned at src/main.rs:7:5," or "main".
pub(crate) fn describe(task: Option<&Task>) -> String {
    task.map_or_else(|| "main".to_owned(), |task| format!("{},", task.describe()))
}

/// Never call it while a borrow of ours is held: a logger is user code.
pub(crate) fn say(message: &str) {
    report::say(Level::Warn, "lone::debug", message);
}

impl Core {
    /// Debug mode: says what was due to a future that nobody polls.
    #[cold]
    pub(crate) fn say_what_is_overdue(&self, debug: &Debug) {
        for overdue in crate::watch::take_overdue(self, debug) {
            let task = self.slots.borrow().task(overdue.root).cloned();
            say(&overdue.describe(&describe(task.as_ref())));
        }
    }
}
