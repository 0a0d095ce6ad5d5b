//! Mutexes: one holder, strictly in line, handed over at the drop of the guard, nothing lost.

mod report;
mod schedule;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{Executor, JoinHandle, budget, spawn, yield_now};
use lone_sync::{Mutex, OwnedMutexGuard, race};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    Flag, OnDrop, Trace, executor, hold_for_ever, poll_once, record_reports, run_until_idle,
};
use crate::waiting::{Hooks, hooked, poll, poll_with, turn};

/// A task for each name that takes the lock, says its name, yields once and lets go.
fn waiting<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    mutex: &Rc<Mutex<usize>>,
    names: [&'static str; N],
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (mutex, trace) = (mutex.clone(), trace.clone());
        executor.spawn(async move {
            let mut guard = mutex.lock().await;
            *guard += 1;
            trace.say(name);
            yield_now().await;
        })
    });
    turn(executor);
    handles
}

/// A mutex that is held, with the guard.
fn held(executor: &mut Executor<BoundedPark>) -> (Rc<Mutex<usize>>, OwnedMutexGuard<usize>) {
    let mutex = Rc::new(Mutex::new(0));
    let guard = executor.block_on(mutex.clone().lock_owned());
    (mutex, guard)
}

// ----- taking it -----------------------------------------------------------------------------------

// SEM-204: free, it is had in the first poll; held, one waits.
#[test]
fn lock_of_a_free_mutex_is_ready_at_once_and_of_a_held_one_when_it_is_let_go() {
    let mutex = Mutex::new(7);
    let Poll::Ready(mut guard) = poll(&mut mutex.lock()) else { panic!("it is free") };
    *guard += 1;
    let mut waiter = mutex.lock();
    let (polled, wakes) = poll_once(&mut waiter);
    assert!(polled.is_pending());
    assert_eq!((mutex.is_locked(), mutex.waiters(), wakes.wakes()), (true, 1, 0));
    drop(guard);
    assert_eq!(wakes.wakes(), 1);
    let Poll::Ready(guard) = poll(&mut waiter) else { panic!("it was handed over") };
    assert_eq!(*guard, 8);
    drop(guard);
    assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
}

// SEM-204: the same with guards that own their share, which pass the value on to either kind.
#[test]
fn value_goes_from_owned_guards_to_borrowed_ones_and_back() {
    let mut executor = executor();
    let mutex = Rc::new(Mutex::new(String::new()));
    executor.block_on(async {
        mutex.clone().lock_owned().await.push('a');
        mutex.lock().await.push('b');
        let mut owned = mutex.clone().try_lock_owned().expect("nobody holds it");
        assert!(mutex.try_lock().is_none() && mutex.clone().try_lock_owned().is_none());
        owned.push('c');
        let mut next = mutex.lock();
        assert!(poll(&mut next).is_pending());
        drop(owned);
        let mut borrowed = next.await;
        borrowed.push('d');
        let mut next = mutex.clone().lock_owned();
        assert!(poll(&mut next).is_pending());
        drop(borrowed);
        assert_eq!(*next.await, "abcd");
    });
    assert_eq!(Rc::strong_count(&mutex), 1);
    assert_eq!(Rc::into_inner(mutex).map(Mutex::into_inner).as_deref(), Some("abcd"));
}

// SEM-205: by the first poll, not by the call.
#[test]
fn waiters_get_the_lock_in_the_order_of_their_first_polls() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let (mut called_first, mut called_second) = (mutex.lock(), mutex.lock());
    assert!(poll(&mut called_second).is_pending());
    assert!(poll(&mut called_first).is_pending());
    drop(guard);
    assert!(poll(&mut called_first).is_pending());
    assert!(poll(&mut called_second).is_ready());
    assert!(poll(&mut called_first).is_ready());
}

