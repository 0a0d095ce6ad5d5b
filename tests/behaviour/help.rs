//! What do the modules of this binary share? A trace to write to, leaves to wait at, a log to read.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lone_executor::children::Children;
use lone_executor::{Executor, Pinned, Settings};
use lone_tests::bounded_park::BoundedPark;

pub(crate) use lone_tests::reports::{
    assert_one_report, let_the_logger_fail, record_reports, take_reports,
};

/// How long a test waits for another thread before it fails.
pub(crate) const PATIENCE: Duration = lone_tests::bounded_park::PATIENCE;

/// A loop on which a lost wake is an error.
pub(crate) fn executor() -> Executor<BoundedPark> {
    executor_with(Settings::default())
}

/// The same with settings.
pub(crate) fn executor_with(settings: Settings) -> Executor<BoundedPark> {
    Executor::with_settings(BoundedPark::new(), settings).expect("a loop index is free")
}

/// Takes turns until nothing is ready; returns how many tasks are left.
pub(crate) fn run_until_idle(executor: &mut Executor<BoundedPark>) -> usize {
    for _ in 0..100_000 {
        let turn = executor.turn(Some(Duration::ZERO));
        let turn = turn.expect("the park works");
        if turn.ready == 0 {
            return turn.tasks;
        }
    }
    panic!("the loop was still busy after 100,000 turns");
}

/// What happened, in order; a clone writes to the same list.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, what: impl Into<String>) {
        let what = what.into();
        self.0.borrow_mut().push(what);
    }

    /// All that was said, and begins anew.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// Says something when it is dropped.
pub(crate) struct SayOnDrop(pub(crate) Trace, pub(crate) &'static str);

impl Drop for SayOnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Runs a closure when it is dropped: a destructor to order.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    pub(crate) fn new(f: F) -> OnDrop<F> {
        OnDrop(Some(f))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Waits for ever, and holds `guard` meanwhile.
pub(crate) async fn hold_for_ever<G>(guard: G) {
    let _guard = guard;
    std::future::pending::<()>().await;
}

/// A place for somebody's waker.
pub(crate) type WakerPlace = Rc<RefCell<Option<Waker>>>;

/// Leaves the waker of whoever polls it in `place`, says so to `trace`, and waits for ever.
pub(crate) async fn leave_waker(place: WakerPlace, trace: Trace, name: &'static str) {
    poll_fn(|cx| {
        trace.say(name);
        place.replace(Some(cx.waker().clone()));
        Poll::<()>::Pending
    })
    .await;
}

/// The waker left in `place`.
pub(crate) fn waker_in(place: &WakerPlace) -> Waker {
    place.borrow().clone().expect("the task has left its waker here")
}

/// Wakes itself `wakes` times within one poll, and is ready at the next.
pub(crate) async fn yield_waking(wakes: usize) {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        (0..wakes).for_each(|_| cx.waker().wake_by_ref());
        Poll::Pending
    })
    .await;
}

/// An event within one loop: once set, everybody who waits goes on, first come, first woken.
#[derive(Clone, Default)]
pub(crate) struct Flag(Rc<(Cell<bool>, RefCell<Vec<Waker>>)>);

impl Flag {
    pub(crate) fn set(&self) {
        self.0.0.set(true);
        for waker in self.0.1.take() {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            if self.0.0.get() {
                return Poll::Ready(());
            }
            self.0.1.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The same between threads, for one who waits.
#[derive(Clone, Default)]
pub(crate) struct SharedFlag(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl SharedFlag {
    pub(crate) fn set(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        let waker = lock(&self.0.1).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            let mut waiter = lock(&self.0.1);
            if self.0.0.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *waiter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A lock that does not mind a test that has failed while it held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A waker of somebody else's, that counts.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    /// How often it was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once with a waker that counts; says whether the future was ready, and how to count.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
    (polled, counter)
}

/// Polls once, with the waker of whoever polls this. It has to wait.
pub(crate) async fn begin<F: Future + Unpin>(future: &mut F) {
    let waits = poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await;
    assert!(waits, "it has something to wait for");
}

/// Polls futures as the children of one, each in its slot, until all are ready.
pub(crate) struct Group<F> {
    children: Children,
    futures: Pinned<F>,
    left: usize,
}

impl<F: Future<Output = ()>> Group<F> {
    pub(crate) fn new(futures: impl IntoIterator<Item = F>) -> Group<F> {
        let futures: Pinned<F> = futures.into_iter().collect();
        let left = futures.len();
        Group { children: Children::new(left), futures, left }
    }
}

impl<F: Future<Output = ()>> Future for Group<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut batch = this.children.batch(cx);
        while let Some(child) = batch.next() {
            let Some(mut future) = this.futures.get(child.index()) else {
                continue;
            };
            if batch.poll(&child, |cx| future.as_mut().poll(cx)).is_ready() {
                let index = child.index();
                batch.end(child);
                this.futures.clear(index);
                this.left -= 1;
            }
        }
        if this.left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}
