//! Where do the nodes of a list live? In a table, the vacant ones linked.
//!
//! ```text
//!   places    node   node   ·──┐   node   ·──┐    reuse: the first vacant one, to be filled where it lies
//!                          ◄──────────────┘  │    push:  a new one, where none is vacant
//!                            vacant ─────────┘    vacate: it lies where it was, and is the first vacant one
//! ```
//!
//! As a slab does, but a node is written and read where it lies, one field at a time. One that is put
//! together on the stack and moved from there as a whole is read wider than it was written, and the
//! processor waits until all of it has arrived: a sixth of bench `pingpong` was that wait.
//!
//! Invariant: **a number is of one node**, from `reuse` or `push` to `vacate`. Whoever has it (a key, a
//! neighbour) says which; nothing here tells a number that was given back from its successor.
//!
//! Cost: a few instructions each. Nothing is allocated once it has grown to the most that there ever were at
//! a time; memory is used again, and not given back.

use crate::growth::growth;

/// No node has this number.
pub const NONE: u32 = u32::MAX;

/// What can lie in a [`Pool`].
pub trait Node {
    /// Where a vacant one keeps which one is vacant after it.
    fn link(&mut self) -> &mut u32;
}

/// Nodes by number.
///
/// # Examples
///
/// ```
/// use lone_executor::pool::{Node, Pool};
///
/// struct Named(&'static str, u32);
///
/// impl Node for Named {
///     fn link(&mut self) -> &mut u32 {
///         &mut self.1
///     }
/// }
///
/// let mut pool = Pool::new();
/// let ada = pool.push(Named("Ada", 0));
/// assert_eq!(pool.vacate(ada).0, "Ada");
/// let (index, node) = pool.reuse().expect("Ada has gone");
/// node.0 = "Bob";
/// assert_eq!((index, pool[ada].0, pool.len()), (ada, "Bob", 1));
/// ```
#[derive(Debug)]
pub struct Pool<N> {
    places: Vec<N>,
    vacant: u32,
    taken: u32,
}

impl<N: Node> Pool<N> {
    /// Without nodes.
    #[must_use]
    pub const fn new() -> Pool<N> {
        Pool { places: Vec::new(), vacant: NONE, taken: 0 }
    }

    /// How many are taken.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.taken as usize
    }

    /// Whether none is.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Takes a vacant one, with what was left in it: set each of its fields. `None`: push one.
    #[must_use = "it counts as taken"]
    #[inline]
    pub fn reuse(&mut self) -> Option<(u32, &mut N)> {
        let index = self.vacant;
        let node = self.places.get_mut(index as usize)?;
        self.vacant = *node.link();
        self.taken += 1;
        Some((index, node))
    }

    /// A new one, where none is vacant.
    ///
    /// # Panics
    ///
    /// With 2^30 of them.
    #[must_use = "it counts as taken"]
    #[inline]
    pub fn push(&mut self, node: N) -> u32 {
        debug_assert_eq!(self.vacant, NONE, "reuse it");
        if self.places.len() == self.places.capacity() {
            self.grow();
        }
        let index = self.places.len() as u32;
        self.places.push(node);
        self.taken += 1;
        index
    }

    #[cold]
    fn grow(&mut self) {
        const MOST: usize = 1 << 30;
        let len = self.places.len();
        assert!(
            len < MOST,
            "more than {MOST} timers or waiters at a time: is something leaking them?"
        );
        self.places.reserve_exact(growth(len));
    }

    /// Gives a number back. The node lies where it was: take out what is to be dropped now.
    #[inline]
    pub fn vacate(&mut self, index: u32) -> &mut N {
        let node = &mut self.places[index as usize];
        *node.link() = std::mem::replace(&mut self.vacant, index);
        self.taken -= 1;
        node
    }

    /// The node of a number that is taken. A vacant one is whatever was left there; for [`NONE`] `None`.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&N> {
        self.places.get(index as usize)
    }

    /// As [`Pool::get`].
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut N> {
        self.places.get_mut(index as usize)
    }

    /// For how many there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.places.capacity()
    }
}

impl<N: Node> Default for Pool<N> {
    fn default() -> Pool<N> {
        Pool::new()
    }
}

impl<N> std::ops::Index<u32> for Pool<N> {
    type Output = N;

    #[inline]
    fn index(&self, index: u32) -> &N {
        &self.places[index as usize]
    }
}

impl<N> std::ops::IndexMut<u32> for Pool<N> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut N {
        &mut self.places[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbered(u32, u32);

    impl Node for Numbered {
        fn link(&mut self) -> &mut u32 {
            &mut self.1
        }
    }

    /// Puts a number in; returns where.
    fn put(pool: &mut Pool<Numbered>, number: u32) -> u32 {
        if let Some((index, node)) = pool.reuse() {
            *node = Numbered(number, NONE);
            return index;
        }
        pool.push(Numbered(number, NONE))
    }

    #[test]
    fn numbers_in_any_order_are_each_of_one_node_and_room_is_used_again() {
        let mut random = crate::random::Random::new(7);
        let (mut pool, mut held, mut most) = (Pool::new(), Vec::new(), 0);
        for number in 0..10_000 {
            if random.below(2) == 0 || held.is_empty() {
                held.push((put(&mut pool, number), number));
            } else {
                let place = random.below(held.len());
                let (index, number) = held.swap_remove(place);
                assert_eq!(pool.vacate(index).0, number);
            }
            most = most.max(held.len());
            assert_eq!(pool.len(), held.len());
        }
        assert!(held.iter().all(|&(index, number)| pool[index].0 == number));
        assert_eq!(pool.places.len(), most);
        assert!(pool.get(NONE).is_none());
    }
}
