//! Innermost first, and one after the other.

use std::future::pending;

use lone_executor::{RunError, spawn, yield_now};
use lone_sync::{Event, Scope, finally, using};

use super::{Resource, cancelled_after, drop_by_select, hold, used};
use crate::help::{Trace, begin, executor};

// F5, SEM-65: a transaction ends before its connection goes back.
#[test]
fn resources_within_one_another_are_closed_innermost_first_when_they_are_dropped() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let innermost = hold(said.clone(), "c");
            let inner = using(Resource::new(&said, "b"), async |_| innermost.await);
            used(Resource::new(&said, "a"), inner).await;
        });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "c-begins c-closed b-begins b-closed a-begins a-closed joined");
}

// F5: and so they are when all goes well.
#[test]
fn resources_within_one_another_are_closed_innermost_first_when_their_bodies_end() {
    let trace = Trace::default();
    let sum = executor().block_on(async {
        let inner = using(Resource::new(&trace, "b"), async |_| {
            yield_now().await;
            1
        });
        let outer = using(Resource::new(&trace, "a"), async |_| {
            inner.await.map(|n| n + 1).map_err(|error| error.output)
        });
        outer.await.map_err(|error| error.output)
    });
    assert_eq!(sum, Ok(Ok(2)));
    assert_eq!(trace.take(), "b-begins b-closed a-begins a-closed");
}

// F5: a pool is not closed while a connection that its body has dropped says goodbye.
#[test]
fn resource_is_closed_when_what_its_body_has_dropped_has_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let pool = using(Resource::new(&trace, "pool"), async |_| {
            let slow = Resource::new(&trace, "conn").with_awaits(3);
            drop_by_select(used(slow, pending::<()>())).await;
            trace.say("body-ends");
        });
        assert!(pool.await.is_ok());
    });
    assert_eq!(trace.take(), "body-ends conn-begins conn-closed pool-begins pool-closed");
}

// F5: what an inner scope has begun is one entry: what is around it waits for all of that.
#[test]
fn queue_of_a_scope_that_is_dropped_is_one_entry_of_its_owners() {
    let trace = Trace::default();
    executor().block_on(async {
        let slow = Resource::new(&trace, "a").with_awaits(10);
        let a = using(slow, async |_| pending::<()>().await);
        let both = using(Resource::new(&trace, "b"), async |_| a.await);
        // Drains when the outer one strikes; its second cleanup has not begun.
        let inner = cancelled_after(1, &trace, "inner", both);
        let c = using(Resource::new(&trace, "c"), async |_| inner.await);
        cancelled_after(5, &trace, "outer", c).await;
    });
    let said = "a-begins a-closed b-begins b-closed c-begins c-closed outer-reports";
    assert_eq!(trace.take(), said);
}

// F5: what comes later waits behind what is there.
#[test]
fn cleanups_of_one_scope_run_in_the_order_in_which_they_were_dropped() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let body = async {
            for name in ["a", "b", "c"] {
                drop_by_select(hold(trace.clone(), name)).await;
            }
        };
        assert!(scope.run(body).await.is_ok());
        trace.say("reported");
    });
    let said = "a-begins a-closed b-begins b-closed c-begins c-closed reported";
    assert_eq!(trace.take(), said);
}

// F5: also where all of those before have run, and the body has gone on.
#[test]
fn scope_that_has_cleaned_up_before_its_body_ended_cleans_up_again() {
    let trace = Trace::default();
    executor().block_on(async {
        let body = async {
            drop_by_select(hold(trace.clone(), "a")).await;
            for _ in 0..8 {
                yield_now().await;
            }
            trace.say("body-goes-on");
            drop_by_select(hold(trace.clone(), "b")).await;
        };
        assert!(Scope::new().run(body).await.is_ok());
        trace.say("reported");
    });
    assert_eq!(trace.take(), "a-begins a-closed body-goes-on b-begins b-closed reported");
}

// F5: the price of that order: two of one scope that wait for one another are a deadlock, by name.
#[test]
fn cleanup_that_waits_for_a_later_one_of_its_scope_is_a_deadlock_by_name() {
    let event = Event::new();
    let set = std::rc::Rc::new(event);
    let (waits, sets) = (set.clone(), set);
    let ran = executor().try_block_on(async {
        let body = async {
            let first = finally(pending::<()>(), async move { waits.wait().await });
            let second = finally(pending::<()>(), async move { sets.set() });
            // Dropped in the order of its fields.
            futures_util::future::join(first, second).await;
        };
        let scope = Scope::new();
        let mut run = Box::pin(scope.run(body));
        begin(&mut run).await;
        scope.cancel("enough");
        drop(run.await);
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    let text = report.to_string();
    assert!(text.contains("`cleanup of a scope at") && text.contains("order.rs:"), "{text}");
    assert!(text.contains("main awaits the end of Task-1"), "{text}");
    assert_eq!(report.waiting()[1].awaits.len(), 1, "{text}");
}
