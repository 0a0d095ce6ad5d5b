//! What may be wrong with a line?

use std::error::Error;
use std::fmt;
use std::io;
use std::string::FromUtf8Error;

/// Why there is no line: of [`BufReader::read_line`](super::BufReader::read_line),
/// [`read_until`](super::BufReader::read_until) and [`lines`](super::BufReader::lines).
///
/// It turns into an [`io::Error`] by `?`, with this one as its source where it is not one itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum LineError {
    /// More than so many bytes came before the end of the line.
    TooLong {
        /// The limit, in bytes without the delimiter.
        limit: usize,
    },
    /// The line is no UTF-8; the error has its bytes.
    NotUtf8(FromUtf8Error),
    /// What the stream said.
    Io(io::Error),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::TooLong { limit } => write!(f, "a line is longer than {limit} bytes"),
            LineError::NotUtf8(error) => write!(f, "a line is no UTF-8: {error}"),
            LineError::Io(error) => error.fmt(f),
        }
    }
}

impl Error for LineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LineError::TooLong { .. } => None,
            LineError::NotUtf8(error) => Some(error),
            LineError::Io(error) => error.source(),
        }
    }
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> LineError {
        LineError::Io(error)
    }
}

impl From<LineError> for io::Error {
    fn from(error: LineError) -> io::Error {
        match error {
            LineError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}
