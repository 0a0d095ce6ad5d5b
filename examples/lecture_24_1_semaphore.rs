//! Lecture 24, pattern 1: at most three at a time.
//!
//! Nine sessions of 0.3 s each want a server that bears three at once. A semaphore with three
//! permits makes three batches of them: 0.9 s in all.
//!
//! What to look for:
//! - All nine begin at once; six of them wait at `acquire`. They go in in the order in which they
//!   came: a permit that is given back is *handed* to the first in line, nobody can jump in.
//! - Never are more than three inside: the program asserts it.
//! - The permit is a guard. There is no `release` to forget, also not when a session is cancelled or
//!   panics.
//!
//! Run it: `cargo run --example lecture_24_1_semaphore`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_24_1_semaphore`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def session(number, semaphore):
//!     async with semaphore:
//!         print("session", number, "is inside")
//!         await asyncio.sleep(0.3)
//!
//! async def main():
//!     semaphore = asyncio.Semaphore(3)
//!     await asyncio.gather(*(session(number, semaphore) for number in range(1, 10)))
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::Cell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{Semaphore, gather, sleep, spawn};

const SESSIONS: u32 = 9;
const AT_ONCE: usize = 3;
const SESSION: Duration = Duration::from_millis(300);

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// When each session ended, counted from the beginning; in the order of their numbers.
    pub ends: Vec<Duration>,
    /// How many were inside at once, at most.
    pub most_inside: usize,
    /// All nine.
    pub took: Duration,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

/// The server that bears three.
struct Server {
    begin: Instant,
    permits: Semaphore,
    inside: Cell<usize>,
    most_inside: Cell<usize>,
}

async fn session(number: u32, server: Rc<Server>) -> Duration {
    say(server.begin, format_args!("session {number} wants in"));
    let _permit = server.permits.acquire().await;

    // No other task runs between two awaits: these lines need no lock.
    let inside = server.inside.get() + 1;
    server.inside.set(inside);
    server.most_inside.set(server.most_inside.get().max(inside));
    assert!(inside <= AT_ONCE, "{inside} sessions are inside, {AT_ONCE} may be");
    say(server.begin, format_args!("  session {number} is inside, one of {inside}"));

    sleep(SESSION).await;

    server.inside.set(server.inside.get() - 1);
    say(server.begin, format_args!("  session {number} leaves"));
    server.begin.elapsed()
    // Here the permit is dropped, and goes to the first in line.
}

/// Nine sessions, three at a time.
pub async fn program() -> Outcome {
    let server = Rc::new(Server {
        begin: Instant::now(),
        permits: Semaphore::new(AT_ONCE),
        inside: Cell::new(0),
        most_inside: Cell::new(0),
    });
    let sessions: Vec<_> = (1..=SESSIONS)
        .map(|number| spawn(session(number, server.clone())).named(format!("session {number}")))
        .collect();
    let ends = gather(sessions)
        .await
        .into_iter()
        .map(|end| end.expect("a session neither panics nor is cancelled"))
        .collect();
    let took = server.begin.elapsed();
    let most_inside = server.most_inside.get();
    say(server.begin, format_args!("all {SESSIONS} are done; at most {most_inside} were inside"));
    Outcome { ends, most_inside, took }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
