//! TCP, as futures.
//!
//! A handle is plain data and `Send + Sync`; its state lives in its loop. It is used on the thread
//! of that loop, and may be dropped on any. Used on another thread, or inside another loop, an
//! operation returns an error that says so.

mod at_address;
mod backoff;
mod connect;
mod registered;
mod stream_io;
mod tcp_listener;
mod tcp_stream;
mod transfer;

pub use connect::Connect;
pub use tcp_listener::{Accept, TcpListener};
pub use tcp_stream::TcpStream;
pub use transfer::{Read, ReadExact, Write, WriteAll};
