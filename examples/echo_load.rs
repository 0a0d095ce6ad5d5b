//! A load for `echo_server`: many connections at once, and every byte that comes back is checked.
//!
//! ```text
//!   connect × N ──► all are open ──► each: send a message, read it back, compare; M times
//!                                    then: close our side, and expect the end
//! ```
//!
//! What to look for:
//! - All connections are open before the first message goes out: an `Event` opens the gate.
//! - The sessions are the futures of one `gather`: they borrow the tally from its caller. No task,
//!   no `Rc`.
//! - Each message is written and read *at the same time* (`join!` over one stream): a message that
//!   is longer than the buffers of the system would otherwise wait for ever, as the server does not
//!   read on before its answer has gone out.
//! - One `timeout` round all of it: when it strikes, the gather and with it every connection is
//!   dropped.
//!
//! Run it: `cargo run --release --example echo_load`, with `echo_server` in another terminal.
//! N connections need `ulimit -n` above N, here and there.
//!
//! In asyncio a session would be:
//!
//! ```python
//! async def session(number, gate, messages, size):
//!     reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
//!     await gate.wait()
//!     for message in range(messages):
//!         sent = pattern(number, message, size)
//!         writer.write(sent)                              # buffers; so no deadlock
//!         assert await reader.readexactly(size) == sent
//!     writer.write_eof()
//!     assert await reader.read() == b""
//!     writer.close()
//! ```
#![expect(clippy::print_stdout, reason = "it tells what came back")]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use lone::net::TcpStream;
use lone::time::Instant;
use lone::{Event, gather, join, timeout};

const USAGE: &str = "\
usage: echo_load [ADDR] [--connections N] [--messages M] [--size B] [--for SECONDS]

  ADDR             where the server listens            [127.0.0.1:7000]
  --connections N  how many to open at once            [5000]
  --messages M     how many to send over each          [100]
  --size B         how many bytes a message has        [64]
  --for SECONDS    how long it may take at most        [60]";

/// Descriptors that a process needs besides its connections.
const SPARE: u64 = 16;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server listens.
    pub address: SocketAddr,
    /// How many connections to open at once.
    pub connections: usize,
    /// How many messages to send over each.
    pub messages: usize,
    /// How many bytes a message has.
    pub size: usize,
    /// How long it may take at most.
    pub limit: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            address: SocketAddr::from(([127, 0, 0, 1], 7000)),
            connections: 5000,
            messages: 100,
            size: 64,
            limit: Duration::from_secs(60),
        }
    }
}

impl Options {
    /// Reads the arguments.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut address = None;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a number"));
            match arg.as_str() {
                "--connections" => options.connections = count(&value()?)?,
                "--messages" => options.messages = count(&value()?)?,
                "--size" => options.size = count(&value()?)?,
                "--for" => options.limit = seconds(&value()?)?,
                other if other.starts_with('-') || address.is_some() => {
                    return Err(format!("what is `{other}`?"));
                }
                other => {
                    let parsed = other.parse().map_err(|_| format!("`{other}` is no address"))?;
                    address = Some(parsed);
                }
            }
        }
        options.address = address.unwrap_or(options.address);
        Ok(options)
    }
}

fn count(value: &str) -> Result<usize, String> {
    let count = value.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`{value}` is no whole number above 0"))
}

fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("`{value}` is no number of seconds"))
}

/// What came back.
#[derive(Debug)]
pub struct Outcome {
    /// How many connections were opened.
    pub connected: usize,
    /// How many messages came back as they were sent.
    pub echoed: usize,
    /// How many did not: those of connections that failed or were never opened included.
    pub lost: usize,
    /// How many sessions failed, and how the first of them did.
    pub failed: usize,
    /// How the first of those failed.
    pub first_error: Option<String>,
    /// Whether the time was over first.
    pub out_of_time: bool,
    /// How long it took to open all connections.
    pub connecting: Duration,
    /// How long the messages took, from the first to the last.
    pub echoing: Duration,
}

