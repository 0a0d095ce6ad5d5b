//! What does the one who has the value do? He sends it, or hears that nobody wants it any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::{OneshotStatistics, SendError, Shared, State};
use crate::wait_list::{Place, WaitList};

/// The half that sends, once. Dropped without that, the receiver has an error.
pub struct Sender<T> {
    pub(super) shared: Shared<T>,
}

fn sender<T>(state: &mut State<T>) -> &mut WaitList<()> {
    &mut state.sender
}

impl<T> Sender<T> {
    /// Sends the value; never waits.
    ///
    /// It lies there until it is received. A receiver that is dropped without that drops it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the value: the receiver has gone, or was closed.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.shared.borrow_mut();
        if state.is_closed {
            return Err(SendError(value));
        }
        state.value = Some(value);
        // The receiver is told by the drop of this.
        Ok(())
    }

    /// Waits until the receiver has gone, or was closed: then nobody wants the value any more.
    ///
    /// # Cancellation
    ///
    /// Strict.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::oneshot;
    ///
    /// lone::run(async {
    ///     let (mut sender, receiver) = oneshot::channel::<u8>();
    ///     drop(receiver);
    ///     sender.closed().await;
    ///     assert!(sender.send(7).is_err());
    /// });
    /// ```
    #[track_caller]
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed { sender: self, place: Place::new() }
    }

    /// Whether the receiver has gone, or was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.borrow().is_closed
    }

    /// How it is with the channel.
    #[must_use]
    pub fn statistics(&self) -> OneshotStatistics {
        self.shared.borrow().statistics()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let handed = {
            let mut state = self.shared.borrow_mut();
            state.has_sender = false;
            state.receiver.grant(|()| ())
        };
        if let Some(handed) = handed {
            handed.deliver();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.borrow();
        f.debug_struct("oneshot::Sender")
            .field("is_closed", &state.is_closed)
            .field("receiver", &state.receiver)
            .finish()
    }
}

/// The future of [`Sender::closed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Closed<'a, T> {
    sender: &'a mut Sender<T>,
    place: Place,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Closed { sender: this, place } = &mut *self;
        ready!(budget::take(cx));
        if !place.is_taken() {
            let mut state = this.shared.borrow_mut();
            if state.is_closed {
                return Poll::Ready(());
            }
            place.join(&mut state.sender, ());
        }
        place.poll(cx, "the end of a receiver", &this.shared, sender)
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            // That it is closed concerns nobody else, and stays so.
            let _ = self.place.leave(&self.sender.shared, sender);
        }
    }
}
