//! Shields: work that goes on when the one who waits for it goes away.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use lone_executor::{JoinError, Source, spawn, yield_now};
use lone_sync::{Scope, finally, gather, shield};

use crate::help::{
    Flag, SayOnDrop, Trace, assert_one_report, executor, hold_for_ever, poll_once, record_reports,
    run_until_idle, take_reports,
};

// SEM-163: without a cancel it is the future's own value.
#[test]
fn shield_that_nobody_cancels_gives_the_value() {
    executor().block_on(async {
        let value = shield(async {
            yield_now().await;
            Err::<u8, _>("its own error")
        });
        assert_eq!(value.await.expect("it is not cancelled"), Err("its own error"));
    });
}

// SEM-164: one that has ended is ready at its first poll.
#[test]
fn shield_of_something_that_has_ended_is_ready_at_once() {
    executor().block_on(async {
        let mut ended = shield(async { 7 });
        yield_now().await;
        assert!(matches!(poll_once(&mut ended).0, std::task::Poll::Ready(Ok(7))));
    });
}

// SEM-165, SEM-168: the waiter ends at its next turn; the work goes on unaware, and silently.
#[test]
fn waiter_that_is_cancelled_leaves_the_shielded_work_running() {
    record_reports();
    let trace = Trace::default();
    executor().block_on(async {
        let (go, said) = (Flag::default(), trace.clone());
        let waits = go.clone();
        let waiter = spawn(async move {
            let work = shield(async move {
                waits.wait().await;
                said.say("work-ends");
            });
            drop(work.await);
        });
        for _ in 0..3 {
            yield_now().await;
        }
        waiter.cancel("enough");
        assert!(waiter.await.is_err());
        trace.say("waiter-ended");
        go.set();
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(trace.take(), "waiter-ended work-ends");
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-166: cancelled itself, it is a value for whoever waits.
#[test]
fn shielded_work_that_is_cancelled_itself_is_an_error_for_its_waiter() {
    executor().block_on(async {
        let work = shield(pending::<()>());
        assert!(work.handle().cancel("in spite of the shield"));
        let Err(JoinError::Cancelled(why)) = work.await else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "in spite of the shield");
    });
}

// SEM-167: it fails when nobody waits any more: reported once.
#[test]
fn shielded_work_that_fails_after_its_waiter_has_gone_is_reported_once() {
    record_reports();
    let (mut executor, go) = (executor(), Flag::default());
    let waits = go.clone();
    let waiter = executor.spawn(async move {
        let work = shield(async move {
            waits.wait().await;
            panic!("the work fails");
        });
        drop::<Result<(), _>>(work.await);
    });
    run_until_idle(&mut executor);
    waiter.cancel("enough");
    run_until_idle(&mut executor);
    assert_eq!(take_reports(), [""; 0]);
    go.set();
    run_until_idle(&mut executor);
    assert_one_report(&["`shield`", "the work fails"]);
}

// SEM-169: all children, or each one.
#[test]
fn shielded_gather_and_gathered_shields_go_on_without_their_waiter() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = |name: &'static str| {
            let said = trace.clone();
            async move {
                for _ in 0..5 {
                    yield_now().await;
                }
                said.say(name);
            }
        };
        let scope = Scope::new();
        let shielded = shield(gather([say("a"), say("b")]));
        let shields = gather([shield(say("c")), shield(say("d"))]);
        let waiter = spawn(async move { drop(lone_sync::gather([shielded]).await) });
        yield_now().await;
        waiter.cancel("enough");
        scope.cancel("enough");
        assert!(scope.run(shields).await.is_err());
        trace.say("waiters-ended");
        for _ in 0..8 {
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), "waiters-ended a b c d");
}

// SEM-170: nobody has to keep it: the loop does.
#[test]
fn shielded_work_that_nobody_awaits_runs_to_its_end() {
    let (mut executor, trace) = (executor(), Trace::default());
    let said = trace.clone();
    drop(executor.spawn(async move {
        drop(shield(async move {
            yield_now().await;
            said.say("ended");
        }));
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "ended");
}

// SEM-171: the shutdown cancels it as any task, and waits for its cleanup.
#[test]
fn shielded_work_is_cancelled_and_cleaned_up_by_the_shutdown() {
    let (mut executor, trace) = (executor(), Trace::default());
    let said = trace.clone();
    let place = Rc::new(Cell::new(None));
    let left = place.clone();
    executor.block_on(async move {
        let body = hold_for_ever(SayOnDrop(said.clone(), "dropped"));
        let work = shield(finally(body, async move {
            yield_now().await;
            said.say("cleaned-up");
        }));
        left.set(Some(work.into_handle()));
    });
    run_until_idle(&mut executor);
    executor.shutdown();
    assert_eq!(trace.take(), "dropped cleaned-up");
    let mut work = place.take().expect("it is there");
    let Some(Err(JoinError::Cancelled(why))) = work.try_join() else {
        panic!("it was cancelled");
    };
    assert_eq!(why.source(), Source::Shutdown);
}

// SEM-165: the scope around the waiter does not wait for it either.
#[test]
fn scope_that_drops_a_shield_reports_at_once() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        scope.cancel("enough");
        let said = trace.clone();
        let body = async {
            let work = shield(async move {
                for _ in 0..3 {
                    yield_now().await;
                }
                said.say("work-ends");
            });
            drop(work.await);
        };
        assert!(scope.run(body).await.is_err());
        trace.say("reports");
        for _ in 0..5 {
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), "reports work-ends");
}
