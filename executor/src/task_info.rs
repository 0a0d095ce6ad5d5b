//! Which tasks are there? A list, at once and without asking them.

use std::panic::Location;

use crate::task_id::{TaskId, TaskName};
use crate::waker::running;

/// A task that has not ended, as [`all_tasks`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its name, where it has been given one.
    pub name: Option<TaskName>,
    /// Where it was spawned.
    pub spawned: &'static Location<'static>,
    /// Whether a cancel has been asked for.
    pub cancelled: bool,
}

/// The tasks of the loop that runs on this thread that have not ended, in the order of their numbers;
/// none where no loop is running. Main is not a task.
///
/// What each of them waits for is in a [`snapshot`](crate::snapshot()).
///
/// asyncio: `all_tasks`.
///
/// # Cost
///
/// O(slots), with a sort.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let endless = lone::spawn(std::future::pending::<()>()).named("endless");
///     let tasks = lone::all_tasks();
///     assert_eq!(tasks.len(), 1);
///     assert_eq!((tasks[0].id, tasks[0].name.as_deref()), (endless.id(), Some("endless")));
/// });
/// assert!(lone::all_tasks().is_empty());
/// ```
#[must_use]
pub fn all_tasks() -> Vec<TaskInfo> {
    let tasks = running(|core| core.slots.borrow().tasks()).unwrap_or_default();
    let unfinished = tasks.iter().filter(|task| !task.has_ended());
    let info = unfinished.map(|task| TaskInfo {
        id: task.id(),
        name: task.name(),
        spawned: task.spawned(),
        cancelled: task.cancel_asked(),
    });
    info.collect()
}
