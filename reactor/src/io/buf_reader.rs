//! How does a task read lines from a stream that comes in pieces? What has come waits in a buffer.
//!
//! ```text
//!   storage  [ consumed │ buffered, not yet asked for │ room ]
//!            0          start                         end    len
//! ```
//!
//! Invariants:
//! - **Taken when given**: bytes leave the buffer in the poll that returns them, and in no other.
//! - **Bounded**: a line makes the buffer grow to four times the limit at most; once it is empty again,
//!   more than the limit is given back.
//!
//! Cost: nothing is allocated before the first read. A byte is copied once, and looked at once for the
//! delimiter; a read that is dropped and begun anew looks again from the start of the line.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use lone_executor::budget;

use super::{CAPACITY, FillBuf, LineError, Lines, ReadExact, ReadLine, ReadUntil};

/// How long a line may be where nobody has said otherwise.
const LIMIT: usize = 64 * 1024;

/// A reader with a buffer: for lines, for messages of a known length, and for looking ahead.
///
/// What it has read from `R` and nobody has asked for stays in it, whatever becomes of the futures:
/// see the [module](super). It is a futures-io [`AsyncRead`] and [`AsyncBufRead`] itself, and passes
/// writes on to `R`.
///
/// A line is limited, to 64 KiB if not [said otherwise](BufReader::with_limit): a peer that never ends its
/// line gets an error, and no memory.
///
/// asyncio: `StreamReader`.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let mut reader = lone::io::BufReader::new(&b"GET /\r\nHost: here\r\n\r\nbody"[..]);
///     let mut request = String::new();
///     assert_eq!(reader.read_line(&mut request).await?, 7);
///     assert_eq!(request, "GET /\r\n");
///     let mut lines = reader.lines();
///     while let Some(header) = lines.next().await.transpose()? {
///         if header.is_empty() {
///             break;
///         }
///         assert_eq!(header, "Host: here");
///     }
///     let mut body = [0; 4];
///     reader.read_exact(&mut body).await?;
///     assert_eq!(&body, b"body");
///     std::io::Result::Ok(())
/// })
/// .expect("nothing is wrong with it");
/// ```
pub struct BufReader<R> {
    inner: R,
    storage: Vec<u8>,
    start: usize,
    end: usize,
    capacity: usize,
    limit: usize,
    /// What is there is the rest of a line that was too long: the next line begins after it.
    skipping: bool,
}

impl<R> BufReader<R> {
    /// A reader with a buffer of 8 KiB, and a limit of 64 KiB for a line.
    #[must_use]
    pub const fn new(inner: R) -> BufReader<R> {
        BufReader::with_capacity(CAPACITY, inner)
    }

    /// A reader that asks `inner` for so many bytes at once.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    #[must_use]
    #[track_caller]
    pub const fn with_capacity(capacity: usize, inner: R) -> BufReader<R> {
        assert!(
            capacity > 0,
            "a reader needs room for one byte: use `BufReader::new(…)` for 8 KiB"
        );
        let storage = Vec::new();
        BufReader { inner, storage, start: 0, end: 0, capacity, limit: LIMIT, skipping: false }
    }

