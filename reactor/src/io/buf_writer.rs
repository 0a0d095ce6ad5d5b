//! How does a task write messages whole, whatever becomes of it? They are put into a buffer at once.
//!
//! ```text
//!   write_all ──► [ taken, not yet sent ] ──► flush, close, or a write that needs the room ──► stream
//! ```
//!
//! Invariants:
//! - **Whole or not at all**: a `write_all` takes its bytes in the poll that returns; until then none.
//! - **Sent once**: what the stream has taken leaves the buffer in the same poll.
//! - **Never lost silently**: bytes that go down with their writer have been told of, by an error of the
//!   stream or by a report.
//!
//! Cost: nothing is allocated before the first write; a byte is copied once. A message above the
//! capacity makes the buffer as large as it is, until it is sent.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use lone_executor::report::{self, Level};

use super::{CAPACITY, Close, Flush, WriteAll};

/// A writer with a buffer: small writes go out together, and each goes out whole.
///
/// **[Flush](BufWriter::flush) it** when the peer is to see what was written, and
/// [close](BufWriter::close) it at the end. `lone::using(writer, …)` closes it in any case, also where
/// its task is cancelled. Dropped with bytes that were never sent, it says so in a warning, once; not if
/// the stream has failed, for then its error has said it.
///
/// It is a futures-io [`AsyncWrite`] itself, and passes reads on to `W`.
///
/// asyncio: `StreamWriter`; its `write` and then `drain` are [`write_all`](BufWriter::write_all).
///
/// # Examples
///
/// ```
/// use lone::io::BufWriter;
///
/// lone::run(async {
///     let mut sent = Vec::new();
///     let mut writer = BufWriter::new(&mut sent);
///     writer.write_all(b"hello, ").await?;
///     writer.write_all(b"world").await?;
///     assert_eq!(writer.buffer(), b"hello, world");
///     writer.flush().await?;
///     assert!(writer.buffer().is_empty());
///     drop(writer);
///     assert_eq!(sent, b"hello, world");
///     std::io::Result::Ok(())
/// })
/// .expect("a vector takes everything");
/// ```
pub struct BufWriter<W> {
    /// `None` once it was taken out.
    inner: Option<W>,
    buffer: Vec<u8>,
    /// So many of the buffer's bytes are sent.
    sent: usize,
    capacity: usize,
    /// The stream has failed since something was last sent: who asked knows of it.
    failed: bool,
    stage: Stage,
}

/// How far the close of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// All was sent, and the close of the stream has begun.
    Closing,
    Closed,
}

impl<W> BufWriter<W> {
    /// A writer with a buffer of 8 KiB.
    #[must_use]
    pub const fn new(inner: W) -> BufWriter<W> {
        BufWriter::with_capacity(CAPACITY, inner)
    }

    /// A writer that sends when it has so many bytes.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    #[must_use]
    #[track_caller]
    pub const fn with_capacity(capacity: usize, inner: W) -> BufWriter<W> {
        assert!(
            capacity > 0,
            "a writer needs room for one byte: use `BufWriter::new(…)` for 8 KiB"
        );
        let buffer = Vec::new();
        let stage = Stage::Open;
        BufWriter { inner: Some(inner), buffer, sent: 0, capacity, failed: false, stage }
    }

    /// What was taken and is not yet sent.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.buffer[self.sent..]
    }

    /// What it writes to.
    #[must_use]
    pub const fn get_ref(&self) -> &W {
        self.inner.as_ref().expect("it is taken out only where the writer ends")
    }

    /// What it writes to. Bytes that are written past the buffer overtake those in it.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut W {
        self.inner.as_mut().expect("it is taken out only where the writer ends")
    }

    /// What it writes to, and what is not yet sent.
    #[must_use]
    pub fn into_parts(mut self) -> (W, Vec<u8>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.drain(..self.sent);
        self.sent = 0;
        (self.inner.take().expect("it is taken out only where the writer ends"), buffer)
    }
}

