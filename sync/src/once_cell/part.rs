//! Who initialises, and who waits for that?

use std::cell::RefCell;
use std::task::{Context, Poll};

use lone_executor::{Holder, Taken, trace};

use crate::wait_list::{Left, Parcel, Place, WaitList, deliver_all};

/// The part of making the value, which one has at a time.
pub(super) struct Part {
    state: RefCell<State>,
}

struct State {
    /// Who has the part, be it that he has not come for it.
    holder: Option<Taken>,
    /// He was handed it, and has not come.
    unclaimed: bool,
    /// A parcel is who polled the waiter last, and whether it has been handed the part.
    waiters: WaitList<Waiter>,
}

#[derive(Clone, Copy)]
struct Waiter {
    who: Taken,
    has_part: bool,
}

impl Parcel for Waiter {
    fn take(&mut self) -> Waiter {
        *self
    }
}

fn waiters(state: &mut State) -> &mut WaitList<Waiter> {
    &mut state.waiters
}

impl Part {
    pub(super) fn new() -> Part {
        let waiters = WaitList::new(trace::Object::new("once cell"));
        Part { state: RefCell::new(State { holder: None, unclaimed: false, waiters }) }
    }

    /// Ready with whether the part is had; without it there is a value.
    ///
    /// Call it where there is no value, or with a place in line.
    pub(super) fn poll(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<bool> {
        let now = Taken::here(place.site());
        if !place.is_taken() {
            let mut state = self.state.borrow_mut();
            if state.holder.is_none() {
                debug_assert!(state.waiters.is_empty(), "somebody waits for nobody");
                state.holder = Some(now);
                return Poll::Ready(true);
            }
            place.join(&mut state.waiters, Waiter { who: now, has_part: false });
        }
        if place.poll_unsaid(cx, &self.state, waiters).is_pending() {
            // The future may have moved to another task since it was polled last.
            place.parcel(&mut self.state.borrow_mut().waiters).who = now;
            trace::awaits_held("a value that is being made", place.site(), || self.holder());
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        let Waiter { has_part, .. } = place.take(&mut state.waiters);
        if has_part {
            (state.holder, state.unclaimed) = (Some(now), false);
        }
        Poll::Ready(has_part)
    }

    /// There is a value: nobody has the part any more, and all who wait may go on.
    pub(super) fn complete(&self) {
        self.state.borrow_mut().holder = None;
        deliver_all(&self.state, waiters);
    }

    /// There is none, and its holder gives up: the first in line has the part, as of now.
    #[cold]
    pub(super) fn pass_on(&self) {
        let handed = {
            let mut state = self.state.borrow_mut();
            let mut next = None;
            let handed = state.waiters.grant(|waiter| {
                waiter.has_part = true;
                next = Some(waiter.who);
            });
            (state.holder, state.unclaimed) = (next, next.is_some());
            handed
        };
        if let Some(handed) = handed {
            handed.deliver();
        }
    }

    /// The end of one who stands in line, or was handed the part and has not come.
    #[cold]
    pub(super) fn abandon(&self, place: &mut Place) {
        if let Some(Left::Granted(Waiter { has_part: true, .. })) =
            place.leave(&self.state, waiters)
        {
            self.pass_on();
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.state.borrow().holder.is_some()
    }

    /// Who has the part.
    pub(super) fn holder(&self) -> Option<Holder> {
        let state = self.state.borrow();
        state.holder.map(|taken| taken.holder(state.unclaimed))
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
