//! Who waits for which descriptor, and what is known of it? The sources of one loop.
//!
//! ```text
//!   event (token) ──► source ──► ready: readable? writable? hung up?
//!                        │
//!                        └── waiters: one, rarely more ──► woken, all whose direction is ready
//! ```
//!
//! Descriptors are registered once, edge-triggered, for both directions. An operation is tried
//! first; only if the system says that it would block is the readiness cleared and the task kept as
//! a waiter, until the next edge.
//!
//! Invariants:
//! - **Cleared only by the truth**: readiness goes only when an operation would have blocked, or
//!   after a short read or write of a stream that has not hung up (the kernel has no more then, and
//!   makes an edge when it has).
//! - **All are woken**: an edge wakes every waiter of its direction; several tasks may wait.
//! - **Tokens carry the generation**: an event for a source that has gone means nobody.

use std::task::Waker;

use lone_executor::KeptWaker;
use slab::Slab;

use crate::ends::{Awaited, End, Ends};
pub(crate) use crate::waiters::{Direction, NO_TICKET};
use crate::waiters::{Waiters, next_ticket};

/// Where a source is, and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceId {
    pub(crate) key: u32,
    pub(crate) generation: u64,
}

impl SourceId {
    /// Key, and the generation as far as it fits: an event that is late by 2^32 registrations of
    /// one slot would wake somebody once too often.
    pub(crate) fn token(self) -> mio::Token {
        mio::Token((self.generation as u32 as usize) << 32 | self.key as usize)
    }
}

/// 40 bytes in the slab: a connection's part of the reactor.
#[derive(Default)]
struct Source {
    generation: u64,
    waiters: Waiters,
    readable: bool,
    writable: bool,
    /// The peer has closed its side, or there was an error: a short read proves nothing.
    hung_up: bool,
}

impl Source {
    #[inline]
    fn is_ready(&self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.readable,
            Direction::Write => self.writable,
        }
    }

    #[inline]
    fn pop_ready(&mut self) -> Option<KeptWaker> {
        let Source { waiters, readable, writable, .. } = self;
        waiters.pop(|direction| match direction {
            Direction::Read => *readable,
            Direction::Write => *writable,
        })
    }

    #[inline]
    fn clear(&mut self, direction: Direction) {
        match direction {
            Direction::Read => self.readable = false,
            Direction::Write => self.writable = false,
        }
    }
}

/// What an edge was about.
pub(crate) struct Edge {
    pub(crate) id: SourceId,
    /// Whom to wake, after the borrow has ended.
    pub(crate) first: Option<KeptWaker>,
    /// There may be others: see [`Sources::pop_ready`]. As a rule there are none.
    pub(crate) more: bool,
}

pub(crate) struct Sources {
    slab: Slab<Source>,
    made: u64,
    /// The last ticket that was given out.
    tickets: u64,
    /// The ends of each source, under a virtual clock only: nobody else asks.
    ends: Option<Ends>,
}

impl Sources {
    pub(crate) fn new(virtual_clock: bool) -> Sources {
        Sources {
            slab: Slab::new(),
            made: 0,
            tickets: NO_TICKET,
            ends: virtual_clock.then(Ends::default),
        }
    }

    /// A new source. `ready`: its operations shall be tried before they are waited for.
    pub(crate) fn insert(&mut self, ready: bool, end: impl FnOnce() -> End) -> SourceId {
        self.made += 1;
        let generation = self.made;
        let (readable, writable) = (ready, ready);
        let source = Source { generation, readable, writable, ..Source::default() };
        let key = self.slab.insert(source) as u32;
        if let Some(map) = &mut self.ends {
            map.insert(key, end());
        }
        SourceId { key, generation }
    }

    /// What a source is to a virtual clock has changed: it is connected.
    pub(crate) fn set_end(&mut self, id: SourceId, end: impl FnOnce() -> End) {
        if self.get(id).is_some()
            && let Some(map) = &mut self.ends
        {
            map.insert(id.key, end());
        }
    }

