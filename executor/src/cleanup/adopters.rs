//! Where do a loop's cleanups stand? Loose for a moment, then in the queue of whoever adopted them.
//!
//! ```text
//!   loose   [ entry ][ entry ]            handed over, and not yet taken by a scope
//!   queues  slab of Queue ─┬─ entries     in the order in which they were handed over
//!                          ├─ runner      the task that runs them, once started
//!                          ├─ owner       who is told when it is empty
//!                          └─ errors
//! ```
//!
//! Invariants:
//! - **Nothing is loose between two polls**: what no scope took goes to the task or main that was
//!   polled, or to the loop ([`Core::adopt_rest`]).
//! - **A queue that has been started has a runner until it is empty.**
//! - **No user code under a borrow**: entries and errors are moved out, and dropped unborrowed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::task::{Context, Poll};

use slab::Slab;

use super::{BoxError, CleanupErrors, Entry, Key, runner};
use crate::cell::Task;
use crate::core::Core;
use crate::kept_waker::KeptWaker;
use crate::num::Num;
use crate::registry::LoopNumber;
use crate::task_id::TaskId;
use crate::trace;

/// The cleanups of one loop.
#[derive(Default)]
pub(crate) struct Adopters {
    loose: RefCell<Vec<Entry>>,
    count: Cell<usize>,
    queues: RefCell<Slab<Queue>>,
    /// How many queues there are: read at the end of every task.
    alive: Cell<usize>,
    made: Cell<u64>,
    /// The queue of main, and of whatever belongs to nobody.
    bottom: Cell<Option<Key>>,
}

struct Queue {
    seq: u64,
    /// "cleanup of Task-3 `crawler`": the name of its runner.
    name: String,
    site: &'static Location<'static>,
    entries: VecDeque<Entry>,
    runner: Option<TaskId>,
    owner: Owner,
    errors: Vec<BoxError>,
}

/// Who is told when a queue is empty.
enum Owner {
    /// A scope, or main: woken.
    Scope(KeptWaker),
    /// A task: it ends then, if its body has gone.
    Task(Task),
}

impl Adopters {
    /// How many entries are loose.
    #[inline]
    pub(crate) fn loose(&self) -> usize {
        self.count.get()
    }

    /// Whether there is nothing at all.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.count.get() + self.alive.get() == 0
    }

    /// Whether main has cleanups that have not run.
    pub(crate) fn is_bottom_busy(&self) -> bool {
        self.bottom.get().is_some()
    }

    pub(super) fn hand_over(&self, entry: Entry) {
        self.count.set(self.count.get() + 1);
        self.loose.borrow_mut().push(entry);
    }

    /// Moves what became loose since `mark` to the queue of `home`, or to a new one.
    pub(super) fn take_loose(
        &self,
        mark: usize,
        number: LoopNumber,
        home: Option<Key>,
        label: impl FnOnce() -> (String, &'static Location<'static>),
    ) -> Key {
        let key = home.unwrap_or_else(|| {
            let (name, site) = label();
            self.insert(number, name, site, Owner::Scope(KeptWaker::NOBODY))
        });
        let taken = self.loose.borrow_mut().split_off(mark);
        self.count.set(mark);
        let kept = self.with(key, |queue| queue.entries.extend(taken));
        debug_assert!(kept.is_some(), "a queue is there as long as somebody has its key");
        key
    }

    fn insert(
        &self,
        number: LoopNumber,
        name: String,
        site: &'static Location<'static>,
        owner: Owner,
    ) -> Key {
        let seq = self.made.get() + 1;
        self.made.set(seq);
        self.alive.set(self.alive.get() + 1);
        let index = self.queues.borrow_mut().insert(Queue {
            seq,
            name,
            site,
            entries: VecDeque::new(),
            runner: None,
            owner,
            errors: Vec::new(),
        });
        Key { number, index: index as u32, seq }
    }

    /// Shows `f` the queue behind `key`, if it is still there.
    fn with<R>(&self, key: Key, f: impl FnOnce(&mut Queue) -> R) -> Option<R> {
        let mut queues = self.queues.borrow_mut();
        let queue = queues.get_mut(key.index as usize).filter(|queue| queue.seq == key.seq);
        queue.map(f)
    }

    fn remove(&self, key: Key) -> Option<Queue> {
        self.with(key, |_| ())?;
        self.alive.set(self.alive.get() - 1);
        Some(self.queues.borrow_mut().remove(key.index as usize))
    }

    /// The next entry to run.
    pub(super) fn next(&self, key: Key) -> Option<Entry> {
        self.with(key, |queue| queue.entries.pop_front()).flatten()
    }

    /// An entry has failed.
    pub(super) fn failed(&self, key: Key, error: BoxError) {
        let kept = self.with(key, |queue| queue.errors.push(error));
        debug_assert!(kept.is_some(), "a queue is there as long as its runner");
    }
}

