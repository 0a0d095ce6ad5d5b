//! How does a task wait for a moment?

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lone_executor::trace;

use crate::local;
use crate::time::{Alarm, Instant};

/// Waits for so long, counted from this call.
///
/// Where no loop runs yet, it counts from its first poll. A duration of zero lets every task that
/// is ready go first, once. `Duration::MAX` sleeps for ever.
///
/// asyncio: `sleep`.
///
/// # Panics
///
/// When polled where no loop runs, or on another loop than at its first poll.
///
/// # Cancellation
///
/// Strict: dropped half way, its timer is taken out at once.
///
/// # Fairness
///
/// Sleeps end in the order of their deadlines; equal ones in the order of their first polls.
///
/// # Cost
///
/// A reading of the clock (20 ns), and the wheel's 15 ns. No allocation once warm.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::Instant;
///
/// lone::run(async {
///     let begin = Instant::now();
///     lone::sleep(Duration::from_millis(5)).await;
///     assert!(begin.elapsed() >= Duration::from_millis(5), "never early");
/// });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let deadline = match local::with(|local| local.clock().now()) {
        Some(now) if duration.is_zero() => Deadline::At(now),
        Some(now) => Deadline::Ahead(now + duration),
        None => Deadline::After(duration),
    };
    Sleep { deadline, alarm: Alarm::new(), yielded: false, site: Location::caller() }
}

/// Waits until that moment. One that is past counts as now.
///
/// asyncio: `loop.call_at`, as a future.
///
/// # Panics
///
/// As [`sleep`].
///
/// # Cancellation
///
/// Strict, as [`sleep`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::Instant;
///
/// lone::run(async {
///     let deadline = Instant::now() + Duration::from_millis(5);
///     lone::sleep_until(deadline).await;
///     assert!(Instant::now() >= deadline);
/// });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline: Deadline::At(deadline),
        alarm: Alarm::new(),
        yielded: false,
        site: Location::caller(),
    }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It is plain data, hence `Send + Sync`: it may be made, moved and dropped anywhere, and is polled
/// on its loop's thread.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Sleep {
    deadline: Deadline,
    alarm: Alarm,
    yielded: bool,
    site: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum Deadline {
    At(Instant),
    /// That moment, which was to come when it was made.
    Ahead(Instant),
    /// From the first poll on: it was made where no loop ran.
    After(Duration),
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Sleep>();
};

impl Sleep {
    /// When it ends; `None` before its first poll, if it was made where no loop ran.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.deadline {
            Deadline::At(deadline) | Deadline::Ahead(deadline) => Some(deadline),
            Deadline::After(_) => None,
        }
    }

    /// Moves it to another moment: later, earlier, or into the past, which counts as now.
    ///
    /// A sleep that has ended can be used again. Its waker must be set anew: poll it. O(1), no
    /// allocation.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = Deadline::At(deadline);
        self.yielded = false;
        self.alarm.reset();
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.yielded {
            return Poll::Ready(());
        }
        let was_set = this.alarm.is_set();
        let polled = match this.deadline {
            Deadline::At(deadline) => this.alarm.poll(deadline, cx),
            Deadline::Ahead(deadline) => this.alarm.poll_ahead(deadline, cx),
            Deadline::After(duration) => {
                let mut set_to = None;
                let polled = this.alarm.poll_with(|now| *set_to.insert(now + duration), cx);
                if let Some(deadline) = set_to {
                    this.deadline = Deadline::At(deadline);
                }
                polled
            }
        };
        if polled.is_ready() {
            if was_set {
                return Poll::Ready(());
            }
            // Past at its first poll: everybody who is ready goes first, once.
            this.yielded = true;
            cx.waker().wake_by_ref();
        }
        trace::awaits("a sleep", this.site);
        Poll::Pending
    }
}
