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
//! | `put`, `get`, `join` | what does each future do when it is polled, or dropped? |
//! | `stream` | what is it to whoever takes items one after the other? |
//! | `error` | why not, and where is my item? |
//!
//! Invariants: those of `state`; and no item and no waker is dropped or woken under its borrow.

mod error;
mod get;
mod join;
mod put;
mod state;
mod stream;

use std::cell::RefCell;
use std::fmt;

use lone_executor::trace;

use crate::wait_list::{Handed, Place, assert_not_send, deliver_all, deliver_each};
use state::State;

pub use error::{GetError, PutError, TaskDoneError, TryGetError, TryPutError};
pub use get::Get;
pub use join::QueueJoin;
pub use put::Put;
pub use stream::QueueStream;

/// A queue: first in, first out, with any number of producers and consumers.
///
/// Items are handed over directly. One that is put while somebody waits in [`get`](Queue::get)
/// belongs to the first who waits: nobody else can take it, and if that one is dropped before it
/// has run, it is not lost and keeps its place. One that is taken from a full queue lets the first
/// [`put`](Queue::put) that waits go in, there and then. Share it with an [`Rc`](std::rc::Rc).
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
pub struct Queue<T> {
    state: RefCell<State<T>>,
}

impl<T> Queue<T> {
    /// A queue with room for `capacity` items.
    ///
    /// asyncio: `Queue(maxsize=capacity)`.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, which means "no limit" in asyncio: ask for [`Queue::unbounded`].
    #[must_use]
    #[track_caller]
    pub fn bounded(capacity: usize) -> Queue<T> {
        assert!(
            capacity > 0,
            "a queue with room for 0 items could never pass one on: use `Queue::unbounded()` for \
             a queue without limit (asyncio's maxsize=0), or `Queue::bounded(1)` for the smallest"
        );
        Queue::with_capacity(Some(capacity))
    }

    /// A queue without limit: [`put`](Queue::put) never waits for room.
    ///
    /// asyncio: `Queue()`.
    #[must_use]
    pub fn unbounded() -> Queue<T> {
        Queue::with_capacity(None)
    }

    fn with_capacity(capacity: Option<usize>) -> Queue<T> {
        Queue { state: RefCell::new(State::new(capacity, trace::Object::new("queue"))) }
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
    /// [`try_put`](Queue::try_put), which gives it back.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Queue`].
    #[track_caller]
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put::new(self, item, Place::new())
    }

    /// Takes the first item out, after waiting for one if need be.
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
    /// to the head of the queue.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Queue`].
    #[track_caller]
    #[inline]
    pub fn get(&self) -> Get<'_, T> {
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

    /// Takes the first item out if there is one; never waits.
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

    /// Whether nothing is in it: [`get`](Queue::get) would wait, or fail.
    ///
    /// asyncio: `empty()`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room: [`put`](Queue::put) would wait. Never for an unbounded one.
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

    /// How many wait in [`get`](Queue::get).
    #[must_use]
    pub fn waiting_getters(&self) -> usize {
        self.state.borrow().getters.len()
    }

    /// How many wait in [`put`](Queue::put).
    #[must_use]
    pub fn waiting_putters(&self) -> usize {
        self.state.borrow().putters.len()
    }

    /// Closes it for new items; what is in it can still be taken out.
    ///
    /// From now on puts fail, those that wait as well, and give their items back. Gets return what
    /// is left, then fail; those that wait fail now. May be called more than once, and
    /// [`shutdown_now`](Queue::shutdown_now) may follow.
    ///
    /// asyncio: `shutdown()`.
    pub fn shutdown(&self) {
        self.state.borrow_mut().shut_down = true;
        deliver_each(|| self.state.borrow_mut().refuse());
    }

    /// Closes it and takes out all that is in it; that counts as done for [`join`](Queue::join).
    ///
    /// Items that were handed to a getter stay with it and are to be reported done as ever. One
    /// that such a getter gives back by being dropped is in the queue again: a get returns it, or
    /// another call of this.
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
        let (items, all_done) = self.state.borrow_mut().take_all();
        self.shutdown();
        if all_done {
            self.release_joiners();
        }
        items
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
    /// [`join`]: Queue::join
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
    pub fn join(&self) -> QueueJoin<'_, T> {
        QueueJoin::new(self, Place::new())
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

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Queue")
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

assert_not_send!(Queue<()>, Put<'_, ()>, Get<'_, ()>, QueueJoin<'_, ()>);
