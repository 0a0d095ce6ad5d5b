//! A chat over TCP: what one says all others hear. One task a client, one queue a client.
//!
//! ```text
//!   client ──► lines ──► room ─┬─► queue (64) ──► BufWriter ──► client
//!                              └─► queue (64) ──► BufWriter ──► client
//! ```
//!
//! The first line of a client is its name; each line after it goes to all others. Who leaves is told of.
//!
//! What to look for:
//! - **A slow client costs the others nothing.** Saying never waits: it puts the line into the queue of
//!   each member. Who has 64 lines waiting is cut off, and the others are told why. (To wait for the
//!   slow would stop the room; to drop lines would leave holes that nobody sees.)
//! - **A client is one task with two directions**: `select!` reads lines and writes them, over one
//!   `&TcpStream`, and whichever ends first ends both. Both are safe to drop: a line is in the reader
//!   until it is whole, and in the writer whole or not at all.
//! - Lines that are ready go out together: the writer is flushed when its queue is empty.
//! - A line of more than 8 KiB is an error to whoever sent it, and no memory of ours.
//!
//! Run it: `cargo run --example chat_server`, and `nc 127.0.0.1 7001` in some other terminals.
//! `cargo run --example chat_server -- --self-test` runs the server and three clients in one process.
//!
//! In asyncio: `start_server`, with a task for each direction of a client, and a `Queue(64)` each, whose
//! `put_nowait` raises `QueueFull`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a server tells what it does")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use lone::io::{BufReader, BufWriter, LineError};
use lone::net::{TcpListener, TcpStream};
use lone::{Event, JoinSet, Queue, join, select, yield_now};

/// How many lines a client may be behind.
const BEHIND: usize = 64;
/// How long a line may be.
const LONGEST: usize = 8 * 1024;

// ----- the server ----------------------------------------------------------------------------------

/// Somebody in the room.
struct Member {
    name: String,
    /// What it is to hear.
    lines: Queue<Rc<str>>,
    /// Set when it is too far behind.
    cut: Event,
}

/// Everybody, by number.
#[derive(Default)]
struct Room {
    members: RefCell<BTreeMap<u64, Rc<Member>>>,
    next: Cell<u64>,
}

impl Room {
    fn enter(&self, name: String) -> (u64, Rc<Member>) {
        let number = self.next.replace(self.next.get() + 1);
        let member = Member { name, lines: Queue::bounded(BEHIND), cut: Event::new() };
        self.say(number, format!("* {} has come", member.name));
        let member = Rc::new(member);
        self.members.borrow_mut().insert(number, member.clone());
        (number, member)
    }

    fn leave(&self, number: u64, why: &str) {
        let left = self.members.borrow_mut().remove(&number);
        if let Some(member) = left {
            self.say(number, format!("* {} has left{why}", member.name));
        }
    }

    /// Tells everybody else. Never waits: who has no room for a line is cut off.
    fn say(&self, from: u64, line: String) {
        let line: Rc<str> = line.into();
        for (number, member) in &*self.members.borrow() {
            if *number != from && member.lines.try_put(line.clone()).is_err() {
                member.cut.set();
            }
        }
    }
}

/// Serves for ever. Dropped, it sends everybody home. Returns if the listener itself fails.
async fn serve(listener: TcpListener) -> io::Result<Infallible> {
    let room = Rc::new(Room::default());
    let mut clients = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        while clients.try_join_next().is_some() {}
        let room = room.clone();
        clients.spawn(async move {
            if let Err(error) = client(stream, &room).await {
                log::info!("{peer}: {error}");
            }
        });
    }
}

/// One client, from its name to its end.
async fn client(stream: TcpStream, room: &Room) -> io::Result<()> {
    let mut reader = BufReader::new(&stream).with_limit(LONGEST);
    let Some(name) = reader.lines().next().await.transpose()? else {
        return Ok(());
    };
    let (number, member) = room.enter(name);
    let mut writer = BufWriter::new(&stream);
    let ended = select! {
        () = member.cut.wait() => Err(ErrorKind::TimedOut.into()),
        heard = hear(&mut writer, &member.lines) => heard,
        said = talk(&mut reader, room, number, &member) => said,
    };
    let why = if member.cut.is_set() { ": too slow" } else { "" };
    room.leave(number, why);
    if ended.is_ok() {
        return writer.close().await;
    }
    // The client does not read, or has gone: what it has not heard is given up on purpose.
    drop(writer.into_parts());
    ended
}

/// Says what the client says, until it has ended.
async fn talk(
    reader: &mut BufReader<&TcpStream>,
    room: &Room,
    number: u64,
    member: &Member,
) -> io::Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => room.say(number, format!("{}: {line}", member.name)),
            Err(LineError::Io(error)) => return Err(error),
            // Told to whoever has sent it. Who does not hear that is slow.
            Err(wrong) => {
                if member.lines.try_put(format!("! {wrong}").into()).is_err() {
                    member.cut.set();
                }
            }
        }
        // Many lines may have come in one piece. The others get to hear each before the next.
        yield_now().await;
    }
    Ok(())
}

