//! How does a parent drop several children and await what they leave? Side by side.
//!
//! ```text
//!   child 0 ── dropped ──► adopter ─┐
//!   child 2 ── dropped ──► adopter ─┼─► all begin ── one awaited after the other ──► the parent reports
//!   left while they ran ─► own ─────┘       └─ dropped half way: all of it is one entry of the scope around
//! ```
//!
//! Children run at the same time, and so do their cleanups: three that take 10 ms take 10 ms.
//!
//! Invariants:
//! - **Each child is a scope when it is dropped**: its own cleanups run one after the other.
//! - **All are dropped**: a destructor that panics does not keep the next child from being dropped, nor
//!   what was left from being run. The first panic goes on, of the others it is said that they were.
//! - **No error is lost**: what has failed is returned when all is done, or goes with what is handed on.
//!
//! Cost: a count is compared twice for each child that is dropped; one that leaves nothing allocates
//! nothing.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::task::{Context, Poll, ready};

use lone_executor::cleanup::{Adopter, CleanupErrors, adopt};
use lone_executor::report::{self, Level};
use lone_executor::{Panic, is_running};

use crate::scoped::unread;

/// What children have left to be awaited.
pub(crate) struct Drain {
    /// What they have left while they ran.
    own: Adopter,
    /// What they have left when they were dropped.
    children: VecDeque<Adopter>,
    errors: CleanupErrors,
    /// What it takes waits to be handed on.
    leaving: bool,
    what: &'static str,
    site: &'static Location<'static>,
}

impl Drain {
    /// `what` and `site` name the parent in reports: "a gather", and its line.
    pub(crate) fn new(what: &'static str, site: &'static Location<'static>) -> Drain {
        Drain {
            own: Adopter::new(),
            children: VecDeque::new(),
            errors: CleanupErrors::default(),
            leaving: false,
            what,
            site,
        }
    }

    /// The parent is being dropped: what it takes from here on is begun by the scope around.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Runs `f`, which polls children or drops what they have returned, as the parent's own scope.
    #[inline]
    pub(crate) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let Drain { own, leaving, what, site, .. } = self;
        if *leaving { own.collect(what, site, f) } else { own.run(what, site, f) }
    }

    /// Drops one child, as a scope of its own.
    pub(crate) fn stop(&mut self, panics: &mut FirstPanic, drop: impl FnOnce()) {
        let Drain { leaving, what, site, .. } = *self;
        let mut child = Adopter::new();
        panics.catch(|| {
            if leaving { child.collect(what, site, drop) } else { child.run(what, site, drop) }
        });
        if !child.is_idle() {
            self.children.push_back(child);
        }
    }

    /// Ready when all has run, with what failed of it.
    pub(crate) fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<CleanupErrors> {
        let errors = ready!(self.own.poll_empty(cx));
        self.errors.append(errors);
        while let Some(child) = self.children.front_mut() {
            let errors = ready!(child.poll_empty(cx));
            self.errors.append(errors);
            self.children.pop_front();
        }
        Poll::Ready(std::mem::take(&mut self.errors))
    }

    /// As [`Drain::poll_empty`], for parents whose report has no room for what has failed: it is said.
    pub(crate) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_empty(cx).map(|errors| unread(self.what, self.site, errors))
    }

    /// Leaves what has not run to the scope around, as one entry.
    pub(crate) fn hand_on(&mut self) {
        let own = std::mem::take(&mut self.own);
        let children = std::mem::take(&mut self.children);
        Adopter::hand_on(std::iter::once(own).chain(children));
        let errors = std::mem::take(&mut self.errors);
        if !errors.is_empty() && is_running() {
            adopt(async move { Err(errors.into()) });
        } else {
            unread(self.what, self.site, errors);
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.hand_on();
    }
}

/// The first panic of several destructors goes on when all of them have run.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            match self.0 {
                None => self.0 = Some(panic),
                Some(_) => say_that_there_was(panic),
            }
        }
    }

    /// Lets it go on here; where another one is on its way it is only said.
    pub(crate) fn resume(self) {
        if std::thread::panicking() {
            self.say();
        } else if let Some(panic) = self.0 {
            resume_unwind(panic);
        }
    }

    /// Says that there was one, for another one goes on.
    pub(crate) fn say(self) {
        if let Some(panic) = self.0 {
            say_that_there_was(panic);
        }
    }
}

#[cold]
fn say_that_there_was(panic: Box<dyn Any + Send>) {
    let panic = Panic::new("a destructor".to_owned(), panic);
    report::say(Level::Error, "lone::cleanup", &format!("{panic}; another panic goes on"));
}
