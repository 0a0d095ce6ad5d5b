//! Sleeps: in order, never early, gone when dropped, one park each.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use lone::time::{Instant, Sleep};
use lone::{sleep, sleep_until, spawn, yield_now};

use crate::help::{
    Counter, Random, Trace, Watchdog, elapsed_ms, ms, panic_text, paused, poll_once, poll_with,
    run, run_paused, run_until_idle, runtime, secs, spin, turn, us,
};

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

fn sleeping(trace: &Trace, name: impl ToString, sleep: Sleep) {
    let (trace, name) = (trace.clone(), name.to_string());
    drop(spawn(async move {
        sleep.await;
        trace.say(name);
    }));
}

// ----- order ---------------------------------------------------------------------------------------

// SEM-83, SEM-84, C-72: also if they are less than a millisecond apart.
#[test]
fn sleeps_of_different_lengths_end_in_the_order_of_their_deadlines() {
    let trace = Trace::default();
    let in_order = async || {
        // Far enough that none is past at its first poll.
        let begin = Instant::now() + ms(50);
        for n in [900, 100, 500, 101, 899] {
            sleeping(&trace, n, sleep_until(begin + us(n)));
        }
        sleep_until(begin + ms(2)).await;
        trace.take()
    };
    assert_eq!(run_paused(in_order()), "100 101 500 899 900");
    assert_eq!(run(in_order()), "100 101 500 899 900");
}

// SEM-83: a nanosecond is a difference, and none is none.
#[test]
fn sleeps_a_nanosecond_apart_end_each_at_its_own_moment() {
    run_paused(async {
        let (begin, seen) = (Instant::now(), Rc::new(RefCell::new(Vec::new())));
        for n in [3, 1, 64, 2, 65, 63] {
            let seen = seen.clone();
            drop(spawn(async move {
                sleep_until(begin + Duration::from_nanos(n)).await;
                seen.borrow_mut().push((n, begin.elapsed().as_nanos()));
            }));
        }
        sleep(us(1)).await;
        let expected = [1, 2, 3, 63, 64, 65].map(|n| (n, u128::from(n)));
        assert_eq!(*seen.borrow(), expected);
    });
}

// SEM-83, C-71: in the order of registration, however far away the moment was at each.
#[test]
fn sleeps_until_one_moment_end_in_the_order_of_their_first_polls() {
    run_paused(async {
        let (trace, deadline) = (Trace::default(), Instant::now() + secs(10));
        for n in 0..20 {
            sleeping(&trace, n, sleep_until(deadline));
            // Nearer each time: the wheel has cascaded meanwhile.
            sleep(ms(499)).await;
        }
        sleep_until(deadline + ms(1)).await;
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(trace.take(), expected.join(" "));
    });
}

// SEM-88: in one turn, in order.
#[test]
fn sleeps_that_are_due_when_a_blocked_loop_looks_end_in_one_turn_in_order() {
    let (mut runtime, trace) = (runtime(), Trace::default());
    for n in [5, 1, 4, 2, 3] {
        let trace = trace.clone();
        drop(runtime.spawn(async move {
            sleep(ms(30 + n)).await;
            trace.say(n.to_string());
        }));
    }
    // They begin to sleep; then the thread does something else for too long.
    turn(&mut runtime);
    assert_eq!((runtime.statistics().timers, trace.take().as_str()), (5, ""));
    spin(ms(40));
    assert_eq!(turn(&mut runtime).ready, 5, "all are woken by one look");
    assert_eq!(turn(&mut runtime).tasks, 0);
    assert_eq!(trace.take(), "1 2 3 4 5");
}

// ----- zero, past, never ---------------------------------------------------------------------------

