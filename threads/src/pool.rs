//! Which thread runs a job, and when does it end? The pool of a loop: as many as are needed, up to a
//! limit, and none without need.
//!
//! ```text
//!   submit ──► queue (first come, first served) ──► a thread takes the first ──► running ──► outcome
//!                │ more queued than threads without a job, and below the limit: one thread more
//!                └ its future is dropped: taken out, and never runs
//!   a thread: takes a job │ waits for one, `idle` at most │ ends
//! ```
//!
//! Invariants:
//! - **One lock, one owner**: a job is in the queue, or with the one who took it out: a thread that
//!   runs it, its future that drops it, or the end of the loop. So it runs once or never.
//! - **Nobody waits beside an idle thread**: `threads - running` of them will look into the queue; if
//!   fewer than are queued, and there may be more, one is started.
//! - **No user code under the lock**: jobs are run and dropped after it.
//! - **Told, then gone**: a job leaves `running`, wakes its awaiter, and is no longer in flight, in
//!   this order.
//!
//! Cost: nothing until the first job of a loop. A job: two locks here, one in its mailbox, two in the
//! loop's inbox, three allocations; the switch of threads is what takes its time.

mod starved;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lone_executor::report::{self, Level};
use lone_executor::{Attached, InFlight, Panic, attached, find_attached};

use crate::job::{Job, Nudge, with_flag};
use crate::settings::{PoolStatistics, Settings};
use starved::Starved;

/// The threads of one loop. Most need not name it: [`to_thread`](crate::to_thread()) makes it.
///
/// It ends with its loop: jobs that are queued are dropped, those that run are waited for, for the
/// grace at most; then they are named, and left alone.
pub struct Pool {
    shared: Arc<Shared>,
}

/// How the pool of the loop that runs on this thread stands; `None` where there is none: it is made for the
/// first job, or with the loop where the builder sets anything about it, as debug mode does.
///
/// # Examples
///
/// ```
/// lone::Builder::new().threads(2).run(async {
///     lone::to_thread(|| ()).await.expect("it does not panic");
///     let pool = lone::pool_statistics().expect("there is one by now");
///     assert_eq!((pool.limit, pool.threads, pool.queued), (2, 1, 0));
/// });
/// ```
#[must_use]
pub fn pool_statistics() -> Option<PoolStatistics> {
    find_attached::<Pool>().map(|pool| pool.statistics())
}

/// What is known of a job beside its closure.
struct Entry {
    job: Box<dyn Job>,
    mailbox: Arc<dyn Nudge>,
    cancelled: Arc<AtomicBool>,
    site: &'static Location<'static>,
    /// It is to be said that it waits for a thread, or that was said.
    starved: Starved,
    /// Dropped last.
    in_flight: InFlight,
}

/// What is known of a job that runs.
struct Running {
    cancelled: Arc<AtomicBool>,
    site: &'static Location<'static>,
    thread: String,
    since: Instant,
}

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// There is a job, or there will be none any more.
    news: Condvar,
    /// The last thread has ended.
    deserted: Condvar,
    /// There is nothing to watch over any more.
    unwatched: Condvar,
}

#[derive(Default)]
struct State {
    /// By the order of their coming: the first is the next.
    queue: BTreeMap<u64, Entry>,
    running: BTreeMap<u64, Running>,
    threads: usize,
    threads_made: u64,
    jobs_made: u64,
    /// A watch is kept over the queue.
    watched: bool,
    stopped: bool,
}

impl Pool {
    /// A pool without threads: they come with the jobs.
    #[must_use]
    pub fn new(mut settings: Settings) -> Pool {
        settings.threads = settings.threads.max(1);
        Pool {
            shared: Arc::new(Shared {
                settings,
                state: Mutex::new(State::default()),
                news: Condvar::new(),
                deserted: Condvar::new(),
                unwatched: Condvar::new(),
            }),
        }
    }

    /// How it stands.
    #[must_use]
    pub fn statistics(&self) -> PoolStatistics {
        let state = self.shared.lock();
        PoolStatistics {
            limit: self.shared.settings.threads,
            threads: state.threads,
            running: state.running.len(),
            queued: state.queue.len(),
        }
    }

    /// Gives a job to the pool of the loop that runs on this thread. `None`: the loop has ended, and
    /// the job was dropped.
    #[track_caller]
    pub(crate) fn submit(
        job: Box<dyn Job>,
        mailbox: Arc<dyn Nudge>,
        cancelled: Arc<AtomicBool>,
        site: &'static Location<'static>,
    ) -> Option<Ticket> {
        let pool = attached(|| Pool::new(Settings::default()))?;
        let in_flight = InFlight::new()?;
        let starved = Starved::Not;
        let entry = Entry { job, mailbox, cancelled: cancelled.clone(), site, starved, in_flight };
        let shared = pool.shared.clone();
        let mut state = shared.lock();
        state.jobs_made += 1;
        let id = state.jobs_made;
        state.queue.insert(id, entry);
        let without_job = state.threads - state.running.len();
        let one_more = state.queue.len() > without_job && state.threads < shared.settings.threads;
        state.threads += usize::from(one_more);
        state.threads_made += u64::from(one_more);
        let number = state.threads_made;
        let watch = shared.needs_watch(&mut state);
        drop(state);
        if let Some(after) = watch {
            shared.start_watch(after);
        }
        if one_more {
            shared.start_thread(number, id);
        } else if without_job > 0 {
            shared.news.notify_one();
        }
        Some(Ticket { shared, id, cancelled })
    }
}

