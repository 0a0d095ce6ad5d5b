//! How does a task stop others and know that they have stopped? It cancels all, then joins all.
//!
//! A gather over the handles (see `gather`) that has one thing to do before its first poll.
//! Invariant: **all are asked before one is awaited**, so that they end at the same time.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::{JoinError, Reason, trace};

use crate::gather::{Gather, gather};
use crate::wait::Joinable;

/// Cancels all of these tasks and waits until all have ended; returns how, in argument order.
///
/// A task that had ended before keeps its outcome: it comes out as it is. All are asked to stop at
/// the first poll, then their ends are awaited; so when this returns, none of them runs any more,
/// and no panic of theirs is reported as unread.
///
/// asyncio: `for task in tasks: task.cancel()`, then `gather(*tasks, return_exceptions=True)`.
///
/// # Errors
///
/// None of its own: those of the tasks are in the list, [`JoinError::Cancelled`] as a rule.
///
/// # Panics
///
/// Polled: if no loop is running on this thread, and after it has returned.
///
/// # Cancellation
///
/// Loses data: dropped half way, the outcomes that it has taken are lost. The tasks stay cancelled
/// and end by themselves. Dropped before its first poll, it has cancelled nobody.
///
/// # Cost
///
/// That of a [`gather`](crate::gather()) of the handles.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let tasks = [lone::spawn(async { 1 }), lone::spawn(std::future::pending())];
///     lone::yield_now().await; // the first one ends
///     let outcomes = lone::cancel_all(tasks).because("the server is stopping").await;
///     assert!(matches!(outcomes[0], Ok(1)));
///     let error = outcomes[1].as_ref().expect_err("it was cancelled");
///     assert_eq!(error.to_string(), "cancelled: the server is stopping");
/// });
/// ```
#[track_caller]
pub fn cancel_all<I>(handles: I) -> CancelAll<I::Item>
where
    I: IntoIterator,
    I::Item: Joinable,
{
    CancelAll {
        why: Some(Reason::from("cancel_all")),
        gather: gather(handles),
        site: Location::caller(),
    }
}

/// The future of [`cancel_all`].
#[must_use = "futures do nothing unless you `.await` or poll them: no task has been cancelled yet"]
pub struct CancelAll<H: Joinable> {
    /// `None`: they have been asked.
    why: Option<Reason>,
    gather: Gather<H>,
    site: &'static Location<'static>,
}

impl<H: Joinable> CancelAll<H> {
    /// The reason that the tasks are given; without it, "cancel_all".
    pub fn because(mut self, why: impl Into<Reason>) -> CancelAll<H> {
        self.why = Some(why.into());
        self
    }
}

impl<H: Joinable> Future for CancelAll<H> {
    type Output = Vec<Result<H::Value, JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(why) = this.why.take() {
            this.gather.for_each(|handle| {
                handle.handle().cancel(why.clone());
            });
        }
        let outcomes = this.gather.poll_all(cx);
        if outcomes.is_pending() {
            trace::awaits("cancel_all", this.site);
        }
        outcomes
    }
}

impl<H: Joinable> fmt::Debug for CancelAll<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelAll")
            .field("asked", &self.why.is_none())
            .field("ends", &self.gather)
            .finish()
    }
}
