//! The executor of the floor: see [the module](super).

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::process::abort;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

thread_local! {
    static READY: RefCell<VecDeque<Rc<dyn Runnable>>> = const { RefCell::new(VecDeque::new()) };
    /// Its address tells threads apart.
    static HERE: u8 = const { 0 };
}

fn here() -> usize {
    HERE.with(|byte| std::ptr::from_ref(byte).addr())
}

struct Task<F: Future> {
    owner: usize,
    queued: Cell<bool>,
    future: UnsafeCell<Option<F>>,
    output: RefCell<Option<F::Output>>,
    joiner: RefCell<Option<Waker>>,
}

trait Runnable {
    fn run(self: Rc<Self>);
}

impl<F: Future + 'static> Task<F>
where
    F::Output: 'static,
{
    const TABLE: &'static RawWakerVTable = &RawWakerVTable::new(
        Self::clone_raw,
        Self::wake_raw,
        Self::wake_by_ref_raw,
        Self::drop_raw,
    );

    fn wake(self: &Rc<Self>) {
        if !self.queued.replace(true) {
            READY.with_borrow_mut(|ready| ready.push_back(self.clone()));
        }
    }

    /// # Safety
    /// `data` is of a waker that has not been dropped.
    unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Rc<Self>> {
        let task = data.cast::<Self>();
        // SAFETY: the waker holds a count, so the task lives; its owner is never written to again.
        let owner = unsafe { (*task).owner };
        if owner != here() {
            abort();
        }
        // SAFETY: the pointer came from `Rc::into_raw`; we are on the owner's thread (*Owner*); the count
        // stays the waker's, as `ManuallyDrop` drops none.
        ManuallyDrop::new(unsafe { Rc::from_raw(task) })
    }

    unsafe fn clone_raw(data: *const ()) -> RawWaker {
        // SAFETY: called with a living waker's data.
        let task = unsafe { Self::borrowed(data) };
        RawWaker::new(Rc::into_raw(Rc::clone(&task)).cast(), Self::TABLE)
    }

    unsafe fn wake_by_ref_raw(data: *const ()) {
        // SAFETY: called with a living waker's data.
        unsafe { Self::borrowed(data) }.wake();
    }

    unsafe fn wake_raw(data: *const ()) {
        // SAFETY: called with a living waker's data, which ends here: its count is dropped below.
        let task = ManuallyDrop::into_inner(unsafe { Self::borrowed(data) });
        task.wake();
    }

    unsafe fn drop_raw(data: *const ()) {
        // SAFETY: called with a living waker's data, which ends here.
        drop(ManuallyDrop::into_inner(unsafe { Self::borrowed(data) }));
    }
}

impl<F: Future + 'static> Runnable for Task<F>
where
    F::Output: 'static,
{
    fn run(self: Rc<Self>) {
        self.queued.set(false);
        let raw = RawWaker::new(Rc::as_ptr(&self).cast(), Self::TABLE);
        // SAFETY: the table keeps a waker's contract; the count it needs is `self`'s, which outlives it, so
        // it is not dropped.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw) });
        // SAFETY: no other reference to the future exists (*One poll*).
        let place = unsafe { &mut *self.future.get() };
        let Some(future) = place else { return };
        // SAFETY: it stays in this block until it is dropped in place.
        let future = unsafe { Pin::new_unchecked(future) };
        if let Poll::Ready(output) = future.poll(&mut Context::from_waker(&waker)) {
            *place = None;
            *self.output.borrow_mut() = Some(output);
            let joiner = self.joiner.take();
            if let Some(joiner) = joiner {
                joiner.wake();
            }
        }
    }
}

trait Joinable<T> {
    fn join(&self, cx: &mut Context<'_>) -> Poll<T>;
}

impl<F: Future> Joinable<F::Output> for Task<F> {
    fn join(&self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(output) = self.output.take() {
            return Poll::Ready(output);
        }
        let mut joiner = self.joiner.borrow_mut();
        if !joiner.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *joiner = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

struct Join<T>(Rc<dyn Joinable<T>>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.join(cx)
    }
}

pub(super) fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
where
    F: Future + 'static,
    F::Output: 'static,
{
    let task = Rc::new(Task {
        owner: here(),
        queued: Cell::new(false),
        future: UnsafeCell::new(Some(future)),
        output: RefCell::new(None),
        joiner: RefCell::new(None),
    });
    task.wake();
    Join(task)
}

/// Main is a task like all; ends when it has.
pub(super) fn run<F>(main: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let output = Rc::new(RefCell::new(None));
    let is_over = Rc::new(Cell::new(false));
    let main = {
        let (output, is_over) = (output.clone(), is_over.clone());
        async move {
            *output.borrow_mut() = Some(main.await);
            is_over.set(true);
        }
    };
    drop(spawn(main));
    // What is ready runs in the order of its wakes.
    while !is_over.get() {
        let task = READY.with_borrow_mut(VecDeque::pop_front);
        task.expect("main waits, and nobody is ready to wake it").run();
    }
    drop(READY.take());
    output.take().expect("main is over")
}
