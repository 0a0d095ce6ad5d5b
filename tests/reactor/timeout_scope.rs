//! Timeouts whose deadline is moved while they run.

use std::cell::Cell;
use std::future::{pending, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{
    Elapsed, RescheduleError, TimeoutScope, finally, gather, sleep, sleep_until, spawn, timeout,
    timeout_scope, yield_now,
};

use crate::help::{Trace, elapsed_ms, ms, paused, poll_once, run_paused, run_until_idle, secs};

/// A timeout, and a clone of it for its body.
fn limited(limit: impl Into<Option<Duration>>) -> (TimeoutScope, TimeoutScope) {
    let limit = timeout_scope(limit);
    (limit.clone(), limit)
}

// SEM-139: stopped where it waits, and it says so.
#[test]
fn body_that_takes_too_long_is_stopped_and_the_timeout_has_expired() {
    run_paused(async {
        let begin = Instant::now();
        let (limit, inside) = limited(ms(10));
        assert!(limit.run(pending::<()>()).await.is_err());
        assert_eq!(elapsed_ms(begin), 10);
        assert!(inside.has_expired());
        assert_eq!(inside.when(), Some(begin + ms(10)));
    });
}

// SEM-140, SEM-145: a value or an error of its own: the timer is gone, `when` still tells.
#[test]
fn body_that_ends_in_time_leaves_no_timer_and_its_timeout_has_not_expired() {
    let mut runtime = paused();
    runtime.block_on(async {
        let begin = Instant::now();
        let limit = timeout_scope(ms(10));
        let body = async {
            sleep(ms(5)).await;
            Err::<(), _>("its own error")
        };
        assert_eq!(limit.run(body).await, Ok(Err("its own error")));
        assert!(!limit.has_expired());
        assert_eq!((limit.when(), elapsed_ms(begin)), (Some(begin + ms(10)), 5));
    });
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-141, SEM-161: none is no limit, and so is the longest; one may be set later.
#[test]
fn timeout_without_a_limit_gets_one_later() {
    run_paused(async {
        let begin = Instant::now();
        let (limit, inside) = limited(None);
        let body = async {
            assert_eq!(inside.when(), None);
            sleep(secs(3_600)).await;
            inside.reschedule(Instant::now() + ms(10)).expect("it is running");
            pending::<()>().await;
        };
        assert!(limit.run(body).await.is_err());
        assert_eq!(elapsed_ms(begin), 3_600_010);
        let longest = timeout_scope(Duration::MAX);
        assert_eq!(longest.run(sleep(secs(3_600))).await, Ok(()));
    });
}

// SEM-142, SEM-143, SEM-144, C-67: zero: only a suspension counts.
#[test]
fn timeout_of_zero_stops_a_body_only_where_it_has_to_wait() {
    run_paused(async {
        assert_eq!(timeout_scope(Duration::ZERO).run(async { 7 }).await, Ok(7));
        assert_eq!(timeout_scope(Duration::ZERO).run(ready(7)).await, Ok(7));
        assert!(timeout_scope(Duration::ZERO).run(yield_now()).await.is_err());
    });
}

// SEM-155, C-66: from another task, while the body waits: later, away, and sooner.
#[test]
fn deadline_moved_by_another_task_is_the_one_that_counts() {
    run_paused(async {
        let begin = Instant::now();
        let (limit, moves) = limited(ms(10));
        let mover = spawn(async move {
            sleep(ms(5)).await;
            moves.reschedule(begin + ms(30)).expect("it is running");
            sleep_until(begin + ms(20)).await;
            moves.reschedule(None).expect("it is running");
            sleep_until(begin + ms(40)).await;
            moves.reschedule(begin + ms(60)).expect("it is running");
            sleep_until(begin + ms(45)).await;
            moves.reschedule(begin + ms(50)).expect("it is running");
        });
        assert!(limit.run(pending::<()>()).await.is_err());
        assert_eq!((elapsed_ms(begin), limit.when()), (50, Some(begin + ms(50))));
        mover.await.expect("it ends well");
    });
}

// SEM-78, SEM-155: into the past: at the next suspension, and not before.
#[test]
fn deadline_moved_into_the_past_stops_the_body_at_its_next_suspension() {
    run_paused(async {
        let (begin, reached) = (Instant::now(), Rc::new(Cell::new(false)));
        sleep(ms(5)).await;
        let (limit, inside) = limited(secs(60));
        let body = async {
            inside.reschedule(begin).expect("it is running");
            ready(()).await;
            reached.set(true);
            yield_now().await;
            unreachable!("its time is over");
        };
        let stopped: Result<(), Elapsed> = limit.run(body).await;
        assert!(stopped.is_err() && reached.get());
        assert_eq!(elapsed_ms(begin), 5);
        // From another task: it need not wait for anything else.
        let (limit, moves) = limited(secs(60));
        drop(spawn(async move { moves.reschedule(begin).expect("it is running") }));
        assert!(limit.run(pending::<()>()).await.is_err());
        assert_eq!(elapsed_ms(begin), 5);
    });
}

// SEM-155: each time that it shows that it is alive it gets more time; the timers do not add up.
#[test]
fn deadline_moved_on_at_each_sign_of_life_leaves_one_timer() {
    let mut runtime = paused();
    runtime.block_on(async {
        let (limit, patience) = limited(ms(10));
        let body = async {
            for _ in 0..100 {
                sleep(ms(9)).await;
                patience.reschedule(Instant::now() + ms(10)).expect("it is running");
            }
        };
        assert_eq!(limit.run(body).await, Ok(()));
    });
    assert_eq!((runtime.statistics().timers, runtime.next_deadline()), (0, None));
}

// SEM-156: each state has its error, and nothing moves.
#[test]
fn deadline_is_moved_only_while_something_runs() {
    run_paused(async {
        let later = Instant::now() + secs(1);
        let (limit, inside) = limited(ms(10));
        assert_eq!(limit.reschedule(later), Err(RescheduleError::NotRunning));
        let during = limit.clone();
        let body = finally(pending::<()>(), async move {
            sleep(ms(5)).await;
            assert_eq!(during.reschedule(later), Err(RescheduleError::Expiring));
            assert!(during.has_expired());
        });
        let elapsed = limit.run(body).await.expect_err("its time is over");
        assert!(elapsed.cleanup_errors().is_empty(), "{elapsed}");
        assert_eq!(inside.reschedule(later), Err(RescheduleError::Expired));
        let ended = timeout_scope(ms(10));
        assert_eq!(ended.run(ready(7)).await, Ok(7));
        assert_eq!(ended.reschedule(None), Err(RescheduleError::Ended));
        assert!(ended.when().is_some());
        for error in [RescheduleError::Expiring, RescheduleError::Ended] {
            assert!(!error.to_string().is_empty());
        }
    });
}

// SEM-157, SEM-77: entered once; a second one disturbs nothing.
#[test]
fn timeout_entered_a_second_time_panics_and_disturbs_nothing() {
    run_paused(async {
        let begin = Instant::now();
        let (limit, inside) = limited(ms(10));
        let body = async {
            let again = inside.clone();
            let error = spawn(async move { drop(again.run(async { 8 }).await) }).await;
            let text = error.expect_err("it panics").to_string();
            assert!(text.contains("entered once"), "{text}");
            pending::<()>().await;
        };
        assert!(limit.run(body).await.is_err());
        assert_eq!(elapsed_ms(begin), 10);
    });
}

// SEM-151, SEM-152: a task's cancel is no timeout, before the deadline and while it cleans up.
#[test]
fn task_cancelled_around_a_timeout_ends_cancelled() {
    run_paused(async {
        for wait in [5, 15] {
            let limit = timeout_scope(ms(10));
            let run = limit.run(finally(pending::<()>(), async { sleep(ms(20)).await }));
            let task = spawn(async move { drop(run.await) });
            sleep(ms(wait)).await;
            task.cancel("enough");
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(limit.has_expired(), wait > 10);
        }
    });
}

// SEM-85: dropped half way, its timer goes, and it has ended.
#[test]
fn timeout_dropped_half_way_leaves_no_timer_and_has_ended() {
    let mut runtime = paused();
    runtime.block_on(async {
        let limit = timeout_scope(secs(60));
        let mut run = Box::pin(limit.run(pending::<()>()));
        assert!(poll_once(&mut run).await.is_pending());
        drop(run);
        assert_eq!(limit.reschedule(None), Err(RescheduleError::Ended));
        assert!(!limit.has_expired());
    });
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-158: around a group: all children are stopped, cleaned up, and then it reports.
#[test]
fn timeout_around_a_group_reports_when_all_children_have_cleaned_up() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let child = |name: &'static str, takes| {
            let said = trace.clone();
            finally(pending::<Result<(), &str>>(), async move {
                sleep(ms(takes)).await;
                said.say(name);
            })
        };
        let group = lone::TaskGroup::<&str>::run(async |group| {
            drop(group.spawn(child("slow", 30)));
            drop(group.spawn(child("fast", 10)));
            pending::<Result<(), &str>>().await
        });
        assert!(timeout_scope(ms(10)).run(group).await.is_err());
        assert_eq!(trace.take(), "fast slow");
        assert!(elapsed_ms(begin) >= 40);
    });
}

