//! How does a task wait for a fixed few, each of a type of its own? `join!`.
//!
//! ```text
//!   join!(a, b)  ──►  let futures = (pin!(a), pin!(b));     on the stack of the caller
//!                     join(futures).await                   polls them by turns: (A, B)
//! ```
//!
//! Invariants:
//! - **In order, each time**: every poll polls all that are unfinished. With a few that is cheaper
//!   than slots that say who was woken; for many there is `gather`.
//! - **Dropped when done**: a future is dropped in place as soon as its output is there.
//! - **Dropped side by side**: futures that are dropped half way are a scope each, so that their
//!   cleanups run at the same time (see `drain`).
//! - **To each its own budget**: one that never waits does not starve those after it; a poll that
//!   finishes a join takes one operation from whoever polls it.
//!
//! Cost: no allocation.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};
use pin_project_lite::pin_project;

use crate::drain::{Drain, FirstPanic};

/// Waits for two to sixteen futures at once, of whatever types; returns their outputs as a tuple.
///
/// Awaits by itself: `let (a, b) = join!(a(), b());`. The futures live on the stack of the async
/// block that it stands in, and may borrow from it. Each poll polls those that are unfinished, in
/// the order in which they are listed.
///
/// asyncio: `gather(a(), b())`. For many futures of one type there is [`gather`](crate::gather()); to
/// stop at the first error, [`try_join!`](crate::try_join!).
///
/// # Panics
///
/// Where one of the futures panics.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished futures at once, in order, and the outputs of
/// the finished ones. What the futures have to clean up with awaits runs side by side, and the scope
/// around awaits it.
///
/// # Fairness
///
/// Each future has a budget of its own, so that one which never waits does not starve the others.
///
/// # Cost
///
/// No allocation; a wake of one polls all that are unfinished.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let text = String::from("borrowed");
///     let length = async {
///         lone::yield_now().await;
///         text.len()
///     };
///     let (length, starts) = lone::join!(length, async { text.starts_with("borrow") });
///     assert_eq!((length, starts), (8, true));
/// });
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),+ $(,)?) => {{
        let futures = ($(::core::pin::pin!($crate::__private::join_arm($future)),)+);
        let outputs = $crate::__private::join(futures).await;
        outputs
    }};
}

pin_project! {
    /// One of the futures of a `join!`: first it, then its output.
    #[doc(hidden)]
    #[project = ArmProjection]
    #[project_replace = ArmReplaced]
    pub enum JoinArm<F: Future> {
        Unfinished { #[pin] future: F },
        Finished { output: F::Output },
        Taken,
    }
}

#[doc(hidden)]
pub fn join_arm<F: IntoFuture>(future: F) -> JoinArm<F::IntoFuture> {
    JoinArm::Unfinished { future: future.into_future() }
}

impl<F: Future> JoinArm<F> {
    /// Whether it is finished, after a poll if it was not.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        if let ArmProjection::Unfinished { future } = self.as_mut().project() {
            match budget::own(|| future.poll(cx)) {
                Poll::Ready(output) => self.set(JoinArm::Finished { output }),
                Poll::Pending => return false,
            }
        }
        true
    }

    pub(crate) fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(JoinArm::Taken) {
            ArmReplaced::Finished { output } => output,
            ArmReplaced::Unfinished { .. } | ArmReplaced::Taken => {
                unreachable!("outputs are taken once, when all are there")
            }
        }
    }
}

impl<F: Future> fmt::Debug for JoinArm<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinArm::Unfinished { .. } => "Unfinished",
            JoinArm::Finished { .. } => "Finished",
            JoinArm::Taken => "Taken",
        })
    }
}

impl<F, T, E> JoinArm<F>
where
    F: Future<Output = Result<T, E>>,
{
    /// As [`JoinArm::poll`]; where the future has failed, it is gone and its error comes out.
    pub(crate) fn try_poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<bool, E> {
        if let ArmProjection::Unfinished { future } = self.as_mut().project() {
            match budget::own(|| future.poll(cx)) {
                Poll::Ready(Ok(value)) => self.set(JoinArm::Finished { output: Ok(value) }),
                Poll::Ready(Err(error)) => {
                    self.set(JoinArm::Taken);
                    return Err(error);
                }
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A tuple of pinned arms.
#[doc(hidden)]
pub trait Arms: Unpin {
    /// Has each arm dropped by `each`, in order: the future, or its output.
    fn drop_each(&mut self, each: &mut dyn FnMut(&mut dyn FnMut()));
}

/// Drops arms, each as a scope of its own. A panic of theirs goes on when all have been dropped.
pub(crate) fn stop(arms: &mut impl Arms, drain: &mut Drain) {
    let mut panics = FirstPanic::default();
    arms.drop_each(&mut |drop| drain.stop(&mut panics, drop));
    panics.resume();
}

/// Arms of which all outputs are wanted.
#[doc(hidden)]
pub trait JoinArms: Arms {
    type Outputs;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::Outputs>;
}

#[doc(hidden)]
#[track_caller]
pub fn join<A: JoinArms>(arms: A) -> Join<A> {
    Join { arms, ended: false, site: Location::caller() }
}

/// What a `join!` awaits.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Join<A: JoinArms> {
    arms: A,
    ended: bool,
    site: &'static Location<'static>,
}

impl<A: JoinArms> Future for Join<A> {
    type Output = A::Outputs;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Outputs> {
        ready!(budget::take(cx));
        let outputs = self.arms.poll(cx);
        self.ended = outputs.is_ready();
        if outputs.is_pending() {
            budget::give_back();
            trace::awaits("join!", self.site);
        }
        outputs
    }
}

impl<A: JoinArms> Drop for Join<A> {
    fn drop(&mut self) {
        if !self.ended {
            let mut drain = Drain::new("a join!", self.site);
            drain.leave();
            stop(&mut self.arms, &mut drain);
        }
    }
}

macro_rules! join_arms {
    ($($F:ident $index:tt)+) => {
        impl<$($F: Future),+> Arms for ($(Pin<&mut JoinArm<$F>>,)+) {
            fn drop_each(&mut self, each: &mut dyn FnMut(&mut dyn FnMut())) {
                $(each(&mut || self.$index.set(JoinArm::Taken));)+
            }
        }

        impl<$($F: Future),+> JoinArms for ($(Pin<&mut JoinArm<$F>>,)+) {
            type Outputs = ($($F::Output,)+);

            fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::Outputs> {
                // `&`, not `&&`: each one is polled.
                let finished = true $(& self.$index.as_mut().poll(cx))+;
                if finished {
                    Poll::Ready(($(self.$index.as_mut().take(),)+))
                } else {
                    Poll::Pending
                }
            }
        }
    };
}

join_arms!(A 0);
join_arms!(A 0 B 1);
join_arms!(A 0 B 1 C 2);
join_arms!(A 0 B 1 C 2 D 3);
join_arms!(A 0 B 1 C 2 D 3 E 4);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14);
join_arms!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15);
