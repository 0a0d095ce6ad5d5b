//! What does an acquire do when it is polled, or dropped?
//!
//! ```text
//!   new ──► [in line] ──► first: alarm ──► tokens taken: passes on
//!    └──────────────────────▲      └─────► dropped: passes on
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};
use lone_reactor::time::{Alarm, Instant};

use super::{RateLimiter, waiters};
use crate::wait_list::{Left, Place};

/// The future of [`RateLimiter::acquire`] and [`RateLimiter::acquire_many`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AcquireTokens<'a> {
    limiter: &'a RateLimiter,
    wanted: u32,
    /// While it stands behind somebody.
    place: Place,
    /// It is the first in line.
    leads: bool,
    /// Set while it is the first and there are too few tokens.
    alarm: Alarm,
}

impl<'a> AcquireTokens<'a> {
    pub(super) fn new(limiter: &'a RateLimiter, wanted: u32, place: Place) -> AcquireTokens<'a> {
        AcquireTokens { limiter, wanted, place, leads: false, alarm: Alarm::new() }
    }
}

impl Future for AcquireTokens<'_> {
    type Output = ();

    /// # Panics
    ///
    /// If it has to wait and no loop runs on this thread.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let AcquireTokens { limiter, wanted, place, leads, alarm } = &mut *self;
        ready!(budget::take(cx));
        if !*leads && !place.is_taken() {
            let now = Instant::now();
            let mut state = limiter.state.borrow_mut();
            if state.take(*wanted, now) {
                return Poll::Ready(());
            }
            if state.led {
                place.join(&mut state.waiters, ());
            } else {
                (state.led, *leads) = (true, true);
            }
        }
        if !*leads {
            ready!(place.poll(cx, "a token", &limiter.state, waiters));
            *leads = true;
        }
        // The alarm rings when the tokens are there: nobody else takes any meanwhile.
        loop {
            let now = Instant::now();
            let mut state = limiter.state.borrow_mut();
            let Err(due) = state.bucket.take_when_due(*wanted, now) else { break };
            drop(state);
            if alarm.poll(due, cx).is_pending() {
                budget::give_back();
                trace::awaits("a token", place.site());
                return Poll::Pending;
            }
            alarm.reset();
        }
        alarm.reset();
        *leads = false;
        limiter.pass_on();
        Poll::Ready(())
    }
}

impl Drop for AcquireTokens<'_> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.leads |= self.place.leave(&self.limiter.state, waiters) == Some(Left::Granted(()));
        }
        if self.leads {
            self.limiter.pass_on();
        }
    }
}

impl fmt::Debug for AcquireTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireTokens")
            .field("limiter", self.limiter)
            .field("wanted", &self.wanted)
            .field("first_in_line", &self.leads)
            .finish_non_exhaustive()
    }
}
