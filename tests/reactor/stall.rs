//! Stalls on a real and on a virtual clock: the time that counts is real, and a timer is a hope.

use std::future::poll_fn;
use std::task::Poll;

use lone::{Builder, Event, OnStall, RunError, join, sleep};
use lone_tests::reports::{assert_one_report, record_reports, take_reports};

use crate::help::{SharedFlag, Watchdog, ms, outside_pair, run_in_own_process, secs};

/// Waits for ever, with a clone of its waker in nobody's hands.
async fn forgotten() {
    let mut forgotten = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut forgotten, true) {
            std::mem::forget(cx.waker().clone());
        }
        Poll::<()>::Pending
    })
    .await;
}

/// Both kinds of loops, which fail when they stall.
fn failing() -> [Builder; 2] {
    [false, true]
        .map(|paused| Builder::new().start_paused(paused).on_stall(OnStall::Fail { after: ms(2) }))
}

// SEM-22: after so much real time, also where the clock is virtual and stands still.
#[test]
fn stall_fails_after_real_time_on_any_clock() {
    let _watchdog = Watchdog::new();
    for builder in failing() {
        let begin = std::time::Instant::now();
        let ran =
            builder.try_run(async { join!(forgotten(), async { Event::new().wait().await }) });
        let Err(RunError::Stalled(report)) = ran else { panic!("it stalls") };
        assert!(begin.elapsed() >= ms(2), "it was waited for");
        assert_eq!(report.held(), [None]);
        assert!(report.to_string().contains("an event at tests/reactor/stall.rs:"), "{report}");
    }
}

// SEM-22: a timer will wake somebody; and when it has, the time begins.
#[test]
fn timer_is_a_hope_and_no_stall() {
    let _watchdog = Watchdog::new();
    for builder in failing() {
        builder.run(async {
            let _other = lone::spawn(forgotten());
            sleep(ms(10)).await;
        });
    }
    let paused = Builder::new().start_paused(true).on_stall(OnStall::Fail { after: ms(2) });
    let ran = paused.try_run(async { join!(forgotten(), sleep(secs(3600))) });
    assert!(matches!(ran, Err(RunError::Stalled(_))));
}

// SEM-22: and so is a task that reads.
#[test]
fn stream_that_reads_is_a_hope_and_no_stall() {
    let _watchdog = Watchdog::new();
    for builder in failing() {
        builder.run(async {
            let _other = lone::spawn(forgotten());
            let (stream, peer) = outside_pair();
            let closes = std::thread::spawn(move || {
                std::thread::sleep(ms(10));
                drop(peer);
            });
            assert_eq!(stream.read(&mut [0]).await.expect("it was closed well"), 0);
            closes.join().expect("it ends well");
        });
    }
}

// SEM-22: the default is a warning, and the loop goes on to wait.
#[test]
fn stall_is_a_warning_after_which_a_thread_may_still_wake() {
    let _watchdog = Watchdog::new();
    record_reports();
    let flag = SharedFlag::default();
    let set = flag.clone();
    // The logger's thread is the loop's: what it has heard is seen there.
    let sets = std::thread::spawn(move || {
        std::thread::sleep(ms(50));
        set.set();
    });
    Builder::new().on_stall(OnStall::Warn { after: ms(1) }).run(flag.wait());
    sets.join().expect("it ends well");
    assert_one_report(&["WARN lone::executor: stalled:", "wakers of main"]);
    Builder::new().on_stall(OnStall::Ignore).run(async {});
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-22: a test fails after a second, unless it says otherwise.
#[test]
fn attribute_test_that_stalls_fails_with_the_report() {
    run_in_own_process("stall::in_own_process_test_that_stalls");
}

#[lone::test]
#[should_panic(expected = "stalled: everybody waits, and only code that is not lone's can wake")]
#[ignore = "takes a second: run by the test above, in a process of its own"]
async fn in_own_process_test_that_stalls() {
    forgotten().await;
}

// SEM-22
#[lone::test(on_stall = OnStall::Fail { after: ms(1) })]
#[should_panic(expected = "and has used none for 1ms")]
async fn attribute_test_may_say_after_what_time_it_fails() {
    forgotten().await;
}
