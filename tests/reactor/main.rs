//! How do time and sockets behave, seen from outside? One binary, one module a subject.
//!
//! The clock is virtual wherever the subject is not the real one. Nothing waits without a bound:
//! a watchdog ends the process where a wake was lost.

#![cfg(target_os = "linux")]

mod help;

mod advance;
mod as_completed;
mod cleanup;
mod cleanup_trees;
mod clock;
mod deadlines;
mod deadlock;
mod debug;
mod drain;
mod fairness;
mod guest;
mod interval;
mod io;
mod queue;
mod race_staggered;
mod rate_limiter;
mod sleep;
mod spin;
mod stall;
mod stream;
mod task_group;
mod tcp;
mod timeout;
mod timeout_scope;
mod to_thread;
mod wait;
