//! Who waits, in which order, and what has been handed to whom? One list for every primitive.
//!
//! ```text
//!   a future ── Place ── key ──► a node of the slab: parcel, waker, line of its await, ticket
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
//! - **Tickets never come round.** A key carries the ticket of its node: a stale one is noticed.
//!
//! Cost: join, grant, take and leave O(1); nothing is allocated once the slab has grown to the most that
//! ever stood in it; a node without a parcel is 48 bytes. A wait of one of our own tasks looks at the list
//! three times: joining, granted, taking (bench `pingpong`).
//!
//! Where a wait list is used, what waits is kept out of line (`inline(never)`), so that what does not wait
//! stays small where it is inlined (bench `queue_free`: 118 instructions a put and a get, 159 without).
//!
//! | file | question it answers |
//! |---|---|
//! | `place` | what does a leaf future do with a wait list? |
//! | `handed` | how is whoever was granted something told? |
//!
//! It does not know what is waited for, nor when a grant is due: that is the owner's.

mod handed;
mod place;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::panic::Location;
use std::rc::Rc;

use lone_executor::KeptWaker;
use lone_executor::trace::{self, Event, Who};
use lone_executor::watch::{Due, Watch};
use slab::Slab;

pub(crate) use handed::{Handed, deliver_all, deliver_each};
pub(crate) use place::{Left, Place};

/// "No node": the end of a line.
const NONE: u32 = u32::MAX;

/// The waiters of one primitive.
pub(crate) struct WaitList<P> {
    nodes: Slab<Node<P>>,
    first: u32,
    last: u32,
    /// Where those who wait begin, behind those who were granted.
    first_waiting: u32,
    waiting: u32,
    granted: u32,
    /// The ticket of whoever joins next: all who stand in it have earlier ones.
    next: Ticket,
    object: trace::Object,
    /// Nodes keep bare numbers of the loop that runs on this thread: the list stays here.
    _not_send: PhantomData<Rc<()>>,
}

struct Node<P> {
    parcel: P,
    waker: KeptWaker,
    site: &'static Location<'static>,
    ticket: Ticket,
    granted: bool,
    /// Debug mode watches whether what was granted is fetched.
    watch: Watch,
    previous: u32,
    next: u32,
}

/// When a waiter has joined: an earlier one is less than a later one. Given out once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(NonZeroU64);

/// Which node; neither `Copy` nor `Clone`, for it is valid until it is given back.
#[derive(Debug)]
struct Key {
    index: u32,
    ticket: Ticket,
}

impl<P> WaitList<P> {
    /// The waiters of `object`.
    pub(crate) fn new(object: trace::Object) -> WaitList<P> {
        WaitList {
            nodes: Slab::new(),
            first: NONE,
            last: NONE,
            first_waiting: NONE,
            waiting: 0,
            granted: 0,
            next: Ticket(NonZeroU64::MIN),
            object,
            _not_send: PhantomData,
        }
    }

    /// How many wait; those who have been granted do not.
    pub(crate) fn len(&self) -> usize {
        self.waiting as usize
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
        self.nodes.get(self.first_waiting as usize).map(|node| &node.parcel)
    }

    /// The line of the first who was granted something and has not come for it.
    pub(crate) fn first_unclaimed(&self) -> Option<&'static Location<'static>> {
        self.nodes.get(self.first as usize).filter(|node| node.granted).map(|node| node.site)
    }

    /// The ticket of whoever joins next: earlier ones are of those who wait now.
    pub(crate) fn next_ticket(&self) -> Ticket {
        self.next
    }

    /// The ticket of the first who waits.
    pub(crate) fn first_ticket(&self) -> Option<Ticket> {
        self.nodes.get(self.first_waiting as usize).map(|node| node.ticket)
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
        let first = self.nodes.get_mut(self.first_waiting as usize)?;
        if !hand(&mut first.parcel) {
            return None;
        }
        let due = Due::Grant(self.object.kind());
        let index = self.first_waiting;
        let handed = self.grant_with(|_parcel, handed| handed)?;
        let node = &mut self.nodes[index as usize];
        node.watch = Watch::begin(due, &handed.waker, node.site);
        Some(handed)
    }

