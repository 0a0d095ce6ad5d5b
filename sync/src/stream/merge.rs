//! How are several streams read at the same time? Whoever has an item gives it, in turns.
//!
//! Invariants: those of `turns`. No item waits here: a poll stops at the first one.
//!
//! Cost: a slot each; no allocation an item.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};
use lone_executor::{Pinned, budget};

use super::turns::{Members, Turns};

/// The items of all these streams, as they come. It ends when all of them have.
///
/// Each stream is polled only when it was woken. Where several have items, they take turns. Give
/// `&mut stream` for one that you want to keep, to close it afterwards, say.
///
/// asyncio has none: a task a stream, and a queue; aiostream: `merge`.
///
/// # Panics
///
/// Where one of the streams panics; the others go on when the next item is asked for. Polled: if no
/// loop is running on this thread.
///
/// # Cancellation
///
/// `next` is strict. Dropped as a whole, it drops the streams.
///
/// # Fairness
///
/// One that always has an item does not keep the others from giving theirs.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::stream::{StreamExt, generate, merge};
///
/// lone::Builder::new().start_paused(true).run(async {
///     let mut sensors = [3, 2].map(|seconds| {
///         generate(async move |y| {
///             for n in 1..=2 {
///                 lone::sleep(Duration::from_secs(seconds)).await;
///                 y.give(seconds * n).await;
///             }
///         })
///     });
///     let readings: Vec<u64> = merge(&mut sensors).collect().await;
///     assert_eq!(readings, [2, 3, 4, 6]);
/// });
/// ```
pub fn merge<I>(streams: I) -> MergeAll<I::Item>
where
    I: IntoIterator,
    I::Item: Stream,
{
    let streams: Pinned<I::Item> = streams.into_iter().collect();
    MergeAll { turns: Turns::new(streams.len()), streams }
}

/// The stream of [`merge`]. It is fused.
#[must_use = "streams do nothing unless you await their next item"]
pub struct MergeAll<S> {
    // Before the streams: the slots go first.
    turns: Turns,
    streams: Pinned<S>,
}

// The streams lie pinned in a block of their own.
impl<S> Unpin for MergeAll<S> {}

impl<S: Stream> Members for &mut Pinned<S> {
    type Item = S::Item;

    fn poll(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.get(index).map_or(Poll::Ready(None), |stream| stream.poll_next(cx))
    }

    fn clear(&mut self, index: usize) {
        Pinned::clear(self, index);
    }
}

impl<S: Stream> Stream for MergeAll<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let MergeAll { turns, streams } = self.get_mut();
        one_operation(turns, streams, cx)
    }
}

impl<S: Stream> FusedStream for MergeAll<S> {
    fn is_terminated(&self) -> bool {
        self.turns.left() == 0
    }
}

impl<S> fmt::Debug for MergeAll<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MergeAll({} of {} open)", self.turns.left(), self.streams.len())
    }
}

pin_project_lite::pin_project! {
    /// The stream of [`StreamExt::merge`](crate::stream::StreamExt::merge). It is fused.
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Merge<A, B> {
        turns: Turns,
        #[pin]
        a: Option<A>,
        #[pin]
        b: Option<B>,
    }
}

impl<A, B> Merge<A, B> {
    pub(super) fn new(a: A, b: B) -> Merge<A, B> {
        Merge { turns: Turns::new(2), a: Some(a), b: Some(b) }
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> Members for (Pin<&mut Option<A>>, Pin<&mut Option<B>>) {
    type Item = A::Item;

    fn poll(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        let (a, b) = self;
        let polled = match index {
            0 => a.as_mut().as_pin_mut().map(|a| a.poll_next(cx)),
            _ => b.as_mut().as_pin_mut().map(|b| b.poll_next(cx)),
        };
        polled.unwrap_or(Poll::Ready(None))
    }

    fn clear(&mut self, index: usize) {
        let (a, b) = self;
        match index {
            0 => a.set(None),
            _ => b.set(None),
        }
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> Stream for Merge<A, B> {
    type Item = A::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        let this = self.project();
        one_operation(this.turns, (this.a, this.b), cx)
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> FusedStream for Merge<A, B> {
    fn is_terminated(&self) -> bool {
        self.turns.left() == 0
    }
}

impl<A, B> fmt::Debug for Merge<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Merge({} of 2 open)", self.turns.left())
    }
}

/// Each child has a budget of its own, so that an item is one operation here.
fn one_operation<M: Members>(
    turns: &mut Turns,
    streams: M,
    cx: &mut Context<'_>,
) -> Poll<Option<M::Item>> {
    ready!(budget::take(cx));
    let polled = turns.poll(streams, cx);
    if !matches!(polled, Poll::Ready(Some(_))) {
        budget::give_back();
    }
    polled
}

/// They are `Send` where their streams are: they hold numbers of the loop.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn merges_are_send<A: Stream + Send, B: Stream + Send>() {
        assert_send::<MergeAll<A>>();
        assert_send::<Merge<A, B>>();
    }
    let _ = merges_are_send::<super::Iter<std::iter::Empty<()>>, super::Iter<std::iter::Empty<()>>>;
};
