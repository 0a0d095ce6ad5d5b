//! How does a proxy stand between two streams? It copies both ways, and passes each end on.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncWrite};

use super::copy::Progress;
use super::operation;

/// Copies from `a` to `b` and from `b` to `a`, until both have ended; says how many bytes each way.
///
/// When one of them ends, the other is closed for writing, and may still answer. Give it two
/// [`BufReader`](super::BufReader)s, which pass writes on.
///
/// # Errors
///
/// The first of either side, at once; what was not copied is in the readers still.
///
/// # Cancellation
///
/// Strict: a byte is in the one it came from, or in the other.
///
/// # Examples
///
/// A proxy:
///
/// ```no_run
/// use lone::io::{BufReader, copy_bidirectional};
/// use lone::net::{TcpListener, TcpStream};
///
/// lone::run(async {
///     let listener = TcpListener::bind(([127, 0, 0, 1], 8080))?;
///     loop {
///         let (client, _) = listener.accept().await?;
///         lone::spawn(async move {
///             let server = TcpStream::connect(([127, 0, 0, 1], 80)).await?;
///             copy_bidirectional(&mut BufReader::new(client), &mut BufReader::new(server)).await
///         })
///         .reporting();
///     }
///     # #[expect(unreachable_code)]
///     std::io::Result::Ok(())
/// })
/// .expect("the port is free");
/// ```
#[track_caller]
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncBufRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncBufRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional {
        a,
        b,
        there: Way::default(),
        back: Way::default(),
        site: Location::caller(),
    }
}

/// One of the two ways.
#[derive(Debug, Default)]
struct Way {
    progress: Progress,
    closed: bool,
}

impl Way {
    /// Ready when all is copied and the end was passed on.
    fn poll<R, W>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncBufRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        if !self.closed {
            ready!(self.progress.poll(reader, writer, cx))?;
            ready!(Pin::new(writer).poll_close(cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`copy_bidirectional()`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
    a: &'a mut A,
    b: &'a mut B,
    there: Way,
    back: Way,
    site: &'static Location<'static>,
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncBufRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncBufRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let CopyBidirectional { a, b, there, back, site } = &mut *self;
        ready!(operation(cx, "a copy", site, |cx| {
            let sent = there.poll(&mut **a, &mut **b, cx)?;
            let answered = back.poll(&mut **b, &mut **a, cx)?;
            ready!(sent);
            ready!(answered);
            Poll::Ready(io::Result::Ok(()))
        }))?;
        Poll::Ready(Ok((there.progress.copied, back.progress.copied)))
    }
}

impl<A: ?Sized, B: ?Sized> fmt::Debug for CopyBidirectional<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBidirectional")
            .field("there", &self.there)
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}
