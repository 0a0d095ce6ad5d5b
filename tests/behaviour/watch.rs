//! Watch channels: the last value for each, no change missed, and each half hears of the end.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{RunError, budget, yield_now};
use lone_sync::timeout;
use lone_sync::watch::{self, ChangedError, SendError, channel};

use crate::help::{OnDrop, executor, poll_once};
use crate::waiting::{Chance, Hooks, hooked, poll, poll_with};

// The value at the beginning has been seen; several changes are one.
#[test]
fn changed_waits_for_a_value_that_was_not_seen() {
    let (sender, mut receiver) = channel(0);
    let (polled, wakes) = poll_once(&mut receiver.changed());
    assert!(polled.is_pending());
    assert_eq!((wakes.wakes(), *receiver.borrow()), (0, 0));
    sender.send(1).expect("there is a receiver");
    sender.send(2).expect("there is a receiver");
    assert!(receiver.has_changed());
    assert_eq!(poll(&mut receiver.changed()), Poll::Ready(Ok(())));
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (false, 2));
    assert!(poll(&mut receiver.changed()).is_pending());
    sender.send_modify(|value| *value += 1);
    assert_eq!(*receiver.borrow_and_update(), 3);
    assert!(poll(&mut receiver.changed()).is_pending(), "that was seen");
}

// In the order of their first polls; one that comes out of a wake belongs to the next change.
#[test]
fn change_wakes_all_who_wait_and_each_sees_it() {
    let (sender, mut first) = channel(0);
    let (mut second, mut late) = (first.clone(), sender.subscribe());
    let (mut one, mut two) = (first.changed(), second.changed());
    let ((_, of_one), (_, of_two)) = (poll_once(&mut one), poll_once(&mut two));
    assert_eq!((sender.statistics().waiters, sender.statistics().receivers), (2, 3));
    sender.send(1).expect("they wait");
    assert_eq!((of_one.wakes(), of_two.wakes(), sender.statistics().waiters), (1, 1, 0));
    assert!(poll(&mut two).is_ready() && poll(&mut one).is_ready());
    assert!(poll(&mut late.changed()).is_ready(), "it was subscribed before");
    assert!(poll(&mut sender.subscribe().changed()).is_pending(), "and this one after");
}

// The last value is seen first; then there is none to come.
#[test]
fn last_sender_that_goes_ends_the_waits_after_the_last_value() {
    let (sender, mut receiver) = channel(0);
    let other = sender.clone();
    let mut behind = receiver.clone();
    sender.send(1).expect("there is a receiver");
    drop(sender);
    assert_eq!(poll(&mut receiver.changed()), Poll::Ready(Ok(())));
    let mut waits = receiver.changed();
    let (polled, wakes) = poll_once(&mut waits);
    assert!(polled.is_pending());
    drop(other);
    assert_eq!(wakes.wakes(), 1);
    assert_eq!(poll(&mut waits), Poll::Ready(Err(ChangedError)));
    drop(waits);
    assert!(receiver.is_closed());
    assert_eq!(*receiver.borrow(), 1, "it can still be looked at");
    assert_eq!(poll(&mut behind.changed()), Poll::Ready(Ok(())));
    assert_eq!(poll(&mut behind.changed()), Poll::Ready(Err(ChangedError)));
}

// `send` gives the value back; `send_replace` keeps it for who comes later.
#[test]
fn value_for_nobody_comes_back() {
    let (sender, receiver) = channel(0);
    drop(receiver.clone());
    assert_eq!(sender.send(1), Ok(()));
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(sender.send_replace(3), 1);
    let late = sender.subscribe();
    assert_eq!((*late.borrow(), late.has_changed(), sender.is_closed()), (3, false, false));
}

