//! What does the loop do? Five beats, on one screen: see [`Executor::one_turn`].
//!
//! ```text
//!  [1] spawn → [2] enqueue → [3] dequeue → [4] poll ─┬→ [7] complete → [8] join → [9] reap
//!                   ▲                                │
//!                   └──────── [6] wake ←──────── [5] await
//!
//!  one turn:   a drain the inbox    b run one batch    c ask how long we may sleep
//!              d park               e fire
//! ```
//!
//! Invariants:
//! - **A batch is what was ready when the turn began**: whoever is woken meanwhile waits for the
//!   next turn, so a task that wakes itself for ever starves nobody.
//! - **The park is looked at** after [`Settings::event_interval`] polls or
//!   [`Settings::event_period`], also within a batch.
//! - **Between two turns the loop counts as parked**: a wake then goes through the inbox and
//!   unparks, so that a host which waits for us learns of it.
//! - **One loop runs on a thread at a time.** A `block_on` inside a running loop is an error;
//!   `turn` of another loop nests.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use log::Level;

use crate::attached::Attached;
use crate::awaits;
use crate::budget::{self, Budget};
use crate::core::{Core, Flow, Phase, shutdown_reason};
use crate::inbox::{Inbox, Item};
use crate::join::{JoinError, JoinHandle};
use crate::linger::Linger;
use crate::num::Num;
use crate::pace::Pace;
use crate::panicked::Panic;
use crate::park::Park;
use crate::registry;
use crate::remote::Remote;
use crate::report;
use crate::route;
use crate::run_error::RunError;
use crate::schedule::{Choose, Schedule};
use crate::settings::{Settings, Statistics, Turn};
use crate::stall::Quiet;
use crate::trace::{self, Event};
use crate::waker::{Entered, enter, running};

mod verdict;

use verdict::{Hope, Main};

/// An event loop over the park `P`.
pub struct Executor<P: Park> {
    core: Rc<Core>,
    park: P,
    settings: Settings,
    pace: Pace,
    /// Who decides about the order of a batch, in place of the queue.
    schedule: Option<Schedule>,
    /// What was drained: kept, so that draining allocates nothing.
    items: Vec<Item>,
    /// Since the inbox was last told that we park.
    parked: bool,
    /// For how long nothing has happened that only code which is not lone's could let happen.
    quiet: Quiet,
    linger: Linger,
}

impl<P: Park> Executor<P> {
    /// A loop with the default settings.
    ///
    /// # Errors
    ///
    /// If 65,536 loops are alive or used up in this process.
    pub fn new(park: P) -> io::Result<Executor<P>> {
        Executor::with_settings(park, Settings::default())
    }

    /// A loop with these settings.
    ///
    /// # Errors
    ///
    /// As [`Executor::new`].
    pub fn with_settings(park: P, settings: Settings) -> io::Result<Executor<P>> {
        let settings = settings.clamped();
        let inbox = Arc::new(Inbox::new(park.unparker()));
        let (number, first_generation) = registry::register(&inbox)?;
        let core = Core::new(number, first_generation, inbox, &settings);
        let (pace, items, quiet) = (Pace::default(), Vec::new(), Quiet::default());
        let linger = Linger::default();
        let schedule = settings.seed.map(Schedule::seeded);
        Ok(Executor { core, park, settings, pace, schedule, items, parked: true, quiet, linger })
    }

    /// From here on `chooser` says who runs next: each turn polls one task, which it picks from all
    /// that are ready. For tests that want an order, or all of them.
    ///
    /// For programs that live on this thread alone, and it is taken at its word: in [`block_on`] a
    /// clone of a waker and a [`Remote`] give nobody hope, for who could use them waits as well. No
    /// clock decides when the park is looked at within a batch.
    ///
    /// [`block_on`]: Executor::block_on
    pub fn choose_with(&mut self, chooser: impl Choose + 'static) {
        self.schedule = Some(Schedule::chosen(chooser));
        self.settings.event_period = Duration::MAX;
    }

