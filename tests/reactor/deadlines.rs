//! Deadlines within one another: the outermost whose time is over reports.

use std::cell::Cell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{
    Elapsed, finally, gather, sleep, sleep_until, spawn, timeout, timeout_at, timeout_scope,
    yield_now,
};

use crate::help::{elapsed_ms, ms, run, run_paused, spin};

// SEM-147, C-63: three levels with one deadline: the code between them never goes on.
#[test]
fn timeouts_with_the_same_deadline_are_reported_by_the_outermost() {
    run_paused(async {
        let (deadline, went_on) = (Instant::now() + ms(10), Cell::new(0));
        let innermost = async {
            let ended = timeout_at(deadline, pending::<()>()).await;
            went_on.set(went_on.get() + 1);
            ended
        };
        let middle = async {
            let ended = timeout_at(deadline, innermost).await;
            went_on.set(went_on.get() + 1);
            ended
        };
        let ended: Result<_, Elapsed> = timeout_at(deadline, middle).await;
        assert!(ended.is_err());
        assert_eq!(went_on.get(), 0);
        assert_eq!(Instant::now(), deadline);
    });
}

// SEM-147: the same time for both, from the same moment.
#[test]
fn timeouts_of_the_same_duration_are_reported_by_the_outer_one() {
    run_paused(async {
        let nested = timeout(ms(10), async { timeout(ms(10), pending::<()>()).await.is_err() });
        assert!(nested.await.is_err());
        let mixed = timeout_scope(ms(10));
        let nested = mixed.run(async { timeout(ms(10), pending::<()>()).await.is_err() });
        assert!(nested.await.is_err());
    });
}

// SEM-147: both say that they have expired.
#[test]
fn timeouts_with_the_same_deadline_have_both_expired() {
    run_paused(async {
        let (outer, inner) = (timeout_scope(ms(10)), timeout_scope(ms(10)));
        let nested = outer.run(async { inner.run(pending::<()>()).await.is_err() });
        assert!(nested.await.is_err());
        assert!(outer.has_expired() && inner.has_expired());
    });
}

// SEM-148: the inner one is earlier, by the least that there is.
#[test]
fn inner_timeout_that_is_a_nanosecond_earlier_reports() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let nested = timeout_at(deadline, async {
            timeout_at(deadline - Duration::from_nanos(1), pending::<()>()).await.is_err()
        });
        assert_eq!(nested.await, Ok(true));
    });
}

// SEM-149, C-64: the loop is blocked from before the inner deadline until after the outer one.
#[test]
fn inner_timeout_found_late_leaves_the_report_to_the_outer_one_that_is_over_too() {
    run(async {
        let went_on = Rc::new(Cell::new(false));
        let reached = went_on.clone();
        let task = spawn(timeout(ms(20), async move {
            let ended = timeout(ms(10), pending::<()>()).await;
            reached.set(true);
            ended
        }));
        yield_now().await;
        spin(ms(30));
        let ended = task.await.expect("it ends well");
        assert!(ended.is_err() && !went_on.get());
    });
}

// SEM-150, C-64: the inner one was caught; later the outer one's time is over.
#[test]
fn outer_timeout_strikes_after_an_inner_one_was_caught() {
    run_paused(async {
        let begin = Instant::now();
        let caught = Cell::new(false);
        let nested = timeout(ms(20), async {
            caught.set(timeout(ms(10), pending::<()>()).await.is_err());
            sleep(ms(100)).await;
        });
        assert!(nested.await.is_err());
        assert!(caught.get());
        assert_eq!(elapsed_ms(begin), 20);
    });
}

// SEM-128: a value that is ready beats both.
#[test]
fn value_that_is_ready_beats_deadlines_within_one_another() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        // Its timer is registered first.
        let body = async {
            sleep_until(deadline).await;
            7
        };
        assert_eq!(timeout_at(deadline, timeout_at(deadline, body)).await, Ok(Ok(7)));
    });
}

// SEM-147, SEM-155: the outer one is moved in the very poll in which both are over: then the inner
// one reports, at once.
#[test]
fn inner_timeout_whose_outer_one_is_moved_at_the_last_moment_reports_itself() {
    run_paused(async {
        let begin = Instant::now();
        let (outer, inner) = (timeout_scope(ms(10)), timeout_scope(ms(10)));
        let moves = outer.clone();
        let body = async {
            let limited = async { inner.run(pending::<()>()).await.is_err() };
            let mover = async {
                sleep_until(begin + ms(10)).await;
                moves.reschedule(begin + ms(500)).is_ok()
            };
            // Each has a slot of its own, and is polled only when it was woken.
            let children: [Pin<Box<dyn Future<Output = bool>>>; 2] =
                [Box::pin(limited), Box::pin(mover)];
            let ended = gather(children).await;
            (ended, elapsed_ms(begin))
        };
        assert_eq!(outer.run(body).await, Ok((vec![true, true], 10)));
    });
}

// SEM-147: an outer one that has lost its body to a value does not hold the inner ones of others.
#[test]
fn timeouts_side_by_side_do_not_take_one_another_for_outer_ones() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let ended = gather([(); 3].map(|()| timeout_at(deadline, pending::<()>()))).await;
        assert!(ended.iter().all(Result::is_err));
        let spawned = timeout_at(deadline + ms(10), async {
            // A task is not within the timeout of the one that has spawned it.
            spawn(async move { timeout_at(deadline + ms(5), pending::<()>()).await.is_err() }).await
        });
        assert!(spawned.await.is_ok_and(|joined| joined.is_ok_and(|elapsed| elapsed)));
    });
}

// SEM-147, F4: the outer one reports, once, after the cleanups of all.
#[test]
fn timeouts_with_the_same_deadline_clean_up_once_innermost_first() {
    run_paused(async {
        let (deadline, said) = (Instant::now() + ms(10), Rc::new(Cell::new(0)));
        let count = |n: u32| {
            let said = said.clone();
            async move {
                sleep(ms(5)).await;
                said.set(said.get() * 10 + n);
            }
        };
        let inner = timeout_at(deadline, finally(pending::<()>(), count(1)));
        let outer = timeout_at(deadline, finally(inner, count(2)));
        assert!(outer.await.is_err());
        assert_eq!(said.get(), 12);
        assert_eq!(Instant::now(), deadline + ms(10));
    });
}

// SEM-153: a cleanup is within no deadline but its own: the one that struck is not around it.
#[test]
fn timeout_within_a_cleanup_reports_though_the_one_that_dropped_it_is_over() {
    run_paused(async {
        let caught = Rc::new(Cell::new(false));
        let reached = caught.clone();
        let body = finally(pending::<()>(), async move {
            reached.set(timeout(ms(5), pending::<()>()).await.is_err());
        });
        assert!(timeout(ms(10), timeout(ms(10), body)).await.is_err());
        assert!(caught.get());
    });
}
