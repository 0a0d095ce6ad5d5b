//! Intervals: a steady pace, whatever the task does between two ticks.

use std::time::Duration;

use lone::time::{Instant, MissedTickBehavior, interval_at};
use lone::{interval, sleep, sleep_until, spawn, timeout, yield_now};

use crate::help::{
    elapsed_ms, ms, panic_text, paused, poll_once, run_paused, run_until_idle, turn,
};

/// The first eight ticks of period 10 of a task that is busy from 12 to 35: when each came, and
/// when it was due.
async fn ticks_of_a_busy_task(missed: MissedTickBehavior) -> Vec<(u64, u64)> {
    let begin = Instant::now();
    let mut interval = interval(ms(10));
    interval.set_missed_tick_behavior(missed);
    assert_eq!(interval.missed_tick_behavior(), missed);
    let mut ticks = Vec::new();
    for _ in 0..8 {
        let due = interval.tick().await;
        ticks.push((elapsed_ms(begin), (due - begin).as_millis() as u64));
        if ticks.len() == 2 {
            sleep_until(begin + ms(12)).await;
            sleep_until(begin + ms(35)).await;
        }
    }
    ticks
}

// SEM-83: the picture at `MissedTickBehavior`, on a clock.
#[test]
fn ticks_missed_by_a_busy_task_come_at_once_with_burst() {
    let ticks = run_paused(ticks_of_a_busy_task(MissedTickBehavior::Burst));
    let expected = [(0, 0), (10, 10), (35, 20), (35, 30), (40, 40), (50, 50), (60, 60), (70, 70)];
    assert_eq!(ticks, expected);
}

// SEM-83: from the late one on, a period each.
#[test]
fn ticks_missed_by_a_busy_task_shift_the_rest_with_delay() {
    let ticks = run_paused(ticks_of_a_busy_task(MissedTickBehavior::Delay));
    let expected = [(0, 0), (10, 10), (35, 20), (45, 45), (55, 55), (65, 65), (75, 75), (85, 85)];
    assert_eq!(ticks, expected);
}

// SEM-83: back to the multiples of the period.
#[test]
fn ticks_missed_by_a_busy_task_are_left_out_with_skip() {
    let ticks = run_paused(ticks_of_a_busy_task(MissedTickBehavior::Skip));
    let expected = [(0, 0), (10, 10), (35, 20), (40, 40), (50, 50), (60, 60), (70, 70), (80, 80)];
    assert_eq!(ticks, expected);
}

// SEM-83: `Burst` is what one gets without asking, and the first tick comes at once.
#[test]
fn first_tick_comes_at_once_and_the_next_a_period_later() {
    run_paused(async {
        let begin = Instant::now();
        let mut interval = interval(ms(10));
        assert_eq!(interval.period(), ms(10));
        assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Burst);
        sleep(ms(3)).await;
        assert_eq!(interval.tick().await, begin, "from the call of `interval` on");
        assert_eq!(elapsed_ms(begin), 3);
        assert_eq!(interval.tick().await, begin + ms(10));
        assert_eq!(elapsed_ms(begin), 10);
    });
}

// SEM-82: a start in the future is waited for, one in the past is not.
#[test]
fn interval_at_ticks_from_its_start_on() {
    run_paused(async {
        let begin = Instant::now();
        let mut later = interval_at(begin + ms(25), ms(10));
        assert_eq!(later.tick().await, begin + ms(25));
        assert_eq!(elapsed_ms(begin), 25);
        let mut past = interval_at(begin, ms(10));
        let due = [past.tick().await, past.tick().await, past.tick().await, past.tick().await];
        assert_eq!(due.map(|due| (due - begin).as_millis()), [0, 10, 20, 30]);
        assert_eq!(elapsed_ms(begin), 30);
    });
}

// SEM-82: misuse says what to do instead.
#[test]
fn interval_of_zero_panics_and_says_what_to_do() {
    let payload = std::panic::catch_unwind(|| drop(interval(Duration::ZERO)))
        .expect_err("a period of zero is refused");
    let said = panic_text(&*payload);
    assert!(said.contains("busy loop") && said.contains("yield_now()"), "{said}");
}

// SEM-85: a tick that is given up half way is not lost.
#[test]
fn tick_dropped_half_way_comes_when_it_is_due() {
    run_paused(async {
        let begin = Instant::now();
        let mut interval = interval(ms(10));
        interval.tick().await;
        for _ in 0..4 {
            assert!(timeout(ms(2), interval.tick()).await.is_err());
        }
        assert_eq!(elapsed_ms(begin), 8);
        assert_eq!(interval.tick().await, begin + ms(10));
        sleep(ms(15)).await;
        assert!(poll_once(&mut interval.tick()).await.is_ready(), "due at 20, taken at 25");
        assert_eq!(interval.tick().await, begin + ms(30));
    });
}

// SEM-86: a period from now, also while a tick is awaited.
#[test]
fn interval_reset_ticks_a_period_later() {
    run_paused(async {
        let begin = Instant::now();
        let mut interval = interval(ms(10));
        interval.tick().await;
        assert!(timeout(ms(7), interval.tick()).await.is_err());
        interval.reset();
        assert_eq!(interval.tick().await, begin + ms(17));
        assert_eq!(interval.tick().await, begin + ms(27));
        assert_eq!(elapsed_ms(begin), 27);
    });
}

// SEM-85: between ticks there is no timer, and none is left when it goes.
#[test]
fn interval_has_a_timer_only_while_a_tick_is_awaited() {
    let mut runtime = paused();
    let mut interval = interval(ms(10));
    runtime.block_on(interval.tick());
    assert_eq!(runtime.statistics().timers, 0);
    runtime.block_on(async { assert!(poll_once(&mut interval.tick()).await.is_pending()) });
    assert_eq!(runtime.statistics().timers, 1);
    drop(interval);
    turn(&mut runtime);
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-407: an hour of missed ticks at once does not keep the loop.
#[test]
fn ticks_made_up_for_give_way_to_others() {
    run_paused(async {
        let mut interval = interval(ms(1));
        let neighbour = spawn(async {
            for _ in 0..20 {
                yield_now().await;
            }
        });
        sleep(ms(10_000)).await;
        assert!(neighbour.is_finished());
        let neighbour = spawn(async {
            for _ in 0..20 {
                yield_now().await;
            }
        });
        let begin = Instant::now();
        let mut ticks = 0;
        while !neighbour.is_finished() {
            interval.tick().await;
            ticks += 1;
        }
        assert_eq!(elapsed_ms(begin), 0);
        assert!(ticks <= 128 * 22, "{ticks} ticks before 20 turns of the neighbour");
    });
}

// SEM-86: in a task of its own, among others.
#[test]
fn intervals_of_several_tasks_keep_their_pace() {
    let mut runtime = paused();
    let trace = crate::help::Trace::default();
    for period in [2, 3] {
        let trace = trace.clone();
        drop(runtime.spawn(async move {
            let mut interval = interval(ms(period));
            loop {
                let at = interval.tick().await;
                trace.say(format!("{period}"));
                if at.elapsed() > Duration::ZERO {
                    trace.say("late");
                }
            }
        }));
    }
    run_until_idle(&mut runtime);
    runtime.block_on(sleep(ms(9)));
    // Both at 0; then at 2, 3, 4; both at 6, where that of 3 was registered first; at 8. At 9 main
    // was registered first, and with main the run ends.
    assert_eq!(trace.take(), "2 3 2 3 2 3 2 2");
}
