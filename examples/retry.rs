//! A retry helper as a service needs it: back-off, jitter, fatal errors, a deadline for the whole.
//!
//! It goes on where `lecture_24_3_retry` stops: there an attempt has a limit and there are three. Here
//! 1. an attempt that fails is tried again only if that may help: a *fatal* error ends it at once;
//! 2. between two attempts there is a pause, each twice as long as the one before, up to a longest;
//! 3. of each pause a random part of up to a half is left out (*jitter*), so that a thousand callers
//!    that have failed together do not come back together. The generator is seeded: same seed, same run;
//! 4. all attempts and pauses together have a deadline;
//! 5. an attempt that has failed has *closed its connection*, awaits included, before the next one
//!    begins: a server that is short of connections is not asked for two.
//!
//! Five callers at once, and what becomes of them:
//!
//! | caller | its server | outcome |
//! |---|---|---|
//! | steady | answers | at the first attempt |
//! | flaky | refuses, hangs, answers | at the third |
//! | wrong | says that the request is wrong | a fatal error, at the first |
//! | busy | refuses always | gives up after four attempts |
//! | dead | hangs always | the deadline of 600 ms ends it within its fourth |
//!
//! What to look for:
//! - The clock is virtual: it jumps to the next deadline when everybody waits. So every line has its
//!   exact moment, and a second passes in no time; the times at the end are computed from the pauses,
//!   and have to fit to the nanosecond.
//! - Limits nest: the one for the attempt is inside the one for the whole, and whichever is over first
//!   ends the attempt. In both cases the connection is closed *before* the timeout returns: an attempt
//!   that hangs takes 100 ms and 5 ms to close; "dead" returns at
//!   605 ms.
//! - A pause belongs in front of an attempt that will be made: after the last one there is none.
//! - Each attempt needs a fresh future, so the helper is given a closure that makes them: an
//!   `AsyncFnMut`, which may borrow from its caller.
//!
//! Run it: `cargo run --example retry`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example retry`.
//!
//! The helper in asyncio:
//!
//! ```python
//! async def retry(policy, random, attempt):
//!     async with asyncio.timeout(policy.total):               # TimeoutError: the deadline
//!         pause = policy.first_pause
//!         for n in range(1, policy.attempts + 1):
//!             try:
//!                 async with asyncio.timeout(policy.limit):
//!                     return await attempt(n)                 # closes with `async with` inside
//!             except (Refused, TimeoutError):                 # a Wrong comes through
//!                 if n == policy.attempts:
//!                     raise
//!             await asyncio.sleep(pause * random.uniform(0.5, 1))
//!             pause = min(pause * 2, policy.longest_pause)
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::{self, Display};
use std::time::Duration;

use lone::time::Instant;
use lone::{AsyncClose, Elapsed, gather, sleep, timeout, using};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// ----- the helper ----------------------------------------------------------------------------------

/// When to try again.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How many attempts there are at most.
    pub attempts: u32,
    /// How long one may take.
    pub limit: Duration,
    /// The pause after the first; each is twice as long as the one before.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// How long all of it may take.
    pub total: Duration,
}

/// Why an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The next one may go better.
    Retryable(&'static str),
    /// It will never go better.
    Fatal(&'static str),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// An attempt has failed for good.
    Fatal(&'static str),
    /// The last attempt has failed, too, and why.
    Attempts(String),
    /// The time for all of it is over; with what has failed of the cleanup.
    Deadline(Elapsed),
}

impl Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaveUp::Fatal(why) => f.write_str(why),
            GaveUp::Attempts(why) => write!(f, "{why}, and no attempt is left"),
            GaveUp::Deadline(elapsed) => write!(f, "{elapsed}, that for all attempts"),
        }
    }
}

/// Numbers that look random: SplitMix64. The same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between a half and the whole of `pause`, in whole microseconds.
    pub fn jitter(&mut self, pause: Duration) -> Duration {
        let half = pause.as_micros() as u64 / 2;
        Duration::from_micros(half + self.next() % (half + 1))
    }
}

/// Calls `attempt` with 1, 2, … until one succeeds; returns what it gave.
///
/// `paused` is told of each pause before it is made.
pub async fn retry<T>(
    policy: Policy,
    random: &mut Random,
    mut attempt: impl AsyncFnMut(u32) -> Result<T, Failure>,
    mut paused: impl FnMut(u32, Duration, &str),
) -> Result<T, GaveUp> {
    let attempts = async {
        let mut pause = policy.first_pause;
        let mut n = 1;
        loop {
            let why = match timeout(policy.limit, attempt(n)).await {
                Ok(Ok(output)) => return Ok(output),
                Ok(Err(Failure::Fatal(why))) => return Err(GaveUp::Fatal(why)),
                Ok(Err(Failure::Retryable(why))) => why.to_owned(),
                Err(elapsed) => elapsed.to_string(),
            };
            if n == policy.attempts {
                return Err(GaveUp::Attempts(why));
            }
            let shorter = random.jitter(pause);
            paused(n, shorter, &why);
            sleep(shorter).await;
            pause = (pause * 2).min(policy.longest_pause);
            n += 1;
        }
    };
    timeout(policy.total, attempts).await.unwrap_or_else(|elapsed| Err(GaveUp::Deadline(elapsed)))
}

