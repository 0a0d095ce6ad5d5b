//! Time: moments, sleeps, intervals, and a clock to be moved by hand.
//!
//! Exact to the nanosecond on Linux, never early.

mod enclosing;
mod advance;
mod instant;
mod interval;
mod sleep;

pub use crate::timers::Alarm;
pub use enclosing::Enclosing;
pub use advance::{Advance, advance, advance_to};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, Tick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