    /// Takes out a source; its waiters are to be dropped after the borrow has ended.
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn remove(&mut self, id: SourceId) -> Option<impl Sized + use<>> {
        self.get(id)?;
        if let Some(map) = &mut self.ends {
            map.remove(id.key);
        }
        Some(self.slab.remove(id.key as usize))
    }

    #[inline]
    fn get(&mut self, id: SourceId) -> Option<&mut Source> {
        self.slab.get_mut(id.key as usize).filter(|source| source.generation == id.generation)
    }

    /// Whether an operation in this direction is worth trying.
    ///
    /// The edge that made it so has taken out who waited; then `ticket` is void, and need not be
    /// given back.
    #[inline]
    pub(crate) fn is_ready(
        &mut self,
        id: SourceId,
        direction: Direction,
        ticket: Option<&mut u64>,
    ) -> bool {
        let Some(source) = self.get(id) else { return false };
        let ready = source.is_ready(direction);
        if ready
            && let Some(ticket) = ticket
            && *ticket != NO_TICKET
            && !source.waiters.has(*ticket)
        {
            *ticket = NO_TICKET;
        }
        ready
    }

    /// The operation would have blocked.
    pub(crate) fn clear(&mut self, id: SourceId, direction: Direction) {
        if let Some(source) = self.get(id) {
            source.clear(direction);
        }
    }

    /// The operation moved less than it was offered: on a stream that has not hung up, the next
    /// one would block, and need not be tried.
    #[inline]
    pub(crate) fn clear_after_short(&mut self, id: SourceId, direction: Direction) {
        if let Some(source) = self.get(id)
            && !source.hung_up
        {
            source.clear(direction);
        }
    }

    /// Whether `waker` waits here already, by this ticket.
    pub(crate) fn waits(
        &mut self,
        id: SourceId,
        direction: Direction,
        ticket: u64,
        waker: &Waker,
    ) -> bool {
        self.get(id).is_some_and(|source| source.waiters.has_waker(direction, ticket, waker))
    }

    /// Keeps a waiter until the next edge. Who waits by a ticket and has none yet is given one; who
    /// has one and waits here has its waker exchanged. Returns the waker that is not needed any more.
    #[inline]
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn wait(
        &mut self,
        id: SourceId,
        direction: Direction,
        ticket: Option<&mut u64>,
        waker: KeptWaker,
    ) -> Option<KeptWaker> {
        let Some(source) = self.slab.get_mut(id.key as usize) else { return Some(waker) };
        if source.generation != id.generation {
            return Some(waker);
        }
        let ticket = match ticket {
            None => NO_TICKET,
            Some(&mut ticket) if ticket != NO_TICKET => {
                if let Some(before) = source.waiters.waker_mut(ticket) {
                    return Some(std::mem::replace(before, waker));
                }
                ticket
            }
            Some(new) => {
                self.tickets = next_ticket(self.tickets, direction);
                *new = self.tickets;
                *new
            }
        };
        source.waiters.add(direction, ticket, waker);
        None
    }

    /// Whoever has this ticket waits no longer.
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn forget(&mut self, id: SourceId, ticket: u64) -> Option<KeptWaker> {
        debug_assert_ne!(ticket, NO_TICKET, "it would hit everybody who has none");
        self.get(id)?.waiters.remove(ticket)
    }

