//! Who is there now, and who waits for whom? A program asks, and its loop answers within the turn.
//!
//! ```text
//!   snapshot().await ──► a request ──► the batch ends ──► everybody is asked ──► the answer, a wake
//! ```
//!
//! Invariants:
//! - **Nobody is polled out of turn**: who is ready is not asked, and shows as ready.
//! - **One asking a turn**, however many want to know.
//!
//! Cost: who takes none pays the test of a flag a turn; who takes one, an extra poll of everybody who
//! waits.

mod tree;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::everybody::{Everybody, Waiting};
use crate::kept_waker::KeptWaker;
use crate::task_id::TaskId;
use crate::trace;
use crate::waker::running;

pub use tree::Tree;

/// What those wait for who take a snapshot.
pub(crate) const ITSELF: &str = "this snapshot";

/// Asks everybody in this loop what they wait for, at the end of the batch that runs.
///
/// Whoever waits is polled once more, which is harmless, and says it: as for the report of a deadlock.
/// Who is ready is not polled out of turn. The caller is in the list, too.
///
/// From another thread, or on a signal: `remote.spawn(|| lone::snapshot())`, with a
/// [`Remote`](crate::Remote) of the loop, also while every task waits.
///
/// asyncio: `capture_call_graph`, and `python -m asyncio ps` and `pstree`.
///
/// # Panics
///
/// Polled: if no loop is running on this thread.
///
/// # Cancellation
///
/// Strict.
///
/// # Cost
///
/// An extra poll of everybody who waits.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let event = std::rc::Rc::new(lone::Event::new());
///     let waited = event.clone();
///     let inner = lone::spawn(async move { waited.wait().await }).named("inner");
///     let outer = lone::spawn(async move { inner.await }).named("outer");
///     lone::yield_now().await;
///     let snapshot = lone::snapshot().await;
///     assert_eq!(snapshot.everybody().len(), 3, "main and two tasks");
///     assert!(snapshot.to_string().contains("the end of Task-1 `inner`"));
///     event.set();
///     outer.await.expect("it ends well").expect("it ends well");
/// });
/// ```
///
/// From outside:
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let remote = lone::remote();
///     let thread = std::thread::spawn(move || {
///         let asked = remote.spawn(|| lone::snapshot()).expect("the loop lives");
///         asked.wait().expect("it neither panics nor is cancelled").to_string()
///     });
///     while !thread.is_finished() {
///         lone::sleep(Duration::from_millis(1)).await;
///     }
///     assert!(thread.join().expect("it ends well").contains("takes this snapshot"));
/// });
/// ```
#[track_caller]
pub fn snapshot() -> TakeSnapshot {
    TakeSnapshot { request: None, site: Location::caller() }
}

/// The future of [`snapshot()`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeSnapshot {
    /// `None`: it was not polled yet.
    request: Option<Rc<Request>>,
    site: &'static Location<'static>,
}

impl Future for TakeSnapshot {
    type Output = Snapshot;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Snapshot> {
        let request = self.request.get_or_insert_with(|| {
            let asked = running(|core| {
                core.attention.set(true);
                core.requests.push()
            });
            let Some(request) = asked else {
                panic!(
                    "a snapshot was polled where no loop is running on this thread: await it inside \
                     lone::run(async {{ … }})"
                );
            };
            request
        });
        if let Some(answer) = request.answer.take() {
            self.request = None;
            return Poll::Ready(answer);
        }
        let before = request.waker.replace(KeptWaker::new(cx.waker()));
        drop(before);
        trace::awaits(ITSELF, self.site);
        Poll::Pending
    }
}

impl fmt::Debug for TakeSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeSnapshot").field("asked", &self.request.is_some()).finish()
    }
}

/// Somebody wants to know.
pub(crate) struct Request {
    answer: Cell<Option<Snapshot>>,
    waker: Cell<KeptWaker>,
}

