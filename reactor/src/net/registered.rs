//! What do all sockets share? A descriptor, registered with a loop for as long as it lives.
//!
//! Invariant: **deregister, release, close, in this order**, on any thread: were the descriptor
//! closed first while a duplicate of it lives, its registration could never be taken back; were its
//! slot freed first, its number could name another socket.
//!
//! On Linux the close is the deregistering where nobody can have a duplicate: the descriptor was made
//! here, and was never lent out. A process that was forked in between may have one all the same; its
//! events name a generation that has gone, and end with it. That is a connection's way out in one
//! system call instead of three (the third asks which process this is; bench `churn64`).

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use lone_executor::{KeptWaker, LoopNumber, Release, budget, outside, trace};
use mio::Interest;
use mio::event::Source;

use crate::ends::End;
use crate::local::{self, Local};
use crate::reactor::{Bell, SOURCE_BIT};
use crate::sources::{Direction, NO_TICKET, SourceId};

/// Beside the key of a slot: there are fewer descriptors than that.
const SHARED: u32 = 1 << 31;

/// A descriptor and its place in a loop.
pub(crate) struct Registered<S: Source> {
    /// `None` once it was taken out.
    io: Option<S>,
    /// The slot; and [`SHARED`], once somebody may have a duplicate.
    key: AtomicU32,
    generation: u64,
    number: LoopNumber,
}

impl<S: Source> Registered<S> {
    /// Registers `io` with the loop that runs on this thread, for both directions.
    ///
    /// `ready`: operations shall be tried before they are waited for.
    pub(crate) fn new(
        mut io: S,
        what: &'static str,
        ready: bool,
        end: impl FnOnce(&S) -> End,
    ) -> io::Result<Registered<S>> {
        let registered = local::with(|local| {
            let id = local.sources.borrow_mut().insert(ready, || end(&io));
            let interest = Interest::READABLE | Interest::WRITABLE;
            match local.registry.register(&mut io, id.token(), interest) {
                Ok(()) => Ok((local.number(), id)),
                Err(error) => {
                    drop(local.sources.borrow_mut().remove(id));
                    Err(error)
                }
            }
        });
        let (number, SourceId { key, generation }) =
            registered.unwrap_or_else(|| Err(no_loop(what)))?;
        trace::emit(|| trace::Event::Interest { source: generation, what });
        debug_assert_eq!(key & SHARED, 0, "descriptors have 31 bits");
        Ok(Registered { io: Some(io), key: AtomicU32::new(key), generation, number })
    }

    /// From here on somebody may have a duplicate of the descriptor.
    pub(crate) fn set_shared(&self) {
        self.key.fetch_or(SHARED, Ordering::Relaxed);
    }

    /// Whether closing it takes it out of the system's books.
    fn is_ours_alone(&self) -> bool {
        cfg!(target_os = "linux") && self.key.load(Ordering::Relaxed) & SHARED == 0
    }

    fn id(&self) -> SourceId {
        let key = self.key.load(Ordering::Relaxed) & !SHARED;
        SourceId { key, generation: self.generation }
    }

    pub(crate) fn io(&self) -> &S {
        self.io.as_ref().expect("it is taken out only where the handle ends")
    }

    /// Deregisters, and gives the descriptor back.
    pub(crate) fn into_io(mut self) -> io::Result<S> {
        self.set_shared();
        let mut io = self.io.take().expect("it is taken out only where the handle ends");
        self.release(&mut io);
        Ok(io)
    }

