//! How do items go between a loop and threads of one's own? Over a bridge: a bounded channel, one end
//! of which waits by `.await`, the other by blocking its thread.
//!
//! ```text
//!   to_loop(n):    ThreadPut ── put blocks while it is full ──► [ items ] ──► get().await ── LoopGet
//!   from_loop(n):  LoopPut ── put().await while it is full ──► [ items ] ──► get blocks ── ThreadGet
//! ```
//!
//! For synchronous stages: code that knows nothing of the loop, has a thread to itself, and takes one
//! item after the other. Where the slower side is behind by `n` items the other waits, so memory stays
//! bounded. Among tasks alone use a `Queue`: it has no lock.
//!
//! All ends may be cloned, and sent to other threads. A bridge belongs to no loop: it may be made
//! before there is one. When the last end of a side is dropped, the other side hears of it, also
//! where it waits: a getter first gets what is left, a putter gets its item back. A loop that ends
//! drops its tasks, and their ends with them; so a thread hears of that too.
//!
//! | file | question it answers |
//! |---|---|
//! | `channel` | who waits, and who is next? |
//! | `line` | in which order do they wait? |
//! | `put`, `get` | what can each end do? |
//! | `error` | why not, and where is my item? |
//! | `statistics` | how busy is a bridge now? |
//!
//! # Fairness
//!
//! First come, first served, on both sides, for tasks and threads alike: nobody who comes later takes
//! the item or the room of somebody who waits.
//!
//! # Cost
//!
//! A put and a get that do not wait: a lock each, about 25 ns. A wait costs two locks of the loop's inbox
//! and, between threads, a switch. A thousand puts of a thread to a loop that is busy wake it once.
//!
//! # Examples
//!
//! A synchronous stage between two bridges:
//!
//! ```
//! lone::run(async {
//!     let (readings, to_stage) = lone::bridge::from_loop::<f64>(2);
//!     let (from_stage, means) = lone::bridge::to_loop(2);
//!     let stage = std::thread::spawn(move || {
//!         let (mut sum, mut count) = (0.0, 0);
//!         while let Ok(reading) = to_stage.get() {
//!             (sum, count) = (sum + reading, count + 1);
//!             if from_stage.put(sum / f64::from(count)).is_err() {
//!                 break; // nobody wants to know any more
//!             }
//!         }
//!     });
//!     let ingest = async move {
//!         for reading in [20.0, 22.0, 24.0] {
//!             readings.put(reading).await.expect("the stage lives");
//!         }
//!         // Here `readings` is dropped: the stage takes what is left, and ends.
//!     };
//!     let watch = async {
//!         let mut last = 0.0;
//!         while let Some(mean) = means.next().await {
//!             last = mean;
//!         }
//!         last
//!     };
//!     assert_eq!(lone::join!(ingest, watch), ((), 22.0));
//!     stage.join().expect("it has dropped its end, and ends");
//! });
//! ```

mod channel;
mod error;
mod get;
mod line;
mod put;
mod statistics;
#[cfg(test)]
mod tests;

pub use error::{GetError, PutError, TryGetError, TryPutError};
pub use get::{Get, LoopGet, Next, ThreadGet};
pub use put::{LoopPut, Put, ThreadPut};
pub use statistics::BridgeStatistics;

use channel::{GetEnd, PutEnd, channel};

/// A bridge from threads to a loop, with room for `capacity` items.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let (put, get) = lone::bridge::to_loop(4);
///     std::thread::spawn(move || {
///         for line in ["one", "two"] {
///             put.put(line).expect("the loop waits for it"); // blocks while it is full
///         }
///     });
///     assert_eq!(get.next().await, Some("one"));
///     assert_eq!(get.next().await, Some("two"));
///     assert_eq!(get.next().await, None, "the thread has dropped its end");
/// });
/// ```
#[must_use]
#[track_caller]
pub fn to_loop<T>(capacity: usize) -> (ThreadPut<T>, LoopGet<T>) {
    let (put, get) = channel(capacity);
    (ThreadPut::new(put), LoopGet::new(get))
}

/// A bridge from a loop to threads, with room for `capacity` items.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (put, get) = lone::bridge::from_loop(1);
/// let stage = std::thread::spawn(move || {
///     let mut sum = 0;
///     while let Ok(item) = get.get() {
///         sum += item; // the loop waits while this is behind
///     }
///     sum
/// });
/// lone::run(async {
///     for item in 1..=10 {
///         put.put(item).await.expect("the thread takes all");
///     }
/// });
/// drop(put);
/// assert_eq!(stage.join().expect("it does not panic"), 55);
/// ```
#[must_use]
#[track_caller]
pub fn from_loop<T>(capacity: usize) -> (LoopPut<T>, ThreadGet<T>) {
    let (put, get) = channel(capacity);
    (LoopPut::new(put), ThreadGet::new(get))
}

/// A blocking call where a loop runs would stop that loop.
#[track_caller]
fn refuse_in_loop(what: &str) {
    assert!(
        !lone_executor::is_running(),
        "{what} of a thread's end would block the loop that runs on this thread: move the end to a \
         thread of its own, or to `to_thread`; what does not wait is `try_{what}`"
    );
}
