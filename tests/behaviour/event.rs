//! Events: `set` reaches all who wait at that moment, and nobody else.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{Executor, JoinHandle, yield_now};
use lone_sync::{Event, EventWait};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{OnDrop, Trace, executor, hold_for_ever, poll_once, run_until_idle};
use crate::waiting::{Chance, Hooks, hooked, poll, poll_with, turn};

/// A task for each name that waits, and says its name.
fn waiting<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    event: &Rc<Event>,
    names: [&'static str; N],
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (event, trace) = (event.clone(), trace.clone());
        executor.spawn(async move {
            event.wait().await;
            trace.say(name);
        })
    });
    turn(executor);
    handles
}

// SEM-250: in the next turn, in order; afterwards nobody waits.
#[test]
fn set_lets_all_waiters_go_on_in_order_in_the_next_turn() {
    let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
    drop(waiting(&mut executor, &event, ["a", "b", "c"], &trace));
    let theirs = event.clone();
    drop(executor.spawn(async move { theirs.set() }));
    turn(&mut executor);
    assert_eq!(trace.take(), "");
    turn(&mut executor);
    assert_eq!(trace.take(), "a b c");
    drop(waiting(&mut executor, &event, ["later"], &trace));
    assert_eq!(trace.take(), "later", "in its first poll");
}

// SEM-251, C-27
#[test]
fn set_and_clear_in_one_turn_reach_those_who_waited_and_not_the_next() {
    let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
    drop(waiting(&mut executor, &event, ["a", "b", "c"], &trace));
    event.set();
    event.clear();
    assert!(!event.is_set());
    drop(waiting(&mut executor, &event, ["fourth"], &trace));
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_eq!((trace.take().as_str(), event.waiters()), ("a b c", 1));
}

// SEM-252, C-28
#[test]
fn set_clear_set_set_in_one_turn_wakes_each_waiter_once() {
    let event = Event::new();
    let (mut first, mut second) = (event.wait(), event.wait());
    let ((_, wakes), (_, others)) = (poll_once(&mut first), poll_once(&mut second));
    event.set();
    event.clear();
    event.set();
    event.set();
    assert_eq!((wakes.wakes(), others.wakes(), event.waiters()), (1, 1, 0));
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
}

// SEM-251, C-29
#[test]
fn waiter_that_clears_and_waits_again_does_not_hold_up_the_one_behind() {
    let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
    let (theirs, inner) = (event.clone(), trace.clone());
    drop(executor.spawn(async move {
        theirs.wait().await;
        theirs.clear();
        inner.say("first");
        theirs.wait().await;
        inner.say("first again");
    }));
    drop(waiting(&mut executor, &event, ["second"], &trace));
    event.set();
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_eq!(trace.take(), "first second");
    event.set();
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "first again");
}

// SEM-253, C-30
#[test]
fn task_queued_before_the_woken_ones_passes_before_them() {
    let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
    drop(waiting(&mut executor, &event, ["1", "2"], &trace));
    let (theirs, inner) = (event.clone(), trace.clone());
    drop(executor.spawn(async move {
        theirs.wait().await;
        inner.say("3");
    }));
    event.set();
    turn(&mut executor);
    assert_eq!(trace.take(), "3 1 2");
}

// SEM-254, SEM-258: the state is asked for by name.
#[test]
fn set_of_a_set_event_does_nothing() {
    let event = Event::new();
    assert!(!event.is_set());
    event.set();
    event.set();
    assert!(event.is_set());
    event.clear();
    event.clear();
    assert!(!event.is_set());
    assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 0 waiting }");
}

// SEM-255: either order.
#[test]
fn waiter_cancelled_as_the_event_is_set_ends_cancelled_and_the_others_pass() {
    for set_first in [true, false] {
        let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
        let [_a, b, _c] = waiting(&mut executor, &event, ["a", "b", "c"], &trace);
        if set_first {
            event.set();
            b.cancel("test");
        } else {
            b.cancel("test");
            event.set();
        }
        let error = executor.block_on(b).expect_err("it was cancelled");
        assert!(error.is_cancelled());
        run_until_idle(&mut executor);
        assert_eq!(trace.take(), "a c");
    }
}

