//! In which order of ready tasks does a program fail? It is run in all of them.
//!
//! ```text
//!   Explore ─► plan ─► a fresh loop on a virtual clock ─► the program ends well?
//!      ▲                  each turn: Run picks one           │ yes       │ no
//!      └──────── the next branch not yet taken ◄─────────────┘           └─► Failure
//! ```
//!
//! Cost: a loop for each schedule (some 25 us), and its turns, each a fraction of a microsecond more
//! than usual. The number of orders grows like a factorial: three tasks of four awaits each have
//! tens of thousands.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use lone_executor::children::order_was_kept;
use lone_executor::{Random, RunError, is_running, report};

use super::failure::{Failure, Why};
use super::outcome::{Outcome, sealed::Outcome as _};
use super::schedule::Schedule;
use super::walk::{Chooser, Plan, Run};
use crate::Builder;

/// The environment variable that has one schedule replayed.
const VARIABLE: &str = "LONE_SCHEDULE";

/// Runs a program in every order in which its tasks may run, and panics where it fails.
///
/// Whenever several tasks are ready, a loop may run any of them first; without a seed it is the one
/// that was woken first, so that most tests only ever see one order. Here a program is run in all of
/// them, one schedule after the other, each in a fresh loop on a virtual clock: depth first over the
/// choices, and where there are too many, in random orders after that. The first schedule is the order
/// of the queue. [`Explore`] has the bounds, and more.
///
/// A schedule fails if the program
///
/// - panics, or a task does and nobody joins it,
/// - returns an `Err`,
/// - comes to a deadlock: everybody waits, and no timer is set,
/// - loses a wake: everybody waits, and somebody would go on if it were polled,
/// - does not end within a bound of turns.
///
/// Then this panics with what failed, who was polled, step by step, and the line that replays it.
///
/// What may change places are *tasks*, main among them, at their awaits. The children of one task (in a
/// `TaskGroup`, `gather`, `join!`, `race`, `as_completed`) keep the order of their wakes: [spawn] what
/// is to be interleaved. The clock jumps only when nobody is ready, so that a sleep is never longer
/// than another that is longer.
///
/// Look at what a task returns: one that has panicked counts as seen when its handle was awaited, also
/// by a `gather` whose outputs are thrown away.
///
/// [spawn]: crate::spawn
///
/// The program has to be the same in the same order: without threads, sockets, real time, or
/// randomness of its own, and with all of its state made inside; what it is not is said. When main
/// ends, what is left is cancelled in the order of the queue.
///
/// # Panics
///
/// With the report, if a schedule fails. If a loop runs on this thread.
///
/// # Examples
///
/// Two tasks add one each, but with an await between reading and writing:
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use lone::test::{Explore, Why, explore};
///
/// async fn add_two(yields_of_the_second: usize) {
///     let count = Rc::new(Cell::new(0));
///     let add = |yields: usize| {
///         let count = count.clone();
///         lone::spawn(async move {
///             for _ in 0..yields {
///                 lone::yield_now().await;
///             }
///             let seen = count.get();
///             lone::yield_now().await; // somebody else may add meanwhile
///             count.set(seen + 1);
///         })
///     };
///     lone::gather([add(0), add(yields_of_the_second)]).await;
///     assert_eq!(count.get(), 2);
/// }
///
/// // The second one begins late enough, in the order of the queue: an ordinary test sees nothing.
/// lone::run(add_two(2));
///
/// let failure = Explore::new().try_run(|| add_two(2)).expect_err("there is such an order");
/// assert!(matches!(failure.why(), Why::Panicked(_)));
/// println!("{failure}");
///
/// // Without the await in between every order is well.
/// let explored = explore(|| async {
///     let count = Rc::new(Cell::new(0));
///     let tasks = [1, 2].map(|_| {
///         let count = count.clone();
///         lone::spawn(async move {
///             lone::yield_now().await;
///             count.set(count.get() + 1);
///         })
///     });
///     for ended in lone::gather(tasks).await {
///         ended.expect("no task panics");
///     }
///     assert_eq!(count.get(), 2);
/// });
/// assert!(explored.exhaustive);
/// ```
#[track_caller]
pub fn explore<P, F>(program: P) -> Explored
where
    P: FnMut() -> F,
    F: Future,
    F::Output: Outcome,
{
    Explore::new().run(program)
}

