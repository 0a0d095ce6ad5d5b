//! A group that moves between tasks, is forgotten, is given up, or hangs on foreign wakers.

use std::cell::RefCell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lone_executor::{JoinError, RunError, Source, spawn, yield_now};
use lone_sync::{GroupHandle, race};

use super::{Done, Group, WELL, stays, yields};
use crate::help::{
    Flag, SayOnDrop, Trace, WakerPlace, executor, leave_waker, poll_once, run_until_idle, waker_in,
};

/// A group whose only child waits for `flag`, and which says so.
fn waiting(flag: &Flag, trace: &Trace) -> Pin<Box<dyn Future<Output = Option<()>>>> {
    let (flag, trace) = (flag.clone(), trace.clone());
    Box::pin(async move {
        let ran = Group::run(async move |group| {
            drop(group.spawn(async move {
                flag.wait().await;
                trace.say("child");
                WELL
            }));
            yields(2).await;
            WELL
        });
        ran.await.expect("nobody fails")
    })
}

// F2, F24: begun in one task, which goes on, and awaited in another.
#[test]
fn group_polled_in_one_task_and_awaited_in_another_is_woken_there() {
    let (mut executor, trace, flag) = (executor(), Trace::default(), Flag::default());
    let mut group = waiting(&flag, &trace);
    let place = Rc::new(RefCell::new(None));
    let put = place.clone();
    let first = executor.spawn(async move {
        assert!((&mut group).now_or_never().is_none());
        put.replace(Some(group));
        pending::<()>().await;
    });
    run_until_idle(&mut executor);
    let second = executor.spawn(place.take().expect("it was put there"));
    run_until_idle(&mut executor);
    assert!(!second.is_finished());
    drop(executor.spawn(async move { flag.set() }));
    assert_eq!(run_until_idle(&mut executor), 1, "the first one waits for ever");
    assert!(second.is_finished() && !first.is_finished());
    assert_eq!(trace.take(), "child");
}

// F24: begun in a task that has ended, so that its slots are new ones.
#[test]
fn group_whose_first_task_has_ended_goes_on_in_the_next() {
    let (mut executor, trace, flag) = (executor(), Trace::default(), Flag::default());
    let mut group = waiting(&flag, &trace);
    let place = Rc::new(RefCell::new(None));
    let put = place.clone();
    drop(executor.spawn(async move {
        for _ in 0..3 {
            assert!((&mut group).now_or_never().is_none());
            yield_now().await;
        }
        put.replace(Some(group));
    }));
    run_until_idle(&mut executor);
    assert_eq!(executor.statistics().slots, 0, "they have gone with their root");
    let second = executor.spawn(place.take().expect("it was put there"));
    run_until_idle(&mut executor);
    flag.set();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert!(second.is_finished());
    assert_eq!(trace.take(), "child");
}

// F24: nothing runs any more, nothing is unsound, and the slots go with the task.
#[test]
fn group_forgotten_after_its_first_poll_leaves_no_slot_and_late_wakes_do_nothing() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (place, say) = (Rc::new(RefCell::new(None)), trace.clone());
    let leave = place.clone();
    drop(executor.spawn(async move {
        let mut group = Box::pin(Group::run(async move |group| {
            drop(group.spawn(leave_waker(leave, say, "child").map(Ok::<(), &str>)));
            pending::<Done>().await
        }));
        for _ in 0..2 {
            assert!(group.as_mut().now_or_never().is_none());
        }
        std::mem::forget(group);
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(executor.statistics().slots, 0);
    let waker: Waker = waker_in(&place);
    waker.wake();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "child", "it was polled once");
}

// F2: it hangs on wakers of another crate.
#[test]
fn groups_in_a_futures_unordered_all_end() {
    let trace = Trace::default();
    executor().block_on(async {
        let flags: Vec<Flag> = (0..5).map(|_| Flag::default()).collect();
        let mut groups: FuturesUnordered<_> =
            flags.iter().map(|flag| waiting(flag, &trace)).collect();
        let setters = flags.clone();
        drop(spawn(async move {
            for flag in setters.iter().rev() {
                yields(3).await;
                flag.set();
            }
        }));
        while let Some(ended) = groups.next().await {
            assert_eq!(ended, Some(()));
            trace.say("group");
        }
    });
    assert_eq!(trace.take(), ["child group"; 5].join(" "));
}

// F4: a foreign `select` drops the group; the task awaits what it has left.
#[test]
fn group_that_loses_a_foreign_select_is_dropped_with_its_children() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = trace.clone();
        let task = spawn(async move {
            let guard = SayOnDrop(say.clone(), "child");
            let late = say.clone();
            let group = Box::pin(Group::run(async move |group| {
                drop(group.spawn(stays(guard)));
                lone_sync::finally(pending::<Done>(), async move {
                    yield_now().await;
                    late.say("cleaned");
                })
                .await
            }));
            let won = select(group, Box::pin(yields(2))).await;
            assert!(matches!(won, Either::Right(_)));
            drop(won);
            say.say("selected");
        });
        task.await.expect("it ends well");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "child selected cleaned joined");
}

