//! The end of a loop: everybody ends, in order, in time, and nobody is hurt.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lone_executor::{Executor, JoinError, JoinHandle, Settings, Source, current_task, spawn};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    Flag, OnDrop, PATIENCE, SayOnDrop, Trace, WakerPlace, assert_one_report, executor,
    executor_with, hold_for_ever, leave_waker, record_reports, run_until_idle, take_reports,
    waker_in,
};

fn executor_with_grace(grace: Duration) -> Executor<BoundedPark> {
    executor_with(Settings { grace: Some(grace), ..Settings::default() })
}

/// A task whose destructor spawns the next generation, down to zero.
async fn generation(trace: Trace, left: u32) {
    let inner = trace.clone();
    let _guard = OnDrop::new(move || {
        trace.say(format!("destructor-{left}"));
        if left > 0 {
            drop(spawn(generation(trace, left - 1)));
        }
    });
    inner.say(format!("polled-{left}"));
    pending::<()>().await;
}

/// The same, with the guard captured: so that it goes even if the body never runs.
fn captured_generation(trace: Trace, left: u32) -> impl Future<Output = ()> {
    let said = trace.clone();
    let guard = OnDrop::new(move || {
        trace.say(format!("destructor-{left}"));
        if left > 0 {
            drop(spawn(generation_boxed(trace, left - 1)));
        }
    });
    async move {
        let _guard = guard;
        said.say(format!("polled-{left}"));
        pending::<()>().await;
    }
}

fn generation_boxed(trace: Trace, left: u32) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(captured_generation(trace, left))
}

// SEM-6, C-95: three generations deep, each is cancelled and awaited, and none is polled.
#[test]
fn tasks_spawned_by_destructors_at_the_shutdown_are_cancelled_in_turn() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    drop(executor.spawn(captured_generation(trace.clone(), 3)));
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "polled-3 destructor-3 destructor-2 destructor-1 destructor-0");
    assert_eq!(take_reports(), [""; 0], "they end within the grace");
}

// SEM-6: a guard made inside the body goes with the body.
#[test]
fn task_spawned_by_a_destructor_at_the_shutdown_never_runs_its_body() {
    let (mut executor, trace) = (executor(), Trace::default());
    drop(executor.spawn(generation(trace.clone(), 2)));
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "polled-2 destructor-2", "the next one's body never began");
}

/// Its destructor spawns a task that owns the next one: no number of turns is enough.
struct Hydra {
    heads: Rc<Cell<u32>>,
    grown: usize,
}

impl Drop for Hydra {
    fn drop(&mut self) {
        self.heads.set(self.heads.get() + 1);
        for _ in 0..self.grown {
            let next = Hydra { heads: self.heads.clone(), grown: self.grown };
            drop(spawn(hold_for_ever(next)).named("hydra"));
        }
    }
}

// SEM-7, C-96: named, dropped, and the loop ends, although dropping it makes the next one.
#[test]
fn task_that_spawns_itself_at_each_end_is_named_after_the_grace_and_the_loop_ends() {
    record_reports();
    let mut executor = executor_with_grace(Duration::from_millis(5));
    let heads = Rc::new(Cell::new(0));
    let first = Hydra { heads: heads.clone(), grown: 1 };
    drop(executor.spawn(hold_for_ever(first)).named("hydra"));
    run_until_idle(&mut executor);
    let begin = Instant::now();
    drop(executor);
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    assert!(heads.get() > 2, "it had its grace");
    let reports = take_reports();
    let stubborn: Vec<_> = reports.iter().filter(|line| line.contains("`hydra`")).collect();
    assert_eq!(stubborn.len(), 1, "{reports:#?}");
    assert!(stubborn[0].starts_with("WARN lone::executor"), "{stubborn:?}");
    let endless = reports.iter().filter(|line| line.contains("is leaked")).count();
    assert_eq!((endless, reports.len()), (1, 2), "{reports:#?}");
}

