//! Who is in, and who stands in line? What a lock for readers and writers is apart from its value.
//!
//! ```text
//!   nobody waits, and may go in ─► in          leave ─► the first in line may go in? in; and the next
//!             else to the end of the line                 └─ no, or nobody: as it is
//! ```

use std::cell::RefCell;
use std::panic::Location;
use std::task::{Context, Poll, ready};

use lone_executor::{Holder, Taken, budget, trace};

use super::RwLockStatistics;
use crate::wait_list::{Handed, Left, Parcel, Place, WaitList, deliver_each};

/// What somebody wants to go in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// Many in to read, or one to write.
pub(super) struct Gate {
    state: RefCell<State>,
}

struct State {
    /// How many are in to read.
    readers: usize,
    /// Somebody is in to write.
    has_writer: bool,
    /// Who is in, if it is the only one who has gone in since nobody was.
    alone: Option<Taken>,
    /// Who was let in last out of the line, and has not come: for `alone`.
    unclaimed: bool,
    waiters: WaitList<Waiter>,
}

/// A parcel: what for, and who polled it last.
#[derive(Clone, Copy)]
struct Waiter {
    kind: Kind,
    who: Taken,
}

impl Parcel for Waiter {
    fn take(&mut self) -> Waiter {
        *self
    }
}

fn waiters(state: &mut State) -> &mut WaitList<Waiter> {
    &mut state.waiters
}

impl State {
    #[inline]
    fn may_enter(&self, kind: Kind) -> bool {
        !self.has_writer && (kind == Kind::Read || self.readers == 0)
    }

    #[inline]
    fn enter(&mut self, Waiter { kind, who }: Waiter, unclaimed: bool) {
        self.alone = (self.readers == 0).then_some(who);
        self.unclaimed = unclaimed;
        match kind {
            Kind::Read => self.readers += 1,
            Kind::Write => self.has_writer = true,
        }
    }

    #[inline]
    fn leave(&mut self, kind: Kind) {
        match kind {
            Kind::Read => self.readers -= 1,
            Kind::Write => self.has_writer = false,
        }
        if self.readers == 0 {
            self.alone = None;
        }
    }

    /// Lets the first in line in, if it may.
    fn admit(&mut self) -> Option<Handed> {
        let first = *self.waiters.first()?;
        if !self.may_enter(first.kind) {
            return None;
        }
        self.enter(first, true);
        self.waiters.grant(|_first| ())
    }
}

impl Gate {
    pub(super) fn new() -> Gate {
        let waiters = WaitList::new(trace::Object::new("rw lock"));
        Gate {
            state: RefCell::new(State {
                readers: 0,
                has_writer: false,
                alone: None,
                unclaimed: false,
                waiters,
            }),
        }
    }

    /// Goes in if that may be and nobody waits.
    #[inline]
    pub(super) fn enter(&self, kind: Kind, site: &'static Location<'static>) -> bool {
        let mut state = self.state.borrow_mut();
        if !state.may_enter(kind) || !state.waiters.is_empty() {
            return false;
        }
        state.enter(Waiter { kind, who: Taken::here(site) }, false);
        true
    }

    /// Goes in, or waits for it in line.
    #[inline]
    pub(super) fn poll(&self, kind: Kind, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::take(cx));
        if !place.is_taken() && self.enter(kind, place.site()) {
            return Poll::Ready(());
        }
        self.wait(kind, place, cx)
    }

    /// [5] await: stands in line, and says who is in the way.
    #[inline(never)]
    fn wait(&self, kind: Kind, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        let now = Waiter { kind, who: Taken::here(place.site()) };
        if !place.is_taken() {
            place.join(&mut self.state.borrow_mut().waiters, now);
        }
        if place.poll_unsaid(cx, &self.state, waiters).is_pending() {
            // The future may have moved to another task since it was polled last.
            *place.parcel(&mut self.state.borrow_mut().waiters) = now;
            let on = match kind {
                Kind::Read => "a lock to read",
                Kind::Write => "a lock to write",
            };
            trace::awaits_held(on, place.site(), || self.in_the_way());
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        let _before = place.take(&mut state.waiters);
        if state.alone.is_some() {
            (state.alone, state.unclaimed) = (Some(now.who), false);
        }
        Poll::Ready(())
    }

    /// Goes out: those at the front of the line go in who may.
    #[inline]
    pub(super) fn leave(&self, kind: Kind) {
        let mut state = self.state.borrow_mut();
        state.leave(kind);
        if state.waiters.is_empty() {
            return;
        }
        drop(state);
        self.hand_over();
    }

    /// The writer goes on as a reader, and readers at the front of the line go in with it.
    ///
    /// Its guard is made before those are told, and goes with it if a foreign waker panics.
    pub(super) fn downgrade_with<G>(&self, guard: impl FnOnce() -> G) -> G {
        {
            let mut state = self.state.borrow_mut();
            (state.has_writer, state.readers) = (false, 1);
        }
        let guard = guard();
        self.hand_over();
        guard
    }

    #[inline(never)]
    fn hand_over(&self) {
        deliver_each(|| self.state.borrow_mut().admit());
    }

    /// The end of a lock that has not got its guard out.
    #[cold]
    pub(super) fn abandon(&self, kind: Kind, place: &mut Place) {
        match place.leave(&self.state, waiters) {
            None => {}
            Some(Left::Granted(_)) => self.leave(kind),
            // Those behind may want to read only, as those who are in.
            Some(Left::Waiting(_)) => self.hand_over(),
        }
    }

    /// Who is in, if it is only one.
    pub(super) fn holder(&self) -> Option<Holder> {
        let state = self.state.borrow();
        state.alone.map(|taken| taken.holder(state.unclaimed))
    }

    /// Who is in, as far as that is known: at least one who was let in and has not come.
    fn in_the_way(&self) -> Option<Holder> {
        let unclaimed = || self.state.borrow().waiters.first_unclaimed().map(Holder::unclaimed);
        self.holder().or_else(unclaimed)
    }

    pub(super) fn statistics(&self) -> RwLockStatistics {
        let State { readers, has_writer, waiters, .. } = &*self.state.borrow();
        RwLockStatistics { readers: *readers, has_writer: *has_writer, waiters: waiters.len() }
    }

    /// Those who wait, as a report names them.
    pub(super) fn describe_waiters(&self) -> String {
        format!("{:?}", self.state.borrow().waiters)
    }
}
