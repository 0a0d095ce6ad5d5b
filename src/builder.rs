//! What can be set about a runtime?

use std::env;
use std::future::Future;
use std::io;
use std::time::Duration;

use lone_executor::{Executor, OnStall, RunError, is_running, report};
use lone_reactor::{Jump, Reactor};

use crate::Runtime;

/// The options of a [`Runtime`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// // Hours pass in no time: the clock is virtual.
/// let waited = lone::Builder::new().start_paused(true).run(async {
///     let begin = lone::time::Instant::now();
///     lone::sleep(Duration::from_secs(3 * 60 * 60)).await;
///     begin.elapsed()
/// });
/// assert_eq!(waited, Duration::from_secs(3 * 60 * 60));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` or `run`"]
pub struct Builder {
    executor: lone_executor::Settings,
    reactor: lone_reactor::Settings,
    on_stall: Option<OnStall>,
    debug: Option<bool>,
    /// `None`: nothing was set, and a pool takes the defaults once it is made.
    threads: Option<lone_threads::Settings>,
}

impl Builder {
    /// The default options.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// After how many polls I/O and timers are looked at within a batch. Default 64; 0 counts as 1.
    ///
    /// Smaller: they wait less behind ready tasks. A look costs about 100 ns.
    pub fn event_interval(mut self, polls: u32) -> Builder {
        self.executor.event_interval = polls;
        self
    }

    /// After how much time I/O and timers are looked at, if that is sooner. Default 200 us.
    ///
    /// The clock is read every 16 polls. Without effect under a virtual clock.
    pub fn event_period(mut self, period: Duration) -> Builder {
        self.executor.event_period = period;
        self
    }

    /// How many operations of lone's one poll may do before it has to give way. Default 128; 0
    /// counts as 1.
    pub fn budget(mut self, operations: u16) -> Builder {
        self.executor.budget = operations;
        self
    }

    /// How long shutdown waits for the tasks that it has cancelled, before it names and drops those
    /// that are left. `None`: for ever. Default 5 s.
    pub fn shutdown_grace(mut self, grace: Option<Duration>) -> Builder {
        self.executor.grace = grace;
        self
    }

    /// What to do when only code that is not lone's could wake anybody, and it does not. Default: warn
    /// after 1 s of real time; a [`test`](macro@crate::test) fails then.
    ///
    /// Without effect in [`Runtime::turn`]: a host may always wake somebody.
    pub fn on_stall(mut self, what: OnStall) -> Builder {
        self.on_stall = Some(what);
        self
    }

    /// Debug mode. Default: off, unless the environment says `LONE_DEBUG=1` when the runtime is built.
    ///
    /// It says as warnings, under target `lone::debug`: a poll that took longer than
    /// [`slow_poll`](Builder::slow_poll); what was granted to a future (a permit, an item) that is kept
    /// aside and not polled, while its task goes on; the tasks that are left when the loop shuts down,
    /// with what they await. And under `lone::threads`, when no job has begun on a thread for a second
    /// while some wait for one: those that run may wait for them.
    ///
    /// asyncio: `run(…, debug=True)`, `PYTHONASYNCIODEBUG=1`.
    ///
    /// # Cost
    ///
    /// Two readings of the clock a poll, 40 ns; and the tasks that are left are polled once more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::Builder::new().debug(true).slow_poll(Duration::from_millis(20)).run(async {
    ///     // lone::debug: main ran for 21ms without giving way, and nothing else could run meanwhile: …
    ///     std::thread::sleep(Duration::from_millis(21));
    /// });
    /// ```
    pub fn debug(mut self, on: bool) -> Builder {
        self.debug = Some(on);
        self
    }

    /// From which duration on, in real time, a poll counts as slow in debug mode. Default 100 ms.
    ///
    /// asyncio: `loop.slow_callback_duration`.
    pub fn slow_poll(mut self, least: Duration) -> Builder {
        self.executor.slow_poll = least;
        self
    }

    /// As [`Builder::on_stall`], unless that has been called.
    pub(crate) fn on_stall_by_default(mut self, what: OnStall) -> Builder {
        self.on_stall.get_or_insert(what);
        self
    }

    /// How many threads [`to_thread`](crate::to_thread()) may have. Default: one for each processor and
    /// 4 more, 32 at most (as in asyncio); 0 counts as 1.
    ///
    /// They are started when they are needed: a program that has no jobs has no threads.
    ///
    /// asyncio: `loop.set_default_executor`.
    pub fn threads(mut self, threads: usize) -> Builder {
        self.threads.get_or_insert_default().threads = threads;
        self
    }

    /// How long a thread of [`to_thread`](crate::to_thread()) stays without a job. Default 10 s.
    pub fn thread_idle(mut self, idle: Duration) -> Builder {
        self.threads.get_or_insert_default().idle = idle;
        self
    }

    /// How long the end of the runtime waits for jobs that run on threads, before it names them and
    /// leaves them to themselves. `None`: for ever. Default 10 s.
    ///
    /// It begins when the tasks have ended (see [`Builder::shutdown_grace`]). Jobs that have not begun
    /// are dropped; those that run find [`is_job_cancelled`](crate::is_job_cancelled) true.
    pub fn thread_grace(mut self, grace: Option<Duration>) -> Builder {
        self.threads.get_or_insert_default().grace = grace;
        self
    }

    /// How many I/O events one look takes in at most. Default 1024; 0 counts as 1.
    pub fn io_events(mut self, events: usize) -> Builder {
        self.reactor.events = events;
        self
    }