    /// As [`WaitList::grant`], for a `hand` that does not have its waiter told yet: nobody is late who
    /// does not come for it meanwhile.
    #[inline]
    pub(crate) fn grant_with<R>(&mut self, hand: impl FnOnce(&mut P, Handed) -> R) -> Option<R> {
        self.check();
        let node = self.nodes.get_mut(self.first_waiting as usize)?;
        node.granted = true;
        self.first_waiting = node.next;
        self.waiting -= 1;
        self.granted += 1;
        let handed = Handed { waker: node.waker.take(), object: self.object.label() };
        Some(hand(&mut node.parcel, handed))
    }

    /// A new node at the end of the line. One that keeps nobody has its waker brought by
    /// [`Place::poll`].
    #[inline]
    fn join(&mut self, parcel: P, waker: KeptWaker, site: &'static Location<'static>) -> Key {
        self.check();
        let ticket = self.next;
        self.next = Ticket(ticket.0.saturating_add(1));
        let previous = self.last;
        let index = self.nodes.insert(Node {
            parcel,
            waker,
            site,
            ticket,
            granted: false,
            watch: Watch::NOTHING,
            previous,
            next: NONE,
        });
        if index >= NONE as usize {
            too_many();
        }
        let index = index as u32;
        match self.nodes.get_mut(previous as usize) {
            Some(previous) => previous.next = index,
            None => self.first = index,
        }
        self.last = index;
        if self.first_waiting == NONE {
            self.first_waiting = index;
        }
        self.waiting += 1;
        Key { index, ticket }
    }

    fn node(&self, key: &Key) -> &Node<P> {
        let node = &self.nodes[key.index as usize];
        debug_assert_eq!(node.ticket, key.ticket, "a stale key of node {}", key.index);
        node
    }

    fn node_mut(&mut self, key: &Key) -> &mut Node<P> {
        let node = &mut self.nodes[key.index as usize];
        debug_assert_eq!(node.ticket, key.ticket, "a stale key of node {}", key.index);
        node
    }

    /// Keeps `waker` for a node; returns the one before, to be dropped after the borrow.
    #[must_use = "drop it after the borrow has ended"]
    fn attach(&mut self, key: &Key, waker: KeptWaker) -> KeptWaker {
        let node = self.node_mut(key);
        if node.granted {
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

    /// Takes a node out, wherever it stands.
    #[must_use = "drop it after the borrow has ended"]
    #[inline]
    fn remove(&mut self, key: &Key) -> Node<P> {
        self.check();
        let mut node = self.nodes.remove(key.index as usize);
        debug_assert_eq!(node.ticket, key.ticket, "a stale key of node {}", key.index);
        match self.nodes.get_mut(node.previous as usize) {
            Some(previous) => previous.next = node.next,
            None => self.first = node.next,
        }
        match self.nodes.get_mut(node.next as usize) {
            Some(next) => next.previous = node.previous,
            None => self.last = node.previous,
        }
        if node.granted {
            self.granted -= 1;
        } else {
            self.waiting -= 1;
            if self.first_waiting == key.index {
                self.first_waiting = node.next;
            }
        }
        node.watch.end();
        node
    }

    /// Shows `f` the parcels of those who were granted something after this one and have not come for
    /// it, in order. `f` must not run user code.
    fn for_each_granted_behind(&mut self, key: &Key, mut f: impl FnMut(&mut P)) {
        let mut index = self.node(key).next;
        // Ends with the line, or with those who wait.
        while let Some(node) = self.nodes.get_mut(index as usize).filter(|node| node.granted) {
            f(&mut node.parcel);
            index = node.next;
        }
    }

    /// What can be said of the line without walking it.
    fn check(&self) {
        let Self { first, last, first_waiting, waiting, granted, ref nodes, .. } = *self;
        debug_assert_eq!((waiting + granted) as usize, nodes.len(), "each node stands in the line");
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

#[cold]
fn too_many() -> ! {
    panic!("a wait list has room for 4,294,967,295 waiters")
}

impl<P> fmt::Debug for WaitList<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.waiting)?;
        if self.granted > 0 {
            write!(f, ", {} granted", self.granted)?;
        }
        match self.nodes.get(self.first_waiting as usize) {
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
