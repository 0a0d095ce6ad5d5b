//! A task whose body has gone, and which awaits its cleanups: to everybody else it has not ended.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{JoinError, JoinHandle, current_task, spawn, yield_now};
use lone_sync::{Scope, finally};

use super::{Resource, drop_by_select, hold, used};
use crate::help::{Counter, SayOnDrop, Trace, executor, poll_once, run_until_idle};

// SEM-38, SEM-65: nobody sees an outcome before the cleanups have run.
#[test]
fn task_that_closes_has_not_ended_for_whoever_asks() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let mut task = spawn(hold(trace.clone(), "r"));
        yield_now().await;
        assert!(task.cancel("first"));
        yield_now().await;
        for _ in 0..2 {
            trace.say("asked");
            assert!(!task.is_finished());
            assert!(task.peek().is_none());
            assert!(task.try_join().is_none());
            assert!(poll_once(&mut task).0.is_pending());
            assert!(task.cancel("second"), "it has not ended");
            yield_now().await;
        }
        let Err(JoinError::Cancelled(why)) = task.await else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "first");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "asked r-begins asked r-closed joined");
    assert_eq!((executor.statistics().tasks, executor.statistics().slots), (0, 0));
}

// SEM-66: however often it is asked for, and whenever.
#[test]
fn cancel_during_cleanup_does_not_interrupt_it() {
    let trace = Trace::default();
    executor().block_on(async {
        let slow = Resource::new(&trace, "r").with_awaits(10);
        let task = spawn(async move { used(slow, pending::<()>()).await });
        yield_now().await;
        while !task.is_finished() {
            assert!(task.cancel("again"));
            yield_now().await;
        }
        assert!(!task.cancel("too late"));
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    });
    assert_eq!(trace.take(), "r-begins r-closed");
}

// SEM-57, SEM-66: a value that is there stands, whoever cancels meanwhile.
#[test]
fn task_that_closes_with_a_value_keeps_it_though_it_is_cancelled() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            drop_by_select(hold(said.clone(), "r")).await;
            7
        });
        yield_now().await;
        yield_now().await;
        task.cancel("too late");
        assert_eq!(task.await.expect("its body had ended well"), 7);
    });
    assert_eq!(trace.take(), "r-begins r-closed");
}

// SEM-65: what it awaits in its cleanup is not stopped by the cancel that has brought it there.
#[test]
fn cleanup_may_await_and_spawn_and_join_as_anybody() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(finally(pending::<()>(), async move {
            let helper = spawn(async {
                yield_now().await;
                current_task()
            });
            let helper = helper.await.expect("nobody cancels it");
            assert!(helper.is_some() && helper != current_task());
            said.say("helped");
        }));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "helped joined");
}

// SEM-55, C-83: what a task has captured goes on this thread, and its cleanup runs.
#[test]
fn task_cancelled_before_its_first_poll_is_cleaned_up_and_gives_back_what_it_captured() {
    let (trace, token) = (Trace::default(), Rc::new(()));
    executor().block_on(async {
        let (said, captured) = (trace.clone(), token.clone());
        let task = spawn(finally(
            async move {
                let _captured = captured;
                pending::<()>().await;
            },
            async move { said.say("cleaned-up") },
        ));
        task.cancel("changed my mind");
        assert!(task.await.is_err());
        assert_eq!(Rc::strong_count(&token), 1);
    });
    assert_eq!(trace.take(), "cleaned-up");
}

// SEM-56, SEM-57, C-84: it is stopped where it waits, or keeps its value; cleaned up in both cases.
#[test]
fn task_that_cancels_itself_is_cleaned_up_whether_it_waits_or_not() {
    let trace = Trace::default();
    executor().block_on(async {
        for waits in [true, false] {
            let place = Rc::new(RefCell::new(None::<JoinHandle<u8>>));
            let (own, said) = (place.clone(), trace.clone());
            let task = spawn(async move {
                let body = async {
                    let cancelled = own.borrow().as_ref().map(|own| own.cancel("by myself"));
                    assert_eq!(cancelled, Some(true));
                    if waits {
                        yield_now().await;
                    }
                    7
                };
                finally(body, async move { said.say("cleaned-up") }).await
            });
            place.replace(Some(task));
            yield_now().await;
            let task = place.take().expect("it is there");
            match task.await {
                Ok(value) => assert_eq!((value, waits), (7, false)),
                Err(error) => assert!(error.is_cancelled() && waits, "{error}"),
            }
            trace.say("joined");
        }
    });
    assert_eq!(trace.take(), "cleaned-up joined cleaned-up joined");
}

