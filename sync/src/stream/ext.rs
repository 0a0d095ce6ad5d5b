//! What can be done with a stream? Ask for items, change them, put several together, take them all.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use futures_core::stream::Stream;

use super::{
    BufferUnordered, Buffered, Chain, Chunks, Collect, Enumerate, Filter, FilterMap, Map, Merge,
    Next, Peekable, Skip, Take, TakeWhile, Then, Throttle, Timeout, TryNext, Zip,
};

/// What every [`Stream`] can do, whoever made it.
///
/// Not re-exported by `lone` itself, so that `use lone::*` never brings it in. Its methods have the
/// names that `futures_util::StreamExt` gives them: import one of the two in a module, or one of them
/// as `_` in the function that needs it. What differs: the closures of `filter`, `filter_map` and
/// `take_while` are no futures (use [`then`](StreamExt::then) for that), those of `for_each` and
/// `fold` are async closures, which may borrow and change what is around them; `merge`, `buffered` and
/// `buffer_unordered` poll only those who were woken; and everything here gives way when the budget is
/// spent.
///
/// # Cancellation
///
/// `next` on any of the adapters is strict: what an adapter has taken from below and not given
/// stays in it. It goes with the adapter: items in `chunks`, `peekable` and `zip`, futures in `then`
/// and the buffered ones.
///
/// # Panics
///
/// Where a closure, a future or the stream below does. Whoever waits does so in a loop that runs.
pub trait StreamExt: Stream {
    /// The next item; `None` at the end.
    ///
    /// For a stream that may not be moved, pin it first: `let mut stream = pin!(stream);`.
    ///
    /// asyncio: `anext`; a loop over it: `async for`.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing is lost, if so it is with the stream itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// lone::run(async {
    ///     let mut numbers = iter([1, 2]);
    ///     while let Some(number) = numbers.next().await {
    ///         assert!(number < 3);
    ///     }
    /// });
    /// ```
    #[track_caller]
    fn next(&mut self) -> Next<'_, Self>
    where
        Self: Unpin,
    {
        Next::new(self)
    }

    /// The next item of a stream of results, for `?`: `Ok(None)` at the end.
    ///
    /// # Errors
    ///
    /// That of the item. Whether anything comes after it is the stream's affair.
    ///
    /// # Cancellation
    ///
    /// As [`next`](StreamExt::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let sum: Result<u32, &str> = lone::run(async {
    ///     let mut numbers = iter([Ok(1), Err("no number"), Ok(3)]);
    ///     let mut sum = 0;
    ///     while let Some(number) = numbers.try_next().await? {
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// });
    /// assert_eq!(sum, Err("no number"));
    /// ```
    #[track_caller]
    fn try_next<T, E>(&mut self) -> TryNext<'_, Self>
    where
        Self: Stream<Item = Result<T, E>> + Unpin,
    {
        TryNext::new(self)
    }

    /// Awaits `f` for each item, one after the other.
    ///
    /// # Cancellation
    ///
    /// Loses the item that `f` is at, and the stream, unless that was lent: `(&mut stream).for_each(…)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// lone::run(async {
    ///     let mut sum = 0;
    ///     iter([1, 2, 3])
    ///         .for_each(async |number| {
    ///             lone::yield_now().await;
    ///             sum += number;
    ///         })
    ///         .await;
    ///     assert_eq!(sum, 6);
    /// });
    /// ```
    #[track_caller]
    fn for_each(self, mut f: impl AsyncFnMut(Self::Item)) -> impl Future<Output = ()>
    where
        Self: Sized,
    {
        let site = Location::caller();
        async move {
            let mut stream = pin!(self);
            while let Some(item) = Next::at(&mut stream, site).await {
                f(item).await;
            }
        }
    }

    /// Awaits `f` for each item of a stream of results, up to the first error.
    ///
    /// # Errors
    ///
    /// The first, be it an item or what `f` has returned.
    ///
    /// # Cancellation
    ///
    /// As [`for_each`](StreamExt::for_each).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// lone::run(async {
    ///     let mut seen = Vec::new();
    ///     let end = iter([Ok(1), Err("no number"), Ok(3)])
    ///         .try_for_each(async |number| {
    ///             seen.push(number);
    ///             Ok(())
    ///         })
    ///         .await;
    ///     assert_eq!((end, seen), (Err("no number"), vec![1]));
    /// });
    /// ```
    #[track_caller]
    fn try_for_each<T, E>(
        self,
        mut f: impl AsyncFnMut(T) -> Result<(), E>,
    ) -> impl Future<Output = Result<(), E>>
    where
        Self: Stream<Item = Result<T, E>> + Sized,
    {
        let site = Location::caller();
        async move {
            let mut stream = pin!(self);
            while let Some(item) = Next::at(&mut stream, site).await {
                f(item?).await?;
            }
            Ok(())
        }
    }

