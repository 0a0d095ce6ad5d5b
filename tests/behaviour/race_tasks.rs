//! The first of several tasks to end: `race_tasks`.

use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::FutureExt;
use lone_executor::{JoinError, JoinHandle, spawn, yield_now};
use lone_sync::{Scope, Semaphore, Won, finally, race_tasks};

use crate::drain::{Resource, ends, hold};
use crate::gather::{poll_times, yield_times};
use crate::help::{
    Flag, SayOnDrop, Trace, assert_one_report, executor, poll_once, record_reports, run_until_idle,
    take_reports,
};

/// "cancelled: …" of a loser that was cancelled.
fn reasons<T: std::fmt::Debug>(won: &Won<T>) -> Vec<(usize, String)> {
    let reason = |(index, outcome): &(usize, Result<T, JoinError>)| match outcome {
        Err(JoinError::Cancelled(cancelled)) => (*index, cancelled.reason().to_string()),
        other => panic!("task {index} was cancelled, not {other:?}"),
    };
    won.losers.iter().map(reason).collect()
}

// SEM-420: the first to end wins; the losers are cancelled, have cleaned up, and only then does it
// return; it says why.
#[test]
fn race_tasks_returns_when_the_losers_have_cleaned_up() {
    let (mut executor, trace) = (executor(), Trace::default());
    let won = executor.block_on(async {
        let tasks = [
            spawn(hold(Resource::new(&trace, "a", 3))),
            spawn(ends(1, "b")),
            spawn(hold(Resource::new(&trace, "c", 1))),
        ];
        let won = race_tasks(tasks).because("b was faster").await;
        trace.say("returned");
        won
    });
    assert_eq!(trace.take(), "a+ c+ c- a- returned");
    assert!(matches!(won, Won { index: 1, outcome: Ok("b"), .. }), "{won:?}");
    assert_eq!(reasons(&won), [(0, "b was faster".to_owned()), (2, "b was faster".to_owned())]);
    assert_eq!((executor.statistics().tasks, executor.statistics().slots), (0, 0));
}

// SEM-420: nothing of a loser is lost: what failed of its cleanups, its value, its panic. None of it
// is reported as unread.
#[test]
fn race_tasks_returns_values_panics_and_cleanup_errors_of_the_losers() {
    record_reports();
    let won = executor().block_on(async {
        let tasks = [
            spawn(hold(Resource::new(&Trace::default(), "a", 1).failing("a is broken"))),
            spawn(finally(pending(), async { panic!("b is broken") })),
            spawn(ready(2)),
            // Both end in the turn of the winner.
            spawn(ready(3)),
            spawn(async { panic!("on purpose") }),
        ];
        race_tasks(tasks).await
    });
    assert_eq!((won.index, won.outcome.as_ref().ok()), (2, Some(&2)));
    let [(0, a), (1, b), (3, Ok(3)), (4, Err(JoinError::Panicked(panic)))] = &won.losers[..] else {
        panic!("four losers, by place, not {:?}", won.losers)
    };
    assert_eq!(panic.message(), "on purpose");
    for (outcome, error) in [(a, "a is broken"), (b, "b is broken")] {
        let Err(JoinError::Cancelled(cancelled)) = outcome else { panic!("it was cancelled") };
        assert!(cancelled.cleanup_errors().to_string().contains(error), "{cancelled}");
        assert_eq!(cancelled.reason().to_string(), "another task has won the race");
    }
    drop(won);
    assert!(take_reports().is_empty());
}

// SEM-420: the first that ends has won, also where it has panicked or somebody else cancelled it.
#[test]
fn race_tasks_is_won_by_whoever_ends_first_however_it_ends() {
    executor().block_on(async {
        let won = race_tasks([spawn(pending::<()>()), spawn(async { panic!("on purpose") })]).await;
        assert_eq!(won.index, 1);
        assert!(won.outcome.is_err_and(|error| error.is_panic()));

        let tasks = [spawn(ends(5, ())), spawn(pending())];
        tasks[1].cancel("by somebody else");
        let won = race_tasks(tasks).await;
        assert_eq!((won.index, won.losers.len()), (1, 1));
        let Err(JoinError::Cancelled(cancelled)) = &won.outcome else { panic!("it was cancelled") };
        assert_eq!(cancelled.reason().to_string(), "by somebody else");
    });
}

// SEM-420: of those that had ended before, the first listed wins; later, the first to end, also within
// one turn.
#[test]
fn race_tasks_with_several_that_have_ended_is_won_by_the_first() {
    executor().block_on(async {
        let tasks = [spawn(pending()), spawn(ready(1)), spawn(ready(2))];
        yield_now().await;
        let won = race_tasks(tasks).await;
        assert_eq!((won.index, won.outcome.ok()), (1, Some(1)));

        let flags = [(); 3].map(|()| Flag::default());
        let tasks = flags.clone().map(|flag| spawn(async move { flag.wait().await }));
        let mut race = race_tasks(tasks);
        assert!(poll_times(&mut race, 2).await.is_none());
        flags[2].set();
        flags[1].set();
        let won = race.await;
        assert_eq!(won.index, 2);
        assert!(matches!(won.losers[..], [(0, Err(_)), (1, Ok(()))]), "{won:?}");
    });
}

