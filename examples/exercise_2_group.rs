//! Exercise 2: three downloads in one group, and one of them fails.
//!
//! The page takes 0.3 s, the font 0.2 s; the image fails after 0.1 s. Then the group stops the other two
//! *where they wait*, they clean up *with awaits* (0.05 s and 0.02 s, side by side), and only then the
//! group's error is there to be printed: at 0.15 s, with nobody left.
//!
//! 1. **One group**: three children, one error.
//! 2. **A group within a group**: the gallery is a group of its own. What fails there stops the gallery,
//!    is passed on by `?`, and is a branch of the outer group's error.
//!
//! What to look for:
//! - The children borrow `downloads`: no `Rc`, no `clone`. They may, for the group ends before it does.
//! - Nobody catches the cancel: a child's future is dropped at its `.await`. What has to be done then is
//!   said beforehand: `using` for a thing that has to be closed, `finally` for any code.
//! - A destructor could not await. A cleanup can, and the group waits for it.
//! - The error is a tree. `iter` walks its leaves, `split` divides it as `except*` does.
//!
//! Run it: `cargo run --example exercise_2_group`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example exercise_2_group`.
//!
//! The same in asyncio:
//!
//! ```python
//! import asyncio
//!
//! async def download(name, seconds, clean_up, fails=False):
//!     try:
//!         await asyncio.sleep(seconds)
//!         if fails:
//!             raise OSError(f"{name}: the connection was reset")
//!     except asyncio.CancelledError:
//!         await asyncio.sleep(clean_up)       # remove the file that is there by half
//!         raise
//!
//! async def main():
//!     try:
//!         async with asyncio.TaskGroup() as group:
//!             group.create_task(download("page", 0.3, 0.05))
//!             group.create_task(download("image", 0.1, 0.01, fails=True))
//!             group.create_task(download("font", 0.2, 0.02))
//!     except* OSError as errors:
//!         for error in errors.exceptions:
//!             print(error)
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "a program for a course tells what it does")]

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use lone::time::Instant;
use lone::{AsyncClose, Failure, GroupError, TaskGroup, finally, sleep, using};

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// What the downloads have done, in order, and when.
    pub happened: Vec<(Duration, String)>,
    /// When the group's error was there.
    pub failed_after: Duration,
    /// The error, as it is printed.
    pub error: String,
    /// The same of the group with a group in it.
    pub nested_failed_after: Duration,
    /// Its error, as it is printed.
    pub nested_error: String,
    /// And its leaves.
    pub nested_leaves: Vec<String>,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All that the downloads share. They borrow it.
struct Downloads {
    begin: Instant,
    happened: RefCell<Vec<(Duration, String)>>,
}

impl Downloads {
    fn new() -> Downloads {
        Downloads { begin: Instant::now(), happened: RefCell::default() }
    }

    fn say(&self, what: impl Display) {
        say(self.begin, &what);
        // The borrow ends before anybody awaits: a guard held over an `.await` would panic elsewhere.
        self.happened.borrow_mut().push((self.begin.elapsed(), what.to_string()));
    }
}

/// Prints what has happened, and when.
fn say(begin: Instant, what: impl Display) {
    println!("{:6.2} s  {what}", begin.elapsed().as_secs_f64());
}

/// A file that is there by half. It has to be removed, and that takes a while.
struct HalfAFile {
    name: &'static str,
    removing: Duration,
    begin: Instant,
}

impl AsyncClose for HalfAFile {
    type Error = io::Error;

    // It owns what it needs: it may outlive the download, which was dropped, and what that borrowed.
    async fn close(self) -> io::Result<()> {
        sleep(self.removing).await;
        say(self.begin, format_args!("    {}: the temporary file is removed", self.name));
        Ok(())
    }
}

