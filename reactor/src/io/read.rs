//! How does a read wait for all that it was asked for? It leaves what has come in the buffer till then.
//!
//! Each of these futures has no bytes of its own, only how far it has looked: what happens to them when
//! it is dropped is said at the method of [`BufReader`] that makes it.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use super::{BufReader, LineError, operation};

/// The future of [`BufReader::read_until`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadUntil<'a, R> {
    reader: &'a mut BufReader<R>,
    delimiter: u8,
    into: &'a mut Vec<u8>,
    scanned: usize,
    site: &'static Location<'static>,
}

impl<'a, R> ReadUntil<'a, R> {
    #[track_caller]
    pub(super) fn new(reader: &'a mut BufReader<R>, delimiter: u8, into: &'a mut Vec<u8>) -> Self {
        ReadUntil { reader, delimiter, into, scanned: 0, site: Location::caller() }
    }
}

impl<R: AsyncRead + Unpin> Future for ReadUntil<'_, R> {
    type Output = Result<usize, LineError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadUntil { reader, delimiter, into, scanned, site } = &mut *self;
        let found =
            operation(cx, "a delimiter", site, |cx| reader.poll_delimited(*delimiter, scanned, cx));
        let n = ready!(found)?;
        into.extend_from_slice(&reader.buffer()[..n]);
        reader.consume(n);
        *scanned = 0;
        Poll::Ready(Ok(n))
    }
}

/// The future of [`BufReader::read_line`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadLine<'a, R> {
    reader: &'a mut BufReader<R>,
    into: &'a mut String,
    scanned: usize,
    site: &'static Location<'static>,
}

impl<'a, R> ReadLine<'a, R> {
    #[track_caller]
    pub(super) fn new(reader: &'a mut BufReader<R>, into: &'a mut String) -> Self {
        ReadLine { reader, into, scanned: 0, site: Location::caller() }
    }
}

impl<R: AsyncRead + Unpin> Future for ReadLine<'_, R> {
    type Output = Result<usize, LineError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadLine { reader, into, scanned, site } = &mut *self;
        let n = ready!(operation(cx, "a line", site, |cx| reader.poll_line(scanned, cx)))?;
        *scanned = 0;
        let line = &reader.buffer()[..n];
        let appended = match std::str::from_utf8(line) {
            Ok(line) => {
                into.push_str(line);
                Ok(n)
            }
            Err(_) => not_utf8(line),
        };
        reader.consume(n);
        Poll::Ready(appended)
    }
}

/// The error for a line that is no UTF-8.
#[cold]
pub(super) fn not_utf8<T>(line: &[u8]) -> Result<T, LineError> {
    let error = String::from_utf8(line.to_vec()).expect_err("it was looked at before");
    Err(LineError::NotUtf8(error))
}

/// The future of [`BufReader::read_exact`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExact<'a, R> {
    reader: &'a mut BufReader<R>,
    into: &'a mut [u8],
    site: &'static Location<'static>,
}

impl<'a, R> ReadExact<'a, R> {
    #[track_caller]
    pub(super) fn new(reader: &'a mut BufReader<R>, into: &'a mut [u8]) -> Self {
        ReadExact { reader, into, site: Location::caller() }
    }
}

impl<R: AsyncRead + Unpin> ReadExact<'_, R> {
    fn poll_enough(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wanted = self.into.len();
        while self.reader.buffer().len() < wanted {
            if ready!(self.reader.poll_more(cx))? == 0 {
                let there = self.reader.buffer().len();
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the stream has ended after {there} of {wanted} bytes"),
                )));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> Future for ReadExact<'_, R> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(operation(cx, "bytes to read", this.site, |cx| this.poll_enough(cx)))?;
        this.into.copy_from_slice(&this.reader.buffer()[..this.into.len()]);
        this.reader.consume(this.into.len());
        Poll::Ready(Ok(()))
    }
}

/// The future of [`BufReader::fill_buf`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FillBuf<'a, R> {
    /// Until it has shown the buffer.
    reader: Option<&'a mut BufReader<R>>,
    site: &'static Location<'static>,
}

impl<'a, R> FillBuf<'a, R> {
    #[track_caller]
    pub(super) fn new(reader: &'a mut BufReader<R>) -> Self {
        FillBuf { reader: Some(reader), site: Location::caller() }
    }
}

impl<'a, R: AsyncRead + Unpin> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let site = self.site;
        let reader = self.reader.as_mut().expect("a FillBuf was polled after it had completed");
        if reader.buffer().is_empty() {
            ready!(operation(cx, "bytes to read", site, |cx| reader.poll_more(cx)))?;
        }
        Poll::Ready(Ok(self.reader.take().map_or(&[], |reader| reader.buffer())))
    }
}

impl<R: fmt::Debug> fmt::Debug for ReadUntil<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("ReadUntil");
        f.field("delimiter", &char::from(self.delimiter)).field("reader", self.reader).finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for ReadLine<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLine").field("reader", self.reader).finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for ReadExact<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("ReadExact");
        f.field("wanted", &self.into.len()).field("reader", self.reader).finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for FillBuf<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillBuf").field("reader", &self.reader).finish()
    }
}
