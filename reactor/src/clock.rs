//! What time is it for this loop? The real time, or one that jumps when nothing is to be done.
//!
//! Invariants:
//! - **Never backwards**: two readings of one loop are in order.
//! - **A jump goes to the next deadline**, never past it, and only where `Reactor::park` finds that
//!   nothing else can happen first.
//! - **Moved by hand, it jumps all the same**: an `advance` is a permission to jump up to its target.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::time::Instant;

/// When may a virtual clock jump, by itself, and with I/O to outside peers under way?
///
/// A peer is *outside* if its end of the connection is not in the same loop: the kernel does not
/// say whether it will answer. Listeners do not count; they are idle by nature. Between two tasks of
/// the loop all bytes are counted, and the clock never jumps over such as are on their way. (Under a
/// virtual clock streams have `TCP_NODELAY` set.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jump {
    /// Once nothing has happened for this long in real time. Zero: at once.
    AfterQuiet(Duration),
    /// Not while a task waits for an outside peer.
    HoldOnIo,
    /// Never by itself, only while somebody moves it: see [`time::advance`](crate::time::advance).
    ///
    /// Where everybody sleeps and nobody is left to move the clock, that is a deadlock.
    Manual,
}

impl Default for Jump {
    fn default() -> Jump {
        Jump::AfterQuiet(Duration::from_millis(20))
    }
}

#[derive(Debug)]
pub(crate) enum Clock {
    Real,
    Virtual {
        now: Cell<Instant>,
        jump: Jump,
        /// The targets of those who are moving it.
        targets: RefCell<Vec<Instant>>,
    },
}

impl Clock {
    /// A virtual clock that shows the real time of this moment and stands still.
    pub(crate) fn paused(jump: Jump) -> Clock {
        let (now, targets) = (Cell::new(Instant::real()), RefCell::default());
        Clock::Virtual { now, jump, targets }
    }

    /// A fresh reading. Cost: 20 ns for the real one.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match self {
            Clock::Real => Instant::real(),
            Clock::Virtual { now, .. } => now.get(),
        }
    }

    /// Somebody moves the clock up to `target`.
    pub(crate) fn permit(&self, target: Instant) {
        if let Clock::Virtual { targets, .. } = self {
            targets.borrow_mut().push(target);
        }
    }

    /// The end of a `permit`.
    pub(crate) fn forbid(&self, target: Instant) {
        if let Clock::Virtual { targets, .. } = self {
            let mut targets = targets.borrow_mut();
            if let Some(at) = targets.iter().position(|other| *other == target) {
                targets.swap_remove(at);
            }
        }
    }

    /// Whether somebody moves the clock to `moment` or beyond.
    pub(crate) fn is_moved_to(&self, moment: Instant) -> bool {
        match self {
            Clock::Real => false,
            Clock::Virtual { targets, .. } => targets.borrow().iter().any(|end| *end >= moment),
        }
    }

    /// Whether a deadline will come by itself: it does, but where only somebody moves the clock.
    pub(crate) fn reaches(&self, deadline: Instant) -> bool {
        match self {
            Clock::Virtual { jump: Jump::Manual, .. } => self.is_moved_to(deadline),
            Clock::Real | Clock::Virtual { .. } => true,
        }
    }

    /// Whether it stands still until somebody moves it.
    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Clock::Virtual { jump: Jump::Manual, .. })
    }
}
