//! Who waits, in which order, and what has been handed to whom? One list for every primitive.
//!
//! ```text
//!   a future ── Place ── key ──► a node of the slab: parcel, waker, line of its await, ticket
//!
//!   waiting:  first ─► node ⇄ node ⇄ node ◄─ last    in the order of their first poll
//!   granted:  first ─► node ⇄ node ◄─ last           handed something, not yet come for it
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
//!   and serves no newcomer while somebody waits.
//! - **A grant is kept.** A granted node stays until its future takes it or is dropped; so a
//!   hand-off to a future that goes away is noticed, and passed on.
//! - **No user code under a borrow.** The list never wakes, clones or drops a waker and never drops
//!   a parcel: it returns them. [`Place`] and [`Handed`] are the halves that run outside of the
//!   owner's borrow.
//! - **Tickets never come round.** A key carries the ticket of its node: a stale one is noticed.
//!
//! Cost: join, grant, take and leave O(1), [`Place::rank`] O(rank); nothing is allocated once the
//! slab has grown to the most that ever stood in it; a node without a parcel is 48 bytes.
//!
//! What waits is kept out of line (`inline(never)`), so that what does not wait stays small where it
//! is inlined: a put and a get then take 6.3 ns, 10.9 without.
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
    waiting: Line,
    granted: Line,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    first: u32,
    last: u32,
    len: u32,
}

impl Line {
    const EMPTY: Line = Line { first: NONE, last: NONE, len: 0 };
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
            waiting: Line::EMPTY,
            granted: Line::EMPTY,
            next: Ticket(NonZeroU64::MIN),
            object,
            _not_send: PhantomData,
        }
    }

    /// How many wait; those who have been granted do not.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len as usize
    }

    /// How many were granted something and have not come for it.
    pub(crate) fn unclaimed(&self) -> usize {
        self.granted.len as usize
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.first == NONE
    }

    /// The parcel of the first who waits.
    pub(crate) fn first(&self) -> Option<&P> {
        self.nodes.get(self.waiting.first as usize).map(|node| &node.parcel)
    }

    /// The line of the first who was granted something and has not come for it.
    pub(crate) fn first_unclaimed(&self) -> Option<&'static Location<'static>> {
        self.nodes.get(self.granted.first as usize).map(|node| node.site)
    }

    /// The ticket of whoever joins next: earlier ones are of those who wait now.
    pub(crate) fn next_ticket(&self) -> Ticket {
        self.next
    }

    /// The ticket of the first who waits.
    pub(crate) fn first_ticket(&self) -> Option<Ticket> {
        self.nodes.get(self.waiting.first as usize).map(|node| node.ticket)
    }

    /// Hands the first who waits whatever `hand` does to its parcel. `None`: nobody waits.
    ///
    /// `hand` must not run user code. The answer is to be delivered after the borrow has ended.
    #[inline(never)]
    pub(crate) fn grant(&mut self, hand: impl FnOnce(&mut P)) -> Option<Handed> {
        let handed = self.grant_with(|parcel, handed| {
            hand(parcel);
            handed
        })?;
        let due = Due::Grant(self.object.kind());
        let node = &mut self.nodes[self.granted.last as usize];
        node.watch = Watch::begin(due, &handed.waker, node.site);
        Some(handed)
    }

    /// As [`WaitList::grant`], for a `hand` that does not have its waiter told yet: nobody is late who
    /// does not come for it meanwhile.
    #[inline]
    pub(crate) fn grant_with<R>(&mut self, hand: impl FnOnce(&mut P, Handed) -> R) -> Option<R> {
        let index = self.waiting.first;
        if index == NONE {
            return None;
        }
        self.unlink(index);
        let node = &mut self.nodes[index as usize];
        node.granted = true;
        let handed = Handed { waker: node.waker.take(), object: self.object.label() };
        let returned = hand(&mut node.parcel, handed);
        self.append(index);
        Some(returned)
    }

    /// A new node at the end of the line. It has no waker yet: [`Place::poll`] brings it.
    #[inline(never)]
    fn join(&mut self, parcel: P, site: &'static Location<'static>) -> Key {
        let ticket = self.next;
        self.next = Ticket(ticket.0.saturating_add(1));
        let index = self.nodes.insert(Node {
            parcel,
            waker: KeptWaker::NOBODY,
            site,
            ticket,
            granted: false,
            watch: Watch::NOTHING,
            previous: NONE,
            next: NONE,
        });
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index != NONE)
            .unwrap_or_else(|| panic!("a wait list has room for 4,294,967,295 waiters"));
        self.append(index);
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
    fn remove(&mut self, key: &Key) -> Node<P> {
        debug_assert_eq!(
            self.nodes[key.index as usize].ticket, key.ticket,
            "a stale key of node {}",
            key.index
        );
        self.unlink(key.index);
        self.nodes[key.index as usize].watch.end();
        self.nodes.remove(key.index as usize)
    }

    /// How many were granted before this one and have not come yet.
    fn rank(&self, key: &Key) -> usize {
        debug_assert!(self.node(key).granted, "node {} still waits", key.index);
        let (mut rank, mut index) = (0, self.granted.first);
        // Ends at the node itself: it stands in this line.
        while index != key.index {
            rank += 1;
            index = self.nodes[index as usize].next;
        }
        rank
    }

    /// Puts a node at the end of the line that it belongs to.
    fn append(&mut self, index: u32) {
        let granted = self.nodes[index as usize].granted;
        let line = self.line(granted);
        let last = std::mem::replace(&mut line.last, index);
        line.len += 1;
        if last == NONE {
            line.first = index;
        } else {
            self.nodes[last as usize].next = index;
        }
        let node = &mut self.nodes[index as usize];
        (node.previous, node.next) = (last, NONE);
        self.check();
    }

    /// Takes a node out of the line that it belongs to.
    fn unlink(&mut self, index: u32) {
        self.check();
        let Node { previous, next, granted, .. } = self.nodes[index as usize];
        if previous == NONE {
            self.line(granted).first = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next == NONE {
            self.line(granted).last = previous;
        } else {
            self.nodes[next as usize].previous = previous;
        }
        self.line(granted).len -= 1;
    }

    fn line(&mut self, granted: bool) -> &mut Line {
        if granted { &mut self.granted } else { &mut self.waiting }
    }

    /// What can be said of both lines without walking them.
    fn check(&self) {
        for line in [self.waiting, self.granted] {
            debug_assert_eq!(line.first == NONE, line.len == 0, "{line:?}");
            debug_assert_eq!(line.last == NONE, line.len == 0, "{line:?}");
        }
        debug_assert_eq!(
            self.waiting.len as usize + self.granted.len as usize,
            self.nodes.len(),
            "each node stands in one line"
        );
    }
}

impl<P> fmt::Debug for WaitList<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.waiting.len)?;
        if self.granted.len > 0 {
            write!(f, ", {} granted", self.granted.len)?;
        }
        match self.nodes.get(self.waiting.first as usize) {
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
