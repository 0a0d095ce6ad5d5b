//! Who is in, and who stands before the door? What a mutex is apart from its value.
//!
//! ```text
//!             take, or the end of the line                        release
//!   a future ──────────────────────────────► in, with its line ──────────► nobody waits: free
//!                       ▲                                          │
//!                       └──── the first in line is in, as of now ◄─┘
//! ```
//!
//! It is shared with a [`Condvar`](crate::Condvar), whose notification puts a waiter in line, at the
//! end, while that one sleeps on.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::{Holder, Taken, budget, trace};

use crate::wait_list::{Handed, Left, Parcel, Place, WaitList};

/// One in at a time. Clones are of the same door.
#[derive(Clone)]
pub struct Door {
    state: Rc<RefCell<State>>,
}

struct State {
    /// Who is in, be it that he has not come yet. `None`: then nobody waits either.
    holder: Option<Taken>,
    /// He was handed it, and has not come for it.
    unclaimed: bool,
    /// A parcel is who polled the waiter last: what becomes the holder at the hand-over.
    waiters: WaitList<Taken>,
}

impl Parcel for Taken {
    #[inline]
    fn take(&mut self) -> Taken {
        *self
    }
}

impl State {
    /// The first in line is in; nobody waits: it is free.
    fn admit(&mut self) -> Option<Handed> {
        let mut next = None;
        let handed = self.waiters.grant(|taken| next = Some(*taken));
        (self.holder, self.unclaimed) = (next, next.is_some());
        handed
    }
}

fn waiters(state: &mut State) -> &mut WaitList<Taken> {
    &mut state.waiters
}

impl Door {
    pub(super) fn new() -> Door {
        let waiters = WaitList::new(trace::Object::new("mutex"));
        let state = State { holder: None, unclaimed: false, waiters };
        Door { state: Rc::new(RefCell::new(state)) }
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
        self.enter(place, cx)
    }

    /// As [`Door::poll`], where the operation has been paid for.
    #[inline]
    pub(crate) fn enter(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        if !place.is_taken() && self.take(place.site()) {
            return Poll::Ready(());
        }
        self.wait(place, cx)
    }

    /// Puts somebody in line who sleeps, notified by a condvar: at the end, or in if nobody is.
    ///
    /// No user code runs in it. The answer is to be delivered after the borrows have ended.
    pub(crate) fn line_up(
        &self,
        place: &mut Place,
        who: Taken,
        notified: Handed,
    ) -> Option<Handed> {
        let state = &mut *self.state.borrow_mut();
        place.line_up(&mut state.waiters, who, notified.into_waker());
        if state.holder.is_some() {
            return None;
        }
        state.admit()
    }

    /// [5] await: stands in line, and says who is in.
    #[inline(never)]
    fn wait(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        let now = Taken::here(place.site());
        let joins = !place.is_taken();
        let kept = joins && place.join_and_keep(&mut self.state.borrow_mut().waiters, now, cx);
        if kept {
            budget::give_back();
            trace::awaits_held("a lock", place.site(), || self.holder());
            return Poll::Pending;
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
        let handed = self.state.borrow_mut().admit();
        if let Some(handed) = handed {
            handed.deliver();
        }
    }

    /// The end of a lock that has not got its guard out.
    #[cold]
    pub(crate) fn abandon(&self, place: &mut Place) {
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

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("holder", &self.holder())
            .field("waiters", &self.state.borrow().waiters)
            .finish()
    }
}
