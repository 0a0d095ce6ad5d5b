//! Debug mode of a runtime: how it is turned on, and which clock it goes by.

use std::pin::pin;

use lone::{Builder, Semaphore, sleep};
use lone_tests::reports::{assert_one_report, record_reports, take_reports};

use crate::help::{
    PATIENCE, Watchdog, ms, poll_once, run_in_own_process, run_in_own_process_with, secs, spin,
};

// SEM-375, SEM-377: hours on a virtual clock are nothing; a millisecond of work is one.
#[test]
fn slow_poll_is_measured_in_real_time_under_a_virtual_clock() {
    let _watchdog = Watchdog::new();
    record_reports();
    let paused = || Builder::new().debug(true).start_paused(true);
    paused().slow_poll(PATIENCE).run(async { sleep(secs(3 * 60 * 60)).await });
    assert_eq!(take_reports(), [""; 0]);
    let mut runtime = paused().slow_poll(ms(1)).build().expect("descriptors are free");
    let task = runtime.spawn(async { spin(ms(1)) }).named("busy");
    runtime.block_on(task).expect("it ends well");
    let reports = take_reports();
    let busy = reports.iter().find(|report| report.contains("Task-1 `busy`, spawned at"));
    assert!(busy.is_some_and(|busy| busy.contains("without giving way")), "{reports:?}");
}

// F30: while a timer is set the loop is no deadlock, and only debug mode tells of the permit.
#[test]
fn permit_kept_aside_while_its_task_sleeps_is_reported() {
    let _watchdog = Watchdog::new();
    record_reports();
    Builder::new().debug(true).slow_poll(PATIENCE).start_paused(true).run(async {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().await;
        let mut aside = pin!(semaphore.acquire());
        assert!(poll_once(&mut aside).await.is_pending());
        drop(permit);
        sleep(secs(1)).await;
        assert_one_report(&["main was granted what it waits for at tests/reactor/debug.rs:"]);
        drop(aside.await);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-375, SEM-384: by the environment, and the builder has the last word.
#[test]
fn environment_turns_debug_mode_on() {
    let test = "debug::in_own_process_debug_mode_by_the_environment";
    run_in_own_process_with(test, [("LONE_DEBUG", "1")]);
    let test = "debug::in_own_process_no_debug_mode";
    run_in_own_process(test);
    run_in_own_process_with(test, [("LONE_DEBUG", "0")]);
}

#[test]
#[ignore = "wants an environment: run by the test above, in a process of its own"]
fn in_own_process_debug_mode_by_the_environment() {
    record_reports();
    let builder = || Builder::new().slow_poll(ms(0));
    builder().run(async {});
    assert_one_report(&["WARN lone::debug: main ran for"]);
    builder().debug(false).run(async {});
    assert_eq!(take_reports(), [""; 0]);
}

#[test]
#[ignore = "wants an environment: run by the test above, in a process of its own"]
fn in_own_process_no_debug_mode() {
    record_reports();
    Builder::new().slow_poll(ms(0)).run(async {});
    assert_eq!(take_reports(), [""; 0]);
    Builder::new().slow_poll(ms(0)).debug(true).run(async {});
    assert_one_report(&["WARN lone::debug: main ran for"]);
}
