//! What can the getting ends do? A task's waits by `.await`, a thread's by blocking.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use lone_executor::{budget, trace, wait_on_thread};

use super::error::{GetError, TryGetError};
use super::statistics::BridgeStatistics;
use super::{GetEnd, refuse_in_loop};

/// The end of a bridge at which a task gets items from threads.
pub struct LoopGet<T> {
    end: GetEnd<T>,
}

/// The end of a bridge at which a thread gets items from a loop.
pub struct ThreadGet<T> {
    end: GetEnd<T>,
}

impl<T> LoopGet<T> {
    pub(super) fn new(end: GetEnd<T>) -> LoopGet<T> {
        LoopGet { end }
    }

    /// Gets the first item, after waiting for one if need be.
    ///
    /// # Errors
    ///
    /// [`GetError`] if the other side has gone and nothing is left.
    ///
    /// # Cancellation
    ///
    /// Loses its place, never an item.
    #[track_caller]
    pub fn get(&self) -> Get<'_, T> {
        Get { line: GetInLine { end: &self.end, ticket: None }, site: Location::caller() }
    }

    /// As [`get`](LoopGet::get), with `None` at the end: for `while let Some(item)`.
    ///
    /// # Cancellation
    ///
    /// Loses its place, never an item.
    #[track_caller]
    pub fn next(&self) -> Next<'_, T> {
        Next(self.get())
    }

    /// Gets the first item if there is one that nobody waits for; never waits itself.
    ///
    /// # Errors
    ///
    /// [`TryGetError`]: there is none now, or none will come.
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.end.try_get()
    }

    /// Whether the other side has gone. What it has put may still be there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How many items are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether nothing is there.
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

impl<T> ThreadGet<T> {
    pub(super) fn new(end: GetEnd<T>) -> ThreadGet<T> {
        ThreadGet { end }
    }

    /// Gets the first item; blocks this thread until there is one.
    ///
    /// # Errors
    ///
    /// [`GetError`] if the other side has gone and nothing is left: its loop has ended, or has no more.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread, which would stand still; whether there is an item or not.
    #[track_caller]
    pub fn get(&self) -> Result<T, GetError> {
        refuse_in_loop("get");
        let mut line = GetInLine { end: &self.end, ticket: None };
        wait_on_thread(&mut line, None).expect("there is no deadline")
    }

    /// Gets the first item; blocks this thread until there is one, for so long at most.
    ///
    /// # Errors
    ///
    /// [`TryGetError`]: none has come in time, or none will come.
    ///
    /// # Panics
    ///
    /// As [`get`](ThreadGet::get).
    #[track_caller]
    pub fn get_timeout(&self, limit: Duration) -> Result<T, TryGetError> {
        refuse_in_loop("get");
        let mut line = GetInLine { end: &self.end, ticket: None };
        // A moment that cannot be expressed never comes.
        match wait_on_thread(&mut line, Instant::now().checked_add(limit)) {
            Some(got) => got.map_err(|GetError| TryGetError::Closed),
            None => Err(TryGetError::Empty),
        }
    }

    /// Gets the first item if there is one that nobody waits for; never waits itself.
    ///
    /// # Errors
    ///
    /// [`TryGetError`]: there is none now, or none will come.
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.end.try_get()
    }

    /// Whether the other side has gone. What it has put may still be there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How many items are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether nothing is there.
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

/// What a get is on either side: a place in line.
struct GetInLine<'a, T> {
    end: &'a GetEnd<T>,
    ticket: Option<u64>,
}

impl<T> Future for GetInLine<'_, T> {
    type Output = Result<T, GetError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let GetInLine { end, ticket } = &mut *self;
        end.poll(ticket, cx)
    }
}

impl<T> Drop for GetInLine<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.end.leave(ticket);
        }
    }
}

/// The future of [`LoopGet::get`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Get<'a, T> {
    line: GetInLine<'a, T>,
    site: &'static Location<'static>,
}

impl<T> Future for Get<'_, T> {
    type Output = Result<T, GetError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        let polled = Pin::new(&mut self.line).poll(cx);
        if polled.is_pending() {
            budget::give_back();
            trace::awaits("an item from a bridge", self.site);
        }
        polled
    }
}

/// The future of [`LoopGet::next`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Next<'a, T>(Get<'a, T>);

impl<T> Future for Next<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("waits", &self.line.ticket.is_some()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Next").field(&self.0).finish()
    }
}

/// Another end of the same side.
impl<T> Clone for LoopGet<T> {
    fn clone(&self) -> LoopGet<T> {
        LoopGet { end: self.end.clone() }
    }
}

/// Another end of the same side.
impl<T> Clone for ThreadGet<T> {
    fn clone(&self) -> ThreadGet<T> {
        ThreadGet { end: self.end.clone() }
    }
}

impl<T> fmt::Debug for LoopGet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.statistics().write(f, "LoopGet")
    }
}

impl<T> fmt::Debug for ThreadGet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.statistics().write(f, "ThreadGet")
    }
}
