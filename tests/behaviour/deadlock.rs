//! The verdict: who waits for ever is told so, and nobody else ever is.
//!
//! [`Refusing`] is a park that ends a run where the loop would wait: so "no verdict" is seen at once.
//! Where another thread has to end the wait the park is [`BoundedPark`], and a lost wake an error.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::task::AtomicWaker;
use lone_executor::{
    Deadlock, Executor, JoinHandle, LoopNumber, OnStall, Park, Release, Remote, RemoteJoin,
    RunError, Settings, TaskId, ThreadPark, Unpark, current_task, spawn, yield_now,
};
use lone_sync::{Event, Queue, ReturnWhen, Semaphore, gather, join, race, wait};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    OnDrop, PATIENCE, SayOnDrop, SharedFlag, Trace, executor, hold_for_ever, lock, run_until_idle,
};

// ----- how a run ends ------------------------------------------------------------------------------

/// A park that waits for nobody: where the loop would wait the run ends with an error.
struct Refusing(ThreadPark);

impl Park for Refusing {
    fn park(&mut self, limit: Option<Duration>) -> io::Result<()> {
        match limit {
            None => Err(io::Error::new(io::ErrorKind::WouldBlock, "the loop would wait")),
            Some(_) => self.0.park(limit),
        }
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn unparker(&self) -> Arc<dyn Unpark> {
        self.0.unparker()
    }

    type Entered = ();

    fn enter(&self, _number: LoopNumber) {}

    fn can_wake(&self) -> bool {
        false
    }

    fn release(&mut self, _what: Release) {}

    fn reading(&self) -> Option<Duration> {
        None
    }
}

fn refusing() -> Executor<Refusing> {
    let settings = Settings { on_stall: OnStall::Ignore, ..Settings::default() };
    Executor::with_settings(Refusing(ThreadPark::new()), settings).expect("a loop index is free")
}

/// A loop that sends a message each time that it is about to wait.
fn announcing() -> (Executor<BoundedPark>, Receiver<()>) {
    let (announce, parked) = mpsc::channel();
    let executor = Executor::new(BoundedPark::announcing(announce));
    (executor.expect("a loop index is free"), parked)
}

/// Runs `main`, which has to come to a deadlock.
#[track_caller]
fn verdict<P: Park, F: Future>(executor: &mut Executor<P>, main: F) -> Deadlock {
    match executor.try_block_on(main) {
        Err(RunError::Deadlock(report)) => *report,
        Err(error) => panic!("a deadlock, not: {error}"),
        Ok(_) => panic!("a deadlock, and main has ended"),
    }
}

/// Runs `main` on a loop of its own, which has to wait for somebody: it is not certain that he will
/// not come.
#[track_caller]
fn waits<F: Future>(main: F) {
    match refusing().try_block_on(main) {
        Err(RunError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => panic!("the loop waits, not: {error}"),
        Ok(_) => panic!("the loop waits, and main has ended"),
    }
}

/// Leaves a clone of the waker to `keep`, once, and waits until `is_over`.
async fn leave_clone(keep: impl FnOnce(Waker), mut is_over: impl FnMut() -> bool) {
    let mut keep = Some(keep);
    poll_fn(|cx| {
        if is_over() {
            return Poll::Ready(());
        }
        if let Some(keep) = keep.take() {
            keep(cx.waker().clone());
        }
        Poll::Pending
    })
    .await;
}

/// Counts the polls of the future within.
async fn counting<F: Future>(polls: Rc<Cell<usize>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

/// A leaf that has lost its wake: it is ready at its second poll, and has woken nobody.
async fn lost() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

/// A place for the handle of a task that somebody else joins.
type Handed = Rc<RefCell<Option<JoinHandle<()>>>>;

fn take(handed: &Handed) -> JoinHandle<()> {
    handed.take().expect("its handle was put there")
}

/// The tasks of a report, by number.
fn tasks(report: &Deadlock) -> Vec<u64> {
    report.waiting().iter().filter_map(|waiting| waiting.task).map(TaskId::number).collect()
}

/// The cycle of a report, by number.
fn cycle(report: &Deadlock) -> Option<Vec<u64>> {
    report.cycle().map(|cycle| cycle.iter().filter_map(|w| w.task).map(TaskId::number).collect())
}

/// What somebody awaits: "an event", or "the end of Task-2".
fn awaited(report: &Deadlock, who: usize) -> Vec<String> {
    let awaits = report.waiting()[who].awaits.iter();
    let said = awaits.map(|awaited| match awaited.task {
        Some(task) => format!("{} {task}", awaited.on),
        None => awaited.on.to_string(),
    });
    said.collect()
}

// ----- the table of RULES section 2 ----------------------------------------------------------------

// SEM-22: the event is the loop's own, and nobody has a hand on it.
#[test]
fn own_event_that_nobody_can_set_is_a_deadlock() {
    let event = Event::new();
    let report = verdict(&mut executor(), event.wait());
    assert_eq!((awaited(&report, 0), tasks(&report)), (vec!["an event".to_string()], vec![]));
}

// SEM-22, F13: what was cloned and has gone counts for nobody.
#[test]
fn foreign_cell_dropped_with_its_waker_is_a_deadlock() {
    let mut executor = executor();
    drop(verdict(
        &mut executor,
        poll_fn(|cx| {
            AtomicWaker::new().register(cx.waker());
            Poll::<()>::Pending
        }),
    ));
    let cell = AtomicWaker::new();
    drop(verdict(
        &mut executor,
        poll_fn(|cx| {
            cell.register(cx.waker());
            drop(cell.take());
            Poll::<()>::Pending
        }),
    ));
}

// SEM-22: whoever has a clone may wake, so it is not certain.
#[test]
fn foreign_cell_that_keeps_a_waker_is_no_verdict() {
    let cell = AtomicWaker::new();
    waits(poll_fn(|cx| {
        cell.register(cx.waker());
        Poll::<()>::Pending
    }));
}

// SEM-22, F14: a clone that was forgotten stands for somebody for ever, or until its task has ended.
#[test]
fn clone_forgotten_is_no_verdict_as_long_as_its_task_lives() {
    waits(leave_clone(std::mem::forget, || false));
    let report = verdict(&mut executor(), async {
        let task = spawn(leave_clone(std::mem::forget, || false));
        yield_now().await;
        task.cancel("its waker was forgotten");
        pending::<()>().await;
    });
    assert_eq!(tasks(&report), [0_u64; 0]);
}

// SEM-22, F14: a foreign combinator keeps a clone of its own.
#[test]
fn foreign_combinator_around_is_no_verdict() {
    let event = Event::new();
    waits(async {
        let mut many: FuturesUnordered<_> = [event.wait(), event.wait()].into_iter().collect();
        many.next().await
    });
}

// F13: a wake by value is the end of the clone, too.
#[test]
fn clone_consumed_by_its_wake_is_a_deadlock() {
    let polls = Cell::new(0);
    drop(verdict(
        &mut executor(),
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            if polls.get() == 1 {
                let clone = cx.waker().clone();
                clone.wake();
            }
            Poll::<()>::Pending
        }),
    ));
    assert_eq!(polls.get(), 3, "at first, for the wake, and by the report");
}

// F13: judged again when the last clone goes, while the loop is parked.
#[test]
fn clone_dropped_on_a_thread_while_the_loop_waits_is_a_deadlock_then() {
    let (mut executor, parked) = announcing();
    let main = leave_clone(
        |waker| {
            thread::spawn(move || {
                parked.recv_timeout(PATIENCE).expect("the loop waits as long as it lives");
                drop(waker);
            });
        },
        || false,
    );
    drop(verdict(&mut executor, main));
    assert!(executor.park().waits() > 0, "it has waited for the thread");
}

// F13: the clone's +1 is in before its original's -1.
#[test]
fn original_that_wakes_after_the_loop_has_dropped_its_clone_is_heard() {
    let (mut executor, parked) = announcing();
    let woken = Arc::new(OnceLock::new());
    let set = woken.clone();
    let keep = |original: Waker| {
        let (back, came) = mpsc::channel();
        thread::spawn(move || {
            back.send(original.clone()).expect("the loop waits for it");
            parked.recv_timeout(PATIENCE).expect("the loop waits for the original");
            set.set(()).expect("it is set once");
            original.wake();
        });
        drop(came.recv_timeout(PATIENCE).expect("the thread sends a clone"));
    };
    executor.block_on(leave_clone(keep, || woken.get().is_some()));
}

// F13: cloned from a borrowed waker, and the original goes first.
#[test]
fn clone_of_a_shared_waker_wakes_after_the_loop_has_dropped_the_original() {
    let (mut executor, parked) = announcing();
    let shared: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (cloned, has_cloned) = mpsc::channel();
    let woken = Arc::new(OnceLock::new());
    let (place, set) = (shared.clone(), woken.clone());
    let mut begun = Some((place, set, cloned, parked));
    executor.block_on(poll_fn(|cx| {
        if woken.get().is_some() {
            return Poll::Ready(());
        }
        if let Some((place, set, cloned, parked)) = begun.take() {
            lock(&shared).replace(cx.waker().clone());
            thread::spawn(move || {
                let clone = lock(&place).as_ref().expect("it is there").clone();
                cloned.send(()).expect("the loop waits for it");
                parked.recv_timeout(PATIENCE).expect("the loop waits for the clone");
                set.set(()).expect("it is set once");
                clone.wake();
            });
            has_cloned.recv().expect("the thread has cloned");
            drop(lock(&shared).take());
        }
        Poll::Pending
    }));
}

// F13: clones made on a thread, all dropped here before the loop has heard of them.
#[test]
fn clones_made_on_a_thread_and_dropped_in_the_same_poll_are_counted_right() {
    let mut executor = executor();
    let inner = |cx: &mut Context<'_>| {
        let original = cx.waker().clone();
        let clones = thread::scope(|scope| {
            let cloned = scope.spawn(|| [original.clone(), original.clone(), original.clone()]);
            cloned.join().expect("a clone does not panic")
        });
        drop((original, clones));
    };
    let report = verdict(&mut executor, async {
        drop(spawn(poll_fn(move |cx| {
            inner(cx);
            Poll::<()>::Pending
        })));
        // This one ends with its count below nothing.
        let ending = spawn(poll_fn(move |cx| {
            inner(cx);
            Poll::Ready(())
        }));
        ending.await.expect("to drop a waker never panics");
        pending::<()>().await;
    });
    assert_eq!(tasks(&report), [1]);
}