// SEM-46: a waker that outlives its child, its group, its task.
#[test]
fn waker_of_a_child_that_is_used_after_the_end_does_nothing() {
    let (mut executor, trace, place) = (executor(), Trace::default(), Rc::default());
    let (say, leave) = (trace.clone(), WakerPlace::clone(&place));
    executor.block_on(async move {
        let ran = Group::run(async |group| {
            let child = group.spawn(leave_waker(leave.clone(), say, "child").map(Ok::<(), &str>));
            yields(2).await;
            assert!(child.cancel("enough"));
            yields(2).await;
            assert!(child.is_finished());
            waker_in(&leave).wake();
            yields(2).await;
            WELL
        });
        assert_eq!(ran.await.expect("nobody fails"), Some(()));
        waker_in(&leave).wake();
        yields(2).await;
    });
    waker_in(&place).wake();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "child");
}

// SEM-200, C-91: nothing outlives it.
#[test]
fn group_dropped_by_race_has_dropped_its_children_when_race_returns() {
    let shared = Rc::new(());
    executor().block_on(async {
        let group = async {
            let ran = Group::run(async |group| {
                for _ in 0..3 {
                    drop(group.spawn(stays(shared.clone())));
                }
                pending::<Done>().await
            });
            ran.await.expect("nobody fails");
            "group"
        };
        let quick = async {
            yields(3).await;
            assert_eq!(Rc::strong_count(&shared), 4);
            "quick"
        };
        let arms: [Pin<Box<dyn Future<Output = &str>>>; 2] = [Box::pin(group), Box::pin(quick)];
        assert_eq!(race(arms).await, "quick");
        assert_eq!(Rc::strong_count(&shared), 1);
    });
}

// SEM-200: the handles of a group that was dropped say so.
#[test]
fn handles_of_a_group_that_was_dropped_are_cancelled() {
    executor().block_on(async {
        let place = Rc::new(RefCell::new(None));
        let mut group = Box::pin(Group::run(async |group| {
            place.replace(Some(group.spawn(pending::<Done>())));
            WELL
        }));
        assert!(group.as_mut().now_or_never().is_none());
        let handle = place.take().expect("it was put there");
        assert!(!handle.is_finished());
        drop(group);
        let Err(JoinError::Cancelled(why)) = handle.await else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "its group was dropped");
        assert_eq!(why.source(), Source::Group);
    });
}

// SEM-200: never polled, or dropped where no loop runs.
#[test]
fn group_dropped_unpolled_or_outside_of_the_loop_drops_what_it_has() {
    let (mut executor, trace) = (executor(), Trace::default());
    let make = |name: &'static str| {
        let guard = SayOnDrop(trace.clone(), name);
        Box::pin(Group::run(async move |group| {
            drop(group.spawn(stays(guard)));
            WELL
        }))
    };
    drop(make("unpolled"));
    let mut group = make("polled");
    executor.block_on(async { assert!(group.as_mut().now_or_never().is_none()) });
    assert_eq!(trace.take(), "unpolled");
    drop(group);
    assert_eq!(trace.take(), "polled");
}

// F19: polled where no loop runs, it says so.
#[test]
#[should_panic(expected = "no loop is running on this thread")]
fn group_polled_where_no_loop_runs_panics() {
    let mut group = Box::pin(Group::run(async |_group| WELL));
    let _polled = poll_once(&mut group);
}

// SEM-22: who waits for whom, by the lines on which they were written.
#[test]
fn children_that_await_one_another_are_a_deadlock_that_names_their_lines() {
    let place: Rc<RefCell<Option<GroupHandle<()>>>> = Rc::default();
    let ran = executor().try_block_on(async {
        let ran = Group::run(async |group| {
            let taken = place.clone();
            let first = group.spawn(async move {
                yield_now().await;
                let second = taken.take().expect("it was put there");
                second.await.map_err(|_| "stopped")
            });
            place.replace(Some(group.spawn(async { first.await.map_err(|_| "stopped") })));
            WELL
        });
        ran.await.expect("nobody fails")
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    let awaits: Vec<&str> = report.waiting()[0].awaits.iter().map(|awaited| awaited.on).collect();
    let child = "the end of a child of a task group";
    assert_eq!(awaits, [child, child, "a task group"], "{report}");
    let lines: Vec<u32> =
        report.waiting()[0].awaits.iter().map(|awaited| awaited.site.line()).collect();
    assert!(lines[1] < lines[0] && lines[2] < lines[1], "each with its own line: {report}");
}
