//! Where do the nodes of a wait list live, and how is room made for them? In a table, the vacant ones linked.
//!
//! A node is written and read where it lies, one field at a time. One that is put together on the stack and
//! moved from there as a whole is read wider than it was written, which has the processor wait until all
//! of it has arrived: with a slab, as in most tables here, a sixth of bench `pingpong` was that wait.
//!
//! Invariants:
//! - **A number is of one node**, from `insert` to `vacate`; whoever has it (a key, a neighbour) says which.
//! - **What is vacant is empty**: its parcel and its waker have been taken.

use std::panic::Location;

use lone_executor::watch::Watch;
use lone_executor::{KeptWaker, growth};

use super::Standing;

/// "No node": the end of a line.
pub(super) const NONE: u32 = u32::MAX;

/// How many a list has room for.
const MOST: usize = 1 << 30;

/// What a waiter brings along, or is handed.
pub(crate) trait Parcel {
    /// Moves it out. What is left is not looked at any more.
    fn take(&mut self) -> Self;
}

impl Parcel for () {
    fn take(&mut self) {}
}

impl Parcel for usize {
    #[inline]
    fn take(&mut self) -> usize {
        *self
    }
}

impl<T> Parcel for Option<T> {
    #[inline]
    fn take(&mut self) -> Option<T> {
        Option::take(self)
    }
}

pub(super) struct Node<P> {
    pub(super) parcel: P,
    pub(super) waker: KeptWaker,
    pub(super) site: &'static Location<'static>,
    pub(super) standing: Standing,
    /// Debug mode watches whether what was granted is fetched.
    pub(super) watch: Watch,
    pub(super) previous: u32,
    /// The next in line; of a vacant one the next that is vacant.
    pub(super) next: u32,
}

pub(super) struct Nodes<P> {
    places: Vec<Node<P>>,
    vacant: u32,
    taken: u32,
}

impl<P> Nodes<P> {
    pub(super) const fn new() -> Nodes<P> {
        Nodes { places: Vec::new(), vacant: NONE, taken: 0 }
    }

    /// How many are taken.
    pub(super) fn len(&self) -> usize {
        self.taken as usize
    }

    /// A new one, which has no next.
    #[inline]
    pub(super) fn insert(
        &mut self,
        parcel: P,
        waker: KeptWaker,
        site: &'static Location<'static>,
        standing: Standing,
        previous: u32,
    ) -> u32 {
        self.taken += 1;
        let index = self.vacant;
        if let Some(node) = self.places.get_mut(index as usize) {
            self.vacant = node.next;
            node.parcel = parcel;
            node.waker = waker;
            node.site = site;
            node.standing = standing;
            node.previous = previous;
            node.next = NONE;
            return index;
        }
        if self.places.len() == self.places.capacity() {
            self.grow();
        }
        let watch = Watch::NOTHING;
        self.places.push(Node { parcel, waker, site, standing, watch, previous, next: NONE });
        self.places.len() as u32 - 1
    }

    #[cold]
    fn grow(&mut self) {
        let len = self.places.len();
        assert!(len < MOST, "a wait list has room for {MOST} waiters");
        self.places.reserve_exact(growth(len));
    }

    /// Gives a number back. The node lies where it was: take its parcel, and its waker.
    #[inline]
    pub(super) fn vacate(&mut self, index: u32) -> &mut Node<P> {
        self.taken -= 1;
        let node = &mut self.places[index as usize];
        node.next = std::mem::replace(&mut self.vacant, index);
        node
    }

    /// The node of a number that is taken; `None` for [`NONE`].
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&Node<P>> {
        self.places.get(index as usize)
    }

    /// As [`Nodes::get`].
    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Node<P>> {
        self.places.get_mut(index as usize)
    }

    /// The node of a number that is taken.
    #[inline]
    pub(super) fn of(&self, index: u32) -> &Node<P> {
        &self.places[index as usize]
    }

    /// As [`Nodes::of`].
    #[inline]
    pub(super) fn of_mut(&mut self, index: u32) -> &mut Node<P> {
        &mut self.places[index as usize]
    }

    /// For how many there is room.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.places.capacity()
    }
}
