//! Children that are dropped, and what they leave to be awaited: `try_gather`, `gather`, `join!`, shields.

use std::cell::Cell;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::{Either, FutureExt, select};
use lone_executor::cleanup::BoxError;
use lone_executor::{JoinError, JoinHandle, spawn, yield_now};
use lone_sync::{AsyncClose, Scope, cancel_all, finally, gather, join, shield, try_gather, using};

use crate::gather::{message, poll_times, yield_times};
use crate::help::{
    OnDrop, SayOnDrop, Trace, assert_one_report, executor, record_reports, run_until_idle,
    take_reports,
};

/// Something whose close takes so many turns; it says when that begins and ends.
pub(crate) struct Resource {
    pub(crate) trace: Trace,
    pub(crate) name: &'static str,
    pub(crate) turns: usize,
    /// What its close fails with.
    pub(crate) error: Option<&'static str>,
}

impl Resource {
    pub(crate) fn new(trace: &Trace, name: &'static str, turns: usize) -> Resource {
        Resource { trace: trace.clone(), name, turns, error: None }
    }

    pub(crate) fn failing(self, error: &'static str) -> Resource {
        Resource { error: Some(error), ..self }
    }
}

impl AsyncClose for Resource {
    type Error = BoxError;

    async fn close(self) -> Result<(), BoxError> {
        self.trace.say(format!("{}+", self.name));
        yield_times(self.turns).await;
        self.trace.say(format!("{}-", self.name));
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Holds `resource` for ever.
pub(crate) async fn hold<T>(resource: Resource) -> T {
    using(resource, async |_| pending::<T>().await).await.expect("it never ends by itself")
}

/// Ends in so many turns.
pub(crate) async fn ends<T>(turns: usize, output: T) -> T {
    yield_times(turns).await;
    output
}

type Child<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Three children: the second fails in its second turn, the others hold something.
fn second_fails(trace: &Trace) -> [Child<'static, Result<u8, &'static str>>; 3] {
    [
        Box::pin(hold(Resource::new(trace, "a", 3))),
        Box::pin(ends(1, Err("b"))),
        Box::pin(hold(Resource::new(trace, "c", 1))),
    ]
}

// ----- try_gather: an error ------------------------------------------------------------------------

// SEM-93: the others clean up at the same time, and only then is the error returned.
#[test]
fn try_gather_with_an_error_awaits_the_cleanups_of_the_others_side_by_side() {
    let (mut executor, trace) = (executor(), Trace::default());
    let outcome = executor.block_on(async {
        let outcome = try_gather(second_fails(&trace)).await;
        trace.say("returned");
        outcome
    });
    assert_eq!(outcome, Err("b"));
    assert_eq!(trace.take(), "a+ c+ c- a- returned");
    assert_eq!((executor.statistics().slots, executor.statistics().tasks), (0, 0));
}

// SEM-93, C-75: both have cleaned up before the error comes out; one fails in that, and so does a
// third with a panic: both are attached, in argument order, and nothing is said.
#[test]
fn try_gather_with_an_error_attaches_what_fails_of_the_cleanups() {
    record_reports();
    let trace = Trace::default();
    let failed = executor().block_on(async {
        let children: [Child<Result<(), &str>>; 4] = [
            Box::pin(hold(Resource::new(&trace, "a", 5).failing("a is broken"))),
            Box::pin(ends(1, Err("b"))),
            Box::pin(hold(Resource::new(&trace, "c", 1))),
            Box::pin(finally(pending(), async { panic!("d is broken") })),
        ];
        let outcome = try_gather(children).attaching_cleanup_errors().await;
        trace.say("returned");
        outcome.expect_err("b has failed")
    });
    assert_eq!(trace.take(), "a+ c+ c- a- returned");
    assert_eq!((failed.error, failed.cleanup_errors.len()), ("b", 2));
    let said = failed.to_string();
    assert!(said.starts_with("b; and cleanup failed: a is broken; "), "{said}");
    assert!(said.contains("d is broken"), "{said}");
    assert!(take_reports().is_empty());
}

// SEM-93: where nobody asks for them, errors of cleanups are said once.
#[test]
fn try_gather_with_an_error_says_what_fails_of_the_cleanups() {
    record_reports();
    let outcome = executor().block_on(async {
        let trace = Trace::default();
        let children: [Child<Result<(), &str>>; 2] = [
            Box::pin(hold(Resource::new(&trace, "a", 1).failing("a is broken"))),
            Box::pin(ends(1, Err("b"))),
        ];
        try_gather(children).await
    });
    assert_eq!(outcome, Err("b"));
    assert_one_report(&["a try_gather at ", "drain.rs:", "cleanup failed: a is broken"]);
}

// SEM-93: each child is a scope of its own: what it holds within something else is closed first.
#[test]
fn try_gather_with_an_error_cleans_up_each_child_innermost_first() {
    let trace = Trace::default();
    let outcome = executor().block_on(async {
        let nested = |outer, inner| {
            let outer = Resource::new(&trace, outer, 2);
            let inner = Resource::new(&trace, inner, 1);
            using(outer, async |_| hold::<Result<(), &str>>(inner).await)
        };
        let nested = async |outer, inner| nested(outer, inner).await.expect("it never ends");
        let failing: Child<Result<(), &str>> = Box::pin(ends(1, Err("b")));
        let children: [Child<_>; 3] =
            [Box::pin(nested("A", "a")), failing, Box::pin(nested("C", "c"))];
        try_gather(children).await
    });
    assert_eq!(outcome, Err("b"));
    assert_eq!(trace.take(), "a+ c+ a- A+ c- C+ A- C-");
}

// SEM-93: values that were there already are dropped; what that leaves is awaited, too.
#[test]
fn try_gather_with_an_error_awaits_the_cleanups_of_the_values_it_drops() {
    let (mut executor, trace) = (executor(), Trace::default());
    let outcome = executor.block_on(async {
        let children: [Child<Result<_, &str>>; 2] = [
            Box::pin(ready(Ok(spawn(hold::<()>(Resource::new(&trace, "a", 2))).cancel_on_drop()))),
            Box::pin(ends(2, Err("b"))),
        ];
        let outcome = try_gather(children).await.map(|_| ());
        trace.say("returned");
        outcome
    });
    assert_eq!(outcome, Err("b"));
    assert_eq!(trace.take(), "a+ a- returned");
}

// SEM-93: tasks that are owned by their children are cancelled and awaited.
#[test]
fn try_gather_of_handles_that_cancel_on_drop_awaits_the_tasks() {
    let (mut executor, trace) = (executor(), Trace::default());
    let error = executor.block_on(async {
        let tasks: [JoinHandle<()>; 3] = [
            spawn(hold(Resource::new(&trace, "a", 3))),
            spawn(async { panic!("on purpose") }),
            spawn(hold(Resource::new(&trace, "c", 3))),
        ];
        let outcome = try_gather(tasks.map(JoinHandle::cancel_on_drop)).await;
        trace.say("returned");
        outcome.expect_err("one has panicked")
    });
    assert!(error.is_panic());
    assert_eq!(trace.take(), "a+ c+ a- c- returned");
    assert_eq!(executor.statistics().tasks, 0);
}

// SEM-96, SEM-93: somebody else cancels one: its neighbours are cancelled and awaited.
#[test]
fn try_gather_of_tasks_of_which_one_is_cancelled_awaits_the_others() {
    let trace = Trace::default();
    executor().block_on(async {
        let tasks = ["a", "b"].map(|name| spawn(hold::<()>(Resource::new(&trace, name, 1))));
        yield_now().await;
        tasks[1].cancel("by somebody else");
        let error = try_gather(tasks.map(JoinHandle::cancel_on_drop)).await;
        let JoinError::Cancelled(cancelled) = error.expect_err("b was cancelled") else {
            panic!("it was")
        };
        assert_eq!(cancelled.reason().to_string(), "by somebody else");
    });
    assert_eq!(trace.take(), "b+ b- a+ a-");
}

// SEM-100, SEM-93: a try_gather in a try_gather: the error comes out when the leaves are clean.
#[test]
fn try_gather_of_try_gathers_awaits_the_cleanups_of_the_leaves() {
    let trace = Trace::default();
    let outcome = executor().block_on(async {
        let leaves = |names: [&'static str; 2]| {
            try_gather(names.map(|name| hold::<Result<(), &str>>(Resource::new(&trace, name, 2))))
        };
        let children: [Child<Result<(), &str>>; 3] = [
            Box::pin(leaves(["a", "b"]).map(|outcome| outcome.map(|_| ()))),
            Box::pin(ends(1, Err("failed"))),
            Box::pin(leaves(["c", "d"]).map(|outcome| outcome.map(|_| ()))),
        ];
        let outcome = try_gather(children).await;
        trace.say("returned");
        outcome
    });
    assert_eq!(outcome, Err("failed"));
    assert_eq!(trace.take(), "a+ b+ c+ d+ a- b- c- d- returned");
}

// SEM-93: what children leave while they run is awaited as well, where all end well, too.
#[test]
fn try_gather_whose_children_drop_losers_of_foreign_selects_awaits_their_cleanups() {
    let trace = Trace::default();
    executor().block_on(async {
        let children = ["a", "b"].map(|name| {
            let loser = Box::pin(hold::<()>(Resource::new(&trace, name, 2)));
            async move {
                match select(loser, Box::pin(ends(1, ()))).await {
                    Either::Left(_) => Err("it never ends"),
                    Either::Right(_) => Ok(name),
                }
            }
        });
        let outcome = try_gather(children).await;
        trace.say(format!("{outcome:?}"));
    });
    assert_eq!(trace.take(), "a+ a- b+ b- Ok([\"a\", \"b\"])");
}

// ----- try_gather: dropped, cancelled, panicking ---------------------------------------------------

// SEM-97, SEM-93: dropped half way, its children clean up side by side, before the scope around
// reports; then what came later in that scope.
#[test]
fn try_gather_dropped_half_way_leaves_its_cleanups_to_the_scope_around_as_one_entry() {
    let trace = Trace::default();
    executor().block_on(async {
        let scope = Scope::new();
        let stopped = scope.run(finally(
            async {
                let names = ["a", "b"];
                let children = names.map(|name| hold(Resource::new(&trace, name, 2)));
                let waiting = try_gather::<_, (), ()>(children);
                join!(waiting, async { scope.cancel("enough") })
            },
            cleanup(trace.clone(), "around"),
        ));
        assert!(stopped.await.is_err());
        trace.say("reported");
    });
    assert_eq!(trace.take(), "a+ b+ a- b- around reported");
}

async fn cleanup(trace: Trace, name: &'static str) {
    trace.say(name);
}

// SEM-93, SEM-65: dropped while it drains, what has begun goes on where it was, once; what has failed
// by then, and what fails later, is told by the scope around.
#[test]
fn try_gather_dropped_while_it_drains_loses_neither_cleanups_nor_errors() {
    for polls in 2..7 {
        let trace = Trace::default();
        executor().block_on(async {
            let scope = Scope::new();
            let children: [Child<Result<(), &str>>; 3] = [
                Box::pin(hold(Resource::new(&trace, "a", 1).failing("a is broken"))),
                Box::pin(ends(1, Err("b"))),
                Box::pin(hold(Resource::new(&trace, "c", 4).failing("c is broken"))),
            ];
            let mut draining = try_gather(children);
            let body = async {
                assert_eq!(poll_times(&mut draining, polls).await, None, "after {polls} polls");
                drop(draining);
                trace.say("dropped");
                scope.cancel("enough");
                pending::<()>().await;
            };
            let cancelled = scope.run(body).await.expect_err("it was cancelled");
            let errors = cancelled.cleanup_errors().to_string();
            for error in ["a is broken", "c is broken"] {
                assert_eq!(errors.matches(error).count(), 1, "{errors}, after {polls} polls");
            }
        });
        let said = trace.take();
        for once in ["a+", "a-", "c+", "c-", "dropped"] {
            assert_eq!(said.matches(once).count(), 1, "{said}, after {polls} polls");
        }
    }
}

// SEM-93: dropped at every suspension, every resource is closed once, and nobody is left.
#[test]
fn try_gather_dropped_at_every_suspension_closes_everything_once() {
    for polls in 0..12 {
        let (mut executor, trace) = (executor(), Trace::default());
        let ended = executor.block_on(async {
            let task = spawn({
                let trace = trace.clone();
                async move {
                    let mut draining = try_gather(second_fails(&trace));
                    poll_times(&mut draining, polls).await.is_some()
                }
            });
            task.await.expect("it ends well")
        });
        let said = trace.take();
        let began = usize::from(polls > 0);
        for once in ["a+", "a-", "c+", "c-"] {
            assert_eq!(said.matches(once).count(), began, "{said}, after {polls} polls");
        }
        assert_eq!(ended, polls > 5, "after {polls} polls");
        assert_eq!((executor.statistics().slots, executor.statistics().tasks), (0, 0));
    }
}

// SEM-97: the task that waits is cancelled: it has ended when all children have cleaned up.
#[test]
fn cancel_of_a_task_in_a_try_gather_ends_it_when_the_children_have_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let names = ["a", "b", "c"];
        let children = names.map(|name| hold::<Result<(), ()>>(Resource::new(&trace, name, 1)));
        let task = spawn(try_gather(children));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ b+ c+ a- b- c- joined");
}

// SEM-93: a child panics: the others are dropped and the panic goes on at once; their cleanups are the
// task's, side by side, and it ends after them.
#[test]
fn try_gather_with_a_child_that_panics_leaves_the_cleanups_to_the_task() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn({
            let trace = trace.clone();
            async move {
                let children: [Child<Result<(), ()>>; 3] = [
                    Box::pin(hold(Resource::new(&trace, "a", 2))),
                    Box::pin(ends(1, ()).map(|()| panic!("on purpose"))),
                    Box::pin(hold(Resource::new(&trace, "c", 2))),
                ];
                // Kept: nothing waits for its end.
                let mut group = try_gather(children);
                let caught = AssertUnwindSafe(&mut group).catch_unwind().await;
                trace.say(message(&*caught.expect_err("b panics")));
                yield_times(8).await;
                trace.say("body");
                drop(group);
            }
        });
        task.await.expect("it has caught the panic");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "on purpose a+ c+ a- c- body joined");
}

