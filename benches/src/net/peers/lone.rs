//! How does lone serve?

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};

use crate::net::Workload;
use crate::net::server::listener;

/// Longer than it takes to wake a sleeping client on a virtual machine.
const SPIN: Duration = Duration::from_micros(100);

pub(super) fn serve(workload: Workload) -> io::Result<Infallible> {
    let spin = match workload {
        Workload::Echo { spins: true, .. } => SPIN,
        _ => Duration::ZERO,
    };
    lone::Builder::new().spin(spin).build()?.block_on(async {
        let listener = TcpListener::from_std(listener()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            drop(lone::spawn(echo(stream, workload.buffer())));
        }
    })
}

async fn echo(stream: TcpStream, buffer: usize) -> io::Result<()> {
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
    Ok(lone::Runtime::new()?.block_on(future))
}
