//! What does an acquire do when it is polled, or dropped?

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{OwnedPermit, Permit, Semaphore};
use crate::wait_list::Place;

/// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Acquire<'a> {
    pub(super) semaphore: &'a Semaphore,
    pub(super) wanted: usize,
    pub(super) place: Place,
}

impl<'a> Future for Acquire<'a> {
    type Output = Permit<'a>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let Acquire { semaphore, wanted, place } = &mut *self;
        ready!(semaphore.poll_acquire(*wanted, place, cx));
        Poll::Ready(Permit { semaphore, permits: *wanted })
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.semaphore.abandon(&mut self.place);
        }
    }
}

/// The future of [`Semaphore::acquire_owned`] and [`Semaphore::acquire_many_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AcquireOwned {
    pub(super) semaphore: Rc<Semaphore>,
    pub(super) wanted: usize,
    pub(super) place: Place,
}

impl Future for AcquireOwned {
    type Output = OwnedPermit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedPermit> {
        let AcquireOwned { semaphore, wanted, place } = &mut *self;
        ready!(semaphore.poll_acquire(*wanted, place, cx));
        Poll::Ready(OwnedPermit { semaphore: semaphore.clone(), permits: *wanted })
    }
}

impl Drop for AcquireOwned {
    fn drop(&mut self) {
        if self.place.is_taken() {
            self.semaphore.abandon(&mut self.place);
        }
    }
}
