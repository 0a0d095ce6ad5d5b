//! Where do the futures of a group lie? Side by side in one block that never moves.
//!
//! Invariants:
//! - **Pinned for good**: the block is boxed and pinned; an element is written once, when the block
//!   is made, and from then on only reached through `Pin` or dropped in place.
//!
//! Cost: one allocation for all of them.

use std::pin::Pin;

/// A fixed number of pinned futures, each of which can be dropped on its own.
pub struct Pinned<F> {
    slots: Pin<Box<[Option<F>]>>,
}

impl<F> Pinned<F> {
    /// How many there are, dropped ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The one at `index`; `None` if it was dropped.
    ///
    /// # Panics
    ///
    /// If `index` is out of range.
    pub fn get(&mut self, index: usize) -> Option<Pin<&mut F>> {
        self.slot(index).as_pin_mut()
    }

    /// Drops the one at `index` in place.
    ///
    /// # Panics
    ///
    /// If `index` is out of range.
    pub fn clear(&mut self, index: usize) {
        self.slot(index).set(None);
    }

    /// Moves the one at `index` out, if it may be moved; `None` if it was dropped.
    ///
    /// # Panics
    ///
    /// If `index` is out of range.
    pub fn take(&mut self, index: usize) -> Option<F>
    where
        F: Unpin,
    {
        self.slot(index).get_mut().take()
    }

    fn slot(&mut self, index: usize) -> Pin<&mut Option<F>> {
        // SAFETY: *Pinned for good*: an element of a pinned slice is a structural field of it. It
        // is not moved out here, and nothing else hands out an unpinned reference.
        unsafe { self.slots.as_mut().map_unchecked_mut(|slots| &mut slots[index]) }
    }
}

impl<F> FromIterator<F> for Pinned<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Pinned<F> {
        let slots: Box<[Option<F>]> = futures.into_iter().map(Some).collect();
        Pinned { slots: Box::into_pin(slots) }
    }
}

impl<F> std::fmt::Debug for Pinned<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pinned").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn an_element_cleared_is_dropped_at_once_and_the_others_stay() {
        let token = Rc::new(());
        let mut pinned: Pinned<_> = (0..3)
            .map(|n| {
                let token = token.clone();
                async move {
                    let _token = token;
                    n
                }
            })
            .collect();
        assert_eq!(Rc::strong_count(&token), 4);
        pinned.clear(1);
        assert_eq!(Rc::strong_count(&token), 3);
        assert!(pinned.get(1).is_none());
        let mut cx = Context::from_waker(Waker::noop());
        let third = pinned.get(2).expect("it was not cleared");
        assert_eq!(third.poll(&mut cx), Poll::Ready(2));
        drop(pinned);
        assert_eq!(Rc::strong_count(&token), 1);
    }
}
