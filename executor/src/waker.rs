//! How does a task get a [`Waker`] that costs nothing? Its data pointer *is* the task's number.
//!
//! ```text
//! Waker ─┬─ vtable: &VTABLE            one static for the whole process: how ours is recognised
//!        └─ data:   Num as a pointer   never dereferenced, owns nothing
//! ```
//!
//! Invariants:
//! - **One vtable.** `VTABLE` is a `static`, never a `const` and never promoted: its address is
//!   the same in every crate, so [`number`] can recognise our wakers by one comparison.
//! - **Data is a number.** Behind `VTABLE` the data pointer holds the bits of a [`Num`] without
//!   provenance; nothing reads through it. Cloning copies it and dropping forgets it, so all four
//!   functions may run on any thread, at any time, also when the loop is long gone.
//!
//! Cost: clone and drop nothing at all; a wake on the loop's own thread two comparisons and a push
//! (see `route`). This file does not decide where a wake goes.

use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::num::Num;
use crate::route;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_waker);

/// The number behind a waker of ours; `None` for a waker of somebody else's.
///
/// Cost: one comparison (0.6 ns).
#[inline]
#[must_use]
pub fn number(waker: &Waker) -> Option<Num> {
    if ptr::eq(waker.vtable(), &VTABLE) {
        unpack(waker.data())
    } else {
        None
    }
}

/// A waker for `num`. It owns nothing; the wrapper saves the useless call of its drop.
#[inline]
pub(crate) fn waker(num: Num) -> ManuallyDrop<Waker> {
    // SAFETY: *Data is a number* (module doc): every function of `VTABLE` takes any data pointer
    // made by `pack`, on any thread, and none reads through it; so RawWaker's contract holds.
    ManuallyDrop::new(unsafe { Waker::new(pack(num), &VTABLE) })
}

#[inline]
fn pack(num: Num) -> *const () {
    ptr::without_provenance(num.bits() as usize)
}

#[inline]
fn unpack(data: *const ()) -> Option<Num> {
    NonZeroU64::new(data.addr() as u64).and_then(|bits| Num::from_bits(bits.get()))
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

/// `wake` and `wake_by_ref` are one: there is nothing to give back.
fn wake(data: *const ()) {
    if let Some(num) = unpack(data) {
        route::wake(num); // [6] wake
    }
}

fn drop_waker(_data: *const ()) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waker_cloned_keeps_its_number_and_a_foreign_one_has_none() {
        let num = Num::new(7, 8, 9);
        let ours = waker(num);
        let clone = Waker::clone(&ours);
        assert_eq!(number(&clone), Some(num));
        assert!(clone.will_wake(&ours));
        assert_eq!(number(Waker::noop()), None);
    }
}
