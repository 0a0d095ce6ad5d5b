//! What fails: all of it comes out, once, in order, after everybody has ended.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use futures_util::FutureExt as _;
use lone_executor::{JoinError, spawn, yield_now};
use lone_sync::{Failure, GroupError, TaskGroup};

use super::{Done, Group, WELL, stays, yields};
use crate::help::{
    Flag, OnDrop, SayOnDrop, Trace, executor, hold_for_ever, record_reports, run_until_idle,
    take_reports,
};

/// What has failed, leaf by leaf: an error by its text, a panic by its message.
fn leaves(error: &GroupError<&'static str>) -> Vec<String> {
    let leaf = |failure: &Failure<&'static str>| match failure {
        Failure::Error(error) => (*error).to_string(),
        Failure::Panicked(panic) => format!("panic: {}", panic.message()),
        Failure::Cleanup(cancelled) => format!("cleanup: {}", cancelled.cleanup_errors()),
        other => panic!("no leaf: {other:?}"),
    };
    error.iter().map(leaf).collect()
}

/// Runs a group that fails, and tells what has failed.
fn failures(
    ran: impl Future<Output = Result<Option<()>, GroupError<&'static str>>>,
) -> Vec<String> {
    leaves(&executor().block_on(ran).expect_err("somebody fails"))
}

async fn fails_after(yields_before: usize, error: &'static str) -> Done {
    yields(yields_before).await;
    Err(error)
}

/// Panics when it is dropped.
fn panic_on_drop(message: &'static str) -> OnDrop<impl FnOnce()> {
    OnDrop::new(move || panic!("{message}"))
}

// ----- the first failure, and those after it ------------------------------------------------------

// SEM-177: the others and the body are stopped where they wait, and the error comes out last of all.
#[test]
fn first_error_of_a_child_stops_all_others_and_then_comes_out() {
    let trace = Trace::default();
    let say = trace.clone();
    let failed = failures(async {
        let ran = Group::run(async |group| {
            drop(group.spawn(stays(SayOnDrop(say.clone(), "first"))));
            drop(group.spawn(fails_after(2, "out of cheese")));
            drop(group.spawn(stays(SayOnDrop(say.clone(), "last"))));
            stays(SayOnDrop(say.clone(), "body")).await
        });
        let ran = ran.await;
        trace.say("reports");
        ran
    });
    assert_eq!(failed, ["out of cheese"]);
    assert_eq!(trace.take(), "body first last reports");
}

// SEM-177: the handles say who has failed, and who was stopped.
#[test]
fn handles_after_a_failure_tell_the_failed_from_the_stopped() {
    executor().block_on(async {
        let handles = RefCell::new(Vec::new());
        let ran = Group::run(async |group| {
            let fails = group.spawn(fails_after(2, "out of cheese"));
            let ends = group.spawn(async { WELL });
            handles.replace(vec![fails, group.spawn(pending::<Done>()), ends]);
            WELL
        });
        assert_eq!(leaves(&ran.await.expect_err("one fails")), ["out of cheese"]);
        let mut ends = handles.take().into_iter().map(|mut handle| {
            assert!(handle.is_finished());
            handle.try_join().expect("it has ended")
        });
        assert!(matches!(ends.next(), Some(Err(JoinError::Failed))));
        let Some(Err(JoinError::Cancelled(why))) = ends.next() else { panic!("it was stopped") };
        assert_eq!(why.reason().to_string(), "another one of its group has failed");
        assert!(matches!(ends.next(), Some(Ok(()))));
    });
}

// SEM-178: all who fail in that turn, in the order in which they do; the body's own is the last.
#[test]
fn errors_of_all_who_were_woken_together_come_out_in_order_the_body_last() {
    let flag = Flag::default();
    let failed = failures(Group::run(async |group| {
        let fails = |error: &'static str| {
            let flag = flag.clone();
            async move {
                flag.wait().await;
                Err::<(), _>(error)
            }
        };
        drop(group.spawn(fails("a")));
        drop(group.spawn(fails("b")));
        let set = flag.clone();
        drop(group.spawn(async move {
            yields(3).await;
            set.set();
            WELL
        }));
        // It is the first to wait, so the first to be woken.
        fails("body").await
    }));
    assert_eq!(failed, ["a", "b", "body"]);
}

