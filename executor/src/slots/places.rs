//! Which member of a group has which place, and which places are free?
//!
//! ```text
//!   places   [ number ][ next free ][ number ][ next at rest ][ number ]     8 bytes each
//!   free    ─────────────► 1 ─► …        given out again, the last one first
//!   resting ────────────────────────────────────► 3 ─► …   not before the next batch begins
//! ```
//!
//! Invariant: **no successor within a batch**: the place of a member that ends rests until the next
//! batch has begun. So an index that was taken in a batch means its member until that batch is over,
//! and nobody else.
//!
//! Cost: 8 bytes a place, O(1) each call. There are as many places as members were alive, or ended
//! within one batch, at most.

use crate::num::{GENERATION_MASK, Num};

/// "No place": the end of a list.
const NO_PLACE: u32 = u32::MAX;

/// A place: the number of who has it, or the next place in its list.
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    fn of(num: Num) -> Place {
        Place(num.bits())
    }

    /// A number has a generation that is not zero: that tells the two apart.
    fn before(next: u32) -> Place {
        Place(u64::from(next) << GENERATION_MASK.count_ones())
    }

    fn num(self) -> Option<Num> {
        if self.0 & u64::from(GENERATION_MASK) == 0 { None } else { Num::from_bits(self.0) }
    }

    fn next(self) -> u32 {
        (self.0 >> GENERATION_MASK.count_ones()) as u32
    }
}

/// The places of one group's members.
pub(super) struct Places {
    places: Vec<Place>,
    free: u32,
    /// Those put to rest since the last batch began: the first and the last of their list.
    resting: u32,
    last_resting: u32,
}

impl Places {
    pub(super) fn with_capacity(size: usize) -> Places {
        let places = Vec::with_capacity(size);
        Places { places, free: NO_PLACE, resting: NO_PLACE, last_resting: NO_PLACE }
    }

    /// How many there are, free ones included.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Who has it.
    pub(super) fn get(&self, member: u32) -> Option<Num> {
        self.places[member as usize].num()
    }

    /// Gives `num` a new place behind all others.
    pub(super) fn push(&mut self, num: Num) -> u32 {
        self.places.push(Place::of(num));
        self.places.len() as u32 - 1
    }

    /// Gives `num` a free place, or a new one.
    pub(super) fn insert(&mut self, num: Num) -> u32 {
        let member = self.free;
        if member == NO_PLACE {
            return self.push(num);
        }
        let place = std::mem::replace(&mut self.places[member as usize], Place::of(num));
        self.free = place.next();
        member
    }

    /// Takes its place from a member that has ended. Follow up with [`Places::rest`].
    pub(super) fn clear(&mut self, member: u32) {
        self.places[member as usize] = Place::before(NO_PLACE);
    }

    /// Puts a place that was cleared to rest.
    pub(super) fn rest(&mut self, member: u32) {
        debug_assert!(self.get(member).is_none(), "place {member} is taken");
        if self.resting == NO_PLACE {
            self.last_resting = member;
        }
        self.places[member as usize] = Place::before(self.resting);
        self.resting = member;
    }

    /// A batch begins: the places at rest may be given out again.
    pub(super) fn begin_batch(&mut self) {
        if self.resting != NO_PLACE {
            self.places[self.last_resting as usize] = Place::before(self.free);
            self.free = std::mem::replace(&mut self.resting, NO_PLACE);
        }
    }

    /// The members that are alive, in the order of their places.
    pub(super) fn alive(&self) -> impl Iterator<Item = (u32, Num)> + '_ {
        (0..).zip(&self.places).filter_map(|(member, place)| Some((member, place.num()?)))
    }
}