// SEM-206, C-7: a third task looks in the turn between the drop of the guard and the waiter's run.
#[test]
fn mutex_on_its_way_to_a_waiter_is_locked() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, guard) = held(&mut executor);
    drop(waiting(&mut executor, &mutex, ["waiter"], &trace));
    let (theirs, inner) = (mutex.clone(), trace.clone());
    drop(executor.spawn(async move {
        drop(guard);
        inner.say("let go");
        let third = spawn({
            let (theirs, inner) = (theirs.clone(), inner.clone());
            async move { inner.say(format!("locked: {}", theirs.is_locked())) }
        });
        assert!(theirs.is_locked() && theirs.try_lock().is_none());
        assert_eq!(theirs.waiters(), 0, "it has the lock already");
        third.await.expect("it ends well");
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "let go waiter locked: true");
    assert!(!mutex.is_locked());
}

// SEM-207, C-5: whoever lets go and locks again at once, without an await between.
#[test]
fn lock_again_after_letting_go_stands_behind_those_who_wait() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(0));
    let (theirs, inner) = (mutex.clone(), trace.clone());
    drop(executor.spawn(async move {
        let guard = theirs.lock().await;
        yield_now().await;
        drop(guard);
        assert!(theirs.try_lock().is_none(), "it is the waiter's");
        assert!(theirs.clone().try_lock_owned().is_none());
        let _again = theirs.lock().await;
        inner.say("A again");
    }));
    drop(waiting(&mut executor, &mutex, ["B"], &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "B A again");
}

// SEM-208: round and round.
#[test]
fn three_tasks_that_lock_in_a_loop_take_turns() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(()));
    for name in ["1", "2", "3"] {
        let (mutex, trace) = (mutex.clone(), trace.clone());
        drop(executor.spawn(async move {
            for round in ["a", "b", "c"] {
                let _guard = mutex.lock().await;
                trace.say(format!("{name}{round}"));
                yield_now().await;
            }
        }));
    }
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "1a 2a 3a 1b 2b 3b 1c 2c 3c");
}

// SEM-208, C-6: a thousand rounds of two.
#[test]
fn two_tasks_that_lock_yield_and_let_go_alternate_strictly() {
    let mut executor = executor();
    let mutex = Rc::new(Mutex::new(Vec::new()));
    for name in [0, 1] {
        let mutex = mutex.clone();
        drop(executor.spawn(async move {
            for _ in 0..1000 {
                let mut order = mutex.lock().await;
                order.push(name);
                yield_now().await;
            }
        }));
    }
    assert_eq!(run_until_idle(&mut executor), 0);
    let order = mutex.try_lock().expect("both are done");
    assert_eq!(order.len(), 2000);
    assert!(order.chunks(2).all(|pair| pair == [0, 1]));
}

// ----- giving up -----------------------------------------------------------------------------------

// SEM-209: a waiter that is dropped, and one whose task is cancelled.
#[test]
fn waiter_given_up_leaves_the_line_and_the_others_keep_their_order() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, guard) = held(&mut executor);
    let tasks = waiting(&mut executor, &mutex, ["a", "b", "c", "d"], &trace);
    let mut dropped = mutex.lock();
    assert!(poll(&mut dropped).is_pending());
    assert_eq!(mutex.waiters(), 5);
    tasks[1].cancel("test");
    drop(dropped);
    turn(&mut executor);
    assert_eq!(mutex.waiters(), 3);
    drop(guard);
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a c d");
}

// SEM-210: handed over, dropped before it came: the next one has it.
#[test]
fn waiter_dropped_after_the_hand_over_passes_the_lock_on() {
    let mutex = Rc::new(Mutex::new(()));
    let guard = mutex.try_lock();
    let (mut first, mut second) = (mutex.lock(), mutex.clone().lock_owned());
    let mut third = mutex.lock();
    assert!(poll(&mut first).is_pending());
    let (polled, wakes) = poll_once(&mut second);
    assert!(polled.is_pending() && poll(&mut third).is_pending());
    drop(guard);
    assert_eq!(wakes.wakes(), 0);
    drop(first);
    assert_eq!((wakes.wakes(), mutex.waiters(), mutex.is_locked()), (1, 1, true));
    drop(second);
    assert!(poll(&mut third).is_ready());
}

