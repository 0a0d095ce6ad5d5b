//! How does a program begin? With `run`.

use std::future::Future;

use lone_executor::RunError;

use crate::Builder;

/// Makes a loop, runs `main` to its end, cancels what is left and waits for it, and returns what
/// `main` returned.
///
/// `main` may borrow from the caller. Each call has a fresh loop.
///
/// asyncio: `asyncio.run`.
///
/// # Panics
///
/// If a loop is running on this thread, if the system refuses descriptors, if everybody waits and
/// nothing can wake anybody (with the report), and where `main` panics: after the shutdown.
///
/// # Examples
///
/// ```
/// let words = vec!["one", "thread"];
/// let count = lone::run(async {
///     lone::yield_now().await;
///     words.len()
/// });
/// assert_eq!(count, 2);
/// ```
#[track_caller]
pub fn run<F: Future>(main: F) -> F::Output {
    Builder::new().run(main)
}

/// As [`run`], with an error where that panics by itself.
///
/// # Errors
///
/// [`RunError::Nested`] if a loop is running on this thread: `main` is dropped without a poll.
/// [`RunError::Deadlock`] if everybody waits and it is certain that nothing can wake anybody; the
/// report says who waits for what. (Where only code that is not lone's could, that is a warning, and
/// an error if [`Builder::on_stall`] says so.) [`RunError::Io`] if the system refuses descriptors, or to wait.
///
/// # Panics
///
/// Where `main` panics, after the shutdown.
///
/// # Examples
///
/// ```
/// use lone::RunError;
///
/// let nested = lone::run(async { lone::try_run(async { 1 }) });
/// assert!(matches!(nested, Err(RunError::Nested)));
/// assert_eq!(lone::try_run(async { 1 })?, 1);
/// # Ok::<(), RunError>(())
/// ```
#[track_caller]
pub fn try_run<F: Future>(main: F) -> Result<F::Output, RunError> {
    Builder::new().try_run(main)
}
