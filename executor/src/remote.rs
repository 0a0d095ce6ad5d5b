//! How does another thread put work on a loop? It sends a closure that makes the future over there.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::cancelled::{Cancelled, Reason, Source};
use crate::cleanup::{self, Adopter, CleanupErrors};
use crate::core::{Core, shutdown_reason};
use crate::inbox::{Inbox, Item};
use crate::join::JoinError;
use crate::panicked::Panic;
use crate::report;
use crate::thread_wait::wait_on_thread;
use crate::waker::running;

/// The loop has ended: nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop has ended")
    }
}

impl std::error::Error for Closed {}

/// A handle to a loop that may go to other threads, and may outlive the loop.
///
/// asyncio: `run_coroutine_threadsafe`, `call_soon_threadsafe`.
///
/// # Examples
///
/// ```
/// let answer = lone::run(async {
///     let remote = lone::remote();
///     let thread = std::thread::spawn(move || {
///         // The future is made on the loop's thread, so it may hold an `Rc`.
///         let joined = remote.spawn(|| async { *std::rc::Rc::new(42) }).expect("the loop lives");
///         joined.wait().expect("it neither panics nor is cancelled")
///     });
///     while !thread.is_finished() {
///         lone::yield_now().await;
///     }
///     thread.join().expect("it ends well")
/// });
/// assert_eq!(answer, 42);
/// ```
///
/// As long as one lives its loop cannot be sure that nobody will wake it: a deadlock is not found.
pub struct Remote {
    inbox: Arc<Inbox>,
}

impl Clone for Remote {
    fn clone(&self) -> Remote {
        Remote::new(self.inbox.clone())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.inbox.remove_remote();
    }
}

impl Remote {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Remote {
        inbox.add_remote();
        Remote { inbox }
    }

    /// Has `make` called on the loop's thread, and the future that it returns spawned there.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the loop has ended; `make` is then dropped here.
    #[track_caller]
    pub fn spawn<C, F>(&self, make: C) -> Result<RemoteJoin<F::Output>, Closed>
    where
        C: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let site = Location::caller();
        let shared = Arc::new(Shared { state: Mutex::new(State::new()) });
        let promise = Promise(shared.clone());
        let call = move || {
            let made = catch_unwind(AssertUnwindSafe(make));
            match (made, running(Core::to_rc)) {
                (Ok(future), Some(core)) => {
                    drop(core.spawn(Carried::new(future, promise, site), site));
                }
                (Err(payload), _) => promise.keep(Err(panicked(site, payload))),
                (Ok(_), None) => promise.keep(Err(JoinError::LoopClosed)),
            }
        };
        self.inbox.push(Item::Call(Box::new(call))).map_err(|_| Closed)?;
        Ok(RemoteJoin { shared })
    }

    /// Whether the loop has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inbox.is_closed()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("closed", &self.is_closed()).finish()
    }
}

struct Shared<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    taken: bool,
    joiner: Option<Waker>,
    cancel: Option<Reason>,
    watch: Option<Waker>,
    /// Nobody is left who could cancel.
    detached: bool,
}

impl<T> State<T> {
    fn new() -> State<T> {
        State {
            outcome: None,
            taken: false,
            joiner: None,
            cancel: None,
            watch: None,
            detached: false,
        }
    }
}

/// Both ends have gone: what nobody has read is reported now, as that of any task.
impl<T> Drop for State<T> {
    fn drop(&mut self) {
        match &self.outcome {
            Some(Err(JoinError::Panicked(panic))) => report::unread_panic(panic),
            Some(Err(JoinError::Cancelled(cancelled))) => {
                let errors = cancelled.cleanup_errors().clone();
                errors.say_unread(|| "a task from another thread".to_owned());
            }
            _ => {}
        }
    }
}