    /// Deadlines within the same multiple of this share a wake-up, at its end; with 0 each has its own.
    ///
    /// Never early; late by as much at most. It saves wake-ups where many timers are close together.
    ///
    /// By default each deadline has a wake-up of its own, but in a crowd: where more than 50 timers ring within
    /// a millisecond, those that come within the next 50 us share one, as the kernel has it for all
    /// timeouts of a thread.
    pub fn timer_slack(mut self, slack: Duration) -> Builder {
        self.reactor.timer_slack = Some(slack);
        self
    }

    /// Before the thread sleeps, looks for events again and again for so long. Default 0: it sleeps at
    /// once.
    ///
    /// For a service that talks to a peer which answers within some 20 us, such as one on the same
    /// machine: to go idle and be woken costs more than that. 20 to 50 us are sensible. It adapts: a
    /// look-out that was in vain is the last one, until a sleep was short enough that it would have paid;
    /// so an idle program sleeps. A processor of its own is what it wants: with fewer processors than
    /// busy threads it takes time from the very peer that it waits for.
    ///
    /// Without effect under a virtual clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let slept = lone::Builder::new().spin(Duration::from_micros(50)).run(async {
    ///     let begin = lone::time::Instant::now();
    ///     lone::sleep(Duration::from_micros(20)).await;
    ///     begin.elapsed()
    /// });
    /// assert!(slept >= Duration::from_micros(20), "never early, spinning or not");
    /// ```
    pub fn spin(mut self, most: Duration) -> Builder {
        self.reactor.spin = most;
        self
    }

    /// A virtual clock: it stands still while anything is ready, and jumps to the next deadline
    /// when nothing is, one deadline at a time.
    ///
    /// With a task that waits for a peer outside of this loop it jumps after 20 ms of quiet; see
    /// [`Builder::jump`].
    pub fn start_paused(mut self, paused: bool) -> Builder {
        self.reactor.virtual_clock = paused.then(Jump::default);
        self
    }

    /// A virtual clock that jumps by this rule: while a task waits for an outside peer, or only when
    /// it is moved by hand, with [`time::advance`](crate::time::advance).
    pub fn jump(mut self, jump: Jump) -> Builder {
        self.reactor.virtual_clock = Some(jump);
        self
    }

    /// Shuffles the order in which tasks that are ready run, turn by turn. The same seed gives the
    /// same run; without one it is first come, first served. It also decides what
    /// [`select! { random; … }`](crate::select!) draws.
    ///
    /// For tests: it finds programs that lean on the order of the queue. Take it with a virtual clock,
    /// and keep the program free of real time, threads and randomness of its own; then a run that
    /// failed is had again with its seed, which a panic tells. [`Builder::event_period`] does not
    /// count, and the children of one task (in [`gather`](fn@crate::gather), say) keep their order. To
    /// try every order, see [`test::explore`](crate::test::explore()).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// fn order(seed: u64) -> Vec<u32> {
    ///     lone::Builder::new().start_paused(true).seed(seed).run(async {
    ///         let order = Rc::new(RefCell::new(Vec::new()));
    ///         let tasks: Vec<_> = (0..10)
    ///             .map(|n| {
    ///                 let order = order.clone();
    ///                 lone::spawn(async move { order.borrow_mut().push(n) })
    ///             })
    ///             .collect();
    ///         lone::gather(tasks).await;
    ///         order.take()
    ///     })
    /// }
    /// assert_eq!(order(7), order(7));
    /// assert_ne!(order(7), order(8));
    /// ```
    pub fn seed(mut self, seed: u64) -> Builder {
        self.executor.seed = Some(seed);
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left (three are needed), or 65,536 loops are alive or used
    /// up in this process.
    pub fn build(self) -> io::Result<Runtime> {
        let reactor = Reactor::with_settings(&self.reactor)?;
        let mut settings = self.executor;
        settings.on_stall = self.on_stall.unwrap_or_default();
        settings.debug =
            self.debug.unwrap_or_else(|| env::var_os("LONE_DEBUG") == Some("1".into()));
        let mut threads = self.threads;
        if settings.debug {
            // The second that a stall has, too.
            threads.get_or_insert_default().starved_after = Some(Duration::from_secs(1));
        }
        let executor = Executor::with_settings(reactor, settings)?;
        if let Some(settings) = threads {
            executor.attach(lone_threads::Pool::new(settings));
        }
        Ok(Runtime { executor })
    }

    /// As [`run`](crate::run), with these options.
    ///
    /// # Panics
    ///
    /// As [`run`](crate::run).
    #[track_caller]
    pub fn run<F: Future>(self, main: F) -> F::Output {
        let _seed = self.executor.seed.map(report::SeedOnPanic);
        match self.run_and_shut_down(main) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`try_run`](crate::try_run), with these options.
    ///
    /// # Errors
    ///
    /// As [`try_run`](crate::try_run).
    ///
    /// # Panics
    ///
    /// Where `main` panics, after the shutdown.
    #[track_caller]
    pub fn try_run<F: Future>(self, main: F) -> Result<F::Output, RunError> {
        let _seed = self.executor.seed.map(report::SeedOnPanic);
        self.run_and_shut_down(main)
    }

    fn run_and_shut_down<F: Future>(self, main: F) -> Result<F::Output, RunError> {
        if is_running() {
            return Err(RunError::Nested);
        }
        let mut runtime = self.build()?;
        let output = runtime.try_block_on(main);
        // Where main panics, the same happens as the runtime is dropped.
        runtime.shutdown();
        output
    }
}