// SEM-179: alone, it is a group error all the same.
#[test]
fn error_of_the_body_stops_the_children_and_comes_out() {
    let trace = Trace::default();
    let failed = failures(Group::run(async |group| {
        drop(group.spawn(stays(SayOnDrop(trace.clone(), "child"))));
        fails_after(2, "body").await
    }));
    assert_eq!(failed, ["body"]);
    assert_eq!(trace.take(), "child");
}

// SEM-178: who fails after the cancel of the group has failed; so the group has.
#[test]
fn error_after_the_cancel_of_the_group_comes_out() {
    let failed = failures(Group::run(async |group| {
        group.cancel("enough");
        drop(group.spawn(async { Err::<(), _>("late child") }));
        Err::<(), _>("body")
    }));
    assert_eq!(failed, ["late child", "body"]);
}

// SEM-185: what comes after it is not disturbed.
#[test]
fn group_error_that_is_caught_leaves_the_task_as_any() {
    executor().block_on(async {
        let ran = Group::run(async |group| {
            drop(group.spawn(fails_after(0, "a")));
            WELL
        });
        assert!(ran.await.is_err());
        yields(3).await;
        let ran = Group::run(async |_group| fails_after(2, "b").await);
        assert_eq!(leaves(&ran.await.expect_err("the body fails")), ["b"]);
    });
}

// SEM-194: the group keeps nothing of what it has delivered.
#[test]
fn errors_are_gone_when_whoever_has_them_drops_them() {
    executor().block_on(async {
        let held = Rc::new(());
        let mut kept = None;
        let ran = TaskGroup::<Rc<()>>::run(async |group| {
            kept = Some(group.clone());
            for _ in 0..3 {
                let held = held.clone();
                drop(group.spawn(async move { Err::<(), _>(held) }));
            }
            Ok::<(), Rc<()>>(())
        });
        let error = ran.await.expect_err("three fail");
        assert_eq!((error.iter().count(), Rc::strong_count(&held)), (3, 4));
        drop(error);
        assert_eq!(Rc::strong_count(&held), 1);
        assert!(kept.expect("the body has run").is_empty());
    });
}

// ----- groups within groups -----------------------------------------------------------------------

/// A group whose second child fails after so many yields.
fn inner(
    trace: &Trace,
    yields_before: usize,
) -> impl Future<Output = Result<Option<()>, GroupError<&'static str>>> + use<> {
    let trace = trace.clone();
    Group::run(async move |group| {
        drop(group.spawn(stays(SayOnDrop(trace, "inner"))));
        drop(group.spawn(fails_after(yields_before, "inner fails")));
        WELL
    })
}

// SEM-186: caught, the outer one goes on.
#[test]
fn inner_group_that_fails_stops_only_its_own_children() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let (say, inner_says) = (trace.clone(), trace.clone());
        drop(group.spawn(async move {
            yields(9).await;
            say.say("outer");
            WELL
        }));
        drop(group.spawn(async move {
            assert_eq!(
                leaves(&inner(&inner_says, 2).await.expect_err("it fails")),
                ["inner fails"]
            );
            WELL
        }));
        WELL
    }));
    assert_eq!(ran.expect("it was caught"), Some(()));
    assert_eq!(trace.take(), "inner outer");
}

// SEM-186: else it is a branch of the outer's error, by `?`, in a child and in the body.
#[test]
fn error_of_an_inner_group_is_a_branch_of_the_outer_one() {
    let trace = Trace::default();
    let in_a_child = executor().block_on(Group::run(async |group| {
        let say = trace.clone();
        drop(group.spawn(async move {
            inner(&say, 2).await?;
            Ok::<_, GroupError<&str>>(())
        }));
        drop(group.spawn(stays(SayOnDrop(trace.clone(), "outer"))));
        WELL
    }));
    let in_the_body = executor().block_on(Group::run(async |group| {
        drop(group.spawn(stays(SayOnDrop(trace.clone(), "outer"))));
        inner(&trace, 2).await?;
        Ok::<_, GroupError<&str>>(())
    }));
    for ran in [in_a_child, in_the_body] {
        let error = ran.expect_err("the inner one fails");
        let [Failure::Group(branch)] = error.failures() else { panic!("one branch: {error:?}") };
        assert!(matches!(branch.failures(), [Failure::Error("inner fails")]));
        assert_eq!(leaves(&error), ["inner fails"]);
    }
    assert_eq!(trace.take(), "inner outer inner outer");
}

