//! Scopes: a part of a task that is stopped, and the code after it goes on.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use lone_executor::{JoinError, Source, current_task, spawn, yield_now};
use lone_sync::{Scope, Semaphore, finally, gather, race};

use crate::help::{
    OnDrop, SayOnDrop, Trace, begin, executor, hold_for_ever, poll_once, run_until_idle,
    take_reports,
};

// SEM-68, SEM-71: it is dropped where it waits, and the code after it goes on.
#[test]
fn body_of_a_cancelled_scope_is_dropped_where_it_waits_and_its_task_goes_on() {
    let trace = Trace::default();
    executor().block_on(async {
        let (scope, said) = (Scope::new(), trace.clone());
        let inside = scope.clone();
        let task = spawn(async move {
            let run = inside.run(hold_for_ever(SayOnDrop(said.clone(), "dropped"))).await;
            said.say(run.expect_err("it was cancelled").reason().to_string());
            yield_now().await;
            said.say("goes-on");
            7
        });
        yield_now().await;
        assert!(scope.cancel("enough"));
        trace.say("asked");
        assert_eq!(task.await.expect("the task was not cancelled"), 7);
    });
    assert_eq!(trace.take(), "asked dropped enough goes-on");
}

// SEM-63: first reason, source, and who asked.
#[test]
fn cancel_of_a_scope_tells_the_first_reason_and_who_gave_it() {
    executor().block_on(async {
        let scope = Scope::new();
        let cancel = scope.clone();
        let asks = spawn(async move {
            assert!(cancel.cancel("first") && !cancel.cancel("second"));
            current_task()
        });
        let why = scope.run(pending::<()>()).await.expect_err("it was cancelled");
        assert_eq!(why.reason().to_string(), "first");
        assert_eq!((why.by(), why.source()), (asks.await.expect("it ends well"), Source::Explicit));
        assert!(scope.is_cancelled());
    });
}

// SEM-76: a body that ends keeps its output; nothing leaks to the code after.
#[test]
fn body_that_ends_without_waiting_keeps_its_output_though_the_scope_is_cancelled() {
    executor().block_on(async {
        let scope = Scope::new();
        let inside = scope.clone();
        let run = scope.run(async move {
            inside.cancel("by myself");
            ready(()).await;
            7
        });
        assert_eq!(run.await, Ok(7));
        yield_now().await; // is not stopped
        assert!(scope.is_cancelled() && !scope.cancel("too late"));
    });
}

// SEM-56: one that cancels its own scope goes on to its next await that has to wait.
#[test]
fn body_that_cancels_its_own_scope_is_stopped_at_its_next_await() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let (inside, said) = (scope.clone(), trace.clone());
        let run = scope.run(async move {
            inside.cancel("by myself");
            said.say("still-here");
            yield_now().await;
            said.say("never");
        });
        assert!(run.await.is_err());
    });
    assert_eq!(trace.take(), "still-here");
}

// SEM-75: it runs to its first suspension, and is stopped there.
#[test]
fn scope_cancelled_before_it_is_entered_stops_its_body_at_its_first_suspension() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        assert!(scope.cancel("before"));
        let said = trace.clone();
        let mut run = Box::pin(scope.run(async move {
            said.say("began");
            yield_now().await;
            said.say("never");
        }));
        assert!(poll_once(&mut run).0.is_ready(), "within its first poll");
    });
    assert_eq!(trace.take(), "began");
}

// SEM-58: once asked for it beats a permit that was granted in the same turn; that passes on.
#[test]
fn cancel_of_a_scope_beats_a_permit_granted_in_the_same_turn() {
    let trace = Trace::default();
    executor().block_on(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let (scope, said) = (Scope::new(), trace.clone());
        let (cancel, wanted) = (scope.clone(), semaphore.clone());
        let first = spawn(async move {
            let run = scope.run(async {
                drop(wanted.acquire().await);
                said.say("never");
            });
            assert!(run.await.is_err());
        });
        let (wanted, said) = (semaphore.clone(), trace.clone());
        let second = spawn(async move {
            drop(wanted.acquire().await);
            said.say("second");
        });
        yield_now().await;
        semaphore.add_permits(1);
        cancel.cancel("enough");
        first.await.expect("its scope was cancelled, not the task");
        second.await.expect("it ends well");
    });
    assert_eq!(trace.take(), "second");
}

