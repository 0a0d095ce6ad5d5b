//! Whoever drops, the innermost scope around awaits; and it reports only after that.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lone_executor::cleanup::{Adopter, adopt};
use lone_executor::{JoinError, spawn, yield_now};
use lone_sync::{Scope, TaskGroup, finally, using};

use super::{Resource, cancelled_after, drop_by_select, hold, panic_of, used};
use crate::help::{
    OnDrop, SayOnDrop, Trace, begin, executor, hold_for_ever, record_reports, take_reports,
};

// F4: the code after the select may run first, the end of the task may not.
#[test]
fn using_dropped_by_a_foreign_select_is_closed_before_its_task_counts_as_ended() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            drop_by_select(hold(said.clone(), "r")).await;
            said.say("after-select");
        });
        task.await.expect("it ends well");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "after-select r-begins r-closed joined");
}

// F4: a scope within the task is nearer, so its end waits, and what comes after it in the task.
#[test]
fn using_dropped_by_a_foreign_select_is_awaited_by_the_innermost_scope() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let scope = Scope::new();
            let body = async {
                drop_by_select(hold(said.clone(), "r")).await;
                said.say("body-ends");
                7
            };
            assert_eq!(scope.run(body).await.expect("nobody cancels it"), 7);
            said.say("scope-reports");
        });
        task.await.expect("it ends well");
    });
    assert_eq!(trace.take(), "body-ends r-begins r-closed scope-reports");
}

// F4: main is one, too; its value comes out after them.
#[test]
fn using_dropped_by_a_foreign_select_in_main_is_closed_before_the_run_returns() {
    let trace = Trace::default();
    let value = executor().block_on(async {
        drop_by_select(hold(trace.clone(), "r")).await;
        drop_by_select(hold(trace.clone(), "q")).await;
        trace.say("main-ends");
        7
    });
    trace.say("returned");
    assert_eq!(value, 7);
    assert_eq!(trace.take(), "main-ends r-begins r-closed q-begins q-closed returned");
}

// F4: what a body owns still when it is ready goes with it, within its scope.
#[test]
fn using_that_a_finished_body_still_owns_is_awaited_by_its_own_scope() {
    let trace = Trace::default();
    executor().block_on(async {
        let mut held = Box::pin(hold(trace.clone(), "r"));
        let body = poll_fn(move |cx| {
            assert!(held.as_mut().poll(cx).is_pending());
            Poll::Ready(7)
        });
        assert_eq!(Scope::new().run(body).await.expect("nobody cancels it"), 7);
        trace.say("reported");
    });
    assert_eq!(trace.take(), "r-begins r-closed reported");
}

// F4: a scope that drains is dropped by the one around, which goes on waiting in its place.
#[test]
fn scope_dropped_while_it_drains_passes_its_cleanups_to_the_one_around() {
    let trace = Trace::default();
    executor().block_on(async {
        let inner = cancelled_after(1, &trace, "inner", hold(trace.clone(), "r"));
        cancelled_after(3, &trace, "outer", inner).await;
    });
    assert_eq!(trace.take(), "r-begins r-closed outer-reports");
}

// F4: three deep: each of the inner two drains when the next one strikes.
#[test]
fn scopes_three_deep_dropped_by_the_outermost_are_all_awaited_by_it() {
    let trace = Trace::default();
    executor().block_on(async {
        let body = async {
            let slow = Resource::new(&trace, "a").with_awaits(20);
            let held = using(slow, async |_| pending::<()>().await);
            let innermost = cancelled_after(1, &trace, "innermost", held);
            let b = using(Resource::new(&trace, "b"), async |_| innermost.await);
            let middle = cancelled_after(4, &trace, "middle", b);
            used(Resource::new(&trace, "c"), middle).await;
        };
        cancelled_after(8, &trace, "outermost", body).await;
    });
    assert_eq!(
        trace.take(),
        "a-begins a-closed b-begins b-closed c-begins c-closed outermost-reports"
    );
}

// F4, SEM-4: nothing but the loop is around.
#[test]
fn using_dropped_by_the_shutdown_is_closed_before_the_loop_has_ended() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    for name in ["a", "b"] {
        drop(executor.spawn(hold(trace.clone(), name)));
    }
    crate::help::run_until_idle(&mut executor);
    executor.shutdown();
    trace.say("ended");
    assert_eq!(trace.take(), "a-begins b-begins a-closed b-closed ended");
    assert_eq!(executor.statistics().slots, 0);
    assert_eq!(take_reports(), [""; 0]);
}

// F4: the panic of a body waits for its cleanups, and then it is the outcome.
#[test]
fn body_that_panics_is_cleaned_up_before_its_task_tells_the_panic() {
    let trace = Trace::default();
    executor().block_on(async {
        let body = using(Resource::new(&trace, "r"), async |_| {
            yield_now().await;
            panic!("the body fails");
        });
        let task = spawn(async move { body.await.is_ok() });
        let error = task.await.expect_err("it panics");
        trace.say("joined");
        assert!(error.to_string().contains("the body fails"), "{error}");
    });
    assert_eq!(trace.take(), "r-begins r-closed joined");
}

