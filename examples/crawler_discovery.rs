//! A crawler that discovers its pages: workers on a queue which they fill themselves, until all is done.
//!
//! Nobody knows how many pages there are: each names others, in circles. Four workers take pages from
//! the frontier, a `Queue`, and put in what they find. The crawl is over when the frontier is empty *and*
//! no worker has a page in hand, for that one may find more: this is what `join` waits for, and
//! `task_done` says.
//!
//! Two scenes:
//! 1. **To the end**: `join` returns, `shutdown` sends the workers home.
//! 2. **Out of time**: after 25 ms no page is begun any more. `shutdown_now` gives the pages that nobody
//!    has taken; the workers end the pages that they have in hand, and what these name is refused.
//!    Nothing is lost: what was seen was fetched, has failed, or is left.
//!
//! What to look for:
//! - The frontier is unbounded. In a bounded one all workers could wait for room in it at the same
//!   time, and nobody would be left to make it: lone would report that as a deadlock.
//! - `task_done` comes after the links were put in: the other way round `join` could return in between.
//! - A page that fails is done as well. Without that `join` would wait for ever.
//! - No worker is cancelled, and none polls: each ends when its `get` says that the queue is shut down.
//!
//! Run it: `cargo run --example crawler_discovery`. As the loop sees it:
//! `RUST_LOG=lone=trace cargo run --features trace --example crawler_discovery`.
//!
//! The same in asyncio (3.13, for `shutdown`):
//!
//! ```python
//! import asyncio
//!
//! async def worker(frontier, seen):
//!     while True:
//!         try:
//!             page = await frontier.get()
//!         except asyncio.QueueShutDown:
//!             return
//!         try:
//!             for link in await fetch(page):
//!                 if link not in seen:
//!                     seen.add(link)
//!                     frontier.put_nowait(link)
//!         except OSError as error:
//!             print(page, error)
//!         finally:
//!             frontier.task_done()
//!
//! async def main():
//!     frontier, seen = asyncio.Queue(), {"/"}
//!     frontier.put_nowait("/")
//!     async with asyncio.TaskGroup() as group:
//!         for _ in range(4):
//!             group.create_task(worker(frontier, seen))
//!         try:
//!             await asyncio.wait_for(frontier.join(), 0.025)
//!         except TimeoutError:
//!             pass
//!         frontier.shutdown(immediate=True)           # what is left is lost here
//! ```
#![expect(clippy::print_stdout, reason = "a lecture program tells what it does")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::time::Duration;

use lone::time::Instant;
use lone::{Queue, gather, join, sleep, timeout};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Path = &'static str;

/// The site: which page names which. `/old` is named, and is not there.
const SITE: [(Path, &[Path]); 11] = [
    ("/", &["/news", "/shop", "/about"]),
    ("/news", &["/", "/news/1", "/news/2", "/news/3"]),
    ("/news/1", &["/news", "/news/2"]),
    ("/news/2", &["/news", "/news/3"]),
    ("/news/3", &["/news", "/old"]),
    ("/shop", &["/", "/shop/tea", "/shop/cups"]),
    ("/shop/tea", &["/shop", "/shop/tea/green"]),
    ("/shop/tea/green", &["/shop/tea", "/about"]),
    ("/shop/cups", &["/shop"]),
    ("/about", &["/", "/contact"]),
    ("/contact", &["/about"]),
];
const WORKERS: usize = 4;
/// How long a fetch takes.
const FETCH: Duration = ms(10);
/// When the second scene has had enough.
const ENOUGH: Duration = ms(25);

/// What was measured of a scene.
#[derive(Debug)]
pub struct Scene {
    /// What was fetched, in that order.
    pub fetched: Vec<Path>,
    /// What is not there.
    pub failed: Vec<Path>,
    /// What was seen, and never begun.
    pub left: Vec<Path>,
    /// How many pages were seen.
    pub seen: usize,
    /// How many each worker has fetched.
    pub by_worker: Vec<usize>,
    /// When the last worker has gone home.
    pub took: Duration,
}

/// Both scenes.
#[derive(Debug)]
pub struct Outcome {
    /// The one that goes to the end.
    pub whole: Scene,
    /// The one that runs out of time.
    pub stopped: Scene,
}

/// What the workers share.
struct Crawl {
    begin: Instant,
    frontier: Queue<Path>,
    seen: RefCell<HashSet<Path>>,
    fetched: RefCell<Vec<Path>>,
    failed: RefCell<Vec<Path>>,
    /// What was found too late.
    refused: RefCell<Vec<Path>>,
}

impl Crawl {
    /// Prints what has happened, and when.
    fn say(&self, what: impl Display) {
        println!("{:6.1} ms  {what}", self.begin.elapsed().as_secs_f64() * 1e3);
    }

    /// Puts a page into the frontier, the first time that it is seen.
    fn discover(&self, page: Path) {
        if self.seen.borrow_mut().insert(page)
            && let Err(error) = self.frontier.try_put(page)
        {
            self.say(format_args!("  {page}: {error}"));
            self.refused.borrow_mut().push(page);
        }
    }
}

/// What a page names; `None`: it is not there.
async fn fetch(page: Path) -> Option<&'static [Path]> {
    sleep(FETCH).await;
    SITE.iter().find(|(path, _)| *path == page).map(|(_, links)| *links)
}

/// Works until the frontier is shut down; returns how many pages it has fetched.
async fn worker(crawl: &Crawl, number: usize) -> usize {
    let mut fetched = 0;
    while let Ok(page) = crawl.frontier.get().await {
        match fetch(page).await {
            Some(links) => {
                crawl.say(format_args!("  worker {number}: {page}, {} links", links.len()));
                crawl.fetched.borrow_mut().push(page);
                fetched += 1;
                for link in links {
                    crawl.discover(link);
                }
            }
            None => {
                crawl.say(format_args!("  worker {number}: {page} is not there"));
                crawl.failed.borrow_mut().push(page);
            }
        }
        // After the links: as long as this page is not done, `join` waits.
        crawl.frontier.task_done().expect("once for each page");
    }
    fetched
}

/// One crawl, which begins no page any more after `limit`.
async fn scene(limit: Duration) -> Scene {
    let crawl = Crawl {
        begin: Instant::now(),
        frontier: Queue::unbounded(),
        seen: RefCell::default(),
        fetched: RefCell::default(),
        failed: RefCell::default(),
        refused: RefCell::default(),
    };
    crawl.discover("/");
    let work = gather((1..=WORKERS).map(|number| worker(&crawl, number)));
    let watch = async {
        if timeout(limit, crawl.frontier.join()).await.is_err() {
            crawl.say("out of time: the pages in hand are the last ones");
        }
        crawl.frontier.shutdown_now()
    };
    let (by_worker, mut left) = join!(work, watch);
    left.append(&mut crawl.refused.borrow_mut());
    let took = crawl.begin.elapsed();
    crawl.say(format_args!("all have gone home; {} pages are left: {left:?}", left.len()));
    let Crawl { seen, fetched, failed, .. } = crawl;
    let (fetched, failed) = (fetched.into_inner(), failed.into_inner());
    Scene { fetched, failed, left, seen: seen.into_inner().len(), by_worker, took }
}

/// Both scenes, one after the other.
pub async fn program() -> Outcome {
    println!("1. to the end");
    let whole = scene(Duration::MAX).await;
    println!("2. out of time after {ENOUGH:?}");
    let stopped = scene(ENOUGH).await;
    Outcome { whole, stopped }
}

/// Runs the program on a loop of its own.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    lone::run(program());
}
