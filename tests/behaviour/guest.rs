//! The loop as a guest: one turn at a time, beside other loops, inside somebody else's loop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use lone_executor::{
    Executor, JoinError, RunError, Settings, Turn, budget, current_task, spawn, yield_now,
};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    Flag, OnDrop, PATIENCE, SayOnDrop, SharedFlag, Trace, WakerPlace, executor, executor_with,
    hold_for_ever, leave_waker, run_until_idle, waker_in,
};

/// One turn that does not wait.
fn turn(executor: &mut Executor<BoundedPark>) -> Turn {
    executor.turn(Some(Duration::ZERO)).expect("the park works")
}

/// How often the park was unparked while `f` ran.
fn unparks_in(
    executor: &mut Executor<BoundedPark>,
    f: impl FnOnce(&mut Executor<BoundedPark>),
) -> usize {
    let before = executor.park().unparks();
    f(executor);
    executor.park().unparks() - before
}

// F9: with something ready, the park has been unparked, once; with nothing, not at all.
#[test]
fn turn_ends_with_nothing_ready_or_with_the_park_unparked_once() {
    let mut executor = executor();
    for yields in 0..3 {
        drop(executor.spawn(async move {
            for _ in 0..yields {
                yield_now().await;
            }
        }));
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let unparks = unparks_in(&mut executor, |executor| {
            seen.push((turn(executor).ready, 0));
        });
        seen.last_mut().expect("a turn was made").1 = unparks;
    }
    assert_eq!(seen, [(2, 1), (1, 1), (0, 0), (0, 0)]);
}

// F9: from the end of a turn on every wake unparks, those of the own thread included; once.
#[test]
fn wakes_between_two_turns_unpark_once_and_are_served_in_the_next() {
    let (mut executor, trace) = (executor(), Trace::default());
    let places: [WakerPlace; 2] = Default::default();
    for (name, place) in ["a", "b"].into_iter().zip(&places) {
        drop(executor.spawn(leave_waker(place.clone(), trace.clone(), name)));
    }
    run_until_idle(&mut executor);
    trace.take();
    for _ in 0..2 {
        let unparks = unparks_in(&mut executor, |_| {
            for place in [&places[1], &places[0], &places[1]] {
                waker_in(place).wake();
            }
        });
        assert_eq!(unparks, 1);
        assert_eq!(turn(&mut executor), Turn { ready: 0, tasks: 2 });
        assert_eq!(trace.take(), "b a");
    }
}

// F9: whatever else makes work between two turns unparks as well.
#[test]
fn spawn_cancel_and_drop_between_two_turns_unpark() {
    let mut executor = executor();
    let unparks = unparks_in(&mut executor, |executor| drop(executor.spawn(async {})));
    assert_eq!(unparks, 1);
    let cancelled = executor.spawn(std::future::pending::<()>());
    let owned = executor.spawn(std::future::pending::<()>()).cancel_on_drop();
    run_until_idle(&mut executor);
    let unparks = unparks_in(&mut executor, |_| {
        cancelled.cancel("enough");
    });
    assert_eq!(unparks, 1);
    assert_eq!(turn(&mut executor).tasks, 1);
    assert_eq!(unparks_in(&mut executor, |_| drop(owned)), 1);
    assert_eq!(turn(&mut executor).tasks, 0);
}

// F9: a wake that arrives from outside while the turn runs is not lost with the edge it had.
#[test]
fn wake_from_another_thread_during_a_turn_leaves_the_park_unparked() {
    let (mut executor, trace) = (executor(), Trace::default());
    let place = WakerPlace::default();
    drop(executor.spawn(leave_waker(place.clone(), trace.clone(), "woken")));
    run_until_idle(&mut executor);
    let waker = waker_in(&place);
    drop(executor.spawn(async move {
        let thread = std::thread::spawn(move || waker.wake());
        thread.join().expect("a wake does not panic");
    }));
    let unparks = unparks_in(&mut executor, |executor| {
        turn(executor);
    });
    assert_eq!((trace.take().as_str(), unparks), ("woken", 1));
    turn(&mut executor);
    assert_eq!(trace.take(), "woken");
}

