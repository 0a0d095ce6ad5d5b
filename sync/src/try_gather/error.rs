//! How do the errors of cleanups come out of a try_gather? With the error that has caused them.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::cleanup::CleanupErrors;

use super::TryGather;

/// The future of [`TryGather::attaching_cleanup_errors`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AttachedTryGather<F: Future>(TryGather<F>);

impl<F: Future> AttachedTryGather<F> {
    pub(super) fn new(gather: TryGather<F>) -> AttachedTryGather<F> {
        AttachedTryGather(gather)
    }
}

impl<F, T, E> Future for AttachedTryGather<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, TryGatherError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_attached(cx).map(|(outcome, cleanup_errors)| match outcome {
            Ok(values) => {
                self.0.say_unread(cleanup_errors);
                Ok(values)
            }
            Err(error) => Err(TryGatherError { error, cleanup_errors }),
        })
    }
}

/// A child of a try_gather has failed, and the others were dropped and cleaned up.
#[derive(Clone, Debug)]
pub struct TryGatherError<E> {
    /// The first error of a child.
    pub error: E,
    /// What has failed of the cleanups of the others; empty as a rule.
    pub cleanup_errors: CleanupErrors,
}

impl<E: fmt::Display> fmt::Display for TryGatherError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)?;
        if self.cleanup_errors.is_empty() {
            Ok(())
        } else {
            write!(f, "; and {}", self.cleanup_errors)
        }
    }
}

impl<E: Error + 'static> Error for TryGatherError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
