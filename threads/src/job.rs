//! How does a job's outcome reach its future? Through a mailbox with two owners.
//!
//! ```text
//!   ToThread ──► Mailbox { outcome, waker } ◄── Promise, with the closure: queued, then on a thread
//!                    │
//!                    └─ the last owner drops what nobody has read: a value as it is, a panic reported
//! ```
//!
//! Invariants:
//! - **One outcome**: the closure's value, its panic, or that it never ran.
//! - **No user code under the lock**: wakers and values are moved out, and woken or dropped after it.
//! - **Where a value that nobody wants is dropped**: on the thread, if its future went first.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lone_executor::{JoinError, Panic, report};

/// What a thread runs: a closure, and where to put what comes of it.
pub(crate) trait Job: Send {
    /// Runs it. Returns whom to wake.
    fn run(self: Box<Self>) -> Option<Waker>;

    /// The system has no thread for it: it is told so.
    fn refuse(self: Box<Self>, error: std::io::Error);
}

/// What can have the future of a job polled, though there is no outcome yet.
pub(crate) trait Nudge: Send + Sync {
    /// Wakes whoever awaits it. Runs user code: not under a lock of ours.
    fn nudge(&self);
}

pub(crate) struct Work<F, T> {
    pub(crate) closure: F,
    pub(crate) promise: Promise<T>,
    pub(crate) site: &'static Location<'static>,
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(self: Box<Self>) -> Option<Waker> {
        let Work { closure, promise, site } = *self;
        let outcome = catch_unwind(AssertUnwindSafe(closure)).map_err(|payload| {
            let whose = format!("a job on a thread, given to it at {site}");
            JoinError::Panicked(Panic::new(whose, payload))
        });
        promise.keep(outcome)
    }

    fn refuse(self: Box<Self>, error: std::io::Error) {
        // Nobody waits yet: its future has not been returned.
        drop(self.promise.keep(Err(JoinError::NoThread(error))));
    }
}

/// Where an outcome is left and fetched.
pub(crate) struct Mailbox<T>(Mutex<State<T>>);

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    taken: bool,
    waker: Option<Waker>,
}

/// Both owners have gone: a panic that nobody has read is reported now.
impl<T> Drop for State<T> {
    fn drop(&mut self) {
        if let Some(Err(JoinError::Panicked(panic))) = &self.outcome {
            report::unread_panic(panic);
        }
    }
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Arc<Mailbox<T>> {
        Arc::new(Mailbox(Mutex::new(State { outcome: None, taken: false, waker: None })))
    }

    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome, once; else the waker of `cx` is kept.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        // Cloning a waker may run user code: that is done with the lock let go.
        let mut clone = None;
        loop {
            let mut state = self.lock();
            if state.taken {
                return Poll::Ready(Err(JoinError::Taken));
            }
            if let Some(outcome) = state.outcome.take() {
                state.taken = true;
                return Poll::Ready(outcome);
            }
            if state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if clone.is_some() {
                std::mem::swap(&mut state.waker, &mut clone);
                return Poll::Pending;
            }
            drop(state);
            clone = Some(cx.waker().clone());
        }
    }

    /// Whether the outcome is there, or was taken.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.lock();
        state.outcome.is_some() || state.taken
    }

    /// Nobody polls any more: the clone of the waker would stand for somebody who might be woken.
    pub(crate) fn forget_waker(&self) {
        let waker = self.lock().waker.take();
        drop(waker);
    }
}

impl<T: Send> Nudge for Mailbox<T> {
    fn nudge(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The obligation to leave an outcome: a job that is dropped unrun says so.
pub(crate) struct Promise<T>(pub(crate) Arc<Mailbox<T>>);

impl<T> Promise<T> {
    /// Returns whom to wake.
    fn keep(&self, outcome: Result<T, JoinError>) -> Option<Waker> {
        let mut state = self.0.lock();
        debug_assert!(state.outcome.is_none() && !state.taken, "a job has one outcome");
        state.outcome = Some(outcome);
        state.waker.take()
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.0.is_full() {
            let waker = self.keep(Err(JoinError::LoopClosed));
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

thread_local! {
    /// The flag of the job that runs on this thread.
    static CANCELLED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Whether nobody wants the job any more that runs on this thread: its future was dropped, or its loop
/// ends. A job that takes long asks now and then, and returns early.
///
/// `false` on a thread that runs no job; a job that starts threads of its own has to tell them.
///
/// trio: `from_thread.check_cancelled`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let (stopped, was_stopped) = lone::bridge::to_loop(1);
///     let endless = lone::to_thread(move || {
///         while !lone::is_job_cancelled() {
///             std::thread::sleep(Duration::from_millis(1)); // or a piece of work
///         }
///         stopped.put("stopped").expect("main waits for it");
///     });
///     assert!(lone::timeout(Duration::from_millis(5), endless).await.is_err());
///     assert_eq!(was_stopped.get().await, Ok("stopped"));
/// });
/// ```
#[must_use]
pub fn is_job_cancelled() -> bool {
    let cancelled = CANCELLED.try_with(|cell| {
        cell.borrow().as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Acquire))
    });
    cancelled == Ok(true)
}

/// Runs `job` with this flag as that of its thread. It must not panic.
pub(crate) fn with_flag<R>(cancelled: Arc<AtomicBool>, job: impl FnOnce() -> R) -> R {
    CANCELLED.set(Some(cancelled));
    let returned = job();
    CANCELLED.set(None);
    returned
}
