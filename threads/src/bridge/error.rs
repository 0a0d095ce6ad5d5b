//! Why not, and where is my item? No error swallows one, and none shows it.

use std::error::Error;
use std::fmt;

/// Nobody is left who could get the item: here it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PutError(..)")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side of the bridge has gone, and takes no more items")
    }
}

impl<T> Error for PutError<T> {}

/// Why an item was not put without waiting, or in time: here it is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryPutError<T> {
    /// There is no room, or was none in time.
    Full(T),
    /// Nobody is left who could get it.
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
            TryPutError::Full(_) => "the bridge is full",
            TryPutError::Closed(_) => {
                "the other side of the bridge has gone, and takes no more items"
            }
        })
    }
}

impl<T> Error for TryPutError<T> {}

/// Nobody is left who could put anything, and nothing is left in the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetError;

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side of the bridge has gone, and nothing is left")
    }
}

impl Error for GetError {}

/// Why there was no item without waiting, or in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryGetError {
    /// Nothing is there, or came in time.
    Empty,
    /// Nobody is left who could put anything, and nothing is left.
    Closed,
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryGetError::Empty => "nothing is in the bridge",
            TryGetError::Closed => "the other side of the bridge has gone, and nothing is left",
        })
    }
}

impl Error for TryGetError {}
