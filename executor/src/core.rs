//! What does a loop own that its tasks may reach? The part that knows no park: slots and inbox.
//!
//! It is found through the thread-local of `waker` by `spawn`, wakers and groups, and is the same
//! type for every park. Invariant: **no user code under a borrow of `slots`**; what has to be
//! dropped or woken is carried out of the borrow first.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Waker};

use log::Level;

use crate::attached::Attachments;
use crate::budget::Budget;
use crate::cancelled::{Cancelled, Reason, Source};
use crate::cell::{self, Joined, Task};
use crate::cleanup::Adopters;
use crate::debug::{Debug, Timing};
use crate::idle::Idle;
use crate::inbox::Inbox;
use crate::join::{JoinError, JoinHandle};
use crate::num::Num;
use crate::random::Random;
use crate::registry::LoopNumber;
use crate::settings::Settings;
use crate::slots::{Dequeued, Forgotten, Next, Slots, Top, Woken};
use crate::snapshot::Requests;
use crate::task_id::TaskId;
use crate::trace::{self, Event};
use crate::waker::waker;
use crate::{budget, kept_waker::KeptWaker, report};

mod ask;

pub(crate) use ask::Asked;

/// Futures above this size are boxed on entry: they would be copied through the caller's frames,
/// and would hold their block for as long as a handle is kept.
const BOXED_ABOVE: usize = 16 << 10;

/// How many futures that a closed loop refuses are dropped within the drop of one.
const MOST_REFUSALS: u32 = 16;

/// How far a loop's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Tasks run.
    Open,
    /// Shutdown: new tasks are cancelled before their first poll.
    Closing,
    /// No task gets in any more.
    Closed,
}

/// What comes when a batch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The turn is.
    OneTurn,
    /// The next turn, if somebody is ready and nothing else is to be done in between.
    On,
}

/// What polling some has come to.
pub(crate) struct Run {
    /// How many entries were taken from the queue: fewer than asked for only if no more are to be had.
    pub(crate) polled: usize,
    pub(crate) main_has_ended: bool,
}

pub(crate) struct Core {
    me: Weak<Core>,
    number: LoopNumber,
    pub(crate) slots: RefCell<Slots>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) phase: Cell<Phase>,
    pub(crate) adopters: Adopters,
    pub(crate) idle: Idle,
    /// The line of the main that ran last, for reports.
    pub(crate) main_site: Cell<Option<&'static Location<'static>>>,
    pub(crate) attachments: Attachments,
    /// The root that is being polled: a task or main.
    root: Cell<Option<Num>>,
    /// The child that is being polled, on behalf of `root`.
    child: Cell<Option<Num>>,
    tasks_made: Cell<u64>,
    turns: Cell<u64>,
    /// For whoever has to choose where any would do.
    pub(crate) random: RefCell<Random>,
    /// While a refused future is being dropped: how many more were refused within.
    refusing: Cell<Option<u32>>,
    /// Whether the end of the next batch has more to do: somebody wants a snapshot, or debug mode.
    pub(crate) attention: Cell<bool>,
    pub(crate) requests: Requests,
    /// Debug mode.
    pub(crate) debug: Option<Debug>,
}

impl Core {
    pub(crate) fn new(
        number: LoopNumber,
        first_generation: u32,
        inbox: Arc<Inbox>,
        settings: &Settings,
    ) -> Rc<Core> {
        let debug = settings.debug.then(|| Debug::new(settings.slow_poll));
        Rc::new_cyclic(|me| Core {
            me: me.clone(),
            number,
            slots: RefCell::new(Slots::new(number.index(), first_generation)),
            inbox,
            phase: Cell::new(Phase::Open),
            adopters: Adopters::default(),
            idle: Idle::default(),
            main_site: Cell::new(None),
            attachments: Attachments::default(),
            root: Cell::new(None),
            child: Cell::new(None),
            tasks_made: Cell::new(0),
            turns: Cell::new(0),
            random: RefCell::new(Random::of_loop(settings.seed)),
            refusing: Cell::new(None),
            attention: Cell::new(settings.debug),
            requests: Requests::default(),
            debug,
        })
    }

    /// An owner of this core.
    pub(crate) fn to_rc(&self) -> Rc<Core> {
        self.me.upgrade().expect("whoever has a reference to a core has it from an owner")
    }

    /// This core, without owning it.
    pub(crate) fn me(&self) -> Weak<Core> {
        self.me.clone()
    }

    #[inline]
    pub(crate) fn index(&self) -> u16 {
        self.number.index()
    }

    pub(crate) fn number(&self) -> LoopNumber {
        self.number
    }

    /// Nobody is polled any more, whatever has ended the run.
    pub(crate) fn nobody_is_polled(&self) {
        self.root.set(None);
        self.child.set(None);
    }

