//! How are all items taken into one collection? As they come; it is given when the stream has ended.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use lone_executor::trace;

use super::item::poll_item;

pin_project_lite::pin_project! {
    /// The future of [`StreamExt::collect`](crate::stream::StreamExt::collect).
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Collect<S, C> {
        #[pin]
        pub(super) stream: S,
        items: C,
        site: &'static Location<'static>,
    }
}

impl<S, C: Default> Collect<S, C> {
    #[track_caller]
    pub(super) fn new(stream: S) -> Collect<S, C> {
        Collect { stream, items: C::default(), site: Location::caller() }
    }
}

impl<S: Stream, C: Default + Extend<S::Item>> Future for Collect<S, C> {
    type Output = C;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C> {
        let mut this = self.project();
        loop {
            let polled = poll_item(this.stream.as_mut(), cx);
            if polled.is_pending() {
                trace::awaits("the next item", this.site);
            }
            match ready!(polled) {
                Some(item) => this.items.extend([item]),
                None => return Poll::Ready(std::mem::take(this.items)),
            }
        }
    }
}

super::debug_stream!(Collect<S, C>);
