//! Who can wait for a loop? A [`Park`]: what turns "nothing to do" into "something has happened".
//!
//! The executor knows no I/O and no clock. Its loop asks a park to wait (beats d and e), and
//! everything that the park lets happen it lets happen by waking tasks. `lone-reactor` has the one
//! that the runtime uses; [`ThreadPark`] is the smallest that works.

use std::any::Any;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::registry::LoopNumber;

/// Somebody who can wait.
pub trait Park {
    /// d, e: waits until something may have happened, at most for `limit` (`None`: no limit), and
    /// wakes the tasks that are concerned. A limit of zero looks and does not wait.
    ///
    /// # Errors
    ///
    /// What the system says about waiting; the loop gives it to its caller.
    fn park(&mut self, limit: Option<Duration>) -> io::Result<()>;

    /// Nobody is ready, and somebody waits for that: takes in what has come, as a `park` that does
    /// not wait. What is certain to come, because it is on its way within the loop, may be waited for.
    ///
    /// # Errors
    ///
    /// As [`Park::park`].
    fn settle(&mut self) -> io::Result<()> {
        self.park(Some(Duration::ZERO))
    }

    /// The loop will not run for a while: whoever waits for this park's descriptor in its place
    /// has to learn of the next deadline.
    ///
    /// # Errors
    ///
    /// What the system says about it.
    fn rest(&mut self) -> io::Result<()>;

    /// What ends a `park` from any thread.
    fn unparker(&self) -> Arc<dyn Unpark>;

    /// What `enter` returns: dropping it takes the `enter` back.
    type Entered;

    /// Makes this park the current one of its thread, for its loop is about to run. Calls nest.
    fn enter(&self, number: LoopNumber) -> Self::Entered;

    /// Whether anything that this park waits for could wake a task: a timer, a descriptor that a task
    /// waits for. If not, and nobody else can, the loop has come to a deadlock.
    fn can_wake(&self) -> bool;

    /// Frees what a handle of this park's that was dropped elsewhere has left behind.
    fn release(&mut self, what: Release);

    /// A reading of a clock, from any fixed start, by which long batches are broken up.
    /// `None`: only the number of polls shall decide, because runs have to be reproducible, or
    /// because a look would find nothing.
    fn reading(&self) -> Option<Duration>;
}

/// The part of a park that any thread may reach.
pub trait Unpark: Any + Send + Sync {
    /// Makes the current or the next `park` return soon. Calls that come before it add up to one.
    fn unpark(&self);
}

/// Which thing of a park's has lost its handle: two words whose meaning is the park's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Where it is.
    pub key: u64,
    /// Which one it is: where a key is used again, this is not.
    pub generation: u64,
}

/// A park that knows nothing but wakes from other threads: enough for tasks that wait for one
/// another, for tests, and for reading.
///
/// # Examples
///
/// ```
/// use lone_executor::{Executor, ThreadPark};
///
/// let mut executor = Executor::new(ThreadPark::new()).expect("a loop index is free");
/// assert_eq!(executor.block_on(async { 6 * 7 }), 42);
/// ```
#[derive(Debug, Default)]
pub struct ThreadPark {
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    rings: Condvar,
}

impl ThreadPark {
    /// A park of its own.
    #[must_use]
    pub fn new() -> ThreadPark {
        ThreadPark::default()
    }
}

impl Park for ThreadPark {
    fn park(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let rung = self.bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = match limit {
            None => self.bell.rings.wait_while(rung, |rung| !*rung),
            Some(limit) => self
                .bell
                .rings
                .wait_timeout_while(rung, limit, |rung| !*rung)
                .map(|(rung, _)| rung)
                .map_err(|poisoned| PoisonError::new(poisoned.into_inner().0)),
        }
        .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
        Ok(())
    }

    /// It knows no deadline, and has no descriptor.
    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn unparker(&self) -> Arc<dyn Unpark> {
        self.bell.clone()
    }

    type Entered = ();

    fn enter(&self, _number: LoopNumber) {}

    /// It waits for the inbox only, which the loop knows by itself.
    fn can_wake(&self) -> bool {
        false
    }

    fn release(&mut self, _what: Release) {}

    fn reading(&self) -> Option<Duration> {
        None
    }
}

impl Unpark for Bell {
    fn unpark(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rings.notify_one();
    }
}
