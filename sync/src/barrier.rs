//! How do n tasks wait for each other? At a barrier, which lets all go on when the last has come.
//!
//! ```text
//!   arrive ─► arrive ─► … ─► the n-th: all are released, in order; the next round begins at once
//!      └── dropped: it has not arrived          abort, reset: all who wait get an error
//! ```
//!
//! Invariants:
//! - **Rounds do not mix**: a trip grants all who wait under one borrow; whoever comes after that, even
//!   out of a wake of it, is of the next round.
//! - **Only the living count**: who has arrived is who stands in line, so a wait that is dropped has
//!   not arrived.
//! - **What has tripped has tripped**: `abort` and `reset` reach those who wait, not those who were let
//!   go.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};

use crate::wait_list::{Handed, Parcel, Place, WaitList, assert_not_send, deliver_each};

/// Lets tasks go on when so many have come, again and again.
///
/// A wait that is dropped takes its arrival back: so many *others* are still needed. So a wait under a
/// timeout can be tried again.
///
/// It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: `Barrier`.
///
/// # Fairness
///
/// Those who wait are let go in the order of their first polls; the last one need not wait at all.
///
/// # Cost
///
/// A trip: n wakes. Nothing is allocated once as many have waited before.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// let barrier = lone::Barrier::new(3);
/// let prepared = Cell::new(0);
/// lone::run(lone::gather((0..3).map(async |_| {
///     prepared.set(prepared.get() + 1);
///     let arrival = barrier.wait().await.expect("nobody breaks it");
///     assert_eq!(prepared.get(), 3);
///     if arrival.is_leader() {
///         println!("all are ready");
///     }
/// })));
/// ```
pub struct Barrier {
    parties: usize,
    state: RefCell<State>,
}

struct State {
    broken: bool,
    trips: u64,
    /// Those of this round. A parcel is what its wait is to return, as soon as it is granted.
    waiters: WaitList<Outcome>,
    /// Who is being told, kept for its room.
    told: Vec<Handed>,
}

type Outcome = Result<BarrierWaitResult, BrokenBarrier>;

impl Parcel for Outcome {
    fn take(&mut self) -> Outcome {
        *self
    }
}

fn waiters(state: &mut State) -> &mut WaitList<Outcome> {
    &mut state.waiters
}

/// Which one of its round somebody was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    is_leader: bool,
}

impl BarrierWaitResult {
    /// As which one it came: 0 for the first, unique in its round.
    ///
    /// asyncio: what `await barrier.wait()` returns.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether it came last. That is so for one of each round, which goes on before all others.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

/// How it is with a [`Barrier`] at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierStatistics {
    /// How many have come in this round.
    pub waiters: usize,
    /// How many were let go, or told that it is broken, and have not come to hear of it.
    pub unclaimed: usize,
    /// How often all have come.
    pub trips: u64,
}

impl Barrier {
    /// A barrier for so many at a time.
    ///
    /// asyncio: `Barrier(parties)`.
    ///
    /// # Panics
    ///
    /// If `parties` is 0: nobody could come last.
    #[must_use]
    #[track_caller]
    pub fn new(parties: usize) -> Barrier {
        assert!(
            parties > 0,
            "a barrier for 0 parties could never trip: say how many wait for each other, \
             themselves included; with `Barrier::new(1)` nobody ever waits"
        );
        let waiters = WaitList::new(trace::Object::new("barrier"));
        let state = State { broken: false, trips: 0, waiters, told: Vec::new() };
        Barrier { parties, state: RefCell::new(state) }
    }

