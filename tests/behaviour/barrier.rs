//! Barriers: all go on when the last has come; who is dropped has not come; rounds do not mix.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, RunError};
use lone_sync::{Barrier, BarrierWait, BarrierWaitResult, BrokenBarrier, join, race, timeout};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{Trace, executor, poll_once, run_until_idle};
use crate::waiting::{Chance, Hooks, hooked, poll, poll_with, turn};

/// A task for each name that waits so many rounds and says its name and index after each.
fn waiting<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    barrier: &Rc<Barrier>,
    names: [&'static str; N],
    rounds: usize,
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (barrier, trace) = (barrier.clone(), trace.clone());
        executor.spawn(async move {
            for _ in 0..rounds {
                match barrier.wait().await {
                    Ok(arrival) => trace.say(format!("{name}{}", arrival.index())),
                    Err(BrokenBarrier) => trace.say(format!("{name}!")),
                }
            }
        })
    });
    turn(executor);
    handles
}

fn index(polled: Poll<Result<BarrierWaitResult, BrokenBarrier>>) -> Option<usize> {
    match polled {
        Poll::Ready(Ok(arrival)) => Some(arrival.index()),
        Poll::Ready(Err(BrokenBarrier)) => panic!("it is whole"),
        Poll::Pending => None,
    }
}

// SEM-259: no parties are misuse.
#[test]
#[should_panic(expected = "a barrier for 0 parties could never trip")]
fn barrier_for_nobody_panics() {
    drop(Barrier::new(0));
}

// SEM-259, C-33: twice in a row, without a suspension.
#[test]
fn barrier_for_one_never_waits() {
    let barrier = Barrier::new(1);
    for trips in 1..=2 {
        let Poll::Ready(Ok(arrival)) = poll(&mut barrier.wait()) else { panic!("it is alone") };
        assert_eq!((arrival.index(), arrival.is_leader()), (0, true));
        assert_eq!(barrier.statistics().trips, trips);
    }
}

// SEM-260: in the order of arrival; the last one at once.
#[test]
fn last_arrival_lets_all_go_with_indices_in_order() {
    let barrier = Barrier::new(3);
    let (mut called_first, mut called_second) = (barrier.wait(), barrier.wait());
    let (_, wakes) = poll_once(&mut called_second);
    assert!(poll(&mut called_first).is_pending());
    assert_eq!((barrier.waiting(), wakes.wakes()), (2, 0));
    let Poll::Ready(Ok(last)) = poll(&mut barrier.wait()) else { panic!("it is the third") };
    assert_eq!((last.index(), last.is_leader()), (2, true));
    assert_eq!((barrier.waiting(), barrier.statistics().unclaimed, wakes.wakes()), (0, 2, 1));
    assert_eq!(index(poll(&mut called_first)), Some(1));
    let Poll::Ready(Ok(first)) = poll(&mut called_second) else { panic!("it was let go") };
    assert_eq!((first.index(), first.is_leader()), (0, false));
    assert_eq!(barrier.statistics().unclaimed, 0);
}