// F9: block_on ends like a turn.
#[test]
fn block_on_ending_with_ready_tasks_leaves_the_park_unparked() {
    let mut executor = executor();
    let unparks = unparks_in(&mut executor, |executor| {
        executor.block_on(async { drop(spawn(yield_now())) });
    });
    assert_eq!(unparks, 1);
    let unparks = unparks_in(&mut executor, |executor| {
        executor.block_on(async {
            yield_now().await;
            yield_now().await;
        });
    });
    assert_eq!((unparks, executor.statistics().tasks), (0, 0));
}

// F9: a turn waits as long as it may, and no longer than until a wake.
#[test]
fn turn_with_nothing_ready_waits_until_another_thread_wakes() {
    let (announce, parked) = mpsc::channel();
    let park = BoundedPark::announcing(announce);
    let mut executor = Executor::new(park).expect("a loop index is free");
    let flag = SharedFlag::default();
    let (waits, set) = (flag.clone(), flag);
    let task = executor.spawn(async move { waits.wait().await });
    turn(&mut executor);
    assert_eq!(executor.park().waits(), 0, "a limit of zero does not wait");
    let thread = std::thread::spawn(move || {
        parked.recv_timeout(PATIENCE).expect("the loop parks");
        set.set();
    });
    executor.turn(None).expect("woken in time");
    turn(&mut executor);
    assert!(task.is_finished());
    thread.join().expect("it ends well");
}

// F22: the inner loop is the running one while its turn lasts, and all is put back after it.
#[test]
fn turn_of_another_loop_inside_a_task_nests_and_everything_is_put_back() {
    let mut outer = executor();
    let settings = Settings { budget: 16, ..Settings::default() };
    let mut inner = executor_with(settings);
    outer.block_on(async {
        drop(spawn(async {}));
        let task = spawn(async move {
            let me = current_task();
            for _ in 0..28 {
                assert!(budget::take(&mut Context::from_waker(Waker::noop())).is_ready());
            }
            let seen = Rc::new(Cell::new(None));
            let report = seen.clone();
            drop(inner.spawn(async move {
                let spawned = spawn(async {}).id();
                report.set(Some((current_task(), spawned, budget::remaining())));
            }));
            assert_eq!(turn(&mut inner), Turn { ready: 1, tasks: 1 });
            let (inside, spawned, budget_inside) = seen.get().expect("it has run");
            assert_eq!(inside.map(|id| id.number()), Some(1), "the inner loop's first");
            assert_eq!(spawned.number(), 2, "spawn means the inner loop");
            assert_eq!(budget_inside, Some(16));
            // Back in the outer loop.
            assert_eq!(current_task(), me);
            assert_eq!(budget::remaining(), Some(100), "of 128, 28 are spent");
            assert_eq!(spawn(async {}).id().number(), 3, "spawn means the outer loop");
        });
        task.await.expect("it ends well");
    });
}

// F22: block_on is refused inside any running loop, at any depth.
#[test]
fn block_on_inside_a_turn_is_nested_at_any_depth() {
    let (mut first, mut second, mut third) = (executor(), executor(), executor());
    drop(first.spawn(async move {
        let result = Rc::new(RefCell::new(None));
        let report = result.clone();
        drop(second.spawn(async move {
            let refused = third.try_block_on(async {});
            report.replace(Some(refused));
        }));
        turn(&mut second);
        assert!(matches!(result.take(), Some(Err(RunError::Nested))));
        assert!(matches!(second.try_block_on(async {}), Err(RunError::Nested)));
    }));
    crate::help::record_reports();
    assert_eq!(run_until_idle(&mut first), 0);
    assert_eq!(crate::help::take_reports(), [""; 0], "no assertion failed in there");
}

