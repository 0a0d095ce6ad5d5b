//! Where does a wake go? To the loop that runs on this thread, or through a loop's inbox.
//!
//! ```text
//!   wake(num) ──► is num's loop the one that runs on this thread?
//!                    │ yes                          │ no (another thread, another loop of this
//!                    ▼                              ▼     thread, or between two turns)
//!             slots: generation, queued?      registry ──► inbox ──► unpark, if parked
//!             push on the ready queue
//! ```
//!
//! Invariants:
//! - **No lock, atomic or allocation on the left path**: a thread-local, a borrow flag, a mark.
//! - **No user code under a borrow**: a foreign parent's waker is woken after the slots' borrow
//!   has ended.
//! - **Never panics**, not even from a destructor at thread exit: "not running here" is always
//!   correct, if slower.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::inbox::Item;
use crate::num::Num;
use crate::panicked::Panic;
use crate::registry;
use crate::report;
use crate::slots::Slots;
use crate::trace;
use crate::waker::{number, running};

/// `[6]` wake: queues the slot of `num`, wherever its loop may be.
#[inline]
pub(crate) fn wake(num: Num) {
    let queued =
        running(|core| core.index() == num.loop_index() && core.wake_fast(num)) == Some(true);
    if !queued {
        wake_slow(num);
    }
}

/// `[6]` wake, for a future of ours that wakes itself: spares one of our wakers its vtable.
#[inline]
pub(crate) fn wake_by_ref(waker: &Waker) {
    match number(waker) {
        Some(num) => wake(num),
        None => waker.wake_by_ref(),
    }
}

/// A child, somebody who is queued already or has ended, or another loop's.
#[inline(never)]
fn wake_slow(num: Num) {
    let here = running(|core| (core.index() == num.loop_index()).then(|| core.wake(num)));
    match here.flatten() {
        Some(None) => {}
        Some(Some(foreign_parent)) => foreign_parent.wake(),
        None => tell(num, Item::Wake(num)),
    }
}

/// `[6]` wake by value: a clone has gone with it. From outside that is one message.
#[inline]
pub(crate) fn wake_and_drop(num: Num) {
    let done = running(|core| core.index() == num.loop_index() && core.wake_and_drop_fast(num));
    if done != Some(true) {
        wake_and_drop_slow(num);
    }
}

#[inline(never)]
fn wake_and_drop_slow(num: Num) {
    if running(|core| core.index() == num.loop_index()) == Some(true) {
        wake(num);
        dropped(num);
    } else {
        tell(num, Item::WakeAndDrop(num));
    }
}

/// A clone of a waker was made, by code that is not lone's.
#[inline]
pub(crate) fn cloned(num: Num) {
    if !count_here(num, Slots::count_clone) {
        tell(num, Item::Cloned(num));
    }
}

/// A clone has gone.
#[inline]
pub(crate) fn dropped(num: Num) {
    if !count_here(num, Slots::uncount_clone) {
        tell(num, Item::Dropped(num));
    }
}

/// Counts where the loop runs. `false`: it is to be told through its inbox, under one lock with wakes, and
/// in order.
#[inline]
fn count_here(num: Num, count: impl FnOnce(&mut Slots, Num)) -> bool {
    let counted = running(|core| {
        core.index() == num.loop_index()
            && core.slots.try_borrow_mut().map(|mut slots| count(&mut slots, num)).is_ok()
    });
    counted == Some(true)
}

#[cold]
fn tell(num: Num, item: Item) {
    if let Some(inbox) = registry::by_num(num) {
        // A loop that has ended has nobody to wake and judges nobody any more: the item is dropped, and
        // holds nothing.
        let _ = inbox.push(item);
    }
}

/// Calls a foreign waker for the loop itself: what it panics with is reported.
#[cold]
pub(crate) fn reporting_panics(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        report::unread_panic(&Panic::new("a waker that is not ours".to_owned(), payload));
    }
}

/// A waker as a leaf of ours keeps it: a bare number where that is sound, else a real clone.
///
/// A leaf keeps whom to wake between two polls. Where the waker is ours and its loop is the one
/// that runs on this thread, the number alone is enough: no clone, no drop, no atomic. In every
/// other case the leaf owns a clone. The holder must be `!Send` or live in a loop's own slab.
pub struct KeptWaker(Kept);

