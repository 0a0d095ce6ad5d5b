//! How are body and children of a group polled, stopped and dropped?
//!
//! ```text
//!   poll ──► those that were woken ──► anybody failed, or cancel asked? ──► stop all ─┐
//!              ▲                                                                      │
//!              └─────────────── those that have nothing to clean up end at once ◄─────┘
//!        ──► body and members gone? ──► report
//! ```

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone_executor::children::{Batch, Child as Slot, Children};
use lone_executor::cleanup::Adopter;
use lone_executor::report;
use lone_executor::{Cancelled, KeptWaker, Panic, Reason, trace};
use pin_project_lite::pin_project;

use super::child::{Child, GroupHandle, Member};
use super::error::{Failure, GroupError, IntoFailure};
use crate::scoped::{Ended, Scoped};

/// The body's place among the children.
const BODY: usize = 0;

type Members<'env, E> = Vec<Option<Pin<Box<dyn Member<E> + 'env>>>>;

/// What the links reach.
pub(super) struct Shared<'env, E> {
    children: Children,
    /// By index; `None`: ended, being polled, or the body.
    members: RefCell<Members<'env, E>>,
    alive: Cell<usize>,
    phase: RefCell<Phase>,
    failures: RefCell<Vec<Failure<E>>>,
    /// Who polls the group.
    waker: Cell<KeptWaker>,
    site: &'static Location<'static>,
}

enum Phase {
    Open,
    /// Somebody has asked for the end of all.
    Cancelled(Cancelled),
    Failed(Cancelled),
    Closed,
}

impl<'env, E> Shared<'env, E> {
    pub(super) fn new(site: &'static Location<'static>) -> Shared<'env, E> {
        Shared {
            children: Children::new(BODY + 1),
            members: RefCell::new(vec![None]),
            alive: Cell::new(0),
            phase: RefCell::new(Phase::Open),
            failures: RefCell::new(Vec::new()),
            waker: Cell::new(KeptWaker::NOBODY),
            site,
        }
    }

    pub(super) fn alive(&self) -> usize {
        self.alive.get()
    }

    pub(super) fn spawn<T, X>(
        &self,
        future: impl Future<Output = Result<T, X>> + 'env,
        site: &'static Location<'static>,
    ) -> GroupHandle<T>
    where
        T: 'env,
        X: IntoFailure<E>,
    {
        let late = match &*self.phase.borrow() {
            Phase::Open => Some(false),
            Phase::Cancelled(_) => Some(true),
            Phase::Failed(_) | Phase::Closed => None,
        };
        let Some(late) = late else {
            drop(future);
            return GroupHandle::refused(site);
        };
        let (child, handle) = Child::new(future, site, late);
        let index = self.children.insert();
        self.alive.set(self.alive.get() + 1);
        let mut members = self.members.borrow_mut();
        if index >= members.len() {
            members.resize_with(index + 1, || None);
        }
        members[index] = Some(Box::pin(child));
        handle
    }

    pub(super) fn cancel(&self, why: Reason) -> bool {
        let open = matches!(&*self.phase.borrow(), Phase::Open);
        if open {
            let cancelled = Cancelled::by_current_task(why);
            self.phase.replace(Phase::Cancelled(cancelled));
            self.waker.replace(KeptWaker::NOBODY).wake();
        }
        open
    }

    fn failed(&self, failure: Failure<E>) {
        self.failures.borrow_mut().push(failure);
        let fail = matches!(&*self.phase.borrow(), Phase::Open | Phase::Cancelled(_));
        if fail {
            let why = Cancelled::of_group("another one of its group has failed");
            self.phase.replace(Phase::Failed(why));
        }
    }

    /// Why all have to stop.
    fn stopping(&self) -> Option<Cancelled> {
        match &*self.phase.borrow() {
            Phase::Cancelled(why) | Phase::Failed(why) => Some(why.clone()),
            Phase::Open | Phase::Closed => None,
        }
    }

    /// Puts a member back after a poll or a stop that it has survived.
    fn put(&self, index: usize, member: Pin<Box<dyn Member<E> + 'env>>) {
        self.members.borrow_mut()[index] = Some(member);
    }

    fn take(&self, index: usize) -> Option<Pin<Box<dyn Member<E> + 'env>>> {
        self.members.borrow_mut()[index].take()
    }

    /// Polls a child that was woken.
    fn poll_member(&self, batch: &Batch<'_>, slot: Slot) {
        let index = slot.index();
        let Some(mut member) = self.take(index) else {
            batch.end(slot);
            return;
        };
        let poll = || batch.poll(&slot, |cx| member.as_mut().poll(cx));
        let failure = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => {
                self.put(index, member);
                return;
            }
            Ok(Poll::Ready(failure)) => failure,
            Err(payload) => Some(member.as_mut().panicked(payload)),
        };
        batch.end(slot);
        self.alive.set(self.alive.get() - 1);
        if let Some(failure) = failure {
            self.failed(failure);
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(member))) {
            self.failed(Failure::Panicked(Panic::new(self.describe_child(), payload)));
        }
    }

    /// Drops the bodies of all members where they wait.
    fn stop_members(&self, why: &Cancelled) {
        let count = self.members.borrow().len();
        for index in 0..count {
            let Some(mut member) = self.take(index) else { continue };
            let stopped = catch_unwind(AssertUnwindSafe(|| member.as_mut().stop(why)));
            if let Err(payload) = stopped {
                let failure = member.as_mut().panicked(payload);
                self.failed(failure);
            }
            self.put(index, member);
        }
    }

    fn describe_child(&self) -> String {
        format!("a child of the task group at {}", self.site)
    }
}

