//! How long does a loop over outputs wait for all of them together? Until its limit, once.
//!
//! Invariants:
//! - **An output beats the limit**: what is ready in the poll that sees the limit is given first.
//! - **Nothing begins late**: no input is pulled to begin once the limit has passed.
//! - **No timer is left** when the last output has been given, or it is known that there is none.

use std::fmt;
use std::future::Future;
use std::iter::Empty;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::{FusedStream, Stream};
use lone_executor::{budget, trace};
use lone_reactor::time::Alarm;

use super::{AsCompleted, NextCompleted};
use crate::timeout::Elapsed;

/// An [`AsCompleted`] with a limit to its time: made by [`AsCompleted::within`].
///
/// A [`Stream`] of `Ok((index, output))`, with one `Err(Elapsed)` at its end if the limit has passed.
#[must_use = "futures do nothing unless you await the next output"]
pub struct AsCompletedWithin<F: Future, I = Empty<F>> {
    inner: AsCompleted<F, I>,
    limit: Duration,
    alarm: Alarm,
    /// The limit has passed: what is ready is still given.
    late: bool,
    /// Its end has been told.
    ended: bool,
}

impl<F: Future, I> Unpin for AsCompletedWithin<F, I> {}

impl<F: Future, I: Iterator<Item = F>> AsCompletedWithin<F, I> {
    pub(super) fn new(inner: AsCompleted<F, I>, limit: Duration) -> AsCompletedWithin<F, I> {
        AsCompletedWithin { inner, limit, alarm: Alarm::new(), late: false, ended: false }
    }

    /// The next output; `Err` when the limit has passed and none is ready; `None` after that, and
    /// when all futures have ended.
    ///
    /// # Errors
    ///
    /// [`Elapsed`], once.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing is lost. The limit stays where it is.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is awaited, as every stream's")]
    pub fn next(&mut self) -> NextCompleted<'_, AsCompletedWithin<F, I>> {
        self.inner.site = Location::caller();
        NextCompleted(self)
    }

    /// The same without the limit, also after it has passed: to go on, or for
    /// [`AsCompleted::into_rest`].
    pub fn into_inner(self) -> AsCompleted<F, I> {
        self.inner
    }

    fn end<T>(&mut self, last: Option<T>) -> Poll<Option<T>> {
        self.alarm.reset();
        self.ended = true;
        Poll::Ready(last)
    }
}

impl<F: Future, I: Iterator<Item = F>> Stream for AsCompletedWithin<F, I> {
    type Item = Result<(usize, F::Output), Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        ready!(budget::take(cx));
        let limit = this.limit;
        let began = this.alarm.is_set();
        this.late |= began && this.alarm.poll_with(|now| now + limit, cx).is_ready();
        let said = trace::mark();
        let output = this.inner.poll_output(cx, !this.late);
        match output {
            Poll::Ready(Some(_)) if this.inner.is_over() => this.alarm.reset(),
            // All that had begun has ended, and it is too late for the others.
            Poll::Ready(None) if this.late && this.inner.has_input() => {}
            Poll::Ready(None) => return this.end(None),
            // Set behind the children's own timers; the limit counts from here, the first poll.
            _ if !began && !this.late => {
                this.late = this.alarm.poll_with(|now| now + limit, cx).is_ready();
            }
            _ => {}
        }
        match output {
            Poll::Ready(Some(output)) => Poll::Ready(Some(Ok(output))),
            _ if this.late => {
                said.forget();
                this.end(Some(Err(Elapsed::default())))
            }
            _ => {
                budget::give_back();
                trace::awaits("as_completed", this.inner.site);
                trace::awaits("a deadline", this.inner.site);
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.inner.size_hint() {
            _ if self.ended => (0, Some(0)),
            // At the limit there is one item less, or one more.
            (least, most) => (least.min(1), most.and_then(|most| most.checked_add(1))),
        }
    }
}

impl<F: Future, I: Iterator<Item = F>> FusedStream for AsCompletedWithin<F, I> {
    fn is_terminated(&self) -> bool {
        self.ended || self.inner.is_terminated()
    }
}

impl<F: Future, I> fmt::Debug for AsCompletedWithin<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompletedWithin")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