// SEM-186: one that may fail in both ways returns a `Failure`.
#[test]
fn child_that_returns_failures_passes_on_errors_and_branches_by_question_mark() {
    async fn both(which: bool) -> Result<(), Failure<&'static str>> {
        if which {
            inner(&Trace::default(), 0).await?;
        }
        Err("its own")?;
        Ok(())
    }
    let error = executor().block_on(Group::run(async |group| {
        drop(group.spawn(both(false)));
        WELL
    }));
    assert_eq!(leaves(&error.expect_err("one fails")), ["its own"]);
    let error = executor().block_on(Group::run(async |_group| both(true).await));
    assert!(matches!(error.expect_err("it fails").failures(), [Failure::Group(_)]));
}

// SEM-187: an inner group that was dropped contributes nothing.
#[test]
fn outer_child_that_fails_drops_the_inner_group_and_the_error_is_flat() {
    let trace = Trace::default();
    let failed = executor().block_on(Group::run(async |group| {
        let say = trace.clone();
        drop(group.spawn(async move {
            inner(&say, 100).await?;
            Ok::<_, GroupError<&str>>(())
        }));
        drop(group.spawn(fails_after(3, "outer")));
        WELL
    }));
    let error = failed.expect_err("the outer one fails");
    assert!(matches!(error.failures(), [Failure::Error("outer")]), "{error:?}");
    assert_eq!(trace.take(), "inner");
}

// SEM-188, C-89: in one turn, the inner error caught: the code behind it is stopped at its next await.
#[test]
fn inner_and_outer_that_fail_in_one_turn_stop_the_code_behind_the_inner_one() {
    let (trace, flag) = (Trace::default(), Flag::default());
    let failed = failures(Group::run(async |group| {
        let fails = |error: &'static str| {
            let flag = flag.clone();
            async move {
                flag.wait().await;
                Err::<(), _>(error)
            }
        };
        drop(group.spawn(fails("outer")));
        let (set, wait) = (flag.clone(), flag.clone());
        drop(group.spawn(async move {
            yields(5).await;
            set.set();
            WELL
        }));
        let ran = Group::run(async |group| {
            let wait = wait.clone();
            drop(group.spawn(async move {
                wait.wait().await;
                Err::<(), _>("inner")
            }));
            WELL
        });
        assert_eq!(leaves(&ran.await.expect_err("it fails")), ["inner"]);
        trace.say("caught");
        let _guard = SayOnDrop(trace.clone(), "stopped");
        yield_now().await;
        super::never("the outer one has failed")
    }));
    assert_eq!(failed, ["outer"]);
    assert_eq!(trace.take(), "caught stopped");
}

// ----- the owner is cancelled ---------------------------------------------------------------------

// SEM-182: the children have ended before it has.
#[test]
fn owner_that_is_cancelled_ends_as_cancelled_after_its_children() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = trace.clone();
        let owner = spawn(Group::run(async move |group| {
            let late = say.clone();
            drop(group.spawn(lone_sync::finally(pending::<Done>(), async move {
                yields(3).await;
                late.say("child");
            })));
            WELL
        }));
        yields(3).await;
        assert!(owner.cancel("enough"));
        let Err(JoinError::Cancelled(why)) = owner.await else { panic!("it was cancelled") };
        trace.say("owner");
        assert_eq!(why.reason().to_string(), "enough");
        assert!(why.cleanup_errors().is_empty());
    });
    assert_eq!(trace.take(), "child owner");
}

