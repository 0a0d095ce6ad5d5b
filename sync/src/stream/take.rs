//! How is the begin of a stream taken, or left out? By counting, or up to the first that does not fit.
//!
//! Invariant: **no item too many**: `take` asks for no more than it gives.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::item::poll_item;

pin_project! {
    /// The stream of [`StreamExt::take`](crate::stream::StreamExt::take).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Take<S> {
        #[pin]
        pub(super) stream: S,
        pub(super) left: usize,
    }
}

impl<S: Stream> Stream for Take<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if *this.left == 0 {
            return Poll::Ready(None);
        }
        let item = ready!(this.stream.poll_next(cx));
        *this.left = if item.is_some() { *this.left - 1 } else { 0 };
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.left == 0 {
            return (0, Some(0));
        }
        let (least, most) = self.stream.size_hint();
        (least.min(self.left), Some(most.map_or(self.left, |most| most.min(self.left))))
    }
}

pin_project! {
    /// The stream of [`StreamExt::take_while`](crate::stream::StreamExt::take_while).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct TakeWhile<S, F> {
        #[pin]
        pub(super) stream: S,
        pub(super) f: F,
        pub(super) ended: bool,
    }
}

impl<S: Stream, F: FnMut(&S::Item) -> bool> Stream for TakeWhile<S, F> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let item = ready!(this.stream.poll_next(cx)).filter(this.f);
        *this.ended = item.is_none();
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, if self.ended { Some(0) } else { self.stream.size_hint().1 })
    }
}

pin_project! {
    /// The stream of [`StreamExt::skip`](crate::stream::StreamExt::skip).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Skip<S> {
        #[pin]
        pub(super) stream: S,
        pub(super) left: usize,
    }
}

impl<S: Stream> Stream for Skip<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        while *this.left > 0 {
            if ready!(poll_item(this.stream.as_mut(), cx)).is_none() {
                return Poll::Ready(None);
            }
            *this.left -= 1;
        }
        this.stream.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.size_hint();
        (least.saturating_sub(self.left), most.map(|most| most.saturating_sub(self.left)))
    }
}

super::debug_stream!(TakeWhile<S, F>);