// SEM-81: once, behind everything that was queued.
#[test]
fn sleep_of_zero_lets_all_that_is_queued_go_first_once() {
    run_paused(async {
        let trace = Trace::default();
        for name in ["a", "b"] {
            let trace = trace.clone();
            drop(spawn(async move {
                trace.say(format!("{name}1"));
                yield_now().await;
                trace.say(format!("{name}2"));
            }));
        }
        sleep(Duration::ZERO).await;
        trace.say("main");
        yield_now().await;
        assert_eq!(trace.take(), "a1 b1 main a2 b2");
    });
}

// SEM-81: a yield, not a timer.
#[test]
fn sleep_of_zero_sets_no_timer_and_does_not_park() {
    let mut runtime = runtime();
    runtime.block_on(async {
        for _ in 0..100 {
            sleep(Duration::ZERO).await;
        }
    });
    let statistics = runtime.statistics();
    assert_eq!((statistics.timers, statistics.parks), (0, 0));
}

// SEM-82: it yields once, too.
#[test]
fn sleep_until_the_past_behaves_as_sleep_of_zero() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        sleep(ms(5)).await;
        let said = trace.clone();
        drop(spawn(async move { said.say("other") }));
        sleep_until(begin).await;
        assert_eq!((trace.take().as_str(), elapsed_ms(begin)), ("other", 5));
    });
}

// SEM-82, SEM-87: neither overflow nor an early end.
#[test]
fn sleeps_of_500_years_and_for_ever_do_not_end_early() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        sleeping(&trace, "never", sleep(Duration::MAX));
        sleeping(&trace, "far future", sleep_until(Instant::FAR_FUTURE));
        sleeping(&trace, "500 years", sleep(500 * YEAR));
        sleep(500 * YEAR - ms(1)).await;
        assert_eq!(trace.take(), "");
        sleep(ms(2)).await;
        assert_eq!(trace.take(), "500 years");
        assert_eq!(begin.elapsed(), 500 * YEAR + ms(1));
    });
}

// SEM-87: the system's own timers take it as well.
#[test]
fn sleep_for_ever_on_the_real_clock_waits_until_the_other_future_is_done() {
    for far in [Duration::MAX, 500 * YEAR, 300 * YEAR, Duration::from_secs(1 << 32)] {
        let mut runtime = runtime();
        let task = runtime.spawn(sleep(far));
        turn(&mut runtime);
        assert_eq!(turn(&mut runtime).ready, 0);
        let remote = runtime.remote();
        let thread = std::thread::spawn(move || drop(remote.spawn(|| async {})));
        runtime.turn(None).expect("the system lets us wait");
        thread.join().expect("it ends well");
        run_until_idle(&mut runtime);
        assert!(!task.is_finished(), "{far:?} have not passed");
        assert_eq!(runtime.statistics().timers, 1);
    }
}

// SEM-87: on a virtual clock, what never comes is no moment to jump to.
#[test]
fn sleep_for_ever_alone_on_a_virtual_clock_does_not_end() {
    let mut runtime = paused();
    let task = runtime.spawn(sleep(Duration::MAX));
    for _ in 0..3 {
        runtime.turn(Some(ms(1))).expect("the system lets us wait");
    }
    assert!(!task.is_finished());
    assert_eq!(runtime.next_deadline(), None, "never is no deadline");
}

// ----- never early ---------------------------------------------------------------------------------

// SEM-83, F21: by the clock of the standard library.
#[test]
fn sleeps_on_the_real_clock_never_end_early() {
    run(async {
        let mut random = Random(1);
        for _ in 0..1000 {
            let wanted = Duration::from_nanos(random.next() % 100_000);
            let begin = std::time::Instant::now();
            sleep(wanted).await;
            let slept = begin.elapsed();
            assert!(slept >= wanted, "{slept:?} instead of {wanted:?}");
        }
    });
}

// F21: the reading is fresh, however long this poll has lasted.
#[test]
fn sleep_after_a_long_computation_counts_from_its_own_call() {
    run(async {
        for _ in 0..20 {
            spin(us(500));
            let begin = std::time::Instant::now();
            sleep(us(300)).await;
            assert!(begin.elapsed() >= us(300), "{:?}", begin.elapsed());
        }
    });
}

