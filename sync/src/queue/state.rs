//! Where is each item, and who gets the next one?
//!
//! ```text
//!   oldest ── handed: 1 2 ── items: 3 4 5 ── putters: (6) (7) ── youngest
//!                │               │                │
//!       of the granted getters,  of whoever       of those who wait for room
//!       the first has the first  comes next
//! ```
//!
//! Every method is one step from one whole state to the next: no waker is woken and nothing of the
//! user's runs in it. What must be delivered is returned; what must be compared has been, by
//! `settle`, before a `get`.
//!
//! Invariants:
//! - **Getters wait only for an empty queue, putters only for a full one**, while it is open.
//! - **As many handed items as granted getters that have one**, in the same order: the n-th getter
//!   has the n-th item. When one of them is dropped, the store's order says which item is left over,
//!   for the next who waits, or to be given back. First in, first out: the youngest, for those behind
//!   it move up, so that items never overtake each other. Otherwise: its own.
//! - **Order of age**, first in, first out: from `handed` over `items` to `putters`.
//! - **Shut down, nobody joins** the getters or the putters; those who wait are being refused.

use std::collections::VecDeque;

use lone_executor::trace;

use super::error::{TaskDoneError, TryGetError, TryPutError};
use super::order::{Order, QueueOrder, Store};
use crate::QueueStatistics;
use crate::wait_list::{Handed, Place, WaitList};

/// An item with its place, as the order's store keeps it.
type Entry<T, O> = <<O as Order<T>>::Store as Store<T>>::Entry;

pub(super) struct State<T, O: QueueOrder<T>> {
    pub(super) items: O::Store,
    /// Items that belong to granted getters.
    handed: VecDeque<Entry<T, O>>,
    /// `None`: no limit.
    pub(super) capacity: Option<usize>,
    /// Items let in and not reported done.
    pub(super) unfinished: usize,
    pub(super) shut_down: bool,
    /// A parcel says whether an item has been handed over; granted without one, it was refused.
    pub(super) getters: WaitList<bool>,
    /// A parcel is the item; granted and still there, it was refused.
    pub(super) putters: WaitList<Option<T>>,
    pub(super) joiners: WaitList<()>,
}

impl<T, O: QueueOrder<T>> State<T, O> {
    pub(super) fn new(capacity: Option<usize>) -> State<T, O> {
        let object = trace::Object::new(O::NOUN);
        State {
            items: O::Store::default(),
            handed: VecDeque::new(),
            capacity,
            unfinished: 0,
            shut_down: false,
            getters: WaitList::new(object),
            putters: WaitList::new(object),
            joiners: WaitList::new(object),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.items.len() >= capacity)
    }

    /// Lets a newcomer's item in: into the queue, or straight to the first getter.
    #[inline]
    pub(super) fn put(&mut self, item: T) -> Result<Option<Handed>, TryPutError<T>> {
        self.check();
        if self.shut_down {
            return Err(TryPutError::Closed(item));
        }
        if self.is_full() {
            return Err(TryPutError::Full(item));
        }
        self.unfinished += 1;
        if self.getters.is_empty() {
            let entry = self.items.enter(item);
            self.items.push(entry);
            return Ok(None);
        }
        Ok(self.hand(item))
    }

    /// Hands an item to the first getter.
    #[inline(never)]
    fn hand(&mut self, item: T) -> Option<Handed> {
        let entry = self.items.enter(item);
        self.handed.push_back(entry);
        self.getters.grant(|has_item| *has_item = true)
    }

    /// Takes the next item out for a newcomer, and lets in whoever waits for the room.
    #[inline]
    pub(super) fn get(&mut self) -> Result<(T, Option<Handed>), TryGetError> {
        self.check();
        match self.items.pop().map(O::Store::leave) {
            Some(item) if self.putters.is_empty() => Ok((item, None)),
            Some(item) => Ok((item, self.admit())),
            None if self.shut_down => Err(TryGetError::Closed),
            None => Err(TryGetError::Empty),
        }
    }

    /// Lets the first putter's item in, if there is room. Once shut down, none.
    #[inline(never)]
    fn admit(&mut self) -> Option<Handed> {
        if self.is_full() || self.shut_down {
            return None;
        }
        self.unfinished += 1;
        let items = &mut self.items;
        self.putters.grant(|item| {
            if let Some(item) = item.take() {
                let entry = items.enter(item);
                items.push(entry);
            }
        })
    }

    /// Takes what was granted to the getter at `place`. `None`: it was refused.
    #[inline(never)]
    pub(super) fn take_handed(&mut self, place: &mut Place) -> Option<T> {
        // The first as a rule: those who were granted first are polled first.
        let rank = place.rank(&self.getters);
        if !place.take(&mut self.getters) {
            return None;
        }
        let entry = if rank == 0 { self.handed.pop_front() } else { self.handed.remove(rank) };
        entry.map(O::Store::leave)
    }

    /// Which of the handed items is left over if the getter at `place` goes; only for one that has
    /// been handed something.
    pub(super) fn left_over(&self, place: &Place) -> usize {
        let last = self.handed.len().saturating_sub(1);
        let own = !O::Store::MOVES_UP && place.is_granted(&self.getters);
        if own { place.rank(&self.getters) } else { last }
    }

    /// A getter that had been handed an item has gone: whoever waits gets what is left over, or the
    /// store has it back.
    pub(super) fn take_back(&mut self, left_over: usize) -> Option<Handed> {
        let entry = self.handed.remove(left_over)?;
        if !self.shut_down && !self.getters.is_empty() {
            self.handed.push_back(entry);
            return self.getters.grant(|has_item| *has_item = true);
        }
        self.items.give_back(entry);
        None
    }

    /// Refuses the next one who waits, as the queue is shut down.
    pub(super) fn refuse(&mut self) -> Option<Handed> {
        debug_assert!(self.shut_down);
        self.getters.grant(|_has_item| ()).or_else(|| self.putters.grant(|_item| ()))
    }

    /// Shuts down and takes all items out. Returns whether nothing is left to be done with that.
    pub(super) fn take_all(&mut self) -> (O::Store, bool) {
        self.shut_down = true;
        let items = std::mem::take(&mut self.items);
        // Somebody may have reported items done that he has never taken out.
        self.unfinished = self.unfinished.saturating_sub(items.len());
        (items, self.unfinished == 0)
    }

    /// One item is done. Returns whether that was the last one.
    pub(super) fn task_done(&mut self) -> Result<bool, TaskDoneError> {
        self.unfinished = self.unfinished.checked_sub(1).ok_or(TaskDoneError)?;
        Ok(self.unfinished == 0)
    }

    pub(super) fn statistics(&self) -> QueueStatistics {
        QueueStatistics {
            len: self.len(),
            capacity: self.capacity,
            unclaimed: self.handed.len(),
            unfinished: self.unfinished,
            getters: self.getters.len(),
            putters: self.putters.len(),
            joiners: self.joiners.len(),
            shut_down: self.shut_down,
        }
    }

    fn check(&self) {
        debug_assert!(
            self.getters.is_empty() || self.items.len() == 0 || self.shut_down,
            "getters wait ({:?}) and {} items are there",
            self.getters,
            self.items.len()
        );
        debug_assert!(
            self.putters.is_empty() || self.is_full() || self.shut_down,
            "putters wait ({:?}) and there is room",
            self.putters
        );
    }
}
