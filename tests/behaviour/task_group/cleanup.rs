//! What children leave to be cleaned up with awaits: in order, side by side, and nothing is lost.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;

use futures_util::FutureExt as _;
use lone_executor::{JoinError, spawn, yield_now};
use lone_sync::{AsyncClose, Failure, TaskGroup, finally, race, using};

use super::{Done, Group, WELL, yields};
use crate::help::{Flag, OnDrop, Trace, executor, record_reports, run_until_idle, take_reports};

/// Says when its close begins and ends; that takes so many yields, and may fail.
struct Resource {
    trace: Trace,
    name: &'static str,
    yields: usize,
    fails: bool,
}

impl Resource {
    fn new(trace: &Trace, name: &'static str, yields: usize) -> Resource {
        Resource { trace: trace.clone(), name, yields, fails: false }
    }

    fn failing(self) -> Resource {
        Resource { fails: true, ..self }
    }
}

impl AsyncClose for Resource {
    type Error = &'static str;

    async fn close(self) -> Result<(), &'static str> {
        self.trace.say(format!("{}-begins", self.name));
        yields(self.yields).await;
        self.trace.say(format!("{}-closed", self.name));
        if self.fails { Err("cannot close") } else { Ok(()) }
    }
}

/// Waits for ever, with a resource.
async fn holds(resource: Resource) -> Done {
    using(resource, async |_| pending::<Done>().await).await.map_err(|_| "not reached")?
}

/// Panics after two yields, with a resource.
async fn panics_with(resource: Resource) -> Done {
    using(resource, async |_| {
        yields(2).await;
        panic!("the body of the resource")
    })
    .await
    .map_err(|_| "not reached")?
}

// ----- order --------------------------------------------------------------------------------------

// F5: children side by side, then the owner, and only then it reports.
#[test]
fn children_of_a_dropped_group_clean_up_side_by_side_and_before_their_owner() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = trace.clone();
        let owner = spawn(async move {
            using(Resource::new(&say, "owner", 1), async |_| {
                Group::run(async |group| {
                    drop(group.spawn(holds(Resource::new(&say, "c1", 4))));
                    drop(group.spawn(holds(Resource::new(&say, "c2", 2))));
                    WELL
                })
                .await
                .map(drop)
            })
            .await
            .map(drop)
        });
        yields(3).await;
        owner.cancel("enough");
        assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        trace.say("reports");
    });
    let said = "c1-begins c2-begins c2-closed c1-closed owner-begins owner-closed reports";
    assert_eq!(trace.take(), said);
}

// F5: the same where one fails, or the group is cancelled: the group waits for all; each child's own
// resources go innermost first.
#[test]
fn children_of_a_group_that_stops_clean_up_side_by_side_each_innermost_first() {
    let trace = Trace::default();
    for fails in [true, false] {
        let ran = executor().block_on(Group::run(async |group| {
            let nested = |outer, inner, long| {
                let trace = trace.clone();
                async move {
                    let body =
                        async |_: &mut Resource| holds(Resource::new(&trace, inner, long)).await;
                    using(Resource::new(&trace, outer, 1), body).await.map_err(|_| "not reached")?
                }
            };
            drop(group.spawn(nested("a", "in-a", 5)));
            drop(group.spawn(nested("b", "in-b", 1)));
            yields(2).await;
            if fails {
                return Err("enough");
            }
            group.cancel("enough");
            WELL
        }));
        assert_eq!(ran.is_err(), fails);
        trace.say("reports");
        assert_eq!(
            trace.take(),
            "in-a-begins in-b-begins in-b-closed b-begins b-closed in-a-closed a-begins a-closed \
             reports"
        );
    }
}

// SEM-66: a close that has begun goes on where it was, though it is stopped meanwhile, and again.
#[test]
fn close_that_has_begun_when_its_group_stops_and_is_dropped_goes_on_where_it_was() {
    let trace = Trace::default();
    executor().block_on(async {
        let say = trace.clone();
        let owner = spawn(Group::run(async move |group| {
            let resource = Resource::new(&say, "child", 9);
            drop(group.spawn(async move {
                using(resource, async |_| ()).await.map_err(|_| "not reached")
            }));
            yields(4).await;
            group.cancel("first");
            pending::<Done>().await
        }));
        yields(7).await;
        owner.cancel("second");
        assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        trace.say("reports");
    });
    assert_eq!(trace.take(), "child-begins child-closed reports");
}