// SEM-83: many at once, each for itself.
#[test]
fn sleeps_of_many_tasks_on_the_real_clock_never_end_early() {
    run(async {
        let mut random = Random(2);
        let tasks: Vec<_> = (0..500)
            .map(|_| {
                let wanted = Duration::from_nanos(random.next() % 5_000_000);
                spawn(async move {
                    let begin = std::time::Instant::now();
                    sleep(wanted).await;
                    assert!(begin.elapsed() >= wanted);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it was not early");
        }
    });
}

// ----- from when it counts -------------------------------------------------------------------------

// SEM-83: from the call of `sleep`.
#[test]
fn sleep_awaited_late_counts_from_its_call() {
    run_paused(async {
        let begin = Instant::now();
        let slept = sleep(ms(10));
        assert_eq!(slept.deadline(), Some(begin + ms(10)));
        sleep(ms(4)).await;
        slept.await;
        assert_eq!(elapsed_ms(begin), 10);
        let slept = sleep(ms(10));
        sleep(ms(11)).await;
        slept.await;
        assert_eq!(elapsed_ms(begin), 21, "past by then: a yield");
    });
}

// SEM-83: from the first poll where no loop ran at the call.
#[test]
fn sleep_made_outside_of_a_loop_counts_from_its_first_poll() {
    let mut slept = sleep(ms(10));
    assert_eq!(slept.deadline(), None);
    run_paused(async {
        let begin = Instant::now();
        sleep(ms(4)).await;
        assert!(poll_once(&mut slept).await.is_pending());
        assert_eq!(slept.deadline(), Some(begin + ms(14)));
        slept.await;
        assert_eq!(elapsed_ms(begin), 14);
    });
}

// ----- drop and reset ------------------------------------------------------------------------------

// SEM-85: at once.
#[test]
fn sleep_dropped_half_way_leaves_no_timer() {
    let mut runtime = paused();
    let (mut a, mut b) = (sleep(ms(1)), sleep(ms(1)));
    runtime.block_on(async {
        assert!(poll_once(&mut a).await.is_pending());
        assert!(poll_once(&mut b).await.is_pending());
    });
    assert_eq!(runtime.statistics().timers, 2);
    runtime.block_on(async { drop(a) });
    assert_eq!(runtime.statistics().timers, 1);
    runtime.block_on(async { drop(b) });
    assert_eq!(runtime.statistics().timers, 0);
    assert_eq!(runtime.next_deadline(), None);
}

// SEM-85: its deadline has passed, but the loop has not looked yet.
#[test]
fn sleep_dropped_when_it_is_due_leaves_no_timer_and_wakes_nobody() {
    let mut runtime = runtime();
    let (counter, waker) = Counter::new();
    runtime.block_on(async {
        let mut due = sleep(ms(20));
        assert!(poll_with(&mut due, &waker).is_pending());
        spin(ms(25));
        drop(due);
    });
    assert_eq!(runtime.statistics().timers, 0);
    turn(&mut runtime);
    assert_eq!(counter.wakes(), 0);
}

// SEM-85, C-69: nine of ten go, and one far away stays.
#[test]
fn many_sleeps_dropped_leave_the_far_one_as_the_next_deadline() {
    let mut runtime = paused();
    let mut far = sleep_until(Instant::now() + 1000 * YEAR / 2);
    runtime.block_on(async {
        assert!(poll_with(&mut far, Waker::noop()).is_pending());
        let mut random = Random(3);
        let mut sleeps: Vec<Sleep> = (0..100_000)
            .map(|_| sleep(Duration::from_nanos(1 + random.next() % 1_000_000_000_000)))
            .collect();
        for sleep in &mut sleeps {
            assert!(poll_with(sleep, Waker::noop()).is_pending());
        }
        let mut n = 0;
        sleeps.retain(|_| {
            n += 1;
            n % 10 == 0
        });
        // The last tenth goes in another order than it came.
        while !sleeps.is_empty() {
            let at = (random.next() % sleeps.len() as u64) as usize;
            drop(sleeps.swap_remove(at));
        }
    });
    assert_eq!(runtime.statistics().timers, 1);
    assert_eq!(runtime.next_deadline(), far.deadline());
}

// SEM-86: wherever it is moved to.
#[test]
fn sleep_reset_half_way_ends_at_the_new_moment() {
    run_paused(async {
        for (to, end) in [(3, 3), (30, 30), (10, 10), (0, 2)] {
            let begin = Instant::now();
            let mut slept = sleep(ms(10));
            assert!(poll_once(&mut slept).await.is_pending());
            sleep(ms(2)).await;
            slept.reset(begin + ms(to));
            assert_eq!(slept.deadline(), Some(begin + ms(to)));
            slept.await;
            assert_eq!(elapsed_ms(begin), end, "moved to {to}");
        }
    });
}

// SEM-86: a poll after each reset, a hundred of them, and one timer at the end.
#[test]
fn sleep_reset_again_and_again_has_one_timer_and_one_end() {
    let mut runtime = paused();
    let (counter, waker) = Counter::new();
    let mut slept = sleep(secs(1));
    runtime.block_on(async {
        let begin = Instant::now();
        for n in (0..100).rev() {
            slept.reset(begin + ms(10 + n));
            assert!(poll_with(&mut slept, &waker).is_pending());
        }
    });
    assert_eq!(runtime.statistics().timers, 1);
    runtime.block_on(sleep(ms(500)));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-86: by the future that it has woken.
#[test]
fn sleep_reset_from_its_own_wake_sleeps_again() {
    run_paused(async {
        let begin = Instant::now();
        let (mut slept, mut rounds) = (pin!(sleep(ms(10))), Vec::new());
        std::future::poll_fn(|cx| {
            while slept.as_mut().poll(cx).is_ready() {
                rounds.push(elapsed_ms(begin));
                if rounds.len() == 3 {
                    return Poll::Ready(());
                }
                slept.reset(Instant::now() + ms(5));
            }
            Poll::Pending
        })
        .await;
        assert_eq!(rounds, [10, 15, 20]);
    });
}

// SEM-86, C-74: reset by its wake, and dropped there.
#[test]
fn sleep_reset_and_dropped_in_its_own_wake_leaves_no_timer() {
    let mut runtime = paused();
    let mut slept = Some(sleep(ms(10)));
    runtime.block_on(std::future::poll_fn(|cx| {
        let sleep = slept.as_mut().expect("it is polled until it is ready");
        if poll_with(sleep, cx.waker()).is_pending() {
            return Poll::Pending;
        }
        sleep.reset(Instant::now() + ms(5));
        assert!(poll_with(sleep, cx.waker()).is_pending());
        slept = None;
        Poll::Ready(())
    }));
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-86: and of several wakers the newest only.
#[test]
fn sleep_polled_with_several_wakers_wakes_the_last() {
    run_paused(async {
        let mut slept = sleep(ms(10));
        let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
        for (_, waker) in &counters {
            assert!(poll_with(&mut slept, waker).is_pending());
        }
        sleep(ms(11)).await;
        let wakes: Vec<usize> = counters.iter().map(|(counter, _)| counter.wakes()).collect();
        assert_eq!(wakes, [0, 0, 1]);
        assert!(poll_with(&mut slept, &counters[0].1).is_ready());
    });
}

// SEM-86: one that has ended can be used again.
#[test]
fn sleep_reset_after_its_end_sleeps_again() {
    run_paused(async {
        let begin = Instant::now();
        let mut slept = sleep(ms(1));
        for round in 1..=3 {
            (&mut slept).await;
            assert_eq!(elapsed_ms(begin), round);
            (&mut slept).await;
            assert_eq!(elapsed_ms(begin), round, "what has ended has ended");
            slept.reset(begin + ms(round + 1));
        }
    });
}

// SEM-85: one due timer's wake drops the next.
#[test]
fn sleep_dropped_by_the_wake_of_one_due_at_the_same_time_wakes_nobody() {
    run_paused(async {
        let (counter, waker) = Counter::new();
        let (mut first, mut second) = (sleep(ms(5)), sleep(ms(5)));
        assert!(poll_once(&mut first).await.is_pending());
        assert!(poll_with(&mut second, &waker).is_pending());
        let slot = std::sync::Mutex::new(Some(second));
        let dropping = Waker::from(std::sync::Arc::new(crate::help::Call(move || {
            drop(slot.lock().expect("nobody panics under it").take());
        })));
        assert!(poll_with(&mut first, &dropping).is_pending());
        sleep(ms(10)).await;
        assert_eq!(counter.wakes(), 0);
    });
}

// ----- one sleep is one park -----------------------------------------------------------------------

// F31: the wheel's levels are no reason to wake.
#[test]
fn sleep_on_the_real_clock_parks_once() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    for slept in [us(300), ms(1), ms(5), ms(20), ms(70), ms(270)] {
        let before = runtime.statistics();
        runtime.block_on(sleep(slept));
        let after = runtime.statistics();
        // None at all if the machine stood still between two lines.
        assert!(after.parks - before.parks <= 1, "{slept:?}: {before:?}, {after:?}");
        assert!(after.turns - before.turns <= 3, "{slept:?}: {before:?}, {after:?}");
    }
    assert!(runtime.statistics().parks >= 1);
}

// F31: a timer that is taken out costs no park, beyond the one that was set up for it.
#[test]
fn sleep_beside_a_thousand_dropped_ones_parks_once() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    runtime.block_on(async {
        for n in 1..=1000 {
            let mut dropped = sleep(ms(100) + us(n));
            assert!(poll_once(&mut dropped).await.is_pending());
        }
    });
    let before = runtime.statistics().parks;
    runtime.block_on(sleep(ms(20)));
    assert!(runtime.statistics().parks - before <= 1);
}

// F31, where that would cost more than the sleeps do.
#[test]
fn sleeps_of_a_crowd_share_their_parks_in_order() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    let rung = RefCell::new(Vec::new());
    runtime.block_on(lone::gather((0..5000).map(|n| {
        let rung = &rung;
        async move {
            sleep(ms(10) + us(10 * n)).await;
            rung.borrow_mut().push(n);
        }
    })));
    assert!(rung.borrow().is_sorted());
    // One in 50 us, but for the first millisecond.
    assert!(runtime.statistics().parks <= 1500, "{:?}", runtime.statistics());
}

// ----- threads and other loops ---------------------------------------------------------------------

const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Sleep>();
};

// F20: its timer goes at the loop's next turn.
#[test]
fn sleep_dropped_on_another_thread_frees_its_timer_at_the_loop() {
    let (mut runtime, (counter, waker)) = (runtime(), Counter::new());
    let mut slept = sleep(secs(1000));
    runtime.block_on(async { assert!(poll_with(&mut slept, &waker).is_pending()) });
    std::thread::spawn(move || drop(slept)).join().expect("a drop does not panic");
    assert_eq!(runtime.statistics().timers, 1);
    turn(&mut runtime);
    assert_eq!((runtime.statistics().timers, counter.wakes()), (0, 0));
}

// F20: while the loop waits for its deadline, and for no longer.
#[test]
fn sleep_dropped_on_another_thread_while_the_loop_parks_ends_the_park() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    let mut slept = sleep(secs(1000));
    runtime.block_on(async { assert!(poll_with(&mut slept, Waker::noop()).is_pending()) });
    let thread = std::thread::spawn(move || drop(slept));
    while runtime.statistics().timers > 0 {
        runtime.turn(None).expect("the system lets us wait");
    }
    thread.join().expect("a drop does not panic");
}

