//! What does a receiver do? It reads on from its place, or waits there.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::ring::Found;
use super::{BroadcastStatistics, RecvError, Shared, State, TryRecvError};
use crate::wait_list::{Place, WaitList};

/// The half that receives: every item that was sent since it was made.
pub struct Receiver<T> {
    pub(super) shared: Shared<T>,
    /// The number of the item that it receives next.
    pub(super) next: u64,
}

fn waiters<T>(state: &mut State<T>) -> &mut WaitList<()> {
    &mut state.waiters
}

impl<T: Clone> Receiver<T> {
    /// Receives the next item, after waiting for one if need be.
    ///
    /// # Errors
    ///
    /// [`RecvError`]: it has missed some, or all senders have gone and nothing is left.
    ///
    /// # Cancellation
    ///
    /// Strict: an item is received only when this returns.
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { receiver: self, place: Place::new() }
    }

    /// Receives the next item if there is one; never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`]: nothing is there, it has missed some, or all senders have gone.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let found = {
            let mut state = self.shared.borrow_mut();
            match state.ring.read(&mut self.next) {
                Found::Item(item) => item,
                Found::Lagged(missed) => return Err(TryRecvError::Lagged(missed)),
                Found::Nothing if state.senders == 0 => return Err(TryRecvError::Closed),
                Found::Nothing => return Err(TryRecvError::Empty),
            }
        };
        // The last one has it for itself. Cloning is user code: it finds the item received.
        Ok(Rc::try_unwrap(found).unwrap_or_else(|shared| T::clone(&shared)))
    }
}

impl<T> Receiver<T> {
    /// How many items this one has still to receive, those included that it will have missed.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.shared.borrow().ring.end() - self.next
    }

    /// Whether it has received all that was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Another receiver, of what is sent from now on.
    #[must_use]
    pub fn resubscribe(&self) -> Receiver<T> {
        let next = {
            let mut state = self.shared.borrow_mut();
            state.receivers += 1;
            state.ring.end()
        };
        Receiver { shared: self.shared.clone(), next }
    }

    /// How it is with the channel.
    #[must_use]
    pub fn statistics(&self) -> BroadcastStatistics {
        self.shared.borrow().statistics()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Items go after the borrow has ended.
        let _gone = {
            let mut state = self.shared.borrow_mut();
            state.receivers -= 1;
            state.ring.leave(self.next)
        };
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.borrow().debug("broadcast::Receiver", Some(self.next), f)
    }
}

/// The future of [`Receiver::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    place: Place,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Recv { receiver, place } = &mut *self;
        ready!(budget::take(cx));
        loop {
            if !place.is_taken() {
                match receiver.try_recv() {
                    Ok(item) => return Poll::Ready(Ok(item)),
                    Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError::Closed)),
                    Err(TryRecvError::Lagged(missed)) => {
                        return Poll::Ready(Err(RecvError::Lagged(missed)));
                    }
                    Err(TryRecvError::Empty) => {
                        place.join(&mut receiver.shared.borrow_mut().waiters, ());
                    }
                }
            }
            // Granted: there is an item, or nobody is left who could send one.
            ready!(place.poll(cx, "an item of a broadcast", &receiver.shared, waiters));
        }
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            // What it was told concerns nobody else, and is there still to be received.
            let _ = self.place.leave(&self.receiver.shared, waiters);
        }
    }
}
