//! Lecture 35: an ingestion layer, asynchronous in front, synchronous behind.
//!
//! Each of N sensors takes 100 ms to answer. A cycle asks all of them at once, and puts the batch of
//! readings on a bridge with two places. Behind it, on a thread, a stage that is plain code takes one
//! batch after the other; what it finds comes back over another bridge.
//!
//! ```text
//!   cycle ── put().await ──► [ batch, batch ] ── get ──► stage ── put ──► [ finding, … ] ── next().await ──►
//!   the loop's thread                                a thread of its own                      the loop's thread
//! ```
//!
//! What to look for:
//! - A cycle stays at about 100 ms for 10, 100 and 10,000 sensors, on one thread: what is spent is
//!   waiting, and waiting costs no thread. One after the other, 10,000 would take 17 minutes.
//! - The bridge has two places. If the stage falls behind, the ingestion waits at `put`: that is back
//!   pressure, and memory stays bounded. Nobody else on the loop waits.
//! - The stage knows nothing of the loop: no `async`, no callback. It blocks in `get`, on a thread where
//!   that harms nobody, and it may take as long as it likes.
//! - It ends because its `get` says that there is nothing more: the ingestion has dropped its end. So
//!   does whoever reads the findings. Nobody sends a sentinel.
//! - Within the stage nobody can see work half done: no lock is needed *there*. But where a task
//!   reads, awaits and then writes, another may have written in between, in asyncio as here. (The
//!   slides say "safe without locks": only between two awaits.)
//!
//! Run it: `cargo run --release --example lecture_35_ingest [SENSORS …]`; without numbers: 10, 100
//! and 10,000. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example lecture_35_ingest 2`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio, statistics, time
//!
//! async def read(sensor):
//!     await asyncio.sleep(0.1)
//!     return sensor % 10
//!
//! def stage(batch):
//!     return statistics.fmean(batch)
//!
//! async def ingest(sensors, queue):
//!     for cycle in range(3):
//!         begin = time.monotonic()
//!         batch = await asyncio.gather(*(read(sensor) for sensor in range(sensors)))
//!         print(sensors, "sensors:", round(time.monotonic() - begin, 3), "s")
//!         await queue.put(batch)
//!     await queue.put(None)
//!
//! async def consume(queue):                     # asyncio has no bridge: a task hands over each batch
//!     while (batch := await queue.get()) is not None:
//!         print(await asyncio.to_thread(stage, batch))
//!
//! async def main():
//!     for sensors in (10, 100, 10_000):
//!         queue = asyncio.Queue(maxsize=2)
//!         await asyncio.gather(ingest(sensors, queue), consume(queue))
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::process::ExitCode;
use std::thread::{self, ThreadId};
use std::time::Duration;

use lone::bridge::{self, ThreadGet, ThreadPut};
use lone::time::Instant;
use lone::{gather, sleep, spawn, to_thread};

const ANSWER: Duration = Duration::from_millis(100);
const CYCLES: usize = 3;
const PLACES: usize = 2;

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// One for each number of sensors.
    pub runs: Vec<Run>,
}

/// How it went with so many sensors.
#[derive(Debug)]
pub struct Run {
    /// How many.
    pub sensors: usize,
    /// How long each cycle took, from the first question to the last answer.
    pub cycles: Vec<Duration>,
    /// How many readings the stage has seen.
    pub processed: usize,
    /// What the stage has found, as it came back to the loop: one for each cycle.
    pub findings: Vec<Finding>,
    /// The thread of the stage.
    pub stage_ran_on: ThreadId,
}

/// What the stage makes of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The mean of all readings.
    pub mean: f64,
    /// The sensor that is furthest from it.
    pub furthest: usize,
}

struct Reading {
    sensor: usize,
    value: f64,
}

async fn read(sensor: usize) -> Reading {
    sleep(ANSWER).await;
    let value = (sensor % 10) as f64;
    Reading { sensor, value }
}

/// The mean, and the sensor that is furthest from it.
fn evaluate(batch: &[Reading]) -> Finding {
    let mean = batch.iter().map(|reading| reading.value).sum::<f64>() / batch.len() as f64;
    let distance = |reading: &Reading| (reading.value - mean).abs();
    let furthest = batch.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
    Finding { mean, furthest: furthest.map(|reading| reading.sensor).unwrap_or_default() }
}

/// The synchronous stage: it knows nothing of the loop. Returns how many readings it has seen, and
/// where it ran.
fn stage(batches: &ThreadGet<Vec<Reading>>, findings: &ThreadPut<Finding>) -> (usize, ThreadId) {
    let mut processed = 0;
    while let Ok(batch) = batches.get() {
        processed += batch.len();
        if findings.put(evaluate(&batch)).is_err() {
            break; // nobody reads them any more
        }
    }
    (processed, thread::current().id())
}

/// A few cycles with so many sensors.
pub async fn ingest(sensors: usize) -> Run {
    let (batches, to_stage) = bridge::from_loop::<Vec<Reading>>(PLACES);
    let (from_stage, found) = bridge::to_loop::<Finding>(PLACES);
    let stage = to_thread(move || stage(&to_stage, &from_stage));
    let reader = spawn(async move {
        let mut findings = Vec::new();
        while let Some(finding) = found.next().await {
            let Finding { mean, furthest } = finding;
            println!("    stage: mean {mean:.2}, furthest from it sensor {furthest}");
            findings.push(finding);
        }
        findings
    })
    .named("reader");

    let mut cycles = Vec::new();
    for cycle in 1..=CYCLES {
        let begin = Instant::now();
        let batch = gather((0..sensors).map(read)).await;
        let took = begin.elapsed();
        println!("  {sensors} sensors, cycle {cycle}: {:.1} ms", took.as_secs_f64() * 1e3);
        cycles.push(took);
        batches.put(batch).await.expect("the stage takes all that it is given");
    }
    drop(batches); // the stage gets what is left, and ends
    let (processed, stage_ran_on) = stage.await.expect("it does not panic");
    let findings = reader.await.expect("it neither panics nor is cancelled");
    Run { sensors, cycles, processed, findings, stage_ran_on }
}

/// 10, 100 and 10,000 sensors.
pub async fn program() -> Outcome {
    with_sensors(&[10, 100, 10_000]).await
}

/// One run after the other, with so many sensors each.
async fn with_sensors(counts: &[usize]) -> Outcome {
    let mut runs = Vec::new();
    for &sensors in counts {
        runs.push(ingest(sensors).await);
    }
    Outcome { runs }
}

/// Runs the program on a loop of its own, with the numbers from the command line.
pub fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let counts: Result<Vec<usize>, _> =
        std::env::args().skip(1).map(|count| count.parse()).collect();
    match counts {
        Ok(counts) if counts.is_empty() => drop(lone::run(program())),
        Ok(counts) if !counts.contains(&0) => drop(lone::run(with_sensors(&counts))),
        _ => {
            eprintln!("usage: lecture_35_ingest [SENSORS …]   each a whole number above 0");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
