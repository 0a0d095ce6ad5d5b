//! What can the putting ends do? A task's waits by `.await`, a thread's by blocking.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use lone_executor::{budget, trace, wait_on_thread};

use super::error::{PutError, TryPutError};
use super::statistics::BridgeStatistics;
use super::{PutEnd, refuse_in_loop};

/// The end of a bridge at which a task puts items for threads.
pub struct LoopPut<T> {
    end: PutEnd<T>,
}

/// The end of a bridge at which a thread puts items for a loop.
pub struct ThreadPut<T> {
    end: PutEnd<T>,
}

impl<T> LoopPut<T> {
    pub(super) fn new(end: PutEnd<T>) -> LoopPut<T> {
        LoopPut { end }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.end.check();
    }

    /// Puts an item, after waiting for room if need be.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if the other side goes before there is room.
    ///
    /// # Cancellation
    ///
    /// Loses data: dropped before there was room, the future takes its item with it (and loses its
    /// place). For an item that must not be lost there is [`try_put`](LoopPut::try_put).
    #[track_caller]
    pub fn put(&self, item: T) -> Put<'_, T> {
        let line = PutInLine { end: &self.end, item: Some(item), ticket: None };
        Put { line, site: Location::caller() }
    }

    /// Puts an item if there is room and nobody waits for it; never waits itself.
    ///
    /// # Errors
    ///
    /// [`TryPutError`] with the item.
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.end.try_put(item)
    }

    /// The items that nobody can get any more, because the other side has gone; else none.
    #[must_use]
    pub fn take_back(&self) -> Vec<T> {
        self.end.take_back()
    }

    /// Whether the other side has gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How many items nobody has got yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether all items have been got.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How it stands: items, ends, and who waits, on both sides.
    #[must_use]
    pub fn statistics(&self) -> BridgeStatistics {
        self.end.statistics()
    }
}

impl<T> ThreadPut<T> {
    pub(super) fn new(end: PutEnd<T>) -> ThreadPut<T> {
        ThreadPut { end }
    }

    /// Puts an item; blocks this thread until there is room.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if the other side goes before there is room: its loop has ended, or
    /// whoever was to get it.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread, which would stand still; whether there is room or not.
    #[track_caller]
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        refuse_in_loop("put");
        let mut line = PutInLine { end: &self.end, item: Some(item), ticket: None };
        wait_on_thread(&mut line, None).expect("there is no deadline")
    }

    /// Puts an item; blocks this thread until there is room, for so long at most.
    ///
    /// # Errors
    ///
    /// [`TryPutError`] with the item.
    ///
    /// # Panics
    ///
    /// As [`put`](ThreadPut::put).
    #[track_caller]
    pub fn put_timeout(&self, item: T, limit: Duration) -> Result<(), TryPutError<T>> {
        refuse_in_loop("put");
        let mut line = PutInLine { end: &self.end, item: Some(item), ticket: None };
        // A moment that cannot be expressed never comes.
        match wait_on_thread(&mut line, Instant::now().checked_add(limit)) {
            Some(Ok(())) => Ok(()),
            Some(Err(PutError(item))) => Err(TryPutError::Closed(item)),
            None => Err(TryPutError::Full(line.item.take().expect("it has not been put"))),
        }
    }

    /// Puts an item if there is room and nobody waits for it; never waits itself.
    ///
    /// # Errors
    ///
    /// [`TryPutError`] with the item.
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.end.try_put(item)
    }

    /// The items that nobody can get any more, because the other side has gone; else none.
    #[must_use]
    pub fn take_back(&self) -> Vec<T> {
        self.end.take_back()
    }

    /// Whether the other side has gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How many items nobody has got yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether all items have been got.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How it stands: items, ends, and who waits, on both sides.
    #[must_use]
    pub fn statistics(&self) -> BridgeStatistics {
        self.end.statistics()
    }
}

/// What a put is on either side: an item, and a place in line.
struct PutInLine<'a, T> {
    end: &'a PutEnd<T>,
    item: Option<T>,
    ticket: Option<u64>,
}

/// The item is never pinned: it is moved into the bridge.
impl<T> Unpin for PutInLine<'_, T> {}

impl<T> Future for PutInLine<'_, T> {
    type Output = Result<(), PutError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let PutInLine { end, item, ticket } = &mut *self;
        end.poll(item, ticket, cx)
    }
}

impl<T> Drop for PutInLine<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.end.leave(ticket);
        }
    }
}

/// The future of [`LoopPut::put`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Put<'a, T> {
    line: PutInLine<'a, T>,
    site: &'static Location<'static>,
}

impl<T> Future for Put<'_, T> {
    type Output = Result<(), PutError<T>>;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        let polled = Pin::new(&mut self.line).poll(cx);
        if polled.is_pending() {
            budget::give_back();
            trace::awaits("room in a bridge", self.site);
        }
        polled
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").field("waits", &self.line.ticket.is_some()).finish_non_exhaustive()
    }
}

/// Another end of the same side.
impl<T> Clone for LoopPut<T> {
    fn clone(&self) -> LoopPut<T> {
        LoopPut { end: self.end.clone() }
    }
}

/// Another end of the same side.
impl<T> Clone for ThreadPut<T> {
    fn clone(&self) -> ThreadPut<T> {
        ThreadPut { end: self.end.clone() }
    }
}

impl<T> fmt::Debug for LoopPut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.statistics().write(f, "LoopPut")
    }
}

impl<T> fmt::Debug for ThreadPut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.statistics().write(f, "ThreadPut")
    }
}
