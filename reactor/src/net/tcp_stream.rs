//! How do tasks talk over TCP?

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use lone_executor::trace;

use crate::ends::End;
use crate::net::at_address::AtAddress;
use crate::net::registered::{Place, Registered};
use crate::sources::Direction;

/// A TCP connection.
///
/// All operations take `&self`: one task may read while another writes, without a split. The
/// futures-io traits are there for `TcpStream` and for `&TcpStream`.
///
/// asyncio: what `open_connection` returns, without the buffers.
///
/// # Cost
///
/// An echo of a message is two system calls: a read and a write, tried at once. A short read saves
/// the one that would find nothing.
///
/// # Examples
///
/// See [`TcpListener`](crate::net::TcpListener).
pub struct TcpStream {
    inner: Registered<mio::net::TcpStream>,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<TcpStream>();
};

impl TcpStream {
    /// Connects to `address`.
    ///
    /// # Errors
    ///
    /// What the system says, with the address; or that no loop runs on this thread.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, the attempt is given up and the socket closed.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Connect {
        Connect { address, state: Connecting::Begin, site: Location::caller() }
    }

    /// Takes over a connected stream of the standard library.
    ///
    /// # Errors
    ///
    /// What the system says; or that no loop runs on this thread.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        TcpStream::connected(mio::net::TcpStream::from_std(stream))
    }

    pub(crate) fn accepted(io: mio::net::TcpStream, _peer: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connected(io)
    }

    fn connected(io: mio::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { inner: Registered::new(io, "TCP stream", true, stream_end)? })
    }

    /// Reads what is there, at most as much as `buffer` holds. 0: the peer has closed its side, or
    /// `buffer` is empty.
    ///
    /// # Errors
    ///
    /// What the system says; or that the socket belongs to another loop.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, no byte is lost.
    #[track_caller]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> Read<'a> {
        let place = Place::new(&self.inner, Direction::Read);
        Read { stream: self, place, buffer, site: Location::caller() }
    }

    /// Writes what the system takes of `bytes`, and says how much that was.
    ///
    /// # Errors
    ///
    /// What the system says; or that the socket belongs to another loop.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing was written.
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> Write<'a> {
        let place = Place::new(&self.inner, Direction::Write);
        Write { stream: self, place, bytes, site: Location::caller() }
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the peer closes its side before; and as
    /// [`TcpStream::read`].
    ///
    /// # Cancellation
    ///
    /// Loses data: what was read before it was dropped is in `buffer`, and how much that is is not
    /// known. Use [`TcpStream::read`] where that matters.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buffer: &'a mut [u8]) -> ReadExact<'a> {
        let place = Place::new(&self.inner, Direction::Read);
        ReadExact { stream: self, place, buffer, filled: 0, site: Location::caller() }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WriteZero`] if the system takes no more; and as [`TcpStream::write`].
    ///
    /// # Cancellation
    ///
    /// Loses its place: dropped half way, part of the bytes may have been written, and how many is
    /// not known. Use [`TcpStream::write`] where that matters.
    #[track_caller]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> WriteAll<'a> {
        let place = Place::new(&self.inner, Direction::Write);
        WriteAll { stream: self, place, bytes, site: Location::caller() }
    }

    /// As [`TcpStream::read`], for futures written by hand.
    ///
    /// Each waker that it has been polled with is woken once, at the next event.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_by(None, cx, buffer)
    }

    #[inline]
    fn poll_read_by(
        &self,
        ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let wanted = buffer.len();
        if wanted == 0 {
            // The system would be asked only once the socket is readable.
            return Poll::Ready(Ok(0));
        }
        let read = |mut io: &mio::net::TcpStream| io.read(buffer);
        let n = ready!(self.inner.poll_io(Direction::Read, ticket, cx, read))?;
        self.inner.moved(Direction::Read, n, wanted);
        Poll::Ready(Ok(n))
    }

    /// As [`TcpStream::write`], for futures written by hand.
    ///
    /// Each waker that it has been polled with is woken once, at the next event.
    #[inline]
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_by(None, cx, bytes)
    }

    #[inline]
    fn poll_write_by(
        &self,
        ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let write = |mut io: &mio::net::TcpStream| io.write(bytes);
        let n = ready!(self.inner.poll_io(Direction::Write, ticket, cx, write))?;
        self.inner.moved(Direction::Write, n, bytes.len());
        Poll::Ready(Ok(n))
    }

    /// Closes the reading side, the writing side, or both. Works on any thread.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.io().shutdown(how)?;
        if how != Shutdown::Read {
            self.inner.count(Direction::Write, 1);
        }
        Ok(())
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.io().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.io().peer_addr()
    }

    /// Whether small writes go out at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.io().nodelay()
    }

    /// Sets whether small writes go out at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.io().set_nodelay(nodelay)
    }

    /// Gives the stream back to the standard library, non-blocking: to hand it to another loop, or
    /// to a thread.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.inner.into_io()?.into())
    }
}

/// Both ends of a stream, for a virtual clock; nobody else asks.
fn stream_end(io: &mio::net::TcpStream) -> End {
    send_at_once(io);
    match (io.local_addr(), io.peer_addr()) {
        (Ok(local), Ok(peer)) => End::Stream { local, peer },
        _ => End::Unknown,
    }
}

/// The same of one that is being connected.
fn connecting_end(io: &mio::net::TcpStream, peer: SocketAddr) -> End {
    send_at_once(io);
    io.local_addr().map_or(End::Unknown, |local| End::Connecting { local, peer })
}

/// Nagle's algorithm holds bytes back for 40 ms of real time, which is nothing that a virtual
/// clock's poll could see: so there small writes go out at once.
fn send_at_once(io: &mio::net::TcpStream) {
    // What cannot be set is no worse than without.
    let _ = io.set_nodelay(true);
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpStream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.io().as_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}

/// The future of [`TcpStream::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Connect {
    address: SocketAddr,
    state: Connecting,
    site: &'static Location<'static>,
}

