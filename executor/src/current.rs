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
/// assert!(!lone::is_running());
/// assert!(lone::run(async { lone::is_running() }));
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
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let remote = lone::remote();
///     let thread = std::thread::spawn(move || {
///         let joined = remote.spawn(|| async { lone::is_running() }).expect("the loop is alive");
///         joined.wait().expect("it neither panics nor is cancelled")
///     });
///     while !thread.is_finished() {
///         lone::sleep(Duration::from_millis(1)).await;
///     }
///     assert!(thread.join().expect("it ends well"), "the future ran over here");
/// });
/// ```
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
/// lone::run(async {
///     assert_eq!(lone::current_task(), None, "main is not a task");
///     let task = lone::spawn(async { lone::current_task() });
///     assert_eq!(Some(task.id()), task.await.expect("it ends well"));
/// });
/// ```
#[must_use]
pub fn current_task() -> Option<TaskId> {
    running(|core| core.current_task()).flatten()
}