// SEM-93: a destructor panics at the error: the others are dropped and cleaned up all the same; the
// first panic goes on, a later one is said.
#[test]
fn try_gather_with_destructors_that_panic_drops_all_and_loses_no_panic() {
    record_reports();
    let trace = Trace::default();
    executor().block_on(async {
        let child = |name: &'static str, panics: bool| {
            let guard = OnDrop::new(move || assert!(!panics, "{name} on purpose"));
            let resource = Resource::new(&trace, name, 1);
            async move {
                let _guard = guard;
                hold::<Result<(), &str>>(resource).await
            }
        };
        let failing: Child<Result<(), &str>> = Box::pin(ends(1, Err("failed")));
        let children: [Child<_>; 5] = [
            Box::pin(child("a", false)),
            failing,
            Box::pin(child("c", true)),
            Box::pin(child("d", true)),
            Box::pin(child("e", false)),
        ];
        let task = spawn(try_gather(children));
        let Err(JoinError::Panicked(panic)) = task.await else { panic!("it has panicked") };
        assert_eq!(panic.message(), "c on purpose");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ c+ d+ e+ a- c- d- e- joined");
    assert_one_report(&["another panic goes on", "d on purpose"]);
}

// SEM-93: children that leave nothing make no task and no turn: the error comes in the same poll.
#[test]
fn try_gather_with_an_error_and_nothing_to_clean_up_returns_at_once() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let children = ["a", "b", "c"].map(|name| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                if name == "c" { Err(name) } else { pending::<Result<(), _>>().await }
            }
        });
        assert_eq!(try_gather(children).now_or_never(), Some(Err("c")));
        let first = spawn(async {});
        assert_eq!(first.id().to_string(), "Task-1", "no runner was made");
        first.await.expect("it ends well");
    });
    assert_eq!(trace.take(), "c a b");
    assert_eq!(executor.statistics().slots, 0);
}

