//! Time: moments, sleeps, intervals, and a clock to be moved by hand.
//!
//! Exact to the nanosecond on Linux, never early.

mod advance;
mod enclosing;
mod instant;
mod interval;
mod sleep;

pub use crate::timers::Alarm;
pub use advance::{Advance, advance, advance_to};
pub use enclosing::Enclosing;
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, Tick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