#[derive(Debug)]
enum Connecting {
    Begin,
    Waiting(TcpStream),
    Done,
}

impl Connect {
    fn begin(&self) -> io::Result<TcpStream> {
        let io = mio::net::TcpStream::connect(self.address)?;
        let inner =
            Registered::new(io, "TCP stream", false, |io| connecting_end(io, self.address))?;
        Ok(TcpStream { inner })
    }

    fn poll_connected(&self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream.inner.poll_io(Direction::Write, None, cx, |io| {
            if let Some(error) = io.take_error()? {
                return Err(error);
            }
            match io.peer_addr() {
                // Writable, but not connected yet: an edge from before the attempt.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                other => other.map(|_| ()),
            }
        })
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let address = self.address;
        let named = |error| AtAddress::error("cannot connect to", address, error);
        if let Connecting::Begin = self.state {
            self.state = Connecting::Waiting(self.begin().map_err(named)?);
        }
        let Connecting::Waiting(stream) = &self.state else {
            panic!("a Connect was polled after it had completed");
        };
        match self.poll_connected(stream, cx) {
            Poll::Pending => {
                trace::awaits("a connection", self.site);
                Poll::Pending
            }
            Poll::Ready(connected) => {
                let state = std::mem::replace(&mut self.state, Connecting::Done);
                let Connecting::Waiting(stream) = state else { unreachable!("it was seen above") };
                connected.map_err(named)?;
                stream.inner.set_end(stream_end);
                Poll::Ready(Ok(stream))
            }
        }
    }
}

/// The future of [`TcpStream::read`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a> {
    stream: &'a TcpStream,
    place: Place<'a, mio::net::TcpStream>,
    buffer: &'a mut [u8],
    site: &'static Location<'static>,
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Read { stream, place, buffer, site } = &mut *self;
        said(stream.poll_read_by(Some(&mut place.ticket), cx, buffer), "bytes to read", site)
    }
}

/// The future of [`TcpStream::write`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a> {
    stream: &'a TcpStream,
    place: Place<'a, mio::net::TcpStream>,
    bytes: &'a [u8],
    site: &'static Location<'static>,
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Write { stream, place, bytes, site } = &mut *self;
        said(stream.poll_write_by(Some(&mut place.ticket), cx, bytes), "room to write", site)
    }
}

/// The future of [`TcpStream::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExact<'a> {
    stream: &'a TcpStream,
    place: Place<'a, mio::net::TcpStream>,
    buffer: &'a mut [u8],
    filled: usize,
    site: &'static Location<'static>,
}

impl Future for ReadExact<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadExact { stream, place, buffer, filled, site } = &mut *self;
        while *filled < buffer.len() {
            let rest = &mut buffer[*filled..];
            let read = stream.poll_read_by(Some(&mut place.ticket), cx, rest);
            match ready!(said(read, "bytes to read", site))? {
                0 => {
                    let (filled, wanted) = (*filled, buffer.len());
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("the peer has closed after {filled} of {wanted} bytes"),
                    )));
                }
                n => *filled += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`TcpStream::write_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAll<'a> {
    stream: &'a TcpStream,
    place: Place<'a, mio::net::TcpStream>,
    bytes: &'a [u8],
    site: &'static Location<'static>,
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteAll { stream, place, bytes, site } = &mut *self;
        while !bytes.is_empty() {
            let written = stream.poll_write_by(Some(&mut place.ticket), cx, bytes);
            match ready!(said(written, "room to write", site))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *bytes = &bytes[n..],
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Passes `polled` on; where it is pending, says what is awaited.
fn said<T>(polled: Poll<T>, what: &'static str, site: &'static Location<'static>) -> Poll<T> {
    if polled.is_pending() {
        trace::awaits(what, site);
    }
    polled
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_read(&self, cx, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let read = |mut io: &mio::net::TcpStream| io.read_vectored(buffers);
        let n = ready!(self.inner.poll_io(Direction::Read, None, cx, read))?;
        self.inner.moved(Direction::Read, n, offered);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_write(&self, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let write = |mut io: &mio::net::TcpStream| io.write_vectored(buffers);
        let n = ready!(self.inner.poll_io(Direction::Write, None, cx, write))?;
        self.inner.moved(Direction::Write, n, offered);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(Shutdown::Write))
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_read(&self, cx, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, buffers)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_write(&self, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}
