//! Which timer is due, and when is the next one?
//!
//! A hierarchical timing wheel over ticks of 1 ns. A deadline is a number of eleven digits in
//! base 64; each level of the wheel stands for one digit, and a timer lies at the first digit,
//! read from the top, in which its deadline differs from `elapsed`, the time the wheel has
//! reached.
//!
//! ```text
//!  level   one slot     all slots    digit (bits of the deadline)
//!    0       1 ns         64 ns        0..6     one slot = one exact deadline
//!    1      64 ns        4.1 us        6..12
//!    2     4.1 us        262 us       12..18
//!    3     262 us       16.8 ms       18..24
//!    4    16.8 ms        1.07 s       24..30
//!    5     1.07 s        68.7 s       30..36
//!    6     68.7 s        73 min       36..42
//!    7     73 min       3.3 days      42..48
//!    8    3.3 days      208 days      48..54
//!    9    208 days     36.5 years     54..60
//!   10   36.5 years     584 years     60..64    four bits: 16 of the 64 slots
//!
//!  elapsed = 0|1|3 (digits of levels 2, 1, 0; those above are 0)
//!
//!  slot     0 1 2 3 4 5 6 7 8 ..
//!  level 2  ^ . . . # . . . .     4|0|0 and 4|7|9: differ from elapsed in the top digit
//!  level 1  . ^ # . . . . . #     0|2|0 and 0|8|5: same top digit, differ in the next
//!  level 0  . . . ^ # . . . .     0|1|4:           differs in the last digit only
//!                                 ^ is a digit of elapsed: all that lay left of it has fired
//!
//!  Once 0|8|5 has fired, the earliest deadline is 4|0|0. As elapsed moves there, slot 4 of
//!  level 2 *cascades*: 4|0|0 sinks to level 0, slot 0, and is due; 4|7|9 to level 1, slot 7.
//!  No other slot is touched. Were 4|0|0 alone in its slot, it would fire from where it lies.
//! ```
//!
//! # Guaranteed
//! - Timers fire in the order (deadline, registration), exactly, and never early.
//! - `next_deadline` is a timer's deadline, not the moment at which some slot begins: one sleep
//!   costs one park.
//! - An id names one timer for ever; once that one has fired or was removed, it names nothing.
//!
//! # Invariants
//! - **Past**: no timer in the wheel has a deadline before `elapsed`; `insert` clamps.
//! - **Place**: level and slot of a timer follow from its deadline and `elapsed` (`Place::of`),
//!   at any time. Hence no node stores them. A step of `elapsed` from e to t that passes no
//!   deadline keeps this with one cascade: with H the highest digit in which e and t differ, timers
//!   above H still differ from t where they differed from e; timers below H were before t, so
//!   there are none; at H, those with t's digit must sink, those beyond it stay.
//! - **Front**: the earliest timer is in the lowest level that is not empty, in its lowest
//!   occupied slot. Follows from Place and Past.
//! - **Ties**: timers of one deadline share a slot (by Place) and stand there in order of
//!   registration: new ones go to the tail, and a cascade re-inserts a list from its head into
//!   levels that are empty at that moment.
//! - **Bits**: an `occupied` bit is set if and only if its slot's list is not empty.
//! - **Minimum**: `min` of a slot is the least deadline in it; with the `stale` bit set, it is
//!   only a lower bound. Of an empty slot it is `u64::MAX`, and never stale.
//!
//! # Cost
//! `insert`, `remove`, `get_mut`: O(1). `pop_due`: O(1) for timers that share a deadline; a timer
//! cascades at most ten times in its life. `next_deadline`: O(1), unless the earliest timer of
//! the first slot was removed since: then one walk over that slot. No allocation, but for growth
//! of the pool; no system calls. The slots take 11 KiB; a timer takes 24 bytes and its item.
//!
//! # What it does not do
//! It reads no clock, wakes nobody, and never clones or drops an item (other than with the wheel
//! itself): items go back to the caller, who ends the borrow first. Memory is used again, not
//! given back. An id shown to a wheel other than its own is not recognised as foreign.

use std::fmt;
use std::mem;

use lone_executor::pool::{self, NONE, Pool};
use lone_executor::trace;

/// Bits of a digit: each level resolves six bits of the deadline.
const DIGIT_BITS: u32 = 6;
/// Slots in a level: one for each value of a digit, one bit of a `u64` for each slot.
const SLOTS: usize = 1 << DIGIT_BITS;
/// Levels needed for 64 bits of deadline.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// The `seq` of a node that is vacant: no timer gets as far.
const VACANT: u64 = u64::MAX;

