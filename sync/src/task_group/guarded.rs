//! What becomes of a child that panics? It is stopped as any other, and its cleanups are awaited.
//!
//! ```text
//!   poll ──► scoped ── panics ──► told ──► what is left of it is dropped ──► its cleanups ──► Stopped
//! ```
//!
//! Invariant: **it always ends**, after its cleanups: neither a panic of its body nor one of a
//! destructor, when it is stopped, comes through.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::cleanup::{Adopter, CleanupErrors};
use pin_project_lite::pin_project;

use crate::scoped::{Ended, Scoped};

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

pin_project! {
    /// A scope whose panics are told to whoever polls or stops it.
    pub(super) struct Guarded<F: Future> {
        #[pin]
        scoped: Scoped<F>,
    }
}

impl<F: Future> Guarded<F> {
    pub(super) fn new(body: F, what: &'static str, site: &'static Location<'static>) -> Guarded<F> {
        Guarded { scoped: Scoped::new(body, what, site) }
    }

    /// Whether the body has gone, and cleanups are awaited.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.scoped.is_over()
    }

    /// As [`Scoped::poll`]; one that panics counts as stopped.
    #[inline]
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        told: &mut dyn FnMut(Payload),
    ) -> Poll<Ended<F::Output>> {
        loop {
            let mut scoped = self.as_mut().project().scoped;
            match catch_unwind(AssertUnwindSafe(|| scoped.as_mut().poll(cx))) {
                Ok(polled) => return polled,
                Err(payload) => {
                    let was_over = scoped.is_over();
                    told(payload);
                    if was_over {
                        // On another loop than that of its cleanups: they cannot be awaited here.
                        return Poll::Ready(Ended::Stopped(CleanupErrors::default()));
                    }
                    self.as_mut().stop(told);
                }
            }
        }
    }

    /// As [`Scoped::stop`].
    #[cold]
    pub(super) fn stop(self: Pin<&mut Self>, told: &mut dyn FnMut(Payload)) {
        let scoped = self.project().scoped;
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| scoped.stop())) {
            told(payload);
        }
    }

    /// Drops what is left of a body that has ended.
    pub(super) fn clear(self: Pin<&mut Self>, told: &mut dyn FnMut(Payload)) {
        let scoped = self.project().scoped;
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| scoped.clear())) {
            told(payload);
        }
    }

    /// As [`Scoped::abandon`]: a panic passes through.
    pub(super) fn abandon(self: Pin<&mut Self>) -> Adopter {
        self.project().scoped.abandon()
    }
}
