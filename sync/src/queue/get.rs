//! What does a get do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::error::{GetError, TryGetError};
use super::fifo::Fifo;
use super::order::QueueOrder;
use super::state::{Entry, State};
use super::{QueueOf, deliver};
use crate::wait_list::{Place, WaitList};

/// The future of [`QueueOf::get`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Get<'a, T, O: QueueOrder<T> = Fifo> {
    queue: &'a QueueOf<T, O>,
    place: Place,
}

/// What it awaits, in reports.
const ITEM: &str = "an item from a queue";

fn getters<T, O: QueueOrder<T>>(state: &mut State<T, O>) -> &mut WaitList<Option<Entry<T, O>>> {
    &mut state.getters
}

impl<'a, T, O: QueueOrder<T>> Get<'a, T, O> {
    #[inline]
    pub(super) fn new(queue: &'a QueueOf<T, O>, place: Place) -> Get<'a, T, O> {
        Get { queue, place }
    }
}

impl<T, O: QueueOrder<T>> Future for Get<'_, T, O> {
    type Output = Result<T, GetError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        if !self.place.is_taken() {
            self.queue.settle();
            if let Some(item) = self.queue.state.borrow_mut().get_alone() {
                return Poll::Ready(Ok(item));
            }
        }
        self.poll_others(cx)
    }
}

impl<T, O: QueueOrder<T>> Get<'_, T, O> {
    /// Where it waits, or somebody else does. Apart, so that a get which concerns nobody else is short
    /// where it is inlined (bench `mpsc1`).
    #[inline(never)]
    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, GetError>> {
        let Get { queue, place } = self;
        let mut state = queue.state.borrow_mut();
        if let Some(handed) = place.take_granted(&mut state.getters) {
            let claimed = state.claim(handed);
            drop(state);
            return Poll::Ready(or_come_back(queue, claimed));
        }
        if !place.is_taken() {
            match state.get() {
                Ok((item, handed)) => {
                    drop(state);
                    deliver(handed);
                    return Poll::Ready(Ok(item));
                }
                Err(TryGetError::Closed) => return Poll::Ready(Err(GetError)),
                Err(TryGetError::Empty) => {
                    if place.join_and_keep(&mut state.getters, None, cx) {
                        return place.wait(ITEM);
                    }
                }
            }
        }
        drop(state);
        let handed = ready!(place.poll(cx, ITEM, &queue.state, getters));
        let claimed = queue.state.borrow_mut().claim(handed);
        Poll::Ready(or_come_back(queue, claimed))
    }
}

/// What a getter has been handed. Where it was refused an item may have come back since.
#[inline]
fn or_come_back<T, O: QueueOrder<T>>(
    queue: &QueueOf<T, O>,
    claimed: Option<T>,
) -> Result<T, GetError> {
    match claimed {
        Some(item) => Ok(item),
        None => queue.try_get().map_err(|_| GetError),
    }
}

impl<T, O: QueueOrder<T>> Drop for Get<'_, T, O> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.queue.abandon_get(&mut self.place);
        }
    }
}

impl<T, O: QueueOrder<T>> fmt::Debug for Get<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("queue", self.queue).field("place", &self.place).finish()
    }
}
