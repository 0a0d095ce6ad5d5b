//! Who asks, and how often? A closed loop by hand on mio: each connection sends its next message
//! when the last one has come back. It is the same for all peers, and costs what a server costs
//! that has no runtime.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use mio::{Events, Interest, Poll, Token};

use super::cpu;
use super::server::Server;
use super::session::{Load, PATIENCE};
use super::{Metric, Peer, Workload};

/// So many connections are made before the server has answered the first of them.
const AT_ONCE: usize = 64;
/// A connection of the client's, and where its message is.
struct Connection {
    stream: mio::net::TcpStream,
    /// How much of the message has been sent, and how much has come back.
    sent: usize,
    received: usize,
}

impl Connection {
    /// Sends what the system takes of the rest of the message.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while self.sent < message.len() {
            match self.stream.write(&message[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a message is under way.
    fn is_busy(&self) -> bool {
        self.sent > 0
    }

    /// Takes in what is there, and sends the next message if it `goes_on`. Returns how many messages have
    /// come back whole.
    fn turn(&mut self, message: &[u8], buffer: &mut [u8], goes_on: bool) -> io::Result<u64> {
        let mut whole = 0;
        if goes_on || self.is_busy() {
            self.send(message)?;
        }
        loop {
            let n = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(whole),
                Err(error) => return Err(error),
            };
            self.received += n;
            if self.received == message.len() {
                (self.sent, self.received) = (0, 0);
                whole += 1;
                if goes_on {
                    self.send(message)?;
                }
            }
            if n < buffer.len() {
                return Ok(whole);
            }
        }
    }
}

/// The client's side of an echo.
pub(super) struct Echo {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

impl Echo {
    pub(super) fn connect(server: &Server, connections: usize, bytes: usize) -> io::Result<Echo> {
        let poll = Poll::new()?;
        let mut connections: Vec<Connection> = connect(server.address, connections)?
            .into_iter()
            .map(|stream| Connection { stream, sent: 0, received: 0 })
            .collect();
        let interest = Interest::READABLE | Interest::WRITABLE;
        for (n, connection) in connections.iter_mut().enumerate() {
            poll.registry().register(&mut connection.stream, Token(n), interest)?;
        }
        // One byte more than a message: what fills it not quite is known to be all.
        let (message, buffer) = (vec![b'x'; bytes], vec![0; bytes + 1]);
        Ok(Echo { poll, events: Events::with_capacity(1024), connections, message, buffer })
    }
}

impl Echo {
    fn take_in(&mut self, goes_on: bool) -> io::Result<u64> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        if self.events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut messages = 0;
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            messages += connection.turn(&self.message, &mut self.buffer, goes_on)?;
        }
        Ok(messages)
    }
}

impl Load for Echo {
    fn turn(&mut self) -> io::Result<u64> {
        self.take_in(true)
    }

    fn settle(&mut self) -> io::Result<u64> {
        let mut messages = 0;
        while self.connections.iter().any(Connection::is_busy) {
            messages += self.take_in(false)?;
        }
        Ok(messages)
    }

    fn resume(&mut self) -> io::Result<()> {
        self.connections.iter_mut().try_for_each(|connection| connection.send(&self.message))
    }
}

/// What an idle connection takes of the server's memory.
pub(super) fn idle(workload: Workload, peer: Peer, connections: usize) -> io::Result<Vec<Metric>> {
    cpu::raise_descriptors()?;
    let server = Server::start(workload, peer)?;
    // What the first connections bring is no connection's own.
    let first = connect(server.address, AT_ONCE)?;
    let before = server.cpu.resident()?;
    let streams = connect(server.address, connections)?;
    let resident = server.cpu.resident()? - before;
    drop((first, streams));
    Ok(vec![("rss_bytes", resident / connections as f64)])
}

/// So many connections, each of which has had one echo.
fn connect(address: SocketAddr, connections: usize) -> io::Result<Vec<mio::net::TcpStream>> {
    let mut streams = Vec::with_capacity(connections);
    while streams.len() < connections {
        let batch = AT_ONCE.min(connections - streams.len());
        let mut fresh = Vec::with_capacity(batch);
        for _ in 0..batch {
            let mut stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            stream.write_all(&[b'x'; 64])?;
            fresh.push(stream);
        }
        for mut stream in fresh {
            stream.read_exact(&mut [0; 64])?;
            stream.set_nonblocking(true)?;
            streams.push(mio::net::TcpStream::from_std(stream));
        }
    }
    Ok(streams)
}
