//! How is a stream dropped, and what it leaves awaited? By a scope that does nothing else.
//!
//! Invariants:
//! - **Dropped at the first poll**, all of it, before anything is awaited.
//! - **Not lost**: dropped half way, what has not run is handed on to the scope around; of a generator
//!   that is kept, it goes on by itself and is awaited by the next `aclose`.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::cleanup::{Adopter, CleanupErrors};
use lone_executor::trace;

/// Drops `stream`, and waits until what it has to clean up has run.
///
/// For what is built of generators: adapters, a [`merge`](crate::stream::merge()) of several. A
/// generator that you keep has an [`aclose`](crate::stream::Generator::aclose) of its own. All that
/// lies in the stream is dropped first; then the cleanups run, one after the other.
///
/// asyncio: `aclose()` of each generator, or `contextlib.aclosing`.
///
/// # Errors
///
/// What failed of the cleanups, panics included.
///
/// # Panics
///
/// Where a destructor does.
///
/// # Cancellation
///
/// Dropped half way, what has not run is awaited by the scope around.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use lone::stream::{StreamExt, generate};
///
/// lone::run(async {
///     let closed = std::rc::Rc::new(Cell::new(false));
///     let farewell = closed.clone();
///     let readings = generate(async |y| {
///         let body = async { y.give(1).await };
///         lone::finally(body, async move {
///             lone::yield_now().await;
///             farewell.set(true);
///         })
///         .await;
///     });
///     let mut doubled = readings.map(|reading| reading * 2);
///     assert_eq!(doubled.next().await, Some(2));
///     lone::stream::aclose(doubled).await.expect("it closes well");
///     assert!(closed.get());
/// });
/// ```
#[track_caller]
pub fn aclose<S>(stream: S) -> CloseStream<S> {
    CloseStream { adopter: Adopter::new(), stream: Some(stream), site: Location::caller() }
}

pin_project_lite::pin_project! {
    /// The future of [`aclose()`].
    #[must_use = "futures do nothing unless you `.await` or poll them: the stream is dropped with it"]
    pub struct CloseStream<S> {
        // Before the stream: dropped, it hands on what has begun first.
        adopter: Adopter,
        #[pin]
        stream: Option<S>,
        site: &'static Location<'static>,
    }
}

impl<S> Future for CloseStream<S> {
    type Output = Result<(), CleanupErrors>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let site = *this.site;
        if this.stream.is_some() {
            this.adopter.run("a closed stream", site, || this.stream.set(None));
        }
        closed(this.adopter.poll_empty(cx), site)
    }
}

impl<S> fmt::Debug for CloseStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dropped = self.stream.is_none();
        f.debug_struct("CloseStream").field("dropped", &dropped).finish_non_exhaustive()
    }
}

/// What can be closed in its place.
pub(super) trait Close {
    /// Drops the body, if that is still to be done; ready when its cleanups have run.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<CleanupErrors>;
}

/// The future of [`Generator::aclose`](crate::stream::Generator::aclose).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Aclose<'g> {
    generator: &'g mut (dyn Close + 'g),
    site: &'static Location<'static>,
}

impl<'g> Aclose<'g> {
    #[track_caller]
    pub(super) fn new(generator: &'g mut (dyn Close + 'g)) -> Aclose<'g> {
        Aclose { generator, site: Location::caller() }
    }
}

impl Future for Aclose<'_> {
    type Output = Result<(), CleanupErrors>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.generator.poll_close(cx);
        closed(polled, self.site)
    }
}

impl fmt::Debug for Aclose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aclose").field("site", &self.site).finish_non_exhaustive()
    }
}

fn closed(
    polled: Poll<CleanupErrors>,
    site: &'static Location<'static>,
) -> Poll<Result<(), CleanupErrors>> {
    if polled.is_pending() {
        trace::awaits("the cleanups of a stream", site);
    }
    polled.map(|errors| if errors.is_empty() { Ok(()) } else { Err(errors) })
}
