//! How do tasks talk over TCP? A stream is a registered socket; what is done with it is a future.
//!
//! | file | question it answers |
//! |---|---|
//! | `connect` | how does a task wait until its peer has answered? |
//! | `transfer` | how do bytes get from one end to the other? |
//! | `stream_io` | how do libraries read and write a stream? |

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};

use crate::ends::End;
use crate::net::registered::Registered;
use crate::net::{Connect, Read, ReadExact, Write, WriteAll};
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
/// ```
/// use lone::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// lone::run(async {
///     let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
///     let connect = TcpStream::connect(listener.local_addr()?);
///     let (client, accepted) = lone::join!(connect, listener.accept());
///     let (client, (server, _peer)) = (client?, accepted?);
///     client.write_all(b"hello").await?;
///     let mut word = [0; 5];
///     server.read_exact(&mut word).await?;
///     assert_eq!(&word, b"hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct TcpStream {
    pub(super) inner: Registered<mio::net::TcpStream>,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<TcpStream>();
};

impl TcpStream {
    /// Connects to `address`.
    ///
    /// That is a [`SocketAddr`], or what turns into one, as `([127, 0, 0, 1], 8080)`. A text is parsed
    /// first: `"127.0.0.1:8080".parse::<SocketAddr>()?`. It takes no names: resolve them first, with [`std::net::ToSocketAddrs`] on a thread, for that blocks.
    ///
    /// # Errors
    ///
    /// What the system says, with the address; or that no loop runs on this thread.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, the attempt is given up and the socket closed.
    #[track_caller]
    pub fn connect(address: impl Into<SocketAddr>) -> Connect {
        Connect::new(address.into())
    }

    /// Takes over a connected stream of the standard library.
    ///
    /// # Errors
    ///
    /// What the system says; or that no loop runs on this thread.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        let stream = TcpStream::connected(mio::net::TcpStream::from_std(stream))?;
        stream.inner.set_shared();
        Ok(stream)
    }

    pub(super) fn connected(io: mio::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { inner: Registered::new(io, "TCP stream", true, stream_end)? })
    }

    /// One that is being connected to `peer`: [`TcpStream::set_connected`] ends that.
    pub(super) fn connecting(io: mio::net::TcpStream, peer: SocketAddr) -> io::Result<TcpStream> {
        let end = |io: &_| connecting_end(io, peer);
        Ok(TcpStream { inner: Registered::new(io, "TCP stream", false, end)? })
    }

    pub(super) fn set_connected(&self) {
        self.inner.set_end(stream_end);
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
        Read::new(self, buffer)
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
        Write::new(self, bytes)
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
        ReadExact::new(self, buffer)
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
        WriteAll::new(self, bytes)
    }

    /// As [`TcpStream::read`], for futures written by hand.
    ///
    /// Each waker that it has been polled with is woken once, at the next event.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read_by(&self.inner, None, cx, buffer)
    }

    /// As [`TcpStream::write`], for futures written by hand.
    ///
    /// Each waker that it has been polled with is woken once, at the next event.
    #[inline]
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        poll_write_by(&self.inner, None, cx, bytes)
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

/// One read, by a ticket or without.
#[inline]
pub(super) fn poll_read_by(
    inner: &Registered<mio::net::TcpStream>,
    ticket: Option<&mut u64>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let offered = buffer.len();
    inner.poll_transfer(Direction::Read, ticket, cx, offered, |mut io| io.read(buffer))
}

/// One write, by a ticket or without.
#[inline]
pub(super) fn poll_write_by(
    inner: &Registered<mio::net::TcpStream>,
    ticket: Option<&mut u64>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    inner.poll_transfer(Direction::Write, ticket, cx, bytes.len(), |mut io| io.write(bytes))
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
        self.inner.set_shared();
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
