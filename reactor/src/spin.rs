//! Is it worth while to look again and again before the thread sleeps? As long as that pays.
//!
//! ```text
//!   nothing is ready ──► spins? ── yes: looks without waiting, for `most` at the longest
//!                          │                  │ something has come        │ nothing
//!                          │ no               ▼                           ▼
//!                          └──► parks     goes on spinning            parks, and so the next times
//!                                 │                                       │
//!                                 └── for less than `PAYS` times `most` ──┘► spins the next time
//! ```
//!
//! To go idle and be woken costs a virtual core some 30 us; where the answer to what was sent comes sooner
//! than that, as between two processes that talk to one another, a thread that stays awake has it at once,
//! at no more time of the processor. Where nothing comes, spinning is nothing but waste: so one that
//! was in vain is the last, until a park shows that it would have paid.
//!
//! Invariant: **bounded**: for each wait that was long, one spin of `most` was in vain at the most.
//!
//! This file knows no clock: it is told how long things took, in nanoseconds.

/// A park of less than so many times `most` would have been a spin but for the time it takes to be woken.
const PAYS: u64 = 4;

/// Whether to spin, as the last waits have shown.
#[derive(Debug)]
pub(crate) struct Spin {
    most: u64,
    pays: bool,
}

impl Spin {
    /// Zero: never.
    pub(crate) fn new(most: u64) -> Spin {
        Spin { most, pays: most > 0 }
    }

    /// Whether spinning was asked for at all.
    pub(crate) fn is_on(&self) -> bool {
        self.most > 0
    }

    /// For how long to spin now; zero: not at all.
    pub(crate) fn limit(&self) -> u64 {
        if self.pays { self.most } else { 0 }
    }

    /// A spin has ended, with something or in vain.
    pub(crate) fn has_ended(&mut self, with_something: bool) {
        self.pays = with_something;
    }

    /// A park has taken so long.
    pub(crate) fn has_parked(&mut self, nanos: u64) {
        self.pays = nanos < self.most.saturating_mul(PAYS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spins_until_one_was_in_vain_and_again_after_a_short_park() {
        let mut spin = Spin::new(20_000);
        assert_eq!(spin.limit(), 20_000, "at first it is tried");
        spin.has_ended(true);
        assert_eq!(spin.limit(), 20_000);
        spin.has_ended(false);
        assert_eq!(spin.limit(), 0);
        spin.has_parked(1_000_000);
        assert_eq!(spin.limit(), 0, "a long one");
        spin.has_parked(60_000);
        assert_eq!(spin.limit(), 20_000, "a short one: it would have paid");
    }

    #[test]
    fn never_spins_where_it_was_not_asked_for() {
        let mut spin = Spin::new(0);
        spin.has_parked(0);
        assert!(!spin.is_on());
        assert_eq!(spin.limit(), 0);
    }
}
