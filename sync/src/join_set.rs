//! How does a task own others, and take their outcomes as they end? They are in a set.
//!
//! ```text
//!   JoinSet ─┬─ running   [ H ][ - ][ H ]   handles by child; a place is used again
//!            ├─ ended     [ H ][ H ]        in the order in which their tasks ended
//!            └─ children  a slot each       whom a task wakes when it ends (executor)
//! ```
//!
//! Invariants:
//! - **Joined from the start**: a handle is asked when it comes in, so that the slots know the order
//!   in which the tasks end, also while nobody awaits the set.
//! - **Taken when given**: an outcome stays in its task until it is returned; what is dropped half
//!   way has taken none, and a panic that nobody reads is reported.
//! - **Cancelled when dropped**: all are asked before the end of one is awaited, by the scope around.
//!
//! Cost: a task that ends costs the same in a set of one and in one of 100,000; room for the most
//! tasks that were in the set at once.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::children::{Batch, Children};
use lone_executor::{JoinError, JoinHandle, Reason, TaskId, budget, is_running, spawn, trace};

/// What a task has come to, and which one it was.
type Outcome<T> = (TaskId, Result<T, JoinError>);

/// Tasks that belong together: started any time, joined in the order in which they end, and
/// cancelled when the set is dropped.
///
/// A task that panics is no failure of the set: its outcome says so, and the others go on.
///
/// asyncio: a `set()` of tasks with `add_done_callback(tasks.discard)`; but nothing is lost when the
/// set goes.
///
/// # Cancellation
///
/// Dropping it cancels its tasks, and the scope around (a task, a timeout, a group) awaits their
/// ends, as with [`JoinHandle::cancel_on_drop`]. [`JoinSet::shutdown`] does so here and now, and gives
/// the outcomes.
///
/// # Cost
///
/// About 75 ns a task above those of a spawn and a join; no allocation once warm.
///
/// # Examples
///
/// ```
/// use lone::JoinSet;
///
/// lone::run(async {
///     let mut set = JoinSet::new();
///     for yields in [2, 0, 1] {
///         set.spawn(async move {
///             for _ in 0..yields {
///                 lone::yield_now().await;
///             }
///             yields
///         });
///     }
///     set.insert(lone::spawn(std::future::pending()).named("endless"));
///     for expected in 0..3 {
///         let (_id, outcome) = set.join_next().await.expect("the set is not empty");
///         assert!(matches!(outcome, Ok(yields) if yields == expected));
///     }
///     let rest = set.shutdown("the example is over").await;
///     assert!(matches!(&rest[..], [(_, Err(error))] if error.is_cancelled()));
/// });
/// ```
pub struct JoinSet<T: 'static> {
    children: Children,
    /// By child; `None`: the place is free.
    running: Vec<Option<JoinHandle<T>>>,
    ended: VecDeque<JoinHandle<T>>,
    len: usize,
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> JoinSet<T> {
        JoinSet { children: Children::new(0), running: Vec::new(), ended: VecDeque::new(), len: 0 }
    }

    /// How many tasks are in it, with those that have ended and whose outcomes were not yet taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no task is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Spawns a task into the set; returns its number.
    ///
    /// # Panics
    ///
    /// As [`spawn`](lone_executor::spawn).
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> TaskId
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(spawn(future))
    }

    /// Puts a task into the set that has been spawned, and named, say; returns its number.
    ///
    /// One that has ended already counts as ended now.
    pub fn insert(&mut self, handle: JoinHandle<T>) -> TaskId {
        let id = handle.id();
        self.len += 1;
        if is_running() {
            // *Joined from the start*. Those that have ended meanwhile come before this one.
            let mut batch = self.children.unwatched();
            collect(&mut batch, &mut self.running, &mut self.ended);
            let child = batch.add();
            let place = put(&mut self.running, child.index(), handle);
            if batch.poll(&child, |cx| poll_handle(place, cx)).is_ready() {
                self.ended.extend(place.take());
                batch.end(child);
            }
        } else {
            put(&mut self.running, self.children.insert(), handle);
        }
        id
    }

    /// Waits for the next task to end and gives its outcome; `None` if the set is empty.
    ///
    /// In the order in which the tasks have ended. Those that do while another task, or none, polls
    /// the set keep that order, too, as long as the one that last did is alive; else they come in the
    /// order in which they are kept.
    ///
    /// # Errors
    ///
    /// In the outcome: why the task has no output.
    ///
    /// # Panics
    ///
    /// Polled: if no loop is running on this thread.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, nothing is lost, and no task is cancelled.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext { set: self, site: Location::caller() }
    }

    /// The outcome of a task that has ended: never waits. `None`: there is none.
    pub fn try_join_next(&mut self) -> Option<Outcome<T>> {
        if is_running() {
            collect(&mut self.children.unwatched(), &mut self.running, &mut self.ended);
        } else {
            // Nobody can be polled here; who has ended can be seen all the same.
            let over =
                |place: &Option<JoinHandle<T>>| place.as_ref().is_some_and(JoinHandle::is_finished);
            self.ended.extend(
                self.running.iter_mut().filter_map(
                    |place| {
                        if over(place) { place.take() } else { None }
                    },
                ),
            );
        }
        self.take_ended()
    }

    /// Asks all tasks that have not ended to stop; returns how many. They stay in the set: join them.
    ///
    /// asyncio: `for task in tasks: task.cancel()`.
    pub fn cancel_all(&self, why: impl Into<Reason>) -> usize {
        let why = why.into();
        self.running.iter().flatten().filter(|handle| handle.cancel(why.clone())).count()
    }

    /// Waits until all have ended; gives their outcomes in the order in which they did.
    ///
    /// # Errors
    ///
    /// None of its own: those of the tasks are in the list.
    ///
    /// # Panics
    ///
    /// Polled: if no loop is running on this thread.
    ///
    /// # Cancellation
    ///
    /// Strict: dropped half way, all outcomes are still in the set.
    #[track_caller]
    pub fn join_all(&mut self) -> JoinAll<'_, T> {
        JoinAll { set: self, why: None, site: Location::caller() }
    }

    /// Asks all to stop and waits until they have; gives their outcomes, the cancelled ones'
    /// included, in the order in which they ended. They are asked at the first poll.
    ///
    /// asyncio: `task.cancel()` for all, then `gather(*tasks, return_exceptions=True)`.
    ///
    /// # Errors
    ///
    /// As [`JoinSet::join_all`].
    ///
    /// # Panics
    ///
    /// As [`JoinSet::join_all`].
    ///
    /// # Cancellation
    ///
    /// As [`JoinSet::join_all`]; the tasks stay cancelled.
    #[track_caller]
    pub fn shutdown(&mut self, why: impl Into<Reason>) -> JoinAll<'_, T> {
        JoinAll { set: self, why: Some(why.into()), site: Location::caller() }
    }

    /// Takes in who has ended.
    fn poll_ended(&mut self, cx: &Context<'_>) {
        collect(&mut self.children.batch(cx), &mut self.running, &mut self.ended);
    }

    fn take_ended(&mut self) -> Option<Outcome<T>> {
        let mut handle = self.ended.pop_front()?;
        self.len -= 1;
        let outcome = handle.try_join();
        Some((handle.id(), outcome.unwrap_or_else(|| unreachable!("its task has ended"))))
    }
}

