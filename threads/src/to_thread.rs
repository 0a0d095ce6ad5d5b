//! How does a task wait for a job on a thread? Through a future that knows whether it has begun.
//!
//! ```text
//!   dropped: still queued ──► taken out, never runs
//!            running ──┬────► it runs on by itself; its flag is set            (as a rule)
//!                      └────► its end is a cleanup of the scope around         (do_not_abandon)
//! ```

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use lone_executor::cleanup::{BoxError, adopt};
use lone_executor::{JoinError, budget, is_running, trace};

use crate::job::{Mailbox, Promise, Work};
use crate::pool::{Pool, Ticket};

/// Runs `job` on a thread of the loop's pool: for what blocks, or computes for long.
///
/// The job is handed over here, in this call, not at the first poll; so several run side by side,
/// each beginning as soon as a thread is free, in the order of the calls. The loop goes on meanwhile.
/// Threads are started when they are needed, up to a limit (`Builder::threads`), and end when they have
/// been idle for a while.
///
/// The closure cannot borrow from the task: the future may be dropped while it runs, and nothing can
/// stop a thread. The task itself need not be `Send`.
///
/// To reach the loop from within, move a [`Remote`](lone_executor::Remote) in, and wait for what it
/// spawns, or use a [`bridge`](crate::bridge). For jobs of a kind that must not take all threads, hold
/// a permit of a semaphore meanwhile: see the second example.
///
/// As long as a job is queued or runs, no deadlock is reported, and a virtual clock does not jump by
/// itself: except while the job itself waits for the loop, at a bridge or for a `Remote`'s spawn.
///
/// asyncio: `to_thread`, and `run_in_executor` in that it begins with the call.
///
/// # Errors
///
/// Awaited, it gives [`JoinError::Panicked`] where the job has panicked, [`JoinError::LoopClosed`] if the
/// loop ended before it began, and [`JoinError::NoThread`] if the system refuses even a first thread.
///
/// # Panics
///
/// If no loop is running on this thread.
///
/// # Cancellation
///
/// Dropped before the job has begun, the future takes it back: it never runs. Dropped while it runs,
/// the job runs on, for a thread cannot be stopped; what it returns is dropped over there, and a
/// panic is reported. It may ask [`is_job_cancelled`](crate::is_job_cancelled) and return early. To have
/// the scope around wait for its end instead, say [`do_not_abandon`](ToThread::do_not_abandon).
///
/// # Cost
///
/// About 10 us where it is awaited at once, most of it for the switch to the thread and back; 2 to 4 us
/// where many are handed over.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let text = lone::to_thread(|| std::fs::read_to_string("Cargo.toml")).await;
///     let text = text.expect("it does not panic").expect("the file is there");
///     assert!(text.contains("[package]"));
/// });
/// ```
///
/// Two at a time, whatever the pool allows:
///
/// ```
/// lone::run(async {
///     let disk = lone::Semaphore::new(2);
///     let jobs = (0..8).map(async |n: u64| {
///         let _permit = disk.acquire().await;
///         lone::to_thread(move || n * n).await.expect("it does not panic")
///     });
///     assert_eq!(lone::gather(jobs).await.iter().sum::<u64>(), 140);
/// });
/// ```
#[track_caller]
pub fn to_thread<F, T>(job: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    assert!(
        is_running(),
        "to_thread() was called where no loop is running on this thread: call it inside \
         lone::run(async {{ … }}); on a thread of your own you may block by yourself"
    );
    let mailbox = Mailbox::new();
    let promise = Promise(mailbox.clone());
    let work = Box::new(Work { closure: job, promise, site });
    let ticket = Pool::submit(work, mailbox.clone(), Arc::new(AtomicBool::new(false)), site);
    ToThread { mailbox, ticket, adopt: None, site }
}

/// The future of [`to_thread`]: the job's outcome, once.
#[must_use = "dropping it takes the job back, or leaves it to itself: `.await` it"]
pub struct ToThread<T> {
    mailbox: Arc<Mailbox<T>>,
    /// `None`: it never got in, its outcome was taken, or a cleanup waits for it.
    ticket: Option<Ticket>,
    /// What hands the wait for its end to the scope around.
    adopt: Option<fn(ToThread<T>)>,
    site: &'static Location<'static>,
}

/// Nothing in it is pinned.
impl<T> Unpin for ToThread<T> {}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<ToThread<std::cell::Cell<()>>>();
};

impl<T> ToThread<T> {
    /// Dropped while the job runs, the future has the scope around wait for its end: a cancelled
    /// task, a timeout or a group reports when the job has ended, as for any cleanup.
    ///
    /// Its value is dropped then; a panic is told among the errors of the scope's cleanups. A job that
    /// has not begun is taken back all the same. The job can find out, by
    /// [`is_job_cancelled`](crate::is_job_cancelled).
    ///
    /// trio: how `to_thread.run_sync` behaves without `abandon_on_cancel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::time::Duration;
    ///
    /// lone::run(async {
    ///     let written = Arc::new(AtomicBool::new(false));
    ///     let job = lone::to_thread({
    ///         let written = written.clone();
    ///         move || {
    ///             std::thread::sleep(Duration::from_millis(20)); // half a file is worse than none
    ///             written.store(true, Ordering::SeqCst);
    ///         }
    ///     });
    ///     let saved = lone::timeout(Duration::from_millis(5), job.do_not_abandon()).await;
    ///     // In time or too late: unless it never began, it has ended.
    ///     assert!(saved.is_ok() || written.load(Ordering::SeqCst));
    /// });
    /// ```
    pub fn do_not_abandon(mut self) -> ToThread<T>
    where
        T: 'static,
    {
        self.adopt = Some(|job| adopt(await_end(job)));
        self
    }

    /// Whether the outcome is there, or was taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.mailbox.is_full()
    }
}

/// The cleanup: what becomes of a job that its future did not wait for.
async fn await_end<T>(job: ToThread<T>) -> Result<(), BoxError> {
    match job.await {
        Err(JoinError::Panicked(panic)) => Err(Box::new(panic)),
        _ => Ok(()),
    }
}

impl<T> Future for ToThread<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        match self.mailbox.poll(cx) {
            Poll::Ready(outcome) => {
                self.ticket = None;
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                budget::give_back();
                trace::awaits("a job on a thread", self.site);
                if let Some(ticket) = &self.ticket {
                    ticket.say_if_starved();
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for ToThread<T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        self.mailbox.forget_waker();
        if self.mailbox.is_full() || ticket.remove() {
            return;
        }
        ticket.cancel();
        if let Some(adopt) = self.adopt {
            let (mailbox, site) = (self.mailbox.clone(), self.site);
            adopt(ToThread { mailbox, ticket: Some(ticket), adopt: None, site });
        }
    }
}

impl<T> fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToThread")
            .field("finished", &self.is_finished())
            .field("given_at", &self.site.to_string())
            .finish_non_exhaustive()
    }
}
