//! How does the oldest item come out first? From the head of a line.

use std::collections::VecDeque;

use super::QueueOf;
use super::order::{Order, Store};

/// A queue: first in, first out, with any number of producers and consumers.
///
/// Items are handed over directly. One that is put while somebody waits in [`get`](QueueOf::get)
/// belongs to the first who waits: nobody else can take it, and if that one is dropped before it
/// has run, it is not lost and keeps its place. One that is taken from a full queue lets the first
/// [`put`](QueueOf::put) that waits go in, there and then. Share it with an [`Rc`](std::rc::Rc).
///
/// It stays on its loop's thread. To reach it from another one use
/// [`Remote::spawn`](lone_executor::Remote::spawn): what that sends runs on the loop's thread, and
/// finds the queue there, in a thread-local, say: see the second example.
///
/// asyncio: `Queue`, except that there a woken getter or putter can be overtaken.
///
/// # Fairness
///
/// Getters get, and putters put, in the order of their first polls. A consumer of a queue that is
/// never empty gives way once its budget is spent.
///
/// # Cost
///
/// A put and a get that do not wait: about 6 ns, and no allocation once the queue has been as full
/// as now. Nor does waiting allocate once as many have waited.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// lone::run(async {
///     let queue = Rc::new(lone::Queue::bounded(5));
///     let consumer = lone::spawn({
///         let queue = queue.clone();
///         async move {
///             let mut sum = 0;
///             while let Ok(item) = queue.get().await {
///                 sum += item;
///             }
///             sum
///         }
///     });
///     for item in 1..=10 {
///         queue.put(item).await.expect("nobody has shut it down");
///     }
///     queue.shutdown(); // the consumer gets what is left, and then an error
///     assert_eq!(consumer.await.expect("it neither panics nor is cancelled"), 55);
/// });
/// ```
///
/// An item from another thread:
///
/// ```
/// use std::rc::Rc;
/// use lone::Queue;
///
/// thread_local! {
///     static JOBS: Rc<Queue<u32>> = Rc::new(Queue::unbounded());
/// }
///
/// lone::run(async {
///     let remote = lone::remote();
///     // The closure finds the queue of the thread on which it is called: the loop's.
///     std::thread::spawn(move || remote.spawn(|| async { JOBS.with(Rc::clone).put(7).await }));
///     assert_eq!(JOBS.with(Rc::clone).get().await, Ok(7));
/// });
/// ```
pub type Queue<T> = QueueOf<T, Fifo>;

/// First in, first out: the order of a [`Queue`].
#[derive(Debug)]
pub enum Fifo {}

impl<T> Order<T> for Fifo {
    const TYPE: &'static str = "Queue";
    const NOUN: &'static str = "queue";
    type Store = Line<T>;
}

/// The items of a [`Fifo`].
#[derive(Debug)]
pub struct Line<T>(VecDeque<T>);

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line(VecDeque::new())
    }
}

impl<T> Store<T> for Line<T> {
    type Entry = T;
    /// So items never overtake each other.
    const MOVES_UP: bool = true;

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
        self.0.push_back(entry);
    }

    fn give_back(&mut self, entry: T) {
        self.0.push_front(entry);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn into_items(self) -> Vec<T> {
        Vec::from(self.0)
    }
}
