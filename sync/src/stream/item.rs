//! How much of the budget is an item? One operation, whoever takes it.
//!
//! Sources of ours take it; those of other crates know of no budget. So whoever loops over a stream
//! that it does not know sees whether the stream has taken one, and else takes it.
//!
//! Invariant: **refused before any effect**: nothing is polled once the budget is spent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use lone_executor::budget;

/// Polls for the next item, as one operation.
pub(super) fn poll_item<S: Stream + ?Sized>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
) -> Poll<Option<S::Item>> {
    one_operation(cx, |cx| stream.poll_next(cx))
}

/// Polls `poll`, as one operation at least: what it takes by itself counts.
pub(super) fn one_operation<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    if budget::remaining() == Some(0) {
        ready!(budget::take(cx));
        budget::give_back();
    }
    let before = budget::remaining();
    let item = ready!(poll(cx));
    if budget::remaining() == before {
        // Granted: there was one left.
        ready!(budget::take(cx));
    }
    Poll::Ready(item)
}
