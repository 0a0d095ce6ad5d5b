//! Who is in, and who stands before the door? What a mutex is apart from its value.
//!
//! ```text
//!             take, or the end of the line                        release
//!   a future ──────────────────────────────► in, with its line ──────────► nobody waits: free
//!                       ▲                                          │
//!                       └──── the first in line is in, as of now ◄─┘
//! ```

use std::cell::RefCell;
use std::panic::Location;
use std::task::{Context, Poll, ready};

use lone_executor::{Holder, Taken, budget, trace};

use crate::wait_list::{Left, Place, WaitList};

/// One in at a time.
pub(super) struct Door {
    state: RefCell<State>,
}

struct State {
    /// Who is in, be it that he has not come yet. `None`: then nobody waits either.
    holder: Option<Taken>,
    /// He was handed it, and has not come for it.
    unclaimed: bool,
    /// A parcel is who polled the waiter last: what becomes the holder at the hand-over.
    waiters: WaitList<Taken>,
}

fn waiters(state: &mut State) -> &mut WaitList<Taken> {
    &mut state.waiters
}

impl Door {
    pub(super) fn new() -> Door {
        Door {
            state: RefCell::new(State {
                holder: None,
                unclaimed: false,
                waiters: WaitList::new(trace::Object::new("mutex")),
            }),
        }
    }

    /// Goes in if nobody is in; then nobody waits.
    #[inline]
    pub(super) fn take(&self, site: &'static Location<'static>) -> bool {
        let mut state = self.state.borrow_mut();
        if state.holder.is_some() {
            return false;
        }
        debug_assert!(state.waiters.is_empty(), "the mutex is free, and somebody waits");
        state.holder = Some(Taken::here(site));
        true
    }

    /// Goes in, or waits for it in line.
    #[inline]
    pub(super) fn poll(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::take(cx));
        if !place.is_taken() && self.take(place.site()) {
            return Poll::Ready(());
        }
        self.wait(place, cx)
    }

    /// [5] await: stands in line, and says who is in.
    #[inline(never)]
    fn wait(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        let now = Taken::here(place.site());
        if !place.is_taken() {
            place.join(&mut self.state.borrow_mut().waiters, now);
        }
        if place.poll_unsaid(cx, &self.state, waiters).is_pending() {
            // The future may have moved to another task since it was polled last.
            *place.parcel(&mut self.state.borrow_mut().waiters) = now;
            trace::awaits_held("a lock", place.site(), || self.holder());
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        let _before = place.take(&mut state.waiters);
        (state.holder, state.unclaimed) = (Some(now), false);
        Poll::Ready(())
    }

    /// Goes out: the first in line is in.
    #[inline]
    pub(super) fn release(&self) {
        let mut state = self.state.borrow_mut();
        if state.waiters.is_empty() {
            (state.holder, state.unclaimed) = (None, false);
            return;
        }
        drop(state);
        self.hand_over();
    }

    #[inline(never)]
    fn hand_over(&self) {
        let handed = {
            let mut state = self.state.borrow_mut();
            let mut next = None;
            let handed = state.waiters.grant(|taken| next = Some(*taken));
            (state.holder, state.unclaimed) = (next, next.is_some());
            handed
        };
        if let Some(handed) = handed {
            handed.deliver();
        }
    }

    /// The end of a lock that has not got its guard out.
    #[cold]
    pub(super) fn abandon(&self, place: &mut Place) {
        match place.leave(&self.state, waiters) {
            None | Some(Left::Waiting(_)) => {}
            Some(Left::Granted(_)) => self.release(),
        }
    }

    /// Who is in.
    pub(super) fn holder(&self) -> Option<Holder> {
        let state = self.state.borrow();
        state.holder.map(|taken| taken.holder(state.unclaimed))
    }

    pub(super) fn is_shut(&self) -> bool {
        self.state.borrow().holder.is_some()
    }

    /// How many wait.
    pub(super) fn waiters(&self) -> usize {
        self.state.borrow().waiters.len()
    }

    /// Those who wait, as a report names them.
    pub(super) fn describe_waiters(&self) -> String {
        format!("{:?}", self.state.borrow().waiters)
    }
}
