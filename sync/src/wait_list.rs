//! Who waits, in which order, and what has been handed to whom? One list for every primitive.
//!
//! ```text
//!   a future ── Place ── key ──► a node of the table: parcel, waker, line of its await, standing
//!
//!   first ─► node ⇄ node ⇄ node ⇄ node ⇄ node ◄─ last     in the order of their first poll
//!            └─ granted ─┘   ▲  └── waiting ──┘
//!                      first_waiting
//!
//!   granted: handed something, not yet come for it
//!
//!              join            grant              take (the future's next poll)
//!   a future ───────► waiting ───────► granted ───────► gone
//!                        └─── leave ─────┘  (dropped: the owner passes a grant on)
//! ```
//!
//! A *parcel* travels with each node: what its waiter brings along (the item of a put, how many
//! permits it wants), or what it is handed.
//!
//! Invariants:
//! - **One line, one order.** Nobody overtakes: whoever owns the list grants its first waiter only,
//!   and serves no newcomer while somebody waits. So those who were granted stand before all who wait,
//!   and a grant moves nobody.
//! - **A grant is kept.** A granted node stays until its future takes it or is dropped; so a
//!   hand-off to a future that goes away is noticed, and passed on.
//! - **No user code under a borrow.** The list never wakes, clones or drops a waker and never drops
//!   a parcel: it returns them. [`Place`] and [`Handed`] are the halves that run outside of the
//!   owner's borrow.
//! - **A key is given back.** It is made by `join`, cannot be copied, and is used up by `remove`: so it
//!   names its node, and no other.
//! - **A round ends.** Who tells all that wait *now* begins a round, and serves those who joined in it or
//!   before. Rounds are counted modulo 2^31, and that is enough: each serves the first in line at least, so
//!   that nobody waits through more rounds than there were waiters before him, of which there are
//!   2^30 at most.
//!
//! Cost: join, grant, take and leave O(1); nothing is allocated once the table has grown to the most that
//! ever stood in it; a node without a parcel is 32 bytes, a place 16 (bench `mem_event`). A wait of one of
//! our own tasks looks at the list three times: joining, granted, taking (bench `pingpong`).
//!
//! Where a wait list is used, what waits is kept out of line (`inline(never)`), so that what does not wait
//! stays small where it is inlined (bench `queue_free`: 118 instructions a put and a get, 159 without).
//!
//! | file | question it answers |
//! |---|---|
//! | `place` | what does a leaf future do with a wait list? |
//! | `handed` | how is whoever was granted something told? |
//! | `waiter` | what is kept of who waits, and what is handed to him? |
//!
//! It does not know what is waited for, nor when a grant is due: that is the owner's.

mod handed;
mod place;
#[cfg(test)]
mod tests;
mod waiter;

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use lone_executor::KeptWaker;
use lone_executor::pool::{NONE, Pool};
use lone_executor::trace::{self, Event, Who};
use lone_executor::watch::{Due, Watch};

pub(crate) use handed::{Handed, deliver_all, deliver_each};
pub(crate) use place::{Left, Place};
pub(crate) use waiter::Parcel;
use waiter::Waiter;

/// The waiters of one primitive.
pub(crate) struct WaitList<P> {
    nodes: Pool<Waiter<P>>,
    first: u32,
    last: u32,
    /// Where those who wait begin, behind those who were granted.
    first_waiting: u32,
    /// How many were granted something and have not come for it: those before `first_waiting`.
    granted: u32,
    /// The round of whoever joins next.
    round: Round,
    object: trace::Object,
    /// Nodes keep bare numbers of the loop that runs on this thread: the list stays here.
    _not_send: PhantomData<Rc<()>>,
}

/// In which round a waiter has joined, modulo 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round(u32);

impl Round {
    const fn next(self) -> Round {
        Round((self.0 + 1) & (u32::MAX >> 1))
    }

    /// Whether `self` is not later than `other`: they are less than 2^30 apart.
    const fn is_by(self, other: Round) -> bool {
        ((other.0 << 1).wrapping_sub(self.0 << 1) as i32) >= 0
    }
}

/// A node's round, and whether it has been granted something.
#[derive(Clone, Copy)]
struct Standing(u32);

impl Standing {
    const GRANTED: u32 = 1 << 31;

    const fn waiting(round: Round) -> Standing {
        Standing(round.0)
    }

