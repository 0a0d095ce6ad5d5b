//! What is a task in memory? One block: a header, then its future, then, in the same bytes, its
//! output.
//!
//! ```text
//!  Task ──► ┌ Header ────────────────────────────────────────┐   counted by `owners`:
//!           │ vtable  owners  state  cancel?  joiner          │   the slot, the handle, a poll
//!           │ number  id  spawn line  notes                   │
//!           ├ Stage ─────────────────────────────────────────┤
//!           │ Idle, Running, Dropping: future    Done: output │   Closing: output   Taken: nothing
//!           └─────────────────────────────────────────────────┘
//!
//!           ┌──────────── poll: Pending ───────────┐
//!           ▼                                      │
//!         Idle ── poll, or stop ──► Running ── Ready, panic, or stop ──► Dropping ──► Done ──► Taken
//!                                                                                    ▲ ▼
//!                                       its cleanups are awaited before it has ended: Closing
//! ```
//!
//! Invariants:
//! - **The state is a `Cell` beside the bytes**, never the discriminant of what is being dropped.
//! - **Holder only.** Who set Running or Dropping is the only one that touches the stage, through
//!   raw pointers; everybody else sees the state and keeps off. A cancel that arrives meanwhile
//!   sets a flag.
//! - **What the stage holds follows from the state** (see the picture), on every path, panics of
//!   polls and destructors included.
//! - **Counted.** The block is given back when `owners` falls to zero, and not before. A task is
//!   `!Send`: the count is a plain number.
//! - **Typed once.** `vtable` was made for the very `F` in the stage, and a [`Joined<T>`] is made
//!   only beside a task whose output is `Result<T, JoinError>`.
//!
//! Cost: one block a task, from a free list where one is warm; a poll one indirect call and one
//! `catch_unwind` (0.5 ns).

use std::alloc::Layout;
use std::any::Any;
use std::cell::Cell;
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};
use std::thread;

use crate::block;
use crate::cancelled::Cancelled;
use crate::cleanup::{CleanupErrors, Key};
use crate::core::Core;
use crate::join::JoinError;
use crate::kept_waker::KeptWaker;
use crate::num::Num;
use crate::panicked::Panic;
use crate::report;
use crate::task_id::{TaskId, TaskName};
use crate::trace::{self, Event, Who};

/// Where a task stands; see the picture at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Running,
    Dropping,
    Closing,
    Done,
    Taken,
}

/// What all tasks have, whatever their future.
///
/// What every poll touches stands last, next to the future: one cache line less (bench
/// `yield1000`).
#[repr(C)]
struct Header {
    joiner: Cell<KeptWaker>,
    num: Num,
    id: TaskId,
    spawned: &'static Location<'static>,
    notes: Cell<Option<Box<Notes>>>,
    vtable: &'static VTable,
    owners: Cell<u32>,
    state: Cell<State>,
    cancel_asked: Cell<bool>,
}

/// What few tasks have.
#[derive(Default)]
struct Notes {
    name: Option<TaskName>,
    cancelled: Option<Cancelled>,
    /// The queue of the cleanups that it has adopted.
    adopter: Option<Key>,
    /// It runs cleanups itself: nobody can cancel it.
    is_cleanup: bool,
    unread_error: Option<UnreadError>,
}

/// Says the error in an outcome, if there is one. The pointer is to an outcome of the task's own type.
type UnreadError = unsafe fn(NonNull<()>) -> Option<String>;

/// What depends on the future's type. All of them: the pointer is a live block made for that type.
struct VTable {
    /// State Running. Returns whether the future has ended, with its outcome in the stage.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>, &Core) -> bool,
    /// State Running. Drops the future and leaves the error as the outcome.
    stop: unsafe fn(NonNull<Header>, JoinError, &Core),
    /// State Done. Leaves the errors of cleanups with an outcome that is a cancel, else returns them.
    attach: unsafe fn(NonNull<Header>, CleanupErrors) -> Option<CleanupErrors>,
    /// No owner is left: drops what the state says is there, and gives the block back.
    free: unsafe fn(NonNull<Header>),
    /// How far behind the header the output is, while it is there.
    output: usize,
    size: usize,
}

#[repr(C)]
struct TaskCell<F: Future> {
    header: Header,
    stage: Stage<F>,
}

union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Result<F::Output, JoinError>>,
}

/// A counted pointer to a task of any type.
pub(crate) struct Task(NonNull<Header>);

