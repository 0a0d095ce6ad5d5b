//! Stalls: only code that is not lone's could wake anybody, and it does not.
//!
//! The time that counts is real, so it is short here, or zero; no test measures it.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lone_executor::{Executor, OnStall, RunError, Settings, Stalled, spawn};
use lone_sync::{Event, gather, join};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    PATIENCE, SharedFlag, assert_one_report, executor_with, record_reports, take_reports,
};

const MOMENT: Duration = Duration::from_millis(1);

fn on_stall(what: OnStall) -> Settings {
    Settings { on_stall: what, ..Settings::default() }
}

/// A loop that fails as soon as it stalls.
fn failing() -> Executor<BoundedPark> {
    executor_with(on_stall(OnStall::Fail { after: Duration::ZERO }))
}

/// A loop that sends a message each time that it is about to wait.
fn announcing(what: OnStall) -> (Executor<BoundedPark>, Receiver<()>) {
    let (announce, parked) = mpsc::channel();
    let executor = Executor::with_settings(BoundedPark::announcing(announce), on_stall(what));
    (executor.expect("a loop index is free"), parked)
}

/// Runs `main`, which has to stall.
#[track_caller]
fn stalled<F: Future>(executor: &mut Executor<BoundedPark>, main: F) -> Stalled {
    match executor.try_block_on(main) {
        Err(RunError::Stalled(report)) => *report,
        Err(error) => panic!("a stall, not: {error}"),
        Ok(_) => panic!("a stall, and main has ended"),
    }
}

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

// SEM-22, F14: the report has who waits for what, and whose wakers are held.
#[test]
fn stall_that_shall_fail_ends_the_run_with_who_waits_and_whose_wakers_are_held() {
    let mut executor = failing();
    let report = stalled(&mut executor, async {
        let event = Rc::new(Event::new());
        let task = spawn(async move { join!(forgotten(), event.wait()) }).named("holder");
        task.await.expect("it never ends");
    });
    let task = report.waiting()[1].task;
    assert_eq!(report.held(), [task]);
    assert!(report.cycle().is_none());
    let text = report.to_string();
    let head = "stalled: everybody waits, and only code that is not lone's can wake anybody: it \
                holds wakers of Task-1 `holder`, and has used none for 0ns\n";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("\n  main awaits the end of Task-1 `holder`"), "{text}");
    assert!(text.contains("awaits an event at tests/behaviour/stall.rs:"), "{text}");
    assert_eq!(RunError::Stalled(Box::new(report)).to_string(), text);
    // The task has stayed, and so has the loop.
    assert_eq!(executor.block_on(async { 7 }), 7);
    assert_eq!(executor.statistics().tasks, 1);
}

// SEM-22: whose child it is, that is what matters.
#[test]
fn waker_of_a_child_that_is_held_is_named_as_that_of_its_task() {
    let mut executor = failing();
    let report = stalled(&mut executor, async {
        let task = spawn(async { gather([forgotten(), forgotten()]).await });
        join!(forgotten(), async { task.await.expect("it never ends") })
    });
    assert_eq!(report.held(), [None, report.waiting()[1].task]);
    assert!(report.to_string().contains("it holds wakers of main, Task-1, and has"), "{report}");
}

// SEM-22, F14: a combinator of another crate holds a clone of the waker of whoever polls it.
#[test]
fn main_waiting_in_a_futures_unordered_stalls() {
    let report = stalled(&mut failing(), async {
        let event = Event::new();
        let mut futures: FuturesUnordered<_> = [event.wait()].into_iter().collect();
        futures.next().await
    });
    assert_eq!(report.held(), [None]);
}

// SEM-22: with a clone left it is no deadlock, and without one it is no stall.
#[test]
fn loop_without_a_clone_left_is_at_a_deadlock_at_once() {
    let mut executor = executor_with(on_stall(OnStall::Fail { after: PATIENCE }));
    let ran = executor.try_block_on(pending::<()>());
    assert!(matches!(ran, Err(RunError::Deadlock(_))), "{ran:?}");
    assert_eq!(executor.park().waits(), 0);
}

// SEM-22: said once, and then it waits without a limit.
#[test]
fn stall_is_warned_of_once_and_then_waited_for() {
    record_reports();
    let (mut executor, parked) = announcing(OnStall::Warn { after: MOMENT });
    let flag = SharedFlag::default();
    let set = flag.clone();
    thread::spawn(move || {
        // Once with a limit, and, when that was warned of, once without.
        for _ in 0..2 {
            parked.recv_timeout(PATIENCE).expect("the loop waits");
        }
        set.set();
    });
    executor.block_on(flag.wait());
    assert_eq!(executor.park().waits(), 2);
    assert_one_report(&[
        "WARN lone::executor: stalled: everybody waits",
        "wakers of main, and has used none for 1ms",
        "main awaits a future that is not lone's",
    ]);
}

