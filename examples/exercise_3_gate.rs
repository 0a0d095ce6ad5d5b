//! Exercise 3: a start-up gate. Nobody works before all services are up.
//!
//! Three services start in any order, each in its own time; five workers wait at a gate, an `Event`. The
//! last service that is up opens it, and all workers go on in that moment. When they are done, the
//! services are told to stop.
//!
//! Two scenes:
//! 1. **All start**: cache at 10 ms, broker at 20, database at 30: the gate opens at 30 ms. A worker
//!    that comes later passes without waiting, for an event stays set.
//! 2. **One does not**: the database hangs. Each start has 40 ms; then the whole is given up, and what
//!    was up is closed.
//!
//! What to look for:
//! - The error of the second scene comes at 50 ms, not at 40: the half-open connection of the database
//!   takes 5 ms to close, then the other services 5 ms, *side by side*. When `program` sees the error,
//!   everything is closed: a second try could begin at once.
//! - No line of code says "close the others" or "send the workers home". `try_gather` drops what still
//!   runs at the first error, `try_join!` drops the workers at their gate, and both await the cleanups.
//! - The workers of the second scene have never begun: waiting at an event is an await point like any
//!   other, and a future that is dropped there goes on nowhere.
//! - In asyncio each of these is a task, and somebody has to cancel and await it: a `TaskGroup` does.
//!
//! Run it: `cargo run --example exercise_3_gate`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example exercise_3_gate`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def service(name, seconds, up, gate, stop):
//!     try:
//!         async with asyncio.timeout(0.040):
//!             await asyncio.sleep(seconds)            # connects
//!         up.add(name)
//!         if len(up) == 3:
//!             gate.set()
//!         await stop.wait()
//!     finally:
//!         await asyncio.sleep(0.005)                  # says goodbye
//!         print(name, "is closed")
//!
//! async def worker(n, gate):
//!     await gate.wait()
//!     await asyncio.sleep(0.015)
//!     print("worker", n, "is done")
//!
//! async def scene(database):
//!     up, gate, stop = set(), asyncio.Event(), asyncio.Event()
//!     starts = [("database", database), ("cache", 0.010), ("broker", 0.020)]
//!     try:
//!         async with asyncio.TaskGroup() as group:
//!             for start in starts:
//!                 group.create_task(service(*start, up, gate, stop))
//!             workers = [group.create_task(worker(n, gate)) for n in range(5)]
//!             await asyncio.gather(*workers)
//!             stop.set()
//!     except* TimeoutError:
//!         print("given up")
//!
//! asyncio.run(scene(0.030))
//! asyncio.run(scene(3600))
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{AsyncClose, Event, gather, sleep, timeout, try_gather, try_join, using};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long a service may take to start.
const LIMIT: Duration = ms(40);
/// How long it takes to close.
const CLOSE: Duration = ms(5);
/// How long a worker works.
const WORK: Duration = ms(15);
const WORKERS: usize = 5;
/// Longer than anybody waits.
const HANGS: Duration = ms(3_600_000);