/// A counted pointer to a task that will have an output of type `T`.
pub(crate) struct Joined<T> {
    task: Task,
    output: PhantomData<T>,
}

/// Puts `future` in a cell: one owner for the slot, one for the handle.
pub(crate) fn new<F>(
    future: F,
    num: Num,
    id: TaskId,
    spawned: &'static Location<'static>,
) -> (Task, Joined<F::Output>)
where
    F: Future + 'static,
{
    let block = block::take(Layout::new::<TaskCell<F>>()).cast::<TaskCell<F>>();
    let header = Header {
        vtable: const { &TaskCell::<F>::VTABLE },
        owners: Cell::new(2),
        state: Cell::new(State::Idle),
        cancel_asked: Cell::new(false),
        joiner: Cell::new(KeptWaker::NOBODY),
        num,
        id,
        spawned,
        notes: Cell::new(None),
    };
    let stage = Stage { future: ManuallyDrop::new(future) };
    // SAFETY: the block was made for this layout, is ours alone and uninitialised.
    unsafe { block.write(TaskCell { header, stage }) };
    let header = block.cast::<Header>();
    (Task(header), Joined { task: Task(header), output: PhantomData })
}

/// A task that has ended before it began: no slot has it, and nobody looks its number up.
pub(crate) fn ended<T: 'static>(
    outcome: Result<T, JoinError>,
    spawned: &'static Location<'static>,
) -> Joined<T> {
    // Generations begin at 1: this names nobody, ever.
    let nobody = Num::from_bits(1 << 24).expect("it is not zero");
    let (task, joined) = new(std::future::pending::<T>(), nobody, TaskId::new(0), spawned);
    // SAFETY: *Holder only*: nobody else has the task yet, and its future, which has no destructor, may be
    // overwritten by the outcome of its type.
    unsafe { joined.output().write(outcome) };
    task.header().state.set(State::Done);
    joined
}

impl<F: Future> TaskCell<F> {
    const VTABLE: VTable = VTable {
        poll: Self::poll,
        stop: Self::stop,
        attach: Self::attach,
        free: Self::free,
        output: offset_of!(Self, stage),
        size: size_of::<F>(),
    };

    /// Where the future is. No reference is made: the holder alone decides what to make of it.
    fn future(cell: NonNull<Header>) -> *mut F {
        let cell = cell.cast::<Self>().as_ptr();
        // SAFETY: *Typed once*: the block holds a `TaskCell<F>`, so the field is inside it.
        unsafe { &raw mut (*cell).stage.future }.cast()
    }

    fn output(cell: NonNull<Header>) -> *mut Result<F::Output, JoinError> {
        let cell = cell.cast::<Self>().as_ptr();
        // SAFETY: as in `future`.
        unsafe { &raw mut (*cell).stage.output }.cast()
    }

