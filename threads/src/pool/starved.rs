//! Do jobs wait for a thread that never comes? In debug mode a watch is kept, and their futures say so.
//!
//! ```text
//!   submit, no thread for it ──► watch: a thread that sleeps `starved_after`, again and again
//!        the first in the queue is the one that it was ──► marked, its future woken ──► says it, once
//!        the queue is empty, or the loop has ended ──► the watch ends
//! ```
//!
//! Jobs that wait for other jobs, by way of the loop or not, hold the threads that those need: on a
//! full pool none of them ever ends. From outside that looks like jobs that take long, so it is a
//! suspicion. A future that nobody polls says nothing.
//!
//! Invariant: **the loop's thread says it**, for a report belongs to it; the watch only wakes.
//!
//! Cost: nothing unless `starved_after` is set; then a thread while jobs wait, and a lock a poll.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use lone_executor::Panic;
use lone_executor::report::{self, Level};

use crate::job::Nudge;

use super::{Shared, State, Ticket};

/// What is known of a job in the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Starved {
    Not,
    /// Its future has been woken to say so.
    ToBeSaid,
    Said,
}

impl Shared {
    /// After which time the watch speaks, where one has to be started now; it counts as kept already.
    pub(super) fn needs_watch(&self, state: &mut State) -> Option<Duration> {
        let after = self.settings.starved_after?;
        let waits = state.queue.len() > state.threads - state.running.len();
        let needed = waits && !state.watched && !state.stopped;
        state.watched |= needed;
        needed.then_some(after)
    }

    /// Without a thread for it there is no watch: it only helps to find mistakes.
    pub(super) fn start_watch(self: &Arc<Shared>, after: Duration) {
        let shared = self.clone();
        let watch = thread::Builder::new().name("lone-thread-watch".to_owned());
        if watch.spawn(move || shared.watch(after)).is_err() {
            self.lock().watched = false;
        }
    }

    /// The life of the watch.
    fn watch(&self, after: Duration) {
        let mut state = self.lock();
        while let Some((&first, _)) = state.queue.first_key_value() {
            state = self.sleep(state, after);
            let Some(entry) = state.queue.get_mut(&first) else { continue };
            if entry.starved == Starved::Not {
                entry.starved = Starved::ToBeSaid;
                let mailbox = entry.mailbox.clone();
                drop(state);
                nudge(mailbox);
                state = self.lock();
            }
        }
        state.watched = false;
    }

    /// So long, unless the loop ends: that has emptied the queue.
    fn sleep<'a>(&self, state: MutexGuard<'a, State>, after: Duration) -> MutexGuard<'a, State> {
        let slept = self.unwatched.wait_timeout_while(state, after, |state| !state.stopped);
        slept.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// By now this may be the last owner: what is in it goes, as well.
fn nudge(mailbox: Arc<dyn Nudge>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || mailbox.nudge())) {
        let whose = "a value that a job on a thread has left, or a waker that is not ours";
        report::unread_panic(&Panic::new(whose.to_owned(), payload));
    }
}

impl State {
    /// What is said of the job `id`.
    fn describe(&self, id: u64, after: Duration) -> Option<String> {
        let site = self.queue.get(&id)?.site;
        let mut message = format!(
            "a job given to a thread at {site} has waited for one for {:.1} s, and {} wait in all, while \
             no job has begun: all {} threads are taken. If those who have them wait for a job that has \
             none, nobody ever goes on: await that in the loop, or allow more threads. They are taken by",
            after.as_secs_f64(),
            self.queue.len(),
            self.threads
        );
        for running in self.running.values() {
            let (site, since) = (running.site, running.since.elapsed().as_secs_f64());
            // Writing to a string does not fail.
            let _ = write!(message, "\n  the job of {site}, for {since:.1} s");
        }
        Some(message)
    }
}

impl Ticket {
    /// From a poll of the job's future, which waits.
    pub(crate) fn say_if_starved(&self) {
        let Some(after) = self.shared.settings.starved_after else { return };
        let mut state = self.shared.lock();
        let Some(entry) = state.queue.get_mut(&self.id) else { return };
        if entry.starved != Starved::ToBeSaid {
            return;
        }
        entry.starved = Starved::Said;
        let message = state.describe(self.id, after);
        drop(state);
        if let Some(message) = message {
            report::say(Level::Warn, "lone::threads", &message);
        }
    }
}
