//! What do the three kinds of waits make of a place in line? One wait, a loop of them, one with a
//! deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lone_reactor::time::Alarm;

use super::waiting::Waiting;
use crate::mutex::Relock;

/// The future of [`Condvar::wait`](super::Condvar::wait).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarWait<'c, G: Relock>(pub(super) Waiting<'c, G>);

impl<G: Relock> Future for CondvarWait<'_, G> {
    type Output = G;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        self.0.poll(cx, |_| false)
    }
}

/// The future of [`Condvar::wait_while`](super::Condvar::wait_while).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarWaitWhile<'c, G: Relock, F> {
    pub(super) waiting: Waiting<'c, G>,
    pub(super) condition: F,
}

/// The condition is called, and never pinned.
impl<G: Relock, F> Unpin for CondvarWaitWhile<'_, G, F> {}

impl<G: Relock, F: FnMut(&mut G::Target) -> bool> Future for CondvarWaitWhile<'_, G, F> {
    type Output = G;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let CondvarWaitWhile { waiting, condition } = &mut *self;
        loop {
            if let Some(mut guard) = waiting.guard().take() {
                // Should the condition panic the lock is let go with the guard.
                if !condition(&mut guard) {
                    return Poll::Ready(guard);
                }
                *waiting.guard() = Some(guard);
            }
            let guard = ready!(waiting.poll(cx, |_| false));
            *waiting.guard() = Some(guard);
        }
    }
}

/// The future of [`Condvar::wait_timeout`](super::Condvar::wait_timeout).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarWaitTimeout<'c, G: Relock> {
    waiting: Waiting<'c, G>,
    duration: Duration,
    alarm: Alarm,
}

impl<'c, G: Relock> CondvarWaitTimeout<'c, G> {
    pub(super) fn new(waiting: Waiting<'c, G>, duration: Duration) -> CondvarWaitTimeout<'c, G> {
        CondvarWaitTimeout { waiting, duration, alarm: Alarm::new() }
    }
}

impl<G: Relock> Future for CondvarWaitTimeout<'_, G> {
    type Output = (G, bool);

    /// # Panics
    ///
    /// If it is polled again after it has ended; and as `wait_timeout`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(G, bool)> {
        let CondvarWaitTimeout { waiting, duration, alarm } = &mut *self;
        let guard =
            ready!(waiting.poll(cx, |cx| alarm.poll_with(|now| now + *duration, cx).is_ready()));
        // The timer goes with this future, or at once if that is kept.
        alarm.reset();
        Poll::Ready((guard, waiting.timed_out()))
    }
}

impl<G: Relock> fmt::Debug for CondvarWait<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CondvarWait").field(&self.0).finish()
    }
}

impl<G: Relock, F> fmt::Debug for CondvarWaitWhile<'_, G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CondvarWaitWhile").field(&self.waiting).finish()
    }
}

impl<G: Relock> fmt::Debug for CondvarWaitTimeout<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWaitTimeout")
            .field("waiting", &self.waiting)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