// SEM-416: a loser is granted a permit when its cancel is on its way: it gives the permit on.
#[test]
fn race_tasks_lost_by_a_task_that_had_been_granted_a_permit_gives_the_permit_on() {
    let (mut executor, flag) = (executor(), Flag::default());
    let semaphore = Rc::new(Semaphore::new(0));
    let waits = |semaphore: Rc<Semaphore>| async move { drop(semaphore.acquire().await) };
    let tasks = [
        executor.spawn({
            let flag = flag.clone();
            async move { flag.wait().await }
        }),
        executor.spawn(waits(semaphore.clone())),
    ];
    let mut racer = executor.spawn(race_tasks(tasks));
    let next = executor.spawn(waits(semaphore.clone()));
    run_until_idle(&mut executor);
    flag.set();
    for _ in ["the winner ends", "the race cancels the loser"] {
        executor.turn(Some(Duration::ZERO)).expect("the park works");
    }
    semaphore.add_permits(1);
    assert_eq!(semaphore.available(), 0, "it was granted");
    run_until_idle(&mut executor);
    let won = racer.try_join().expect("it has ended").expect("well");
    assert_eq!(reasons(&won), [(1, "another task has won the race".to_owned())]);
    assert!(next.is_finished());
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
}

// SEM-415: of nothing, it says what to do instead of hanging.
#[test]
#[should_panic(expected = "a race without tasks could never end")]
fn race_tasks_without_tasks_panics() {
    drop(race_tasks(Vec::<JoinHandle<()>>::new()));
}

// SEM-420: dropped at any suspension, in the race and in the drain: all tasks are cancelled, and the
// scope around reports when all have cleaned up, with what failed of that.
#[test]
fn race_tasks_dropped_at_every_suspension_has_its_tasks_awaited_by_the_scope_around() {
    for polls in 0..7 {
        let (mut executor, trace) = (executor(), Trace::default());
        executor.block_on(async {
            let tasks = [
                spawn(hold(Resource::new(&trace, "a", 3).failing("a is broken"))),
                spawn(ends(2, ())),
                spawn(hold(Resource::new(&trace, "c", 4).failing("c is broken"))),
            ];
            yield_now().await;
            let scope = Scope::new();
            let body = async {
                let mut race = race_tasks(tasks);
                assert!(poll_times(&mut race, polls).await.is_none(), "after {polls} polls");
                drop(race);
                scope.cancel("enough");
                pending::<()>().await;
            };
            let cancelled = scope.run(body).await.expect_err("it was cancelled");
            trace.say("reported");
            let errors = cancelled.cleanup_errors().to_string();
            for error in ["a is broken", "c is broken"] {
                assert_eq!(errors.matches(error).count(), 1, "{errors}, after {polls} polls");
            }
        });
        assert_eq!(trace.take(), "a+ c+ a- c- reported", "after {polls} polls");
        assert_eq!((executor.statistics().tasks, executor.statistics().slots), (0, 0));
    }
}

// SEM-420, SEM-41: dropped in the drain, the panic of the winner that nobody will read is reported.
#[test]
fn race_tasks_dropped_in_the_drain_has_the_panic_of_the_winner_reported() {
    record_reports();
    executor().block_on(async {
        let tasks = [
            spawn(async { panic!("on purpose") }),
            spawn(hold(Resource::new(&Trace::default(), "b", 9))),
        ];
        let mut race = race_tasks::<()>(tasks);
        assert!(poll_times(&mut race, 4).await.is_none());
        drop(race);
    });
    assert_one_report(&["on purpose", "nobody has joined it"]);
}

// SEM-420: the racing task is cancelled: it has ended when the tasks have.
#[test]
fn cancel_of_a_task_that_races_tasks_ends_it_when_they_have_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let racer = spawn({
            let trace = trace.clone();
            async move {
                let tasks =
                    ["a", "b"].map(|name| spawn(hold::<()>(Resource::new(&trace, name, 2))));
                race_tasks(tasks).await.index
            }
        });
        yield_times(2).await;
        racer.cancel("enough");
        assert!(racer.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ b+ a- b- joined");
}

// SEM-420: where no loop runs that could await them, its tasks are only cancelled.
#[test]
fn race_tasks_dropped_between_two_turns_cancels_its_tasks() {
    let (mut executor, trace) = (executor(), Trace::default());
    let tasks = ["a", "b"].map(|name| {
        let guard = SayOnDrop(trace.clone(), name);
        executor.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })
    });
    run_until_idle(&mut executor);
    drop(race_tasks(tasks));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a b");
}

// F24: polled in one task, awaited in another: the wakes go to the one that awaits it.
#[test]
fn race_tasks_polled_in_a_task_that_ended_wakes_the_task_that_awaits_it() {
    executor().block_on(async {
        let mut race = Box::pin(race_tasks([spawn(pending()), spawn(ends(5, 1))]));
        let first = spawn(async move {
            assert!((&mut race).now_or_never().is_none());
            (race,)
        });
        let (race,) = first.await.expect("it ends well");
        let second = spawn(race);
        let won = second.await.expect("it ends well");
        assert_eq!((won.index, won.outcome.ok()), (1, Some(1)));
    });
}

#[test]
#[should_panic(expected = "a race_tasks was polled after it had returned")]
fn race_tasks_polled_after_its_end_panics() {
    executor().block_on(async {
        let mut race = race_tasks([spawn(ready(()))]);
        assert!(poll_times(&mut race, 2).await.is_some());
        drop(race.await);
    });
}

#[test]
#[should_panic(expected = "where no loop is running on this thread")]
fn race_tasks_polled_outside_of_a_loop_panics() {
    let mut race = race_tasks([executor().spawn(pending::<()>())]);
    drop(poll_once(&mut race));
}
