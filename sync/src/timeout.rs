//! How does a task stop waiting after a while? A deadline beside the future, looked at second.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lone_executor::trace;
use lone_reactor::time::{Alarm, Instant};
use pin_project_lite::pin_project;

/// Gives `future` so much time, counted from its first poll that has to wait.
///
/// The future is polled first: a result that is ready beats the deadline, also one of zero. When
/// the deadline has passed the future is dropped, and the error is [`Elapsed`].
///
/// Given a [`JoinHandle`](lone_executor::JoinHandle), it limits the waiting, not the task: that
/// goes on when its handle is dropped. Give
/// [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the task should end
/// with it, or `&mut handle` to wait again.
///
/// asyncio: `wait_for`.
///
/// # Errors
///
/// [`Elapsed`] if the time is over first.
///
/// # Panics
///
/// When it has to wait where no loop runs, or on another loop than at first.
///
/// # Cancellation
///
/// As `future`: dropped half way, that is dropped and the timer taken out.
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
    Timeout { future, limit: Limit::After(duration), alarm: Alarm::new(), site: Location::caller() }
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
    Timeout { future, limit: Limit::At(deadline), alarm: Alarm::new(), site: Location::caller() }
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    After(Duration),
    At(Instant),
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`]. It is `Send` where its future is.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        limit: Limit,
        alarm: Alarm,
        site: &'static Location<'static>,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let said = trace::mark();
        if let Poll::Ready(output) = this.future.poll(cx) {
            // The timer goes with this future, or at once if that is kept.
            this.alarm.reset();
            return Poll::Ready(Ok(output));
        }
        let limit = *this.limit;
        let rung = this.alarm.poll_with(
            |now| match limit {
                Limit::After(duration) => now + duration,
                Limit::At(deadline) => deadline,
            },
            cx,
        );
        match rung {
            Poll::Ready(()) => {
                said.forget();
                Poll::Ready(Err(Elapsed(())))
            }
            Poll::Pending => {
                trace::awaits("a deadline", this.site);
                Poll::Pending
            }
        }
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The time is over.
///
/// It turns into an [`io::Error`] of kind `TimedOut` by `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
