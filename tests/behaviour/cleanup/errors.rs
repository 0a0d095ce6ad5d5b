//! What fails is told once, to whoever can deal with it; else it is said through the log.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lone_executor::cleanup::{BoxError, CleanupErrors, adopt};
use lone_executor::{Cancelled, JoinError, Panic, spawn, yield_now};
use lone_sync::{AsyncClose, Scope, finally, using};

use super::{cancelled_after, drop_by_select, used};
use crate::help::{
    OnDrop, Trace, assert_one_report, executor, hold_for_ever, record_reports, run_until_idle,
    take_reports,
};

/// Its close fails with this.
struct Failing(&'static str);

impl AsyncClose for Failing {
    type Error = BoxError;

    async fn close(self) -> Result<(), BoxError> {
        yield_now().await;
        Err(self.0.into())
    }
}

/// Uses resources whose closes fail, the last one innermost, and waits for ever meanwhile.
async fn hold_failing(names: &'static [&'static str]) {
    match names.split_first() {
        None => pending().await,
        Some((name, inner)) => {
            let inner = Box::pin(hold_failing(inner));
            used(Failing(name), inner).await;
        }
    }
}

/// The cancel of a task.
#[track_caller]
fn cancelled<T: fmt::Debug>(outcome: Result<T, JoinError>) -> Cancelled {
    match outcome {
        Err(JoinError::Cancelled(cancelled)) => cancelled,
        other => panic!("it was cancelled, not {other:?}"),
    }
}

fn words(errors: &CleanupErrors) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

// F7: where the body has ended, its output comes with the error.
#[test]
fn close_that_fails_after_its_body_gives_the_error_with_the_output() {
    let error = executor().block_on(async {
        let closed = using(Failing("no answer"), async |_| 7).await;
        closed.expect_err("the close fails")
    });
    assert_eq!((error.output, error.error.to_string().as_str()), (7, "no answer"));
    assert!(format!("{error:?}").contains("no answer"));
    assert!(error.to_string().contains("no answer"), "{error}");
}

// SEM-67, F7: both reach the joiner: that it was cancelled, and what failed then.
#[test]
fn cleanups_that_fail_come_with_the_cancel_of_their_task() {
    record_reports();
    executor().block_on(async {
        let task = spawn(hold_failing(&["outer", "inner"]));
        yield_now().await;
        task.cancel("enough");
        let cancelled = cancelled(task.await);
        assert_eq!(cancelled.reason().to_string(), "enough");
        assert_eq!(words(cancelled.cleanup_errors()), ["inner", "outer"]);
        assert!(Error::source(&cancelled).is_some_and(|error| error.to_string() == "inner"));
        assert!(cancelled.to_string().ends_with("cleanup failed: inner; outer"), "{cancelled}");
    });
    assert_eq!(take_reports(), [""; 0], "it was read");
}