    /// The root that is being polled.
    pub(crate) fn root(&self) -> Option<Num> {
        self.root.get()
    }

    /// The task that is being polled; `None` in main and outside of polls.
    pub(crate) fn current_task(&self) -> Option<TaskId> {
        self.slots.borrow().task(self.root.get()?).map(Task::id)
    }

    // ----- [1] spawn ---------------------------------------------------------------------------

    /// [1] spawn: a cell, a slot, and a place at the back of the ready queue.
    pub(crate) fn spawn<F>(
        &self,
        future: F,
        site: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if const { size_of::<F>() > BOXED_ABOVE } {
            self.spawn_sized(Box::pin(future), site)
        } else {
            self.spawn_sized(future, site)
        }
    }

    fn spawn_sized<F>(&self, future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if self.phase.get() == Phase::Closed {
            self.refuse(future, site);
            return JoinHandle::refused(site);
        }
        let joined = self.start(future, site, |_| ());
        if self.phase.get() == Phase::Closing {
            joined.task().ask_cancel(shutdown_reason);
        }
        JoinHandle::new(joined)
    }

    /// [1] spawn, of a task that runs cleanups: nobody has its handle, and nobody can cancel it.
    /// `None`: the loop takes no task any more.
    pub(crate) fn spawn_cleanup<F>(
        &self,
        runner: impl FnOnce() -> F,
        name: String,
        site: &'static Location<'static>,
    ) -> Option<TaskId>
    where
        F: Future<Output = ()> + 'static,
    {
        if self.phase.get() == Phase::Closed || self.slots.borrow().is_full() {
            return None;
        }
        let joined = self.start(runner(), site, |task| {
            task.set_cleanup();
            trace::emit(|| Event::Named { task: task.id(), name: name.clone() });
            task.set_name(name.into());
        });
        Some(joined.task().id())
    }

