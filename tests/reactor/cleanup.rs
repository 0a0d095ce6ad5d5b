//! Cleanups that take time: timeouts await them, and nothing hurries them but their own deadlines.

use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lone::time::Instant;
use lone::{
    AsyncClose, Builder, Elapsed, JoinError, RunError, Scope, Semaphore, adopt, finally, gather,
    race, sleep, sleep_until, spawn, timeout, timeout_at, using, yield_now,
};

use crate::help::{
    Trace, Watchdog, elapsed_ms, ms, paused, poll_once, run_paused, run_until_idle, runtime, secs,
    turn,
};

/// Takes so long to close, and says when that begins and ends, in milliseconds.
struct Slow {
    trace: Trace,
    name: &'static str,
    takes: Duration,
    begin: Instant,
}

impl AsyncClose for Slow {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        self.trace.say(format!("{}-begins@{}", self.name, elapsed_ms(self.begin)));
        sleep(self.takes).await;
        self.trace.say(format!("{}-closed@{}", self.name, elapsed_ms(self.begin)));
        Ok(())
    }
}

/// Uses a resource that takes so long to close, and waits for ever meanwhile.
async fn hold(trace: &Trace, name: &'static str, takes: u64, begin: Instant) {
    let slow = Slow { trace: trace.clone(), name, takes: ms(takes), begin };
    let used = using(slow, async |_| pending::<()>().await).await;
    assert!(used.is_ok());
}

// ----- timeouts -------------------------------------------------------------------------------------

// SEM-126, SEM-127, C-62: as late as the cleanup takes.
#[test]
fn timeout_returns_when_what_it_dropped_has_cleaned_up() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        assert!(timeout(ms(10), hold(&trace, "r", 5_000, begin)).await.is_err());
        assert_eq!(elapsed_ms(begin), 5_010);
        assert_eq!(trace.take(), "r-begins@10 r-closed@5010");
    });
}

// C-62, F4: an outer deadline strikes meanwhile: it is the outer one that reports, after the same end.
#[test]
fn outer_timeout_that_strikes_while_an_inner_one_cleans_up_reports_after_that() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let inner = async {
            let ended = timeout(ms(10), hold(&trace, "inner", 5_000, begin)).await;
            trace.say("never");
            ended
        };
        let outer = using(
            Slow { trace: trace.clone(), name: "outer", takes: ms(100), begin },
            async |_| inner.await,
        );
        assert!(timeout(ms(2_000), outer).await.is_err());
        assert_eq!(elapsed_ms(begin), 5_110);
        let said = "inner-begins@10 inner-closed@5010 outer-begins@5010 outer-closed@5110";
        assert_eq!(trace.take(), said);
    });
}

// F4: three deep: both inner ones clean up when the outermost strikes.
#[test]
fn timeouts_three_deep_are_all_awaited_by_the_outermost() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let slow = |name, takes| Slow { trace: trace.clone(), name, takes: ms(takes), begin };
        let a = timeout(ms(10), hold(&trace, "a", 100, begin));
        let b = timeout(ms(20), using(slow("b", 100), async |_| a.await));
        let c = timeout(ms(30), using(slow("c", 100), async |_| b.await));
        assert!(c.await.is_err());
        assert_eq!(elapsed_ms(begin), 310);
        let said = "a-begins@10 a-closed@110 b-begins@110 b-closed@210 c-begins@210 c-closed@310";
        assert_eq!(trace.take(), said);
    });
}

// SEM-128, F4: a value that was there in time is not lost to a cleanup that takes longer.
#[test]
fn body_that_ended_in_time_keeps_its_value_though_its_cleanup_takes_longer() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let body = async {
            let loser = timeout(ms(5), pending::<()>());
            let held = hold(&trace, "r", 100, begin);
            futures_util::future::select(Box::pin(loser), Box::pin(held)).await;
            7
        };
        assert_eq!(timeout(ms(10), body).await, Ok(7));
        assert_eq!(elapsed_ms(begin), 105);
    });
}

