//! Semaphores: strictly in line, handed over at the release, nothing lost.

mod schedule;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, budget, spawn, yield_now};
use lone_sync::{Permit, Semaphore};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{OnDrop, Trace, executor, hold_for_ever, poll_once, run_until_idle};
use crate::waiting::{Hooks, hooked, poll, poll_with, turn};

/// A task for each name that takes a permit, says its name and keeps the permit for good.
fn waiting<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    semaphore: &Rc<Semaphore>,
    names: [&'static str; N],
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (semaphore, trace) = (semaphore.clone(), trace.clone());
        executor.spawn(async move {
            let permit = semaphore.acquire().await;
            trace.say(name);
            permit.forget();
        })
    });
    turn(executor);
    handles
}

// SEM-219: three permits for nine jobs of 0.3 s each, never more than three inside.
#[test]
fn nine_jobs_over_three_permits_take_three_times_as_long_as_one() {
    let main = async {
        let (semaphore, begin) = (Rc::new(Semaphore::new(3)), lone::time::Instant::now());
        let (inside, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let jobs = (0..9).map(|_| {
            let (semaphore, inside, most) = (semaphore.clone(), inside.clone(), most.clone());
            spawn(async move {
                let _permit = semaphore.acquire().await;
                inside.set(inside.get() + 1);
                most.set(most.get().max(inside.get()));
                lone::sleep(Duration::from_millis(300)).await;
                inside.set(inside.get() - 1);
            })
        });
        for job in jobs.collect::<Vec<_>>() {
            job.await.expect("it ends well");
        }
        (most.get(), begin.elapsed())
    };
    let (most, took) = lone::Builder::new().start_paused(true).run(main);
    assert_eq!((most, took), (3, Duration::from_millis(900)));
}

// SEM-220: 0 permits are legal.
#[test]
fn acquire_with_no_permits_waits_until_some_are_added() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    drop(waiting(&mut executor, &semaphore, ["a", "b"], &trace));
    run_until_idle(&mut executor);
    assert_eq!((trace.take(), semaphore.waiters()), (String::new(), 2));
    semaphore.add_permits(2);
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "a b");
}

// SEM-221, C-14
#[test]
fn acquire_again_after_release_stands_behind_those_who_wait() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(1));
    for name in ["1", "2", "3"] {
        let (semaphore, trace) = (semaphore.clone(), trace.clone());
        drop(executor.spawn(async move {
            for round in ["a", "b"] {
                let _permit = semaphore.acquire().await;
                trace.say(format!("{name}{round}"));
                yield_now().await;
            }
        }));
    }
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "1a 2a 3a 1b 2b 3b");
}

// SEM-222: no barging, neither by acquire nor by try_acquire.
#[test]
fn acquire_while_a_permit_is_on_its_way_queues_behind() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().expect("nobody holds it");
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    assert!(poll(&mut first).is_pending());
    assert!(poll(&mut second).is_pending());
    drop(permit);
    assert!(semaphore.try_acquire().is_none());
    let mut newcomer = semaphore.acquire();
    assert!(poll(&mut newcomer).is_pending());
    assert_eq!(semaphore.waiters(), 2, "second and the newcomer");
    assert!(poll(&mut second).is_pending(), "it is the first one's");
    let Poll::Ready(permit) = poll(&mut first) else {
        panic!("it was handed over");
    };
    drop(permit);
    assert!(poll(&mut newcomer).is_pending());
    assert!(poll(&mut second).is_ready());
    assert!(poll(&mut newcomer).is_ready());
}

// SEM-223: two in one turn.
#[test]
fn two_releases_in_one_turn_let_the_first_two_go_on_in_the_next() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    drop(waiting(&mut executor, &semaphore, ["a", "b", "c"], &trace));
    let theirs = semaphore.clone();
    drop(executor.spawn(async move {
        theirs.add_permits(1);
        theirs.add_permits(1);
    }));
    turn(&mut executor);
    assert_eq!((trace.take(), semaphore.waiters()), (String::new(), 1));
    turn(&mut executor);
    assert_eq!(trace.take(), "a b");
}

// SEM-224: one waiter a release, and the rest stays.
#[test]
fn more_releases_than_waiters_leave_the_surplus() {
    let semaphore = Semaphore::new(0);
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    for _ in 0..5 {
        semaphore.add_permits(1);
    }
    assert_eq!((semaphore.available(), semaphore.waiters()), (3, 0));
    let (first, second) = (poll(&mut first), poll(&mut second));
    assert!(first.is_ready() && second.is_ready());
    assert_eq!(semaphore.available(), 3);
}

