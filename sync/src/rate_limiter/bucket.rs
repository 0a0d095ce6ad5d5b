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

    /// When so many will be there: at `now`, or the first nanosecond after.
    pub(super) fn ready_at(&self, wanted: u32, now: Instant) -> Instant {
        let missing = self.parts(wanted).saturating_sub(self.level(now));
        let nanos = missing.div_ceil(u128::from(self.tokens));
        now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
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
