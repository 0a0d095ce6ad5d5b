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
//! slab has grown to the most that ever stood in it; a node is 56 bytes and its parcel.
//!
//! It does not know what is waited for, nor when a grant is due: that is the owner's.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone_executor::trace::{self, Event, Who};
use lone_executor::{KeptWaker, budget};
use slab::Slab;

/// "No node": the end of a line.
const NONE: u32 = u32::MAX;

/// The waiters of one primitive.
pub(crate) struct WaitList<P> {
    nodes: Slab<Node<P>>,
    waiting: Line,
    granted: Line,
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
    const EMPTY: Line = Line {
        first: NONE,
        last: NONE,
        len: 0,
    };
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

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.first == NONE
    }

    /// The parcel of the first who waits.
    pub(crate) fn first(&self) -> Option<&P> {
        self.nodes
            .get(self.waiting.first as usize)
            .map(|node| &node.parcel)
    }

    /// The ticket of the first who waits.
    pub(crate) fn first_ticket(&self) -> Option<Ticket> {
        self.nodes
            .get(self.waiting.first as usize)
            .map(|node| node.ticket)
    }

    /// The ticket of whoever joins next: all who wait now have earlier ones.
    pub(crate) fn next_ticket(&self) -> Ticket {
        self.next
    }

    /// Hands the first who waits whatever `hand` does to its parcel. `None`: nobody waits.
    ///
    /// `hand` must not run user code. The answer is to be delivered after the borrow has ended.
    pub(crate) fn grant(&mut self, hand: impl FnOnce(&mut P)) -> Option<Handed> {
        let index = self.waiting.first;
        if index == NONE {
            return None;
        }
        self.unlink(index);
        let node = &mut self.nodes[index as usize];
        node.granted = true;
        hand(&mut node.parcel);
        let waker = node.waker.take();
        self.append(index);
        Some(Handed {
            waker,
            object: self.object,
        })
    }

    /// A new node at the end of the line. It has no waker yet: [`Place::poll`] brings it.
    fn join(&mut self, parcel: P, site: &'static Location<'static>) -> Key {
        let ticket = self.next;
        self.next = Ticket(ticket.0.saturating_add(1));
        let index = self.nodes.insert(Node {
            parcel,
            waker: KeptWaker::NOBODY,
            site,
            ticket,
            granted: false,
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

    /// Keeps `waker` for a node; returns the one before, to be dropped after the borrow.
    #[must_use = "drop it after the borrow has ended"]
    fn attach(&mut self, key: &Key, waker: KeptWaker) -> KeptWaker {
        let node = &mut self.nodes[key.index as usize];
        debug_assert_eq!(node.ticket, key.ticket, "a stale key of node {}", key.index);
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
        let Node {
            previous,
            next,
            granted,
            ..
        } = self.nodes[index as usize];
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
        if granted {
            &mut self.granted
        } else {
            &mut self.waiting
        }
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

/// Somebody has been granted something and is to be told: deliver it when no borrow is held.
#[must_use = "deliver it after the borrow has ended"]
pub(crate) struct Handed {
    waker: KeptWaker,
    object: trace::Object,
}

impl Handed {
    /// [6] wake: tells the one to whom it was handed.
    pub(crate) fn deliver(self) {
        let Handed { waker, object } = self;
        trace::emit(|| Event::Grant {
            object: object.name(),
            who: waker.who().unwrap_or(Who::Unknown),
        });
        waker.wake();
    }
}

/// Delivers what `next` returns, one by one from the live list, until there is no more.
///
/// `next` borrows, grants and ends its borrow; so a waker that calls back finds a whole primitive,
/// and ten thousand waiters need no memory. A waker that panics does not cheat those behind it.
pub(crate) fn deliver_each(next: impl FnMut() -> Option<Handed>) {
    struct Rest<N: FnMut() -> Option<Handed>>(N);
    impl<N: FnMut() -> Option<Handed>> Rest<N> {
        fn deliver(&mut self) {
            while let Some(handed) = (self.0)() {
                handed.deliver();
            }
        }
    }
    impl<N: FnMut() -> Option<Handed>> Drop for Rest<N> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.deliver();
            }
        }
    }
    Rest(next).deliver();
}

/// A future's half: its place in a list, and the line of its `.await`.
///
/// A leaf holds one, and its `Drop` calls [`Place::leave`]. `cell` and `list` are always the
/// primitive's `RefCell` and the way from its content to the list: a borrow lasts as long as they
/// need it, and no longer.
#[derive(Debug)]
pub(crate) struct Place {
    key: Option<Key>,
    site: &'static Location<'static>,
}

/// What a future had when it was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<P> {
    /// It waited: its place has gone, here is what it had brought along.
    Waiting(P),
    /// It had been granted something: that is to be passed on.
    Granted(P),
}