    /// Runs `main` to its end, and with it whatever is ready. Tasks that are left stay for the next
    /// call. `main` may borrow from the caller.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread, if this one was shut down, if everybody waits and nothing
    /// can wake anybody, if the system refuses to wait, and where `main` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, main: F) -> F::Output {
        match self.try_block_on(main) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`Executor::block_on`], with an error where that panics by itself.
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] if a loop is running on this thread, [`RunError::Closed`] after
    /// [`Executor::shutdown`]: `main` is dropped unpolled. [`RunError::Deadlock`] if everybody waits
    /// and it is certain that nothing can wake anybody, [`RunError::Stalled`] if only code that is not
    /// lone's could, and [`Settings::on_stall`] says so: `main` is dropped where it waits.
    /// [`RunError::Io`] if the system refuses to wait.
    ///
    /// # Panics
    ///
    /// Where `main` panics.
    #[track_caller]
    pub fn try_block_on<F: Future>(&mut self, main: F) -> Result<F::Output, RunError> {
        if running(|_| ()).is_some() {
            return Err(RunError::Nested);
        }
        if self.core.phase.get() == Phase::Closed {
            return Err(RunError::Closed);
        }
        self.core.main_site.set(Some(Location::caller()));
        let here = self.enter();
        // Whatever main's destructors do, the loop is left in order.
        let ran = catch_unwind(AssertUnwindSafe(|| self.run_main(main)));
        let cleaned = catch_unwind(AssertUnwindSafe(|| self.await_cleanups_of_main()));
        self.leave(here);
        match ran {
            Ok(ran) => cleaned.map_or_else(|panic| resume_unwind(panic), |()| ran),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Turns until `main` has ended, and drops it while the loop is still the running one.
    fn run_main<F: Future>(&mut self, main: F) -> Result<F::Output, RunError> {
        let mut main = pin!(main);
        // Dropped first: main's number is stale before main's destructors run.
        let slot = MainSlot::new(self.core.clone());
        let num = slot.num;
        let mut output = None;
        let mut poll_main = |cx: &mut Context<'_>| match main.as_mut().poll(cx) {
            Poll::Pending => false,
            Poll::Ready(ready) => {
                output = Some(ready);
                true
            }
        };
        // A host whose mains never have to wait would never look.
        if self.pace.is_overdue(&self.settings, &self.park) {
            self.look(Some(Duration::ZERO))?;
        }
        while !self.one_turn(&mut poll_main, None, Judge::Main(num))? {}
        Ok(output.expect("a turn says that main has ended only if it left its output"))
    }

    /// Turns until the cleanups have run that main has left, as a scope does before it reports.
    fn await_cleanups_of_main(&mut self) {
        if self.core.adopters.loose() > 0 {
            self.core.adopt_rest(None);
        }
        if !self.core.adopters.is_bottom_busy() {
            return;
        }
        let core = self.core.clone();
        let slot = MainSlot::new(core.clone());
        let mut poll_cleanups = |cx: &mut Context<'_>| core.poll_bottom(cx).is_ready();
        loop {
            match self.one_turn(&mut poll_cleanups, None, Judge::Main(slot.num)) {
                Ok(false) => {}
                Ok(true) => return,
                Err(error) => {
                    let message = format!("the cleanups of main have not ended: {error}");
                    report::say(Level::Error, "lone::cleanup", &message);
                    return;
                }
            }
        }
    }

    /// One turn, for a host that has a loop of its own. Waits for `max_wait` at most (`None`: until
    /// something happens) if nobody is ready.
    ///
    /// At the end either nobody is ready or the park has been unparked, once; so a host that waits
    /// for the park's descriptor calls again when there is work.
    ///
    /// # Errors
    ///
    /// What the system says about waiting; [`RunError::Closed`] after [`Executor::shutdown`].
    pub fn turn(&mut self, max_wait: Option<Duration>) -> io::Result<Turn> {
        if self.core.phase.get() == Phase::Closed {
            return Err(io::Error::other(RunError::Closed));
        }
        let here = self.enter();
        // Whatever a logger or a park does, the loop is left in order.
        let turned = catch_unwind(AssertUnwindSafe(|| {
            self.one_turn(&mut |_| unreachable!("there is no main"), max_wait, Judge::Nobody)
        }));
        let rested = self.park.rest();
        self.leave(here);
        turned.unwrap_or_else(|panic| resume_unwind(panic)).map_err(io::Error::from)?;
        rested?;
        let slots = self.core.slots.borrow();
        Ok(Turn { ready: slots.ready(), tasks: slots.count_tasks() })
    }

    /// One turn of the loop. Returns whether main has ended.
    ///
    /// `judge`: whether it is for this loop to say that nothing can happen any more.
    fn one_turn(
        &mut self,
        main: &mut dyn FnMut(&mut Context<'_>) -> bool,
        max_wait: Option<Duration>,
        judge: Judge,
    ) -> Result<bool, RunError> {
        self.core.begin_turn();
        trace::emit(|| Event::Turn { number: self.core.turns() });

        // a: drain the inbox (wakes from other threads)
        if self.parked || self.core.inbox.is_pending() {
            self.drain();
        }

        // b: run one batch (the tasks that were ready when the turn began)
        let batch = match &mut self.schedule {
            None => self.core.slots.borrow_mut().begin_batch(),
            Some(schedule) => schedule.begin_batch(&self.core)?,
        };
        trace::emit(|| Event::Batch { ready: batch });
        let budget = Budget::full(self.settings.budget);
        let flow = self.flow(judge);
        let mut polled = 0;
        loop {
            let some = self.pace.some(&self.settings);
            let run = self.core.poll_some(some, flow, budget, main);
            if run.main_has_ended {
                self.pace.count(run.polled);
                return Ok(true);
            }
            polled += run.polled;
            if run.polled > 0 && self.pace.is_due(run.polled, &self.settings, &self.park) {
                self.look(Some(Duration::ZERO))?;
            }
            if run.polled < some {
                break;
            }
        }

        if self.core.attention.get() && self.attend(budget, Main { num: judge.main(), poll: main })
        {
            return Ok(true);
        }

        // c: ask how long we may sleep
        if self.core.slots.borrow().ready() > 0 {
            return Ok(false);
        }
        if self.core.idle.is_awaited() {
            return self.everybody_else_waits();
        }
        if max_wait != Some(Duration::ZERO) && self.is_answer_expected() {
            let inbox = &self.core.inbox;
            self.linger.wait(|| inbox.is_pending());
        }
        self.parked = self.core.inbox.prepare_to_park();
        let limit = if self.parked { max_wait } else { Some(Duration::ZERO) };
        trace::emit(|| Event::Ask { limit });
        if judge == Judge::Shutdown && self.core.slots.borrow().count_tasks() == 0 {
            return Ok(true);
        }
        if judge != Judge::Nobody && self.parked {
            let main = Main { num: judge.main(), poll: main };
            match self.hope() {
                Hope::Nobody => return self.judge(budget, main),
                Hope::Clones if judge != Judge::Shutdown => {
                    return self.wait_for_clones(polled, budget, main);
                }
                Hope::Clones | Hope::Somebody => {}
            }
        }

        // d: park (poll I/O); e: fire (timers that are due, I/O that is ready: both only wake)
        self.look(limit)?;
        Ok(false)
    }

    /// Whether turns may follow one another without coming back here: in `block_on`, with the queue's own
    /// order. A trace tells each turn.
    fn flow(&self, judge: Judge) -> Flow {
        let plain = matches!(judge, Judge::Main(_)) && self.schedule.is_none();
        if plain && cfg!(not(feature = "trace")) { Flow::On } else { Flow::OneTurn }
    }

    /// Whether another thread has been asked for something.
    fn is_answer_expected(&self) -> bool {
        self.core.slots.borrow().are_clones_held() || self.core.inbox.has_jobs()
    }

    /// Nobody is ready, and somebody waits for that: it is woken, unless an event comes in.
    #[cold]
    fn everybody_else_waits(&mut self) -> Result<bool, RunError> {
        let settled = self.park.settle();
        self.pace = Pace::since(self.park.reading());
        settled?;
        if self.core.inbox.is_pending() {
            self.drain();
        }
        if self.core.slots.borrow().ready() == 0 {
            self.core.idle.wake_first();
        }
        Ok(false)
    }

    /// d park, e fire: the wait itself, and what it lets happen, are the park's.
    fn look(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let looked = self.park.park(limit);
        self.pace = Pace::since(self.park.reading());
        looked
    }

    /// a: takes in what has come from outside.
    #[cold]
    fn drain(&mut self) {
        self.parked = false;
        let mut items = std::mem::take(&mut self.items);
        self.core.inbox.drain(&mut items);
        if !items.is_empty() {
            trace::emit(|| Event::Drain { items: items.len() });
        }
        let _cause = trace::because(trace::Cause::Inbox);
        for item in items.drain(..) {
            match item {
                // It may end at the foreign parent of a group of children.
                Item::Wake(num) => route::reporting_panics(|| route::wake(num)),
                Item::Release(what) => self.park.release(what),
                Item::ReleaseGroup { group, seq } => {
                    let parent = self.core.slots.borrow_mut().remove_group(group, seq);
                    route::reporting_panics(|| drop(parent));
                }
                Item::WakeGroup { group, seq } => {
                    let parent = self.core.wake_group(group, seq);
                    route::reporting_panics(|| parent.into_iter().for_each(Waker::wake));
                }
                Item::WakeAndDrop(num) => {
                    route::reporting_panics(|| route::wake(num));
                    self.core.slots.borrow_mut().count_clones(num, -1);
                }
                Item::Cloned(num) => self.core.slots.borrow_mut().count_clones(num, 1),
                Item::Dropped(num) => self.core.slots.borrow_mut().count_clones(num, -1),
                Item::ReleaseAdopter { index, seq } => self.core.adopt_orphan(index, seq),
                Item::Judge => {}
                // It catches what its user's code panics with, and gives it to whoever asked.
                Item::Call(call) => call(),
            }
        }
        self.items = items;
        if self.core.adopters.loose() > 0 {
            self.core.adopt_rest(None);
        }
    }

    /// Spawns a task from outside of the loop: it is first polled in the next turn.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let site = Location::caller();
        let handle = self.core.spawn(future, site);
        // Between two turns the loop counts as parked: a host has to learn that there is work.
        self.core.inbox.unpark();
        handle
    }

    /// Attaches something that ends with this loop: see [`attached`](crate::attached()).
    pub fn attach(&self, thing: impl Attached) {
        self.core.attachments.add(Rc::new(thing));
    }

    /// A handle to this loop that may go to other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(self.core.inbox.clone())
    }

    /// How the loop stands: for tests, reports and the curious.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let slots = self.core.slots.borrow();
        Statistics {
            tasks: slots.count_tasks(),
            slots: slots.occupied(),
            groups: slots.groups(),
            ready: slots.ready(),
            turns: self.core.turns(),
        }
    }

    /// The park.
    #[must_use]
    pub fn park(&self) -> &P {
        &self.park
    }

    /// Cancels every task that is left and waits until all have ended, their cleanups included, for
    /// the grace period at most; then names the stubborn ones, drops them, and closes the loop.
    /// Dropping does the same.
    ///
    /// A task that is spawned meanwhile is cancelled and awaited like the others. If those who are
    /// left wait for what can never come, the grace is over at once.
    pub fn shutdown(&mut self) {
        if self.core.phase.get() == Phase::Closed {
            return;
        }
        let here = self.enter();
        if self.core.debug.is_some() {
            self.say_who_is_left();
        }
        self.core.phase.set(Phase::Closing);
        let begin = Instant::now();
        loop {
            let tasks = self.core.slots.borrow().tasks();
            let left = self.settings.grace.map(|grace| grace.saturating_sub(begin.elapsed()));
            if tasks.is_empty() || left == Some(Duration::ZERO) {
                break;
            }
            for task in tasks {
                let _cause = trace::because(trace::Cause::Shutdown);
                if task.ask_cancel(shutdown_reason) {
                    route::wake(task.num());
                }
            }
            if let Err(error) = self.one_turn(&mut |_| false, left, Judge::Shutdown) {
                report::say(Level::Error, "lone::executor", &format!("during shutdown: {error}"));
                break;
            }
        }
        self.close();
        drop(here);
    }

    /// The end of the grace: nobody gets in any more, and who is left is named and dropped.
    fn close(&mut self) {
        self.core.phase.set(Phase::Closed);
        let stubborn = self.core.slots.borrow().tasks();
        for task in stubborn {
            // Its cleanups are a task too, which ends it when it is dropped.
            if task.is_over() {
                continue;
            }
            let message = format!(
                "{} has not ended within the grace period of the shutdown and is dropped",
                task.describe()
            );
            report::say(Level::Warn, "lone::executor", &message);
            self.core.stop(&task, JoinError::LoopClosed);
        }
        for item in self.core.inbox.close() {
            // What a closure has captured is user code: its destructor may panic.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(item))) {
                let whose = "a task from another thread, which the closed loop has not taken";
                report::unread_panic(&Panic::new(whose.to_owned(), payload));
            }
        }
        // After the inbox: a thread that waits for this loop has to hear that it has ended.
        self.core.attachments.end();
    }

    /// Makes this the running loop of this thread until the guard is dropped.
    fn enter(&self) -> Here<P> {
        Here {
            _core: enter(self.core.clone()),
            _park: self.park.enter(self.core.number()),
            _budget: budget::suspend(),
            _awaits: awaits::suspend(),
        }
    }

    /// The end of a run: from here to the next one the loop counts as parked.
    ///
    /// A host that waits for the park's descriptor is told now if there is work already.
    fn leave(&mut self, here: Here<P>) {
        drop(here);
        self.core.nobody_is_polled();
        self.parked = self.core.inbox.prepare_to_park();
        if !self.parked || self.core.slots.borrow().ready() > 0 {
            self.core.inbox.unparker().unpark();
        }
    }
}

