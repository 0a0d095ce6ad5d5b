//! Handles that own their task, and joins from other threads: they wait for cleanups as well.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use lone_executor::{CancelOnDrop, JoinError, RemoteJoin, Source, spawn, yield_now};
use lone_sync::{Scope, finally, gather, race};

use super::{cancelled_after, drop_by_select, hold};
use crate::help::{
    SharedFlag, Trace, assert_one_report, executor, executor_with, lock, record_reports,
    run_until_idle, take_reports,
};

// SEM-59: whoever owns a task ends after it, its cleanups included.
#[test]
fn scope_that_drops_the_owner_of_a_task_reports_after_the_tasks_cleanups() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn(hold(trace.clone(), "r"));
        let owner = task.cancel_on_drop();
        yield_now().await;
        cancelled_after(1, &trace, "scope", owner).await;
    });
    assert_eq!(trace.take(), "r-begins r-closed scope-reports");
}

// SEM-97: of a task that gathers them.
#[test]
fn task_that_gathers_tasks_of_its_own_ends_when_they_have_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let owned = ["a", "b"].map(|name| spawn(hold(trace.clone(), name)).cancel_on_drop());
        let gatherer = spawn(gather(owned));
        yield_now().await;
        yield_now().await;
        gatherer.cancel("enough");
        assert!(gatherer.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a-begins b-begins a-closed b-closed joined");
}

// SEM-413: the loser of a race is awaited by the scope around it.
#[test]
fn task_that_loses_a_race_is_awaited_by_the_scope_around() {
    let trace = Trace::default();
    executor().block_on(async {
        let loser = spawn(hold(trace.clone(), "r")).cancel_on_drop();
        let winner = spawn(async { yield_now().await }).cancel_on_drop();
        let body = async {
            assert!(race([loser, winner]).await.is_ok());
            trace.say("race-returns");
        };
        assert!(Scope::new().run(body).await.is_ok());
        trace.say("scope-reports");
    });
    assert_eq!(trace.take(), "race-returns r-begins r-closed scope-reports");
}

// F7: what went wrong in the task's end is the scope's to tell.
#[test]
fn owned_task_that_fails_as_it_is_dropped_is_an_error_of_the_scope() {
    record_reports();
    executor().block_on(async {
        let scope = Scope::new();
        let guard = crate::help::OnDrop::new(|| panic!("its destructor"));
        let owned = [
            spawn(finally(pending::<()>(), async { panic!("no farewell") })).cancel_on_drop(),
            spawn(crate::help::hold_for_ever(guard)).cancel_on_drop(),
        ];
        yield_now().await;
        let cancel = scope.clone();
        drop(spawn(async move { cancel.cancel("enough") }));
        let cancelled = scope.run(gather(owned)).await.expect_err("it was cancelled");
        let errors = cancelled.cleanup_errors();
        let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(words[0].contains("no farewell") && words[1].contains("its destructor"));
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F7: it could never end: a task that drops its own handle is cancelled, and that is all.
#[test]
fn task_that_owns_itself_ends() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let place = Rc::new(RefCell::new(None::<CancelOnDrop<()>>));
        let (own, said) = (place.clone(), trace.clone());
        let task = spawn(async move {
            let _own = own.take();
            hold(said, "r").await;
        });
        place.replace(Some(task.cancel_on_drop()));
        for _ in 0..2 {
            yield_now().await;
        }
    });
    executor.shutdown();
    assert_eq!(trace.take(), "r-begins r-closed");
    assert_eq!(take_reports(), [""; 0], "it does not wait for itself");
}

// SEM-27: where no loop runs there is nobody to await it: it is cancelled, and ends by itself.
#[test]
fn owner_dropped_between_two_turns_cancels_its_task_and_reports_nothing() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let owner = executor.spawn(hold(trace.clone(), "r")).cancel_on_drop();
    run_until_idle(&mut executor);
    drop(owner);
    assert_eq!(trace.take(), "");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "r-begins r-closed");
    assert_eq!(take_reports(), [""; 0]);
}

// ----- from other threads ---------------------------------------------------------------------------

/// A resource whose close waits for the flag, and says so in the flag of the other side.
async fn close_slowly(closing: SharedFlag, go: SharedFlag) {
    closing.set();
    go.wait().await;
}

