//! Exercise 1: a crawler that is bounded. Twelve pages, five at a time, each told of as it completes.
//!
//! A list of pages is fetched over HTTP from a server of this program's own, on a port of this machine.
//! The server is slow, a different while for each page; one page is not there, and one never comes.
//! `as_completed_bounded` runs five fetches at once, begins the next one as soon as one has ended, and
//! gives each page in the moment in which it is complete.
//!
//! What to look for:
//! - The server counts how many it serves at once: never more than five. No semaphore is needed.
//! - The pages come in the order in which they are complete, not in that of the list; the number with
//!   each says which one it is.
//! - `/missing` is an answer like any other, with status 404; `/hangs` has a timeout of its own, and
//!   costs nobody else anything but one of the five places for 60 ms.
//! - When a fetch is out of time its connection is closed at once, and the server sees that.
//! - Lines and body come from one `BufReader`: what it has read beyond the headers belongs to the body.
//!
//! Run it: `cargo run --example exercise_1_crawler`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example exercise_1_crawler`.
//!
//! The same in asyncio, with the semaphore that it needs:
//!
//! ```python
//! import asyncio
//!
//! async def fetch(port, path, places):
//!     async with places, asyncio.timeout(0.060):
//!         reader, writer = await asyncio.open_connection("127.0.0.1", port)
//!         try:
//!             writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
//!             await writer.drain()
//!             status = int((await reader.readline()).split()[1])
//!             length = 0
//!             while (line := (await reader.readline()).strip()):
//!                 name, value = line.split(b":", 1)
//!                 if name.lower() == b"content-length":
//!                     length = int(value)
//!             return path, status, await reader.readexactly(length)
//!         finally:
//!             writer.close()
//!
//! async def main(port, paths):
//!     places = asyncio.Semaphore(5)
//!     for page in asyncio.as_completed([fetch(port, path, places) for path in paths]):
//!         try:
//!             print(await page)
//!         except (OSError, TimeoutError) as error:
//!             print(error)
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use lone::io::{BufReader, BufWriter};
use lone::net::{TcpListener, TcpStream};
use lone::time::Instant;
use lone::{JoinSet, as_completed_bounded, select, sleep, timeout};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the server has, and how long it takes to find it.
const PAGES: [(&str, Duration); 12] = [
    ("/", ms(20)),
    ("/news", ms(30)),
    ("/about", ms(10)),
    ("/hangs", HANGS),
    ("/images", ms(40)),
    ("/missing", ms(20)),
    ("/contact", ms(10)),
    ("/shop", ms(30)),
    ("/shop/cart", ms(10)),
    ("/shop/help", ms(10)),
    ("/blog", ms(20)),
    ("/blog/first", ms(10)),
];
/// Longer than anybody waits.
const HANGS: Duration = ms(3_600_000);
/// How many pages are fetched at once.
const AT_ONCE: usize = 5;
/// How long a page may take.
const LIMIT: Duration = ms(60);
/// How many bytes a page may have.
const LARGEST: usize = 1024 * 1024;

// ----- the server ----------------------------------------------------------------------------------

/// How many requests are served.
#[derive(Debug, Default)]
struct Load {
    now: Cell<usize>,
    most: Cell<usize>,
}

/// One request; it ends when this is dropped, also where the client has gone.
struct Serving<'a>(&'a Load);

impl Load {
    fn one_more(&self) -> Serving<'_> {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Serving(self)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

/// Serves for ever, a task to each connection. Dropped, it cancels them all.
async fn serve(listener: TcpListener, load: Rc<Load>) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _peer) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        let load = load.clone();
        connections.spawn(async move { answer(stream, &load).await });
    }
}