// SEM-7: with two heads for each, too: the drops after the grace are bounded in number, not in depth.
#[test]
fn task_that_spawns_two_of_itself_at_each_end_does_not_keep_the_loop_alive() {
    record_reports();
    let mut executor = executor_with_grace(Duration::ZERO);
    let heads = Rc::new(Cell::new(0));
    let first = Hydra { heads: heads.clone(), grown: 2 };
    drop(executor.spawn(hold_for_ever(first)));
    run_until_idle(&mut executor);
    drop(executor);
    assert!(heads.get() < 1000, "{} heads", heads.get());
    take_reports();
}

// SEM-7: the wait for those who end in time is not the whole grace.
#[test]
fn loop_whose_tasks_end_at_once_does_not_wait_for_the_grace() {
    let mut executor = executor_with_grace(Duration::from_secs(3600));
    for _ in 0..100 {
        drop(executor.spawn(pending::<()>()));
    }
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(executor.statistics().tasks, 0);
}

// SEM-7: a grace of nothing: everybody is named, dropped, and told that the loop is closed.
#[test]
fn shutdown_without_any_grace_names_and_drops_everybody() {
    record_reports();
    let (mut executor, trace) = (executor_with_grace(Duration::ZERO), Trace::default());
    let a = executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "a"))).named("stubborn-a");
    let b = executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "b"))).named("stubborn-b");
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(trace.take(), "a b");
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    for (report, name) in reports.iter().zip(["`stubborn-a`", "`stubborn-b`"]) {
        assert!(report.contains(name) && report.contains("shutdown.rs:"), "{report}");
    }
    for mut task in [a, b] {
        assert!(matches!(task.try_join(), Some(Err(JoinError::LoopClosed))));
    }
}

// SEM-4: whoever still holds a handle hears why.
#[test]
fn handle_awaited_after_its_loop_has_ended_gives_the_shutdown_as_the_reason() {
    let mut ended = executor();
    let waiting = ended.spawn(pending::<()>());
    let unpolled = ended.spawn(async { 7 });
    ended.turn(Some(Duration::ZERO)).expect("the park works");
    let late = ended.spawn(async { 8 });
    drop(ended);
    executor().block_on(async {
        let Err(JoinError::Cancelled(why)) = waiting.await else {
            panic!("it was cancelled");
        };
        assert_eq!((why.source(), why.by()), (Source::Shutdown, None));
        assert_eq!(why.reason().to_string(), "the loop is shutting down");
        assert_eq!(unpolled.await.expect("it had ended"), 7);
        assert!(late.await.is_err_and(|error| error.is_cancelled()));
    });
}

// SEM-4: a joiner in another loop that waits already is woken by the end.
#[test]
fn handle_being_awaited_elsewhere_when_its_loop_ends_wakes_its_joiner() {
    let ended = executor();
    let waiting = ended.spawn(pending::<()>());
    let mut other = executor();
    let joiner = other.spawn(async move { waiting.await.is_err_and(|error| error.is_cancelled()) });
    run_until_idle(&mut other);
    drop(ended);
    assert!(other.block_on(joiner).expect("it ends well"));
}

// ----- destructors that reach for the loop ----------------------------------------------------------

/// A loop with a task whose destructor spawns, wakes another task and cancels a third.
struct Reaching {
    executor: Executor<BoundedPark>,
    trace: Trace,
    holder: JoinHandle<()>,
    go: Flag,
}

fn reaching(grace: Duration) -> Reaching {
    let (mut executor, trace, go) = (executor_with_grace(grace), Trace::default(), Flag::default());
    let victim = executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "victim-dropped")));
    let place = WakerPlace::default();
    drop(executor.spawn(leave_waker(place.clone(), trace.clone(), "other-polled")));
    run_until_idle(&mut executor);
    trace.take();
    let said = trace.clone();
    let guard = OnDrop::new(move || {
        said.say("destructor");
        let (inner, held) = (said.clone(), SayOnDrop(said.clone(), "spawned-dropped"));
        drop(spawn(async move {
            let _held = held;
            inner.say("spawned-polled");
        }));
        waker_in(&place).wake();
        said.say(format!("cancelled-{}", victim.cancel("by a destructor")));
        drop(victim);
    });
    let waits = go.clone();
    let holder = executor.spawn(async move {
        let _guard = guard;
        waits.wait().await;
    });
    run_until_idle(&mut executor);
    Reaching { executor, trace, holder, go }
}

