//! How does a test know that everybody else waits? It is woken when the loop has nobody to run.
//!
//! ```text
//!   c ask: nobody is ready ──► somebody stands here? ── no ──► park, jump, verdict
//!                                     │ yes
//!                                     └── let the park settle, without waiting; still nobody is ready:
//!                                         wake the first one, and turn
//! ```
//!
//! Invariants:
//! - **Before all else**: nobody is waited for, no clock jumps and no deadlock is judged while
//!   somebody stands here.
//! - **One at a time**: the next is woken when the one before waits again, so that it finds even
//!   that one blocked.
//! - **A place ends with its future**: dropped, it is passed over, and nothing is lost by that.
//!
//! Cost: one test before each park. A wait is one allocation.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use crate::kept_waker::KeptWaker;
use crate::trace;
use crate::waker::running;

/// Waits until every other task waits: nobody is ready, and no event has come in.
///
/// The moment comes before the loop waits, and before a virtual clock jumps: a test can look at how
/// far a program has got by itself. (On a virtual clock bytes on their way between two tasks of the loop
/// are waited for.) Whoever sleeps, or waits for a descriptor or for another thread,
/// waits. Several who wait here are woken one after the other, in the order of their first polls,
/// each when the one before waits again.
///
/// trio: `trio.testing.wait_all_tasks_blocked`.
///
/// # Panics
///
/// When polled where no loop runs.
///
/// # Cancellation
///
/// Loses its place among those who wait here.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// lone::run(async {
///     let queue = Rc::new(lone::Queue::bounded(2));
///     let puts = queue.clone();
///     let producer = lone::spawn(async move {
///         for n in 0..5 {
///             puts.put(n).await.expect("it is not shut down");
///         }
///     });
///     lone::test::wait_all_tasks_blocked().await;
///     assert_eq!(queue.len(), 2, "the producer waits for room");
///     assert_eq!(queue.try_get().expect("it has two"), 0);
///     lone::test::wait_all_tasks_blocked().await;
///     assert_eq!((queue.len(), producer.is_finished()), (2, false));
/// });
/// ```
#[track_caller]
pub fn wait_all_tasks_blocked() -> AllBlocked {
    AllBlocked { place: None, site: Location::caller() }
}

/// The future of [`wait_all_tasks_blocked`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AllBlocked {
    place: Option<Rc<Place>>,
    site: &'static Location<'static>,
}

/// Whom to wake, and whether that has been done.
#[derive(Debug, Default)]
struct Place {
    waker: RefCell<KeptWaker>,
    woken: Cell<bool>,
}

/// Those who wait for a moment in which nobody is ready.
#[derive(Default)]
pub(crate) struct Idle {
    /// A place whose future was dropped is gone.
    places: RefCell<VecDeque<Weak<Place>>>,
}

impl Idle {
    /// Whether somebody stands here, or has stood.
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        !self.places.borrow().is_empty()
    }

    /// [6] wake: the first one.
    pub(crate) fn wake_first(&self) {
        loop {
            let Some(first) = self.places.borrow_mut().pop_front() else { return };
            let Some(place) = first.upgrade() else { continue };
            place.woken.set(true);
            let waker = place.waker.take();
            waker.wake_in_the_loop();
            return;
        }
    }
}

impl Future for AllBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.place.as_ref().is_some_and(|place| place.woken.get()) {
            return Poll::Ready(());
        }
        // Made outside of the borrow, and what was there is dropped outside of it: user code.
        let waker = KeptWaker::new(cx.waker());
        let place = self.place.get_or_insert_with(|| {
            let place = Rc::new(Place::default());
            let joined = running(|core| {
                core.idle.places.borrow_mut().push_back(Rc::downgrade(&place));
            });
            assert!(
                joined.is_some(),
                "wait_all_tasks_blocked() was polled where no loop is running on this thread: \
                 await it inside lone::run(async {{ … }})"
            );
            place
        });
        let before = place.waker.replace(waker);
        drop(before);
        trace::awaits("that all other tasks wait", self.site);
        Poll::Pending
    }
}
