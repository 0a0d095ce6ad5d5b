//! How are body and children of a group polled, stopped and dropped?
//!
//! ```text
//!   poll ──► those that were woken ──► anybody failed, or cancel asked? ──► stop all ─┐
//!              ▲                                                                      │
//!              └─────────────── those that have nothing to clean up end at once ◄─────┘
//!        ──► body and members gone? ──► report
//! ```
//!
//! A failure lets the batch come to its end: who was woken with the one that has failed may have
//! failed as well. A cancel stops all there and then: it beats their wakes.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone_executor::children::{self, Batch, Child as Slot, Children};
use lone_executor::cleanup::Adopter;
use lone_executor::report;
use lone_executor::watch::{Due, Watch};
use lone_executor::{Cancelled, KeptWaker, Panic, Reason, trace};
use pin_project_lite::pin_project;

use super::child::{Child, GroupHandle, Member, Outcome};
use super::error::{Failure, GroupError, IntoFailure};
use super::guarded::{Guarded, Payload};
use crate::scoped::Ended;

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
    /// Debug mode watches whether it is polled after its cancel.
    watch: Cell<Watch>,
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
            watch: Cell::new(Watch::NOTHING),
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
            Phase::Open => Some(None),
            Phase::Cancelled(why) => Some(Some(why.clone())),
            Phase::Failed(_) | Phase::Closed => None,
        };
        let Some(late) = late else {
            drop(future);
            return GroupHandle::refused(site);
        };
        let outcome = Rc::new(Outcome::new(site));
        let handle = GroupHandle::new(outcome.clone());
        let child = Box::pin(Child::new(future, outcome, late));
        // It may panic, also after it has given out a place: that is then nobody's.
        let index = self.children.insert();
        self.alive.set(self.alive.get() + 1);
        let mut members = self.members.borrow_mut();
        if index >= members.len() {
            members.resize_with(index + 1, || None);
        }
        members[index] = Some(child);
        handle
    }

    pub(super) fn cancel(&self, why: Reason) -> bool {
        let open = matches!(&*self.phase.borrow(), Phase::Open);
        if open {
            let cancelled = Cancelled::by_current_task(why);
            self.phase.replace(Phase::Cancelled(cancelled));
            let waker = self.waker.take();
            self.watch.set(Watch::begin(Due::CancelOfGroup, &waker, self.site));
            waker.wake();
        }
        open
    }

    /// A child has failed.
    pub(super) fn failed(&self, failure: Failure<E>) {
        self.failures.borrow_mut().push(failure);
        self.fail("another one of its group has failed");
    }

    /// All have to stop, if they have not been told so before.
    fn fail(&self, why: &'static str) {
        if matches!(&*self.phase.borrow(), Phase::Failed(_) | Phase::Closed) {
            return;
        }
        self.phase.replace(Phase::Failed(Cancelled::of_group(why)));
    }

    /// Whether somebody has asked for the end of all.
    fn is_cancelled(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Cancelled(_))
    }

    /// Why all have to stop.
    fn stopping(&self) -> Option<Cancelled> {
        match &*self.phase.borrow() {
            Phase::Cancelled(why) | Phase::Failed(why) => Some(why.clone()),
            Phase::Open | Phase::Closed => None,
        }
    }

    /// Puts a member back after a poll or a stop.
    fn put(&self, index: usize, member: Pin<Box<dyn Member<E> + 'env>>) {
        self.members.borrow_mut()[index] = Some(member);
    }

    fn take(&self, index: usize) -> Option<Pin<Box<dyn Member<E> + 'env>>> {
        // There may be a place without a member: see `spawn`.
        self.members.borrow_mut().get_mut(index).and_then(Option::take)
    }

    /// Polls a child that was woken.
    fn poll_member(&self, batch: &Batch<'_>, slot: Slot) {
        let index = slot.index();
        let Some(mut member) = self.take(index) else {
            batch.end(slot);
            return;
        };
        if batch.poll(&slot, |cx| member.as_mut().poll(cx, self)).is_pending() {
            self.put(index, member);
            return;
        }
        batch.end(slot);
        self.alive.set(self.alive.get() - 1);
        self.drop_member(member);
    }

    /// Drops what is left of a child that has ended, its output, if nobody wants it, included.
    fn drop_member(&self, member: Pin<Box<dyn Member<E> + 'env>>) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(member))) {
            self.failed(panicked(A_CHILD, self.site, payload));
        }
    }

    /// Drops the bodies of all members where they wait.
    fn stop_members(&self, why: &Cancelled) {
        let count = self.members.borrow().len();
        for index in 0..count {
            if let Some(mut member) = self.take(index) {
                member.as_mut().stop(why, self);
                self.put(index, member);
            }
        }
    }
}

