//! Debug mode: what takes too long, what nobody comes for, and who is left at the end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::watch::{Due, Watch};
use lone_executor::{Executor, KeptWaker, Settings, spawn, yield_now};
use lone_sync::{Event, Mutex, Queue, Semaphore, gather, join, race};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    PATIENCE, assert_one_report, executor, executor_with, hold_for_ever, poll_once, record_reports,
    run_until_idle, take_reports,
};

/// A loop in debug mode to which a poll is slow from this duration on.
fn debugging(slow_poll: Duration) -> Executor<BoundedPark> {
    executor_with(Settings { debug: true, slow_poll, ..Settings::default() })
}

/// A loop in debug mode that calls no poll slow.
fn watching() -> Executor<BoundedPark> {
    debugging(PATIENCE)
}

// ----- slow polls ----------------------------------------------------------------------------------

// SEM-375: by name, line and duration, with what to do.
#[test]
fn slow_poll_is_reported_with_its_task_and_a_hint() {
    record_reports();
    let mut executor = debugging(Duration::ZERO);
    drop(executor.spawn(async {}).named("slow"));
    executor.turn(None).expect("the park works");
    assert_one_report(&[
        "WARN lone::debug: Task-1 `slow`, spawned at tests/behaviour/debug.rs:",
        " ran for ",
        "on a thread of its own",
    ]);
    executor.block_on(async {});
    assert_one_report(&["WARN lone::debug: main ran for "]);
}

