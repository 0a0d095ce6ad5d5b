//! How does one task hand one value to another, once? A sender that is used up, and a future.
//!
//! ```text
//!   Sender ── send ──► value ──► Receiver (a future)       sender dropped: the receiver hears of it
//!      └── closed ◄── dropped, or closed ── ┘
//! ```
//!
//! Invariants:
//! - **One value, once**: it is in one place: with the sender, in between, or with the receiver.
//! - **A value is not lost unnoticed**: `send` returns it if nobody can receive it any more.
//! - **Who waits hears of the end**: each half that goes wakes the other one.

mod error;
mod receiver;
mod sender;

use std::cell::RefCell;
use std::rc::Rc;

use lone_executor::trace;

use crate::wait_list::{Place, WaitList, assert_not_send};

pub use error::{RecvError, SendError, TryRecvError};
pub use receiver::Receiver;
pub use sender::{Closed, Sender};

/// A channel for one value: the [`Sender`] sends it, the [`Receiver`] is a future of it.
///
/// Both stay on their loop's thread, as a [`Semaphore`](crate::Semaphore) does. To have a value from
/// another thread see [`Remote::spawn`](lone_executor::Remote::spawn).
///
/// asyncio: a `Future`, with `set_result` and `await`.
///
/// # Cost
///
/// One allocation, for what both share; and one where the receiver has to wait.
///
/// # Examples
///
/// ```
/// use lone::oneshot;
///
/// lone::run(async {
///     let (sender, receiver) = oneshot::channel();
///     let task = lone::spawn(async move { receiver.await });
///     sender.send(7).expect("it is being received");
///     assert_eq!(task.await.expect("it neither panics nor is cancelled"), Ok(7));
/// });
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let object = trace::Object::new("oneshot");
    let shared = Rc::new(RefCell::new(State {
        value: None,
        has_sender: true,
        is_closed: false,
        receiver: WaitList::new(object),
        sender: WaitList::new(object),
    }));
    let receiver = Receiver { shared: shared.clone(), place: Place::new() };
    (Sender { shared }, receiver)
}

/// How it is with a oneshot channel at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OneshotStatistics {
    /// Whether the value was sent and not received yet.
    pub is_sent: bool,
    /// Whether there is a sender that has not sent yet.
    pub has_sender: bool,
    /// Whether the receiver has gone, or was closed.
    pub is_closed: bool,
}

type Shared<T> = Rc<RefCell<State<T>>>;

struct State<T> {
    value: Option<T>,
    has_sender: bool,
    /// The receiver takes no more.
    is_closed: bool,
    /// At most the receiver.
    receiver: WaitList<()>,
    /// At most the sender, in `closed`.
    sender: WaitList<()>,
}

impl<T> State<T> {
    fn statistics(&self) -> OneshotStatistics {
        OneshotStatistics {
            is_sent: self.value.is_some(),
            has_sender: self.has_sender,
            is_closed: self.is_closed,
        }
    }
}

assert_not_send!(Sender<()>, Receiver<()>, Closed<'_, ()>);