// ----- gather and join! ----------------------------------------------------------------------------

// SEM-97, C-76: the gathering task is cancelled, in collect form: its children clean up side by side,
// and only then has it ended.
#[test]
fn cancel_of_a_gathering_task_ends_it_when_the_children_have_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let children = ["a", "b", "c"].map(|name| hold::<()>(Resource::new(&trace, name, 1)));
        let task = spawn(gather(children));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ b+ c+ a- b- c- joined");
}

// SEM-100, SEM-97: a cancel reaches the leaves, and waits for all of them.
#[test]
fn cancel_of_a_task_that_gathers_gathers_awaits_the_cleanups_of_the_leaves() {
    let trace = Trace::default();
    executor().block_on(async {
        let task =
            spawn(gather([["a", "b"], ["c", "d"]].map(|names| {
                gather(names.map(|name| hold::<()>(Resource::new(&trace, name, 1))))
            })));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
    });
    assert_eq!(trace.take(), "a+ b+ c+ d+ a- b- c- d-");
}

// SEM-97: the errors of the children's cleanups come with the cancel.
#[test]
fn cancel_of_a_gathering_task_tells_what_failed_of_its_childrens_cleanups() {
    let trace = Trace::default();
    executor().block_on(async {
        let children = ["a is broken", "b is broken"]
            .map(|error| hold::<()>(Resource::new(&trace, "x", 1).failing(error)));
        let task = spawn(gather(children));
        yield_now().await;
        task.cancel("enough");
        let Err(JoinError::Cancelled(cancelled)) = task.await else { panic!("it was cancelled") };
        let errors = cancelled.cleanup_errors().to_string();
        assert!(errors.contains("a is broken") && errors.contains("b is broken"), "{errors}");
    });
}