    /// Puts the items together, one after the other, beginning with `first`.
    ///
    /// # Cancellation
    ///
    /// Loses data: what was put together, and as [`for_each`](StreamExt::for_each).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let sum = lone::run(iter([1, 2, 3]).fold(0, async |sum, number| sum + number));
    /// assert_eq!(sum, 6);
    /// ```
    #[track_caller]
    fn fold<B>(
        self,
        first: B,
        mut f: impl AsyncFnMut(B, Self::Item) -> B,
    ) -> impl Future<Output = B>
    where
        Self: Sized,
    {
        let site = Location::caller();
        async move {
            let mut stream = pin!(self);
            let mut all = first;
            while let Some(item) = Next::at(&mut stream, site).await {
                all = f(all, item).await;
            }
            all
        }
    }

    /// All items, in a collection.
    ///
    /// asyncio: `[item async for item in items]`.
    ///
    /// # Cancellation
    ///
    /// Loses data: what has come so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let numbers: Vec<u32> = lone::run(iter(1..4).collect());
    /// assert_eq!(numbers, [1, 2, 3]);
    /// ```
    #[track_caller]
    fn collect<C: Default + Extend<Self::Item>>(self) -> Collect<Self, C>
    where
        Self: Sized,
    {
        Collect::new(self)
    }

    /// Changes each item.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let doubled: Vec<u32> = lone::run(iter(1..4).map(|number| number * 2).collect());
    /// assert_eq!(doubled, [2, 4, 6]);
    /// ```
    fn map<T, F: FnMut(Self::Item) -> T>(self, f: F) -> Map<Self, F>
    where
        Self: Sized,
    {
        Map { stream: self, f }
    }

    /// Leaves out the items for which `f` is false.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let odd: Vec<u32> = lone::run(iter(1..6).filter(|number| number % 2 == 1).collect());
    /// assert_eq!(odd, [1, 3, 5]);
    /// ```
    fn filter<F: FnMut(&Self::Item) -> bool>(self, f: F) -> Filter<Self, F>
    where
        Self: Sized,
    {
        Filter { stream: self, f }
    }

    /// Changes each item, and leaves out those that become `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let words = iter(["1", "two", "3"]);
    /// let numbers: Vec<u32> = lone::run(words.filter_map(|word| word.parse::<u32>().ok()).collect());
    /// assert_eq!(numbers, [1, 3]);
    /// ```
    fn filter_map<T, F: FnMut(Self::Item) -> Option<T>>(self, f: F) -> FilterMap<Self, F>
    where
        Self: Sized,
    {
        FilterMap { stream: self, f }
    }

    /// Changes each item by a future, one after the other.
    ///
    /// For several at once: `map`, and [`buffered`](StreamExt::buffered).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let pages: Vec<u32> = lone::run(
    ///     iter(1..4)
    ///         .then(async |page| {
    ///             lone::yield_now().await; // fetches it, say
    ///             page * 100
    ///         })
    ///         .collect(),
    /// );
    /// assert_eq!(pages, [100, 200, 300]);
    /// ```
    fn then<F, Fut>(self, f: F) -> Then<Self, F, Fut>
    where
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
        Self: Sized,
    {
        Then { future: None, stream: self, f }
    }

    /// The first `count` items. The stream below is not asked for more.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let first: Vec<u32> = lone::run(iter(1..).take(2).collect());
    /// assert_eq!(first, [1, 2]);
    /// ```
    fn take(self, count: usize) -> Take<Self>
    where
        Self: Sized,
    {
        Take { stream: self, left: count }
    }

    /// The items up to the first for which `f` is false; that one is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let small: Vec<u32> = lone::run(iter(1..).take_while(|&number| number < 4).collect());
    /// assert_eq!(small, [1, 2, 3]);
    /// ```
    fn take_while<F: FnMut(&Self::Item) -> bool>(self, f: F) -> TakeWhile<Self, F>
    where
        Self: Sized,
    {
        TakeWhile { stream: self, f, ended: false }
    }

    /// Leaves out the first `count` items.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let rest: Vec<u32> = lone::run(iter(1..6).skip(3).collect());
    /// assert_eq!(rest, [4, 5]);
    /// ```
    fn skip(self, count: usize) -> Skip<Self>
    where
        Self: Sized,
    {
        Skip { stream: self, left: count }
    }

    /// Each item with its number, from 0 on.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let numbered: Vec<_> = lone::run(iter(["a", "b"]).enumerate().collect());
    /// assert_eq!(numbered, [(0, "a"), (1, "b")]);
    /// ```
    fn enumerate(self) -> Enumerate<Self>
    where
        Self: Sized,
    {
        Enumerate { stream: self, next: 0 }
    }

    /// Pairs of an item of each; it ends with the first of them that ends, and then an item of the
    /// other may be lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let pairs: Vec<_> = lone::run(iter([1, 2]).zip(iter(["a", "b", "c"])).collect());
    /// assert_eq!(pairs, [(1, "a"), (2, "b")]);
    /// ```
    fn zip<B: Stream>(self, other: B) -> Zip<Self, B>
    where
        Self: Sized,
    {
        Zip::new(self, other)
    }

