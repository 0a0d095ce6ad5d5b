//! How is a figure taken from a piece of work?
//!
//! A *block* is one run of the work, a *sample* as many blocks as fill [`Effort::sample`], a *figure* the
//! median of [`Effort::repeats`] samples, after one that is thrown away. Work of the CPU alone is timed by
//! the CPU clock of the process, which a neighbour's load moves less than the wall clock, and which
//! counts a runtime's helper threads.

use std::future::Future;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long to look.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub quick: bool,
}

impl Effort {
    /// The least duration of a sample: a few hundred times the grain of what disturbs it.
    pub fn sample(self) -> Duration {
        Duration::from_millis(if self.quick { 8 } else { 25 })
    }

    pub fn repeats(self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// One of two, for work that cannot be measured in samples.
    pub fn either<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// The CPU time of this process, all threads, in nanoseconds.
pub fn cpu_now() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The CPU time that `work` takes, in nanoseconds.
pub async fn cpu_of(work: impl Future<Output = ()>) -> u64 {
    let begin = cpu_now();
    work.await;
    cpu_now() - begin
}

/// The CPU time of a unit, in nanoseconds. A block has `units` of them and says itself what it took, so
/// that it may leave out what comes before and after.
pub async fn each(effort: Effort, units: u64, mut block: impl AsyncFnMut() -> u64) -> f64 {
    let mut samples = Vec::new();
    for _ in 0..=effort.repeats() {
        let begin = Instant::now();
        let (mut blocks, mut cpu) = (0, 0);
        while blocks == 0 || begin.elapsed() < effort.sample() {
            cpu += block().await;
            blocks += 1;
        }
        samples.push(cpu as f64 / (blocks * units) as f64);
    }
    samples.remove(0);
    median(&mut samples)
}

/// As [`each`], of blocks that count from end to end.
pub async fn each_of(effort: Effort, units: u64, mut block: impl AsyncFnMut()) -> f64 {
    each(effort, units, async || cpu_of(block()).await).await
}

pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the values lies; of an empty list, not a number.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if share == 0.5 && len % 2 == 0 => (values[len / 2 - 1] + values[len / 2]) / 2.0,
        len => values[((len - 1) as f64 * share).round() as usize],
    }
}

#[cfg(test)]
mod tests {
    use super::{median, quantile};

    #[test]
    fn a_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values: Vec<f64> = (0..101).map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.99), 99.0);
        assert!(quantile(&mut [], 0.99).is_nan());
    }
}