// F13: cloned on a thread from the waker that the loop polls with, which is no clone itself.
#[test]
fn clone_made_on_a_thread_from_the_waker_of_the_poll_is_counted() {
    let (mut executor, parked) = announcing();
    let woken = Arc::new(OnceLock::new());
    let mut parked = Some(parked);
    executor.block_on(poll_fn(|cx| {
        if woken.get().is_some() {
            return Poll::Ready(());
        }
        if let Some(parked) = parked.take() {
            let waker = cx.waker();
            let clone = thread::scope(|scope| scope.spawn(|| waker.clone()).join());
            let (clone, set) = (clone.expect("a clone does not panic"), woken.clone());
            thread::spawn(move || {
                parked.recv_timeout(PATIENCE).expect("the loop waits for the clone");
                set.set(()).expect("it is set once");
                clone.wake();
            });
        }
        Poll::Pending
    }));
}

// F13: whoever rebuilds a waker from a forgotten clone has it counted.
#[test]
fn waker_rebuilt_on_a_thread_from_its_parts_is_heard() {
    let (mut executor, parked) = announcing();
    let woken = Arc::new(OnceLock::new());
    let set = woken.clone();
    let keep = |waker: Waker| {
        let (data, vtable) = (waker.data().expose_provenance(), waker.vtable());
        std::mem::forget(waker);
        thread::spawn(move || {
            parked.recv_timeout(PATIENCE).expect("the loop waits for it");
            let data = std::ptr::with_exposed_provenance(data);
            // SAFETY: the parts are those of a waker that was forgotten, not dropped.
            let rebuilt = unsafe { Waker::new(data, vtable) };
            set.set(()).expect("it is set once");
            rebuilt.wake();
        });
    };
    executor.block_on(leave_clone(keep, || woken.get().is_some()));
    // Its wake was its end: nothing is left that stands for somebody.
    drop(verdict(&mut executor, pending::<()>()));
}

/// Hands the waker of a loop to `elsewhere` on a thread, which drops it, with what to call before it
/// is woken all the same: it returns when the loop has seen the drop, and waits.
fn keep_elsewhere(elsewhere: impl FnOnce(Waker, Box<dyn FnOnce()>) + Send + 'static) {
    let (mut executor, parked) = announcing();
    let woken = Arc::new(OnceLock::new());
    let set = woken.clone();
    let keep = move |waker: Waker| {
        thread::spawn(move || {
            parked.recv_timeout(PATIENCE).expect("the loop waits for this one");
            let before = move || {
                // This one has been dropped, which the loop has seen: and waits again.
                parked.recv_timeout(PATIENCE).expect("the loop waits for who keeps its waker");
                set.set(()).expect("it is set once");
            };
            elsewhere(waker, Box::new(before));
        });
    };
    executor.block_on(leave_clone(keep, || woken.get().is_some()));
}

