//! Exercise 4: work that blocks, beside a task that ticks.
//!
//! A heart beats every 20 ms. Beside it three files are read from a disk that is slow: 100 ms each, in
//! calls that block. Done in a task, each call stops the loop, and the heart with it; done by
//! `to_thread` all three take as long as one, and the heart goes on.
//!
//! What to look for:
//! - `async` does not make a blocking call harmless: what has no `.await` inside cannot be waited *beside*.
//!   `std::thread::sleep`, `std::fs`, a long loop: all of them keep the thread, and the loop needs it.
//! - `to_thread(f)` begins with the call. Three calls and one `gather` run side by side.
//! - A timeout ends the *wait* for a job, not the job: nothing can stop a thread. The job may ask
//!   whether anybody still wants it, and stop by itself.
//! - `do_not_abandon` has the timeout wait for the job's end: for what must not be left half done.
//!
//! To try: give the pool one thread (`lone::Builder::new().threads(1)`). How long do the three files
//! take then, and why does the heart not mind?
//!
//! Run it: `cargo run --example exercise_4_to_thread`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio, pathlib, time
//!
//! def read(path):
//!     time.sleep(0.1)
//!     return len(pathlib.Path(path).read_bytes())
//!
//! async def heart():
//!     while True:
//!         await asyncio.sleep(0.02)
//!         print("beat")
//!
//! async def main():
//!     beating = asyncio.create_task(heart())
//!     for path in paths:
//!         read(path)                                                    # no beat
//!     await asyncio.gather(*(asyncio.to_thread(read, p) for p in paths))  # beats
//!     beating.cancel()
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "an exercise tells what it does")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use lone::{gather, is_job_cancelled, sleep, spawn, timeout, to_thread};

const BEAT: Duration = Duration::from_millis(20);
const DISK: Duration = Duration::from_millis(100);

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    /// How often the heart has beaten while a task read the files.
    pub beats_in_task: usize,
    /// How often while threads did.
    pub beats_beside_threads: usize,
    /// How many bytes the files have, read in the task and on threads.
    pub bytes: [usize; 2],
    /// How many pieces of work a job has done after nobody wanted it any more.
    pub pieces_after_timeout: usize,
    /// Whether the file was left half written when the timeout around its writing reported.
    pub half_written: bool,
}

/// Reads a file from a slow disk, and blocks its thread meanwhile.
fn read(path: &Path) -> io::Result<usize> {
    thread::sleep(DISK);
    Ok(fs::read(path)?.len())
}

/// Writes a file in two parts, as slowly.
fn write(path: &Path) -> io::Result<()> {
    fs::write(path, "half")?;
    thread::sleep(DISK);
    fs::write(path, "half and half")
}

/// Works piece by piece, until all is done or nobody wants it any more; counts the latter.
fn work_until_nobody_wants_it(pieces_too_many: &AtomicUsize) {
    for _ in 0..1000 {
        if is_job_cancelled() {
            return;
        }
        thread::sleep(Duration::from_millis(1)); // a piece of work
        if is_job_cancelled() {
            pieces_too_many.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The files that are read: sources of this program.
fn files() -> [PathBuf; 3] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["Cargo.toml", "../Cargo.toml", "../README.md"].map(|file| here.join(file))
}

/// A task that beats, and counts.
fn heart() -> (lone::JoinHandle<()>, Rc<Cell<usize>>) {
    let beats = Rc::new(Cell::new(0));
    let count = beats.clone();
    let task = spawn(async move {
        loop {
            sleep(BEAT).await;
            count.set(count.get() + 1);
        }
    });
    (task.named("heart"), beats)
}

/// The whole exercise.
pub async fn program() -> io::Result<Outcome> {
    let (heart, beats) = heart();

    let begin = Instant::now();
    let mut in_task = 0;
    for path in files() {
        in_task += read(&path)?;
    }
    let beats_in_task = beats.take();
    tell("in a task", begin, beats_in_task);

    let begin = Instant::now();
    let jobs = files().map(|path| to_thread(move || read(&path)));
    let mut on_threads = 0;
    for read in gather(jobs).await {
        on_threads += read??;
    }
    let beats_beside_threads = beats.take();
    tell("on threads", begin, beats_beside_threads);
    heart.cancel("seen enough of it");

    let pieces = Arc::new(AtomicUsize::new(0));
    let too_many = pieces.clone();
    let endless = to_thread(move || work_until_nobody_wants_it(&too_many));
    if timeout(BEAT, endless).await.is_err() {
        println!("  a job was given up after {BEAT:?}, and will notice");
    }

    let path = std::env::temp_dir().join(format!("lone-exercise-4-{}", std::process::id()));
    let file = path.clone();
    let written = to_thread(move || write(&file)).do_not_abandon();
    if timeout(BEAT, written).await.is_err() {
        println!("  a file was given up after {BEAT:?}, and is not left half written");
    }
    // Whole, or not there at all: a job that had not begun in time was taken back.
    let half_written = fs::read(&path).is_ok_and(|file| file != b"half and half");
    let _ = fs::remove_file(&path);

    // By now the job that was given up has had time for a hundred pieces.
    let pieces_after_timeout = pieces.load(Ordering::SeqCst);
    let bytes = [in_task, on_threads];
    Ok(Outcome { beats_in_task, beats_beside_threads, bytes, pieces_after_timeout, half_written })
}

fn tell(how: &str, begin: Instant, beats: usize) {
    let took = begin.elapsed().as_secs_f64() * 1e3;
    println!("  three files {how}: {took:.0} ms, {beats} beats meanwhile");
}

/// Runs the exercise on a loop of its own.
pub fn main() -> io::Result<()> {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program()).map(drop)
}
