//! How does an inner deadline know of the outer ones? They are polled within one another.
//!
//! The future that has a deadline says so while it polls its body; what is polled inside sees the
//! earliest of all that are around it. An inner one that is due leaves the report to an outer one
//! that is due as well: that one is asked next, in the same poll.
//!
//! Invariant: **only what is around**: the guard puts back what was, also in a panic, and another
//! loop that runs inside of a poll begins with none.
//!
//! Cost: a load and two stores in a thread-local without a destructor; one that does not know its deadline
//! yet adds none, and pays nothing.

use std::cell::Cell;
use std::task::Context;

use super::Instant;

thread_local! {
    static ENCLOSING: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The earliest deadline around, while a future with a deadline of its own polls its body.
///
/// For those who build futures with deadlines.
#[derive(Debug)]
pub struct Enclosing(Option<Instant>);

impl Enclosing {
    /// Adds a deadline to those that are around; until the guard is dropped.
    #[inline]
    #[must_use = "the deadline is around until this is dropped"]
    pub fn enter(deadline: Instant) -> Enclosing {
        let around = ENCLOSING.get();
        ENCLOSING.set(Some(around.map_or(deadline, |around| around.min(deadline))));
        Enclosing(around)
    }

    /// None is around: another loop is entered.
    pub(crate) fn nothing() -> Enclosing {
        Enclosing(ENCLOSING.replace(None))
    }

    /// Whether one of those that are around is past.
    #[must_use]
    pub fn is_over() -> bool {
        ENCLOSING.get().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// For one whose own time is over as well, where [`Enclosing::is_over`] is: it returns Pending and
    /// leaves it to the outer one to stop it. Should that one be moved to later before it is asked,
    /// this one has to be asked again, and nobody else would wake it.
    #[cold]
    pub fn leave_it(cx: &Context<'_>) {
        cx.waker().wake_by_ref();
    }
}

impl Drop for Enclosing {
    #[inline]
    fn drop(&mut self) {
        ENCLOSING.set(self.0);
    }
}
