//! Broadcast channels: every item for each, or how many were missed; and the end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{RunError, budget, yield_now};
use lone_sync::broadcast::{self, Receiver, RecvError, SendError, TryRecvError, channel};
use lone_sync::timeout;

use crate::help::{OnDrop, executor, poll_once};
use crate::waiting::{Chance, Hooks, hooked, poll, poll_with};

// In order, from the moment on in which it was made.
#[test]
fn every_receiver_gets_every_item_that_was_sent_since_it_was_made() {
    let (sender, mut first) = channel(4);
    assert_eq!(sender.send(1), Ok(1));
    let mut second = sender.subscribe();
    let mut third = first.resubscribe();
    assert_eq!((sender.send(2), first.len(), second.len()), (Ok(3), 2, 1));
    assert_eq!((first.try_recv(), first.try_recv()), (Ok(1), Ok(2)));
    assert_eq!((second.try_recv(), third.try_recv()), (Ok(2), Ok(2)));
    for receiver in [&mut first, &mut second, &mut third] {
        assert!(receiver.is_empty());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
    let statistics = sender.statistics();
    assert_eq!((statistics.len, statistics.sent, statistics.receivers), (0, 2, 3));
}

// An item wakes all who wait; each has it.
#[test]
fn item_sent_wakes_all_who_wait() {
    let (sender, mut first) = channel(4);
    let mut second = sender.subscribe();
    let (mut one, mut two) = (first.recv(), second.recv());
    let ((_, of_one), (_, of_two)) = (poll_once(&mut one), poll_once(&mut two));
    assert_eq!(sender.statistics().waiters, 2);
    assert_eq!(sender.send('a'), Ok(2));
    assert_eq!((of_one.wakes(), of_two.wakes()), (1, 1));
    assert_eq!(poll(&mut two), Poll::Ready(Ok('a')));
    assert_eq!(poll(&mut one), Poll::Ready(Ok('a')));
}

// Told once, and then it goes on with the oldest that is there.
#[test]
fn receiver_that_is_too_slow_is_told_how_many_it_has_missed() {
    let (sender, mut slow) = channel(2);
    let mut fast = sender.subscribe();
    for item in 1..=5 {
        assert_eq!(sender.send(item), Ok(2));
        assert_eq!(fast.try_recv(), Ok(item));
    }
    assert_eq!((slow.len(), sender.statistics().len), (5, 2));
    assert_eq!(poll(&mut slow.recv()), Poll::Ready(Err(RecvError::Lagged(3))));
    assert_eq!(poll(&mut slow.recv()), Poll::Ready(Ok(4)));
    assert_eq!(slow.try_recv(), Ok(5));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(
        RecvError::Lagged(3).to_string(),
        "the receiver was too slow and has missed 3 items"
    );
}

// What is left is received first.
#[test]
fn last_sender_that_goes_ends_it_after_the_last_item() {
    let (sender, mut receiver) = channel(2);
    let other = sender.clone();
    assert_eq!(sender.send(1), Ok(1));
    drop(sender);
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Ok(1)));
    let mut waits = receiver.recv();
    let (polled, wakes) = poll_once(&mut waits);
    assert!(polled.is_pending());
    drop(other);
    assert_eq!(wakes.wakes(), 1);
    assert_eq!(poll(&mut waits), Poll::Ready(Err(RecvError::Closed)));
    drop(waits);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

// It comes back; who comes later begins with what is sent then.
#[test]
fn item_for_nobody_comes_back() {
    let (sender, receiver) = channel(2);
    drop(receiver);
    assert_eq!(sender.send(1), Err(SendError(1)));
    let mut late = sender.subscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    assert_eq!((sender.send(2), late.try_recv()), (Ok(1), Ok(2)));
}

// Misuse says what to do.
#[test]
#[should_panic(expected = "a broadcast with room for 0 items could never pass one on")]
fn broadcast_without_room_panics() {
    drop(channel::<u8>(0));
}

/// Counts its clones, and says when the last one goes.
struct Item {
    clones: Rc<Cell<usize>>,
    gone: Rc<Cell<usize>>,
    ask: Rc<dyn Fn()>,
}