/// How a program is explored: [`explore`](explore()) with bounds of one's own.
///
/// # Examples
///
/// ```
/// use lone::test::Explore;
///
/// let explored = Explore::new().schedules(500).random(100).seed(7).run(|| async {
///     let tasks = [1, 2, 3].map(|_| lone::spawn(lone::yield_now()));
///     lone::gather(tasks).await;
/// });
/// assert!(explored.schedules <= 600);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it explores nothing until `run` or `try_run`"]
pub struct Explore {
    schedules: usize,
    random: usize,
    seed: u64,
    turns: usize,
    time: Duration,
    replay: Option<Schedule>,
}

/// What has been explored, without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// How many schedules were run.
    pub schedules: usize,
    /// Whether that was every order of the tasks there is. Not so where several children of a
    /// [`TaskGroup`](crate::TaskGroup) were ready at once, for theirs is kept.
    pub exhaustive: bool,
}

impl Default for Explore {
    fn default() -> Explore {
        Explore {
            schedules: 10_000,
            random: 1_000,
            seed: 0,
            turns: 10_000,
            time: Duration::from_secs(10),
            replay: None,
        }
    }
}

impl Explore {
    /// The default bounds.
    pub fn new() -> Explore {
        Explore::default()
    }

    /// How many schedules are tried depth first, at most. Default 10,000; 0 counts as 1.
    pub fn schedules(mut self, schedules: usize) -> Explore {
        self.schedules = schedules.max(1);
        self
    }

    /// How many random ones are tried after that, if it was not all. Default 1,000.
    pub fn random(mut self, random: usize) -> Explore {
        self.random = random;
        self
    }

    /// Which random ones: the same seed tries the same. Default 0.
    pub fn seed(mut self, seed: u64) -> Explore {
        self.seed = seed;
        self
    }

    /// How many turns one schedule may have, with one task polled in each. Default 10,000.
    ///
    /// More than that is a failure: nobody waits, and nothing ends. (No order keeps a task that is
    /// ready out for more than a hundred turns or so, as no loop does; such an order was not *every*
    /// one, so it makes an exploration that is not exhaustive.)
    pub fn turns(mut self, turns: usize) -> Explore {
        self.turns = turns;
        self
    }

    /// After how much real time no more schedules are begun. Default 10 s; half of that for those
    /// that are tried depth first.
    pub fn time(mut self, time: Duration) -> Explore {
        self.time = time;
        self
    }

    /// Tries this schedule only, as a [`Failure`] has printed it.
    ///
    /// The environment variable `LONE_SCHEDULE` does the same for every exploration that has no
    /// schedule of its own: set it for one test alone.
    ///
    /// # Panics
    ///
    /// If the text is no schedule.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::test::Explore;
    ///
    /// let racy = || async {
    ///     let other = lone::spawn(async {});
    ///     lone::yield_now().await;
    ///     if other.is_finished() { Ok(()) } else { Err("main was faster") }
    /// };
    /// let failure = Explore::new().try_run(racy).expect_err("main may be faster");
    /// assert_eq!((failure.schedules(), failure.schedule().as_str()), (2, "1"));
    /// let again = Explore::new().replay("1").try_run(racy).expect_err("it fails again");
    /// assert_eq!(again.steps(), failure.steps());
    /// ```
    #[track_caller]
    pub fn replay(mut self, schedule: &str) -> Explore {
        match Schedule::parse(schedule) {
            Ok(schedule) => self.replay = Some(schedule),
            Err(wrong) => panic!("{wrong}"),
        }
        self
    }

