//! Groups: nobody is left, whoever spawns, whatever they wait for.

mod cancel;
mod cleanup;
mod errors;
mod model;
mod moves;
mod reentry;
mod tree;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;

use futures_util::FutureExt as _;
use lone_executor::{Executor, JoinError, ThreadPark, spawn, yield_now};
use lone_sync::{GroupHandle, TaskGroup};

use crate::help::{Flag, OnDrop, SayOnDrop, Trace, executor, hold_for_ever, run_until_idle};

type Group<'env> = TaskGroup<'env, &'static str>;
type Done = Result<(), &'static str>;

/// What all in these groups return when nothing is wrong.
const WELL: Done = Ok(());

/// Waits for ever, and holds `guard` meanwhile.
async fn stays<G>(guard: G) -> Done {
    hold_for_ever(guard).await;
    WELL
}

/// What is not reached.
#[track_caller]
fn never(why: &str) -> Done {
    panic!("reached: {why}")
}

/// Yields so often.
async fn yields(count: usize) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// The reason of a child that was stopped.
#[track_caller]
fn reason<T: std::fmt::Debug>(outcome: Result<T, JoinError>) -> String {
    match outcome {
        Err(JoinError::Cancelled(why)) => why.reason().to_string(),
        other => panic!("it was cancelled, not {other:?}"),
    }
}

// ----- it ends when all have ended ----------------------------------------------------------------

// SEM-173: children borrow
#[test]
fn group_whose_children_borrow_ends_when_all_have_ended() {
    let sum = Cell::new(0);
    let ran = executor().block_on(TaskGroup::<&str>::run(async |group| {
        for n in 0..3 {
            let sum = &sum;
            drop(group.spawn(async move {
                for _ in 0..n {
                    lone_executor::yield_now().await;
                }
                sum.set(sum.get() + n);
                Ok::<_, &str>(())
            }));
        }
        Ok::<_, &str>("body")
    }));
    assert_eq!(ran.expect("nobody fails"), Some("body"));
    assert_eq!(sum.get(), 3);
}

// SEM-173, F25: also when the body ends last, and each is polled only when it was woken.
#[test]
fn group_whose_body_ends_last_polls_nobody_who_was_not_woken() {
    let (polls, flag, trace) = (Cell::new(0), Flag::default(), Trace::default());
    let ran = executor().block_on(Group::run(async |group| {
        let (counted, flag, say) = (&polls, flag.clone(), trace.clone());
        let set = flag.clone();
        drop(group.spawn(async move {
            let mut waiting = Box::pin(flag.wait());
            poll_fn(|cx| {
                counted.set(counted.get() + 1);
                waiting.as_mut().poll(cx)
            })
            .await;
            say.say("child");
            WELL
        }));
        yields(10).await;
        set.set();
        yields(2).await;
        trace.say("body");
        WELL
    }));
    assert_eq!(ran.expect("nobody fails"), Some(()));
    assert_eq!(polls.get(), 2, "at first, and when it was woken");
    assert_eq!(trace.take(), "child body");
}

// SEM-199: nothing to wait for, so it does not wait.
#[test]
fn empty_group_is_ready_at_its_first_poll() {
    executor().block_on(async {
        let ran = Group::run(async |_group| Ok::<_, &str>(7)).now_or_never();
        assert_eq!(ran.expect("it does not wait").expect("nobody fails"), Some(7));
    });
}

// SEM-174: each once; a handle may be dropped.
#[test]
fn values_of_children_are_read_from_their_handles_after_the_group() {
    executor().block_on(async {
        let mut handles = Group::run(async |group| {
            let slow = group.spawn(async {
                yields(3).await;
                Ok::<_, &str>("slow")
            });
            Ok::<_, &str>([slow, group.spawn(async { Ok::<_, &str>("fast") })])
        })
        .await
        .expect("nobody fails")
        .expect("nobody cancels");
        assert!(handles.iter().all(GroupHandle::is_finished));
        assert_eq!(handles[0].try_join().expect("it has ended").expect("well"), "slow");
        assert!(matches!(handles[0].try_join(), Some(Err(JoinError::Taken))));
        let [_, fast] = handles;
        assert_eq!(fast.await.expect("it has ended well"), "fast");
    });
}