/// The name of a timer in its wheel.
///
/// Keys are used again; `seq` counts up and never comes round (one registration a nanosecond
/// would take 584 years), so a stale id cannot name a successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId {
    key: u32,
    seq: u64,
}

impl TimerId {
    /// What never comes round: the timer's number in traces.
    pub(crate) fn seq(self) -> u64 {
        self.seq
    }

    /// Key and number, for a message to the loop.
    pub(crate) fn parts(self) -> (u32, u64) {
        (self.key, self.seq)
    }

    /// The id with these parts; one that no wheel has given out names nothing.
    pub(crate) fn from_parts(key: u32, seq: u64) -> TimerId {
        TimerId { key, seq }
    }
}

/// Timers with deadlines in nanoseconds, each carrying a `T`.
pub(crate) struct Wheel<T> {
    /// The time that the wheel has reached. All deadlines in it are at this moment or later.
    elapsed: u64,
    /// The `seq` of the next timer.
    next_seq: u64,
    grid: Grid,
    nodes: Pool<Node<T>>,
}

/// The slots of all levels, without the timers in them.
struct Grid {
    levels: [Level; LEVELS],
    /// Indexed by `Place::index`; boxed, since 11 KiB is much to move.
    slots: Box<[Slot; LEVELS * SLOTS]>,
}

/// One timer. Its place is not stored (invariant Place): recomputing it takes a few instructions,
/// storing it would take eight bytes.
struct Node<T> {
    deadline: u64,
    seq: u64,
    prev: u32,
    next: u32,
    item: T,
}

impl<T> pool::Node for Node<T> {
    #[inline]
    fn link(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// One bit for each slot of the level.
#[derive(Clone, Copy)]
struct Level {
    /// The slot's list is not empty.
    occupied: u64,
    /// The slot's `min` may be too low: the timer it came from was removed.
    stale: u64,
}

/// A doubly linked list of nodes, in order of arrival, with the least of their deadlines.
#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    tail: u32,
    min: u64,
}

impl Slot {
    const EMPTY: Slot = Slot { head: NONE, tail: NONE, min: u64::MAX };
}

/// Where a timer lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    level: u8,
    slot: u8,
}

impl Place {
    /// Both fit: there are 11 levels of 64 slots.
    fn new(level: usize, slot: usize) -> Place {
        debug_assert!(level < LEVELS && slot < SLOTS, "level {level}, slot {slot}");
        Place { level: level as u8, slot: slot as u8 }
    }

    /// The place of `deadline` as seen from `elapsed`: invariant Place.
    fn of(deadline: u64, elapsed: u64) -> Place {
        // `| 1` sends equal numbers to level 0 and changes the level of no other pair.
        let level = ((deadline ^ elapsed) | 1).ilog2() / DIGIT_BITS;
        let slot = (deadline >> (level * DIGIT_BITS)) as usize % SLOTS;
        Place::new(level as usize, slot)
    }

    fn index(self) -> usize {
        usize::from(self.level) * SLOTS + usize::from(self.slot)
    }

    fn bit(self) -> u64 {
        1 << self.slot
    }
}

impl<T: Default> Wheel<T> {
    /// An empty wheel that has reached the moment `start`.
    pub(crate) fn new(start: u64) -> Self {
        Wheel {
            elapsed: start,
            next_seq: 0,
            grid: Grid {
                levels: [Level { occupied: 0, stale: 0 }; LEVELS],
                slots: Box::new([Slot::EMPTY; LEVELS * SLOTS]),
            },
            nodes: Pool::new(),
        }
    }

    /// How many timers are waiting.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no timer is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Registers a timer behind all those with the same deadline.
    ///
    /// A deadline in the past counts as the moment that the wheel has reached: the timer is due at
    /// the next `pop_due`, in order of registration among its like.
    ///
    /// # Panics
    /// With more than 2^30 timers at once.
    pub(crate) fn insert(&mut self, deadline: u64, item: T) -> TimerId {
        let deadline = deadline.max(self.elapsed);
        let seq = self.next_seq;
        self.next_seq += 1;
        let place = Place::of(deadline, self.elapsed);
        let (key, prev) = match self.nodes.reuse() {
            Some((key, node)) => {
                let prev = self.grid.attach(place, key, deadline);
                node.deadline = deadline;
                node.seq = seq;
                node.prev = prev;
                node.next = NONE;
                node.item = item;
                (key, prev)
            }
            None => {
                let key = self.nodes.push(Node { deadline, seq, prev: NONE, next: NONE, item });
                let prev = self.grid.attach(place, key, deadline);
                self.nodes[key].prev = prev;
                (key, prev)
            }
        };
        if prev != NONE {
            self.nodes[prev].next = key;
        }
        TimerId { key, seq }
    }