    unsafe fn poll(cell: NonNull<Header>, cx: &mut Context<'_>, core: &Core) -> bool {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: *Holder only*: the state is Running, so the stage holds the future, and this
            // is the only reference to it.
            let future = unsafe { &mut *Self::future(cell) };
            // SAFETY: the block never moves, and `end_future` drops the future in place: it is pinned.
            unsafe { Pin::new_unchecked(future) }.poll(cx)
        }));
        match polled {
            Ok(Poll::Pending) => return false,
            // SAFETY: this function's contract is `complete`'s.
            Ok(Poll::Ready(output)) => unsafe { Self::complete(cell, output, core) },
            Err(payload) => {
                // SAFETY: the header is valid while the task has an owner, and the caller is one.
                let header = unsafe { cell.as_ref() };
                let panic = Panic::new(Task::describe_header(header), payload);
                // SAFETY: this function's contract is `stop`'s.
                unsafe { Self::stop(cell, JoinError::Panicked(panic), core) };
            }
        }
        true
    }

    /// Running → Done, with an output.
    ///
    /// Not inlined: it would cost every poll the registers that it needs (bench `yield1000`). Apart from
    /// `stop`, so that the output comes in registers: an outcome that is put together in memory word by
    /// word, and moved from there as a whole, has to wait until it is there (a sixth of bench `spawn10k`).
    ///
    /// # Safety
    ///
    /// The state is Running and the caller set it.
    #[inline(never)]
    unsafe fn complete(cell: NonNull<Header>, output: F::Output, core: &Core) {
        // SAFETY: this function's contract is `end_future`'s.
        let ended = unsafe { Self::end_future(cell, core) };
        // SAFETY: the future is gone.
        unsafe { Self::leave(cell, Ok(output), ended) };
    }

    #[cold]
    unsafe fn stop(cell: NonNull<Header>, why: JoinError, core: &Core) {
        // SAFETY: this function's contract is `end_future`'s.
        let ended = unsafe { Self::end_future(cell, core) };
        // SAFETY: the future is gone.
        unsafe { Self::leave(cell, Err(why), ended) };
    }

    /// Running → Dropping: raises the number, and drops the future in place. Returns what that panics with.
    ///
    /// # Safety
    ///
    /// The state is Running and the caller set it.
    #[inline]
    unsafe fn end_future(cell: NonNull<Header>, core: &Core) -> thread::Result<()> {
        // SAFETY: the header is valid while the task has an owner, and the caller is one.
        let header = unsafe { cell.as_ref() };
        header.state.set(State::Dropping);
        core.raise(header.num);
        catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: *Holder only*: the future is whole, is dropped once, here, and is not
            // touched again, also if its destructor panics half way.
            unsafe { ptr::drop_in_place(Self::future(cell)) };
        }))
    }

    /// Dropping → Done: what the future's destructor panicked with is the outcome then.
    ///
    /// # Safety
    ///
    /// The state is Dropping, the caller set it, and the future is gone.
    #[inline]
    unsafe fn leave(
        cell: NonNull<Header>,
        outcome: Result<F::Output, JoinError>,
        ended: thread::Result<()>,
    ) {
        // SAFETY: the header is valid while the task has an owner, and the caller is one.
        let header = unsafe { cell.as_ref() };
        match ended {
            // SAFETY: this function's contract is `write`'s.
            Ok(()) => unsafe { Self::write(cell, outcome) },
            Err(payload) => {
                let outcome = Self::outcome_of_panic(header, outcome, payload);
                // SAFETY: as above.
                unsafe { Self::write(cell, outcome) };
            }
        }
    }

    /// # Safety
    ///
    /// As [`TaskCell::leave`].
    #[inline]
    unsafe fn write(cell: NonNull<Header>, outcome: Result<F::Output, JoinError>) {
        // SAFETY: the header is valid while the task has an owner, and the caller is one.
        let header = unsafe { cell.as_ref() };
        trace::emit(|| end_of(header.id, outcome.as_ref().err()));
        // SAFETY: *Holder only*: the future is gone, so the stage is free to be overwritten.
        unsafe { ptr::write(Self::output(cell), outcome) };
        header.state.set(State::Done);
    }

    /// The destructor of the future has panicked: that is the outcome, unless the body has panicked too.
    #[cold]
    fn outcome_of_panic(
        header: &Header,
        mut outcome: Result<F::Output, JoinError>,
        payload: Box<dyn Any + Send>,
    ) -> Result<F::Output, JoinError> {
        let panic = Panic::new(Task::describe_header(header), payload);
        if matches!(outcome, Err(JoinError::Panicked(_))) {
            // The body's own panic is the outcome: this one has no other reader.
            report::unread_panic(&panic);
        } else {
            let instead = Err(JoinError::Panicked(panic));
            let mut unread = std::mem::replace(&mut outcome, instead);
            // SAFETY: *Typed once*: it is the outcome of a `TaskCell<F>`, and initialised.
            unsafe { report_unread(header, NonNull::from(&mut unread).cast()) };
            discard(unread, header);
        }
        outcome
    }

    unsafe fn attach(cell: NonNull<Header>, errors: CleanupErrors) -> Option<CleanupErrors> {
        // SAFETY: Done: the output is there. The caller makes sure that nobody borrows it.
        match unsafe { &mut *Self::output(cell) } {
            Err(JoinError::Cancelled(cancelled)) => {
                cancelled.attach(errors);
                None
            }
            _ => Some(errors),
        }
    }

    unsafe fn free(cell: NonNull<Header>) {
        // SAFETY: no owner is left, but the block is valid until it is given back below.
        let header = unsafe { cell.as_ref() };
        if header.state.get() != State::Taken {
            // SAFETY: this function's contract, and nothing was taken.
            unsafe { Self::drop_stage(cell) };
        }
        // SAFETY: the header is dropped once, here, where the last owner has gone.
        unsafe { ptr::drop_in_place(cell.as_ptr()) };
        // SAFETY: `new` took the block for this very layout, and nothing points to it any more.
        unsafe { block::give(cell.cast(), Layout::new::<Self>()) };
    }

    /// Drops what nobody has taken: apart from `free`, which needs few registers without it (bench
    /// `spawn10k`).
    ///
    /// # Safety
    ///
    /// No owner is left, and the state is not Taken.
    #[inline(never)]
    unsafe fn drop_stage(cell: NonNull<Header>) {
        // SAFETY: the block is valid until `free` gives it back.
        let header = unsafe { cell.as_ref() };
        match header.state.get() {
            State::Done | State::Closing => {
                // SAFETY: Done: the output is there, and nobody can reach it any more.
                let mut output = unsafe { ptr::read(Self::output(cell)) };
                // SAFETY: *Typed once*: it is the outcome of a `TaskCell<F>`, and initialised.
                unsafe { report_unread(header, NonNull::from(&mut output).cast()) };
                match &output {
                    Err(JoinError::Panicked(panic)) => report::unread_panic(panic),
                    Err(JoinError::Cancelled(cancelled)) => cancelled
                        .cleanup_errors()
                        .clone()
                        .say_unread(|| Task::describe_header(header)),
                    _ => {}
                }
                discard(output, header);
            }
            // A task always ends before its slot lets go of it; were it otherwise, the future
            // would still have to be dropped.
            // SAFETY: Idle: the future is there, and nobody can reach it any more.
            State::Idle => unsafe { ptr::drop_in_place(Self::future(cell)) },
            State::Taken => {}
            State::Running | State::Dropping => unreachable!("whoever polls a task owns it"),
        }
    }
}

