//! Tasks and their handles: when they are polled, what they are called, how they are joined.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use lone_executor::{
    JoinError, JoinHandle, Settings, Source, TaskId, current_task, spawn, yield_now,
};

use crate::help::{
    Flag, OnDrop, SayOnDrop, Trace, executor, executor_with, hold_for_ever, poll_once,
    run_until_idle,
};

/// Says `name` and a number at each of three polls.
async fn thrice(trace: Trace, name: &'static str) {
    for step in 1..=3 {
        trace.say(format!("{name}{step}"));
        yield_now().await;
    }
}

// SEM-24: never inside spawn, and in spawn order.
#[test]
fn tasks_spawned_are_first_polled_later_in_spawn_order() {
    let trace = Trace::default();
    executor().block_on(async {
        trace.say("main1");
        for name in ["a", "b", "c"] {
            drop(spawn(thrice(trace.clone(), name)));
        }
        trace.say("spawned");
        yield_now().await;
        trace.say("main2");
    });
    assert_eq!(trace.take(), "main1 spawned a1 b1 c1 main2");
}

// SEM-24: from outside of the loop, too.
#[test]
fn tasks_spawned_between_two_turns_are_polled_in_the_next_in_spawn_order() {
    let (mut executor, trace) = (executor(), Trace::default());
    for name in ["a", "b"] {
        drop(executor.spawn(thrice(trace.clone(), name)));
    }
    assert_eq!(trace.take(), "");
    let turn = executor.turn(None).expect("the park works");
    assert_eq!((turn.ready, turn.tasks), (2, 2));
    assert_eq!(trace.take(), "a1 b1");
}

// SEM-27: the loop owns its tasks.
#[test]
fn handle_dropped_right_after_the_spawn_lets_the_task_run_to_its_end() {
    let (mut executor, trace) = (executor(), Trace::default());
    drop(executor.spawn(thrice(trace.clone(), "a")));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a1 a2 a3");
}

// SEM-28: no suspension between an outcome that is there and its reader.
#[test]
fn handle_awaited_after_the_end_is_ready_at_its_first_poll() {
    executor().block_on(async {
        let mut task = spawn(async { 7 });
        yield_now().await;
        assert!(task.is_finished());
        let (polled, joiner) = poll_once(&mut task);
        assert!(matches!(polled, Poll::Ready(Ok(7))));
        assert_eq!(joiner.wakes(), 0);
    });
}

// SEM-30: an error at once, not a hang.
#[test]
fn task_awaiting_its_own_handle_gets_an_error_at_once() {
    let handle: Rc<RefCell<Option<JoinHandle<String>>>> = Rc::default();
    let own = Rc::clone(&handle);
    let mut executor = executor();
    handle.replace(Some(executor.spawn(async move {
        let mut handle = own.take().expect("it was put here");
        let error = (&mut handle).await.expect_err("it cannot have ended");
        assert!(matches!(error, JoinError::Itself));
        own.replace(Some(handle));
        error.to_string()
    })));
    assert_eq!(run_until_idle(&mut executor), 0);
    let mut handle = handle.take().expect("the task has put it back");
    let said = handle.try_join().expect("it has ended").expect("well");
    assert_eq!(said, "a task awaits its own handle, which cannot end");
}

// SEM-32: counted up, never again, and a name on top.
#[test]
fn tasks_unnamed_are_numbered_and_a_name_given_can_be_changed() {
    let mut executor = executor();
    executor.block_on(async {
        let first = spawn(pending::<()>());
        let second = spawn(async {}).named("second");
        let ids: Vec<String> = [first.id(), second.id()].map(|id| id.to_string()).into();
        assert_eq!(ids, ["Task-1", "Task-2"]);
        assert_eq!((first.name(), second.name().as_deref()), (None, Some("second")));
        let first = first.named("one").named(format!("number {}", 1));
        assert_eq!(first.name().as_deref(), Some("number 1"));
        second.await.expect("it ends well");
        let third = spawn(async {});
        assert_eq!(third.id().number(), 3, "an id is not used again with its slot");
        let site = third.spawned_at();
        assert!(site.file().ends_with("task.rs"), "{site}");
    });
}

