//! How does an item get from a generator's body to whoever asked for it? Through a slot that both hold.
//!
//! ```text
//!   body: y.give(item) ──► slot ──► the stream's poll takes it
//!           └ Pending until the next item is asked for
//! ```
//!
//! Invariants:
//! - **Given is given**: once `give` was polled and the slot was free, the item goes to the consumer,
//!   also if the `give` is dropped then. Until then it stays with the `give`.
//! - **Woken where need be**: a `give` under a waker of its own (a child of a `gather` in the body) is
//!   woken when the next item is asked for; one under the body's is polled with the body anyway.
//!
//! Cost: no allocation an item; two cells.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone_executor::{KeptWaker, trace};

/// What a generator's body gives its items to: the argument of the closure of
/// [`generate`](crate::stream::generate()).
///
/// It is lent to the body, so that nobody can give an item when the generator has gone.
pub struct Yielder<T> {
    slot: Rc<Slot<T>>,
}

impl<T> Yielder<T> {
    pub(super) fn new(slot: Rc<Slot<T>>) -> Yielder<T> {
        Yielder { slot }
    }

    /// Gives an item to whoever asked for it, and waits until the next one is asked for.
    ///
    /// asyncio: `yield item`.
    ///
    /// # Cancellation
    ///
    /// Once polled, the item has been given: dropped after that, only the waiting is left out.
    /// Dropped before its first poll, it takes the item with it.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let mut numbers = lone::stream::generate(async |y| {
    ///         for number in 0..3 {
    ///             y.give(number).await;
    ///         }
    ///     });
    ///     assert_eq!(numbers.next().await, Some(0));
    /// });
    /// ```
    #[track_caller]
    pub fn give(&mut self, item: T) -> Give<'_, T> {
        Give { slot: &self.slot, item: Some(item), site: Location::caller() }
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").field("given", &self.slot.full.get()).finish()
    }
}

/// The future of [`Yielder::give`].
#[must_use = "futures do nothing unless you `.await` or poll them: this item is not given"]
pub struct Give<'a, T> {
    slot: &'a Slot<T>,
    /// Until it is in the slot.
    item: Option<T>,
    site: &'static Location<'static>,
}

// The item is moved out, never pinned.
impl<T> Unpin for Give<'_, T> {}

impl<T> Future for Give<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Full: with this item, not taken yet, or with that of a `give` that was dropped.
        if !self.slot.full.get() {
            let Some(item) = self.item.take() else { return Poll::Ready(()) };
            self.slot.put(item);
        }
        self.slot.keep(cx);
        trace::awaits("the next item to be asked for", self.site);
        Poll::Pending
    }
}

impl<T> fmt::Debug for Give<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Give").field("given", &self.item.is_none()).finish()
    }
}

/// What a generator's body and its stream share.
pub(super) struct Slot<T> {
    item: Cell<Option<T>>,
    full: Cell<bool>,
    /// Whom to wake when the next item is asked for.
    giver: Cell<KeptWaker>,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Slot<T> {
        Slot { item: Cell::new(None), full: Cell::new(false), giver: Cell::default() }
    }

    fn put(&self, item: T) {
        debug_assert!(!self.full.get(), "one item at a time");
        self.item.set(Some(item));
        self.full.set(true);
    }

    fn keep(&self, cx: &Context<'_>) {
        let kept = self.giver.take();
        let kept = if kept.will_wake(cx.waker()) { kept } else { KeptWaker::new(cx.waker()) };
        self.giver.set(kept);
    }

    /// Whether an item is here that nobody has taken.
    pub(super) fn is_full(&self) -> bool {
        self.full.get()
    }

    /// What was given.
    pub(super) fn take(&self) -> Option<T> {
        self.full.set(false);
        self.item.take()
    }

    /// The next item is asked for, and the body is about to be polled with `cx`.
    pub(super) fn ask(&self, cx: &Context<'_>) {
        let giver = self.giver.take();
        if !giver.is_nobody() && !giver.will_wake(cx.waker()) {
            giver.wake();
        }
    }
}
