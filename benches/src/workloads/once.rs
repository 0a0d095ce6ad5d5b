//! The hand-written yield: one future that wakes itself, the same on every peer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Pending at its first poll, with a wake; ready at its second.
#[derive(Default)]
pub struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
