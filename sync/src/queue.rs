//! How do tasks hand work to each other? Through a queue with room for so many items.
//!
//! ```text
//!   put ──► items (room for `capacity`) ──► get ──► … ──► task_done ──► unfinished = 0: join
//!    │            ▲                          │
//!    │ full       │ a getter that was        │ empty
//!    ▼            │ dropped gives it back    ▼
//!   putters       └───────── handed ◄────── getters
//!   (each with its item)     (items that belong to a getter which has not come for them yet)
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `state` | where is each item, and who gets the next one? |
//! | `order` | in which order do they come out? |
//! | `fifo`, `lifo`, `priority` | what is each order for? |
//! | `heap` | which item is the least, if comparing is user code? |
//! | `put`, `get`, `join` | what does each future do when it is polled, or dropped? |
//! | `stream` | what is it to whoever takes items one after the other? |
//! | `error` | why not, and where is my item? |
//!
//! Invariants: those of `state`; and no item and no waker is dropped or woken under its borrow.

mod error;
mod fifo;
mod get;
mod heap;
mod join;
mod lifo;
mod order;
mod priority;
mod put;
mod state;
mod stream;

use std::cell::RefCell;
use std::fmt;

use crate::QueueStatistics;
use crate::wait_list::{Handed, Place, assert_not_send, deliver_all, deliver_each};
use order::Store;
use state::State;

pub use error::{GetError, PutError, TaskDoneError, TryGetError, TryPutError};
pub use fifo::{Fifo, Queue};
pub use get::Get;
pub use join::QueueJoin;
pub use lifo::{Lifo, LifoQueue};
pub use order::QueueOrder;
pub use priority::{Prioritized, PriorityQueue, SmallestFirst};
pub use put::Put;
pub use stream::QueueStream;

/// A queue of any order: [`Queue`], [`LifoQueue`] and [`PriorityQueue`] are names for it.
///
/// What it can do is written here, what it is for at [`Queue`]. "The next item" is the oldest, the newest
/// or the least, as the name says.
pub struct QueueOf<T, O: QueueOrder<T>> {
    state: RefCell<State<T, O>>,
}

impl<T, O: QueueOrder<T>> QueueOf<T, O> {
    /// A queue with room for `capacity` items.
    ///
    /// asyncio: `Queue(maxsize=capacity)`.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, which means "no limit" in asyncio: ask for [`QueueOf::unbounded`].
    #[must_use]
    #[track_caller]
    pub fn bounded(capacity: usize) -> QueueOf<T, O> {
        assert!(
            capacity > 0,
            "a queue with room for 0 items could never pass one on: use `Queue::unbounded()` for \
             a queue without limit (asyncio's maxsize=0), or `Queue::bounded(1)` for the smallest"
        );
        QueueOf::with_capacity(Some(capacity))
    }

    /// A queue without limit: [`put`](QueueOf::put) never waits for room.
    ///
    /// asyncio: `Queue()`.
    #[must_use]
    pub fn unbounded() -> QueueOf<T, O> {
        QueueOf::with_capacity(None)
    }

    fn with_capacity(capacity: Option<usize>) -> QueueOf<T, O> {
        QueueOf { state: RefCell::new(State::new(capacity)) }
    }

    /// Puts an item in, after waiting for room if need be.
    ///
    /// asyncio: `await queue.put(item)`.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if the queue is shut down before there is room.
    ///
    /// # Cancellation
    ///
    /// Loses data: dropped before it was let in, the future takes its item with it (and loses its
    /// place). Once let in, the item stays in. For an item that must not be lost, see
    /// [`try_put`](QueueOf::try_put), which gives it back.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Queue`].
    #[track_caller]
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, O> {
        Put::new(self, item, Place::new())
    }

