//! How does monoio serve, on io_uring and on epoll?

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;

use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
use monoio::net::{ListenerOpts, TcpListener, TcpStream};
use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::net::server::announce;

pub(super) fn serve_uring(buffer: usize) -> io::Result<Infallible> {
    block_on_uring(accept(buffer))?
}

pub(super) fn serve_legacy(buffer: usize) -> io::Result<Infallible> {
    block_on_legacy(accept(buffer))?
}

async fn accept(buffer: usize) -> io::Result<Infallible> {
    let options = ListenerOpts::new().backlog(4096);
    // Its own: one that does not block would fail on io_uring.
    let listener = TcpListener::bind_with_config((Ipv4Addr::LOCALHOST, 0), &options)?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        drop(monoio::spawn(echo(stream, buffer)));
    }
}

async fn echo(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(size);
    loop {
        let (read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let (written, sent) = stream.write_all(filled).await;
        written?;
        buffer = sent;
    }
}

pub(super) fn block_on_uring<F: Future>(future: F) -> io::Result<F::Output> {
    let mut runtime: monoio::Runtime<TimeDriver<IoUringDriver>> =
        RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()?;
    Ok(runtime.block_on(future))
}

pub(super) fn block_on_legacy<F: Future>(future: F) -> io::Result<F::Output> {
    let mut runtime: monoio::Runtime<TimeDriver<LegacyDriver>> =
        RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
    Ok(runtime.block_on(future))
}
