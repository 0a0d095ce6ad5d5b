//! How does a loop know that another thread works for it? Each job is counted while it is in flight.
//!
//! ```text
//!   InFlight::new ── +1 ──► inbox ◄── −1 ── dropped, after the job has woken whom it wakes
//!                             │ ▲
//!                             │ └─ −1 / +1 ── a job that blocks until the loop does something (`thread_wait`)
//!                             ▼
//!        more than 0: no deadlock is certain, and a virtual clock stands still
//! ```
//!
//! Invariants:
//! - **Wake first, then leave**: whoever looks at wake and count under the inbox's lock sees one of them.
//! - **A job that waits for its loop is not in flight**; whoever ends that wait counts it again, before
//!   the loop can look.
//!
//! Cost: a lock for each job's begin and end. It does not run jobs, and knows no threads.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::inbox::Inbox;
use crate::waker::running;

/// A job that another thread does for a loop: counted while this lives.
///
/// Until it is dropped no deadlock is certain, and a virtual clock stands still: so drop it after
/// the job has told its outcome.
pub struct InFlight {
    inbox: Arc<Inbox>,
}

thread_local! {
    /// The loop for which this thread does a job.
    static WORKS_FOR: RefCell<Option<Arc<Inbox>>> = const { RefCell::new(None) };
}

impl InFlight {
    /// A job of the loop that runs on this thread; `None` where none does.
    #[must_use]
    pub fn new() -> Option<InFlight> {
        let inbox = running(|core| core.inbox.clone())?;
        inbox.add_job();
        Some(InFlight { inbox })
    }

    /// Runs `job` on this thread. Where it waits for its loop by means of lone's, it does not count
    /// meanwhile.
    pub fn run<R>(&self, job: impl FnOnce() -> R) -> R {
        let before = WORKS_FOR.replace(Some(self.inbox.clone()));
        let _back = PutBack(before);
        job()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.inbox.remove_job();
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

/// The end of a [`InFlight::run`], also by a panic.
struct PutBack(Option<Arc<Inbox>>);

impl Drop for PutBack {
    fn drop(&mut self) {
        let before = self.0.take();
        let _ = WORKS_FOR.try_with(|cell| cell.replace(before));
    }
}

/// The inbox of the loop for which this thread does a job.
pub(crate) fn works_for() -> Option<Arc<Inbox>> {
    WORKS_FOR.try_with(|cell| cell.borrow().clone()).ok().flatten()
}

/// Whether a virtual clock of the loop that runs on this thread must stand still: a job is in flight,
/// or something has come in since the loop last took in what there was. For parks.
#[must_use]
pub fn is_clock_held() -> bool {
    running(|core| core.inbox.holds_clock()) == Some(true)
}
