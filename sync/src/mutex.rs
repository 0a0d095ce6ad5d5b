//! How is a value changed by one at a time, also over an await? A mutex lends it, in order.
//!
//! ```text
//!   Mutex ─┬─ value ◄────── lent to ────── MutexGuard      an OwnedMutexGuard takes it along
//!          └─ door:  who is in, since which line ◄── lock     free ─► in
//!                    who waits: ◄ ◄ ◄             ◄── lock     else to the end of the line
//!                        └────────── in, there and then ◄── drop of the guard
//! ```
//!
//! Invariants:
//! - **One holder**: a guard exists, or a waiter was handed the lock and has not come yet; never two.
//! - **Nobody overtakes**: the mutex is free only while nobody waits. So whoever asks again at once
//!   stands behind those who wait, and `try_lock` fails.
//! - **The value is there whenever nobody holds it**: a guard gives it back before it lets the next
//!   one in.
//! - **The holder is known**: who was being polled when the lock was taken, and the line of the call.
//!   A report of a deadlock says so.
//!
//! | file | question it answers |
//! |---|---|
//! | `door` | who is in, and who stands before the door? |
//! | `lock` | what does a lock do when it is polled, or dropped? |
//! | `guard` | what does a guard do when it is dropped? |
//! | `relock` | how is a guard let go for a while, and had again? |

mod door;
mod guard;
mod lock;
mod relock;

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use lone_executor::Holder;

use crate::MutexStatistics;
use crate::wait_list::{Place, assert_not_send};

pub(crate) use door::Door;
pub use guard::{MutexGuard, OwnedMutexGuard};
pub use lock::{Lock, LockOwned};
pub use relock::Relock;

/// Why the value is there for whoever has just gone in, and for who owns the mutex.
const THERE: &str = "the value is in its place whenever no guard is there";

/// A value that one task at a time may use, also over its awaits; whoever comes too late waits in
/// line.
///
/// The lock is a guard: dropping it hands the lock to the first who waits, there and then. There is
/// no barging: whoever lets go and locks again at once stands behind those who wait already.
///
/// Between two awaits nobody else runs, so what is read and written there needs no mutex: a `Cell` or
/// a `RefCell` is enough. It is for what has to stay whole *over* an await, where a `RefCell` borrow
/// would panic in somebody else.
///
/// A task that waits for a lock of its own waits for ever, as do two who wait for one another's. When
/// nothing else can happen either, the run ends with a [`Deadlock`](lone_executor::Deadlock) that
/// says who holds what, and since which line.
///
/// There is no poisoning: a holder that panics lets the lock go like any other, and the next one finds
/// the value as it was left. Where that matters, change a copy and put it in at the end.
///
/// It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: `Lock`, except that this one owns what it guards, that a lock on its way to a waiter
/// cannot be taken by somebody else, and that there is no `release` to forget.
///
/// # Fairness
///
/// Strictly in the order of the first polls.
///
/// # Cost
///
/// One allocation when it is made. None in locking without waiting, nor in waiting once as many have
/// waited before. Locked and let go: about 4 ns.
///
/// # Examples
///
/// Read, wait, write: without a mutex nine of these ten would be lost.
///
/// ```
/// let balance = lone::Mutex::new(0);
/// lone::run(lone::gather((0..10).map(async |_| {
///     let mut balance = balance.lock().await;
///     let read = *balance;
///     lone::yield_now().await;
///     *balance = read + 1;
/// })));
/// assert_eq!(balance.into_inner(), 10);
/// ```
pub struct Mutex<T> {
    door: Door,
    /// `None` while an owned guard has it.
    value: RefCell<Option<T>>,
}

impl<T> Mutex<T> {
    /// A mutex round `value`, free.
    ///
    /// asyncio: `Lock()`.
    #[must_use]
    pub fn new(value: T) -> Mutex<T> {
        Mutex { door: Door::new(), value: RefCell::new(Some(value)) }
    }

