//! How does a task go through the lines of a stream? One at a time, as a stream of results.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};
use futures_io::AsyncRead;

use super::read::not_utf8;
use super::{BufReader, LineError, operation};

/// The lines of a [`BufReader`]: see [`BufReader::lines`].
///
/// A line that is too long, or no UTF-8, is an error in its place, and the next line comes after it. An
/// error of the stream is the last item.
///
/// # Cancellation
///
/// Strict, with [`next`](Lines::next) as with the [`Stream`]: a line is in the buffer until it is given.
#[derive(Debug)]
#[must_use = "lines are read only when they are asked for"]
pub struct Lines<'a, R> {
    reader: &'a mut BufReader<R>,
    /// How far the line that comes next was looked through.
    scanned: usize,
    ended: bool,
    site: &'static Location<'static>,
}

impl<'a, R> Lines<'a, R> {
    #[track_caller]
    pub(super) fn new(reader: &'a mut BufReader<R>) -> Lines<'a, R> {
        Lines { reader, scanned: 0, ended: false, site: Location::caller() }
    }
}

impl<'r, R: AsyncRead + Unpin> Lines<'r, R> {
    /// The next line, without `\n` or `\r\n`; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`BufReader::read_line`].
    ///
    /// # Cancellation
    ///
    /// Strict.
    #[expect(clippy::should_implement_trait, reason = "it is the `next` of a stream")]
    #[track_caller]
    pub fn next(&mut self) -> NextLine<'_, 'r, R> {
        NextLine { lines: self, site: Location::caller() }
    }

    fn poll_next_line(
        &mut self,
        site: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<String, LineError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Lines { reader, scanned, .. } = self;
        let read = ready!(operation(cx, "a line", site, |cx| reader.poll_line(scanned, cx)));
        let n = match read {
            Ok(n) => n,
            Err(error) => {
                self.ended = matches!(error, LineError::Io(_));
                return Poll::Ready(Some(Err(error)));
            }
        };
        if n == 0 {
            self.ended = true;
            return Poll::Ready(None);
        }
        let line = &self.reader.buffer()[..n];
        let line = line.strip_suffix(b"\n").map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
        let text = match std::str::from_utf8(line) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => not_utf8(line),
        };
        self.reader.consume(n);
        self.scanned = 0;
        Poll::Ready(Some(text))
    }
}

impl<R: AsyncRead + Unpin> Stream for Lines<'_, R> {
    type Item = Result<String, LineError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let site = self.site;
        self.poll_next_line(site, cx)
    }
}

impl<R: AsyncRead + Unpin> FusedStream for Lines<'_, R> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// The future of [`Lines::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextLine<'a, 'r, R> {
    lines: &'a mut Lines<'r, R>,
    site: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin> Future for NextLine<'_, '_, R> {
    type Output = Option<Result<String, LineError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let site = self.site;
        self.lines.poll_next_line(site, cx)
    }
}
