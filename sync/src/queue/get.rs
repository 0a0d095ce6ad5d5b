//! What does a get do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::error::{GetError, TryGetError};
use super::state::State;
use super::{Queue, deliver};
use crate::wait_list::{Left, Place, WaitList};

/// The future of [`Queue::get`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Get<'a, T> {
    queue: &'a Queue<T>,
    place: Place,
}

fn getters<T>(state: &mut State<T>) -> &mut WaitList<bool> {
    &mut state.getters
}

impl<'a, T> Get<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a Queue<T>, place: Place) -> Get<'a, T> {
        Get { queue, place }
    }
}

impl<T> Future for Get<'_, T> {
    type Output = Result<T, GetError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Get { queue, place } = &mut *self;
        ready!(budget::take(cx));
        if !place.is_taken() {
            let mut state = queue.state.borrow_mut();
            match state.get() {
                Ok((item, handed)) => {
                    drop(state);
                    deliver(handed);
                    return Poll::Ready(Ok(item));
                }
                Err(TryGetError::Closed) => return Poll::Ready(Err(GetError)),
                Err(TryGetError::Empty) => place.join(&mut state.getters, false),
            }
        }
        ready!(place.poll(cx, "an item from a queue", &queue.state, getters));
        let handed = queue.state.borrow_mut().take_handed(place);
        Poll::Ready(match handed {
            Some(item) => Ok(item),
            // Refused; but an item may have come back since.
            None => queue.try_get().map_err(|_| GetError),
        })
    }
}

impl<T> Drop for Get<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            let left = self.place.leave(&self.queue.state, getters);
            if left == Some(Left::Granted(true)) {
                let handed = self.queue.state.borrow_mut().take_back();
                deliver(handed);
            }
        }
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("queue", self.queue).field("place", &self.place).finish()
    }
}
