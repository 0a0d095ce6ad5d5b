//! Five philosophers, five forks: a deadlock that is caught, read, and cured.
//!
//! The forks lie between the plates, and each philosopher needs both of his: he takes the left one,
//! reaches over, and takes the right one. When all five have taken their left fork, nobody can go on.
//! 1. **The deadlock**: the run ends with `RunError::Deadlock`, whose report says who holds what, since
//!    which line, and who is in the cycle.
//! 2. **The cure**: each takes the fork with the lower number first. Everybody gets his meals.
//!
//! What to look for:
//! - A deadlock by locks needs four things: a fork is one man's at a time; he keeps one while he waits
//!   for another; nobody takes it away from him; and they wait in a circle. The cure breaks the
//!   last: along the circle the numbers of the forks would have to rise for ever.
//! - The *await between the two locks* is what lets the others in. Without it each would have both forks
//!   before anybody else ran; so a deadlock may come with a harmless line, months later.
//! - Nobody waits for the verdict: no timer, no thread, no wake is left that could change anything, and
//!   the loop knows. While somebody chews, asleep, there is none.
//!
//! Run it: `cargo run --example dining_philosophers`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example dining_philosophers`.
//!
//! The same in asyncio, where it hangs for ever and says nothing:
//!
//! ```python
//! import asyncio
//!
//! async def dine(left, right):
//!     async with left:
//!         await asyncio.sleep(0.01)
//!         async with right:
//!             await asyncio.sleep(0.05)
//!
//! async def main():
//!     forks = [asyncio.Lock() for _ in range(5)]
//!     await asyncio.gather(*(dine(forks[n], forks[(n + 1) % 5]) for n in range(5)))
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{Builder, Deadlock, Mutex, RunError, gather, sleep, spawn};

const PHILOSOPHERS: [&str; 5] = ["Plato", "Hypatia", "Kant", "Arendt", "Confucius"];
const MEALS: u32 = 3;
const REACH: Duration = Duration::from_millis(10);
const EAT: Duration = Duration::from_millis(50);

/// What a fork knows: how often somebody has eaten with it.
#[derive(Default)]
struct Fork {
    used: u32,
}

/// Which of his two forks a philosopher takes first.
#[derive(Clone, Copy)]
enum Manners {
    /// The one on the left.
    LeftFirst,
    /// The one with the lower number.
    LowerFirst,
}

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    /// The report of the first evening.
    pub deadlock: Box<Deadlock>,
    /// Who waits for whom, in a circle, by name.
    pub cycle: Vec<String>,
    /// Who had how many meals on the second evening.
    pub meals: Vec<(&'static str, u32)>,
    /// How long that took.
    pub took: Duration,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

/// One philosopher, all evening. Returns how many meals he had.
async fn dine(
    name: &'static str,
    first: Rc<Mutex<Fork>>,
    second: Rc<Mutex<Fork>>,
    begin: Instant,
) -> u32 {
    let mut meals = 0;
    while meals < MEALS {
        let mut first = first.lock().await; // kept over the three awaits below
        say(begin, format_args!("{name} has one fork, and reaches for the other"));
        sleep(REACH).await;
        let mut second = second.lock().await;
        sleep(EAT).await;
        first.used += 1;
        second.used += 1;
        meals += 1;
        say(begin, format_args!("  {name} has had meal {meals}"));
        // Here both guards are dropped: each fork goes to the neighbour who waits for it, if one does.
    }
    meals
}

/// An evening at the round table. Returns who had how many meals, and how long it took.
async fn evening(manners: Manners) -> (Vec<(&'static str, u32)>, Duration) {
    let begin = Instant::now();
    let forks: [Rc<Mutex<Fork>>; PHILOSOPHERS.len()] = Default::default();
    let philosophers = PHILOSOPHERS.iter().enumerate().map(|(seat, name)| {
        let (left, right) = (seat, (seat + 1) % forks.len());
        let (first, second) = match manners {
            Manners::LeftFirst => (left, right),
            Manners::LowerFirst => (left.min(right), left.max(right)),
        };
        spawn(dine(name, forks[first].clone(), forks[second].clone(), begin)).named(*name)
    });
    let meals = gather(philosophers).await.into_iter();
    let meals: Vec<_> = PHILOSOPHERS
        .into_iter()
        .zip(meals.map(|meals| meals.expect("a philosopher neither panics nor is cancelled")))
        .collect();
    let eaten: u32 = meals.iter().map(|(_, meals)| meals).sum();
    let used: u32 = forks.iter().map(|fork| fork.try_lock().map_or(0, |fork| fork.used)).sum();
    assert_eq!(used, 2 * eaten, "a meal takes two forks, and all lie on the table again");
    (meals, begin.elapsed())
}

/// Both evenings, each on a loop of its own with a virtual clock: no time passes outside.
pub fn program() -> Outcome {
    println!("The first evening: everybody takes the left fork first.");
    let ran = Builder::new().start_paused(true).try_run(evening(Manners::LeftFirst));
    let Err(RunError::Deadlock(deadlock)) = ran else {
        panic!("five left forks are taken, and nobody can go on: {ran:?}")
    };
    println!("\n{deadlock}\n");
    let cycle = deadlock.cycle().expect("each waits for his neighbour's fork");
    let cycle: Vec<String> =
        cycle.iter().filter_map(|waiting| Some(waiting.name.as_ref()?.to_string())).collect();
    println!("In a circle: {} waits for {}.", cycle.join(" waits for "), cycle[0]);

    println!("\nThe second evening: everybody takes the fork with the lower number first.");
    let (meals, took) = Builder::new().start_paused(true).run(evening(Manners::LowerFirst));
    println!("\nAll is eaten after {:.2} s:", took.as_secs_f64());
    for (name, meals) in &meals {
        println!("{name:>10} had {meals} meals");
    }
    Outcome { deadlock, cycle, meals, took }
}

/// Runs the program, which makes loops of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    program();
}
