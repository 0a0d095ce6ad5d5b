//! What does a permit do when it is dropped? It gives back what it stands for.

use std::rc::Rc;

use super::Semaphore;

/// A permit, or several: dropping it hands them to those who wait, or back to the semaphore.
#[derive(Debug)]
#[must_use = "a permit is given back when it is dropped: bind it to a name, `_` drops it at once"]
pub struct Permit<'a> {
    pub(super) semaphore: &'a Semaphore,
    pub(super) permits: usize,
}

impl Permit<'_> {
    /// How many permits it stands for.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Takes the permits out of the semaphore for good.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = lone::Semaphore::new(2);
    /// semaphore.try_acquire().expect("there are two").forget();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn forget(mut self) {
        self.semaphore.forget(std::mem::take(&mut self.permits));
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.release(self.permits);
    }
}

/// As [`Permit`], with a share of the semaphore instead of a borrow of it.
#[derive(Debug)]
#[must_use = "a permit is given back when it is dropped: bind it to a name, `_` drops it at once"]
pub struct OwnedPermit {
    pub(super) semaphore: Rc<Semaphore>,
    pub(super) permits: usize,
}

impl OwnedPermit {
    /// How many permits it stands for.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// The semaphore that it belongs to.
    #[must_use]
    pub fn semaphore(&self) -> &Rc<Semaphore> {
        &self.semaphore
    }

    /// Takes the permits out of the semaphore for good.
    pub fn forget(mut self) {
        self.semaphore.forget(std::mem::take(&mut self.permits));
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.release(self.permits);
    }
}
