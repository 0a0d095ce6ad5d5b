//! Blocking work beside a loop: a pool of threads for jobs, and bridges to threads of one's own.
//!
//! ```text
//!   loop ── to_thread(f) ──► pool (named threads, first come first served) ── outcome ──► loop
//!
//!   loop ── LoopPut ──► [ items, room for n ] ──► ThreadGet ── a synchronous stage
//!   loop ◄── LoopGet ── [ items, room for n ] ◄── ThreadPut ── a synchronous stage
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `to_thread` | how does a task wait for a job on a thread? |
//! | `job` | how does a job's outcome reach its future? |
//! | `pool` | which thread runs a job, and when does it end? |
//! | `pool/starved` | do jobs wait for a thread that never comes? |
//! | `settings` | what can be set about the pool, and what can be read off it? |
//! | `bridge` | how do items go between a loop and threads of one's own? |
//!
//! No `unsafe`, and no atomics on a path that only one thread walks: locks stand between threads alone.

#![forbid(unsafe_code)]

pub mod bridge;

mod job;
mod pool;
mod settings;
mod to_thread;

pub use job::is_job_cancelled;
pub use pool::{Pool, pool_statistics};
pub use settings::{PoolStatistics, Settings};
pub use to_thread::{ToThread, to_thread};