// The sender need not work for nobody.
#[test]
fn closed_waits_for_the_last_receiver() {
    let (sender, receiver) = channel(0);
    let other = receiver.clone();
    let mut closed = sender.closed();
    let (polled, wakes) = poll_once(&mut closed);
    assert!(polled.is_pending());
    drop(receiver);
    assert_eq!(wakes.wakes(), 0);
    drop(other);
    assert_eq!(wakes.wakes(), 1);
    assert!(poll(&mut closed).is_ready());
    drop(closed);
    let mut dropped = sender.subscribe();
    assert!(poll(&mut sender.closed()).is_pending(), "there is one again");
    sender.send(1).expect("there is one");
    assert!(poll(&mut dropped.changed()).is_ready());
}

// Nobody is told of nothing.
#[test]
fn modification_that_says_so_is_not_told() {
    let (sender, mut receiver) = channel(1);
    assert!(!sender.send_if_modified(|_| false));
    assert!(poll(&mut receiver.changed()).is_pending());
    assert!(sender.send_if_modified(|value| {
        *value = 2;
        true
    }));
    assert!(poll(&mut receiver.changed()).is_ready());
}

/// What a panic says.
fn message(panics: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("it panics");
    payload.downcast_ref::<&str>().map(ToString::to_string).unwrap_or_default()
}

// Misuse says what to do; what it has interrupted is whole.
#[test]
fn value_sent_while_it_is_looked_at_panics_with_what_to_do() {
    let (sender, receiver) = channel(1);
    let looks = receiver.borrow();
    let told = message(|| _ = sender.send(2));
    assert!(told.contains("drop what `borrow` has returned before the next await"), "{told}");
    drop(looks);
    let told = message(|| sender.send_modify(|_| drop(receiver.borrow())));
    assert!(told.contains("may use its argument only"), "{told}");
    assert!(!receiver.has_changed());
    assert_eq!(sender.send(2), Ok(()));
}

// SEM-49: the destructor of the value before may use the channel.
#[test]
fn value_replaced_is_dropped_when_the_new_one_is_there() {
    type Value = Option<OnDrop<Box<dyn FnOnce()>>>;
    let (sender, receiver) = channel::<Value>(None);
    let (theirs, seen) = (receiver.clone(), Rc::new(Cell::new(false)));
    let place = seen.clone();
    let looks: Box<dyn FnOnce()> = Box::new(move || place.set(theirs.borrow().is_none()));
    sender.send(Some(OnDrop::new(looks))).expect("there is a receiver");
    sender.send(None).expect("there is a receiver");
    assert!(seen.get());
    drop(receiver);
}

// SEM-48, SEM-50, C-99: the newest waker only, one place.
#[test]
fn waiter_polled_again_has_only_its_newest_waker_woken() {
    let (sender, mut receiver) = channel(0);
    let mut changed = receiver.changed();
    let (_, old) = poll_once(&mut changed);
    let (_, new) = poll_once(&mut changed);
    assert_eq!(sender.statistics().waiters, 1);
    sender.send(1).expect("there is a receiver");
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49, F26: clone, wake and drop of a foreign waker may each use the channel.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_channel() {
    let (sender, mut receiver) = channel(0);
    let (sender, called) = (Rc::new(sender), Rc::new(Cell::new(0)));
    let use_it = || {
        let (sender, called) = (sender.clone(), called.clone());
        let hook: Rc<dyn Fn()> = Rc::new(move || {
            called.set(called.get() + 1);
            assert!(poll(&mut sender.subscribe().changed()).is_pending());
            assert!(format!("{sender:?}").starts_with("watch::Sender { value: "));
        });
        Some(hook)
    };
    let waker = hooked(Hooks { clone: use_it(), wake: use_it(), drop: use_it() });
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &waker).is_pending());
    assert!(poll(&mut changed).is_pending(), "drops the foreign one");
    assert!(poll_with(&mut changed, &waker).is_pending());
    sender.send(1).expect("there is a receiver");
    assert_eq!(called.get(), 3);
    assert!(poll(&mut changed).is_ready());
}