// SEM-210, C-3: with nobody else in line it is free, there and then.
#[test]
fn waiter_dropped_after_the_hand_over_with_nobody_behind_leaves_the_mutex_free() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let mut only = mutex.lock();
    assert!(poll(&mut only).is_pending());
    drop(guard);
    assert!(mutex.is_locked());
    drop(only);
    assert!(!mutex.is_locked());
    assert!(mutex.try_lock().is_some());
}

// SEM-211, C-1, C-2: in either order, within one turn.
#[test]
fn guard_dropped_and_first_waiter_cancelled_in_one_turn_let_the_second_in() {
    for release_first in [true, false] {
        let (mut executor, trace) = (executor(), Trace::default());
        let (mutex, guard) = held(&mut executor);
        let [b, c] = waiting(&mut executor, &mutex, ["B", "C"], &trace);
        if release_first {
            drop(guard);
            assert!(b.cancel("test"));
        } else {
            assert!(b.cancel("test"));
            drop(guard);
        }
        turn(&mut executor);
        turn(&mut executor);
        assert_eq!((trace.take().as_str(), mutex.is_locked(), mutex.waiters()), ("C", true, 0));
        assert!(b.is_finished() && !c.is_finished());
        assert_eq!(run_until_idle(&mut executor), 0);
        assert_eq!(*mutex.try_lock().expect("all have let go"), 1);
    }
}

// SEM-211, C-4: the cancel comes from a task that was queued before the first waiter's wake.
#[test]
fn first_waiter_cancelled_by_one_who_runs_before_it_leaves_one_holder() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, guard) = held(&mut executor);
    let [b, c, d] = waiting(&mut executor, &mutex, ["B", "C", "D"], &trace);
    drop(executor.spawn(async move {
        drop(spawn(async move { assert!(b.cancel("test")) }));
        drop(guard);
    }));
    turn(&mut executor);
    turn(&mut executor);
    turn(&mut executor);
    assert_eq!((trace.take().as_str(), mutex.waiters()), ("C", 1));
    assert!(!c.is_finished() && !d.is_finished());
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "D");
}

// SEM-212: its guard goes with its body.
#[test]
fn holder_cancelled_lets_the_first_waiter_in() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(0));
    let theirs = mutex.clone();
    let holder = executor.spawn(async move { hold_for_ever(theirs.lock().await).await });
    drop(waiting(&mut executor, &mutex, ["waiter"], &trace));
    assert_eq!(mutex.waiters(), 1);
    holder.cancel("test");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!((trace.take().as_str(), mutex.is_locked()), ("waiter", false));
}

// SEM-58: a cancel beats the lock that was handed over in the same turn.
#[test]
fn lock_handed_to_a_task_cancelled_in_that_turn_goes_to_the_next() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, guard) = held(&mut executor);
    let [a, _b] = waiting(&mut executor, &mutex, ["a", "b"], &trace);
    drop(guard);
    a.cancel("test");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "b");
}

// SEM-416: a lock handed to an arm that loses passes on.
#[test]
fn lock_handed_to_the_losing_arm_of_a_race_goes_to_the_next() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, guard) = held(&mut executor);
    let (theirs, inner) = (mutex.clone(), trace.clone());
    let flag = Flag::default();
    let set = flag.clone();
    drop(executor.spawn(async move {
        let wins = pin!(flag.wait());
        let loses = pin!(async { drop(theirs.lock().await) });
        race([wins as Pin<&mut dyn Future<Output = ()>>, loses]).await;
        inner.say("raced");
    }));
    turn(&mut executor);
    drop(waiting(&mut executor, &mutex, ["next"], &trace));
    // Both arms are woken for the same poll: the one listed first wins.
    drop(guard);
    set.set();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "raced next");
}

// ----- guards --------------------------------------------------------------------------------------