// SEM-184, C-88: a cancel drops the group; what had failed in it is said once, through the log.
#[test]
fn owner_cancelled_while_its_group_fails_has_the_failures_reported() {
    record_reports();
    let mut executor = executor();
    let place = Rc::new(RefCell::new(None));
    let put = place.clone();
    let owner = executor.spawn(async move {
        let mut group = Box::pin(Group::run(async |group| {
            drop(group.spawn(fails_after(0, "one")));
            drop(group.spawn(async {
                if true {
                    panic!("two");
                }
                WELL
            }));
            // Its cleanup is long: the group cannot report before it is dropped.
            drop(group.spawn(lone_sync::finally(pending::<Done>(), yields(9))));
            fails_after(2, "body").await
        }));
        put.replace(Some(()));
        group.as_mut().await.map(drop)
    });
    for _ in 0..4 {
        executor.turn(None).expect("the park works");
    }
    assert!(place.take().is_some() && !owner.is_finished());
    owner.cancel("enough");
    assert_eq!(run_until_idle(&mut executor), 0);
    let Some(Err(JoinError::Cancelled(why))) = owner.now_or_never() else { panic!("cancelled") };
    assert_eq!(why.reason().to_string(), "enough");
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert!(reports[0].contains("dropped half way; unread: a child has failed"), "{reports:#?}");
    assert!(reports[1].contains("two"), "{reports:#?}");
}

// SEM-184: those of inner groups, and the body's, leaf by leaf.
#[test]
fn group_dropped_with_failures_reports_every_leaf() {
    record_reports();
    executor().block_on(async {
        let mut group = Box::pin(Group::run(async |group| {
            drop(group.spawn(lone_sync::finally(pending::<Done>(), yields(9))));
            let inner = Group::run(async |group| {
                drop(group.spawn(fails_after(0, "one")));
                drop(group.spawn(async {
                    if true {
                        panic!("two");
                    }
                    WELL
                }));
                WELL
            });
            inner.await.map(drop)
        }));
        for _ in 0..4 {
            assert!((&mut group).now_or_never().is_none());
            yield_now().await;
        }
        drop(group);
    });
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert!(reports[0].contains("unread: its body has failed"), "{reports:#?}");
    assert!(reports[1].contains("panicked: two"), "{reports:#?}");
}

// ----- panics -------------------------------------------------------------------------------------

/// A child that panics after so many yields.
async fn panics_after(yields_before: usize, message: &'static str) -> Done {
    yields(yields_before).await;
    panic!("{message}")
}

// SEM-196: it is a failure that says whose it is; the others are stopped.
#[test]
fn panic_of_a_child_is_a_failure_with_its_name_and_line() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(panics_after(2, "no bread")).named("baker"));
        drop(group.spawn(stays(SayOnDrop(trace.clone(), "stopped"))));
        WELL
    }));
    let error = ran.expect_err("one panics");
    let [Failure::Panicked(panic)] = error.failures() else { panic!("a panic: {error:?}") };
    assert_eq!(panic.message(), "no bread");
    assert!(panic.whose().starts_with("`baker`, a child of a task group, spawned at "));
    assert_eq!(trace.take(), "stopped");
}

// SEM-196: all of them, in order; the body's is the last.
#[test]
fn panics_of_children_and_body_in_one_turn_all_come_out() {
    let failed = failures(Group::run(async |group| {
        drop(group.spawn(panics_after(2, "one")));
        drop(group.spawn(panics_after(2, "two")));
        panics_after(3, "body").await
    }));
    assert_eq!(failed, ["panic: one", "panic: two", "panic: body"]);
}

// SEM-196: of destructors, when those that wait are stopped: each is told, and the group ends.
#[test]
fn panics_of_destructors_at_the_stop_all_come_out_and_nobody_is_left() {
    let trace = Trace::default();
    let failed = failures(Group::run(async |group| {
        drop(group.spawn(stays(panic_on_drop("one"))));
        drop(group.spawn(stays(SayOnDrop(trace.clone(), "stopped"))));
        drop(group.spawn(stays(panic_on_drop("two"))));
        drop(group.spawn(fails_after(2, "first")));
        stays(panic_on_drop("body")).await
    }));
    assert_eq!(failed, ["first", "panic: one", "panic: two", "panic: body"]);
    assert_eq!(trace.take(), "stopped");
}

// SEM-196: of a destructor, where one child is cancelled, or the group, of a future that was never
// polled, too.
#[test]
fn panics_of_destructors_at_a_cancel_come_out() {
    let of_a_child = failures(Group::run(async |group| {
        let child = group.spawn(stays(panic_on_drop("one")));
        yields(2).await;
        child.cancel("enough");
        assert!(matches!(child.await, Err(JoinError::Failed)));
        pending::<Done>().await
    }));
    assert_eq!(of_a_child, ["panic: one"]);
    let of_the_group = failures(Group::run(async |group| {
        let guard = panic_on_drop("unpolled");
        yields(2).await;
        drop(group.spawn(async move {
            let _guard = guard;
            WELL
        }));
        group.cancel("enough");
        stays(panic_on_drop("body")).await
    }));
    assert_eq!(of_the_group, ["panic: unpolled", "panic: body"]);
}

