//! In which order do they wait? In the order of their tickets; who is granted something leaves the line.
//!
//! ```text
//!   join ──► waiting (ticket → waker) ──► grant: the first ──► granted + 1, woken ──► claim: granted − 1
//! ```
//!
//! What there is to grant (items, or room) only the caller knows. Invariants:
//! - **Nobody overtakes**: what is granted is not there for who comes now ([`Line::has_for_newcomer`]).
//! - **Nobody waits beside something to grant**: whoever adds to it, or gives a grant up, calls
//!   [`Line::grant`].
//! - **Wakers are moved out**, to be woken or dropped without the lock.

use std::collections::BTreeMap;
use std::task::Waker;

use lone_executor::RemoteWaker;

pub(super) struct Line {
    waiting: BTreeMap<u64, RemoteWaker>,
    joined: u64,
    /// How many have been granted something, and have not come for it.
    granted: usize,
}

impl Line {
    pub(super) fn new() -> Line {
        Line { waiting: BTreeMap::new(), joined: 0, granted: 0 }
    }

    /// Whether one of `available` is left for somebody who has not waited.
    pub(super) fn has_for_newcomer(&self, available: usize) -> bool {
        available > self.granted
    }

    /// How many wait.
    pub(super) fn waiters(&self) -> usize {
        self.waiting.len()
    }

    /// How many have been granted something, and have not come for it.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// Joins the line, or, with a ticket, has the waker exchanged: returns the one before.
    pub(super) fn wait(
        &mut self,
        ticket: &mut Option<u64>,
        waker: RemoteWaker,
    ) -> Option<RemoteWaker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.joined += 1;
            self.joined
        });
        self.waiting.insert(ticket, waker)
    }

    /// Whether the holder of this ticket waits with this very waker.
    pub(super) fn waits_with(&self, ticket: Option<u64>, waker: &Waker) -> bool {
        let kept = ticket.and_then(|ticket| self.waiting.get(&ticket));
        kept.is_some_and(|kept| kept.will_wake(waker))
    }

    /// Gives one of `available` to the first, if one is left: wake him.
    pub(super) fn grant(&mut self, available: usize) -> Option<RemoteWaker> {
        if !self.has_for_newcomer(available) {
            return None;
        }
        let (_, waker) = self.waiting.pop_first()?;
        self.granted += 1;
        Some(waker)
    }

    /// Lets everybody go on who waits: wake them.
    pub(super) fn grant_all(&mut self) -> Vec<RemoteWaker> {
        self.granted += self.waiting.len();
        std::mem::take(&mut self.waiting).into_values().collect()
    }

    /// The holder of this ticket comes for what he was granted; `false`: he waits still.
    pub(super) fn claim(&mut self, ticket: &mut Option<u64>) -> bool {
        if ticket.is_none_or(|ticket| self.waiting.contains_key(&ticket)) {
            return false;
        }
        *ticket = None;
        self.granted -= 1;
        true
    }

    /// The holder of this ticket gives up. What he was granted goes to the next.
    pub(super) fn leave(&mut self, ticket: u64, available: usize) -> Gone {
        match self.waiting.remove(&ticket) {
            Some(own) => Gone::Waiting(own),
            None => {
                self.granted -= 1;
                Gone::Granted { next: self.grant(available) }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self, available: usize) {
        assert!(
            self.waiting.is_empty() || available <= self.granted,
            "{} wait beside {available} with {} granted",
            self.waiting.len(),
            self.granted
        );
    }
}

/// Who has left the line.
pub(super) enum Gone {
    /// One who waited: drop his waker.
    Waiting(RemoteWaker),
    /// One who had been granted something: wake whoever has it now.
    Granted { next: Option<RemoteWaker> },
}

impl Gone {
    /// With the lock let go.
    pub(super) fn finish(self) {
        match self {
            Gone::Waiting(own) => drop(own),
            Gone::Granted { next } => next.into_iter().for_each(RemoteWaker::wake),
        }
    }
}
