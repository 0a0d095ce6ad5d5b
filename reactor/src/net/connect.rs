//! How does a task wait until its peer has answered? A socket that connects is writable at the end.
//!
//! The socket is made and registered at the first poll, and waits to become writable. Then the
//! system says how it went: an error that is pending, a peer, or neither, which means that the edge
//! was one from before the attempt.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::trace;

use crate::net::TcpStream;
use crate::net::at_address::AtAddress;
use crate::sources::Direction;

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
    #[track_caller]
    pub(super) fn new(address: SocketAddr) -> Connect {
        Connect { address, state: Connecting::Begin, site: Location::caller() }
    }

    fn begin(&self) -> io::Result<TcpStream> {
        TcpStream::connecting(mio::net::TcpStream::connect(self.address)?, self.address)
    }

    fn poll_connected(&self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream.inner.poll_io(Direction::Write, None, cx, |io| {
            if let Some(error) = io.take_error()? {
                return Err(error);
            }
            // `try_io` tells mio of a would-block that we make up: Windows needs that for an edge.
            io.try_io(|| match io.peer_addr() {
                // Writable, but not connected yet: an edge from before the attempt.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                other => other.map(|_| ()),
            })
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
                stream.set_connected();
                Poll::Ready(Ok(stream))
            }
        }
    }
}