// Strict: given up at any moment, the change is there to be seen.
#[lone::test(start_paused)]
async fn changed_that_is_given_up_misses_nothing() {
    let (sender, mut receiver) = channel(0);
    assert!(timeout(Duration::from_millis(1), receiver.changed()).await.is_err());
    let mut changed = receiver.changed();
    assert!(poll(&mut changed).is_pending());
    sender.send(1).expect("there is a receiver");
    drop(changed);
    assert_eq!(sender.statistics().waiters, 0);
    assert_eq!(receiver.changed().await, Ok(()));
    assert!(!receiver.has_changed());
}

// SEM-22: for what, and on which line.
#[test]
fn follower_of_a_value_that_nobody_changes_is_told_in_the_report() {
    let outcome = executor().try_block_on(async {
        let (_sender, mut receiver) = watch::channel(0);
        receiver.changed().await
    });
    let line = line!() - 2;
    let Err(RunError::Deadlock(report)) = outcome else { panic!("nobody sends") };
    let told = format!("main awaits a change of a watch at {}:{line}", file!());
    assert!(report.to_string().contains(&told), "{report}");
}

// SEM-407, SEM-408: refused before anything is seen.
#[test]
fn follower_beyond_the_budget_gives_way_and_has_seen_nothing() {
    executor().block_on(async {
        let (sender, mut receiver) = channel(0);
        while budget::remaining() != Some(0) {
            sender.send_modify(|value| *value += 1);
            receiver.changed().await.expect("there is a sender");
        }
        sender.send_modify(|value| *value += 1);
        assert!(poll(&mut receiver.changed()).is_pending());
        assert!(receiver.has_changed());
        yield_now().await;
        assert_eq!(receiver.changed().await, Ok(()));
    });
}

// How it is, with the value.
#[test]
fn debug_of_both_halves_shows_value_versions_and_who_waits() {
    let (sender, receiver) = channel('a');
    sender.send('b').expect("there is a receiver");
    assert_eq!(
        format!("{sender:?}"),
        "watch::Sender { value: 'b', version: 1, senders: 1, receivers: 1, waiters: 0 waiting }"
    );
    assert_eq!(
        format!("{receiver:?}"),
        "watch::Receiver { value: 'b', version: 1, seen: 0, senders: 1, receivers: 1, waiters: 0 waiting }"
    );
}

// Under random schedules, beside the simplest model: who has seen which version.
#[test]
fn no_change_is_missed_under_any_schedule() {
    for seed in 0..500 {
        let chance = &mut Chance::new(seed);
        let (sender, first) = channel(0);
        let mut receivers = vec![(first, 0)];
        let mut version = 0;
        for _ in 0..60 {
            let at = chance.below(receivers.len());
            match chance.below(6) {
                0 if receivers.len() < 4 => {
                    let clone = (receivers[at].0.clone(), receivers[at].1);
                    receivers.push(clone);
                }
                1 if receivers.len() > 1 => drop(receivers.swap_remove(at)),
                2 => {
                    version += 1;
                    assert_eq!(sender.send(version), Ok(()));
                }
                _ => {
                    let (receiver, seen) = &mut receivers[at];
                    let mut changed = receiver.changed();
                    let (polled, wakes) = poll_once(&mut changed);
                    assert_eq!(polled.is_ready(), *seen != version);
                    if polled.is_pending() && chance.below(2) == 0 {
                        version += 1;
                        assert_eq!(sender.send(version), Ok(()));
                        assert_eq!(wakes.wakes(), 1);
                        if chance.below(2) == 0 {
                            drop(changed);
                            continue;
                        }
                        assert!(poll(&mut changed).is_ready());
                    }
                    drop(changed);
                    *seen = version;
                    assert_eq!(*receiver.borrow(), version);
                }
            }
            let statistics = sender.statistics();
            assert_eq!((statistics.version, statistics.waiters), (version, 0));
        }
    }
}