// SEM-180: an individual cancel waits for that child's cleanup only in its handle.
#[test]
fn child_that_cleans_up_after_its_cancel_is_finished_only_then() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let child = group.spawn(holds(Resource::new(&trace, "child", 3)));
        yields(2).await;
        child.cancel("enough");
        yields(2).await;
        assert!(!child.is_finished() && !child.cancel("again"));
        assert!(child.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
        WELL
    }));
    assert_eq!(ran.expect("nobody has failed"), Some(()));
    assert_eq!(trace.take(), "child-begins child-closed joined");
}

// ----- what panics cleans up as well --------------------------------------------------------------

// SEM-196, SEM-67: child and body: the cleanup is awaited before the group reports, and its error is there.
#[test]
fn cleanup_of_what_has_panicked_is_awaited_before_the_group_reports() {
    let trace = Trace::default();
    let of_a_child = executor().block_on(async {
        let ran = Group::run(async |group| {
            drop(group.spawn(panics_with(Resource::new(&trace, "child", 5).failing())));
            WELL
        });
        let ran = ran.await;
        trace.say("reports");
        ran
    });
    assert_eq!(trace.take(), "child-begins child-closed reports");
    let of_the_body = executor().block_on(async {
        let ran = Group::run(async |_group| {
            panics_with(Resource::new(&trace, "body", 5).failing()).await
        });
        let ran = ran.await;
        trace.say("reports");
        ran
    });
    assert_eq!(trace.take(), "body-begins body-closed reports");
    for ran in [of_a_child, of_the_body] {
        let error = ran.expect_err("it panics");
        let [Failure::Panicked(panic), Failure::Cleanup(cleanup)] = error.failures() else {
            panic!("a panic and a cleanup: {error:?}");
        };
        assert_eq!(panic.message(), "the body of the resource");
        assert_eq!(cleanup.cleanup_errors().to_string(), "cleanup failed: cannot close");
    }
}

// SEM-196: a child that panics is finished when its cleanup has run, and has failed.
#[test]
fn handle_of_a_child_that_panics_waits_for_its_cleanup() {
    let trace = Trace::default();
    executor().block_on(async {
        let place = std::cell::RefCell::new(None);
        let mut group = Box::pin(Group::run(async |group| {
            place.replace(Some(group.spawn(panics_with(Resource::new(&trace, "child", 3)))));
            WELL
        }));
        let watch = async {
            yields(6).await;
            let handle = place.take().expect("it was put there");
            assert!(!handle.is_finished(), "it cleans up");
            assert!(matches!(handle.await, Err(JoinError::Failed)));
            trace.say("joined");
        };
        let (ran, ()) = futures_util::future::join(&mut group, watch).await;
        assert!(ran.is_err());
    });
    assert_eq!(trace.take(), "child-begins child-closed joined");
}

// SEM-196: a destructor that panics at the stop, beside a resource: both are dealt with.
#[test]
fn destructor_that_panics_beside_a_resource_keeps_neither_from_being_closed() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let resource = Resource::new(&trace, "child", 3);
        drop(group.spawn(async move {
            let _guard = OnDrop::new(|| panic!("a destructor"));
            holds(resource).await
        }));
        yields(2).await;
        Err::<(), _>("body")
    }));
    trace.say("reports");
    let error = ran.expect_err("it fails");
    let [Failure::Panicked(panic), Failure::Error("body")] = error.failures() else {
        panic!("both: {error:?}");
    };
    assert_eq!(panic.message(), "a destructor");
    assert_eq!(trace.take(), "child-begins child-closed reports");
}

/// A future that is ready at once, and hands over a cleanup when it is dropped.
struct ReadyWithRest(Trace);

impl Future for ReadyWithRest {
    type Output = Done;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Done> {
        std::task::Poll::Ready(WELL)
    }
}

impl Drop for ReadyWithRest {
    fn drop(&mut self) {
        let trace = self.0.clone();
        lone_executor::cleanup::adopt(async move {
            yields(3).await;
            trace.say("cleaned");
            Ok(())
        });
    }
}

