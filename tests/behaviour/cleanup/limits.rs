//! Where a cleanup cannot go on: no loop, the end of the grace, deadlocks.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use lone_executor::cleanup::adopt;
use lone_executor::{Executor, JoinError, RunError, Settings, current_task, spawn, yield_now};
use lone_sync::{Event, Scope, Semaphore, finally, using};
use lone_tests::bounded_park::BoundedPark;

use super::{Resource, cancelled_after, drop_by_select, hold, panic_of, used};
use crate::help::{
    OnDrop, PATIENCE, Trace, assert_one_report, executor, executor_with, poll_once, record_reports,
    run_until_idle, take_reports,
};

fn executor_with_grace(grace: Duration) -> Executor<BoundedPark> {
    executor_with(Settings { grace: Some(grace), ..Settings::default() })
}

// ----- no loop --------------------------------------------------------------------------------------

// F7: its destructors are all that happens, and it is said, once for each.
#[test]
fn cleanup_handed_over_where_no_loop_runs_is_dropped_unrun_and_that_is_said() {
    record_reports();
    let trace = Trace::default();
    let said = trace.clone();
    let guard = OnDrop::new(move || said.say("destructor"));
    let said = trace.clone();
    adopt(async move {
        let _guard = guard;
        said.say("never");
        Ok(())
    });
    assert_eq!(trace.take(), "destructor");
    assert_one_report(&["WARN lone::cleanup", "dropped unrun"]);
}

// F7: polled by somebody else's executor, or between two runs.
#[test]
fn using_dropped_where_no_loop_runs_drops_its_resource_and_says_so() {
    record_reports();
    let trace = Trace::default();
    let mut held = Box::pin(hold(trace.clone(), "r"));
    assert!(poll_once(&mut held).0.is_pending());
    drop(held);
    assert_eq!(trace.take(), "r-lost");
    assert_one_report(&["dropped unrun"]);

    // A body that ends needs no loop.
    let mut used = Box::pin(using(Resource::new(&trace, "q").with_awaits(0), async |_| 7));
    assert!(matches!(poll_once(&mut used).0, Poll::Ready(Ok(7))));
    drop(used);
    assert_eq!(trace.take(), "q-begins q-closed");
    assert_eq!(take_reports(), [""; 0]);
}

// F7, F26: a destructor that panics there is reported, and hurts nobody.
#[test]
fn cleanup_dropped_unrun_whose_destructor_panics_is_reported() {
    record_reports();
    let bomb = OnDrop::new(|| panic!("its destructor"));
    adopt(async move {
        let _bomb = bomb;
        Ok(())
    });
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert!(reports[1].contains("its destructor"), "{reports:#?}");
}

// F7, F19: at the thread's exit there is no loop any more.
#[test]
fn using_dropped_at_the_exit_of_its_thread_drops_its_resource() {
    thread_local! {
        static LAST: std::cell::RefCell<Option<Box<dyn std::any::Any>>> =
            const { std::cell::RefCell::new(None) };
    }
    let thread = std::thread::spawn(|| {
        let trace = Trace::default();
        let held = Box::pin(hold(trace, "r"));
        LAST.set(Some(Box::new(held)));
        let mut executor = executor();
        executor.block_on(yield_now());
    });
    thread.join().expect("nothing panics as the thread ends");
}

// ----- the end of the grace -------------------------------------------------------------------------

/// A cleanup whose cleanup is one of the same kind: it never ends.
fn adopt_for_ever(trace: Trace) {
    adopt(async move {
        yield_now().await;
        let again = trace.clone();
        let _next = OnDrop::new(move || adopt_for_ever(again));
        trace.say("again");
        yield_now().await;
        Ok(())
    });
}

