//! Why can no task keep the loop to itself? Each poll has a budget of operations.
//!
//! An operation of ours that could go on at once asks first. While the budget lasts it is granted.
//! Once it is spent the operation is *refused*: it wakes its own task at once and returns Pending,
//! before it has any effect. After 8 refusals within one poll the budget is filled again: only a
//! combinator that goes on polling its other children asks that often, and it has given way by
//! then.
//!
//! Invariants:
//! - **Refused before any effect**: no item taken, no permit held.
//! - **Woken at once, never deferred**: combinators like `FuturesUnordered` see that a child woke
//!   itself and give way; a wake that comes later hides that and makes them quadratic.
//! - **Waiting is free**: an operation that is Pending by itself gives back what it was granted.
//!
//! Cost: two loads and a store in a thread-local without a destructor.

use std::cell::Cell;
use std::task::{Context, Poll};

/// How many operations a poll may do, unless the builder says otherwise.
pub const DEFAULT_BUDGET: u16 = 128;

/// How many refusals within one poll fill the budget again.
const REFUSALS: u16 = 8;

/// One word, always written whole: a part of it that was written is not there yet for whoever reads the
/// whole, and has him wait.
///
/// ```text
///  63      48 47      32 31      16 15       0
/// ┌──────────┬──────────┬──────────┬──────────┐
/// │          │ full     │ refusals │ left     │
/// └──────────┴──────────┴──────────┴──────────┘
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Budget(u64);

impl Budget {
    /// Where no loop polls, nothing is refused.
    const UNLIMITED: Budget = Budget::new(u16::MAX, 0, u16::MAX);

    pub(crate) const fn full(size: u16) -> Budget {
        Budget::new(size, 0, size)
    }

    const fn new(left: u16, refusals: u16, full: u16) -> Budget {
        Budget((full as u64) << 32 | (refusals as u64) << 16 | left as u64)
    }

    const fn left(self) -> u16 {
        self.0 as u16
    }

    const fn refusals(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// How many a poll begins with.
    const fn size(self) -> u16 {
        (self.0 >> 32) as u16
    }
}

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(Budget::UNLIMITED) };
}

/// Sets the budget of what is polled next; returns the one that was in force.
#[inline]
pub(crate) fn replace(budget: Budget) -> Budget {
    BUDGET.with(|cell| cell.replace(budget))
}

/// Sets the budget of what is polled next.
#[inline]
pub(crate) fn set(budget: Budget) {
    BUDGET.with(|cell| cell.set(budget));
}

/// Sets the budget for a poll of a child: a full one of its own.
pub(crate) fn refill() -> Budget {
    BUDGET.with(|cell| cell.replace(Budget::full(cell.get().size())))
}

/// Nobody is polled for now; what was in force is put back when the guard is dropped.
pub(crate) fn suspend() -> Suspended {
    Suspended(replace(Budget::UNLIMITED))
}

/// Puts back the budget that was in force, when it is dropped.
pub(crate) struct Suspended(Budget);

impl Drop for Suspended {
    fn drop(&mut self) {
        set(self.0);
    }
}

/// Asks for one operation: call it first in the poll of a leaf future.
///
/// Pending: refused, and `cx` has been woken. Ready: granted; if you then have to wait, call
/// [`give_back`].
#[inline]
pub fn take(cx: &mut Context<'_>) -> Poll<()> {
    BUDGET.with(|cell| {
        let Budget(word) = cell.get();
        if Budget(word).left() == 0 {
            return refuse(cell, cx);
        }
        cell.set(Budget(word - 1));
        Poll::Ready(())
    })
}

#[cold]
fn refuse(cell: &Cell<Budget>, cx: &mut Context<'_>) -> Poll<()> {
    let budget = cell.get();
    let (size, refusals) = (budget.size(), budget.refusals() + 1);
    if size == u16::MAX {
        return Poll::Ready(());
    }
    if refusals > REFUSALS {
        cell.set(Budget::new(size - 1, 0, size));
        return Poll::Ready(());
    }
    cell.set(Budget::new(0, refusals, size));
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Gives back what the last [`take`] granted: the operation has to wait, and waiting is free.
#[inline]
pub fn give_back() {
    BUDGET.with(|cell| {
        let budget = cell.get();
        if budget.left() < budget.size() {
            cell.set(Budget(budget.0 + 1));
        }
    });
}

/// Calls `f` with a full budget of its own, and puts back what is left of the one in force.
///
/// For combinators that poll several in turn: one of them that never waits leaves the others theirs.
///
/// # Examples
///
/// ```
/// use lone::budget;
///
/// lone::run(async {
///     let semaphore = lone::Semaphore::new(1);
///     let _permit = semaphore.acquire().await; // one operation
///     let left = budget::remaining();
///     assert_eq!(budget::own(budget::remaining), left.map(|left| left + 1));
///     assert_eq!(budget::remaining(), left);
/// });
/// ```
#[inline]
pub fn own<R>(f: impl FnOnce() -> R) -> R {
    let _suspended = Suspended(refill());
    f()
}

/// How many operations the running poll has left; `None` where no loop of ours polls.
///
/// For combinators that want to stop in time, and for the curious.
///
/// # Examples
///
/// ```
/// assert_eq!(lone::budget::remaining(), None);
/// lone::run(async {
///     let semaphore = lone::Semaphore::new(1);
///     let before = lone::budget::remaining();
///     let _permit = semaphore.acquire().await; // one operation
///     assert_eq!(lone::budget::remaining(), before.map(|left| left - 1));
/// });
/// ```
#[must_use]
pub fn remaining() -> Option<u16> {
    BUDGET.with(|cell| {
        let budget = cell.get();
        (budget.size() != u16::MAX).then_some(budget.left())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_spent_budget_refuses_eight_times_and_is_filled_again() {
        let before = replace(Budget::full(3));
        let mut cx = Context::from_waker(Waker::noop());
        let answers: Vec<bool> = (0..16).map(|_| take(&mut cx).is_ready()).collect();
        replace(before);
        let granted = |n| std::iter::repeat_n(true, n);
        let refused = |n| std::iter::repeat_n(false, n);
        let expected: Vec<bool> =
            granted(3).chain(refused(8)).chain(granted(3)).chain(refused(2)).collect();
        assert_eq!(answers, expected);
    }

    #[test]
    fn waiting_gives_back_and_never_more_than_full() {
        let before = replace(Budget::full(2));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            assert!(take(&mut cx).is_ready());
            give_back();
        }
        give_back();
        assert_eq!(remaining(), Some(2));
        replace(before);
        assert_eq!(remaining(), None);
    }
}
