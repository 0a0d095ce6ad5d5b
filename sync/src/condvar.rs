//! How does one wait until a value under a mutex is as it should be? He lets the lock go, and is
//! notified.
//!
//! ```text
//!   wait(guard) ── lets the lock go ──► in the condvar's line ──── notify ────┐
//!                                          │ deadline: stands in line himself │
//!                                          ▼                                  ▼
//!   guard ◄── the lock was handed over ◄── at the end of the mutex's line, there and then, asleep
//! ```
//!
//! Invariants:
//! - **In line before the lock is let go**: no notification falls in between.
//! - **Notified is in line**: a notification moves its waiter to the end of its mutex's line, at that
//!   moment, so nobody who asks for the lock later gets it earlier. It is woken once, with the lock.
//! - **A notification is not lost**: a waiter that is dropped after it, with the lock or without,
//!   passes it on to the next one.
//! - **No lock for who goes away**: a wait that is dropped takes none.
//!
//! | file | question it answers |
//! |---|---|
//! | `waiting` | where does a wait stand, and what if it is dropped there? |
//! | `wait` | what do the three kinds of waits make of that? |

mod wait;
mod waiting;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use lone_executor::{Taken, trace};

use crate::mutex::{Door, Relock};
use crate::wait_list::{Handed, Place, Round, WaitList, assert_not_send, deliver_each};
use waiting::Waiting;

pub use wait::{CondvarWait, CondvarWaitTimeout, CondvarWaitWhile};

/// Waiting, under a [`Mutex`](crate::Mutex), for somebody to say that its value has changed.
///
/// [`wait`](Condvar::wait) lets the lock go, waits to be notified, and returns with the lock. What was
/// waited for need not be so any more by then: somebody else may have had the lock in between. So wait
/// in a loop, or with [`wait_while`](Condvar::wait_while), which is that loop.
///
/// Notifying needs no lock: but what has changed is changed under it, or somebody who has looked and
/// not yet waited would miss it. Several condvars may belong to one mutex: "not empty" and "not full",
/// say. A notification that nobody waits for is forgotten; for one that stays see
/// [`Event`](crate::Event).
///
/// It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: `Condition`, which has its lock built in.
///
/// # Fairness
///
/// Strictly in the order of the first polls; a notified waiter stands in the mutex's line from the
/// notification on, before all who ask for the lock later.
///
/// # Cost
///
/// A notification is a move from one line to another: O(1), no allocation once as many have waited, and
/// one wake, when the lock is handed over: there is no crowd of woken waiters that wait again.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// lone::run(async {
///     let shared = Rc::new((lone::Mutex::new(Vec::new()), lone::Condvar::new()));
///     let consumer = lone::spawn({
///         let shared = shared.clone();
///         async move {
///             let (items, not_empty) = &*shared;
///             let guard = items.lock().await;
///             let mut guard = not_empty.wait_while(guard, |items| items.is_empty()).await;
///             guard.pop()
///         }
///     });
///     lone::yield_now().await;
///     let (items, not_empty) = &*shared;
///     items.lock().await.push(7);
///     not_empty.notify_one();
///     assert_eq!(consumer.await.expect("it neither panics nor is cancelled"), Some(7));
/// });
/// ```
pub struct Condvar {
    waiters: RefCell<WaitList<Option<Notice>>>,
}

/// What each waiter brings along: where he is to stand once he is notified, and as whom.
struct Notice {
    door: Door,
    who: Taken,
    /// His place in the line of that door, as soon as he was notified.
    lock: Place,
}

/// How it is with a [`Condvar`] at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CondvarStatistics {
    /// How many wait to be notified.
    pub waiters: usize,
    /// How many were notified and do not have their lock yet, or have not come for it.
    pub unclaimed: usize,
}

impl Condvar {
    /// A condvar that nobody waits for.
    ///
    /// asyncio: `Condition()`.
    #[must_use]
    pub fn new() -> Condvar {
        Condvar { waiters: RefCell::new(WaitList::new(trace::Object::new("condvar"))) }
    }