// SEM-33: never waits; says how the task stands.
#[test]
fn try_join_before_and_after_the_end_says_how_the_task_stands() {
    executor().block_on(async {
        let mut good = spawn(async { 7 });
        let mut cancelled = spawn(pending::<()>());
        let mut failed = spawn(async { panic!("it fails") });
        assert!(good.try_join().is_none() && cancelled.try_join().is_none());
        cancelled.cancel("enough");
        yield_now().await;
        assert!(matches!(good.try_join(), Some(Ok(7))));
        let Some(Err(JoinError::Cancelled(why))) = cancelled.try_join() else {
            panic!("it was cancelled: {cancelled:?}");
        };
        assert_eq!((why.reason().to_string().as_str(), why.source()), ("enough", Source::Explicit));
        let Some(Err(JoinError::Panicked(panic))) = failed.try_join() else {
            panic!("it has panicked: {failed:?}");
        };
        assert_eq!(panic.message(), "it fails");
        // The outcome is moved out: whoever asks again is told so.
        assert!(matches!(good.try_join(), Some(Err(JoinError::Taken))));
        assert!(matches!((&mut good).await, Err(JoinError::Taken)));
        assert!(good.is_finished() && !good.cancel("too late"));
    });
}

// SEM-36: the running task across every await; nobody in main and outside.
#[test]
fn current_task_is_the_one_that_runs_across_awaits_and_nobody_elsewhere() {
    assert_eq!(current_task(), None, "no loop runs");
    let mut executor = executor();
    executor.block_on(async {
        assert_eq!(current_task(), None, "main is not a task");
        let observe = || async {
            let mut seen: Vec<Option<TaskId>> = Vec::new();
            for _ in 0..3 {
                seen.push(current_task());
                yield_now().await;
            }
            seen
        };
        let (a, b) = (spawn(observe()), spawn(observe()));
        yield_now().await;
        assert_eq!(current_task(), None);
        for task in [a, b] {
            let id = task.id();
            assert_eq!(task.await.expect("it ends well"), [Some(id); 3]);
        }
    });
    assert_eq!(current_task(), None);
}

// SEM-38: first the future goes, then the joiner is woken, and the joiner reads the output.
#[test]
fn future_of_a_task_that_ends_is_dropped_before_its_joiner_is_woken() {
    let trace = Trace::default();
    executor().block_on(async {
        let guard = SayOnDrop(trace.clone(), "future-dropped");
        let task = spawn(poll_fn(move |_| {
            let _held_until_the_future_goes = &guard;
            Poll::Ready(7)
        }));
        let (polled, joiner) = {
            let mut task = task;
            (poll_once(&mut task).0.is_pending(), task)
        };
        assert!(polled);
        // A second joiner takes the place of the first: it is the one that is woken.
        trace.say("waits");
        joiner.await.expect("it ends well");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "waits future-dropped joined");
}

// SEM-38: once, on this thread, by whoever discards it.
#[test]
fn output_never_read_is_dropped_once_by_the_last_owner() {
    let (mut executor, trace) = (executor(), Trace::default());
    let output = |name| {
        let output = SayOnDrop(trace.clone(), name);
        async move { output }
    };
    let kept = executor.spawn(output("kept"));
    drop(executor.spawn(output("detached")));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "detached", "nobody could read it any more");
    drop(kept);
    assert_eq!(trace.take(), "kept");
    drop(executor);
    assert_eq!(trace.take(), "");
}

// SEM-38: an output outlives its loop, and is read or dropped all the same.
#[test]
fn output_read_after_the_loop_has_ended_is_still_there() {
    let (mut executor, trace) = (executor(), Trace::default());
    let read = executor.spawn(async { String::from("still here") });
    let inner = trace.clone();
    let unread = executor.spawn(async move { SayOnDrop(inner, "dropped") });
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "");
    let read = read.now_or_never().expect("it is there").expect("and well");
    assert_eq!(read, "still here");
    drop(unread);
    assert_eq!(trace.take(), "dropped");
}

// SEM-44: refused with an error, and the future is dropped quietly.
#[test]
fn spawn_on_a_closed_loop_gives_loop_closed_and_drops_the_future() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.shutdown();
    let mut task = executor.spawn(hold_for_ever(SayOnDrop(trace.clone(), "dropped")));
    assert_eq!(trace.take(), "dropped");
    assert_eq!((task.id().number(), task.is_finished()), (0, true));
    assert!(!task.cancel("it never was"));
    assert!(matches!(task.try_join(), Some(Err(JoinError::LoopClosed))));
    assert!(matches!(task.try_join(), Some(Err(JoinError::Taken))));
}

// SEM-44: outside of every loop it is misuse, and says what to do.
#[test]
#[should_panic(expected = "call it inside lone::run")]
fn spawn_called_where_no_loop_runs_panics_with_what_to_do() {
    drop(spawn(async {}));
}

// SEM-51: strict alternation, and a newcomer behind everybody.
#[test]
fn two_tasks_that_yield_in_a_loop_alternate_and_a_new_one_goes_to_the_back() {
    let (mut executor, trace) = (executor(), Trace::default());
    let inner = trace.clone();
    drop(executor.spawn(async move {
        inner.say("a1");
        drop(spawn(thrice(inner.clone(), "new")));
        yield_now().await;
        for step in ["a2", "a3"] {
            inner.say(step);
            yield_now().await;
        }
    }));
    drop(executor.spawn(thrice(trace.clone(), "b")));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "a1 b1 new1 a2 b2 new2 a3 b3 new3");
}

