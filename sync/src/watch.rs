//! How do many follow a value that changes? Each sees the last one, and waits for the next.
//!
//! ```text
//!   Sender ── send ──► value, version 7 ──► Receiver: has seen 5? changed: look at it, 7 is seen
//!                            └────────────► Receiver: has seen 7? wait
//! ```
//!
//! Invariants:
//! - **The last one only**: what was not looked at is replaced. Who must not miss any wants `broadcast`.
//! - **No change is missed**: a receiver compares versions, so it is no matter when it was sent.
//! - **Who waits hears of the end**: with the last sender the receivers, with the last receiver the
//!   senders.
//!
//! | file | question it answers |
//! |---|---|
//! | `sender` | how is the value changed, and who is told? |
//! | `receiver` | how is a change waited for? |

mod receiver;
mod sender;

use std::cell::{Ref, RefCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use lone_executor::trace;

use crate::wait_list::{WaitList, assert_not_send};

pub use receiver::{Changed, Receiver};
pub use sender::{Closed, Sender};

/// A value that a [`Sender`] changes and [`Receiver`]s follow; both can be cloned.
///
/// The receiver has seen `value`: its first [`changed`](Receiver::changed) waits for another one.
///
/// Both stay on their loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: none; an `Event` and a variable, with care.
///
/// # Fairness
///
/// A change wakes all who wait, in the order of their first polls.
///
/// # Cost
///
/// One allocation, for what all share. A change with n waiters: n wakes, and no allocation.
///
/// # Examples
///
/// ```
/// use lone::watch;
///
/// lone::run(async {
///     let (sender, mut receiver) = watch::channel("starting");
///     let follower = lone::spawn(async move {
///         let mut seen = Vec::new();
///         while receiver.changed().await.is_ok() {
///             seen.push(*receiver.borrow());
///         }
///         seen
///     });
///     lone::yield_now().await;
///     sender.send("almost").expect("somebody follows it");
///     sender.send("running").expect("somebody follows it"); // the one before was not looked at
///     drop(sender);
///     assert_eq!(follower.await.expect("it neither panics nor is cancelled"), ["running"]);
/// });
/// ```
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let object = trace::Object::new("watch");
    let state = State {
        version: 0,
        senders: 1,
        receivers: 1,
        changed: WaitList::new(object),
        closed: WaitList::new(object),
    };
    let shared = Rc::new(Shared { value: RefCell::new(value), state: RefCell::new(state) });
    let receiver = Receiver { shared: shared.clone(), seen: 0 };
    (Sender { shared }, receiver)
}

/// How it is with a watch channel at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchStatistics {
    /// How often the value was changed.
    pub version: u64,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many receivers wait for a change.
    pub waiters: usize,
}

struct Shared<T> {
    /// Borrowed by users, not by us while anything of theirs runs but what they have given us.
    value: RefCell<T>,
    state: RefCell<State>,
}

struct State {
    version: u64,
    senders: usize,
    receivers: usize,
    /// Receivers that wait for another version, or for the end.
    changed: WaitList<()>,
    /// Senders that wait for the last receiver to go.
    closed: WaitList<()>,
}

impl<T> Shared<T> {
    fn borrow(&self) -> Ref<'_, T> {
        self.value.try_borrow().unwrap_or_else(|_| {
            panic!(
                "the value of a watch was looked at while it was being changed: what is given to \
                 `send_modify` may use its argument only"
            )
        })
    }

    fn statistics(&self) -> WatchStatistics {
        let State { version, senders, receivers, changed, .. } = &*self.state.borrow();
        WatchStatistics {
            version: *version,
            senders: *senders,
            receivers: *receivers,
            waiters: changed.len(),
        }
    }

    fn debug(&self, name: &str, seen: Option<u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result
    where
        T: fmt::Debug,
    {
        // The value is printed while nothing of ours but itself is borrowed.
        let statistics = self.statistics();
        let waiters = format!("{:?}", self.state.borrow().changed);
        let mut half = f.debug_struct(name);
        match self.value.try_borrow() {
            Ok(value) => half.field("value", &*value),
            Err(_) => half.field("value", &format_args!("<being changed>")),
        };
        half.field("version", &statistics.version);
        if let Some(seen) = seen {
            half.field("seen", &seen);
        }
        half.field("senders", &statistics.senders)
            .field("receivers", &statistics.receivers)
            .field("waiters", &format_args!("{waiters}"))
            .finish()
    }
}

/// Nobody follows the value any more: here is the new one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all receivers have gone")
    }
}

impl<T> Error for SendError<T> {}

/// The value will not change any more: all senders have gone, and the last one was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedError;

impl fmt::Display for ChangedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all senders have gone, so the value will not change any more")
    }
}

impl Error for ChangedError {}

assert_not_send!(Sender<()>, Receiver<()>, Changed<'_, ()>, Closed<'_, ()>);