impl<P: Park> std::fmt::Debug for Executor<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("loop", &self.core.number().get())
            .field("phase", &self.core.phase.get())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

/// Whether a turn may come to the verdict that nothing can happen any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judge {
    /// A host may wake somebody between two turns.
    Nobody,
    /// Main has this number, and is asked as well.
    Main(Num),
    /// Main has gone.
    Shutdown,
}

impl Judge {
    /// Main's number.
    fn main(self) -> Option<Num> {
        match self {
            Judge::Main(num) => Some(num),
            Judge::Nobody | Judge::Shutdown => None,
        }
    }
}

/// While it lives its loop is the one that runs on this thread.
struct Here<P: Park> {
    _core: Entered,
    _park: P::Entered,
    _budget: budget::Suspended,
    _awaits: awaits::Suspended,
}

/// The slot of a main future: its number is stale once this is dropped.
struct MainSlot {
    core: Rc<Core>,
    num: Num,
}

impl MainSlot {
    fn new(core: Rc<Core>) -> MainSlot {
        let num = core.slots.borrow_mut().insert_main();
        let num = num.unwrap_or_else(|| panic!("a loop can have 16,777,216 tasks and children"));
        core.slots.borrow_mut().wake(num); // [2] enqueue
        trace::emit(|| Event::Enqueue { who: trace::Who::Main });
        MainSlot { core, num }
    }
}

impl Drop for MainSlot {
    fn drop(&mut self) {
        self.core.slots.borrow_mut().raise(self.num);
        self.core.vacate(self.num);
    }
}

impl<P: Park> Drop for Executor<P> {
    fn drop(&mut self) {
        self.shutdown();
        let next_base = self.core.slots.borrow().next_base();
        registry::unregister(self.core.number(), next_base);
    }
}