// F4: what a ready future still holds belongs to its group: of a child, the body, an output.
#[test]
fn what_is_left_of_ended_futures_is_cleaned_up_before_the_group_reports() {
    let trace = Trace::default();
    executor().block_on(async {
        let ran = Group::run(|group: Group<'static>| {
            drop(group.spawn(ReadyWithRest(trace.clone())));
            ReadyWithRest(trace.clone())
        });
        assert!(ran.await.is_ok());
        trace.say("reports");
        let ran = Group::run(async |group| {
            let output = ReadyWithRest(trace.clone());
            drop(group.spawn(async move { Ok::<_, &str>(output) }));
            drop(group.spawn(async {
                yields(3).await;
                Err::<(), _>("enough")
            }));
            Ok::<_, &str>(ReadyWithRest(trace.clone()))
        });
        assert!(ran.await.is_err());
        trace.say("reports");
    });
    assert_eq!(trace.take(), "cleaned cleaned reports cleaned cleaned reports");
}

// ----- what fails then ----------------------------------------------------------------------------

// SEM-178, C-87: the body fails, and then a child's cleanup: both, the child's first.
#[test]
fn body_that_fails_and_a_cleanup_that_fails_then_both_come_out() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(holds(Resource::new(&trace, "child", 3).failing())));
        yields(2).await;
        Err::<(), _>("body")
    }));
    let error = ran.expect_err("both fail");
    let [Failure::Cleanup(cleanup), Failure::Error("body")] = error.failures() else {
        panic!("a cleanup and an error: {error:?}");
    };
    assert_eq!(cleanup.reason().to_string(), "the body of its group has failed");
    assert_eq!(cleanup.cleanup_errors().to_string(), "cleanup failed: cannot close");
}

// SEM-178: the body is stopped by a child, and its cleanup fails: the child's first.
#[test]
fn cleanup_of_the_body_that_fails_comes_out_last() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(holds(Resource::new(&trace, "child", 7).failing())));
        drop(group.spawn(async {
            yields(2).await;
            Err::<(), _>("first")
        }));
        holds(Resource::new(&trace, "body", 1).failing()).await
    }));
    let error = ran.expect_err("three fail");
    let [Failure::Error("first"), Failure::Cleanup(_), Failure::Cleanup(body)] = error.failures()
    else {
        panic!("an error and two cleanups: {error:?}");
    };
    assert_eq!(body.reason().to_string(), "another one of its group has failed");
    assert_eq!(trace.take(), "body-begins child-begins body-closed child-closed");
}

// SEM-181: of a child that was cancelled by its handle: a failure as any, so the others are stopped.
#[test]
fn cleanup_that_fails_after_the_cancel_of_a_child_fails_the_group() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let child = group.spawn(holds(Resource::new(&trace, "child", 1).failing()));
        yields(2).await;
        child.cancel("enough");
        let Err(JoinError::Cancelled(why)) = child.await else { panic!("it was cancelled") };
        assert_eq!(why.cleanup_errors().len(), 1, "the handle tells as well");
        pending::<Done>().await
    }));
    let error = ran.expect_err("the cleanup fails");
    let [Failure::Cleanup(cleanup)] = error.failures() else { panic!("a cleanup: {error:?}") };
    assert_eq!(cleanup.reason().to_string(), "enough");
}

// SEM-190: a group that was cancelled has failed if a cleanup has.
#[test]
fn cleanup_that_fails_after_the_cancel_of_the_group_is_its_error() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        drop(group.spawn(holds(Resource::new(&trace, "child", 1).failing())));
        yields(2).await;
        group.cancel("seen enough");
        WELL
    }));
    let error = ran.expect_err("the cleanup fails");
    let [Failure::Cleanup(cleanup)] = error.failures() else { panic!("a cleanup: {error:?}") };
    assert_eq!(cleanup.reason().to_string(), "seen enough");
}

// SEM-183: the owner is cancelled: the error is told with its cancel, and nowhere else.
#[test]
fn cleanup_that_fails_after_the_cancel_of_the_owner_is_told_with_that() {
    record_reports();
    let trace = Trace::default();
    executor().block_on(async {
        let say = trace.clone();
        let owner = spawn(Group::run(async move |group| {
            drop(group.spawn(holds(Resource::new(&say, "c1", 1).failing())));
            drop(group.spawn(holds(Resource::new(&say, "c2", 1).failing())));
            WELL
        }));
        yields(3).await;
        owner.cancel("enough");
        let Err(JoinError::Cancelled(why)) = owner.await else { panic!("it was cancelled") };
        let told = why.cleanup_errors().to_string();
        assert_eq!(told.matches("cannot close").count(), 2, "{told}");
    });
    assert_eq!(take_reports(), Vec::<String>::new());
}