// SEM-174: within the group, by the body or a sibling.
#[test]
fn handle_awaited_by_a_sibling_gives_it_the_value() {
    executor().block_on(async {
        let ran = Group::run(async |group| {
            let slow = group.spawn(async {
                yields(3).await;
                Ok::<_, &str>(20)
            });
            let next = group.spawn(async { Ok::<_, &str>(slow.await.expect("it ends well") + 1) });
            Ok::<_, &str>(next.await.expect("it ends well") + 1)
        });
        assert_eq!(ran.await.expect("nobody fails"), Some(22));
    });
}

// SEM-30: as a task that awaits its own handle.
#[test]
fn child_that_awaits_its_own_handle_gets_an_error_at_once() {
    executor().block_on(async {
        let place: Rc<RefCell<Option<GroupHandle<()>>>> = Rc::default();
        let ran = Group::run(async |group| {
            let own = place.clone();
            let handle = group.spawn(async move {
                let own = own.take().expect("it was put there");
                assert!(matches!(own.await, Err(JoinError::Itself)));
                WELL
            });
            place.replace(Some(handle));
            WELL
        });
        assert_eq!(ran.await.expect("nobody fails"), Some(()));
    });
}

// ----- spawning -----------------------------------------------------------------------------------

// SEM-175: from the body, from a child, from a grandchild after the body has ended.
#[test]
fn child_spawned_by_a_child_after_the_end_of_the_body_is_run_to_its_end() {
    let trace = Trace::default();
    fn chain(
        group: Group<'_>,
        trace: Trace,
        left: usize,
    ) -> Pin<Box<dyn Future<Output = Done> + '_>> {
        Box::pin(async move {
            yields(2).await;
            trace.say(left.to_string());
            if left > 0 {
                drop(group.spawn(chain(group.clone(), trace, left - 1)));
            }
            WELL
        })
    }
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(chain(group.clone(), trace.clone(), 4)));
        WELL
    }));
    assert_eq!(ran.expect("nobody fails"), Some(()));
    assert_eq!(trace.take(), "4 3 2 1 0");
}

// SEM-175: the place of the body is used again, by many.
#[test]
fn children_spawned_long_after_the_end_of_the_body_all_end() {
    let ended = Cell::new(0);
    let ran = executor().block_on(Group::run(async |group| {
        let (spawner, ended) = (group.clone(), &ended);
        drop(group.spawn(async move {
            for n in 0..20 {
                yields(n % 3).await;
                for _ in 0..n {
                    drop(spawner.spawn(async move {
                        yields(n % 4).await;
                        ended.set(ended.get() + 1);
                        WELL
                    }));
                }
            }
            WELL
        }));
        WELL
    }));
    assert_eq!(ran.expect("nobody fails"), Some(()));
    assert_eq!(ended.get(), 190);
}

