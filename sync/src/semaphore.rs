//! How do at most n get in at a time? A semaphore counts permits and hands them over in order.
//!
//! ```text
//!   permits ── acquire ──► Permit (a guard) ── drop ──► somebody waits?
//!      ▲                                                   │ no      │ yes
//!      └───────────────────────────────────────────────────┘         └──► handed to the first
//! ```
//!
//! Invariants:
//! - **Nobody overtakes**: while somebody waits, a newcomer queues and `try_acquire` fails, be
//!   there permits or not.
//! - **Handed over at the release**: a permit belongs to its waiter before that one has run. One
//!   that is dropped meanwhile passes it on.
//! - **Permits are conserved**: `out` = held + handed over. It stays below `total`, but for permits
//!   that were out already when `resize` lowered that; then none is granted until enough are back.

mod acquire;
mod permit;
mod total;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::{Holder, budget, trace};

use crate::SemaphoreStatistics;
use crate::wait_list::{Handed, Left, Place, WaitList, assert_not_send, deliver_each};

pub use acquire::{Acquire, AcquireOwned};
pub use permit::{OwnedPermit, Permit};

/// Lets so many in at a time; whoever comes too late waits in line.
///
/// A permit is a guard: dropping it hands it to the first who waits, there and then. There is no
/// barging: whoever releases a permit and asks again at once stands behind those who wait already.
///
/// It stays on its loop's thread. To reach it from another one use
/// [`Remote::spawn`](lone_executor::Remote::spawn): what that sends runs on the loop's thread, and
/// finds the semaphore there, in a thread-local, say: see [`Queue`](crate::Queue) for an example.
///
/// asyncio: `Semaphore`, except that there a permit on its way to a waiter can be taken by somebody
/// else under some versions, and that a permit is given back by hand. With [`bounded`], asyncio's
/// `BoundedSemaphore`.
///
/// # Fairness
///
/// Strictly in the order of the first polls, whatever the number of permits wanted: one who wants
/// many is not overtaken by those who want few.
///
/// # Cost
///
/// No allocation without waiting, and none in waiting once as many have waited before. A permit
/// taken and given back: about 3 ns.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// let semaphore = lone::Semaphore::new(3);
/// let (inside, most) = (Cell::new(0), Cell::new(0));
/// lone::run(lone::gather((0..9).map(async |_| {
///     let _permit = semaphore.acquire().await;
///     inside.set(inside.get() + 1);
///     most.set(most.get().max(inside.get()));
///     lone::yield_now().await;
///     inside.set(inside.get() - 1);
/// })));
/// assert_eq!(most.get(), 3);
/// ```
///
/// [`bounded`]: Semaphore::bounded
pub struct Semaphore {
    state: RefCell<State>,
}

struct State {
    /// Those that are held, and those that were handed over.
    out: usize,
    /// How many may be out. Counted like this, a smaller total needs no debt to be paid off.
    total: usize,
    /// The most that `add_permits` may bring `total` to.
    limit: usize,
    /// A parcel is how many permits its waiter wants.
    waiters: WaitList<usize>,
}

impl State {
    /// Takes permits for a newcomer: not while somebody waits.
    #[inline]
    fn take(&mut self, wanted: usize) -> bool {
        if wanted > self.available() || !self.waiters.is_empty() {
            return false;
        }
        self.out += wanted;
        true
    }

    /// Those that nobody holds and nobody was handed.
    #[inline]
    fn available(&self) -> usize {
        self.total.saturating_sub(self.out)
    }

    /// Hands the first who waits what it wants, if there is as much.
    fn grant(&mut self) -> Option<Handed> {
        let available = self.available();
        let out = &mut self.out;
        self.waiters.grant_if(|wanted| {
            let enough = *wanted <= available;
            *out += if enough { *wanted } else { 0 };
            enough
        })
    }
}

fn waiters(state: &mut State) -> &mut WaitList<usize> {
    &mut state.waiters
}

impl Semaphore {
    /// A semaphore with so many permits; with 0 all wait until some are added.
    ///
    /// asyncio: `Semaphore(permits)`.
    #[must_use]
    pub fn new(permits: usize) -> Semaphore {
        Semaphore::with_limit(permits, usize::MAX)
    }

    /// As [`Semaphore::new`], but it never has more permits than it is made with.
    ///
    /// Guards give back what they took, so only [`add_permits`](Semaphore::add_permits) can ask
    /// for more: that panics.
    ///
    /// asyncio: `BoundedSemaphore(permits)`.
    #[must_use]
    pub fn bounded(permits: usize) -> Semaphore {
        Semaphore::with_limit(permits, permits)
    }

    fn with_limit(permits: usize, limit: usize) -> Semaphore {
        Semaphore {
            state: RefCell::new(State {
                out: 0,
                total: permits,
                limit,
                waiters: WaitList::new(trace::Object::new("semaphore")),
            }),
        }
    }

