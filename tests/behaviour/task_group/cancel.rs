//! Cancelling a child, and cancelling the group.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::FutureExt as _;
use lone_executor::{Executor, JoinError, Settings, Source, yield_now};
use lone_sync::GroupHandle;
use lone_tests::bounded_park::BoundedPark;

use super::{Done, Group, WELL, never, reason, stays, yields};
use crate::help::{
    Flag, OnDrop, PATIENCE, SayOnDrop, Trace, assert_one_report, executor, executor_with,
    hold_for_ever, record_reports, run_until_idle, take_reports,
};

// ----- a child ------------------------------------------------------------------------------------

// SEM-180, SEM-55: before its first poll; its future is dropped unpolled, its captures with it.
#[test]
fn child_cancelled_before_its_first_poll_is_never_polled() {
    let held = Rc::new(());
    let ran = executor().block_on(Group::run(async |group| {
        let holding = held.clone();
        let child = group.spawn(async move {
            let _holding = holding;
            never("it is not polled")
        });
        assert!(child.cancel("not needed") && !child.cancel("again"));
        assert_eq!(Rc::strong_count(&held), 2, "nothing is dropped within the call");
        assert_eq!(reason(child.await), "not needed");
        assert_eq!(Rc::strong_count(&held), 1);
        Ok::<_, &str>("the body goes on")
    }));
    assert_eq!(ran.expect("nobody has failed"), Some("the body goes on"));
}

// SEM-180: while it waits; the others go on, and nothing counts as failed.
#[test]
fn child_cancelled_while_it_waits_stops_neither_the_others_nor_the_body() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let stopped = group.spawn(stays(SayOnDrop(trace.clone(), "stopped")));
        let say = trace.clone();
        let other = group.spawn(async move {
            yields(5).await;
            say.say("other");
            WELL
        });
        yields(2).await;
        assert!(stopped.cancel("enough"));
        assert!(!stopped.is_finished(), "nothing of it runs within the call");
        assert_eq!(reason::<()>(stopped.await), "enough");
        other.await.expect("it goes on");
        WELL
    }));
    assert_eq!(ran.expect("nobody has failed"), Some(()));
    assert_eq!(trace.take(), "stopped other");
}

// SEM-180: a cancel beats a wake that is on its way; SEM-57: an end beats a cancel.
#[test]
fn child_cancelled_after_its_wake_is_not_polled_again_and_after_its_end_keeps_its_value() {
    let (trace, flag) = (Trace::default(), Flag::default());
    let ran = executor().block_on(Group::run(async |group| {
        let (wait, say) = (flag.clone(), trace.clone());
        let child = group.spawn(async move {
            wait.wait().await;
            say.say("polled again");
            WELL
        });
        let ended = group.spawn(async { Ok::<_, &str>("its value") });
        yields(2).await;
        flag.set();
        assert!(child.cancel("enough"));
        assert!(!ended.cancel("too late"));
        assert_eq!(reason(child.await), "enough");
        assert_eq!(ended.await.expect("it has ended"), "its value");
        WELL
    }));
    assert_eq!(ran.expect("nobody has failed"), Some(()));
    assert_eq!(trace.take(), "");
}

// SEM-56, SEM-57: it goes on to its next await, or to its end.
#[test]
fn child_that_cancels_itself_is_stopped_at_its_next_await_or_keeps_its_value() {
    let handles: RefCell<Vec<GroupHandle<&str>>> = RefCell::default();
    let ran = executor().block_on(Group::run(async |group| {
        for awaits in [true, false] {
            let own = &handles;
            let child = group.spawn(async move {
                assert!(own.borrow()[usize::from(!awaits)].cancel("by itself"));
                if awaits {
                    yield_now().await;
                    unreachable!("it was cancelled");
                }
                Ok::<_, &str>("its value")
            });
            handles.borrow_mut().push(child);
        }
        WELL
    }));
    assert_eq!(ran.expect("nobody has failed"), Some(()));
    let mut handles = handles.take();
    assert_eq!(reason(handles[0].try_join().expect("it has ended")), "by itself");
    assert_eq!(handles[1].try_join().expect("it has ended").expect("well"), "its value");
}

// F30: the cancel of a child waits for its group to be polled, and is not lost meanwhile.
#[test]
fn cancel_in_a_group_that_nobody_polls_is_applied_when_somebody_does() {
    let trace = Trace::default();
    executor().block_on(async {
        let place = Rc::new(RefCell::new(None));
        let mut group = Box::pin(Group::run(async |group| {
            let guard = SayOnDrop(trace.clone(), "child");
            place.replace(Some(group.spawn(stays(guard))));
            WELL
        }));
        assert!((&mut group).now_or_never().is_none());
        let child = place.take().expect("it was put there");
        assert!(child.cancel("enough"));
        yields(3).await;
        assert!(!child.is_finished(), "nobody polls its group");
        assert_eq!(trace.take(), "");
        assert_eq!(group.await.expect("nobody has failed"), Some(()));
        assert_eq!(trace.take(), "child");
        assert_eq!(reason(child.await), "enough");
    });
}