// SEM-7, F7: it is named, dropped, and what its destructors hand over is refused.
#[test]
fn cleanup_of_a_cleanup_that_never_ends_is_named_and_dropped_after_the_grace() {
    record_reports();
    let mut executor = executor_with_grace(Duration::from_millis(5));
    let trace = Trace::default();
    let said = trace.clone();
    let task = executor.spawn(async move {
        let _guard = OnDrop::new(move || adopt_for_ever(said));
        pending::<()>().await;
    });
    let mut task = task.named("endless");
    run_until_idle(&mut executor);
    executor.shutdown();
    assert!(trace.take().starts_with("again again"), "it had its grace");
    let reports = take_reports();
    let named = |line: &&String| line.contains("cleanup of") && line.contains("is dropped");
    assert!(reports.iter().filter(named).count() >= 2, "{reports:#?}");
    assert!(reports.iter().any(|line| line.contains("`cleanup of Task-1 `endless``")));
    assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled(_)))), "its body was stopped");
}

// SEM-7, SEM-38: without any grace the cleanup is never begun; the task ends, and says so.
#[test]
fn task_whose_cleanup_was_never_begun_when_the_grace_ended_has_ended() {
    record_reports();
    let mut executor = executor_with_grace(Duration::ZERO);
    let trace = Trace::default();
    let mut task = executor.spawn(hold(trace.clone(), "r"));
    run_until_idle(&mut executor);
    task.cancel("enough");
    // One turn stops the body and starts the cleanup, which would be polled in the next.
    executor.turn(Some(Duration::ZERO)).expect("the park works");
    assert!(!task.is_finished());
    executor.shutdown();
    assert_eq!(trace.take(), "r-lost");
    let Some(Err(JoinError::Cancelled(why))) = task.try_join() else {
        panic!("it has ended, cancelled");
    };
    assert_eq!(why.reason().to_string(), "enough");
    let errors = why.cleanup_errors().to_string();
    assert!(errors.contains("never begun") && errors.contains("grace"), "{errors}");
    assert_eq!(executor.statistics().slots, 0);
    assert_one_report(&["`cleanup of Task-1`", "limits.rs:", "is dropped"]);
}

// SEM-7, F7: one that has begun is dropped where it waits; those behind it are never begun.
#[test]
fn cleanup_half_way_at_the_end_of_the_grace_is_dropped_and_told() {
    record_reports();
    let mut executor = executor_with_grace(Duration::ZERO);
    let trace = Trace::default();
    let said = trace.clone();
    let mut task = executor.spawn(async move {
        let never = finally(pending::<()>(), pending());
        used(Resource::new(&said, "r"), never).await;
    });
    run_until_idle(&mut executor);
    task.cancel("enough");
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "");
    executor.shutdown();
    assert_eq!(trace.take(), "r-lost");
    let Some(Err(JoinError::Cancelled(why))) = task.try_join() else {
        panic!("it has ended, cancelled");
    };
    let words: Vec<_> = why.cleanup_errors().iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(words[0].contains("half way") && words[1].contains("never begun"), "{words:?}");
    take_reports();
}

// F7: what is handed over after the grace is refused there and then.
#[test]
fn cleanup_handed_over_after_the_grace_is_dropped_unrun_and_that_is_said() {
    record_reports();
    let mut executor = executor_with_grace(Duration::ZERO);
    let trace = Trace::default();
    drop(executor.spawn(hold(trace.clone(), "r")));
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(trace.take(), "r-lost");
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert!(reports[1].contains("dropped unrun"), "{reports:#?}");
}

/// A task whose cleanup spawns the next generation, down to zero.
fn generation(trace: Trace, left: u32) -> Pin<Box<dyn Future<Output = ()>>> {
    let cleanup = async move {
        yield_now().await;
        trace.say(format!("cleanup-{left}"));
        if left > 0 {
            drop(spawn(generation(trace, left - 1)));
        }
    };
    Box::pin(finally(pending::<()>(), cleanup))
}

// SEM-6, C-95: three generations deep: each is cancelled, before its first poll, and cleaned up.
#[test]
fn tasks_spawned_by_cleanups_at_the_shutdown_are_cleaned_up_in_turn() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    drop(executor.spawn(generation(trace.clone(), 3)));
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(trace.take(), "cleanup-3 cleanup-2 cleanup-1 cleanup-0");
    assert_eq!((executor.statistics().tasks, take_reports().len()), (0, 0));
}

