//! How does one future wait for the first success of many? It keeps the errors meanwhile.
//!
//! As a `race`, but that an arm which fails is out, and the others go on.
//!
//! Invariants:
//! - **One success**: at most one arm ever succeeds; the others are dropped where they stand.
//! - **Every error or one success**: errors are dropped only when a success makes them idle.
//! - **The rest goes first**: when it returns, or a panic leaves it, no arm is left.
//!
//! Cost: a race's, and one allocation for the errors.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::children::Child;
use lone_executor::{budget, trace};

use crate::gather::Members;

/// Waits for the first future that succeeds, returns its value and drops the others.
///
/// An arm that fails is out of the race. Where several succeed in the same poll the one listed
/// first wins, always; those listed after it are not polled. The losers are dropped, in the order
/// of the list, before this returns. An arm that shall survive is given as `&mut future`.
///
/// All arms run at once: to begin one after the other, use
/// [`race_staggered`](crate::race_staggered()).
///
/// asyncio: `wait(…, return_when=FIRST_COMPLETED)` until one has a result, and `cancel()` of the
/// rest. JavaScript: `Promise.any`.
///
/// # Errors
///
/// If all arms fail: all errors, in argument order.
///
/// # Panics
///
/// Called: if there is no arm, for then there is neither a success nor an error.
///
/// Polled: where an arm panics; the others are dropped and the panic goes on. If no loop is running
/// on this thread, and after it has returned or panicked.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the arms at once, in the order of the list, and the
/// errors of those that have failed.
///
/// # Fairness
///
/// None among the arms: the first listed wins.
///
/// # Cost
///
/// That of a [`race`](crate::race()); an arm is polled only when it was woken.
///
/// # Examples
///
/// ```
/// let ask = async |replica: u32| {
///     for _ in 0..replica {
///         lone::yield_now().await;
///     }
///     if replica % 2 == 0 { Ok(replica) } else { Err(format!("replica {replica} is down")) }
/// };
/// lone::run(async {
///     assert_eq!(lone::race_ok([4, 1, 2].map(&ask)).await, Ok(2));
///     let errors = lone::race_ok([3, 1].map(&ask)).await.expect_err("both are down");
///     assert_eq!(errors, ["replica 3 is down", "replica 1 is down"]);
/// });
/// ```
#[track_caller]
pub fn race_ok<I, T, E>(arms: I) -> RaceOk<I::Item, E>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let arms = Members::new(arms);
    assert!(
        arms.len() > 0,
        "a race_ok without arms can neither succeed nor fail: give it one future at least"
    );
    RaceOk {
        woken: Vec::with_capacity(arms.len()),
        errors: (0..arms.len()).map(|_| None).collect(),
        arms: Some(arms),
        site: Location::caller(),
    }
}

/// The future of [`race_ok`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct RaceOk<F, E> {
    /// `None` once it has returned, or an arm has panicked.
    arms: Option<Members<F>>,
    /// Of the arms that have failed, in argument order.
    errors: Vec<Option<E>>,
    /// Room to sort in; empty between two polls.
    woken: Vec<Child>,
    site: &'static Location<'static>,
}

// The futures lie pinned in a block of their own, and nobody pins an error.
impl<F, E> Unpin for RaceOk<F, E> {}

impl<F, T, E> Future for RaceOk<F, E>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, Vec<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Vec<E>>> {
        let this = self.get_mut();
        ready!(budget::take(cx));
        // Taken out: they stay only if this poll ends with Pending. A panic drops them as well.
        let Some(mut arms) = this.arms.take() else {
            panic!("a race_ok was polled after it had returned or panicked: await it once");
        };
        let errors = &mut this.errors;
        let flow = arms.poll_in_order(cx, &mut this.woken, |index, output| match output {
            Ok(value) => ControlFlow::Break(value),
            Err(error) => {
                errors[index] = Some(error);
                ControlFlow::Continue(())
            }
        });
        if flow.is_continue() && arms.left() > 0 {
            this.arms = Some(arms);
            budget::give_back();
            trace::awaits("race_ok", this.site);
            return Poll::Pending;
        }
        drop(arms);
        let errors = std::mem::take(&mut this.errors);
        Poll::Ready(match flow {
            ControlFlow::Break(value) => Ok(value),
            ControlFlow::Continue(()) => Err(errors.into_iter().flatten().collect()),
        })
    }
}

impl<F: Future, E> fmt::Debug for RaceOk<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arms {
            Some(arms) => arms.describe(f, "RaceOk"),
            None => f.write_str("RaceOk(ended)"),
        }
    }
}

/// A race_ok is `Send` where its arms and their errors are.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn race_ok_is_send<F: Future + Send, E: Send>() {
        assert_send::<RaceOk<F, E>>();
    }
    let _ = race_ok_is_send::<std::future::Ready<()>, ()>;
};
