//! Are deadlines so many that one wake-up should serve several? Then a nap is no shorter than 50 us.
//!
//! ```text
//!   deadlines    · ·  ·· ·  ·    ·  ·        100,000 sleeps of 1 to 100 ms: one each microsecond
//!   exactly      ▲ ▲  ▲▲ ▲  ▲    ▲  ▲        a wake-up each: timerfd_settime, epoll_wait, 1 us or two
//!   by naps            ▲       ▲       ▲      late by 50 us at most, never early, and in order
//! ```
//!
//! To arm the timerfd and to wait costs more than a sleep's own work. As long as timers ring one at a time
//! that is the price of being on time; where they ring by the thousand in a second, most of the loop's
//! time would go into it (bench `sleeps`). The kernel has the same slack for each timeout of a thread.
//!
//! Invariants:
//! - **Exact but in a crowd**: [`DENSE`] timers or more have fired within a [`PERIOD`], and [`FEW`] are set.
//! - **Between two wake-ups only**: it is never late for a deadline that is further away than a nap.

/// The shortest nap in a crowd, and so the most by which a timer can be late for it. In nanoseconds.
const NAP: u64 = 50_000;

/// Over how long it is counted what fires. In nanoseconds.
const PERIOD: u64 = 1_000_000;

/// So many within a period are a crowd: more than one each 20 us.
const DENSE: u64 = 50;

/// One that sets its next timer each time that the last one has rung is no crowd, however fast.
const FEW: usize = 16;

/// How many have fired lately.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// When the period began.
    since: u64,
    fired: u64,
    is_dense: bool,
}

impl Crowd {
    /// So many have fired at `now`.
    pub(crate) fn has_fired(&mut self, count: u64, now: u64) {
        self.fired += count;
        let passed = now.saturating_sub(self.since);
        if passed >= PERIOD {
            // A period may have been a long one: it is the rate that counts.
            self.is_dense = self.fired / (passed / PERIOD) >= DENSE;
            *self = Crowd { since: now, fired: 0, is_dense: self.is_dense };
        }
    }

    /// How long the next wait is at least, with so many timers set. In nanoseconds.
    pub(crate) fn nap(&self, timers: usize) -> u64 {
        if self.is_dense && timers >= FEW { NAP } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fires one each `step` nanoseconds, for 10 ms; how often that was a crowd.
    fn naps(step: u64, timers: usize) -> usize {
        let mut crowd = Crowd::default();
        let times = (0..10_000_000).step_by(step as usize);
        times
            .filter(|now| {
                crowd.has_fired(1, *now);
                crowd.nap(timers) > 0
            })
            .count()
    }

    #[test]
    fn naps_are_for_many_timers_that_ring_close_together() {
        assert_eq!(naps(1_000, 1_000), 9_000, "all but the first period");
        assert_eq!(naps(100_000, 1_000), 0, "ten in a millisecond are none");
        assert_eq!(naps(1_000, 1), 0, "one who sleeps again and again is none");
    }

    #[test]
    fn a_crowd_is_over_after_a_period_in_which_few_have_fired() {
        let mut crowd = Crowd::default();
        crowd.has_fired(1_000, PERIOD);
        assert_eq!(crowd.nap(FEW), NAP);
        crowd.has_fired(DENSE, 3 * PERIOD);
        assert_eq!(crowd.nap(FEW), 0, "as many in two periods");
    }
}