    /// The item of a timer, unless that has fired or was removed.
    pub(crate) fn get_mut(&mut self, id: TimerId) -> Option<&mut T> {
        let node = self.nodes.get_mut(id.key)?;
        (node.seq == id.seq).then_some(&mut node.item)
    }

    /// Takes a timer out before it fires; `None` if it has fired or was removed.
    pub(crate) fn remove(&mut self, id: TimerId) -> Option<T> {
        let node = self.nodes.get(id.key)?;
        if node.seq == id.seq { Some(mem::take(&mut self.unlink(id.key).item)) } else { None }
    }

    /// The level and slot in which a timer lies, for traces and pictures.
    pub(crate) fn place(&self, id: TimerId) -> Option<(u8, u8)> {
        let node = self.nodes.get(id.key)?;
        let place = Place::of(node.deadline, self.elapsed);
        (node.seq == id.seq).then_some((place.level, place.slot))
    }

    /// The earliest deadline of all. `&mut`, since it may have to refresh a slot's minimum.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        self.first().map(|(_, deadline)| deadline)
    }

    /// The earliest deadline of all, and where it lies: invariant Front.
    fn first(&mut self) -> Option<(Place, u64)> {
        let level = self.grid.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.grid.levels[level].occupied.trailing_zeros();
        let place = Place::new(level, slot as usize);
        if self.grid.levels[level].stale & place.bit() != 0 {
            self.refresh_minimum(place);
        }
        let deadline = self.grid.slots[place.index()].min;
        debug_assert!(deadline >= self.elapsed, "Past: {deadline} is before {}", self.elapsed);
        Some((place, deadline))
    }

    /// Takes out the next timer whose deadline is at `now` or earlier, with its deadline.
    ///
    /// To be called until it returns `None`. Then all that was due has fired, and the wheel has
    /// reached `now`. Time does not run backwards: a `now` before the moment that the wheel has
    /// reached counts as that moment.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<(TimerId, u64, T)> {
        // More timers of the deadline that fired last, or such as were late at registration, lie
        // at level 0 already. They need no search.
        let here = Place::of(self.elapsed, self.elapsed);
        if self.grid.levels[0].occupied & here.bit() != 0 {
            return Some(self.pop(self.grid.slots[here.index()].head));
        }
        let (place, deadline) = match self.first() {
            Some(first) if first.1 <= now => first,
            _ => {
                self.advance(now.max(self.elapsed));
                return None;
            }
        };
        let Slot { head, tail, .. } = self.grid.slots[place.index()];
        if head == tail {
            // Alone in its slot: it need not sink, and nobody else has to.
            let due = self.pop(head);
            self.elapsed = deadline;
            return Some(due);
        }
        self.advance(deadline);
        Some(self.pop(self.grid.slots[Place::of(deadline, deadline).index()].head))
    }

    fn pop(&mut self, key: u32) -> (TimerId, u64, T) {
        let seq = self.nodes[key].seq;
        let node = self.unlink(key);
        (TimerId { key, seq }, node.deadline, mem::take(&mut node.item))
    }

    /// Moves `elapsed` on, past no deadline, and cascades the one slot that this concerns.
    fn advance(&mut self, to: u64) {
        debug_assert!(to >= self.elapsed, "back from {} to {to}", self.elapsed);
        let place = Place::of(to, self.elapsed);
        debug_assert!(self.is_clear_before(place), "{to} ({place:?}) would pass a deadline");
        self.elapsed = to;
        // A slot of level 0 has nowhere to sink to, and holds `to` itself and nothing else.
        if place.level > 0 && self.grid.levels[usize::from(place.level)].occupied & place.bit() != 0
        {
            self.cascade(place);
        }
    }

    /// Re-inserts the timers of a slot, in order, as seen from the new `elapsed`.
    fn cascade(&mut self, place: Place) {
        let level = &mut self.grid.levels[usize::from(place.level)];
        // It is the first slot, whose minimum `pop_due` has asked for before it moved `elapsed`.
        debug_assert!(level.stale & place.bit() == 0, "Minimum: stale at {place:?}");
        level.occupied &= !place.bit();
        let mut key = mem::replace(&mut self.grid.slots[place.index()], Slot::EMPTY).head;
        // Ends: each node goes to a lower level, so the list in hand only gets shorter.
        while key != NONE {
            let next = self.nodes[key].next;
            let to = self.append(key);
            debug_assert!(to.level < place.level, "cascaded from {place:?} to {to:?}");
            trace::emit(|| trace::Event::Cascade {
                timer: self.nodes[key].seq,
                from: (place.level, place.slot),
                to: (to.level, to.slot),
            });
            key = next;
        }
    }

    /// Puts a node that is in no list at the tail of the slot where it belongs.
    fn append(&mut self, key: u32) -> Place {
        let node = &mut self.nodes[key];
        let place = Place::of(node.deadline, self.elapsed);
        let tail = self.grid.attach(place, key, node.deadline);
        node.prev = tail;
        node.next = NONE;
        if tail != NONE {
            self.nodes[tail].next = key;
        }
        place
    }

    /// Takes a node out of its list. It lies where it was, for its item to be taken.
    #[inline]
    fn unlink(&mut self, key: u32) -> &mut Node<T> {
        let Node { deadline, prev, next, .. } = self.nodes[key];
        // A neighbour with the same deadline keeps the minimum true. Ties are common (a virtual
        // clock makes them by the thousand) and mostly stand side by side; without this, removing
        // them one by one, with a park after each, would walk the slot each time.
        let mut has_tie = false;
        if prev != NONE {
            let before = &mut self.nodes[prev];
            before.next = next;
            has_tie |= before.deadline == deadline;
        }
        if next != NONE {
            let after = &mut self.nodes[next];
            after.prev = prev;
            has_tie |= after.deadline == deadline;
        }
        self.grid.detach(Place::of(deadline, self.elapsed), [prev, next], deadline, has_tie);
        let node = self.nodes.vacate(key);
        node.seq = VACANT;
        node
    }

    /// Walks an occupied slot to find its least deadline again.
    fn refresh_minimum(&mut self, place: Place) {
        let mut least = u64::MAX;
        let mut key = self.grid.slots[place.index()].head;
        // Ends: lists are linked without cycles, and each holds `len()` nodes at most.
        while key != NONE {
            let node = &self.nodes[key];
            least = least.min(node.deadline);
            key = node.next;
        }
        let slot = &mut self.grid.slots[place.index()];
        debug_assert!(least >= slot.min, "Minimum: {least} is below the bound {}", slot.min);
        slot.min = least;
        self.grid.levels[usize::from(place.level)].stale &= !place.bit();
    }

    /// Whether levels below `place`, and the slots before it in its own level, are all empty.
    fn is_clear_before(&self, place: Place) -> bool {
        let (below, here) = self.grid.levels.split_at(usize::from(place.level));
        below.iter().all(|level| level.occupied == 0) && here[0].occupied & (place.bit() - 1) == 0
    }
}