// SEM-97: as a gather.
#[test]
fn join_dropped_half_way_cleans_up_side_by_side() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn({
            let trace = trace.clone();
            async move {
                let hold = |name| hold::<u8>(Resource::new(&trace, name, 1));
                join!(hold("a"), ready('x'), hold("c"))
            }
        });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ c+ a- c- joined");
}

// SEM-97: a destructor that panics keeps neither its neighbours from being dropped nor their cleanups
// from being run.
#[test]
fn gather_dropped_with_a_destructor_that_panics_cleans_up_the_others() {
    let trace = Trace::default();
    executor().block_on(async {
        let children = ["a", "b"].map(|name| {
            let guard = OnDrop::new(move || assert!(name != "a", "on purpose"));
            let resource = Resource::new(&trace, name, 1);
            async move {
                let _guard = guard;
                hold::<()>(resource).await;
            }
        });
        let task = spawn(gather(children));
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_panic()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ b+ a- b- joined");
}

// ----- cancel_all ----------------------------------------------------------------------------------

// SEM-114, C-76: all clean up at the same time; it returns when all have, with what failed of it, and
// nothing is reported.
#[test]
fn cancel_all_returns_when_every_task_has_cleaned_up_and_tells_what_failed() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let outcomes = executor.block_on(async {
        let tasks = [
            spawn(hold::<()>(Resource::new(&trace, "a", 3))),
            spawn(ready(())),
            spawn(hold(Resource::new(&trace, "c", 1).failing("c is broken"))),
            spawn(finally(pending(), async { panic!("d is broken") })),
        ];
        yield_now().await;
        let outcomes = cancel_all(tasks).because("the server stops").await;
        trace.say("returned");
        outcomes
    });
    assert_eq!(trace.take(), "a+ c+ c- a- returned");
    assert!(outcomes[1].is_ok());
    let errors = [0, 2, 3].map(|index| match &outcomes[index] {
        Err(JoinError::Cancelled(cancelled)) => {
            assert_eq!(cancelled.reason().to_string(), "the server stops");
            cancelled.cleanup_errors().to_string()
        }
        other => panic!("task {index} was cancelled, not {other:?}"),
    });
    assert_eq!(errors[0], "cleanup failed: ");
    assert_eq!(errors[1], "cleanup failed: c is broken");
    assert!(errors[2].contains("d is broken"), "{}", errors[2]);
    assert!(take_reports().is_empty());
}

// SEM-114: it goes at any suspension: the tasks stay cancelled and clean up to the end, once.
#[test]
fn cancel_all_dropped_at_every_suspension_leaves_the_tasks_to_clean_up() {
    for polls in 1..6 {
        let (mut executor, trace) = (executor(), Trace::default());
        executor.block_on(async {
            let tasks = ["a", "b"].map(|name| spawn(hold::<()>(Resource::new(&trace, name, 3))));
            yield_now().await;
            assert!(poll_times(&mut cancel_all(tasks), polls).await.is_none(), "{polls} polls");
        });
        run_until_idle(&mut executor);
        let said = trace.take();
        for once in ["a+", "a-", "b+", "b-"] {
            assert_eq!(said.matches(once).count(), 1, "{said}, after {polls} polls");
        }
        assert_eq!(executor.statistics().tasks, 0);
    }
}

// ----- shields -------------------------------------------------------------------------------------

// SEM-169: a shield round the gather: the waiter goes, all children go on.
#[test]
fn cancel_of_a_task_that_waits_for_a_shielded_gather_leaves_all_children() {
    let trace = Trace::default();
    executor().block_on(async {
        let waiter = spawn({
            let trace = trace.clone();
            async move {
                let children = ["a", "b"].map(|name| {
                    let trace = trace.clone();
                    ends(3, ()).map(move |()| trace.say(name))
                });
                shield(gather(children)).await
            }
        });
        yield_times(2).await;
        waiter.cancel("enough");
        assert!(waiter.await.is_err());
        trace.say("waiter has ended");
        yield_times(4).await;
    });
    assert_eq!(trace.take(), "waiter has ended a b");
}

// SEM-169, SEM-93: shields in the gather: what is not shielded goes, what is goes on; that holds for
// a cancel of a gather, and for an error of a try_gather.
#[test]
fn children_that_are_shields_go_on_when_their_gather_goes() {
    let trace = Trace::default();
    let shielded = |name| {
        let (trace, guard) = (trace.clone(), SayOnDrop(trace.clone(), "dropped"));
        shield(async move {
            yield_times(4).await;
            trace.say(name);
            drop(guard);
        })
    };
    executor().block_on(async {
        let waiter = spawn(gather([shielded("a"), shielded("b")]));
        yield_times(2).await;
        waiter.cancel("enough");
        assert!(waiter.await.is_err());
        trace.say("|");
        yield_times(4).await;

        let children: [Child<Result<(), &str>>; 3] = [
            Box::pin(shielded("c").map(|_| Ok(()))),
            Box::pin(hold(Resource::new(&trace, "d", 0))),
            Box::pin(ends(1, Err("failed"))),
        ];
        assert_eq!(try_gather(children).await, Err("failed"));
        trace.say("|");
        yield_times(4).await;
    });
    assert_eq!(trace.take(), "| a dropped b dropped d+ d- | c dropped");
}

// SEM-163, SEM-164, SEM-166: the shield gives what the task gives, at once where that has ended, and
// its cancel as a value.
#[test]
fn shields_in_a_gather_give_what_their_tasks_give() {
    executor().block_on(async {
        let (ended, stopped) = (shield(ready(1)), shield(pending()));
        yield_now().await;
        stopped.handle().cancel("by somebody else");
        let outputs = gather([ended, stopped, shield(ends(2, 3))]).await;
        assert!(matches!(outputs[..], [Ok(1), Err(JoinError::Cancelled(_)), Ok(3)]), "{outputs:?}");
    });
}

// SEM-165, SEM-167, SEM-168, C-81: shielded twice, and both waiters are cancelled: the work goes on;
// its panic is reported once, its success not at all.
#[test]
fn work_shielded_twice_whose_waiters_are_cancelled_is_reported_once_where_it_fails() {
    record_reports();
    for fails in [false, true] {
        let (mut executor, done) = (executor(), Rc::new(Cell::new(false)));
        executor.block_on(async {
            let waiter = spawn({
                let done = done.clone();
                async move {
                    let inner = shield(async move {
                        yield_times(5).await;
                        done.set(true);
                        assert!(!fails, "on purpose");
                    });
                    let outer = shield(inner);
                    yield_now().await;
                    outer.handle().cancel("the outer shield goes as well");
                    outer.await
                }
            });
            yield_times(2).await;
            waiter.cancel("enough");
            assert!(waiter.await.is_err_and(|error| error.is_cancelled()));
            assert!(!done.get());
            yield_times(6).await;
            assert!(done.get());
        });
        if fails {
            assert_one_report(&["`shield`", "on purpose"]);
        } else {
            assert!(take_reports().is_empty());
        }
    }
}

// SEM-170, SEM-171: nobody holds it, and it goes on; the shutdown cancels it, and it cleans up.
#[test]
fn shielded_gather_that_nobody_holds_is_cancelled_and_cleaned_up_at_the_shutdown() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let children = ["a", "b"].map(|name| hold::<()>(Resource::new(&trace, name, 1)));
        drop(shield(gather(children)));
        yield_times(3).await;
        trace.say("main ends");
    });
    drop(executor);
    assert_eq!(trace.take(), "main ends a+ b+ a- b-");
}
