//! Cancelling a task: when its body goes, what its joiner hears, and who wins.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use lone_executor::{JoinError, JoinHandle, Source, current_task, spawn, yield_now};

use crate::help::{
    Flag, Group, SayOnDrop, Trace, executor, hold_for_ever, leave_waker, run_until_idle, waker_in,
};

/// The reason of a task that was cancelled.
#[track_caller]
fn reason<T: std::fmt::Debug>(outcome: Result<T, JoinError>) -> String {
    match outcome {
        Err(JoinError::Cancelled(why)) => why.reason().to_string(),
        other => panic!("it was cancelled, not {other:?}"),
    }
}

// SEM-53: nothing of it runs inside the call; it ends at its next turn, in its place in the queue.
#[test]
fn cancel_of_a_waiting_task_stops_it_at_its_next_turn() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn(hold_for_ever(SayOnDrop(trace.clone(), "stopped")));
        yield_now().await;
        drop(spawn({
            let trace = trace.clone();
            async move { trace.say("before-it") }
        }));
        assert!(task.cancel("enough"));
        assert!(!task.is_finished());
        trace.say("asked");
        assert_eq!(reason(task.await), "enough");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "asked before-it stopped joined");
}

// SEM-53: one that is queued keeps its place, and is not polled there.
#[test]
fn cancel_of_a_task_that_is_queued_stops_it_in_its_place_unpolled() {
    let (mut executor, trace) = (executor(), Trace::default());
    let step = |name: &'static str| {
        let trace = trace.clone();
        async move {
            let _guard = SayOnDrop(trace.clone(), "stopped");
            loop {
                trace.say(name);
                yield_now().await;
            }
        }
    };
    let (a, b) = (executor.spawn(step("a")), executor.spawn(step("b")));
    executor.turn(None).expect("the park works");
    assert!(a.cancel("enough") && b.cancel("enough"));
    assert!(a.cancel("again"), "it has not ended yet");
    trace.say("asked");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a b asked stopped stopped");
}

// SEM-54: false, and the outcome stands.
#[test]
fn cancel_after_the_end_is_refused_and_changes_nothing() {
    executor().block_on(async {
        let task = spawn(async { 7 });
        yield_now().await;
        assert!(!task.cancel("too late"));
        assert_eq!(task.await.expect("it had ended well"), 7);
        let cancelled = spawn(pending::<()>());
        cancelled.cancel("first");
        yield_now().await;
        assert!(!cancelled.cancel("second"));
        assert_eq!(reason(cancelled.await), "first");
    });
}

// SEM-55, C-83: the body never runs, and what it captured goes on this thread.
#[test]
fn cancel_before_the_first_poll_drops_what_was_captured_and_runs_nothing() {
    let (trace, token) = (Trace::default(), Rc::new(()));
    executor().block_on(async {
        let (polled, captured) = (trace.clone(), token.clone());
        let task = spawn(async move {
            polled.say("polled");
            drop(captured);
        });
        task.cancel("changed my mind");
        assert_eq!(Rc::strong_count(&token), 2);
        assert_eq!(reason(task.await), "changed my mind");
        assert_eq!(Rc::strong_count(&token), 1);
    });
    assert_eq!(trace.take(), "");
}

/// Spawns a task that is given its own handle.
fn spawn_with_handle<T: 'static, F: Future<Output = T> + 'static>(
    make: impl FnOnce(Rc<RefCell<Option<JoinHandle<T>>>>) -> F,
) -> Rc<RefCell<Option<JoinHandle<T>>>> {
    let place = Rc::new(RefCell::new(None));
    let task = spawn(make(place.clone()));
    place.replace(Some(task));
    place
}

fn cancel_in<T>(place: &RefCell<Option<JoinHandle<T>>>, why: &'static str) -> bool {
    let handle = place.borrow();
    handle.as_ref().expect("the handle is there").cancel(why)
}

// SEM-56, SEM-80, C-84: it goes on to its next await, and is stopped there.
#[test]
fn task_cancelling_itself_goes_on_to_its_next_await() {
    let trace = Trace::default();
    executor().block_on(async {
        let inner = trace.clone();
        let place = spawn_with_handle(|own| async move {
            let _guard = SayOnDrop(inner.clone(), "stopped");
            assert!(cancel_in(&own, "by myself"));
            inner.say("goes-on");
            yield_now().await;
            inner.say("never");
        });
        yield_now().await;
        yield_now().await;
        let task = place.take().expect("it is there");
        assert_eq!(reason(task.await), "by myself");
    });
    assert_eq!(trace.take(), "goes-on stopped");
}