// SEM-22: once per change of the tasks concerned.
#[test]
fn stall_is_warned_of_again_only_when_others_are_concerned() {
    record_reports();
    let (mut executor, parked) = announcing(OnStall::Warn { after: MOMENT });
    let flags: [SharedFlag; 4] = std::array::from_fn(|_| SharedFlag::default());
    let sets = flags.clone();
    thread::spawn(move || {
        for set in sets {
            for _ in 0..2 {
                parked.recv_timeout(PATIENCE).expect("the loop waits");
            }
            set.set();
        }
    });
    let [first, second, third, fourth] = flags;
    executor.block_on(async {
        first.wait().await;
        assert_one_report(&["wakers of main,"]);
        second.wait().await;
        assert_eq!(take_reports(), [""; 0], "the same one");
        let task = spawn(async move { third.wait().await });
        task.await.expect("it ends well");
        assert_one_report(&["wakers of Task-1,"]);
        fourth.wait().await;
        assert_one_report(&["wakers of main,"]);
    });
}

// SEM-22: whoever is woken in time never hears of it.
#[test]
fn clone_that_a_thread_uses_in_time_is_no_stall() {
    record_reports();
    let (mut executor, parked) = announcing(OnStall::Fail { after: PATIENCE });
    let flags: [SharedFlag; 10] = std::array::from_fn(|_| SharedFlag::default());
    let sets = flags.clone();
    thread::spawn(move || {
        for set in sets {
            parked.recv_timeout(PATIENCE).expect("the loop waits");
            set.set();
        }
    });
    let polls = Cell::new(0);
    executor.block_on(async {
        let _other = spawn(pending::<()>());
        for flag in flags {
            let mut wait = Box::pin(flag.wait());
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                wait.as_mut().poll(cx)
            })
            .await;
        }
    });
    assert_eq!(executor.park().waits(), 10);
    assert_eq!(polls.get(), 20, "nobody was asked");
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-22, F14: as long as somebody else is there nobody is asked.
#[test]
fn remote_that_is_left_is_a_hope_and_no_stall() {
    let (announce, parked) = mpsc::channel();
    let settings = on_stall(OnStall::Fail { after: Duration::ZERO });
    let park = BoundedPark::announcing(announce);
    let mut executor = Executor::with_settings(park, settings).expect("a loop index is free");
    let remote = executor.remote();
    thread::spawn(move || {
        parked.recv_timeout(PATIENCE).expect("the loop waits");
        let set = remote.spawn(|| async { EVENT.with(|event| event.set()) });
        set.expect("the loop lives").wait().expect("it ends well");
    });
    thread_local! {
        static EVENT: Rc<Event> = Rc::new(Event::new());
    }
    let event = EVENT.with(Rc::clone);
    executor.block_on(async {
        let _other = spawn(forgotten());
        event.wait().await;
    });
}

// SEM-22, F14: a host may always wake somebody.
#[test]
fn guest_never_stalls() {
    let mut executor = failing();
    drop(executor.spawn(forgotten()));
    for _ in 0..3 {
        let turn = executor.turn(Some(Duration::ZERO)).expect("it is no error");
        assert_eq!((turn.ready, turn.tasks), (0, 1));
        executor.turn(Some(MOMENT)).expect("it is no error");
    }
}

// SEM-22: asking is enough for one that has lost its wake.
#[test]
fn future_that_goes_on_when_asked_is_no_stall() {
    let mut polled = false;
    failing().block_on(async {
        let _other = spawn(forgotten());
        poll_fn(|_| match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    });
    let mut executor = failing();
    let report = stalled(&mut executor, async {
        let mut asked = false;
        let task = spawn(poll_fn(move |_| {
            if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
        }));
        task.await.expect("it ends well");
        forgotten().await;
    });
    assert_eq!(report.waiting().len(), 1, "the task has ended");
}

// SEM-22: asking runs user code, and what was uncertain may be certain then.
#[test]
fn clone_that_is_dropped_when_asked_leaves_a_deadlock() {
    let kept: RefCell<Vec<Waker>> = RefCell::default();
    let mut asked = false;
    let ran = failing().try_block_on(poll_fn(|cx| {
        match std::mem::replace(&mut asked, true) {
            false => kept.borrow_mut().push(cx.waker().clone()),
            true => kept.borrow_mut().clear(),
        }
        Poll::<()>::Pending
    }));
    assert!(matches!(ran, Err(RunError::Deadlock(_))), "{ran:?}");
}

// SEM-22: asking runs user code, which may wake somebody.
#[test]
fn cancel_that_is_asked_for_when_asked_ends_the_stall() {
    let mut executor = failing();
    executor.block_on(async {
        let mut task = Some(spawn(forgotten()));
        let mut polls = 0;
        poll_fn(move |_| {
            polls += 1;
            match polls {
                1 => Poll::Pending,
                // Asked because of the stall; and then, with the task gone, because of the deadlock.
                2 => {
                    task.take().expect("it is taken once").cancel("nobody wakes it");
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
    });
    assert_eq!(executor.statistics().tasks, 0);
}
