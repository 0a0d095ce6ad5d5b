//! A fixed few that may fail: `try_join!`.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;

use lone_executor::{JoinError, spawn, yield_now};
use lone_sync::{Scope, try_join};

use crate::drain::{Resource, ends, hold};
use crate::gather::{counted, yield_times};
use crate::help::{
    OnDrop, SayOnDrop, Trace, assert_one_report, executor, record_reports, take_reports,
};

type Outcome<T> = Result<T, &'static str>;

// SEM-89: of whatever types, and borrowing; in the order in which they are listed.
#[test]
fn try_join_of_futures_of_different_types_returns_their_values_in_order() {
    executor().block_on(async {
        let text = String::from("borrowed");
        let length = async {
            yield_times(2).await;
            Outcome::Ok(text.len())
        };
        let outcome = try_join!(length, ends(1, Outcome::Ok('x')), async { Ok(&text) });
        assert_eq!(outcome, Ok((8, 'x', &text)));
    });
}

#[test]
fn try_join_of_one_and_of_sixteen_returns_them_all() {
    executor().block_on(async {
        assert_eq!(try_join!(ends(1, Outcome::Ok(0))), Ok((0,)));
        let n = |n: usize| ends(n % 3, Outcome::Ok(n));
        let outcome = try_join!(
            n(0),
            n(1),
            n(2),
            n(3),
            n(4),
            n(5),
            n(6),
            n(7),
            n(8),
            n(9),
            n(10),
            n(11),
            n(12),
            n(13),
            n(14),
            n(15),
        );
        let (a, .., o, p) = outcome.expect("all end well");
        assert_eq!((a, o, p), (0, 14, 15));
    });
}

// SEM-91: each poll polls those that are unfinished; one that has ended is gone at once.
#[test]
fn try_join_drops_each_future_when_it_ends() {
    let trace = Trace::default();
    executor().block_on(async {
        let child = |name, turns| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                ends(turns, Outcome::Ok(())).await
            }
        };
        assert!(try_join!(child("a", 3), child("b", 1), child("c", 2)).is_ok());
    });
    assert_eq!(trace.take(), "b c a");
}

// SEM-101: one that fails at the first poll leaves those after it unpolled.
#[test]
fn try_join_with_a_failure_at_the_first_poll_drops_the_rest_unpolled() {
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    executor().block_on(async {
        let [a, b, c] = polls.clone();
        let outcome = try_join!(
            counted(a, pending::<Outcome<()>>()),
            counted(b, ready(Outcome::<u8>::Err("b"))),
            counted(c, ready(Outcome::Ok('c'))),
        );
        assert_eq!(outcome, Err("b"));
    });
    assert_eq!(polls.map(|polls| polls.get()), [1, 1, 0]);
}

// SEM-93: the others clean up at the same time, and only then is the error returned; what fails of
// that is said.
#[test]
fn try_join_with_an_error_awaits_the_cleanups_of_the_others_side_by_side() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let outcome = try_join!(
            hold::<Outcome<u8>>(Resource::new(&trace, "a", 3)),
            ends(1, Outcome::<()>::Err("b")),
            hold::<Outcome<char>>(Resource::new(&trace, "c", 1).failing("c is broken")),
        );
        trace.say(format!("{outcome:?}"));
    });
    assert_eq!(trace.take(), "a+ c+ c- a- Err(\"b\")");
    assert_one_report(&["a try_join! at ", "try_join.rs:", "cleanup failed: c is broken"]);
    assert_eq!(executor.statistics().tasks, 0);
}

// SEM-93: the values that were there already are dropped, and what they leave is awaited.
#[test]
fn try_join_with_an_error_awaits_the_cleanups_of_the_values_it_drops() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn(hold::<()>(Resource::new(&trace, "a", 2))).cancel_on_drop();
        let outcome = try_join!(ready(Ok(task)), ends(2, Outcome::<()>::Err("b")));
        trace.say(outcome.map(|_| ()).expect_err("b has failed"));
    });
    assert_eq!(trace.take(), "a+ a- b");
}

// SEM-97: dropped half way it cleans up side by side, and the task has ended when that is done.
#[test]
fn cancel_of_a_task_in_a_try_join_ends_it_when_its_futures_have_cleaned_up() {
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn({
            let trace = trace.clone();
            async move {
                let hold = |name| hold::<Outcome<()>>(Resource::new(&trace, name, 1));
                try_join!(hold("a"), ready(Ok('x')), hold("c"))
            }
        });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ c+ a- c- joined");
}

// SEM-93, SEM-65: dropped at every suspension, everything is closed once; what fails of it is told
// once, by the scope around or, after the return, through the log.
#[test]
fn try_join_dropped_at_every_suspension_closes_everything_once() {
    record_reports();
    let mut ended_in_time = 0;
    for turns in 1..10 {
        let trace = Trace::default();
        executor().block_on(async {
            let scope = Scope::new();
            let body = async {
                try_join!(
                    hold::<Outcome<()>>(Resource::new(&trace, "a", 1).failing("a is broken")),
                    ends(1, Outcome::<()>::Err("b")),
                    hold::<Outcome<()>>(Resource::new(&trace, "c", 3).failing("c is broken")),
                )
            };
            let (outcome, ()) = lone_sync::join!(scope.run(body), async {
                yield_times(turns).await;
                scope.cancel("enough");
            });
            let told = match outcome {
                Ok(outcome) => {
                    assert_eq!(outcome, Err("b"));
                    ended_in_time += 1;
                    take_reports().join("\n")
                }
                Err(cancelled) => cancelled.cleanup_errors().to_string(),
            };
            for error in ["a is broken", "c is broken"] {
                assert_eq!(told.matches(error).count(), 1, "{told}, after {turns} turns");
            }
        });
        let said = trace.take();
        for once in ["a+", "a-", "c+", "c-"] {
            assert_eq!(said.matches(once).count(), 1, "{said}, after {turns} turns");
        }
        assert!(take_reports().is_empty());
    }
    assert!((1..8).contains(&ended_in_time), "{ended_in_time} of 9 runs were not stopped");
}

// SEM-93: one panics: the others are dropped, their cleanups are the task's, and it ends after them. A
// destructor that panics meanwhile is said.
#[test]
fn try_join_with_a_future_that_panics_leaves_the_cleanups_to_the_task() {
    record_reports();
    let trace = Trace::default();
    executor().block_on(async {
        let task = spawn({
            let trace = trace.clone();
            async move {
                let guard = OnDrop::new(|| panic!("as it goes"));
                let panics = async {
                    yield_now().await;
                    panic!("on purpose")
                };
                let spoilt = async {
                    let _guard = guard;
                    hold::<Outcome<()>>(Resource::new(&trace, "c", 1)).await
                };
                let held = hold::<Outcome<()>>(Resource::new(&trace, "a", 1));
                let _: Outcome<(_, (), _)> = try_join!(held, panics, spoilt);
            }
        });
        let Err(JoinError::Panicked(panic)) = task.await else { panic!("it has panicked") };
        assert_eq!(panic.message(), "on purpose");
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a+ c+ a- c- joined");
    assert_one_report(&["another panic goes on", "as it goes"]);
}
