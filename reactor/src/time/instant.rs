//! What is a moment? Nanoseconds on the loop's clock, which may be virtual.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::OnceLock;
use std::time::Duration;

use crate::local;

/// The moment that `std` calls the process's first reading, in our count: 30 days, so that there is
/// a before.
const ANCHOR: u64 = 30 * 24 * 60 * 60 * 1_000_000_000;

/// A moment on the clock of a loop: the real one, or a virtual one in tests.
///
/// A type of its own, so that a moment of a virtual clock is not taken for one of the real clock by
/// accident. Its range is 584 years; arithmetic that would leave it stays at its end, which counts
/// as "never".
///
/// `Debug` shows how far it lies from the origin of the count, as in `Instant(2592000.5s)`. The
/// origin is 30 days before this process first asked for the time, so that there is a before; it
/// is no date, and says nothing to another process. Look at differences.
///
/// asyncio: the floats of `loop.time()`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::Instant;
///
/// let now = Instant::now();
/// let later = now + Duration::from_millis(5);
/// assert_eq!(later - now, Duration::from_millis(5));
/// assert_eq!(now - later, Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment that never comes: what arithmetic beyond the range gives.
    pub const FAR_FUTURE: Instant = Instant(u64::MAX);

    /// Now, on the clock of the loop that runs on this thread; the real time where none does.
    ///
    /// # Cost
    ///
    /// About 20 ns.
    #[must_use]
    pub fn now() -> Instant {
        local::with(|local| local.clock().now()).unwrap_or_else(Instant::real)
    }

    pub(crate) fn real() -> Instant {
        Instant(ANCHOR.saturating_add(monotonic()))
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long this is after `earlier`; zero if it is before.
    #[must_use]
    pub fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long ago this was; zero if it is to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self)
    }

    /// `self + duration`, or `None` beyond the range.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Instant)
    }

    /// `self - duration`, or `None` beyond the range.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Instant)
    }

    /// The moment of the standard library that this is on the real clock.
    ///
    /// `None` if it lies before what that can show, or too far ahead of it.
    #[must_use]
    pub fn into_std(self) -> Option<std::time::Instant> {
        let Anchor { std, ours } = anchor();
        match self.0.checked_sub(ours.0) {
            Some(after) => std.checked_add(Duration::from_nanos(after)),
            None => std.checked_sub(Duration::from_nanos(ours.0 - self.0)),
        }
    }
}

/// The system's clock, in nanoseconds: read without the standard library's way to a duration, which
/// is a third of the price of a timeout's reading (bench `tmo_pend`).
#[cfg(target_os = "linux")]
#[inline]
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // It begins with the machine, and never shows less than zero.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The same where the standard library alone knows the clock.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> u64 {
    static FIRST: OnceLock<std::time::Instant> = OnceLock::new();
    let elapsed = FIRST.get_or_init(std::time::Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// One moment, as the standard library and as we have it.
#[derive(Clone, Copy)]
struct Anchor {
    std: std::time::Instant,
    ours: Instant,
}

/// Ours is read after the other: so a moment of the standard library's comes late here by the time in
/// between, and never early. Of some tries the closest, for a thread can be kept from running.
fn anchor() -> Anchor {
    const TRIES: usize = 8;
    static FIRST: OnceLock<Anchor> = OnceLock::new();
    *FIRST.get_or_init(|| {
        let pairs = (0..TRIES).map(|_| {
            let pair = Anchor { std: std::time::Instant::now(), ours: Instant::real() };
            (pair.std.elapsed(), pair)
        });
        let closest = pairs.min_by_key(|(apart, _)| *apart);
        closest.expect("there are some tries").1
    })
}

impl From<std::time::Instant> for Instant {
    /// The moment of the real clock.
    fn from(std: std::time::Instant) -> Instant {
        let anchor = anchor();
        match std.checked_duration_since(anchor.std) {
            Some(after) => anchor.ours + after,
            None => anchor.ours - anchor.std.duration_since(std),
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration).unwrap_or(Instant::FAR_FUTURE)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).unwrap_or(Instant(0))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_turned_into_std_and_back_is_the_same() {
        let now = Instant::real();
        let std = now.into_std().expect("now is within the range of std");
        assert_eq!(Instant::from(std), now);
        let before = now - Duration::from_secs(3600);
        let std = before.into_std().expect("an hour ago is within the range of std");
        assert_eq!(Instant::from(std), before);
    }

    #[test]
    fn arithmetic_beyond_the_range_stays_at_its_ends() {
        let now = Instant::real();
        assert_eq!(now + Duration::MAX, Instant::FAR_FUTURE);
        assert_eq!((now - Duration::MAX).as_nanos(), 0);
        let years = Duration::from_secs(500 * 366 * 24 * 60 * 60);
        assert!(now + years < Instant::FAR_FUTURE, "500 years are within the range");
    }
}