impl Grid {
    /// Makes `key` the last one of a slot; returns who was it before.
    #[inline]
    fn attach(&mut self, place: Place, key: u32, deadline: u64) -> u32 {
        let slot = &mut self.slots[place.index()];
        let level = &mut self.levels[usize::from(place.level)];
        debug_assert_eq!(slot.head != NONE, level.occupied & place.bit() != 0, "Bits: {place:?}");
        level.occupied |= place.bit();
        // Below a stale minimum there is nothing either: what is this low is the least, for sure.
        if deadline <= slot.min {
            slot.min = deadline;
            level.stale &= !place.bit();
        }
        let tail = mem::replace(&mut slot.tail, key);
        if tail == NONE {
            slot.head = key;
        }
        tail
    }

    /// Takes one out of a slot, from between these neighbours.
    #[inline]
    fn detach(&mut self, place: Place, [prev, next]: [u32; 2], deadline: u64, has_tie: bool) {
        let slot = &mut self.slots[place.index()];
        let level = &mut self.levels[usize::from(place.level)];
        debug_assert!(level.occupied & place.bit() != 0, "Bits: {place:?}");
        debug_assert!(slot.min <= deadline, "Minimum: {} > {deadline}", slot.min);
        if prev == NONE && next == NONE {
            *slot = Slot::EMPTY;
            level.occupied &= !place.bit();
            level.stale &= !place.bit();
            return;
        }
        if prev == NONE {
            slot.head = next;
        }
        if next == NONE {
            slot.tail = prev;
        }
        if deadline == slot.min && !has_tie {
            level.stale |= place.bit();
        }
    }
}

impl<T: Default> fmt::Debug for Wheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels = self.grid.levels.iter().enumerate().filter(|(_, level)| level.occupied != 0);
        f.debug_struct("Wheel")
            .field("elapsed", &self.elapsed)
            .field("timers", &self.len())
            .field("occupied_levels", &levels.map(|(number, _)| number).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