/// Polls once with a waker that is dropped then.
fn poll_and_drop<F: Future + Unpin>(future: &mut F, waker: Waker) {
    assert!(future.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
}

// F1: an event of another loop keeps the waker, not the number alone.
#[test]
fn waker_kept_by_an_event_of_another_loop_is_no_verdict() {
    keep_elsewhere(|waker, before| {
        executor().block_on(async {
            let event = Event::new();
            let mut wait = event.wait();
            poll_and_drop(&mut wait, waker);
            before();
            event.set();
        });
    });
}

// F1: so does one where no loop runs.
#[test]
fn waker_kept_by_an_event_where_no_loop_runs_is_no_verdict() {
    keep_elsewhere(|waker, before| {
        let event = Event::new();
        let mut wait = event.wait();
        poll_and_drop(&mut wait, waker);
        before();
        event.set();
    });
}

// F1: so does a group of children that another loop polls by that waker.
#[test]
fn waker_kept_by_a_group_of_another_loop_is_no_verdict() {
    keep_elsewhere(|waker, before| {
        executor().block_on(async {
            let event = Event::new();
            let mut group = gather([event.wait()]);
            poll_and_drop(&mut group, waker);
            before();
            event.set();
        });
    });
}

// F1: so does the handle of a task of another loop.
#[test]
fn waker_kept_by_a_handle_of_another_loop_is_no_verdict() {
    keep_elsewhere(|waker, before| {
        let (mut executor, event) = (executor(), Rc::new(Event::new()));
        let waited = event.clone();
        let mut task = executor.spawn(async move { waited.wait().await });
        poll_and_drop(&mut task, waker);
        run_until_idle(&mut executor);
        before();
        event.set();
        run_until_idle(&mut executor);
    });
}

/// A gather that was polled once in a task that has ended, or that goes on, and then by `next`; what
/// it waits for is set when a thread has seen the loop wait.
fn move_a_gather(
    owner_goes_on: bool,
    may_judge: bool,
    next: impl FnOnce(Pin<Box<dyn Future<Output = ()>>>) -> JoinHandle<()>,
) {
    let (mut executor, parked) = announcing();
    // With it nobody is asked, which would make up for a lost wake.
    let _remote = (!may_judge).then(|| executor.remote());
    let outside = SharedFlag::default();
    let set = outside.clone();
    thread::spawn(move || {
        parked.recv_timeout(PATIENCE).expect("the loop waits for this thread");
        set.set();
    });
    executor.block_on(async {
        let event = Rc::new(Event::new());
        let waited = event.clone();
        let (give, given) = (Rc::new(RefCell::new(None)), Rc::new(Event::new()));
        let (to, ready) = (give.clone(), given.clone());
        drop(spawn(async move {
            let waits = [waited.clone(), waited].map(|event| async move { event.wait().await });
            let mut group = Box::pin(gather(waits));
            let first = poll_fn(|cx| Poll::Ready(group.poll_unpin(cx))).await;
            assert!(first.is_pending());
            to.replace(Some(group));
            ready.set();
            if owner_goes_on {
                pending::<()>().await;
            }
        }));
        given.wait().await;
        let group = give.take().expect("it was given");
        let task = next(Box::pin(async move { drop(group.await) }));
        outside.wait().await;
        event.set();
        task.await.expect("it ends well");
    });
}

// F2: its children wake whoever polls it now.
#[test]
fn gather_moved_between_tasks_is_woken_where_it_is_now() {
    for (owner_goes_on, may_judge) in [(false, false), (false, true), (true, false), (true, true)] {
        move_a_gather(owner_goes_on, may_judge, spawn);
    }
}

// F2, F14: also within a foreign combinator.
#[test]
fn gather_moved_into_a_foreign_combinator_is_woken_there() {
    for (owner_goes_on, may_judge) in [(false, false), (false, true), (true, false), (true, true)] {
        move_a_gather(owner_goes_on, may_judge, |group| {
            spawn(async move {
                let mut many: FuturesUnordered<_> = [group].into_iter().collect();
                many.next().await;
            })
        });
    }
}

// ----- things that can never come ------------------------------------------------------------------

// SEM-22: each is named, and where it is awaited.
#[test]
fn primitives_that_nobody_can_serve_are_named() {
    let (full, empty) = (Queue::bounded(1), Queue::<u8>::unbounded());
    full.try_put(1).expect("there is room for one");
    let (none, event) = (Semaphore::new(0), Event::new());
    let report = verdict(&mut executor(), async {
        let put = async { full.put(2).await.expect("it is never shut down") };
        let get = async { empty.get().await.expect("it is never shut down") };
        let acquire = async { none.acquire().await.forget() };
        join!(put, get, full.join(), acquire, event.wait());
    });
    assert_eq!(
        awaited(&report, 0),
        [
            "room in a queue",
            "an item from a queue",
            "the end of a queue's work",
            "a permit",
            "an event",
            "join!",
        ]
    );
}

// SEM-22: the leaves within a combinator are asked, all of them, and then it.
#[test]
fn combinators_over_what_can_never_come_tell_their_leaves() {
    let event = Event::new();
    let within = |report: &Deadlock| awaited(report, 0).join(", ");
    let mut executor = executor();
    let report = verdict(&mut executor, gather([event.wait(), event.wait()]));
    assert_eq!(within(&report), "an event, an event, gather");
    let report = verdict(&mut executor, race([event.wait(), event.wait()]));
    assert_eq!(within(&report), "an event, an event, race");
    let report = verdict(&mut executor, async { join!(event.wait(), gather([event.wait()])) });
    assert_eq!(within(&report), "an event, an event, gather, join!");
    let report = verdict(&mut executor, gather([gather([event.wait()]), gather([event.wait()])]));
    assert_eq!(within(&report), "an event, gather, an event, gather, gather");
    let report = verdict(&mut executor, async {
        let tasks = [spawn(pending::<()>()), spawn(pending::<()>())];
        wait(tasks, ReturnWhen::FirstCompleted).await
    });
    assert_eq!(within(&report), "the end of Task-1, the end of Task-2, wait");
}

// SEM-22: a child that has ended is asked no more.
#[test]
fn gather_with_children_that_have_ended_tells_the_others_only() {
    let event = Event::new();
    let polls = Rc::new(Cell::new(0));
    let report = verdict(&mut executor(), async {
        let ends = counting(polls.clone(), yield_now());
        gather([ends.boxed_local(), event.wait().boxed_local()]).await;
    });
    assert_eq!(awaited(&report, 0), ["an event", "gather"]);
    assert_eq!(polls.get(), 2);
}

// SEM-22: of a future that is not lone's nothing is known.
#[test]
fn future_that_is_not_lones_is_told_as_such() {
    let report = verdict(&mut executor(), pending::<()>());
    assert_eq!(
        report.to_string(),
        "deadlock: everybody waits, and nothing can wake anybody\n  \
         main awaits a future that is not lone's"
    );
}

// ----- cycles --------------------------------------------------------------------------------------

/// Spawns a task for each of `joins`, which awaits the handle of the task with that number.
fn spawn_ring(joins: &[usize]) {
    let handles: Vec<Handed> = joins.iter().map(|_| Handed::default()).collect();
    for (own, joined) in handles.iter().zip(joins) {
        let joined = handles[joined - 1].clone();
        own.replace(Some(spawn(async move {
            let handle = take(&joined);
            drop(handle.await);
        })));
    }
}

// SEM-31: two.
#[test]
fn tasks_that_await_each_other_are_a_cycle() {
    let report = verdict(&mut executor(), async {
        spawn_ring(&[2, 1]);
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), Some(vec![1, 2]));
    assert!(report.to_string().ends_with("\n  in a cycle: Task-1 → Task-2 → Task-1"), "{report}");
}

// SEM-31, SEM-388: three, in whatever order.
#[test]
fn three_tasks_in_a_ring_are_a_cycle() {
    let report = verdict(&mut executor(), async {
        spawn_ring(&[3, 1, 2]);
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), Some(vec![1, 3, 2]));
}

// SEM-31: a chain has an end, and is no cycle.
#[test]
fn chain_of_tasks_is_no_cycle() {
    let report = verdict(&mut executor(), async {
        let first = spawn(pending::<()>());
        let second = spawn(async { drop(first.await) });
        drop(second.await);
    });
    assert_eq!((cycle(&report), tasks(&report)), (None, vec![1, 2]));
    assert_eq!(awaited(&report, 0), ["the end of Task-2"]);
    assert_eq!(awaited(&report, 2), ["the end of Task-1"]);
}

// SEM-30, SEM-31: directly that is an error at once; through another it is found here.
#[test]
fn task_that_joins_itself_through_another_is_a_cycle() {
    let report = verdict(&mut executor(), async {
        let own = Handed::default();
        let inner = own.clone();
        let outer = spawn(async move {
            let through = spawn(async move {
                let handle = take(&inner);
                drop(handle.await);
            });
            drop(through.await);
        });
        own.replace(Some(outer));
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), Some(vec![1, 2]));
}

// SEM-30, SEM-31: within a gather its waker is a child's, so it is seen by nobody but the verdict.
#[test]
fn task_that_gathers_its_own_handle_is_a_cycle_of_one() {
    let report = verdict(&mut executor(), async {
        let own = Handed::default();
        let inner = own.clone();
        own.replace(Some(spawn(async move {
            let handle = take(&inner);
            drop(gather([handle]).await);
        })));
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), Some(vec![1]));
    assert!(report.to_string().ends_with("in a cycle: Task-1 → Task-1"), "{report}");
}

// SEM-31: somebody who awaits several is in a cycle by any of them.
#[test]
fn cycle_by_the_second_of_two_that_are_awaited_is_found() {
    let report = verdict(&mut executor(), async {
        let own = Handed::default();
        let inner = own.clone();
        let endless = spawn(pending::<()>());
        let both = spawn(async move {
            let back = spawn(async move {
                let handle = take(&inner);
                drop(handle.await);
            });
            drop(join!(endless, back));
        });
        own.replace(Some(both));
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), Some(vec![2, 3]));
}

// SEM-388: long ones neither overflow the stack nor take for ever.
#[test]
fn report_of_thousands_in_a_chain_or_a_ring_is_made_in_no_time() {
    const MANY: usize = 3000;
    let begin = std::time::Instant::now();
    let mut executor = executor();
    let report = verdict(&mut executor, async {
        let mut last = spawn(pending::<()>());
        for _ in 1..MANY {
            let before = last;
            last = spawn(async { drop(before.await) });
        }
        drop(last.await);
    });
    assert_eq!((cycle(&report), tasks(&report).len()), (None, MANY));
    assert_eq!(report.to_string().lines().count(), MANY + 2);
    let mut executor = crate::help::executor();
    let report = verdict(&mut executor, async {
        let ring: Vec<usize> = (1..=MANY).map(|task| task % MANY + 1).collect();
        spawn_ring(&ring);
        pending::<()>().await;
    });
    assert_eq!(cycle(&report).map(|cycle| cycle.len()), Some(MANY));
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

// ----- what the report says ------------------------------------------------------------------------

// SEM-22, SEM-381: names, lines and ends, as they are written here.
#[test]
fn report_tells_names_and_lines() {
    let (event, lines) = (Event::new(), Cell::new((0, 0)));
    let report = verdict(&mut executor(), async {
        let (spawned, plain) = (line!() + 1, line!() + 2);
        let named = spawn(async { Event::new().wait().await }).named("keeper");
        let unnamed = spawn(async { drop(named.await) });
        lines.set((spawned, plain));
        drop(unnamed);
        event.wait().await;
    });
    let awaited_in_main = line!() - 2;
    let (spawned, plain) = lines.get();
    let [main, keeper, joiner] = report.waiting() else { panic!("three wait: {report:?}") };
    assert_eq!((main.task, &main.name, main.spawned), (None, &None, None));
    assert_eq!(main.awaits[0].site.line(), awaited_in_main);
    assert_eq!(keeper.name.as_deref(), Some("keeper"));
    assert_eq!(keeper.awaits.len(), 1);
    assert_eq!(joiner.awaits[0].task, keeper.task);
    for (waiting, line) in [(keeper, spawned), (joiner, plain)] {
        let site = waiting.spawned.expect("it was spawned");
        assert_eq!((site.file(), site.line()), (file!(), line));
        assert_eq!(waiting.awaits[0].site.file(), file!());
    }
}

// SEM-22, SEM-31: the text of a small one, whole.
#[test]
fn report_as_text_in_full() {
    let lines = Cell::new((0, 0));
    let report = verdict(&mut executor(), async {
        let event = Event::new();
        let (eggs, ham) = (Handed::default(), Handed::default());
        let (of_eggs, of_ham) = (ham.clone(), eggs.clone());
        lines.set((line!() + 1, line!() + 2));
        eggs.replace(Some(spawn(async move { drop(take(&of_eggs).await) }).named("eggs")));
        ham.replace(Some(spawn(async move { drop(take(&of_ham).await) })));
        event.wait().await;
    });
    let (file, (eggs, ham), awaited) = (file!(), lines.get(), line!() - 2);
    let expected = format!(
        "deadlock: everybody waits, and nothing can wake anybody\n  \
         main awaits an event at {file}:{awaited}:15\n  \
         Task-1 `eggs`, spawned at {file}:{eggs}:27, awaits the end of Task-2\n  \
         Task-2, spawned at {file}:{ham}:26, awaits the end of Task-1 `eggs`\n  \
         in a cycle: Task-1 `eggs` → Task-2 → Task-1 `eggs`"
    );
    assert_eq!(report.to_string(), expected);
    assert_eq!(RunError::Deadlock(Box::new(report)).to_string(), expected);
}

// SEM-22: block_on panics with the report.
#[test]
#[should_panic(expected = "deadlock: everybody waits, and nothing can wake anybody")]
fn block_on_panics_with_the_report() {
    executor().block_on(pending::<()>());
}

// ----- what the verdict leaves behind --------------------------------------------------------------

// SEM-22, F14: main is dropped before the error is returned; tasks stay, and the loop goes on.
#[test]
fn main_is_dropped_and_the_loop_goes_on_with_its_tasks() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (go_on, inner) = (Rc::new(Event::new()), trace.clone());
    let event = go_on.clone();
    drop(executor.spawn(async move {
        let _guard = SayOnDrop(inner.clone(), "task-dropped");
        event.wait().await;
        inner.say("task-ended");
    }));
    let report = verdict(&mut executor, hold_for_ever(SayOnDrop(trace.clone(), "main-dropped")));
    assert_eq!((tasks(&report), trace.take().as_str()), (vec![1], "main-dropped"));
    assert_eq!(executor.statistics().tasks, 1);
    // Again, with the same outcome; then somebody sets what it waits for.
    drop(verdict(&mut executor, pending::<()>()));
    executor.block_on(async {
        go_on.set();
        yield_now().await;
    });
    assert_eq!(
        (trace.take().as_str(), executor.statistics().tasks),
        ("task-ended task-dropped", 0)
    );
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-22, SEM-49: what main's destructors do is done in the next run.
#[test]
fn destructor_of_main_after_the_verdict_may_spawn_and_wake() {
    let (mut executor, trace) = (executor(), Trace::default());
    let event = Rc::new(Event::new());
    let (waited, inner) = (event.clone(), trace.clone());
    drop(executor.spawn(async move {
        waited.wait().await;
        inner.say("woken");
    }));
    let inner = trace.clone();
    let guard = OnDrop::new(|| {
        event.set();
        drop(spawn(async move { inner.say(format!("spawned {:?}", current_task().is_some())) }));
    });
    drop(verdict(&mut executor, hold_for_ever(guard)));
    assert_eq!(trace.take(), "");
    assert_eq!(executor.statistics().ready, 2);
    executor.block_on(yield_now());
    assert_eq!(trace.take(), "woken spawned true");
}

// SEM-22, SEM-20: nor does one that panics leave the loop in disorder.
#[test]
fn destructor_of_main_panicking_after_the_verdict_leaves_the_loop_fit() {
    let mut executor = executor();
    let guard = OnDrop::new(|| panic!("main's destructor fails"));
    let ran = catch_unwind(AssertUnwindSafe(|| executor.try_block_on(hold_for_ever(guard))));
    assert!(ran.is_err());
    assert_eq!(executor.block_on(async { 7 }), 7);
    drop(verdict(&mut executor, pending::<()>()));
}

// ----- asking --------------------------------------------------------------------------------------

// SEM-22: within the turn in which nobody is ready any more, by one poll more of each.
#[test]
fn verdict_takes_one_turn_and_one_poll_of_everybody() {
    let mut executor = executor();
    let event = Rc::new(Event::new());
    let polls: [Rc<Cell<usize>>; 5] = Default::default();
    let [main, task, first, second, joined] = polls.clone();
    let waited = event.clone();
    drop(executor.spawn(counting(task, async move { waited.wait().await })));
    drop(verdict(
        &mut executor,
        counting(main, async {
            let joined = counting(joined, event.wait());
            let group = gather([first, second].map(|polls| counting(polls, event.wait())));
            join!(group, joined);
        }),
    ));
    assert_eq!(polls.map(|polls| polls.get()), [2; 5]);
    assert_eq!(executor.statistics().turns, 1);
    assert_eq!(executor.park().waits(), 0);
}

// SEM-22, SEM-50: a leaf that has lost its wake is helped by the extra poll: that is no deadlock.
#[test]
fn leaf_of_main_that_is_ready_when_asked_is_no_deadlock() {
    executor().block_on(lost());
    executor().block_on(gather([lost(), lost()]));
    // Whoever gives way after that is asked again when he waits the next time.
    executor().block_on(async {
        for _ in 0..3 {
            lost().await;
            yield_now().await;
        }
    });
}

// SEM-22, SEM-50: nor in a task.
#[test]
fn leaf_of_a_task_that_is_ready_when_asked_is_no_deadlock() {
    let trace = Trace::default();
    executor().block_on(async {
        let (event, inner) = (Rc::new(Event::new()), trace.clone());
        let waited = event.clone();
        let ends = spawn(lost());
        let goes_on = spawn(async move {
            lost().await;
            inner.say("goes-on");
            event.set();
            yield_now().await;
            lost().await;
            inner.say("again");
        });
        let woken = spawn(async move { waited.wait().await });
        for task in [ends, goes_on, woken] {
            task.await.expect("it ends well");
        }
    });
    assert_eq!(trace.take(), "goes-on again");
}

// SEM-22, SEM-40: one that panics when it is asked has ended, and its joiner goes on.
#[test]
fn task_that_panics_when_it_is_asked_has_ended() {
    let joined = executor().block_on(async {
        let task = spawn(async {
            lost().await;
            panic!("when asked");
        });
        task.await
    });
    assert!(joined.is_err_and(|error| error.is_panic()));
    let ran = catch_unwind(|| {
        executor().block_on(async {
            lost().await;
            panic!("main, when asked");
        });
    });
    assert!(ran.is_err());
    drop(verdict(&mut executor(), pending::<()>()));
}

// SEM-22, F13: what is certain before the asking has to be certain after it.
#[test]
fn leaf_that_gives_its_waker_away_when_asked_is_no_deadlock() {
    let (mut executor, parked) = announcing();
    let woken = Arc::new(OnceLock::new());
    let (set, is_set) = (woken.clone(), woken.clone());
    executor.block_on(async {
        let keep = move |waker: Waker| {
            thread::spawn(move || {
                parked.recv_timeout(PATIENCE).expect("the loop waits for this thread");
                set.set(()).expect("it is set once");
                waker.wake();
            });
        };
        let task = spawn(async move {
            lost().await;
            leave_clone(keep, || is_set.get().is_some()).await;
        });
        task.await.expect("it ends well");
    });
}

thread_local! {
    /// What a closure that comes from another thread sets.
    static GO: RefCell<Option<Rc<Event>>> = const { RefCell::new(None) };
}

// SEM-22: the same with a handle for other threads.
#[test]
fn task_that_gives_a_remote_away_when_asked_is_no_deadlock() {
    let (mut executor, parked) = announcing();
    let go = Rc::new(Event::new());
    GO.set(Some(go.clone()));
    executor.block_on(async {
        lost().await;
        let remote = lone_executor::remote();
        thread::spawn(move || {
            parked.recv_timeout(PATIENCE).expect("the loop waits for this thread");
            let set = || async { GO.take().expect("it is there").set() };
            drop(remote.spawn(set).expect("the loop is alive"));
        });
        go.wait().await;
    });
}

// SEM-22, F14: a loop that a task turns in its poll wakes through the inbox: it is looked at after.
#[test]
fn guest_loop_turned_when_asked_that_wakes_the_host_is_no_deadlock() {
    let (guest, event) = (Rc::new(RefCell::new(executor())), Rc::new(Event::new()));
    let set = event.clone();
    drop(guest.borrow().spawn(async move {
        // Once when the host polls, once when it is asked.
        yield_now().await;
        set.set();
    }));
    executor().block_on(async {
        let host = spawn(poll_fn(move |_| {
            guest.borrow_mut().turn(Some(Duration::ZERO)).expect("the park works");
            Poll::<()>::Pending
        }));
        event.wait().await;
        drop(host);
    });
}

// SEM-22, F11: who goes on when asked, and on and on, gives way as ever.
#[test]
fn task_that_never_waits_once_it_goes_on_does_not_keep_the_report() {
    let trace = Trace::default();
    executor().block_on(async {
        let (semaphore, inner) = (Rc::new(Semaphore::new(1)), trace.clone());
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let busy = spawn(async move {
            lost().await;
            let mut rounds = 0;
            while !stopped.get() {
                drop(semaphore.acquire().await);
                rounds += 1;
                assert!(rounds < 1_000_000, "it gives way to nobody");
            }
            inner.say("stopped");
        });
        let other = spawn(async move {
            lost().await;
            stop.set(true);
        });
        join!(busy, other).0.expect("it gives way");
    });
    assert_eq!(trace.take(), "stopped");
}

// ----- other threads that may reach in -------------------------------------------------------------

// SEM-22, SEM-427: as long as it lives work may come; judged again when it goes.
#[test]
fn remote_alive_is_no_verdict_until_it_is_dropped() {
    let (mut executor, parked) = announcing();
    let remote = executor.remote();
    thread::spawn(move || {
        let clone = remote.clone();
        parked.recv_timeout(PATIENCE).expect("the loop waits for both");
        drop(remote);
        parked.recv_timeout(PATIENCE).expect("the loop waits for the other");
        drop(clone);
    });
    drop(verdict(&mut executor, pending::<()>()));
    assert!(executor.park().waits() >= 2);
    waits(async {
        let _remote = lone_executor::remote();
        pending::<()>().await;
    });
}

// SEM-22: work that a remote has left behind is done before anything is judged.
#[test]
fn remote_that_spawns_and_goes_has_its_task_run() {
    let mut executor = executor();
    let event = Rc::new(Event::new());
    GO.set(Some(event.clone()));
    let set = || async { GO.take().expect("it is there").set() };
    drop(executor.remote().spawn(set).expect("the loop is alive"));
    executor.block_on(event.wait());
}

// SEM-22, F13: what came in during the batch is taken in before anybody is asked.
#[test]
fn work_that_comes_in_before_the_loop_would_wait_is_done_without_asking() {
    let mut executor = executor();
    let (event, polls) = (Rc::new(Event::new()), Rc::new(Cell::new(0)));
    GO.set(Some(event.clone()));
    executor.block_on(counting(polls.clone(), async {
        let remote = lone_executor::remote();
        let set = || async { GO.take().expect("it is there").set() };
        let spawned = thread::spawn(move || drop(remote.spawn(set).expect("the loop is alive")));
        spawned.join().expect("it ends well");
        event.wait().await;
    }));
    assert_eq!(polls.get(), 2, "at first, and when the event was set");
}

/// A task that was spawned from a thread and waits for ever; remote and handle go to `with`.
fn remote_task(with: impl FnOnce(Remote, RemoteJoin<()>) + Send + 'static) -> Deadlock {
    let mut executor = executor();
    let remote = executor.remote();
    thread::spawn(move || {
        let (say, begun) = mpsc::channel();
        let stuck = move || async move {
            say.send(()).expect("it is heard");
            Event::new().wait().await;
        };
        let joined = remote.spawn(stuck).expect("the loop is alive");
        begun.recv_timeout(PATIENCE).expect("it begins");
        with(remote, joined);
    });
    verdict(&mut executor, pending::<()>())
}

// SEM-22: with both gone nobody can reach it; the report has it, with the line of the thread.
#[test]
fn remote_task_that_is_stuck_when_remote_and_handle_have_gone_is_a_deadlock() {
    let reports = [
        remote_task(|remote, joined| drop((remote, joined))),
        remote_task(|remote, joined| drop((joined, remote))),
    ];
    for report in reports {
        assert_eq!(tasks(&report), [1], "{report}");
        assert_eq!(awaited(&report, 1), ["an event"]);
        assert_eq!(report.waiting()[1].spawned.map(|site| site.file()), Some(file!()));
    }
}

// SEM-22, SEM-53: who has the handle may cancel; that is waited for.
#[test]
fn handle_of_a_remote_task_kept_is_no_verdict() {
    waits(async {
        let _joined = lone_executor::remote().spawn(pending::<()>);
        pending::<()>().await;
    });
    let report = remote_task(|remote, joined| {
        drop(remote);
        assert!(joined.cancel("by who kept it"));
    });
    assert_eq!(tasks(&report), [0_u64; 0]);
}

// SEM-22, SEM-23: a thread that waits for the outcome can do nothing more.
#[test]
fn thread_that_waits_for_a_remote_task_is_no_hope() {
    let (mut executor, remote) = {
        let executor = executor();
        let remote = executor.remote();
        (executor, remote)
    };
    let thread = thread::spawn(move || {
        let joined = remote.spawn(|| async { Event::new().wait().await });
        drop(remote);
        joined.expect("the loop is alive").wait()
    });
    drop(verdict(&mut executor, pending::<()>()));
    drop(executor);
    assert!(thread.join().expect("it ends well").is_err(), "the loop has ended");
}

// SEM-22, F19: kept in a thread-local, dropped as its thread ends.
#[test]
fn waker_in_a_thread_local_goes_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<Waker>> = const { RefCell::new(None) };
    }
    let (mut executor, parked) = announcing();
    let keep = |waker: Waker| {
        thread::spawn(move || {
            KEPT.set(Some(waker));
            parked.recv_timeout(PATIENCE).expect("the loop waits as long as the thread lives");
        });
    };
    drop(verdict(&mut executor, leave_clone(keep, || false)));
    // On the loop's own thread, which ends after the loop.
    thread::spawn(|| {
        waits(leave_clone(|waker| KEPT.set(Some(waker)), || false));
        let mut executor = crate::help::executor();
        drop(verdict(&mut executor, pending::<()>()));
    })
    .join()
    .expect("the thread ends well");
}

