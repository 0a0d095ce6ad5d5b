//! What do a read and a write do when they are polled, or dropped?

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::gate::Kind;
use super::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use crate::wait_list::Place;

/// The future of [`RwLock::read`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadLock<'a, T> {
    pub(super) lock: &'a RwLock<T>,
    pub(super) place: Place,
}

/// The future of [`RwLock::write`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteLock<'a, T> {
    pub(super) lock: &'a RwLock<T>,
    pub(super) place: Place,
}

/// The future of [`RwLock::read_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadLockOwned<T> {
    pub(super) lock: Rc<RwLock<T>>,
    pub(super) place: Place,
}

/// The future of [`RwLock::write_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteLockOwned<T> {
    pub(super) lock: Rc<RwLock<T>>,
    pub(super) place: Place,
}

impl<'a, T> Future for ReadLock<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadLock { lock, place } = &mut *self;
        ready!(lock.gate.poll(Kind::Read, place, cx));
        Poll::Ready(RwLockReadGuard::new(lock))
    }
}

impl<'a, T> Future for WriteLock<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteLock { lock, place } = &mut *self;
        ready!(lock.gate.poll(Kind::Write, place, cx));
        Poll::Ready(RwLockWriteGuard::new(lock))
    }
}

impl<T> Future for ReadLockOwned<T> {
    type Output = OwnedRwLockReadGuard<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadLockOwned { lock, place } = &mut *self;
        ready!(lock.gate.poll(Kind::Read, place, cx));
        Poll::Ready(OwnedRwLockReadGuard::new(lock.clone()))
    }
}

impl<T> Future for WriteLockOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteLockOwned { lock, place } = &mut *self;
        ready!(lock.gate.poll(Kind::Write, place, cx));
        Poll::Ready(OwnedRwLockWriteGuard::new(lock.clone()))
    }
}

impl<T> Drop for ReadLock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.lock.gate.abandon(Kind::Read, &mut self.place);
        }
    }
}

impl<T> Drop for WriteLock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.lock.gate.abandon(Kind::Write, &mut self.place);
        }
    }
}

impl<T> Drop for ReadLockOwned<T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.lock.gate.abandon(Kind::Read, &mut self.place);
        }
    }
}

impl<T> Drop for WriteLockOwned<T> {
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.lock.gate.abandon(Kind::Write, &mut self.place);
        }
    }
}

impl<T> fmt::Debug for ReadLock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLock").field("place", &self.place).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WriteLock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteLock").field("place", &self.place).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ReadLockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLockOwned").field("place", &self.place).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WriteLockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteLockOwned").field("place", &self.place).finish_non_exhaustive()
    }
}