    /// Waits for the lock.
    ///
    /// asyncio: `await lock.acquire()`, `async with lock`.
    ///
    /// # Cancellation
    ///
    /// Loses its place: dropped and called again, it stands at the end of the line. A lock that it was
    /// handed already passes on to the next one.
    ///
    /// Keep no such future that you do not poll: it may be handed the lock, and then nobody else gets
    /// it until the future is awaited or dropped.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Mutex`].
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let words = lone::Mutex::new(vec!["one"]);
    ///     let mut guard = words.lock().await;
    ///     guard.push("two");
    ///     assert!(words.is_locked());
    ///     drop(guard);
    ///     assert_eq!(*words.lock().await, ["one", "two"]);
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock { mutex: self, place: Place::new() }
    }

    /// Takes the lock if it is free; never waits itself.
    ///
    /// # Fairness
    ///
    /// It overtakes nobody: `None` also while the lock is on its way to a waiter.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = lone::Mutex::new(1);
    /// let mut guard = mutex.try_lock().expect("nobody holds it");
    /// *guard += 1;
    /// assert!(mutex.try_lock().is_none());
    /// drop(guard);
    /// assert_eq!(mutex.try_lock().as_deref(), Some(&2));
    /// ```
    #[must_use = "the lock is let go when its guard is dropped"]
    #[track_caller]
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        // Made only if it was taken: a guard that is dropped lets go.
        let taken = self.door.take(Location::caller());
        taken.then(|| MutexGuard::new(self))
    }

    /// Waits for the lock; its guard owns its share of the mutex: for a spawned task, say.
    ///
    /// # Cancellation
    ///
    /// As [`Mutex::lock`].
    ///
    /// # Cost
    ///
    /// The guard takes the value along and brings it back: two moves of a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// lone::run(async {
    ///     let total = Rc::new(lone::Mutex::new(1));
    ///     let mut guard = total.clone().lock_owned().await;
    ///     let task = lone::spawn(async move {
    ///         lone::yield_now().await;
    ///         *guard += 1; // let go when the task ends
    ///     });
    ///     assert_eq!(*total.lock().await, 2);
    ///     task.await.expect("it neither panics nor is cancelled");
    /// });
    /// ```
    #[track_caller]
    pub fn lock_owned(self: Rc<Self>) -> LockOwned<T> {
        LockOwned { mutex: self, place: Place::new() }
    }

    /// Takes the lock if it is free, with a guard that owns its share of the mutex; never waits
    /// itself.
    ///
    /// `None` as [`Mutex::try_lock`].
    #[must_use = "the lock is let go when its guard is dropped"]
    #[track_caller]
    pub fn try_lock_owned(self: Rc<Self>) -> Option<OwnedMutexGuard<T>> {
        let taken = self.door.take(Location::caller());
        taken.then(|| OwnedMutexGuard::new(self))
    }

    /// Whether [`lock`](Mutex::lock) would wait: somebody holds it, or was handed it.
    ///
    /// asyncio: `Lock.locked()`, which is false while the lock is on its way.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.door.is_shut()
    }

    /// How many wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.door.waiters()
    }

    /// How busy it is now.
    #[must_use]
    pub fn statistics(&self) -> MutexStatistics {
        MutexStatistics { locked: self.is_locked(), waiters: self.waiters() }
    }

    /// Who holds it, or was handed it, and since which line; `None`: it is free.
    ///
    /// That is who awaited the lock. A guard may move to another task: then it is told as the first
    /// one's still.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::HeldBy;
    ///
    /// let mutex = lone::Mutex::new(());
    /// lone::run(async {
    ///     let _guard = mutex.lock().await;
    ///     let task = lone::spawn(async { lone::yield_now().await });
    ///     let holder = mutex.holder().expect("it is locked");
    ///     assert_eq!(holder.who, HeldBy::Main);
    ///     task.await.expect("it neither panics nor is cancelled");
    /// });
    /// assert_eq!(mutex.holder(), None);
    /// ```
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.door.holder()
    }

    /// The value, without locking: who has the mutex to himself needs no lock.
    ///
    /// It stays locked where a [`MutexGuard`] was leaked (`std::mem::forget`), but the value is still
    /// there for this. An [`OwnedMutexGuard`] that was leaked has leaked its share as well: then there
    /// is no `&mut Mutex` any more, nor the value.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect(THERE)
    }

    /// The value, out of the mutex; as [`get_mut`](Mutex::get_mut), also where a [`MutexGuard`] was
    /// leaked.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner().expect(THERE)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

/// The value, or `<locked>`; who holds it, and who waits.
///
/// While the value is printed its mutex is locked, so that its `Debug` may do with it what it likes.
impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (holder, waiters) = (self.door.holder(), self.door.describe_waiters());
        let mut mutex = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => mutex.field("value", &*guard),
            None => mutex.field("value", &format_args!("<locked>")),
        };
        if let Some(Holder { who, since, .. }) = holder {
            mutex.field("holder", &who).field("since", &format_args!("{since}"));
        }
        mutex.field("waiters", &format_args!("{waiters}")).finish()
    }
}

assert_not_send!(Mutex<()>, Lock<'_, ()>, LockOwned<()>, MutexGuard<'_, ()>, OwnedMutexGuard<()>);