impl<W: AsyncWrite + Unpin> BufWriter<W> {
    /// Writes all of `bytes`: into the buffer, after waiting for room if need be.
    ///
    /// It has room if they fit, or if it is empty: so a message above the capacity is taken whole as
    /// well.
    ///
    /// asyncio: `write`, then `await drain()`.
    ///
    /// # Errors
    ///
    /// What the stream says when room is made; [`io::ErrorKind::BrokenPipe`] after a
    /// [close](BufWriter::close). None of `bytes` was taken then.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, none of `bytes` was taken; once it has returned, all are, and go out in
    /// one piece.
    #[track_caller]
    pub fn write_all<'a>(&'a mut self, bytes: &'a [u8]) -> WriteAll<'a, W> {
        WriteAll::new(self, bytes)
    }

    /// Sends all that was written, and flushes the stream.
    ///
    /// # Errors
    ///
    /// What the stream says; what was not sent stays in the buffer. [`io::ErrorKind::WriteZero`] if it
    /// takes no more.
    ///
    /// # Cancellation
    ///
    /// Strict: what was sent has left the buffer, and the next call goes on after it.
    #[track_caller]
    pub fn flush(&mut self) -> Flush<'_, W> {
        Flush::new(self)
    }

    /// Sends all that was written, and closes the stream: a TCP stream for writing only.
    ///
    /// asyncio: `close()`, then `await wait_closed()`.
    ///
    /// # Errors
    ///
    /// As [`flush`](BufWriter::flush).
    ///
    /// # Cancellation
    ///
    /// Strict: the next call goes on where it was. Once closed, another call does nothing.
    #[track_caller]
    pub fn close(&mut self) -> Close<'_, W> {
        Close::new(self)
    }

    /// Sends once: ready when something was sent, or nothing is left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let bytes = &self.buffer[self.sent..];
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let inner = self.inner.as_mut().expect("it is taken out only where the writer ends");
        let sent = match ready!(Pin::new(inner).poll_write(cx, bytes)) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        self.failed = sent.is_err();
        let n = sent?;
        assert!(n <= bytes.len(), "a stream says that it has taken more than it was given");
        self.sent += n;
        if self.sent == self.buffer.len() {
            self.sent = 0;
            self.buffer.clear();
            self.buffer.shrink_to(self.capacity);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.buffer().is_empty() {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when `len` bytes may be put in.
    pub(super) fn poll_room(&mut self, len: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stage != Stage::Open {
            let message = "the writer was closed: write before `close`";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, message)));
        }
        while !self.buffer().is_empty() && len > self.capacity.saturating_sub(self.buffer().len()) {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// *Whole or not at all*: there is room.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        // What is sent goes away before the buffer would grow for it.
        if self.sent > 0 && self.buffer.len() + bytes.len() > self.capacity {
            self.buffer.drain(..self.sent);
            self.sent = 0;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(self.capacity);
        }
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_all(cx))?;
        Pin::new(self.get_mut()).poll_flush(cx)
    }

    pub(super) fn poll_close_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_all(cx))?;
        if self.stage != Stage::Closed {
            self.stage = Stage::Closing;
            ready!(Pin::new(self.get_mut()).poll_close(cx))?;
            self.stage = Stage::Closed;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BufWriter<W> {
    /// Takes as much as the buffer ever holds; what is more goes past it while it is empty.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let n = bytes.len().min(this.capacity);
        ready!(this.poll_room(n, cx))?;
        if n < bytes.len() && this.buffer().is_empty() {
            return Pin::new(BufWriter::get_mut(this)).poll_write(cx, bytes);
        }
        this.take(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_all(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close_all(cx)
    }
}

/// Reads go past the buffer, which is for writes.
impl<W: AsyncRead + Unpin> AsyncRead for BufWriter<W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(BufWriter::get_mut(self.get_mut())).poll_read(cx, into)
    }
}

impl<W> Drop for BufWriter<W> {
    fn drop(&mut self) {
        let lost = self.buffer().len();
        if lost > 0 && !self.failed {
            let message = format!(
                "a BufWriter is dropped with {lost} bytes that were never sent: await its `flush` or \
                 `close`, or run it in `lone::using`"
            );
            report::say(Level::Warn, "lone::io", &message);
        }
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity)
            .field("stage", &self.stage)
            .field("inner", &self.inner)
            .finish()
    }
}
