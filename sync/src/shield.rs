//! How does work go on when whoever waits for it goes away? It is a task of its own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::{JoinError, JoinHandle, spawn};

/// Runs `future` as a task of its own, which goes on when the one who waits for it is cancelled.
///
/// It begins in a later turn, awaited or not, as any task. What it returns after nobody waits for it
/// any more is dropped; a panic is then reported once. The loop's shutdown cancels it as any task.
///
/// To wait for it again after a timeout, give that `&mut`: the shield is the task's only handle.
///
/// asyncio: `shield`, whose inner task has to be kept alive by somebody; here the loop does.
///
/// # Errors
///
/// Those of a [`JoinHandle`]: that it was cancelled itself, or has panicked.
///
/// # Panics
///
/// If no loop is running on this thread.
///
/// # Cancellation
///
/// Strict over `&mut`; dropped, it detaches the task.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let mut saving = lone::shield(async {
///         lone::sleep(Duration::from_millis(2)).await;
///         "saved"
///     });
///     let soon = Duration::from_millis(1);
///     assert!(lone::timeout(soon, &mut saving).await.is_err(), "it takes longer");
///     assert_eq!(saving.await.expect("nobody cancels it"), "saved");
/// });
/// ```
#[track_caller]
pub fn shield<F>(future: F) -> Shield<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Shield(spawn(future).named("shield"))
}

/// The future of [`shield`].
#[derive(Debug)]
#[must_use = "dropping it detaches the task: say so with `drop(shield)`, or await it"]
pub struct Shield<T>(JoinHandle<T>);

impl<T> Shield<T> {
    /// The handle of the task: for its id, and to cancel it in spite of the shield.
    pub fn handle(&self) -> &JoinHandle<T> {
        &self.0
    }

    /// The handle of the task.
    pub fn into_handle(self) -> JoinHandle<T> {
        self.0
    }
}

impl<T> Future for Shield<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