// SEM-22, F13: between two runs the own thread is an outsider like any other.
#[test]
fn waker_cloned_and_dropped_between_two_runs_is_counted() {
    let mut executor = refusing();
    let place = Rc::new(RefCell::new(None));
    let kept = place.clone();
    drop(executor.spawn(leave_clone(move |waker| drop(kept.replace(Some(waker))), || false)));
    assert!(matches!(executor.try_block_on(pending::<()>()), Err(RunError::Io(_))));
    let second = place.borrow().clone();
    drop(place.take());
    assert!(matches!(executor.try_block_on(pending::<()>()), Err(RunError::Io(_))));
    drop(second);
    assert_eq!(tasks(&verdict(&mut executor, pending::<()>())), [1]);
}

// SEM-22, F22: cloned and dropped while another loop of the thread runs.
#[test]
fn waker_cloned_and_dropped_in_a_loop_turned_inside_is_counted() {
    let guest = Rc::new(RefCell::new(executor()));
    let place = Rc::new(RefCell::new(None::<Waker>));
    let inside = place.clone();
    let task = guest.borrow().spawn(poll_fn(move |_| {
        let first = inside.take().expect("the host leaves its waker");
        inside.replace(Some(first.clone()));
        drop(first);
        Poll::Ready(())
    }));
    let inner = (guest.clone(), place.clone());
    let mut executor = refusing();
    let main = poll_fn(move |cx| {
        let (guest, place) = &inner;
        if !task.is_finished() {
            place.replace(Some(cx.waker().clone()));
            guest.borrow_mut().turn(Some(Duration::ZERO)).expect("the park works");
        }
        Poll::<()>::Pending
    });
    let mut main = Box::pin(main);
    assert!(matches!(executor.try_block_on(&mut main), Err(RunError::Io(_))), "a clone is kept");
    drop(place.take());
    drop(verdict(&mut executor, main));
}

