//! How does an async block give items one by one? It is polled when one is asked for, up to its next `give`.
//!
//! ```text
//!   next ──► Generator ──► body (boxed, a scope) ── gives an item ──► Some(item)
//!                                                ── waits ──────────► Pending
//!                                                ── ends ───────────► None, from now on
//!   aclose, or drop ──► the body is dropped at its `give`: its cleanups are awaited by aclose, or
//!                       adopted by the scope around
//! ```
//!
//! Invariants:
//! - **Asked, then done**: the body runs only while an item is asked for; nothing of it runs before.
//! - **A body is a scope**: cleanups that it leaves on its way are awaited before its end is told.
//! - **Ended is ended**: after its end, its panic or `aclose` the body is not polled again.
//!
//! Cost: two allocations a generator (the body, the slot), none an item.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};
use lone_executor::cleanup::CleanupErrors;
use lone_executor::report::{self, Level};
use lone_executor::{budget, trace, watch};

use super::aclose::{Aclose, Close};
use super::next::Next;
use super::yielder::{Slot, Yielder};
use crate::scoped::{Ended, Scoped};
use crate::wait_list::assert_not_send;

/// A stream of what `body` gives: `y.give(item).await`.
///
/// The body begins when the first item is asked for, and stands still at its `give` until the next
/// one is: so it can never be ahead of its consumer. It may borrow, and it may await whatever it
/// likes in between. When it returns the stream has ended.
///
/// Leave the loop over it whenever you like. The body is dropped with the generator, at its `give`:
/// destructors run at once, and what it has to clean up with awaits ([`using`](crate::using),
/// [`finally`](crate::finally)) is awaited by the scope around; or, before you go on, by
/// [`aclose`](Generator::aclose).
///
/// A timeout or a scope that is open in the body while it stands still stops nothing of the
/// consumer's: it is looked at when the next item is asked for.
///
/// asyncio: an `async def` with `yield` in it.
///
/// # Panics
///
/// Where the body panics, `next` does; after that the stream has ended.
///
/// # Fairness
///
/// An item is one operation of the budget.
///
/// # Cost
///
/// Two allocations, none for an item.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let mut readings = lone::stream::generate(async |y| {
///         let mut interval = lone::interval(Duration::from_millis(1));
///         for reading in 20.. {
///             interval.tick().await;
///             y.give(reading).await;
///         }
///     });
///     while let Some(reading) = readings.next().await {
///         if reading == 22 {
///             break;
///         }
///     }
///     readings.aclose().await.expect("there is nothing to clean up");
/// });
/// ```
///
/// Written as a function:
///
/// ```
/// use lone::stream::{Generator, StreamExt, generate};
///
/// fn countdown(from: u32) -> Generator<'static, u32> {
///     generate(async move |y| {
///         for number in (0..from).rev() {
///             y.give(number).await;
///         }
///     })
/// }
///
/// let numbers: Vec<u32> = lone::run(countdown(3).collect());
/// assert_eq!(numbers, [2, 1, 0]);
/// ```
#[track_caller]
pub fn generate<'a, T: 'a>(body: impl AsyncFnOnce(&mut Yielder<T>) + 'a) -> Generator<'a, T> {
    let slot = Rc::new(Slot::new());
    let mut yielder = Yielder::new(slot.clone());
    let body = Box::pin(async move { body(&mut yielder).await });
    Generator(Body::new(body, slot, Location::caller()))
}

/// As [`generate`], for a body that may fail: its items come as `Ok`, its error as the last `Err`.
///
/// So `?` in the body ends the stream with that error. As for the rest, see [`generate`].
///
/// asyncio: an exception that leaves an asynchronous generator.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
///
/// lone::run(async {
///     let mut numbers = lone::stream::try_generate(async |y| {
///         for word in ["1", "2", "three", "4"] {
///             let number: u32 = word.parse()?;
///             y.give(number).await;
///         }
///         Ok::<(), ParseIntError>(())
///     });
///     assert_eq!(numbers.next().await, Some(Ok(1)));
///     assert_eq!(numbers.next().await, Some(Ok(2)));
///     assert!(matches!(numbers.next().await, Some(Err(_))));
///     assert_eq!(numbers.next().await, None);
/// });
/// ```
#[track_caller]
pub fn try_generate<'a, T: 'a, E: 'a>(
    body: impl AsyncFnOnce(&mut Yielder<T>) -> Result<(), E> + 'a,
) -> TryGenerator<'a, T, E> {
    let slot = Rc::new(Slot::new());
    let mut yielder = Yielder::new(slot.clone());
    let body = Box::pin(async move { body(&mut yielder).await });
    TryGenerator(Body::new(body, slot, Location::caller()))
}

/// The stream of [`generate`]. It is fused: after its end it stays ended.
///
/// In debug mode it is said if it is dropped half way and leaves cleanups that somebody else has to
/// await: `aclose` was forgotten.
#[must_use = "streams do nothing unless you await their next item"]
pub struct Generator<'a, T>(Body<'a, T, ()>);

/// The stream of [`try_generate`]. It is fused: after its end it stays ended.
#[must_use = "streams do nothing unless you await their next item"]
pub struct TryGenerator<'a, T, E>(Body<'a, T, Result<(), E>>);