// SEM-67, F7: a scope's own, with its reason.
#[test]
fn cleanups_that_fail_come_with_the_cancel_of_their_scope() {
    record_reports();
    executor().block_on(async {
        let scope = Scope::new();
        let cancel = scope.clone();
        drop(spawn(async move { cancel.cancel("enough") }));
        let cancelled = scope.run(hold_failing(&["one"])).await.expect_err("it was cancelled");
        assert_eq!(words(cancelled.cleanup_errors()), ["one"]);
        assert!(Error::source(&cancelled).is_some_and(|error| error.to_string() == "one"));
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F7: a panic is one of them, by its type; and its words are there.
#[test]
fn cleanup_that_panics_is_among_the_errors_as_a_panic() {
    executor().block_on(async {
        let task = spawn(finally(pending::<()>(), async { panic!("no farewell") }));
        yield_now().await;
        task.cancel("enough");
        let cancelled = cancelled(task.await);
        let error = cancelled.cleanup_errors().first().expect("there is one");
        let panic = error.downcast_ref::<Panic>().expect("it panicked");
        assert!(panic.to_string().contains("no farewell"), "{panic}");
    });
}

// F7: a destructor that panics after its cleanup has run, too.
#[test]
fn cleanup_whose_destructor_panics_is_among_the_errors() {
    executor().block_on(async {
        let task = spawn(async {
            let _guard = OnDrop::new(|| {
                let bomb = OnDrop::new(|| panic!("its destructor"));
                adopt(std::future::poll_fn(move |_| {
                    let _held_until_it_goes = &bomb;
                    std::task::Poll::Ready(Err("the first".into()))
                }));
            });
            pending::<()>().await;
        });
        yield_now().await;
        task.cancel("enough");
        let cancelled = cancelled(task.await);
        let words = words(cancelled.cleanup_errors());
        assert_eq!((words.len(), words[0].as_str()), (2, "the first"));
        assert!(words[1].contains("its destructor"), "{words:?}");
    });
}

// F7: in the order in which they occurred, also those of scopes within, one by one.
#[test]
fn errors_of_inner_scopes_are_counted_one_by_one() {
    executor().block_on(async {
        let scope = Scope::new();
        let cancel = scope.clone();
        drop(spawn(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            cancel.cancel("enough");
        }));
        // It drains when the outer one is cancelled, and is one entry of that.
        let inner = async {
            let scope = Scope::new();
            scope.cancel("the inner one");
            drop(scope.run(hold_failing(&["2", "1"])).await);
        };
        let outer = using(Failing("3"), async |_| inner.await);
        let cancelled = scope.run(outer).await.expect_err("it was cancelled");
        assert_eq!(words(cancelled.cleanup_errors()), ["1", "2", "3"]);
        assert_eq!(cancelled.cleanup_errors().len(), 3);
    });
}

// F7: nobody has an error to go with: it is said once, with the scope.
#[test]
fn cleanup_that_fails_though_the_body_of_its_scope_ended_well_is_said_once() {
    record_reports();
    executor().block_on(async {
        let body = async {
            drop_by_select(hold_failing(&["lost connection"])).await;
            7
        };
        assert_eq!(Scope::new().run(body).await.expect("nobody cancels it"), 7);
    });
    assert_one_report(&["ERROR lone::cleanup: a scope at", "errors.rs:", "lost connection"]);
}

// F7: the same of a task, and its value stands.
#[test]
fn cleanup_that_fails_though_its_task_ended_well_is_said_once() {
    record_reports();
    executor().block_on(async {
        let task = spawn(async {
            drop_by_select(hold_failing(&["lost connection"])).await;
            7
        });
        assert_eq!(task.named("client").await.expect("it ends well"), 7);
    });
    assert_one_report(&["lone::cleanup: Task-1 `client`", "errors.rs:", "lost connection"]);
}

// F7: what failed before the body was cancelled goes with the cancel, too.
#[test]
fn cleanup_that_failed_while_the_body_went_on_comes_with_a_later_cancel() {
    record_reports();
    executor().block_on(async {
        let task = spawn(async {
            drop_by_select(hold_failing(&["early"])).await;
            pending::<()>().await;
        });
        for _ in 0..8 {
            yield_now().await;
        }
        task.cancel("enough");
        assert_eq!(words(cancelled(task.await).cleanup_errors()), ["early"]);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F7: a panic stays the outcome; what failed of the cleanups is said.
#[test]
fn cleanup_that_fails_after_a_panic_is_said_once() {
    record_reports();
    executor().block_on(async {
        let task = spawn(async {
            let body = using(Failing("lost connection"), async |_| panic!("the body fails"));
            body.await.is_ok()
        });
        let error = task.await.expect_err("it panics");
        assert!(error.is_panic() && error.to_string().contains("the body fails"), "{error}");
    });
    assert_one_report(&["lone::cleanup: Task-1", "lost connection"]);
}

// F7: main has nobody who joins it.
#[test]
fn cleanup_of_main_that_fails_is_said_once() {
    record_reports();
    executor().block_on(drop_by_select(hold_failing(&["after main"])));
    assert_one_report(&["lone::cleanup: main: cleanup failed: after main"]);
    executor().block_on(async {
        drop_by_select(hold_failing(&["while main runs"])).await;
        for _ in 0..8 {
            yield_now().await;
        }
        assert_one_report(&["main: cleanup failed: while main runs"]);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-5, SEM-41, F7: nobody joins it, so that it is said when its outcome goes; as a panic is.
#[test]
fn cleanup_that_fails_in_a_cancelled_task_that_nobody_joins_is_said_once() {
    record_reports();
    let mut executor = executor();
    let task = executor.spawn(hold_failing(&["lost connection"])).named("client");
    run_until_idle(&mut executor);
    task.cancel("enough");
    drop(task);
    run_until_idle(&mut executor);
    assert_one_report(&["lone::cleanup: Task-1 `client`", "lost connection"]);
    drop(executor.spawn(hold_failing(&["at the shutdown"])).named("server"));
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_one_report(&["`server`", "at the shutdown"]);
}

/// An error that cannot be put into words, and does not go quietly; it counts its drops.
struct Unspeakable(Arc<AtomicUsize>);

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl fmt::Debug for Unspeakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unspeakable")
    }
}

impl Error for Unspeakable {}

impl Drop for Unspeakable {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if !std::thread::panicking() {
            panic!("the error's destructor");
        }
    }
}

// F26, F7: words and destructors of errors are the user's; the task ends all the same.
#[test]
fn error_of_a_cleanup_that_panics_as_it_is_told_does_not_keep_its_task_from_ending() {
    record_reports();
    let drops = Arc::<AtomicUsize>::default();
    executor().block_on(async {
        let error = Unspeakable(drops.clone());
        let task = spawn(async move {
            let fails = OnDrop::new(move || adopt(async move { Err(error.into()) }));
            drop_by_select(hold_for_ever(fails)).await;
            7
        });
        assert_eq!(task.await.expect("it ends well"), 7);
    });
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_one_report(&["the error of a cleanup", "no words"]);
}

// F7: cleanups of a scope that end well leave no error.
#[test]
fn cleanups_that_end_well_leave_no_error() {
    record_reports();
    executor().block_on(async {
        let trace = Trace::default();
        let said = trace.clone();
        let clean = finally(pending::<()>(), async move { said.say("cleaned") });
        cancelled_after(1, &trace, "scope", clean).await;
        assert_eq!(trace.take(), "cleaned scope-reports");
        let task = spawn(finally(pending::<()>(), async {}));
        yield_now().await;
        task.cancel("enough");
        let cancelled = cancelled(task.await);
        assert!(cancelled.cleanup_errors().is_empty());
        assert_eq!(cancelled.cleanup_errors().len(), 0);
        assert_eq!(cancelled.to_string(), "cancelled: enough");
    });
    assert_eq!(take_reports(), [""; 0]);
}
