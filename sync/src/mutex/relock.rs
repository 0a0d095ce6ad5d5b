//! How is a guard let go for a while, and had again? A condvar asks; the two kinds of guards answer.

use std::ops::DerefMut;
use std::rc::Rc;

use super::{Door, Mutex, MutexGuard, OwnedMutexGuard};

/// A guard that a [`Condvar`](crate::Condvar) can let go and get back: [`MutexGuard`] and
/// [`OwnedMutexGuard`].
pub trait Relock: DerefMut<Target: Sized> + sealed::Relock {}

impl<T> Relock for MutexGuard<'_, T> {}
impl<T> Relock for OwnedMutexGuard<T> {}

pub(crate) mod sealed {
    use super::Door;

    pub trait Relock: Sized {
        /// What is left of a guard that was let go.
        type Mutex;

        fn mutex(&self) -> Self::Mutex;

        fn door(mutex: &Self::Mutex) -> &Door;

        /// For somebody who has just gone in.
        fn guard(mutex: Self::Mutex) -> Self;
    }
}

impl<'a, T> sealed::Relock for MutexGuard<'a, T> {
    type Mutex = &'a Mutex<T>;

    fn mutex(&self) -> &'a Mutex<T> {
        MutexGuard::mutex(self)
    }

    fn door<'b>(mutex: &'b &'a Mutex<T>) -> &'b Door {
        &mutex.door
    }

    fn guard(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        MutexGuard::new(mutex)
    }
}

impl<T> sealed::Relock for OwnedMutexGuard<T> {
    type Mutex = Rc<Mutex<T>>;

    fn mutex(&self) -> Rc<Mutex<T>> {
        OwnedMutexGuard::mutex(self).clone()
    }

    fn door(mutex: &Rc<Mutex<T>>) -> &Door {
        &mutex.door
    }

    fn guard(mutex: Rc<Mutex<T>>) -> OwnedMutexGuard<T> {
        OwnedMutexGuard::new(mutex)
    }
}
