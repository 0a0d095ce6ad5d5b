//! Blocking work beside a loop: bridges to threads of one's own.
//!
//! ```text
//!   loop ── LoopPut ──► [ items, room for n ] ──► ThreadGet ── a synchronous stage
//!   loop ◄── LoopGet ── [ items, room for n ] ◄── ThreadPut ── a synchronous stage
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `bridge` | how do items go between a loop and threads of one's own? |
//!
//! No `unsafe`, and no atomics on a path that only one thread walks: locks stand between threads alone.

#![forbid(unsafe_code)]

pub mod bridge;