    /// The same reader, with a limit for its lines: so many bytes before the delimiter.
    ///
    /// `usize::MAX` is no limit: a peer may then use up all memory.
    ///
    /// asyncio: `limit=`.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> BufReader<R> {
        BufReader { limit, ..self }
    }

    /// What was read and not yet asked for.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// What it reads from.
    #[must_use]
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// What it reads from. Bytes that are read past the buffer are missing in it.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// What it reads from. What is in the [buffer](BufReader::buffer) is dropped.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Says that the first `n` bytes of the buffer are used.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[track_caller]
    pub fn consume(&mut self, n: usize) {
        let there = self.end - self.start;
        assert!(n <= there, "{n} bytes were consumed, but only {there} are in the buffer");
        self.skipping = false;
        self.advance(n);
    }

    fn advance(&mut self, n: usize) {
        self.start += n;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            let most = self.capacity.max(self.limit);
            if self.storage.len() > most {
                self.storage = Vec::new();
            }
        }
    }

    /// Makes room for one more byte at least: moves what is there to the front if that makes half of
    /// it free, else doubles.
    fn make_room(&mut self) {
        if self.end < self.storage.len() {
            return;
        }
        self.storage.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.storage.len() < self.capacity {
            self.storage.resize(self.capacity, 0);
        } else if self.end > self.storage.len() / 2 {
            self.storage.resize(self.storage.len() * 2, 0);
        }
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Reads up to and with the next `delimiter`, appends that to `into`, and says how much it was.
    ///
    /// At the end of the stream it is what is left, without a delimiter, and then 0.
    ///
    /// asyncio: `readuntil`.
    ///
    /// # Errors
    ///
    /// [`LineError::TooLong`] if the delimiter does not come in time: all stays in the buffer, and
    /// [`consume`](BufReader::consume) gets past it. [`LineError::Io`]: what the stream says.
    ///
    /// # Cancellation
    ///
    /// Strict: what was read stays in the buffer, and `into` is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let mut reader = lone::io::BufReader::new(&b"a;b"[..]);
    ///     let mut field = Vec::new();
    ///     assert_eq!(reader.read_until(b';', &mut field).await.expect("it is short"), 2);
    ///     assert_eq!(reader.read_until(b';', &mut field).await.expect("it is short"), 1);
    ///     assert_eq!(field, b"a;b");
    /// });
    /// ```
    #[track_caller]
    pub fn read_until<'a>(&'a mut self, delimiter: u8, into: &'a mut Vec<u8>) -> ReadUntil<'a, R> {
        ReadUntil::new(self, delimiter, into)
    }

    /// Reads a line with its `\n`, appends it to `into`, and says how many bytes it has.
    ///
    /// At the end of the stream it is what is left, without `\n`, and then 0.
    ///
    /// asyncio: `readline`.
    ///
    /// # Errors
    ///
    /// [`LineError::TooLong`], [`LineError::NotUtf8`]: this line is dropped, and the next call gives the
    /// next line. The rest of a line that is too long is waited for only then, and never kept.
    /// [`LineError::Io`]: what the stream says.
    ///
    /// # Cancellation
    ///
    /// Strict: what was read stays in the buffer, and `into` is as it was.
    #[track_caller]
    pub fn read_line<'a>(&'a mut self, into: &'a mut String) -> ReadLine<'a, R> {
        ReadLine::new(self, into)
    }

    /// The lines, without `\n` or `\r\n`, one at a time.
    ///
    /// It borrows the reader, which can be used for other reads after any line.
    ///
    /// asyncio: `async for line in reader`.
    #[track_caller]
    pub fn lines(&mut self) -> Lines<'_, R> {
        Lines::new(self)
    }

    /// Fills `into`.
    ///
    /// asyncio: `readexactly`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the stream ends before: what there was is in the
    /// [buffer](BufReader::buffer). Else what the stream says.
    ///
    /// # Cancellation
    ///
    /// Strict: what was read stays in the buffer, and `into` is as it was.
    ///
    /// # Cost
    ///
    /// The buffer grows to the size of `into`, which bounds it.
    #[track_caller]
    pub fn read_exact<'a>(&'a mut self, into: &'a mut [u8]) -> ReadExact<'a, R> {
        ReadExact::new(self, into)
    }

    /// Waits until something is in the buffer, and shows it; nothing: the stream has ended.
    ///
    /// [`consume`](BufReader::consume) says what of it was used.
    ///
    /// # Errors
    ///
    /// What the stream says.
    ///
    /// # Cancellation
    ///
    /// Strict.
    #[track_caller]
    pub fn fill_buf(&mut self) -> FillBuf<'_, R> {
        FillBuf::new(self)
    }

    /// Reads once more from the stream; 0: it has ended.
    ///
    /// It asks the budget: a stream of somebody else's may never have to wait, nor end its line.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(budget::take(cx));
        self.make_room();
        let room = &mut self.storage[self.end..];
        let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(cx, room) else {
            budget::give_back();
            return Poll::Pending;
        };
        let n = read?;
        assert!(n <= room.len(), "a reader says that it has read more than it was asked for");
        self.end += n;
        Poll::Ready(Ok(n))
    }

    /// Ready when the buffer begins with a whole line: how many bytes it has, or what is left.
    ///
    /// The first `scanned` bytes are known to have no delimiter.
    pub(super) fn poll_delimited(
        &mut self,
        delimiter: u8,
        scanned: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, LineError>> {
        loop {
            let found = self.buffer()[*scanned..].iter().position(|byte| *byte == delimiter);
            *scanned = found.map_or(self.buffer().len(), |at| *scanned + at);
            if *scanned > self.limit {
                return Poll::Ready(Err(LineError::TooLong { limit: self.limit }));
            }
            if found.is_some() {
                return Poll::Ready(Ok(*scanned + 1));
            }
            if ready!(self.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(*scanned));
            }
        }
    }

    /// The same for lines: those that are too long are dropped when that is known, up to their ends.
    pub(super) fn poll_line(
        &mut self,
        scanned: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, LineError>> {
        while self.skipping {
            self.skip();
            if self.skipping && ready!(self.poll_more(cx))? == 0 {
                self.skipping = false;
            }
        }
        let polled = self.poll_delimited(b'\n', scanned, cx);
        if let Poll::Ready(Err(LineError::TooLong { .. })) = polled {
            self.skip();
            *scanned = 0;
        }
        polled
    }

    /// Drops what is buffered of a line that is too long.
    fn skip(&mut self) {
        let end = self.buffer().iter().position(|byte| *byte == b'\n');
        self.skipping = end.is_none();
        self.advance(end.map_or(self.end - self.start, |at| at + 1));
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for BufReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.buffer().is_empty() && into.len() >= this.capacity {
            this.skipping = false;
            return Pin::new(&mut this.inner).poll_read(cx, into);
        }
        if this.buffer().is_empty() && !into.is_empty() {
            ready!(this.poll_more(cx))?;
        }
        let n = into.len().min(this.buffer().len());
        into[..n].copy_from_slice(&this.buffer()[..n]);
        this.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for BufReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.buffer().is_empty() {
            ready!(this.poll_more(cx))?;
        }
        Poll::Ready(Ok(this.buffer()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        BufReader::consume(self.get_mut(), n);
    }
}

/// Writes go past the buffer, which is for reads.
impl<R: AsyncWrite + Unpin> AsyncWrite for BufReader<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("buffered", &self.buffer().len())
            .field("limit", &self.limit)
            .field("skipping", &self.skipping)
            .field("inner", &self.inner)
            .finish()
    }
}
