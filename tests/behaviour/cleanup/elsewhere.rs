//! Scopes that are kept, forgotten or moved, and what is dropped where its loop does not run.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use lone_executor::cleanup::{Adopter, BoxError};
use lone_executor::{Executor, spawn, yield_now};
use lone_sync::{AsyncClose, Scope, using};
use lone_tests::bounded_park::BoundedPark;

use super::{Resource, drop_by_select, hold, panic_of, used};
use crate::help::{
    Trace, assert_one_report, begin, executor, poll_once, record_reports, run_until_idle,
    take_reports,
};

/// A scope whose body has been stopped, and which drains; what it is boxed for.
type Draining = Pin<Box<dyn Future<Output = ()>>>;

/// Polls until its cleanups have begun, in the task that runs.
async fn draining(body: impl Future + 'static) -> Draining {
    let scope = Scope::new();
    let cancel = scope.clone();
    let mut run: Draining = Box::pin(async move { assert!(scope.run(body).await.is_err()) });
    let mut poll = async || poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending())).await;
    assert!(poll().await);
    cancel.cancel("enough");
    assert!(poll().await);
    // The cancel has woken this task, ahead of the runner.
    yield_now().await;
    yield_now().await;
    run
}

/// A resource whose close fails.
struct Failing;

impl AsyncClose for Failing {
    type Error = BoxError;

    async fn close(self) -> Result<(), Self::Error> {
        Err("no farewell".into())
    }
}

fn statistics(executor: &Executor<BoundedPark>) -> (usize, usize) {
    (executor.statistics().tasks, executor.statistics().slots)
}

// F4: a runner is a task: nobody has to poll its scope.
#[test]
fn scope_that_is_kept_and_not_polled_is_cleaned_up_all_the_same() {
    let trace = Trace::default();
    executor().block_on(async {
        let kept = draining(hold(trace.clone(), "r")).await;
        for _ in 0..6 {
            yield_now().await;
        }
        trace.say("polled-again");
        kept.await;
        trace.say("reports");
    });
    assert_eq!(trace.take(), "r-begins r-closed polled-again reports");
}

// F4: the same of one that nobody will ever poll or drop; nothing waits for it.
#[test]
fn scope_that_is_forgotten_while_it_drains_is_cleaned_up_all_the_same() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        std::mem::forget(draining(hold(trace.clone(), "r")).await);
        trace.say("main-ends");
    });
    assert_eq!(trace.take(), "r-begins main-ends");
    executor.shutdown();
    assert_eq!(trace.take(), "r-closed");
    assert_eq!(statistics(&executor), (0, 0));
}

// F4, SEM-48: polled by another task from then on: that one is woken at the end.
#[test]
fn scope_that_drains_and_moves_to_another_task_is_awaited_there() {
    let trace = Trace::default();
    executor().block_on(async {
        let slow = Resource::new(&trace, "r").with_awaits(6);
        let mut moved = draining(using(slow, async |_| pending::<()>().await)).await;
        begin(&mut moved).await;
        spawn(moved).await.expect("it ends well");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "r-begins r-closed joined");
}

// F4: it was dropped in a task that owns it by an Rc: whoever drops the last one awaits.
#[test]
fn scope_shared_by_tasks_is_awaited_by_whoever_drops_it_last() {
    let trace = Trace::default();
    executor().block_on(async {
        let slow = Resource::new(&trace, "r").with_awaits(6);
        let shared = Rc::new(draining(using(slow, async |_| pending::<()>().await)).await);
        let (first, second) = (shared.clone(), shared);
        spawn(async move { drop(first) }).await.expect("it ends well");
        trace.say("first");
        spawn(async move { drop(second) }).await.expect("it ends well");
        trace.say("second");
    });
    assert_eq!(trace.take(), "r-begins first r-closed second");
}

// ----- between two turns, and in the loop of a host -------------------------------------------------

// F9, F4: a host's loop runs them in its turns, and says when all is done.
#[test]
fn cleanups_of_a_guest_loop_run_in_its_turns() {
    let (mut executor, trace) = (executor(), Trace::default());
    let task = executor.spawn(hold(trace.clone(), "r"));
    assert_eq!(run_until_idle(&mut executor), 1);
    task.cancel("enough");
    let mut turns = 0;
    while executor.turn(None).expect("the park works").tasks > 0 {
        turns += 1;
        assert!(turns < 10, "it ends");
    }
    assert!(task.is_finished());
    assert_eq!(trace.take(), "r-begins r-closed");
}

// F4: one that drains, dropped between two turns: the loop goes on with it, and says what failed.
#[test]
fn scope_dropped_between_two_turns_while_it_drains_is_cleaned_up_by_the_loop() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let held = hold(trace.clone(), "r");
    let failing = async move { used(Failing, held).await };
    let kept = executor.block_on(draining(failing));
    drop(kept);
    trace.say("dropped");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "r-begins dropped r-closed");
    assert_one_report(&["main: cleanup failed: no farewell"]);
}

