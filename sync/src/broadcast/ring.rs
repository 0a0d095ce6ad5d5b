//! Which items are there, and who has still to read them?
//!
//! Nothing of the user's runs in it: an item that goes is returned, to be dropped outside of the borrow.
//!
//! Invariant: **no reader, no item**: the oldest item has somebody who has still to read it. Each item
//! is wanted by whoever was there when it was sent and has not read it since; those are never more than
//! want the next one, so items go from the front.

use std::collections::VecDeque;
use std::rc::Rc;

pub(super) struct Ring<T> {
    slots: VecDeque<Slot<T>>,
    capacity: usize,
    /// The number of the oldest one that is there, or of the next one to be sent.
    start: u64,
}

struct Slot<T> {
    item: Rc<T>,
    /// How many have still to read it.
    wanted_by: usize,
}

/// What a receiver finds at its place.
pub(super) enum Found<T> {
    /// The item; the receiver has moved on.
    Item(Rc<T>),
    /// Nothing yet.
    Nothing,
    /// So many have gone; the receiver has moved on to the oldest that is there.
    Lagged(u64),
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Ring<T> {
        Ring { slots: VecDeque::new(), capacity, start: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The number of the next item to be sent.
    pub(super) fn end(&self) -> u64 {
        self.start + self.slots.len() as u64
    }

    /// Puts an item in; returns the oldest one if there was no room.
    #[must_use = "drop it after the borrow has ended"]
    pub(super) fn push(&mut self, item: Rc<T>, wanted_by: usize) -> Option<Rc<T>> {
        debug_assert!(wanted_by > 0, "an item that nobody wants");
        let gone = if self.slots.len() == self.capacity { self.pop() } else { None };
        self.slots.push_back(Slot { item, wanted_by });
        gone
    }

    /// What a receiver finds at `next`, its place.
    pub(super) fn read(&mut self, next: &mut u64) -> Found<T> {
        debug_assert!(*next <= self.end(), "a receiver is ahead");
        if *next < self.start {
            return Found::Lagged(self.start - std::mem::replace(next, self.start));
        }
        let Some(slot) = self.slot(*next) else { return Found::Nothing };
        *next += 1;
        slot.wanted_by -= 1;
        if slot.wanted_by > 0 {
            return Found::Item(slot.item.clone());
        }
        self.pop().map_or(Found::Nothing, Found::Item)
    }

    /// A receiver has gone, which was at `next`; returns what nobody wants any more.
    #[must_use = "drop it after the borrow has ended"]
    pub(super) fn leave(&mut self, next: u64) -> VecDeque<Rc<T>> {
        let mut gone = VecDeque::new();
        for number in next.max(self.start)..self.end() {
            if let Some(slot) = self.slot(number) {
                slot.wanted_by -= 1;
            }
        }
        while self.slots.front().is_some_and(|oldest| oldest.wanted_by == 0) {
            gone.extend(self.pop());
        }
        gone
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot<T>> {
        let index = usize::try_from(number - self.start).ok()?;
        self.slots.get_mut(index)
    }

    fn pop(&mut self) -> Option<Rc<T>> {
        let oldest = self.slots.pop_front()?;
        self.start += 1;
        Some(oldest.item)
    }
}
