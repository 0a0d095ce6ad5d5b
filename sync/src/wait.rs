//! How does a task watch several others, and go on when the first of them, or all, have ended?
//!
//! ```text
//!   Wait ─┬─ handles    [ H ][ - ][ H ][ - ]   by member; those that have ended are in `done`
//!         ├─ done       [ 3 ][ 1 ]             in the order in which they ended
//!         └─ children   a slot each            whom a task wakes when it ends
//! ```
//!
//! Invariants:
//! - **Watching changes nothing**: no outcome is taken, and a task that is watched no more runs on.
//! - **Asked only when woken**: a handle is asked at the first poll and when its task has ended.
//! - **Done is whole**: `done` holds every handle whose task has ended when the wait returns.
//!
//! Cost: linear in the handles for each wait, not for each wake.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lone_executor::children::Children;
use lone_executor::{JoinError, JoinHandle, budget, trace};
use lone_reactor::time::Alarm;

/// When a [`wait`] returns.
///
/// asyncio: the constants of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When a task has ended, however it has.
    FirstCompleted,
    /// When a task has *failed*, or all have ended.
    ///
    /// A task has failed if it panicked, or if its loop would not have it any more
    /// ([`JoinError::Panicked`], [`JoinError::LoopClosed`]). A task that was cancelled has not. One
    /// that returned an `Err` has only if [`Wait::counting_errors`] says so; one whose outcome was
    /// taken before is not known to have.
    FirstException,
    /// When all have ended, however they have.
    AllCompleted,
}

/// What a [`wait`] returns: the handles that it was given, sorted by how their tasks stand.
#[derive(Debug)]
pub struct Waited<H> {
    /// Those whose tasks have ended, in the order in which they did; those that had ended before
    /// the wait come first, in argument order. The outcomes are still in them.
    pub done: Vec<H>,
    /// The others, in argument order. Their tasks go on.
    pub pending: Vec<H>,
}

/// A handle, owned or borrowed: what [`wait`] and [`cancel_all`](crate::cancel_all()) take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the handle of a task",
    label = "only handles can be waited for",
    note = "spawn the future and give its `JoinHandle`, or use `gather` or `race`"
)]
pub trait Joinable:
    Future<Output = Result<Self::Value, JoinError>> + Unpin + sealed::Sealed
{
    /// What the task returns.
    type Value;

    /// The handle.
    #[doc(hidden)]
    fn handle(&self) -> &JoinHandle<Self::Value>;

    /// The handle, to be polled.
    #[doc(hidden)]
    fn handle_mut(&mut self) -> &mut JoinHandle<Self::Value>;
}

impl<T> Joinable for JoinHandle<T> {
    type Value = T;

    fn handle(&self) -> &JoinHandle<T> {
        self
    }

    fn handle_mut(&mut self) -> &mut JoinHandle<T> {
        self
    }
}

impl<T> Joinable for &mut JoinHandle<T> {
    type Value = T;

    fn handle(&self) -> &JoinHandle<T> {
        self
    }

    fn handle_mut(&mut self) -> &mut JoinHandle<T> {
        self
    }
}

mod sealed {
    use lone_executor::JoinHandle;

    pub trait Sealed {}

    impl<T> Sealed for JoinHandle<T> {}
    impl<T> Sealed for &mut JoinHandle<T> {}
}

/// Waits until one of these tasks, or all, have ended; says which have. Takes no outcome.
///
/// Takes handles, or borrows them: `wait(handles.iter_mut(), …)`. A borrowed handle stays where it
/// is, whatever becomes of the wait. Tasks that have ended before count, and then it returns
/// without suspending.
///
/// asyncio: `wait(tasks, return_when=…)`; but `done` and `pending` are in order, where there they
/// are sets.
///
/// # Panics
///
/// Called: if there is no handle, for it could never return. Ask `is_empty()` first, as in
/// `while !pending.is_empty() { … wait(pending, …).await … }`.
///
/// Polled: if no loop is running on this thread, and after it has returned.
///
/// # Cancellation
///
/// Strict over borrowed handles. Over owned ones it loses data: dropped half way it drops the
/// handles, which *detaches* the tasks: they go on, but their outcomes can no longer be had.
///
/// # Fairness
///
/// Each completed wait is one operation of the budget.
///
/// # Cost
///
/// A few allocations in all, and about 25 ns a handle. So a loop that waits for the first of n and
/// then for the first of what is left, n times, costs the square of n: gather many handles.
///
/// # Examples
///
/// ```
/// use lone::{ReturnWhen, wait};
///
/// lone::run(async {
///     let endless = lone::spawn(std::future::pending());
///     let fast = lone::spawn(async { "fast" });
///     let waited = wait([endless, fast], ReturnWhen::FirstCompleted).await;
///     for handle in waited.done {
///         assert_eq!(handle.await.expect("it ends well"), "fast");
///     }
///     assert_eq!(waited.pending.len(), 1);
/// });
/// ```
///
/// A future is no handle: spawn it first.
///
/// ```compile_fail
/// use lone::{ReturnWhen, wait};
///
/// let waiting = wait([async { 1 }], ReturnWhen::AllCompleted);
/// ```
#[track_caller]
pub fn wait<I>(handles: I, when: ReturnWhen) -> Wait<I::Item>
where
    I: IntoIterator,
    I::Item: Joinable,
{
    let handles: Vec<_> = handles.into_iter().map(Some).collect();
    assert!(
        !handles.is_empty(),
        "a wait for no task could never return: ask `is_empty()` before you wait"
    );
    Wait {
        children: Children::new(handles.len()),
        handles,
        done: Vec::new(),
        when,
        counts: |outcome| matches!(outcome, Err(error) if is_failure(error)),
        failed: false,
        limit: None,
        alarm: Alarm::new(),
        last_turn: false,
        site: Location::caller(),
    }
}

