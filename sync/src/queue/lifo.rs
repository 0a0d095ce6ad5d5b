//! How do the newest items come out first? From the top of a stack.

use super::QueueOf;
use super::order::{Order, Store};

/// A queue that gives the newest item first: last in, first out.
///
/// All else is as with a [`Queue`](crate::Queue): the same methods, errors and cancel grades. Who waits
/// is served in the order of the first polls, here as well: only the items are turned round. One that
/// was handed to a getter that is then dropped goes to the next one who waits, or is on top again.
///
/// asyncio: `LifoQueue`.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let undo = lone::LifoQueue::unbounded();
///     for step in ["write", "rename", "delete"] {
///         undo.put(step).await.expect("it is open");
///     }
///     assert_eq!(undo.get().await, Ok("delete"));
///     assert_eq!(undo.get().await, Ok("rename"));
/// });
/// ```
pub type LifoQueue<T> = QueueOf<T, Lifo>;

/// Last in, first out: the order of a [`LifoQueue`].
#[derive(Debug)]
pub enum Lifo {}

impl<T> Order<T> for Lifo {
    const TYPE: &'static str = "LifoQueue";
    const NOUN: &'static str = "LIFO queue";
    type Store = Stack<T>;
}

/// The items of a [`Lifo`].
#[derive(Debug)]
pub struct Stack<T>(Vec<T>);

impl<T> Default for Stack<T> {
    fn default() -> Stack<T> {
        Stack(Vec::new())
    }
}

impl<T> Store<T> for Stack<T> {
    type Entry = T;
    const MOVES_UP: bool = false;

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn enter(&mut self, item: T) -> T {
        item
    }

    #[inline]
    fn leave(entry: T) -> T {
        entry
    }

    #[inline]
    fn push(&mut self, entry: T) {
        self.0.push(entry);
    }

    fn give_back(&mut self, entry: T) {
        self.0.push(entry);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn into_items(self) -> Vec<T> {
        self.0.into_iter().rev().collect()
    }
}