    /// e: takes in an edge, and out the first whom it wakes. `None`: the source has gone.
    #[inline]
    pub(crate) fn edge(&mut self, event: &mio::event::Event) -> Option<Edge> {
        let token = event.token().0;
        let (key, low) = (token as u32, (token >> 32) as u32);
        let source = self.slab.get_mut(key as usize)?;
        if source.generation as u32 != low {
            return None;
        }
        let (readable, writable) = (event.is_readable(), event.is_writable());
        // An error ends both directions: whoever waits shall try, and learn of it.
        if readable || event.is_read_closed() || event.is_error() {
            source.readable = true;
        }
        if writable || event.is_write_closed() || event.is_error() {
            source.writable = true;
        }
        if event.is_read_closed() || event.is_write_closed() || event.is_error() {
            source.hung_up = true;
        }
        let id = SourceId { key, generation: source.generation };
        Some(Edge { id, first: source.pop_ready(), more: source.waiters.has_more() })
    }

    /// The next waiter whose direction is ready, to be woken after the borrow has ended.
    pub(crate) fn pop_ready(&mut self, id: SourceId) -> Option<KeptWaker> {
        self.get(id)?.pop_ready()
    }

    /// Whether a task waits for any of them.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.slab.iter().any(|(_, source)| source.waiters.is_anybody_there())
    }

    /// How many sources there are.
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// For whom tasks wait at sockets. Asked by a virtual clock only.
    pub(crate) fn awaited(&self) -> Awaited {
        let Some(ends) = &self.ends else { return Awaited::Nobody };
        let awaited = |(key, source): (usize, &Source)| {
            let waiters = &source.waiters;
            let bytes = waiters.is_awaited(Direction::Read);
            let room = waiters.is_awaited(Direction::Write);
            if bytes || room { ends.awaited(key as u32, bytes, room) } else { Awaited::Nobody }
        };
        self.slab.iter().map(awaited).max().unwrap_or(Awaited::Nobody)
    }

    /// A stream has moved so many bytes.
    pub(crate) fn moved(&mut self, id: SourceId, direction: Direction, bytes: usize) {
        if self.get(id).is_some()
            && let Some(ends) = &mut self.ends
        {
            match direction {
                Direction::Read => ends.received(id.key, bytes),
                Direction::Write => ends.sent(id.key, bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn several_waiters_of_one_direction_are_all_given_out_and_the_other_direction_waits_on() {
        let mut sources = Sources::new(false);
        let id = sources.insert(false, || End::Unknown);
        let counts: Vec<Arc<Count>> = (0..4).map(|_| Arc::default()).collect();
        for (n, count) in counts.iter().enumerate() {
            let direction = if n == 3 { Direction::Write } else { Direction::Read };
            let waker = Waker::from(count.clone());
            assert!(!sources.waits(id, direction, NO_TICKET, &waker));
            assert!(sources.wait(id, direction, None, KeptWaker::new(&waker)).is_none());
            assert!(sources.waits(id, direction, NO_TICKET, &waker));
        }
        sources.get(id).expect("it was inserted").readable = true;
        while let Some(waiter) = sources.pop_ready(id) {
            waiter.wake();
        }
        let woken: Vec<u32> = counts.iter().map(|count| count.0.load(Ordering::Relaxed)).collect();
        assert_eq!(woken, [1, 1, 1, 0]);
    }

    #[test]
    fn a_ticket_is_one_waiter_whatever_its_waker_and_is_taken_back_alone() {
        let mut sources = Sources::new(false);
        let id = sources.insert(false, || End::Unknown);
        let counts: Vec<Arc<Count>> = (0..5).map(|_| Arc::default()).collect();
        let wakers: Vec<Waker> = counts.iter().map(|count| Waker::from(count.clone())).collect();
        let mut tickets = [NO_TICKET; 3];
        let read = Direction::Read;
        // The first ticket comes twice, with another waker; the last two share one.
        for (n, waker) in [(0, 0), (1, 1), (0, 2), (2, 1)] {
            let ticket = Some(&mut tickets[n]);
            drop(sources.wait(id, read, ticket, KeptWaker::new(&wakers[waker])));
            assert!(sources.waits(id, read, tickets[n], &wakers[waker]));
        }
        assert!(!sources.waits(id, read, tickets[0], &wakers[0]));
        assert!(sources.forget(id, tickets[1]).is_some());
        assert!(sources.forget(id, tickets[1]).is_none());
        assert!(sources.wait(id, read, None, KeptWaker::new(&wakers[4])).is_none());
        sources.get(id).expect("it was inserted").readable = true;
        while let Some(waiter) = sources.pop_ready(id) {
            waiter.wake();
        }
        let woken: Vec<u32> = counts.iter().map(|count| count.0.load(Ordering::Relaxed)).collect();
        assert_eq!(woken, [0, 1, 1, 0, 1]);
        assert_eq!(sources.slab[id.key as usize].waiters.len(), 0);
        assert!(sources.forget(id, tickets[0]).is_none(), "it was woken");
    }

    /// Polls by hand with the wakers of tasks that have ended leave no more than a few behind.
    #[test]
    fn waiters_that_have_ended_are_taken_out_before_the_list_grows() {
        use lone_executor::{Executor, ThreadPark, spawn};

        let mut executor = Executor::new(ThreadPark::new()).expect("a loop index is free");
        let mut sources = Sources::new(false);
        let id = sources.insert(false, || End::Unknown);
        let most = executor.block_on(async {
            let mut most = 0;
            for _ in 0..1000 {
                let kept = spawn(std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(KeptWaker::new(cx.waker()))
                }));
                let kept = kept.await.expect("it ends well");
                assert!(sources.wait(id, Direction::Read, None, kept).is_none());
                most = most.max(sources.get(id).map_or(0, |source| source.waiters.len()));
            }
            most
        });
        assert!(most <= 8, "{most} waiters for none that lives");
    }

    #[test]
    fn a_source_is_less_than_a_cache_line() {
        assert_eq!(std::mem::size_of::<Option<Source>>(), 40);
    }

    #[test]
    fn a_ticket_is_void_once_an_edge_has_taken_its_waiter_out_and_not_before() {
        let mut sources = Sources::new(false);
        let id = sources.insert(false, || End::Unknown);
        let waker = Waker::from(Arc::new(Count::default()));
        let (mut first, mut second) = (NO_TICKET, NO_TICKET);
        for ticket in [&mut first, &mut second] {
            assert!(
                sources.wait(id, Direction::Read, Some(ticket), KeptWaker::new(&waker)).is_none()
            );
        }
        sources.get(id).expect("it was inserted").readable = true;
        // The loop wakes one after the other: the second waits still.
        assert!(sources.pop_ready(id).is_some());
        for (ticket, waits) in [(&mut first, false), (&mut second, true)] {
            assert!(sources.is_ready(id, Direction::Read, Some(ticket)));
            assert_eq!(*ticket != NO_TICKET, waits);
        }
        assert!(sources.forget(id, second).is_some());
    }

    #[test]
    fn a_source_gone_is_not_found_and_its_successor_is_another() {
        let mut sources = Sources::new(false);
        let old = sources.insert(true, || End::Unknown);
        assert!(sources.is_ready(old, Direction::Read, None));
        assert!(sources.remove(old).is_some());
        assert!(sources.remove(old).is_none());
        let new = sources.insert(true, || End::Unknown);
        assert_eq!(old.key, new.key);
        assert_ne!(old.token(), new.token());
        assert!(!sources.is_ready(old, Direction::Read, None));
    }

    #[test]
    fn a_short_read_clears_readiness_unless_the_peer_has_hung_up() {
        let mut sources = Sources::new(false);
        let id = sources.insert(true, || End::Unknown);
        sources.clear_after_short(id, Direction::Read);
        assert!(!sources.is_ready(id, Direction::Read, None));
        assert!(sources.is_ready(id, Direction::Write, None));
        let source = sources.get(id).expect("it was inserted");
        (source.readable, source.hung_up) = (true, true);
        sources.clear_after_short(id, Direction::Read);
        assert!(sources.is_ready(id, Direction::Read, None));
    }
}