/// A loop in debug mode.
fn debugging() -> Executor<BoundedPark> {
    executor_with(Settings { debug: true, slow_poll: PATIENCE, ..Settings::default() })
}

/// Polls a group twice, as the task that runs.
async fn poll_twice<F: Future + Unpin>(group: &mut F) {
    for _ in 0..2 {
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut *group).poll(cx))).await;
        assert!(polled.is_pending());
    }
}

// F30: debug mode says that a cancel waits for a group which is kept aside: of a child, or of it all.
#[test]
fn cancel_in_a_group_that_is_kept_aside_is_reported_in_debug_mode() {
    record_reports();
    for whole in [false, true] {
        debugging().block_on(async {
            let place = Rc::new(RefCell::new(None));
            let mut group = Box::pin(Group::run(async |group| {
                place.replace(Some((group.clone(), group.spawn(pending::<Done>()))));
                WELL
            }));
            poll_twice(&mut group).await;
            let (link, child) = place.take().expect("it was put there");
            assert!(if whole { link.cancel("enough") } else { child.cancel("enough") });
            yields(5).await;
            let of = if whole { "the group that was started" } else { "the group of the child" };
            assert_one_report(&["main has run without polling", of, "cancel.rs:", "kept aside"]);
            assert!(group.await.is_ok());
            yields(5).await;
        });
    }
    assert_eq!(take_reports(), Vec::<String>::new());
}

// F30: one that is polled, or dropped, is not.
#[test]
fn cancel_in_a_group_that_is_polled_or_dropped_is_not_reported_in_debug_mode() {
    record_reports();
    debugging().block_on(async {
        for whole in [false, true] {
            for dropped in [false, true] {
                let place = Rc::new(RefCell::new(None));
                let mut group = Box::pin(Group::run(async |group| {
                    place.replace(Some((group.clone(), group.spawn(pending::<Done>()))));
                    WELL
                }));
                poll_twice(&mut group).await;
                let (link, child) = place.take().expect("it was put there");
                assert!(if whole { link.cancel("enough") } else { child.cancel("enough") });
                if dropped {
                    drop(group);
                } else {
                    assert!(group.await.is_ok());
                }
                yields(5).await;
                assert!(child.is_finished());
            }
        }
    });
    assert_eq!(take_reports(), Vec::<String>::new());
}

// ----- the group ----------------------------------------------------------------------------------

// SEM-190: from the body, which goes on to its next await; idempotent; no error.
#[test]
fn group_cancelled_by_its_body_stops_children_and_body_and_is_no_error() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let _body = SayOnDrop(trace.clone(), "body");
        let child = group.spawn(stays(SayOnDrop(trace.clone(), "child")));
        yields(2).await;
        assert!(group.cancel("seen enough"));
        assert!(!group.cancel("again"), "the first reason is kept");
        assert!(!child.is_finished());
        trace.say("asked");
        yield_now().await;
        never("it was stopped")
    }));
    assert_eq!(ran.expect("no error"), None);
    assert_eq!(trace.take(), "asked body child");
}

// SEM-190: a body that does not wait any more has its value kept.
#[test]
fn group_cancelled_by_a_body_that_ends_then_returns_its_value() {
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(pending::<Done>()));
        yield_now().await;
        group.cancel("seen enough");
        Ok::<_, &str>("value")
    }));
    assert_eq!(ran.expect("no error"), Some("value"));
}

// SEM-190: from a child; those behind it in the turn are not polled any more.
#[test]
fn group_cancelled_by_a_child_stops_the_others_though_they_were_woken() {
    let (trace, flag) = (Trace::default(), Flag::default());
    let ran = executor().block_on(Group::run(async |group| {
        let (canceller, wait) = (group.clone(), flag.clone());
        drop(group.spawn(async move {
            wait.wait().await;
            assert!(canceller.cancel("seen enough"));
            WELL
        }));
        let (say, wait) = (trace.clone(), flag.clone());
        let _other = group.spawn(async move {
            let _guard = SayOnDrop(say.clone(), "stopped");
            wait.wait().await;
            say.say("polled again");
            WELL
        });
        yields(2).await;
        flag.set();
        pending::<Done>().await
    }));
    assert_eq!(ran.expect("no error"), None);
    assert_eq!(trace.take(), "stopped");
}

