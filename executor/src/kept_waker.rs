//! How does a leaf keep whom it is to wake? In one word: a bare number where that is sound.
//!
//! ```text
//!   KeptWaker ─┬─ a number          ours, of the loop that runs on this thread: nothing is cloned
//!              ├─ NOBODY            the generation of a slot that is retired: no number has it
//!              └─ generation zero   somebody else's: the place of a clone in this thread's table ─► Waker
//! ```
//!
//! Eight bytes in each task's header, in each node of a wait list and in each timer: what all pay for, so
//! that it is small; a waker that is not ours costs a place in a table more.
//!
//! Invariants:
//! - **A place is owned.** Its `KeptWaker` alone names it, and empties it when it is woken or dropped.
//! - **One thread.** A `KeptWaker` is `!Send`, so that its place is in the table of its own thread.
//! - **No user code under a borrow** of the table: wakers are cloned before, and woken and dropped after.
//! - **At any time.** The table has no destructor, so that a thread's exit finds it. It is given back
//!   whenever it is empty, and so nothing is left of it.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::task::Waker;

use slab::Slab;

use crate::num::{GENERATION_MASK, Num};
use crate::route::{reporting_panics, wake};
use crate::trace;
use crate::waker::{number, running};

/// No number: its generation is beyond the last. Not zero, so that an `Option` of it, and a slab's entry,
/// need no word more.
const NOBODY: NonZeroU64 = NonZeroU64::new(GENERATION_MASK as u64).expect("it is not zero");

thread_local! {
    static FOREIGN: ManuallyDrop<RefCell<Slab<Waker>>> =
        const { ManuallyDrop::new(RefCell::new(Slab::new())) };
}

/// A waker as a leaf of ours keeps it: a bare number where that is sound, else a real clone.
///
/// A leaf keeps whom to wake between two polls. Where the waker is ours and its loop is the one
/// that runs on this thread, the number alone is enough: no clone, no drop, no atomic. In every
/// other case the leaf owns a clone.
pub struct KeptWaker {
    bits: NonZeroU64,
    /// The number alone is sound on the loop's own thread, and the table is this thread's.
    _not_send: PhantomData<*const ()>,
}

/// What the word says.
enum Kept {
    Nobody,
    Ours(Num),
    /// Where the clone is.
    Foreign(usize),
}

impl KeptWaker {
    /// Nobody: waking it does nothing.
    pub const NOBODY: KeptWaker = KeptWaker::of(NOBODY);

    const fn of(bits: NonZeroU64) -> KeptWaker {
        KeptWaker { bits, _not_send: PhantomData }
    }

    /// Keeps `waker`.
    #[inline]
    #[must_use]
    pub fn new(waker: &Waker) -> KeptWaker {
        KeptWaker::ours(waker).unwrap_or_else(|| KeptWaker::foreign(waker))
    }

    /// Keeps `waker` if it is one of the running loop's: that clones nothing, and calls nobody.
    #[inline]
    #[must_use]
    pub fn ours(waker: &Waker) -> Option<KeptWaker> {
        let num = number(waker)?;
        let here = running(|core| core.index() == num.loop_index()) == Some(true);
        here.then_some(KeptWaker::of(num.non_zero()))
    }

    #[cold]
    fn foreign(waker: &Waker) -> KeptWaker {
        let waker = waker.clone();
        let place = FOREIGN.with(|table| table.borrow_mut().insert(waker));
        let bits = (place as u64 + 1) << GENERATION_MASK.count_ones();
        KeptWaker::of(NonZeroU64::new(bits).expect("so many clones do not fit in memory"))
    }

    #[inline]
    fn kept(&self) -> Kept {
        if self.bits.get() & u64::from(GENERATION_MASK) == 0 {
            let place = (self.bits.get() >> GENERATION_MASK.count_ones()) - 1;
            return Kept::Foreign(place as usize);
        }
        match Num::from_bits(self.bits.get()) {
            Some(num) if !self.is_nobody() => Kept::Ours(num),
            _ => Kept::Nobody,
        }
    }

    /// Takes the clone out of its place; nobody is kept any more.
    #[cold]
    fn take_foreign(&mut self) -> Option<Waker> {
        let Kept::Foreign(place) = self.kept() else { return None };
        self.bits = NOBODY;
        FOREIGN.with(|table| {
            let mut table = table.borrow_mut();
            let waker = table.remove(place);
            if table.is_empty() {
                *table = Slab::new();
            }
            Some(waker)
        })
    }

