//! How does a task do something again and again, at a steady pace?

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::{FusedStream, Stream};
use lone_executor::{budget, trace};

use crate::time::{Alarm, Instant};

/// What an [`Interval`] does when a tick comes late; [`Burst`] unless it is told otherwise.
///
/// ```text
///   period 10, the task is busy from 12 to 35
///   due      0    10   20   30   40   50   60
///   Burst    0    10   35   35   40   50   60     all of them, the late ones at once
///   Delay    0    10   35   45   55   65          from the late one on
///   Skip     0    10   35   40   50   60          those that were missed are left out
/// ```
///
/// [`Burst`]: MissedTickBehavior::Burst
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// The missed ticks come at once, one after the other, until the count is right again. This is
    /// the default.
    #[default]
    Burst,
    /// The next tick comes a period after the late one.
    Delay,
    /// The next tick comes at the next multiple of the period.
    Skip,
}

/// Ticks every `period`; the first tick comes at once.
///
/// asyncio has none: it is the loop round `sleep`, without the drift.
///
/// # Panics
///
/// If `period` is zero: a tick that never waits is a busy loop.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let mut interval = lone::interval(Duration::from_millis(2));
///     let first = interval.tick().await;
///     let second = interval.tick().await;
///     assert_eq!(second - first, Duration::from_millis(2));
/// });
/// ```
#[track_caller]
#[must_use]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
///
/// If `period` is zero.
#[track_caller]
#[must_use]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "an interval of zero would be a busy loop: use yield_now() to let others go first"
    );
    Interval { next: start, period, missed: MissedTickBehavior::default(), alarm: Alarm::new() }
}

/// A steady pace: made by [`interval`] and [`interval_at`].
///
/// The period is counted from the first tick, not from the end of the work in between: it does not
/// drift. Ticks that come late are made up for at once, unless
/// [`set_missed_tick_behavior`](Interval::set_missed_tick_behavior) says otherwise.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::MissedTickBehavior;
///
/// // A virtual clock: the minutes pass in no time.
/// lone::Builder::new().start_paused(true).run(async {
///     let minute = Duration::from_secs(60);
///     let mut interval = lone::interval(minute);
///     interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
///     let begin = interval.tick().await; // at once
///     lone::sleep(minute * 5 / 2).await; // busy: two ticks are due meanwhile
///     assert_eq!(interval.tick().await, begin + minute, "late");
///     assert_eq!(interval.tick().await, begin + minute * 3, "the one in between is left out");
/// });
/// ```
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
    missed: MissedTickBehavior,
    alarm: Alarm,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Interval>();
};

impl Interval {
    /// Waits for the next tick, and returns the moment at which it was due.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, no tick is lost.
    ///
    /// # Panics
    ///
    /// When polled where no loop runs, or on another loop than at its first poll.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::Builder::new().start_paused(true).run(async {
    ///     let mut interval = lone::interval(Duration::from_secs(60));
    ///     let first = interval.tick().await;
    ///     lone::sleep(Duration::from_secs(90)).await;
    ///     let second = interval.tick().await;
    ///     assert_eq!(second - first, Duration::from_secs(60), "when it was due");
    ///     assert_eq!(second.elapsed(), Duration::from_secs(30), "so late it came");
    /// });
    /// ```
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self, site: Location::caller() }
    }

    /// Ready at the next tick, with the moment at which it was due.
    ///
    /// # Panics
    ///
    /// As [`Interval::tick`].
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(budget::take(cx));
        if self.alarm.poll(self.next, cx).is_pending() {
            budget::give_back();
            return Poll::Pending;
        }
        self.alarm.reset();
        let due = self.next;
        self.next = self.after(due, Instant::now());
        Poll::Ready(due)
    }

    /// The tick after the one that was due at `due` and came at `now`.
    fn after(&self, due: Instant, now: Instant) -> Instant {
        let next = due + self.period;
        match self.missed {
            _ if next > now => next,
            MissedTickBehavior::Burst => next,
            MissedTickBehavior::Delay => now + self.period,
            MissedTickBehavior::Skip => {
                let period = self.period.as_nanos();
                let missed = (now - due).as_nanos() / period;
                let nanos = u64::try_from((missed + 1) * period).unwrap_or(u64::MAX);
                due + Duration::from_nanos(nanos)
            }
        }
    }

    /// The next tick comes a period from now.
    pub fn reset(&mut self) {
        self.next = Instant::now() + self.period;
        self.alarm.reset();
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens when a tick comes late.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets what happens when a tick comes late. Default: [`MissedTickBehavior::Burst`].
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }
}

/// A tick is an item: the moment at which it was due. It never ends.
///
/// # Cancellation
///
/// Strict, as [`tick`](Interval::tick).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::stream::StreamExt;
///
/// lone::run(async {
///     let ticks = lone::interval(Duration::from_millis(1));
///     let moments: Vec<_> = ticks.take(3).collect().await;
///     assert_eq!(moments[2] - moments[0], Duration::from_millis(2));
/// });
/// ```
impl Stream for Interval {
    type Item = Instant;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.get_mut().poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl FusedStream for Interval {
    fn is_terminated(&self) -> bool {
        false
    }
}

/// The future of [`Interval::tick`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
    site: &'static Location<'static>,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let polled = self.interval.poll_tick(cx);
        if polled.is_pending() {
            trace::awaits("a tick", self.site);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// The picture at `MissedTickBehavior`: ticks are taken at these moments.
    #[test]
    fn ticks_that_come_late_are_made_up_for_delayed_or_skipped() {
        let taken_by = |missed, moments: &[u64]| {
            let mut interval = interval_at(ms(0), Duration::from_millis(10));
            interval.set_missed_tick_behavior(missed);
            moments
                .iter()
                .map(|&now| {
                    let due = interval.next;
                    interval.next = interval.after(due, ms(now));
                    interval.next
                })
                .collect::<Vec<_>>()
        };
        use MissedTickBehavior::{Burst, Delay, Skip};
        assert_eq!(taken_by(Burst, &[0, 10, 35, 35, 40]), [10, 20, 30, 40, 50].map(ms));
        assert_eq!(taken_by(Delay, &[0, 10, 35, 45]), [10, 20, 45, 55].map(ms));
        assert_eq!(taken_by(Skip, &[0, 10, 35, 40]), [10, 20, 40, 50].map(ms));
    }

    #[test]
    #[should_panic(expected = "an interval of zero would be a busy loop")]
    fn an_interval_of_zero_is_refused() {
        let _ = interval(Duration::ZERO);
    }
}
