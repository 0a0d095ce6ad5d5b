//! How many tokens are there now, and when will there be so many? Exactly, and without a timer.
//!
//! A token is as many *parts* as its period has nanoseconds; a nanosecond brings as many parts as a
//! period has tokens. So all is whole numbers: a bucket of 2^32 tokens of 2^64 parts each fits a `u128`.

use std::time::Duration;

use lone_reactor::time::Instant;

pub(super) struct Bucket {
    /// How many tokens come in a period: the parts of a nanosecond.
    tokens: u32,
    /// The period in nanoseconds: the parts of a token.
    period: u64,
    /// The most that is kept.
    burst: u32,
    /// What was there at the last look, in parts.
    level: u128,
    /// When that was; `None`: nobody has looked, and it is full.
    looked: Option<Instant>,
}

impl Bucket {
    /// Full, with room for what comes in a period.
    pub(super) fn new(tokens: u32, period: u64) -> Bucket {
        let mut bucket = Bucket { tokens, period, burst: 0, level: 0, looked: None };
        bucket.resize(tokens);
        bucket
    }

    /// Full, with room for `burst`.
    pub(super) fn resize(&mut self, burst: u32) {
        self.burst = burst;
        self.level = self.parts(burst);
        self.looked = None;
    }

    fn parts(&self, tokens: u32) -> u128 {
        u128::from(tokens) * u128::from(self.period)
    }

    /// What is there at `now`, in parts.
    fn level(&self, now: Instant) -> u128 {
        let Some(looked) = self.looked else {
            return self.level;
        };
        // A clock does not go back; if the next loop's begins earlier, no time has passed.
        let passed = now.duration_since(looked).as_nanos();
        let come = passed.saturating_mul(u128::from(self.tokens));
        // What a nanosecond has brought too much stays, also in a full bucket: else the rate would drift.
        let too_much = u128::from(self.tokens).min(u128::from(self.period)) - 1;
        self.level.saturating_add(come).min(self.parts(self.burst) + too_much)
    }

    /// Takes so many tokens out if they are there.
    pub(super) fn take(&mut self, wanted: u32, now: Instant) -> bool {
        (self.level, self.looked) = (self.level(now), Some(now));
        let left = self.level.checked_sub(self.parts(wanted));
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }

    /// For whoever has waited for so many: takes them out as of the moment at which they were there. Were
    /// it as of `now`, what has come while he was late would be lost to a full bucket, and the rate with it.
    ///
    /// # Errors
    ///
    /// The moment, if it is to come.
    pub(super) fn take_when_due(&mut self, wanted: u32, now: Instant) -> Result<(), Instant> {
        let looked = self.looked.unwrap_or(now);
        let missing = self.parts(wanted).saturating_sub(self.level);
        let nanos = missing.div_ceil(u128::from(self.tokens));
        let due = looked + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if due > now {
            return Err(due);
        }
        let taken = self.take(wanted, due);
        debug_assert!(taken, "{wanted} are there at {due:?}");
        Ok(())
    }

    /// How many whole tokens are there.
    pub(super) fn available(&self, now: Instant) -> u32 {
        let tokens = self.level(now) / u128::from(self.period);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    pub(super) fn burst(&self) -> u32 {
        self.burst
    }

    pub(super) fn tokens(&self) -> u32 {
        self.tokens
    }

    pub(super) fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Ten milliseconds a token, room for one, and empty at the moment that is returned.
    fn empty() -> (Bucket, Instant) {
        let mut bucket = Bucket::new(100, 1_000_000_000);
        bucket.resize(1);
        let begin = Instant::now();
        assert!(bucket.take(1, begin));
        (bucket, begin)
    }

    #[test]
    fn waiter_that_comes_late_for_its_token_delays_none_behind_it() {
        let (mut bucket, begin) = empty();
        assert_eq!(bucket.take_when_due(1, begin), Err(begin + 10 * MS));
        assert_eq!(bucket.take_when_due(1, begin + 13 * MS), Ok(()));
        assert_eq!(bucket.take_when_due(1, begin + 13 * MS), Err(begin + 20 * MS));
        // Late for several: each was due at its own time.
        for _ in 0..4 {
            assert_eq!(bucket.take_when_due(1, begin + 57 * MS), Ok(()));
        }
        assert_eq!(bucket.take_when_due(1, begin + 57 * MS), Err(begin + 60 * MS));
    }

    #[test]
    fn bucket_that_nobody_waits_at_keeps_no_more_than_its_burst() {
        let (mut bucket, begin) = empty();
        assert!(bucket.take(1, begin + 57 * MS));
        assert!(!bucket.take(1, begin + 57 * MS));
        assert_eq!(bucket.take_when_due(1, begin + 57 * MS), Err(begin + 67 * MS));
    }
}