/// Answers one request. The error: the client has gone, or does not speak HTTP.
async fn answer(stream: TcpStream, load: &Load) -> io::Result<()> {
    let mut reader = BufReader::new(&stream).with_limit(4096);
    let request = Head::read(&mut reader).await?.first;
    let path = request.split(' ').nth(1).ok_or(ErrorKind::InvalidData)?;

    let serving = load.one_more();
    let (_, takes) = PAGES.iter().find(|(page, _)| *page == path).ok_or(ErrorKind::NotFound)?;
    select! {
        // Nothing comes after a request, so this is the end: the client has gone.
        _ = reader.fill_buf() => return Err(ErrorKind::ConnectionAborted.into()),
        () = sleep(*takes) => drop(serving),
    }
    let (status, body) = match path {
        "/missing" => ("404 Not Found", String::new()),
        _ => ("200 OK", format!("<h1>{path}</h1>\n").repeat(path.len())),
    };
    let mut writer = BufWriter::new(&stream);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    writer.write_all(head.as_bytes()).await?;
    writer.write_all(body.as_bytes()).await?;
    writer.close().await
}

// ----- what both sides read --------------------------------------------------------------------------

/// A request or an answer, up to its body.
struct Head {
    /// The first line.
    first: String,
    /// How long the body is.
    length: usize,
}

impl Head {
    async fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Head> {
        let mut lines = reader.lines();
        let first = lines.next().await.transpose()?.ok_or(ErrorKind::UnexpectedEof)?;
        let mut length = 0;
        loop {
            let line = lines.next().await.transpose()?.ok_or(ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Head { first, length });
            }
            let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| ErrorKind::InvalidData)?;
            }
        }
    }
}

// ----- the crawler -----------------------------------------------------------------------------------

/// What has become of a page.
#[derive(Debug)]
pub struct Page {
    /// Which one.
    pub path: &'static str,
    /// Its status and the length of its body; or why there is none.
    pub answer: io::Result<(u16, usize)>,
    /// When it was complete.
    pub at: Duration,
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// In the order in which they were complete.
    pub pages: Vec<Page>,
    /// How many requests the server has served at once.
    pub most_at_once: usize,
    /// When all was done.
    pub took: Duration,
}

/// Fetches a page: its status, and its body.
async fn fetch(server: SocketAddr, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let stream = TcpStream::connect(server).await?;
    let mut writer = BufWriter::new(&stream);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    writer.write_all(request.as_bytes()).await?;
    writer.flush().await?;

    let mut reader = BufReader::new(&stream).with_limit(4096);
    let Head { first, length } = Head::read(&mut reader).await?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(ErrorKind::InvalidData)?;
    if length > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok((status, body))
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.1} ms  {what}", begin.elapsed().as_secs_f64() * 1e3);
}

/// Starts the server, and crawls it.
pub async fn program() -> io::Result<Outcome> {
    let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
    let server = listener.local_addr()?;
    let load = Rc::new(Load::default());
    let serving = lone::spawn(serve(listener, load.clone())).reporting().cancel_on_drop();

    let begin = Instant::now();
    say(begin, format_args!("{} pages of http://{server}, {AT_ONCE} at a time", PAGES.len()));
    let fetches = PAGES.map(|(path, _)| timeout(LIMIT, fetch(server, path)));
    let mut completed = as_completed_bounded(AT_ONCE, fetches);
    let mut pages = Vec::new();
    while let Some((index, answer)) = completed.next().await {
        let path = PAGES[index].0;
        // Out of time is an error of the page, like any other.
        let answer = answer.unwrap_or_else(|elapsed| Err(elapsed.into()));
        match &answer {
            Ok((status, body)) => {
                say(begin, format_args!("  {path}: {status}, {} bytes", body.len()));
            }
            Err(error) => say(begin, format_args!("  {path}: {error}")),
        }
        let answer = answer.map(|(status, body)| (status, body.len()));
        pages.push(Page { path, answer, at: begin.elapsed() });
    }
    let (most_at_once, took) = (load.most.get(), begin.elapsed());
    say(begin, format_args!("done; the server has served {most_at_once} at once"));
    drop(serving);
    Ok(Outcome { pages, most_at_once, took })
}

/// Runs the program on a loop of its own.
pub fn main() -> io::Result<()> {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program()).map(drop)
}
