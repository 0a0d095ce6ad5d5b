//! Lecture 24, pattern 2: ask three regions, take the fastest.
//!
//! eu answers after 0.3 s, us after 0.1 s, asia after 0.2 s. Two ways to have us win:
//! 1. **Tasks**: `wait` for the first, then `cancel_all` of the rest, *awaited*.
//! 2. **Futures**: `race`, which drops the losers before it returns.
//!
//! What to look for:
//! - `wait(…, FirstCompleted)` cancels nobody: when it returns, the losers still run. Nor is "first"
//!   one task: everybody who has ended by the time that the waiter resumes is in `done`, in the
//!   order in which they ended. (The slides say "exactly one"; that is `race`.)
//! - `cancel_all` asks and drains in one call: when it returns, each loser's connection is closed.
//!   The drain is not what delivers the cancel, as the lecture has it: that happens at the loser's
//!   next turn anyway. The drain is how one *knows* that it has ended, and how.
//! - `race_tasks` is the first way in one call: it returns when the losers have ended, and says how.
//!
//! Run it: `cargo run --example lecture_24_2_race`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_24_2_race`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def ask(region, seconds):
//!     try:
//!         await asyncio.sleep(seconds)
//!         return region
//!     except asyncio.CancelledError:
//!         print(region, "is given up")
//!         raise
//!
//! async def main():
//!     regions = [("eu", 0.3), ("us", 0.1), ("asia", 0.2)]
//!     tasks = [asyncio.create_task(ask(*region)) for region in regions]
//!     done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
//!     for task in pending:
//!         task.cancel("another region was faster")
//!     await asyncio.gather(*pending, return_exceptions=True)      # the drain
//!     print("first:", done.pop().result())
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{ReturnWhen, cancel_all, race, sleep, spawn, wait};

const REGIONS: [(&str, Duration); 3] = [
    ("eu", Duration::from_millis(300)),
    ("us", Duration::from_millis(100)),
    ("asia", Duration::from_millis(200)),
];

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// The winner among the tasks.
    pub winner: &'static str,
    /// When the wait returned.
    pub won_after: Duration,
    /// Whose connections had been given up when the wait returned.
    pub given_up_by_wait: Vec<&'static str>,
    /// And when `cancel_all` returned.
    pub given_up_by_cancel: Vec<&'static str>,
    /// When `cancel_all` returned.
    pub drained_after: Duration,
    /// What the losers' joiner was told.
    pub errors: Vec<String>,
    /// The winner of `race`.
    pub race_winner: &'static str,
    /// How long the race took.
    pub race_took: Duration,
    /// Whose connections had been given up when `race` returned.
    pub given_up_by_race: Vec<&'static str>,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

/// Who was given up, in order.
type GivenUp = Rc<RefCell<Vec<&'static str>>>;

/// Open while it lives. Its destructor runs however the request ends.
struct Connection {
    begin: Instant,
    region: &'static str,
    answered: bool,
    given_up: GivenUp,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.answered {
            say(self.begin, format_args!("  {}: given up, connection closed", self.region));
            self.given_up.borrow_mut().push(self.region);
        }
    }
}

async fn ask(mut connection: Connection, latency: Duration) -> &'static str {
    say(connection.begin, format_args!("  {}: asked", connection.region));
    sleep(latency).await;
    connection.answered = true;
    say(connection.begin, format_args!("  {}: answers", connection.region));
    connection.region
}

/// Both ways, one after the other.
pub async fn program() -> Outcome {
    let begin = Instant::now();
    let given_up = GivenUp::default();
    let connect =
        |region| Connection { begin, region, answered: false, given_up: given_up.clone() };

    say(begin, "1. three tasks: wait for the first, cancel and drain the rest");
    let tasks = REGIONS.map(|(region, latency)| spawn(ask(connect(region), latency)).named(region));
    let waited = wait(tasks, ReturnWhen::FirstCompleted).await;
    let won_after = begin.elapsed();
    let given_up_by_wait = given_up.borrow().clone();
    say(
        begin,
        format_args!(
            "{} done, {} pending, {} given up",
            waited.done.len(),
            waited.pending.len(),
            given_up_by_wait.len()
        ),
    );
    // Several may be done: the first of them ended first.
    let first = waited.done.into_iter().next().expect("the wait was for one at least");
    let winner = first.await.expect("it neither panicked nor was cancelled");

    let ends = cancel_all(waited.pending).because("another region was faster").await;
    let drained_after = begin.elapsed();
    let given_up_by_cancel = given_up.take();
    let errors: Vec<String> =
        ends.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    say(begin, format_args!("{winner} has won; the losers have ended: {errors:?}"));

    say(begin, "2. three futures: race");
    let racing = Instant::now();
    let race_winner = race(REGIONS.map(|(region, latency)| ask(connect(region), latency))).await;
    let race_took = racing.elapsed();
    let given_up_by_race = given_up.take();
    say(
        begin,
        format_args!("{race_winner} has won; given up before race returned: {given_up_by_race:?}"),
    );

    Outcome {
        winner,
        won_after,
        given_up_by_wait,
        given_up_by_cancel,
        drained_after,
        errors,
        race_winner,
        race_took,
        given_up_by_race,
    }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
