//! Condvars: notified in order, in the mutex's line from that moment on, and no notification lost.

mod schedule;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, RunError, Settings, yield_now};
use lone_sync::{Condvar, Mutex, OwnedMutexGuard, join, timeout};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    PATIENCE, Trace, assert_one_report, executor, executor_with, poll_once, record_reports,
    run_until_idle, take_reports,
};
use crate::waiting::{Hooks, hooked, poll, poll_with, turn};

type Shared = Rc<(Mutex<usize>, Condvar)>;

/// A task for each name that waits once, says its name and lets the lock go after a yield.
fn waiting<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    shared: &Shared,
    names: [&'static str; N],
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (shared, trace) = (shared.clone(), trace.clone());
        executor.spawn(async move {
            let (mutex, condvar) = &*shared;
            let mut guard = condvar.wait(mutex.lock().await).await;
            *guard += 1;
            trace.say(name);
            yield_now().await;
        })
    });
    run_until_idle(executor);
    handles
}

fn set_up() -> (Executor<BoundedPark>, Shared, Trace) {
    (executor(), Rc::default(), Trace::default())
}

/// A guard of a free mutex.
fn locked(mutex: &Mutex<usize>) -> lone_sync::MutexGuard<'_, usize> {
    mutex.try_lock().expect("nobody holds it")
}

// SEM-237: let go while it waits, by the first poll; there again when it returns.
#[test]
fn wait_lets_the_lock_go_and_returns_with_it() {
    let (mutex, condvar) = (Mutex::new(7), Condvar::new());
    let mut wait = condvar.wait(locked(&mutex));
    assert!(mutex.is_locked(), "it was not polled yet");
    let (polled, wakes) = poll_once(&mut wait);
    assert!(polled.is_pending());
    assert_eq!((mutex.is_locked(), condvar.waiters(), wakes.wakes()), (false, 1, 0));
    condvar.notify_one();
    assert_eq!((mutex.is_locked(), condvar.waiters(), wakes.wakes()), (true, 0, 1));
    let Poll::Ready(guard) = poll(&mut wait) else { panic!("it was notified, and the lock free") };
    assert_eq!((*guard, mutex.waiters()), (7, 0));
    drop((guard, wait));
    assert!(!mutex.is_locked());
}

// SEM-237: the same with a guard that owns its share.
#[test]
fn wait_with_an_owned_guard_returns_one() {
    let (mutex, condvar) = (Rc::new(Mutex::new(String::from("a"))), Condvar::new());
    let mut wait = condvar.wait(mutex.clone().try_lock_owned().expect("nobody holds it"));
    assert!(poll(&mut wait).is_pending());
    mutex.try_lock().expect("it was let go").push('b');
    condvar.notify_all();
    let Poll::Ready(guard) = poll(&mut wait) else { panic!("it was notified") };
    let guard: OwnedMutexGuard<String> = guard;
    assert_eq!(*guard, "ab");
    drop((guard, wait));
    assert_eq!((mutex.is_locked(), Rc::strong_count(&mutex)), (false, 1));
}

// SEM-238: the first ones, in order; what nobody waits for is forgotten.
#[test]
fn notify_many_reaches_the_first_who_wait_and_no_more() {
    let (mut executor, shared, trace) = set_up();
    shared.1.notify_many(7);
    drop(waiting(&mut executor, &shared, ["a", "b", "c", "d"], &trace));
    assert_eq!(shared.1.waiters(), 4, "what was notified before is forgotten");
    shared.1.notify_many(0);
    shared.1.notify_many(2);
    assert_eq!(run_until_idle(&mut executor), 2);
    assert_eq!(trace.take(), "a b");
    shared.1.notify_one();
    assert_eq!(run_until_idle(&mut executor), 1);
    shared.1.notify_all();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "c d");
}

// SEM-238, C-24: one of three was notified already.
#[test]
fn notify_of_more_than_wait_reaches_those_not_yet_notified() {
    let (mut executor, shared, trace) = set_up();
    drop(waiting(&mut executor, &shared, ["a", "b", "c"], &trace));
    let guard = locked(&shared.0);
    shared.1.notify_one();
    shared.1.notify_many(2048);
    let statistics = shared.1.statistics();
    assert_eq!((statistics.waiters, statistics.unclaimed, shared.0.waiters()), (0, 3, 3));
    drop(guard);
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!((trace.take().as_str(), *locked(&shared.0)), ("a b c", 3));
    assert_eq!(shared.1.statistics().unclaimed, 0);
}