// SEM-22, SEM-427, F1: loops of several threads that give each other work: a verdict comes to each
// when the one before it has let go of it, and not earlier.
#[test]
fn loops_in_a_ring_come_to_the_verdict_one_after_the_other() {
    const LOOPS: usize = 4;
    const ROUNDS: usize = 200;
    let (give, take): (Vec<Sender<Remote>>, Vec<_>) = (0..LOOPS).map(|_| mpsc::channel()).unzip();
    let threads: Vec<_> = (0..LOOPS)
        .zip(take)
        .map(|(own, take)| {
            let before = give[(own + LOOPS - 1) % LOOPS].clone();
            thread::spawn(move || {
                let (mut executor, rounds) = (executor(), Cell::new(0));
                before.send(executor.remote()).expect("its thread runs");
                let next = take.recv_timeout(PATIENCE).expect("it comes");
                let report = verdict(&mut executor, async {
                    for _ in 0..ROUNDS {
                        let joined = next.spawn(|| async { yield_now().await });
                        joined.expect("the loop is alive").await.expect("it ends well");
                        rounds.set(rounds.get() + 1);
                    }
                    drop(next);
                    pending::<()>().await;
                });
                (rounds.get(), tasks(&report))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("it ends well"), (ROUNDS, vec![]));
    }
}

// SEM-22, F14: a host judges by itself: a turn never does.
#[test]
fn turn_of_a_guest_never_judges() {
    let mut executor = refusing();
    let event = Rc::new(Event::new());
    let waited = event.clone();
    let polls = Rc::new(Cell::new(0));
    let task = executor.spawn(counting(polls.clone(), async move { waited.wait().await }));
    for _ in 0..3 {
        let turn = executor.turn(Some(Duration::ZERO)).expect("no verdict");
        assert_eq!((turn.ready, turn.tasks), (0, 1));
    }
    assert_eq!(polls.get(), 1, "nobody is asked");
    event.set();
    executor.block_on(task).expect("it ends well");
}

// ----- at random -----------------------------------------------------------------------------------

/// A reproducible source of numbers: SplitMix64.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Threads that work for many programs, one after the other.
struct Pool(Vec<Sender<Job>>);

type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    fn new(threads: usize) -> Pool {
        let start = || {
            let (give, take) = mpsc::channel::<Job>();
            thread::spawn(move || take.into_iter().for_each(|job| job()));
            give
        };
        Pool((0..threads).map(|_| start()).collect())
    }

    fn give(&self, random: &mut Random, job: impl FnOnce() + Send + 'static) {
        let thread = &self.0[random.below(self.0.len() as u64) as usize];
        thread.send(Box::new(job)).expect("the thread works");
    }
}

/// What the tasks of a program share.
#[derive(Clone)]
struct Program {
    pool: Rc<Pool>,
    /// Which step of which task is done.
    done: Rc<Vec<Vec<Event>>>,
    /// Clones that threads have sent back.
    returned: Arc<Mutex<Vec<Waker>>>,
    never: Rc<Event>,
}

/// What a task does before its next step.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Waits for a thread, which wakes it by a clone of its waker.
    Thread,
    /// Waits for a thread, which sends a future here that wakes it.
    Remote,
    /// Waits until a task before it has done a step.
    Earlier { task: usize, step: usize },
    /// Gathers some of the above.
    Gather,
    /// Waits for what never comes.
    Never,
}