// SEM-70: everything inside goes, innermost first; children of combinators, too.
#[test]
fn cancel_of_an_outer_scope_drops_all_that_is_inside() {
    let trace = Trace::default();
    executor().block_on(async {
        let (outer, inner) = (Scope::new(), Scope::new());
        let cancel = outer.clone();
        drop(spawn(async move { cancel.cancel("enough") }));
        let body = async {
            let _outer = SayOnDrop(trace.clone(), "outer");
            let children = ["a", "b"].map(|name| hold_for_ever(SayOnDrop(trace.clone(), name)));
            drop(inner.run(gather(children)).await);
            trace.say("never");
        };
        assert!(outer.run(body).await.is_err());
        assert!(!inner.is_cancelled(), "it was dropped");
        assert!(!inner.cancel("too late"), "and has ended with that");
    });
    assert_eq!(trace.take(), "a b outer");
}

// SEM-71: the inner one reports, and the outer one goes on.
#[test]
fn cancel_of_an_inner_scope_leaves_the_outer_one_running() {
    let trace = Trace::default();
    executor().block_on(async {
        let (outer, inner) = (Scope::new(), Scope::new());
        let cancel = inner.clone();
        drop(spawn(async move { cancel.cancel("the inner one") }));
        let body = async {
            let run = inner.run(pending::<()>()).await;
            trace.say(run.expect_err("it was cancelled").reason().to_string());
            yield_now().await;
            "outer"
        };
        assert_eq!(outer.run(body).await, Ok("outer"));
        assert!(!outer.is_cancelled());
    });
    assert_eq!(trace.take(), "the inner one");
}

// SEM-70, SEM-71: both in the same turn: the outer one reports, whichever was asked first.
#[test]
fn cancel_of_both_scopes_in_one_turn_is_reported_by_the_outer_one() {
    for outer_first in [true, false] {
        executor().block_on(async {
            let (outer, inner) = (Scope::new(), Scope::new());
            let (cancel_outer, cancel_inner) = (outer.clone(), inner.clone());
            drop(spawn(async move {
                if outer_first {
                    cancel_outer.cancel("outer");
                }
                cancel_inner.cancel("inner");
                cancel_outer.cancel("outer");
            }));
            let run = outer.run(async { inner.run(pending::<()>()).await });
            let why = run.await.expect_err("the outer one was cancelled");
            assert_eq!(why.reason().to_string(), "outer");
        });
    }
}

// SEM-77: a second entry panics, says what to do, and disturbs nothing.
#[test]
fn scope_entered_a_second_time_panics_and_disturbs_nothing() {
    executor().block_on(async {
        let scope = Scope::new();
        let body = async {
            let mut again = Box::pin(scope.run(async { 8 }));
            let polled = catch_unwind(AssertUnwindSafe(|| poll_once(&mut again).0.is_ready()));
            let text = *polled.expect_err("it panics").downcast::<&str>().expect("text");
            assert!(text.contains("entered once"), "{text}");
            drop(again);
            assert!(scope.cancel("it runs on, and can be cancelled"));
            yield_now().await;
        };
        assert!(scope.run(body).await.is_err());
        let ended = Scope::new();
        assert_eq!(ended.run(async { 7 }).await, Ok(7));
        let again = ended.run(async { 8 });
        let task = spawn(again).await.expect_err("it panics");
        assert!(task.to_string().contains("entered once"), "{task}");
    });
    take_reports();
}