impl Place {
    /// A place in no line yet, for a leaf made on the caller's line.
    #[track_caller]
    #[inline]
    pub(crate) fn new() -> Place {
        Place {
            key: None,
            site: Location::caller(),
        }
    }

    /// Whether it has a node, be it waiting or granted.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.key.is_some()
    }

    /// Joins the end of the line with `parcel`. Call [`Place::poll`] after the borrow has ended.
    pub(crate) fn join<P>(&mut self, list: &mut WaitList<P>, parcel: P) {
        debug_assert!(self.key.is_none(), "it stands in a line already");
        self.key = Some(list.join(parcel, self.site));
    }

    /// [5] await: ready once it has been granted; then [`Place::take`] takes the parcel.
    ///
    /// Pending: the waker of `cx`, and no other, will be woken, and the budget was given back.
    pub(crate) fn poll<S, P>(
        &self,
        cx: &mut Context<'_>,
        on: &'static str,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Poll<()> {
        let key = self.key.as_ref().expect("it has joined the line");
        let (granted, kept) = {
            let mut state = cell.borrow_mut();
            let node = list(&mut state).node(key);
            (node.granted, node.waker.will_wake(cx.waker()))
        };
        if granted {
            return Poll::Ready(());
        }
        if !kept {
            // Keeping a foreign waker clones it, and dropping the one before is user code as well:
            // neither happens under a borrow, and either may have us granted meanwhile.
            let waker = KeptWaker::new(cx.waker());
            let who = waker.who();
            let before = list(&mut cell.borrow_mut()).attach(key, waker);
            if before.is_nobody() {
                trace::emit(|| list(&mut cell.borrow_mut()).describe_wait(who));
            }
            drop(before);
            if list(&mut cell.borrow_mut()).node(key).granted {
                return Poll::Ready(());
            }
        }
        budget::give_back();
        trace::awaits(on, self.site);
        Poll::Pending
    }

    /// How many were granted before this one and have not come for it yet: O(rank).
    pub(crate) fn rank<P>(&self, list: &WaitList<P>) -> usize {
        self.key.as_ref().map_or(0, |key| list.rank(key))
    }

    /// Takes what was granted: after [`Place::poll`] was ready, and no user code has run since.
    pub(crate) fn take<P>(&mut self, list: &mut WaitList<P>) -> P {
        let key = self.key.take().expect("it has been granted");
        let node = list.remove(&key);
        debug_assert!(node.granted, "node {} still waits", key.index);
        debug_assert!(node.waker.is_nobody(), "a grant takes the waker");
        node.parcel
    }

    /// Gives up the place, for the future is being dropped. `None`: it had none.
    pub(crate) fn leave<S, P>(
        &mut self,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Option<Left<P>> {
        let key = self.key.take()?;
        let (node, object) = {
            let mut state = cell.borrow_mut();
            let list = list(&mut state);
            (list.remove(&key), list.object)
        };
        if node.granted {
            return Some(Left::Granted(node.parcel));
        }
        trace::emit(|| Event::Leave {
            object: object.name(),
            who: node.waker.who().unwrap_or(Who::Unknown),
        });
        Some(Left::Waiting(node.parcel))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// The same by the simplest means: two queues of (ticket, parcel).
    #[derive(Default)]
    struct Model {
        waiting: VecDeque<(u64, u32)>,
        granted: VecDeque<(u64, u32)>,
        joined: u64,
    }

    #[derive(Clone, Debug)]
    enum Step {
        Join(u32),
        Grant(u32),
        GrantBefore(u8),
        Remove(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<u32>().prop_map(Step::Join),
            2 => any::<u32>().prop_map(Step::Grant),
            1 => any::<u8>().prop_map(Step::GrantBefore),
            3 => any::<prop::sample::Index>().prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..200)
    }

    fn walk(list: &WaitList<u32>, line: Line) -> Vec<(u64, u32)> {
        let (mut found, mut index, mut previous) = (Vec::new(), line.first, NONE);
        while index != NONE {
            let node = &list.nodes[index as usize];
            assert_eq!(node.previous, previous, "the links agree both ways");
            found.push((node.ticket.0.get(), node.parcel));
            (previous, index) = (index, node.next);
        }
        assert_eq!(line.last, previous);
        assert_eq!(line.len as usize, found.len());
        found
    }

    proptest! {
        #[test]
        fn a_wait_list_does_what_two_queues_do(steps in steps()) {
            let mut list = WaitList::new(trace::Object::new("test"));
            let mut model = Model::default();
            let mut keys: Vec<Key> = Vec::new();
            for step in steps {
                match step {
                    Step::Join(parcel) => {
                        model.joined += 1;
                        model.waiting.push_back((model.joined, parcel));
                        keys.push(list.join(parcel, Location::caller()));
                    }
                    Step::Grant(parcel) => {
                        let handed = list.grant(|theirs| *theirs ^= parcel);
                        prop_assert_eq!(handed.is_some(), !model.waiting.is_empty());
                        if let Some((ticket, theirs)) = model.waiting.pop_front() {
                            model.granted.push_back((ticket, theirs ^ parcel));
                        }
                    }
                    Step::GrantBefore(back) => {
                        let before = model.joined.saturating_sub(u64::from(back));
                        while list.first_ticket().is_some_and(|first| first.0.get() < before) {
                            prop_assert!(list.grant(|_| ()).is_some());
                        }
                        while model.waiting.front().is_some_and(|first| first.0 < before) {
                            model.granted.extend(model.waiting.pop_front());
                        }
                    }
                    Step::Remove(which) => {
                        if keys.is_empty() {
                            continue;
                        }
                        let key = keys.swap_remove(which.index(keys.len()));
                        let ticket = key.ticket.0.get();
                        if list.node(&key).granted {
                            let rank = list.rank(&key);
                            prop_assert_eq!(model.granted.get(rank).map(|node| node.0), Some(ticket));
                        }
                        prop_assert_eq!(list.remove(&key).ticket, key.ticket);
                        model.waiting.retain(|node| node.0 != ticket);
                        model.granted.retain(|node| node.0 != ticket);
                    }
                }
                prop_assert_eq!(list.first(), model.waiting.front().map(|node| &node.1));
                prop_assert_eq!(list.len(), model.waiting.len());
                prop_assert_eq!(list.next_ticket().0.get(), model.joined + 1);
                prop_assert_eq!(walk(&list, list.waiting), Vec::from(model.waiting.clone()));
                prop_assert_eq!(walk(&list, list.granted), Vec::from(model.granted.clone()));
            }
        }
    }

    #[test]
    fn a_warm_list_reuses_its_nodes() {
        let mut list = WaitList::new(trace::Object::new("test"));
        for _ in 0..1000 {
            let keys: Vec<Key> = (0..8).map(|n| list.join(n, Location::caller())).collect();
            for key in keys {
                let _ = list.remove(&key);
            }
        }
        assert_eq!((list.len(), list.nodes.capacity()), (0, 8));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a stale key of node 0")]
    fn a_stale_key_is_noticed() {
        let mut list = WaitList::new(trace::Object::new("test"));
        let key = list.join((), Location::caller());
        let stale = Key {
            index: key.index,
            ticket: key.ticket,
        };
        let _ = list.remove(&key);
        let _ = list.join((), Location::caller());
        list.node(&stale);
    }

    #[test]
    fn a_node_is_as_large_as_its_doc_says() {
        assert_eq!(size_of::<Node<()>>(), 48);
        assert_eq!(size_of::<Place>(), 24);
    }
}