// SEM-224, C-16
#[test]
fn releases_by_the_third_in_line_serve_the_first_and_the_second_before_it() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    drop(waiting(&mut executor, &semaphore, ["first", "second"], &trace));
    let (theirs, inner) = (semaphore.clone(), trace.clone());
    drop(executor.spawn(async move {
        let mut own = theirs.acquire();
        let waits = poll_fn(|cx| Poll::Ready(poll_with(&mut own, cx.waker()).is_pending())).await;
        assert!(waits);
        theirs.add_permits(3);
        yield_now().await;
        let _permit = own.await;
        inner.say("third");
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "first second third");
}

// SEM-225, C-11
#[test]
fn waiter_cancelled_after_the_hand_over_passes_its_permit_on() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    let [a, b, c] = waiting(&mut executor, &semaphore, ["a", "b", "c"], &trace);
    semaphore.add_permits(1);
    semaphore.add_permits(1);
    assert!(a.cancel("test"));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!((trace.take().as_str(), semaphore.waiters()), ("b c", 0));
    assert!(b.is_finished() && c.is_finished());
}

// SEM-225: with nobody behind, the permit is free again.
#[test]
fn waiter_dropped_after_the_hand_over_with_nobody_behind_gives_its_permit_back() {
    let semaphore = Semaphore::new(0);
    let mut only = semaphore.acquire();
    assert!(poll(&mut only).is_pending());
    semaphore.add_permits(1);
    assert_eq!(semaphore.available(), 0);
    drop(only);
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    assert!(semaphore.try_acquire().is_some());
}

// SEM-226, C-12
#[test]
fn two_of_four_cancelled_and_one_release_in_one_turn_serve_the_third() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    let [a, b, _c, _d] = waiting(&mut executor, &semaphore, ["a", "b", "c", "d"], &trace);
    assert!(a.cancel("test") && b.cancel("test"));
    semaphore.add_permits(1);
    assert_eq!(run_until_idle(&mut executor), 1, "d waits");
    assert_eq!(trace.take(), "c");
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 1));
}

// SEM-227, C-13: both orders.
#[test]
fn waiter_cancelled_as_the_holder_releases_leaves_no_hang() {
    for release_first in [true, false] {
        let (mut executor, trace) = (executor(), Trace::default());
        let semaphore = Rc::new(Semaphore::new(1));
        let permit = semaphore.clone().try_acquire().expect("it is free").permits();
        assert_eq!(permit, 1, "and given back at once");
        let held = executor.block_on(semaphore.clone().acquire_owned());
        let [waiter] = waiting(&mut executor, &semaphore, ["waiter"], &trace);
        if release_first {
            drop(held);
            waiter.cancel("test");
        } else {
            waiter.cancel("test");
            drop(held);
        }
        drop(waiting(&mut executor, &semaphore, ["later"], &trace));
        assert_eq!(run_until_idle(&mut executor), 0);
        assert_eq!(trace.take(), "later");
    }
}

// SEM-228, C-18
#[test]
fn acquire_many_waits_its_turn_as_a_whole_and_frees_the_way_when_dropped() {
    let semaphore = Semaphore::new(2);
    let (mut many, mut one) = (semaphore.acquire_many(3), semaphore.acquire());
    assert!(poll(&mut many).is_pending());
    let (polled, wakes) = poll_once(&mut one);
    assert!(polled.is_pending(), "head of line");
    assert!(semaphore.try_acquire().is_none());
    assert_eq!((semaphore.available(), semaphore.is_locked()), (2, true));
    drop(many);
    assert_eq!((wakes.wakes(), semaphore.available()), (1, 1));
    assert!(poll(&mut one).is_ready());
}

// SEM-228: granted at once when there are enough.
// Nobody waits who could run: a release is not over when its permits are.
#[test]
fn acquire_of_no_permits_goes_in_with_the_one_before_it() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().expect("it is free");
    let (mut one, mut none) = (semaphore.acquire(), semaphore.acquire_many(0));
    assert!(poll(&mut one).is_pending());
    assert!(poll(&mut none).is_pending(), "it waits its turn");
    drop(held);
    let Poll::Ready(_permit) = poll(&mut one) else { panic!("the permit was handed over") };
    assert!(poll(&mut none).is_ready(), "it wants nothing, and is the first in line");
}

