//! How do several run as one, so that none outlives the others and no error is lost? In a group.
//!
//! ```text
//!   TaskGroup::run(async |group| { … })
//!     └─ GroupRun ─┬─ body                child 0
//!                  └─ shared ─┬─ members  [ child ][ gone ][ child ]   boxed, borrow what they like
//!                             ├─ children      slots: who is woken (executor)
//!                             └─ failures      in the order in which they occurred
//!        ▲
//!   TaskGroup ── a weak link: spawn, cancel    held by the body, by children, by anybody
//! ```
//!
//! Invariants:
//! - **Nobody is left**: it returns when body and children have ended, cleanups included; dropped
//!   half way, it drops them all before the drop returns.
//! - **Children own nothing of the group**: they hold weak links, so there is no cycle, and a
//!   link that is smuggled out says that the group takes no more.
//! - **Each is a scope**: cleanups of children run side by side, each child's in its own order.
//! - **Every error has one owner**: the group's error, or the report sink where the group is dropped.
//! - **No borrow is held** while a child is polled, stopped or dropped: it may do anything to the group.
//!
//! Cost: two allocations a child, its future and its outcome, which are a third of the time; in all about
//! 60 ns more than in a `gather` (bench `group10k`), and a third of what tokio's `JoinSet` takes.
//!
//! | file | question it answers |
//! |---|---|
//! | `run` | how are body and children polled, stopped and dropped? |
//! | `child` | what is a child, and what is left of it for its handle? |
//! | `guarded` | what becomes of one that panics? |
//! | `error` | what comes out when several fail? |

mod child;
mod error;
mod guarded;
mod run;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::rc::{Rc, Weak};

use lone_executor::Reason;

use crate::scoped::{Ended, Scoped};

pub use child::GroupHandle;
pub use error::{Failure, Failures, GroupError, IntoFailure};
use run::{GroupRun, Shared};

/// Children that begin and end within one call, and may borrow what outlives it.
///
/// [`TaskGroup::run`] runs a body that spawns children into the group, and returns when the body and
/// all children have ended. The first error stops all others where they wait; their cleanups are
/// awaited (see [`using`](crate::using)); then all errors come out together as a [`GroupError`].
///
/// Children may borrow what outlives the call of `run`, but not the locals of the body itself, for the
/// body is a child as well. They may spawn children into the same group, also while the body has
/// ended already.
///
/// A child is polled only when it was woken. All children that were woken are polled in one poll of
/// the group, each with a budget of its own; the other tasks of the loop wait for so long.
///
/// Write the error type at [`TaskGroup::run`] and at the `Ok` of each block that uses `?`, for nothing
/// else says it: `TaskGroup::<Box<dyn Error>>::run(…)`, `Ok::<_, Box<dyn Error>>(())`.
///
/// asyncio: `TaskGroup`. trio: a nursery.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::num::ParseIntError;
///
/// let sum = Cell::new(0);
/// let words = String::from("1 2 3");
/// lone::run(async {
///     lone::TaskGroup::run(async |group| {
///         for word in words.split(' ') {
///             let sum = &sum;
///             group.spawn(async move {
///                 lone::yield_now().await;
///                 sum.set(sum.get() + word.parse::<i32>()?);
///                 Ok::<(), ParseIntError>(())
///             });
///         }
///         Ok::<(), ParseIntError>(())
///     })
///     .await
/// })
/// .expect("all are numbers");
/// assert_eq!(sum.get(), 6);
/// ```
pub struct TaskGroup<'env, E>(Weak<Shared<'env, E>>);

