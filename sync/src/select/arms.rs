//! What does a `select!` poll? A list of arms of different types, each with the rest of them within.
//!
//! ```text
//!   Arm ─┬─ future   Option<F>: an arm without is off
//!        ├─ accepts  the pattern, as a function
//!        └─ rest ──► Arm ─┬─ …
//!                         └─ rest ──► NoArm
//!
//!   Later(Later(This(output)))       the third has won
//!   Later(Later(Later(AllOff)))      all three are off
//! ```
//!
//! Invariants:
//! - **A pattern is tried before it binds**: an output that does not match is dropped, its future
//!   with it, and the arm is off from then on.
//! - **To each its own budget**: an arm that never waits does not starve those after it.
//!
//! Cost: none that is not the futures' own; a list is as large as what is in it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;
use pin_project_lite::pin_project;

/// Which arm of a list has won, and its output.
#[doc(hidden)]
#[derive(Debug)]
pub enum Selected<T, L> {
    This(T),
    Later(L),
}

impl<T, L> Selected<T, L> {
    #[inline]
    pub fn is_this(&self) -> bool {
        matches!(self, Selected::This(_))
    }

    #[inline]
    pub fn this(self) -> T {
        match self {
            Selected::This(output) => output,
            Selected::Later(_) => unreachable!("a body asks first"),
        }
    }

    #[inline]
    pub fn later(self) -> L {
        match self {
            Selected::This(_) => unreachable!("a body asks first"),
            Selected::Later(later) => later,
        }
    }
}

/// No arm has won.
#[doc(hidden)]
#[derive(Debug)]
pub struct AllOff;

pin_project! {
    /// An arm of a `select!`, and those after it.
    #[doc(hidden)]
    #[derive(Debug)]
    pub struct Arm<F, A, R> {
        // `None`: the arm is off.
        #[pin]
        future: Option<F>,
        // The output, if it matches the pattern.
        accepts: A,
        #[pin]
        rest: R,
    }
}

/// The end of the list.
#[doc(hidden)]
#[derive(Debug)]
pub struct NoArm;

#[doc(hidden)]
#[inline]
pub fn arm<F, A, R>(future: Option<F>, accepts: A, rest: R) -> Arm<F, A, R>
where
    F: Future,
    A: Fn(F::Output) -> Option<F::Output>,
{
    Arm { future, accepts, rest }
}

/// A list of arms.
#[doc(hidden)]
pub trait Arms {
    type Selected;

    /// How many there are.
    const LEN: usize;

    /// What is selected where all of them are off.
    fn all_off() -> Self::Selected;

    /// Polls those from number `from` to before `to` that are on, up to the first that wins. Ready
    /// with `None`: all of them are off.
    fn poll_some(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: usize,
        to: usize,
    ) -> Poll<Option<Self::Selected>>;
}

impl Arms for NoArm {
    type Selected = AllOff;

    const LEN: usize = 0;

    #[inline]
    fn all_off() -> AllOff {
        AllOff
    }

    #[inline]
    fn poll_some(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _from: usize,
        _to: usize,
    ) -> Poll<Option<AllOff>> {
        Poll::Ready(None)
    }
}

impl<F, A, R> Arms for Arm<F, A, R>
where
    F: Future,
    A: Fn(F::Output) -> Option<F::Output>,
    R: Arms,
{
    type Selected = Selected<F::Output, R::Selected>;

    const LEN: usize = R::LEN + 1;

    #[inline]
    fn all_off() -> Self::Selected {
        Selected::Later(R::all_off())
    }

    #[inline]
    fn poll_some(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: usize,
        to: usize,
    ) -> Poll<Option<Self::Selected>> {
        let mine =
            if from == 0 && to > 0 { self.as_mut().poll_this(cx) } else { Poll::Ready(None) };
        if let Poll::Ready(Some(output)) = mine {
            return Poll::Ready(Some(Selected::This(output)));
        }
        let rest = self.project().rest;
        match rest.poll_some(cx, from.saturating_sub(1), to.saturating_sub(1)) {
            Poll::Ready(None) => mine.map(|_| None),
            later => later.map(|later| later.map(Selected::Later)),
        }
    }
}

impl<F, A, R> Arm<F, A, R>
where
    F: Future,
    A: Fn(F::Output) -> Option<F::Output>,
{
    /// Polls the future of this arm, if it is on. Ready with `None`: it is off.
    #[inline]
    fn poll_this(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let output = ready!(budget::own(|| future.poll(cx)));
        let accepted = (this.accepts)(output);
        if accepted.is_none() {
            this.future.set(None);
        }
        Poll::Ready(accepted)
    }
}
