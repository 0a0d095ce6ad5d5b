//! How does the number of permits change? By adding, by forgetting, or to a number that is said.

use super::Semaphore;

impl Semaphore {
    /// Adds permits, and hands them to those who wait, in order.
    ///
    /// asyncio: `Semaphore.release()` without an `acquire` before it.
    ///
    /// # Panics
    ///
    /// If there were then more than a [`bounded`](Semaphore::bounded) semaphore was made with, or
    /// more than `usize::MAX`; nothing has changed in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = lone::Semaphore::new(0);
    /// assert!(semaphore.is_locked());
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        {
            let mut state = self.state.borrow_mut();
            let (total, limit) = (state.total, state.limit);
            match total.checked_add(permits).filter(|sum| *sum <= limit) {
                Some(sum) => state.total = sum,
                None => {
                    drop(state);
                    panic!(
                        "{permits} permits added to a semaphore that has {total} and may have \
                         {limit}: a permit gives itself back when it is dropped, so add only what \
                         was taken for good with `forget`"
                    );
                }
            }
        }
        self.hand_over(None);
    }

    /// Sets how many permits there are, those that are held included.
    ///
    /// More than before: those that are new are handed over at once, in order. Fewer: whoever holds
    /// permits keeps them, and nobody else gets one until fewer than `permits` are held; so a limit
    /// can be lowered while work goes on under it. With 0 all wait until it is raised again.
    ///
    /// It is as if the semaphore had been made with so many: what `forget` and
    /// [`add_permits`](Semaphore::add_permits) did before counts no longer, and a
    /// [`bounded`](Semaphore::bounded) one has its bound here from now on.
    ///
    /// asyncio has nothing like it; trio: `CapacityLimiter.total_tokens = permits`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = lone::Semaphore::new(3);
    /// let first = semaphore.try_acquire().expect("there are three");
    /// let second = semaphore.try_acquire().expect("there are two");
    /// semaphore.resize(1); // two are held: one more than there may be
    /// drop(first);
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(second);
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn resize(&self, permits: usize) {
        {
            let mut state = self.state.borrow_mut();
            state.total = permits;
            if state.limit != usize::MAX {
                state.limit = permits;
            }
        }
        self.hand_over(None);
    }

    /// Takes held permits out of circulation.
    ///
    /// Saturating, for `resize` may have made the total smaller than what is held.
    pub(super) fn forget(&self, permits: usize) {
        let mut state = self.state.borrow_mut();
        state.out -= permits;
        state.total = state.total.saturating_sub(permits);
    }
}
