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
//!
//! Cost: no allocation. The children share the budget of whoever polls the join.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::trace;
use pin_project_lite::pin_project;

/// Waits for two to sixteen futures at once, of whatever types; returns their outputs as a tuple.
///
/// Awaits by itself: `let (a, b) = join!(a(), b());`. The futures live on the stack of the async
/// block that it stands in, and may borrow from it. Each poll polls those that are unfinished, in
/// the order in which they are listed.
///
/// asyncio: `gather(a(), b())`. For many futures of one type there is [`gather`](crate::gather()).
///
/// # Panics
///
/// Where one of the futures panics.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished futures at once and the outputs of the
/// finished ones.
///
/// # Fairness
///
/// The futures share one budget: to the other tasks the join is one task.
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
            match future.poll(cx) {
                Poll::Ready(output) => self.set(JoinArm::Finished { output }),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn take(self: Pin<&mut Self>) -> F::Output {
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

/// A tuple of pinned arms.
#[doc(hidden)]
pub trait JoinArms: Unpin {
    type Outputs;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::Outputs>;
}

#[doc(hidden)]
#[track_caller]
pub fn join<A: JoinArms>(arms: A) -> Join<A> {
    Join { arms, site: Location::caller() }
}

/// What a `join!` awaits.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Join<A> {
    arms: A,
    site: &'static Location<'static>,
}

impl<A: JoinArms> Future for Join<A> {
    type Output = A::Outputs;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Outputs> {
        let outputs = self.arms.poll(cx);
        if outputs.is_pending() {
            trace::awaits("join!", self.site);
        }
        outputs
    }
}

macro_rules! join_arms {
    ($($F:ident $index:tt)+) => {
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