    /// The items of this one, then those of the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let all: Vec<u32> = lone::run(iter([1, 2]).chain(iter([3])).collect());
    /// assert_eq!(all, [1, 2, 3]);
    /// ```
    fn chain<B: Stream<Item = Self::Item>>(self, other: B) -> Chain<Self, B>
    where
        Self: Sized,
    {
        Chain { first: Some(self), second: other }
    }

    /// So many items at a time, as a `Vec`; the last may be shorter.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    ///
    /// # Cost
    ///
    /// An allocation a chunk.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let chunks: Vec<Vec<u32>> = lone::run(iter(1..6).chunks(2).collect());
    /// assert_eq!(chunks, [vec![1, 2], vec![3, 4], vec![5]]);
    /// ```
    #[track_caller]
    fn chunks(self, size: usize) -> Chunks<Self>
    where
        Self: Sized,
    {
        Chunks::new(self, size)
    }

    /// The same, with [`peek`](Peekable::peek): the next item can be looked at before it is taken.
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
    fn peekable(self) -> Peekable<Self>
    where
        Self: Sized,
    {
        Peekable::new(self)
    }

    /// Gives each item so much time, from when it is asked for and has to be waited for.
    ///
    /// An item that takes longer comes as `Err(Elapsed)`, and when it is there, as the answer to a
    /// later question: nothing is dropped, and the next one asked for has all the time again. An
    /// item that is there in time, or with the deadline, is an `Ok`.
    ///
    /// asyncio: `wait_for(anext(items), d)`, which closes a generator that is late.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use lone::stream::{StreamExt, generate};
    ///
    /// lone::Builder::new().start_paused(true).run(async {
    ///     let slow = generate(async |y| {
    ///         lone::sleep(Duration::from_millis(3)).await;
    ///         y.give("here I am").await;
    ///     });
    ///     let mut items = slow.timeout(Duration::from_millis(2));
    ///     assert!(matches!(items.next().await, Some(Err(_))));
    ///     assert_eq!(items.next().await, Some(Ok("here I am")));
    /// });
    /// ```
    #[track_caller]
    fn timeout(self, limit: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        Timeout::new(self, limit)
    }

    /// Asks for the next item only when so much time has passed since the last one was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use lone::stream::{StreamExt, iter};
    /// use lone::time::Instant;
    ///
    /// lone::Builder::new().start_paused(true).run(async {
    ///     let begin = Instant::now();
    ///     let _: Vec<u32> = iter(1..=3).throttle(Duration::from_secs(1)).collect().await;
    ///     assert_eq!(begin.elapsed(), Duration::from_secs(3), "it has asked for a fourth");
    /// });
    /// ```
    #[track_caller]
    fn throttle(self, pause: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, pause)
    }

    /// The items of both, as they come; where both have one, in turns.
    ///
    /// For many of one type, and for what it promises: [`stream::merge`](crate::stream::merge()).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let all: Vec<u32> = lone::run(iter([1, 2]).merge(iter(10..13)).collect());
    /// assert_eq!(all, [1, 10, 2, 11, 12]);
    /// ```
    fn merge<B: Stream<Item = Self::Item>>(self, other: B) -> Merge<Self, B>
    where
        Self: Sized,
    {
        Merge::new(self, other)
    }

    /// Runs the futures of this stream, at most `limit` at once; their outputs in the order of the
    /// futures.
    ///
    /// They make progress only while an output is awaited, as in
    /// [`as_completed`](crate::as_completed()). An output that is there before its turn counts for
    /// the limit. Of a future that panics there is no output, and the others still come.
    ///
    /// # Panics
    ///
    /// If `limit` is 0; and where a future does.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let fetch = async |yields: u32| {
    ///     for _ in 0..yields {
    ///         lone::yield_now().await;
    ///     }
    ///     yields
    /// };
    /// let pages: Vec<u32> = lone::run(iter([3, 1, 2]).map(fetch).buffered(2).collect());
    /// assert_eq!(pages, [3, 1, 2]);
    /// ```
    #[track_caller]
    fn buffered(self, limit: usize) -> Buffered<Self>
    where
        Self: Sized,
        Self::Item: Future,
    {
        Buffered::new(self, limit)
    }

    /// As [`buffered`](StreamExt::buffered), but the outputs come as they are there.
    ///
    /// # Panics
    ///
    /// As [`buffered`](StreamExt::buffered).
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::stream::{StreamExt, iter};
    ///
    /// let fetch = async |yields: u32| {
    ///     for _ in 0..yields {
    ///         lone::yield_now().await;
    ///     }
    ///     yields
    /// };
    /// let pages: Vec<u32> = lone::run(iter([3, 1, 2]).map(fetch).buffer_unordered(3).collect());
    /// assert_eq!(pages, [1, 2, 3]);
    /// ```
    #[track_caller]
    fn buffer_unordered(self, limit: usize) -> BufferUnordered<Self>
    where
        Self: Sized,
        Self::Item: Future,
    {
        BufferUnordered::new(self, limit)
    }
}

impl<S: Stream + ?Sized> StreamExt for S {}