// F6: the deadline strikes in the middle of a close that all went well for: its sleep goes on.
#[test]
fn close_that_sleeps_when_the_deadline_strikes_ends_when_it_would_have() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let slow = Slow { trace: trace.clone(), name: "r", takes: ms(100), begin };
        let used = using(slow, async |_| sleep(ms(5)).await);
        assert!(timeout(ms(50), used).await.is_err());
        assert_eq!(trace.take(), "r-begins@5 r-closed@105");
        assert_eq!(elapsed_ms(begin), 105);
    });
}

// SEM-133, SEM-146: what fails in it comes with the timeout.
#[test]
fn cleanup_that_fails_after_a_timeout_is_an_error_with_that() {
    run_paused(async {
        let body = finally(pending::<()>(), async {
            sleep(ms(5)).await;
            panic!("no farewell");
        });
        let elapsed: Elapsed = timeout(ms(10), body).await.expect_err("its time is over");
        assert_eq!(elapsed.cleanup_errors().len(), 1);
        let text = elapsed.to_string();
        assert!(text.starts_with("the time is over; and cleanup failed"), "{text}");
        assert!(text.contains("no farewell"), "{text}");
        assert!(std::error::Error::source(&elapsed).is_some());
        let io = std::io::Error::from(elapsed);
        assert_eq!(io.kind(), std::io::ErrorKind::TimedOut);
        assert!(io.to_string().contains("no farewell"), "{io}");
    });
}

// SEM-85, SEM-22: its timer has gone; nobody could wait for it, so it hides no deadlock.
#[test]
fn timeout_whose_body_ended_early_has_no_timer_while_it_cleans_up() {
    let mut runtime = paused();
    let begin = runtime.block_on(async { Instant::now() });
    let ran = runtime.try_block_on(async {
        let body = async {
            let held = finally(pending::<()>(), pending());
            futures_util::future::select(Box::pin(held), Box::pin(yield_now())).await;
        };
        drop(timeout(secs(3_600), body).await);
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    assert!(report.to_string().contains("`cleanup of a timeout at tests/reactor/cleanup.rs:"));
    assert_eq!(runtime.statistics().timers, 0);
    assert_eq!(runtime.block_on(async { elapsed_ms(begin) }), 0, "it was found at once");
}

// F4: polled no more after its deadline, it cleans up all the same.
#[test]
fn timeout_that_is_kept_and_not_polled_cleans_up_all_the_same() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let mut limited = Box::pin(timeout(ms(10), hold(&trace, "r", 20, begin)));
        assert!(poll_once(&mut limited).await.is_pending());
        sleep(ms(10)).await;
        assert!(poll_once(&mut limited).await.is_pending());
        sleep(ms(100)).await;
        assert_eq!(trace.take(), "r-begins@10 r-closed@30");
        assert!(poll_once(&mut limited).await.is_ready());
    });
}