/// How a trace tells the end of a task.
fn end_of(task: TaskId, error: Option<&JoinError>) -> Event {
    match error {
        None => Event::Complete { who: Who::Task(task) },
        Some(JoinError::Panicked(_)) => Event::Panicked { who: Who::Task(task) },
        Some(error) => Event::Stopped { task, reason: error.to_string() },
    }
}

/// Says the error in an outcome that nobody will read, where that has been asked for.
///
/// # Safety
///
/// `outcome` points to an outcome of this task's type, which nobody else touches meanwhile.
#[inline]
unsafe fn report_unread(header: &Header, outcome: NonNull<()>) {
    let Some(notes) = header.notes.take() else { return };
    let unread_error = notes.unread_error;
    header.notes.set(Some(notes));
    if let Some(unread_error) = unread_error {
        // SAFETY: this function's contract.
        unsafe { say_unread(header, unread_error, outcome) };
    }
}

/// # Safety
///
/// As [`report_unread`]; `unread_error` is this task's.
#[cold]
unsafe fn say_unread(header: &Header, unread_error: UnreadError, outcome: NonNull<()>) {
    // SAFETY: this function's contract is that of an `UnreadError`.
    let error = catch_unwind(AssertUnwindSafe(|| unsafe { unread_error(outcome) }));
    let whose = Task::describe_header(header);
    match error {
        Ok(None) => {}
        Ok(Some(error)) => report::unread_error(&whose, &error),
        Err(payload) => {
            report::unread_error(&whose, "its Display has panicked");
            report::unread_panic(&Panic::new(whose, payload));
        }
    }
}

/// Drops what nobody wants; a destructor that panics is reported, for nobody could catch it.
fn discard<T>(unwanted: T, header: &Header) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(unwanted))) {
        report::unread_panic(&Panic::new(Task::describe_header(header), payload));
    }
}

