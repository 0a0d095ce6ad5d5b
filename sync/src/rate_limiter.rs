//! How do at most n begin a second? A rate limiter gives out tokens, and time brings new ones.
//!
//! ```text
//!   time ── n a period ──► bucket (room for `burst`, full at first) ◄── takes ── the first in line
//!                                                                                  │ goes in, or is
//!                                                                                  ▼ dropped
//!                              line: ◄ ◄ ◄ ── the next one is first, and sets an alarm if need be
//! ```
//!
//! Invariants:
//! - **Only the first in line takes tokens**, and only in the poll that returns: so one that is
//!   dropped has none to give back, and leaves to the next what has gathered for it.
//! - **Nobody overtakes**: while somebody is first, a newcomer queues and `try_acquire` fails.
//! - **One alarm**: the first in line has it. While nobody waits there is none.
//! - **No drift**: the bucket counts in parts of a token, of which each nanosecond brings a whole
//!   number. So the n-th token of a period is there exactly when it should be; and a waiter that is woken
//!   late takes it as of then, so that nobody behind it is late for that.

mod acquire;
mod bucket;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use lone_executor::trace;
use lone_reactor::time::Instant;

use crate::RateLimiterStatistics;
use crate::wait_list::{Place, WaitList, assert_not_send};
use bucket::Bucket;

pub use acquire::AcquireTokens;

/// Lets so many begin in a period; whoever comes too early waits in line.
///
/// A token bucket: it is full at first, each acquire takes a token out for good, and time puts new ones
/// in, evenly, up to as many as it has room for: the *burst*, by default as many as come in one period.
/// So after a pause that many may go at once. For an even pace set the burst to 1.
///
/// A [`Semaphore`](crate::Semaphore) limits how many are inside at once; this limits how many go in per
/// second, however long they stay.
///
/// It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does, and goes by that loop's
/// clock: under a paused one it is exact to the nanosecond.
///
/// asyncio has nothing like it.
///
/// # Fairness
///
/// Strictly in the order of the first polls, whatever the number of tokens wanted.
///
/// # Cost
///
/// No allocation without waiting, none in waiting once as many have waited before, and no timer while
/// nobody waits. A token taken without waiting is a reading of the clock and some arithmetic.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::{RateLimiter, time::Instant};
///
/// lone::Builder::new().start_paused(true).run(async {
///     let limiter = RateLimiter::per_second(2).burst(1);
///     let start = Instant::now();
///     for _request in 0..4 {
///         limiter.acquire().await;
///     }
///     assert_eq!(start.elapsed(), Duration::from_millis(1500));
/// });
/// ```
pub struct RateLimiter {
    state: RefCell<State>,
}

struct State {
    bucket: Bucket,
    /// Somebody is first in line: a future that takes its tokens when they are there. Whoever else
    /// waits stands in `waiters`.
    led: bool,
    /// Granted: to be the first in line from now on.
    waiters: WaitList<()>,
}

impl State {
    /// Takes tokens for a newcomer: not while somebody waits.
    fn take(&mut self, wanted: u32, now: Instant) -> bool {
        !self.led && self.bucket.take(wanted, now)
    }
}

fn waiters(state: &mut State) -> &mut WaitList<()> {
    &mut state.waiters
}

impl RateLimiter {
    /// So many tokens a second.
    ///
    /// # Panics
    ///
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub fn per_second(tokens: u32) -> RateLimiter {
        RateLimiter::new(tokens, Duration::from_secs(1))
    }

