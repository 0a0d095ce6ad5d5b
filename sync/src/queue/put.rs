//! What does a put do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::error::{PutError, TryPutError};
use super::fifo::Fifo;
use super::order::QueueOrder;
use super::state::State;
use super::{QueueOf, deliver};
use crate::wait_list::{Place, WaitList};

/// The future of [`QueueOf::put`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Put<'a, T, O: QueueOrder<T> = Fifo> {
    queue: &'a QueueOf<T, O>,
    /// Until the first poll. A put that waits has left its item with its place in the line, where
    /// whoever makes room finds it.
    item: Option<T>,
    place: Place,
}

/// The item is never pinned: it is moved into the queue.
impl<T, O: QueueOrder<T>> Unpin for Put<'_, T, O> {}

/// What it awaits, in reports.
const ROOM: &str = "room in a queue";

fn putters<T, O: QueueOrder<T>>(state: &mut State<T, O>) -> &mut WaitList<Option<T>> {
    &mut state.putters
}

impl<'a, T, O: QueueOrder<T>> Put<'a, T, O> {
    #[inline]
    pub(super) fn new(queue: &'a QueueOf<T, O>, item: T, place: Place) -> Put<'a, T, O> {
        Put { queue, item: Some(item), place }
    }
}

impl<T, O: QueueOrder<T>> Future for Put<'_, T, O> {
    type Output = Result<(), PutError<T>>;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        let Put { queue, item, .. } = &mut *self;
        if let Some(mine) = item.take() {
            match queue.state.borrow_mut().put_alone(mine) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(mine) => *item = Some(mine),
            }
        }
        self.poll_others(cx)
    }
}

impl<T, O: QueueOrder<T>> Put<'_, T, O> {
    /// Where it waits, or somebody else does. Apart, so that a put which concerns nobody else is short
    /// where it is inlined (bench `mpsc1`).
    #[inline(never)]
    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PutError<T>>> {
        let Put { queue, item, place } = self;
        if !place.is_taken() {
            let item = item.take().expect("a put is not polled after it has ended");
            let mut state = queue.state.borrow_mut();
            match state.put(item) {
                Ok(handed) => {
                    drop(state);
                    deliver(handed);
                    return Poll::Ready(Ok(()));
                }
                Err(TryPutError::Closed(item)) => return Poll::Ready(Err(PutError(item))),
                Err(TryPutError::Full(item)) => {
                    if place.join_and_keep(&mut state.putters, Some(item), cx) {
                        return place.wait(ROOM);
                    }
                }
            }
        }
        let refused = ready!(place.poll(cx, ROOM, &queue.state, putters));
        Poll::Ready(match refused {
            None => Ok(()),
            Some(item) => Err(PutError(item)),
        })
    }
}

impl<T, O: QueueOrder<T>> Drop for Put<'_, T, O> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            // An item that was not let in is dropped here, with no borrow held.
            drop(self.place.leave(&self.queue.state, putters));
        }
    }
}

impl<T, O: QueueOrder<T>> fmt::Debug for Put<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("queue", self.queue)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
