//! What is a child of a group, and what is left of it for its handle?
//!
//! ```text
//!   Child ─┬─ body      its future, polled and dropped as a scope
//!          └─ promise ──► Outcome ◄── GroupHandle     once set, whoever awaits the handle is woken
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::cleanup::{Adopter, CleanupErrors};
use lone_executor::watch::{Due, Watch};
use lone_executor::{Cancelled, JoinError, KeptWaker, Panic, Reason, trace};
use pin_project_lite::pin_project;

use super::error::{Failure, IntoFailure};
use super::guarded::{Guarded, Payload};
use super::run::Shared;
use crate::scoped::Ended;

/// A child as its group sees it, whatever its future.
pub(super) trait Member<E> {
    /// Ready when it has ended, cleanups included. What fails is told to the group at once.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, group: &Shared<'_, E>) -> Poll<()>;

    /// Drops its body where it waits, and has it polled to its end; but one that was spawned after
    /// the cancel is left to its first await.
    fn stop(self: Pin<&mut Self>, why: &Cancelled, group: &Shared<'_, E>);

    /// Drops its body now, and returns what has to be awaited.
    fn abandon(self: Pin<&mut Self>) -> Adopter;
}

pin_project! {
    /// A child of a group.
    pub(super) struct Child<F: Future, T> {
        #[pin]
        body: Guarded<F>,
        promise: Promise<T>,
        // Why it is stopped at its first await: its group was cancelled before it was spawned.
        late: Option<Cancelled>,
        panicked: bool,
    }
}

impl<F: Future, T> Child<F, T> {
    #[inline]
    pub(super) fn new(future: F, outcome: Rc<Outcome<T>>, late: Option<Cancelled>) -> Child<F, T> {
        let body = Guarded::new(future, "a child of a task group", outcome.site);
        Child { body, promise: Promise(outcome), late, panicked: false }
    }

    /// Drops its body where it waits.
    #[cold]
    fn drop_body<E>(self: Pin<&mut Self>, group: &Shared<'_, E>) {
        let this = self.project();
        let outcome = &this.promise.0;
        outcome.end_watch();
        this.body.stop(&mut |payload| outcome.panicked(this.panicked, payload, group));
    }

    /// Its body has gone without an output, and its cleanups have run.
    #[cold]
    fn stopped<E>(self: Pin<&mut Self>, errors: CleanupErrors, group: &Shared<'_, E>) {
        let this = self.project();
        let cancelled = this.promise.0.cancelled.take();
        let why = if *this.panicked { "it has panicked" } else { "its group ends" };
        let cancelled = cancelled.unwrap_or_else(|| Cancelled::of_group(why));
        let cancelled = cancelled.with_cleanup_errors(errors);
        if !cancelled.cleanup_errors().is_empty() {
            group.failed(Failure::Cleanup(cancelled.clone()));
        }
        this.promise.keep(Err(match *this.panicked {
            true => JoinError::Failed,
            false => JoinError::Cancelled(cancelled),
        }));
    }
}

impl<F, T, X, E> Member<E> for Child<F, T>
where
    F: Future<Output = Result<T, X>>,
    X: IntoFailure<E>,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, group: &Shared<'_, E>) -> Poll<()> {
        if self.promise.0.is_cancelled() {
            self.as_mut().drop_body(group);
        }
        drop(self.promise.0.child.replace(KeptWaker::new(cx.waker())));
        let mut this = self.as_mut().project();
        let outcome = &this.promise.0;
        let mut told = |payload| outcome.panicked(this.panicked, payload, group);
        let site = outcome.site;
        let mut polled = trace::as_child(site, || this.body.as_mut().poll(cx, &mut told));
        if polled.is_pending()
            && !this.body.is_over()
            && let Some(why) = this.late.take()
        {
            outcome.cancel(why);
            this.body.as_mut().stop(&mut told);
            polled = this.body.as_mut().poll(cx, &mut told);
        }
        match ready!(polled) {
            Ended::Output(Ok(value)) => this.promise.keep(Ok(value)),
            Ended::Output(Err(error)) => {
                this.promise.keep(Err(JoinError::Failed));
                match catch_unwind(AssertUnwindSafe(|| error.into_failure())) {
                    Ok(failure) => group.failed(failure),
                    Err(payload) => told(payload),
                }
            }
            Ended::Stopped(errors) => self.stopped(errors, group),
        }
        Poll::Ready(())
    }

    fn stop(mut self: Pin<&mut Self>, why: &Cancelled, group: &Shared<'_, E>) {
        if self.late.is_some() {
            return;
        }
        let outcome = self.promise.0.clone();
        outcome.cancel(why.clone());
        self.as_mut().drop_body(group);
        outcome.child.take().wake();
    }

    fn abandon(self: Pin<&mut Self>) -> Adopter {
        self.project().body.abandon()
    }
}

/// What is left of a child when it has ended.
pub(super) struct Outcome<T> {
    value: Cell<Option<Result<T, JoinError>>>,
    ended: Cell<bool>,
    /// Who awaits the handle.
    joiner: Cell<KeptWaker>,
    /// The child's own slot, to have it polled when it is cancelled.
    child: Cell<KeptWaker>,
    cancelled: Cell<Option<Cancelled>>,
    /// Debug mode watches whether its group is polled after its cancel.
    watch: Cell<Watch>,
    /// Boxed: most have none, and there are as many of these as children.
    name: Cell<Option<Box<Cow<'static, str>>>>,
    site: &'static Location<'static>,
}