// SEM-187: an inner group that is dropped as the outer one fails: its cleanups are the outer's.
#[test]
fn cleanup_of_an_inner_group_that_fails_is_a_failure_of_the_outer_child() {
    let trace = Trace::default();
    let ran = executor().block_on(Group::run(async |group| {
        let say = trace.clone();
        drop(group.spawn(async move {
            let inner = Group::run(async |group| {
                drop(group.spawn(holds(Resource::new(&say, "inner", 2).failing())));
                WELL
            });
            inner.await.map(drop)
        }));
        yields(4).await;
        Err::<(), _>("outer")
    }));
    let error = ran.expect_err("both fail");
    let [Failure::Cleanup(cleanup), Failure::Error("outer")] = error.failures() else {
        panic!("a cleanup and an error: {error:?}");
    };
    assert!(cleanup.to_string().contains("cannot close"), "{cleanup}");
}

// ----- who waits for whom -------------------------------------------------------------------------

// F5: cleanups of two children may wait for one another: they run side by side.
#[test]
fn cleanup_of_one_child_may_wait_for_that_of_another() {
    for dropped in [true, false] {
        let (first, second) = (Flag::default(), Flag::default());
        executor().block_on(async {
            let owner = spawn(Group::run(async move |group| {
                for (set, wait) in [(first.clone(), second.clone()), (second, first)] {
                    drop(group.spawn(finally(pending::<Done>(), async move {
                        set.set();
                        wait.wait().await;
                    })));
                }
                yields(4).await;
                group.cancel("enough");
                pending::<Done>().await
            }));
            yields(3).await;
            if dropped {
                owner.cancel("enough");
                assert!(owner.await.is_err_and(|error| error.is_cancelled()));
            } else {
                assert!(owner.await.expect("it ends well").expect("nobody fails").is_none());
            }
        });
    }
}

// SEM-22: a cleanup that waits for ever is a deadlock, and the report names the child's line.
#[test]
fn cleanup_that_never_ends_is_a_deadlock_that_names_it() {
    let ran = executor().try_block_on(Group::run(async |group| {
        drop(group.spawn(finally(pending::<Done>(), pending::<()>())));
        yield_now().await;
        group.cancel("enough");
        WELL
    }));
    let Err(lone_executor::RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    let name = report.waiting()[1].name.as_deref().expect("it has one").to_owned();
    let line = "cleanup of a child of a task group at tests/behaviour/task_group/cleanup.rs";
    assert!(name.starts_with(line), "{name}");
    assert!(report.to_string().contains("main awaits the end of Task-"), "{report}");
}

// F7: an error type that cannot be: nothing to be told.
#[test]
fn cleanup_that_cannot_fail_is_no_failure() {
    struct Quiet;
    impl AsyncClose for Quiet {
        type Error = Infallible;
        async fn close(self) -> Result<(), Infallible> {
            yield_now().await;
            Ok(())
        }
    }
    let ran = executor().block_on(TaskGroup::<Infallible>::run(async |group| {
        let held = async { using(Quiet, async |_| pending::<()>().await).await.map(drop) };
        drop(group.spawn(async {
            held.await.map_err(|error| error.error)?;
            Ok::<_, Infallible>(())
        }));
        yield_now().await;
        group.cancel("enough");
        Ok::<_, Infallible>(())
    }));
    assert_eq!(ran.expect("nothing can fail"), Some(()));
}

// F22: a group with a cleanup under way is dropped inside another loop: each loop runs what it has.
#[test]
fn group_dropped_inside_another_loop_has_its_cleanups_run_on_both() {
    let trace = Trace::default();
    let (mut home, mut other) = (executor(), executor());
    let (outer, inner) = (Resource::new(&trace, "outer", 2), Resource::new(&trace, "inner", 9));
    let mut group = Box::pin(Group::run(async move |group| {
        drop(group.spawn(async move {
            using(outer, async |_| {
                let given_up = race([
                    Box::pin(holds(inner)) as Pin<Box<dyn Future<Output = Done>>>,
                    Box::pin(yields(1).map(|()| WELL)),
                ]);
                given_up.await?;
                pending::<Done>().await
            })
            .await
            .map_err(|_| "not reached")?
        }));
        WELL
    }));
    home.block_on(async {
        for _ in 0..4 {
            assert!((&mut group).now_or_never().is_none());
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), "inner-begins");
    other.block_on(async move { drop(group) });
    assert_eq!(trace.take(), "outer-begins outer-closed");
    assert_eq!(run_until_idle(&mut home), 0);
    assert_eq!(trace.take(), "inner-closed");
}