// ----- the callers ---------------------------------------------------------------------------------

/// What every caller here uses.
pub const POLICY: Policy = Policy {
    attempts: 4,
    limit: ms(100),
    first_pause: ms(40),
    longest_pause: ms(120),
    total: ms(600),
};

/// How long a server takes to say something.
pub const ANSWER: Duration = ms(20);

/// How long a connection takes to close.
pub const CLOSE: Duration = ms(5);

/// What a server does with an attempt.
#[derive(Clone, Copy, Debug)]
enum Server {
    Answers,
    Refuses,
    SaysItIsWrong,
    Hangs,
}
use Server::{Answers, Hangs, Refuses, SaysItIsWrong};

/// Who calls, and what the server does at the first attempt, the second, …
const CALLERS: [(&str, [Server; 4]); 5] = [
    ("steady", [Answers; 4]),
    ("flaky", [Refuses, Hangs, Answers, Answers]),
    ("wrong", [SaysItIsWrong; 4]),
    ("busy", [Refuses; 4]),
    ("dead", [Hangs; 4]),
];

/// How it went for one caller.
#[derive(Debug)]
pub struct Call {
    /// Whose it is.
    pub name: &'static str,
    /// The answer, or why there is none.
    pub outcome: Result<&'static str, GaveUp>,
    /// How many attempts have begun.
    pub attempts: u32,
    /// How many connections were closed; an attempt has one.
    pub closed: u32,
    /// The pauses that were begun.
    pub pauses: Vec<Duration>,
    /// How long all of it took.
    pub took: Duration,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:8.3} ms  {what}", begin.elapsed().as_secs_f64() * 1e3);
}

/// What a caller's attempts have left.
#[derive(Default)]
struct Seen {
    attempts: u32,
    closed: u32,
    pauses: Vec<Duration>,
}

type SharedSeen = std::rc::Rc<RefCell<Seen>>;

struct Connection(SharedSeen);

impl AsyncClose for Connection {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        sleep(CLOSE).await;
        self.0.borrow_mut().closed += 1;
        Ok(())
    }
}

/// An attempt: its connection is closed when this returns, and also when it is dropped by a timeout.
async fn request(seen: &SharedSeen, server: Server) -> Result<&'static str, Failure> {
    {
        let mut seen = seen.borrow_mut();
        assert_eq!(seen.closed, seen.attempts, "the connection before is closed");
        seen.attempts += 1;
    }
    let Ok(outcome) = using(Connection(seen.clone()), async |_| {
        if let Hangs = server {
            std::future::pending().await
        }
        sleep(ANSWER).await;
        match server {
            Answers => Ok("answer"),
            Refuses => Err(Failure::Retryable("refused")),
            SaysItIsWrong => Err(Failure::Fatal("a wrong request")),
            Hangs => unreachable!("it has said nothing"),
        }
    })
    .await;
    outcome
}

async fn call(begin: Instant, name: &'static str, servers: [Server; 4], seed: u64) -> Call {
    let seen = SharedSeen::default();
    let outcome = retry(
        POLICY,
        &mut Random(seed),
        async |n| request(&seen, servers[n as usize - 1]).await,
        |n, pause, why| {
            say(begin, format_args!("  {name}: attempt {n}: {why}; a pause of {pause:?}"));
            seen.borrow_mut().pauses.push(pause);
        },
    )
    .await;
    let took = begin.elapsed();
    let Seen { attempts, closed, pauses } = seen.take();
    match &outcome {
        Ok(answer) => say(begin, format_args!("{name}: {answer} at attempt {attempts}")),
        Err(why) => say(begin, format_args!("{name}: gave up at attempt {attempts}: {why}")),
    }
    Call { name, outcome, attempts, closed, pauses, took }
}

/// Five callers at once, each with a seed of its own.
pub async fn program() -> Vec<Call> {
    let begin = Instant::now();
    let calls = CALLERS.into_iter().zip(1..);
    gather(calls.map(|((name, servers), seed)| call(begin, name, servers, seed))).await
}

/// When a call is over, computed from its pauses.
pub fn expected(call: &Call) -> Duration {
    let paused: Duration = call.pauses.iter().sum();
    let said = ANSWER + CLOSE;
    let hung = POLICY.limit + CLOSE;
    match call.name {
        "flaky" => said + hung + said + paused,
        "dead" => POLICY.total + CLOSE,
        _ => said * call.attempts + paused,
    }
}

/// Runs the program on a loop of its own, on a virtual clock, and checks its times.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let calls = lone::Builder::new().start_paused(true).run(program());
    for call in &calls {
        assert_eq!(call.took, expected(call), "{call:?}");
    }
    println!("all times are exact");
}