    /// Runs the program in one order after the other.
    ///
    /// # Panics
    ///
    /// As [`explore`](explore()).
    #[track_caller]
    pub fn run<P, F>(self, program: P) -> Explored
    where
        P: FnMut() -> F,
        F: Future,
        F::Output: Outcome,
    {
        match self.try_run(program) {
            Ok(explored) => explored,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// As [`Explore::run`], with an error where that panics with the report.
    ///
    /// # Errors
    ///
    /// The first schedule that fails.
    ///
    /// # Panics
    ///
    /// If a loop runs on this thread, or if the system has no descriptors left.
    #[track_caller]
    pub fn try_run<P, F>(self, mut program: P) -> Result<Explored, Failure>
    where
        P: FnMut() -> F,
        F: Future,
        F::Output: Outcome,
    {
        assert!(
            !is_running(),
            "a program was explored where a loop is running: each schedule has a loop of its own, \
             so call it in a plain #[test], outside of async code"
        );
        let site = Location::caller();
        let mut done = Explored { schedules: 0, exhaustive: false };
        if let Some(schedule) = self.replay.clone().or_else(schedule_of_the_environment) {
            self.schedule(&mut program, Plan::new(&schedule), &mut done, site)?;
            return Ok(done);
        }
        let _before = order_was_kept();
        let begin = Instant::now();
        let (mut plan, mut forced) = (Plan::Branches(Vec::new()), false);
        loop {
            let run = self.schedule(&mut program, plan, &mut done, site)?;
            forced |= run.forced | order_was_kept();
            let Some(next) = run.next() else {
                done.exhaustive = !forced;
                return Ok(done);
            };
            if done.schedules >= self.schedules || begin.elapsed() > self.time / 2 {
                break;
            }
            plan = next;
        }
        let mut seeds = Random::new(self.seed);
        for _ in 0..self.random {
            if begin.elapsed() >= self.time {
                break;
            }
            let plan = Plan::new(&Schedule::Seed(seeds.next()));
            self.schedule(&mut program, plan, &mut done, site)?;
        }
        Ok(done)
    }

    /// Runs one schedule.
    fn schedule<P, F>(
        &self,
        program: &mut P,
        plan: Plan,
        done: &mut Explored,
        site: &'static Location<'static>,
    ) -> Result<Run, Failure>
    where
        P: FnMut() -> F,
        F: Future,
        F::Output: Outcome,
    {
        done.schedules += 1;
        let unread = report::collect_panics();
        let run = Rc::new(RefCell::new(Run::new(plan, self.turns)));
        let mut runtime = match Builder::new().start_paused(true).build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no loop can be made to explore a program in: {error}"),
        };
        runtime.executor.choose_with(Chooser(run.clone()));
        let main = AssertUnwindSafe(|| runtime.try_block_on(async { program().await }));
        let ended = catch_unwind(main);
        run.borrow_mut().is_over = true;
        drop(runtime);
        let mut run = run.replace(Run::new(Plan::Places(Vec::new()), 0));
        let why = match ended {
            Err(payload) => Some(Why::Panicked(message(&*payload))),
            Ok(Ok(output)) => output.error().map(Why::Returned),
            Ok(Err(RunError::Deadlock(deadlock))) => Some(Why::Deadlock(deadlock)),
            Ok(Err(error)) => match run.stopped.take() {
                Some(why) => Some(why),
                None => panic!("a program could not be run to be explored: {error}"),
            },
        };
        run.close(why.as_ref());
        let panics = unread.take();
        let panicked = (!panics.is_empty()).then_some(Why::TaskPanicked);
        match why.or(panicked).or_else(|| run.has_fallen_short()) {
            None => Ok(run),
            Some(why) => {
                let (schedules, schedule) = (done.schedules, run.schedule());
                Err(Failure { why, schedules, polled: run.polled, schedule, panics, site })
            }
        }
    }
}

/// The message of a panic, where it is a text.
fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "something that is no text".to_owned())
}

/// What `LONE_SCHEDULE` says.
fn schedule_of_the_environment() -> Option<Schedule> {
    let text = std::env::var(VARIABLE).ok()?;
    match Schedule::parse(&text) {
        Ok(schedule) => Some(schedule),
        Err(wrong) => panic!("{VARIABLE}: {wrong}"),
    }
}
