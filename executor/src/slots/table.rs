//! Where does each tenant live? Sixteen bytes a slot, all that a spawn, a wake and a poll touch.
//!
//! ```text
//!             mark: QUEUED CHILD ┊ generation    link                           task
//!   root      its generation                     the first of its groups        the task
//!   main      its generation                     the first of its groups        none
//!   child     its generation, CHILD              its group                      none; see `members`
//!   vacant    the next tenant's generation       the next vacant slot           none
//!   retired   past the last generation           nothing                        none
//! ```
//!
//! Invariants:
//! - **Live is equal**: whoever has a number whose generation is the mark's lives there. The generation of a
//!   vacant slot is in no number yet.
//! - **Vacant is listed**: vacant slots are linked from `vacant`, and no others are; the last one that was
//!   given back is the next to be given out.
//!
//! Cost: O(1), and one line of the cache; the table grows to the most that ever lived at once.

use super::{GENERATION, LAST_GENERATION, MAX_SLOTS, NO_GROUP};
use crate::cell::Task;
use crate::growth::growth;
use crate::num::Num;

/// "No slot": the end of the vacant ones.
const NO_SLOT: u32 = u32::MAX;

pub(super) struct Slot {
    pub(super) mark: u32,
    pub(super) link: u32,
    pub(super) task: Option<Task>,
}

pub(super) struct Table {
    slots: Vec<Slot>,
    /// How many clones of each slot's waker somebody else's code holds. Signed: a clone made elsewhere
    /// may be counted after its end, which has come here first. Apart, for as a rule there are none: as
    /// long as the last slot that has had one.
    clones: Vec<i32>,
    /// Which member of its group each child is; as long as the last slot that a child has had.
    members: Vec<u32>,
    vacant: u32,
    occupied: usize,
    loop_index: u16,
    /// Where generations begin.
    first_generation: u32,
}

impl Table {
    pub(super) fn new(loop_index: u16, first_generation: u32) -> Table {
        Table {
            slots: Vec::new(),
            clones: Vec::new(),
            members: Vec::new(),
            vacant: NO_SLOT,
            occupied: 0,
            loop_index,
            first_generation,
        }
    }

    /// How many slots are taken or retired.
    pub(super) fn occupied(&self) -> usize {
        self.occupied
    }

    pub(super) fn is_full(&self) -> bool {
        self.vacant == NO_SLOT && self.slots.len() >= MAX_SLOTS
    }

    /// Gives out a slot, to a root until its mark and task say otherwise. `None`: all are taken or retired.
    #[inline]
    pub(super) fn occupy(&mut self) -> Option<(Num, &mut Slot)> {
        if self.vacant == NO_SLOT {
            self.grow()?;
        }
        let index = self.vacant;
        let slot = &mut self.slots[index as usize];
        self.vacant = std::mem::replace(&mut slot.link, NO_GROUP);
        self.occupied += 1;
        Some((Num::new(self.loop_index, index, slot.mark & GENERATION), slot))
    }

    /// One slot more, which is vacant.
    #[cold]
    fn grow(&mut self) -> Option<()> {
        if self.is_full() {
            return None;
        }
        let len = self.slots.len();
        self.vacant = len as u32;
        if len == self.slots.capacity() {
            self.slots.reserve_exact(growth(len));
        }
        self.slots.push(Slot { mark: self.first_generation, link: NO_SLOT, task: None });
        Some(())
    }

    /// Takes a slot back whose generation has been raised; one that is used up is retired. Returns the task
    /// that lived there, and what was linked.
    #[inline]
    pub(super) fn vacate(&mut self, num: Num) -> (Option<Task>, u32) {
        let slot = &mut self.slots[num.slot()];
        debug_assert!(slot.mark & GENERATION > num.generation(), "{num:?}: raise it first");
        let task = slot.task.take();
        if slot.mark & GENERATION > LAST_GENERATION {
            return (task, std::mem::replace(&mut slot.link, NO_SLOT));
        }
        let link = std::mem::replace(&mut slot.link, self.vacant);
        self.vacant = num.slot() as u32;
        self.occupied -= 1;
        (task, link)
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Slot> {
        self.slots.get_mut(slot)
    }

    /// The slot of a number that this table has given out.
    #[inline]
    pub(super) fn of(&mut self, num: Num) -> &mut Slot {
        &mut self.slots[num.slot()]
    }

    /// All slots, vacant and retired ones too.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The number of whoever lives in a slot.
    pub(super) fn number(&self, slot: usize) -> Option<Num> {
        let generation = self.slots.get(slot)?.mark & GENERATION;
        (generation <= LAST_GENERATION).then(|| Num::new(self.loop_index, slot as u32, generation))
    }

    /// The highest generation of any slot: O(slots), for the end of a loop.
    pub(super) fn highest_generation(&self) -> u32 {
        let generations = self.slots.iter().map(|slot| slot.mark & GENERATION);
        generations.max().unwrap_or(self.first_generation)
    }

    /// The count of clones of a number that this table has given out. `None`: nobody so far has had one, make
    /// room.
    #[inline]
    pub(super) fn clones(&mut self, num: Num) -> Option<&mut i32> {
        self.clones.get_mut(num.slot())
    }

    /// Makes room to count the clones of each slot.
    pub(super) fn make_room_for_clones(&mut self) {
        self.clones.resize(self.slots.len(), 0);
    }

    /// The slots of whose wakers there are clones.
    pub(super) fn cloned(&self) -> impl Iterator<Item = usize> {
        let clones = self.clones.iter().enumerate();
        clones.filter(|(_, clones)| **clones != 0).map(|(slot, _)| slot)
    }

    /// Which member of its group a child is.
    pub(super) fn member(&self, child: Num) -> u32 {
        self.members[child.slot()]
    }

    pub(super) fn set_member(&mut self, child: Num, member: u32) {
        if self.members.len() <= child.slot() {
            self.members.resize(child.slot() + 1, 0);
        }
        self.members[child.slot()] = member;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