// F22: another loop of the same thread, or none, is another place as well.
#[test]
fn sleep_dropped_outside_of_its_loop_frees_its_timer_at_the_loop() {
    let (mut a, mut b) = (paused(), paused());
    let (mut first, mut second) = (sleep(ms(5)), sleep(ms(5)));
    a.block_on(async {
        assert!(poll_once(&mut first).await.is_pending());
        assert!(poll_once(&mut second).await.is_pending());
    });
    drop(first);
    b.block_on(async { drop(second) });
    assert_eq!(a.statistics().timers, 2);
    turn(&mut a);
    assert_eq!(a.statistics().timers, 0);
}

// F3: the timer of another, which has the same place in the same wheel, is left alone.
#[test]
fn sleep_dropped_after_its_loop_ended_frees_no_other_timer() {
    let stale = {
        let (mut runtime, mut stale) = (paused(), sleep(ms(5)));
        runtime.block_on(async { assert!(poll_once(&mut stale).await.is_pending()) });
        stale
    };
    let (mut runtime, mut slept) = (paused(), sleep(ms(5)));
    runtime.block_on(async {
        assert!(poll_once(&mut slept).await.is_pending());
        drop(stale);
    });
    assert_eq!(runtime.statistics().timers, 1);
    turn(&mut runtime);
    assert_eq!(runtime.statistics().timers, 1);
}