impl Clone for Item {
    fn clone(&self) -> Item {
        (self.ask)();
        self.clones.set(self.clones.get() + 1);
        Item { clones: self.clones.clone(), gone: self.gone.clone(), ask: self.ask.clone() }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        (self.ask)();
        self.gone.set(self.gone.get() + 1);
    }
}

// SEM-49, F26: clones and destructors may use the channel; the last one who reads has the item itself.
#[test]
fn item_is_cloned_for_all_but_the_last_and_goes_when_nobody_wants_it() {
    let (sender, mut first) = channel::<Item>(2);
    let (mut second, third) = (sender.subscribe(), sender.subscribe());
    let (clones, gone) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let theirs = sender.clone();
    let ask: Rc<dyn Fn()> = Rc::new(move || {
        assert!(theirs.subscribe().is_empty());
        assert!(format!("{theirs:?}").starts_with("broadcast::Sender { len: "));
    });
    let item = || Item { clones: clones.clone(), gone: gone.clone(), ask: ask.clone() };
    for _ in 0..3 {
        assert!(sender.send(item()).is_ok());
    }
    assert_eq!(gone.get(), 1, "there was no room for the first one");
    assert_eq!(first.try_recv().err(), Some(TryRecvError::Lagged(1)));
    drop(first.try_recv());
    assert_eq!((clones.get(), gone.get()), (1, 2), "a clone has gone");
    assert_eq!(second.try_recv().err(), Some(TryRecvError::Lagged(1)));
    drop(third);
    assert_eq!((sender.statistics().len, gone.get()), (2, 2));
    drop(second.try_recv());
    assert_eq!((clones.get(), gone.get(), sender.statistics().len), (1, 3, 1), "it was the last");
    drop(second);
    assert_eq!(sender.statistics().len, 1);
    drop(first);
    assert_eq!((clones.get(), gone.get(), sender.statistics().len), (1, 4, 0), "unread");
}

// SEM-49: one who reads out of the clone of an item gets the next one.
#[test]
fn receiver_used_out_of_a_clone_is_at_the_next_item() {
    struct Reads(u8, Rc<RefCell<Option<Receiver<Reads>>>>, Rc<Cell<u8>>);
    impl Clone for Reads {
        fn clone(&self) -> Reads {
            if let Some(mut receiver) = self.1.take() {
                self.2.set(receiver.try_recv().map_or(0, |next| next.0));
            }
            Reads(self.0, self.1.clone(), self.2.clone())
        }
    }
    let (sender, mut receiver) = channel(4);
    let (other, seen) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(0)));
    let inner = sender.subscribe();
    for number in 1..=2 {
        assert!(sender.send(Reads(number, other.clone(), seen.clone())).is_ok());
    }
    other.replace(Some(inner));
    assert_eq!(receiver.try_recv().map(|first| first.0).ok(), Some(1));
    assert_eq!(seen.get(), 1, "the other one has a place of its own");
    assert_eq!(receiver.try_recv().map(|second| second.0).ok(), Some(2));
}