/// Writes what the client is to hear. Lines that are there already go out together.
async fn hear(writer: &mut BufWriter<&TcpStream>, lines: &Queue<Rc<str>>) -> io::Result<()> {
    while let Ok(line) = lines.get().await {
        writer.write_all(line.as_bytes()).await?;
        writer.write_all(b"\n").await?;
        if lines.is_empty() {
            writer.flush().await?;
        }
    }
    Ok(())
}

// ----- the self-test -------------------------------------------------------------------------------

/// What was seen in the self-test.
#[derive(Debug)]
pub struct Outcome {
    /// What the first client has heard.
    pub ada: Vec<String>,
    /// What the second has heard, but for what was sent in bulk.
    pub bob: Vec<String>,
    /// How many lines were sent before the third, who did not read, was cut off.
    pub bulk: usize,
    /// How many of them the second has heard.
    pub bulk_heard: usize,
}

/// Comes in with a name.
async fn come(server: SocketAddr, name: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    Ok(stream)
}

/// The next line that is heard.
async fn next(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    reader.lines().next().await.transpose()?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// Three clients; the third never reads. The first sends until it is told that the third was cut off.
async fn talk_to(server: SocketAddr) -> io::Result<Outcome> {
    let (mut ada_heard, mut bob_heard) = (Vec::new(), Vec::new());
    let ada = come(server, "ada").await?;
    let mut ada_reader = BufReader::new(&ada);
    let too_long = [b'x'; LONGEST + 1];
    ada.write_all(&too_long).await?;
    ada.write_all(b"\n").await?;
    ada_heard.push(next(&mut ada_reader).await?);

    let bob = come(server, "bob").await?;
    let mut bob_reader = BufReader::new(&bob);
    ada_heard.push(next(&mut ada_reader).await?);
    ada.write_all(b"hello\nhow are you?\n").await?;
    bob_heard.push(next(&mut bob_reader).await?);
    bob_heard.push(next(&mut bob_reader).await?);
    bob.write_all(b"fine\n").await?;
    ada_heard.push(next(&mut ada_reader).await?);

    let _cem = come(server, "cem").await?;
    ada_heard.push(next(&mut ada_reader).await?);
    bob_heard.push(next(&mut bob_reader).await?);

    let sends = async {
        let line = [&[b'-'; LONGEST][..], b"\n"].concat();
        let mut writer = BufWriter::new(&ada);
        let mut bulk = 0;
        // Both arms may be dropped at any time: a line is sent whole, and heard whole.
        let told = loop {
            select! {
                told = next(&mut ada_reader) => break told?,
                sent = writer.write_all(&line) => {
                    sent?;
                    bulk += 1;
                    yield_now().await;
                }
            }
        };
        ada_heard.push(told);
        writer.write_all(b"goodbye\n").await?;
        writer.close().await?;
        io::Result::Ok(bulk)
    };
    let hears = async {
        let mut bulk_heard = 0;
        loop {
            let line = next(&mut bob_reader).await?;
            if line.starts_with("ada: -") {
                bulk_heard += 1;
                continue;
            }
            let last = line == "* ada has left";
            bob_heard.push(line);
            if last {
                return io::Result::Ok(bulk_heard);
            }
        }
    };
    let (bulk, bulk_heard) = join!(sends, hears);
    Ok(Outcome { ada: ada_heard, bob: bob_heard, bulk: bulk?, bulk_heard: bulk_heard? })
}

/// The server and three clients in one loop.
pub async fn self_test() -> io::Result<Outcome> {
    let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
    let server = listener.local_addr()?;
    select! {
        failed = serve(listener) => match failed? {},
        outcome = talk_to(server) => outcome,
    }
}

/// Serves at the address of the command line, or tests itself.
pub fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let argument = std::env::args().nth(1);
    let done = if argument.as_deref() == Some("--self-test") {
        lone::run(self_test()).map(|outcome| {
            println!("ada has heard {:#?}\nbob has heard {:#?}", outcome.ada, outcome.bob);
            println!("cem was cut off after {} lines that it did not read", outcome.bulk);
        })
    } else {
        let address = argument.unwrap_or_else(|| "127.0.0.1:7001".to_owned());
        let Ok(address) = address.parse::<SocketAddr>() else {
            eprintln!("usage: chat_server [ADDR | --self-test]\n\n`{address}` is no address");
            return ExitCode::from(2);
        };
        lone::run(async {
            let listener = TcpListener::bind(address)?;
            println!("listening on {}", listener.local_addr()?);
            match serve(listener).await? {}
        })
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat_server: {error}");
            ExitCode::FAILURE
        }
    }
}
