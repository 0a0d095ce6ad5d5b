//! What is the least that a server can do? A loop by hand on mio: edge-triggered, a read and a
//! write a message, no task, no waker, no timer. With one buffer for all connections, or with one
//! for each, as tasks have it: the second shows what the buffers themselves cost the cache.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::net::server::listener;

const LISTENER: Token = Token(usize::MAX);

struct Connection {
    stream: TcpStream,
    /// What the system has not taken yet.
    rest: Vec<u8>,
    /// Empty where all share one.
    own: Vec<u8>,
}

pub(super) fn serve(buffer: usize, each: bool) -> io::Result<Infallible> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::from_std(listener()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections = Slab::new();
    let (mut buffer, own) = (vec![0; buffer], if each { buffer } else { 0 });
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, poll.registry(), &mut connections, own)?;
                continue;
            }
            let key = event.token().0;
            if let Some(connection) = connections.get_mut(key)
                && echo(connection, &mut buffer, event.is_read_closed()).is_err()
            {
                // Closed, it is out of the epoll: nobody has a duplicate of it.
                connections.remove(key);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    registry: &Registry,
    connections: &mut Slab<Connection>,
    own: usize,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let entry = connections.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(entry.key()), interest)?;
        entry.insert(Connection { stream, rest: Vec::new(), own: vec![0; own] });
    }
}

/// Sends back what has come. An error: it has ended.
fn echo(connection: &mut Connection, buffer: &mut [u8], closed: bool) -> io::Result<()> {
    while !connection.rest.is_empty() {
        match connection.stream.write(&connection.rest) {
            Ok(n) => drop(connection.rest.drain(..n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    let buffer = if connection.own.is_empty() { buffer } else { &mut connection.own[..] };
    loop {
        let n = match connection.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        match connection.stream.write(&buffer[..n]) {
            Ok(sent) if sent == n => {}
            Ok(sent) => {
                connection.rest.extend_from_slice(&buffer[sent..n]);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                connection.rest.extend_from_slice(&buffer[..n]);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        // Less than the buffer holds: there is no more, and an edge when there is; unless the end
        // has come already.
        if n < buffer.len() && !closed {
            return Ok(());
        }
    }
}
