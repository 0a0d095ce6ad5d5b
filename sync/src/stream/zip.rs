//! How are two streams read in step? An item of each makes a pair.
//!
//! Invariants:
//! - **Half a pair is kept** until the other half is there; only the end of one of them drops it.
//! - **Ended is ended**: after that neither is polled again.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::Stream;

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::zip`](crate::stream::StreamExt::zip).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Zip<A: Stream, B: Stream> {
        #[pin]
        a: A,
        #[pin]
        b: B,
        left: Option<A::Item>,
        right: Option<B::Item>,
        ended: bool,
    }
}

impl<A: Stream, B: Stream> Zip<A, B> {
    pub(super) fn new(a: A, b: B) -> Zip<A, B> {
        Zip { a, b, left: None, right: None, ended: false }
    }
}

impl<A: Stream, B: Stream> Stream for Zip<A, B> {
    type Item = (A::Item, B::Item);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if !*this.ended && this.left.is_none() {
            match this.a.poll_next(cx) {
                Poll::Ready(item) => (*this.ended, *this.left) = (item.is_none(), item),
                Poll::Pending => {}
            }
        }
        if !*this.ended && this.right.is_none() {
            match this.b.poll_next(cx) {
                Poll::Ready(item) => (*this.ended, *this.right) = (item.is_none(), item),
                Poll::Pending => {}
            }
        }
        if *this.ended {
            drop((this.left.take(), this.right.take()));
            return Poll::Ready(None);
        }
        match (this.left.take(), this.right.take()) {
            (Some(left), Some(right)) => Poll::Ready(Some((left, right))),
            (left, right) => {
                (*this.left, *this.right) = (left, right);
                Poll::Pending
            }
        }
    }
}

impl<A: Stream + fmt::Debug, B: Stream + fmt::Debug> fmt::Debug for Zip<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zip").field("a", &self.a).field("b", &self.b).finish_non_exhaustive()
    }
}