#[test]
fn acquire_many_gets_all_of_its_permits_and_gives_all_back() {
    let semaphore = Semaphore::new(2);
    let mut many = semaphore.acquire_many(3);
    assert!(poll(&mut many).is_pending());
    semaphore.add_permits(1);
    let Poll::Ready(permit) = poll(&mut many) else {
        panic!("there are three");
    };
    assert_eq!((permit.permits(), semaphore.available()), (3, 0));
    drop(permit);
    assert_eq!(semaphore.available(), 3);
    assert!(semaphore.try_acquire_many(4).is_none());
}

// SEM-229, C-17
#[test]
fn add_permits_above_the_bound_panics_and_changes_nothing() {
    let semaphore = Rc::new(Semaphore::bounded(2));
    let permit = semaphore.try_acquire().expect("there are two");
    let theirs = semaphore.clone();
    let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| theirs.add_permits(1)));
    let message = added.expect_err("the held one counts");
    let message = message.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("forget"), "{message}");
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    permit.forget();
    semaphore.add_permits(1);
    assert_eq!(semaphore.available(), 2);
}

// SEM-230: guards, borrowed and owned.
#[test]
fn permits_come_back_when_dropped_and_never_when_forgotten() {
    let mut executor = executor();
    let semaphore = Rc::new(Semaphore::new(3));
    let owned = executor.block_on(semaphore.clone().acquire_many_owned(2));
    assert_eq!((owned.permits(), semaphore.available()), (2, 1));
    assert!(Rc::ptr_eq(owned.semaphore(), &semaphore));
    drop(owned);
    assert_eq!(semaphore.available(), 3);
    executor.block_on(semaphore.clone().acquire_owned()).forget();
    semaphore.try_acquire().expect("there are two").forget();
    assert_eq!(semaphore.available(), 1);
    assert_eq!(Rc::strong_count(&semaphore), 1);
}

// SEM-231: promised permits are not available.
#[test]
fn available_counts_only_what_is_promised_to_nobody() {
    let semaphore = Semaphore::new(1);
    assert!(!semaphore.is_locked());
    let permit = semaphore.try_acquire();
    assert_eq!((semaphore.available(), semaphore.is_locked()), (0, true));
    let mut waiter = semaphore.acquire();
    assert!(poll(&mut waiter).is_pending());
    drop(permit);
    assert_eq!((semaphore.available(), semaphore.is_locked()), (0, true));
    drop(waiter);
    assert_eq!((semaphore.available(), semaphore.is_locked()), (1, false));
}

// SEM-231: state by name, and the line of the await.
#[test]
fn debug_of_a_semaphore_says_who_waits_where() {
    let semaphore = Semaphore::new(0);
    let mut waiter = semaphore.acquire();
    assert!(poll(&mut waiter).is_pending());
    let said = format!("{semaphore:?}");
    assert!(
        said.starts_with("Semaphore { available: 0, permits: 0, waiters: 1 waiting, the first at ")
    );
    assert!(said.contains("semaphore.rs:"), "{said}");
}

// SEM-51, C-15: a new task goes behind those who were granted in the same turn.
#[test]
fn task_spawned_by_a_granted_waiter_runs_behind_the_others_granted_with_it() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(0));
    let (theirs, inner) = (semaphore.clone(), trace.clone());
    drop(executor.spawn(async move {
        let _permit = theirs.acquire().await;
        inner.say("a");
        drop(spawn(async move { inner.say("new") }));
    }));
    drop(waiting(&mut executor, &semaphore, ["b", "c"], &trace));
    semaphore.add_permits(3);
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a b c new");
}

// SEM-226, C-20: in linear time: a hundred thousand quadratic ones would take minutes.
#[test]
fn hundred_thousand_waiters_dropped_from_either_end_leave_an_empty_line() {
    let semaphore = Semaphore::new(0);
    for from_the_back in [false, true] {
        let mut waiters: VecDeque<_> = (0..100_000).map(|_| semaphore.acquire()).collect();
        for waiter in &mut waiters {
            assert!(poll(waiter).is_pending());
        }
        assert_eq!(semaphore.waiters(), 100_000);
        while let Some(waiter) =
            if from_the_back { waiters.pop_back() } else { waiters.pop_front() }
        {
            drop(waiter);
        }
        assert_eq!(semaphore.waiters(), 0);
    }
}

