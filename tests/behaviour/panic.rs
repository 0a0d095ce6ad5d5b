//! Panics: each is caught, and delivered or reported exactly once.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{JoinError, JoinHandle, Panic, spawn, yield_now};

use crate::help::{
    OnDrop, Trace, assert_one_report, executor, hold_for_ever, let_the_logger_fail, record_reports,
    run_until_idle, take_reports,
};

/// The panic of a task.
#[track_caller]
fn panic_of<T: std::fmt::Debug>(outcome: Result<T, JoinError>) -> Panic {
    match outcome {
        Err(JoinError::Panicked(panic)) => panic,
        other => panic!("it has panicked, not {other:?}"),
    }
}

/// A future that is ready at once and whose destructor panics.
fn bomb<T: Clone>(output: T, message: &'static str) -> impl Future<Output = T> {
    let guard = OnDrop::new(move || panic!("{message}"));
    poll_fn(move |_| {
        let _held_until_the_future_goes = &guard;
        Poll::Ready(output.clone())
    })
}

// SEM-40: to its joiner; the others and the loop go on.
#[test]
fn task_panicking_gives_its_joiner_the_panic_and_the_others_go_on() {
    record_reports();
    let (trace, mut executor) = (Trace::default(), executor());
    executor.block_on(async {
        let inner = trace.clone();
        let other = spawn(async move {
            for step in ["other1", "other2"] {
                inner.say(step);
                yield_now().await;
            }
        });
        let task: JoinHandle<()> = spawn(async { panic!("out of {}", "cheese") });
        let error = task.await.expect_err("it has panicked");
        assert!(error.is_panic() && !error.is_cancelled());
        let text = error.to_string();
        assert!(text.starts_with("Task-2, spawned at tests/behaviour/panic.rs:"), "{text}");
        assert!(text.ends_with(", panicked: out of cheese"), "{text}");
        other.await.expect("it ends well");
    });
    assert_eq!(trace.take(), "other1 other2");
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "it was delivered");
}

// SEM-40: the payload is what the task threw, and can be thrown on.
#[test]
fn payload_of_a_panic_reaches_the_joiner_whole() {
    executor().block_on(async {
        let thrown = spawn(async { std::panic::panic_any(7_u32) });
        let panic = panic_of::<()>(thrown.await);
        assert_eq!(panic.message(), "a panic whose payload is not a string");
        let resumed = std::panic::catch_unwind(|| panic.resume());
        let payload = resumed.expect_err("it goes on");
        assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    });
}

// SEM-41: at that moment, once, with name and spawn line.
#[test]
fn detached_task_panicking_is_reported_at_once_with_name_and_line() {
    record_reports();
    let mut executor = executor();
    drop(executor.spawn(async { panic!("nobody cares") }).named("orphan"));
    executor.turn(None).expect("the park works");
    assert_one_report(&["Task-1 `orphan`", "panic.rs:", "nobody cares"]);
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "and not again");
}

// SEM-41, SEM-378: the last owner decides: a handle dropped unread reports in that very moment.
#[test]
fn handle_of_a_panicked_task_dropped_unread_reports_in_that_moment() {
    record_reports();
    let mut executor = executor();
    let task = executor.spawn(async { panic!("unread") });
    run_until_idle(&mut executor);
    assert!(task.is_finished());
    assert_eq!(take_reports(), [""; 0], "somebody may still read it");
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "not at the loop's end either");
    drop(task);
    assert_one_report(&["Task-1", "unread"]);
}

