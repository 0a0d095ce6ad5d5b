//! Why not, and where is my item? No error swallows one, and none shows it.

use std::error::Error;
use std::fmt;

/// The queue was shut down: here is the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PutError(..)")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is shut down and takes no more items")
    }
}

impl<T> Error for PutError<T> {}

/// Why [`QueueOf::try_put`](super::QueueOf::try_put) did not put: here is the item.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryPutError<T> {
    /// There is no room: [`put`](super::QueueOf::put) would wait.
    Full(T),
    /// The queue is shut down.
    Closed(T),
}

impl<T> TryPutError<T> {
    /// The item that was not put.
    #[must_use]
    pub fn into_item(self) -> T {
        match self {
            TryPutError::Full(item) | TryPutError::Closed(item) => item,
        }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, TryPutError::Full(_))
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "Full(..)",
            TryPutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "the queue is full",
            TryPutError::Closed(_) => "the queue is shut down and takes no more items",
        })
    }
}

impl<T> Error for TryPutError<T> {}

/// The queue is shut down and nothing is left in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetError;

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is shut down and empty")
    }
}

impl Error for GetError {}

/// Why [`QueueOf::try_get`](super::QueueOf::try_get) did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryGetError {
    /// Nothing is in it now: [`get`](super::QueueOf::get) would wait.
    Empty,
    /// The queue is shut down and nothing is left in it.
    Closed,
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryGetError::Empty => "the queue is empty",
            TryGetError::Closed => "the queue is shut down and empty",
        })
    }
}

impl Error for TryGetError {}

/// `task_done` was called more often than items were put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDoneError;

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done was called more often than items were put into the queue")
    }
}

impl Error for TaskDoneError {}