// F4, F16: a timeout is `Send`: dropped on a thread without a loop while it cleans up, its loop goes on.
#[test]
fn timeout_dropped_on_another_thread_while_it_cleans_up_is_cleaned_up_by_its_loop() {
    let (mut runtime, steps) = (paused(), Arc::new(AtomicU32::new(0)));
    let counted = steps.clone();
    let body = finally(pending::<()>(), async move {
        for _ in 0..3 {
            sleep(ms(10)).await;
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut limited = Box::pin(timeout(ms(10), body));
    runtime.block_on(async {
        assert!(poll_once(&mut limited).await.is_pending());
        sleep(ms(10)).await;
        assert!(poll_once(&mut limited).await.is_pending());
        sleep(ms(15)).await;
    });
    assert_eq!(steps.load(Ordering::SeqCst), 1);
    std::thread::spawn(move || drop(limited)).join().expect("it is plain data");
    runtime.block_on(sleep(ms(100)));
    assert_eq!(steps.load(Ordering::SeqCst), 3);
    assert_eq!((runtime.statistics().timers, run_until_idle(&mut runtime)), (0, 0));
}

// F4, F7: before it cleans up, there is nobody on that thread who could.
#[test]
fn timeout_dropped_on_another_thread_before_its_deadline_leaves_nothing() {
    let mut runtime = paused();
    let mut limited = Box::pin(timeout(ms(10), finally(pending::<()>(), async {})));
    runtime.block_on(async { assert!(poll_once(&mut limited).await.is_pending()) });
    std::thread::spawn(move || drop(limited)).join().expect("it is plain data");
    turn(&mut runtime);
    assert_eq!((runtime.statistics().timers, runtime.statistics().tasks), (0, 0));
}

// ----- handles in timeouts --------------------------------------------------------------------------

// SEM-130, C-61: zero: a finished one gives its value; another is cancelled, and its end awaited.
#[test]
fn owned_handle_in_a_timeout_of_zero_gives_its_value_or_is_cancelled_and_drained() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let ended = spawn(async { 7 });
        yield_now().await;
        let value = timeout(Duration::ZERO, ended.cancel_on_drop()).await;
        assert_eq!(value.map(Result::ok), Ok(Some(7)));
        let said = trace.clone();
        let task = spawn(async move { hold(&said, "r", 30, begin).await });
        yield_now().await;
        assert!(timeout(Duration::ZERO, task.cancel_on_drop()).await.is_err());
        assert_eq!(trace.take(), "r-begins@0 r-closed@30");
        assert_eq!(elapsed_ms(begin), 30);
    });
}

// SEM-136: only limited, not owned: it goes on.
#[test]
fn handle_in_a_timeout_goes_on_when_the_time_is_over() {
    run_paused(async {
        let begin = Instant::now();
        let mut task = spawn(finally(sleep(ms(30)), async { sleep(ms(10)).await }));
        assert!(timeout(ms(10), &mut task).await.is_err());
        assert_eq!(elapsed_ms(begin), 10);
        task.await.expect("nobody has cancelled it");
        assert_eq!(elapsed_ms(begin), 40);
    });
}

// SEM-97, SEM-413: gathered or raced, the owned ones are awaited by the timeout around.
#[test]
fn owned_handles_of_a_gather_and_a_race_are_drained_by_the_timeout_around() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let owned = |name, takes| {
            let said = trace.clone();
            spawn(async move { hold(&said, name, takes, begin).await }).cancel_on_drop()
        };
        assert!(timeout(ms(10), gather([owned("a", 10), owned("b", 20)])).await.is_err());
        assert_eq!(trace.take(), "a-begins@10 b-begins@10 a-closed@20 b-closed@30");
        assert!(timeout(ms(10), race([owned("c", 10), owned("d", 20)])).await.is_err());
        assert_eq!(trace.take(), "c-begins@40 d-begins@40 c-closed@50 d-closed@60");
    });
}

// ----- tasks ----------------------------------------------------------------------------------------

// SEM-153, C-65: in the cleanup of a cancelled task its own timeouts work, and are caught there.
#[test]
fn timeout_inside_the_cleanup_of_a_cancelled_task_fires_on_its_own_deadline() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let said = trace.clone();
        let task = spawn(finally(pending::<()>(), async move {
            let farewell = timeout(ms(20), pending::<()>()).await;
            said.say(format!("gave-up@{} {}", elapsed_ms(begin), farewell.is_err()));
            sleep(ms(5)).await;
        }));
        sleep(ms(10)).await;
        task.cancel("enough");
        assert!(matches!(task.await, Err(JoinError::Cancelled(_))));
        assert_eq!((trace.take().as_str(), elapsed_ms(begin)), ("gave-up@30 true", 35));
    });
}

