//! How does one future wait for many, and keep their outputs in order?
//!
//! ```text
//!   Gather ─┬─ outputs   [ Some ][ None ][ Some ]   in argument order
//!           └─ members ─┬─ futures    [ gone ][ fut ][ gone ]   one block, dropped one by one
//!                       └─ children     ─       slot    ─       who is woken (executor)
//! ```
//!
//! [`Members`] is the part that the combinators of this crate share: the futures, and the slots
//! that say which of them to poll.
//!
//! Invariants:
//! - **Polled only when woken**: of 10,000 children one that wakes costs one poll.
//! - **Slot first**: a child that ends gives back its slot, then its output is stored, then its
//!   future is dropped in place; so its destructor meets a number that means nobody.
//! - **Ended is ended**: a child whose future is gone is never polled again, whatever the slots
//!   say: a group that has moved to another root gets new slots, and all of them count as woken.
//!   A child that panicked has ended too.
//! - **Dropped side by side**: children that are dropped half way are a scope each, so that their
//!   cleanups run at the same time (see `drain`).
//! - **One operation**: a poll that finishes a combinator takes one from the budget of whoever
//!   polls it; its children have budgets of their own.
//!
//! Cost: four allocations a gather, none a child.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::children::{Child, Children};
use lone_executor::{Pinned, budget, trace};

use crate::drain::{Drain, FirstPanic};

/// Waits for all futures at once and returns all outputs, in argument order.
/// They are of one type; for a fixed few of different types there is [`join!`](crate::join!).
///
/// Nothing is judged: where the outputs are `Result`s, a failed one stops nobody, and all of them
/// come out. To stop at the first error, use [`try_gather`](crate::try_gather()).
///
/// The futures run when they are awaited, within the task that awaits them; they may borrow what
/// outlives it. The first poll polls them all, in argument order; after that each is polled only
/// when it was woken, in the order of the wakes. A gather of nothing completes at once.
///
/// asyncio: `gather(…, return_exceptions=True)`; but futures are no tasks: dropping the gather
/// drops them.
///
/// # Panics
///
/// Where a child panics: the panic goes on at once, and the other children stay as they are. A
/// gather that is polled again after that goes on without the child that panicked, and panics at
/// the end, for an output is missing.
///
/// Polled: if no loop is running on this thread, and after it has returned its outputs.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the unfinished children at once, in argument order, and the
/// outputs of the finished ones. What the children have to clean up with awaits (see
/// [`using`](crate::using())) runs side by side, and the scope around awaits it. Gather `&mut` futures
/// or handles if the unfinished have to survive.
///
/// A child that is a [`JoinHandle`](lone_executor::JoinHandle) drops its handle only: the task goes
/// on. Give [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the task
/// should end with it.
///
/// # Fairness
///
/// All children that were woken are polled in one poll of the gather, each with a budget of its
/// own; the other tasks of the loop wait for so long. Where that is too long, spawn the children.
///
/// # Cost
///
/// Four allocations in all; about 30 ns a child that waits once.
///
/// # Examples
///
/// ```
/// let words = ["a", "loop", "waits"];
/// let lengths = lone::run(lone::gather(words.iter().map(async |word| {
///     lone::yield_now().await;
///     word.len()
/// })));
/// assert_eq!(lengths, [1, 4, 5]);
/// ```
#[track_caller]
pub fn gather<I>(futures: I) -> Gather<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let members = Members::new(futures);
    Gather {
        outputs: (0..members.len()).map(|_| None).collect(),
        members,
        site: Location::caller(),
    }
}

/// The future of [`gather`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Gather<F: Future> {
    members: Members<F>,
    /// Empty once they have been returned.
    outputs: Vec<Option<F::Output>>,
    site: &'static Location<'static>,
}

// The futures lie pinned in a block of their own, and nobody pins an output.
impl<F: Future> Unpin for Gather<F> {}

impl<F: Future> Gather<F> {
    /// Polls those that were woken; ready when all have ended.
    pub(crate) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Vec<F::Output>> {
        if self.members.left() > 0 {
            ready!(budget::take(cx));
        }
        let outputs = &mut self.outputs;
        let ControlFlow::<Infallible>::Continue(()) =
            self.members.poll_woken(cx, |index, output| {
                outputs[index] = Some(output);
                ControlFlow::Continue(())
            });
        if self.members.left() > 0 {
            budget::give_back();
            return Poll::Pending;
        }
        assert_eq!(
            self.outputs.len(),
            self.members.len(),
            "a gather was polled after it had returned its outputs: await it once"
        );
        self.members.release();
        let outputs = std::mem::take(&mut self.outputs).into_iter().enumerate();
        let outputs = outputs.map(|(index, output)| {
            output.unwrap_or_else(|| {
                panic!(
                    "future {index} of a gather panicked in an earlier poll, so its output is \
                     missing: catch the panic inside of that future, not around the gather"
                )
            })
        });
        Poll::Ready(outputs.collect())
    }