// SEM-48, C-99
#[test]
fn waiter_polled_with_another_waker_has_only_the_newest_woken() {
    let semaphore = Semaphore::new(0);
    let mut waiter = semaphore.acquire();
    let (_, old) = poll_once(&mut waiter);
    let (_, new) = poll_once(&mut waiter);
    semaphore.add_permits(1);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-50: no second registration, no other place.
#[test]
fn waiter_polled_again_keeps_its_place() {
    let semaphore = Semaphore::new(0);
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    for _ in 0..3 {
        assert!(poll(&mut first).is_pending());
        assert!(poll(&mut second).is_pending());
        assert!(poll(&mut first).is_pending());
    }
    assert_eq!(semaphore.waiters(), 2);
    semaphore.add_permits(1);
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut first).is_ready());
}

// SEM-49: clone, wake and drop of a foreign waker may each use the semaphore.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_semaphore() {
    let semaphore = Rc::new(Semaphore::new(0));
    let use_it = {
        let semaphore = semaphore.clone();
        let used = Rc::new(Cell::new(0));
        move || {
            let (semaphore, used) = (semaphore.clone(), used.clone());
            let hook: Rc<dyn Fn()> = Rc::new(move || {
                used.set(used.get() + 1);
                assert!(semaphore.try_acquire().is_none());
                let mut passing = semaphore.acquire();
                assert!(poll(&mut passing).is_pending());
                semaphore.add_permits(0);
            });
            Some(hook)
        }
    };
    let waker = hooked(Hooks { clone: use_it(), wake: use_it(), drop: use_it() });
    let mut waiter = semaphore.acquire();
    assert!(poll_with(&mut waiter, &waker).is_pending());
    assert!(poll(&mut waiter).is_pending(), "drops the foreign one");
    assert!(poll_with(&mut waiter, &waker).is_pending());
    semaphore.add_permits(1);
    assert!(poll(&mut waiter).is_ready());
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
}

// SEM-49: a grant that comes while the waker is being cloned is not lost.
#[test]
fn release_while_the_waiters_waker_is_being_cloned_is_noticed_in_the_same_poll() {
    let semaphore = Rc::new(Semaphore::new(0));
    let theirs = semaphore.clone();
    let waker =
        hooked(Hooks { clone: Some(Rc::new(move || theirs.add_permits(1))), ..Hooks::default() });
    assert!(poll_with(&mut semaphore.acquire(), &waker).is_ready());
}

// SEM-49: the others are not cheated.
#[test]
fn foreign_waker_that_panics_does_not_keep_the_next_from_being_woken() {
    let semaphore = Semaphore::new(0);
    let waker =
        hooked(Hooks { wake: Some(Rc::new(|| panic!("a waker panics"))), ..Hooks::default() });
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    assert!(poll_with(&mut first, &waker).is_pending());
    let (_, wakes) = poll_once(&mut second);
    let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| semaphore.add_permits(2)));
    assert!(added.is_err());
    assert_eq!((wakes.wakes(), semaphore.waiters()), (1, 0));
}

// SEM-49, C-97: a permit dropped when its task completes, is cancelled, and at shutdown.
#[test]
fn permit_dropped_with_its_task_is_handed_on() {
    let (mut executor, trace) = (executor(), Trace::default());
    let semaphore = Rc::new(Semaphore::new(2));
    let completes = executor.block_on(semaphore.clone().acquire_owned());
    let cancelled = executor.block_on(semaphore.clone().acquire_owned());
    drop(executor.spawn(async move { drop(completes) }));
    let handle = executor.spawn(hold_for_ever(cancelled));
    turn(&mut executor);
    assert_eq!(semaphore.available(), 1);
    handle.cancel("test");
    turn(&mut executor);
    assert_eq!(semaphore.available(), 2);

    // A chain at shutdown: each task holds what the next one waits for.
    for name in ["a", "b", "c"] {
        let (semaphore, trace) = (semaphore.clone(), trace.clone());
        drop(executor.spawn(async move {
            let _permit = semaphore.acquire_many(2).await;
            let _said = OnDrop::new(|| trace.say(name));
            std::future::pending::<()>().await;
        }));
    }
    turn(&mut executor);
    drop(executor);
    assert_eq!(trace.take(), "a", "the others never had it");
    assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
    assert_eq!(Rc::strong_count(&semaphore), 1);
}