    /// Waits until all have come; the last one does not wait.
    ///
    /// asyncio: `await barrier.wait()`.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`]: it is broken, or was broken or reset meanwhile.
    ///
    /// # Cancellation
    ///
    /// Loses its place: dropped, it takes its arrival back, and called again it comes as a later one.
    /// Where all had come already the others go on all the same, and calling it again is a wait for
    /// the next round.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::run(async {
    ///     let barrier = lone::Barrier::new(2);
    ///     let alone = lone::timeout(Duration::from_millis(2), barrier.wait()).await;
    ///     assert!(alone.is_err());
    ///     assert_eq!(barrier.waiting(), 0); // nobody is there
    ///     let (first, second) = lone::join!(barrier.wait(), barrier.wait());
    ///     assert_eq!(first.expect("it is whole").index(), 0);
    ///     assert!(second.expect("it is whole").is_leader());
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait { barrier: self, place: Place::new() }
    }

    /// Breaks it: all who wait get an error, and so does who comes later, until [`reset`].
    ///
    /// For a party that will not come. asyncio: `await barrier.abort()`.
    ///
    /// [`reset`]: Barrier::reset
    pub fn abort(&self) {
        self.break_round(true);
    }

    /// Begins anew: all who wait get an error, and the barrier is whole, be it that it was broken.
    ///
    /// asyncio: `await barrier.reset()`.
    pub fn reset(&self) {
        self.break_round(false);
    }

    /// How many it is for.
    ///
    /// asyncio: `barrier.parties`.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many have come in this round, and wait: 0 right after a trip.
    ///
    /// asyncio: `barrier.n_waiting`.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.borrow().waiters.len()
    }

    /// Whether it is broken.
    ///
    /// asyncio: `barrier.broken`.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.borrow().broken
    }

    /// How many have come, how many were let go, and how often.
    #[must_use]
    pub fn statistics(&self) -> BarrierStatistics {
        let State { trips, waiters, .. } = &*self.state.borrow();
        BarrierStatistics { waiters: waiters.len(), unclaimed: waiters.unclaimed(), trips: *trips }
    }

    fn break_round(&self, broken: bool) {
        let mut state = self.state.borrow_mut();
        state.broken = broken;
        let told = state.grant_all(|_index| Err(BrokenBarrier));
        drop(state);
        self.tell(told);
    }

    /// Comes: as the last one, or as one who has to wait.
    fn arrive(&self, place: &mut Place) -> Poll<Outcome> {
        let mut state = self.state.borrow_mut();
        if state.broken {
            return Poll::Ready(Err(BrokenBarrier));
        }
        let index = state.waiters.len();
        if index + 1 < self.parties {
            // What it is to return is written when it is granted.
            place.join(&mut state.waiters, Err(BrokenBarrier));
            return Poll::Pending;
        }
        state.trips += 1;
        let told = state.grant_all(|index| Ok(BarrierWaitResult { index, is_leader: false }));
        drop(state);
        self.tell(told);
        Poll::Ready(Ok(BarrierWaitResult { index, is_leader: true }))
    }

    /// Tells those who were granted, all of them even where a foreign waker panics.
    fn tell(&self, mut told: Vec<Handed>) {
        let mut each = told.drain(..);
        deliver_each(|| each.next());
        drop(each);
        self.state.borrow_mut().told = told;
    }
}

impl State {
    /// Ends the round for all who wait. To be told by [`Barrier::tell`].
    fn grant_all(&mut self, outcome: impl Fn(usize) -> Outcome) -> Vec<Handed> {
        let mut told = std::mem::take(&mut self.told);
        while let Some(handed) = self.waiters.grant(|parcel| *parcel = outcome(told.len())) {
            told.push(handed);
        }
        told
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("broken", &state.broken)
            .field("trips", &state.trips)
            .field("waiters", &state.waiters)
            .finish()
    }
}

/// The future of [`Barrier::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BarrierWait<'a> {
    barrier: &'a Barrier,
    place: Place,
}

impl Future for BarrierWait<'_> {
    type Output = Result<BarrierWaitResult, BrokenBarrier>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let BarrierWait { barrier, place } = &mut *self;
        ready!(budget::take(cx));
        if !place.is_taken()
            && let Poll::Ready(outcome) = barrier.arrive(place)
        {
            return Poll::Ready(outcome);
        }
        place.poll(cx, "the others at a barrier", &barrier.state, waiters)
    }
}

impl Drop for BarrierWait<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            // Waiting, it has not arrived any more; let go, that concerns nobody else.
            let _ = self.place.leave(&self.barrier.state, waiters);
        }
    }
}

/// The barrier is broken, or was broken or reset while somebody waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier;

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted or reset before all had come")
    }
}

impl Error for BrokenBarrier {}

assert_not_send!(Barrier, BarrierWait<'_>);