// SEM-239: only once the notifier has let the lock go.
#[test]
fn notified_waiters_go_on_after_the_notifier_in_the_order_of_notification() {
    let (mut executor, shared, trace) = set_up();
    drop(waiting(&mut executor, &shared, ["a", "b"], &trace));
    let (theirs, inner) = (shared.clone(), trace.clone());
    drop(executor.spawn(async move {
        let _guard = theirs.0.lock().await;
        theirs.1.notify_all();
        yield_now().await;
        yield_now().await;
        inner.say("notifier");
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "notifier a b");
}

// SEM-240: from the notification on, before it has run.
#[test]
fn notified_waiter_is_before_those_who_ask_for_the_lock_later() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait(locked(&mutex));
    let (polled, wakes) = poll_once(&mut wait);
    assert!(polled.is_pending());
    let guard = locked(&mutex);
    let mut earlier = mutex.lock();
    assert!(poll(&mut earlier).is_pending());
    condvar.notify_one();
    let mut later = mutex.lock();
    assert!(poll(&mut later).is_pending());
    assert_eq!((mutex.waiters(), wakes.wakes()), (3, 0), "woken with the lock, not before");
    drop(guard);
    let Poll::Ready(guard) = poll(&mut earlier) else { panic!("it was first in line") };
    drop(guard);
    assert!(poll(&mut later).is_pending());
    assert_eq!(wakes.wakes(), 1);
    assert!(poll(&mut wait).is_ready());
    drop(wait);
    assert!(poll(&mut later).is_ready());
}

// SEM-241: it has neither a place nor a lock to give up.
#[test]
fn waiter_cancelled_before_a_notification_leaves_no_trace() {
    let (mut executor, shared, trace) = set_up();
    let [a, _b] = waiting(&mut executor, &shared, ["a", "b"], &trace);
    a.cancel("test");
    turn(&mut executor);
    assert_eq!((shared.1.waiters(), shared.0.is_locked()), (1, false));
    shared.1.notify_one();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "b");
}

// SEM-242, SEM-243, C-22, C-23: it takes no lock, and ends while another has that.
#[test]
fn waiter_cancelled_in_the_mutexs_line_passes_the_notification_on() {
    let (mut executor, shared, trace) = set_up();
    let [a, b] = waiting(&mut executor, &shared, ["a", "b"], &trace);
    let guard = locked(&shared.0);
    shared.1.notify_one();
    turn(&mut executor);
    a.cancel("test");
    a.cancel("again");
    turn(&mut executor);
    assert!(a.is_finished() && !b.is_finished(), "it does not wait for the lock");
    let statistics = shared.1.statistics();
    assert_eq!((statistics.waiters, statistics.unclaimed, shared.0.waiters()), (0, 1, 1));
    let turns = executor.statistics().turns;
    assert_eq!(run_until_idle(&mut executor), 1);
    assert!(executor.statistics().turns <= turns + 2, "nobody spins");
    drop(guard);
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "b");
}

// SEM-242, SEM-244, C-21: in one turn, in either order, with the lock handed over already.
#[test]
fn notify_and_cancel_of_the_first_in_one_turn_reach_the_second() {
    for notify_first in [true, false] {
        let (mut executor, shared, trace) = set_up();
        let [a, _b] = waiting(&mut executor, &shared, ["a", "b"], &trace);
        if notify_first {
            shared.1.notify_one();
            assert!(shared.0.is_locked(), "it is the first one's");
            a.cancel("test");
        } else {
            a.cancel("test");
            shared.1.notify_one();
        }
        assert_eq!(run_until_idle(&mut executor), 0);
        assert_eq!((trace.take().as_str(), shared.0.is_locked()), ("b", false));
    }
}

// SEM-244: nobody else waits: the lock is free again.
#[test]
fn only_waiter_dropped_with_the_lock_leaves_it_free() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait(locked(&mutex));
    assert!(poll(&mut wait).is_pending());
    condvar.notify_one();
    drop(wait);
    let statistics = condvar.statistics();
    assert_eq!((mutex.is_locked(), statistics.waiters, statistics.unclaimed), (false, 0, 0));
}