impl Task {
    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: *Counted*: the block lives while `self` does, and a header is only ever shared:
        // all that changes in it is behind a `Cell`.
        unsafe { self.0.as_ref() }
    }

    /// [4] poll. Returns whether the task has ended; its number is raised first then.
    ///
    /// Does nothing, and says no, if the task is being polled or has ended already.
    #[inline]
    pub(crate) fn poll(&self, cx: &mut Context<'_>, core: &Core) -> bool {
        let header = self.header();
        if header.state.get() != State::Idle {
            return false;
        }
        header.state.set(State::Running);
        // SAFETY: *Typed once*, and Running was set here.
        let ended = unsafe { (header.vtable.poll)(self.0, cx, core) };
        if !ended {
            header.state.set(State::Idle);
        }
        ended
    }

    /// Drops the body at its await point and leaves `why` as the outcome.
    ///
    /// Does nothing, and says no, if the task is being polled or has ended already.
    pub(crate) fn stop(&self, why: JoinError, core: &Core) -> bool {
        let header = self.header();
        if header.state.get() != State::Idle {
            return false;
        }
        header.state.set(State::Running);
        // SAFETY: *Typed once*, and Running was set here.
        unsafe { (header.vtable.stop)(self.0, why, core) };
        true
    }

    /// Asks for a cancel. `false`: the task has ended, or runs cleanups. The first reason is kept.
    pub(crate) fn ask_cancel(&self, why: impl FnOnce() -> Cancelled) -> bool {
        let header = self.header();
        if self.has_ended() || self.is_cleanup() {
            return false;
        }
        if !header.cancel_asked.replace(true) {
            self.with_notes(|notes| notes.cancelled = Some(why()));
        }
        true
    }

    /// Whether a cancel has been asked for.
    #[inline]
    pub(crate) fn cancel_asked(&self) -> bool {
        self.header().cancel_asked.get()
    }

    /// The reason of the first cancel.
    pub(crate) fn cancelled(&self) -> Option<Cancelled> {
        Task::note(self.header(), |notes| notes.cancelled.clone())
    }

    /// Whether it is being polled, or its body is being dropped.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.header().state.get(), State::Running | State::Dropping)
    }

    /// Whether the outcome is there, or was taken.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.header().state.get(), State::Done | State::Taken)
    }

    /// Whether its body has gone: it has ended, or awaits its cleanups before it does.
    pub(crate) fn is_over(&self) -> bool {
        self.has_ended() || self.is_closing()
    }

    /// Whether its body has gone and its cleanups are awaited.
    pub(crate) fn is_closing(&self) -> bool {
        self.header().state.get() == State::Closing
    }

    /// Its outcome is there, but its cleanups come first: to everybody else it has not ended yet.
    pub(crate) fn begin_closing(&self) {
        debug_assert_eq!(self.header().state.get(), State::Done, "its body has gone");
        self.header().state.set(State::Closing);
    }

    /// Its cleanups have run: it has ended.
    pub(crate) fn end_closing(&self) {
        debug_assert_eq!(self.header().state.get(), State::Closing, "it was closing");
        self.header().state.set(State::Done);
    }

    /// Leaves the errors of cleanups with its outcome if that is a cancel, else returns them.
    ///
    /// Called before anybody has been told that the outcome is there.
    pub(crate) fn attach(&self, errors: CleanupErrors) -> Option<CleanupErrors> {
        if self.header().state.get() != State::Done {
            return Some(errors);
        }
        // SAFETY: *Typed once*, Done was seen here; the joiner has not been told, so that nobody
        // has come to look at the outcome, and `self` is not a `Joined`, which alone lends it.
        unsafe { (self.header().vtable.attach)(self.0, errors) }
    }

    /// The queue of the cleanups that it has adopted.
    pub(crate) fn adopter(&self) -> Option<Key> {
        Task::note(self.header(), |notes| notes.adopter)
    }

    pub(crate) fn set_adopter(&self, adopter: Key) {
        self.with_notes(|notes| notes.adopter = Some(adopter));
    }

    /// Whether it runs cleanups.
    pub(crate) fn is_cleanup(&self) -> bool {
        Task::note(self.header(), |notes| notes.is_cleanup.then_some(())).is_some()
    }

    pub(crate) fn set_cleanup(&self) {
        self.with_notes(|notes| notes.is_cleanup = true);
    }

    /// Whether anybody is to be woken at the end.
    #[inline]
    pub(crate) fn has_joiner(&self) -> bool {
        let joiner = self.header().joiner.as_ptr();
        // SAFETY: nobody ever has a reference to what is in this `Cell`, but this one, which ends here; and
        // nothing is called in between that could reach the cell.
        !unsafe { &*joiner }.is_nobody()
    }

    /// Sets who is woken at the end; returns who was to be woken before.
    pub(crate) fn set_joiner(&self, joiner: KeptWaker) -> KeptWaker {
        self.header().joiner.replace(joiner)
    }

    pub(crate) fn num(&self) -> Num {
        self.header().num
    }

    pub(crate) fn id(&self) -> TaskId {
        self.header().id
    }

    /// Where it was spawned.
    pub(crate) fn spawned(&self) -> &'static Location<'static> {
        self.header().spawned
    }

    /// The size of its future, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.header().vtable.size
    }

    pub(crate) fn set_name(&self, name: TaskName) {
        self.with_notes(|notes| notes.name = Some(name));
    }

    /// Its name, where it has been given one.
    pub(crate) fn name(&self) -> Option<TaskName> {
        Task::name_of(self.header())
    }

    /// "Task-3 `crawler`, spawned at src/main.rs:7:5".
    pub(crate) fn describe(&self) -> String {
        Task::describe_header(self.header())
    }

    /// "Task-3 `crawler`".
    pub(crate) fn name_in_full(&self) -> String {
        Task::name_in_full_of(self.header())
    }

    fn name_in_full_of(header: &Header) -> String {
        let name = Task::name_of(header).map(|name| format!(" `{name}`")).unwrap_or_default();
        format!("{}{name}", header.id)
    }

    fn describe_header(header: &Header) -> String {
        format!("{}, spawned at {}", Task::name_in_full_of(header), header.spawned)
    }

    fn name_of(header: &Header) -> Option<TaskName> {
        Task::note(header, |notes| notes.name.clone())
    }

    /// Reads one of the notes; where there are none, none are made.
    fn note<R>(header: &Header, read: impl FnOnce(&Notes) -> Option<R>) -> Option<R> {
        let notes = header.notes.take();
        let note = notes.as_deref().and_then(read);
        header.notes.set(notes);
        note
    }

    fn with_notes<R>(&self, f: impl FnOnce(&mut Notes) -> R) -> R {
        let mut notes = self.header().notes.take().unwrap_or_default();
        let r = f(&mut notes);
        self.header().notes.set(Some(notes));
        r
    }
}

