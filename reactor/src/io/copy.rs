//! How do the bytes of a stream get into another, when whoever copies may give up at any moment?
//!
//! Invariant: **taken when sent**: a byte leaves the buffer of the reader in the poll in which the writer
//! takes it. That is why the reader has to have a buffer, and the copy has none.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncWrite};

use lone_executor::budget;

use super::operation;

/// How far a copy from a reader to a writer is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) copied: u64,
    /// What the writer has taken and may not have sent.
    unflushed: bool,
    ended: bool,
}

impl Progress {
    /// Ready when the reader has ended, and all is in the writer.
    pub(super) fn poll<R, W>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncBufRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        while !self.ended {
            // Streams of somebody else's may never have to wait.
            ready!(budget::take(cx));
            let Poll::Ready(bytes) = Pin::new(&mut *reader).poll_fill_buf(cx) else {
                budget::give_back();
                // Whoever waits at the other end may have to answer before more comes.
                if self.unflushed {
                    ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            };
            let bytes = bytes?;
            if bytes.is_empty() {
                self.ended = true;
                break;
            }
            let n = ready!(Pin::new(&mut *writer).poll_write(cx, bytes))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            Pin::new(&mut *reader).consume(n);
            self.copied += n as u64;
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Copies all that `reader` gives into `writer`, until its end, and flushes it; says how many bytes.
///
/// Where nothing more has come yet, what was copied is flushed. The writer is not closed.
///
/// # Errors
///
/// What the reader or the writer says; [`io::ErrorKind::WriteZero`] if the writer takes no more. What was
/// not copied is in the reader still.
///
/// # Cancellation
///
/// Strict: a byte is in the reader, or in the writer. [`Copy::copied`] says how many were copied.
///
/// # Examples
///
/// ```
/// use lone::io::{BufReader, copy};
///
/// lone::run(async {
///     let mut reader = BufReader::new(&b"a stream"[..]);
///     let mut writer = Vec::new();
///     assert_eq!(copy(&mut reader, &mut writer).await?, 8);
///     assert_eq!(writer, b"a stream");
///     std::io::Result::Ok(())
/// })
/// .expect("a vector takes everything");
/// ```
#[track_caller]
pub fn copy<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> Copy<'a, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    Copy { reader, writer, progress: Progress::default(), site: Location::caller() }
}

/// The future of [`copy()`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Copy<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    progress: Progress,
    site: &'static Location<'static>,
}

impl<R: ?Sized, W: ?Sized> Copy<'_, R, W> {
    /// How many bytes were copied so far.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.progress.copied
    }
}

impl<R, W> Future for Copy<'_, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Copy { reader, writer, progress, site } = &mut *self;
        ready!(operation(cx, "a copy", site, |cx| {
            ready!(progress.poll(&mut **reader, &mut **writer, cx))?;
            Pin::new(&mut **writer).poll_flush(cx)
        }))?;
        Poll::Ready(Ok(progress.copied))
    }
}

impl<R: ?Sized, W: ?Sized> fmt::Debug for Copy<'_, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy").field("progress", &self.progress).finish_non_exhaustive()
    }
}