    /// Takes the next item out, after waiting for one if need be.
    ///
    /// asyncio: `await queue.get()`.
    ///
    /// # Errors
    ///
    /// [`GetError`] if the queue is shut down and nothing is left in it.
    ///
    /// # Cancellation
    ///
    /// Loses its place, never an item: one that it was handed goes to the next who waits, or back
    /// to where it came from: the head, the top, or its place among its equals.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Queue`].
    #[track_caller]
    #[inline]
    pub fn get(&self) -> Get<'_, T, O> {
        Get::new(self, Place::new())
    }

    /// Puts an item in if there is room and nobody waits for it; never waits itself.
    ///
    /// asyncio: `put_nowait`.
    ///
    /// # Errors
    ///
    /// [`TryPutError`] with the item: the queue is full, or shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::{Queue, TryPutError};
    ///
    /// let queue = Queue::bounded(1);
    /// queue.try_put('a').expect("there is room");
    /// assert!(matches!(queue.try_put('b'), Err(TryPutError::Full('b'))));
    /// assert_eq!(queue.try_get(), Ok('a'));
    /// ```
    #[inline]
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        // The borrow ends with the statement.
        let handed = self.state.borrow_mut().put(item)?;
        deliver(handed);
        Ok(())
    }

    /// Takes the next item out if there is one; never waits.
    ///
    /// An item that was handed to somebody who waited is not there any more.
    ///
    /// asyncio: `get_nowait`.
    ///
    /// # Errors
    ///
    /// [`TryGetError`]: the queue is empty, or shut down and empty.
    #[inline]
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.settle();
        let (item, handed) = self.state.borrow_mut().get()?;
        deliver(handed);
        Ok(item)
    }

    /// How many items are in it. Those that were handed to a getter are not.
    ///
    /// It may exceed the capacity by what dropped getters have given back.
    ///
    /// asyncio: `qsize()`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.borrow().len()
    }

    /// Whether nothing is in it: [`get`](QueueOf::get) would wait, or fail.
    ///
    /// asyncio: `empty()`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room: [`put`](QueueOf::put) would wait. Never for an unbounded one.
    ///
    /// asyncio: `full()`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state.borrow().is_full()
    }

    /// For how many items it has room; `None`: without limit.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.state.borrow().capacity
    }

    /// How many wait in [`get`](QueueOf::get).
    #[must_use]
    pub fn waiting_getters(&self) -> usize {
        self.state.borrow().getters.len()
    }

    /// How many wait in [`put`](QueueOf::put).
    #[must_use]
    pub fn waiting_putters(&self) -> usize {
        self.state.borrow().putters.len()
    }

    /// How busy it is now.
    #[must_use]
    pub fn statistics(&self) -> QueueStatistics {
        self.state.borrow().statistics()
    }

    /// Closes it for new items; what is in it can still be taken out.
    ///
    /// From now on puts fail, those that wait as well, and give their items back. Gets return what
    /// is left, then fail; those that wait fail now. May be called more than once, and
    /// [`shutdown_now`](QueueOf::shutdown_now) may follow.
    ///
    /// asyncio: `shutdown()`.
    pub fn shutdown(&self) {
        self.state.borrow_mut().shut_down = true;
        deliver_each(|| self.state.borrow_mut().refuse());
    }

    /// Closes it and takes out all that is in it; that counts as done for [`join`](QueueOf::join).
    ///
    /// Items that were handed to a getter stay with it and are to be reported done as ever. One
    /// that such a getter gives back by being dropped is in the queue again: a get returns it, or
    /// another call of this; until then, and until it is done, a [`join`](QueueOf::join) waits for it.
    ///
    /// asyncio: `shutdown(immediate=True)`, which loses the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = lone::Queue::unbounded();
    /// queue.try_put(1).expect("it is open");
    /// queue.try_put(2).expect("it is open");
    /// assert_eq!(queue.shutdown_now(), [1, 2]);
    /// assert!(queue.try_put(3).is_err());
    /// ```
    #[must_use = "these are the items that nobody has taken: say so with `drop(…)`"]
    pub fn shutdown_now(&self) -> Vec<T> {
        self.settle();
        let (items, all_done) = self.state.borrow_mut().take_all();
        self.shutdown();
        if all_done {
            self.release_joiners();
        }
        items.into_items()
    }

    /// Whether it has been shut down.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.state.borrow().shut_down
    }

    /// Says that the work on one item is done. As soon as that is so for all, [`join`] returns.
    ///
    /// asyncio: `task_done()`.
    ///
    /// # Errors
    ///
    /// [`TaskDoneError`] if it is called more often than items were put in; nothing has changed.
    ///
    /// [`join`]: QueueOf::join
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        let all_done = self.state.borrow_mut().task_done()?;
        if all_done {
            self.release_joiners();
        }
        Ok(())
    }

    /// Waits until each item that was put in has been reported done.
    ///
    /// It is enough that this was so once: an item that is put in afterwards, before the waiter
    /// runs, does not make it wait on.
    ///
    /// asyncio: `await queue.join()`.
    ///
    /// # Cancellation
    ///
    /// Strict, but for that last point: waiting anew starts with the items of now.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = lone::Queue::unbounded();
    /// let worker = async {
    ///     while let Ok(_item) = queue.get().await {
    ///         queue.task_done().expect("once for each item");
    ///     }
    /// };
    /// let producer = async {
    ///     for item in 0..3 {
    ///         queue.put(item).await.expect("it is open");
    ///     }
    ///     queue.join().await;
    ///     assert!(queue.is_empty());
    ///     queue.shutdown(); // ends the worker
    /// };
    /// lone::run(async { lone::join!(worker, producer) });
    /// ```
    #[track_caller]
    pub fn join(&self) -> QueueJoin<'_, T, O> {
        QueueJoin::new(self, Place::new())
    }

    /// Has the items compared, where their order wants that: before each `State::get`.
    #[inline]
    fn settle(&self) {
        O::Store::settle(&self.state, |state| &mut state.items);
    }

    /// The end of a get that has not got its item out.
    #[inline(never)]
    fn abandon_get(&self, place: &mut Place) {
        let left_over = self.state.borrow_mut().take_left_over(place);
        let _ = place.leave(&self.state, |state| &mut state.getters);
        if let Some(left_over) = left_over {
            let handed = self.state.borrow_mut().take_back(left_over);
            deliver(handed);
        }
    }

    /// Lets all go on who wait in `join` now.
    fn release_joiners(&self) {
        deliver_all(&self.state, |state| &mut state.joiners);
    }
}

/// Tells whoever was handed something: no borrow is held.
#[inline]
fn deliver(handed: Option<Handed>) {
    if let Some(handed) = handed {
        handed.deliver();
    }
}

impl<T, O: QueueOrder<T>> fmt::Debug for QueueOf<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct(O::TYPE)
            .field("len", &state.len())
            .field("capacity", &state.capacity)
            .field("shut_down", &state.shut_down)
            .field("unfinished", &state.unfinished)
            .field("getters", &state.getters)
            .field("putters", &state.putters)
            .field("joiners", &state.joiners)
            .finish()
    }
}

assert_not_send!(Queue<()>, LifoQueue<()>, PriorityQueue<()>);
assert_not_send!(Put<'_, ()>, Get<'_, ()>, QueueJoin<'_, ()>);
