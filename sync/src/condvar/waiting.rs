//! Where does a wait stand, and what if it is dropped there?
//!
//! | it has | it stands | dropped |
//! |---|---|---|
//! | a guard | nowhere: not polled yet | lets the lock go |
//! | a place | in the condvar's line | leaves it |
//! | a granted place, whose notice has one in the mutex's line | there: it was notified | leaves, and passes the notification on |
//! | that place, granted as well | it was handed the lock | lets it go, and passes the notification on |
//! | no place but one in the mutex's line | there: its time was over | leaves it, or lets the lock go |

use std::fmt;
use std::task::{Context, Poll, ready};

use lone_executor::{Taken, budget, trace};

use super::{Condvar, Notice};
use crate::mutex::Relock;
use crate::wait_list::{Left, Place, WaitList};

/// From the guard that is let go to the one that is got back.
pub(super) struct Waiting<'c, G: Relock> {
    condvar: &'c Condvar,
    /// The one to let go, until the first poll.
    guard: Option<G>,
    /// Of the one that was let go.
    mutex: Option<G::Mutex>,
    place: Place,
    lock: Place,
    timed_out: bool,
}

/// Neither guard nor mutex is ever pinned.
impl<G: Relock> Unpin for Waiting<'_, G> {}

type Waiters = WaitList<Option<Notice>>;

fn itself(waiters: &mut Waiters) -> &mut Waiters {
    waiters
}

/// What whoever stands there has brought along.
fn notice<'w>(place: &Place, waiters: &'w mut Waiters) -> &'w mut Notice {
    place.parcel(waiters).as_mut().expect("he has brought it along")
}

impl<'c, G: Relock> Waiting<'c, G> {
    #[track_caller]
    #[inline]
    pub(super) fn new(condvar: &'c Condvar, guard: G) -> Waiting<'c, G> {
        let (place, lock) = (Place::new(), Place::new());
        Waiting { condvar, guard: Some(guard), mutex: None, place, lock, timed_out: false }
    }

    /// The guard, while it is not let go.
    pub(super) fn guard(&mut self) -> &mut Option<G> {
        &mut self.guard
    }

    /// Whether it has left the line without having been notified.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Ready with the lock. `is_over` is asked as long as it was not notified, and may end that wait.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        is_over: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<G> {
        ready!(budget::take(cx));
        if let Some(guard) = self.guard.take() {
            self.let_go(guard);
        }
        let mutex = self.mutex.as_ref().expect("a wait is not polled after it has ended");
        if self.place.is_taken() && !self.lock.is_taken() {
            let now = Taken::here(self.place.site());
            if self.place.poll_unsaid(cx, &self.condvar.waiters, itself).is_pending()
                && !is_over(cx)
            {
                // The future may have moved to another task since it was polled last.
                notice(&self.place, &mut self.condvar.waiters.borrow_mut()).who = now;
                trace::awaits("a notification", self.place.site());
                return Poll::Pending;
            }
            let mut waiters = self.condvar.waiters.borrow_mut();
            let notice = notice(&self.place, &mut waiters);
            if notice.lock.is_taken() {
                std::mem::swap(&mut self.lock, &mut notice.lock);
            } else {
                drop(waiters);
                let _not_notified = self.place.leave(&self.condvar.waiters, itself);
                self.timed_out = true;
            }
        }
        ready!(G::door(mutex).enter(&mut self.lock, cx));
        if self.place.is_taken() {
            let _notice = self.place.take(&mut self.condvar.waiters.borrow_mut());
        }
        Poll::Ready(G::guard(self.mutex.take().expect("it was there")))
    }

    /// Joins the line, and only then lets the lock go.
    fn let_go(&mut self, guard: G) {
        let mutex = guard.mutex();
        let notice = Notice {
            door: G::door(&mutex).clone(),
            who: Taken::here(self.place.site()),
            lock: self.lock.again(),
        };
        self.place.join(&mut self.condvar.waiters.borrow_mut(), Some(notice));
        self.mutex = Some(mutex);
        drop(guard);
    }

    /// It was notified, or stands in line for the lock, or both: and goes away.
    #[cold]
    fn abandon(&mut self) {
        /// Passes on even where a foreign waker panics.
        struct PassOn<'c>(&'c Condvar);
        impl Drop for PassOn<'_> {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let mut passes_on = None;
        match self.place.leave(&self.condvar.waiters, itself) {
            None | Some(Left::Waiting(_)) => {}
            Some(Left::Granted(notice)) => {
                passes_on = Some(PassOn(self.condvar));
                if let Some(mut notice) = notice.filter(|notice| notice.lock.is_taken()) {
                    std::mem::swap(&mut self.lock, &mut notice.lock);
                }
            }
        }
        if let Some(mutex) = &self.mutex
            && self.lock.is_taken()
        {
            G::door(mutex).abandon(&mut self.lock);
        }
        drop(passes_on);
    }
}

impl<G: Relock> Drop for Waiting<'_, G> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() || self.lock.is_taken() {
            self.abandon();
        }
    }
}

impl<G: Relock> fmt::Debug for Waiting<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("place", &self.place)
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}
