//! What does the one who waits for the value do? He is a future of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::{OneshotStatistics, RecvError, Shared, State, TryRecvError};
use crate::wait_list::{Place, WaitList};

/// The half that receives: a future of the value.
///
/// A report tells it with the line on which the channel was made.
///
/// # Errors
///
/// [`RecvError`]: the sender has gone without having sent, or the value was taken already.
///
/// # Cancellation
///
/// Strict, where `&mut receiver` is awaited. Loses data where the receiver itself is dropped: a value
/// that was sent and not received goes with it. [`close`](Receiver::close) and
/// [`try_recv`](Receiver::try_recv) leave nothing behind.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Receiver<T> {
    pub(super) shared: Shared<T>,
    pub(super) place: Place,
}

fn receiver<T>(state: &mut State<T>) -> &mut WaitList<()> {
    &mut state.receiver
}

impl<T> Receiver<T> {
    /// The value, if it was sent; never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`]: it was not sent yet, or will never be.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut state = self.shared.borrow_mut();
        state.value.take().ok_or(match state.has_sender && !state.is_closed {
            true => TryRecvError::Empty,
            false => TryRecvError::Closed,
        })
    }

    /// Takes no value that is not sent yet: from now on `send` fails.
    ///
    /// What was sent before can still be received.
    pub fn close(&mut self) {
        let handed = {
            let mut state = self.shared.borrow_mut();
            state.is_closed = true;
            state.sender.grant(|()| ())
        };
        if let Some(handed) = handed {
            handed.deliver();
        }
    }

    /// How it is with the channel.
    #[must_use]
    pub fn statistics(&self) -> OneshotStatistics {
        self.shared.borrow().statistics()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(budget::take(cx));
        let polled = self.try_recv();
        let Receiver { shared, place } = &mut *self;
        let outcome = match polled {
            Ok(value) => Ok(value),
            Err(TryRecvError::Closed) => Err(RecvError),
            Err(TryRecvError::Empty) => {
                if !place.is_taken() {
                    place.join(&mut shared.borrow_mut().receiver, ());
                }
                ready!(place.poll(cx, "a value from a oneshot", shared, receiver));
                // The sender has gone while the waker was being cloned.
                shared.borrow_mut().value.take().ok_or(RecvError)
            }
        };
        let _ = place.leave(shared, receiver);
        Poll::Ready(outcome)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let _ = self.place.leave(&self.shared, receiver);
        // A value that nobody has received is dropped after the borrow has ended.
        let unread = self.shared.borrow_mut().value.take();
        self.close();
        drop(unread);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.borrow();
        f.debug_struct("oneshot::Receiver")
            .field("is_sent", &state.value.is_some())
            .field("has_sender", &state.has_sender)
            .field("is_closed", &state.is_closed)
            .finish()
    }
}
