//! Who is woken when a deadline has passed? The wheel, with a waker for each timer.
//!
//! An [`Alarm`] is what every timed future of ours holds: a deadline set at its first poll, moved
//! with `reset`, taken back when it is dropped.
//!
//! Invariants:
//! - **Never early**: the wheel gives out a timer only for a reading at or after its deadline.
//! - **In the wheel means waiting**: a timer that has fired is not there any more, and an id is
//!   never used again; so an alarm whose id is not found has rung.

use std::task::{Context, Poll};

use lone_executor::{KeptWaker, LoopNumber, Release, outside, trace};

use crate::clock::Clock;
use crate::local::{self, Local};
use crate::time::Instant;
use crate::wheel::{TimerId, Wheel};

pub(crate) struct Timers {
    wheel: Wheel<KeptWaker>,
}

impl Timers {
    pub(crate) fn new(start: Instant) -> Timers {
        Timers { wheel: Wheel::new(start.as_nanos()) }
    }

    /// `None` also if there are only such as never come: no clock may jump there.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let next = self.wheel.next_deadline().map(Instant::from_nanos);
        next.filter(|&next| next != Instant::FAR_FUTURE)
    }

    /// How many are waiting.
    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }

    /// e: the next timer that is due at `now`, with its number in traces.
    #[must_use = "wake it after the borrow has ended"]
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(u64, KeptWaker)> {
        let (id, _, waker) = self.wheel.pop_due(now.as_nanos())?;
        Some((id.seq(), waker))
    }

    /// Takes out a timer whose handle was dropped elsewhere.
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn release(&mut self, id: TimerId) -> Option<KeptWaker> {
        let waker = self.wheel.remove(id);
        if waker.is_some() {
            trace::emit(|| trace::Event::Disarm { timer: id.seq() });
        }
        waker
    }

    fn arm(&mut self, deadline: Instant, clock: &Clock, waker: KeptWaker) -> TimerId {
        let id = self.wheel.insert(deadline.as_nanos(), waker);
        trace::emit(|| {
            let who = self.wheel.get_mut(id).and_then(|waker| waker.who());
            let who = who.unwrap_or(trace::Who::Unknown);
            let (level, slot) = self.wheel.place(id).unwrap_or_default();
            let wait = deadline.duration_since(clock.now());
            trace::Event::Arm { timer: id.seq(), who, wait, level, slot }
        });
        id
    }
}

/// A deadline that can be awaited: the part that all timed futures of lone share.
///
/// For those who build timed futures; everybody else wants `sleep` or `timeout`. It is `Send +
/// Sync` and may be dropped anywhere, but polled only on the thread of the loop that it was first
/// polled on.
///
/// # Cancellation
///
/// Strict: dropping it takes the timer out of the wheel.
///
/// # Cost
///
/// Set and dropped before it rings: about 15 ns, and a reading of the clock (20 ns).
#[derive(Debug, Default)]
pub struct Alarm {
    /// Where the timer is; `None` until the first poll.
    home: Option<(LoopNumber, TimerId)>,
}

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Alarm>();
};

impl Alarm {
    /// An alarm that is not set.
    #[must_use]
    pub const fn new() -> Alarm {
        Alarm { home: None }
    }

