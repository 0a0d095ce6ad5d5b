//! A virtual clock moved by hand: one deadline at a time, and never past the target.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use lone::test::wait_all_tasks_blocked;
use lone::time::{Instant, advance, advance_to};
use lone::{Builder, Jump, RunError, interval, join, race, sleep, sleep_until, spawn, yield_now};

use crate::help::{Trace, Watchdog, elapsed_ms, ms, ns, outside_pair, pair, poll_once, run, secs};

const RULES: [Jump; 4] =
    [Jump::Manual, Jump::HoldOnIo, Jump::AfterQuiet(ms(20)), Jump::AfterQuiet(Duration::ZERO)];

/// Runs `main` under each rule by which a clock may jump.
fn run_by_all_rules<F: Future<Output = ()>>(main: impl Fn() -> F) {
    for rule in RULES {
        let _watchdog = Watchdog::new();
        Builder::new().jump(rule).run(main());
    }
}

fn run_manual<F: Future>(main: F) -> F::Output {
    let _watchdog = Watchdog::new();
    Builder::new().jump(Jump::Manual).run(main)
}

/// A task that says at which millisecond it comes round, once a second.
fn heart(trace: &Trace) {
    let (trace, begin) = (trace.clone(), Instant::now());
    drop(spawn(async move {
        let mut beats = interval(secs(1));
        loop {
            beats.tick().await;
            yield_now().await;
            trace.say(elapsed_ms(begin).to_string());
        }
    }));
}

// SEM-396: ten times, each at its own moment.
#[test]
fn advance_by_ten_periods_runs_a_periodic_task_ten_times() {
    run_by_all_rules(|| async {
        let (trace, begin) = (Trace::default(), Instant::now());
        heart(&trace);
        advance(ns(0)).await;
        assert_eq!(trace.take(), "0", "an interval begins at once");
        advance(secs(10)).await;
        assert_eq!(trace.take(), "1000 2000 3000 4000 5000 6000 7000 8000 9000 10000");
        assert_eq!(begin.elapsed(), secs(10));
        advance(ms(999)).await;
        assert_eq!((trace.take(), elapsed_ms(begin)), (String::new(), 10_999));
    });
}

// SEM-396: what a due task sets on the way is due on the way.
#[test]
fn deadlines_set_on_the_way_are_met_on_the_way() {
    run_by_all_rules(|| async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let inner = trace.clone();
        drop(spawn(async move {
            for wait in [1, 10, 100, 1000] {
                sleep(ms(wait)).await;
                let (trace, begin) = (inner.clone(), begin);
                drop(spawn(async move {
                    sleep(ms(5)).await;
                    trace.say(elapsed_ms(begin).to_string());
                }));
            }
        }));
        advance(ms(116)).await;
        assert_eq!((trace.take().as_str(), elapsed_ms(begin)), ("6 16 116", 116));
    });
}

// SEM-396: all who are due at the target have run until they wait.
#[test]
fn advance_returns_when_all_who_are_due_wait_again() {
    run_by_all_rules(|| async {
        let trace = Trace::default();
        let target = Instant::now() + secs(1);
        let task = |name: &'static str| {
            let trace = trace.clone();
            spawn(async move {
                sleep_until(target).await;
                for _ in 0..20 {
                    yield_now().await;
                }
                trace.say(name);
                sleep(ns(1)).await;
                trace.say("too late");
            })
        };
        drop(task("before"));
        wait_all_tasks_blocked().await;
        // This one sets its timer behind that of the advance.
        let after = async {
            yield_now().await;
            drop(task("after"));
        };
        join!(advance(secs(1)), after);
        assert_eq!((trace.take().as_str(), Instant::now()), ("before after", target));
    });
}

// SEM-395: by itself the clock does not move, and what the hand does not reach waits.
#[test]
fn clock_that_only_a_hand_moves_stands_still_without_it() {
    run_manual(async {
        let begin = Instant::now();
        let sleeper = spawn(sleep(ms(10)));
        for _ in 0..10 {
            wait_all_tasks_blocked().await;
        }
        assert_eq!((begin.elapsed(), sleeper.is_finished()), (ns(0), false));
        advance(ms(10) - ns(1)).await;
        assert_eq!((begin.elapsed(), sleeper.is_finished()), (ms(10) - ns(1), false));
        advance(ns(1)).await;
        assert_eq!((begin.elapsed(), sleeper.is_finished()), (ms(10), true));
    });
}

