//! How are items taken by the dozen? They are kept until there are so many, or the stream ends.
//!
//! Invariant: **kept**: a `next` that is dropped half way leaves what has come in its place.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;

use super::item::poll_item;

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::chunks`](crate::stream::StreamExt::chunks).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Chunks<S: Stream> {
        #[pin]
        stream: S,
        items: Vec<S::Item>,
        size: usize,
        ended: bool,
    }
}

impl<S: Stream> Chunks<S> {
    #[track_caller]
    pub(super) fn new(stream: S, size: usize) -> Chunks<S> {
        assert!(size > 0, "a chunk of 0 items would never be full: take one at least");
        Chunks { stream, items: Vec::new(), size, ended: false }
    }
}

impl<S: Stream> Stream for Chunks<S> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.project();
        while !*this.ended && this.items.len() < *this.size {
            match ready!(poll_item(this.stream.as_mut(), cx)) {
                Some(item) => this.items.push(item),
                None => *this.ended = true,
            }
        }
        let items = std::mem::take(this.items);
        Poll::Ready((!items.is_empty()).then_some(items))
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Chunks { stream, items, size, .. } = self;
        let kept = items.len();
        f.debug_struct("Chunks")
            .field("stream", stream)
            .field("kept", &kept)
            .field("size", size)
            .finish_non_exhaustive()
    }
}
