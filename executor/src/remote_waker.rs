//! How does another thread wake a task that waits for it? With a waker that gives its loop hope.
//!
//! ```text
//!   a task's waker ──► RemoteWaker ── counted among the remotes of the loop that polls
//!                          ├─ wake ──► the wake goes in and the count down, under one lock
//!                          └─ drop ──► the count goes down, and the loop judges anew
//! ```
//!
//! A clone of a waker is counted as well, but as one in unknown hands, which may lie forgotten: a loop that
//! has only such left warns after a while. Whoever keeps this knows that a thread is there to use it.
//!
//! Invariant: **a number without a count of its own** is kept only here, where the loop has counted the
//! keeper, and only one of that loop; of every other waker a clone is kept.
//!
//! Cost: the inbox's lock, once to make it and once to use it.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use crate::inbox::{Inbox, Item};
use crate::num::Num;
use crate::remote::Remote;
use crate::route;
use crate::waker::{number, running};

/// Whom a thread is to wake: as long as this lives, no deadlock is certain for the loop that polled.
///
/// For leaf futures whose other half is on a thread; each keeps one while somebody on that side can
/// use it, and no longer.
pub struct RemoteWaker(Option<Kept>);

enum Kept {
    /// A waker of the loop that was running, and is counted in this inbox.
    Ours { num: Num, inbox: Arc<Inbox> },
    /// Somebody else's, polled within that loop or outside of any.
    Foreign { waker: Waker, hope: Option<Remote> },
}

impl RemoteWaker {
    /// Keeps `waker`. It may run user code: a foreign waker is cloned.
    #[must_use]
    pub fn new(waker: &Waker) -> RemoteWaker {
        let here = running(|core| (core.index(), core.inbox.clone()));
        RemoteWaker(Some(match (number(waker), here) {
            (Some(num), Some((index, inbox))) if index == num.loop_index() => {
                inbox.add_remote();
                Kept::Ours { num, inbox }
            }
            (_, here) => {
                let hope = here.map(|(_, inbox)| Remote::new(inbox));
                Kept::Foreign { waker: waker.clone(), hope }
            }
        }))
    }

    /// Whether this wakes the same task as `waker`.
    #[must_use]
    pub fn will_wake(&self, waker: &Waker) -> bool {
        match &self.0 {
            Some(Kept::Ours { num, .. }) => number(waker) == Some(*num),
            Some(Kept::Foreign { waker: kept, .. }) => kept.will_wake(waker),
            None => false,
        }
    }

    /// `[6]` wake, on any thread: call it when no lock is held.
    pub fn wake(mut self) {
        match self.0.take() {
            Some(Kept::Ours { num, inbox }) if is_running(&inbox) => {
                route::wake(num);
                inbox.forget_remote();
            }
            Some(Kept::Ours { num, inbox }) => inbox.push_last(Item::Wake(num)),
            Some(Kept::Foreign { waker, hope }) => {
                waker.wake();
                drop(hope);
            }
            None => {}
        }
    }
}

impl Drop for RemoteWaker {
    fn drop(&mut self) {
        if let Some(Kept::Ours { inbox, .. }) = self.0.take() {
            if is_running(&inbox) {
                // It judges before it parks, in any case.
                inbox.forget_remote();
            } else {
                inbox.remove_remote();
            }
        }
    }
}

/// Whether it is the inbox of the loop that runs on this thread.
fn is_running(inbox: &Arc<Inbox>) -> bool {
    running(|core| Arc::ptr_eq(&core.inbox, inbox)) == Some(true)
}

impl fmt::Debug for RemoteWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Some(Kept::Ours { .. }) => "RemoteWaker(ours)",
            Some(Kept::Foreign { .. }) | None => "RemoteWaker(foreign)",
        })
    }
}