// SEM-53: nothing is dropped inside the call, whoever calls: a destructor, another task, main.
#[test]
fn cancel_of_a_scope_runs_nothing_of_it_inside_the_call() {
    let (mut executor, trace) = (executor(), Trace::default());
    let scope = Scope::new();
    let run = scope.run(hold_for_ever(SayOnDrop(trace.clone(), "dropped")));
    let task = executor.spawn(async move { drop(run.await) });
    run_until_idle(&mut executor);
    let (cancel, said) = (scope.clone(), trace.clone());
    let guard = OnDrop::new(move || {
        assert!(cancel.cancel("by a destructor"));
        said.say("asked");
    });
    // Between two turns, so that the loop is told through its inbox.
    drop(guard);
    assert_eq!(trace.take(), "asked");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "dropped");
    assert!(task.is_finished());
}

// SEM-48: the cancel wakes whoever has polled it last.
#[test]
fn scope_that_has_moved_to_another_task_is_stopped_there() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let mut run = Box::pin(scope.run(hold_for_ever(SayOnDrop(trace.clone(), "dropped"))));
        begin(&mut run).await;
        let task = spawn(run);
        yield_now().await;
        scope.cancel("enough");
        assert!(task.await.expect("it ends well").is_err());
    });
    assert_eq!(trace.take(), "dropped");
}

// SEM-256: one that is dropped unfinished has ended; its cancel wakes nobody.
#[test]
fn scope_that_was_dropped_has_ended_and_cannot_be_cancelled() {
    executor().block_on(async {
        let scope = Scope::new();
        let mut run = Box::pin(scope.run(pending::<()>()));
        let (_, counter) = poll_once(&mut run);
        drop(run);
        assert!(!scope.cancel("too late"));
        assert_eq!(counter.wakes(), 0);
        // One that was never polled was never entered.
        let scope = Scope::default();
        drop(scope.run(pending::<()>()));
        assert!(scope.cancel("before"));
        assert!(scope.run(pending::<()>()).await.is_err());
    });
}

// SEM-40: a panic of the body goes on, and the scope has ended.
#[test]
fn body_that_panics_ends_its_scope_and_the_panic_goes_on() {
    executor().block_on(async {
        let scope = Scope::new();
        let inside = scope.clone();
        let task = spawn(async move {
            let run = inside.run(async {
                yield_now().await;
                panic!("the body fails");
            });
            drop::<Result<(), _>>(run.await);
        });
        assert!(task.await.is_err_and(|error| error.is_panic()));
        assert!(!scope.cancel("too late"));
    });
}

// SEM-68: a task's own cancel passes through: no scope can swallow it.
#[test]
fn cancel_of_a_task_drops_its_scopes_and_is_not_swallowed() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let run = Scope::new().run(hold_for_ever(SayOnDrop(said.clone(), "dropped"))).await;
            said.say(format!("never: {run:?}"));
        });
        yield_now().await;
        task.cancel("the task");
        assert!(matches!(task.await, Err(JoinError::Cancelled(_))));
    });
    assert_eq!(trace.take(), "dropped");
}

// SEM-413: an arm of a race, as anything.
#[test]
fn scope_that_loses_a_race_ends_with_it() {
    executor().block_on(async {
        let scope = Scope::new();
        let loser = async { scope.run(pending::<()>()).await.is_ok() };
        let arms: [std::pin::Pin<Box<dyn Future<Output = bool>>>; 2] =
            [Box::pin(loser), Box::pin(async { true })];
        assert!(race(arms).await);
        assert!(!scope.cancel("too late"));
    });
}

// SEM-65: cleanups that run when the scope is stopped do not see the cancel.
#[test]
fn cleanup_within_a_cancelled_scope_runs_to_its_end_before_the_scope_reports() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let cancel = scope.clone();
        drop(spawn(async move { cancel.cancel("enough") }));
        let said = trace.clone();
        let body = finally(pending::<()>(), async move {
            for step in ["1", "2", "3"] {
                yield_now().await;
                said.say(step);
            }
        });
        assert!(scope.run(body).await.is_err());
        trace.say("reports");
    });
    assert_eq!(trace.take(), "1 2 3 reports");
}
