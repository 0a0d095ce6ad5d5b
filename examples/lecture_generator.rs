//! The lecture's sensors as async generators: merged, left by `break`, and closed with awaits.
//!
//! Three sensors give a reading every 10, 15 and 40 ms. They are read together, as they come, until
//! one reading is too high; then the loop is left, and each sensor is closed by `aclose`, which takes
//! 5 ms, for it has to say goodbye to its device.
//!
//! What to look for: the loop ends in the middle of a `break`, and yet every sensor has said goodbye
//! when the program goes on, in order, and what failed of it comes out of `aclose`. In asyncio a
//! generator that is left by `break` is closed some time later, in another task, unless somebody calls
//! `aclose`; here it is dropped at once, and its farewell awaited by the scope around.
//!
//! Run it: `cargo run --example lecture_generator`.
//!
//! The same in asyncio, of one sensor:
//!
//! ```python
//! async def sensor(period):
//!     try:
//!         for n in itertools.count(1):
//!             await asyncio.sleep(period)
//!             yield n
//!     finally:
//!         await goodbye()
//!
//! async def main():
//!     readings = sensor(0.010)
//!     async for reading in readings:
//!         if reading == 4:
//!             break
//!     await readings.aclose()
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use lone::stream::{Generator, StreamExt, generate, merge};
use lone::time::Instant;
use lone::{finally, sleep};

const FAREWELL: Duration = Duration::from_millis(5);
const TOO_HIGH: u32 = 4;

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// The readings, as they came.
    pub readings: Vec<(&'static str, u32, Duration)>,
    /// Who has said goodbye, and when.
    pub closed: Vec<(&'static str, Duration)>,
    /// How long all of it took.
    pub took: Duration,
}

type Closed = Rc<RefCell<Vec<(&'static str, Duration)>>>;

/// Gives 1, 2, 3 and so on, one each period.
fn sensor(
    name: &'static str,
    period: Duration,
    begin: Instant,
    closed: Closed,
) -> Generator<'static, (&'static str, u32)> {
    generate(async move |y| {
        let readings = async {
            for reading in 1.. {
                sleep(period).await;
                y.give((name, reading)).await;
            }
        };
        let farewell = async move {
            sleep(FAREWELL).await;
            closed.borrow_mut().push((name, begin.elapsed()));
        };
        finally(readings, farewell).await;
    })
}

/// Reads the sensors until one is too high, and closes them.
pub async fn program() -> Outcome {
    let begin = Instant::now();
    let closed = Closed::default();
    let mut sensors = [("inlet", 10), ("outlet", 15), ("room", 40)]
        .map(|(name, millis)| sensor(name, Duration::from_millis(millis), begin, closed.clone()));
    let mut readings = Vec::new();
    let mut merged = merge(&mut sensors);
    while let Some((name, reading)) = merged.next().await {
        println!("{:>4} ms  {name} reads {reading}", begin.elapsed().as_millis());
        readings.push((name, reading, begin.elapsed()));
        if reading == TOO_HIGH {
            break;
        }
    }
    drop(merged);
    for sensor in &mut sensors {
        sensor.aclose().await.expect("a farewell cannot fail");
        println!("{:>4} ms  a sensor is closed", begin.elapsed().as_millis());
    }
    let closed = closed.take();
    Outcome { readings, closed, took: begin.elapsed() }
}

/// Runs the program on a virtual clock.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::Builder::new().start_paused(true).run(program());
}