impl Shared {
    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that is counted already, for the job `id` above all.
    fn start_thread(self: &Arc<Shared>, number: u64, id: u64) {
        let name = format!("lone-thread-{number}");
        let builder = thread::Builder::new().name(name.clone());
        let shared = self.clone();
        if let Err(error) = builder.spawn(move || shared.work(&name)) {
            self.has_no_thread(id, error);
        }
    }

    /// The system has refused a thread: the others will take the job, if there are any.
    #[cold]
    fn has_no_thread(&self, id: u64, error: io::Error) {
        let mut state = self.lock();
        state.threads -= 1;
        let entry = if state.threads == 0 { state.queue.remove(&id) } else { None };
        drop(state);
        if let Some(Entry { job, mailbox, in_flight, .. }) = entry {
            drop(mailbox);
            job.refuse(error);
            drop(in_flight);
        }
    }

    /// The life of a thread.
    fn work(&self, name: &str) {
        let mut idle_since = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some((id, entry)) = state.queue.pop_first() {
                let Entry { ref cancelled, site, .. } = entry;
                let (cancelled, thread) = (cancelled.clone(), name.to_owned());
                let running = Running { cancelled, site, thread, since: Instant::now() };
                state.running.insert(id, running);
                drop(state);
                self.run(id, entry);
                idle_since = Instant::now();
                state = self.lock();
                continue;
            }
            let left = self.settings.idle.saturating_sub(idle_since.elapsed());
            if state.stopped || left.is_zero() {
                break;
            }
            let waited = self.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.threads -= 1;
        if state.threads == 0 {
            self.deserted.notify_all();
        }
    }

    /// Runs one job, on its thread.
    fn run(&self, id: u64, entry: Entry) {
        let Entry { job, mailbox, cancelled, in_flight, .. } = entry;
        // Nobody is nudged any more. Its job has the mailbox, too, so this is not the last owner.
        drop(mailbox);
        // What the closure panics with is its outcome. Here it is the destructor of a value that
        // nobody wants.
        let ran =
            in_flight.run(|| with_flag(cancelled, || catch_unwind(AssertUnwindSafe(|| job.run()))));
        self.lock().running.remove(&id);
        let woken = ran.and_then(|waker| {
            catch_unwind(AssertUnwindSafe(|| {
                if let Some(waker) = waker {
                    waker.wake();
                }
            }))
        });
        if let Err(payload) = woken {
            let whose = "a value that a job on a thread has left, or a waker that is not ours";
            report::unread_panic(&Panic::new(whose.to_owned(), payload));
        }
        drop(in_flight);
    }
}

impl Attached for Pool {
    /// Drops what is queued, waits for what runs, and names what has not ended within the grace.
    fn loop_has_ended(&self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        let queue = std::mem::take(&mut state.queue);
        for running in state.running.values() {
            running.cancelled.store(true, Ordering::Release);
        }
        drop(state);
        self.shared.news.notify_all();
        self.shared.unwatched.notify_all();
        for entry in queue.into_values() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(entry))) {
                let whose = "a job that was dropped unrun".to_owned();
                report::unread_panic(&Panic::new(whose, payload));
            }
        }
        let stubborn = self.shared.wait_for_threads();
        for Running { site, thread, since, .. } in stubborn {
            let message = format!(
                "a job given to a thread at {site} has been running for {:.1} s on `{thread}`, and has \
                 not ended within the grace: it is left to itself",
                since.elapsed().as_secs_f64()
            );
            report::say(Level::Warn, "lone::threads", &message);
        }
    }
}

impl Shared {
    /// Waits for the end of all threads, for the grace at most; returns what still runs.
    fn wait_for_threads(&self) -> Vec<Running> {
        let begin = Instant::now();
        let mut state = self.lock();
        while state.threads > 0 {
            let left = self.settings.grace.map(|grace| grace.saturating_sub(begin.elapsed()));
            state = match left {
                Some(Duration::ZERO) => break,
                None => self.deserted.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.deserted.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        std::mem::take(&mut state.running).into_values().collect()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.statistics().fmt(f)
    }
}

/// A job that was given to a pool, as its future knows it.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    id: u64,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// Takes the job out of the queue, and drops it. `false`: it has begun, or is over.
    pub(crate) fn remove(&self) -> bool {
        let entry = self.shared.lock().queue.remove(&self.id);
        // Here the lock has been let go.
        entry.is_some()
    }

    /// Nobody wants it any more: it can find out.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }
}