/// Whether a task that ended with this error has failed; one that was cancelled has not.
fn is_failure(error: &JoinError) -> bool {
    matches!(error, JoinError::Panicked(_) | JoinError::LoopClosed)
}

/// The future of [`wait`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Wait<H: Joinable> {
    children: Children,
    /// By member; `None`: it is in `done`. Empty once all have been returned.
    handles: Vec<Option<H>>,
    done: Vec<H>,
    when: ReturnWhen,
    /// Which outcomes are failures.
    counts: fn(Result<&H::Value, &JoinError>) -> bool,
    /// Whether one in `done` is a failure.
    failed: bool,
    /// How long to wait at most, from the first poll on.
    limit: Option<Duration>,
    alarm: Alarm,
    /// The limit was past at the first poll: this one turn is still waited for.
    last_turn: bool,
    site: &'static Location<'static>,
}

impl<H, T, E> Wait<H>
where
    H: Joinable<Value = Result<T, E>>,
{
    /// For [`ReturnWhen::FirstException`]: a task that has returned an `Err` has failed, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::{ReturnWhen, wait};
    ///
    /// lone::run(async {
    ///     let endless = lone::spawn(std::future::pending());
    ///     let wrong = lone::spawn(async { "one".parse::<u8>() });
    ///     let waiting = wait([endless, wrong], ReturnWhen::FirstException);
    ///     let waited = waiting.counting_errors().await;
    ///     assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
    /// });
    /// ```
    pub fn counting_errors(mut self) -> Wait<H> {
        self.counts = |outcome| match outcome {
            Ok(returned) => returned.is_err(),
            Err(error) => is_failure(error),
        };
        self
    }
}

impl<H: Joinable> Wait<H> {
    /// Waits for so long at most, from its first poll on; then returns what is done and pending.
    ///
    /// It is no error and cancels nothing. A limit of zero lets those that are ready take their
    /// turn, once.
    ///
    /// asyncio: `wait(…, timeout=…)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use lone::{ReturnWhen, wait};
    ///
    /// lone::run(async {
    ///     let endless = lone::spawn(std::future::pending::<()>());
    ///     let soon = Duration::from_millis(2);
    ///     let waited = wait([endless], ReturnWhen::AllCompleted).within(soon).await;
    ///     assert_eq!((waited.done.len(), waited.pending.len()), (0, 1));
    /// });
    /// ```
    pub fn within(mut self, limit: Duration) -> Wait<H> {
        self.limit = Some(limit);
        self
    }

    /// Whether the limit has passed.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(limit) = self.limit else { return false };
        if self.last_turn {
            return true;
        }
        let was_set = self.alarm.is_set();
        if self.alarm.poll_with(|now| now + limit, cx).is_pending() {
            return false;
        }
        self.last_turn = !was_set;
        if self.last_turn {
            cx.waker().wake_by_ref();
        }
        was_set
    }

    /// Whether what has ended is enough to return.
    fn is_over(&self) -> bool {
        let early = match self.when {
            ReturnWhen::FirstCompleted => !self.done.is_empty(),
            ReturnWhen::FirstException => self.failed,
            ReturnWhen::AllCompleted => false,
        };
        early || self.done.len() == self.handles.len()
    }

    /// Asks those that were woken whether they have ended.
    fn ask(&mut self, cx: &Context<'_>) {
        let mut batch = self.children.batch(cx);
        while let Some(child) = batch.next() {
            let member = &mut self.handles[child.index()];
            let ended = match member {
                Some(member) => {
                    batch.poll(&child, |cx| member.handle_mut().poll_finished(cx)).is_ready()
                }
                // The slots are new ones: this wait has moved to another root.
                None => true,
            };
            if ended {
                batch.end(child);
                if let Some(member) = member.take() {
                    self.failed |= member.handle().peek().is_some_and(self.counts);
                    self.done.push(member);
                }
            }
        }
    }

    /// All handles, as their tasks stand now.
    fn split(&mut self) -> Waited<H> {
        self.children = Children::new(0);
        self.alarm.reset();
        let mut done = std::mem::take(&mut self.done);
        let rest = std::mem::take(&mut self.handles).into_iter();
        let unfinished = |member: H| {
            // *Done is whole*: the wake of a task that has ended may still be on its way, if it
            // comes from another loop or if nobody has asked since.
            if member.handle().is_finished() {
                done.push(member);
                return None;
            }
            Some(member)
        };
        let pending = rest.flatten().filter_map(unfinished).collect();
        Waited { done, pending }
    }
}

impl<H: Joinable> Future for Wait<H> {
    type Output = Waited<H>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<H>> {
        let this = self.get_mut();
        assert!(
            !this.handles.is_empty(),
            "a wait was polled after it had returned its handles: await it once"
        );
        ready!(budget::take(cx));
        this.ask(cx);
        if this.is_over() || this.is_late(cx) {
            return Poll::Ready(this.split());
        }
        budget::give_back();
        trace::awaits("wait", this.site);
        Poll::Pending
    }
}

impl<H: Joinable> fmt::Debug for Wait<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("when", &self.when)
            .field("done", &self.done.len())
            .field("pending", &(self.handles.len() - self.done.len()))
            .finish_non_exhaustive()
    }
}
