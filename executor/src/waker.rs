//! What is a [`Waker`] of ours? A number: its data pointer *is* the task's number; and the loop in
//! which that is to be found is the one that runs on this thread.
//!
//! ```text
//! Waker ─┬─ vtable: &VTABLE            one static for the whole process: how ours is recognised
//!        └─ data:   Num as a pointer   never dereferenced, owns nothing
//!
//! RUNNING (thread-local) ──► Core      kept alive by the `Entered` that has set it
//! ```
//!
//! Invariants:
//! - **One vtable.** `VTABLE` is a `static`, never a `const` and never promoted: its address is
//!   the same in every crate, so [`number`] can recognise our wakers by one comparison.
//! - **Data is a number.** Behind `VTABLE` the data pointer holds the bits of a [`Num`] without
//!   provenance; nothing reads through it, so all four functions may run on any thread, at any
//!   time, also when the loop is long gone.
//! - **Clones are counted**, exactly: +1 before `clone` returns, −1 for each drop and each `wake` by
//!   value. The waker that a poll is given is not a clone, and is never dropped.
//! - **Running is alive.** `RUNNING` is null or points into the `Rc` that the innermost `Entered` of
//!   this thread holds: `enter` sets it, and the drop of that `Entered`, which is never leaked,
//!   puts back what was there before.
//!
//! Cost on the loop's own thread: a wake three comparisons and a push (see `route`), a clone and its
//! drop 7 ns; our own leaves make none. This file does not decide where a wake goes.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::ptr;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::core::Core;
use crate::num::Num;
use crate::route;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The number behind a waker of ours; `None` for a waker of somebody else's.
///
/// Cost: one comparison (0.6 ns).
#[inline]
#[must_use]
pub fn number(waker: &Waker) -> Option<Num> {
    if ptr::eq(waker.vtable(), &VTABLE) { unpack(waker.data()) } else { None }
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

/// A clone is counted: as long as it lives its task can be woken, and no deadlock is certain.
fn clone(data: *const ()) -> RawWaker {
    if let Some(num) = unpack(data) {
        route::cloned(num);
    }
    RawWaker::new(data, &VTABLE)
}

/// [6] wake, and the end of a clone, in this order.
fn wake(data: *const ()) {
    if let Some(num) = unpack(data) {
        route::wake_and_drop(num);
    }
}

fn wake_by_ref(data: *const ()) {
    if let Some(num) = unpack(data) {
        route::wake(num); // [6] wake
    }
}

fn drop_waker(data: *const ()) {
    if let Some(num) = unpack(data) {
        route::dropped(num);
    }
}

thread_local! {
    /// The loop that is running on this thread, or null. It has no destructor, so that it can be
    /// asked for at any time, at the thread's exit too.
    static RUNNING: Cell<*const Core> = const { Cell::new(ptr::null()) };
}

/// Calls `f` with the loop that runs on this thread. `f` must not leave that loop.
#[inline]
pub(crate) fn running<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    let core = RUNNING.get();
    // SAFETY: *Running is alive*: it is null, or its `Entered` keeps the core alive. Only a drop of
    // that `Entered` could end it while `f` runs, and that belongs to a frame below this one.
    unsafe { core.as_ref() }.map(f)
}

/// Makes `core` the running loop of this thread until the guard is dropped.
pub(crate) fn enter(core: Rc<Core>) -> Entered {
    let before = RUNNING.replace(Rc::as_ptr(&core));
    Entered { _core: core, before }
}

/// Puts back what ran before: loops of one thread nest like calls, panics included.
#[must_use = "the loop runs while this lives; never leak it"]
pub(crate) struct Entered {
    _core: Rc<Core>,
    before: *const Core,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The core itself is dropped after this, when nobody can find it any more.
        RUNNING.set(self.before);
    }
}

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
