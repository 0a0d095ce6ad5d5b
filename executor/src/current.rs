//! What is running on this thread: which loop, which task?

use crate::remote::Remote;
use crate::task_id::TaskId;
use crate::waker::running;

/// Whether a loop is running on this thread.
///
/// asyncio: whether `get_running_loop` would return one.
///
/// # Examples
///
/// ```
/// use lone_executor::{Executor, ThreadPark, is_running};
///
/// let mut executor = Executor::new(ThreadPark::new()).expect("a loop index is free");
/// assert!(!is_running());
/// assert!(executor.block_on(async { is_running() }));
/// ```
#[must_use]
pub fn is_running() -> bool {
    running(|_| ()).is_some()
}

/// A handle to the loop that runs on this thread, which may go to other threads.
///
/// # Panics
///
/// If no loop is running on this thread.
#[must_use]
#[track_caller]
pub fn remote() -> Remote {
    let Some(inbox) = running(|core| core.inbox.clone()) else {
        panic!(
            "remote() was called where no loop is running on this thread: call it inside \
             lone::run(async {{ … }}), or take Runtime::remote"
        );
    };
    Remote::new(inbox)
}

/// The number of the task that is running; `None` in main and outside a loop.
///
/// asyncio: `current_task`.
///
/// # Examples
///
/// ```
/// use lone_executor::{Executor, ThreadPark, current_task, spawn};
///
/// let mut executor = Executor::new(ThreadPark::new()).expect("a loop index is free");
/// executor.block_on(async {
///     assert_eq!(current_task(), None, "main is not a task");
///     let task = spawn(async { current_task() });
///     assert_eq!(Some(task.id()), task.await.expect("it ends well"));
/// });
/// ```
#[must_use]
pub fn current_task() -> Option<TaskId> {
    running(|core| core.current_task()).flatten()
}
