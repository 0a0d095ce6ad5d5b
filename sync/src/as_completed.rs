//! How does one future take the outputs of many, each as soon as it is there?
//!
//! ```text
//!   inputs ──► AsCompleted ─┬─ in flight   the futures that have begun (file `in_flight`)
//!   (pulled when one is     └─ children    a slot each: who is woken (executor)
//!    asked for)                   │
//!                                 └──► next: (index, output) of the first that ends
//! ```
//!
//! Invariants:
//! - **Nothing waits here**: a poll stops at the first output and returns it; who was woken besides
//!   stays woken, in its order, until the next poll. So there is no output to lose.
//! - **Pulled when asked**: an input is pulled in a poll that has nothing else to return, and only
//!   while fewer than the limit are in flight.
//! - **Ended is ended** and **slot first**, as in `gather`.
//!
//! Cost: as a gather's; of the bounded form an allocation for each place, not for each input.

use std::fmt;
use std::future::Future;
use std::iter::{Empty, Fuse, empty};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::{FusedStream, Stream};
use lone_executor::children::Children;
use lone_executor::{budget, trace};

pub(crate) mod in_flight;
mod within;

use in_flight::InFlight;
pub use within::AsCompletedWithin;

/// Runs all futures at once and gives their outputs in the order of completion, as `(index, output)`.
///
/// The index says which of the inputs it was. Those that end at the same time come in the order in
/// which they ended; those that had ended before the first poll, in argument order. Take the outputs
/// with [`next`](AsCompleted::next), or with the means of any crate that knows a [`Stream`]. The
/// loop over them may be left and taken up again, also by another task. Of no futures it ends at
/// once.
///
/// The futures make progress **only while an output is awaited**: they stand still while the body
/// of the loop does something else, with whatever they hold, a place in a queue or a permit, say.
/// Where they shall go on meanwhile, spawn them and give the handles.
///
/// asyncio: `as_completed`.
///
/// # Panics
///
/// Where a child panics: the panic goes on at once, and the others stay as they are. Asked again, it
/// goes on without the child that panicked.
///
/// Polled: if no loop is running on this thread.
///
/// # Cancellation
///
/// Awaiting the next output is strict. Dropped as a whole, it drops the futures that have not ended
/// at once. Handles that are dropped *detach* their tasks: these go on. Give
/// [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the tasks should end
/// with it, `&mut handle` where the handle shall stay; or call [`AsCompleted::into_rest`].
///
/// # Fairness
///
/// An output is one operation of the budget; each child has a budget of its own.
///
/// # Cost
///
/// Three allocations in all; about 15 ns a child above those of a [`gather`](crate::gather()).
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let mut outputs = lone::as_completed([3, 1, 2].map(async |yields| {
///         for _ in 0..yields {
///             lone::yield_now().await;
///         }
///         yields * 10
///     }));
///     let mut seen = Vec::new();
///     while let Some((index, output)) = outputs.next().await {
///         seen.push((index, output));
///     }
///     assert_eq!(seen, [(1, 10), (2, 20), (0, 30)]);
/// });
/// ```
#[track_caller]
pub fn as_completed<I>(futures: I) -> AsCompleted<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let flight = InFlight::all(futures);
    AsCompleted {
        children: Children::new(flight.left()),
        begun: flight.left(),
        flight,
        pulled: None,
        inputs: empty().fuse(),
        limit: usize::MAX,
        site: Location::caller(),
    }
}

/// As [`as_completed`], but at most `limit` futures are in flight at once, and the next one is pulled
/// from the iterator only when it may begin.
///
/// It is pulled when the next output is asked for, not before: leave the loop, and no input has been
/// pulled in vain. An iterator that spawns, `urls.map(|url| spawn(fetch(url)))`, so has `limit` tasks
/// at most, which go on while the body of the loop does something else. Give `iterator.by_ref()` to
/// keep the inputs that were not pulled. As for the rest, see [`as_completed`].
///
/// asyncio: a `Semaphore` in every task, and all tasks at once.
///
/// # Panics
///
/// Called: if `limit` is 0, for then nothing could begin. Polled: as [`as_completed`], and where the
/// iterator panics.
///
/// # Cancellation
///
/// As [`as_completed`].
///
/// # Cost
///
/// One allocation for each future that is in flight at the same time, not for each input.
///
/// # Examples
///
/// A crawler with three connections:
///
/// ```
/// lone::run(async {
///     let fetch = async |page: u32| {
///         lone::yield_now().await;
///         page * 100
///     };
///     let mut pages = lone::as_completed_bounded(3, (0..10).map(fetch));
///     let mut bytes = 0;
///     while let Some((_page, length)) = pages.next().await {
///         bytes += length;
///     }
///     assert_eq!(bytes, 4500);
/// });
/// ```
#[track_caller]
pub fn as_completed_bounded<I>(limit: usize, futures: I) -> AsCompleted<I::Item, I::IntoIter>
where
    I: IntoIterator,
    I::Item: Future,
{
    assert!(limit > 0, "a limit of 0 would let no future begin: allow one at least");
    AsCompleted {
        children: Children::new(0),
        begun: 0,
        flight: InFlight::none(),
        pulled: None,
        inputs: futures.into_iter().fuse(),
        limit,
        site: Location::caller(),
    }
}

/// The outputs of many futures as they come: made by [`as_completed`] and [`as_completed_bounded`].
///
/// A [`Stream`] of `(index, output)`, and fused: after its end it stays ended. It is `Send` where
/// its futures, their outputs and the iterator are.
#[must_use = "futures do nothing unless you await the next output"]
pub struct AsCompleted<F: Future, I = Empty<F>> {
    // The order of the fields is the order in which they are dropped: slots, then futures.
    children: Children,
    flight: InFlight<F>,
    /// Pulled, but not begun.
    pulled: Option<F>,
    inputs: Fuse<I>,
    /// How many may be in flight.
    limit: usize,
    /// How many have begun: the index of the next input.
    begun: usize,
    site: &'static Location<'static>,
}

// The futures lie pinned in blocks of their own; one that was pulled is pinned when it begins.
impl<F: Future, I> Unpin for AsCompleted<F, I> {}

impl<F: Future, I: Iterator<Item = F>> AsCompleted<F, I> {
    /// The next output; `None` when all futures have ended.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing is lost.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is awaited, as every stream's")]
    pub fn next(&mut self) -> NextCompleted<'_, AsCompleted<F, I>> {
        self.site = Location::caller();
        NextCompleted(self)
    }

    /// Sets a limit to the time for all of them together, counted from the first poll.
    ///
    /// An output that is there when the limit has passed is still given, and no other future begins.
    /// Then comes one `Err(Elapsed)`, and then the end. It cancels nothing: the futures stay as they
    /// are, and [`AsCompletedWithin::into_inner`] gives them back. When all have ended earlier the
    /// timer is gone.
    ///
    /// asyncio: `as_completed(…, timeout=…)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::run(async {
    ///     let slow = lone::spawn(lone::sleep(Duration::from_millis(20)));
    ///     let fast = lone::spawn(async {});
    ///     let mut ends = lone::as_completed([slow, fast]).within(Duration::from_millis(2));
    ///     assert!(matches!(ends.next().await, Some(Ok((1, _)))));
    ///     assert!(matches!(ends.next().await, Some(Err(lone::Elapsed { .. }))));
    ///     assert!(ends.next().await.is_none());
    ///     // The slow one goes on, and here is its handle.
    ///     for (index, task) in ends.into_inner().into_rest() {
    ///         assert_eq!(index, 0);
    ///         assert!(task.await.is_ok());
    ///     }
    /// });
    /// ```
    pub fn within(self, limit: Duration) -> AsCompletedWithin<F, I> {
        AsCompletedWithin::new(self, limit)
    }

    /// The futures that have begun and not ended, with their indices, in the order of the inputs.
    ///
    /// For futures that may be moved: handles, and what is boxed. A bounded one may have pulled one
    /// more, which has not begun.
    #[must_use = "dropping them is what dropping the whole would have done"]
    pub fn into_rest(self) -> Vec<(usize, F)>
    where
        F: Unpin,
    {
        let AsCompleted { children, flight, pulled, begun, .. } = self;
        drop(children);
        let mut rest = flight.into_rest();
        rest.extend(pulled.map(|future| (begun, future)));
        rest
    }

    /// Polls those that were woken up to the first output; then, if `begins`, begins others.
    fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
        begins: bool,
    ) -> Poll<Option<(usize, F::Output)>> {
        if let Some(output) = self.flight.take_kept() {
            return Poll::Ready(Some(output));
        }
        if self.flight.left() == 0 && !(begins && self.has_input()) {
            self.children = Children::new(0);
            return Poll::Ready(None);
        }
        let AsCompleted { children, flight, pulled, inputs, .. } = self;
        let batch = &mut children.batch(cx);
        while let Some(child) = batch.next() {
            if let Poll::Ready(output) = flight.poll(batch, child, cx) {
                return Poll::Ready(Some(output));
            }
        }
        while begins && flight.left() < self.limit {
            let Some(future) = pulled.take().or_else(|| inputs.next()) else { break };
            let child = batch.add();
            flight.put(child.index(), self.begun, future);
            self.begun += 1;
            if let Poll::Ready(output) = flight.poll(batch, child, cx) {
                return Poll::Ready(Some(output));
            }
        }
        Poll::Pending
    }

    /// Whether it is certain that nothing is left.
    fn is_over(&self) -> bool {
        self.flight.is_empty() && self.pulled.is_none() && self.inputs.size_hint() == (0, Some(0))
    }

    /// Whether there is an input that has not begun; pulls it to know it.
    fn has_input(&mut self) -> bool {
        self.pulled = self.pulled.take().or_else(|| self.inputs.next());
        self.pulled.is_some()
    }
}