    /// Waits for a permit.
    ///
    /// asyncio: `await semaphore.acquire()`, `async with semaphore`.
    ///
    /// # Cancellation
    ///
    /// Loses its place: dropped and called again, it stands at the end of the line. A permit that
    /// it was handed already passes on to the next one.
    ///
    /// # Fairness
    ///
    /// In the order of the first polls; see [`Semaphore`].
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let semaphore = lone::Semaphore::new(1);
    ///     let permit = semaphore.acquire().await;
    ///     assert!(semaphore.is_locked());
    ///     drop(permit);
    ///     assert!(!semaphore.is_locked());
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once.
    ///
    /// It waits its turn as a whole: those behind it wait as well, though they may want fewer than
    /// there are. More than the semaphore ever has are waited for until some are added.
    ///
    /// # Cancellation
    ///
    /// Loses its place. Permits that it was handed pass on; where it was the first in line, those
    /// behind it that want fewer go in at once.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let semaphore = lone::Semaphore::new(5);
    ///     let permit = semaphore.acquire_many(3).await;
    ///     assert_eq!((permit.permits(), semaphore.available()), (3, 2));
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        Acquire { semaphore: self, wanted: permits, place: Place::new() }
    }

    /// Takes a permit if there is one and nobody waits; never waits itself.
    ///
    /// # Fairness
    ///
    /// It overtakes nobody: `None` also while a permit is on its way to a waiter and more wait.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = lone::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().expect("nobody holds it");
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    #[must_use = "the permit is given back when it is dropped"]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if there are as many and nobody waits; never waits itself.
    #[must_use = "the permits are given back when they are dropped"]
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Option<Permit<'_>> {
        // Made only if they were taken: a permit that is dropped gives back.
        let taken = self.state.borrow_mut().take(permits);
        taken.then(|| Permit { semaphore: self, permits })
    }

    /// Waits for a permit that owns its share of the semaphore: for a spawned task, say.
    ///
    /// # Cancellation
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// lone::run(async {
    ///     let semaphore = Rc::new(lone::Semaphore::new(2));
    ///     let permit = semaphore.clone().acquire_owned().await;
    ///     let task = lone::spawn(async move {
    ///         let _permit = permit; // given back when the task ends
    ///     });
    ///     assert_eq!(semaphore.available(), 1);
    ///     task.await.expect("it neither panics nor is cancelled");
    ///     assert_eq!(semaphore.available(), 2);
    /// });
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: Rc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// Waits for so many permits at once, which own their share of the semaphore.
    ///
    /// # Cancellation
    ///
    /// As [`Semaphore::acquire_many`].
    #[track_caller]
    pub fn acquire_many_owned(self: Rc<Self>, permits: usize) -> AcquireOwned {
        AcquireOwned { semaphore: self, wanted: permits, place: Place::new() }
    }

    /// How many permits are there that nobody holds and nobody was handed.
    ///
    /// It may be more than 0 while somebody waits: for more than that.
    #[must_use]
    pub fn available(&self) -> usize {
        self.state.borrow().available()
    }

    /// Whether [`acquire`](Semaphore::acquire) would wait.
    ///
    /// asyncio: `Semaphore.locked()`.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        let state = self.state.borrow();
        state.available() == 0 || !state.waiters.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.state.borrow().waiters.len()
    }

    /// How busy it is now.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = lone::Semaphore::new(3);
    /// let _permit = semaphore.try_acquire_many(2);
    /// let now = semaphore.statistics();
    /// assert_eq!((now.total, now.out, now.waiters), (3, 2, 0));
    /// ```
    #[must_use]
    pub fn statistics(&self) -> SemaphoreStatistics {
        let State { out, total, ref waiters, .. } = *self.state.borrow();
        SemaphoreStatistics { total, out, unclaimed: waiters.unclaimed(), waiters: waiters.len() }
    }

    /// Gives permits back, and hands them over.
    #[inline]
    fn release(&self, permits: usize) {
        let mut state = self.state.borrow_mut();
        debug_assert!(permits <= state.out, "{permits} given back, {} are out", state.out);
        state.out -= permits;
        if state.waiters.is_empty() {
            return;
        }
        let handed = state.grant();
        // Who wants no permits goes in as well, once it is the first.
        let available = state.available();
        let is_all = state.waiters.first().is_none_or(|wanted| *wanted > available);
        drop(state);
        match handed {
            // A permit for a permit, as a rule.
            Some(handed) if is_all => handed.deliver(),
            Some(handed) => self.hand_over(Some(handed)),
            None => {}
        }
    }

    /// Hands over what there is, after what has been handed over already. Ends when the first in line
    /// wants more, or nobody waits.
    #[cold]
    fn hand_over(&self, mut handed: Option<Handed>) {
        deliver_each(|| handed.take().or_else(|| self.state.borrow_mut().grant()));
    }

    #[inline]
    fn poll_acquire(&self, wanted: usize, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::take(cx));
        let mut state = self.state.borrow_mut();
        if !place.is_taken() {
            if state.take(wanted) {
                return Poll::Ready(());
            }
            if place.join_and_keep(&mut state.waiters, wanted, cx) {
                drop(state);
                budget::give_back();
                self.say_what_is_awaited(place);
                return Poll::Pending;
            }
        } else if place.take_granted(&mut state.waiters).is_some() {
            return Poll::Ready(());
        }
        drop(state);
        self.wait(place, cx)
    }

    /// [5] await: says as well whether one who was handed permits does not come for them.
    #[inline(never)]
    fn wait(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        if place.poll_unsaid(cx, &self.state, waiters).is_pending() {
            self.say_what_is_awaited(place);
            return Poll::Pending;
        }
        let _wanted = place.take(&mut self.state.borrow_mut().waiters);
        Poll::Ready(())
    }

    #[inline]
    fn say_what_is_awaited(&self, place: &Place) {
        trace::awaits_held("a permit", place.site(), || {
            self.state.borrow().waiters.first_unclaimed().map(Holder::unclaimed)
        });
    }

    /// The end of an acquire that has not got its permits out.
    #[cold]
    fn abandon(&self, place: &mut Place) {
        match place.leave(&self.state, waiters) {
            None => {}
            Some(Left::Granted(permits)) => self.release(permits),
            // Those behind may want fewer.
            Some(Left::Waiting(_wanted)) => self.hand_over(None),
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Semaphore")
            .field("available", &state.available())
            .field("permits", &state.total)
            .field("waiters", &state.waiters)
            .finish()
    }
}

assert_not_send!(Semaphore, Acquire<'_>, AcquireOwned, Permit<'_>, OwnedPermit);
