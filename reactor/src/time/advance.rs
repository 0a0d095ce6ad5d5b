//! How does a test move a virtual clock by hand? One deadline at a time, up to a moment.
//!
//! ```text
//!   advance(10 s):  alarm at now + 10 s ── the clock may jump, but not past it
//!                     │  jump to a deadline ─► its task runs until it waits ─► jump …
//!                     ▼
//!                   it rings ─► all who are due at that moment run until they wait ─► ready
//! ```
//!
//! Invariants:
//! - **No deadline is skipped**: the loop jumps from one to the next, as it does by itself, and only
//!   while nobody is ready; so each task that is due runs at its own moment.
//! - **Never past the target**: the alarm is a deadline like any other.
//! - **A permission ends with its future**, or when its target is reached.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lone_executor::{AllBlocked, trace, wait_all_tasks_blocked};

use crate::clock::Clock;
use crate::local::{self, Local};
use crate::time::{Alarm, Instant};

/// Moves the virtual clock of this loop forward by so much, one deadline at a time.
///
/// Each task that sleeps until a moment on the way runs at that moment, and what it does then may set
/// further deadlines on the way. When this returns, everything that was due has run until it waits
/// again, and the clock shows the target. With [`Jump::Manual`](crate::Jump::Manual) this is the only
/// thing that moves the clock; with the other rules it is a sleep that lets all who are due run first.
/// Zero lets everybody run until they wait.
///
/// Whoever waits for an outside peer does not hold the clock up, whatever the rule. Bytes on their
/// way between two tasks of the loop do.
///
/// tokio: `time::advance`, which skips the deadlines on the way.
///
/// # Panics
///
/// If no loop runs on this thread, if its clock is the real one, and where the target is beyond the
/// range of an [`Instant`]. When polled on another loop.
///
/// # Cancellation
///
/// Strict, but for the time that has passed: dropped half way, the clock stays where it is.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use lone::time::advance;
///
/// lone::Builder::new().jump(lone::Jump::Manual).run(async {
///     let beats = Rc::new(Cell::new(0));
///     let heart = lone::spawn({
///         let beats = beats.clone();
///         async move {
///             loop {
///                 lone::sleep(Duration::from_secs(1)).await;
///                 beats.set(beats.get() + 1);
///             }
///         }
///     });
///     advance(Duration::from_secs(10)).await;
///     assert_eq!(beats.get(), 10);
///     heart.cancel("it has been heard");
/// });
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> Advance {
    let local = local_on_a_virtual_clock();
    let now = local.clock().now();
    let Some(target) = now.checked_add(duration).filter(|end| *end < Instant::FAR_FUTURE) else {
        panic!("advance({duration:?}) leads beyond the range of a clock: give it a real duration");
    };
    Advance::new(local, target)
}

/// Moves the virtual clock of this loop forward to that moment, one deadline at a time.
///
/// As [`advance`] in all else.
///
/// # Panics
///
/// As [`advance`], and if the moment is past: a clock never runs backwards.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::{Instant, advance_to};
///
/// lone::Builder::new().jump(lone::Jump::Manual).run(async {
///     let noon = Instant::now() + Duration::from_secs(12 * 60 * 60);
///     advance_to(noon).await;
///     assert_eq!(Instant::now(), noon);
/// });
/// ```
#[track_caller]
pub fn advance_to(moment: Instant) -> Advance {
    let local = local_on_a_virtual_clock();
    let now = local.clock().now();
    assert!(
        moment >= now,
        "advance_to was given a moment that is {:?} past: a clock never runs backwards; take a \
         moment from Instant::now() on",
        now - moment
    );
    assert!(moment < Instant::FAR_FUTURE, "advance_to was given the moment that never comes");
    Advance::new(local, moment)
}

#[track_caller]
fn local_on_a_virtual_clock() -> Rc<Local> {
    let Some(local) = local::with(Rc::clone) else {
        panic!(
            "the clock was advanced where no loop is running on this thread: do it inside \
             #[lone::test(start_paused)] or Builder::start_paused(true).run(async {{ … }})"
        );
    };
    if matches!(local.clock(), Clock::Real) {
        panic!(
            "the real clock cannot be advanced: give the loop a virtual one, with \
             #[lone::test(start_paused)], Builder::start_paused(true) or Builder::jump(Jump::Manual)"
        );
    }
    local
}

/// The future of [`advance`] and [`advance_to`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Advance {
    local: Rc<Local>,
    target: Instant,
    alarm: Alarm,
    /// Set while the alarm is.
    moving: Option<Moving>,
    rung: bool,
    all_blocked: AllBlocked,
    site: &'static Location<'static>,
}

impl Advance {
    #[track_caller]
    fn new(local: Rc<Local>, target: Instant) -> Advance {
        Advance {
            local,
            target,
            alarm: Alarm::new(),
            moving: None,
            rung: false,
            all_blocked: wait_all_tasks_blocked(),
            site: Location::caller(),
        }
    }
}

impl Future for Advance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.rung {
            assert!(
                local::with(|local| Rc::ptr_eq(local, &this.local)) == Some(true),
                "the advance of a clock was polled outside of the loop whose clock it is"
            );
            if this.alarm.poll(this.target, cx).is_pending() {
                this.moving.get_or_insert_with(|| Moving::to(this.target, this.local.clone()));
                trace::awaits("the clock that it advances", this.site);
                return Poll::Pending;
            }
            this.rung = true;
            this.moving = None;
        }
        Pin::new(&mut this.all_blocked).poll(cx)
    }
}

impl std::fmt::Debug for Advance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Advance")
            .field("target", &self.target)
            .field("rung", &self.rung)
            .finish_non_exhaustive()
    }
}

/// While it lives the clock may jump, up to its target.
struct Moving {
    target: Instant,
    local: Rc<Local>,
}

impl Moving {
    fn to(target: Instant, local: Rc<Local>) -> Moving {
        local.clock().permit(target);
        Moving { target, local }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.local.clock().forbid(self.target);
    }
}
