//! How is each item changed by a future? One after the other; the next item is asked for after that.
//!
//! Invariant: **the future is kept**: a `next` that is dropped half way leaves it where it waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::then`](crate::stream::StreamExt::then).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Then<S, F, Fut> {
        // Before the stream: the future goes first.
        #[pin]
        pub(super) future: Option<Fut>,
        #[pin]
        pub(super) stream: S,
        pub(super) f: F,
    }
}

impl<S, F, Fut> Stream for Then<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        let mut this = self.project();
        if this.future.is_none() {
            let Some(item) = ready!(this.stream.poll_next(cx)) else { return Poll::Ready(None) };
            this.future.set(Some((this.f)(item)));
        }
        let future = this.future.as_mut().as_pin_mut().expect("it is there by now");
        let output = ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(Some(output))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let here = usize::from(self.future.is_some());
        let (least, most) = self.stream.size_hint();
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }
}

super::debug_stream!(Then<S, F, Fut>);