impl<F: Future, I: Iterator<Item = F>> Stream for AsCompleted<F, I> {
    type Item = (usize, F::Output);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        ready!(budget::take(cx));
        let output = this.poll_output(cx, true);
        if !matches!(output, Poll::Ready(Some(_))) {
            budget::give_back();
        }
        if output.is_pending() {
            trace::awaits("as_completed", this.site);
        }
        output
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let here = self.flight.left() + usize::from(self.pulled.is_some());
        let (least, most) = self.inputs.size_hint();
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }
}

impl<F: Future, I: Iterator<Item = F>> FusedStream for AsCompleted<F, I> {
    /// Of a bounded one: whether it is certain that it has ended.
    fn is_terminated(&self) -> bool {
        self.is_over()
    }
}

impl<F: Future, I> fmt::Debug for AsCompleted<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsCompleted({} of {} unfinished)", self.flight.left(), self.begun)
    }
}

/// The future of [`AsCompleted::next`] and [`AsCompletedWithin::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextCompleted<'a, S>(&'a mut S);

impl<S: Stream + Unpin> Future for NextCompleted<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut *self.0).poll_next(cx)
    }
}

/// It is `Send` where its futures, their outputs and the iterator are: it holds numbers of the loop.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn as_completed_is_send<F: Future<Output: Send> + Send, I: Send>() {
        assert_send::<AsCompleted<F, I>>();
        assert_send::<AsCompletedWithin<F, I>>();
        assert_send::<NextCompleted<'_, AsCompleted<F, I>>>();
    }
    let _ = as_completed_is_send::<std::future::Ready<()>, Empty<std::future::Ready<()>>>;
};