// F4, SEM-20: main's own, before the caller sees the panic.
#[test]
fn main_that_panics_is_cleaned_up_before_its_caller_sees_the_panic() {
    let (mut executor, trace) = (executor(), Trace::default());
    let text = panic_of(|| {
        executor.block_on(async {
            let scope = Scope::new();
            let body = using(Resource::new(&trace, "inner"), async |_| {
                yield_now().await;
                panic!("main fails");
            });
            let run = scope.run(async move { body.await.is_ok() });
            used(Resource::new(&trace, "outer"), run).await;
        });
    });
    assert_eq!(text, "main fails");
    // The scope has begun to clean up when the panic passes it; it is one entry of main's.
    assert_eq!(trace.take(), "inner-begins inner-closed outer-begins outer-closed");
    assert_eq!(executor.statistics().tasks, 0);
}

// F4, SEM-39: a destructor's panic is the outcome, and stops no cleanup.
#[test]
fn destructor_that_panics_as_a_scope_drops_its_body_loses_no_cleanup() {
    let trace = Trace::default();
    executor().block_on(async {
        let (said, scope) = (trace.clone(), Scope::new());
        let cancel = scope.clone();
        let task = spawn(async move {
            let _outer = SayOnDrop(said.clone(), "outer-gone");
            let body = async {
                let _after = OnDrop::new(|| panic!("a destructor fails"));
                hold(said.clone(), "r").await;
            };
            used(Resource::new(&said, "q"), scope.run(body)).await;
        });
        yield_now().await;
        cancel.cancel("enough");
        let error = task.await.expect_err("it panics");
        assert!(error.to_string().contains("a destructor fails"), "{error}");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "outer-gone r-begins r-closed q-begins q-closed joined");
}

// F4: a cleanup that panics is an error of its scope, and the next one runs.
#[test]
fn cleanup_that_panics_does_not_stop_the_next() {
    let trace = Trace::default();
    executor().block_on(async {
        let failing = finally(hold_for_ever(()), async { panic!("the cleanup fails") });
        let task = spawn({
            let outer = Resource::new(&trace, "r");
            async move { used(outer, failing).await }
        });
        yield_now().await;
        task.cancel("enough");
        let Err(JoinError::Cancelled(cancelled)) = task.await else { panic!("it was cancelled") };
        assert_eq!(cancelled.cleanup_errors().len(), 1);
        assert!(cancelled.to_string().contains("the cleanup fails"), "{cancelled}");
    });
    assert_eq!(trace.take(), "r-begins r-closed");
}

// F4: a cleanup is a scope as any: what it leaves is awaited before the next one begins.
#[test]
fn cleanup_of_a_cleanup_comes_before_the_next_cleanup() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let inner = finally(hold_for_ever(()), async move {
            said.say("cleanup-begins");
            drop_by_select(hold(said.clone(), "nested")).await;
            said.say("cleanup-ends");
        });
        let held = using(Resource::new(&trace, "r"), async |_| inner.await);
        cancelled_after(1, &trace, "scope", held).await;
    });
    assert_eq!(
        trace.take(),
        "cleanup-begins cleanup-ends nested-begins nested-closed r-begins r-closed scope-reports"
    );
}

// F4: children of a group have adopters of their own.
#[test]
fn children_of_a_group_that_is_dropped_clean_up_side_by_side() {
    let trace = Trace::default();
    executor().block_on(async {
        let group = TaskGroup::<&str>::run(async |group| {
            for name in ["a", "b"] {
                let held = hold(trace.clone(), name);
                drop(group.spawn(async move {
                    held.await;
                    Ok::<(), &str>(())
                }));
            }
            pending::<Result<(), &str>>().await
        });
        let held = using(Resource::new(&trace, "r"), async |_| group.await);
        cancelled_after(2, &trace, "scope", held).await;
    });
    let said = "a-begins b-begins a-closed b-closed r-begins r-closed scope-reports";
    assert_eq!(trace.take(), said);
}

// F4: the same by hand: one that is only collected begins when somebody waits for it.
#[test]
fn cleanups_collected_by_a_scope_begin_when_they_are_awaited() {
    let trace = Trace::default();
    executor().block_on(async {
        let here = std::panic::Location::caller();
        let mut adopter = Adopter::new();
        let mut held = Box::pin(hold(trace.clone(), "r"));
        begin(&mut held).await;
        adopter.collect("a test", here, || drop(held));
        assert!(!adopter.is_idle());
        for _ in 0..5 {
            yield_now().await;
        }
        trace.say("not-yet");
        let errors = poll_fn(|cx| adopter.poll_empty(cx)).await;
        assert!(errors.is_empty() && adopter.is_idle());
        trace.say("empty");
    });
    assert_eq!(trace.take(), "not-yet r-begins r-closed empty");
}

