//! 100,000 tasks sleep 1 to 100 ms each: the CPU time of one, the wall time of all, how late one is.
//!
//! Included are the spawn and three readings of the clock by the test itself.

use std::time::{Duration, Instant};

use crate::figures::Figures;
use crate::measure::{Effort, cpu_now, median};
use crate::peer::{Timers, in_task};

const SLEEPS: u64 = 100_000;

/// CPU nanoseconds a sleep, milliseconds of all, milliseconds late on average.
async fn block<P: Timers>() -> [f64; 3] {
    let (begin, cpu) = (Instant::now(), cpu_now());
    let sleeper = |n: u64| async move {
        let duration = Duration::from_millis(1 + n % 100);
        let begin = Instant::now();
        P::sleep(duration).await;
        begin.elapsed().saturating_sub(duration)
    };
    // By a step that is prime to 100: neighbours do not sleep alike.
    let tasks: Vec<_> = (0..SLEEPS).map(|n| P::spawn(sleeper(n * 37))).collect();
    let mut late = Duration::ZERO;
    for task in tasks {
        late += task.await;
    }
    let cpu = (cpu_now() - cpu) as f64 / SLEEPS as f64;
    [cpu, begin.elapsed().as_secs_f64() * 1e3, late.as_secs_f64() * 1e3 / SLEEPS as f64]
}

pub fn measure<P: Timers>(effort: Effort) -> Figures {
    in_task::<P, _>(async move {
        let mut blocks = Vec::new();
        for _ in 0..effort.either(5, 2) {
            blocks.push(block::<P>().await);
        }
        let of = |index: usize| {
            let mut values: Vec<f64> = blocks.iter().map(|block| block[index]).collect();
            median(&mut values)
        };
        Figures::one("cpu", of(0)).and("wall", of(1)).and("late", of(2))
    })
}