    /// Whether this wakes the same task as `waker`.
    #[inline]
    #[must_use]
    pub fn will_wake(&self, waker: &Waker) -> bool {
        match self.kept() {
            Kept::Foreign(place) => FOREIGN.with(|table| table.borrow()[place].will_wake(waker)),
            // No number is nobody's.
            _ => number(waker).is_some_and(|num| num.non_zero() == self.bits),
        }
    }

    /// Whether nobody is kept.
    #[inline]
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.bits == NOBODY
    }

    /// Whether it is certain that this wakes nobody: its task or child has ended.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let is_stale = |num: Num| {
            running(|core| core.index() == num.loop_index() && !core.slots.borrow().is_live(num))
        };
        match self.kept() {
            Kept::Nobody => true,
            Kept::Ours(num) => is_stale(num) == Some(true),
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
    pub fn wake_in_the_loop(mut self) {
        match self.kept() {
            Kept::Nobody => {}
            Kept::Ours(num) => wake(num),
            Kept::Foreign(_) => {
                reporting_panics(|| self.take_foreign().into_iter().for_each(Waker::wake));
            }
        }
    }

    /// `[6]` wake: call it when no borrow is held.
    #[inline]
    pub fn wake(mut self) {
        match self.kept() {
            Kept::Nobody => {}
            Kept::Ours(num) => wake(num),
            Kept::Foreign(_) => self.take_foreign().into_iter().for_each(Waker::wake),
        }
    }

    /// The number that it wakes; `None` for somebody else's waker or nobody.
    pub(crate) fn number(&self) -> Option<Num> {
        match self.kept() {
            Kept::Nobody => None,
            Kept::Ours(num) => Some(num),
            Kept::Foreign(place) => FOREIGN.with(|table| number(&table.borrow()[place])),
        }
    }

    /// The task that it wakes, as traces name it; `None` for somebody else's waker or nobody.
    #[must_use]
    pub fn who(&self) -> Option<trace::Who> {
        self.number().and_then(trace::who)
    }
}

impl Drop for KeptWaker {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.kept(), Kept::Foreign(_)) {
            drop(self.take_foreign());
        }
    }
}

impl Default for KeptWaker {
    fn default() -> Self {
        KeptWaker::NOBODY
    }
}

impl fmt::Debug for KeptWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept() {
            Kept::Nobody => f.write_str("KeptWaker(nobody)"),
            Kept::Ours(num) => write!(f, "KeptWaker({num:?})"),
            Kept::Foreign(_) => f.write_str("KeptWaker(foreign)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_kept_waker_is_one_word() {
        assert_eq!(size_of::<Option<KeptWaker>>(), 8);
    }

    #[test]
    fn a_waker_kept_outside_its_loop_is_a_clone() {
        let ours = crate::waker::waker(Num::new(3, 1, 1));
        let kept = KeptWaker::new(&ours);
        assert!(matches!(kept.kept(), Kept::Foreign(_)));
        assert!(kept.will_wake(&ours));
        assert_eq!(kept.number(), Some(Num::new(3, 1, 1)));
        assert!(!KeptWaker::NOBODY.will_wake(&ours));
    }

    #[test]
    fn clones_are_each_in_a_place_of_their_own_and_nothing_is_left_of_them() {
        let counts = [(); 3].map(|()| Arc::new(Counting::default()));
        let wakers = counts.clone().map(Waker::from);
        let [first, mut second, third] = [0, 1, 2].map(|n| KeptWaker::new(&wakers[n]));
        assert!(first.will_wake(&wakers[0]) && !first.will_wake(&wakers[1]));
        first.wake();
        let taken = second.take();
        assert!(second.is_nobody() && taken.will_wake(&wakers[1]));
        drop(third);
        taken.wake_in_the_loop();
        drop(wakers);
        let woken = counts.each_ref().map(|count| count.0.load(Ordering::Relaxed));
        assert_eq!(woken, [1, 1, 0]);
        assert!(counts.iter().all(|count| Arc::strong_count(count) == 1), "a clone is left");
        assert_eq!(FOREIGN.with(|table| table.borrow().capacity()), 0, "the table was given back");
    }
}