    const fn granted(self) -> Standing {
        Standing(self.0 | Standing::GRANTED)
    }

    const fn is_granted(self) -> bool {
        self.0 & Standing::GRANTED != 0
    }

    const fn round(self) -> Round {
        Round(self.0 & !Standing::GRANTED)
    }
}

/// Which node; neither `Copy` nor `Clone`, for it is valid until it is given back.
#[derive(Debug)]
struct Key(u32);

impl<P: Parcel> WaitList<P> {
    /// The waiters of `object`.
    pub(crate) fn new(object: trace::Object) -> WaitList<P> {
        WaitList {
            nodes: Pool::new(),
            first: NONE,
            last: NONE,
            first_waiting: NONE,
            granted: 0,
            round: Round(0),
            object,
            _not_send: PhantomData,
        }
    }

    /// How many wait; those who have been granted do not.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() - self.unclaimed()
    }

    /// How many were granted something and have not come for it.
    pub(crate) fn unclaimed(&self) -> usize {
        self.granted as usize
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first_waiting == NONE
    }

    /// The parcel of the first who waits.
    pub(crate) fn first(&self) -> Option<&P> {
        self.nodes.get(self.first_waiting).map(|node| &node.parcel)
    }

    /// The line of the first who was granted something and has not come for it.
    pub(crate) fn first_unclaimed(&self) -> Option<&'static Location<'static>> {
        self.nodes.get(self.first).filter(|node| node.standing.is_granted()).map(|node| node.site)
    }

    /// Begins a round: all who wait now are of it or of an earlier one, and who joins from here on is not.
    /// `None`: nobody waits. Serve the first in line at least.
    pub(crate) fn begin_round(&mut self) -> Option<Round> {
        if self.is_empty() {
            return None;
        }
        let round = self.round;
        self.round = round.next();
        Some(round)
    }

    /// Whether the first who waits did so when this round began.
    pub(crate) fn is_first_in(&self, round: Round) -> bool {
        let first = self.nodes.get(self.first_waiting);
        first.is_some_and(|first| first.standing.round().is_by(round))
    }

    /// Hands the first who waits whatever `hand` does to its parcel. `None`: nobody waits.
    ///
    /// `hand` must not run user code. The answer is to be delivered after the borrow has ended.
    #[inline]
    pub(crate) fn grant(&mut self, hand: impl FnOnce(&mut P)) -> Option<Handed> {
        self.grant_if(|parcel| {
            hand(parcel);
            true
        })
    }

    /// As [`WaitList::grant`], if `hand` says so. `None`: nobody waits, or it has said no.
    #[inline]
    pub(crate) fn grant_if(&mut self, hand: impl FnOnce(&mut P) -> bool) -> Option<Handed> {
        let first = self.nodes.get_mut(self.first_waiting)?;
        if !hand(&mut first.parcel) {
            return None;
        }
        let due = Due::Grant(self.object.kind());
        let index = self.first_waiting;
        let handed = self.grant_with(|_parcel, handed| handed)?;
        let node = &mut self.nodes[index];
        node.watch = Watch::begin(due, &handed.waker, node.site);
        Some(handed)
    }

    /// As [`WaitList::grant`], for a `hand` that does not have its waiter told yet: nobody is late who
    /// does not come for it meanwhile.
    #[inline]
    pub(crate) fn grant_with<R>(&mut self, hand: impl FnOnce(&mut P, Handed) -> R) -> Option<R> {
        self.check();
        let node = self.nodes.get_mut(self.first_waiting)?;
        node.standing = node.standing.granted();
        self.first_waiting = node.next;
        self.granted += 1;
        let handed = Handed { waker: node.waker.take(), object: self.object.label() };
        Some(hand(&mut node.parcel, handed))
    }

    /// A new node at the end of the line. One that keeps nobody has its waker brought by
    /// [`Place::poll`].
    #[inline]
    fn join(&mut self, parcel: P, waker: KeptWaker, site: &'static Location<'static>) -> Key {
        self.check();
        let previous = self.last;
        let standing = Standing::waiting(self.round);
        let index = match self.nodes.reuse() {
            Some((index, node)) => {
                node.parcel = parcel;
                node.waker = waker;
                node.site = site;
                node.standing = standing;
                node.previous = previous;
                node.next = NONE;
                index
            }
            None => {
                let watch = Watch::NOTHING;
                let next = NONE;
                self.nodes.push(Waiter { parcel, waker, site, standing, watch, previous, next })
            }
        };
        match self.nodes.get_mut(previous) {
            Some(previous) => previous.next = index,
            None => self.first = index,
        }
        self.last = index;
        if self.first_waiting == NONE {
            self.first_waiting = index;
        }
        Key(index)
    }

    fn node(&self, key: &Key) -> &Waiter<P> {
        &self.nodes[key.0]
    }

    fn node_mut(&mut self, key: &Key) -> &mut Waiter<P> {
        &mut self.nodes[key.0]
    }

    /// Keeps `waker` for a node; returns the one before, to be dropped after the borrow.
    #[must_use = "drop it after the borrow has ended"]
    fn attach(&mut self, key: &Key, waker: KeptWaker) -> KeptWaker {
        let node = self.node_mut(key);
        if node.standing.is_granted() {
            return waker;
        }
        std::mem::replace(&mut node.waker, waker)
    }

    /// That `who` has joined the line: as the last, so its place is the line's length.
    fn describe_wait(&self, who: Option<Who>) -> Event {
        Event::Wait {
            object: self.object.name(),
            who: who.unwrap_or(Who::Unknown),
            place: self.len(),
        }
    }

    /// Takes out a node that was granted: what it was granted.
    #[inline]
    fn take(&mut self, key: Key) -> P {
        let node = self.remove(key);
        debug_assert!(node.standing.is_granted(), "it still waits");
        debug_assert!(node.waker.is_nobody(), "a grant takes the waker");
        node.parcel.take()
    }

    /// Takes a node out, wherever it stands. It lies where it was, for what is wanted of it to be taken.
    #[inline]
    fn remove(&mut self, Key(index): Key) -> &mut Waiter<P> {
        self.check();
        let Waiter { standing, previous, next, .. } = self.nodes[index];
        match self.nodes.get_mut(previous) {
            Some(previous) => previous.next = next,
            None => self.first = next,
        }
        match self.nodes.get_mut(next) {
            Some(next) => next.previous = previous,
            None => self.last = previous,
        }
        if standing.is_granted() {
            self.granted -= 1;
        } else if self.first_waiting == index {
            self.first_waiting = next;
        }
        let node = self.nodes.vacate(index);
        node.watch.end();
        node
    }

    /// Shows `f` the parcels of those who were granted something after this one and have not come for
    /// it, in order. `f` must not run user code.
    fn for_each_granted_behind(&mut self, key: &Key, mut f: impl FnMut(&mut P)) {
        let mut index = self.node(key).next;
        // Ends with the line, or with those who wait.
        while let Some(node) = self.nodes.get_mut(index).filter(|node| node.standing.is_granted()) {
            f(&mut node.parcel);
            index = node.next;
        }
    }

    /// What can be said of the line without walking it.
    fn check(&self) {
        let Self { first, last, first_waiting, granted, ref nodes, .. } = *self;
        let waiting = nodes.len() - granted as usize;
        debug_assert_eq!(first == NONE, nodes.is_empty(), "the first is {first}");
        debug_assert_eq!(last == NONE, nodes.is_empty(), "the last is {last}");
        debug_assert_eq!(
            first_waiting == NONE,
            waiting == 0,
            "the first of them is {first_waiting}"
        );
        debug_assert_eq!(first == first_waiting, granted == 0, "{first}, {first_waiting}");
    }
}

impl<P: Parcel> fmt::Debug for WaitList<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.len())?;
        if self.granted > 0 {
            write!(f, ", {} granted", self.granted)?;
        }
        match self.nodes.get(self.first_waiting) {
            Some(first) => write!(f, ", the first at {}", first.site),
            None => Ok(()),
        }
    }
}

/// Fails to compile where one of the types is `Send`: its wait list keeps bare numbers (F1).
macro_rules! assert_not_send {
    ($($type:ty),+ $(,)?) => {
        const _: fn() = || {
            trait IsSend<A> {
                fn ambiguous() {}
            }
            impl<T: ?Sized> IsSend<()> for T {}
            impl<T: ?Sized + Send> IsSend<u8> for T {}
            $(<$type as IsSend<_>>::ambiguous();)+
        };
    };
}
pub(crate) use assert_not_send;

assert_not_send!(WaitList<()>);
