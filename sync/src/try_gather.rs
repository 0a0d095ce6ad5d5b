//! How does one future wait for many, and stop at the first that fails?
//!
//! ```text
//!   running ── all are Ok ───────────────────────────────► draining ─► Ok(values)
//!      │                                                   ▲    │
//!      └── the first Err: the others are dropped, as scopes ┘    └────► Err, when all is cleaned up
//! ```
//!
//! A gather whose children return `Result`s and that looks at them; see `gather` for how the
//! children are kept, `drain` for how their cleanups are awaited.
//!
//! Invariants:
//! - **The rest goes first**: when it returns, no child is left, and nothing that a child has left.
//! - **One error or all values**: a failure clears the outputs and stands there alone.
//!
//! Cost: that of a gather, and a count compared twice a poll.

mod error;

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::cleanup::CleanupErrors;
use lone_executor::{budget, trace};

use crate::drain::{Drain, FirstPanic};
use crate::gather::Members;
use crate::scoped::unread;

pub use error::{AttachedTryGather, TryGatherError};

/// Waits for all futures at once; the first error drops the others, awaits their cleanups and is
/// returned.
///
/// The first error is the first in the order of polling: the first poll polls in argument order,
/// later ones in the order of the wakes. A child that fails at the very first poll leaves those
/// after it unpolled. The others are dropped in argument order, each as a scope: what they have to
/// clean up with awaits (see [`using`](crate::using())) begins at once, side by side, and has run
/// when this returns. A try_gather of nothing completes at once.
///
/// What fails of those cleanups is said through the log, or comes with the error:
/// [`TryGather::attaching_cleanup_errors`].
///
/// asyncio: `gather(…)`; but there the others go on, and their errors are lost.
///
/// # Errors
///
/// The first error of a child. The outputs that were there already are dropped.
///
/// # Panics
///
/// Where a child panics: the others are dropped, their cleanups are left to the scope around, and the
/// panic goes on at once.
///
/// Polled: if no loop is running on this thread, and after it has returned or panicked.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished children at once, the outputs of the
/// finished ones, and an error that waits for cleanups. Their cleanups run on side by side, as one
/// entry of the scope around. Of handles: as [`gather`](crate::gather()), also after an error: the
/// tasks go on, unless they are given as
/// [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop).
///
/// # Fairness
///
/// As [`gather`](crate::gather()): all that were woken are polled in one poll.
///
/// # Cost
///
/// That of [`gather`](crate::gather()). Only a child that leaves a cleanup costs more: a task that
/// runs it.
///
/// # Examples
///
/// ```
/// let parse = async |word: &str| {
///     lone::yield_now().await;
///     word.parse::<u8>()
/// };
/// lone::run(async {
///     let good = lone::try_gather(["1", "2"].map(parse)).await;
///     assert_eq!(good, Ok(vec![1, 2]));
///     let bad = lone::try_gather(["1", "two", "3"].map(parse)).await;
///     assert!(bad.is_err());
/// });
/// ```
#[track_caller]
pub fn try_gather<I, T, E>(futures: I) -> TryGather<I::Item>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let (members, site) = (Members::new(futures), Location::caller());
    TryGather {
        outputs: (0..members.len()).map(|_| None).collect(),
        members,
        drain: Drain::new("a try_gather", site),
        stage: Stage::Running,
        site,
    }
}

/// The future of [`try_gather`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryGather<F: Future> {
    members: Members<F>,
    /// While it runs those that are there are `Ok`; after a failure there is one, an `Err`.
    outputs: Vec<Option<F::Output>>,
    drain: Drain,
    stage: Stage,
    site: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// No child is left; cleanups are awaited.
    Draining,
    /// It has returned, or a child has panicked.
    Ended,
}

// The futures lie pinned in a block of their own, and nobody pins an output.
impl<F: Future> Unpin for TryGather<F> {}

impl<F: Future> TryGather<F> {
    /// What has failed of the cleanups has no error to go with.
    fn say_unread(&self, errors: CleanupErrors) {
        unread("a try_gather", self.site, errors);
    }

    /// Drops what is left; cleanups are for the scope around.
    fn abandon(&mut self) {
        let TryGather { members, outputs, drain, .. } = self;
        drain.leave();
        let mut panics = FirstPanic::default();
        panics.catch(|| members.stop(drain));
        panics.catch(|| drain.run(|| outputs.clear()));
        drain.hand_on();
        panics.resume();
    }
}

