//! How does a future become a task? [1] spawn.

use std::future::Future;
use std::panic::Location;

use crate::join::JoinHandle;
use crate::waker::running;

/// Puts a future on the loop that runs on this thread, as a task of its own.
///
/// It is first polled in a later turn, never inside `spawn`, and after everything that is queued
/// already. Dropping the handle *detaches*: the task goes on.
///
/// A task that panics ends alone. Whoever joins it gets the panic as a
/// [`JoinError`](crate::JoinError). One that nobody reads is reported once: logged at level error
/// under target `lone::task`, or told on standard error where no logger is installed.
///
/// asyncio: `create_task`.
///
/// # Panics
///
/// If no loop is running on this thread, or if the loop has 2^24 tasks and children already.
///
/// # Cost
///
/// One block from a free list (no allocation once warm), about 10 ns. A future above 16 KiB is
/// boxed.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let parts = [lone::spawn(async { 20 }), lone::spawn(async { 22 })];
///     let mut sum = 0;
///     for part in parts {
///         sum += part.await.expect("it neither panics nor is cancelled");
///     }
///     assert_eq!(sum, 42);
/// });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let site = Location::caller();
    let Some(handle) = running(|core| core.spawn(future, site)) else {
        panic!(
            "spawn was called where no loop is running on this thread: call it inside \
             lone::run(async {{ … }}), or hand work to a loop on another thread with Remote::spawn"
        );
    };
    handle
}
