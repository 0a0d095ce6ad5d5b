//! What do sleeps and sockets reach? The part of their loop's reactor that this thread knows.
//!
//! ```text
//!   Sleep, TcpStream …        plain data: loop number, key, generation      Send + Sync
//!        │ poll, drop
//!        ▼
//!   LOCAL (thread-local) ──► Local { timers, sources, clock, registry }     !Send
//!        │ another loop's, or none?
//!        ▼
//!   poll: an error that says so        drop: through the loop's inbox
//! ```
//!
//! Invariant: **no user code under a borrow** of timers or sources; a waker to wake or to drop is
//! carried out of it first.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::Duration;

use lone_executor::LoopNumber;

use crate::clock::Clock;
use crate::sources::Sources;
use crate::time::{Enclosing, Instant};
use crate::timers::Timers;

thread_local! {
    /// The reactor of the loop that runs on this thread. Without a destructor, which would have each access
    /// ask whether it has run; there is nothing to drop, for whoever enters leaves.
    static LOCAL: ManuallyDrop<RefCell<Option<Rc<Local>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

pub(crate) struct Local {
    /// Known once the loop has been entered.
    number: Cell<Option<LoopNumber>>,
    clock: Clock,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) sources: RefCell<Sources>,
    pub(crate) registry: mio::Registry,
    /// When it was last said that descriptors have run out.
    said_shortage: Cell<Option<Instant>>,
    /// The process that made it: a forked child shares our descriptors, and must leave them alone.
    pid: u32,
}

impl Local {
    pub(crate) fn new(clock: Clock, registry: mio::Registry) -> Local {
        let start = clock.now();
        Local {
            number: Cell::new(None),
            timers: RefCell::new(Timers::new(start)),
            sources: RefCell::new(Sources::new(matches!(clock, Clock::Virtual { .. }))),
            clock,
            registry,
            said_shortage: Cell::new(None),
            pid: std::process::id(),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether bytes are to be counted: under a virtual clock.
    #[inline]
    pub(crate) fn counts(&self) -> bool {
        matches!(self.clock, Clock::Virtual { .. })
    }

    /// Whether it may be said that descriptors have run out: not twice within `pause`.
    pub(crate) fn may_say_shortage(&self, pause: Duration) -> bool {
        let now = self.clock.now();
        let may = self.said_shortage.get().is_none_or(|said| now - said >= pause);
        if may {
            self.said_shortage.set(Some(now));
        }
        may
    }

    /// The number of this reactor's loop.
    pub(crate) fn number(&self) -> LoopNumber {
        self.number.get().expect("a reactor is reached only through the loop that has entered it")
    }

    /// Whether this process is the one that made the reactor.
    pub(crate) fn is_own_process(&self) -> bool {
        self.pid == std::process::id()
    }
}

/// Calls `f` with the reactor of the loop that runs on this thread. `f` must not run user code.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Rc<Local>) -> R) -> Option<R> {
    LOCAL.with(|local| local.try_borrow().ok().and_then(|local| local.as_ref().map(f)))
}

/// As [`with`], but only if that loop has this number.
#[inline]
pub(crate) fn with_number<R>(number: LoopNumber, f: impl FnOnce(&Rc<Local>) -> R) -> Option<R> {
    with(|local| (local.number.get() == Some(number)).then(|| f(local))).flatten()
}

/// Makes `local` the reactor of this thread until the guard is dropped.
pub(crate) fn enter(local: &Rc<Local>, number: LoopNumber) -> Entered {
    local.number.set(Some(number));
    let before = LOCAL.with(|cell| cell.replace(Some(local.clone())));
    Entered { before, _deadlines: Enclosing::nothing() }
}

/// What ran before on this thread: put back when this is dropped.
#[derive(Debug)]
pub struct Entered {
    before: Option<Rc<Local>>,
    _deadlines: Enclosing,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // Taken out first, dropped after the borrow has ended.
        let local = LOCAL.with(|cell| cell.replace(before));
        drop(local);
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("number", &self.number.get()).finish_non_exhaustive()
    }
}