// SEM-41: also through cancel_on_drop, and where the handle was polled but not to the end.
#[test]
fn handle_polled_and_then_dropped_unread_reports_the_panic_once() {
    record_reports();
    executor().block_on(async {
        let mut task = spawn(async {
            yield_now().await;
            panic!("half awaited")
        });
        assert!(crate::help::poll_once(&mut task).0.is_pending());
        yield_now().await;
        yield_now().await;
        let _: &JoinHandle<()> = &task;
        drop(task.cancel_on_drop());
        assert_one_report(&["half awaited"]);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-42: neither success nor a cancel is worth a word.
#[test]
fn handles_of_tasks_ended_well_or_cancelled_report_nothing() {
    record_reports();
    let mut executor = executor();
    let good = executor.spawn(async { 7 });
    let cancelled = executor.spawn(pending::<()>());
    drop(executor.spawn(async { 8 }));
    cancelled.cancel("enough");
    run_until_idle(&mut executor);
    drop((good, cancelled));
    drop(executor.spawn(pending::<()>()));
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-43: seen is seen, however it was seen.
#[test]
fn panic_seen_through_await_or_try_join_is_never_reported() {
    record_reports();
    executor().block_on(async {
        let awaited = spawn(async { panic!("awaited") });
        let mut tried = spawn(async { panic!("tried") });
        panic_of::<()>(awaited.await);
        let outcome = tried.try_join().expect("it has ended");
        panic_of::<()>(outcome);
        assert!(matches!(tried.try_join(), Some(Err(JoinError::Taken))));
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-39, F8: the joiner gets the panic of the destructor, and the loop survives.
#[test]
fn destructor_panicking_at_the_end_is_the_tasks_outcome() {
    record_reports();
    executor().block_on(async {
        let task = spawn(bomb(7, "the destructor fails"));
        let panic = panic_of(task.await);
        assert_eq!(panic.message(), "the destructor fails");
        assert_eq!(spawn(async { 8 }).await.expect("the loop goes on"), 8);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-39, F8: the same where a cancel drops the body.
#[test]
fn destructor_panicking_at_a_cancel_is_the_tasks_outcome() {
    record_reports();
    executor().block_on(async {
        let guard = OnDrop::new(|| panic!("the destructor fails"));
        let task = spawn(hold_for_ever(guard));
        yield_now().await;
        task.cancel("enough");
        assert_eq!(panic_of(task.await).message(), "the destructor fails");
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-39, SEM-41: with nobody to tell, it is reported once.
#[test]
fn destructor_panicking_in_a_detached_task_is_reported_once() {
    record_reports();
    let mut executor = executor();
    drop(executor.spawn(bomb((), "the destructor fails")).named("bomb"));
    run_until_idle(&mut executor);
    assert_one_report(&["`bomb`", "the destructor fails"]);
}

// SEM-39, SEM-41: two panics, two owners: one is delivered and the other reported.
#[test]
fn body_and_destructor_both_panicking_lose_neither() {
    record_reports();
    executor().block_on(async {
        let guard = OnDrop::new(|| panic!("second"));
        let mut polled = poll_fn(move |_| -> Poll<()> {
            let _held_until_the_future_goes = &guard;
            panic!("first")
        });
        let task = spawn(poll_fn(move |cx| std::pin::Pin::new(&mut polled).poll(cx)));
        assert_eq!(panic_of(task.await).message(), "first", "the cause");
    });
    assert_one_report(&["second"]);
}

/// An output whose destructor panics.
#[derive(Debug)]
struct Grenade(#[expect(dead_code, reason = "it is only dropped")] Pin);

#[derive(Debug)]
struct Pin(&'static str);

impl Drop for Pin {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

// SEM-39, C-102: an output whose destructor panics, dropped with its handle: the dropper is not hit.
#[test]
fn output_with_a_panicking_destructor_dropped_unread_is_reported() {
    record_reports();
    let mut executor = executor();
    let kept = executor.spawn(async { Grenade(Pin("kept")) });
    drop(executor.spawn(async { Grenade(Pin("detached")) }));
    run_until_idle(&mut executor);
    assert_one_report(&["Task-2", "detached"]);
    drop(kept);
    assert_one_report(&["Task-1", "kept"]);
    assert_eq!(executor.block_on(async { 7 }), 7);
}

// SEM-39: output and future both have one: the output goes, the future's panic stays.
#[test]
fn output_replaced_by_the_panic_of_its_futures_destructor_is_dropped_once() {
    record_reports();
    let dropped = Rc::new(Cell::new(0));
    executor().block_on(async {
        let (counted, guard) = (dropped.clone(), OnDrop::new(|| panic!("the future")));
        let task = spawn(poll_fn(move |_| {
            let _held_until_the_future_goes = &guard;
            let counted = counted.clone();
            Poll::Ready(Rc::new(OnDrop::new(move || counted.set(counted.get() + 1))))
        }));
        let outcome = task.await.map(|_| ());
        assert_eq!(panic_of(outcome).message(), "the future");
    });
    assert_eq!(dropped.get(), 1);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-41: a panic's message names the task, so a borrow held across an await is found.
#[test]
fn borrow_held_across_an_await_panics_in_the_other_task_which_is_named() {
    record_reports();
    let mut executor = executor();
    let shared = Rc::new(RefCell::new(0));
    let (held, wanted) = (shared.clone(), shared.clone());
    #[expect(clippy::await_holding_refcell_ref, reason = "the mistake that this is about")]
    let holder = executor.spawn(async move {
        let _borrow = held.borrow_mut();
        yield_now().await;
    });
    drop(executor.spawn(async move { *wanted.borrow_mut() += 1 }).named("victim"));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_one_report(&["Task-2 `victim`", "already"]);
    assert!(executor.block_on(holder).is_ok(), "the loop survives");
}

// SEM-5: named, reported, and main's value stands.
#[test]
fn task_left_by_main_and_failing_at_the_shutdown_is_reported_by_name() {
    record_reports();
    let value = executor().block_on(async {
        let guard = OnDrop::new(|| panic!("it will not go quietly"));
        drop(spawn(hold_for_ever(guard)).named("leftover"));
        yield_now().await;
        7
    });
    assert_eq!(value, 7);
    assert_one_report(&["`leftover`", "it will not go quietly"]);
}

// F26, SEM-382: a logger is user code: one that panics kills neither the loop nor the next report.
#[test]
fn logger_panicking_while_it_is_told_of_a_panic_leaves_the_loop_in_order() {
    record_reports();
    let mut executor = executor();
    let kept = executor.spawn(bomb(7, "the destructor fails"));
    drop(executor.spawn(async { panic!("detached") }));
    let_the_logger_fail(true);
    run_until_idle(&mut executor);
    drop(kept);
    let_the_logger_fail(false);
    assert_eq!((executor.statistics().tasks, executor.statistics().slots), (0, 0));
    drop(executor.spawn(async { panic!("the next one") }));
    run_until_idle(&mut executor);
    assert_one_report(&["Task-3", "the next one"]);
}

// C-103: the borrow is found out in the task that comes second, by name; the others and the loop go on.
#[test]
fn borrow_held_over_an_await_panics_in_the_other_task_by_name() {
    record_reports();
    let shared = Rc::new(RefCell::new(0));
    let mut executor = executor();
    let (held, came_second) = executor.block_on(async {
        let (first, second) = (shared.clone(), shared.clone());
        #[expect(clippy::await_holding_refcell_ref, reason = "the mistake that is shown here")]
        let holds = spawn(async move {
            let mut borrow = first.borrow_mut();
            yield_now().await;
            *borrow += 1;
        });
        let borrows = spawn(async move { *second.borrow_mut() += 10 }).named("second");
        (holds.await, borrows.await)
    });
    assert!(held.is_ok());
    let panic = panic_of(came_second);
    assert!(panic.to_string().starts_with("Task-2 `second`, spawned at "), "{panic}");
    assert!(panic.message().contains("already"), "{panic}");
    assert_eq!(*shared.borrow(), 1);
    assert_eq!(take_reports(), [""; 0], "it was joined");
}
