//! How does one stream follow another? The second is asked once the first has ended, which is dropped.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::chain`](crate::stream::StreamExt::chain).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Chain<A, B> {
        #[pin]
        pub(super) first: Option<A>,
        #[pin]
        pub(super) second: B,
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> Stream for Chain<A, B> {
    type Item = A::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        let mut this = self.project();
        if let Some(first) = this.first.as_mut().as_pin_mut() {
            if let Some(item) = ready!(first.poll_next(cx)) {
                return Poll::Ready(Some(item));
            }
            this.first.set(None);
        }
        this.second.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.first.as_ref().map_or((0, Some(0)), Stream::size_hint);
        let (then_least, then_most) = self.second.size_hint();
        let both = most.zip(then_most).and_then(|(most, then)| most.checked_add(then));
        (least.saturating_add(then_least), both)
    }
}