// SEM-175: it waits, and somebody else adds to it; the group is woken for it.
#[test]
fn child_spawned_by_another_task_while_the_group_waits_is_polled() {
    let (mut executor, trace, flag) = (executor(), Trace::default(), Flag::default());
    let (say, wait, place) = (trace.clone(), flag.clone(), Rc::new(RefCell::new(None)));
    let put = place.clone();
    let task = executor.spawn(Group::run(async move |group| {
        put.replace(Some(group));
        wait.wait().await;
        WELL
    }));
    assert_eq!(run_until_idle(&mut executor), 1);
    let group: Group<'static> = place.take().expect("the body has put it there");
    let outside = group.spawn(async move {
        say.say("from outside");
        WELL
    });
    drop(executor.spawn(async move {
        let child = group.spawn(async { Ok::<_, &str>("from a task") });
        assert_eq!(child.await.expect("it ends well"), "from a task");
        flag.set();
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert!(task.is_finished() && outside.is_finished());
    assert_eq!(trace.take(), "from outside");
}

// SEM-175: where another loop runs on this thread.
#[test]
fn child_spawned_inside_another_loop_runs_in_the_loop_of_its_group() {
    let mut executor = executor();
    let place = Rc::new(RefCell::new(None));
    let put = place.clone();
    let task = executor.spawn(Group::run(async move |group| {
        put.replace(Some(group.clone()));
        drop(group.spawn(pending::<Done>()));
        WELL
    }));
    assert_eq!(run_until_idle(&mut executor), 1);
    let group: Group<'static> = place.take().expect("the body has put it there");
    let mut child = None;
    Executor::new(ThreadPark::new()).expect("a loop index is free").block_on(async {
        child = Some(group.spawn(async { Ok::<_, &str>("home") }));
    });
    let child = child.expect("it was spawned");
    assert!(!child.is_finished());
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_eq!(child.now_or_never().expect("it has ended").expect("well"), "home");
    assert!(group.cancel("enough") && !task.is_finished());
    assert_eq!(run_until_idle(&mut executor), 0);
}

// SEM-176: after the end.
#[test]
fn spawn_after_the_end_drops_the_future_unpolled_and_the_handle_says_so() {
    let trace = Trace::default();
    executor().block_on(async {
        let smuggled = Group::run(async |group| Ok::<_, &str>(group));
        let group = smuggled.await.expect("nobody fails").expect("nobody cancels");
        assert_eq!(format!("{group:?}"), "TaskGroup(ended)");
        let guard = SayOnDrop(trace.clone(), "dropped");
        let mut refused = group.spawn(async move {
            let _guard = guard;
            never("it is not polled")
        });
        assert_eq!(trace.take(), "dropped");
        assert!(refused.is_finished() && !refused.cancel("there is nobody"));
        assert!(matches!(refused.try_join(), Some(Err(JoinError::GroupClosed))));
        assert!(matches!(refused.await, Err(JoinError::Taken)));
        assert!(!group.cancel("there is nobody") && group.is_empty());
    });
}

// SEM-176, C-90: while it shuts down after a failure: from a destructor, a child's cleanup, a task.
#[test]
fn spawn_after_a_failure_is_refused_whoever_spawns() {
    let (trace, flag) = (Trace::default(), Flag::default());
    let (from_drop, from_cleanup, set) = (trace.clone(), trace.clone(), flag.clone());
    let refused = |trace: &Trace, group: &Group<'static>, who: &str| {
        let guard = SayOnDrop(trace.clone(), "dropped");
        let mut handle = group.spawn(async move {
            let _guard = guard;
            never("it is not polled")
        });
        assert!(matches!(handle.try_join(), Some(Err(JoinError::GroupClosed))));
        trace.say(who);
    };
    let error = executor().block_on(async move {
        let ran = Group::<'static>::run(async move |group| {
            let (spawner, cleaner) = (group.clone(), group.clone());
            let guard = OnDrop::new(move || refused(&from_drop, &spawner, "by-a-destructor"));
            drop(group.spawn(stays(guard)));
            let closing = lone_sync::finally(pending::<Done>(), async move {
                yield_now().await;
                refused(&from_cleanup, &cleaner, "by-a-cleanup");
                flag.wait().await;
            });
            drop(group.spawn(closing));
            drop(group.spawn(async {
                yield_now().await;
                Err::<(), _>("first")
            }));
            let group = group.clone();
            drop(spawn(async move {
                yields(4).await;
                assert_eq!(group.len(), 1, "the one that cleans up");
                refused(&trace, &group, "by-a-task");
                set.set();
                assert_eq!(
                    trace.take(),
                    "dropped by-a-destructor dropped by-a-cleanup dropped by-a-task"
                );
            }));
            WELL
        });
        ran.await.expect_err("one fails")
    });
    assert_eq!(error.into_single().ok(), Some("first"));
}

// SEM-192: it is one future, whose body is called once; what a body does before its first await
// belongs to the child that it is.
#[test]
fn closure_that_panics_before_it_returns_the_body_fails_the_group() {
    executor().block_on(async {
        let ran = TaskGroup::<&str>::run(|group: Group<'static>| {
            drop(group.spawn(pending::<Done>()));
            if group.len() == 1 {
                panic!("no body");
            }
            async { WELL }
        });
        let error = ran.await.expect_err("it panics");
        assert!(error.to_string().contains("no body"), "{error}");
    });
}