impl Step {
    /// One that certainly comes, if the tasks before `own` come so far.
    fn random(random: &mut Random, own: usize, steps: usize) -> Step {
        match random.below(8) {
            0..3 => Step::Thread,
            3 => Step::Remote,
            4 => Step::Gather,
            _ if own == 0 => Step::Thread,
            _ => Step::Earlier {
                task: random.below(own as u64) as usize,
                step: random.below(steps as u64) as usize,
            },
        }
    }
}

impl Program {
    fn run(&self, step: Step, mut random: Random) -> Pin<Box<dyn Future<Output = ()>>> {
        let program = self.clone();
        Box::pin(async move {
            match step {
                Step::Thread => program.thread(random).await,
                Step::Remote => program.remote(random).await,
                Step::Earlier { task, step } => program.done[task][step].wait().await,
                Step::Gather => {
                    let parts: Vec<_> = (0..random.below(4))
                        .map(|_| {
                            let step = if random.one_in(4) { Step::Remote } else { Step::Thread };
                            program.run(step, Random(random.next()))
                        })
                        .collect();
                    gather(parts).await;
                }
                Step::Never => program.never.wait().await,
            }
        })
    }

    /// Gives the waker to threads, which clone, drop and send it about, and at last wake by it.
    async fn thread(&self, mut random: Random) {
        let (set, mut begun) = (Arc::new(OnceLock::new()), false);
        poll_fn(|cx| {
            let is_over = set.get().is_some();
            // Whoever is woken clears up what threads have sent back.
            lock(&self.returned).clear();
            if is_over {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut begun, true) {
                self.begin(cx.waker(), &set, &mut random);
            }
            Poll::Pending
        })
        .await;
    }