// SEM-190: from another task; a cancel beats a wake that is on its way.
#[test]
fn group_cancelled_from_outside_polls_nobody_any_more() {
    let (mut executor, trace, flag) = (executor(), Trace::default(), Flag::default());
    let place = Rc::new(RefCell::new(None));
    let (put, say, wait) = (place.clone(), trace.clone(), flag.clone());
    let mut task = executor.spawn(Group::run(async move |group| {
        let mut handles = Vec::new();
        for name in ["a", "b"] {
            let (say, wait) = (say.clone(), wait.clone());
            handles.push(group.spawn(async move {
                let _guard = SayOnDrop(say.clone(), name);
                wait.wait().await;
                never("it was cancelled")
            }));
        }
        put.replace(Some((group, handles)));
        wait.wait().await;
        never("it was cancelled")
    }));
    run_until_idle(&mut executor);
    let (group, handles) = place.take().expect("it was put there");
    drop(executor.spawn(async move {
        flag.set();
        assert!(group.cancel("from outside"));
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(task.try_join().expect("it has ended").expect("well").expect("no error"), None);
    assert_eq!(trace.take(), "a b");
    for mut handle in handles {
        let Some(Err(JoinError::Cancelled(why))) = handle.try_join() else { panic!("cancelled") };
        assert_eq!(why.reason().to_string(), "from outside");
        assert_eq!(why.source(), Source::Explicit);
    }
}

// SEM-190: from a destructor, of a child that ends, and of one that is stopped.
#[test]
fn group_cancelled_by_a_destructor_ends_without_an_error() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let (canceller, again) = (group.clone(), group.clone());
        let guard = OnDrop::new(move || assert!(canceller.cancel("by a destructor")));
        drop(group.spawn(async move {
            let _guard = guard;
            yield_now().await;
            WELL
        }));
        let guard = OnDrop::new(move || assert!(!again.cancel("again")));
        drop(group.spawn(stays((guard, SayOnDrop(trace.clone(), "child")))));
        hold_for_ever(SayOnDrop(trace.clone(), "body")).await;
        WELL
    }));
    assert_eq!(ran.expect("no error"), None);
    assert_eq!(trace.take(), "body child");
}

// SEM-190: when nobody is left, it is too late.
#[test]
fn group_cancelled_after_its_end_has_ended_well() {
    executor().block_on(async {
        let ran = Group::run(async |group| Ok::<_, &str>(group)).await;
        let group = ran.expect("nobody fails").expect("nobody cancels");
        assert!(!group.cancel("too late"));
    });
}

// SEM-191: in the same turn, from a destructor that is run by the stop, and later from a cleanup.
#[test]
fn child_spawned_after_the_cancel_of_its_group_runs_to_its_first_await() {
    let trace = Trace::default();
    let late = |trace: &Trace, group: &Group<'static>, name: &'static str| {
        let say = trace.clone();
        drop(group.spawn(async move {
            let _guard = SayOnDrop(say.clone(), "stopped");
            say.say(name);
            yield_now().await;
            never("it was stopped")
        }));
    };
    let say = trace.clone();
    let ran = executor().block_on(Group::<'static>::run(async move |group| {
        let (spawner, cleaner) = (group.clone(), group.clone());
        let (from_drop, from_cleanup) = (say.clone(), say.clone());
        let guard = OnDrop::new(move || late(&from_drop, &spawner, "by-a-destructor"));
        drop(group.spawn(stays(guard)));
        drop(group.spawn(lone_sync::finally(pending::<Done>(), async move {
            yields(3).await;
            late(&from_cleanup, &cleaner, "by-a-cleanup");
        })));
        yields(2).await;
        group.cancel("enough");
        late(&say, &group, "at-once");
        let short = group.spawn(async { Ok::<_, &str>("it does not wait") });
        Ok::<_, &str>(short)
    }));
    let mut short = ran.expect("no error").expect("the body had ended");
    assert_eq!(short.try_join().expect("it has ended").expect("well"), "it does not wait");
    assert_eq!(trace.take(), "at-once stopped by-a-destructor stopped by-a-cleanup stopped");
}

// SEM-189: nobody can swallow a cancel; a cleanup that takes long delays the group, and is not dropped.
#[test]
fn group_waits_for_the_longest_cleanup_of_its_children() {
    let trace = Trace::default();
    let say = trace.clone();
    let ran = executor().block_on(Group::run(async |group| {
        for (name, long) in [("short", 1), ("long", 50)] {
            let say = say.clone();
            drop(group.spawn(lone_sync::finally(pending::<Done>(), async move {
                yields(long).await;
                say.say(name);
            })));
        }
        yields(2).await;
        group.cancel("enough");
        WELL
    }));
    trace.say("ended");
    assert_eq!(ran.expect("no error"), Some(()));
    assert_eq!(trace.take(), "short long ended");
}