impl<'env, E> TaskGroup<'env, E> {
    /// Runs `body` with a new group, and returns when it and all children have ended.
    ///
    /// `Ok(None)`: the group was [cancelled](TaskGroup::cancel), and the body had not ended.
    ///
    /// Body and children return `Result`s whose errors are `E`, or [`GroupError<E>`] of an inner group,
    /// which then becomes a branch of the tree; or [`Failure<E>`], where `?` is to take both.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if anybody has failed: with the errors and panics of children in the order in
    /// which they occurred, cleanups that failed among them, and the body's own as the last. A child
    /// that was cancelled by its handle has not failed, unless its cleanup has.
    ///
    /// # Panics
    ///
    /// Polled: if no loop is running on this thread. A panic of the body or a child does not come
    /// through: it is one of the failures. [`GroupError::resume_panic`] lets it go on.
    ///
    /// # Cancellation
    ///
    /// Loses data: dropped half way, body and children are dropped at once, where they wait; their
    /// cleanups are awaited by the scope around, side by side. Failures that there were are said
    /// through the log.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let ran = lone::TaskGroup::<&str>::run(async |group| {
    ///         group.spawn(async { Err::<(), _>("out of cheese") });
    ///         group.spawn(std::future::pending::<Result<(), &str>>()); // is stopped
    ///         Ok::<_, &str>("done")
    ///     });
    ///     let error = ran.await.expect_err("a child has failed");
    ///     assert_eq!(error.into_single().ok(), Some("out of cheese"));
    /// });
    /// ```
    #[track_caller]
    pub fn run<T, X, B>(body: B) -> impl Future<Output = Result<Option<T>, GroupError<E>>>
    where
        B: AsyncFnOnce(TaskGroup<'env, E>) -> Result<T, X>,
        X: IntoFailure<E>,
    {
        let site = Location::caller();
        async move {
            let shared = Rc::new(Shared::new(site));
            let group = TaskGroup(Rc::downgrade(&shared));
            // The call belongs to the body: what it does before it returns a future as well.
            let body = async move { body(group).await };
            // A scope of its own takes what no child does: destructors of outputs, say.
            let scope = Scoped::new(GroupRun::new(body, shared), "a task group", site);
            let mut scope = pin!(scope);
            match std::future::poll_fn(|cx| scope.as_mut().poll(cx)).await {
                Ended::Output(output) => output,
                Ended::Stopped(_) => unreachable!("nobody stops it"),
            }
        }
    }

    /// Adds a child. It is first polled after this call, in its turn.
    ///
    /// Dropping the handle changes nothing: the group owns the child. Where the group takes no more,
    /// because one has failed or all have ended, the future is dropped unpolled, and the handle says
    /// so: [`JoinError::GroupClosed`](lone_executor::JoinError::GroupClosed). A child that is spawned
    /// into a group that was cancelled runs to its first await that has to wait, and is stopped there.
    ///
    /// asyncio: `TaskGroup.create_task`.
    ///
    /// # Panics
    ///
    /// If the loop has no room for another child. Where a foreign waker panics that has to be woken so
    /// that the child is polled, that goes on from here, and the child is not spawned.
    #[track_caller]
    pub fn spawn<T, X>(&self, future: impl Future<Output = Result<T, X>> + 'env) -> GroupHandle<T>
    where
        T: 'env,
        X: IntoFailure<E>,
    {
        let site = Location::caller();
        match self.0.upgrade() {
            Some(shared) => shared.spawn(future, site),
            None => {
                drop(future);
                GroupHandle::refused(site)
            }
        }
    }

    /// Stops body and children where they wait; the group then ends without an error, unless somebody
    /// fails on the way.
    ///
    /// Returns `false` if it has ended, or is stopping already. Nothing is dropped within this call: the
    /// group does it when it is polled next, and polls nobody who was woken meanwhile. Whoever calls it
    /// from within goes on to his next await that has to wait.
    ///
    /// asyncio: `TaskGroup.cancel`, new in 3.15. trio: `nursery.cancel_scope.cancel()`.
    ///
    /// # Examples
    ///
    /// ```
    /// lone::run(async {
    ///     let ran = lone::TaskGroup::<std::io::Error>::run(async |group| {
    ///         group.spawn(std::future::pending::<std::io::Result<()>>());
    ///         lone::yield_now().await;
    ///         group.cancel("seen enough");
    ///         Ok::<_, std::io::Error>("it does not wait any more, so its value stands")
    ///     });
    ///     assert!(ran.await.expect("nobody has failed").is_some());
    /// });
    /// ```
    pub fn cancel(&self, why: impl Into<Reason>) -> bool {
        self.0.upgrade().is_some_and(|shared| shared.cancel(why.into()))
    }

    /// How many children have not ended, the body not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.upgrade().map_or(0, |shared| shared.alive())
    }

    /// Whether no child is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> Clone for TaskGroup<'_, E> {
    fn clone(&self) -> Self {
        TaskGroup(self.0.clone())
    }
}

impl<E> fmt::Debug for TaskGroup<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.upgrade() {
            Some(shared) => write!(f, "TaskGroup({} children)", shared.alive()),
            None => f.write_str("TaskGroup(ended)"),
        }
    }
}