// SEM-51: a batch is what was ready when the turn began.
#[test]
fn turn_polls_what_was_ready_at_its_begin_and_nobody_twice() {
    let (mut executor, trace) = (executor(), Trace::default());
    let inner = trace.clone();
    drop(executor.spawn(async move {
        drop(spawn(thrice(inner.clone(), "child")));
        thrice(inner, "parent").await;
    }));
    let mut turns = Vec::new();
    while {
        let turn = executor.turn(Some(Duration::ZERO)).expect("the park works");
        turns.push(trace.take());
        turn.tasks > 0
    } {}
    assert_eq!(
        turns,
        ["parent1", "child1 parent2", "child2 parent3", "child3", ""],
        "parent ends in the fourth turn, child in the fifth"
    );
}

// SEM-52: the park is looked at after 64 polls, also within a batch.
#[test]
fn task_waking_itself_for_ever_does_not_keep_the_loop_from_its_park() {
    let mut executor = executor();
    drop(executor.spawn(async {
        loop {
            yield_now().await;
        }
    }));
    for _ in 0..640 {
        executor.turn(None).expect("the park works");
    }
    assert_eq!((executor.park().looks(), executor.park().waits()), (10, 0));
}

// SEM-52: one long batch is broken up as well; what sleeps is seen within the interval.
#[test]
fn batch_of_many_tasks_is_broken_up_at_the_event_interval() {
    let mut executor = executor_with(Settings { event_interval: 10, ..Settings::default() });
    for _ in 0..100 {
        drop(executor.spawn(async {}));
    }
    executor.turn(Some(Duration::ZERO)).expect("the park works");
    assert_eq!(executor.park().looks(), 11, "ten within the batch, one at its end");
}

// SEM-52: and others get their turns, those from other threads included.
#[test]
fn task_waking_itself_for_ever_does_not_keep_out_other_threads() {
    let mut executor = executor();
    let remote = executor.remote();
    drop(executor.spawn(async {
        loop {
            yield_now().await;
        }
    }));
    let flag = Flag::default();
    let set = flag.clone();
    let thread = std::thread::spawn(move || {
        let joined = remote.spawn(|| async { 7 }).expect("the loop is alive");
        joined.wait().expect("it ends well")
    });
    executor.block_on(async {
        drop(spawn(async move {
            while !thread.is_finished() {
                yield_now().await;
            }
            assert_eq!(thread.join().expect("it ends well"), 7);
            set.set();
        }));
        flag.wait().await;
    });
}

// F27: a future of 150 KB passes through the frames of spawn on a thread with little stack.
#[test]
fn large_future_spawned_on_a_small_stack_is_boxed_on_entry() {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let thread = thread.spawn(|| {
        executor().block_on(async {
            let large = [7_u8; 150 << 10];
            spawn(async move {
                yield_now().await;
                large.iter().map(|&byte| usize::from(byte)).sum::<usize>()
            })
            .await
            .expect("it ends well")
        })
    });
    let sum = thread.expect("a thread").join().expect("it ends well");
    assert_eq!(sum, 7 * (150 << 10));
}

// SEM-36: a destructor that runs at the task's end is no longer the task.
#[test]
fn current_task_in_a_destructor_at_the_end_is_nobody_or_the_task_but_never_another() {
    let (mut executor, seen) = (executor(), Rc::new(Cell::new(None)));
    let inner = seen.clone();
    let other = executor.spawn(pending::<()>());
    let guard = OnDrop::new(move || inner.set(Some(current_task())));
    let task = executor.spawn(poll_fn(move |_| {
        let _held_until_the_future_goes = &guard;
        Poll::Ready(())
    }));
    run_until_idle(&mut executor);
    let seen = seen.get().expect("the destructor has run");
    assert!(seen.is_none() || seen == Some(task.id()), "{seen:?}");
    assert_ne!(seen, Some(other.id()));
}

// SEM-43: polling a handle half way and dropping that loses nothing.
#[test]
fn handle_polled_by_reference_and_left_can_be_awaited_again() {
    executor().block_on(async {
        let flag = Flag::default();
        let waits = flag.clone();
        let mut task = spawn(async move {
            waits.wait().await;
            7
        });
        for _ in 0..3 {
            assert!((&mut task).now_or_never().is_none());
            yield_now().await;
        }
        flag.set();
        assert_eq!(Pin::new(&mut task).await.expect("it ends well"), 7);
    });
}