pin_project! {
    /// The future of a group: it owns body and children.
    pub(super) struct GroupRun<'env, E, F: Future> {
        #[pin]
        body: Scoped<F>,
        // What it has come to: `None` before its end, and where it was stopped.
        output: Option<F::Output>,
        body_ended: bool,
        // The body's own slot, to have it polled when it is stopped.
        body_slot: KeptWaker,
        stopped: bool,
        // The body's own failure comes last.
        failure: Option<Failure<E>>,
        shared: Rc<Shared<'env, E>>,
    }

    impl<E, F: Future> PinnedDrop for GroupRun<'_, E, F> {
        fn drop(this: Pin<&mut Self>) {
            this.abandon();
        }
    }
}

impl<'env, E, F, T, X> GroupRun<'env, E, F>
where
    F: Future<Output = Result<T, X>>,
    X: IntoFailure<E>,
{
    pub(super) fn new(body: F, shared: Rc<Shared<'env, E>>) -> GroupRun<'env, E, F> {
        let body = Scoped::new(body, "the body of a task group", shared.site);
        let (body_slot, body_ended) = (KeptWaker::NOBODY, false);
        GroupRun {
            body,
            output: None,
            body_ended,
            body_slot,
            stopped: false,
            failure: None,
            shared,
        }
    }

    /// Polls those that were woken.
    fn poll_woken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let shared = self.shared.clone();
        let mut batch = shared.children.batch(cx);
        while let Some(slot) = batch.next() {
            if slot.index() == BODY {
                self.as_mut().poll_body(&batch, slot);
            } else {
                shared.poll_member(&batch, slot);
            }
        }
    }

    fn poll_body(self: Pin<&mut Self>, batch: &Batch<'_>, slot: Slot) {
        let mut this = self.project();
        if *this.body_ended {
            batch.end(slot);
            return;
        }
        let poll = || {
            batch.poll(&slot, |cx| {
                *this.body_slot = KeptWaker::new(cx.waker());
                this.body.as_mut().poll(cx)
            })
        };
        let failure = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(Ended::Output(Ok(value)))) => {
                *this.output = Some(Ok(value));
                None
            }
            Ok(Poll::Ready(Ended::Output(Err(error)))) => Some(error.into_failure()),
            Ok(Poll::Ready(Ended::Stopped(errors))) => {
                let why = this.shared.stopping();
                let why = why.unwrap_or_else(|| Cancelled::of_group("its group ends"));
                (!errors.is_empty()).then(|| Failure::Cleanup(why.with_cleanup_errors(errors)))
            }
            Err(payload) => {
                let whose = format!("the body of the task group at {}", this.shared.site);
                Some(Failure::Panicked(Panic::new(whose, payload)))
            }
        };
        batch.end(slot);
        *this.body_ended = true;
        if failure.is_some() {
            *this.failure = failure;
            let why = Cancelled::of_group("the body of its group has failed");
            this.shared.phase.replace(Phase::Failed(why));
        }
    }

    /// Stops all, once somebody has failed or the cancel was asked for. Returns whether it did.
    fn stop_if_asked(self: Pin<&mut Self>) -> bool {
        let mut this = self.project();
        if *this.stopped {
            return false;
        }
        let Some(why) = this.shared.stopping() else { return false };
        *this.stopped = true;
        if !*this.body_ended {
            let stopped = catch_unwind(AssertUnwindSafe(|| this.body.as_mut().stop()));
            this.body_slot.take().wake();
            if let Err(payload) = stopped {
                let whose = format!("the body of the task group at {}", this.shared.site);
                this.shared.failed(Failure::Panicked(Panic::new(whose, payload)));
            }
        }
        this.shared.stop_members(&why);
        true
    }
}