// SEM-49: a destructor that spawns, wakes and cancels, run at the task's end.
#[test]
fn destructor_reaching_for_the_loop_at_completion_does_all_of_it() {
    let Reaching { mut executor, trace, go, .. } = reaching(PATIENCE);
    go.set();
    run_until_idle(&mut executor);
    assert_eq!(
        trace.take(),
        "destructor cancelled-true spawned-polled spawned-dropped other-polled victim-dropped"
    );
}

// SEM-49: the same at a cancel.
#[test]
fn destructor_reaching_for_the_loop_at_a_cancel_does_all_of_it() {
    let Reaching { mut executor, trace, holder, .. } = reaching(PATIENCE);
    holder.cancel("enough");
    run_until_idle(&mut executor);
    assert_eq!(
        trace.take(),
        "destructor cancelled-true spawned-polled spawned-dropped other-polled victim-dropped"
    );
}

// SEM-49: the same at the shutdown: whom it reaches has ended, what it spawns never runs.
#[test]
fn destructor_reaching_for_the_loop_at_the_shutdown_finds_the_others_ended() {
    record_reports();
    let Reaching { executor, trace, .. } = reaching(PATIENCE);
    drop(executor);
    assert_eq!(trace.take(), "victim-dropped destructor cancelled-false spawned-dropped");
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-49, SEM-44: the same after the grace: what it spawns is refused there and then.
#[test]
fn destructor_reaching_for_the_loop_after_the_grace_is_refused() {
    record_reports();
    let Reaching { executor, trace, .. } = reaching(Duration::ZERO);
    drop(executor);
    assert_eq!(trace.take(), "victim-dropped destructor spawned-dropped cancelled-false");
    assert_eq!(take_reports().len(), 3, "three had no grace; none has panicked");
}

/// What a task's destructor does to the task itself.
type Own = Rc<RefCell<Option<JoinHandle<()>>>>;

/// A task whose destructor cancels it, cancels everybody, looks at it and drops its handle.
fn self_reaching(executor: &Executor<BoundedPark>, trace: &Trace, go: &Flag) -> Own {
    let own = Own::default();
    let (inner, said, waits) = (own.clone(), trace.clone(), go.clone());
    let guard = OnDrop::new(move || {
        let mut handle = inner.take().expect("it is there");
        said.say(format!("dropping finished={}", handle.is_finished()));
        // Whatever the answer, nothing may come of it: the body is being dropped.
        for _ in 0..3 {
            handle.cancel("by my own destructor");
        }
        assert!(handle.try_join().is_none(), "no outcome before the body is gone");
        inner.replace(Some(handle));
    });
    let task = executor.spawn(async move {
        let _guard = guard;
        waits.wait().await;
    });
    own.replace(Some(task));
    own
}

// F8: at completion the destructor runs once and the value stands.
#[test]
fn destructor_reaching_its_own_task_at_completion_runs_once() {
    let (mut executor, trace, go) = (executor(), Trace::default(), Flag::default());
    let own = self_reaching(&executor, &trace, &go);
    // A guard that lives until the future goes: the body's locals go before the last poll returns.
    run_until_idle(&mut executor);
    go.set();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "dropping finished=false");
    let mut task = own.take().expect("it is there");
    // The locals of an async body go inside its last poll, so this was a cancel of itself.
    assert!(matches!(task.try_join(), Some(Ok(()))), "the value stands");
}

