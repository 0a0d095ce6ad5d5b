//! What does a sender do? It puts an item in for all, and never waits.

use std::fmt;
use std::rc::Rc;

use super::{BroadcastStatistics, Receiver, SendError, Shared};
use crate::wait_list::deliver_all;

/// The half that sends; clones are of the same channel.
pub struct Sender<T> {
    pub(super) shared: Shared<T>,
}

impl<T> Sender<T> {
    /// Sends an item to all receivers, and returns how many they are; never waits.
    ///
    /// Where `capacity` items have still to be read the oldest one goes, and whoever has not read that
    /// is told so.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the item: there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// for item in 1..=5 {
    ///     assert_eq!(sender.send(item), Ok(1));
    /// }
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(3)));
    /// assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(4), Ok(5)));
    /// drop(receiver);
    /// assert!(sender.send(6).is_err());
    /// ```
    pub fn send(&self, item: T) -> Result<usize, SendError<T>> {
        if self.shared.borrow().receivers == 0 {
            return Err(SendError(item));
        }
        let item = Rc::new(item);
        let (receivers, oldest) = {
            let mut state = self.shared.borrow_mut();
            let receivers = state.receivers;
            (receivers, state.ring.push(item, receivers))
        };
        deliver_all(&self.shared, |state| &mut state.waiters);
        drop(oldest);
        Ok(receivers)
    }

    /// A receiver, of what is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
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

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.borrow_mut().senders += 1;
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let senders = {
            let mut state = self.shared.borrow_mut();
            state.senders -= 1;
            state.senders
        };
        if senders == 0 {
            deliver_all(&self.shared, |state| &mut state.waiters);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.borrow().debug("broadcast::Sender", None, f)
    }
}
