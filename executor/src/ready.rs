//! Who is polled next? A ring of numbers, in the order of their wakes, and how far this turn goes in it.
//!
//! ```text
//!            head             batch_end         tail
//!             ▼                   ▼               ▼
//!   … polled ┃ the batch: ready   ┃ woken since   ┃ room …        all three only ever rise
//!             when the turn began    it began
//! ```
//!
//! Invariants:
//! - **head ≤ batch_end ≤ tail ≤ head + room**: a place in the ring is its count, modulo the ring's length,
//!   a power of two.
//! - **A batch is what was ready when its turn began**: `begin` moves `batch_end` to the tail, and nothing
//!   else does, but for a chooser, whose batch is one.
//!
//! Cost: a push and a take a load and two stores each; a turn begins with one store (bench `yield1`). The ring
//! grows to twice the most that were ever ready, and never shrinks.

use crate::num::Num;

/// How many fit in before the first growth.
const FIRST_ROOM: usize = 16;

#[derive(Debug)]
pub(crate) struct ReadyQueue {
    ring: Vec<Num>,
    head: usize,
    batch_end: usize,
    tail: usize,
}

impl ReadyQueue {
    pub(crate) fn new() -> ReadyQueue {
        ReadyQueue { ring: Vec::new(), head: 0, batch_end: 0, tail: 0 }
    }

    /// How many are ready, in the batch and after it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    #[inline]
    fn place(&self, count: usize) -> usize {
        count & self.ring.len().wrapping_sub(1)
    }

    /// Puts `num` at the back, if there is room: it calls nothing, so that a wake needs no stack.
    #[inline]
    pub(crate) fn push_fast(&mut self, num: Num) -> bool {
        if self.len() >= self.ring.len() {
            return false;
        }
        let place = self.place(self.tail);
        self.ring[place] = num;
        self.tail = self.tail.wrapping_add(1);
        true
    }

    /// Puts `num` at the back.
    #[inline]
    pub(crate) fn push(&mut self, num: Num) {
        if !self.push_fast(num) {
            self.grow(num);
            let pushed = self.push_fast(num);
            debug_assert!(pushed, "it has just grown");
        }
    }

    /// Doubles the ring; `filler` stands in the new places.
    #[cold]
    fn grow(&mut self, filler: Num) {
        let room = (self.ring.len() * 2).max(FIRST_ROOM);
        let batch = self.batch_end.wrapping_sub(self.head);
        let mut ring = Vec::with_capacity(room);
        ring.extend(self.iter());
        (self.head, self.batch_end, self.tail) = (0, batch, ring.len());
        ring.resize(room, filler);
        self.ring = ring;
    }

    /// b: what is ready now becomes the batch, behind what main's end may have left of the last one.
    /// Returns how many that is.
    #[inline]
    pub(crate) fn begin_batch(&mut self) -> usize {
        self.batch_end = self.tail;
        self.len()
    }

    /// [3] dequeue: the next of the batch. `None`: it is over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Num> {
        if self.head == self.batch_end {
            return None;
        }
        let num = self.ring[self.place(self.head)];
        self.head = self.head.wrapping_add(1);
        Some(num)
    }

    /// All who are ready, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Num> {
        (0..self.len()).map(|count| self.ring[self.place(self.head.wrapping_add(count))])
    }

    /// b: puts all who are ready in another order; or leaves some out. The batch has just begun, and is all
    /// that there is.
    pub(crate) fn arrange(&mut self, order: impl FnOnce(&mut Vec<Num>)) {
        debug_assert_eq!(self.batch_end, self.tail, "the batch has begun only now");
        let mut nums: Vec<Num> = self.iter().collect();
        order(&mut nums);
        debug_assert!(nums.len() <= self.len(), "nobody is added");
        for (count, num) in nums.iter().enumerate() {
            let place = self.place(self.head.wrapping_add(count));
            self.ring[place] = *num;
        }
        self.tail = self.head.wrapping_add(nums.len());
        self.batch_end = self.tail;
    }

    /// b: the one at `place` is the whole batch; the others stay ready, in order. The batch has just begun.
    pub(crate) fn narrow_batch(&mut self, place: usize) {
        self.arrange(|nums| nums[..=place].rotate_right(1));
        self.batch_end = self.head.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn num(slot: u32) -> Num {
        Num::new(0, slot, 1)
    }

    #[test]
    fn pushes_takes_and_turns_in_any_order_are_those_of_two_plain_queues() {
        let mut random = crate::random::Random::new(7);
        for _ in 0..200 {
            let mut queue = ReadyQueue::new();
            let (mut batch, mut ready) = (VecDeque::new(), VecDeque::new());
            for step in 0..200 {
                match random.below(4) {
                    0 | 1 => {
                        queue.push(num(step));
                        ready.push_back(num(step));
                    }
                    2 => assert_eq!(queue.next(), batch.pop_front()),
                    _ => {
                        batch.append(&mut ready);
                        assert_eq!(queue.begin_batch(), batch.len());
                    }
                }
                assert_eq!(queue.len(), batch.len() + ready.len());
                assert!(queue.iter().eq(batch.iter().chain(&ready).copied()));
            }
        }
    }

    #[test]
    fn batch_narrowed_is_the_one_chosen_and_the_others_keep_their_order() {
        let mut queue = ReadyQueue::new();
        (0..4).for_each(|slot| queue.push(num(slot)));
        queue.begin_batch();
        queue.narrow_batch(2);
        queue.push(num(9));
        assert_eq!(queue.next(), Some(num(2)));
        assert_eq!(queue.next(), None, "the batch is one");
        assert!(queue.iter().eq([0, 1, 3, 9].map(num)));
    }

    #[test]
    fn batch_from_which_some_are_left_out_is_those_who_are_left() {
        let mut queue = ReadyQueue::new();
        (0..20).for_each(|slot| queue.push(num(slot)));
        queue.begin_batch();
        queue.arrange(|nums| nums.retain(|num| num.slot() % 2 == 1));
        assert_eq!(queue.len(), 10);
        assert_eq!(queue.next(), Some(num(1)));
        assert!(queue.iter().all(|num| num.slot() % 2 == 1));
    }
}
