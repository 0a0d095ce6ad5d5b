//! What does a connection cost? Connect, one echo, close; so many at a time.
//!
//! The client closes first, so its ports rest for a minute. It has an address for each place, all
//! of the loopback network, so that they do not run out.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use socket2::{Domain, Protocol, Socket, Type};

use super::server::Server;
use super::session::{Load, PATIENCE};

const MESSAGE: [u8; 64] = [b'x'; 64];

/// One of those that are under way at a time.
struct Place {
    stream: mio::net::TcpStream,
    sent: bool,
    received: usize,
}

impl Place {
    fn connect(n: usize, address: SocketAddr) -> io::Result<Place> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        let own = Ipv4Addr::new(127, 0, 1, 1 + n as u8);
        socket.bind(&SocketAddr::from((own, 0)).into())?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(nix::Error::EINPROGRESS as i32) => {
                return Err(error);
            }
            _ => {}
        }
        Ok(Place { stream: mio::net::TcpStream::from_std(socket.into()), sent: false, received: 0 })
    }

    fn register(poll: &Poll, n: usize, address: SocketAddr) -> io::Result<Place> {
        let mut place = Place::connect(n, address)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut place.stream, Token(n), interest)?;
        Ok(place)
    }

    /// Whether the message has come back.
    fn turn(&mut self) -> io::Result<bool> {
        if !self.sent {
            match self.stream.write(&MESSAGE) {
                Ok(n) if n == MESSAGE.len() => self.sent = true,
                Ok(_) => return Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            return Ok(false);
        }
        match self.stream.read(&mut [0; 128]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.received += n;
                Ok(self.received == MESSAGE.len())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The client's side of the churn.
pub(super) struct Churn {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    places: Vec<Place>,
}

impl Churn {
    pub(super) fn begin(server: &Server, parallel: usize) -> io::Result<Churn> {
        let poll = Poll::new()?;
        let address = server.address;
        let places =
            (0..parallel).map(|n| Place::register(&poll, n, address)).collect::<io::Result<_>>()?;
        Ok(Churn { poll, events: Events::with_capacity(1024), address, places })
    }
}

impl Load for Churn {
    fn turn(&mut self) -> io::Result<u64> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        if self.events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut done = 0;
        for event in &self.events {
            let n = event.token().0;
            if self.places[n].turn()? {
                // Assigned, the one before is closed, which takes it out of the epoll.
                self.places[n] = Place::register(&self.poll, n, self.address)?;
                done += 1;
            }
        }
        Ok(done)
    }

    /// The few that are under way at the end of a window are 64 of thousands.
    fn settle(&mut self) -> io::Result<u64> {
        Ok(0)
    }

    fn resume(&mut self) -> io::Result<()> {
        Ok(())
    }
}