// F7: one that does not drain yet has nobody to run its cleanups then.
#[test]
fn scope_dropped_between_two_turns_before_it_drains_drops_its_resources() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let mut run = Box::pin(Scope::new().run(hold(trace.clone(), "r")));
    executor.block_on(begin(&mut run));
    drop(run);
    assert_eq!(trace.take(), "r-lost");
    assert_one_report(&["dropped unrun"]);
}

// ----- two loops of one thread ----------------------------------------------------------------------

// F22, F4: what drains goes on in its own loop, though it is dropped in another's turn.
#[test]
fn scope_dropped_in_another_loop_while_it_drains_goes_on_in_its_own() {
    let (mut home, mut other, trace) = (executor(), executor(), Trace::default());
    let kept = home.block_on(draining(hold(trace.clone(), "r")));
    other.block_on(async {
        let scope = Scope::new();
        assert!(scope.run(async move { drop(kept) }).await.is_ok());
        trace.say("other-reports");
    });
    assert_eq!(run_until_idle(&mut home), 0);
    assert_eq!(trace.take(), "r-begins other-reports r-closed");
    assert_eq!(statistics(&other), (0, 0));
}

// F22, F7: a scope that drains is polled in its own loop only.
#[test]
fn scope_polled_in_another_loop_while_it_drains_panics_with_advice() {
    let (mut home, mut other, trace) = (executor(), executor(), Trace::default());
    let kept = Rc::new(RefCell::new(Some(home.block_on(draining(hold(trace.clone(), "r"))))));
    let moved = kept.clone();
    let text = panic_of(|| other.block_on(async move { moved.take().expect("it is there").await }));
    assert!(text.contains("outside of the loop") && text.contains("await it there"), "{text}");
    assert_eq!(run_until_idle(&mut home), 0);
    assert_eq!(trace.take(), "r-begins r-closed");
}

// F22, F4: one that has moved adopts where it is; what it had before goes on where it was.
#[test]
fn scope_that_moves_to_another_loop_with_cleanups_running_adopts_there() {
    record_reports();
    let (mut home, mut other, trace) = (executor(), executor(), Trace::default());
    let here = std::panic::Location::caller();
    let scope = Rc::new(RefCell::new(Adopter::new()));
    let adopts = async |name: &'static str| {
        let mut held = Box::pin(hold(trace.clone(), name));
        begin(&mut held).await;
        scope.borrow_mut().run("a test", here, || drop(held));
    };
    home.block_on(async {
        adopts("a").await;
        yield_now().await;
    });
    // A queue of the other loop's that has the same place as the scope's in its own.
    other.block_on(async {
        let taken = trace.clone();
        let busy = spawn(async move { drop_by_select(hold(taken, "bystander")).await });
        yield_now().await;
        yield_now().await;
        adopts("b").await;
        let errors = poll_fn(|cx| scope.borrow_mut().poll_empty(cx)).await;
        assert!(errors.is_empty());
        trace.say("reports");
        busy.await.expect("it ends well");
    });
    let said = trace.take();
    assert!(said.contains("b-begins") && !said.contains("lost"), "{said}");
    let at = |what| said.find(what).unwrap_or_else(|| panic!("{what} is in {said}"));
    assert!(at("b-closed") < at("reports"), "{said}");
    assert_eq!(run_until_idle(&mut home), 0);
    assert_eq!(trace.take(), "a-closed");
    assert_eq!(take_reports(), [""; 0]);
}

// F22: a turn of another loop within a scope's body: each loop's cleanups are its own.
#[test]
fn turn_of_another_loop_within_a_scope_leaves_that_loops_cleanups_to_it() {
    let (mut outer, inner, trace) = (executor(), executor(), Trace::default());
    let inner = Rc::new(RefCell::new(inner));
    let said = trace.clone();
    let task = inner.borrow().spawn(async move {
        drop_by_select(hold(said.clone(), "inner")).await;
    });
    outer.block_on(async {
        let turns = async {
            for _ in 0..3 {
                inner.borrow_mut().turn(Some(std::time::Duration::ZERO)).expect("the park works");
            }
            drop_by_select(hold(trace.clone(), "outer")).await;
        };
        assert!(Scope::new().run(turns).await.is_ok());
        trace.say("outer-reports");
    });
    let said = trace.take();
    assert!(said.ends_with("outer-begins outer-closed outer-reports"), "{said}");
    assert_eq!(run_until_idle(&mut inner.borrow_mut()), 0);
    assert!(task.is_finished());
}

// F7, SEM-48: a waker of somebody else's that polls a scope which drains is woken at its end.
#[test]
fn scope_polled_with_a_foreign_waker_while_it_drains_wakes_that() {
    let trace = Trace::default();
    executor().block_on(async {
        let mut kept = draining(hold(trace.clone(), "r")).await;
        let (polled, counter) = poll_once(&mut kept);
        assert!(polled.is_pending());
        for _ in 0..6 {
            yield_now().await;
        }
        assert_eq!(counter.wakes(), 1);
        assert!(poll_once(&mut kept).0.is_ready());
    });
    assert_eq!(trace.take(), "r-begins r-closed");
}