// SEM-256: nothing is left.
#[test]
fn waiter_dropped_leaves_no_trace() {
    let event = Event::new();
    let mut waiters: Vec<_> = (0..3).map(|_| event.wait()).collect();
    for waiter in &mut waiters {
        assert!(poll(waiter).is_pending());
    }
    drop(waiters.remove(1));
    assert_eq!(event.waiters(), 2);
    event.set();
    assert_eq!(event.waiters(), 0);
    drop(waiters);
    assert_eq!(event.waiters(), 0);
}

// SEM-257: the first poll decides.
#[test]
fn wait_made_before_set_and_clear_and_polled_after_them_waits() {
    let event = Event::new();
    let mut wait = event.wait();
    event.set();
    event.clear();
    assert!(poll(&mut wait).is_pending());
    event.set();
    assert!(poll(&mut wait).is_ready());
}

// SEM-250: ten thousand, each woken once, in order.
#[test]
fn set_with_ten_thousand_waiters_wakes_each_once() {
    let event = Event::new();
    let mut waiters: Vec<_> = (0..10_000).map(|_| event.wait()).collect();
    let wakes: Vec<_> = waiters.iter_mut().map(|wait| poll_once(wait).1).collect();
    event.set();
    assert!(wakes.iter().all(|wakes| wakes.wakes() == 1));
    assert!(waiters.iter_mut().all(|wait| poll(wait).is_ready()));
}

// SEM-48, SEM-50: extra polls, another waker.
#[test]
fn waiter_polled_again_has_only_its_newest_waker_woken() {
    let event = Event::new();
    let mut wait = event.wait();
    let ((_, old), (_, new)) = (poll_once(&mut wait), poll_once(&mut wait));
    assert_eq!(event.waiters(), 1);
    event.set();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49: a waker that clears, waits and sets again.
#[test]
fn foreign_waker_that_uses_the_event_finds_it_whole() {
    let event = Rc::new(Event::new());
    let hook = |f: fn(&Event)| -> Option<Rc<dyn Fn()>> {
        let event = event.clone();
        Some(Rc::new(move || f(&event)))
    };
    let waker = hooked(Hooks {
        clone: hook(|event| assert_eq!(event.waiters(), 1)),
        wake: hook(|event| {
            assert!(event.is_set());
            event.clear();
            let mut passing = event.wait();
            assert!(poll(&mut passing).is_pending(), "it belongs to the next set");
            event.set();
            assert!(poll(&mut passing).is_ready());
            event.clear();
        }),
        drop: hook(|event| event.clear()),
    });
    let (mut first, mut second) = (event.wait(), event.wait());
    assert!(poll_with(&mut first, &waker).is_pending());
    let (_, wakes) = poll_once(&mut second);
    event.set();
    assert_eq!(wakes.wakes(), 1, "its set reached it, though it was cleared half way");
    assert!(!event.is_set());
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
}

// SEM-49, SEM-251: who joins while the others are being woken belongs to the next set.
#[test]
fn wait_begun_by_a_waker_that_a_set_wakes_is_not_reached_by_that_set() {
    // For ever, so that the hook may hold a wait.
    let event: &'static Event = Box::leak(Box::new(Event::new()));
    let late = Rc::new(RefCell::new(event.wait()));
    let theirs = late.clone();
    let waker = hooked(Hooks {
        wake: Some(Rc::new(move || {
            event.clear();
            assert!(poll(&mut *theirs.borrow_mut()).is_pending());
        })),
        ..Hooks::default()
    });
    let (mut first, mut second) = (event.wait(), event.wait());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll(&mut second).is_pending());
    event.set();
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
    assert_eq!(event.waiters(), 1);
    assert!(poll(&mut *late.borrow_mut()).is_pending());
}

