//! `block_on`: what it returns, what it refuses, what it leaves behind.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;

use lone_executor::{RunError, current_task, spawn, yield_now};

use crate::help::{
    Flag, OnDrop, PATIENCE, SayOnDrop, SharedFlag, Trace, executor, hold_for_ever, leave_waker,
    run_until_idle, waker_in,
};

// SEM-1: main's value and main's error come out as they are.
#[test]
fn main_ending_with_a_value_or_an_error_gives_it_unwrapped() {
    let mut executor = executor();
    assert_eq!(executor.block_on(async { 7 }), 7);
    let failed: Result<(), &str> = executor.block_on(async {
        yield_now().await;
        Err("out of cheese")
    });
    assert_eq!(failed, Err("out of cheese"));
}

// SEM-1: main needs neither 'static nor Send.
#[test]
fn main_borrowing_from_its_caller_may_change_it() {
    let mut lines = Vec::new();
    let first = String::from("borrowed");
    executor().block_on(async {
        lines.push(first.as_str());
        yield_now().await;
        lines.push("changed");
    });
    assert_eq!(lines, ["borrowed", "changed"]);
}

// SEM-2: at once, unpolled, dropped without a word.
#[test]
fn block_on_called_inside_a_running_loop_is_nested_and_drops_its_future_unpolled() {
    let trace = Trace::default();
    let (mut outer, mut inner) = (executor(), executor());
    outer.block_on(async {
        let (held, polled) = (SayOnDrop(trace.clone(), "dropped"), trace.clone());
        let refused = inner.try_block_on(async move {
            let _held = held;
            polled.say("polled");
        });
        assert!(matches!(refused, Err(RunError::Nested)));
        trace.say("refused");
    });
    assert_eq!(trace.take(), "dropped refused");
    inner.block_on(async { trace.say("later") });
    assert_eq!(trace.take(), "later", "the refusal has left no mark");
}

// SEM-2: block_on panics where try_block_on returns the error.
#[test]
#[should_panic(expected = "a loop is running on this thread already")]
fn block_on_called_inside_a_running_loop_panics_with_what_to_do() {
    let mut inner = executor();
    executor().block_on(async { inner.block_on(async {}) });
}

// SEM-3: ids begin anew, and nothing of the first loop is left in the second.
#[test]
fn a_second_loop_begins_at_task_1_and_has_no_task_of_the_first() {
    let trace = Trace::default();
    for name in ["first", "second"] {
        let mut executor = executor();
        let inner = trace.clone();
        let id = executor.block_on(async {
            let task = spawn(hold_for_ever(SayOnDrop(inner, name)));
            yield_now().await;
            task.id().to_string()
        });
        assert_eq!(id, "Task-1");
        assert_eq!(executor.statistics().tasks, 1);
        drop(executor);
        assert_eq!(trace.take(), name, "the loop is closed with all it had");
    }
}

// SEM-3: a main that has failed leaves no running loop behind.
#[test]
fn a_second_loop_after_a_main_that_panicked_runs() {
    let panicked = catch_unwind(|| executor().block_on(async { panic!("main fails") }));
    assert!(panicked.is_err());
    assert_eq!(executor().block_on(async { 7 }), 7);
}

// SEM-4: main's value stands, and all that was left has ended when the drop returns.
#[test]
fn tasks_left_by_main_have_ended_in_spawn_order_when_the_drop_returns() {
    let trace = Trace::default();
    let value = {
        let mut executor = executor();
        executor.block_on(async {
            for name in ["a", "b", "c"] {
                drop(spawn(hold_for_ever(SayOnDrop(trace.clone(), name))));
            }
            yield_now().await;
            trace.say("main");
            7
        })
    };
    assert_eq!(value, 7);
    assert_eq!(trace.take(), "main a b c");
}

// SEM-10: one loop for all calls; tasks move only inside a call.
#[test]
fn tasks_of_a_first_call_go_on_in_the_second_and_stand_still_between() {
    let mut executor = executor();
    let steps = Rc::new(Cell::new(0));
    let counted = steps.clone();
    let mut task = None;
    executor.block_on(async {
        task = Some(spawn(async move {
            for _ in 0..6 {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
            "done"
        }));
    });
    assert_eq!(steps.get(), 0, "spawned, and main was done before its turn");
    // Main goes to the back: the task is polled before each of main's two polls.
    executor.block_on(yield_now());
    assert_eq!(steps.get(), 2);
    executor.block_on(yield_now());
    assert_eq!(steps.get(), 4);
    let task = task.expect("it was spawned");
    assert_eq!(executor.block_on(task).expect("it ends well"), "done");
}

// SEM-10: a task woken between two calls is not lost.
#[test]
fn wake_between_two_calls_is_served_in_the_next() {
    let mut executor = executor();
    let flag = Flag::default();
    let waits = flag.clone();
    let mut task = None;
    executor.block_on(async {
        task = Some(spawn(async move {
            waits.wait().await;
            7
        }));
        yield_now().await;
    });
    flag.set();
    let task = task.expect("it was spawned");
    assert_eq!(executor.block_on(task).expect("it ends well"), 7);
}

// SEM-11: a second shutdown does nothing, and a closed loop says that it is closed.
#[test]
fn block_on_and_turn_after_the_shutdown_say_that_the_loop_is_closed() {
    let mut executor = executor();
    executor.shutdown();
    executor.shutdown();
    let refused = executor.try_block_on(pending::<()>());
    assert!(matches!(refused, Err(RunError::Closed)), "{refused:?}");
    assert!(executor.turn(None).is_err(), "it must not wait for ever");
}

// SEM-20: the shutdown runs before the caller sees the panic.
#[test]
fn main_panicking_reaches_the_caller_after_the_tasks_have_ended() {
    let trace = Trace::default();
    let inner = trace.clone();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let mut executor = executor();
        executor.block_on(async {
            drop(spawn(hold_for_ever(SayOnDrop(inner.clone(), "task"))));
            yield_now().await;
            panic!("main fails");
        })
    }));
    trace.say("caught");
    let payload = panicked.expect_err("main has panicked");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"main fails"));
    assert_eq!(trace.take(), "task caught");
}