    /// Tries `operation` while the descriptor is ready for it, and waits where it would block: by
    /// the ticket of a [`Place`], or without one where nobody could take it back.
    ///
    /// What is awaited is said by the caller, who knows the line.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        direction: Direction,
        ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
        operation: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_tried(direction, ticket, cx, operation, |_, _| {})
    }

    /// As [`Registered::poll_io`], for what moves bytes on a stream: so many at most.
    #[inline]
    pub(crate) fn poll_transfer(
        &self,
        direction: Direction,
        ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
        offered: usize,
        operation: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if offered == 0 {
            // The system would be asked only once the socket is ready.
            return Poll::Ready(Ok(0));
        }
        self.poll_tried(direction, ticket, cx, operation, |local, moved| {
            self.moved(local, direction, *moved, offered);
        })
    }

    /// `done` sees what an operation has achieved.
    #[inline]
    fn poll_tried<R>(
        &self,
        direction: Direction,
        mut ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&S) -> io::Result<R>,
        done: impl FnOnce(&Local, &R),
    ) -> Poll<io::Result<R>> {
        ready!(budget::take(cx));
        // The reactor is looked up once for all of it: an operation runs no user code.
        let tried = local::with_number(self.number, |local| {
            loop {
                let ticket = ticket.as_deref_mut();
                if !local.sources.borrow_mut().is_ready(self.id(), direction, ticket) {
                    return None;
                }
                match operation(self.io()) {
                    Ok(outcome) => {
                        done(local, &outcome);
                        return Some(Ok(outcome));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        local.sources.borrow_mut().clear(self.id(), direction);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Some(Err(error)),
                }
            }
        });
        match tried {
            Some(Some(outcome)) => Poll::Ready(outcome),
            Some(None) => {
                budget::give_back();
                self.wait(direction, ticket, cx).map(Err)
            }
            None => Poll::Ready(Err(wrong_loop())),
        }
    }

    /// Keeps the task until the next edge.
    #[inline]
    fn wait(
        &self,
        direction: Direction,
        ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Error> {
        // A ticket that is new waits nowhere yet.
        let number = ticket.as_ref().map_or(NO_TICKET, |ticket| **ticket);
        if ticket.is_none() || number != NO_TICKET {
            let waits = self.here(|local| {
                local.sources.borrow_mut().waits(self.id(), direction, number, cx.waker())
            });
            match waits {
                Err(error) => return Poll::Ready(error),
                Ok(true) => return Poll::Pending,
                Ok(false) => {}
            }
        }
        // The clone of a foreign waker is made outside of the borrow, and dropped there.
        let waker = KeptWaker::new(cx.waker());
        let waited =
            self.here(|local| local.sources.borrow_mut().wait(self.id(), direction, ticket, waker));
        match waited {
            Err(error) => Poll::Ready(error),
            Ok(before) => {
                drop(before);
                Poll::Pending
            }
        }
    }

    /// A stream has moved so many bytes, of so many that it was offered.
    ///
    /// If there were fewer, the next try would block.
    #[inline]
    fn moved(&self, local: &Local, direction: Direction, bytes: usize, offered: usize) {
        if local.counts() {
            self.count_here(local, direction, bytes);
        }
        // Windows makes an edge only after an operation that would have blocked.
        if cfg!(unix) && 0 < bytes && bytes < offered {
            local.sources.borrow_mut().clear_after_short(self.id(), direction);
        }
    }

    /// Tells a virtual clock of bytes; the end of a stream is one.
    pub(crate) fn count(&self, direction: Direction, bytes: usize) {
        let _ = self.here(|local| self.count_here(local, direction, bytes));
    }

    #[cold]
    fn count_here(&self, local: &Local, direction: Direction, bytes: usize) {
        local.sources.borrow_mut().moved(self.id(), direction, bytes.max(1));
    }

    /// Tells a virtual clock what this source has become.
    pub(crate) fn set_end(&self, end: impl FnOnce(&S) -> End) {
        let end = || end(self.io());
        let _ = self.here(|local| local.sources.borrow_mut().set_end(self.id(), end));
    }

    #[inline]
    fn here<R>(&self, f: impl FnOnce(&Local) -> R) -> io::Result<R> {
        local::with_number(self.number, |local| f(local)).ok_or_else(wrong_loop)
    }

    /// Deregister, then release the slot: on the loop itself if it runs here, else from outside.
    fn release(&self, io: &mut S) {
        let here = local::with_number(self.number, |local| {
            if !self.is_ours_alone() && local.is_own_process() {
                // A descriptor that the system does not know any more needs no deregistering.
                let _ = local.registry.deregister(io);
            }
            local.sources.borrow_mut().remove(self.id())
        });
        match here {
            Some(source) => {
                drop(source);
                trace::emit(|| trace::Event::Deregister { source: self.generation });
            }
            None => self.release_elsewhere(io),
        }
    }

    #[cold]
    fn release_elsewhere(&self, io: &mut S) {
        let Some(outside) = outside(self.number) else {
            return;
        };
        let unparker: &dyn std::any::Any = &**outside.unparker();
        if let Some(bell) = unparker.downcast_ref::<Bell>()
            && bell.is_own_process()
        {
            let _ = bell.registry.deregister(io);
        }
        outside.release(Release {
            key: u64::from(self.id().key) | SOURCE_BIT,
            generation: self.generation,
        });
    }
}

/// A future's place among those who wait at a source: given up when it is dropped.
///
/// Without it whoever gave up would be woken all the same, would hold a virtual clock, and would
/// be remembered until the next edge, which on a silent connection never comes.
pub(crate) struct Place<'a, S: Source> {
    pub(crate) source: &'a Registered<S>,
    /// [`NO_TICKET`] until it has waited.
    pub(crate) ticket: u64,
}

impl<'a, S: Source> Place<'a, S> {
    pub(crate) fn new(source: &'a Registered<S>) -> Place<'a, S> {
        Place { source, ticket: NO_TICKET }
    }
}

impl<S: Source> Place<'_, S> {
    #[cold]
    fn give_up(&self) {
        let Place { source, ticket } = *self;
        // Elsewhere it stays, and wakes once too often, or goes with the source.
        let waker = source.here(|local| local.sources.borrow_mut().forget(source.id(), ticket));
        drop(waker);
    }
}

impl<S: Source> Drop for Place<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket != NO_TICKET {
            self.give_up();
        }
    }
}

impl<S: Source> fmt::Debug for Place<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("waits", &(self.ticket != NO_TICKET)).finish_non_exhaustive()
    }
}

impl<S: Source> Drop for Registered<S> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            self.release(&mut io);
            // close: `io` is dropped here, last.
        }
    }
}

impl<S: Source + fmt::Debug> fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.io, f)
    }
}

fn no_loop(what: &str) -> io::Error {
    io::Error::other(format!("a {what} needs a loop: make it inside lone::run(async {{ … }})"))
}

#[cold]
fn wrong_loop() -> io::Error {
    io::Error::other(
        "this socket belongs to another loop: use it on the thread of the loop that made it, while \
         that loop runs; to hand it over, use into_std() there and from_std() here",
    )
}
