//! How does compio serve?

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;

use compio::BufResult;
use compio::io::{AsyncRead as _, AsyncWriteExt as _};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{Runtime, spawn};

use crate::net::server::announce;

pub(super) fn serve(buffer: usize) -> io::Result<Infallible> {
    block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(echo(stream, buffer)).detach();
        }
    })?
}

async fn echo(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(size);
    loop {
        buffer.clear();
        let BufResult(read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let BufResult(written, sent) = stream.write_all(filled).await;
        written?;
        buffer = sent;
    }
}

pub(super) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    Ok(Runtime::new()?.block_on(future))
}
