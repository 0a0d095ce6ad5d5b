//! How is one item taken? By a future that borrows the stream.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::Stream;
use lone_executor::trace;

use super::item::poll_item;

/// The future of [`StreamExt::next`](crate::stream::StreamExt::next).
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Next<'a, S: ?Sized> {
    stream: &'a mut S,
    site: &'static Location<'static>,
}

impl<'a, S: ?Sized> Next<'a, S> {
    #[track_caller]
    pub(crate) fn new(stream: &'a mut S) -> Next<'a, S> {
        Next { stream, site: Location::caller() }
    }

    /// For a loop over the stream that was begun at `site`.
    pub(super) fn at(stream: &'a mut S, site: &'static Location<'static>) -> Next<'a, S> {
        Next { stream, site }
    }
}

impl<S: Stream + Unpin + ?Sized> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let polled = poll_item(Pin::new(&mut *self.stream), cx);
        if polled.is_pending() {
            trace::awaits("the next item", self.site);
        }
        polled
    }
}

/// The future of [`StreamExt::try_next`](crate::stream::StreamExt::try_next).
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryNext<'a, S: ?Sized>(Next<'a, S>);

impl<'a, S: ?Sized> TryNext<'a, S> {
    #[track_caller]
    pub(super) fn new(stream: &'a mut S) -> TryNext<'a, S> {
        TryNext(Next::new(stream))
    }
}

impl<T, E, S: Stream<Item = Result<T, E>> + Unpin + ?Sized> Future for TryNext<'_, S> {
    type Output = Result<Option<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Option::transpose)
    }
}
