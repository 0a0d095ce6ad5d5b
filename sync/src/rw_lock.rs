//! How is a value read by many, or changed by one, also over an await? In the order in which they ask.
//!
//! ```text
//!   RwLock ─┬─ value ◄── shared by ── read guards          or lent to ── one write guard
//!           └─ gate:  in: n readers, or a writer
//!                     who waits: r r w r w ◄── read, write     free, and nobody waits ─► in
//!                                └┴─ in, there and then, those at the front that may ◄── drop
//! ```
//!
//! Invariants:
//! - **Readers or one writer**: guards, and those who were let in and have not come yet.
//! - **Nobody overtakes**: while somebody waits, a newcomer queues, a reader too. So no writer starves.
//! - **Who may go in is in**: the first in line waits for those who are in, and for nothing else.
//! - **The value is there whenever no writer is in**, and it is nobody else's when one is.
//! - **The writer is known**, and a reader who is alone: the report of a deadlock says who.
//!
//! | file | question it answers |
//! |---|---|
//! | `gate` | who is in, and who stands in line? |
//! | `lock` | what do a read and a write do when they are polled, or dropped? |
//! | `read_guard`, `write_guard` | how does a guard reach the value, and what does its drop do? |

mod gate;
mod lock;
mod read_guard;
mod write_guard;

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use lone_executor::Holder;

use crate::wait_list::{Place, assert_not_send};
use gate::{Gate, Kind};

pub use lock::{ReadLock, ReadLockOwned, WriteLock, WriteLockOwned};
pub use read_guard::{OwnedRwLockReadGuard, RwLockReadGuard};
pub use write_guard::{OwnedRwLockWriteGuard, RwLockWriteGuard};

/// Why the value is there for whoever has just gone in, and for who owns the lock.
const THERE: &str = "the value is in its place whenever no writer is there";

/// Why a writer may change it.
const ALONE: &str = "a writer is the only one who has the value";

/// A value that many tasks may read at once, or one may change, also over their awaits.
///
/// Guards are handed over: dropping the last one that is in the way lets the first in line go in, there
/// and then; and if that is a reader, the readers behind it as well, up to the next writer.
///
/// Between two awaits nobody else runs, so what is read and written there needs no lock. It is for
/// what has to stay as it is *over* an await. See [`Mutex`](crate::Mutex).
///
/// A task that waits for a lock of its own waits for ever: also one that reads and then reads again, if
/// a writer has come in between. When nothing else can happen either, the run ends with a
/// [`Deadlock`](lone_executor::Deadlock).
///
/// There is no poisoning. It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: none.
///
/// # Fairness
///
/// Strictly in the order of the first polls: a reader that comes while a writer waits stands behind it.
///
/// # Cost
///
/// One allocation when it is made. None in locking without waiting, nor in waiting once as many have
/// waited before.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let prices = lone::RwLock::new(vec![1, 2]);
///     let (first, second) = (prices.read().await, prices.read().await);
///     assert_eq!(first.len(), second.len());
///     drop((first, second));
///     prices.write().await.push(3);
///     assert_eq!(prices.into_inner(), [1, 2, 3]);
/// });
/// ```
pub struct RwLock<T> {
    gate: Gate,
    /// `None` while an owned write guard has it. Read guards that own their share have a clone.
    value: RefCell<Option<Rc<T>>>,
}

/// How it is with a [`RwLock`] at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RwLockStatistics {
    /// How many read, or were let in to read.
    pub readers: usize,
    /// Whether somebody writes, or was let in to write.
    pub has_writer: bool,
    /// How many wait, to read or to write.
    pub waiters: usize,
}

impl<T> RwLock<T> {
    /// A lock round `value`, with nobody in.
    #[must_use]
    pub fn new(value: T) -> RwLock<T> {
        RwLock { gate: Gate::new(), value: RefCell::new(Some(Rc::new(value))) }
    }

