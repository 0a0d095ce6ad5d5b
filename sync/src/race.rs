//! How does one future wait for the first of many, and drop the rest?
//!
//! The arms are kept as a gather keeps its children (see `gather`); but they are polled in the
//! order in which they are listed, and no further than the first that is ready.
//!
//! Invariants:
//! - **One output**: at most one arm is ever completed; the others are dropped where they stand,
//!   so no output is thrown away.
//! - **The rest goes first**: when it returns, or a panic leaves it, no arm is left.
//!
//! Cost: as a gather's, and a sort of those that were woken since the last poll.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::children::Child;
use lone_executor::{budget, trace};

use crate::gather::Members;

/// Waits for the first future that is ready, returns its output and drops the others.
///
/// Where several are ready in the same poll the one listed first wins, always; those listed after
/// it are not polled. The losers are dropped, in the order of the list, before this returns. An arm
/// that shall survive is given as `&mut future`.
///
/// An arm that is a [`JoinHandle`](lone_executor::JoinHandle) loses its handle only: the task goes
/// on. Give [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the task
/// should end with it; or race tasks in [`race_tasks`](crate::race_tasks()), which waits for their ends.
///
/// asyncio: `wait(…, return_when=FIRST_COMPLETED)`, `cancel()` of the rest and `gather` of what is
/// left of them.
///
/// # Panics
///
/// Called: if there is no arm, for that could never end.
///
/// Polled: where an arm panics; the others are dropped and the panic goes on. If no loop is running
/// on this thread, and after it has returned or panicked.
///
/// # Cancellation
///
/// As its arms: dropped half way, it drops them at once, in the order of the list, and has nothing
/// of its own to lose.
///
/// # Fairness
///
/// None among the arms: an arm that is always ready starves those listed after it, race after race.
/// To begin with another one each time, rotate the list, or use
/// [`select! { random; … }`](crate::select!).
///
/// # Cost
///
/// That of a [`gather`](crate::gather()); an arm is polled only when it was woken.
///
/// # Examples
///
/// ```
/// let fastest = lone::run(lone::race([3, 1, 2].map(async |yields| {
///     for _ in 0..yields {
///         lone::yield_now().await;
///     }
///     yields
/// })));
/// assert_eq!(fastest, 1);
/// ```
///
/// Futures of different types are the arms of a [`select!`](crate::select!), which has a body for
/// each as well. Where their number is known at run time only they race in boxes:
///
/// ```
/// use std::pin::Pin;
///
/// lone::run(async {
///     let (stop, queue) = (lone::Event::new(), lone::Queue::bounded(1));
///     queue.try_put(7).expect("there is room");
///     let mut arms: Vec<Pin<Box<dyn Future<Output = Option<i32>> + '_>>> = Vec::new();
///     arms.push(Box::pin(async {
///         stop.wait().await;
///         None
///     }));
///     arms.push(Box::pin(async { queue.get().await.ok() }));
///     assert_eq!(lone::race(arms).await, Some(7));
/// });
/// ```
#[track_caller]
pub fn race<I>(arms: I) -> Race<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let arms = Members::new(arms);
    assert!(arms.len() > 0, "a race without arms could never end: give it one future at least");
    Race { woken: Vec::with_capacity(arms.len()), arms: Some(arms), site: Location::caller() }
}

/// The future of [`race`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Race<F> {
    /// `None` once it has returned, or an arm has panicked.
    arms: Option<Members<F>>,
    /// Room to sort in; empty between two polls.
    woken: Vec<Child>,
    site: &'static Location<'static>,
}

impl<F: Future> Future for Race<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        ready!(budget::take(cx));
        // Taken out: they stay only if this poll ends with Pending. A panic drops them as well.
        let Some(mut arms) = this.arms.take() else {
            panic!("a race was polled after it had returned or panicked: await it once");
        };
        let first = arms.poll_in_order(cx, &mut this.woken, |_, output| ControlFlow::Break(output));
        match first {
            ControlFlow::Break(output) => Poll::Ready(output),
            ControlFlow::Continue(()) => {
                this.arms = Some(arms);
                budget::give_back();
                trace::awaits("race", this.site);
                Poll::Pending
            }
        }
    }
}

impl<F: Future> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arms {
            Some(arms) => arms.describe(f, "Race"),
            None => f.write_str("Race(ended)"),
        }
    }
}

/// A race is `Send` where its arms are.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn race_is_send<F: Future + Send>() {
        assert_send::<Race<F>>();
    }
    let _ = race_is_send::<std::future::Ready<()>>;
};