impl<F, T, E> TryGather<F>
where
    F: Future<Output = Result<T, E>>,
{
    /// The same, and what fails of the cleanups comes with the error instead of being said: a
    /// [`TryGatherError`].
    ///
    /// # Cancellation
    ///
    /// As [`try_gather`].
    ///
    /// # Examples
    ///
    /// ```
    /// struct Connection;
    ///
    /// impl lone::AsyncClose for Connection {
    ///     type Error = &'static str;
    ///
    ///     async fn close(self) -> Result<(), &'static str> {
    ///         lone::yield_now().await;
    ///         Err("the farewell was not answered")
    ///     }
    /// }
    ///
    /// lone::run(async {
    ///     let jobs = ["endless", "bad"].map(async |job| {
    ///         lone::yield_now().await;
    ///         if job == "bad" {
    ///             return Err("a bad request");
    ///         }
    ///         let endless = lone::using(Connection, async |_| std::future::pending::<()>().await);
    ///         Ok(endless.await.is_ok())
    ///     });
    ///     let outcome = lone::try_gather(jobs).attaching_cleanup_errors().await;
    ///     let failed = outcome.expect_err("one request was bad");
    ///     assert_eq!(failed.error, "a bad request");
    ///     let cleanup = failed.cleanup_errors.to_string();
    ///     assert_eq!(cleanup, "cleanup failed: the farewell was not answered");
    /// });
    /// ```
    pub fn attaching_cleanup_errors(self) -> AttachedTryGather<F> {
        AttachedTryGather::new(self)
    }

    /// Polls those that were woken; says whether no child is left. After an error it is the only
    /// output.
    fn poll_members(&mut self, cx: &mut Context<'_>) -> bool {
        let TryGather { members, outputs, drain, .. } = self;
        let polled = drain.run(|| {
            members.poll_woken(cx, |index, output| match output {
                Ok(value) => {
                    outputs[index] = Some(Ok(value));
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            })
        });
        let ControlFlow::Break(error) = polled else { return members.left() == 0 };
        members.stop(drain);
        drain.run(|| outputs.clear());
        outputs.push(Some(Err(error)));
        true
    }

    /// As the future's poll, with what has failed of the cleanups.
    fn poll_attached(&mut self, cx: &mut Context<'_>) -> Poll<(Result<Vec<T>, E>, CleanupErrors)> {
        assert!(
            self.stage != Stage::Ended,
            "a try_gather was polled after it had returned or panicked: await it once"
        );
        if !self.outputs.is_empty() {
            ready!(budget::take(cx));
        }
        if self.stage == Stage::Running {
            match catch_unwind(AssertUnwindSafe(|| self.poll_members(cx))) {
                Ok(true) => self.stage = Stage::Draining,
                Ok(false) => {
                    budget::give_back();
                    trace::awaits("try_gather", self.site);
                    return Poll::Pending;
                }
                Err(panic) => {
                    self.stage = Stage::Ended;
                    let mut later = FirstPanic::default();
                    later.catch(|| self.abandon());
                    later.say();
                    resume_unwind(panic);
                }
            }
        }
        let Poll::Ready(errors) = self.drain.poll_empty(cx) else {
            budget::give_back();
            return Poll::Pending;
        };
        self.stage = Stage::Ended;
        Poll::Ready((values(std::mem::take(&mut self.outputs)), errors))
    }
}

/// What a try_gather returns.
fn values<T, E>(outputs: Vec<Option<Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut values = Vec::with_capacity(outputs.len());
    for output in outputs.into_iter().flatten() {
        values.push(output?);
    }
    Ok(values)
}

impl<F, T, E> Future for TryGather<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<T>, E>> {
        let this = self.get_mut();
        this.poll_attached(cx).map(|(outcome, errors)| {
            this.say_unread(errors);
            outcome
        })
    }
}

impl<F: Future> Drop for TryGather<F> {
    fn drop(&mut self) {
        if self.stage != Stage::Ended {
            self.abandon();
        }
    }
}

impl<F: Future> fmt::Debug for TryGather<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Running => self.members.describe(f, "TryGather"),
            Stage::Draining => f.write_str("TryGather(draining)"),
            Stage::Ended => f.write_str("TryGather(ended)"),
        }
    }
}

/// A try_gather is `Send` where its children and their outputs are.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn try_gather_is_send<F: Future<Output: Send> + Send>() {
        assert_send::<TryGather<F>>();
    }
    let _ = try_gather_is_send::<std::future::Ready<()>>;
};