    /// Waits until it may read: nobody writes, and nobody who came before waits.
    ///
    /// # Cancellation
    ///
    /// Loses its place: dropped and called again, it stands at the end of the line. What it was handed
    /// already passes on.
    ///
    /// Keep no such future that you do not poll: it may be let in, and keeps writers out until it is
    /// awaited or dropped.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`RwLock`].
    #[track_caller]
    #[inline]
    pub fn read(&self) -> ReadLock<'_, T> {
        ReadLock { lock: self, place: Place::new() }
    }

    /// Waits until it may write: nobody reads or writes, and nobody who came before waits.
    ///
    /// # Cancellation
    ///
    /// As [`RwLock::read`]; readers that waited behind it alone go in at once.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`RwLock`].
    #[track_caller]
    #[inline]
    pub fn write(&self) -> WriteLock<'_, T> {
        WriteLock { lock: self, place: Place::new() }
    }

    /// Goes in to read if nobody writes and nobody waits; never waits itself.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = lone::RwLock::new(1);
    /// let (first, second) = (lock.try_read(), lock.try_read());
    /// assert_eq!(first.as_deref(), second.as_deref());
    /// assert!(lock.try_write().is_none());
    /// drop((first, second));
    /// *lock.try_write().expect("nobody is in") += 1;
    /// ```
    #[must_use = "it is let go when its guard is dropped"]
    #[track_caller]
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let entered = self.gate.enter(Kind::Read, Location::caller());
        entered.then(|| RwLockReadGuard::new(self))
    }

    /// Goes in to write if nobody is in; never waits itself.
    #[must_use = "it is let go when its guard is dropped"]
    #[track_caller]
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let entered = self.gate.enter(Kind::Write, Location::caller());
        entered.then(|| RwLockWriteGuard::new(self))
    }

    /// As [`RwLock::read`], with a guard that owns its share of the lock: for a spawned task, say.
    ///
    /// # Cancellation
    ///
    /// As [`RwLock::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// lone::run(async {
    ///     let lock = Rc::new(lone::RwLock::new(7));
    ///     let guard = lock.clone().read_owned().await;
    ///     let task = lone::spawn(async move { *guard });
    ///     assert_eq!(task.await.expect("it neither panics nor is cancelled"), 7);
    ///     assert!(lock.try_write().is_some());
    /// });
    /// ```
    #[track_caller]
    pub fn read_owned(self: Rc<Self>) -> ReadLockOwned<T> {
        ReadLockOwned { lock: self, place: Place::new() }
    }

    /// As [`RwLock::write`], with a guard that owns its share of the lock.
    ///
    /// # Cancellation
    ///
    /// As [`RwLock::write`].
    #[track_caller]
    pub fn write_owned(self: Rc<Self>) -> WriteLockOwned<T> {
        WriteLockOwned { lock: self, place: Place::new() }
    }

    /// As [`RwLock::try_read`], with a guard that owns its share of the lock.
    #[must_use = "it is let go when its guard is dropped"]
    #[track_caller]
    pub fn try_read_owned(self: Rc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        let entered = self.gate.enter(Kind::Read, Location::caller());
        entered.then(|| OwnedRwLockReadGuard::new(self))
    }

    /// As [`RwLock::try_write`], with a guard that owns its share of the lock.
    #[must_use = "it is let go when its guard is dropped"]
    #[track_caller]
    pub fn try_write_owned(self: Rc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        let entered = self.gate.enter(Kind::Write, Location::caller());
        entered.then(|| OwnedRwLockWriteGuard::new(self))
    }

    /// Who writes, or reads alone, or was let in to, and since which line.
    ///
    /// `None`: nobody is in; or several read, or have read since nobody was in, for each of them is
    /// not noted.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.gate.holder()
    }

    /// How many wait, to read or to write.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.gate.statistics().waiters
    }

    /// Who is in, and how many wait.
    #[must_use]
    pub fn statistics(&self) -> RwLockStatistics {
        self.gate.statistics()
    }

    /// The value, without locking: who has the lock to himself needs none; as
    /// [`Mutex::get_mut`](crate::Mutex::get_mut), also where a guard was leaked.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        let value = self.value.get_mut().as_mut().expect(THERE);
        Rc::get_mut(value).expect(ALONE)
    }

    /// The value, out of the lock.
    #[must_use]
    pub fn into_inner(self) -> T {
        Rc::into_inner(self.value.into_inner().expect(THERE)).expect(ALONE)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

/// The value, or `<locked>`; who is in, and who waits.
///
/// While the value is printed it is being read, so that its `Debug` may do with the lock what it likes.
impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (statistics, holder) = (self.gate.statistics(), self.gate.holder());
        let waiters = self.gate.describe_waiters();
        let mut lock = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => lock.field("value", &*guard),
            None => lock.field("value", &format_args!("<locked>")),
        };
        lock.field("readers", &statistics.readers).field("has_writer", &statistics.has_writer);
        if let Some(Holder { who, since, .. }) = holder {
            lock.field("holder", &who).field("since", &format_args!("{since}"));
        }
        lock.field("waiters", &format_args!("{waiters}")).finish()
    }
}

assert_not_send!(
    RwLock<()>,
    ReadLock<'_, ()>,
    ReadLockOwned<()>,
    WriteLock<'_, ()>,
    WriteLockOwned<()>,
    RwLockReadGuard<'_, ()>,
    OwnedRwLockReadGuard<()>,
    RwLockWriteGuard<'_, ()>,
    OwnedRwLockWriteGuard<()>,
);