    /// So many tokens in each `period`, evenly spread.
    ///
    /// # Panics
    ///
    /// If `tokens` is 0, or `period` is 0 or longer than 584 years.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let limiter = lone::RateLimiter::new(100, Duration::from_secs(60));
    /// assert_eq!(limiter.available(), 100);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(tokens: u32, period: Duration) -> RateLimiter {
        assert!(
            tokens > 0,
            "a rate of 0 tokens would let nobody go on: ask for 1 in a longer period"
        );
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(0);
        assert!(
            nanos > 0,
            "a rate of {tokens} tokens in {period:?} cannot be kept: the period must be more than 0, \
             and less than 584 years"
        );
        RateLimiter {
            state: RefCell::new(State {
                bucket: Bucket::new(tokens, nanos),
                led: false,
                waiters: WaitList::new(trace::Object::new("rate limiter")),
            }),
        }
    }

    /// The same rate with room for so many tokens, all there at first: how many may go at once.
    ///
    /// # Panics
    ///
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub fn burst(mut self, tokens: u32) -> RateLimiter {
        assert!(
            tokens > 0,
            "a bucket without room for a token lets nobody go on: its burst is 1 at least"
        );
        self.state.get_mut().bucket.resize(tokens);
        self
    }

    /// Waits for a token, and takes it.
    ///
    /// # Cancellation
    ///
    /// Loses its place, and no token: what has gathered is there for the next in line.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`RateLimiter`].
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> AcquireTokens<'_> {
        AcquireTokens::new(self, 1, Place::new())
    }

    /// Waits for so many tokens at once, and takes them.
    ///
    /// It waits its turn as a whole: those behind it wait as well, though they may want fewer than there
    /// are.
    ///
    /// # Panics
    ///
    /// If that is more than the bucket has room for: it would wait for ever. Take them one after the
    /// other, or give it a larger [`burst`](RateLimiter::burst).
    ///
    /// # Cancellation
    ///
    /// As [`RateLimiter::acquire`].
    #[track_caller]
    pub fn acquire_many(&self, tokens: u32) -> AcquireTokens<'_> {
        self.check_room(tokens);
        AcquireTokens::new(self, tokens, Place::new())
    }

    /// Takes a token if there is one and nobody waits; never waits itself. Returns whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// let limiter = lone::RateLimiter::per_second(5).burst(1);
    /// assert!(limiter.try_acquire());
    /// assert!(!limiter.try_acquire()); // the next one is 200 ms away
    /// ```
    #[must_use = "without a token one has to wait, or to give up"]
    pub fn try_acquire(&self) -> bool {
        self.state.borrow_mut().take(1, Instant::now())
    }

    /// Takes so many tokens if they are there and nobody waits; never waits itself.
    ///
    /// # Panics
    ///
    /// As [`RateLimiter::acquire_many`].
    #[must_use = "without the tokens one has to wait, or to give up"]
    #[track_caller]
    pub fn try_acquire_many(&self, tokens: u32) -> bool {
        self.check_room(tokens);
        self.state.borrow_mut().take(tokens, Instant::now())
    }

    /// How many tokens are in the bucket now; those who wait may be about to take them.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.state.borrow().bucket.available(Instant::now())
    }

    /// How many wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        let state = self.state.borrow();
        usize::from(state.led) + state.waiters.len()
    }

    /// How busy it is now.
    #[must_use]
    pub fn statistics(&self) -> RateLimiterStatistics {
        let burst = self.state.borrow().bucket.burst();
        RateLimiterStatistics { available: self.available(), burst, waiters: self.waiters() }
    }

    #[track_caller]
    fn check_room(&self, tokens: u32) {
        let room = self.state.borrow().bucket.burst();
        assert!(
            tokens <= room,
            "{tokens} tokens asked of a rate limiter with room for {room} would never be there: take \
             them one after the other, or give it a larger `burst`"
        );
    }

    /// Whoever was first in line is so no longer: the next one is.
    fn pass_on(&self) {
        let handed = {
            let mut state = self.state.borrow_mut();
            let handed = state.waiters.grant(|()| ());
            state.led = handed.is_some();
            handed
        };
        if let Some(handed) = handed {
            handed.deliver();
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = Instant::now();
        let state = self.state.borrow();
        f.debug_struct("RateLimiter")
            .field("available", &state.bucket.available(now))
            .field("burst", &state.bucket.burst())
            .field("tokens", &state.bucket.tokens())
            .field("period", &state.bucket.period())
            .field("first_in_line", &state.led)
            .field("behind", &state.waiters)
            .finish()
    }
}

assert_not_send!(RateLimiter, AcquireTokens<'_>);