// SEM-56: an await that is ready does not count: it stops where it would have waited.
#[test]
fn task_cancelling_itself_is_not_stopped_at_an_await_that_is_ready() {
    let trace = Trace::default();
    executor().block_on(async {
        let inner = trace.clone();
        let place = spawn_with_handle(|own| async move {
            cancel_in(&own, "by myself");
            std::future::ready(()).await;
            inner.say("still-here");
            pending::<()>().await;
        });
        yield_now().await;
        yield_now().await;
        assert!(place.take().expect("it is there").is_finished());
    });
    assert_eq!(trace.take(), "still-here");
}

// SEM-57, C-84: the value is kept.
#[test]
fn task_cancelling_itself_and_then_ending_keeps_its_value() {
    executor().block_on(async {
        let place = spawn_with_handle(|own| async move {
            assert!(cancel_in(&own, "by myself"));
            7
        });
        yield_now().await;
        let task = place.take().expect("it is there");
        assert_eq!(task.await.expect("it has ended well"), 7);
    });
}

// SEM-58: cancelled in the turn in which it was granted, it is stopped without running, and what it
// was granted passes on with its destructor.
#[test]
fn cancel_beats_a_grant_of_the_same_turn() {
    let trace = Trace::default();
    executor().block_on(async {
        let (grant, next) = (Flag::default(), Flag::default());
        let first = {
            let (trace, grant, next) = (trace.clone(), grant.clone(), next.clone());
            spawn(async move {
                let _passes_on = crate::help::OnDrop::new(move || next.set());
                grant.wait().await;
                trace.say("first-ran");
            })
        };
        let second = {
            let (trace, next) = (trace.clone(), next.clone());
            spawn(async move {
                next.wait().await;
                trace.say("second-ran");
            })
        };
        yield_now().await;
        grant.set();
        assert!(first.cancel("no longer needed"));
        second.await.expect("it ends well");
        assert_eq!(reason(first.await), "no longer needed");
    });
    assert_eq!(trace.take(), "second-ran");
}

// SEM-59: whoever only joins a task does not own it.
#[test]
fn cancel_of_a_joiner_leaves_the_joined_task_running() {
    executor().block_on(async {
        let flag = Flag::default();
        let waits = flag.clone();
        let trace = Trace::default();
        let inner = trace.clone();
        let joined = spawn(async move {
            waits.wait().await;
            inner.say("ran-on");
        });
        let joiner = spawn(joined);
        yield_now().await;
        joiner.cancel("the joiner only");
        assert_eq!(reason(joiner.await), "the joiner only");
        flag.set();
        yield_now().await;
        assert_eq!(trace.take(), "ran-on");
    });
}

// SEM-59: and whoever owns it by cancel_on_drop takes it along.
#[test]
fn cancel_of_an_owner_by_cancel_on_drop_cancels_the_owned_task() {
    let trace = Trace::default();
    executor().block_on(async {
        let owned = spawn(hold_for_ever(SayOnDrop(trace.clone(), "owned-stopped")));
        let owner = spawn(owned.cancel_on_drop());
        yield_now().await;
        owner.cancel("the owner");
        assert_eq!(reason(owner.await), "the owner");
        trace.say("owner-joined");
        yield_now().await;
    });
    // The cancel of the owned is queued when the owner's body goes, before the owner's joiner.
    assert_eq!(trace.take(), "owned-stopped owner-joined");
}

// SEM-60: a value for the joiner, which is not cancelled itself.
#[test]
fn cancel_of_a_joined_task_is_a_value_for_its_joiner() {
    executor().block_on(async {
        let joined = Rc::new(RefCell::new(Some(spawn(pending::<()>()))));
        let taken = joined.take().expect("it is there");
        let canceller = taken.id();
        let joiner = spawn(async move {
            taken.cancel("by the joiner");
            let Err(JoinError::Cancelled(why)) = taken.await else {
                panic!("it was cancelled");
            };
            (why, current_task())
        });
        let (why, me) = joiner.await.expect("the joiner goes on");
        assert_eq!((why.by(), why.source()), (me, Source::Explicit));
        assert_ne!(me, Some(canceller));
        assert_eq!(
            why.to_string(),
            format!("cancelled: by the joiner (by {})", me.expect("a task"))
        );
    });
}

