//! How does each of many get every item? All read the same ring, each at its own place.
//!
//! ```text
//!                oldest                    newest
//!   ring:     … [ 7 ][ 8 ][ 9 ][10 ][11 ]           room for `capacity`, numbered for good
//!   Receiver at 5 ▲    ▲         ▲        ▲ at 12: waits
//!   has lagged: 2      │ at 8    │ at 10
//!   are lost to it     └─────────┴─ an item that all have read goes at once
//! ```
//!
//! Invariants:
//! - **Sending never waits**: where the ring is full the oldest item goes.
//! - **Every item or the number of those missed**: a receiver that was too slow is told how many.
//! - **In order, once each**: a receiver has a place of its own, and moves by what it was given.
//! - **An item stays no longer than it is wanted**: each counts those who have still to read it.
//! - **No user code under a borrow**: items are shared in the ring, so that they are cloned and dropped
//!   outside of it.
//!
//! | file | question it answers |
//! |---|---|
//! | `ring` | which items are there, and who has still to read them? |
//! | `sender`, `receiver` | what do the two halves make of that? |
//! | `error` | why not? |

mod error;
mod receiver;
mod ring;
mod sender;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use lone_executor::trace;

use crate::wait_list::{WaitList, assert_not_send};
use ring::Ring;

pub use error::{RecvError, SendError, TryRecvError};
pub use receiver::{Receiver, Recv};
pub use sender::Sender;

/// A channel whose every item reaches every [`Receiver`]; it keeps the last `capacity` of them.
///
/// A receiver gets what was sent after it was made. Both halves stay on their loop's thread, as a
/// [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: none; a `Queue` for each consumer.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Fairness
///
/// An item wakes all who wait, in the order of their first polls.
///
/// # Cost
///
/// One allocation for the channel, one for each item that is sent. The last one who reads an item gets
/// it itself, the others a clone.
///
/// # Examples
///
/// ```
/// use lone::broadcast;
///
/// lone::run(async {
///     let (sender, mut first) = broadcast::channel(16);
///     let mut second = sender.subscribe();
///     sender.send("hello").expect("somebody receives it");
///     drop(sender);
///     assert_eq!(first.recv().await, Ok("hello"));
///     assert_eq!(second.recv().await, Ok("hello"));
///     assert_eq!(first.recv().await, Err(broadcast::RecvError::Closed));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "a broadcast with room for 0 items could never pass one on: say how far its slowest \
         receiver may be behind, or use `watch::channel` for the last value only"
    );
    let shared = Rc::new(RefCell::new(State {
        ring: Ring::new(capacity),
        senders: 1,
        receivers: 1,
        waiters: WaitList::new(trace::Object::new("broadcast")),
    }));
    let receiver = Receiver { shared: shared.clone(), next: 0 };
    (Sender { shared }, receiver)
}

/// How it is with a broadcast channel at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastStatistics {
    /// How many items are kept, because somebody has still to read them.
    pub len: usize,
    /// How many are kept at most.
    pub capacity: usize,
    /// How many were sent in all.
    pub sent: u64,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many receivers wait for an item.
    pub waiters: usize,
}

type Shared<T> = Rc<RefCell<State<T>>>;

struct State<T> {
    ring: Ring<T>,
    senders: usize,
    receivers: usize,
    waiters: WaitList<()>,
}

impl<T> State<T> {
    fn statistics(&self) -> BroadcastStatistics {
        BroadcastStatistics {
            len: self.ring.len(),
            capacity: self.ring.capacity(),
            sent: self.ring.end(),
            senders: self.senders,
            receivers: self.receivers,
            waiters: self.waiters.len(),
        }
    }

    fn debug(&self, name: &str, next: Option<u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut half = f.debug_struct(name);
        half.field("len", &self.ring.len())
            .field("capacity", &self.ring.capacity())
            .field("sent", &self.ring.end());
        if let Some(next) = next {
            half.field("next", &next);
        }
        half.field("senders", &self.senders)
            .field("receivers", &self.receivers)
            .field("waiters", &self.waiters)
            .finish()
    }
}

assert_not_send!(Sender<()>, Receiver<()>, Recv<'_, ()>);