// SEM-66, C-86: two cancels in different turns: it runs to its end.
#[test]
fn task_cancelled_twice_in_different_turns_cleans_up_to_the_end() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let said = trace.clone();
        let task = spawn(async move { hold(&said, "r", 10, begin).await });
        sleep(ms(1)).await;
        task.cancel("first");
        sleep(ms(5)).await;
        assert!(task.cancel("second"));
        let Err(JoinError::Cancelled(why)) = task.await else { panic!("it was cancelled") };
        assert_eq!(why.reason().to_string(), "first");
        assert_eq!(trace.take(), "r-begins@1 r-closed@11");
    });
}

// SEM-134, SEM-135, C-59: a cancel and a deadline in one turn: cancelled, and drained.
#[test]
fn task_cancelled_at_the_deadline_of_its_timeout_ends_cancelled_when_all_is_cleaned_up() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let said = trace.clone();
        let mut main = sleep_until(begin + ms(10));
        assert!(poll_once(&mut main).await.is_pending());
        let task = spawn(async move {
            drop(timeout_at(begin + ms(10), hold(&said, "r", 20, begin)).await);
            said.say("never");
        });
        main.await;
        task.cancel("enough");
        assert!(matches!(task.await, Err(JoinError::Cancelled(_))));
        assert_eq!(trace.take(), "r-begins@10 r-closed@30");
        assert_eq!(elapsed_ms(begin), 30);
    });
}

// SEM-152, C-60: cancelled while the timeout cleans up: cancelled, after the same cleanup.
#[test]
fn task_cancelled_while_its_timeout_cleans_up_ends_cancelled_after_that() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let said = trace.clone();
        let task = spawn(async move {
            drop(timeout(ms(10), hold(&said, "r", 20, begin)).await);
            said.say("never");
        });
        sleep(ms(20)).await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!((trace.take().as_str(), elapsed_ms(begin)), ("r-begins@10 r-closed@30", 30));
    });
}

// SEM-151: the deadline was not reached: the timer goes, and it is the cancel that is told.
#[test]
fn task_cancelled_before_the_deadline_of_its_timeout_leaves_no_timer() {
    let mut runtime = paused();
    runtime.block_on(async {
        let task = spawn(timeout(secs(60), finally(pending::<()>(), sleep(ms(5)))));
        sleep(ms(1)).await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    });
    assert_eq!(runtime.statistics().timers, 0);
}

// ----- the loop's end -------------------------------------------------------------------------------

// F4, SEM-4: main's own, though they take hours.
#[test]
fn run_returns_when_what_main_has_left_is_cleaned_up() {
    let trace = Trace::default();
    run_paused(async {
        let begin = Instant::now();
        let held = hold(&trace, "r", 3_600_000, begin);
        assert!(timeout(ms(10), pending::<()>()).await.is_err());
        let mut held = Box::pin(held);
        assert!(poll_once(&mut held).await.is_pending());
    });
    assert_eq!(trace.take(), "r-begins@10 r-closed@3600010");
}

// SEM-4, SEM-6: leftovers clean up in virtual time as well; the grace is one of real time.
#[test]
fn shutdown_awaits_cleanups_that_sleep_in_virtual_time() {
    let (mut runtime, trace) = (paused(), Trace::default());
    let begin = runtime.block_on(async { Instant::now() });
    for (name, takes) in [("a", 60_000), ("b", 30_000)] {
        let said = trace.clone();
        drop(runtime.spawn(async move { hold(&said, name, takes, begin).await }));
    }
    turn(&mut runtime);
    drop(runtime);
    assert_eq!(trace.take(), "a-begins@0 b-begins@0 b-closed@30000 a-closed@60000");
}

// SEM-7, C-96: the grace is over: a cleanup that never ends is dropped.
#[test]
fn shutdown_drops_a_cleanup_that_does_not_end_within_the_grace() {
    let _watchdog = Watchdog::new();
    let trace = Trace::default();
    let mut runtime =
        Builder::new().shutdown_grace(Some(ms(20))).build().expect("descriptors are free");
    let said = trace.clone();
    let mut task = runtime.spawn(finally(pending::<()>(), async move {
        loop {
            sleep(ms(1)).await;
            said.say("again");
        }
    }));
    turn(&mut runtime);
    runtime.shutdown();
    assert!(trace.take().starts_with("again again"));
    let Some(Err(JoinError::Cancelled(why))) = task.try_join() else { panic!("it has ended") };
    assert!(why.cleanup_errors().to_string().contains("half way"), "{why}");
    assert_eq!(runtime.statistics().timers, 0);
}