/// What both have in common; `next` and `aclose` need no trait to be imported.
macro_rules! generator {
    ($name:ident<$($param:ident),+>, $item:ty, $end:expr) => {
        impl<'a, $($param),+> $name<'a, $($param),+> {
            /// The next item; `None` when the body has returned.
            ///
            /// # Panics
            ///
            /// Where the body does; and where it waits with no loop running on this thread.
            ///
            /// # Cancellation
            ///
            /// Strict: dropped half way, the body stays where it waits.
            #[track_caller]
            #[expect(clippy::should_implement_trait, reason = "it is awaited, as every stream's")]
            pub fn next(&mut self) -> Next<'_, Self> {
                Next::new(self)
            }

            /// Drops the body at its `give`, and waits until what it has to clean up has run.
            ///
            /// The body of one that has not begun never runs. After this `next` returns `None`;
            /// calling it again does nothing.
            ///
            /// asyncio: `aclose()`.
            ///
            /// # Errors
            ///
            /// What failed of the cleanups, panics included.
            ///
            /// # Panics
            ///
            /// Where a destructor does; and if there are cleanups and their loop does not run here.
            ///
            /// # Cancellation
            ///
            /// Strict: dropped half way, the cleanups go on; called again, it waits for them.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// lone::run(async {
            ///     let mut readings = lone::stream::generate(async |y| {
            ///         let body = async { y.give(42).await };
            ///         lone::finally(body, lone::sleep(Duration::from_millis(1))).await;
            ///     });
            ///     assert_eq!(readings.next().await, Some(42));
            ///     readings.aclose().await.expect("a sleep cannot fail"); // has slept
            ///     assert_eq!(readings.next().await, None);
            /// });
            /// ```
            pub fn aclose(&mut self) -> Aclose<'_> {
                Aclose::new(&mut self.0)
            }
        }

        impl<$($param),+> Stream for $name<'_, $($param),+> {
            type Item = $item;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<$item>> {
                self.get_mut().0.poll_item(cx, $end)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                (0, self.0.has_ended().then_some(0))
            }
        }

        impl<$($param),+> FusedStream for $name<'_, $($param),+> {
            fn is_terminated(&self) -> bool {
                self.0.has_ended()
            }
        }

        impl<$($param),+> fmt::Debug for $name<'_, $($param),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let state = match &self.0 {
                    body if body.has_ended() => "ended",
                    body if body.begun => "begun",
                    _ => "not begun",
                };
                write!(f, concat!(stringify!($name), "({}, made at {})"), state, self.0.scoped.site())
            }
        }
    };
}

generator!(Generator<T>, T, |end| match end {
    End::Item(item) => Some(item),
    End::Output(()) => None,
});
generator!(TryGenerator<T, E>, Result<T, E>, |end| match end {
    End::Item(item) => Some(Ok(item)),
    End::Output(output) => output.err().map(Err),
});

/// How a poll of the body has ended.
enum End<T, R> {
    Item(T),
    Output(R),
}

/// A generator's body, and the slot that its items come through.
struct Body<'a, T, R> {
    scoped: Scoped<Pin<Box<dyn Future<Output = R> + 'a>>>,
    slot: Rc<Slot<T>>,
    begun: bool,
    /// It is not to be polled again.
    over: bool,
    /// What the body has returned, if that has still to be told.
    output: Option<R>,
}

// What lies pinned is boxed.
impl<T, R> Unpin for Body<'_, T, R> {}

impl<'a, T, R> Body<'a, T, R> {
    fn new(
        body: Pin<Box<dyn Future<Output = R> + 'a>>,
        slot: Rc<Slot<T>>,
        site: &'static Location<'static>,
    ) -> Body<'a, T, R> {
        let scoped = Scoped::new(body, "a generator", site);
        Body { scoped, slot, begun: false, over: false, output: None }
    }

    fn has_ended(&self) -> bool {
        self.over && self.output.is_none() && !self.slot.is_full()
    }

    fn poll_item<I>(
        &mut self,
        cx: &mut Context<'_>,
        item: impl FnOnce(End<T, R>) -> Option<I>,
    ) -> Poll<Option<I>> {
        if self.has_ended() {
            return Poll::Ready(None);
        }
        ready!(budget::take(cx));
        let said = trace::mark();
        if !self.over && !self.slot.is_full() {
            self.slot.ask(cx);
            // Should the body panic, it has ended.
            (self.begun, self.over) = (true, true);
            match Pin::new(&mut self.scoped).poll(cx) {
                Poll::Pending => self.over = false,
                Poll::Ready(Ended::Output(output)) => self.output = Some(output),
                Poll::Ready(Ended::Stopped(_)) => {}
            }
        }
        if let Some(given) = self.slot.take() {
            // The body waits for the next one to be asked for; nobody waits for the body.
            said.forget();
            return Poll::Ready(item(End::Item(given)));
        }
        if !self.over {
            budget::give_back();
            return Poll::Pending;
        }
        Poll::Ready(self.output.take().and_then(|output| item(End::Output(output))))
    }
}

impl<T, R> Close for Body<'_, T, R> {
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<CleanupErrors> {
        self.over = true;
        let mut scoped = Pin::new(&mut self.scoped);
        scoped.as_mut().stop();
        drop((self.slot.take(), self.output.take()));
        scoped.poll(cx).map(|ended| match ended {
            Ended::Stopped(errors) => errors,
            // It had returned, and was awaiting its cleanups: what failed of them was said.
            Ended::Output(_) => CleanupErrors::default(),
        })
    }
}

impl<T, R> Drop for Body<'_, T, R> {
    fn drop(&mut self) {
        if self.over || !self.begun || !watch::is_on() {
            return;
        }
        // Dropped, the adopter hands on what it has taken.
        let adopter = Pin::new(&mut self.scoped).abandon();
        if !adopter.is_idle() {
            let site = self.scoped.site();
            let text = format!(
                "a generator made at {site} was dropped without aclose, and has left cleanups to the \
                 scope around: call its aclose where the order or the errors of these matter"
            );
            report::say(Level::Warn, "lone::debug", &text);
        }
    }
}

assert_not_send!(Generator<'static, ()>, TryGenerator<'static, (), ()>);