const A_CHILD: &str = "a child of";
const THE_BODY: &str = "the body of";

/// A panic that none of its children told by itself.
#[cold]
fn panicked<E>(who: &str, site: &Location<'_>, payload: Payload) -> Failure<E> {
    Failure::Panicked(Panic::new(whose(who, site), payload))
}

/// Whose panic it is.
fn whose(who: &str, site: &Location<'_>) -> String {
    format!("{who} the task group at {site}")
}

pin_project! {
    /// The future of a group: it owns body and children.
    pub(super) struct GroupRun<'env, E, T, F: Future> {
        #[pin]
        body: Guarded<F>,
        // `None` before its end, and where it has failed or was stopped.
        output: Option<T>,
        body_ended: bool,
        // The body's own slot, to have it polled when it is stopped.
        body_slot: KeptWaker,
        stopped: bool,
        // The body's own come last.
        failures: Vec<Failure<E>>,
        shared: Rc<Shared<'env, E>>,
    }

    impl<E, T, F: Future> PinnedDrop for GroupRun<'_, E, T, F> {
        fn drop(this: Pin<&mut Self>) {
            this.abandon();
        }
    }
}

impl<'env, E, F, T, X> GroupRun<'env, E, T, F>
where
    F: Future<Output = Result<T, X>>,
    X: IntoFailure<E>,
{
    pub(super) fn new(body: F, shared: Rc<Shared<'env, E>>) -> GroupRun<'env, E, T, F> {
        GroupRun {
            body: Guarded::new(body, "the body of a task group", shared.site),
            output: None,
            body_ended: false,
            body_slot: KeptWaker::NOBODY,
            stopped: false,
            failures: Vec::new(),
            shared,
        }
    }

    /// Polls those that were woken. Returns whether that has stopped all: then there are more.
    fn poll_woken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let shared = self.shared.clone();
        let mut stopped = false;
        let mut batch = shared.children.batch(cx);
        if batch.left() > 1 {
            children::keep_order();
        }
        while let Some(slot) = batch.next() {
            // The body's place is a child's once the body has ended.
            if slot.index() == BODY && !self.body_ended {
                self.as_mut().poll_body(&batch, slot);
            } else {
                shared.poll_member(&batch, slot);
            }
            // A cancel holds for those behind as well; when one fails they may still fail, too.
            if shared.is_cancelled() {
                stopped |= self.as_mut().stop_if_asked();
            }
        }
        stopped | self.stop_if_asked()
    }

    fn poll_body(self: Pin<&mut Self>, batch: &Batch<'_>, slot: Slot) {
        let mut this = self.project();
        let (failures, site) = (&mut *this.failures, this.shared.site);
        let mut told = |payload| failures.push(panicked(THE_BODY, site, payload));
        let polled = batch.poll(&slot, |cx| {
            *this.body_slot = KeptWaker::new(cx.waker());
            this.body.as_mut().poll(cx, &mut told)
        });
        if let Poll::Ready(ended) = polled {
            batch.end(slot);
            *this.body_ended = true;
            // What a ready future still holds goes with the body, not with the group.
            this.body.as_mut().clear(&mut told);
            match ended {
                Ended::Output(Ok(value)) => *this.output = Some(value),
                Ended::Output(Err(error)) => {
                    match catch_unwind(AssertUnwindSafe(|| error.into_failure())) {
                        Ok(failure) => failures.push(failure),
                        Err(payload) => told(payload),
                    }
                }
                Ended::Stopped(errors) if errors.is_empty() => {}
                Ended::Stopped(errors) => {
                    let why = this.shared.stopping();
                    let why = why.unwrap_or_else(|| Cancelled::of_group("it has panicked"));
                    failures.push(Failure::Cleanup(why.with_cleanup_errors(errors)));
                }
            }
        }
        if !this.failures.is_empty() {
            this.shared.fail("the body of its group has failed");
        }
    }

    /// Stops all, once somebody has failed or the cancel was asked for. Returns whether it did.
    fn stop_if_asked(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        if *this.stopped {
            return false;
        }
        let Some(why) = this.shared.stopping() else { return false };
        *this.stopped = true;
        this.shared.watch.take().end();
        if !*this.body_ended {
            let (failures, site) = (this.failures, this.shared.site);
            this.body.stop(&mut |payload| failures.push(panicked(THE_BODY, site, payload)));
            if !failures.is_empty() {
                this.shared.fail("the body of its group has failed");
            }
            this.body_slot.take().wake();
        }
        this.shared.stop_members(&why);
        true
    }

    /// All have ended.
    fn end(self: Pin<&mut Self>) -> Result<Option<T>, GroupError<E>> {
        let this = self.project();
        let shared = &**this.shared;
        shared.phase.replace(Phase::Closed);
        shared.children.release();
        let output = this.output.take();
        if this.failures.is_empty() && shared.failures.borrow().is_empty() {
            return Ok(output);
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(output))) {
            this.failures.push(panicked(THE_BODY, shared.site, payload));
        }
        let mut failures = shared.failures.take();
        failures.append(this.failures);
        Err(GroupError::new(failures, shared.site))
    }
}