// F4: polled by a combinator of another crate, with a waker of that crate.
#[test]
fn scope_that_drains_within_a_foreign_combinator_is_woken_through_its_waker() {
    let trace = Trace::default();
    executor().block_on(async {
        let scopes: FuturesUnordered<_> = ["a", "b"]
            .map(|name| Box::pin(cancelled_after(2, &trace, name, hold(trace.clone(), name))))
            .into_iter()
            .collect();
        assert_eq!(scopes.count().await, 2);
    });
    assert_eq!(trace.take(), "a-begins b-begins a-closed b-closed a-reports b-reports");
}

// F4: by hand, from any destructor; in the order in which they were handed over.
#[test]
fn adopt_in_a_destructor_hands_a_future_to_the_scope_around() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = |what: &'static str| {
            let trace = trace.clone();
            OnDrop::new(move || {
                adopt(async move {
                    yield_now().await;
                    trace.say(what);
                    Ok(())
                });
            })
        };
        let body = hold_for_ever((say("first"), say("second")));
        cancelled_after(1, &trace, "scope", body).await;
    });
    assert_eq!(trace.take(), "first second scope-reports");
}

// ----- unpolled -------------------------------------------------------------------------------------

// F4, SEM-55: the body never runs, but what it was given is closed, innermost first.
#[test]
fn using_that_was_never_polled_is_closed_when_it_is_dropped() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let body = async move { said.say("never") };
        let said = trace.clone();
        let inner = finally(body, async move { said.say("inner-cleanup") });
        let said = trace.clone();
        let outer = finally(inner, async move { said.say("outer-cleanup") });
        let held = using(Resource::new(&trace, "r"), async |_| pending::<()>().await);
        let task = spawn(async move {
            outer.await;
            held.await.ok();
        });
        task.cancel("changed my mind");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "inner-cleanup outer-cleanup r-begins r-closed joined");
}

// F4: nor where a scope is dropped before its first poll.
#[test]
fn scope_that_was_never_polled_leaves_its_cleanups_to_the_one_around() {
    let trace = Trace::default();
    executor().block_on(async {
        let body = async {
            let scope = Scope::new();
            drop(scope.run(using(Resource::new(&trace, "r"), async |_| ())));
            trace.say("dropped");
        };
        assert!(Scope::new().run(body).await.is_ok());
        trace.say("reported");
    });
    assert_eq!(trace.take(), "dropped r-begins r-closed reported");
}

// ----- who is around --------------------------------------------------------------------------------

/// A future that whoever likes may poll, or drop.
type Shared = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

async fn poll_shared(shared: Shared) {
    poll_fn(|cx| {
        let mut taken = shared.take();
        let polled = match taken.as_mut() {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Pending,
        };
        if polled.is_pending() {
            shared.replace(taken);
        }
        polled
    })
    .await;
}

// F4: dropped by another task than the one that has polled it: the one that drops awaits.
#[test]
fn using_dropped_by_another_task_is_awaited_by_that_one() {
    let trace = Trace::default();
    executor().block_on(async {
        let held: Pin<Box<dyn Future<Output = ()>>> = Box::pin(hold(trace.clone(), "r"));
        let shared = Rc::new(RefCell::new(Some(held)));
        let polls = spawn(poll_shared(shared.clone()));
        yield_now().await;
        let drops = spawn(async move { drop(shared.take()) });
        drops.await.expect("it ends well");
        trace.say("dropper-joined");
        polls.cancel("nothing is left");
        assert!(polls.await.is_err());
    });
    assert_eq!(trace.take(), "r-begins r-closed dropper-joined");
}

// F4, SEM-38: what a task's output hands over when it is discarded is the loop's, and is awaited too.
#[test]
fn cleanup_handed_over_by_an_output_that_nobody_wants_runs_in_the_loop() {
    let (mut executor, trace) = (executor(), Trace::default());
    let said = trace.clone();
    let task = executor.spawn(async move {
        OnDrop::new(move || {
            adopt(async move {
                yield_now().await;
                said.say("cleaned-up");
                Ok(())
            });
        })
    });
    drop(task);
    assert_eq!(crate::help::run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "cleaned-up");
}

// F4: a scope on the stack, pinned and dropped by its own function.
#[test]
fn scope_pinned_on_the_stack_hands_on_when_its_function_returns() {
    let trace = Trace::default();
    executor().block_on(async {
        let body = async {
            let scope = Scope::new();
            {
                let mut run = pin!(scope.run(hold(trace.clone(), "r")));
                begin(&mut run).await;
            }
            trace.say("function-goes-on");
        };
        assert!(Scope::new().run(body).await.is_ok());
        trace.say("reported");
    });
    assert_eq!(trace.take(), "function-goes-on r-begins r-closed reported");
}
