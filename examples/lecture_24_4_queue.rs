//! Lecture 24, pattern 4: a producer, two consumers, a bounded queue, and how they stop.
//!
//! An item takes 0.05 s to make and 0.08 s to use; two consumers share the work, so the producer
//! sets the pace: item 10 is made at 0.50 s and used up at 0.58 s. The queue has five places; a
//! producer that is faster than its consumers would wait at `put`.
//!
//! Two ways to say that there will be no more:
//! 1. **A sentinel**, `None`, as in the lecture: whoever gets it puts it back for the next one.
//! 2. **`shutdown()`**: `get` hands out what is left, and then fails, for everybody.
//!
//! What to look for: both process all ten. But after the sentinel one item is left in the queue, for
//! ever: the sentinel itself. The lecture calls putting it back "safe regardless of how many
//! consumers"; the truth is that it works with *one* producer and a *first-in-first-out* queue:
//! - somebody who waits for the queue to be empty (`join`) waits for ever, as one is always left;
//! - with two producers, the first one's sentinel stops the consumers while the second still
//!   puts; with a small queue that one waits at `put` for ever;
//! - a last-in-first-out queue hands out the sentinel first, and no item is processed;
//! - a priority queue has to compare it with the items.
//!
//! `shutdown()` has none of these: it is a state of the queue, not an item in it.
//!
//! Run it: `cargo run --example lecture_24_4_queue`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_24_4_queue`.
//!
//! The same in asyncio (`shutdown` since Python 3.13):
//!
//! ```python
//! import asyncio
//!
//! async def producer(queue):
//!     for item in range(1, 11):
//!         await asyncio.sleep(0.05)
//!         await queue.put(item)
//!     await queue.put(None)
//!
//! async def consumer(queue):
//!     count = 0
//!     while (item := await queue.get()) is not None:
//!         await asyncio.sleep(0.08)
//!         count += 1
//!     await queue.put(None)               # for the next one
//!     return count
//!
//! async def main():
//!     queue = asyncio.Queue(maxsize=5)
//!     _, a, b = await asyncio.gather(producer(queue), consumer(queue), consumer(queue))
//!     print(a, "+", b, "items;", queue.qsize(), "left in the queue")
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{Queue, gather, sleep, spawn};

const ITEMS: u32 = 10;
const PLACES: usize = 5;
const MAKE: Duration = Duration::from_millis(50);
const USE: Duration = Duration::from_millis(80);
const CONSUMERS: [&str; 2] = ["A", "B"];

/// How it went one way.
#[derive(Debug)]
pub struct Way {
    /// What each consumer has used, in order.
    pub used: Vec<Vec<u32>>,
    /// How many items are left in the queue when all have stopped.
    pub left: usize,
    /// From the first item to the end of the last consumer.
    pub took: Duration,
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// Stopped by a sentinel.
    pub sentinel: Way,
    /// Stopped by `shutdown`.
    pub shutdown: Way,
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

async fn use_up(begin: Instant, name: &str, item: u32) {
    say(begin, format_args!("    {name} takes item {item}"));
    sleep(USE).await;
}

/// The first way: the end is an item.
async fn with_sentinel() -> Way {
    let begin = Instant::now();
    let queue = Rc::new(Queue::bounded(PLACES));
    let consumers = CONSUMERS.map(|name| {
        let queue = queue.clone();
        let consumer = async move {
            let mut used = Vec::new();
            while let Some(item) = queue.get().await.expect("nobody shuts this queue down") {
                use_up(begin, name, item).await;
                used.push(item);
            }
            say(begin, format_args!("    {name} takes the sentinel, and puts it back"));
            queue.put(None).await.expect("nobody shuts this queue down");
            used
        };
        spawn(consumer).named(format!("consumer {name}"))
    });

    for item in 1..=ITEMS {
        sleep(MAKE).await;
        queue.put(Some(item)).await.expect("nobody shuts this queue down");
        say(begin, format_args!("  item {item} is made"));
    }
    queue.put(None).await.expect("nobody shuts this queue down");
    say(begin, "  the sentinel is put");

    let used = gather(consumers).await.into_iter();
    let used = used.map(|used| used.expect("it neither panics nor is cancelled")).collect();
    Way { used, left: queue.len(), took: begin.elapsed() }
}

/// The second way: the end is a state of the queue.
async fn with_shutdown() -> Way {
    let begin = Instant::now();
    let queue = Rc::new(Queue::bounded(PLACES));
    let consumers = CONSUMERS.map(|name| {
        let queue = queue.clone();
        let consumer = async move {
            let mut used = Vec::new();
            while let Ok(item) = queue.get().await {
                use_up(begin, name, item).await;
                used.push(item);
            }
            say(begin, format_args!("    {name} is told that there are no more"));
            used
        };
        spawn(consumer).named(format!("consumer {name}"))
    });

    for item in 1..=ITEMS {
        sleep(MAKE).await;
        queue.put(item).await.expect("the queue is shut down further below");
        say(begin, format_args!("  item {item} is made"));
    }
    queue.shutdown();
    say(begin, "  the queue is shut down");

    let used = gather(consumers).await.into_iter();
    let used = used.map(|used| used.expect("it neither panics nor is cancelled")).collect();
    Way { used, left: queue.len(), took: begin.elapsed() }
}

/// Both ways, one after the other.
pub async fn program() -> Outcome {
    println!("1. stopped by a sentinel");
    let sentinel = with_sentinel().await;
    println!("2. stopped by shutdown");
    let shutdown = with_shutdown().await;
    for (name, way) in [("sentinel", &sentinel), ("shutdown", &shutdown)] {
        let counts: Vec<usize> = way.used.iter().map(Vec::len).collect();
        println!("{name}: items used {counts:?}, left in the queue {}", way.left);
    }
    Outcome { sentinel, shutdown }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