// F8: at a cancel the destructor runs once and the first reason stands.
#[test]
fn destructor_reaching_its_own_task_at_a_cancel_runs_once() {
    let (mut executor, trace, go) = (executor(), Trace::default(), Flag::default());
    let own = self_reaching(&executor, &trace, &go);
    run_until_idle(&mut executor);
    assert!(own.borrow().as_ref().expect("it is there").cancel("the first reason"));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "dropping finished=false");
    let mut task = own.take().expect("it is there");
    let Some(Err(JoinError::Cancelled(why))) = task.try_join() else {
        panic!("it was cancelled");
    };
    assert_eq!(why.reason().to_string(), "the first reason");
}

// F8: at the shutdown, within the grace and after it.
#[test]
fn destructor_reaching_its_own_task_at_the_shutdown_runs_once() {
    record_reports();
    for grace in [PATIENCE, Duration::ZERO] {
        let (mut executor, trace) = (executor_with_grace(grace), Trace::default());
        let own = self_reaching(&executor, &trace, &Flag::default());
        run_until_idle(&mut executor);
        drop(executor);
        assert_eq!(trace.take(), "dropping finished=false");
        assert!(own.take().expect("it is there").is_finished());
    }
    take_reports();
}

// F8: while the future is being dropped by its end (state Dropping), an abort of all does nothing to
// the one that is going, and stops the others.
#[test]
fn destructor_aborting_all_tasks_at_its_own_end_stops_the_others_once_each() {
    let (mut executor, trace) = (executor(), Trace::default());
    let all: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
    for name in ["a", "b", "c"] {
        let (everybody, said) = (all.clone(), trace.clone());
        let guard = OnDrop::new(move || {
            said.say(name);
            for task in everybody.borrow().iter() {
                task.cancel("abort all");
            }
        });
        let mut ready = name == "b";
        let task = executor.spawn(std::future::poll_fn(move |_| {
            let _held_until_the_future_goes = &guard;
            if std::mem::take(&mut ready) {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        }));
        all.borrow_mut().push(task);
    }
    assert_eq!(run_until_idle(&mut executor), 0);
    // c was in the queue already and keeps its place, a goes to the back.
    assert_eq!(trace.take(), "b c a");
    let outcomes: Vec<bool> = all
        .borrow_mut()
        .iter_mut()
        .map(|task| task.try_join().expect("all have ended").is_ok())
        .collect();
    assert_eq!(outcomes, [false, true, false]);
}

// ----- who owns whom --------------------------------------------------------------------------------

// F8, F19: a task that owns its own handle, and two that own each other's: no cycle keeps them.
#[test]
fn tasks_owning_their_own_or_each_others_handles_are_dropped_at_the_shutdown() {
    let token = Rc::new(());
    let mut executor = executor();
    let places: [Own; 3] = Default::default();
    // The first owns itself; the second and the third own each other.
    for (mine, owned) in [(0, 0), (1, 2), (2, 1)] {
        let (place, held) = (places[owned].clone(), token.clone());
        let task = executor.spawn(async move {
            lone_executor::yield_now().await;
            let _owned = place.take();
            hold_for_ever(held).await;
        });
        places[mine].replace(Some(task));
    }
    assert_eq!(run_until_idle(&mut executor), 3);
    assert!(places.iter().all(|place| place.borrow().is_none()));
    assert_eq!(Rc::strong_count(&token), 4);
    drop(executor);
    assert_eq!(Rc::strong_count(&token), 1);
}

// SEM-49, C-100: a chain in which the end of each task wakes the next, all at the shutdown.
#[test]
fn tasks_each_setting_what_the_next_waits_for_are_dropped_in_a_chain() {
    let (mut executor, trace) = (executor(), Trace::default());
    let flags: [Flag; 4] = Default::default();
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        let (waits, sets) = (flags[number].clone(), flags[number + 1].clone());
        let (said, dropped) = (trace.clone(), SayOnDrop(trace.clone(), name));
        drop(executor.spawn(async move {
            let _dropped = dropped;
            let _sets = OnDrop::new(move || sets.set());
            waits.wait().await;
            said.say("never");
        }));
    }
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "a b c");
}