// SEM-375: each poll counts, not their sum; and one that is quick says nothing.
#[test]
fn polls_below_the_limit_are_not_reported() {
    record_reports();
    watching().block_on(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-384
#[test]
fn loop_that_is_not_in_debug_mode_says_nothing() {
    record_reports();
    let mut executor = executor_with(Settings { slow_poll: Duration::ZERO, ..Settings::default() });
    executor.block_on(async {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().await;
        let mut aside = pin!(semaphore.acquire());
        assert!(poll_once(&mut aside).0.is_pending());
        drop(permit);
        for _ in 0..10 {
            yield_now().await;
        }
    });
    drop(executor.spawn(hold_for_ever(())));
    run_until_idle(&mut executor);
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-41, SEM-375: a slow poll that is a task's last says both.
#[test]
fn slow_poll_that_panics_is_reported_as_both() {
    record_reports();
    let mut executor = debugging(Duration::ZERO);
    drop(executor.spawn(async { panic!("slow and wrong") }));
    executor.turn(None).expect("the park works");
    let reports = take_reports();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports.iter().any(|report| report.contains("panicked: slow and wrong")));
    assert!(reports.iter().any(|report| report.contains("ran for ")));
}

// ----- what nobody comes for -----------------------------------------------------------------------

/// Polls a future once with the waker of whoever runs, and keeps it aside.
async fn begin<F: Future + Unpin>(future: &mut F) {
    let polled = poll_fn(|cx| Poll::Ready(pin!(&mut *future).poll(cx).is_pending())).await;
    assert!(polled, "it waits");
}

// F30: the task has run since, and the future that has the permit has not.
#[test]
fn permit_granted_to_a_future_that_is_kept_aside_is_reported_once() {
    record_reports();
    watching().block_on(async {
        let semaphore = Rc::new(Semaphore::new(1));
        let task = spawn(async move {
            let permit = semaphore.acquire().await;
            let mut aside = pin!(semaphore.acquire());
            begin(&mut aside).await;
            drop(permit);
            // It waits for the very permit that the future kept aside has been granted.
            let _mine = semaphore.acquire().await;
        });
        let task = task.named("futurelock");
        for _ in 0..10 {
            yield_now().await;
        }
        assert_one_report(&[
            "WARN lone::debug: Task-1 `futurelock`, spawned at tests/behaviour/debug.rs:",
            "was granted what it waits for at tests/behaviour/debug.rs:",
            "(semaphore), and has run since",
        ]);
        drop(task);
    });
}

// F30: items and events, too; and main.
#[test]
fn item_or_event_granted_to_a_future_that_is_kept_aside_is_reported() {
    record_reports();
    watching().block_on(async {
        let (queue, event) = (Queue::bounded(1), Event::new());
        let mut item = pin!(queue.get());
        let mut set = pin!(event.wait());
        begin(&mut item).await;
        begin(&mut set).await;
        queue.try_put(7).expect("there is room");
        event.set();
        yield_now().await;
        yield_now().await;
        yield_now().await;
        yield_now().await;
        let reports = take_reports();
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert!(reports[0].contains("main was granted") && reports[0].contains("(queue)"));
        assert!(reports[1].contains("(event)"));
        assert_eq!(item.await.expect("it is open"), 7);
        set.await;
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F30: a lock, which nobody else gets meanwhile.
#[test]
fn lock_handed_to_a_future_that_is_kept_aside_is_reported() {
    record_reports();
    watching().block_on(async {
        let mutex = Mutex::new(7);
        let guard = mutex.lock().await;
        let mut aside = pin!(mutex.lock());
        begin(&mut aside).await;
        drop(guard);
        for _ in 0..5 {
            yield_now().await;
        }
        assert_one_report(&["main was granted what it waits for", "(mutex)"]);
        assert_eq!(*aside.await, 7);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F30: a loop that waits has polled everybody who was woken: it is said before, not turns later.
#[test]
fn grant_that_nobody_comes_for_is_reported_before_the_loop_waits() {
    record_reports();
    let mut executor = watching();
    drop(executor.spawn(async {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().await;
        let mut aside = pin!(semaphore.acquire());
        begin(&mut aside).await;
        drop(permit);
        semaphore.acquire().await.forget();
    }));
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_one_report(&["Task-1, spawned", "(semaphore)"]);
}

// F30: fetched in the same turn, in the next, or dropped: nothing to be said.
#[test]
fn grant_that_is_fetched_or_given_up_is_not_reported() {
    record_reports();
    let mut executor = watching();
    executor.block_on(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(async move { drop(semaphore.acquire().await) })
            })
            .collect();
        yield_now().await;
        semaphore.add_permits(1);
        gather(tasks).await;
        let mut aside = Box::pin(semaphore.acquire());
        let permit = semaphore.acquire().await;
        begin(&mut aside).await;
        drop(permit);
        yield_now().await;
        drop(aside);
        let gate = Event::new();
        let waits = gather((0..20).map(|_| gate.wait()));
        join!(waits, async { gate.set() });
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(semaphore.available(), 1);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F11, F30: an operation that is refused wakes its task at once: its time comes.
#[test]
fn grant_whose_future_is_refused_by_a_spent_budget_is_not_reported() {
    record_reports();
    let settings = Settings { debug: true, slow_poll: PATIENCE, budget: 1, ..Settings::default() };
    executor_with(settings).block_on(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let other = semaphore.clone();
        drop(spawn(async move { other.add_permits(3) }));
        let one = || semaphore.acquire();
        drop(futures_util::future::join3(one(), one(), one()).await);
        for _ in 0..5 {
            yield_now().await;
        }
    });
    assert_eq!(take_reports(), [""; 0]);
}

// F30: a task that was not polled since has had no chance to come.
#[test]
fn grant_is_not_reported_before_its_task_has_run() {
    record_reports();
    let mut executor = watching();
    let semaphore = Rc::new(Semaphore::new(0));
    let waited = semaphore.clone();
    drop(executor.spawn(async move { waited.acquire().await.forget() }));
    run_until_idle(&mut executor);
    executor.block_on(async {
        semaphore.add_permits(1);
        assert_eq!(take_reports(), [""; 0]);
    });
    run_until_idle(&mut executor);
    assert_eq!(take_reports(), [""; 0]);
}

// F30: with two loops on a thread a watch is that of the loop in which it was granted.
#[test]
fn grant_is_reported_by_the_loop_in_which_it_was_made() {
    record_reports();
    let semaphore = Rc::new(Semaphore::new(1));
    let aside = Rc::new(RefCell::new(None));
    let mut first = watching();
    first.block_on(async {
        let permit = semaphore.try_acquire().expect("it is free");
        let mut future = Box::pin(semaphore.clone().acquire_owned());
        begin(&mut future).await;
        aside.replace(Some(future));
        drop(permit);
    });
    let mut second = watching();
    second.block_on(async {
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(take_reports(), [""; 0], "it is none of its business");
        let permit = aside.take().expect("it is there").await;
        assert_eq!(permit.permits(), 1);
    });
    drop(first);
    assert_eq!(take_reports(), [""; 0]);
}

// F30: for groups: a child was cancelled, and its group is not polled.
#[test]
fn child_cancelled_in_a_group_that_is_kept_aside_is_reported() {
    record_reports();
    watching().block_on(async {
        let mut watch = poll_fn(|cx| {
            let waker = KeptWaker::new(cx.waker());
            let watch = Watch::begin(Due::Cancel, &waker, Location::caller());
            waker.wake();
            Poll::Ready(watch)
        })
        .await;
        assert_ne!(watch, Watch::NOTHING);
        for _ in 0..5 {
            yield_now().await;
        }
        assert_one_report(&["main has run without polling the group", "debug.rs:", "cancelled"]);
        watch.end();
    });
    executor().block_on(async {
        let waker = poll_fn(|cx| Poll::Ready(KeptWaker::new(cx.waker()))).await;
        let watch = Watch::begin(Due::Cancel, &waker, Location::caller());
        assert_eq!(watch, Watch::NOTHING, "it is not in debug mode");
    });
}

// F30: a loser of a race is dropped, and passes on what it was granted.
#[test]
fn grant_to_a_loser_of_a_race_is_not_reported() {
    record_reports();
    watching().block_on(async {
        let semaphore = Semaphore::new(0);
        // The second one's grant comes with the first one's, which wins.
        let wins = race([semaphore.acquire(), semaphore.acquire()]);
        let (permit, ()) = join!(wins, async { semaphore.add_permits(2) });
        drop(permit);
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(semaphore.available(), 2);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// ----- who is left ---------------------------------------------------------------------------------

// SEM-380
#[test]
fn task_left_at_the_shutdown_is_named_with_what_it_awaits() {
    record_reports();
    let mut executor = watching();
    let event = Rc::new(Event::new());
    let waited = event.clone();
    let waits = executor.spawn(async move { waited.wait().await }).named("forgotten");
    drop(executor.spawn(waits));
    drop(executor.spawn(async {}));
    run_until_idle(&mut executor);
    drop(executor.spawn(async {}));
    executor.shutdown();
    let reports = take_reports();
    assert_eq!(reports.len(), 3, "{reports:?}");
    let first = "WARN lone::debug: Task-1 `forgotten`, spawned at tests/behaviour/debug.rs:";
    assert!(reports[0].starts_with(first), "{reports:?}");
    let awaits = "is left as its loop shuts down: it awaits an event at tests/behaviour/debug.rs:";
    assert!(reports[0].contains(awaits), "{reports:?}");
    assert!(reports[1].ends_with("it awaits the end of Task-1 `forgotten`"), "{reports:?}");
    assert!(reports[2].starts_with("WARN lone::debug: Task-4,"), "{reports:?}");
    assert!(reports[2].ends_with("is left as its loop shuts down: it is ready"), "{reports:?}");
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "and not again");
}

// SEM-380: nobody is left where all have been joined.
#[test]
fn loop_whose_tasks_have_ended_has_nobody_to_name() {
    record_reports();
    let mut executor = watching();
    executor.block_on(async {
        spawn(async {}).await.expect("it ends well");
    });
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}