// SEM-215: it may be dropped by another task; the line does not change by that.
#[test]
fn guard_moved_to_another_task_is_let_go_there_in_order() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(0));
    let (theirs, inner) = (mutex.clone(), trace.clone());
    drop(executor.spawn(async move {
        let guard = theirs.lock_owned().await;
        drop(spawn(async move {
            yield_now().await;
            inner.say("elsewhere");
            drop(guard);
        }));
    }));
    drop(waiting(&mut executor, &mutex, ["first", "second"], &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "elsewhere first second");
}

// SEM-217, C-8: no poisoning: the next one finds what the holder has left, and the joiner the panic.
#[test]
fn holder_that_panics_lets_the_next_in_and_its_joiner_hears_of_it() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(0));
    let theirs = mutex.clone();
    let panics = executor.spawn(async move {
        let mut guard = theirs.lock().await;
        *guard = 40;
        yield_now().await;
        panic!("half way");
    });
    drop(waiting(&mut executor, &mutex, ["next", "and the next"], &trace));
    let outcome = executor.block_on(panics);
    assert!(outcome.is_err_and(|error| error.to_string().contains("half way")));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "next and the next");
    assert_eq!(*mutex.try_lock().expect("all have let go"), 42);
}

// SEM-218: no loop is needed to make one, nor to lock what is free.
#[test]
fn mutex_made_and_locked_outside_of_a_loop_is_used_in_several() {
    let mutex = Mutex::new(0);
    *mutex.try_lock().expect("nobody holds it") += 1;
    let guard = mutex.try_lock().expect("nobody holds it");
    for _ in 0..2 {
        executor().block_on(async {
            assert!(poll(&mut mutex.lock()).is_pending(), "held by one outside");
        });
    }
    drop(guard);
    for _ in 0..2 {
        executor().block_on(async { *mutex.lock().await += 1 });
    }
    assert_eq!(mutex.into_inner(), 3);
}

// SEM-216: who has the mutex to himself has the value as well.
#[test]
fn value_of_a_mutex_of_ones_own_needs_no_lock() {
    let mut mutex: Mutex<Vec<u8>> = Mutex::default();
    mutex.get_mut().push(1);
    mutex.try_lock().expect("nobody holds it").push(2);
    assert_eq!(mutex.into_inner(), [1, 2]);
    assert_eq!(Mutex::from(7).into_inner(), 7);
}

// SEM-216: leaked, a guard keeps the mutex locked for good; the value is not lost to its owner.
#[test]
fn guard_leaked_keeps_the_mutex_locked_and_the_value_in_it() {
    let mut mutex = Mutex::new(String::from("kept"));
    std::mem::forget(mutex.try_lock());
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    mutex.get_mut().push('!');
    assert!(mutex.is_locked());
    assert_eq!(mutex.into_inner(), "kept!");

    let mutex = Rc::new(Mutex::new(String::from("gone")));
    std::mem::forget(mutex.clone().try_lock_owned());
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    assert!(Rc::into_inner(mutex).is_none(), "the guard's share was leaked with it");
}

// SEM-49: the destructor of a value that is replaced under the lock may ask for that lock.
#[test]
fn destructor_of_a_replaced_value_finds_its_mutex_locked() {
    let mutex: Rc<Mutex<Option<Box<dyn Any>>>> = Rc::new(Mutex::new(None));
    let (theirs, found) = (mutex.clone(), Rc::new(Cell::new(false)));
    let seen = found.clone();
    let asks = OnDrop::new(move || seen.set(theirs.is_locked() && theirs.try_lock().is_none()));
    *mutex.try_lock().expect("nobody holds it") = Some(Box::new(asks));
    *mutex.try_lock().expect("nobody holds it") = None;
    assert!(found.get());
    assert!(!mutex.is_locked());
}

// ----- wakers, polls and the budget ----------------------------------------------------------------

// SEM-48, C-99: the newest waker only.
#[test]
fn waiter_polled_with_another_waker_has_only_the_newest_woken() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let mut waiter = mutex.lock();
    let (_, old) = poll_once(&mut waiter);
    let (_, new) = poll_once(&mut waiter);
    drop(guard);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-50: no second registration, no other place.