/// Moves the handles of those that were woken and have ended to `ended`.
fn collect<T>(
    batch: &mut Batch<'_>,
    running: &mut [Option<JoinHandle<T>>],
    ended: &mut VecDeque<JoinHandle<T>>,
) {
    while let Some(child) = batch.next() {
        let place = &mut running[child.index()];
        if batch.poll(&child, |cx| poll_handle(place, cx)).is_ready() {
            ended.extend(place.take());
            batch.end(child);
        }
    }
}

/// Ready also where there is none: the slots are new ones, and all of them count as woken.
fn poll_handle<T>(place: &mut Option<JoinHandle<T>>, cx: &mut Context<'_>) -> Poll<()> {
    place.as_mut().map_or(Poll::Ready(()), |handle| handle.poll_finished(cx))
}

fn put<T>(
    running: &mut Vec<Option<JoinHandle<T>>>,
    place: usize,
    handle: JoinHandle<T>,
) -> &mut Option<JoinHandle<T>> {
    if place == running.len() {
        running.push(None);
    }
    running[place] = Some(handle);
    &mut running[place]
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T: 'static> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.cancel_all("its JoinSet was dropped");
        for handle in self.running.drain(..).flatten() {
            // Whoever is around awaits its end.
            drop(handle.cancel_on_drop());
        }
    }
}

impl<T: 'static> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running: Vec<TaskId> = self.running.iter().flatten().map(JoinHandle::id).collect();
        f.debug_struct("JoinSet")
            .field("running", &running)
            .field("ended", &(self.len - running.len()))
            .finish_non_exhaustive()
    }
}

/// The future of [`JoinSet::join_next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinNext<'a, T: 'static> {
    set: &'a mut JoinSet<T>,
    site: &'static Location<'static>,
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Outcome<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<T>>> {
        let JoinNext { set, site } = self.get_mut();
        if set.is_empty() {
            return Poll::Ready(None);
        }
        ready!(budget::take(cx));
        set.poll_ended(cx);
        if let Some(outcome) = set.take_ended() {
            return Poll::Ready(Some(outcome));
        }
        budget::give_back();
        trace::awaits("join_next", site);
        Poll::Pending
    }
}

/// The future of [`JoinSet::join_all`] and [`JoinSet::shutdown`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinAll<'a, T: 'static> {
    set: &'a mut JoinSet<T>,
    /// Why they shall stop; `None`: they need not, or they have been asked.
    why: Option<Reason>,
    site: &'static Location<'static>,
}

impl<T: 'static> Future for JoinAll<'_, T> {
    type Output = Vec<Outcome<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<Outcome<T>>> {
        let JoinAll { set, why, site } = self.get_mut();
        if let Some(why) = why.take() {
            set.cancel_all(why);
        }
        if !set.is_empty() {
            ready!(budget::take(cx));
            set.poll_ended(cx);
            if set.ended.len() < set.len {
                budget::give_back();
                trace::awaits("join_all", site);
                return Poll::Pending;
            }
        }
        Poll::Ready(std::iter::from_fn(|| set.take_ended()).collect())
    }
}
