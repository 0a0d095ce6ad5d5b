//! How does a lost wake fail a test instead of hanging it? Its park does not wait for ever.
//!
//! ```text
//!   Executor ── park(limit) ──► BoundedPark ── min(limit, PATIENCE) ──► ThreadPark
//!   inbox ───── unpark ───────► counted ──────────────────────────────► its bell
//! ```
//!
//! Invariants:
//! - **Bounded**: a wait without a limit that nobody ends within [`PATIENCE`] is an error.
//! - **Counted**: each unpark, and each wait that may block, once.
//! - **Announced before it waits**: the loop counts as parked when the announcement is sent.
//!
//! It has no clock that the executor sees, so runs are decided by counts alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use lone_executor::{LoopNumber, Park, Release, ThreadPark, Unpark};

/// How long a wait may take: a test that needs longer has lost a wake (valgrind is slow, too).
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A [`ThreadPark`] that counts, announces, and does not wait for ever.
#[derive(Debug)]
pub struct BoundedPark {
    inner: ThreadPark,
    bell: Arc<CountedBell>,
    looks: usize,
    waits: usize,
    announce: Option<Sender<()>>,
}

struct CountedBell {
    inner: Arc<dyn Unpark>,
    unparks: AtomicUsize,
}

impl BoundedPark {
    /// A park of its own.
    #[must_use]
    pub fn new() -> BoundedPark {
        let inner = ThreadPark::new();
        let bell = CountedBell { inner: inner.unparker(), unparks: AtomicUsize::new(0) };
        BoundedPark { inner, bell: Arc::new(bell), looks: 0, waits: 0, announce: None }
    }

    /// A park that sends a message each time that it is about to wait.
    #[must_use]
    pub fn announcing(to: Sender<()>) -> BoundedPark {
        BoundedPark { announce: Some(to), ..BoundedPark::new() }
    }

    /// How often it has been unparked.
    #[must_use]
    pub fn unparks(&self) -> usize {
        self.bell.unparks.load(Ordering::SeqCst)
    }

    /// How often it was looked at without waiting.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.looks
    }

    /// How often the loop has waited here.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.waits
    }
}

impl Default for BoundedPark {
    fn default() -> BoundedPark {
        BoundedPark::new()
    }
}

impl Park for BoundedPark {
    fn park(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            self.looks += 1;
            return self.inner.park(limit);
        }
        self.waits += 1;
        if let Some(announce) = &self.announce {
            // A test that has heard enough has dropped its end.
            let _ = announce.send(());
        }
        let begin = Instant::now();
        self.inner.park(Some(limit.unwrap_or(PATIENCE)))?;
        if limit.is_none() && begin.elapsed() >= PATIENCE {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("nobody has woken the loop for {PATIENCE:?}: a wake was lost"),
            ));
        }
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.inner.rest()
    }

    fn unparker(&self) -> Arc<dyn Unpark> {
        self.bell.clone()
    }

    type Entered = ();

    fn enter(&self, _number: LoopNumber) {}

    fn can_wake(&self) -> bool {
        self.inner.can_wake()
    }

    fn release(&mut self, what: Release) {
        self.inner.release(what);
    }

    fn reading(&self) -> Option<Duration> {
        None
    }
}

impl Unpark for CountedBell {
    fn unpark(&self) {
        self.unparks.fetch_add(1, Ordering::SeqCst);
        self.inner.unpark();
    }
}

impl std::fmt::Debug for CountedBell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CountedBell").field("unparks", &self.unparks).finish_non_exhaustive()
    }
}