/// What was measured of a scene.
#[derive(Debug)]
pub struct Scene {
    /// Which services were up, in that order, and when.
    pub up: Vec<(&'static str, Duration)>,
    /// When each worker began.
    pub began: Vec<Duration>,
    /// How long the worker that came when the gate was open has waited for it; `None`: nobody came.
    pub late_waited: Option<Duration>,
    /// Which services were closed, in that order, and when.
    pub closed: Vec<(&'static str, Duration)>,
    /// Which service has not started in time.
    pub failed: Option<&'static str>,
    /// When the scene was over.
    pub took: Duration,
}

/// Both scenes.
#[derive(Debug)]
pub struct Outcome {
    /// The one in which all start.
    pub good: Scene,
    /// The one in which the database hangs.
    pub bad: Scene,
}

/// When things happen, counted from the start of the scene.
#[derive(Clone)]
struct Log(Rc<Lines>);

struct Lines {
    begin: Instant,
    up: RefCell<Vec<(&'static str, Duration)>>,
    began: RefCell<Vec<Duration>>,
    closed: RefCell<Vec<(&'static str, Duration)>>,
}

impl Log {
    fn new() -> Log {
        let (up, began, closed) = Default::default();
        Log(Rc::new(Lines { begin: Instant::now(), up, began, closed }))
    }

    fn now(&self) -> Duration {
        self.0.begin.elapsed()
    }

    /// Prints what has happened, and when.
    fn say(&self, what: impl Display) {
        println!("{:6.1} ms  {what}", self.now().as_secs_f64() * 1e3);
    }
}

/// What a service holds from its first moment on. It says goodbye, which takes a while.
struct Connection {
    log: Log,
    service: &'static str,
}

impl AsyncClose for Connection {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        sleep(CLOSE).await;
        self.log.say(format_args!("  {}: closed", self.service));
        self.log.0.closed.borrow_mut().push((self.service, self.log.now()));
        Ok(())
    }
}

/// Opened by the last service that is up.
struct Gate {
    missing: Cell<usize>,
    open: Event,
}

impl Gate {
    fn one_more_is_up(&self) {
        self.missing.set(self.missing.get() - 1);
        if self.missing.get() == 0 {
            self.open.set();
        }
    }
}

/// Starts, serves until it is told to stop, and closes. The error: who has not started in time.
async fn service(
    log: &Log,
    name: &'static str,
    starts_in: Duration,
    gate: &Gate,
    stop: &Event,
) -> Result<(), &'static str> {
    let connection = Connection { log: log.clone(), service: name };
    let Ok(served) = using(connection, async |_| {
        timeout(LIMIT, sleep(starts_in)).await.map_err(|elapsed| {
            log.say(format_args!("  {name}: {elapsed}"));
            name
        })?;
        log.say(format_args!("  {name}: up"));
        log.0.up.borrow_mut().push((name, log.now()));
        gate.one_more_is_up();
        stop.wait().await;
        Ok(())
    })
    .await;
    served
}

/// Waits for the gate, then works. Returns how long it has waited.
async fn worker(log: &Log, number: usize, gate: &Gate) -> Duration {
    let came = log.now();
    gate.open.wait().await;
    let waited = log.now() - came;
    log.say(format_args!("  worker {number}: begins"));
    log.0.began.borrow_mut().push(log.now());
    sleep(WORK).await;
    waited
}

/// One start-up, with a database that takes so long.
async fn scene(database: Duration) -> Scene {
    let log = Log::new();
    let starts = [("database", database), ("cache", ms(10)), ("broker", ms(20))];
    let gate = Gate { missing: Cell::new(starts.len()), open: Event::new() };
    let stop = Event::new();

    let services =
        try_gather(starts.map(|(name, starts_in)| service(&log, name, starts_in, &gate, &stop)));
    let work = async {
        gather((1..=WORKERS).map(|number| worker(&log, number, &gate))).await;
        // The gate stays open.
        let late_waited = worker(&log, WORKERS + 1, &gate).await;
        log.say("all work is done: the services may stop");
        stop.set();
        Ok(late_waited)
    };
    let (late_waited, failed) = match try_join!(services, work) {
        Ok((_, late_waited)) => (Some(late_waited), None),
        Err(service) => (None, Some(service)),
    };
    let took = log.now();
    match failed {
        None => log.say("all is closed"),
        Some(service) => {
            log.say(format_args!("given up, for {service} has not started; all is closed"))
        }
    }
    let Lines { up, began, closed, .. } = &*log.0;
    Scene { up: up.take(), began: began.take(), late_waited, closed: closed.take(), failed, took }
}

/// Both scenes, one after the other.
pub async fn program() -> Outcome {
    println!("1. all services start");
    let good = scene(ms(30)).await;
    println!("2. the database hangs; a start has {LIMIT:?}");
    let bad = scene(HANGS).await;
    Outcome { good, bad }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
