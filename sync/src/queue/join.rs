//! What does a join do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::Queue;
use super::state::State;
use crate::wait_list::{Place, WaitList};

/// The future of [`Queue::join`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct QueueJoin<'a, T> {
    queue: &'a Queue<T>,
    place: Place,
}

fn joiners<T>(state: &mut State<T>) -> &mut WaitList<()> {
    &mut state.joiners
}

impl<'a, T> QueueJoin<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>, place: Place) -> QueueJoin<'a, T> {
        QueueJoin { queue, place }
    }
}

impl<T> Future for QueueJoin<'_, T> {
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
        ready!(place.poll(cx, "the end of a queue's work", &queue.state, joiners));
        place.take(&mut queue.state.borrow_mut().joiners);
        Poll::Ready(())
    }
}

impl<T> Drop for QueueJoin<'_, T> {
    fn drop(&mut self) {
        // What it was granted concerns nobody else: all who waited were.
        let _ = self.place.leave(&self.queue.state, joiners);
    }
}

impl<T> fmt::Debug for QueueJoin<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueJoin").field("queue", self.queue).field("place", &self.place).finish()
    }
}
