//! How do many wait for the same thing to have happened? An event is a flag with waiters.
//!
//! ```text
//!             ┌── set: all who wait now may go ──┐
//!   clear ────┤                                  ├──── set ── wait returns at once
//!             └───────────── clear ◄─────────────┘
//! ```
//!
//! Invariants:
//! - **`set` reaches all who wait at that moment**, also if `clear` follows at once.
//! - **The first poll decides** whether a wait has to wait, not the call of `wait`.
//! - **Live list**: `set` wakes one after the other from the list itself; it keeps no copy, and
//!   who joins meanwhile belongs to the next `set`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, trace};

use crate::EventStatistics;
use crate::wait_list::{Place, WaitList, assert_not_send, deliver_all};

/// A flag that tasks can wait for: once set, all go on, until it is cleared again.
///
/// It stays on its loop's thread. To reach it from another one use
/// [`Remote::spawn`](lone_executor::Remote::spawn): what that sends runs on the loop's thread, and
/// finds the event there, in a thread-local, say: see [`Queue`](crate::Queue) for an example.
///
/// asyncio: `Event`, with the same rules. A latch by level: later waits do not wait while it is
/// set. Tokio's `Notify` is another thing: there, who was created before the notice gets it.
///
/// # Fairness
///
/// [`set`](Event::set) wakes in the order of the first polls, and they go on in that order.
///
/// # Cost
///
/// `set` with n waiters: n wakes and no allocation. A wait for an event that is set: about 2 ns.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// lone::run(async {
///     let go = Rc::new(lone::Event::new());
///     let runner = lone::spawn({
///         let go = go.clone();
///         async move { go.wait().await }
///     });
///     lone::yield_now().await;
///     assert_eq!(go.waiters(), 1);
///     go.set();
///     go.clear(); // it was reached by `set` all the same
///     runner.await.expect("it neither panics nor is cancelled");
/// });
/// ```
pub struct Event {
    set: Cell<bool>,
    waiters: RefCell<WaitList<()>>,
}

impl Event {
    /// An event that is not set.
    #[must_use]
    pub fn new() -> Event {
        Event {
            set: Cell::new(false),
            waiters: RefCell::new(WaitList::new(trace::Object::new("event"))),
        }
    }

    /// Sets it and lets all go on who wait now. Does nothing if it is set.
    ///
    /// asyncio: `Event.set()`.
    ///
    /// # Reentrancy
    ///
    /// A foreign waker that it wakes may use this event: it finds it set.
    #[inline]
    pub fn set(&self) {
        if !self.set.replace(true) && !self.waiters.borrow().is_empty() {
            self.tell_all();
        }
    }

    #[inline(never)]
    fn tell_all(&self) {
        deliver_all(&self.waiters, |waiters| waiters);
    }

    /// Makes later waits wait again. Those that `set` has reached go on.
    ///
    /// asyncio: `Event.clear()`.
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Whether it is set.
    ///
    /// asyncio: `Event.is_set()`.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until it is set; does not wait if it is.
    ///
    /// The first poll decides: an event that was set and cleared between this call and the first
    /// poll is waited for.
    ///
    /// asyncio: `await event.wait()`.
    ///
    /// # Cancellation
    ///
    /// Loses its place, which means little here: `set` reaches all. But one that is waited for anew
    /// after `set` and `clear` waits for the next `set`.
    #[track_caller]
    #[inline]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait { event: self, place: Place::new() }
    }

    /// How many wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.waiters.borrow().len()
    }

    /// How busy it is now.
    #[must_use]
    pub fn statistics(&self) -> EventStatistics {
        EventStatistics { set: self.is_set(), waiters: self.waiters() }
    }
}

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.set.get())
            .field("waiters", &self.waiters.borrow())
            .finish()
    }
}

/// The future of [`Event::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct EventWait<'a> {
    event: &'a Event,
    place: Place,
}

/// What it awaits, in reports.
const EVENT: &str = "an event";

impl Future for EventWait<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(budget::take(cx));
        if !self.place.is_taken() && self.event.set.get() {
            return Poll::Ready(());
        }
        self.poll_waiting(cx)
    }
}

impl EventWait<'_> {
    /// Apart, so that a wait for what is set is short where it is inlined (bench `event_set`).
    #[inline(never)]
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let EventWait { event, place } = self;
        if !place.is_taken() && place.join_and_keep(&mut event.waiters.borrow_mut(), (), cx) {
            return place.wait(EVENT);
        }
        place.poll(cx, EVENT, &event.waiters, |waiters| waiters)
    }
}

impl Drop for EventWait<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_taken() {
            // What it was granted concerns nobody else: `set` reaches each by itself.
            let _ = self.place.leave(&self.event.waiters, |waiters| waiters);
        }
    }
}

assert_not_send!(Event, EventWait<'_>);