/// A download: it waits, and has a temporary file meanwhile.
async fn download(
    downloads: &Downloads,
    name: &'static str,
    takes: Duration,
    removing: Duration,
) -> io::Result<()> {
    downloads.say(format_args!("  {name}: begins"));
    let file = HalfAFile { name, removing, begin: downloads.begin };
    // However the body ends, also where it is dropped at its await: the file is closed after it.
    using(file, async |_file| {
        sleep(takes).await;
        downloads.say(format_args!("  {name}: is complete"));
    })
    .await
    .map_err(|failed| failed.error)
}

/// A download whose connection breaks.
async fn broken(downloads: &Downloads, name: &'static str, after: Duration) -> io::Result<()> {
    downloads.say(format_args!("  {name}: begins"));
    sleep(after).await;
    downloads.say(format_args!("  {name}: the connection breaks"));
    Err(io::Error::other(format!("{name}: the connection was reset")))
}

/// One group, three children.
async fn one_group(downloads: &Downloads) -> Result<(), GroupError<io::Error>> {
    TaskGroup::run(async |group| {
        drop(group.spawn(download(downloads, "page", ms(300), ms(50))));
        drop(group.spawn(broken(downloads, "image", ms(100))));
        // The same with `finally`: any code that awaits, run in any case.
        let begin = downloads.begin;
        let goodbye = async move {
            sleep(ms(20)).await;
            say(begin, "    font: has said goodbye to the server");
        };
        drop(group.spawn(finally(download(downloads, "font", ms(200), ms(0)), goodbye)));
        // The body ends here; the group waits for its children.
        Ok::<_, io::Error>(())
    })
    .await
    .map(drop)
}

/// A group, and in it a gallery that is one as well.
async fn a_group_within(downloads: &Downloads) -> Result<(), GroupError<io::Error>> {
    TaskGroup::run(async |group| {
        drop(group.spawn(download(downloads, "page", ms(300), ms(50))));
        // It fails with a tree of its own: `?` passes that on as a branch.
        drop(group.spawn(async {
            gallery(downloads).await?;
            Ok::<_, GroupError<io::Error>>(())
        }));
        Ok::<_, io::Error>(())
    })
    .await
    .map(drop)
}

async fn gallery(downloads: &Downloads) -> Result<(), GroupError<io::Error>> {
    TaskGroup::run(async |group| {
        drop(group.spawn(download(downloads, "image 1", ms(200), ms(30))));
        // Two break at the same moment: both are in the error.
        drop(group.spawn(broken(downloads, "image 2", ms(100))));
        drop(group.spawn(broken(downloads, "image 3", ms(100))));
        Ok::<_, io::Error>(())
    })
    .await
    .map(drop)
}

/// Both, one after the other.
pub async fn program() -> Outcome {
    let downloads = Downloads::new();
    downloads.say("1. one group");
    let error = one_group(&downloads).await.expect_err("one of them breaks");
    // Whoever reads this knows: all children have ended, their cleanups included.
    let failed_after = downloads.begin.elapsed();
    downloads.say(format_args!("the group has ended: {error}"));
    let happened = downloads.happened.take();

    let downloads = Downloads::new();
    downloads.say("2. a group within a group");
    let nested = a_group_within(&downloads).await.expect_err("two of them break");
    let nested_failed_after = downloads.begin.elapsed();
    downloads.say(format_args!("the outer group has ended: {nested}"));
    let nested_leaves = nested.iter().map(ToString::to_string).collect();
    let nested_error = nested.to_string();

    // As `except* OSError`: those that one can deal with, and the rest, which would be passed on.
    let (resets, rest) = nested
        .split(|leaf| matches!(leaf, Failure::Error(error) if error.to_string().contains("reset")));
    let to_repeat = resets.map_or(0, |resets| resets.iter().count());
    downloads.say(format_args!("to be repeated: {to_repeat}; others: {}", rest.is_some()));

    Outcome {
        happened,
        failed_after,
        error: error.to_string(),
        nested_failed_after,
        nested_error,
        nested_leaves,
    }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
