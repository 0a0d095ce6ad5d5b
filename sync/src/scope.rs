//! How is a part of a task cancelled, and the code after it goes on? It runs in a scope.
//!
//! ```text
//!   scope.run(body).await ──► Ok(output)        the body has ended
//!        ▲                └─► Err(Cancelled)    scope.cancel(why): dropped where it waited,
//!        │ wakes                                 its cleanups awaited
//!   scope.cancel(why)   from the body, another task, a destructor
//! ```
//!
//! Invariants:
//! - **At a suspension**: the body is never stopped before its first poll, nor while it runs. One
//!   that ends without waiting keeps its output.
//! - **A cancel beats what was granted**: once it is asked for, the body is not polled again.
//! - **Once**: a scope is run once, and a cancel is not taken back.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use lone_executor::{Cancelled, KeptWaker, Reason, trace};
use pin_project_lite::pin_project;

use crate::scoped::{Ended, Scoped};

/// A part of a task that can be cancelled on its own. Its clones are the same scope.
///
/// What runs in it is dropped at its await point when somebody calls [`Scope::cancel`], and its
/// cleanups are awaited (see [`using`](crate::using)); the code after it goes on. Scopes nest: when an
/// outer one is cancelled, everything inside goes.
///
/// asyncio: a task of its own, cancelled and awaited in a `try`; anyio and trio: `CancelScope`.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let scope = lone::Scope::new();
///     let inside = scope.clone();
///     let stopped = scope.run(async move {
///         inside.cancel("enough");
///         lone::yield_now().await; // stopped here
///         unreachable!("a cancelled scope does not go on");
///     });
///     let cancelled = stopped.await.expect_err("it was cancelled");
///     assert_eq!(cancelled.reason().to_string(), "enough");
/// });
/// ```
#[derive(Clone)]
pub struct Scope(Rc<State>);

struct State {
    cancelled: RefCell<Option<Cancelled>>,
    stage: Cell<Stage>,
    /// Who polls the body.
    waker: Cell<KeptWaker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Entered,
    Ended,
}

impl Scope {
    /// A scope that nothing has run in.
    #[must_use]
    pub fn new() -> Scope {
        Scope(Rc::new(State {
            cancelled: RefCell::new(None),
            stage: Cell::new(Stage::New),
            waker: Cell::new(KeptWaker::NOBODY),
        }))
    }

    /// Asks that what runs in it be stopped. Returns `false` if it has ended, or was asked before.
    ///
    /// Nothing is run or dropped inside this call. What waits in the scope is dropped at its next
    /// turn, what does not wait yet at its next await that has to. The first reason is kept.
    ///
    /// A scope may be cancelled before anything runs in it: the body then runs to its first await
    /// that has to wait.
    pub fn cancel(&self, why: impl Into<Reason>) -> bool {
        if self.0.stage.get() == Stage::Ended || self.0.cancelled.borrow().is_some() {
            return false;
        }
        let cancelled = Cancelled::by_current_task(why);
        self.0.cancelled.replace(Some(cancelled));
        self.0.waker.replace(KeptWaker::NOBODY).wake();
        true
    }

    /// Whether somebody has asked for its cancel.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.borrow().is_some()
    }

    /// Runs `body` in it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the scope was cancelled and the body has been stopped; with the reason, and
    /// what failed of its cleanups.
    ///
    /// # Panics
    ///
    /// Polled: if something runs in this scope already, or has: a scope is entered once.
    ///
    /// # Cancellation
    ///
    /// As `body`: dropped half way, that is dropped, and its cleanups are awaited by the scope around.
    #[track_caller]
    pub fn run<F: Future>(&self, body: F) -> ScopeRun<F> {
        ScopeRun {
            inside: Inside { scope: self.clone(), entered: false },
            scoped: Scoped::new(body, "a scope", Location::caller()),
        }
    }
}

impl Default for Scope {
    fn default() -> Scope {
        Scope::new()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("stage", &self.0.stage.get())
            .field("cancelled", &self.0.cancelled.borrow())
            .finish()
    }
}

/// The one run of a scope: its end is noted, wherever it comes.
struct Inside {
    scope: Scope,
    entered: bool,
}

impl Inside {
    fn enter(&mut self) {
        if self.entered {
            return;
        }
        let before = self.scope.0.stage.get();
        assert!(
            before == Stage::New,
            "a scope is entered once: make a new one for each thing that is to be run"
        );
        self.scope.0.stage.set(Stage::Entered);
        self.entered = true;
    }

    fn end(&mut self) {
        if self.entered {
            self.scope.0.stage.set(Stage::Ended);
            drop(self.scope.0.waker.replace(KeptWaker::NOBODY));
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.end();
    }
}

pin_project! {
    /// The future of [`Scope::run`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ScopeRun<F: Future> {
        inside: Inside,
        #[pin]
        scoped: Scoped<F>,
    }
}

impl<F: Future> Future for ScopeRun<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let state = this.inside.scope.0.clone();
        if this.inside.entered && state.cancelled.borrow().is_some() {
            this.scoped.as_mut().stop();
        } else {
            this.inside.enter();
            // Set before the body runs: what it does may cancel the scope from elsewhere.
            drop(state.waker.replace(KeptWaker::new(cx.waker())));
        }
        let mut polled = this.scoped.as_mut().poll(cx);
        if polled.is_pending() && !this.scoped.is_over() && state.cancelled.borrow().is_some() {
            this.scoped.as_mut().stop();
            polled = this.scoped.as_mut().poll_cleanups(cx);
        }
        if polled.is_pending() {
            trace::awaits("a scope", this.scoped.site());
        }
        let ended = ready!(polled);
        this.inside.end();
        Poll::Ready(match ended {
            Ended::Output(output) => Ok(output),
            Ended::Stopped(errors) => {
                let cancelled = state.cancelled.borrow().clone();
                let cancelled = cancelled.expect("only a cancel stops it");
                Err(cancelled.with_cleanup_errors(errors))
            }
        })
    }
}

impl<F: Future> fmt::Debug for ScopeRun<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeRun").field("scope", &self.inside.scope).finish_non_exhaustive()
    }
}