// SEM-38: a joiner that waits since before is woken by the end, not by the body's.
#[test]
fn joiner_is_woken_once_when_the_cleanups_have_run() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mut task = executor.spawn(hold(trace.clone(), "r"));
    run_until_idle(&mut executor);
    let (polled, counter): (_, std::sync::Arc<Counter>) = poll_once(&mut task);
    assert!(polled.is_pending());
    task.cancel("enough");
    while !task.is_finished() {
        assert_eq!(counter.wakes(), 0);
        executor.turn(None).expect("the park works");
    }
    assert_eq!((counter.wakes(), trace.take().as_str()), (1, "r-begins r-closed"));
}

// SEM-46: wakes of the body's leaves mean nobody, from the moment when the body goes.
#[test]
fn wake_for_a_task_that_closes_does_nothing() {
    let (mut executor, trace) = (executor(), Trace::default());
    let place = crate::help::WakerPlace::default();
    let (left, said) = (place.clone(), trace.clone());
    let slow = Resource::new(&trace, "r").with_awaits(1_000);
    let task = executor.spawn(async move {
        let body = crate::help::leave_waker(left, said, "polled");
        used(slow, body).await;
    });
    run_until_idle(&mut executor);
    task.cancel("enough");
    let mut turn = || executor.turn(None).expect("the park works").ready;
    turn();
    turn();
    crate::help::waker_in(&place).wake();
    assert_eq!(turn(), 1, "its cleanup only");
    assert_eq!(trace.take(), "polled r-begins");
}

// SEM-63: who asked, and why, is there after the cleanups as it was.
#[test]
fn reason_and_source_outlast_the_cleanups() {
    executor().block_on(async {
        let task = spawn(hold(Trace::default(), "r"));
        yield_now().await;
        let asks = spawn(async move {
            task.cancel("no longer needed");
            (current_task(), task.await)
        });
        let (by, outcome) = asks.await.expect("it ends well");
        let Err(JoinError::Cancelled(why)) = outcome else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "no longer needed");
        assert_eq!((why.by(), why.source()), (by, lone_executor::Source::Explicit));
    });
}

// SEM-53: the body is gone at the turn of the stop; only the cleanups come later.
#[test]
fn body_goes_at_once_and_its_cleanups_later() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let _guard = SayOnDrop(said.clone(), "body-gone");
            hold(said, "r").await;
        });
        yield_now().await;
        task.cancel("enough");
        yield_now().await;
        trace.say("next-turn");
        assert!(task.await.is_err());
    });
    assert_eq!(trace.take(), "body-gone next-turn r-begins r-closed");
}

// SEM-71: a scope within a cancelled task's cleanup works as any, its own cancel included.
#[test]
fn scope_within_a_cleanup_may_be_cancelled() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(finally(pending::<()>(), async move {
            let scope = Scope::new();
            scope.cancel("takes too long");
            let run = scope.run(hold(said.clone(), "r")).await;
            assert!(run.is_err());
            said.say("goes-on");
        }));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
    });
    assert_eq!(trace.take(), "r-begins r-closed goes-on");
}

// F4: a task that goes on when its adopted cleanups have run waits for those that come later, too.
#[test]
fn task_that_adopts_twice_awaits_both() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            drop_by_select(hold(said.clone(), "a")).await;
            for _ in 0..8 {
                yield_now().await;
            }
            said.say("later");
            drop_by_select(hold(said.clone(), "b")).await;
        });
        poll_fn(|_| Poll::Ready(())).await;
        task.await.expect("it ends well");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a-begins a-closed later b-begins b-closed joined");
}
