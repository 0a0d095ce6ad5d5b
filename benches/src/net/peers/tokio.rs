//! How does tokio serve, on one thread? Time driver on, as in a program.

use std::convert::Infallible;
use std::future::Future;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{LocalSet, spawn_local};

use crate::net::server::listener;

pub(super) fn serve_local_set(buffer: usize) -> io::Result<Infallible> {
    block_on_local_set(accept(buffer))?
}

pub(super) fn serve_local_runtime(buffer: usize) -> io::Result<Infallible> {
    block_on_local_runtime(accept(buffer))?
}

async fn accept(buffer: usize) -> io::Result<Infallible> {
    let listener = TcpListener::from_std(listener()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        drop(spawn_local(echo(stream, buffer)));
    }
}

async fn echo(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buffer = vec![0; buffer];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

pub(super) fn block_on_local_set<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

pub(super) fn block_on_local_runtime<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    Ok(runtime.block_on(future))
}
