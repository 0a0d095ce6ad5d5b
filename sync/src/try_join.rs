//! How does a task wait for a fixed few that may fail, each of a type of its own? `try_join!`.
//!
//! The arms are those of a `join!`, on the stack of the caller; see `join`, and `drain` for how what they
//! leave is awaited.
//!
//! Invariants:
//! - **In order, each time**: every poll polls all that are unfinished, up to the first that fails.
//! - **The rest goes first**: when it returns, no future is left, and nothing that one has left.
//!
//! Cost: no allocation, but for cleanups.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};

use crate::drain::Drain;
use crate::join::{Arms, JoinArm, stop};

/// Waits for two to sixteen futures at once, of whatever types; the first error drops the others, awaits
/// their cleanups and is returned.
///
/// Awaits by itself: `let (a, b) = try_join!(a(), b())?;`. Each returns a `Result`, of one type of error
/// and of whatever values; where all are `Ok` these come as a tuple. As in [`join!`](crate::join!) the
/// futures live on the stack of the async block that it stands in, and are polled in order.
///
/// Where one fails, those listed after it are not polled any more. All others are dropped in order, each
/// as a scope: what they have to clean up with awaits (see [`using`](crate::using())) begins at once,
/// side by side, and has run when this returns. What fails of that is said through the log; to have it
/// with the error, give boxed futures to [`try_gather`](crate::try_gather()).
///
/// asyncio: `gather(a(), b())`; but there the others go on, and their errors are lost.
///
/// # Errors
///
/// The first error, in the order of polling. The values that were there already are dropped.
///
/// # Panics
///
/// Where one of the futures panics: the others are dropped, their cleanups are left to the scope around,
/// and the panic goes on at once.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished futures at once, the values of the finished
/// ones, and an error that waits for cleanups. Those run on side by side, as one entry of the scope
/// around.
///
/// # Fairness
///
/// As [`join!`](crate::join!).
///
/// # Cost
///
/// As [`join!`](crate::join!), and a count compared twice a poll.
///
/// # Examples
///
/// ```
/// async fn length(word: &str) -> Result<usize, &'static str> {
///     lone::yield_now().await;
///     if word.is_empty() { Err("an empty word") } else { Ok(word.len()) }
/// }
///
/// lone::run(async {
///     let starts = async { Ok("word".starts_with('w')) };
///     assert_eq!(lone::try_join!(length("word"), starts), Ok((4, true)));
///
///     let never = std::future::pending::<Result<(), _>>();
///     assert_eq!(lone::try_join!(never, length("")), Err("an empty word"));
/// });
/// ```
#[macro_export]
macro_rules! try_join {
    ($($future:expr),+ $(,)?) => {{
        let futures = ($(::core::pin::pin!($crate::__private::join_arm($future)),)+);
        let values = $crate::__private::try_join(futures).await;
        values
    }};
}

/// A tuple of pinned arms that return `Result`s.
#[doc(hidden)]
pub trait TryJoinArms: Arms {
    type Values;
    type Error;

    /// Ready when all have ended well, or one has failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// The values, when all have ended well.
    fn take(&mut self) -> Result<Self::Values, Self::Error>;
}

#[doc(hidden)]
#[track_caller]
pub fn try_join<A: TryJoinArms>(arms: A) -> TryJoin<A> {
    let site = Location::caller();
    TryJoin { arms, drain: Drain::new("a try_join!", site), stage: Stage::Running, site }
}

/// What a `try_join!` awaits.
#[doc(hidden)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryJoin<A: TryJoinArms> {
    arms: A,
    drain: Drain,
    stage: Stage<A::Error>,
    site: &'static Location<'static>,
}

enum Stage<E> {
    Running,
    /// The arms have ended, or one has failed; cleanups are awaited.
    Draining(Option<E>),
    Ended,
}

// Nobody pins an error.
impl<A: TryJoinArms> Unpin for TryJoin<A> {}

impl<A: TryJoinArms> Future for TryJoin<A> {
    type Output = Result<A::Values, A::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let TryJoin { arms, drain, stage, site } = self.get_mut();
        if let Stage::Running = stage {
            ready!(budget::take(cx));
            let Poll::Ready(outcome) = drain.run(|| arms.poll(cx)) else {
                budget::give_back();
                trace::awaits("try_join!", site);
                return Poll::Pending;
            };
            *stage = Stage::Draining(outcome.err());
            if let Stage::Draining(Some(_)) = stage {
                stop(arms, drain);
            }
        }
        ready!(drain.poll_said(cx));
        match std::mem::replace(stage, Stage::Ended) {
            Stage::Draining(Some(error)) => Poll::Ready(Err(error)),
            Stage::Draining(None) => Poll::Ready(arms.take()),
            Stage::Running | Stage::Ended => unreachable!("the macro awaits it once"),
        }
    }
}

impl<A: TryJoinArms> Drop for TryJoin<A> {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Ended) {
            self.drain.leave();
            stop(&mut self.arms, &mut self.drain);
        }
    }
}

impl<A: TryJoinArms> fmt::Debug for TryJoin<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::Running => "TryJoin(running)",
            Stage::Draining(_) => "TryJoin(draining)",
            Stage::Ended => "TryJoin(ended)",
        })
    }
}

macro_rules! try_join_arms {
    ($($F:ident $T:ident $index:tt)+) => {
        impl<Error, $($T, $F: Future<Output = Result<$T, Error>>),+> TryJoinArms
            for ($(Pin<&mut JoinArm<$F>>,)+)
        {
            type Values = ($($T,)+);
            type Error = Error;

            fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                let mut finished = true;
                $(match self.$index.as_mut().try_poll(cx) {
                    Ok(this) => finished &= this,
                    Err(error) => return Poll::Ready(Err(error)),
                })+
                if finished { Poll::Ready(Ok(())) } else { Poll::Pending }
            }

            fn take(&mut self) -> Result<Self::Values, Error> {
                Ok(($(self.$index.as_mut().take()?,)+))
            }
        }
    };
}

try_join_arms!(A TA 0);
try_join_arms!(A TA 0 B TB 1);
try_join_arms!(A TA 0 B TB 1 C TC 2);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10);
try_join_arms!(A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10 L TL 11);
try_join_arms!(
    A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10 L TL 11 M TM 12
);
try_join_arms!(
    A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10 L TL 11 M TM 12
    N TN 13
);
try_join_arms!(
    A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10 L TL 11 M TM 12
    N TN 13 O TO 14
);
try_join_arms!(
    A TA 0 B TB 1 C TC 2 D TD 3 E TE 4 F TF 5 G TG 6 H TH 7 I TI 8 J TJ 9 K TK 10 L TL 11 M TM 12
    N TN 13 O TO 14 P TP 15
);
