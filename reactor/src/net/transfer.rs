//! How do bytes get from one end to the other, a part of them or all?
//!
//! Each of these futures has a place among those who wait at its stream, and gives it up when it is
//! dropped: whoever has stopped waiting is not woken. What it has moved by then is said at the
//! method that makes it.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::trace;

use crate::net::TcpStream;
use crate::net::registered::Place;
use crate::net::tcp_stream::{poll_read_by, poll_write_by};

/// The future of [`TcpStream::read`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a> {
    place: Place<'a, mio::net::TcpStream>,
    buffer: &'a mut [u8],
    site: &'static Location<'static>,
}

impl<'a> Read<'a> {
    #[track_caller]
    pub(super) fn new(stream: &'a TcpStream, buffer: &'a mut [u8]) -> Read<'a> {
        let place = Place::new(&stream.inner);
        Read { place, buffer, site: Location::caller() }
    }
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Read { place, buffer, site } = &mut *self;
        said(poll_read_by(place.source, Some(&mut place.ticket), cx, buffer), "bytes to read", site)
    }
}

/// The future of [`TcpStream::write`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a> {
    place: Place<'a, mio::net::TcpStream>,
    bytes: &'a [u8],
    site: &'static Location<'static>,
}

impl<'a> Write<'a> {
    #[track_caller]
    pub(super) fn new(stream: &'a TcpStream, bytes: &'a [u8]) -> Write<'a> {
        let place = Place::new(&stream.inner);
        Write { place, bytes, site: Location::caller() }
    }
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Write { place, bytes, site } = &mut *self;
        said(poll_write_by(place.source, Some(&mut place.ticket), cx, bytes), "room to write", site)
    }
}

/// The future of [`TcpStream::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExact<'a> {
    place: Place<'a, mio::net::TcpStream>,
    buffer: &'a mut [u8],
    filled: usize,
    site: &'static Location<'static>,
}

impl<'a> ReadExact<'a> {
    #[track_caller]
    pub(super) fn new(stream: &'a TcpStream, buffer: &'a mut [u8]) -> ReadExact<'a> {
        let place = Place::new(&stream.inner);
        ReadExact { place, buffer, filled: 0, site: Location::caller() }
    }
}

impl Future for ReadExact<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadExact { place, buffer, filled, site } = &mut *self;
        while *filled < buffer.len() {
            let rest = &mut buffer[*filled..];
            let read = poll_read_by(place.source, Some(&mut place.ticket), cx, rest);
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
    place: Place<'a, mio::net::TcpStream>,
    bytes: &'a [u8],
    site: &'static Location<'static>,
}

impl<'a> WriteAll<'a> {
    #[track_caller]
    pub(super) fn new(stream: &'a TcpStream, bytes: &'a [u8]) -> WriteAll<'a> {
        let place = Place::new(&stream.inner);
        WriteAll { place, bytes, site: Location::caller() }
    }
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteAll { place, bytes, site } = &mut *self;
        while !bytes.is_empty() {
            let written = poll_write_by(place.source, Some(&mut place.ticket), cx, bytes);
            match ready!(said(written, "room to write", site))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *bytes = &bytes[n..],
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Passes `polled` on; where it is pending, says what is awaited.
#[inline]
fn said<T>(polled: Poll<T>, what: &'static str, site: &'static Location<'static>) -> Poll<T> {
    if polled.is_pending() {
        trace::awaits(what, site);
    }
    polled
}
