//! How does a task wait for the first of several tasks, and for the end of the rest?
//!
//! ```text
//!   racing ── the first has ended ──► the others are cancelled ──► draining ── all have ended ──► Won
//! ```
//!
//! Invariants:
//! - **Nobody outlives the race**: when it returns, all tasks have ended; dropped before, it has
//!   cancelled them, and the scope around awaits their ends.
//! - **Taken at the end**: outcomes stay with their tasks until all have ended. So a race that is
//!   dropped half way loses no panic: it is reported as that of any task that nobody joins.
//!
//! Cost: a child slot a task; four allocations in all, none a task.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::children::Children;
use lone_executor::{JoinError, JoinHandle, Reason, budget, trace};

/// Waits for the first of these tasks to end, cancels the others and waits for their ends, too.
///
/// The first to *end* wins, however it has ended: also one that panics, or that somebody else cancels.
/// Of those that have ended before the call the first listed wins. A loser that has ended by itself
/// before its cancel took effect keeps its outcome. Nothing of that is lost: all is in [`Won`], the
/// losers' values, panics and what failed of their cleanups (in
/// [`Cancelled::cleanup_errors`](lone_executor::Cancelled::cleanup_errors)).
///
/// It owns the tasks; when it returns, none of them runs any more, and all have cleaned up. Futures
/// race without tasks in [`race`](crate::race()), whose losers clean up afterwards.
///
/// asyncio: `wait(…, return_when=FIRST_COMPLETED)`, `cancel()` of the rest and `gather` of what is
/// left of them.
///
/// # Errors
///
/// None of its own: that of the winner is its [`outcome`](Won::outcome).
///
/// # Panics
///
/// Called: if there is no task, for that could never end.
///
/// Polled: if no loop is running on this thread, and after it has returned.
///
/// # Cancellation
///
/// Loses data: dropped, before its first poll or half way, it cancels all tasks, and the scope around
/// awaits their ends. Their values are lost; panics are reported, and what fails of their cleanups is
/// told by that scope.
///
/// # Fairness
///
/// Tasks are fair among themselves. Each completed race is one operation of the budget.
///
/// # Cost
///
/// A few allocations in all, and about 25 ns a task, beside the tasks themselves.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// async fn ask(region: &'static str, millis: u64) -> &'static str {
///     let asked = async {
///         lone::sleep(Duration::from_millis(millis)).await;
///         region
///     };
///     lone::finally(asked, async { lone::yield_now().await /* say goodbye */ }).await
/// }
///
/// lone::run(async {
///     let tasks = [("eu", 30), ("us", 1), ("asia", 20)].map(|(region, ms)| lone::spawn(ask(region, ms)));
///     let won = lone::race_tasks(tasks).because("another region was faster").await;
///     assert_eq!((won.index, won.outcome.expect("it ends well")), (1, "us"));
///     for (_, loser) in won.losers {
///         let error = loser.expect_err("it was cancelled, and has said goodbye");
///         assert_eq!(error.to_string(), "cancelled: another region was faster");
///     }
/// });
/// ```
#[track_caller]
pub fn race_tasks<T: 'static>(tasks: impl IntoIterator<Item = JoinHandle<T>>) -> RaceTasks<T> {
    let tasks: Vec<_> = tasks.into_iter().collect();
    assert!(
        !tasks.is_empty(),
        "a race without tasks could never end: give it the handle of one task at least"
    );
    RaceTasks {
        children: Children::new(tasks.len()),
        ended: vec![false; tasks.len()],
        left: tasks.len(),
        tasks,
        winner: None,
        why: Reason::from("another task has won the race"),
        site: Location::caller(),
    }
}

/// What a [`race_tasks`] returns: how each task has ended.
#[derive(Debug)]
pub struct Won<T> {
    /// Which task has ended first: its place in the order in which they were given.
    pub index: usize,
    /// How it has ended.
    pub outcome: Result<T, JoinError>,
    /// The others, by place, in argument order: [`JoinError::Cancelled`] as a rule.
    pub losers: Vec<(usize, Result<T, JoinError>)>,
}

/// The future of [`race_tasks`].
#[must_use = "dropping it cancels the tasks: await it"]
pub struct RaceTasks<T: 'static> {
    children: Children,
    /// Empty once it has returned.
    tasks: Vec<JoinHandle<T>>,
    /// Who has been seen to have ended.
    ended: Vec<bool>,
    left: usize,
    winner: Option<usize>,
    why: Reason,
    site: &'static Location<'static>,
}

impl<T> RaceTasks<T> {
    /// The reason that the losers are given; without it, "another task has won the race".
    pub fn because(mut self, why: impl Into<Reason>) -> RaceTasks<T> {
        self.why = why.into();
        self
    }

    /// Asks those that were woken whether they have ended.
    fn ask(&mut self, cx: &Context<'_>) {
        let mut batch = self.children.batch(cx);
        while let Some(child) = batch.next() {
            let index = child.index();
            // One that has ended already: the slots are new, for the race has moved to another root.
            let ended = self.ended[index]
                || batch.poll(&child, |cx| self.tasks[index].poll_finished(cx)).is_ready();
            if ended {
                batch.end(child);
                if !std::mem::replace(&mut self.ended[index], true) {
                    self.left -= 1;
                    self.winner.get_or_insert(index);
                }
            }
        }
    }

    /// All outcomes, when all have ended.
    fn won(&mut self, index: usize) -> Won<T> {
        self.children = Children::new(0);
        let tasks = std::mem::take(&mut self.tasks).into_iter();
        let outcomes = tasks.map(|mut task| task.try_join().unwrap_or(Err(JoinError::Taken)));
        let mut losers: Vec<_> = outcomes.enumerate().collect();
        let (index, outcome) = losers.remove(index);
        Won { index, outcome, losers }
    }
}

impl<T> Future for RaceTasks<T> {
    type Output = Won<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Won<T>> {
        let this = self.get_mut();
        assert!(
            !this.tasks.is_empty(),
            "a race_tasks was polled after it had returned: await it once"
        );
        ready!(budget::take(cx));
        let raced = this.winner.is_some();
        this.ask(cx);
        if !raced && this.winner.is_some() {
            this.tasks.iter().for_each(|task| {
                task.cancel(this.why.clone());
            });
        }
        match this.winner {
            Some(index) if this.left == 0 => Poll::Ready(this.won(index)),
            _ => {
                budget::give_back();
                trace::awaits("race_tasks", this.site);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for RaceTasks<T> {
    fn drop(&mut self) {
        for task in self.tasks.drain(..) {
            task.cancel("its race was dropped");
            drop(task.cancel_on_drop());
        }
    }
}

impl<T> fmt::Debug for RaceTasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaceTasks")
            .field("winner", &self.winner)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
