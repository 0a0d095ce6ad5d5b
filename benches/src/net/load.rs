//! Who asks, and how often? A closed loop by hand on mio: each connection sends its next message
//! when the last one has come back. It is the same for all peers, and costs what a server costs
//! that has no runtime.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::cpu;
use super::server::Server;
use super::{Metric, Peer, Workload};

/// Before the first window: caches, buffers that the system grows, free lists.
const WARM_UP: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_millis(250);
pub(super) const WINDOWS: usize = 7;
/// So many connections are made before the server has answered the first of them.
const AT_ONCE: usize = 64;
/// Nobody waits longer than this for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

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

    /// Takes in what is there. Returns how many messages have come back whole.
    fn turn(&mut self, message: &[u8], buffer: &mut [u8]) -> io::Result<u64> {
        let mut whole = 0;
        self.send(message)?;
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
                self.send(message)?;
            }
            if n < buffer.len() {
                return Ok(whole);
            }
        }
    }
}

/// What `server` costs a message.
pub(super) fn echo(workload: Workload, peer: Peer) -> io::Result<Vec<Metric>> {
    let Workload::Echo { connections, bytes, .. } = workload else {
        unreachable!("asked for echoes only")
    };
    cpu::raise_descriptors()?;
    let server = Server::start(workload, peer)?;
    let mut poll = Poll::new()?;
    let mut connections: Vec<Connection> = connect(server.address, connections)?
        .into_iter()
        .map(|stream| Connection { stream, sent: 0, received: 0 })
        .collect();
    let interest = Interest::READABLE | Interest::WRITABLE;
    for (n, connection) in connections.iter_mut().enumerate() {
        poll.registry().register(&mut connection.stream, Token(n), interest)?;
    }
    let message = vec![b'x'; bytes];
    // One byte more: what fills it not quite is known to be all.
    let mut buffer = vec![0; bytes + 1];
    let mut events = Events::with_capacity(1024);
    windows(&server, || {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut messages = 0;
        for event in &events {
            messages += connections[event.token().0].turn(&message, &mut buffer)?;
        }
        Ok(messages)
    })
}

/// Lets `turn` run for the windows; it says how many units it has done. Medians over the windows.
pub(super) fn windows(
    server: &Server,
    mut turn: impl FnMut() -> io::Result<u64>,
) -> io::Result<Vec<Metric>> {
    let begin = Instant::now();
    while begin.elapsed() < WARM_UP {
        turn()?;
    }
    let (mut used, mut rates) = (Vec::new(), Vec::new());
    let (user, mut all) = (server.cpu.user()?, 0);
    for _ in 0..WINDOWS {
        let (before, begin, mut units) = (server.cpu.used()?, Instant::now(), 0);
        while begin.elapsed() < WINDOW {
            units += turn()?;
        }
        if units == 0 {
            return Err(io::Error::other("nothing came back within a window"));
        }
        rates.push(units as f64 / begin.elapsed().as_secs_f64());
        used.push((server.cpu.used()? - before).as_secs_f64() * 1e6 / units as f64);
        all += units;
    }
    let user = (server.cpu.user()? - user) * 1e6 / all as f64;
    Ok(vec![("cpu_us", median(used)), ("user_us", user), ("per_s", median(rates))])
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

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
