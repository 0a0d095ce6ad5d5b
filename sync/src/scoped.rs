//! What do all scopes have in common? A body, and cleanups that come before the report.
//!
//! ```text
//!   poll ──► body ── Pending ──► Pending
//!              │ Ready, or the scope stops it (dropped at its await point)
//!              ▼
//!            cleanups that it has left? ── no ──► report
//!              └── yes: Pending until they have run ──► report, with what failed of them
//! ```
//!
//! Invariants:
//! - **Cleanups first**: it reports when the body has gone and all that it handed over has run.
//! - **The adopter goes first** when it is dropped: what has begun is handed on before the body's
//!   destructors hand over more.
//!
//! Cost: a poll compares a count twice. What waits for cleanups is boxed; nothing else allocates.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::cleanup::{Adopter, CleanupErrors};
use pin_project_lite::pin_project;

pin_project! {
    /// A body, polled and dropped as a scope.
    pub(crate) struct Scoped<F: Future> {
        adopter: Adopter,
        // `None` once it has ended or was stopped.
        #[pin]
        body: Option<F>,
        // The body has gone; cleanups are awaited.
        over: bool,
        // What is returned after them.
        output: Option<Box<F::Output>>,
        what: &'static str,
        site: &'static Location<'static>,
    }
}

/// How a scope's body has ended.
pub(crate) enum Ended<T> {
    Output(T),
    /// With what failed of its cleanups.
    Stopped(CleanupErrors),
}

impl<F: Future> Scoped<F> {
    /// `what` and `site` name the scope in reports: "a timeout", and its line.
    pub(crate) fn new(body: F, what: &'static str, site: &'static Location<'static>) -> Scoped<F> {
        Scoped { adopter: Adopter::new(), body: Some(body), over: false, output: None, what, site }
    }

    /// The line on which the scope was made.
    pub(crate) fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// Whether the body has gone, and cleanups are awaited.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Polls the body; after its end, waits for the cleanups.
    #[inline]
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<F::Output>> {
        let mut this = self.as_mut().project();
        if !*this.over {
            let output = ready!(this.adopter.run(this.what, this.site, || {
                let Some(body) = this.body.as_mut().as_pin_mut() else { has_reported() };
                let output = ready!(body.poll(cx));
                // Here, not with the scope: what its destructors hand over is awaited as well.
                this.body.set(None);
                Poll::Ready(output)
            }));
            if this.adopter.is_idle() {
                return Poll::Ready(Ended::Output(output));
            }
            *this.output = Some(Box::new(output));
            *this.over = true;
        }
        self.poll_cleanups(cx)
    }

    /// Waits for the cleanups of one that is over. Apart from `poll`, so that this is inlined: 29 of
    /// 480 instructions of a turn that polls a timeout.
    #[inline(never)]
    pub(crate) fn poll_cleanups(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Ended<F::Output>> {
        let this = self.project();
        let errors = ready!(this.adopter.poll_empty(cx));
        *this.over = false;
        Poll::Ready(match this.output.take() {
            None => Ended::Stopped(errors),
            Some(output) => {
                unread(this.what, this.site, errors);
                Ended::Output(*output)
            }
        })
    }

    /// Drops the body where it waits; the next polls wait for the cleanups. Does nothing to one
    /// that is over.
    pub(crate) fn stop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if !*this.over {
            *this.over = true;
            this.adopter.run(this.what, this.site, || this.body.set(None));
        }
    }
}

impl<F: Future> Scoped<F> {
    /// Drops what is left of a body that has ended: a future may hold something when it is ready.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        self.project().body.set(None);
    }

    /// Drops the body now; returns what has to be awaited, for whoever goes on with it.
    pub(crate) fn abandon(self: Pin<&mut Self>) -> Adopter {
        let mut this = self.project();
        let mut adopter = std::mem::take(this.adopter);
        adopter.collect(this.what, this.site, || this.body.set(None));
        adopter
    }
}

/// What failed of the cleanups of a body that has ended by itself has no error to go with: it is said.
pub(crate) fn unread(what: &str, site: &Location<'_>, errors: CleanupErrors) {
    errors.say_unread(|| format!("{what} at {site}"));
}

#[cold]
fn has_reported() -> ! {
    panic!("a scope was polled after it had reported: await it once")
}
