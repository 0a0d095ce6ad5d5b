//! How does a reader reach the value, and what does the drop of its guard do?
//!
//! A guard that borrows its lock borrows the value as well, where it lies. One that owns its share of
//! the lock has a share of the value. Either is given back before the next one is let in.

use std::cell::Ref;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use super::gate::{Gate, Kind};
use super::{RwLock, THERE};

/// The value of a [`RwLock`], to be read: writers wait until it is dropped.
#[must_use = "it is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct RwLockReadGuard<'a, T> {
    /// Dropped first: whoever is let in finds the value free.
    value: Ref<'a, T>,
    _inside: Inside<'a>,
}

/// While it lives its holder is in.
struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.leave(Kind::Read);
    }
}

impl<'a, T> RwLockReadGuard<'a, T> {
    /// For somebody who has just gone in.
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockReadGuard<'a, T> {
        let inside = Inside(&lock.gate);
        let value = Ref::map(lock.value.borrow(), |value| &**value.as_ref().expect(THERE));
        RwLockReadGuard { value, _inside: inside }
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// As [`RwLockReadGuard`], with a share of the lock instead of a borrow of it.
#[must_use = "it is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct OwnedRwLockReadGuard<T> {
    /// Dropped first: whoever is let in to write has the value to himself.
    value: Rc<T>,
    _inside: OwnedInside<T>,
}

/// As [`Inside`].
struct OwnedInside<T>(Rc<RwLock<T>>);

impl<T> Drop for OwnedInside<T> {
    fn drop(&mut self) {
        self.0.gate.leave(Kind::Read);
    }
}

impl<T> OwnedRwLockReadGuard<T> {
    /// For somebody who has just gone in.
    pub(super) fn new(lock: Rc<RwLock<T>>) -> OwnedRwLockReadGuard<T> {
        let value = lock.value.borrow().clone().expect(THERE);
        OwnedRwLockReadGuard { value, _inside: OwnedInside(lock) }
    }
}

impl<T> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