impl<T> Outcome<T> {
    pub(super) fn new(site: &'static Location<'static>) -> Outcome<T> {
        Outcome {
            value: Cell::new(None),
            ended: Cell::new(false),
            joiner: Cell::new(KeptWaker::NOBODY),
            child: Cell::new(KeptWaker::NOBODY),
            cancelled: Cell::new(None),
            watch: Cell::new(Watch::NOTHING),
            name: Cell::new(None),
            site,
        }
    }

    fn describe(&self) -> String {
        let name = self.name.take();
        let described = match &name {
            Some(name) => format!("`{name}`, a child of a task group, spawned at {}", self.site),
            None => format!("a child of a task group, spawned at {}", self.site),
        };
        self.name.set(name);
        described
    }

    fn is_cancelled(&self) -> bool {
        let cancelled = self.cancelled.take();
        let is_cancelled = cancelled.is_some();
        self.cancelled.set(cancelled);
        is_cancelled
    }

    /// Keeps the first reason.
    fn cancel(&self, why: Cancelled) {
        let before = self.cancelled.take();
        self.cancelled.set(before.or(Some(why)));
    }

    /// The cancel was applied, or has come too late.
    fn end_watch(&self) {
        self.watch.take().end();
    }

    /// Its child has panicked: its group is told.
    #[cold]
    fn panicked<E>(&self, noted: &mut bool, payload: Payload, group: &Shared<'_, E>) {
        *noted = true;
        group.failed(Failure::Panicked(Panic::new(self.describe(), payload)));
    }
}

/// The child's end of the outcome: it is kept in any case.
struct Promise<T>(Rc<Outcome<T>>);

impl<T> Promise<T> {
    fn keep(&self, value: Result<T, JoinError>) {
        if self.0.ended.replace(true) {
            return;
        }
        self.0.value.set(Some(value));
        drop(self.0.child.take());
        self.0.end_watch();
        // A foreign waker that panics is none of the child's failures.
        self.0.joiner.take().wake_in_the_loop();
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.0.ended.get() {
            let cancelled = self.0.cancelled.take();
            let cancelled =
                cancelled.unwrap_or_else(|| Cancelled::of_group("its group was dropped"));
            self.keep(Err(JoinError::Cancelled(cancelled)));
        }
    }
}

/// The handle of a child of a [`TaskGroup`](super::TaskGroup).
///
/// Awaited, it gives the child's value, once. Dropping it changes nothing.
///
/// # Errors
///
/// [`JoinError::Cancelled`] if the child was stopped; [`JoinError::Failed`] if it has failed or
/// panicked, for its error is its group's; [`JoinError::GroupClosed`] if its group did not take it;
/// [`JoinError::Itself`] if the child awaits its own handle; [`JoinError::Taken`] at the second time.
///
/// # Cancellation
///
/// Strict: dropped half way, nothing is lost.
pub struct GroupHandle<T>(Rc<Outcome<T>>);

impl<T> GroupHandle<T> {
    pub(super) fn new(outcome: Rc<Outcome<T>>) -> GroupHandle<T> {
        GroupHandle(outcome)
    }

    /// The handle of a child that a group has not taken.
    pub(super) fn refused(site: &'static Location<'static>) -> GroupHandle<T> {
        let outcome = Outcome::new(site);
        outcome.ended.set(true);
        outcome.value.set(Some(Err(JoinError::GroupClosed)));
        GroupHandle(Rc::new(outcome))
    }

    /// Gives the child a name, for what is said of its panics. Reports of deadlocks name its task, and the
    /// child by the line on which it was spawned.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> GroupHandle<T> {
        self.0.name.set(Some(Box::new(name.into())));
        self
    }

    /// Where the child was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// Whether it has ended, its cleanups included; those of a group that was dropped are awaited by
    /// the scope around, and its children count as ended at once.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.ended.get()
    }

    /// Asks that the child be stopped; the others go on. Returns `false` if it has ended, or was
    /// asked before.
    ///
    /// Nothing of it runs inside this call: its group drops its body where it waits, in its next
    /// poll, and awaits its cleanups. It does not count as failed.
    pub fn cancel(&self, why: impl Into<Reason>) -> bool {
        if self.is_finished() || self.0.is_cancelled() {
            return false;
        }
        self.0.cancel(Cancelled::by_current_task(why));
        let child = self.0.child.take();
        self.0.watch.set(Watch::begin(Due::Cancel, &child, self.0.site));
        child.wake();
        true
    }

    /// The outcome if it is there: never waits. `None`: the child has not ended.
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        if !self.is_finished() {
            return None;
        }
        let value = self.0.value.take();
        Some(value.unwrap_or(Err(JoinError::Taken)))
    }
}

impl<T> Future for GroupHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.try_join() {
            return Poll::Ready(outcome);
        }
        let child = self.0.child.take();
        let is_itself = child.will_wake(cx.waker());
        self.0.child.set(child);
        if is_itself {
            return Poll::Ready(Err(JoinError::Itself));
        }
        drop(self.0.joiner.replace(KeptWaker::new(cx.waker())));
        trace::awaits("the end of a child of a task group", self.0.site);
        Poll::Pending
    }
}

impl<T> fmt::Debug for GroupHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle")
            .field("child", &self.0.describe())
            .field("finished", &self.is_finished())
            .finish()
    }
}
