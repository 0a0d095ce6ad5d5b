//! What time is it for this loop? The real time, or one that jumps when nothing is to be done.
//!
//! Invariants:
//! - **Never backwards**: two readings of one loop are in order.
//! - **A jump goes to the next deadline**, never past it, and only where `Reactor::park` finds that
//!   nothing else can happen first.

use std::cell::Cell;
use std::time::Duration;

use crate::time::Instant;

/// When may a virtual clock jump, with I/O to outside peers under way?
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
}

impl Default for Jump {
    fn default() -> Jump {
        Jump::AfterQuiet(Duration::from_millis(20))
    }
}

#[derive(Debug)]
pub(crate) enum Clock {
    Real,
    Virtual { now: Cell<Instant>, jump: Jump },
}

impl Clock {
    /// A virtual clock that shows the real time of this moment and stands still.
    pub(crate) fn paused(jump: Jump) -> Clock {
        Clock::Virtual { now: Cell::new(Instant::real()), jump }
    }

    /// A fresh reading. Cost: 20 ns for the real one.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match self {
            Clock::Real => Instant::real(),
            Clock::Virtual { now, .. } => now.get(),
        }
    }
}