// SEM-245, SEM-246: with the lock held; at once, and after each notification.
#[test]
fn wait_while_looks_at_the_value_first_and_after_each_notification() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let looked = Cell::new(0);
    let mut wait = condvar.wait_while(locked(&mutex), |value| {
        assert!(mutex.is_locked());
        looked.set(looked.get() + 1);
        *value < 2
    });
    for round in 1..=2 {
        assert!(poll(&mut wait).is_pending());
        assert_eq!((looked.get(), mutex.is_locked(), condvar.waiters()), (round, false, 1));
        *locked(&mutex) += 1;
        condvar.notify_one();
    }
    let Poll::Ready(guard) = poll(&mut wait) else { panic!("it is 2") };
    assert_eq!((*guard, looked.get()), (2, 3));
    drop(guard);
    let mut at_once = condvar.wait_while(locked(&mutex), |value| *value < 2);
    assert!(poll(&mut at_once).is_ready());
}

// SEM-245: the value is seen as the condition has left it.
#[test]
fn condition_that_panics_lets_the_lock_go() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait_while(locked(&mutex), |_| panic!("the condition"));
    let polled =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut wait).is_ready()));
    assert!(polled.is_err() && !mutex.is_locked());
}

// SEM-247: who comes between the notification and the lock may undo what was waited for.
#[test]
fn waiter_overtaken_by_one_earlier_in_the_mutexs_line_waits_on() {
    let (mut executor, shared, trace) = set_up();
    let (theirs, inner) = (shared.clone(), trace.clone());
    drop(executor.spawn(async move {
        let guard = theirs.0.lock().await;
        *theirs.1.wait_while(guard, |items| *items == 0).await -= 1;
        inner.say("waiter");
    }));
    turn(&mut executor);
    let mut guard = locked(&shared.0);
    let (theirs, inner) = (shared.clone(), trace.clone());
    drop(executor.spawn(async move {
        *theirs.0.lock().await -= 1;
        inner.say("thief");
    }));
    turn(&mut executor);
    *guard += 1;
    shared.1.notify_one();
    drop(guard);
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_eq!((trace.take().as_str(), shared.1.waiters()), ("thief", 1));
    *locked(&shared.0) += 1;
    shared.1.notify_one();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "waiter");
}

// SEM-248, C-26: each reaches its own.
#[test]
fn two_condvars_of_one_mutex_reach_their_own_waiters() {
    let (mutex, [even, odd]) = (Mutex::new(0), [Condvar::new(), Condvar::new()]);
    let mut of_even = even.wait(locked(&mutex));
    assert!(poll(&mut of_even).is_pending());
    let mut of_odd = odd.wait(locked(&mutex));
    assert!(poll(&mut of_odd).is_pending());
    odd.notify_all();
    assert!(poll(&mut of_even).is_pending());
    assert!(poll(&mut of_odd).is_ready());
    drop(of_odd);
    even.notify_all();
    assert!(poll(&mut of_even).is_ready());
}

/// A waiter of half a second, the lock being held for two by somebody who notifies at once if he is to.
async fn times_out_under_a_held_lock(notified: bool) -> (bool, Duration) {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let begin = lone::time::Instant::now();
    let waits = async {
        let guard = mutex.lock().await;
        let (guard, timed_out) = condvar.wait_timeout(guard, Duration::from_millis(500)).await;
        assert!(mutex.is_locked());
        drop(guard);
        (timed_out, begin.elapsed())
    };
    let holds = async {
        let _guard = mutex.lock().await;
        if notified {
            condvar.notify_one();
        }
        lone::sleep(Duration::from_secs(2)).await;
        assert_eq!((condvar.waiters(), mutex.waiters()), (0, 1));
    };
    let (outcome, ()) = join!(waits, holds);
    assert!(!mutex.is_locked());
    outcome
}

// SEM-249, C-25: the guard comes back, when the lock is free; notified is notified.
#[lone::test(start_paused)]
async fn wait_timeout_returns_with_the_lock_however_late() {
    assert_eq!(times_out_under_a_held_lock(false).await, (true, Duration::from_secs(2)));
    assert_eq!(times_out_under_a_held_lock(true).await, (false, Duration::from_secs(2)));
}