    /// Lets the lock go, waits to be notified, and returns with the lock.
    ///
    /// The lock is let go by the first poll. All guards given to one condvar should be of one mutex;
    /// each waiter gets the lock of its own back in any case.
    ///
    /// asyncio: `await condition.wait()`.
    ///
    /// # Cancellation
    ///
    /// Loses its place, and the guard with it: dropped, it does not wait for the lock. A notification
    /// that it had got passes on to the next one, and so does the lock.
    ///
    /// Under a `timeout` the guard is gone when the time is over:
    /// [`wait_timeout`](Condvar::wait_timeout) returns it. asyncio takes the lock again in both cases.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Condvar`].
    #[track_caller]
    #[inline]
    pub fn wait<G: Relock>(&self, guard: G) -> CondvarWait<'_, G> {
        CondvarWait(Waiting::new(self, guard))
    }

    /// Waits as long as `condition` holds, and returns with the lock.
    ///
    /// It is asked at the first poll, and after each notification, with the lock held: it returns at
    /// once where it does not hold. A notification after which it holds still has been used up.
    ///
    /// asyncio: `await condition.wait_for(lambda: not condition)`.
    ///
    /// # Cancellation
    ///
    /// As [`Condvar::wait`].
    #[track_caller]
    #[inline]
    pub fn wait_while<G, F>(&self, guard: G, condition: F) -> CondvarWaitWhile<'_, G, F>
    where
        G: Relock,
        F: FnMut(&mut G::Target) -> bool,
    {
        CondvarWaitWhile { waiting: Waiting::new(self, guard), condition }
    }

    /// As [`Condvar::wait`], but notified or not it stops waiting after a while; it returns with the
    /// lock, and whether the time was over.
    ///
    /// The time is counted from the first poll, and is that for the notification: the lock is waited
    /// for as long as it takes, for what is returned is the guard. `false`: it was notified, be it that
    /// the lock came later than that.
    ///
    /// # Panics
    ///
    /// When it has to wait where no loop runs, or on another loop than at first.
    ///
    /// # Cancellation
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::run(async {
    ///     let (mutex, condvar) = (lone::Mutex::new(7), lone::Condvar::new());
    ///     let guard = mutex.lock().await;
    ///     let (guard, timed_out) = condvar.wait_timeout(guard, Duration::from_millis(2)).await;
    ///     assert!(timed_out && mutex.is_locked());
    ///     assert_eq!(*guard, 7);
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn wait_timeout<G: Relock>(
        &self,
        guard: G,
        duration: Duration,
    ) -> CondvarWaitTimeout<'_, G> {
        CondvarWaitTimeout::new(Waiting::new(self, guard), duration)
    }

    /// Notifies the first who waits. Does nothing if nobody does.
    ///
    /// asyncio: `condition.notify()`.
    ///
    /// # Reentrancy
    ///
    /// A foreign waker that it wakes may use this condvar: it finds it whole.
    pub fn notify_one(&self) {
        self.notify_many(1);
    }

    /// Notifies the first `count` who wait now, or all if they are fewer.
    ///
    /// asyncio: `condition.notify(count)`.
    pub fn notify_many(&self, count: usize) {
        if count == 0 {
            return;
        }
        let Some(round) = self.waiters.borrow_mut().begin_round() else { return };
        let mut left = count;
        deliver_each(|| self.notify_next(&mut left, round));
    }

    /// Notifies all who wait now. They get the lock one after the other, in order.
    ///
    /// asyncio: `condition.notify_all()`.
    pub fn notify_all(&self) {
        self.notify_many(usize::MAX);
    }

    /// How many wait to be notified.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.waiters.borrow().len()
    }

    /// How many wait, and how many were notified.
    #[must_use]
    pub fn statistics(&self) -> CondvarStatistics {
        let waiters = self.waiters.borrow();
        CondvarStatistics { waiters: waiters.len(), unclaimed: waiters.unclaimed() }
    }

    /// Notifies one after the other, until one of them is in at once and is to be told.
    fn notify_next(&self, left: &mut usize, round: Round) -> Option<Handed> {
        while *left > 0 {
            *left -= 1;
            // Ends after the borrow has ended.
            let _held = trace::hold();
            let mut waiters = self.waiters.borrow_mut();
            if !waiters.is_first_in(round) {
                return None;
            }
            let in_at_once = waiters.grant_with(|notice, notified| {
                let notice = notice.as_mut().expect("he has brought it along");
                notice.door.line_up(&mut notice.lock, notice.who, notified)
            });
            if let Some(Some(handed)) = in_at_once {
                return Some(handed);
            }
        }
        None
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiters", &self.waiters.borrow()).finish()
    }
}

assert_not_send!(
    Condvar,
    CondvarWait<'_, crate::MutexGuard<'_, ()>>,
    CondvarWaitTimeout<'_, crate::OwnedMutexGuard<()>>,
);