// F22: a handle finds its own loop by number, whichever runs.
#[test]
fn handle_of_another_loop_dropped_in_a_turn_cancels_over_there() {
    let (mut mine, mut other, trace) = (executor(), executor(), Trace::default());
    let owned = other.spawn(hold_for_ever(SayOnDrop(trace.clone(), "owned-stopped")));
    let asked = other.spawn(hold_for_ever(SayOnDrop(trace.clone(), "asked-stopped")));
    let detached = other.spawn(hold_for_ever(SayOnDrop(trace.clone(), "never")));
    run_until_idle(&mut other);
    // The same slots are taken here: a number must not be looked up in the loop that runs.
    for _ in 0..3 {
        drop(mine.spawn(hold_for_ever(SayOnDrop(trace.clone(), "mine"))));
    }
    let unparks = unparks_in(&mut other, |_| {
        let owned = owned.cancel_on_drop();
        drop(mine.spawn(async move {
            drop(detached);
            drop(owned);
            assert!(asked.cancel("from another loop"));
        }));
        assert_eq!(run_until_idle(&mut mine), 3);
        trace.say("turned");
    });
    assert_eq!(unparks, 1, "its host has to learn");
    assert_eq!(run_until_idle(&mut other), 1);
    assert_eq!(trace.take(), "turned owned-stopped asked-stopped");
    drop(other);
    assert_eq!(trace.take(), "never");
}

// F22: a wake for a loop that is not the running one goes through its inbox, and arrives.
#[test]
fn wake_for_the_outer_loop_from_a_nested_turn_arrives() {
    let (mut outer, mut inner, trace) = (executor(), executor(), Trace::default());
    let place = WakerPlace::default();
    drop(outer.spawn(leave_waker(place.clone(), trace.clone(), "woken")));
    run_until_idle(&mut outer);
    let nested = trace.clone();
    drop(outer.spawn(async move {
        drop(inner.spawn(async move { waker_in(&place).wake() }));
        turn(&mut inner);
        nested.say("nested");
    }));
    run_until_idle(&mut outer);
    turn(&mut outer);
    assert_eq!(trace.take(), "woken nested woken");
}

// F22: a task of one loop joins a task of another, both hosted by this thread.
#[test]
fn handle_awaited_in_another_loop_wakes_its_joiner_over_there() {
    let (mut mine, mut other, trace) = (executor(), executor(), Trace::default());
    let flag = Flag::default();
    let waits = flag.clone();
    let joined = other.spawn(async move {
        waits.wait().await;
        7
    });
    let inner = trace.clone();
    drop(mine.spawn(async move {
        let outcome = joined.await.expect("it ends well");
        inner.say(format!("joined-{outcome}"));
    }));
    run_until_idle(&mut mine);
    run_until_idle(&mut other);
    flag.set();
    let unparks = unparks_in(&mut mine, |_| {
        assert_eq!(run_until_idle(&mut other), 0);
    });
    assert_eq!((trace.take().as_str(), unparks), ("", 1));
    assert_eq!(run_until_idle(&mut mine), 0);
    assert_eq!(trace.take(), "joined-7");
}

// F22: a loop may end inside another: its tasks' destructors run in it, then the outer goes on.
#[test]
fn loop_dropped_inside_a_task_of_another_ends_there_and_the_outer_goes_on() {
    let (mut outer, mut inner, trace) = (executor(), executor(), Trace::default());
    let said = trace.clone();
    let guard = OnDrop::new(move || {
        let spawned = spawn(async {});
        said.say(format!("inner-spawned-{}", spawned.id()));
    });
    let joined = inner.spawn(hold_for_ever(guard));
    run_until_idle(&mut inner);
    let said = trace.clone();
    outer.block_on(async move {
        let task = spawn(async move {
            drop(inner);
            let Err(JoinError::Cancelled(why)) = joined.await else {
                panic!("it was cancelled by the shutdown");
            };
            said.say(why.to_string());
            said.say(format!("outer-spawned-{}", spawn(async {}).id()));
        });
        task.await.expect("it ends well");
    });
    assert_eq!(
        trace.take(),
        "inner-spawned-Task-2 cancelled: the loop is shutting down outer-spawned-Task-2"
    );
}

// F22: a panic in a task of the inner loop stays there.
#[test]
fn panic_in_a_nested_turn_is_the_inner_tasks_and_the_outer_goes_on() {
    let (mut outer, mut inner) = (executor(), executor());
    outer.block_on(async {
        let mut failed = inner.spawn(async { panic!("inner") });
        turn(&mut inner);
        assert!(matches!(failed.try_join(), Some(Err(JoinError::Panicked(_)))));
        assert_eq!(spawn(async { 7 }).await.expect("the outer loop goes on"), 7);
    });
}
