//! How does glommio serve?

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement, spawn_local};

use crate::net::server::announce;

pub(super) fn serve(buffer: usize) -> io::Result<Infallible> {
    block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        announce(listener.local_addr()?)?;
        loop {
            let stream = listener.accept().await?;
            spawn_local(echo(stream, buffer)).detach();
        }
    })?
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

pub(super) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    // The process is on one core already.
    Ok(LocalExecutorBuilder::new(Placement::Unbound).make()?.run(future))
}
