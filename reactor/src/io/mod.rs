//! Buffers between a task and a stream: lines, whole messages, copies.
//!
//! They work for whatever has the futures-io traits: a [`TcpStream`](crate::net::TcpStream), a borrow of
//! one, a pipe or a TLS stream of another crate.
//!
//! ```text
//!   stream ──► BufReader [ ..read.. ]  ──► read_line, lines, read_until, read_exact, fill_buf
//!   stream ◄── BufWriter [ ..taken.. ] ◄── write_all          flush, close: until all is sent
//!              copy: from the buffer of a reader, straight into a writer
//! ```
//!
//! **Bytes live in the object, never in a future.** A read takes bytes out of the buffer in the moment in
//! which it returns them, and a write puts all of its bytes in at once or none; so each of these futures
//! may be dropped at any await (by a timeout, a `select!`, a cancel), and no byte is lost or sent twice.
//!
//! For both directions put one into the other, `BufReader::new(BufWriter::new(stream))`, or let two
//! tasks have a buffer each, over `&TcpStream`.
//!
//! asyncio: `StreamReader` and `StreamWriter`.
//!
//! # Examples
//!
//! ```
//! use lone::io::{BufReader, BufWriter};
//! use lone::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! lone::run(async {
//!     let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
//!     let connect = TcpStream::connect(listener.local_addr()?);
//!     let (client, accepted) = lone::join!(connect, listener.accept());
//!
//!     let mut client = BufWriter::new(client?);
//!     client.write_all(b"one\ntwo\n").await?;
//!     client.close().await?; // sends what is buffered, then says that this is all
//!
//!     let mut server = BufReader::new(accepted?.0);
//!     let mut lines = server.lines();
//!     assert_eq!(lines.next().await.transpose()?.as_deref(), Some("one"));
//!     assert_eq!(lines.next().await.transpose()?.as_deref(), Some("two"));
//!     assert!(lines.next().await.is_none());
//!     Ok(())
//! })
//! # }
//! ```

mod buf_reader;
mod buf_writer;
mod copy;
mod copy_bidirectional;
mod line_error;
mod lines;
mod read;
mod write;

use std::panic::Location;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};

pub use buf_reader::BufReader;
pub use buf_writer::BufWriter;
pub use copy::{Copy, copy};
pub use copy_bidirectional::{CopyBidirectional, copy_bidirectional};
pub use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
pub use line_error::LineError;
pub use lines::{Lines, NextLine};
pub use read::{FillBuf, ReadExact, ReadLine, ReadUntil};
pub use write::{Close, Flush, WriteAll};

/// What a reader or writer buffers where nobody has said otherwise, in bytes.
const CAPACITY: usize = 8 * 1024;

/// One operation of a task: asks for it first, and says what is awaited where it has to wait.
fn operation<T>(
    cx: &mut Context<'_>,
    what: &'static str,
    site: &'static Location<'static>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    ready!(budget::take(cx));
    let polled = poll(cx);
    if polled.is_pending() {
        budget::give_back();
        trace::awaits(what, site);
    }
    polled
}