#[test]
fn waiter_polled_again_keeps_its_place() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let (mut first, mut second) = (mutex.lock(), mutex.lock());
    for _ in 0..3 {
        assert!(poll(&mut first).is_pending());
        assert!(poll(&mut second).is_pending());
    }
    assert_eq!(mutex.waiters(), 2);
    drop(guard);
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut first).is_ready());
}

// SEM-49: clone, wake and drop of a foreign waker may each use the mutex.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_mutex() {
    let mutex = Rc::new(Mutex::new(0));
    let called = Rc::new(Cell::new(0));
    let use_it = || {
        let (mutex, called) = (mutex.clone(), called.clone());
        let hook: Rc<dyn Fn()> = Rc::new(move || {
            called.set(called.get() + 1);
            assert!(mutex.try_lock().is_none() && mutex.is_locked());
            let mut passing = mutex.lock();
            assert!(poll(&mut passing).is_pending());
            assert!(format!("{mutex:?}").contains("<locked>"));
        });
        Some(hook)
    };
    let guard = mutex.try_lock();
    let waker = hooked(Hooks { clone: use_it(), wake: use_it(), drop: use_it() });
    let mut waiter = mutex.lock();
    assert!(poll_with(&mut waiter, &waker).is_pending());
    assert!(poll(&mut waiter).is_pending(), "drops the foreign one");
    assert!(poll_with(&mut waiter, &waker).is_pending());
    drop(guard);
    assert_eq!(called.get(), 3);
    assert!(poll(&mut waiter).is_ready());
    assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
}

// SEM-49: a guard that is dropped while the waiter's waker is being cloned.
#[test]
fn lock_let_go_while_the_waiters_waker_is_being_cloned_is_had_in_the_same_poll() {
    let mutex = Rc::new(Mutex::new(0));
    let guard = Rc::new(RefCell::new(mutex.clone().try_lock_owned()));
    let clone: Rc<dyn Fn()> = Rc::new(move || drop(guard.take()));
    let waker = hooked(Hooks { clone: Some(clone), ..Hooks::default() });
    assert!(poll_with(&mut mutex.lock(), &waker).is_ready());
    assert!(!mutex.is_locked());
}

// SEM-49: a waker that polls the very lock finds the value free, though the guard's drop goes on.
#[test]
fn waker_that_takes_the_lock_as_it_is_woken_gets_the_value() {
    for owned in [false, true] {
        let mutex = Rc::new(Mutex::new(7));
        let waiter = Rc::new(RefCell::new(mutex.clone().lock_owned()));
        let (theirs, got) = (waiter.clone(), Rc::new(Cell::new(0)));
        let place = got.clone();
        let wake: Rc<dyn Fn()> = Rc::new(move || {
            let Poll::Ready(guard) = poll(&mut *theirs.borrow_mut()) else { panic!("it is ours") };
            place.set(*guard);
        });
        let waker = hooked(Hooks { wake: Some(wake), ..Hooks::default() });
        if owned {
            let guard = mutex.clone().try_lock_owned();
            assert!(poll_with(&mut *waiter.borrow_mut(), &waker).is_pending());
            drop(guard);
        } else {
            let guard = mutex.try_lock();
            assert!(poll_with(&mut *waiter.borrow_mut(), &waker).is_pending());
            drop(guard);
        }
        assert_eq!((got.get(), mutex.is_locked()), (7, false));
    }
}

// SEM-49: one that panics has the lock all the same.
#[test]
fn foreign_waker_that_panics_does_not_undo_the_hand_over() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let waker = hooked(Hooks { wake: Some(Rc::new(|| panic!("a waker"))), ..Hooks::default() });
    let (mut first, mut second) = (mutex.lock(), mutex.lock());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll(&mut second).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(guard)));
    assert!(dropped.is_err());
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut first).is_ready());
    assert!(poll(&mut second).is_ready());
}

