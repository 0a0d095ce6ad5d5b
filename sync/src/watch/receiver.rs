//! How is a change waited for? By comparing what was seen with what there is.

use std::cell::Ref;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::budget;

use super::{ChangedError, Shared, State, WatchStatistics};
use crate::wait_list::{Place, WaitList, deliver_all};

/// The half that follows the value; a clone has seen what this one has.
pub struct Receiver<T> {
    pub(super) shared: Rc<Shared<T>>,
    /// The version that was seen last.
    pub(super) seen: u64,
}

fn changed(state: &mut State) -> &mut WaitList<()> {
    &mut state.changed
}

impl<T> Receiver<T> {
    /// Waits until there is a value that was not seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// [`ChangedError`]: all senders have gone, and the last value was seen.
    ///
    /// # Cancellation
    ///
    /// Strict: a change is seen only when this returns.
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed { receiver: self, place: Place::new() }
    }

    /// The value of now. Drop what this returns before the next await: nobody can send meanwhile.
    ///
    /// It does not mark the value as seen.
    ///
    /// # Panics
    ///
    /// Within what is given to [`send_modify`](super::Sender::send_modify).
    #[must_use]
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// As [`borrow`](Receiver::borrow), and marks the value as seen.
    ///
    /// # Panics
    ///
    /// As [`borrow`](Receiver::borrow).
    #[must_use]
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.shared.state.borrow().version;
        self.shared.borrow()
    }

    /// Whether there is a value that was not seen.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.shared.state.borrow().version != self.seen
    }

    /// Whether all senders have gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.state.borrow().senders == 0
    }

    /// How it is with the channel.
    #[must_use]
    pub fn statistics(&self) -> WatchStatistics {
        self.shared.statistics()
    }

    /// Sees what has changed; `None`: nothing has, and may yet.
    fn see(&mut self) -> Option<Result<(), ChangedError>> {
        let State { version, senders, .. } = *self.shared.state.borrow();
        if std::mem::replace(&mut self.seen, version) != version {
            return Some(Ok(()));
        }
        (senders == 0).then_some(Err(ChangedError))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.state.borrow_mut().receivers += 1;
        Receiver { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let receivers = {
            let mut state = self.shared.state.borrow_mut();
            state.receivers -= 1;
            state.receivers
        };
        if receivers == 0 {
            deliver_all(&self.shared.state, |state| &mut state.closed);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("watch::Receiver", Some(self.seen), f)
    }
}

/// The future of [`Receiver::changed`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Changed<'a, T> {
    receiver: &'a mut Receiver<T>,
    place: Place,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), ChangedError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Changed { receiver, place } = &mut *self;
        ready!(budget::take(cx));
        loop {
            if !place.is_taken() {
                if let Some(seen) = receiver.see() {
                    return Poll::Ready(seen);
                }
                place.join(&mut receiver.shared.state.borrow_mut().changed, ());
            }
            // Granted: something has changed, or nobody is left. It is not seen but here.
            ready!(place.poll(cx, "a change of a watch", &receiver.shared.state, changed));
        }
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            // What it was told concerns nobody else, and is there still to be seen.
            let _ = self.place.leave(&self.receiver.shared.state, changed);
        }
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("place", &self.place).finish_non_exhaustive()
    }
}
