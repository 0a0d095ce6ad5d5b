//! A close that has begun goes on where it was, whoever polls it.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{spawn, yield_now};
use lone_sync::{AsyncClose, Scope, gather, using};

use super::{Bell, Resource, cancelled_after, used};
use crate::help::{Trace, executor};

/// Its close is this future.
struct ClosedBy(Pin<Box<dyn Future<Output = ()>>>);

impl ClosedBy {
    fn new(close: impl Future<Output = ()> + 'static) -> ClosedBy {
        ClosedBy(Box::pin(close))
    }
}

impl AsyncClose for ClosedBy {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        self.0.await;
        Ok(())
    }
}

/// Each step once, whatever interrupts it.
async fn steps(trace: Trace, count: u32) {
    for step in 1..=count {
        yield_now().await;
        trace.say(step.to_string());
    }
}

// F6: whenever the cancel comes, each step is done once, in order, and the rest after the cancel.
#[test]
fn close_that_is_dropped_half_way_goes_on_where_it_was() {
    for turns in 0..12 {
        let trace = Trace::default();
        executor().block_on(async {
            let close = ClosedBy::new(steps(trace.clone(), 6));
            let scope = Scope::new();
            let mut run = Box::pin(scope.run(using(close, async |_| yield_now().await)));
            let mut ended = false;
            for _ in 0..turns {
                if !ended {
                    ended = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_ready())).await;
                }
                yield_now().await;
            }
            assert_eq!(scope.cancel("enough"), !ended);
            if !ended {
                drop(run.await);
            }
            assert_eq!(trace.take(), "1 2 3 4 5 6", "cancelled after {turns} turns");
        });
    }
}

// F6: the steps after the cancel are those of a cleanup: the cancel does not reach them.
#[test]
fn close_of_a_task_that_is_cancelled_half_way_is_finished_before_the_task_is() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let close = ClosedBy::new(steps(said.clone(), 6));
            used(close, async { said.say("body-ends") }).await;
            said.say("never");
        });
        for _ in 0..3 {
            yield_now().await;
        }
        trace.say("cancel");
        assert!(task.cancel("enough"));
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "body-ends 1 2 cancel 3 4 5 6 joined");
}

// F6, SEM-48: it waits with the waker of its new task from then on.
#[test]
fn close_that_is_dropped_half_way_is_woken_in_its_new_place() {
    let (bell, polls) = (Bell::default(), Rc::new(Cell::new(0)));
    executor().block_on(async {
        let (rung, counted) = (bell.clone(), polls.clone());
        let close = ClosedBy::new(poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            rung.poll(cx)
        }));
        let task = spawn(async move { used(close, ready(())).await });
        yield_now().await;
        assert_eq!(polls.get(), 1);
        task.cancel("enough");
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!((polls.get(), task.is_finished()), (2, false));
        bell.ring();
        assert!(task.await.is_err());
        assert_eq!(polls.get(), 3);
    });
}

// F6, F24: its children move with it, though the task that polled them first has gone.
#[test]
fn close_that_gathers_and_is_dropped_half_way_takes_its_children_along() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let children = ["a", "b"].map(|name| {
            let said = trace.clone();
            async move {
                for _ in 0..4 {
                    yield_now().await;
                }
                said.say(name);
            }
        });
        let close = ClosedBy::new(async move { drop(gather(children).await) });
        let task = spawn(async move { used(close, ready(())).await });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a b joined");
    assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
}

// F6: dropped a second time, by the scope around the one that has adopted it, it goes on as well.
#[test]
fn close_whose_scope_is_dropped_too_goes_on_where_it_was() {
    let trace = Trace::default();
    executor().block_on(async {
        let close = ClosedBy::new(steps(trace.clone(), 9));
        let used = using(close, async |_| ());
        let inner = cancelled_after(2, &trace, "inner", used);
        let held = using(Resource::new(&trace, "r"), async |_| inner.await);
        cancelled_after(5, &trace, "outer", held).await;
    });
    assert_eq!(trace.take(), "1 2 3 4 5 6 7 8 9 r-begins r-closed outer-reports");
}

// F6: a panic of a close that nobody has dropped is the user's, and it is not closed again.
#[test]
fn close_that_panics_is_not_adopted() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let close = ClosedBy::new(async move {
                yield_now().await;
                said.say("fails");
                panic!("the close fails")
            });
            used(close, ready(())).await;
        });
        let error = task.await.expect_err("it panics");
        assert!(error.to_string().contains("the close fails"), "{error}");
    });
    assert_eq!(trace.take(), "fails");
}

// F6: one that has not begun owns its resource until then: dropped before that, it is begun once.
#[test]
fn body_dropped_at_its_await_has_its_close_begun_once() {
    let trace = Trace::default();
    executor().block_on(async {
        let held = using(Resource::new(&trace, "r"), async |resource| {
            resource.trace.say("used");
            pending::<()>().await;
        });
        cancelled_after(3, &trace, "scope", held).await;
    });
    assert_eq!(trace.take(), "used r-begins r-closed scope-reports");
}