/// Those who want to know, in one loop.
#[derive(Default)]
pub(crate) struct Requests(RefCell<Vec<Rc<Request>>>);

impl Requests {
    fn push(&self) -> Rc<Request> {
        let request = Rc::new(Request { answer: Cell::default(), waker: Cell::default() });
        self.0.borrow_mut().push(request.clone());
        request
    }

    /// Takes those whose futures are there still.
    pub(crate) fn take(&self) -> Vec<Rc<Request>> {
        let mut requests = self.0.take();
        // Those who have gone leave a waker behind, which is dropped here: no borrow is held.
        requests.retain(|request| Rc::strong_count(request) > 1);
        requests
    }

    /// Puts back what could not be answered.
    pub(crate) fn put_back(&self, requests: Vec<Rc<Request>>) {
        self.0.borrow_mut().extend(requests);
    }
}

impl Request {
    pub(crate) fn answer(&self, snapshot: Snapshot) {
        self.answer.set(Some(snapshot));
        self.waker.take().wake_in_the_loop();
    }
}

/// Who there was in a loop at one moment, and what each of them waited for.
///
/// Printed it is a table, like that of `ps`, and below it a tree of who waits for whom, like that of
/// `pstree`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) everybody: Everybody,
    turn: u64,
}

impl Snapshot {
    pub(crate) fn new(everybody: Everybody, turn: u64) -> Snapshot {
        Snapshot { everybody, turn }
    }

    /// Main, if the loop has one, and then the unfinished tasks in the order of their numbers.
    #[must_use]
    pub fn everybody(&self) -> &[Waiting] {
        self.everybody.list()
    }

    /// At the end of which turn of the loop it was taken.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Those who wait for this task, or for main (`None`).
    pub fn awaiting(&self, who: impl Into<Option<TaskId>>) -> impl Iterator<Item = &Waiting> {
        let place = self.everybody.find(who.into());
        let awaits_it = move |waiting: &&Waiting| {
            let mut awaits = waiting.awaits.iter();
            place.is_some() && awaits.any(|awaited| self.everybody.would_let_go(awaited) == place)
        };
        self.everybody().iter().filter(awaits_it)
    }

    /// The first cycle of those who await one another, if there is one.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<&Waiting>> {
        self.everybody.cycle()
    }

    /// Prints who waits for whom, as `pstree` would.
    ///
    /// At the top are those whom nobody awaits. One who is awaited by several is under each of them,
    /// those below it under the first only; one who awaits itself in the end is marked as a cycle.
    #[must_use]
    pub fn tree(&self) -> Tree<'_> {
        Tree::new(self)
    }

    /// A line for each: who, where it was spawned, what it waits for.
    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |waiting: &Waiting| self.everybody.name(waiting.task);
        let spawned =
            |waiting: &Waiting| waiting.spawned.map_or("-".to_owned(), ToString::to_string);
        let width = |column: &dyn Fn(&Waiting) -> String, head: &str| {
            let widths = self.everybody().iter().map(|waiting| column(waiting).chars().count());
            widths.max().unwrap_or(0).max(head.len())
        };
        let (first, second) = (width(&who, "task"), width(&spawned, "spawned at"));
        write!(f, "\n  {:first$}  {:second$}  state", "task", "spawned at")?;
        for waiting in self.everybody() {
            write!(f, "\n  {:first$}  {:second$}  ", who(waiting), spawned(waiting))?;
            if waiting.cancelled {
                f.write_str("is being cancelled, ")?;
            }
            self.everybody.write_awaits(f, waiting)?;
        }
        Ok(())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.everybody().iter().filter(|waiting| waiting.task.is_some()).count();
        let ready = self.everybody().iter().filter(|waiting| waiting.ready).count();
        write!(f, "turn {}: {tasks} unfinished tasks; {ready} of all are ready", self.turn)?;
        self.write_table(f)?;
        f.write_str("\nwho waits for whom:")?;
        self.tree().fmt(f)?;
        self.everybody.write_cycle(f)
    }
}