    fn begin(&self, waker: &Waker, set: &Arc<OnceLock<()>>, random: &mut Random) {
        let (set, returned) = (set.clone(), self.returned.clone());
        let original = if random.one_in(4) {
            thread::scope(|scope| scope.spawn(|| waker.clone()).join()).expect("no clone panics")
        } else {
            waker.clone()
        };
        // Some that wake nobody, or too early.
        for _ in 0..random.below(3) {
            let (spare, how) = (original.clone(), random.below(3));
            self.pool.give(random, move || match how {
                0 => drop(spare),
                1 => spare.wake(),
                _ => spare.wake_by_ref(),
            });
        }
        let (how, yields) = (random.below(6), random.below(4));
        if how == 5 {
            // Cloned over there from a shared one; who goes last is chance.
            let shared = Arc::new(original);
            let clone = shared.clone();
            self.pool.give(random, move || {
                let own = Waker::clone(&clone);
                drop(clone);
                set.set(()).expect("it is set once");
                own.wake();
            });
            return;
        }
        self.pool.give(random, move || {
            (0..yields).for_each(|_| thread::yield_now());
            match how {
                0 => {
                    set.set(()).expect("it is set once");
                    original.wake();
                }
                1 => {
                    set.set(()).expect("it is set once");
                    original.wake_by_ref();
                }
                2 => {
                    let clone = original.clone();
                    drop(original);
                    set.set(()).expect("it is set once");
                    clone.wake();
                }
                3 => {
                    lock(&returned).push(original.clone());
                    set.set(()).expect("it is set once");
                    original.wake();
                }
                _ => {
                    let clones = [original.clone(), original.clone()];
                    lock(&returned).push(original);
                    let [first, second] = clones;
                    drop(first);
                    set.set(()).expect("it is set once");
                    second.wake();
                }
            }
        });
    }