    /// Shows `f` the futures that have not ended, in argument order.
    pub(crate) fn for_each(&mut self, mut f: impl FnMut(Pin<&mut F>)) {
        (0..self.members.len()).for_each(|index| {
            if let Some(future) = self.members.futures.get(index) {
                f(future);
            }
        });
    }
}

impl<F: Future> Future for Gather<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<F::Output>> {
        let outputs = self.poll_all(cx);
        if outputs.is_pending() {
            trace::awaits("gather", self.site);
        }
        outputs
    }
}

impl<F: Future> Drop for Gather<F> {
    fn drop(&mut self) {
        if self.members.left() > 0 {
            let mut drain = Drain::new("a gather", self.site);
            drain.leave();
            self.members.stop(&mut drain);
        }
    }
}

impl<F: Future> fmt::Debug for Gather<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members.describe(f, "Gather")
    }
}

/// Futures that one future polls, each only when it was woken.
pub(crate) struct Members<F> {
    // The order of the fields is the order in which they are dropped: slots, then futures.
    children: Children,
    futures: Pinned<F>,
    left: usize,
}

impl<F: Future> Members<F> {
    pub(crate) fn new<I: IntoIterator<Item = F>>(futures: I) -> Members<F> {
        let futures: Pinned<F> = futures.into_iter().collect();
        Members { children: Children::new(futures.len()), left: futures.len(), futures }
    }

    /// How many there were at the start.
    pub(crate) fn len(&self) -> usize {
        self.futures.len()
    }

    /// How many have not ended.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Gives back what is left of the slots, when nobody is to be polled any more.
    fn release(&mut self) {
        self.children = Children::new(0);
    }

    /// Polls those that were woken, in the order of their wakes (at first all of them, in argument
    /// order), and gives each output to `ended`. A break leaves the rest of them unpolled.
    ///
    /// # Panics
    ///
    /// Where a member panics: it counts as ended, and the others are as they were.
    pub(crate) fn poll_woken<B>(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, F::Output) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.left == 0 {
            return ControlFlow::Continue(());
        }
        let mut batch = self.children.batch(cx);
        while let Some(child) = batch.next() {
            let index = child.index();
            let Some(future) = self.futures.get(index) else {
                // *Ended is ended*: its slot is one of the new ones.
                batch.end(child);
                continue;
            };
            let poll = || batch.poll(&child, |cx| future.poll(cx));
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(output)) => {
                    batch.end(child);
                    self.left -= 1;
                    let flow = ended(index, output);
                    let drop = || self.futures.clear(index);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(drop)) {
                        // The rest of the batch was woken and has not been polled.
                        cx.waker().wake_by_ref();
                        resume_unwind(panic);
                    }
                    flow?;
                }
                Err(panic) => {
                    batch.end(child);
                    self.left -= 1;
                    // The rest of the batch was woken and has not been polled.
                    cx.waker().wake_by_ref();
                    self.futures.clear(index);
                    resume_unwind(panic);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Drops those that have not ended, in argument order, each as a scope of its own. A panic of
    /// theirs goes on when all have been dropped.
    pub(crate) fn stop(&mut self, drain: &mut Drain) {
        self.release();
        let mut panics = FirstPanic::default();
        for index in 0..self.futures.len() {
            if self.futures.get(index).is_some() {
                drain.stop(&mut panics, || self.futures.clear(index));
            }
        }
        self.left = 0;
        panics.resume();
    }

    /// As [`Members::poll_woken`], in argument order. `woken` is room to sort in.
    ///
    /// After a break or a panic those that are left are not to be polled again.
    pub(crate) fn poll_in_order<B>(
        &mut self,
        cx: &mut Context<'_>,
        woken: &mut Vec<Child>,
        mut ended: impl FnMut(usize, F::Output) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut batch = self.children.batch(cx);
        woken.extend(std::iter::from_fn(|| batch.next()));
        woken.sort_unstable_by_key(Child::index);
        for child in woken.drain(..) {
            let Some(future) = self.futures.get(child.index()) else {
                batch.end(child);
                continue;
            };
            if let Poll::Ready(output) = batch.poll(&child, |cx| future.poll(cx)) {
                let index = child.index();
                batch.end(child);
                self.left -= 1;
                let flow = ended(index, output);
                self.futures.clear(index);
                flow?;
            }
        }
        ControlFlow::Continue(())
    }

    /// "Gather(3 of 10 unfinished)".
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        write!(f, "{name}({} of {} unfinished)", self.left, self.len())
    }
}

/// A gather is `Send` where its children and their outputs are: it holds numbers of the loop only.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn gather_is_send<F: Future<Output: Send> + Send>() {
        assert_send::<Gather<F>>();
    }
    let _ = gather_is_send::<std::future::Ready<()>>;
};