// SEM-160, SEM-162: after it all goes on as before; without an error where that is not wanted.
#[test]
fn code_after_a_timeout_is_not_disturbed() {
    run_paused(async {
        let begin = Instant::now();
        let moved_on = timeout_scope(ms(10)).run(pending::<u8>()).await.ok();
        assert_eq!(moved_on, None);
        yield_now().await;
        sleep(ms(10)).await;
        assert_eq!(timeout(ms(10), async { 7 }).await.ok(), Some(7));
        assert_eq!(elapsed_ms(begin), 20);
    });
}

// SEM-159: where no loop runs it says so.
#[test]
fn timeout_polled_where_no_loop_runs_panics_with_advice() {
    let run = timeout_scope(ms(10)).run(pending::<()>());
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut run = Box::pin(run);
        crate::help::poll_with(&mut run, std::task::Waker::noop()).is_ready()
    }));
    let payload = polled.expect_err("it panics");
    let text = crate::help::panic_text(&*payload);
    assert!(text.contains("where no loop is running"), "{text}");
}

// SEM-155, SEM-48: a body in a gather: its own slot is woken by the move.
#[test]
fn deadline_of_a_gathered_timeout_is_moved_by_its_sibling() {
    type Child<'a> = dyn Future<Output = Result<(), Elapsed>> + 'a;

    run_paused(async {
        let begin = Instant::now();
        let (limit, moves) = limited(ms(10));
        let body = async {
            sleep(ms(5)).await;
            moves.reschedule(begin + ms(20)).expect("it is running");
            Ok(())
        };
        let children: [Pin<Box<Child>>; 2] = [Box::pin(limit.run(pending())), Box::pin(body)];
        let ended = gather(children).await;
        assert!(ended[0].is_err() && ended[1].is_ok());
        assert_eq!(elapsed_ms(begin), 20);
    });
}

// F9: between two turns it is moved through the loop's inbox.
#[test]
fn deadline_moved_between_two_turns_is_the_one_that_counts() {
    let mut runtime = paused();
    let (limit, moves) = limited(secs(60));
    let task = runtime.spawn(async move { limit.run(pending::<()>()).await.is_err() });
    run_until_idle(&mut runtime);
    let begin = runtime.next_deadline().expect("its own") - secs(60);
    moves.reschedule(begin + ms(10)).expect("it is running");
    let ended = runtime.block_on(async {
        let expired = task.await.expect("it ends well");
        (expired, elapsed_ms(begin))
    });
    assert_eq!(ended, (true, 10));
}
