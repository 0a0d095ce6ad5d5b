//! What does a lock do when it is polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Mutex, MutexGuard, OwnedMutexGuard};
use crate::wait_list::Place;

/// The future of [`Mutex::lock`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Lock<'a, T> {
    pub(super) mutex: &'a Mutex<T>,
    pub(super) place: Place,
}

impl<'a, T> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let Lock { mutex, place } = &mut *self;
        ready!(mutex.door.poll(place, cx));
        Poll::Ready(MutexGuard::new(mutex))
    }
}

impl<T> Drop for Lock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.mutex.door.abandon(&mut self.place);
        }
    }
}

impl<T> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The future of [`Mutex::lock_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LockOwned<T> {
    pub(super) mutex: Rc<Mutex<T>>,
    pub(super) place: Place,
}

impl<T> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedMutexGuard<T>> {
        let LockOwned { mutex, place } = &mut *self;
        ready!(mutex.door.poll(place, cx));
        Poll::Ready(OwnedMutexGuard::new(mutex.clone()))
    }
}

impl<T> Drop for LockOwned<T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.mutex.door.abandon(&mut self.place);
        }
    }
}

impl<T> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOwned").field("place", &self.place).finish_non_exhaustive()
    }
}