// SEM-260, SEM-261, C-34: five, two rounds each.
#[test]
fn barrier_used_twice_by_each_has_all_indices_in_each_round() {
    let (mut executor, trace) = (executor(), Trace::default());
    let barrier = Rc::new(Barrier::new(5));
    drop(waiting(&mut executor, &barrier, ["a", "b", "c", "d", "e"], 2, &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    // The last one goes on at once, and is the first of the next round.
    assert_eq!(trace.take(), "e4 a0 b1 c2 d3 d4 e0 a1 b2 c3");
    assert_eq!((barrier.statistics().trips, barrier.waiting()), (2, 0));
}

// SEM-261, C-35: who comes before the others have run is of the next round.
#[test]
fn arrivals_before_the_others_have_gone_on_count_for_the_next_round() {
    let barrier = Barrier::new(3);
    let (mut slow, mut fast) = (barrier.wait(), barrier.wait());
    assert!(poll(&mut slow).is_pending() && poll(&mut fast).is_pending());
    assert_eq!(index(poll(&mut barrier.wait())), Some(2));
    assert_eq!(index(poll(&mut fast)), Some(1));
    let (mut again, mut too) = (barrier.wait(), barrier.wait());
    assert!(poll(&mut again).is_pending() && poll(&mut too).is_pending());
    assert_eq!(barrier.waiting(), 2);
    assert_eq!(index(poll(&mut slow)), Some(0), "it is of the first round");
    assert_eq!(index(poll(&mut barrier.wait())), Some(2));
    assert_eq!((index(poll(&mut again)), index(poll(&mut too))), (Some(0), Some(1)));
}

// SEM-262, C-31: three living ones are needed, and indices have no gap.
#[test]
fn waiter_cancelled_has_not_arrived() {
    let (mut executor, trace) = (executor(), Trace::default());
    let barrier = Rc::new(Barrier::new(3));
    let [a, _b] = waiting(&mut executor, &barrier, ["a", "b"], 1, &trace);
    a.cancel("test");
    turn(&mut executor);
    assert_eq!((barrier.waiting(), barrier.is_broken()), (1, false));
    drop(waiting(&mut executor, &barrier, ["c"], 1, &trace));
    assert_eq!((run_until_idle(&mut executor), trace.take().as_str()), (2, ""));
    drop(waiting(&mut executor, &barrier, ["d"], 1, &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "d2 b0 c1");
}

// SEM-262, C-32: the losing arm of a race.
#[lone::test(start_paused)]
async fn waiter_that_loses_a_race_has_not_arrived() {
    let barrier = Barrier::new(2);
    let waits = async { _ = barrier.wait().await };
    let sleeps = lone::sleep(Duration::from_millis(10));
    let arms: [std::pin::Pin<Box<dyn Future<Output = ()> + '_>>; 2] =
        [Box::pin(waits), Box::pin(sleeps)];
    race(arms).await;
    let mut alone = barrier.wait();
    assert!(poll(&mut alone).is_pending());
    assert_eq!(index(poll(&mut barrier.wait())), Some(1));
    assert_eq!(index(poll(&mut alone)), Some(0));
}

// SEM-263: the trip stands; the next round begins with nobody.
#[test]
fn waiter_cancelled_after_the_trip_ends_cancelled_and_the_others_pass() {
    let (mut executor, trace) = (executor(), Trace::default());
    let barrier = Rc::new(Barrier::new(3));
    let [a, _b] = waiting(&mut executor, &barrier, ["a", "b"], 1, &trace);
    assert_eq!(index(poll(&mut barrier.wait())), Some(2));
    a.cancel("test");
    assert!(executor.block_on(a).is_err_and(|error| error.is_cancelled()));
    assert_eq!(run_until_idle(&mut executor), 0);
    let statistics = barrier.statistics();
    assert_eq!((trace.take().as_str(), statistics.waiters, statistics.unclaimed), ("b1", 0, 0));
}

// SEM-264, C-36: until it is reset.
#[test]
fn abort_breaks_it_for_those_who_wait_and_those_who_come() {
    let (mut executor, trace) = (executor(), Trace::default());
    let barrier = Rc::new(Barrier::new(3));
    drop(waiting(&mut executor, &barrier, ["a", "b"], 1, &trace));
    barrier.abort();
    barrier.abort();
    assert!(barrier.is_broken());
    drop(waiting(&mut executor, &barrier, ["c"], 1, &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "c! a! b!");
    barrier.reset();
    assert!(!barrier.is_broken());
    drop(waiting(&mut executor, &barrier, ["d", "e", "f"], 1, &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "f2 d0 e1");
}

// SEM-265, C-37: three come in the turn of the reset.
#[test]
fn reset_sends_those_who_wait_away_and_takes_new_ones_at_once() {
    let (mut executor, trace) = (executor(), Trace::default());
    let barrier = Rc::new(Barrier::new(3));
    barrier.reset();
    drop(waiting(&mut executor, &barrier, ["a", "b"], 1, &trace));
    barrier.reset();
    assert_eq!((barrier.is_broken(), barrier.waiting()), (false, 0));
    drop(waiting(&mut executor, &barrier, ["c", "d", "e"], 1, &trace));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "e2 a! b! c0 d1");
}

// SEM-266: in the turn of the trip, before they have run.
#[test]
fn abort_after_the_trip_does_not_reach_those_who_were_let_go() {
    for resets in [false, true] {
        let barrier = Barrier::new(2);
        let mut first = barrier.wait();
        assert!(poll(&mut first).is_pending());
        assert_eq!(index(poll(&mut barrier.wait())), Some(1));
        if resets {
            barrier.reset();
        } else {
            barrier.abort();
        }
        assert_eq!(index(poll(&mut first)), Some(0));
        assert_eq!(barrier.is_broken(), !resets);
    }
}

// SEM-267: what can be asked, and shown.
#[test]
fn barrier_tells_its_parties_who_waits_and_whether_it_is_broken() {
    let barrier = Barrier::new(2);
    assert_eq!((barrier.parties(), barrier.waiting(), barrier.is_broken()), (2, 0, false));
    let mut first = barrier.wait();
    let line = line!() - 1;
    assert!(poll(&mut first).is_pending());
    assert_eq!(
        format!("{barrier:?}"),
        format!(
            "Barrier {{ parties: 2, broken: false, trips: 0, waiters: 1 waiting, the first at \
             {}:{line}:29 }}",
            file!()
        )
    );
    assert_eq!(index(poll(&mut barrier.wait())), Some(1));
    assert_eq!(barrier.waiting(), 0);
    assert_eq!(barrier.statistics().trips, 1);
    assert!(BrokenBarrier.to_string().contains("aborted or reset"));
}

// SEM-268, C-38: and it can be tried again.
#[lone::test(start_paused)]
async fn waiter_that_times_out_has_not_arrived_and_breaks_nothing() {
    let barrier = Barrier::new(2);
    for limit in [Duration::ZERO, Duration::from_millis(3)] {
        assert!(timeout(limit, barrier.wait()).await.is_err());
        assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    }
    let again = async { timeout(Duration::from_millis(5), barrier.wait()).await };
    let other = async {
        lone::sleep(Duration::from_millis(4)).await;
        barrier.wait().await
    };
    let (again, other) = join!(again, other);
    assert_eq!(again.expect("in time").expect("it is whole").index(), 0);
    assert_eq!(other.expect("it is whole").index(), 1);
}

// SEM-48, SEM-50, C-99: no second arrival, and the newest waker.
#[test]
fn waiter_polled_again_has_arrived_once_and_has_its_newest_waker_woken() {
    let barrier = Barrier::new(3);
    let mut first = barrier.wait();
    let (_, old) = poll_once(&mut first);
    let (_, new) = poll_once(&mut first);
    assert_eq!(barrier.waiting(), 1);
    let mut second = barrier.wait();
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut barrier.wait()).is_ready());
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49, SEM-261: a waker that comes again out of the trip is of the next round.
#[test]
fn foreign_waker_that_arrives_out_of_a_trip_is_of_the_next_round() {
    let barrier = Rc::new(Barrier::new(3));
    let (theirs, called) = (barrier.clone(), Rc::new(Cell::new(false)));
    let seen = called.clone();
    let wake: Rc<dyn Fn()> = Rc::new(move || {
        seen.set(true);
        assert_eq!(theirs.waiting(), 0);
        let (mut one, mut two) = (theirs.wait(), theirs.wait());
        assert!(poll(&mut one).is_pending() && poll(&mut two).is_pending());
        // A whole round within the trip of the one before.
        assert_eq!(index(poll(&mut theirs.wait())), Some(2));
        assert_eq!((index(poll(&mut one)), index(poll(&mut two))), (Some(0), Some(1)));
        theirs.abort();
    });
    let waker = hooked(Hooks { wake: Some(wake), ..Hooks::default() });
    let (mut first, mut second) = (barrier.wait(), barrier.wait());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll(&mut second).is_pending());
    assert_eq!(index(poll(&mut barrier.wait())), Some(2));
    assert!(called.get() && barrier.is_broken());
    assert_eq!((index(poll(&mut first)), index(poll(&mut second))), (Some(0), Some(1)));
    assert_eq!(barrier.statistics().trips, 2);
}

// SEM-49: one that panics does not cheat those behind it.
#[test]
fn foreign_waker_that_panics_keeps_nobody_from_being_let_go() {
    let barrier = Barrier::new(3);
    let waker = hooked(Hooks { wake: Some(Rc::new(|| panic!("a waker"))), ..Hooks::default() });
    let (mut first, mut second) = (barrier.wait(), barrier.wait());
    assert!(poll_with(&mut first, &waker).is_pending());
    let (_, wakes) = poll_once(&mut second);
    let last = std::panic::AssertUnwindSafe(|| poll(&mut barrier.wait()).is_ready());
    assert!(std::panic::catch_unwind(last).is_err());
    assert_eq!(wakes.wakes(), 1);
    assert_eq!((index(poll(&mut first)), index(poll(&mut second))), (Some(0), Some(1)));
}

// SEM-22: for whom it waits, and on which line.
#[test]
fn waiter_of_a_barrier_that_nobody_comes_to_is_told_in_the_report() {
    let barrier = Barrier::new(2);
    let outcome = executor().try_block_on(async { _ = barrier.wait().await });
    let line = line!() - 1;
    let Err(RunError::Deadlock(report)) = outcome else { panic!("nobody else comes") };
    let told = format!("main awaits the others at a barrier at {}:{line}", file!());
    assert!(report.to_string().contains(&told), "{report}");
}

// SEM-260, SEM-262, SEM-263: three of four wait; whoever is dropped when, the next trip is whole.
#[test]
fn wait_dropped_at_any_suspension_loses_nothing_for_the_others() {
    for which in 0..3 {
        for step in 0..3 {
            let barrier = Barrier::new(4);
            let mut waits = [0, 1, 2].map(|_| Some(barrier.wait()));
            for (at, wait) in waits.iter_mut().enumerate() {
                if (at, step) == (which, 0) {
                    *wait = None;
                }
                if let Some(wait) = wait {
                    assert!(poll(wait).is_pending());
                }
            }
            if step == 1 {
                waits[which] = None;
            }
            let mut stands_in = barrier.wait();
            if step < 2 {
                assert!(poll(&mut stands_in).is_pending(), "three live ones, of four");
            }
            assert_eq!(index(poll(&mut barrier.wait())), Some(3));
            if step == 2 {
                waits[which] = None;
            }
            for wait in waits.iter_mut().flatten() {
                assert!(index(poll(wait)).is_some());
            }
            drop((waits, stands_in));
            let statistics = barrier.statistics();
            assert_eq!((statistics.waiters, statistics.unclaimed, statistics.trips), (0, 0, 1));
        }
    }
}

// SEM-261, SEM-262, SEM-264, SEM-265, SEM-266: beside a model, under random schedules.
#[test]
fn rounds_are_whole_under_any_schedule() {
    for seed in 0..2000 {
        random_schedule(&mut Chance::new(seed));
    }
}

/// What a place's wait is to return: `None`, as long as it waits.
type Due = Option<Result<usize, BrokenBarrier>>;

fn random_schedule(chance: &mut Chance) {
    let parties = 1 + chance.below(4);
    let barrier = Barrier::new(parties);
    let mut places: [Option<(BarrierWait<'_>, Due)>; 6] = [const { None }; 6];
    let (line, mut broken) = (RefCell::new(VecDeque::new()), false);
    for _ in 0..60 {
        let at = chance.below(places.len());
        match (places[at].take(), chance.below(12)) {
            (place, 0) => {
                places[at] = place;
                broken = chance.below(2) == 0;
                if broken {
                    barrier.abort()
                } else {
                    barrier.reset()
                }
                for at in line.take() {
                    due(&mut places, at, Err(BrokenBarrier));
                }
            }
            (None, _) => {
                let mut wait = barrier.wait();
                let polled = poll(&mut wait).map(|outcome| outcome.map(|done| done.index()));
                if broken {
                    assert_eq!(polled, Poll::Ready(Err(BrokenBarrier)));
                } else if line.borrow().len() + 1 == parties {
                    assert_eq!(polled, Poll::Ready(Ok(parties - 1)));
                    for (index, at) in line.take().into_iter().enumerate() {
                        due(&mut places, at, Ok(index));
                    }
                } else {
                    assert_eq!(polled, Poll::Pending);
                    line.borrow_mut().push_back(at);
                    places[at] = Some((wait, None));
                }
            }
            (Some((wait, _)), 1..4) => {
                drop(wait);
                line.borrow_mut().retain(|place| *place != at);
            }
            (Some((mut wait, due)), _) => {
                let polled = poll(&mut wait).map(|outcome| outcome.map(|done| done.index()));
                assert_eq!(polled, due.map_or(Poll::Pending, Poll::Ready));
                places[at] = due.is_none().then_some((wait, due));
            }
        }
        assert_eq!((barrier.waiting(), barrier.is_broken()), (line.borrow().len(), broken));
    }
    drop(places);
    assert_eq!((barrier.waiting(), barrier.statistics().unclaimed), (0, 0));
}

fn due(
    places: &mut [Option<(BarrierWait<'_>, Due)>],
    at: usize,
    outcome: Result<usize, BrokenBarrier>,
) {
    places[at].as_mut().expect("it stands in line").1 = Some(outcome);
}