impl Core {
    /// Gives a queue its runner, unless it has one or is empty.
    pub(crate) fn start_adopter(&self, key: Key) {
        let start = self.adopters.with(key, |queue| {
            (queue.runner.is_none() && !queue.entries.is_empty())
                .then(|| (queue.name.clone(), queue.site))
        });
        let Some((name, site)) = start.flatten() else { return };
        match self.spawn_cleanup(|| runner::run(self.me(), key, site), name, site) {
            Some(task) => {
                self.adopters.with(key, |queue| queue.runner = Some(task));
            }
            None => self.give_up(key, "a cleanup was never begun: the loop takes no task any more"),
        }
    }

    /// Drops what a queue has not begun; each counts as failed, for this reason.
    #[cold]
    pub(super) fn give_up(&self, key: Key, why: &'static str) {
        while let Some(entry) = self.adopters.next(key) {
            self.adopters.failed(key, why.into());
            match entry {
                Entry::Cleanup(cleanup) => {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(cleanup))) {
                        self.adopters.failed(key, runner::panicked(payload));
                    }
                }
                Entry::Queues(queues) => {
                    for queue in queues {
                        self.give_up(queue, why);
                        self.end_given_up(queue, key);
                    }
                }
            }
        }
    }

    /// A queue that was given up, within another: its errors are the other's. One that has a runner
    /// ends with that.
    fn end_given_up(&self, queue: Key, of: Key) {
        if self.adopters.with(queue, |queue| queue.runner.is_none()) == Some(true)
            && let Some(queue) = self.adopters.remove(queue)
        {
            queue.errors.into_iter().for_each(|error| self.adopters.failed(of, error));
        }
    }

    /// Ready when a queue is empty and its runner has ended; then it is gone.
    pub(crate) fn poll_adopter(&self, key: Key, cx: &mut Context<'_>) -> Poll<CleanupErrors> {
        // One that was only collected begins when somebody waits for it.
        self.start_adopter(key);
        let new = KeptWaker::new(cx.waker());
        let runner = self.adopters.with(key, |queue| {
            let runner = queue.runner?;
            let before = std::mem::replace(&mut queue.owner, Owner::Scope(new));
            Some((runner, queue.site, before))
        });
        match runner.flatten() {
            Some((runner, site, before)) => {
                drop(before);
                trace::awaits_task(runner, site);
                Poll::Pending
            }
            None => {
                let errors = self.adopters.remove(key).map(|queue| queue.errors);
                Poll::Ready(CleanupErrors::new(errors.unwrap_or_default()))
            }
        }
    }

    /// The runner of a queue has ended: whoever waits for that is told.
    pub(super) fn adopter_is_empty(&self, key: Key) {
        enum Told {
            Scope(KeptWaker),
            Task(Task),
        }
        let told = self.adopters.with(key, |queue| {
            queue.runner = None;
            match &mut queue.owner {
                Owner::Scope(waker) => Told::Scope(waker.take()),
                Owner::Task(task) => Told::Task(task.clone()),
            }
        });
        match told {
            None => {}
            // Main has not begun to wait for it, or does not any more.
            Some(Told::Scope(waker))
                if self.adopters.bottom.get() == Some(key) && waker.is_stale() =>
            {
                self.report_bottom();
            }
            Some(Told::Scope(waker)) => waker.wake_in_the_loop(),
            // A body that is still there may hand over more.
            Some(Told::Task(task)) if !task.is_closing() => {}
            Some(Told::Task(task)) => {
                let errors = self.adopters.remove(key).map(|queue| queue.errors);
                self.close_task(task, CleanupErrors::new(errors.unwrap_or_default()));
            }
        }
    }

    /// [7] complete, of a task whose body has gone: whether cleanups are left to be awaited first.
    #[cold]
    pub(crate) fn begin_closing(&self, task: &Task) -> bool {
        let loose = self.adopters.loose() > 0;
        if !loose && task.adopter().is_none() {
            return false;
        }
        // First of all: errors may go with the outcome, so nobody gets to see it from here on.
        task.begin_closing();
        if loose {
            self.adopt_for(task);
        }
        let Some(key) = task.adopter() else { unreachable!("it has one, or was given one") };
        if self.adopters.with(key, |queue| queue.runner.is_some()) == Some(true) {
            return true;
        }
        task.end_closing();
        if let Some(queue) = self.adopters.remove(key) {
            self.tell_cleanup_errors(task, CleanupErrors::new(queue.errors));
        }
        false
    }

    /// The cleanups of a task have run: now it has ended.
    fn close_task(&self, task: Task, errors: CleanupErrors) {
        task.end_closing();
        self.tell_cleanup_errors(&task, errors);
        self.complete(task);
    }

    /// For a report: a task whose body has gone waits for its cleanups.
    pub(crate) fn say_what_it_closes_for(&self, task: &Task) {
        let runner = task.adopter().and_then(|key| {
            self.adopters.with(key, |queue| queue.runner.map(|runner| (runner, queue.site)))
        });
        if let Some((runner, site)) = runner.flatten() {
            trace::awaits_task(runner, site);
        }
    }

    /// Leaves errors with the outcome where that is a cancel; else there is nobody to read them.
    fn tell_cleanup_errors(&self, task: &Task, errors: CleanupErrors) {
        if let Some(errors) = task.attach(errors) {
            errors.say_unread(|| task.describe());
        }
    }

    /// Moves what is loose to the queue of `task`, and starts it.
    fn adopt_for(&self, task: &Task) {
        let key = task.adopter().unwrap_or_else(|| {
            let (name, site) = (format!("cleanup of {}", task.name_in_full()), task.spawned());
            let key = self.adopters.insert(self.number(), name, site, Owner::Task(task.clone()));
            task.set_adopter(key);
            key
        });
        self.adopters.take_loose(0, self.number(), Some(key), || unreachable!("it has a home"));
        self.start_adopter(key);
    }

    /// What no scope took, after a poll of `num`: its task's, or main's and the loop's.
    #[cold]
    pub(crate) fn adopt_rest(&self, num: Option<Num>) {
        let task = num.and_then(|num| self.slots.borrow().task(num).cloned());
        if let Some(task) = task.filter(|task| !task.is_over()) {
            self.adopt_for(&task);
            return;
        }
        let home = self.adopters.bottom.get();
        // In a host's loop there is no main: then it is this line.
        let here = self.main_site.get().unwrap_or(Location::caller());
        let key = self
            .adopters
            .take_loose(0, self.number(), home, || ("cleanup of main".to_owned(), here));
        self.adopters.bottom.set(Some(key));
        self.start_adopter(key);
    }

    /// Ready when what main and nobody have handed over has run.
    pub(crate) fn poll_bottom(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(key) = self.adopters.bottom.get() else { return Poll::Ready(()) };
        match self.poll_adopter(key, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(errors) => {
                self.adopters.bottom.set(None);
                // Main has no joiner.
                errors.say_unread(|| "main".to_owned());
                Poll::Ready(())
            }
        }
    }

    /// The queue of main is empty, and main has ended: nobody else will ask.
    fn report_bottom(&self) {
        if let Some(queue) = self.adopters.bottom.take().and_then(|key| self.adopters.remove(key)) {
            CleanupErrors::new(queue.errors).say_unread(|| "main".to_owned());
        }
    }

    /// A queue whose scope was dropped elsewhere: the loop goes on with it.
    pub(crate) fn adopt_orphan(&self, index: u32, seq: u64) {
        let key = Key { number: self.number(), index, seq };
        self.adopters.hand_over(Entry::Queues(vec![key]));
    }
}
