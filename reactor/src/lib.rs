//! The reactor of lone: what can wake a task from outside. Readiness of descriptors, deadlines, and
//! the clock.
//!
//! It implements the executor's `Park`: beat **d** waits, beat **e** wakes whoever is concerned, and
//! that is all it ever does to a task. It never names a task type.
//!
//! | file | question it answers |
//! |---|---|
//! | `reactor` | how does a loop wait for the world? |
//! | `local` | what do sleeps and sockets reach? |
//! | `wheel` | which timer is due, and when is the next one? |
//! | `timers` | who is woken when a deadline has passed? |
//! | `timerfd` | how does a poll end to the nanosecond? |
//! | `crowd` | are deadlines so many that one wake-up should serve several? |
//! | `clock` | what time is it for this loop? |
//! | `ends` | for whom does a task wait at a socket? |
//! | `sources` | who waits for which descriptor, and what is known of it? |
//! | `time` | moments, sleeps, intervals |
//! | `net` | TCP |
//! | `io` | buffers: lines, whole messages, copies |
//!
//! No `unsafe`.

#![forbid(unsafe_code)]

pub mod io;
pub mod net;
pub mod time;

mod clock;
mod crowd;
mod ends;
mod local;
mod reactor;
mod sources;
mod spin;
mod timerfd;
mod timers;
mod waiters;
mod wheel;

pub use clock::Jump;
pub use local::Entered;
pub use reactor::{Reactor, Settings, Statistics};
