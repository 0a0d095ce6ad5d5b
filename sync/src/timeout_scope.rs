//! How is a deadline moved while it is being waited for? By a handle that the body may have.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lone_executor::{KeptWaker, trace};
use lone_reactor::time::{Alarm, Enclosing, Instant};
use pin_project_lite::pin_project;

use crate::scoped::{Ended, Scoped};
use crate::timeout::Elapsed;

/// A timeout whose deadline can be moved while it runs. Its clones are the same timeout.
///
/// `None`: no limit, until one is set. The time counts from the moment when something begins to run
/// in it, and what runs is polled first: a body that never waits never times out.
///
/// asyncio: `async with asyncio.timeout(…) as scope`, with `reschedule`, `when` and `expired`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::time::Instant;
///
/// lone::run(async {
///     let limit = lone::timeout_scope(Duration::from_millis(1));
///     let patience = limit.clone();
///     let answered = limit.run(async move {
///         // It says that it is alive: it gets more time.
///         patience.reschedule(Instant::now() + Duration::from_secs(1)).expect("it is running");
///         lone::sleep(Duration::from_millis(3)).await;
///         "an answer"
///     });
///     assert_eq!(answered.await, Ok("an answer"));
///     assert!(!limit.has_expired());
/// });
/// ```
#[derive(Clone)]
pub struct TimeoutScope(Rc<State>);

struct State {
    limit: Option<Duration>,
    deadline: Cell<Option<Instant>>,
    stage: Cell<Stage>,
    /// The deadline was moved since it was last looked at.
    moved: Cell<bool>,
    /// Who polls the body.
    waker: RefCell<KeptWaker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Expiring,
    Expired,
    Ended,
}

/// Makes a timeout whose deadline can be moved: `Duration`, `Some(Duration)`, or `None` for no limit.
#[must_use]
pub fn timeout_scope(limit: impl Into<Option<Duration>>) -> TimeoutScope {
    TimeoutScope(Rc::new(State {
        limit: limit.into(),
        deadline: Cell::new(None),
        stage: Cell::new(Stage::New),
        moved: Cell::new(false),
        waker: RefCell::new(KeptWaker::NOBODY),
    }))
}

impl TimeoutScope {
    /// Moves the deadline: later, sooner, or away (`None`). One that is past takes effect at the next
    /// await that has to wait.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`], which says how things stand, if nothing is running in it: nothing yet, or
    /// nothing any more, or its time is over.
    pub fn reschedule(&self, deadline: impl Into<Option<Instant>>) -> Result<(), RescheduleError> {
        let state = &*self.0;
        match state.stage.get() {
            Stage::Running => {}
            Stage::New => return Err(RescheduleError::NotRunning),
            Stage::Expiring => return Err(RescheduleError::Expiring),
            Stage::Expired => return Err(RescheduleError::Expired),
            Stage::Ended => return Err(RescheduleError::Ended),
        }
        state.deadline.set(deadline.into());
        state.moved.set(true);
        let waker = state.waker.replace(KeptWaker::NOBODY);
        waker.wake();
        Ok(())
    }

    /// The deadline; `None`: there is none, or nothing has begun to run.
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        self.0.deadline.get()
    }

    /// Whether its time was over before what ran in it had ended.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        matches!(self.0.stage.get(), Stage::Expiring | Stage::Expired)
    }

    /// Runs `body` until it ends, or the time is over.
    ///
    /// As [`timeout`](crate::timeout()) in all else: what the body has to clean up is awaited, and of
    /// timeouts within one another the outermost whose time is over reports.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if the time is over first.
    ///
    /// # Panics
    ///
    /// Polled: if something runs in it already, or has: it is entered once. If no loop runs.
    ///
    /// # Cancellation
    ///
    /// As `body`: dropped half way, that is dropped and the timer taken out.
    #[track_caller]
    pub fn run<F: Future>(&self, body: F) -> TimeoutRun<F> {
        TimeoutRun {
            inside: Inside { state: self.0.clone(), entered: false },
            scoped: Scoped::new(body, "a timeout", Location::caller()),
            alarm: Alarm::new(),
        }
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutScope")
            .field("limit", &self.0.limit)
            .field("when", &self.0.deadline.get())
            .field("stage", &self.0.stage.get())
            .finish()
    }
}

/// Why a deadline could not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RescheduleError {
    /// Nothing has begun to run in it.
    NotRunning,
    /// Its time is over, and what was dropped is cleaning up.
    Expiring,
    /// Its time was over.
    Expired,
    /// What ran in it has ended.
    Ended,
}

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RescheduleError::NotRunning => "nothing runs in this timeout yet",
            RescheduleError::Expiring => "the time is over, and cleanups are being awaited",
            RescheduleError::Expired => "the time was over before",
            RescheduleError::Ended => "what ran in this timeout has ended",
        })
    }
}

impl std::error::Error for RescheduleError {}

/// The one run of a timeout: its end is noted, wherever it comes.
struct Inside {
    state: Rc<State>,
    entered: bool,
}

impl Inside {
    fn enter(&mut self) {
        if self.entered {
            return;
        }
        assert!(
            self.state.stage.get() == Stage::New,
            "a timeout is entered once: make a new one for each thing that is to be run"
        );
        self.state.stage.set(Stage::Running);
        let deadline = self.state.limit.map(|limit| Instant::now() + limit);
        self.state.deadline.set(deadline);
        self.entered = true;
    }

    fn end(&mut self) {
        if self.entered {
            self.state.stage.set(match self.state.stage.get() {
                Stage::Expiring | Stage::Expired => Stage::Expired,
                Stage::New | Stage::Running | Stage::Ended => Stage::Ended,
            });
            drop(self.state.waker.replace(KeptWaker::NOBODY));
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.end();
    }
}

pin_project! {
    /// The future of [`TimeoutScope::run`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct TimeoutRun<F: Future> {
        inside: Inside,
        #[pin]
        scoped: Scoped<F>,
        alarm: Alarm,
    }
}

impl<F: Future> Future for TimeoutRun<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        this.inside.enter();
        let state = this.inside.state.clone();
        let said = trace::mark();
        drop(state.waker.replace(KeptWaker::new(cx.waker())));
        let around = state.deadline.get().map(Enclosing::enter);
        let mut polled = this.scoped.as_mut().poll(cx);
        drop(around);
        if polled.is_pending() && !this.scoped.is_over() {
            if state.moved.take() {
                this.alarm.reset();
            }
            let rung = match state.deadline.get() {
                Some(deadline) => this.alarm.poll(deadline, cx),
                None => Poll::Pending,
            };
            if rung.is_ready() {
                state.stage.set(Stage::Expiring);
            }
            if rung.is_ready() && Enclosing::is_over() {
                Enclosing::leave_it(cx);
            } else if rung.is_ready() {
                said.forget();
                this.scoped.as_mut().stop();
                polled = this.scoped.as_mut().poll_cleanups(cx);
            } else if state.deadline.get().is_some() {
                trace::awaits("a deadline", this.scoped.site());
            }
        } else if polled.is_pending() {
            // Nobody waits for the deadline any more: it would keep a deadlock from being seen.
            this.alarm.reset();
        }
        let ended = ready!(polled);
        this.alarm.reset();
        this.inside.end();
        Poll::Ready(match ended {
            Ended::Output(output) => Ok(output),
            Ended::Stopped(errors) => Err(Elapsed::new(errors)),
        })
    }
}

impl<F: Future> fmt::Debug for TimeoutRun<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutRun")
            .field("stage", &self.inside.state.stage.get())
            .finish_non_exhaustive()
    }
}
