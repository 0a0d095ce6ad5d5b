//! How does a task stop waiting after a while? A deadline beside the future, looked at second.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lone_executor::cleanup::CleanupErrors;
use lone_executor::trace;
use lone_reactor::time::{Alarm, Enclosing, Instant};
use pin_project_lite::pin_project;

use crate::scoped::{Ended, Scoped};

/// Gives `future` so much time, counted from its first poll that has to wait.
///
/// The future is polled first: a result that is ready beats the deadline, also one of zero. When
/// the deadline has passed the future is dropped at its await point, what it has to clean up is
/// awaited (see [`using`](crate::using)), and the error is [`Elapsed`]. So it may take longer than
/// `duration`: by as much as the cleanup takes.
///
/// Of timeouts within one another the outermost whose time is over reports: an inner one whose
/// deadline is past, or the same, leaves it to that.
///
/// Given a [`JoinHandle`](lone_executor::JoinHandle), it limits the waiting, not the task: that
/// goes on when its handle is dropped. Give
/// [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the task should end
/// with it: it is cancelled, and its end awaited. Or `&mut handle`, to wait again.
///
/// asyncio: `wait_for`; without an error, as trio's `move_on_after`: `timeout(…).await.ok()`.
///
/// # Errors
///
/// [`Elapsed`] if the time is over first; with what failed of the cleanups.
///
/// # Panics
///
/// When it has to wait where no loop runs, or on another loop than at first.
///
/// # Cancellation
///
/// As `future`: dropped half way, that is dropped and the timer taken out. What it has to clean up
/// is awaited by the scope around.
///
/// # Cost
///
/// None at all if `future` is ready at once; else a reading of the clock and the wheel's 15 ns. No
/// allocation once warm.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let soon = Duration::from_millis(2);
///     assert_eq!(lone::timeout(soon, async { 42 }).await, Ok(42));
///     assert!(lone::timeout(soon, std::future::pending::<()>()).await.is_err());
///
///     let task = lone::spawn(std::future::pending::<()>());
///     // The task is cancelled when the time is over; with `task` itself it would go on.
///     assert!(lone::timeout(soon, task.cancel_on_drop()).await.is_err());
/// });
/// ```
#[track_caller]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout::new(Limit::After(duration), future, Location::caller())
}

/// Gives `future` until `deadline`; a [`JoinHandle`](lone_executor::JoinHandle) as in [`timeout`].
///
/// asyncio: `timeout_at`.
///
/// # Errors
///
/// [`Elapsed`] if the deadline comes first.
///
/// # Panics
///
/// As [`timeout`].
///
/// # Cancellation
///
/// As [`timeout`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::Instant;
///
/// lone::run(async {
///     let deadline = Instant::now() + Duration::from_millis(2);
///     assert!(lone::timeout_at(deadline, std::future::pending::<()>()).await.is_err());
///     assert!(Instant::now() >= deadline);
/// });
/// ```
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout::new(Limit::At(deadline), future, Location::caller())
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    After(Duration),
    At(Instant),
}

impl Limit {
    /// The deadline; the first call fixes it.
    fn fix(&mut self, now: Instant) -> Instant {
        let deadline = match *self {
            Limit::After(duration) => now + duration,
            Limit::At(deadline) => deadline,
        };
        *self = Limit::At(deadline);
        deadline
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`]. It is `Send` where its future and its output are.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<F: Future> {
        #[pin]
        scoped: Scoped<F>,
        limit: Limit,
        alarm: Alarm,
    }
}

impl<F: Future> Timeout<F> {
    fn new(limit: Limit, future: F, site: &'static Location<'static>) -> Timeout<F> {
        Timeout { scoped: Scoped::new(future, "a timeout", site), limit, alarm: Alarm::new() }
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let said = trace::mark();
        let around = match *this.limit {
            Limit::At(deadline) => Some(Enclosing::enter(deadline)),
            // Not known yet: this is the first poll.
            Limit::After(_) => None,
        };
        let polled = this.scoped.as_mut().poll(cx);
        drop(around);
        match polled {
            Poll::Ready(Ended::Output(output)) => {
                // The timer goes with this future, or at once if that is kept.
                this.alarm.reset();
                return Poll::Ready(Ok(output));
            }
            Poll::Ready(Ended::Stopped(errors)) => return Poll::Ready(Err(Elapsed::new(errors))),
            Poll::Pending if this.scoped.is_over() => {
                // Nobody waits for the deadline any more: it would keep a deadlock from being seen.
                this.alarm.reset();
                return Poll::Pending;
            }
            Poll::Pending => {}
        }
        let limit = this.limit;
        let rung = this.alarm.poll_with(|now| limit.fix(now), cx);
        if rung.is_ready() && Enclosing::is_over() {
            Enclosing::leave_it(cx);
            return Poll::Pending;
        }
        if rung.is_pending() {
            trace::awaits("a deadline", this.scoped.site());
            return Poll::Pending;
        }
        said.forget();
        this.scoped.as_mut().stop();
        this.scoped.poll_cleanups(cx).map(|ended| match ended {
            Ended::Output(output) => Ok(output),
            Ended::Stopped(errors) => Err(Elapsed::new(errors)),
        })
    }
}

impl<F: Future> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The time is over, and what failed of the cleanups that were awaited then. All are equal.
///
/// It turns into an [`io::Error`] of kind `TimedOut` by `?`.
#[derive(Clone, Default)]
pub struct Elapsed(CleanupErrors);

impl Elapsed {
    pub(crate) fn new(errors: CleanupErrors) -> Elapsed {
        Elapsed(errors)
    }

    /// What failed of the cleanups of what was dropped.
    #[must_use]
    pub fn cleanup_errors(&self) -> &CleanupErrors {
        &self.0
    }
}

impl PartialEq for Elapsed {
    fn eq(&self, _other: &Elapsed) -> bool {
        true
    }
}

impl Eq for Elapsed {}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elapsed({self})")
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")?;
        if self.0.is_empty() { Ok(()) } else { write!(f, "; and {}", self.0) }
    }
}

impl std::error::Error for Elapsed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first()
    }
}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
