//! What does a join do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::QueueOf;
use super::fifo::Fifo;
use super::order::QueueOrder;
use super::state::State;
use crate::wait_list::{Place, WaitList};

/// The future of [`QueueOf::join`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct QueueJoin<'a, T, O: QueueOrder<T> = Fifo> {
    queue: &'a QueueOf<T, O>,
    place: Place,
}

fn joiners<T, O: QueueOrder<T>>(state: &mut State<T, O>) -> &mut WaitList<()> {
    &mut state.joiners
}

impl<'a, T, O: QueueOrder<T>> QueueJoin<'a, T, O> {
    pub(super) fn new(queue: &'a QueueOf<T, O>, place: Place) -> QueueJoin<'a, T, O> {
        QueueJoin { queue, place }
    }
}

impl<T, O: QueueOrder<T>> Future for QueueJoin<'_, T, O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let QueueJoin { queue, place } = &mut *self;
        ready!(budget::take(cx));
        if !place.is_taken() {
            let mut state = queue.state.borrow_mut();
            if state.unfinished == 0 {
                return Poll::Ready(());
            }
            place.join(&mut state.joiners, ());
        }
        place.poll(cx, "the end of a queue's work", &queue.state, joiners)
    }
}

impl<T, O: QueueOrder<T>> Drop for QueueJoin<'_, T, O> {
    fn drop(&mut self) {
        // What it was granted concerns nobody else: all who waited were.
        let _ = self.place.leave(&self.queue.state, joiners);
    }
}

impl<T, O: QueueOrder<T>> fmt::Debug for QueueJoin<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueJoin").field("queue", self.queue).field("place", &self.place).finish()
    }
}
