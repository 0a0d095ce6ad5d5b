//! How is an item looked at before it is taken? It is kept until somebody takes it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use lone_executor::trace;

use super::item::poll_item;

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::peekable`](crate::stream::StreamExt::peekable).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Peekable<S: Stream> {
        #[pin]
        stream: S,
        // What was looked at: an item, or the end.
        peeked: Option<Option<S::Item>>,
    }
}

impl<S: Stream> Peekable<S> {
    pub(super) fn new(stream: S) -> Peekable<S> {
        Peekable { stream, peeked: None }
    }

    /// The next item, which stays where it is; `None` at the end.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// lone::run(async {
    ///     let mut numbers = iter([1, 2]).peekable();
    ///     assert_eq!(numbers.peek().await, Some(&1));
    ///     assert_eq!(numbers.next().await, Some(1));
    /// });
    /// ```
    #[track_caller]
    pub fn peek(&mut self) -> Peek<'_, S>
    where
        S: Unpin,
    {
        Peek { peekable: Some(self), site: Location::caller() }
    }
}

impl<S: Stream> Stream for Peekable<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        match this.peeked.take() {
            Some(peeked) => {
                if peeked.is_none() {
                    *this.peeked = Some(None);
                }
                Poll::Ready(peeked)
            }
            None => this.stream.poll_next(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let here = match &self.peeked {
            Some(None) => return (0, Some(0)),
            Some(Some(_)) => 1,
            None => 0,
        };
        let (least, most) = self.stream.size_hint();
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Peekable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peeked = self.peeked.is_some();
        f.debug_struct("Peekable").field("stream", &self.stream).field("peeked", &peeked).finish()
    }
}

/// The future of [`Peekable::peek`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Peek<'a, S: Stream> {
    peekable: Option<&'a mut Peekable<S>>,
    site: &'static Location<'static>,
}

impl<'a, S: Stream + Unpin> Future for Peek<'a, S> {
    type Output = Option<&'a S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let site = self.site;
        let peekable = self.peekable.as_mut().expect("it is awaited once");
        if peekable.peeked.is_none() {
            let polled = poll_item(Pin::new(&mut peekable.stream), cx);
            if polled.is_pending() {
                trace::awaits("the next item", site);
            }
            peekable.peeked = Some(ready!(polled));
        }
        let peekable = self.peekable.take().expect("it is there");
        Poll::Ready(peekable.peeked.as_ref().and_then(Option::as_ref))
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Peek<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peek").field("peekable", &self.peekable).finish_non_exhaustive()
    }
}
