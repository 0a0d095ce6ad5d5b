//! How does a thread that runs no loop wait for a future? It polls it, and blocks in between.
//!
//! ```text
//!   poll ── Pending ──► not in flight any more ──► blocks ◄── wake: in flight again, and goes on
//! ```
//!
//! Invariants:
//! - **No wake is lost**: the flag and the block are under one lock.
//! - **Whoever wakes counts**: a job that blocks is not in flight (see `in_flight`); the wake that ends
//!   the block counts it again before it returns, so the loop never finds it missing.
//! - **A deadline is hope**: a job that blocks with one goes on by itself, and counts as a remote
//!   meanwhile: no deadlock is certain, but a virtual clock may jump.
//!
//! Cost: an allocation a wait; a job's block takes the inbox's lock twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::in_flight::works_for;
use crate::inbox::Inbox;

/// Polls `future` on this thread, and blocks it in between, until it is ready or `deadline` has passed.
///
/// `None`: the deadline has passed, and a last poll did not help. For futures that other threads wake;
/// not where a loop runs on this thread, for that would stand still.
pub fn wait_on_thread<F>(future: &mut F, deadline: Option<Instant>) -> Option<F::Output>
where
    F: Future + Unpin,
{
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(sleeper.clone());
    let mut cx = Context::from_waker(&waker);
    let mut in_time = true;
    loop {
        match Pin::new(&mut *future).poll(&mut cx) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if in_time => in_time = sleeper.block(deadline),
            Poll::Pending => return None,
        }
    }
}

/// A thread that blocks until it is woken.
#[derive(Default)]
struct Sleeper {
    state: Mutex<State>,
    wakes: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    paused: Option<Paused>,
}

/// A job that blocks, and the loop that it is for.
struct Paused {
    inbox: Arc<Inbox>,
    /// It has a deadline.
    hope: bool,
}

impl Sleeper {
    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until it is woken; at once if it has been. `false`: the deadline has passed.
    fn block(&self, deadline: Option<Instant>) -> bool {
        let job = works_for();
        {
            let mut state = self.lock();
            if std::mem::take(&mut state.woken) {
                return true;
            }
            let hope = deadline.is_some();
            state.paused = job.clone().map(|inbox| Paused { inbox, hope });
            if let Some(inbox) = job.as_ref().filter(|_| hope) {
                inbox.add_remote();
            }
        }
        // A wake that comes before this has counted the job twice by now, not missed it.
        if let Some(inbox) = &job {
            inbox.remove_job();
        }
        let mut state = self.lock();
        while !state.woken {
            state = match deadline {
                None => self.wakes.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.wakes.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let woken = std::mem::take(&mut state.woken);
        resume(&mut state);
        woken
    }
}

/// A job that has been woken, or has waited long enough, is in flight again.
fn resume(state: &mut State) {
    if let Some(Paused { inbox, hope }) = state.paused.take() {
        inbox.add_job();
        if hope {
            inbox.forget_remote();
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        state.woken = true;
        resume(&mut state);
        drop(state);
        self.wakes.notify_one();
    }
}