impl<T> Shared<T> {
    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop's end of a remote join: kept, or broken when it is dropped.
struct Promise<T>(Arc<Shared<T>>);

impl<T> Promise<T> {
    fn keep(&self, outcome: Result<T, JoinError>) {
        let mut state = self.0.lock();
        if state.outcome.is_some() || state.taken {
            return;
        }
        state.outcome = Some(outcome);
        let joiner = state.joiner.take();
        drop(state);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.keep(Err(JoinError::LoopClosed));
    }
}

/// A promise that is kept when this is dropped.
struct KeepOnDrop<T> {
    promise: Promise<T>,
    outcome: Option<Result<T, JoinError>>,
}

impl<T> Drop for KeepOnDrop<T> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.promise.keep(outcome);
        }
    }
}

/// The task of a remote spawn: carries a cancel in, and the outcome out. A scope, for whoever waits is
/// told only when the cleanups have run.
struct Carried<F: Future<Output: 'static>> {
    adopter: Adopter,
    /// `None` once it has ended.
    body: Option<Pin<Box<F>>>,
    /// What is to be told, once the body has ended.
    outcome: Option<Result<F::Output, JoinError>>,
    /// `None` once it was kept.
    promise: Option<Promise<F::Output>>,
    site: &'static Location<'static>,
}

impl<F: Future<Output: 'static>> Carried<F> {
    fn new(future: F, promise: Promise<F::Output>, site: &'static Location<'static>) -> Carried<F> {
        let (body, promise) = (Some(Box::pin(future)), Some(promise));
        Carried { adopter: Adopter::new(), body, outcome: None, promise, site }
    }

    /// The cancel that was asked for, if one was; else `cx` is woken when one is.
    fn cancel_asked(&self, cx: &Context<'_>) -> Option<Reason> {
        let mut state = self.promise.as_ref()?.0.lock();
        let cancel = state.cancel.take();
        let watch = (cancel.is_none() && !state.detached).then(|| cx.waker().clone());
        let before = std::mem::replace(&mut state.watch, watch);
        drop(state);
        drop(before);
        cancel
    }

    /// Drops the body: a panic of its destructor is the outcome.
    fn end(&mut self, outcome: Result<F::Output, JoinError>) {
        let body = self.body.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
        self.outcome = Some(match dropped {
            Ok(()) => outcome,
            Err(payload) => Err(panicked(self.site, payload)),
        });
        // A cancel comes too late: nobody has to be woken for it.
        let watch = self.promise.as_ref().and_then(|promise| promise.0.lock().watch.take());
        drop(watch);
    }

    /// Polls the body, or stops it; leaves the outcome if it has ended.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(why) = self.cancel_asked(cx) {
            self.end(Err(JoinError::Cancelled(Cancelled::new(why, Source::Explicit, None))));
            return Poll::Ready(());
        }
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        let outcome = match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
            Ok(polled) => Ok(ready!(polled)),
            Err(payload) => Err(panicked(self.site, payload)),
        };
        self.end(outcome);
        Poll::Ready(())
    }

    /// All is done: whoever waits is told.
    fn tell(&mut self, errors: CleanupErrors) {
        let (Some(promise), Some(mut outcome)) = (self.promise.take(), self.outcome.take()) else {
            return;
        };
        match &mut outcome {
            Err(JoinError::Cancelled(cancelled)) => cancelled.attach(errors),
            _ => errors
                .say_unread(|| format!("a task from another thread, spawned at {}", self.site)),
        }
        promise.keep(outcome);
    }
}

impl<F: Future<Output: 'static>> Future for Carried<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.body.is_some() {
            let mut adopter = std::mem::take(&mut this.adopter);
            let what = "a task from another thread";
            let polled = adopter.run(what, this.site, || this.poll_body(cx));
            this.adopter = adopter;
            ready!(polled);
        }
        let errors = ready!(this.adopter.poll_empty(cx));
        this.tell(errors);
        Poll::Ready(())
    }
}

/// It is pinned in its box: what carries it may move.
impl<F: Future<Output: 'static>> Unpin for Carried<F> {}

