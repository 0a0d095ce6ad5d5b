//! What if all items are there already? Then they come as they are asked for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use lone_executor::budget;

/// A stream of the items of an iterator.
///
/// # Cancellation
///
/// Strict: an item is taken from the iterator in the poll that gives it.
///
/// # Fairness
///
/// An item is one operation of the budget: one who takes them all gives way now and then.
///
/// # Examples
///
/// ```
/// use lone::stream::{StreamExt, iter};
///
/// let sum = lone::run(iter(1..=4).fold(0, async |sum, number| sum + number));
/// assert_eq!(sum, 10);
/// ```
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter { items: items.into_iter().fuse() }
}

/// The stream of [`iter`].
#[derive(Clone, Debug)]
#[must_use = "streams do nothing unless you await their next item"]
pub struct Iter<I> {
    items: std::iter::Fuse<I>,
}

// Nothing lies pinned in it.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        ready!(budget::take(cx));
        Poll::Ready(self.items.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}