impl Outcome {
    /// Whether everything came back in time.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.failed == 0 && !self.out_of_time
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { connected, echoed, lost, failed, .. } = self;
        writeln!(f, "connected {connected} in {:.2} s", self.connecting.as_secs_f64())?;
        let rate = *echoed as f64 / self.echoing.as_secs_f64().max(1e-9);
        let time = self.echoing.as_secs_f64();
        writeln!(f, "echoed    {echoed} in {time:.2} s: {rate:.0} messages a second")?;
        write!(f, "lost      {lost}")?;
        if let Some(error) = &self.first_error {
            write!(f, "\nfailed    {failed} sessions, the first one: {error}")?;
        }
        if self.out_of_time {
            write!(f, "\nthe time was over before all had come back")?;
        }
        Ok(())
    }
}

/// What the sessions count together.
struct Tally {
    begin: Instant,
    /// How many have not tried to connect yet.
    to_connect: Cell<usize>,
    /// All have tried.
    gate: Event,
    opened_after: Cell<Duration>,
    connected: Cell<usize>,
    echoed: Cell<usize>,
    failed: Cell<usize>,
    first_error: RefCell<Option<String>>,
}

impl Tally {
    /// One more has tried to connect; the last one opens the gate.
    fn has_tried(&self) {
        self.to_connect.set(self.to_connect.get() - 1);
        if self.to_connect.get() == 0 {
            self.opened_after.set(self.begin.elapsed());
            self.gate.set();
        }
    }
}

/// Opens one connection, waits for the others, and has its messages echoed.
async fn session(number: usize, options: &Options, tally: &Tally) -> io::Result<()> {
    let stream = TcpStream::connect(options.address).await;
    tally.connected.set(tally.connected.get() + usize::from(stream.is_ok()));
    tally.has_tried();
    let stream = stream?;
    tally.gate.wait().await;

    let mut sent = vec![0; options.size];
    let mut received = vec![0; options.size];
    for message in 0..options.messages {
        fill(&mut sent, number, message);
        let (written, read) = join!(stream.write_all(&sent), stream.read_exact(&mut received));
        written.and(read)?;
        if let Some(at) = (0..options.size).find(|&at| sent[at] != received[at]) {
            let what = format!("connection {number}, message {message}: byte {at} has changed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        tally.echoed.set(tally.echoed.get() + 1);
    }

    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut received).await? {
        0 => Ok(()),
        n => {
            let what = format!("connection {number}: {n} bytes more came back than were sent");
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
    }
}

/// Bytes that differ from one message and connection to the next.
fn fill(bytes: &mut [u8], number: usize, message: usize) {
    let mut state = (number as u64) << 32 | message as u64;
    for byte in bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
}

/// Puts the load on the server.
pub async fn program(options: Options) -> Outcome {
    let tally = Tally {
        begin: Instant::now(),
        to_connect: Cell::new(options.connections),
        gate: Event::new(),
        opened_after: Cell::default(),
        connected: Cell::default(),
        echoed: Cell::default(),
        failed: Cell::default(),
        first_error: RefCell::default(),
    };
    let sessions = gather((0..options.connections).map(async |number| {
        if let Err(error) = session(number, &options, &tally).await {
            tally.failed.set(tally.failed.get() + 1);
            tally.first_error.borrow_mut().get_or_insert_with(|| error.to_string());
        }
    }));
    let out_of_time = timeout(options.limit, sessions).await.is_err();

    let took = tally.begin.elapsed();
    let connecting = if tally.gate.is_set() { tally.opened_after.get() } else { took };
    Outcome {
        connected: tally.connected.get(),
        echoed: tally.echoed.get(),
        lost: options.connections * options.messages - tally.echoed.get(),
        failed: tally.failed.get(),
        first_error: tally.first_error.into_inner(),
        out_of_time,
        connecting,
        echoing: took - connecting,
    }
}

/// Whether this process may have so many connections open.
pub fn check_descriptors(connections: usize) -> Result<(), String> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};

        let needed = connections as u64 + SPARE;
        // `None`: as many as it likes.
        if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|&limit| limit < needed) {
            return Err(format!(
                "{connections} connections need {needed} descriptors, and this process may have \
                 {allowed}: say `ulimit -n {needed}` in this shell first, and in the server's"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (connections, SPARE);
    Ok(())
}

/// Runs the load on a loop of its own, with the options from the command line.
pub fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = check_descriptors(options.connections) {
        eprintln!("echo_load: {error}");
        return ExitCode::from(2);
    }
    let Options { address, connections, messages, size, .. } = &options;
    println!("{connections} connections to {address}, {messages} messages of {size} bytes each");
    let outcome = lone::run(program(options));
    println!("{outcome}");
    if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
