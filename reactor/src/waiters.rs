//! Who waits at one source, and for which direction?
//!
//! ```text
//!   first: one waiter        as a rule there is no other: a task reads, then writes
//!   more:  the others        several tasks share a descriptor, or one reads while one writes
//! ```
//!
//! Both directions share one line, so that a source with one waiter is a cache line's worth.
//!
//! Invariants:
//! - **First come, first woken**, of those whose direction is ready.
//! - **A ticket is one waiter.** It is a future's, which takes it back when it is dropped; who polls
//!   by hand has none, and is known by the waker only.
//!
//! Cost: nothing is allocated for the first; what holds the others stays once it is made.

use std::collections::VecDeque;
use std::task::Waker;

use lone_executor::KeptWaker;

/// Which half of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// The ticket of those who wait without one, and of a future that has not waited yet.
pub(crate) const NO_TICKET: u64 = 0;

/// The next ticket of a direction after `last`, which is the last one that was given out for
/// either. Its lowest bit is the direction; the one of those without a ticket is nothing else.
pub(crate) fn next_ticket(last: u64, direction: Direction) -> u64 {
    (last | 1) + 1 + direction as u64
}

#[derive(Default)]
struct Waiter {
    ticket: u64,
    waker: KeptWaker,
}

impl Waiter {
    fn is_for(&self, direction: Direction) -> bool {
        self.ticket & 1 == direction as u64
    }
}

/// Boxed, so that a source without it has 8 bytes for it.
#[derive(Default)]
struct More(VecDeque<Waiter>);

#[derive(Default)]
pub(crate) struct Waiters {
    first: Waiter,
    more: Option<Box<More>>,
}

impl Waiters {
    /// Adds one who is not there yet, by his ticket or without one.
    pub(crate) fn add(&mut self, direction: Direction, ticket: u64, waker: KeptWaker) {
        let waiter = Waiter { ticket: ticket | direction as u64, waker };
        if self.first.waker.is_nobody() && self.more.as_ref().is_none_or(|more| more.0.is_empty()) {
            self.first = waiter;
            return;
        }
        let more = &mut self.more.get_or_insert_default().0;
        if more.len() == more.capacity() {
            // Those who were known by their waker only, and have ended, do not take themselves
            // out: without this a connection that stays silent would gather them for ever. Whether
            // somebody else's waker wakes anybody nobody can say: those stay until the next edge.
            more.retain(|waiter| !waiter.waker.is_stale());
        }
        more.push_back(waiter);
    }

    fn find(&mut self, is_it: impl Fn(&Waiter) -> bool) -> Option<&mut Waiter> {
        if is_it(&self.first) {
            return Some(&mut self.first);
        }
        self.more.as_mut()?.0.iter_mut().find(|waiter| is_it(waiter))
    }

    /// Whether this ticket waits.
    #[inline]
    pub(crate) fn has(&mut self, ticket: u64) -> bool {
        self.first.ticket == ticket
            || self.more.as_ref().is_some_and(|more| more.0.iter().any(|it| it.ticket == ticket))
    }

    /// Whether `waker` waits by this ticket.
    pub(crate) fn has_waker(&mut self, direction: Direction, ticket: u64, waker: &Waker) -> bool {
        let ticket = ticket | direction as u64;
        self.find(|waiter| waiter.ticket == ticket && waiter.waker.will_wake(waker)).is_some()
    }

    /// The waker of a ticket, to be exchanged.
    pub(crate) fn waker_mut(&mut self, ticket: u64) -> Option<&mut KeptWaker> {
        self.find(|waiter| waiter.ticket == ticket).map(|waiter| &mut waiter.waker)
    }

    /// Takes out whoever waits by this ticket.
    pub(crate) fn remove(&mut self, ticket: u64) -> Option<KeptWaker> {
        if self.first.ticket == ticket {
            return Some(std::mem::take(&mut self.first).waker);
        }
        let more = &mut self.more.as_mut()?.0;
        let at = more.iter().position(|waiter| waiter.ticket == ticket)?;
        more.remove(at).map(|waiter| waiter.waker)
    }

    /// Takes out the first whose direction is ready.
    #[inline]
    pub(crate) fn pop(&mut self, is_ready: impl Fn(Direction) -> bool) -> Option<KeptWaker> {
        let is_due = |waiter: &Waiter| {
            let direction =
                if waiter.is_for(Direction::Read) { Direction::Read } else { Direction::Write };
            is_ready(direction)
        };
        if !self.first.waker.is_nobody() && is_due(&self.first) {
            return Some(std::mem::take(&mut self.first).waker);
        }
        let more = &mut self.more.as_mut()?.0;
        let at = more.iter().position(is_due)?;
        more.remove(at).map(|waiter| waiter.waker)
    }

    /// Whether there are others than the first.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.0.is_empty())
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        let more = self.more.iter().flat_map(|more| &more.0);
        std::iter::once(&self.first).filter(|first| !first.waker.is_nobody()).chain(more)
    }

    /// Whether somebody waits in this direction.
    pub(crate) fn is_awaited(&self, direction: Direction) -> bool {
        self.iter().any(|waiter| waiter.is_for(direction))
    }

    /// Whether somebody waits who is still there: who polls by hand does not take itself out.
    pub(crate) fn is_anybody_there(&self) -> bool {
        self.iter().any(|waiter| !waiter.waker.is_stale())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }
}
