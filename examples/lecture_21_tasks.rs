//! Lecture 21: several things at once, on one thread.
//!
//! Four scenes, and what to look for in each:
//! 1. **`gather`.** A, B and C take 1.0, 0.5 and 0.8 s; together 1.0 s, the longest, not 2.3 s, the
//!    sum. They *end* in the order B, C, A; the results come in the order of the arguments: A, B, C.
//! 2. **A task in the background.** `spawn` puts a task into the ready queue and returns: its first
//!    step comes when the spawner next awaits. (The slides say "starts running immediately"; asyncio
//!    does so only with an eager task factory.) From then on it takes its steps while main sleeps.
//! 3. **`wait` with a timeout.** When the time is over, nothing fails and nobody is cancelled: what
//!    comes out is who is done and who is still pending.
//! 4. **`cancel`.** A request: when it returns, nothing has happened to the task yet. At its next
//!    turn its body is dropped where it awaits, and its guards clean up: `Drop` is the `finally`.
//!    Whoever joins it learns the reason.
//!
//! Run it: `cargo run --example lecture_21_tasks`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_21_tasks`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def work(name, seconds):
//!     await asyncio.sleep(seconds)
//!     return name
//!
//! async def heartbeat():
//!     while True:
//!         await asyncio.sleep(0.1)
//!         print("beat")
//!
//! async def slow():
//!     try:
//!         await asyncio.sleep(5)
//!     finally:
//!         print("cleaned up")
//!
//! async def main():
//!     print(await asyncio.gather(work("A", 1.0), work("B", 0.5), work("C", 0.8)))
//!
//!     background = asyncio.create_task(heartbeat())      # keep it, or it may be collected
//!     await asyncio.sleep(0.45)
//!
//!     tasks = [asyncio.create_task(f) for f in (work("D", 0.1), work("E", 0.2), slow())]
//!     done, pending = await asyncio.wait(tasks, timeout=0.5)
//!     print(len(done), "done,", len(pending), "pending")
//!
//!     for task in pending:
//!         task.cancel("nobody wants the result")
//!         try:
//!             await task
//!         except asyncio.CancelledError as why:
//!             print("cancelled:", why)
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{JoinError, JoinHandle, ReturnWhen, gather, sleep, spawn, timeout, wait};