    fn start<F>(
        &self,
        future: F,
        site: &'static Location<'static>,
        note: impl FnOnce(&Task),
    ) -> Joined<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let id = TaskId::new(self.tasks_made.get() + 1);
        // In one borrow: `make` calls nothing of the user's.
        let make = |num| cell::new(future, num, id, site);
        let Some(joined) = self.slots.borrow_mut().insert_root(make) else { too_many_tasks() };
        self.tasks_made.set(id.number());
        trace::emit(|| Event::Spawn {
            task: id,
            by: self.polled(),
            site,
            size: joined.task().size(),
        });
        note(joined.task());
        trace::emit(|| Event::Enqueue { who: trace::Who::Task(id) });
        joined
    }

    /// Drops a future that a closed loop does not take.
    ///
    /// Its destructor may spawn again, and so on without end: beyond [`MOST_REFUSALS`] of them
    /// within one, the rest is leaked.
    #[cold]
    fn refuse<F>(&self, future: F, site: &'static Location<'static>) {
        let Some(nested) = self.refusing.get() else {
            self.refusing.set(Some(0));
            let _outermost = Refusing(self);
            drop(future);
            return;
        };
        self.refusing.set(Some(nested + 1));
        if nested < MOST_REFUSALS {
            drop(future);
            return;
        }
        std::mem::forget(future);
        if nested == MOST_REFUSALS {
            report::say(
                Level::Error,
                "lone::executor",
                &format!(
                    "destructors go on spawning on a loop that is closed; what they spawn at \
                     {site} is leaked, for dropping it would never end"
                ),
            );
        }
    }

    // ----- [4] poll ----------------------------------------------------------------------------

    /// A turn begins.
    #[inline]
    pub(crate) fn begin_turn(&self) {
        self.turns.set(self.turns.get() + 1);
    }

    /// How many turns have begun.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    /// [3] dequeue and [4] poll: `count` of the batch, or those that are left of it, and with
    /// [`Flow::On`] of the turns that follow. Main's end leaves those behind it.
    pub(crate) fn poll_some(
        &self,
        count: usize,
        flow: Flow,
        budget: Budget,
        main: &mut dyn FnMut(&mut Context<'_>) -> bool,
    ) -> Run {
        match &self.debug {
            None => self.poll_each(count, flow, budget, main, ()),
            Some(debug) => self.poll_some_in_debug(count, flow, budget, main, debug),
        }
    }

    /// Not inlined: the other way is left as it is without it.
    #[cold]
    fn poll_some_in_debug(
        &self,
        count: usize,
        flow: Flow,
        budget: Budget,
        main: &mut dyn FnMut(&mut Context<'_>) -> bool,
        debug: &Debug,
    ) -> Run {
        self.poll_each(count, flow, budget, main, debug)
    }

    #[inline(always)]
    fn poll_each(
        &self,
        count: usize,
        flow: Flow,
        budget: Budget,
        main: &mut dyn FnMut(&mut Context<'_>) -> bool,
        timing: impl Timing,
    ) -> Run {
        let mut run = Run { polled: 0, main_has_ended: false };
        while run.polled < count {
            let next = self.slots.borrow_mut().next(|| flow == Flow::On && self.may_go_on());
            let (num, next) = match next {
                Dequeued::Somebody(num, next) => (num, next),
                Dequeued::Stale => {
                    run.polled += 1;
                    continue;
                }
                Dequeued::Over => break,
            };
            run.polled += 1;
            trace::emit(|| Event::Dequeue { who: self.who(num) });
            self.root.set(Some(num));
            budget::set(budget);
            let waker = waker(num);
            let mut cx = Context::from_waker(&waker);
            match next {
                Next::Task(task) => {
                    let begun = timing.begin(num, Some(&task));
                    self.poll_task(task, num, &mut cx);
                    timing.end(begun);
                }
                Next::Main => {
                    let begun = timing.begin(num, None);
                    run.main_has_ended = poll_main(num, &mut cx, main);
                    timing.end(begun);
                    if run.main_has_ended {
                        break;
                    }
                }
            }
            self.adopt_what_is_left(num);
        }
        self.root.set(None);
        run
    }

    /// A batch is over, and somebody is ready: whether there is nothing to do but to poll them. Then the
    /// next turn begins here: a switch between two tasks, each of which wakes the other, is a turn, and
    /// that was two fifths of its price (bench `yield1`).
    #[inline]
    fn may_go_on(&self) -> bool {
        let goes_on = !self.attention.get() && !self.inbox.is_pending();
        if goes_on {
            self.begin_turn();
        }
        goes_on
    }

    /// Cleanups that no scope took during the poll of `num`.
    #[inline]
    fn adopt_what_is_left(&self, num: Num) {
        if self.adopters.loose() > 0 {
            self.adopt_rest(Some(num));
        }
    }

    /// Inlined into `poll_some` although a report calls it too: 20 instructions a switch (bench
    /// `yield1000`).
    #[inline(always)]
    fn poll_task(&self, task: Task, num: Num, cx: &mut Context<'_>) {
        if task.cancel_asked() {
            self.stop(&task, cancelled(&task));
            return;
        }
        trace::begin_poll(num);
        if task.poll(cx, self) {
            self.finish(task);
        } else {
            trace::end_poll(num); // [5] await
        }
    }

    /// Drops a task's body at its await point, leaves `why` as its outcome, and ends it.
    #[cold]
    pub(crate) fn stop(&self, task: &Task, why: JoinError) {
        if task.stop(why, self) {
            self.finish(task.clone());
        }
    }

    /// [7] complete: the body is about to be dropped; nobody can wake the task any more.
    pub(crate) fn raise(&self, num: Num) {
        self.slots.borrow_mut().raise(num);
    }

    /// [7] complete: the body is gone and the outcome is there. Cleanups come before all else.
    fn finish(&self, task: Task) {
        if !self.adopters.is_idle() && self.begin_closing(&task) {
            return;
        }
        self.complete(task);
    }

    /// [7] complete → [8] join → [9] reap: whatever had to be awaited has been.
    #[inline]
    pub(crate) fn complete(&self, task: Task) {
        if task.has_joiner() {
            self.tell_joiner(&task);
        }
        self.vacate(task.num()); // [9] reap
        trace::emit(|| Event::Reap { task: task.id() });
        // Here the last owner may go, with an outcome that nobody has read.
        drop(task);
    }

    /// [8] join. Out of line: whoever is joined before or after that does not pay for it.
    #[inline(never)]
    fn tell_joiner(&self, task: &Task) {
        trace::emit(|| Event::Join { task: task.id() });
        task.set_joiner(KeptWaker::NOBODY).wake_in_the_loop();
    }

    /// [9] reap: gives back the slot of a root whose number has been raised, and drops what was left
    /// there.
    #[inline(always)] // Into the one caller who has many to reap: bench `spawn10k`.
    pub(crate) fn vacate(&self, num: Num) {
        let (task, forgotten) = self.slots.borrow_mut().vacate(num);
        if let Some(forgotten) = forgotten {
            self.end_groups(forgotten);
        }
        drop(task);
    }

    #[cold]
    fn end_groups(&self, forgotten: Forgotten) {
        let parents = self.slots.borrow_mut().end_groups(forgotten);
        drop(parents);
    }

    // ----- [6] wake ----------------------------------------------------------------------------

    /// [6] wake, where nothing is out of the ordinary. `false`: use [`Core::wake`].
    #[inline]
    pub(crate) fn wake_fast(&self, num: Num) -> bool {
        // A trace tells every wake, so it takes the other way.
        cfg!(not(feature = "trace")) && self.slots.borrow_mut().wake_fast(num)
    }

    /// [6] wake of a child, where nothing is out of the ordinary. `false`: use [`Core::wake`].
    #[inline]
    pub(crate) fn wake_child_fast(&self, num: Num) -> bool {
        cfg!(not(feature = "trace")) && self.slots.borrow_mut().wake_child_fast(num)
    }

    /// [6] wake by value, where nothing is out of the ordinary: a clone has gone with it. `false`: nothing
    /// was done.
    #[inline]
    pub(crate) fn wake_and_drop_fast(&self, num: Num) -> bool {
        cfg!(not(feature = "trace")) && self.slots.borrow_mut().wake_and_drop_fast(num)
    }

    /// [6] wake. Returns a foreign waker to be woken after every borrow has ended.
    pub(crate) fn wake(&self, num: Num) -> Option<Waker> {
        let woken = self.slots.borrow_mut().wake(num);
        self.trace_wake(num, woken);
        if woken == Woken::Child { self.wake_parents(num) } else { None }
    }

    /// [6] wake, from a child on upwards. Returns a foreign waker to be woken after every borrow
    /// has ended.
    fn wake_parents(&self, child: Num) -> Option<Waker> {
        let top = self.slots.borrow_mut().walk_up(child);
        self.arrive(top)
    }

    /// [6] wake of whoever polls a group, to which a child was added. Returns a foreign waker to be
    /// woken after every borrow has ended.
    pub(crate) fn wake_group(&self, group: u32, seq: u64) -> Option<Waker> {
        let top = self.slots.borrow_mut().wake_group(group, seq);
        self.arrive(top)
    }

    fn arrive(&self, top: Top) -> Option<Waker> {
        match top {
            Top::Nowhere => None,
            Top::Root(root) => {
                trace::emit(|| Event::Enqueue { who: self.who(root) });
                None
            }
            Top::Foreign(waker) => Some(waker),
        }
    }

    /// Polls a child with a number, a budget and a place of its own; all three are put back.
    pub(crate) fn poll_child<R>(&self, num: Num, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        struct Restore<'a> {
            core: &'a Core,
            child: Option<Num>,
            budget: Budget,
        }
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.core.child.set(self.child);
                budget::replace(self.budget);
            }
        }
        let child = self.child.replace(Some(num));
        let polled = trace::begin_child(num);
        let _restore = Restore { core: self, child, budget: budget::refill() };
        let waker = waker(num);
        let outcome = f(&mut Context::from_waker(&waker));
        trace::end_child(num, polled);
        outcome
    }

    // ----- traces ------------------------------------------------------------------------------

    #[cfg(feature = "trace")]
    fn trace_wake(&self, num: Num, woken: Woken) {
        let again = match woken {
            Woken::Stale => return,
            Woken::Again => true,
            Woken::Queued | Woken::Child => false,
        };
        let by = trace::cause(self.polled());
        trace::emit(|| Event::Wake { who: self.who(num), by, again });
        if !again {
            trace::emit(|| Event::Enqueue { who: self.who(num) });
        }
    }

    #[cfg(not(feature = "trace"))]
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the twin of the function above")]
    fn trace_wake(&self, _num: Num, _woken: Woken) {}

    /// Who is being polled, as traces name it.
    pub(crate) fn polled(&self) -> trace::Who {
        self.child.get().or(self.root.get()).map_or(trace::Who::Unknown, |num| self.who(num))
    }

    /// Who lives behind a number of this loop.
    pub(crate) fn who(&self, num: Num) -> trace::Who {
        self.slots.borrow().who(num)
    }
}

#[cold]
fn too_many_tasks() -> ! {
    panic!(
        "a loop can have 16,777,216 tasks and children at once, and it has: let some end before you \
         spawn more, for example with a Semaphore"
    )
}

/// While it lives a refused future is being dropped.
struct Refusing<'a>(&'a Core);

impl Drop for Refusing<'_> {
    fn drop(&mut self) {
        self.0.refusing.set(None);
    }
}

fn poll_main(
    num: Num,
    cx: &mut Context<'_>,
    main: &mut dyn FnMut(&mut Context<'_>) -> bool,
) -> bool {
    trace::begin_poll(num);
    let ended = main(cx);
    if ended {
        trace::emit(|| Event::Complete { who: trace::Who::Main });
    } else {
        trace::end_poll(num);
    }
    ended
}

/// Why this task is being stopped.
fn cancelled(task: &Task) -> JoinError {
    let why = task.cancelled().unwrap_or_else(shutdown_reason);
    JoinError::Cancelled(why)
}

/// The reason of those who are left when the loop shuts down.
pub(crate) fn shutdown_reason() -> Cancelled {
    Cancelled::new(Reason::from("the loop is shutting down"), Source::Shutdown, None)
}