// SEM-249: nobody notifies, and nobody has the lock.
#[lone::test(start_paused)]
async fn wait_timeout_ends_at_its_deadline_exactly_and_leaves_no_trace() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    for limit in [Duration::ZERO, Duration::from_millis(7)] {
        let begin = lone::time::Instant::now();
        let (guard, timed_out) = condvar.wait_timeout(mutex.lock().await, limit).await;
        assert_eq!((timed_out, begin.elapsed(), *guard), (true, limit, 0));
        drop(guard);
        assert_eq!((condvar.waiters(), mutex.is_locked()), (0, false));
    }
}

// SEM-249: a notification in the turn of the deadline counts.
#[lone::test(start_paused)]
async fn wait_timeout_notified_in_the_turn_of_the_deadline_is_notified() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let notifies = async {
        lone::sleep(Duration::from_millis(5)).await;
        condvar.notify_one();
    };
    let waits =
        async { condvar.wait_timeout(mutex.lock().await, Duration::from_millis(5)).await.1 };
    assert_eq!(join!(notifies, waits), ((), false));
}

// SEM-249: a timeout round a plain wait takes the guard with it.
#[lone::test(start_paused)]
async fn timeout_round_a_wait_leaves_the_mutex_free() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let guard = mutex.lock().await;
    assert!(timeout(Duration::from_millis(5), condvar.wait(guard)).await.is_err());
    assert_eq!((mutex.is_locked(), condvar.waiters()), (false, 0));
}

// SEM-249: dropped after its time was over, it neither waits for the lock nor keeps it.
#[test]
fn timed_out_waiter_dropped_in_the_mutexs_line_leaves_it() {
    for handed in [false, true] {
        lone::Builder::new().start_paused(true).run(async {
            let (mutex, condvar) = (Mutex::new(0), Condvar::new());
            let mut wait = condvar.wait_timeout(locked(&mutex), Duration::from_millis(1));
            assert!(poll(&mut wait).is_pending());
            let guard = locked(&mutex);
            lone::sleep(Duration::from_millis(1)).await;
            assert!(poll(&mut wait).is_pending(), "the lock is held");
            assert_eq!((condvar.waiters(), mutex.waiters()), (0, 1));
            if handed {
                drop(guard);
                assert!(mutex.is_locked());
                drop(wait);
            } else {
                drop(wait);
                drop(guard);
            }
            assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
        });
    }
}

// SEM-48, SEM-50, C-99: no second place, and the newest waker.
#[test]
fn waiter_polled_again_keeps_its_place_and_has_its_newest_waker_woken() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait(locked(&mutex));
    let (_, oldest) = poll_once(&mut wait);
    let (_, old) = poll_once(&mut wait);
    let guard = locked(&mutex);
    condvar.notify_one();
    let (polled, new) = poll_once(&mut wait);
    assert!(polled.is_pending());
    assert_eq!((condvar.waiters(), mutex.waiters()), (0, 1));
    drop(guard);
    assert_eq!((oldest.wakes(), old.wakes(), new.wakes()), (0, 0, 1));
}

// SEM-49, F26: clone, wake and drop of a foreign waker may each use the condvar.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_condvar() {
    let shared: Shared = Rc::default();
    let called = Rc::new(Cell::new(0));
    let use_it = || {
        let (shared, called) = (shared.clone(), called.clone());
        let hook: Rc<dyn Fn()> = Rc::new(move || {
            called.set(called.get() + 1);
            if let Some(guard) = shared.0.try_lock() {
                assert!(poll(&mut shared.1.wait(guard)).is_pending());
            }
            assert!(format!("{:?}", shared.1).starts_with("Condvar"));
        });
        Some(hook)
    };
    let waker = hooked(Hooks { clone: use_it(), wake: use_it(), drop: use_it() });
    let mut wait = shared.1.wait(locked(&shared.0));
    assert!(poll_with(&mut wait, &waker).is_pending());
    assert!(poll(&mut wait).is_pending(), "drops the foreign one");
    assert!(poll_with(&mut wait, &waker).is_pending());
    shared.1.notify_one();
    assert_eq!(called.get(), 3);
    assert!(poll(&mut wait).is_ready());
}