// SEM-49, C-97: a guard that goes with its task, however that ends, and at shutdown.
#[test]
fn guard_dropped_with_its_task_lets_the_next_in() {
    let (mut executor, trace) = (executor(), Trace::default());
    let (mutex, completes) = held(&mut executor);
    drop(executor.spawn(async move { drop(completes) }));
    turn(&mut executor);
    assert!(!mutex.is_locked());

    let theirs = mutex.clone();
    let cancelled = executor.spawn(async move { hold_for_ever(theirs.lock().await).await });
    turn(&mut executor);
    assert!(mutex.is_locked());
    cancelled.cancel("test");
    turn(&mut executor);
    assert!(!mutex.is_locked());

    for name in ["a", "b"] {
        let (mutex, trace) = (mutex.clone(), trace.clone());
        drop(executor.spawn(async move {
            let guard = mutex.lock().await;
            let _said = OnDrop::new(|| trace.say(name));
            hold_for_ever(guard).await;
        }));
    }
    turn(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "a", "the other one never had it");
    assert_eq!((mutex.is_locked(), mutex.waiters(), Rc::strong_count(&mutex)), (false, 0, 1));
}

// SEM-49, C-100: each holds what the next one waits for, and goes at the shutdown.
#[test]
fn chain_of_holders_dropped_at_shutdown_leaves_all_free() {
    let (mut executor, trace) = (executor(), Trace::default());
    let mutexes: [Rc<Mutex<()>>; 4] = Default::default();
    for (place, name) in ["1", "2", "3"].into_iter().enumerate() {
        let (own, next) = (mutexes[place].clone(), mutexes[place + 1].clone());
        let trace = trace.clone();
        drop(executor.spawn(async move {
            let _own = own.lock_owned().await;
            let _said = OnDrop::new(|| trace.say(name));
            yield_now().await;
            hold_for_ever(next.lock_owned().await).await;
        }));
    }
    run_until_idle(&mut executor);
    assert!(mutexes.iter().all(|mutex| mutex.is_locked()));
    drop(executor);
    assert_eq!(trace.take(), "1 2 3");
    for mutex in &mutexes {
        assert_eq!((mutex.is_locked(), mutex.waiters(), Rc::strong_count(mutex)), (false, 0, 1));
    }
}

// SEM-407, SEM-408: refused before any effect, and only now and then.
#[test]
fn lock_beyond_the_budget_gives_way_and_takes_nothing() {
    let (mut executor, neighbour) = (executor(), Rc::new(Cell::new(0)));
    let mutex = Mutex::new(());
    let count = neighbour.clone();
    let others = executor.spawn(async move {
        loop {
            count.set(count.get() + 1);
            yield_now().await;
        }
    });
    executor.block_on(async {
        for _ in 0..1280 {
            drop(mutex.lock().await);
        }
        assert!(neighbour.get() >= 9, "it ran {} times", neighbour.get());
        yield_now().await;
        while budget::remaining() != Some(0) {
            drop(mutex.lock().await);
        }
        let mut refused = mutex.lock();
        let polled =
            poll_fn(|cx| Poll::Ready(poll_with(&mut refused, cx.waker()).is_pending())).await;
        assert!(polled);
        assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
    });
    others.cancel("test");
}

/// What its mutex looks like while it is being printed.
struct Looks(RefCell<Option<Rc<Mutex<Looks>>>>);

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mutex = self.0.take().expect("it is printed once");
        assert!(poll(&mut mutex.lock()).is_pending());
        write!(f, "locked: {}", mutex.is_locked() && mutex.try_lock().is_none())
    }
}

// SEM-216, SEM-49: it may use the mutex that it is in.
#[test]
fn debug_of_a_value_that_looks_at_its_mutex_finds_it_locked() {
    let mutex = Rc::new(Mutex::new(Looks(RefCell::default())));
    mutex.try_lock().expect("nobody holds it").0.replace(Some(mutex.clone()));
    assert_eq!(format!("{mutex:?}"), "Mutex { value: locked: true, waiters: 0 waiting }");
    assert!(!mutex.is_locked());
}