    /// Ready once `deadline` has passed. The first poll sets the alarm, and is ready at once if the
    /// deadline has passed already; polls after that look for the same deadline until `reset`.
    ///
    /// # Panics
    ///
    /// If no loop runs on this thread, or not the one on which the alarm was set.
    #[inline]
    pub fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match self.home {
            Some(home) => Alarm::poll_set(home, cx),
            None => self.set(|local| (deadline > local.clock().now()).then_some(deadline), cx),
        }
    }

    /// As [`Alarm::poll`], for a deadline that was in the future a moment ago: that spares a reading of the
    /// clock. Should it have passed meanwhile, the alarm rings when the loop looks next.
    ///
    /// # Panics
    ///
    /// As [`Alarm::poll`].
    #[inline]
    pub(crate) fn poll_ahead(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match self.home {
            Some(home) => Alarm::poll_set(home, cx),
            None => self.set(|_| Some(deadline), cx),
        }
    }

    /// As [`Alarm::poll`], but the deadline is `make(now)`, asked for if the alarm is not yet set.
    ///
    /// # Panics
    ///
    /// As [`Alarm::poll`].
    #[inline]
    pub fn poll_with(
        &mut self,
        make: impl FnOnce(Instant) -> Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.home {
            Some(home) => Alarm::poll_set(home, cx),
            // A fresh reading: with one that is older, the alarm could ring early.
            None => self.set(
                |local| {
                    let now = local.clock().now();
                    Some(make(now)).filter(|deadline| *deadline > now)
                },
                cx,
            ),
        }
    }

    /// Sets it to what `make` says; `None`: the deadline has passed.
    fn set(
        &mut self,
        make: impl FnOnce(&Local) -> Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let _held = trace::hold();
        let mut waker = KeptWaker::new(cx.waker());
        let set = local::with(|local| {
            let deadline = make(local)?;
            let id = local.timers.borrow_mut().arm(deadline, local.clock(), waker.take());
            Some((local.number(), id))
        });
        // A foreign one that was not needed: its destructor is user code, and no borrow is held.
        drop(waker);
        match set {
            Some(None) => Poll::Ready(()),
            Some(home) => {
                self.home = home;
                Poll::Pending
            }
            None => no_loop(),
        }
    }

    fn poll_set((number, id): (LoopNumber, TimerId), cx: &mut Context<'_>) -> Poll<()> {
        let waits = local::with_number(number, |local| {
            let mut timers = local.timers.borrow_mut();
            timers.wheel.get_mut(id).map(|kept| kept.will_wake(cx.waker()))
        });
        match waits {
            Some(None) => Poll::Ready(()),
            Some(Some(true)) => Poll::Pending,
            Some(Some(false)) => {
                // A foreign waker is cloned, and one dropped, outside of the borrow.
                let new = KeptWaker::new(cx.waker());
                let before = local::with_number(number, |local| {
                    let mut timers = local.timers.borrow_mut();
                    timers.wheel.get_mut(id).map(|kept| std::mem::replace(kept, new))
                });
                drop(before);
                Poll::Pending
            }
            None => wrong_loop(),
        }
    }

    /// Whether it was set, and not reset since; it may have rung meanwhile.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.home.is_some()
    }

    /// Takes the alarm back; the next poll sets it anew.
    #[inline]
    pub fn reset(&mut self) {
        if let Some(home) = self.home.take() {
            Alarm::release(home);
        }
    }

    /// Of its own, so that one that was never set costs a comparison: a timeout that is ready at once.
    #[inline(never)]
    fn release((number, id): (LoopNumber, TimerId)) {
        let _held = trace::hold();
        let here = local::with_number(number, |local| {
            let waker = local.timers.borrow_mut().wheel.remove(id);
            if waker.is_some() {
                trace::emit(|| trace::Event::Disarm { timer: id.seq() });
            }
            waker
        });
        match here {
            Some(waker) => drop(waker),
            None => release_elsewhere(number, id),
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.reset();
    }
}

#[cold]
fn release_elsewhere(number: LoopNumber, id: TimerId) {
    if let Some(outside) = outside(number) {
        let (key, generation) = id.parts();
        outside.release(Release { key: u64::from(key), generation });
    }
}

#[cold]
#[track_caller]
fn no_loop() -> ! {
    panic!(
        "a timer of lone was polled where no loop is running on this thread: await it inside \
         lone::run(async {{ … }})"
    )
}

#[cold]
#[track_caller]
fn wrong_loop() -> ! {
    panic!(
        "a timer of lone was polled outside of the loop on which it was set: sleeps may be dropped \
         on any thread, but awaited on that of their loop only"
    )
}
