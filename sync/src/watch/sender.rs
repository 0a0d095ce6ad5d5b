//! How is the value changed, and who is told? All who follow it, after it has changed.

use std::cell::{Ref, RefMut};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::{Receiver, SendError, Shared, State, WatchStatistics};
use crate::wait_list::{Place, WaitList, deliver_all};

/// The half that changes the value; clones are of the same channel.
pub struct Sender<T> {
    pub(super) shared: Rc<Shared<T>>,
}

fn closed(state: &mut State) -> &mut WaitList<()> {
    &mut state.closed
}

impl<T> Sender<T> {
    /// Puts a new value in the place of the last one; never waits.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the value: there is no receiver. [`send_replace`](Sender::send_replace)
    /// does it all the same, for those who [`subscribe`](Sender::subscribe) later.
    ///
    /// # Panics
    ///
    /// If somebody holds what `borrow` has returned.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Puts a new value in, be there a receiver or not, and returns the one before.
    ///
    /// # Panics
    ///
    /// As [`Sender::send`].
    #[track_caller]
    pub fn send_replace(&self, value: T) -> T {
        let before = std::mem::replace(&mut *self.borrow_mut(), value);
        self.tell();
        before
    }

    /// Changes the value where it lies.
    ///
    /// If `change` panics nobody is told, and the value is as it has left it.
    ///
    /// # Panics
    ///
    /// As [`Sender::send`]; so within `change` the channel is not to be used.
    #[track_caller]
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.borrow_mut());
        self.tell();
    }

    /// Changes the value where it lies, and tells of it only if `change` returns `true`. Returns that.
    ///
    /// # Panics
    ///
    /// As [`Sender::send_modify`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = lone::watch::channel(1);
    /// assert!(!sender.send_if_modified(|value| std::mem::replace(value, 1) != 1));
    /// assert!(!receiver.has_changed());
    /// assert!(sender.send_if_modified(|value| std::mem::replace(value, 2) != 2));
    /// assert!(receiver.has_changed());
    /// ```
    #[track_caller]
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let changed = change(&mut self.borrow_mut());
        if changed {
            self.tell();
        }
        changed
    }

    /// The value of now. Drop what this returns before the next await: nobody can send meanwhile.
    ///
    /// # Panics
    ///
    /// Within what is given to [`send_modify`](Sender::send_modify).
    #[must_use]
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// A receiver, which has seen the value of now.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = {
            let mut state = self.shared.state.borrow_mut();
            state.receivers += 1;
            state.version
        };
        Receiver { shared: self.shared.clone(), seen }
    }

    /// Waits until all receivers have gone. It is enough that this was so once.
    ///
    /// # Cancellation
    ///
    /// Strict.
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed { sender: self, place: Place::new() }
    }

    /// Whether all receivers have gone; [`subscribe`](Sender::subscribe) makes another one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.state.borrow().receivers == 0
    }

    /// How it is with the channel.
    #[must_use]
    pub fn statistics(&self) -> WatchStatistics {
        self.shared.statistics()
    }

    #[track_caller]
    fn borrow_mut(&self) -> RefMut<'_, T> {
        match self.shared.value.try_borrow_mut() {
            Ok(value) => value,
            Err(_) => panic!(
                "the value of a watch was sent while somebody looks at it: drop what `borrow` has \
                 returned before the next await, or copy the value out of it"
            ),
        }
    }

    /// Tells all who wait that the value has changed: no borrow is held.
    fn tell(&self) {
        self.shared.state.borrow_mut().version += 1;
        deliver_all(&self.shared.state, |state| &mut state.changed);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.state.borrow_mut().senders += 1;
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let senders = {
            let mut state = self.shared.state.borrow_mut();
            state.senders -= 1;
            state.senders
        };
        if senders == 0 {
            deliver_all(&self.shared.state, |state| &mut state.changed);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("watch::Sender", None, f)
    }
}

/// The future of [`Sender::closed`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Closed<'a, T> {
    sender: &'a Sender<T>,
    place: Place,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Closed { sender, place } = &mut *self;
        ready!(budget::take(cx));
        let state = &sender.shared.state;
        if !place.is_taken() {
            let mut state = state.borrow_mut();
            if state.receivers == 0 {
                return Poll::Ready(());
            }
            place.join(&mut state.closed, ());
        }
        place.poll(cx, "the end of all receivers", state, closed)
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            // It concerns nobody else: all are told.
            let _ = self.place.leave(&self.sender.shared.state, closed);
        }
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("place", &self.place).finish_non_exhaustive()
    }
}