// SEM-23: destructors count on this thread, and every Rc comes back to one.
#[test]
fn loop_dropped_drops_every_future_on_this_thread() {
    let token = Rc::new(std::thread::current().id());
    let mut executor = executor();
    for _ in 0..100 {
        let held = token.clone();
        let guard = OnDrop::new(move || assert_eq!(*held, std::thread::current().id()));
        drop(executor.spawn(hold_for_ever(guard)));
    }
    run_until_idle(&mut executor);
    assert_eq!(Rc::strong_count(&token), 101);
    drop(executor);
    assert_eq!(Rc::strong_count(&token), 1);
}

// SEM-5: one task that fails at the shutdown does not keep the next from ending.
#[test]
fn destructor_panicking_at_the_shutdown_does_not_stop_it() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let guard = OnDrop::new(|| panic!("at the shutdown"));
    drop(executor.spawn(hold_for_ever(guard)).named("bomb"));
    drop(executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "next"))));
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "next");
    assert_one_report(&["`bomb`", "at the shutdown"]);
}

// ----- a loop in a thread-local ---------------------------------------------------------------------

thread_local! {
    /// Which of them goes first at thread exit is decided by who was touched first.
    static LOOP: RefCell<Option<Executor<BoundedPark>>> = const { RefCell::new(None) };
    static HANDLE: RefCell<Option<JoinHandle<OnArc>>> = const { RefCell::new(None) };
}

/// Counts itself when it is dropped.
struct OnArc(Arc<AtomicUsize>);

impl Drop for OnArc {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// On a thread of its own: a loop in `LOOP`, with tasks whose destructors reach for it.
fn leave_a_loop_to_the_thread_exit(prepare: fn()) -> usize {
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let thread = std::thread::spawn(move || {
        prepare();
        let mut executor = executor();
        let victim = executor.spawn(hold_for_ever(OnArc(count.clone())));
        let place = WakerPlace::default();
        drop(executor.spawn(leave_waker(place.clone(), Trace::default(), "")));
        let held = OnArc(count.clone());
        let reaching = OnDrop::new(move || {
            let _held = held;
            victim.cancel("at thread exit");
            waker_in(&place).wake();
            assert_eq!(current_task(), None);
            // No loop of this thread can be found any more, or it refuses: both end in a drop.
            drop(spawn(async {}));
        });
        drop(executor.spawn(hold_for_ever(reaching)));
        let output = OnArc(count.clone());
        let handle = executor.spawn(async move { output });
        run_until_idle(&mut executor);
        HANDLE.set(Some(handle));
        LOOP.set(Some(executor));
    });
    thread.join().expect("the thread ends well");
    dropped.load(Ordering::SeqCst)
}

// F19, C-101: the runtime's own thread-locals are gone before the loop.
#[test]
fn loop_in_a_thread_local_older_than_the_runtimes_ends_at_thread_exit() {
    let dropped = leave_a_loop_to_the_thread_exit(|| {
        HANDLE.set(None);
        LOOP.set(None);
    });
    assert_eq!(dropped, 3);
}

// F19: the loop goes first, and the handle of one of its tasks before it.
#[test]
fn loop_in_a_thread_local_younger_than_the_runtimes_ends_at_thread_exit() {
    let dropped = leave_a_loop_to_the_thread_exit(|| {
        executor().block_on(async { drop(spawn(async {})) });
        LOOP.set(None);
        HANDLE.set(None);
    });
    assert_eq!(dropped, 3);
}

// F19: the handle outlives loop and runtime.
#[test]
fn handle_in_a_thread_local_older_than_its_loop_ends_at_thread_exit() {
    let dropped = leave_a_loop_to_the_thread_exit(|| {
        HANDLE.set(None);
        executor().block_on(async { drop(spawn(async {})) });
    });
    assert_eq!(dropped, 3);
}
