//! What does a guard do when it is dropped? It lets the value go, and then the next one in.
//!
//! Without `unsafe` there are two ways to reach the value. A guard that borrows its mutex borrows the
//! value as well, where it lies. One that owns its share cannot hold a borrow of what it owns: it
//! takes the value with it, and puts it back.

use std::cell::RefMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::{Mutex, THERE};

/// The value of a [`Mutex`], for the holder of this alone: dropping it hands the lock to the first
/// who waits.
#[must_use = "the lock is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct MutexGuard<'a, T> {
    /// Dropped first: whoever is handed the lock finds the value free.
    value: RefMut<'a, T>,
    inside: Inside<'a, T>,
}

/// While it lives its holder is in.
struct Inside<'a, T>(&'a Mutex<T>);

impl<T> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.door.release();
    }
}

impl<'a, T> MutexGuard<'a, T> {
    /// For somebody who has just gone in.
    #[inline]
    pub(super) fn new(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        let inside = Inside(mutex);
        let value = RefMut::map(mutex.value.borrow_mut(), |value| value.as_mut().expect(THERE));
        MutexGuard { value, inside }
    }

    /// Whose guard it is.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.inside.0
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// As [`MutexGuard`], with a share of the mutex instead of a borrow of it.
///
/// # Cost
///
/// The value is moved into the guard and back: keep one of more than a few words in a `Box`.
#[must_use = "the lock is let go when its guard is dropped: bind it to a name, `_` drops it at once"]
pub struct OwnedMutexGuard<T> {
    mutex: Rc<Mutex<T>>,
    /// `None` only in its drop.
    value: Option<T>,
}

/// Why an owned guard has its value at all times.
const TAKEN: &str = "a guard gives its value back only as it is dropped";

impl<T> OwnedMutexGuard<T> {
    /// For somebody who has just gone in.
    pub(super) fn new(mutex: Rc<Mutex<T>>) -> OwnedMutexGuard<T> {
        let value = mutex.value.take();
        debug_assert!(value.is_some(), "{THERE}");
        OwnedMutexGuard { mutex, value }
    }

    /// Whose guard it is.
    pub(super) fn mutex(&self) -> &Rc<Mutex<T>> {
        &self.mutex
    }
}

impl<T> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value.as_ref().expect(TAKEN)
    }
}

impl<T> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(TAKEN)
    }
}

impl<T> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        let none = self.mutex.value.replace(self.value.take());
        debug_assert!(none.is_none(), "the value of a mutex was there twice");
        self.mutex.door.release();
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