impl Clone for Task {
    #[inline]
    fn clone(&self) -> Task {
        let owners = &self.header().owners;
        owners.set(owners.get() + 1);
        Task(self.0)
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        let owners = header.owners.get() - 1;
        header.owners.set(owners);
        if owners == 0 {
            let free = header.vtable.free;
            // SAFETY: *Counted*: this was the last owner, and *Typed once*.
            unsafe { free(self.0) };
        }
    }
}

impl<T, E: Display> Joined<Result<T, E>> {
    /// An error that nobody will read is to be said.
    pub(crate) fn report_unread_error(&self) {
        /// # Safety
        ///
        /// `outcome` points to a live outcome of this type.
        unsafe fn say<T, E: Display>(outcome: NonNull<()>) -> Option<String> {
            // SAFETY: this function's contract.
            let outcome = unsafe { outcome.cast::<Result<Result<T, E>, JoinError>>().as_ref() };
            match outcome {
                Ok(Err(error)) => Some(error.to_string()),
                Ok(Ok(_)) | Err(_) => None,
            }
        }
        // *Typed once*: this task's outcome is a `Result<Result<T, E>, JoinError>`.
        self.task.with_notes(|notes| notes.unread_error = Some(say::<T, E>));
    }
}

impl<T> Joined<T> {
    /// The outcome, once; `None` while the task has not ended, and after the outcome was taken.
    ///
    /// Exclusive, so that nothing is left of what [`Joined::peek`] has lent.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Result<T, JoinError>> {
        let header = self.task.header();
        if header.state.get() != State::Done {
            return None;
        }
        header.state.set(State::Taken);
        // SAFETY: Taken was set here, on Done: the output is there, and is moved out once; *Typed once*:
        // it is a `Result<T, _>`.
        Some(unsafe { self.output().read() })
    }

    /// Where the output is while it is there; nothing is read or written.
    #[inline]
    fn output(&self) -> NonNull<Result<T, JoinError>> {
        let offset = self.task.header().vtable.output;
        // SAFETY: *Typed once*: the offset is that of the stage in this very block.
        unsafe { self.task.0.byte_add(offset) }.cast()
    }

    /// The outcome where it lies; `None` while the task has not ended, and after it was taken.
    pub(crate) fn peek(&self) -> Option<&Result<T, JoinError>> {
        if self.task.header().state.get() != State::Done {
            return None;
        }
        // SAFETY: Done: the output is there, a `Result<T, _>` by *Typed once*, and has no holder.
        // It moves in `take`, which is exclusive (a task has one `Joined`), and is dropped with
        // the last owner, one of which is `self`: it stays as long as `self` is borrowed.
        Some(unsafe { self.output().as_ref() })
    }

    /// Whether the outcome was taken.
    pub(crate) fn taken(&self) -> bool {
        self.task.header().state.get() == State::Taken
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }
}
