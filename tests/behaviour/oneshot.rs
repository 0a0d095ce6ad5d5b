//! Oneshot channels: one value, once, and each half hears of the end of the other.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{RunError, budget, spawn, yield_now};
use lone_sync::oneshot::{self, RecvError, SendError, TryRecvError, channel};
use lone_sync::timeout;

use crate::help::{OnDrop, executor, poll_once};
use crate::waiting::{Hooks, hooked, poll, poll_with};

// Before and after it is waited for.
#[test]
fn value_sent_early_or_late_is_received_once() {
    for early in [true, false] {
        let (sender, mut receiver) = channel();
        if early {
            sender.send(7).expect("there is a receiver");
        } else {
            let (polled, wakes) = poll_once(&mut receiver);
            assert!(polled.is_pending());
            sender.send(7).expect("there is a receiver");
            assert_eq!(wakes.wakes(), 1);
        }
        let statistics = receiver.statistics();
        assert_eq!((statistics.is_sent, statistics.has_sender), (true, false));
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(7)));
        assert_eq!(poll(&mut receiver), Poll::Ready(Err(RecvError)), "once");
    }
}

// Either way: whoever waits, and who comes later.
#[test]
fn sender_dropped_without_sending_is_an_error_for_the_receiver() {
    let (sender, mut receiver) = channel::<u8>();
    let (polled, wakes) = poll_once(&mut receiver);
    assert!(polled.is_pending());
    drop(sender);
    assert_eq!(wakes.wakes(), 1);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(poll(&mut receiver), Poll::Ready(Err(RecvError)));
}

// It is not lost.
#[test]
fn value_for_a_receiver_that_has_gone_comes_back() {
    let (sender, receiver) = channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed() && sender.statistics().is_closed);
    assert_eq!(sender.send("kept"), Err(SendError("kept")));
}

// SEM-49: it may use the channel, for no borrow is held.
#[test]
fn value_never_received_goes_with_its_receiver() {
    let gone = Rc::new(Cell::new(false));
    let (sender, receiver) = channel();
    let seen = gone.clone();
    sender.send(OnDrop::new(move || seen.set(true))).expect("there is a receiver");
    assert!(!gone.get());
    drop(receiver);
    assert!(gone.get());
}

// What was sent before is still there.
#[test]
fn receiver_closed_takes_what_was_sent_and_nothing_later() {
    let (sender, mut receiver) = channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).expect("there is a receiver");
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    let (sender, mut receiver) = channel();
    receiver.close();
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(poll(&mut receiver), Poll::Ready(Err(RecvError)));
}

// The sender need not work for nobody.
#[test]
fn closed_waits_for_the_receiver_to_go_or_to_be_closed() {
    for drops in [true, false] {
        let (mut sender, mut receiver) = channel::<u8>();
        let mut closed = sender.closed();
        let (_, old) = poll_once(&mut closed);
        let (polled, wakes) = poll_once(&mut closed);
        assert!(polled.is_pending());
        if drops {
            drop(receiver);
        } else {
            receiver.close();
        }
        assert_eq!((old.wakes(), wakes.wakes()), (0, 1));
        drop(closed);
        assert!(poll(&mut sender.closed()).is_ready(), "dropped, it has lost nothing");
    }
}

// SEM-416: a receiver that is only borrowed loses nothing to a timeout.
#[lone::test(start_paused)]
async fn receiver_awaited_by_reference_can_be_awaited_again() {
    let (sender, mut receiver) = channel();
    assert!(timeout(Duration::from_millis(3), &mut receiver).await.is_err());
    let task = spawn(async move {
        lone::sleep(Duration::from_millis(1)).await;
        sender.send(7)
    });
    assert_eq!(timeout(Duration::from_millis(3), &mut receiver).await, Ok(Ok(7)));
    assert_eq!(task.await.expect("it ends well"), Ok(()));
}

// Unpolled, waiting, polled again, and with the value there: a sender gets it back or knows it received.
#[test]
fn receiver_dropped_at_any_suspension_is_noticed_by_the_sender() {
    for polls in 0..3 {
        let (sender, mut receiver) = channel();
        for _ in 0..polls {
            assert!(poll(&mut receiver).is_pending());
        }
        drop(receiver);
        assert_eq!(sender.send(1), Err(SendError(1)), "after {polls} polls");
    }
}

// SEM-48, SEM-50, C-99: the newest waker only.
#[test]
fn receiver_polled_with_another_waker_has_only_the_newest_woken() {
    let (sender, mut receiver) = channel();
    let (_, old) = poll_once(&mut receiver);
    let (_, new) = poll_once(&mut receiver);
    sender.send(1).expect("there is a receiver");
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49, F26: sent while the waker is being cloned, it is had in the same poll.
#[test]
fn value_sent_while_the_waker_is_being_cloned_is_had_in_that_poll() {
    let (sender, mut receiver) = channel();
    let sender = Cell::new(Some(sender));
    let clone: Rc<dyn Fn()> = Rc::new(move || {
        sender.take().expect("once").send(7).expect("there is a receiver");
    });
    let waker = hooked(Hooks { clone: Some(clone), ..Hooks::default() });
    assert_eq!(poll_with(&mut receiver, &waker), Poll::Ready(Ok(7)));
}

// SEM-22: for what, and where the channel was made.
#[test]
fn receiver_whose_sender_is_kept_and_never_sends_is_told_in_the_report() {
    let outcome = executor().try_block_on(async {
        let (_sender, receiver) = oneshot::channel::<u8>();
        receiver.await
    });
    let line = line!() - 3;
    let Err(RunError::Deadlock(report)) = outcome else { panic!("nobody sends") };
    let told = format!("main awaits a value from a oneshot at {}:{line}", file!());
    assert!(report.to_string().contains(&told), "{report}");
}

// SEM-408: refused before any effect.
#[test]
fn receiver_beyond_the_budget_keeps_its_value() {
    executor().block_on(async {
        while budget::remaining() != Some(0) {
            let (sender, receiver) = channel();
            sender.send(()).expect("there is a receiver");
            receiver.await.expect("it was sent");
        }
        let (sender, mut receiver) = channel();
        sender.send(7).expect("there is a receiver");
        assert!(poll(&mut receiver).is_pending());
        yield_now().await;
        assert_eq!(receiver.await, Ok(7));
    });
}

// How it is, and that no value is shown.
#[test]
fn debug_of_both_halves_shows_the_state() {
    let (sender, receiver) = channel::<u8>();
    assert_eq!(format!("{sender:?}"), "oneshot::Sender { is_closed: false, receiver: 0 waiting }");
    sender.send(1).expect("there is a receiver");
    let told = "oneshot::Receiver { is_sent: true, has_sender: false, is_closed: false }";
    assert_eq!(format!("{receiver:?}"), told);
    assert_eq!(format!("{:?}", SendError(7)), "SendError(..)");
}
