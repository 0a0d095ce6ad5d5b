//! How does a write wait? Until its writer has room, until all is sent, or until the stream is closed.
//!
//! What is taken lives in the [`BufWriter`]: a future that is dropped takes nothing with it.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use super::{BufWriter, operation};

/// The future of [`BufWriter::write_all`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAll<'a, W> {
    writer: &'a mut BufWriter<W>,
    /// `None` once they are taken.
    bytes: Option<&'a [u8]>,
    site: &'static Location<'static>,
}

impl<'a, W> WriteAll<'a, W> {
    #[track_caller]
    pub(super) fn new(writer: &'a mut BufWriter<W>, bytes: &'a [u8]) -> Self {
        WriteAll { writer, bytes: Some(bytes), site: Location::caller() }
    }
}

impl<W: AsyncWrite + Unpin> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteAll { writer, bytes, site } = &mut *self;
        let len = bytes.expect("a WriteAll was polled after it had completed").len();
        ready!(operation(cx, "room to write", site, |cx| writer.poll_room(len, cx)))?;
        writer.take(bytes.take().unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

/// The future of [`BufWriter::flush`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Flush<'a, W> {
    writer: &'a mut BufWriter<W>,
    site: &'static Location<'static>,
}

impl<'a, W> Flush<'a, W> {
    #[track_caller]
    pub(super) fn new(writer: &'a mut BufWriter<W>) -> Self {
        Flush { writer, site: Location::caller() }
    }
}

impl<W: AsyncWrite + Unpin> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Flush { writer, site } = &mut *self;
        operation(cx, "a flush", site, |cx| writer.poll_flush_all(cx))
    }
}

/// The future of [`BufWriter::close`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Close<'a, W> {
    writer: &'a mut BufWriter<W>,
    site: &'static Location<'static>,
}

impl<'a, W> Close<'a, W> {
    #[track_caller]
    pub(super) fn new(writer: &'a mut BufWriter<W>) -> Self {
        Close { writer, site: Location::caller() }
    }
}

impl<W: AsyncWrite + Unpin> Future for Close<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Close { writer, site } = &mut *self;
        operation(cx, "a close", site, |cx| writer.poll_close_all(cx))
    }
}

impl<W: fmt::Debug> fmt::Debug for WriteAll<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("WriteAll");
        f.field("bytes", &self.bytes.map(<[u8]>::len)).field("writer", self.writer).finish()
    }
}

impl<W: fmt::Debug> fmt::Debug for Flush<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").field("writer", self.writer).finish()
    }
}

impl<W: fmt::Debug> fmt::Debug for Close<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close").field("writer", self.writer).finish()
    }
}
