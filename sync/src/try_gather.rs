//! How does one future wait for many, and stop at the first that fails?
//!
//! A gather whose children return `Result`s and that looks at them; see `gather` for how the
//! children are kept. Invariant: **the rest goes first**: when it returns, no child is left.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};

use crate::gather::Members;

/// Waits for all futures at once; the first error drops the others and is returned.
///
/// The first error is the first in the order of polling: the first poll polls in argument order,
/// later ones in the order of the wakes. A child that fails at the very first poll leaves those
/// after it unpolled. When this returns, all children have been dropped, in argument order.
/// A try_gather of nothing completes at once.
///
/// asyncio: `gather(…)`; but there the others go on, and their errors are lost.
///
/// # Errors
///
/// The first error of a child. The outputs that were there already are dropped.
///
/// # Panics
///
/// Where a child panics: as for an error, the others are dropped, and the panic goes on.
///
/// Polled: if no loop is running on this thread, and after it has returned or panicked.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished children at once and the outputs of the
/// finished ones. Of handles: as [`gather`](crate::gather()), also after an error: the tasks go on.
///
/// # Fairness
///
/// As [`gather`](crate::gather()): all that were woken are polled in one poll.
///
/// # Cost
///
/// That of [`gather`](crate::gather()).
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
    let members = Members::new(futures);
    TryGather {
        outputs: (0..members.len()).map(|_| None).collect(),
        members: Some(members),
        site: Location::caller(),
    }
}

/// The future of [`try_gather`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryGather<F: Future> {
    /// `None` once it has returned, or a child has panicked.
    members: Option<Members<F>>,
    /// Those that are there are `Ok`.
    outputs: Vec<Option<F::Output>>,
    site: &'static Location<'static>,
}

// The futures lie pinned in a block of their own, and nobody pins an output.
impl<F: Future> Unpin for TryGather<F> {}

impl<F, T, E> Future for TryGather<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<T>, E>> {
        let this = self.get_mut();
        if !this.outputs.is_empty() {
            ready!(budget::take(cx));
        }
        // Taken out: they stay only if this poll ends with Pending. A panic drops them as well.
        let Some(mut members) = this.members.take() else {
            panic!("a try_gather was polled after it had returned or panicked: await it once");
        };
        let outputs = &mut this.outputs;
        let flow = members.poll_woken(cx, |index, output| match output {
            Ok(value) => {
                outputs[index] = Some(Ok(value));
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        });
        if flow.is_continue() && members.left() > 0 {
            this.members = Some(members);
            budget::give_back();
            trace::awaits("try_gather", this.site);
            return Poll::Pending;
        }
        drop(members);
        let outputs = std::mem::take(&mut this.outputs);
        if let ControlFlow::Break(error) = flow {
            return Poll::Ready(Err(error));
        }
        let mut values = Vec::with_capacity(outputs.len());
        for output in outputs.into_iter().flatten() {
            values.push(output?);
        }
        Poll::Ready(Ok(values))
    }
}

impl<F: Future> fmt::Debug for TryGather<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.members {
            Some(members) => members.describe(f, "TryGather"),
            None => f.write_str("TryGather(ended)"),
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