/// Stopped with the loop: the body goes first, then whoever waits is told; where there are cleanups,
/// after those.
impl<F: Future<Output: 'static>> Drop for Carried<F> {
    fn drop(&mut self) {
        let before = cleanup::loose();
        drop(std::mem::take(&mut self.adopter));
        if self.body.is_some() {
            self.end(Err(JoinError::Cancelled(shutdown_reason())));
        }
        let (Some(promise), Some(outcome)) = (self.promise.take(), self.outcome.take()) else {
            return;
        };
        let last = KeepOnDrop { promise, outcome: Some(outcome) };
        if cleanup::loose() > before {
            // The last one of the queue to which all of them go.
            cleanup::adopt_if_possible(async move {
                drop(last);
                Ok(())
            });
        }
    }
}

fn panicked(site: &'static Location<'static>, payload: Box<dyn Any + Send>) -> JoinError {
    let whose = format!("a task from another thread, spawned at {site}");
    JoinError::Panicked(Panic::new(whose, payload))
}

/// The outcome of a remote spawn: a future for any executor, or a blocking wait for a thread.
///
/// Dropping it detaches the task.
///
/// # Cancellation
///
/// Awaiting it is strict: dropped half way, nothing is lost.
#[must_use = "dropping it detaches the task: say so with `drop(handle)`, or wait for it"]
pub struct RemoteJoin<T> {
    shared: Arc<Shared<T>>,
}

impl<T> RemoteJoin<T> {
    /// Blocks this thread until the outcome is there. A job of the loop's pool that waits here does not
    /// hold a virtual clock meanwhile.
    ///
    /// # Errors
    ///
    /// As for a [`JoinHandle`](crate::JoinHandle).
    ///
    /// # Panics
    ///
    /// If a loop runs on this thread: it would stand still, for ever if it is the task's own.
    #[track_caller]
    pub fn wait(mut self) -> Result<T, JoinError> {
        assert!(
            running(|_| ()).is_none(),
            "RemoteJoin::wait would block the loop that runs on this thread: `.await` it instead"
        );
        // It cannot cancel any more, and the task's waker would stand for somebody who might.
        self.detach();
        wait_on_thread(&mut self, None).expect("there is no deadline")
    }

    /// Asks that the task be stopped, as [`JoinHandle::cancel`](crate::JoinHandle::cancel) does. `false`: it has ended.
    pub fn cancel(&self, why: impl Into<Reason>) -> bool {
        let mut state = self.shared.lock();
        if state.outcome.is_some() || state.taken {
            return false;
        }
        state.cancel.get_or_insert(why.into());
        let watch = state.watch.take();
        drop(state);
        if let Some(watch) = watch {
            watch.wake();
        }
        true
    }

    /// Nobody can cancel from here on: the clone of the task's waker has to go, or it would stand for
    /// somebody who might still wake it. Nor does anybody poll any more.
    fn detach(&self) {
        let mut state = self.shared.lock();
        state.detached = true;
        let (watch, joiner) = (state.watch.take(), state.joiner.take());
        drop(state);
        drop((watch, joiner));
    }

    /// Whether the outcome is there, or was taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let state = self.shared.lock();
        state.outcome.is_some() || state.taken
    }
}

/// Nobody can cancel from here on, and nobody is told.
impl<T> Drop for RemoteJoin<T> {
    fn drop(&mut self) {
        self.detach();
    }
}

impl<T> Future for RemoteJoin<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning a foreign waker is user code: it happens before the lock is taken.
        let joiner = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.taken {
            return Poll::Ready(Err(JoinError::Taken));
        }
        if let Some(outcome) = state.outcome.take() {
            state.taken = true;
            return Poll::Ready(outcome);
        }
        let before = state.joiner.replace(joiner);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<T> fmt::Debug for RemoteJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJoin").field("finished", &self.is_finished()).finish()
    }
}
