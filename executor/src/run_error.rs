//! Why could a loop not run its main future to the end?

use std::io;

use crate::deadlock::Deadlock;
use crate::stall::Stalled;

/// Why a loop could not run its main future to the end.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A loop is running on this thread already; the future was dropped without a poll.
    Nested,
    /// The loop was shut down; the future was dropped without a poll.
    Closed,
    /// The system refused: a descriptor, or waiting.
    Io(io::Error),
    /// Everybody waits, and nothing can wake anybody: who waits for what. Main was dropped.
    Deadlock(Box<Deadlock>),
    /// Everybody waits, and code that is not lone's, which alone could wake anybody, has not for as
    /// long as [`OnStall::Fail`](crate::OnStall::Fail) allows. Main was dropped.
    Stalled(Box<Stalled>),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Nested => f.write_str(
                "a loop is running on this thread already: inside it, `.await` the future or \
                 spawn it; to run a second loop, use another thread",
            ),
            RunError::Closed => f.write_str("the loop was shut down: make a new one"),
            RunError::Deadlock(deadlock) => deadlock.fmt(f),
            RunError::Stalled(stalled) => stalled.fmt(f),
            RunError::Io(error) => write!(f, "the loop cannot wait for events: {error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RunError> for io::Error {
    fn from(error: RunError) -> io::Error {
        match error {
            RunError::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> RunError {
        RunError::Io(error)
    }
}
