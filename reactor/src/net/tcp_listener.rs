//! How does a server get its connections?

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::trace;
use socket2::{Domain, Protocol, Socket, Type};

use crate::ends::End;
use crate::net::TcpStream;
use crate::net::at_address::AtAddress;
use crate::net::backoff::Backoff;
use crate::net::registered::{Place, Registered};
use crate::sources::Direction;

/// How many connections may wait to be accepted; the system has a limit of its own beside it.
const BACKLOG: i32 = 4096;

/// A TCP socket that listens.
///
/// asyncio: what `start_server` makes, without the handler: accept in a loop, and spawn.
///
/// # Examples
///
/// ```
/// use lone::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// lone::run(async {
///     let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
///     let address = listener.local_addr()?;
///     let server = lone::spawn(async move {
///         while let Ok((stream, _peer)) = listener.accept().await {
///             drop(lone::spawn(async move { stream.write_all(b"hi").await }));
///         }
///     });
///     let client = TcpStream::connect(address).await?;
///     let mut bytes = [0; 2];
///     client.read_exact(&mut bytes).await?;
///     assert_eq!(&bytes, b"hi");
///     server.cancel("that was all");
///     Ok(())
/// })
/// # }
/// ```
///
/// To accept until told to stop, race `accept` with an event: see `lone::race`.
pub struct TcpListener {
    inner: Registered<mio::net::TcpListener>,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<TcpListener>();
};

impl TcpListener {
    /// Listens at `address`; port 0 lets the system choose. The address may be used again as soon as
    /// the server has ended (`SO_REUSEADDR`, except on Windows, where it means another thing).
    ///
    /// `address` is a [`SocketAddr`], or what turns into one, as `([127, 0, 0, 1], 8080)`. A text is parsed
    /// first: `"127.0.0.1:8080".parse::<SocketAddr>()?`. It takes no names: resolve them first, with [`std::net::ToSocketAddrs`] on a thread, for that blocks.
    ///
    /// # Errors
    ///
    /// What the system says, with the address; or that no loop runs on this thread.
    pub fn bind(address: impl Into<SocketAddr>) -> io::Result<TcpListener> {
        let address = address.into();
        let bound = || {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            #[cfg(not(windows))]
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            TcpListener::from_std(socket.into())
        };
        bound().map_err(|error| AtAddress::error("cannot listen at", address, error))
    }

    /// Takes over a listener of the standard library.
    ///
    /// # Errors
    ///
    /// What the system says; or that no loop runs on this thread.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let io = mio::net::TcpListener::from_std(listener);
        let end = |io: &mio::net::TcpListener| {
            io.local_addr().map_or(End::Unknown, |local| End::Listener { local })
        };
        let inner = Registered::new(io, "TCP listener", true, end)?;
        inner.set_shared();
        Ok(TcpListener { inner })
    }

    /// Waits for the next connection.
    ///
    /// When descriptors or memory run out (`EMFILE` and its like) it says so in the log, once a
    /// second at most, waits for 5 ms, then twice as long each time up to a second, and goes on:
    /// the connections wait in the backlog meanwhile.
    ///
    /// # Errors
    ///
    /// What the system says about anything else; a connection that was reset before it was
    /// accepted is passed over.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, no connection is lost.
    ///
    /// # Fairness
    ///
    /// Several tasks may wait; whoever is polled first gets the connection.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        let place = Place::new(&self.inner);
        Accept { listener: self, place, backoff: Backoff::default(), site: Location::caller() }
    }

    /// As [`TcpListener::accept`], without the waiting when descriptors run out.
    ///
    /// # Errors
    ///
    /// What the system says, `EMFILE` included.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_accept_by(None, cx)
    }

    fn poll_accept_by(
        &self,
        mut ticket: Option<&mut u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            let ticket = ticket.as_deref_mut();
            let accepted =
                ready!(self.inner.poll_io(Direction::Read, ticket, cx, |io| io.accept()));
            return Poll::Ready(match accepted {
                Ok((io, peer)) => TcpStream::connected(io).map(|stream| (stream, peer)),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => Err(error),
            });
        }
    }

    /// The address at which it listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.io().local_addr()
    }

    /// Gives the listener back to the standard library, non-blocking.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.inner.into_io()?.into())
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpListener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.set_shared();
        self.inner.io().as_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("local", &self.local_addr().ok()).finish()
    }
}

/// The future of [`TcpListener::accept`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    place: Place<'a, mio::net::TcpListener>,
    backoff: Backoff,
    site: &'static Location<'static>,
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Accept { listener, place, backoff, site } = &mut *self;
        loop {
            if backoff.poll(cx).is_pending() {
                trace::awaits("free descriptors", site);
                return Poll::Pending;
            }
            match listener.poll_accept_by(Some(&mut place.ticket), cx) {
                Poll::Ready(Err(error)) if Backoff::is_shortage(&error) => {
                    backoff.begin(&error);
                }
                Poll::Ready(accepted) => return Poll::Ready(accepted),
                Poll::Pending => {
                    trace::awaits("a connection", site);
                    return Poll::Pending;
                }
            }
        }
    }
}
