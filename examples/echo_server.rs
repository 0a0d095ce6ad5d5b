//! An echo server: what a client sends comes back. One thread, one task a connection.
//!
//! ```text
//!   main ── accept ──┬── spawn ──► echo: read, write all, read, …   until the client closes
//!                    ├── spawn ──► echo
//!                    └── …
//! ```
//!
//! What to look for:
//! - The accept loop is three lines. Nobody keeps the handles of the connections' tasks: dropping a
//!   handle detaches its task.
//! - When descriptors run out (try `ulimit -n 64`), `accept` says so in the log, waits a little and
//!   goes on; the connections that it cannot take yet wait in the system's backlog. Nothing of that
//!   is to be seen here.
//! - A connection that fails ends its own task and nothing else.
//!
//! Run it: `cargo run --release --example echo_server`, and against it `echo_load`, or by hand
//! `nc 127.0.0.1 7000`. For 5,000 connections `ulimit -n` must be above 5,000.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def echo(reader, writer):
//!     while data := await reader.read(4096):
//!         writer.write(data)
//!         await writer.drain()
//!     writer.close()
//!
//! async def main():
//!     server = await asyncio.start_server(echo, "127.0.0.1", 7000)
//!     await server.serve_forever()
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "it tells where it listens, and what it has served")]

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};
use lone::{spawn, timeout};

const USAGE: &str = "\
usage: echo_server [ADDR] [--for SECONDS]

  ADDR           where to listen; port 0 lets the system choose   [127.0.0.1:7000]
  --for SECONDS  how long to serve                                [for ever]";

/// What was served so far.
#[derive(Debug, Default)]
pub struct Served {
    /// Connections that were accepted.
    pub accepted: Cell<u64>,
    /// Those of them that have ended.
    pub ended: Cell<u64>,
    /// Reads that were answered: a message each, as long as nobody sends the next one before the
    /// first has come back.
    pub messages: Cell<u64>,
    /// Bytes that were sent back.
    pub bytes: Cell<u64>,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Served { accepted, ended, messages, bytes } = self;
        let open = accepted.get() - ended.get();
        write!(
            f,
            "{} connections ({open} of them open), {} messages, {} bytes",
            accepted.get(),
            messages.get(),
            bytes.get()
        )
    }
}

/// Adds to a count.
fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

/// Accepts for ever, a task to each connection. Returns if the listener itself fails.
pub async fn serve(listener: TcpListener, served: Rc<Served>) -> io::Result<Infallible> {
    loop {
        let (stream, peer) = listener.accept().await?;
        add(&served.accepted, 1);
        let served = served.clone();
        let connection = spawn(async move {
            if let Err(error) = echo(stream, &served).await {
                log::info!("{peer}: {error}");
            }
            add(&served.ended, 1);
        });
        drop(connection);
    }
}

/// Sends back what comes, until the client closes its side.
async fn echo(stream: TcpStream, served: &Served) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
        add(&served.messages, 1);
        add(&served.bytes, n as u64);
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// Where to listen.
    pub address: SocketAddr,
    /// How long to serve; `None`: for ever.
    pub limit: Option<Duration>,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options =
            Options { address: SocketAddr::from(([127, 0, 0, 1], 7000)), limit: None };
        let mut address = None;
        while let Some(arg) = args.next() {
            if arg == "--for" {
                let value = args.next().ok_or("--for needs a number of seconds")?;
                options.limit = Some(seconds(&value)?);
            } else if arg.starts_with('-') || address.is_some() {
                return Err(format!("what is `{arg}`?"));
            } else {
                address = Some(arg.parse().map_err(|_| format!("`{arg}` is no address"))?);
            }
        }
        options.address = address.unwrap_or(options.address);
        Ok(options)
    }
}

fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("`{value}` is no number of seconds"))
}

/// Serves as the options say, and returns what was served.
pub async fn program(options: Options) -> io::Result<Rc<Served>> {
    let listener = TcpListener::bind(options.address)?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;

    let served = Rc::new(Served::default());
    let serving = serve(listener, served.clone());
    let Err(error) = match options.limit {
        // Out of time: that is how it is meant to end.
        Some(limit) => match timeout(limit, serving).await {
            Ok(failed) => failed,
            Err(_elapsed) => return Ok(served),
        },
        None => serving.await,
    };
    Err(error)
}

/// Runs the server on a loop of its own, with the options from the command line.
pub fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match lone::run(program(options)) {
        Ok(served) => {
            println!("served {served}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}