// SEM-395: to a moment, and to this one.
#[test]
fn advance_to_a_moment_ends_there() {
    run_by_all_rules(|| async {
        let begin = Instant::now();
        advance_to(begin + secs(7)).await;
        assert_eq!(begin.elapsed(), secs(7));
        advance_to(Instant::now()).await;
        assert_eq!(begin.elapsed(), secs(7));
    });
}

// SEM-396: the nearer target is met on the way to the farther one.
#[test]
fn several_hands_at_once_move_the_clock_as_far_as_the_farthest() {
    run_by_all_rules(|| async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let hand = |millis| {
            let trace = trace.clone();
            async move {
                advance(ms(millis)).await;
                trace.say(elapsed_ms(begin).to_string());
            }
        };
        let sleeper = spawn(sleep(ms(7)));
        join!(hand(10), hand(5), hand(20));
        assert_eq!((trace.take().as_str(), sleeper.is_finished()), ("5 10 20", true));
    });
}

// SEM-395, SEM-22: nobody moves the clock any more.
#[test]
fn sleep_that_nobody_moves_the_clock_for_is_a_deadlock() {
    let ran = Builder::new().jump(Jump::Manual).try_run(async {
        drop(spawn(async {
            sleep(secs(1)).await;
        }));
        advance(ms(999)).await;
        sleep(secs(60)).await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("a deadlock, not {ran:?}") };
    let said = report.to_string();
    assert!(said.contains("main awaits a sleep at tests/reactor/advance.rs:"), "{said}");
    assert!(said.contains("Task-1, spawned at"), "{said}");
}

// SEM-395: the hand of another task is hope, as long as it moves the clock.
#[test]
fn sleep_of_main_while_a_task_moves_the_clock_is_no_deadlock() {
    let begin = run_manual(async {
        let begin = Instant::now();
        drop(spawn(advance(secs(60))));
        sleep(secs(60)).await;
        begin
    });
    let short = Builder::new().jump(Jump::Manual).try_run(async {
        drop(spawn(advance(secs(59))));
        sleep(secs(60)).await;
    });
    assert!(matches!(short, Err(RunError::Deadlock(_))), "{short:?} since {begin:?}");
}

// SEM-395: given up, it moves nothing any more; the clock stays where it came to.
#[test]
fn advance_dropped_half_way_leaves_the_clock_there() {
    run_manual(async {
        let begin = Instant::now();
        let gives_up = async {
            sleep(secs(3)).await;
        };
        let moves: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(advance(secs(10)));
        race([moves, Box::pin(gives_up)]).await;
        assert_eq!(begin.elapsed(), secs(3));
        let sleeper = spawn(sleep(secs(1)));
        wait_all_tasks_blocked().await;
        wait_all_tasks_blocked().await;
        assert_eq!((begin.elapsed(), sleeper.is_finished()), (secs(3), false));
        // Polled once and kept, it moves the clock to its target, and no further.
        let mut kept = advance(secs(2));
        assert!(poll_once(&mut kept).await.is_pending());
        sleeper.await.expect("it ends well");
        assert_eq!(begin.elapsed(), secs(4));
        drop(kept);
    });
}

// SEM-396, F10: bytes within the loop arrive before the clock moves on.
#[test]
fn advance_jumps_over_no_message_within_the_loop() {
    run_by_all_rules(|| async {
        let (client, server) = pair().await;
        let (trace, begin) = (Trace::default(), Instant::now());
        let said = trace.clone();
        drop(spawn(async move {
            let mut buffer = [0];
            while server.read_exact(&mut buffer).await.is_ok() {
                said.say(elapsed_ms(begin).to_string());
            }
        }));
        drop(spawn(async move {
            for _ in 0..3 {
                sleep(ms(10)).await;
                client.write_all(b"x").await.expect("the peer reads");
            }
            std::future::pending::<()>().await;
        }));
        advance(ms(35)).await;
        assert_eq!(trace.take(), "10 20 30");
    });
}

// SEM-396, SEM-399: whoever waits for an outside peer does not hold up the hand.
#[test]
fn advance_does_not_wait_for_an_outside_peer() {
    run_by_all_rules(|| async {
        let (here, _there) = outside_pair();
        let reader = spawn(async move { here.read(&mut [0]).await.map(drop) });
        let begin = Instant::now();
        advance(secs(1)).await;
        assert_eq!((begin.elapsed(), reader.is_finished()), (secs(1), false));
    });
}

// SEM-395: misuse says what to do instead.
#[test]
#[should_panic(expected = "a clock never runs backwards")]
fn advance_to_the_past_panics() {
    run_manual(async {
        let begin = Instant::now();
        advance(secs(1)).await;
        advance_to(begin).await;
    });
}

#[test]
#[should_panic(expected = "the real clock cannot be advanced: give the loop a virtual one")]
fn advance_of_the_real_clock_panics() {
    run(async { advance(secs(1)).await });
}

#[test]
#[should_panic(expected = "where no loop is running")]
fn advance_outside_of_a_loop_panics() {
    drop(advance(secs(1)));
}

#[test]
#[should_panic(expected = "beyond the range of a clock")]
fn advance_beyond_the_range_panics() {
    run_manual(async { advance(Duration::MAX).await });
}

// ----- until all wait ------------------------------------------------------------------------------

// SEM-398: it comes when everybody else waits, and before the clock jumps.
#[test]
fn test_goes_on_when_all_tasks_wait_and_no_time_has_passed() {
    run_by_all_rules(|| async {
        let (begin, polls) = (Instant::now(), Rc::new(Cell::new(0)));
        for yields in [0, 5, 100] {
            let polls = polls.clone();
            drop(spawn(async move {
                for _ in 0..yields {
                    polls.set(polls.get() + 1);
                    yield_now().await;
                }
                sleep(ns(1)).await;
                polls.set(1_000_000);
            }));
        }
        wait_all_tasks_blocked().await;
        assert_eq!((polls.get(), begin.elapsed()), (105, ns(0)));
        wait_all_tasks_blocked().await;
        assert_eq!((polls.get(), begin.elapsed()), (105, ns(0)));
    });
}

// SEM-398: several are woken in the order of their first polls, each when the one before waits.
#[test]
fn several_who_wait_for_all_others_go_on_one_after_the_other() {
    run_by_all_rules(|| async {
        let trace = Trace::default();
        for name in ["a", "b", "c"] {
            let trace = trace.clone();
            drop(spawn(async move {
                for round in 0..2 {
                    wait_all_tasks_blocked().await;
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    trace.say(format!("{name}{round}"));
                }
            }));
        }
        yield_now().await;
        for _ in 0..3 {
            wait_all_tasks_blocked().await;
        }
        assert_eq!(trace.take(), "a0 b0 c0 a1 b1 c1");
    });
}

// SEM-398: one who has given up is passed over.
#[test]
fn one_who_no_longer_waits_for_all_others_is_passed_over() {
    run_manual(async {
        let mut given_up = wait_all_tasks_blocked();
        let mut woken = wait_all_tasks_blocked();
        assert!(poll_once(&mut given_up).await.is_pending());
        assert!(poll_once(&mut woken).await.is_pending());
        drop(given_up);
        woken.await;
        wait_all_tasks_blocked().await;
    });
}

// SEM-398: on the real clock too; who sleeps waits.
#[test]
fn all_wait_on_the_real_clock_while_they_sleep() {
    run(async {
        let sleeper = spawn(sleep(secs(3600)));
        let worker = spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        wait_all_tasks_blocked().await;
        assert!(worker.is_finished() && !sleeper.is_finished());
    });
}

// SEM-398: an event that has come in goes first.
#[test]
fn message_that_has_come_in_goes_before_one_who_waits_for_all_others() {
    run_by_all_rules(|| async {
        let (client, server) = pair().await;
        let echo = spawn(async move { server.read_exact(&mut [0; 3]).await });
        wait_all_tasks_blocked().await;
        assert!(!echo.is_finished());
        client.write_all(b"abc").await.expect("the peer reads");
        wait_all_tasks_blocked().await;
        assert!(echo.is_finished());
    });
}

// SEM-398: in a guest each turn ends, and one of them is that of the one who waits.
#[test]
fn guest_that_never_waits_lets_one_who_waits_for_all_others_go_on() {
    let mut runtime = crate::help::paused();
    let task = runtime.spawn(wait_all_tasks_blocked());
    assert_eq!(crate::help::run_until_idle(&mut runtime), 0);
    assert!(task.is_finished());
}