// SEM-48, SEM-50, C-99: the newest waker only, one place.
#[test]
fn waiter_polled_again_has_only_its_newest_waker_woken() {
    let (sender, mut receiver) = channel(2);
    let mut recv = receiver.recv();
    let (_, old) = poll_once(&mut recv);
    let (_, new) = poll_once(&mut recv);
    assert_eq!(sender.statistics().waiters, 1);
    sender.send(1).expect("there is a receiver");
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49, F26: sent while the waker is being cloned, it is had in the same poll.
#[test]
fn item_sent_while_the_waker_is_being_cloned_is_had_in_that_poll() {
    let (sender, mut receiver) = channel(2);
    let clone: Rc<dyn Fn()> = Rc::new(move || assert_eq!(sender.send(7), Ok(1)));
    let waker = hooked(Hooks { clone: Some(clone), ..Hooks::default() });
    assert_eq!(poll_with(&mut receiver.recv(), &waker), Poll::Ready(Ok(7)));
}

// Strict: given up at any moment, the item is there to be received.
#[lone::test(start_paused)]
async fn recv_that_is_given_up_loses_no_item() {
    let (sender, mut receiver) = channel(2);
    assert!(timeout(Duration::from_millis(1), receiver.recv()).await.is_err());
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    sender.send(7).expect("there is a receiver");
    drop(recv);
    assert_eq!((sender.statistics().waiters, receiver.recv().await), (0, Ok(7)));
}

// SEM-22: for what, and on which line.
#[test]
fn receiver_of_a_broadcast_that_nobody_sends_to_is_told_in_the_report() {
    let outcome = executor().try_block_on(async {
        let (_sender, mut receiver) = broadcast::channel::<u8>(2);
        receiver.recv().await
    });
    let line = line!() - 2;
    let Err(RunError::Deadlock(report)) = outcome else { panic!("nobody sends") };
    let told = format!("main awaits an item of a broadcast at {}:{line}", file!());
    assert!(report.to_string().contains(&told), "{report}");
}

// SEM-407, SEM-408: refused before anything is received.
#[test]
fn receiver_beyond_the_budget_gives_way_and_has_received_nothing() {
    executor().block_on(async {
        let (sender, mut receiver) = channel(2);
        while budget::remaining() != Some(0) {
            sender.send(0).expect("there is a receiver");
            receiver.recv().await.expect("it was sent");
        }
        sender.send(7).expect("there is a receiver");
        assert!(poll(&mut receiver.recv()).is_pending());
        assert_eq!(receiver.len(), 1);
        yield_now().await;
        assert_eq!(receiver.recv().await, Ok(7));
    });
}

// How it is; no item is shown.
#[test]
fn debug_of_both_halves_shows_the_state() {
    let (sender, receiver) = channel(2);
    sender.send(OnDrop::new(|| ())).expect("there is a receiver");
    let told = "broadcast::Sender { len: 1, capacity: 2, sent: 1, senders: 1, receivers: 1, waiters: 0 waiting }";
    assert_eq!(format!("{sender:?}"), told);
    assert!(format!("{receiver:?}").contains("sent: 1, next: 0, "));
}

// Under random schedules, beside a model in which each receiver has a queue of its own.
#[test]
fn every_item_is_received_or_counted_as_missed_under_any_schedule() {
    for seed in 0..2000 {
        let chance = &mut Chance::new(seed);
        let capacity = 1 + chance.below(4);
        let (sender, first) = channel(capacity);
        let mut receivers = vec![(first, VecDeque::new(), 0)];
        let mut sent = 0_u64;
        for _ in 0..80 {
            let at = chance.below(receivers.len().max(1));
            match chance.below(8) {
                0 if receivers.len() < 4 => {
                    receivers.push((sender.subscribe(), VecDeque::new(), 0))
                }
                1 if !receivers.is_empty() => drop(receivers.swap_remove(at)),
                2..5 => {
                    let outcome = sender.send(sent);
                    assert_eq!(outcome.is_ok(), !receivers.is_empty());
                    if outcome.is_err() {
                        continue;
                    }
                    for (_, queue, missed) in &mut receivers {
                        queue.push_back(sent);
                        if queue.len() > capacity {
                            queue.pop_front();
                            *missed += 1;
                        }
                    }
                    sent += 1;
                }
                _ => {
                    let Some((receiver, queue, missed)) = receivers.get_mut(at) else { continue };
                    assert_eq!(receiver.len(), queue.len() as u64 + *missed);
                    let expected = match (std::mem::take(missed), queue.front()) {
                        (0, None) => Err(TryRecvError::Empty),
                        (0, Some(_)) => Ok(queue.pop_front().expect("it is there")),
                        (missed, _) => Err(TryRecvError::Lagged(missed)),
                    };
                    assert_eq!(receiver.try_recv(), expected);
                }
            }
            let wanted = receivers.iter().map(|(_, queue, _)| queue.len()).max().unwrap_or(0);
            assert_eq!(sender.statistics().len, wanted);
        }
    }
}
