//! Lecture 24, pattern 3: a timeout for each attempt, and three attempts.
//!
//! Three callers at once, each allows an attempt 0.5 s and makes three at most. "steady" is answered
//! at the first, "flaky" at the third, "dead" never. The last one decides how long it takes: 1.5 s.
//!
//! What to look for:
//! - An attempt that ran out of time is over: its future was dropped where it awaited, and its
//!   guards have run. So each attempt needs a *fresh future*, made by a closure, and gets a *fresh
//!   deadline*.
//! - A timeout is the affair of one caller: the others in the same gather do not notice.
//! - A timeout can end a future only where that awaits: one that computes for a second in between is
//!   not interrupted, here or in asyncio.
//! - asyncio's `wait_for` raises `CancelledError` inside the coroutine and waits for its end; if it
//!   swallows the error and returns a value, `wait_for` returns that value, and no timeout. A
//!   future that is dropped has no such way out.
//!
//! Run it: `cargo run --example lecture_24_3_retry`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_24_3_retry`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def request(seconds):
//!     await asyncio.sleep(seconds)
//!     return "answer"
//!
//! async def call(name, latencies):
//!     for attempt, seconds in enumerate(latencies, 1):
//!         try:
//!             answer = await asyncio.wait_for(request(seconds), timeout=0.5)
//!             return f"{name}: {answer} at attempt {attempt}"
//!         except asyncio.TimeoutError:
//!             print(name, "attempt", attempt, "timed out")
//!     raise RuntimeError(f"{name} gave up")
//!
//! async def main():
//!     calls = [("steady", [0.2]), ("flaky", [2, 2, 0.2]), ("dead", [2, 2, 2])]
//!     print(await asyncio.gather(*(call(*c) for c in calls), return_exceptions=True))
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::fmt::Display;
use std::time::Duration;

use lone::time::Instant;
use lone::{Elapsed, gather, sleep, timeout};

const LIMIT: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 3;

/// How long the server of each caller takes for its first, second and third answer, in ms.
const CALLERS: [(&str, [u64; 3]); 3] =
    [("steady", [200, 200, 200]), ("flaky", [2000, 2000, 200]), ("dead", [2000, 2000, 2000])];

/// How it went for one caller.
#[derive(Debug)]
pub struct Call {
    /// Whose it is.
    pub name: &'static str,
    /// How many attempts it made.
    pub attempts: u32,
    /// Whether the last one was answered.
    pub answered: bool,
    /// How long they took.
    pub took: Duration,
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// One for each caller, in the order of the gather.
    pub calls: Vec<Call>,
    /// All three callers.
    pub took: Duration,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

/// Calls `make` for a fresh future, `attempts` times at most, until one is ready in time; returns
/// its output and its number. The error is that of the last attempt.
async fn retry<T>(
    attempts: u32,
    limit: Duration,
    mut make: impl AsyncFnMut(u32) -> T,
) -> Result<(u32, T), Elapsed> {
    let mut attempt = 1;
    loop {
        match timeout(limit, make(attempt)).await {
            Ok(output) => return Ok((attempt, output)),
            Err(elapsed) if attempt == attempts => return Err(elapsed),
            Err(_) => attempt += 1,
        }
    }
}

/// An attempt at the server. The guard says what became of it.
async fn request(begin: Instant, name: &str, attempt: u32, latency: Duration) -> &'static str {
    struct Request<'a>(Instant, &'a str, u32);
    impl Drop for Request<'_> {
        fn drop(&mut self) {
            say(self.0, format_args!("  {}: attempt {} is over", self.1, self.2));
        }
    }
    say(begin, format_args!("  {name}: attempt {attempt} begins"));
    let _request = Request(begin, name, attempt);
    sleep(latency).await;
    "answer"
}

async fn call(begin: Instant, name: &'static str, latencies: [u64; 3]) -> Call {
    let result = retry(ATTEMPTS, LIMIT, async |attempt| {
        let latency = Duration::from_millis(latencies[attempt as usize - 1]);
        request(begin, name, attempt, latency).await
    })
    .await;
    let took = begin.elapsed();
    let (attempts, answered) = match result {
        Ok((attempt, answer)) => {
            say(begin, format_args!("{name}: {answer} at attempt {attempt}"));
            (attempt, true)
        }
        Err(elapsed) => {
            say(begin, format_args!("{name}: gave up after {ATTEMPTS} attempts: {elapsed}"));
            (ATTEMPTS, false)
        }
    };
    Call { name, attempts, answered, took }
}

/// Three callers at once.
pub async fn program() -> Outcome {
    let begin = Instant::now();
    let calls = gather(CALLERS.map(|(name, latencies)| call(begin, name, latencies))).await;
    Outcome { calls, took: begin.elapsed() }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