// SEM-20: the loop itself survives it.
#[test]
fn main_panicking_leaves_the_loop_fit_for_the_next_call() {
    let mut executor = executor();
    let task = executor.spawn(async {
        yield_now().await;
        7
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        executor.block_on(async {
            yield_now().await;
            panic!("main fails")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(executor.block_on(task).expect("it ends well"), 7);
}

// SEM-20: also when it is main's destructor that panics; the loop then counts as parked.
#[test]
fn mains_destructor_panicking_leaves_the_loop_parked_and_without_a_budget() {
    let mut executor = executor();
    let flag = Flag::default();
    let waits = flag.clone();
    let task = executor.spawn(async move { waits.wait().await });
    run_until_idle(&mut executor);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let bomb = OnDrop::new(|| panic!("main's destructor fails"));
        executor.block_on(hold_until(yield_now(), bomb));
    }));
    assert!(panicked.is_err());
    assert_eq!(lone_executor::budget::remaining(), None);
    let before = executor.park().unparks();
    flag.set();
    assert_eq!(executor.park().unparks(), before + 1, "a host has to learn");
    executor.block_on(task).expect("it ends well");
}

/// A future whose `guard` is dropped with it, not at its end.
fn hold_until<F: Future + Unpin, G: Unpin>(
    mut future: F,
    guard: G,
) -> impl Future<Output = F::Output> {
    std::future::poll_fn(move |cx| {
        let _held_until_the_future_goes = &guard;
        std::pin::Pin::new(&mut future).poll(cx)
    })
}

// SEM-21: two threads, two loops, at the same time and strangers to each other.
#[test]
fn two_threads_run_a_loop_each_at_the_same_time() {
    let (to_b, from_a) = mpsc::channel::<SharedFlag>();
    let (to_a, from_b) = mpsc::channel::<SharedFlag>();
    let run = |to: mpsc::Sender<SharedFlag>, from: mpsc::Receiver<SharedFlag>| {
        move || {
            executor().block_on(async {
                let mine = SharedFlag::default();
                to.send(mine.clone()).expect("the other thread is there");
                let theirs = from.recv_timeout(PATIENCE).expect("the other sends");
                let task = spawn(async move { current_task().map(|id| id.number()) });
                theirs.set();
                // Both loops are inside their block_on until each has been woken by the other.
                mine.wait().await;
                task.await.expect("it ends well")
            })
        }
    };
    let a = std::thread::spawn(run(to_b, from_b));
    let b = std::thread::spawn(run(to_a, from_a));
    for thread in [a, b] {
        assert_eq!(thread.join().expect("it ends well"), Some(1));
    }
}

// SEM-23: closed, or nothing: no panic, no leak, no use after free.
#[test]
fn remote_and_waker_used_after_their_loop_has_ended_do_nothing() {
    let mut executor = executor();
    let remote = executor.remote();
    let place = Rc::default();
    let task = executor.spawn(leave_waker(Rc::clone(&place), Trace::default(), "polled"));
    assert_eq!(run_until_idle(&mut executor), 1);
    let waker = waker_in(&place);
    drop(executor);
    drop(task);
    waker.wake_by_ref();
    assert!(remote.is_closed());
    let token = std::sync::Arc::new(());
    let kept = token.clone();
    let refused = remote.spawn(move || async move { drop(kept) });
    assert!(refused.is_err());
    assert_eq!(std::sync::Arc::strong_count(&token), 1, "nothing leaks");
    // The last waker goes on another thread, long after its loop.
    let other = std::thread::spawn(move || {
        waker.wake_by_ref();
        drop(waker);
    });
    other.join().expect("neither panics");
}

// SEM-23: a wake that a loop has no time left for.
#[test]
fn wake_in_the_inbox_of_a_loop_that_is_dropped_goes_with_it() {
    let mut executor = executor();
    let place = Rc::default();
    drop(executor.spawn(leave_waker(Rc::clone(&place), Trace::default(), "polled")));
    run_until_idle(&mut executor);
    let waker = waker_in(&place);
    std::thread::spawn(move || waker.wake()).join().expect("a wake does not panic");
    drop(executor);
}