impl<E, F, T, X> Future for GroupRun<'_, E, F>
where
    F: Future<Output = Result<T, X>>,
    X: IntoFailure<E>,
{
    /// `None`: the group was cancelled before the body had ended.
    type Output = Result<Option<T>, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = self.shared.clone();
        drop(shared.waker.replace(KeptWaker::new(cx.waker())));
        self.as_mut().poll_woken(cx);
        if self.as_mut().stop_if_asked() {
            self.as_mut().poll_woken(cx);
        }
        if !self.body_ended || shared.alive() > 0 {
            trace::awaits("a task group", shared.site);
            return Poll::Pending;
        }
        let this = self.project();
        shared.phase.replace(Phase::Closed);
        shared.children.release();
        let mut failures = shared.failures.take();
        failures.extend(this.failure.take());
        Poll::Ready(match GroupError::new(failures, shared.site) {
            Some(error) => Err(error),
            None => Ok(this.output.take().and_then(Result::ok)),
        })
    }
}

impl<E, F: Future> GroupRun<'_, E, F> {
    /// Dropped half way, or after its end: whatever is left goes, and what it has to clean up is
    /// handed on, to be run side by side.
    fn abandon(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.shared.phase.replace(Phase::Closed);
        let mut adopters = Vec::new();
        let mut panic = None;
        let mut keep = |abandoned: std::thread::Result<Adopter>| match abandoned {
            Ok(adopter) => adopters.push(adopter),
            Err(payload) if panic.is_none() => panic = Some(payload),
            Err(payload) => {
                let whose = format!("a child of the task group at {}", this.shared.site);
                report::unread_panic(&Panic::new(whose, payload));
            }
        };
        if !*this.body_ended {
            keep(catch_unwind(AssertUnwindSafe(|| this.body.as_mut().abandon())));
        }
        let members = this.shared.members.take();
        for mut member in members.into_iter().flatten() {
            keep(catch_unwind(AssertUnwindSafe(|| {
                let adopter = member.as_mut().abandon();
                drop(member);
                adopter
            })));
        }
        this.shared.alive.set(0);
        Adopter::hand_on(adopters);
        let unread = this.shared.failures.take();
        GroupError::say_unread(unread, this.failure.take(), this.shared.site);
        if let Some(panic) = panic {
            if std::thread::panicking() {
                let whose = format!("a child of the task group at {}", this.shared.site);
                report::unread_panic(&Panic::new(whose, panic));
            } else {
                resume_unwind(panic);
            }
        }
    }
}