// SEM-38, F4: a thread hears of the end of its task when the cleanups have run.
#[test]
fn thread_that_cancels_its_task_hears_of_the_end_after_the_cleanups() {
    let (closing, go) = (SharedFlag::default(), SharedFlag::default());
    executor().block_on(async {
        let remote = lone_executor::remote();
        let joined = {
            let (closing, go) = (closing.clone(), go.clone());
            remote.spawn(move || finally(pending::<()>(), close_slowly(closing, go)))
        };
        let joined = joined.expect("the loop lives");
        yield_now().await;
        yield_now().await;
        assert!(joined.cancel("no longer needed"));
        closing.wait().await;
        for _ in 0..5 {
            yield_now().await;
        }
        assert!(!joined.is_finished(), "it is cleaning up");
        assert!(joined.cancel("again"), "it has not ended");
        go.set();
        let Err(JoinError::Cancelled(why)) = joined.await else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "no longer needed");
        assert_eq!(why.source(), Source::Explicit);
    });
}

// SEM-67: with what failed of them; and where it ended well, or nobody is left, that is said.
#[test]
fn thread_whose_task_fails_to_clean_up_hears_of_it() {
    record_reports();
    executor().block_on(async {
        let remote = lone_executor::remote();
        let fails = || finally(pending::<()>(), async { panic!("no farewell") });
        let joined = remote.spawn(fails).expect("the loop lives");
        yield_now().await;
        yield_now().await;
        joined.cancel("enough");
        let Err(JoinError::Cancelled(why)) = joined.await else { panic!("it was cancelled") };
        assert_eq!(why.cleanup_errors().len(), 1);
        assert_eq!(take_reports(), [""; 0]);

        let ends_well = move || async move {
            drop_by_select(fails()).await;
            7
        };
        let joined = remote.spawn(ends_well).expect("the loop lives");
        assert_eq!(joined.await.expect("it ends well"), 7);
        assert_one_report(&["a task from another thread", "owned.rs:", "no farewell"]);

        let joined = remote.spawn(fails).expect("the loop lives");
        yield_now().await;
        yield_now().await;
        joined.cancel("enough");
        drop(joined);
        for _ in 0..8 {
            yield_now().await;
        }
        assert_one_report(&["a task from another thread", "no farewell"]);
    });
}

// SEM-4, F4: also where the shutdown ends it.
#[test]
fn thread_whose_task_is_ended_by_the_shutdown_hears_of_it_after_the_cleanups() {
    let mut executor = executor();
    let place = Arc::new(Mutex::new(None::<RemoteJoin<()>>));
    let told = Arc::new(Mutex::new(Vec::new()));
    let (join, seen) = (place.clone(), told.clone());
    let joined = executor.remote().spawn(move || {
        finally(pending::<()>(), async move {
            for _ in 0..5 {
                let finished = lock(&join).as_ref().map(RemoteJoin::is_finished);
                lock(&seen).push(finished);
                yield_now().await;
            }
        })
    });
    lock(&place).replace(joined.expect("the loop lives"));
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(*lock(&told), [Some(false); 5], "not before the cleanup has run");
    let joined = lock(&place).take().expect("it is there");
    let outcome = joined.wait().map_err(|error| error.to_string());
    assert_eq!(outcome, Err("cancelled: the loop is shutting down".to_owned()));
}

// SEM-7: the grace is over: nobody waits any longer, the thread neither.
#[test]
fn thread_whose_task_does_not_end_within_the_grace_is_told() {
    record_reports();
    let grace = Some(std::time::Duration::ZERO);
    let mut executor =
        executor_with(lone_executor::Settings { grace, ..lone_executor::Settings::default() });
    let told = {
        let remote = executor.remote();
        thread::spawn(move || {
            let joined = remote.spawn(|| finally(pending::<()>(), pending()));
            joined.expect("the loop lives").wait().is_err()
        })
    };
    while executor.statistics().tasks == 0 {
        executor.turn(None).expect("the park works");
    }
    run_until_idle(&mut executor);
    executor.shutdown();
    assert!(told.join().expect("it ends well"));
    take_reports();
}
