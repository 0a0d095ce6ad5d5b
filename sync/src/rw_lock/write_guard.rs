//! How does a writer reach the value, and what does the drop of its guard do?
//!
//! A guard that borrows its lock borrows the value as well, where it lies. One that owns its share of
//! the lock cannot hold a borrow of what it owns: it takes the value with it, and puts it back.

use std::cell::RefMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::gate::Kind;
use super::{ALONE, OwnedRwLockReadGuard, RwLock, RwLockReadGuard, THERE};

/// The value of a [`RwLock`], for the holder of this alone: all others wait until it is dropped.
#[must_use = "it is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct RwLockWriteGuard<'a, T> {
    /// Dropped first: whoever is let in finds the value free.
    value: RefMut<'a, T>,
    inside: Inside<'a, T>,
}

/// While it lives its holder is in.
struct Inside<'a, T>(Option<&'a RwLock<T>>);

impl<T> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lock) = self.0 {
            lock.gate.leave(Kind::Write);
        }
    }
}

impl<'a, T> RwLockWriteGuard<'a, T> {
    /// For somebody who has just gone in.
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockWriteGuard<'a, T> {
        let inside = Inside(Some(lock));
        let value = RefMut::map(lock.value.borrow_mut(), |value| {
            Rc::get_mut(value.as_mut().expect(THERE)).expect(ALONE)
        });
        RwLockWriteGuard { value, inside }
    }

    /// Goes on as a reader, without letting a writer in between.
    ///
    /// Readers who wait at the front of the line go in at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = lone::RwLock::new(1);
    /// let mut writer = lock.try_write().expect("nobody is in");
    /// *writer += 1;
    /// let reader = writer.downgrade();
    /// assert_eq!((*reader, lock.try_read().as_deref()), (2, Some(&2)));
    /// ```
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut inside } = self;
        drop(value);
        let lock = inside.0.take().expect("only this takes it");
        lock.gate.downgrade_with(|| RwLockReadGuard::new(lock))
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// As [`RwLockWriteGuard`], with a share of the lock instead of a borrow of it.
#[must_use = "it is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct OwnedRwLockWriteGuard<T> {
    /// `None` once it goes on as a reader.
    lock: Option<Rc<RwLock<T>>>,
    /// `None` only in its drop, and with that.
    value: Option<Rc<T>>,
}

/// Why an owned guard has its value at all times.
const TAKEN: &str = "a guard gives its value back only as it is dropped";

impl<T> OwnedRwLockWriteGuard<T> {
    /// For somebody who has just gone in.
    pub(super) fn new(lock: Rc<RwLock<T>>) -> OwnedRwLockWriteGuard<T> {
        let value = lock.value.take();
        debug_assert!(value.is_some(), "{THERE}");
        OwnedRwLockWriteGuard { lock: Some(lock), value }
    }

    /// Goes on as a reader, without letting a writer in between; as
    /// [`RwLockWriteGuard::downgrade`].
    pub fn downgrade(mut self) -> OwnedRwLockReadGuard<T> {
        let lock = self.put_back().expect("only this and its drop take it");
        lock.gate.downgrade_with(|| OwnedRwLockReadGuard::new(lock.clone()))
    }

    /// Puts the value back; the lock of it is still to be let go.
    fn put_back(&mut self) -> Option<Rc<RwLock<T>>> {
        let lock = self.lock.take()?;
        let none = lock.value.replace(self.value.take());
        debug_assert!(none.is_none(), "the value of a lock was there twice");
        Some(lock)
    }
}

impl<T> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value.as_ref().expect(TAKEN)
    }
}

impl<T> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        Rc::get_mut(self.value.as_mut().expect(TAKEN)).expect(ALONE)
    }
}

impl<T> Drop for OwnedRwLockWriteGuard<T> {
    fn drop(&mut self) {
        if let Some(lock) = self.put_back() {
            lock.gate.leave(Kind::Write);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
