//! What becomes of a cleanup that has to await, when its future is dropped? Somebody adopts it.
//!
//! ```text
//!   a future is dropped ── adopt(cleanup) ──► loose ── the innermost scope around takes what is new
//!                                                     │
//!     scope (timeout, group, …), task, main ◄─────────┘
//!        │  a queue of its own; the first cleanup starts a runner: a task `cleanup of …`
//!        ▼
//!     runner ── one after the other ──► the queue is empty ── wake ──► only now the scope reports
//! ```
//!
//! A destructor cannot await. So what has to be awaited is handed over as a future, and whoever was
//! polling or dropping the future that it came from waits for it, whoever dropped it: a timeout of
//! ours, a `select!` of another crate, a cancel.
//!
//! Invariants:
//! - **The innermost scope adopts.** Scopes poll and drop within one another on one stack; each
//!   takes what is loose beyond what was when it began ([`Adopter::run`]). What nobody took
//!   belongs to the task or main that was polled, or to the loop.
//! - **One after the other**, in the order in which they were dropped, which is innermost first.
//!   A scope that is dropped hands its queue on as one entry; the queues of a group's children are
//!   one entry that runs side by side.
//! - **It goes on by itself.** A runner is a task: a scope that is kept but not polled, or dropped
//!   half way, does not stop it, and no cancel reaches it; only the end of the loop's grace does.
//! - **No error is lost**: a cleanup that fails or panics is told by the scope that adopted it.
//! - **No cleanup is lost silently**: where no loop runs that could run it, or its loop has ended,
//!   it is dropped, and that is said.
//!
//! Cost: a scope that adopts nothing compares a count twice a poll; a task or main once. A cleanup
//! costs its box, and the first of a scope a task.

mod adopters;
mod errors;
mod runner;

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use log::Level;

use crate::core::Phase;
use crate::inbox::Item;
use crate::panicked::Panic;
use crate::registry::{self, LoopNumber};
use crate::report;
use crate::waker::running;

pub(crate) use adopters::Adopters;
pub use errors::{BoxError, CleanupErrors};

/// What waits to be run.
pub(crate) enum Entry {
    Cleanup(Pin<Box<dyn Future<Output = Result<(), BoxError>>>>),
    /// Queues of scopes that were dropped: all are started, and all are awaited.
    Queues(Vec<Key>),
}

/// Where a queue is. Plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    number: LoopNumber,
    index: u32,
    /// Which one, for ever: the index is used again.
    seq: u64,
}

/// Hands over a cleanup: the scope around whatever is being polled or dropped now awaits it.
///
/// For destructors of futures and guards that have to await something. Most want
/// `using` or `finally`, which are made of it.
///
/// Where no loop runs on this thread, or its tasks have been given up, the cleanup is dropped
/// unrun: its destructors are all that happens, and that is said once through the log.
///
/// # Examples
///
/// ```
/// struct Farewell;
///
/// impl Drop for Farewell {
///     fn drop(&mut self) {
///         lone::adopt(async {
///             lone::yield_now().await;
///             println!("said after an await, before the task counts as ended");
///             Ok(())
///         });
///     }
/// }
///
/// lone::run(async {
///     let task = lone::spawn(async {
///         let _farewell = Farewell;
///         std::future::pending::<()>().await;
///     });
///     lone::yield_now().await;
///     task.cancel("enough");
///     assert!(task.await.is_err());
/// });
/// ```
pub fn adopt<F>(cleanup: F)
where
    F: Future<Output = Result<(), BoxError>> + 'static,
{
    if let Some(entry) = try_adopt(cleanup) {
        refuse(entry);
    }
}

/// As [`adopt`], for what may as well go unawaited.
pub(crate) fn adopt_if_possible<F>(cleanup: F)
where
    F: Future<Output = Result<(), BoxError>> + 'static,
{
    drop(try_adopt(cleanup));
}

/// Returns what nobody can run.
fn try_adopt<F>(cleanup: F) -> Option<Entry>
where
    F: Future<Output = Result<(), BoxError>> + 'static,
{
    let mut entry = Some(Entry::Cleanup(Box::pin(cleanup)));
    hand_over(&mut entry);
    entry
}

/// Makes `entry` loose, and takes it, if the loop that runs here can still run it.
fn hand_over(entry: &mut Option<Entry>) {
    let _running = running(|core| {
        if core.phase.get() != Phase::Closed
            && let Some(entry) = entry.take()
        {
            core.adopters.hand_over(entry);
        }
    });
}

/// Drops what nobody can run.
#[cold]
fn refuse(entry: Entry) {
    report::say(
        Level::Warn,
        "lone::cleanup",
        "a cleanup is dropped unrun, for no loop runs here any more that could await it",
    );
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(entry))) {
        let whose = "a cleanup that was dropped unrun".to_owned();
        report::unread_panic(&Panic::new(whose, payload));
    }
}