/// What panics when it is dropped: an output that nobody wants.
struct Fragile(&'static str);

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

// SEM-39: the output of a child whose handle was dropped, and the body's where others have failed.
#[test]
fn panics_of_outputs_that_nobody_wants_come_out_and_lose_no_other_error() {
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(async { Ok::<_, &str>(Fragile("child's output")) }));
        drop(group.spawn(fails_after(2, "child")));
        Ok::<_, &str>(Fragile("body's output"))
    }));
    let Err(error) = ran else { panic!("they fail") };
    assert_eq!(leaves(&error), ["panic: child's output", "panic: body's output"]);
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(fails_after(2, "child")));
        Ok::<_, &str>(Fragile("body's output"))
    }));
    let Err(error) = ran else { panic!("they fail") };
    assert_eq!(leaves(&error), ["child", "panic: body's output"]);
}

// SEM-200: panics while the group is dropped: all children are dropped; one panic goes on, the others
// are reported.
#[test]
fn panics_of_destructors_at_the_drop_of_the_group_spare_nobody() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let say = trace.clone();
    let mut owner = executor.spawn(Group::run(async move |group| {
        drop(group.spawn(stays(panic_on_drop("one"))));
        drop(group.spawn(stays(SayOnDrop(say.clone(), "stopped"))));
        drop(group.spawn(stays(panic_on_drop("two"))));
        WELL
    }));
    run_until_idle(&mut executor);
    owner.cancel("enough");
    assert_eq!(run_until_idle(&mut executor), 0);
    let Some(Err(JoinError::Panicked(panic))) = owner.try_join() else { panic!("a panic") };
    assert_eq!(panic.message(), "one");
    assert_eq!(trace.take(), "stopped");
    crate::help::assert_one_report(&["a child of the task group at", "panicked: two"]);
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-200: the group is dropped by a panic that goes through: none of its own makes that an abort.
#[test]
fn group_dropped_by_a_panic_reports_the_panics_of_its_children() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let say = trace.clone();
    let mut owner = executor.spawn(async move {
        let mut group = Box::pin(Group::run(async |group| {
            drop(group.spawn(hold_for_ever(Fragile("spared")).map(Ok::<(), &str>)));
            drop(group.spawn(stays(SayOnDrop(say.clone(), "stopped"))));
            WELL
        }));
        for _ in 0..2 {
            assert!((&mut group).now_or_never().is_none());
        }
        panic!("the owner");
    });
    run_until_idle(&mut executor);
    let Some(Err(JoinError::Panicked(panic))) = owner.try_join() else { panic!("a panic") };
    assert_eq!(panic.message(), "the owner");
    assert_eq!(trace.take(), "stopped");
    assert_eq!(executor.statistics().slots, 0);
}

// F26: what an error turns into is the user's code.
#[test]
fn conversion_of_an_error_that_panics_is_a_failure() {
    struct Odd;
    impl lone_sync::IntoFailure<&'static str> for Odd {
        fn into_failure(self) -> Failure<&'static str> {
            panic!("cannot say")
        }
    }
    let failed = failures(Group::run(async |group| {
        drop(group.spawn(async { Err::<(), _>(Odd) }));
        yields(1).await;
        Err::<(), _>(Odd)
    }));
    assert_eq!(failed, ["panic: cannot say", "panic: cannot say"]);
}

// SEM-194: a group that nobody reads any more holds nothing: `Cell` counts the children that are left.
#[test]
fn children_that_fail_and_end_are_not_counted_any_more() {
    let seen = Cell::new(usize::MAX);
    let failed = failures(Group::run(async |group| {
        drop(group.spawn(async { WELL }));
        drop(group.spawn(panics_after(1, "one")));
        let (group, seen) = (group.clone(), &seen);
        let guard = OnDrop::new(move || seen.set(group.len()));
        yields(1).await;
        hold_for_ever(guard).await;
        WELL
    }));
    assert_eq!(failed, ["panic: one"]);
    assert_eq!(seen.get(), 0);
}
