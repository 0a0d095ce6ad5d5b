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

/// A child, as a rule; somebody who is queued already or has ended, or another loop's.
#[inline(never)]
fn wake_slow(num: Num) {
    let done = running(|core| core.index() == num.loop_index() && core.wake_child_fast(num));
    if done != Some(true) {
        wake_slower(num);
    }
}

#[inline(never)]
fn wake_slower(num: Num) {
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
    count_clones(num, 1);
}

/// A clone has gone.
#[inline]
pub(crate) fn dropped(num: Num) {
    count_clones(num, -1);
}

#[inline]
fn count_clones(num: Num, change: i32) {
    if !here(num, |slots| slots.count_clones_fast(num, change)) {
        count_clones_slow(num, change);
    }
}

/// Counts where the loop runs; else it is told through its inbox, under one lock with wakes, and in order.
#[inline(never)]
fn count_clones_slow(num: Num, change: i32) {
    let counted = here(num, |slots| {
        slots.count_clones(num, change);
        true
    });
    if !counted {
        tell(num, if change > 0 { Item::Cloned(num) } else { Item::Dropped(num) });
    }
}

/// What `f` says of the slots, if they are those of the loop that runs here and can be borrowed; else no.
#[inline]
fn here(num: Num, f: impl FnOnce(&mut Slots) -> bool) -> bool {
    let said = running(|core| {
        core.index() == num.loop_index()
            && core.slots.try_borrow_mut().is_ok_and(|mut slots| f(&mut slots))
    });
    said == Some(true)
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