/// What makes a future a scope: it takes the cleanups that are handed over within, and says when
/// they have run. Plain data.
///
/// For those who build scopes; everybody else has timeouts, groups and `Scope`. A scope polls and
/// drops its body within [`Adopter::run`], and reports only when [`Adopter::poll_empty`] is ready.
/// It keeps the adopter in a field *before* its body: dropped, it hands on what has not run
/// before its body's destructors hand over more.
///
/// # Cancellation
///
/// Dropped before it is empty, it hands its queue on, as one entry, to the scope around; what had
/// begun goes on where it was.
#[derive(Debug, Default)]
pub struct Adopter {
    home: Option<Key>,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Adopter>();
};

impl Adopter {
    /// An adopter that has nothing to do.
    #[must_use]
    pub const fn new() -> Adopter {
        Adopter { home: None }
    }

    /// Runs `f`, takes the cleanups that it hands over, and starts them. A panic passes through.
    ///
    /// `what` and `site` name the scope in reports: "a timeout", and the line on which it was made.
    #[inline]
    pub fn run<R>(
        &mut self,
        what: &'static str,
        site: &'static Location<'static>,
        f: impl FnOnce() -> R,
    ) -> R {
        let _taking = Taking { mark: loose(), adopter: self, what, site, start: true };
        f()
    }

    /// As [`Adopter::run`], but they begin only when they are handed on or awaited; for a scope that is
    /// being dropped.
    pub fn collect<R>(
        &mut self,
        what: &'static str,
        site: &'static Location<'static>,
        f: impl FnOnce() -> R,
    ) -> R {
        let _taking = Taking { mark: loose(), adopter: self, what, site, start: false };
        f()
    }

    /// Hands on what these have not run, to be run side by side, as one entry.
    pub fn hand_on(adopters: impl IntoIterator<Item = Adopter>) {
        let queues: Vec<Key> =
            adopters.into_iter().filter_map(|mut adopter| adopter.home.take()).collect();
        hand_on(queues);
    }

    /// Whether it has taken nothing, or nothing since [`Adopter::poll_empty`] was ready.
    #[inline]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.home.is_none()
    }

    /// Ready when all that it took has run; with what failed of it.
    ///
    /// # Panics
    ///
    /// Where the loop that it took them on is not the one that runs on this thread.
    pub fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<CleanupErrors> {
        let Some(key) = self.home else {
            return Poll::Ready(CleanupErrors::default());
        };
        let core = running(|core| (core.number() == key.number).then(|| core.to_rc())).flatten();
        let Some(core) = core else {
            panic!(
                "a scope was polled outside of the loop on which its cleanups run: await it there"
            );
        };
        let polled = core.poll_adopter(key, cx);
        if polled.is_ready() {
            self.home = None;
        }
        polled
    }
}

impl Drop for Adopter {
    #[inline]
    fn drop(&mut self) {
        if let Some(key) = self.home.take() {
            hand_on(vec![key]);
        }
    }
}

/// Hands queues on to the scope around, or, from elsewhere, to their loop.
#[cold]
fn hand_on(queues: Vec<Key>) {
    let Some(number) = queues.first().map(|key| key.number) else { return };
    let here = running(|core| core.number() == number) == Some(true);
    if here {
        let mut entry = Some(Entry::Queues(queues));
        hand_over(&mut entry);
        // A loop that is closed has given its queues up already.
    } else if let Some(inbox) = registry::by_number(number) {
        for Key { index, seq, .. } in queues {
            // A loop that has ended has no queues left.
            let _ = inbox.push(Item::ReleaseAdopter { index, seq });
        }
    }
}

/// How many cleanups are loose on the loop that runs here.
#[inline]
pub(crate) fn loose() -> usize {
    running(|core| core.adopters.loose()).unwrap_or(0)
}

/// While it lives a scope polls or drops its body. Its end is also that of a panic.
struct Taking<'a> {
    adopter: &'a mut Adopter,
    mark: usize,
    what: &'static str,
    site: &'static Location<'static>,
    start: bool,
}

impl Taking<'_> {
    #[cold]
    fn take(&mut self) {
        let Taking { adopter, mark, what, site, start } = self;
        // A scope that has moved to another loop leaves there what it has adopted there.
        let elsewhere =
            adopter.home.take_if(|home| running(|core| core.number()) != Some(home.number));
        hand_on(elsewhere.into_iter().collect());
        let _running = running(|core| {
            if adopter.home.is_some_and(|home| home.number != core.number()) {
                // The scope has moved to this loop: the other one goes on with what it had there.
                hand_on(adopter.home.take().into_iter().collect());
            }
            let key = core.adopters.take_loose(*mark, core.number(), adopter.home, || {
                (format!("cleanup of {what} at {site}"), *site)
            });
            adopter.home = Some(key);
            if *start {
                core.start_adopter(key);
            }
        });
    }
}

impl Drop for Taking<'_> {
    #[inline]
    fn drop(&mut self) {
        if loose() > self.mark {
            self.take();
        }
    }
}
