//! How is whoever was granted something told? After the borrow, one by one from the live list.

use std::cell::RefCell;

use lone_executor::KeptWaker;
use lone_executor::trace::{self, Event, Who};

use super::{Parcel, WaitList};

/// Somebody has been granted something and is to be told: deliver it when no borrow is held.
#[must_use = "deliver it after the borrow has ended"]
pub(crate) struct Handed {
    pub(super) waker: KeptWaker,
    pub(super) object: trace::Label,
}

impl Handed {
    /// [6] wake: tells the one to whom it was handed.
    #[inline(never)]
    pub(crate) fn deliver(self) {
        self.into_waker().wake();
    }

    /// Who is not woken yet, but stands in another line from now on.
    pub(crate) fn into_waker(self) -> KeptWaker {
        let Handed { waker, object } = self;
        trace::emit(|| Event::Grant {
            object: object.name(),
            who: waker.who().unwrap_or(Who::Unknown),
        });
        waker
    }
}

/// Delivers what `next` returns, one by one from the live list, until there is no more.
///
/// `next` borrows, grants and ends its borrow; so a waker that calls back finds a whole primitive,
/// and ten thousand waiters need no memory. A waker that panics does not cheat those behind it.
pub(crate) fn deliver_each(next: impl FnMut() -> Option<Handed>) {
    struct Rest<N: FnMut() -> Option<Handed>>(N);
    impl<N: FnMut() -> Option<Handed>> Rest<N> {
        fn deliver(&mut self) {
            while let Some(handed) = (self.0)() {
                handed.deliver();
            }
        }
    }
    impl<N: FnMut() -> Option<Handed>> Drop for Rest<N> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.deliver();
            }
        }
    }
    Rest(next).deliver();
}

/// Grants all who wait now, as they are, one by one; who joins meanwhile is not concerned.
pub(crate) fn deliver_all<S, P: Parcel>(
    cell: &RefCell<S>,
    list: impl Fn(&mut S) -> &mut WaitList<P>,
) {
    let round = list(&mut cell.borrow_mut()).begin_round();
    let Some(round) = round else { return };
    deliver_each(|| {
        let mut state = cell.borrow_mut();
        let list = list(&mut state);
        if list.is_first_in(round) { list.grant(|_| ()) } else { None }
    });
}
