//! How does smol serve, on one thread? A `LocalExecutor` within async-io's `block_on`.

use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use async_executor::LocalExecutor;
use async_io::Async;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::net::server::listener;

pub(super) fn serve(buffer: usize) -> io::Result<Infallible> {
    let executor = Rc::new(LocalExecutor::new());
    async_io::block_on(executor.run(accept(&executor, buffer)))
}

async fn accept(executor: &LocalExecutor<'_>, buffer: usize) -> io::Result<Infallible> {
    let listener: Async<TcpListener> = Async::new(listener()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(echo(stream, buffer)).detach();
    }
}

async fn echo(mut stream: Async<TcpStream>, buffer: usize) -> io::Result<()> {
    let mut buffer = vec![0; buffer];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}
