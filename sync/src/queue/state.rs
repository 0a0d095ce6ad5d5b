//! Where is each item, and who gets the next one?
//!
//! ```text
//!   oldest ── getters: [1] [2] ── items: 3 4 5 ── putters: (6) (7) ── youngest
//!                │                    │                │
//!       handed to those who were      of whoever       of those who wait for room
//!       granted, the first the oldest comes next
//! ```
//!
//! Every method is one step from one whole state to the next: no waker is woken and nothing of the
//! user's runs in it. What must be delivered is returned; what must be compared has been, by
//! `settle`, before a `get`.
//!
//! Invariants:
//! - **Getters wait only for an empty queue, putters only for a full one**, while it is open.
//! - **A handed item stands with its getter.** When that one is dropped, the store's order says which
//!   item is left over, for the next who waits, or to be given back. First in, first out: the youngest,
//!   for the items of those behind it move up, so that items never overtake each other. Otherwise: its
//!   own.
//! - **Order of age**, first in, first out: from the handed items over `items` to `putters`.
//! - **Shut down, nobody joins** the getters or the putters; those who wait are being refused.
//!
//! Cost: O(1), but for the drop of a getter that has been handed an item, first in, first out: O(getters
//! behind it that have been, too).

use lone_executor::trace;

use super::error::{TaskDoneError, TryGetError, TryPutError};
use super::order::{Order, QueueOrder, Store};
use crate::QueueStatistics;
use crate::wait_list::{Handed, Place, WaitList};

/// An item with its place, as the order's store keeps it.
pub(super) type Entry<T, O> = <<O as Order<T>>::Store as Store<T>>::Entry;

pub(super) struct State<T, O: QueueOrder<T>> {
    pub(super) items: O::Store,
    /// How many items belong to granted getters.
    handed: usize,
    /// `None`: no limit.
    pub(super) capacity: Option<usize>,
    /// Items let in and not reported done.
    pub(super) unfinished: usize,
    pub(super) shut_down: bool,
    /// A parcel is the item that was handed over; granted without one, it was refused.
    pub(super) getters: WaitList<Option<Entry<T, O>>>,
    /// A parcel is the item; granted and still there, it was refused.
    pub(super) putters: WaitList<Option<T>>,
    pub(super) joiners: WaitList<()>,
}

impl<T, O: QueueOrder<T>> State<T, O> {
    pub(super) fn new(capacity: Option<usize>) -> State<T, O> {
        let object = trace::Object::new(O::NOUN);
        State {
            items: O::Store::default(),
            handed: 0,
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

    /// Lets a newcomer's item in, where that concerns nobody else; otherwise it comes back.
    #[inline]
    pub(super) fn put_alone(&mut self, item: T) -> Result<(), T> {
        self.check();
        if self.shut_down || self.is_full() || !self.getters.is_empty() {
            return Err(item);
        }
        self.unfinished += 1;
        let entry = self.items.enter(item);
        self.items.push(entry);
        Ok(())
    }

    /// Takes the next item out for a newcomer, where that concerns nobody else.
    #[inline]
    pub(super) fn get_alone(&mut self) -> Option<T> {
        self.check();
        if !self.putters.is_empty() {
            return None;
        }
        self.items.pop().map(O::Store::leave)
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
        self.hand_entry(entry)
    }

    #[inline]
    fn hand_entry(&mut self, entry: Entry<T, O>) -> Option<Handed> {
        self.handed += 1;
        self.getters.grant(|handed| *handed = Some(entry))
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

    /// The item that a getter has come for. `None`: it was refused.
    #[inline]
    pub(super) fn claim(&mut self, handed: Option<Entry<T, O>>) -> Option<T> {
        let entry = handed?;
        self.handed -= 1;
        Some(O::Store::leave(entry))
    }

    /// The getter at `place` goes: takes out what is left over, if it had been handed an item.
    pub(super) fn take_left_over(&mut self, place: &Place) -> Option<Entry<T, O>> {
        let mut left_over = place.parcel(&mut self.getters).take()?;
        self.handed -= 1;
        if O::Store::MOVES_UP {
            // Those behind it who were refused have none, and all behind those neither.
            place.for_each_granted_behind(&mut self.getters, |handed| {
                if let Some(handed) = handed {
                    std::mem::swap(handed, &mut left_over);
                }
            });
        }
        Some(left_over)
    }

    /// A getter that had been handed an item has gone: whoever waits gets what is left over, or the
    /// store has it back.
    pub(super) fn take_back(&mut self, left_over: Entry<T, O>) -> Option<Handed> {
        if !self.shut_down && !self.getters.is_empty() {
            return self.hand_entry(left_over);
        }
        self.items.give_back(left_over);
        None
    }

    /// Refuses the next one who waits, as the queue is shut down.
    pub(super) fn refuse(&mut self) -> Option<Handed> {
        debug_assert!(self.shut_down);
        self.getters.grant(|_handed| ()).or_else(|| self.putters.grant(|_item| ()))
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
            unclaimed: self.handed,
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
