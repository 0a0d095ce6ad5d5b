//! How does a task's outcome reach whoever wants it? Through its handle, once.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cancelled::{Cancelled, Reason, Source};
use crate::cell::{self, Joined};
use crate::cleanup::{self, BoxError};
use crate::core::Core;
use crate::kept_waker::KeptWaker;
use crate::panicked::Panic;
use crate::route;
use crate::task_id::TaskId;
use crate::trace::{self, Event};
use crate::waker::{number, running};

/// Why a task has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// It was cancelled: its body was dropped at an await point.
    Cancelled(Cancelled),
    /// It panicked, or its destructor did.
    Panicked(Panic),
    /// The outcome was taken before, through this very handle.
    Taken,
    /// The loop had ended, or would not wait any longer.
    LoopClosed,
    /// A task awaits its own handle: that could never end.
    Itself,
    /// The child of a group has failed or panicked: its group has the error.
    Failed,
    /// The group takes no children any more: one has failed, or all have ended.
    GroupClosed,
    /// The system refuses the thread on which it should have run: nothing of it has run.
    NoThread(io::Error),
}

impl JoinError {
    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled(_))
    }

    /// Whether it panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled(cancelled) => fmt::Display::fmt(cancelled, f),
            JoinError::Panicked(panic) => fmt::Display::fmt(panic, f),
            JoinError::Taken => f.write_str("the outcome was taken before through this handle"),
            JoinError::LoopClosed => f.write_str("the task's loop has ended"),
            JoinError::Itself => f.write_str("a task awaits its own handle, which cannot end"),
            JoinError::Failed => f.write_str("the child has failed, and its group has the error"),
            JoinError::GroupClosed => f.write_str("the group takes no children any more"),
            JoinError::NoThread(error) => write!(f, "the system refuses a thread: {error}"),
        }
    }
}

impl std::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            JoinError::Cancelled(cancelled) => Some(cancelled),
            JoinError::Panicked(panic) => Some(panic),
            JoinError::NoThread(error) => Some(error),
            JoinError::Taken
            | JoinError::LoopClosed
            | JoinError::Itself
            | JoinError::Failed
            | JoinError::GroupClosed => None,
        }
    }
}

/// Dropping it *detaches* the task, which goes on; awaiting it gives the task's outcome, once.
///
/// A panic that nobody reads is reported once, when the last owner of the outcome goes.
///
/// asyncio: the `Task` object, except that the loop owns its tasks: none is ever collected.
///
/// # Cancellation
///
/// Awaiting it is strict: dropped half way (`&mut handle` in a timeout, say), nothing is lost and
/// it can be awaited again. The task goes on.
///
/// # Examples
///
/// ```
/// let answer = lone::run(async { lone::spawn(async { 42 }).named("answer").await });
/// assert_eq!(answer.expect("it neither panics nor is cancelled"), 42);
/// ```
#[must_use = "dropping it detaches the task: say so with `drop(handle)`, or await it"]
pub struct JoinHandle<T> {
    joined: Joined<T>,
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn new(joined: Joined<T>) -> JoinHandle<T> {
        JoinHandle { joined }
    }

    /// The handle of a task that a closed loop has not taken.
    pub(crate) fn refused(site: &'static Location<'static>) -> JoinHandle<T>
    where
        T: 'static,
    {
        JoinHandle::new(cell::ended(Err(JoinError::LoopClosed), site))
    }

    /// Gives the task a name, for logs and reports.
    ///
    /// asyncio: `create_task(…, name=…)`.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> JoinHandle<T> {
        let name = name.into();
        trace::emit(|| Event::Named { task: self.id(), name: name.to_string() });
        self.joined.task().set_name(name);
        self
    }

    /// The number of the task; that of a task which a closed loop did not take is 0.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.joined.task().id()
    }

    /// The name of the task, where it has been given one.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'static, str>> {
        self.joined.task().name()
    }

    /// Where the task was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.joined.task().spawned()
    }

    /// Whether the outcome is there, or was taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.joined.task().has_ended()
    }

    /// Asks that the task be stopped. Returns `false` if it has ended already.
    ///
    /// Nothing of it runs inside this call. At its next turn its body is dropped at its await
    /// point, destructors run, and whoever joins it gets [`JoinError::Cancelled`]. A task that
    /// cancels itself goes on to its next await. The first reason is kept.
    ///
    /// asyncio: `Task.cancel(msg)`; but the body cannot catch it and go on.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let task = lone::spawn(std::future::pending::<()>());
    ///     assert!(task.cancel("enough"));
    ///     assert!(task.await.is_err_and(|error| error.is_cancelled()));
    /// });
    /// ```
    pub fn cancel(&self, why: impl Into<Reason>) -> bool {
        let task = self.joined.task();
        let by = running(|core| core.current_task()).flatten();
        let asked = task.ask_cancel(|| Cancelled::new(why.into(), Source::Explicit, by));
        if asked {
            trace::emit(|| Event::Cancel {
                task: task.id(),
                by: running(|core| core.polled()).unwrap_or(trace::Who::Unknown),
                reason: task.cancelled().map(|why| why.reason().to_string()).unwrap_or_default(),
            });
            route::wake(task.num());
        }
        asked
    }

    /// The outcome if it is there: never waits, and wakes nobody.
    ///
    /// `None`: the task has not ended.
    ///
    /// asyncio: `Task.result()`, which raises where this returns `None`.
    #[inline]
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        if self.joined.taken() { Some(Err(JoinError::Taken)) } else { self.joined.take() }
    }

    /// The outcome where it lies, without taking it: never waits, and wakes nobody.
    ///
    /// `None`: the task has not ended, or its outcome was taken.
    ///
    /// asyncio: `Task.exception()`, which raises where this returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let mut task = lone::spawn(async { 42 });
    ///     assert!(task.peek().is_none(), "it has not run yet");
    ///     lone::yield_now().await;
    ///     assert!(matches!(task.peek(), Some(Ok(42))));
    ///     assert!(matches!(task.try_join(), Some(Ok(42))), "it was still there to be taken");
    ///     assert!(task.peek().is_none());
    /// });
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<Result<&T, &JoinError>> {
        self.joined.peek().map(Result::as_ref)
    }

    /// Waits for the end without taking the outcome: for combinators over handles.
    ///
    /// Ready as soon as [`try_join`](JoinHandle::try_join) returns something.
    pub fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.joined.task();
        if task.has_ended() {
            return Poll::Ready(());
        }
        // The one before is dropped here, outside of any borrow.
        drop(task.set_joiner(KeptWaker::new(cx.waker())));
        // The numbers of another loop's tasks are not this one's.
        if self.is_of_running_loop() {
            trace::awaits_task(task.id(), task.spawned());
        } else {
            trace::awaits("the end of a task of another loop", task.spawned());
        }
        Poll::Pending
    }

    /// Whether the loop that runs on this thread is that of the task.
    fn is_of_running_loop(&self) -> bool {
        running(Core::index) == Some(self.joined.task().num().loop_index())
    }

    /// Makes the handle the owner of its task: dropped, it cancels the task, and the scope around
    /// awaits its end.
    ///
    /// asyncio: what `wait_for` and `gather` do with the tasks that they are given.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// lone::run(async {
    ///     let task = lone::spawn(lone::finally(std::future::pending::<()>(), async {
    ///         lone::sleep(Duration::from_millis(1)).await;
    ///         println!("cleaned up");
    ///     }));
    ///     // Returns when the task has been cancelled and has cleaned up.
    ///     assert!(lone::timeout(Duration::from_millis(2), task.cancel_on_drop()).await.is_err());
    /// });
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<T>
    where
        T: 'static,
    {
        CancelOnDrop(self)
    }
}

