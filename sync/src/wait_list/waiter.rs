//! What is kept of who waits, and what is handed to him?

use std::panic::Location;

use lone_executor::KeptWaker;
use lone_executor::pool::Node;
use lone_executor::watch::Watch;

use super::Standing;

/// What a waiter brings along, or is handed.
pub(crate) trait Parcel {
    /// Moves it out. What is left is not looked at any more.
    fn take(&mut self) -> Self;
}

impl Parcel for () {
    fn take(&mut self) {}
}

impl Parcel for usize {
    #[inline]
    fn take(&mut self) -> usize {
        *self
    }
}

impl<T> Parcel for Option<T> {
    #[inline]
    fn take(&mut self) -> Option<T> {
        Option::take(self)
    }
}

/// Somebody in the line. One who has left it leaves neither parcel nor waker behind.
pub(super) struct Waiter<P> {
    pub(super) parcel: P,
    pub(super) waker: KeptWaker,
    pub(super) site: &'static Location<'static>,
    pub(super) standing: Standing,
    /// Debug mode watches whether what was granted is fetched.
    pub(super) watch: Watch,
    pub(super) previous: u32,
    pub(super) next: u32,
}

impl<P> Node for Waiter<P> {
    #[inline]
    fn link(&mut self) -> &mut u32 {
        &mut self.next
    }
}
