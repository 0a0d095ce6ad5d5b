//! Errors that nobody reads: said once where that was asked for, and never otherwise.

use std::cell::Cell;
use std::fmt;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{JoinError, JoinHandle, spawn, yield_now};
use lone_sync::{ReturnWhen, gather, join, race, wait};

use crate::help::{
    OnDrop, assert_one_report, executor, hold_for_ever, record_reports, run_until_idle,
    take_reports,
};

type Outcome = Result<u8, &'static str>;

/// A task that fails, and reports it.
#[track_caller]
fn failing() -> JoinHandle<Outcome> {
    spawn(async { Err("no such thing") }).reporting()
}

// SEM-41, F12: at that moment, once, with name, spawn line and error.
#[test]
fn detached_task_that_fails_is_reported_at_once_with_name_line_and_error() {
    record_reports();
    let mut executor = executor();
    let task = executor.spawn(async { Err::<(), _>(std::io::Error::other("the disk is full")) });
    drop(task.named("upload").reporting());
    assert_eq!(take_reports(), [""; 0]);
    executor.turn(None).expect("the park works");
    assert_one_report(&[
        "ERROR lone::task: Task-1 `upload`, spawned at tests/behaviour/reporting.rs:",
        ", ended with an error: the disk is full; nobody has joined it",
    ]);
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "and not again");
}

// SEM-41, F12: the last owner decides.
#[test]
fn handle_of_a_failed_task_dropped_unread_reports_in_that_moment() {
    record_reports();
    let mut executor = executor();
    let task = executor.spawn(async { Err::<(), _>("unread") }).reporting();
    run_until_idle(&mut executor);
    assert!(task.is_finished());
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "somebody may still read it");
    drop(task);
    assert_one_report(&["Task-1, spawned", "unread"]);
}

// F12: nobody has asked for it, and the loop cannot know.
#[test]
fn task_that_fails_without_reporting_is_not_reported() {
    record_reports();
    let mut executor = executor();
    drop(executor.spawn(async { Err::<(), _>("unseen") }));
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-42: neither success nor a cancel is worth a word, nor a shutdown.
#[test]
fn reporting_tasks_ended_well_or_cancelled_report_nothing() {
    record_reports();
    let mut executor = executor();
    let good = executor.spawn(async { Ok::<_, &str>(7) }).reporting();
    let cancelled = executor.spawn(pending::<Outcome>()).reporting();
    cancelled.cancel("enough");
    run_until_idle(&mut executor);
    drop((good, cancelled));
    drop(executor.spawn(pending::<Outcome>()).reporting());
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-43: seen is seen, however it was seen.
#[test]
fn error_seen_by_whoever_reads_it_is_never_reported() {
    record_reports();
    executor().block_on(async {
        assert_eq!(failing().await.expect("it was not stopped"), Err("no such thing"));
        let mut tried = failing();
        yield_now().await;
        assert!(matches!(tried.try_join(), Some(Ok(Err(_)))));
        let gathered = gather([failing(), failing()]).await;
        assert!(gathered.iter().all(|outcome| matches!(outcome, Ok(Err(_)))));
        let (joined, ()) = join!(failing(), async {});
        assert!(matches!(joined, Ok(Err(_))));
        assert!(matches!(race([failing()]).await, Ok(Err(_))));
        let waited = wait([failing()], ReturnWhen::AllCompleted).await;
        for mut task in waited.done {
            assert!(matches!(task.try_join(), Some(Ok(Err(_)))));
        }
        let owned = failing().cancel_on_drop();
        assert!(matches!(owned.await, Ok(Err(_))));
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-41, SEM-43: to look is not to read.
#[test]
fn error_that_was_only_peeked_at_is_reported() {
    record_reports();
    executor().block_on(async {
        let task = failing();
        yield_now().await;
        assert!(matches!(task.peek(), Some(Ok(Err(_)))));
        assert_eq!(take_reports(), [""; 0]);
        drop(task);
        assert_one_report(&["no such thing"]);
    });
}

fn buy() -> Outcome {
    panic!("out of cheese")
}

// SEM-41: a panic is reported as a panic, and once.
#[test]
fn reporting_task_that_panics_is_reported_as_panicked() {
    record_reports();
    let mut executor = executor();
    drop(executor.spawn(async { buy() }).reporting());
    run_until_idle(&mut executor);
    assert_one_report(&["panicked: out of cheese"]);
}

// SEM-39, SEM-41: the panic of the destructor is the outcome, and the error is not lost.
#[test]
fn error_of_a_task_whose_destructor_panics_is_reported_in_its_place() {
    record_reports();
    executor().block_on(async {
        let guard = OnDrop::new(|| panic!("the destructor fails"));
        let task = spawn(poll_fn(move |_| {
            let _held_until_the_future_goes = &guard;
            Poll::Ready(Err::<(), _>("the error before"))
        }));
        let outcome = task.reporting().await;
        assert!(matches!(outcome, Err(JoinError::Panicked(_))), "{outcome:?}");
        assert_one_report(&["ended with an error: the error before"]);
    });
}

/// An error whose Display runs a closure.
struct Odd<F: Fn()>(F);

impl<F: Fn()> fmt::Display for Odd<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        f.write_str("odd")
    }
}

// SEM-41, F26: Display is user code: it may use the loop, and panic.
#[test]
fn error_whose_display_spawns_or_panics_harms_nobody() {
    record_reports();
    let ran = Rc::new(Cell::new(false));
    executor().block_on(async {
        let runs = ran.clone();
        let spawning = move || {
            let runs = runs.clone();
            drop(spawn(async move { runs.set(true) }));
        };
        drop(spawn(async { Err::<(), _>(Odd(spawning)) }).reporting());
        yield_now().await;
        assert_one_report(&["ended with an error: odd"]);
        yield_now().await;
        assert!(ran.get(), "what it has spawned runs");
        let panicking = || panic!("its Display fails");
        drop(spawn(async move { Err::<(), _>(Odd(panicking)) }).reporting());
        yield_now().await;
        let reports = take_reports();
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert!(reports[0].contains("its Display has panicked"), "{reports:?}");
        assert!(reports[1].contains("panicked: its Display fails"), "{reports:?}");
        assert_eq!(spawn(async { 8 }).await.expect("the loop goes on"), 8);
    });
}

// SEM-44: a closed loop has refused it: there is no error.
#[test]
fn reporting_task_that_a_closed_loop_refuses_reports_nothing() {
    record_reports();
    let mut executor = executor();
    executor.shutdown();
    let mut refused = executor.spawn(async { Err::<(), _>("never") }).reporting();
    assert!(matches!(refused.try_join(), Some(Err(JoinError::LoopClosed))));
    drop(refused);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-41: also where the handle is set aside and the loop ends before.
#[test]
fn error_owned_by_a_task_that_is_dropped_is_reported_once() {
    record_reports();
    let mut executor = executor();
    let task = executor.spawn(async { Err::<(), _>("kept by another") }).reporting();
    drop(executor.spawn(hold_for_ever(task)));
    run_until_idle(&mut executor);
    assert_eq!(take_reports(), [""; 0]);
    drop(executor);
    assert_one_report(&["kept by another"]);
}
