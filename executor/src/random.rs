//! Which one, where any would do? A generator draws, and begins the same in each run.
//!
//! Invariants:
//! - **Reproducible**: the numbers depend on the seed and on how many were drawn before, on every
//!   machine. A loop has a generator of its own, beside the one that shuffles its batches.
//!
//! Cost: three multiplications, no system call. It is SplitMix64, and nothing for secrets.

use std::cell::RefCell;

use crate::waker::running;

/// Numbers that look random, the same for the same seed on every machine: SplitMix64. For tests.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that this seed stands for.
    #[must_use]
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Those of a loop with this seed, or with none.
    pub(crate) fn of_loop(seed: Option<u64>) -> Random {
        // Others than those that shuffle: what is drawn shall not follow from who runs first.
        Random::new(!seed.unwrap_or_default())
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next number, brought below `bound`: each of them about as likely.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Every order is as likely as every other.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

thread_local! {
    /// For futures of ours that another crate's executor polls.
    static WITHOUT_A_LOOP: RefCell<Random> = const { RefCell::new(Random::new(0)) };
}

/// A number below `bound`, drawn by the loop that runs on this thread; 0 if `bound` is 0.
///
/// Every loop begins with the same seed unless it was given one ([`Settings::seed`]), so that a run
/// can be repeated. Where no loop runs the thread has a generator. Not for secrets.
///
/// [`Settings::seed`]: crate::Settings::seed
#[must_use]
pub fn random_below(bound: usize) -> usize {
    running(|core| core.random.borrow_mut().below(bound))
        .unwrap_or_else(|| WITHOUT_A_LOOP.with_borrow_mut(|random| random.below(bound)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_below_sixteen_meet_every_number_about_as_often() {
        let mut random = Random::of_loop(None);
        let mut met = [0; 16];
        (0..16_000).for_each(|_| met[random.below(16)] += 1);
        assert!(met.iter().all(|met| (850..1150).contains(met)), "{met:?}");
    }
}