    /// Gives a remote to a thread, which spawns by it and drops it.
    async fn remote(&self, mut random: Random) {
        let flag = SharedFlag::default();
        let (set, remote) = (flag.clone(), lone_executor::remote());
        let (clones, joins) = (random.one_in(2), random.one_in(2));
        let (kept, rest) = (remote.clone(), random.one_in(2));
        self.pool.give(&mut random, move || {
            let by = if clones { remote.clone() } else { remote };
            let joined = by.spawn(move || async move {
                yield_now().await;
                set.set();
            });
            drop(by);
            if joins {
                drop(joined.expect("the loop is alive").wait());
            }
        });
        if rest {
            self.pool.give(&mut random, move || drop(kept));
        }
        flag.wait().await;
    }
}

/// Tasks and their steps; which of them come to their end.
struct Plan {
    steps: Vec<Vec<Step>>,
    ends: Vec<bool>,
}

impl Plan {
    /// `stuck`: at least one of them comes to a step that never comes.
    fn random(random: &mut Random, stuck: bool) -> Plan {
        const STEPS: usize = 3;
        let tasks = 1 + random.below(5) as usize;
        let mut steps: Vec<Vec<Step>> = (0..tasks)
            .map(|own| (0..STEPS).map(|_| Step::random(random, own, STEPS)).collect())
            .collect();
        if stuck {
            for _ in 0..=random.below(2) {
                let task = random.below(tasks as u64) as usize;
                steps[task][random.below(STEPS as u64) as usize] = Step::Never;
            }
        }
        // How far each comes: those before it are known.
        let mut reached: Vec<usize> = Vec::new();
        for steps in &steps {
            let comes = |step: &Step| match *step {
                Step::Never => false,
                Step::Earlier { task, step } => step < reached[task],
                Step::Thread | Step::Remote | Step::Gather => true,
            };
            reached.push(steps.iter().take_while(|step| comes(step)).count());
        }
        Plan { ends: reached.iter().map(|&reached| reached == STEPS).collect(), steps }
    }

    /// Runs it; main joins all tasks, one after the other.
    fn run(&self, pool: &Rc<Pool>, random: &mut Random) -> Result<(), RunError> {
        let program = Program {
            pool: pool.clone(),
            done: Rc::new(
                self.steps
                    .iter()
                    .map(|steps| steps.iter().map(|_| Event::new()).collect())
                    .collect(),
            ),
            returned: Arc::default(),
            never: Rc::new(Event::new()),
        };
        executor().try_block_on(async {
            let mut tasks = Vec::new();
            for (own, steps) in self.steps.iter().enumerate() {
                let (program, mut random) = (program.clone(), Random(random.next()));
                let steps = steps.clone();
                tasks.push(spawn(async move {
                    for (n, step) in steps.into_iter().enumerate() {
                        program.run(step, Random(random.next())).await;
                        program.done[own][n].set();
                    }
                }));
            }
            for task in tasks {
                task.await.expect("it ends well");
            }
            // What was sent back by the last.
            lock(&program.returned).clear();
        })
    }
}

/// How many programs: more with LONE_DEADLOCK_PROGRAMS, which a search by hand sets.
fn programs() -> u64 {
    let asked = std::env::var("LONE_DEADLOCK_PROGRAMS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(1500)
}

// SEM-22, SEM-46, F13: programs that certainly end, by threads that wake at last: no false alarm.
#[test]
fn random_programs_that_end_are_never_a_deadlock() {
    let pool = Rc::new(Pool::new(3));
    for seed in 0..programs() {
        let mut random = Random(seed);
        let plan = Plan::random(&mut random, false);
        if let Err(error) = plan.run(&pool, &mut random) {
            panic!("program {seed} ends, but: {error}");
        }
    }
}

// SEM-22, F13: programs that certainly come to nothing: always a verdict, with those who are stuck.
#[test]
fn random_programs_that_get_stuck_are_always_a_deadlock() {
    let pool = Rc::new(Pool::new(3));
    for seed in 0..programs() {
        let mut random = Random(seed ^ 1 << 32);
        let plan = Plan::random(&mut random, true);
        let stuck: Vec<u64> =
            (1..).zip(&plan.ends).filter(|(_, ends)| !**ends).map(|(n, _)| n).collect();
        match plan.run(&pool, &mut random) {
            Err(RunError::Deadlock(report)) => {
                // Tasks that came from other threads have ended.
                assert_eq!(tasks(&report), stuck, "program {seed}: {report}");
            }
            Err(error) => panic!("program {seed} is stuck, but: {error}"),
            Ok(()) => assert_eq!(stuck, [0_u64; 0], "program {seed}"),
        }
    }
}

// F22: the numbers of another loop's tasks are not this one's.
#[test]
fn task_that_awaits_one_of_another_loop_is_in_no_cycle() {
    let other = executor();
    let elsewhere = other.spawn(pending::<()>());
    let report = verdict(&mut executor(), async {
        drop(spawn(async { drop(elsewhere.await) }));
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), None);
    assert!(report.to_string().contains("the end of a task of another loop"), "{report}");
}