// F7: on the real clock: what cannot come is not waited for, whatever the grace.
#[test]
fn deadlock_among_cleanups_ends_the_grace_of_the_shutdown_at_once() {
    let _watchdog = Watchdog::new();
    let mut runtime =
        Builder::new().shutdown_grace(Some(secs(3_600))).build().expect("descriptors are free");
    let semaphore = Rc::new(Semaphore::new(1));
    let wanted = semaphore.clone();
    let mut task = runtime.spawn(async move {
        // The cleanup wants what the next one gives back only after it.
        let permit = Rc::new(semaphore.acquire_owned().await);
        let held = finally(pending::<()>(), async move { drop(wanted.acquire().await) });
        let gives_back = finally(held, async move { drop(permit) });
        gives_back.await;
    });
    turn(&mut runtime);
    runtime.shutdown();
    let Some(Err(JoinError::Cancelled(why))) = task.try_join() else { panic!("it has ended") };
    assert_eq!(why.cleanup_errors().len(), 2, "{why}");
}

// F7: and one that sleeps first, on the real clock, is waited for until there is a deadlock.
#[test]
fn cleanup_that_sleeps_before_a_deadlock_has_its_sleep() {
    let _watchdog = Watchdog::new();
    let (mut runtime, trace) = (runtime(), Trace::default());
    let said = trace.clone();
    drop(runtime.spawn(finally(pending::<()>(), async move {
        sleep(ms(3)).await;
        said.say("slept");
        pending::<()>().await;
    })));
    turn(&mut runtime);
    runtime.shutdown();
    assert_eq!(trace.take(), "slept");
}

// SEM-22, F14: a cleanup that sleeps may wake somebody: no verdict before it has ended.
#[test]
fn no_verdict_while_a_cleanup_sleeps() {
    run_paused(async {
        let (event, begin) = (Rc::new(lone::Event::new()), Instant::now());
        let sets = event.clone();
        let task = spawn(finally(pending::<()>(), async move {
            sleep(secs(60)).await;
            sets.set();
        }));
        yield_now().await;
        task.cancel("enough");
        event.wait().await;
        assert_eq!(elapsed_ms(begin), 60_000);
    });
}

// F9: a host's loop is told of the deadlines of cleanups.
#[test]
fn cleanup_of_a_guest_loop_that_sleeps_has_a_deadline_for_the_host() {
    let (mut runtime, trace) = (paused(), Trace::default());
    let begin = runtime.block_on(async { Instant::now() });
    let said = trace.clone();
    let task = runtime.spawn(async move { hold(&said, "r", 30, begin).await });
    turn(&mut runtime);
    assert_eq!(runtime.next_deadline(), None);
    task.cancel("enough");
    run_until_idle(&mut runtime);
    assert_eq!(runtime.next_deadline(), Some(begin + ms(30)));
    while !task.is_finished() {
        runtime.turn(Some(secs(1))).expect("the system lets us look");
    }
    assert_eq!(trace.take(), "r-begins@0 r-closed@30");
}

// F4: a cleanup that sleeps in a scope that is dropped by a timeout, and adopts another one then.
#[test]
fn cleanups_of_a_scope_within_a_timeout_come_one_after_the_other() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let scope = Scope::new();
        let body = async {
            let said = trace.clone();
            adopt(async move {
                sleep(ms(30)).await;
                said.say(format!("adopted@{}", elapsed_ms(begin)));
                Ok(())
            });
            hold(&trace, "r", 10, begin).await;
        };
        assert!(timeout(ms(10), scope.run(body)).await.is_err());
        assert_eq!(trace.take(), "adopted@30 r-begins@30 r-closed@40");
    });
}