// ----- deadlocks ------------------------------------------------------------------------------------

// F7, SEM-22: whoever cancels holds what the cleanup wants: the report names all of it.
#[test]
fn cleanup_that_wants_what_its_canceller_holds_is_a_deadlock_that_names_it() {
    let semaphore = Rc::new(Semaphore::new(1));
    let wanted = semaphore.clone();
    let ran = executor().try_block_on(async {
        let task = spawn(finally(pending::<()>(), async move {
            drop(wanted.acquire().await);
        }));
        let task = task.named("loser");
        yield_now().await;
        let _permit = semaphore.acquire().await;
        task.cancel("it has lost");
        drop(task.await);
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].ends_with("main awaits the end of Task-1 `loser`"), "{text}");
    assert!(lines[2].contains("Task-1 `loser`, spawned at ") && lines[2].contains("limits.rs:"));
    assert!(lines[2].ends_with("awaits the end of Task-2 `cleanup of Task-1 `loser``"), "{text}");
    assert!(lines[3].contains("Task-2 `cleanup of Task-1 `loser``, spawned at"), "{text}");
    assert!(lines[3].contains("awaits a permit at tests/behaviour/cleanup/limits.rs:"), "{text}");
}

// F7, SEM-31: one that awaits the task that it cleans up for is a cycle, and is shown as one.
#[test]
fn cleanup_that_awaits_its_own_task_is_shown_as_a_cycle() {
    let ran = executor().try_block_on(async {
        let place = Rc::new(std::cell::RefCell::new(None));
        let own = place.clone();
        let task = spawn(finally(pending::<()>(), async move {
            let handle: lone_executor::JoinHandle<()> = own.take().expect("it is there");
            drop(handle.await);
        }));
        place.replace(Some(task));
        yield_now().await;
        place.borrow().as_ref().expect("it is there").cancel("enough");
        pending::<()>().await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    assert_eq!(report.cycle().map(|cycle| cycle.len()), Some(2), "{report}");
}

// F7: at the shutdown a deadlock among cleanups ends the grace at once.
#[test]
fn deadlock_among_cleanups_during_the_shutdown_ends_the_grace_at_once() {
    record_reports();
    let mut executor = executor_with_grace(Duration::from_secs(3600));
    let semaphore = Rc::new(Semaphore::new(0));
    let wanted = semaphore.clone();
    drop(executor.spawn(finally(pending::<()>(), async move {
        drop(wanted.acquire().await);
    })));
    run_until_idle(&mut executor);
    let begin = Instant::now();
    executor.shutdown();
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    let reports = take_reports();
    assert!(reports[0].contains("during shutdown: deadlock"), "{reports:#?}");
    assert!(reports[0].contains("`cleanup of Task-1`"), "{reports:#?}");
    assert!(reports[0].contains("a permit at"), "{reports:#?}");
    let said = reports[1..].join(" ");
    assert!(said.contains("`cleanup of Task-1`") && said.contains("is dropped"), "{reports:#?}");
}

// SEM-22, F7: a main in a deadlock is dropped, and what it leaves is awaited before that is told.
#[test]
fn main_in_a_deadlock_is_cleaned_up_before_the_report_comes_out() {
    let (mut executor, trace) = (executor(), Trace::default());
    let ran = executor.try_block_on(hold(trace.clone(), "r"));
    assert!(matches!(ran, Err(RunError::Deadlock(_))));
    assert_eq!(trace.take(), "r-begins r-closed");
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-22, F7: where its cleanups are in one as well, that is said, and the run returns.
#[test]
fn cleanups_of_main_in_a_deadlock_are_said_and_the_run_returns() {
    record_reports();
    let event = Rc::new(Event::new());
    let waits = event.clone();
    let value = executor().block_on(async {
        drop_by_select(finally(pending::<()>(), async move { waits.wait().await })).await;
        7
    });
    assert_eq!(value, 7);
    let reports = take_reports();
    assert!(reports[0].contains("the cleanups of main have not ended: deadlock"), "{reports:#?}");
    assert!(
        reports[0].contains("`cleanup of main`, spawned at tests/behaviour/cleanup/limits.rs:")
    );
}

// SEM-20: both: the panic comes out, after the cleanups that can end have ended.
#[test]
fn main_that_panics_with_a_stuck_cleanup_panics_all_the_same() {
    record_reports();
    let text = panic_of(|| {
        executor().block_on(async {
            drop_by_select(finally(pending::<()>(), pending())).await;
            panic!("main fails");
        });
    });
    assert_eq!(text, "main fails");
    assert!(take_reports()[0].contains("have not ended: deadlock"));
}

// SEM-22, F14: somebody still cleans up, and may wake the others: no verdict before that is over.
#[test]
fn no_verdict_while_a_cleanup_can_still_go_on() {
    let (mut executor, trace) = (executor(), Trace::default());
    let event = Rc::new(Event::new());
    let sets = event.clone();
    let ran = executor.try_block_on(async {
        let said = trace.clone();
        // It is dropped in the very poll after which everybody waits.
        let cleanup = async move {
            for _ in 0..20 {
                yield_now().await;
            }
            said.say("cleaned-up");
            sets.set();
        };
        let task = spawn(finally(pending::<()>(), cleanup));
        yield_now().await;
        task.cancel("enough");
        event.wait().await;
        trace.say("main-goes-on");
    });
    assert!(ran.is_ok());
    assert_eq!(trace.take(), "cleaned-up main-goes-on");
}

// SEM-22, F14: also where the cleanup was handed over by the verdict's own question.
#[test]
fn no_verdict_when_asking_has_left_a_cleanup() {
    let (mut executor, trace) = (executor(), Trace::default());
    let event = Rc::new(Event::new());
    let sets = event.clone();
    let ran = executor.try_block_on(async {
        let said = trace.clone();
        let (mut held, mut polls) = (Some(Box::pin(hold(trace.clone(), "r"))), 0);
        let mut cleanup = Some(async move {
            said.say("cleaned-up");
            sets.set();
            Ok(())
        });
        // Its second poll is the question: nobody has woken it.
        drop(spawn(poll_fn(move |cx| {
            polls += 1;
            if polls == 1 {
                let polled = held.as_mut().map(|held| held.as_mut().poll(cx));
                assert!(polled.is_some_and(|polled| polled.is_pending()));
            } else {
                held.take();
                cleanup.take().into_iter().for_each(adopt);
            }
            Poll::<()>::Pending
        })));
        event.wait().await;
        trace.say("main-goes-on");
    });
    assert!(ran.is_ok());
    assert_eq!(trace.take(), "r-begins r-closed cleaned-up main-goes-on");
}

// F7, SEM-22: a scope that drains says for what, in a report.
#[test]
fn scope_that_drains_is_shown_with_its_line_and_what_its_cleanup_awaits() {
    let event = Rc::new(Event::new());
    let ran = executor().try_block_on(async {
        let (waits, scope) = (event.clone(), Scope::new());
        scope.cancel("enough");
        let body = finally(pending::<()>(), async move { waits.wait().await });
        assert!(scope.run(body).await.is_err());
        assert_eq!(current_task(), None);
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    let text = report.to_string();
    assert!(text.contains("main awaits the end of Task-1 `cleanup of a scope at tests/"), "{text}");
    assert!(text.contains("awaits an event at tests/behaviour/cleanup/limits.rs:"), "{text}");
}

// F7: nobody can cancel a cleanup; a scope within may be.
#[test]
fn deadlock_of_an_inner_scope_in_a_cleanup_is_left_by_its_cancel() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let cancel = scope.clone();
        let stuck = finally(pending::<()>(), async move {
            assert!(scope.run(pending::<()>()).await.is_err());
        });
        drop(spawn(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            cancel.cancel("takes too long");
        }));
        cancelled_after(1, &trace, "scope", stuck).await;
    });
    assert_eq!(trace.take(), "scope-reports");
}