enum Kept {
    /// The bits of a [`Num`], or zero for nobody: one word beside `Waker`'s niche, 16 bytes in all.
    Ours(u64),
    Foreign(Waker),
}

impl KeptWaker {
    /// Nobody: waking it does nothing.
    pub const NOBODY: KeptWaker = KeptWaker(Kept::Ours(0));

    /// Keeps `waker`.
    #[inline]
    #[must_use]
    pub fn new(waker: &Waker) -> KeptWaker {
        KeptWaker::ours(waker).unwrap_or_else(|| KeptWaker(Kept::Foreign(waker.clone())))
    }

    /// Keeps `waker` if it is one of the running loop's: that clones nothing, and calls nobody.
    #[inline]
    #[must_use]
    pub fn ours(waker: &Waker) -> Option<KeptWaker> {
        let num = number(waker)?;
        let here = running(|core| core.index() == num.loop_index()) == Some(true);
        here.then_some(KeptWaker(Kept::Ours(num.bits())))
    }

    /// Whether this wakes the same task as `waker`.
    #[inline]
    #[must_use]
    pub fn will_wake(&self, waker: &Waker) -> bool {
        match &self.0 {
            Kept::Ours(bits) => number(waker).is_some_and(|num| num.bits() == *bits),
            Kept::Foreign(kept) => kept.will_wake(waker),
        }
    }

    /// Whether nobody is kept.
    #[inline]
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self.0, Kept::Ours(0))
    }

    /// Whether it is certain that this wakes nobody: its task or child has ended.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match &self.0 {
            Kept::Ours(bits) => Num::from_bits(*bits).is_none_or(|num| {
                running(|core| {
                    core.index() == num.loop_index() && !core.slots.borrow().is_live(num)
                }) == Some(true)
            }),
            Kept::Foreign(_) => false,
        }
    }

    /// Takes what is kept and leaves nobody.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> KeptWaker {
        std::mem::replace(self, KeptWaker::NOBODY)
    }

    /// `[6]` wake, by the loop or its park: a foreign waker that panics is reported, for nobody has
    /// called who could be told, and the loop has others to serve.
    #[inline]
    pub fn wake_in_the_loop(self) {
        match self.0 {
            Kept::Ours(_) => self.wake(),
            Kept::Foreign(waker) => reporting_panics(|| waker.wake()),
        }
    }

    /// `[6]` wake: call it when no borrow is held.
    #[inline]
    pub fn wake(self) {
        match self.0 {
            Kept::Ours(bits) => {
                if let Some(num) = Num::from_bits(bits) {
                    wake(num);
                }
            }
            Kept::Foreign(waker) => waker.wake(),
        }
    }

    /// The number that it wakes; `None` for somebody else's waker or nobody.
    pub(crate) fn number(&self) -> Option<Num> {
        match &self.0 {
            Kept::Ours(bits) => Num::from_bits(*bits),
            Kept::Foreign(waker) => number(waker),
        }
    }

    /// The task that it wakes, as traces name it; `None` for somebody else's waker or nobody.
    #[must_use]
    pub fn who(&self) -> Option<trace::Who> {
        self.number().and_then(trace::who)
    }
}

impl Default for KeptWaker {
    fn default() -> Self {
        KeptWaker::NOBODY
    }
}

impl std::fmt::Debug for KeptWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kept::Ours(bits) => match Num::from_bits(*bits) {
                Some(num) => write!(f, "KeptWaker({num:?})"),
                None => f.write_str("KeptWaker(nobody)"),
            },
            Kept::Foreign(_) => f.write_str("KeptWaker(foreign)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_waker_is_two_words() {
        assert_eq!(size_of::<KeptWaker>(), 16);
    }

    #[test]
    fn a_waker_kept_outside_its_loop_is_a_clone() {
        let ours = crate::waker::waker(Num::new(3, 1, 1));
        assert!(matches!(KeptWaker::new(&ours).0, Kept::Foreign(_)));
        assert!(KeptWaker::new(&ours).will_wake(&ours));
        assert!(!KeptWaker::NOBODY.will_wake(&ours));
    }
}