// SEM-63: the first reason reaches the joiner, with its source and who asked.
// SEM-62: and it is stopped once.
#[test]
fn cancel_asked_twice_stops_once_and_keeps_the_first_reason() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn(hold_for_ever(SayOnDrop(trace.clone(), "stopped")));
        assert!(task.cancel("first") && task.cancel(String::from("second")));
        let Err(JoinError::Cancelled(why)) = task.await else {
            panic!("it was cancelled");
        };
        assert_eq!(why.reason().to_string(), "first");
        assert_eq!((why.by(), why.source()), (None, Source::Explicit));
    });
    assert_eq!(trace.take(), "stopped");
}

// SEM-53: destructors run innermost first, all within the turn of the stop.
#[test]
fn cancel_drops_the_body_at_its_await_point_innermost_first() {
    let trace = Trace::default();
    executor().block_on(async {
        let inner = trace.clone();
        let task = spawn(async move {
            let _outer = SayOnDrop(inner.clone(), "outer");
            let deeper = inner.clone();
            async move {
                let _middle = SayOnDrop(deeper.clone(), "middle");
                hold_for_ever(SayOnDrop(deeper, "inner")).await;
            }
            .await;
        });
        yield_now().await;
        task.cancel("enough");
        assert_eq!(reason(task.await), "enough");
    });
    assert_eq!(trace.take(), "inner middle outer");
}

// SEM-53: a wake that comes together with the cancel changes nothing.
#[test]
fn wake_after_a_cancel_does_not_poll_the_body_again() {
    let (mut executor, trace) = (executor(), Trace::default());
    let place = Rc::default();
    let task = executor.spawn(leave_waker(Rc::clone(&place), trace.clone(), "polled"));
    run_until_idle(&mut executor);
    let waker = waker_in(&place);
    waker.wake_by_ref();
    assert!(task.cancel("enough"));
    waker.wake();
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "polled");
    assert!(task.is_finished());
}

// SEM-27, SEM-53: dropping a handle detaches, dropping it as cancel_on_drop cancels.
#[test]
fn handle_made_cancel_on_drop_cancels_its_task_when_it_is_dropped() {
    let (mut executor, trace) = (executor(), Trace::default());
    let task = executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "stopped")));
    let owner = task.cancel_on_drop();
    run_until_idle(&mut executor);
    assert!(!owner.handle().is_finished());
    drop(owner);
    assert_eq!(trace.take(), "", "nothing of it runs inside the drop");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "stopped");
}

// SEM-57: a task that has ended is not touched by the drop of its owner.
#[test]
fn handle_made_cancel_on_drop_and_awaited_gives_the_value() {
    let value = executor().block_on(spawn_later());
    assert_eq!(value.expect("it ends well"), 7);
}

async fn spawn_later() -> Result<i32, JoinError> {
    let mut owner = spawn(async { 7 }).cancel_on_drop();
    let value = (&mut owner).await;
    drop(owner);
    value
}

// F24, SEM-53: a task that is a group by itself, ended before its number comes round.
#[test]
fn cancel_of_a_task_that_is_a_group_frees_the_slots_of_its_children() {
    let (mut executor, trace) = (executor(), Trace::default());
    for _ in 0..3 {
        let children = ["a", "b"].map(|name| hold_for_ever(SayOnDrop(trace.clone(), name)));
        let task = executor.spawn(Group::new(children));
        let other = executor.spawn(Group::new([pending::<()>()]));
        run_until_idle(&mut executor);
        assert_eq!((executor.statistics().slots, executor.statistics().groups), (5, 2));
        task.cancel("enough");
        assert_eq!(run_until_idle(&mut executor), 1);
        assert_eq!(trace.take(), "a b");
        assert_eq!((executor.statistics().slots, executor.statistics().groups), (2, 1));
        other.cancel("enough");
        run_until_idle(&mut executor);
        assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
    }
}