impl<T, E: fmt::Display> JoinHandle<Result<T, E>> {
    /// Has an error of this task said if nobody ever reads it: once, when the last owner of the outcome
    /// goes, by name, spawn line and error, at level error under target `lone::task`.
    ///
    /// A panic that nobody reads is always said; but a plain [`spawn`](crate::spawn) cannot see that
    /// its output is an error. Read is what has come out of an await, of
    /// [`try_join`](JoinHandle::try_join), or of a combinator; a [`peek`](JoinHandle::peek) leaves it
    /// unread. Success and cancel are never said.
    ///
    /// asyncio: "Task exception was never retrieved"; but there it comes when the task is collected.
    ///
    /// # Cost
    ///
    /// One allocation, which a name needs, too.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let upload = async { Err::<(), _>("the disk is full") };
    ///     drop(lone::spawn(upload).named("upload").reporting());
    ///     // Task-1 `upload`, spawned at …, ended with an error: the disk is full; nobody has joined it
    ///     lone::yield_now().await;
    /// });
    /// ```
    pub fn reporting(self) -> JoinHandle<Result<T, E>> {
        self.joined.report_unread_error();
        self
    }
}

/// What a task's failure is to code whose errors are I/O's.
impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> std::io::Error {
        std::io::Error::other(error)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.try_join() {
            Some(outcome) => Poll::Ready(outcome),
            None => self.poll_unfinished(cx),
        }
    }
}

impl<T> JoinHandle<T> {
    /// Apart, so that a task which has ended costs few instructions to join.
    #[inline(never)]
    fn poll_unfinished(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        if number(cx.waker()) == Some(self.joined.task().num()) {
            return Poll::Ready(Err(JoinError::Itself));
        }
        match self.poll_finished(cx) {
            Poll::Ready(()) => Poll::Ready(Err(JoinError::Taken)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", &self.id())
            .field("name", &self.name())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A handle that owns its task: made by [`JoinHandle::cancel_on_drop`].
///
/// Dropped, it cancels the task, and the scope around awaits its end, cleanups included: a task,
/// timeout or group that drops it half way reports only then. Where no loop runs that could await
/// it, or it is dropped by the very task that it owns, that is only cancelled.
///
/// # Cancellation
///
/// Dropping it half way cancels the task and loses its outcome; a panic of the task is told by the
/// scope as one of its cleanups.
#[derive(Debug)]
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<T: 'static>(JoinHandle<T>);

impl<T: 'static> CancelOnDrop<T> {
    /// The handle within: for its id, name and state, and to cancel it with a reason.
    pub fn handle(&self) -> &JoinHandle<T> {
        &self.0
    }
}

impl<T: 'static> Future for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T: 'static> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if self.0.is_finished() {
            return;
        }
        self.0.cancel("its handle was dropped");
        // Elsewhere there is nobody to await it: the task ends by itself. Nor can a task await its own.
        let is_own = self.0.joined.task().is_held();
        if self.0.is_of_running_loop() && !is_own {
            let spent = JoinHandle::refused(self.0.spawned_at());
            let handle = std::mem::replace(&mut self.0, spent);
            cleanup::adopt_if_possible(async move { ended_by_cancel(handle.await) });
        }
    }
}

/// What a cancelled task has to tell that nobody else will: neither its value nor its cancel.
fn ended_by_cancel<T>(outcome: Result<T, JoinError>) -> Result<(), BoxError> {
    match outcome {
        Err(JoinError::Panicked(panic)) => Err(panic.into()),
        Err(JoinError::Cancelled(cancelled)) => cancelled.cleanup_errors().clone().into_result(),
        _ => Ok(()),
    }
}