impl<E, F, T, X> Future for GroupRun<'_, E, T, F>
where
    F: Future<Output = Result<T, X>>,
    X: IntoFailure<E>,
{
    /// `None`: the group was cancelled before the body had ended.
    type Output = Result<Option<T>, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        drop(self.shared.waker.replace(KeptWaker::new(cx.waker())));
        // A cancel from elsewhere beats the wakes that there have been.
        self.as_mut().stop_if_asked();
        if self.as_mut().poll_woken(cx) {
            self.as_mut().poll_woken(cx);
        }
        if !self.body_ended || self.shared.alive() > 0 {
            trace::awaits("a task group", self.shared.site);
            return Poll::Pending;
        }
        Poll::Ready(self.end())
    }
}

impl<E, T, F: Future> GroupRun<'_, E, T, F> {
    /// Dropped half way, or after its end: whatever is left goes, and what it has to clean up is
    /// handed on, to be run side by side.
    fn abandon(self: Pin<&mut Self>) {
        let mut this = self.project();
        let shared = &**this.shared;
        shared.phase.replace(Phase::Closed);
        shared.watch.take().end();
        let mut adopters = Vec::new();
        let mut panics = Vec::new();
        let mut keep = |abandoned: Result<Adopter, Payload>, who| match abandoned {
            Ok(adopter) => adopters.push(adopter),
            Err(payload) => panics.push((who, payload)),
        };
        if !*this.body_ended {
            keep(catch_unwind(AssertUnwindSafe(|| this.body.as_mut().abandon())), THE_BODY);
        }
        let members = shared.members.take();
        for mut member in members.into_iter().flatten() {
            let abandoned = catch_unwind(AssertUnwindSafe(|| {
                let adopter = member.as_mut().abandon();
                drop(member);
                adopter
            }));
            keep(abandoned, A_CHILD);
        }
        shared.alive.set(0);
        Adopter::hand_on(adopters);
        let unread = shared.failures.take();
        GroupError::say_unread(unread, std::mem::take(this.failures), shared.site);
        let mut panics = panics.into_iter();
        // The first goes on from here, unless one does already.
        let first = if std::thread::panicking() { None } else { panics.next() };
        for (who, payload) in panics {
            report::unread_panic(&Panic::new(whose(who, shared.site), payload));
        }
        if let Some((_, payload)) = first {
            resume_unwind(payload);
        }
    }
}