#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    panic_text(&*payload).to_owned()
}

// F22: on the loop where it was set, or nowhere.
#[test]
fn sleep_polled_on_another_loop_panics_and_says_so() {
    let (mut a, mut b) = (paused(), paused());
    let mut slept = sleep(ms(5));
    a.block_on(async { assert!(poll_once(&mut slept).await.is_pending()) });
    let said = panic_of(|| b.block_on(&mut slept));
    assert!(said.contains("outside of the loop on which it was set"), "{said}");
    let said = panic_of(|| assert!(poll_with(&mut slept, Waker::noop()).is_pending()));
    assert!(said.contains("outside of the loop on which it was set"), "{said}");
    // It has not suffered.
    a.block_on(slept);
}

// F20: a thread with a loop of its own.
#[test]
fn sleep_polled_on_another_thread_panics_and_says_so() {
    let mut runtime = paused();
    let mut slept = sleep(ms(5));
    runtime.block_on(async { assert!(poll_once(&mut slept).await.is_pending()) });
    let thread = std::thread::spawn(move || run_paused(slept));
    let payload = thread.join().expect_err("it panics");
    assert!(panic_text(&*payload).contains("outside of the loop on which it was set"));
    turn(&mut runtime);
    assert_eq!(runtime.statistics().timers, 0, "it was dropped there");
}

// SEM-83: a foreign executor has no clock of ours.
#[test]
fn sleep_polled_where_no_loop_runs_panics_and_says_what_to_do() {
    let said = panic_of(|| assert!(poll_with(&mut sleep(ms(5)), Waker::noop()).is_pending()));
    assert!(said.contains("await it inside lone::run"), "{said}");
}

/// A waker that panics when it is used.
struct Panics;

impl std::task::Wake for Panics {
    fn wake(self: std::sync::Arc<Self>) {
        panic!("a foreign waker, as this test wants it");
    }
}

#[test]
fn foreign_waker_that_panics_when_its_time_has_come_leaves_the_others_theirs() {
    run_paused(async {
        let mut first = sleep(ms(5));
        let waker = Waker::from(std::sync::Arc::new(Panics));
        assert!(poll_with(&mut first, &waker).is_pending());
        let begin = Instant::now();
        sleep(ms(5)).await;
        sleep(ms(5)).await;
        assert_eq!(begin.elapsed(), ms(10));
    });
}