// SEM-407, SEM-408: refused before any effect, and only now and then.
#[test]
fn acquire_beyond_the_budget_gives_way_and_takes_nothing() {
    let (mut executor, neighbour) = (executor(), Rc::new(Cell::new(0)));
    let semaphore = Rc::new(Semaphore::new(1));
    let count = neighbour.clone();
    let others = executor.spawn(async move {
        loop {
            count.set(count.get() + 1);
            yield_now().await;
        }
    });
    executor.block_on(async {
        for _ in 0..1280 {
            drop(semaphore.acquire().await);
        }
        assert!(neighbour.get() >= 9, "it ran {} times", neighbour.get());
        yield_now().await;
        while budget::remaining() != Some(0) {
            drop(semaphore.acquire().await);
        }
        let mut refused = semaphore.acquire();
        let polled =
            poll_fn(|cx| Poll::Ready(poll_with(&mut refused, cx.waker()).is_pending())).await;
        assert!(polled);
        assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    });
    others.cancel("test");
}

// SEM-416: a permit handed to an arm that loses passes on.
#[test]
fn permit_handed_to_the_losing_arm_of_a_race_goes_to_the_next() {
    let (mut executor, order) = (executor(), Rc::new(RefCell::new(Vec::new())));
    let semaphore = Rc::new(Semaphore::new(0));
    let (theirs, said) = (semaphore.clone(), order.clone());
    drop(executor.spawn(async move {
        let mut arm = theirs.acquire();
        // A select by hand: the other arm is ready in the very poll after the hand-over.
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            assert!(poll_with(&mut arm, cx.waker()).is_pending());
            Poll::Pending
        })
        .await;
        drop(arm);
        said.borrow_mut().push("lost");
    }));
    let (theirs, said) = (semaphore.clone(), order.clone());
    drop(executor.spawn(async move {
        let _permit = theirs.acquire().await;
        said.borrow_mut().push("next");
    }));
    turn(&mut executor);
    semaphore.add_permits(1);
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(*order.borrow(), ["lost", "next"]);
}

// SEM-233: raised, with more waiters than that.
#[test]
fn resize_to_more_hands_the_new_permits_to_those_who_wait_in_order() {
    let semaphore = Semaphore::new(0);
    let mut waiters = [semaphore.acquire(), semaphore.acquire(), semaphore.acquire()];
    let _ = waiters.each_mut().map(|waiter| assert!(poll(waiter).is_pending()));
    semaphore.resize(2);
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 1));
    let now = semaphore.statistics();
    assert_eq!((now.total, now.out, now.unclaimed, now.waiters), (2, 2, 2, 1));
    let granted = waiters.each_mut().map(|waiter| poll(waiter).map(Permit::forget).is_ready());
    assert_eq!(granted, [true, true, false]);
}

// SEM-233, C-19
#[test]
fn resize_below_what_is_held_and_up_again_lets_in_as_many_as_there_is_room_for() {
    let semaphore = Semaphore::new(4);
    let mut held: Vec<_> = (0..4).map(|_| semaphore.try_acquire().expect("it is free")).collect();
    let mut waiters = [semaphore.acquire(), semaphore.acquire()];
    let _ = waiters.each_mut().map(|waiter| assert!(poll(waiter).is_pending()));
    semaphore.resize(2);
    held.truncate(2);
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 2), "two are held still");
    held.truncate(1);
    assert_eq!(semaphore.waiters(), 1, "one is held, one handed over");
    semaphore.resize(3);
    assert_eq!((semaphore.waiters(), semaphore.statistics().out), (0, 3));
    drop((held, waiters));
    assert_eq!((semaphore.available(), semaphore.statistics().out), (3, 0));
}

// SEM-234: and what is held when it is lowered to 0 is swallowed.
#[test]
fn semaphore_resized_to_zero_lets_nobody_in_until_it_is_raised() {
    let semaphore = Semaphore::bounded(1);
    let permit = semaphore.try_acquire();
    semaphore.resize(0);
    drop(permit);
    let mut waiter = semaphore.acquire();
    assert!(poll(&mut waiter).is_pending() && semaphore.try_acquire().is_none());
    semaphore.resize(1);
    assert!(poll(&mut waiter).is_ready());
}

// SEM-236
#[test]
fn semaphore_resized_to_the_greatest_number_never_waits() {
    let semaphore = Semaphore::new(1);
    semaphore.resize(usize::MAX);
    let permits: Vec<_> = (0..1000).map(|_| semaphore.try_acquire_many(1 << 40)).collect();
    assert!(permits.iter().all(Option::is_some));
}