// SEM-49: a notification while the waker is being cloned is had in the same poll.
#[test]
fn wait_notified_while_its_waker_is_being_cloned_is_ready_in_that_poll() {
    let shared: Shared = Rc::default();
    let theirs = shared.clone();
    let clone: Rc<dyn Fn()> = Rc::new(move || theirs.1.notify_one());
    let waker = hooked(Hooks { clone: Some(clone), ..Hooks::default() });
    assert!(poll_with(&mut shared.1.wait(locked(&shared.0)), &waker).is_ready());
}

// SEM-49: a waiter that joins from within a wake belongs to the next notification.
#[test]
fn who_waits_from_within_a_notification_is_not_reached_by_it() {
    let shared: Shared = Rc::default();
    let late = Rc::new(RefCell::new(None));
    let (theirs, place) = (shared.clone(), late.clone());
    let other = Rc::new(Mutex::new(0));
    let wake: Rc<dyn Fn()> = Rc::new(move || {
        let guard = other.clone().try_lock_owned().expect("nobody holds it");
        let mut wait = Box::pin({
            let theirs = theirs.clone();
            async move { drop(theirs.1.wait(guard).await) }
        });
        assert!(poll(&mut wait).is_pending());
        place.replace(Some(wait));
    });
    let waker = hooked(Hooks { wake: Some(wake), ..Hooks::default() });
    let mut wait = shared.1.wait(locked(&shared.0));
    assert!(poll_with(&mut wait, &waker).is_pending());
    shared.1.notify_all();
    assert_eq!(shared.1.waiters(), 1);
    drop(late.take());
    assert!(poll(&mut wait).is_ready());
}

// SEM-22: what it waits for, and who has the lock that it is to get.
#[test]
fn waiters_of_a_deadlock_are_told_by_what_they_wait_for() {
    let error = executor().try_block_on(async {
        let shared: Shared = Rc::default();
        let [theirs, keeps] = [shared.clone(), shared.clone()];
        drop(lone_executor::spawn(async move {
            drop(theirs.1.wait(theirs.0.lock().await).await);
        }));
        drop(lone_executor::spawn(async move {
            let _guard = keeps.0.lock().await;
            keeps.1.notify_one();
            std::future::pending::<()>().await;
        }));
        drop(Condvar::new().wait(locked(&Mutex::new(0))).await);
    });
    let Err(RunError::Deadlock(report)) = error else { panic!("nobody can go on") };
    let text = report.to_string();
    let line = |of: u32| format!("{}:{}", file!(), line!() - of);
    assert!(text.contains(&format!("main awaits a notification at {}", line(4))), "{text}");
    assert!(text.contains("awaits a lock at"), "{text}");
    assert!(text.contains("held by Task-2 since"), "{text}");
}

// F30: it has not been granted anything yet; with the lock it has.
#[test]
fn notified_waiter_is_late_for_debug_mode_only_once_it_has_the_lock() {
    record_reports();
    let settings = Settings { debug: true, slow_poll: PATIENCE, ..Settings::default() };
    executor_with(settings).block_on(async {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut aside = condvar.wait(locked(&mutex));
        let polled =
            poll_fn(|cx| Poll::Ready(poll_with(&mut aside, cx.waker()).is_pending())).await;
        assert!(polled);
        let guard = locked(&mutex);
        condvar.notify_one();
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(take_reports(), [""; 0]);
        drop(guard);
        for _ in 0..5 {
            yield_now().await;
        }
        assert_one_report(&["main was granted what it waits for", "(mutex)"]);
    });
}

// SEM-238: how many wait, and from which line on.
#[test]
fn debug_of_a_condvar_shows_who_waits() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::default());
    assert_eq!(format!("{condvar:?}"), "Condvar { waiters: 0 waiting }");
    let mut wait = condvar.wait(locked(&mutex));
    let line = line!() - 1;
    assert!(poll(&mut wait).is_pending());
    let told = format!("{condvar:?}");
    assert!(told.contains(&format!("1 waiting, the first at {}:{line}", file!())), "{told}");
    condvar.notify_one();
    assert_eq!(format!("{condvar:?}"), "Condvar { waiters: 0 waiting, 1 granted }");
}
