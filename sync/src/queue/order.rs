//! In which order do items come out? The store that a queue keeps them in says so.
//!
//! ```text
//!                    put          get            given back by a getter that was dropped
//!   Fifo            ► tail       head ►          at the head
//!   Lifo            ► top         top ►          on top
//!   SmallestFirst   ► anywhere   least ►         at its age: before its equals that are younger
//! ```
//!
//! Invariants:
//! - **No user code**: a store is used under the queue's borrow. Only [`Store::settle`] runs user
//!   code (an `Ord`), and it ends the borrow before.
//!
//! Cost: with `Fifo` and `Lifo` all of this is inlined and `settle` is nothing: a put and a get are
//! what they would be with a `VecDeque`.

use std::cell::RefCell;

/// In which order a queue gives its items: [`Fifo`](crate::Fifo), [`Lifo`](crate::Lifo) or
/// [`SmallestFirst`](crate::SmallestFirst).
///
/// Nobody else can implement it.
pub trait QueueOrder<T>: Order<T> {}

impl<T, O: Order<T>> QueueOrder<T> for O {}

/// What is behind [`QueueOrder`].
pub trait Order<T> {
    /// The type's name, for `Debug`.
    const TYPE: &'static str;
    /// What reports and traces call it.
    const NOUN: &'static str;
    /// What the items are kept in.
    type Store: Store<T>;
}

/// Items in the order in which they are to come out.
pub trait Store<T>: Default {
    /// An item, with what its place needs.
    type Entry;

    /// How many are in it.
    fn len(&self) -> usize;

    /// Makes an entry of an item that has been let in now.
    fn enter(&mut self, item: T) -> Self::Entry;

    /// The item of an entry.
    fn leave(entry: Self::Entry) -> T;

    /// Puts in what has just entered.
    fn push(&mut self, entry: Self::Entry);

    /// Puts in what had been taken out, as if it never had been.
    fn give_back(&mut self, entry: Self::Entry);

    /// Takes out whatever is next; after `settle`.
    fn pop(&mut self) -> Option<Self::Entry>;

    /// Of several getters that were handed an item one goes. Do those behind it move up, so that the
    /// youngest item is left over? Otherwise that one's own is.
    const MOVES_UP: bool;

    /// All items, in the order in which they would have come out. It may run user code.
    fn into_items(self) -> Vec<T>;

    /// Does what needs the user's `Ord`, outside of any borrow: the next `pop` will not need it.
    #[inline]
    fn settle<S>(_cell: &RefCell<S>, _store: impl Fn(&mut S) -> &mut Self) {}
}