// SEM-49: a set that comes while the waker is being cloned.
#[test]
fn set_while_the_waiters_waker_is_being_cloned_is_noticed_in_the_same_poll() {
    let event = Rc::new(Event::new());
    let theirs = event.clone();
    let waker = hooked(Hooks {
        clone: Some(Rc::new(move || {
            theirs.set();
            theirs.clear();
        })),
        ..Hooks::default()
    });
    assert!(poll_with(&mut event.wait(), &waker).is_ready());
}

// SEM-49, C-97: set from a destructor on completion, on cancel, and at shutdown.
#[test]
fn set_from_a_destructor_of_a_task_works_whenever_that_ends() {
    let (mut executor, trace, event) = (executor(), Trace::default(), Rc::new(Event::new()));
    let set_on_drop = || {
        let event = event.clone();
        OnDrop::new(move || {
            event.set();
            event.clear();
        })
    };
    drop(waiting(&mut executor, &event, ["completed"], &trace));
    let guard = set_on_drop();
    drop(executor.spawn(async move { drop(guard) }));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "completed");

    drop(waiting(&mut executor, &event, ["cancelled"], &trace));
    let task = executor.spawn(hold_for_ever(set_on_drop()));
    task.cancel("test");
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "cancelled");

    drop(waiting(&mut executor, &event, ["never"], &trace));
    drop(executor.spawn(hold_for_ever(set_on_drop())));
    drop(executor);
    assert_eq!((trace.take().as_str(), event.waiters()), ("", 0));
}

// SEM-407: an event that is set, waited for in a loop, lets the others run.
#[test]
fn wait_for_a_set_event_in_a_loop_gives_way() {
    let (mut executor, event) = (executor(), Event::new());
    let turns = Rc::new(Cell::new(0));
    let count = turns.clone();
    let neighbour = executor.spawn(async move {
        loop {
            count.set(count.get() + 1);
            yield_now().await;
        }
    });
    event.set();
    executor.block_on(async {
        for _ in 0..1280 {
            event.wait().await;
        }
    });
    assert!(turns.get() >= 9, "it ran {} times", turns.get());
    neighbour.cancel("test");
}

// SEM-410: an operation that has to wait costs no budget.
#[test]
fn waiting_for_an_event_costs_no_budget() {
    let (mut executor, event) = (executor(), Event::new());
    executor.block_on(poll_fn(|cx| {
        let before = lone_executor::budget::remaining();
        let mut waits: Vec<_> = (0..1000).map(|_| event.wait()).collect();
        for wait in &mut waits {
            assert!(poll_with(wait, cx.waker()).is_pending());
        }
        assert_eq!(lone_executor::budget::remaining(), before);
        Poll::Ready(())
    }));
}

// SEM-251, SEM-256, SEM-257: any schedule of poll, drop, set and clear.
#[test]
fn waiters_are_woken_once_and_only_by_a_set_after_their_first_poll() {
    for seed in 0..2000 {
        let (chance, event) = (&mut Chance::new(seed), Event::new());
        // Each with the answer that its next poll is to give: none yet, waiting, reached.
        let mut waits: Vec<(EventWait<'_>, Option<bool>)> = Vec::new();
        let mut set = false;
        for _ in 0..60 {
            match chance.below(7) {
                0 => {
                    event.set();
                    if !set {
                        waits.iter_mut().for_each(|(_, reached)| {
                            *reached = reached.map(|_| true);
                        });
                    }
                    set = true;
                }
                1 => {
                    event.clear();
                    set = false;
                }
                2 if waits.len() < 5 => waits.push((event.wait(), None)),
                3 if !waits.is_empty() => drop(waits.swap_remove(chance.below(waits.len()))),
                _ if !waits.is_empty() => {
                    let at = chance.below(waits.len());
                    let (wait, reached) = &mut waits[at];
                    let expected = reached.unwrap_or(set);
                    assert_eq!(poll(wait).is_ready(), expected);
                    *reached = Some(false);
                    if expected {
                        drop(waits.swap_remove(at));
                    }
                }
                _ => {}
            }
            let waiting = waits.iter().filter(|(_, reached)| *reached == Some(false));
            assert_eq!((event.waiters(), event.is_set()), (waiting.count(), set));
        }
        drop(waits);
        assert_eq!(event.waiters(), 0);
    }
}