/// What the four scenes came to.
#[derive(Debug)]
pub struct Outcome {
    /// Scene 1: how long A, B and C took together.
    pub gathered: Duration,
    /// Scene 1: in which order they ended.
    pub ended: Vec<&'static str>,
    /// Scene 1: their results.
    pub results: Vec<&'static str>,
    /// Scene 2: whether `spawn` has run the task's first step.
    pub spawn_ran_it: bool,
    /// Scene 2: how often the heart beat in 0.45 s.
    pub beats: u32,
    /// Scene 3: how long the wait took.
    pub waited: Duration,
    /// Scene 3: who was done by then.
    pub done: Vec<String>,
    /// Scene 3: who was not.
    pub pending: Vec<String>,
    /// Scene 4: whether `cancel` has run the guard.
    pub cancel_ran_guard: bool,
    /// Scene 4: whether the guard has run when the task is joined.
    pub cleaned_up: bool,
    /// Scene 4: the reason that the joiner was told.
    pub reason: String,
    /// All four.
    pub took: Duration,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

async fn work(begin: Instant, name: &'static str, wait: Duration) -> &'static str {
    say(begin, format_args!("  {name} begins"));
    sleep(wait).await;
    say(begin, format_args!("  {name} ends"));
    name
}

/// Scene 1. The futures of a gather run within the task that awaits them, so they may borrow: here
/// the list in which they sign off.
async fn together(begin: Instant, ended: &RefCell<Vec<&'static str>>) -> Vec<&'static str> {
    let jobs = [("A", 1000), ("B", 500), ("C", 800)];
    gather(jobs.map(async |(name, millis)| {
        let name = work(begin, name, Duration::from_millis(millis)).await;
        ended.borrow_mut().push(name);
        name
    }))
    .await
}

/// Scene 2. It never ends by itself: the loop cancels it when main has returned.
async fn heartbeat(begin: Instant, begun: Rc<Cell<bool>>, beats: Rc<Cell<u32>>) {
    begun.set(true);
    loop {
        sleep(Duration::from_millis(100)).await;
        beats.set(beats.get() + 1);
        say(begin, format_args!("  beat {}", beats.get()));
    }
}

/// The `finally` of scene 4.
struct Cleanup {
    begin: Instant,
    ran: Rc<Cell<bool>>,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        say(self.begin, "  slow: cleaned up");
        self.ran.set(true);
    }
}

async fn slow(cleanup: Cleanup) -> &'static str {
    let _cleanup = cleanup;
    sleep(Duration::from_secs(5)).await;
    "slow"
}

/// The four scenes, one after the other.
pub async fn program() -> Outcome {
    let begin = Instant::now();

    say(begin, "1. gather A, B and C");
    let ended = RefCell::default();
    let results = together(begin, &ended).await;
    let gathered = begin.elapsed();
    say(begin, format_args!("results in argument order: {results:?}"));

    say(begin, "2. a task in the background");
    let (begun, beats) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let heart = spawn(heartbeat(begin, begun.clone(), beats.clone())).named("heart");
    let spawn_ran_it = begun.get();
    say(begin, format_args!("spawned; has it begun? {spawn_ran_it}"));
    sleep(Duration::from_millis(450)).await;
    let beats = beats.get();
    say(begin, format_args!("main has slept, and the heart beat {beats} times"));
    // Dropping the handle cancels nothing: the task is detached, and goes on.
    drop(heart);

    say(begin, "3. wait for three tasks, for 0.5 s at most");
    let ran = Rc::new(Cell::new(false));
    let cleanup = Cleanup { begin, ran: ran.clone() };
    let mut tasks = vec![
        spawn(work(begin, "D", Duration::from_millis(100))).named("D"),
        spawn(work(begin, "E", Duration::from_millis(200))).named("E"),
        spawn(slow(cleanup)).named("slow"),
    ];
    let waiting = Instant::now();
    // It borrows the handles, so they are all still here when the time is over first.
    let in_time =
        timeout(Duration::from_millis(500), wait(tasks.iter_mut(), ReturnWhen::AllCompleted))
            .await
            .is_ok();
    let waited = waiting.elapsed();
    let (done, mut pending): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(JoinHandle::is_finished);
    let names = |tasks: &[JoinHandle<_>]| {
        let name = |task: &JoinHandle<_>| task.name().unwrap_or_default().into_owned();
        tasks.iter().map(name).collect::<Vec<String>>()
    };
    let (done, still) = (names(&done), names(&pending));
    say(begin, format_args!("all in time? {in_time}; done: {done:?}, pending: {still:?}"));

    say(begin, "4. cancel the one that is pending");
    let task = pending.pop().expect("the slow one is pending");
    task.cancel("nobody wants the result");
    let cancel_ran_guard = ran.get();
    say(begin, format_args!("asked to stop; has its guard run? {cancel_ran_guard}"));
    let reason = match task.await {
        Err(JoinError::Cancelled(cancelled)) => cancelled.reason().to_string(),
        other => panic!("it was cancelled, but its outcome is {other:?}"),
    };
    let cleaned_up = ran.get();
    say(begin, format_args!("joined; cancelled: {reason}; has its guard run? {cleaned_up}"));

    Outcome {
        gathered,
        ended: ended.into_inner(),
        results,
        spawn_ran_it,
        beats,
        waited,
        done,
        pending: still,
        cancel_ran_guard,
        cleaned_up,
        reason,
        took: begin.elapsed(),
    }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
