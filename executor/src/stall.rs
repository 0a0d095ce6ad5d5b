//! What if only code that is not lone's could still wake somebody? Then no verdict is certain.
//!
//! ```text
//!   nobody is ready, no timer, no I/O, no Remote
//!        │
//!        ├─ no clone of a waker is held ──► a deadlock: certain, at once
//!        └─ some are ──► park, for `after` at most ──► nothing has happened ──► ask everybody
//!                          ▲                                                        │
//!                          └──── no limit any more, until others are concerned ◄── warn, or fail
//! ```
//!
//! Invariants:
//! - **Real time**: a virtual clock stands still while it is waited.
//! - **Quiet only**: whoever is polled meanwhile has the time begin anew.
//! - **Once per change**: the same wakers are warned of once.
//!
//! Cost: nothing for whoever has a timer, I/O or a `Remote`; else a reading of the clock at a park in
//! which clones are all that is left.

use std::fmt;
use std::time::{Duration, Instant};

use crate::everybody::{Everybody, Waiting};
use crate::num::Num;
use crate::task_id::TaskId;

/// What to do when only wakers in the hands of code that is not lone's are left to wake anybody, and
/// none of them is used.
///
/// Such a waker may be on a thread that will still use it, or lie forgotten in the very task that it
/// would wake, as it does in every `FuturesUnordered`. So it is not certain that the loop waits in
/// vain, as it is for a [`Deadlock`](crate::Deadlock). Time counts in real time, also on a virtual
/// clock, and begins anew whenever anybody is polled.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use lone::{OnStall, RunError};
///
/// let ran = lone::Builder::new()
///     .on_stall(OnStall::Fail { after: Duration::from_millis(1) })
///     .try_run(std::future::poll_fn(|cx| {
///         std::mem::forget(cx.waker().clone()); // nobody will ever use it, but who knows that?
///         std::task::Poll::<()>::Pending
///     }));
/// let Err(RunError::Stalled(report)) = ran else { panic!("it has stalled") };
/// assert_eq!(report.held(), [None], "a waker of main's");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStall {
    /// Say it at level warn, once per change of whose wakers are held, and go on waiting.
    Warn {
        /// How long nothing may happen.
        after: Duration,
    },
    /// End the run with [`RunError::Stalled`](crate::RunError::Stalled).
    Fail {
        /// How long nothing may happen.
        after: Duration,
    },
    /// Wait in silence.
    Ignore,
}

impl OnStall {
    /// How long nothing may happen. `None`: for ever.
    pub(crate) fn after(self) -> Option<Duration> {
        match self {
            OnStall::Warn { after } | OnStall::Fail { after } => Some(after),
            OnStall::Ignore => None,
        }
    }
}

/// A warning after one second.
impl Default for OnStall {
    fn default() -> OnStall {
        OnStall::Warn { after: Duration::from_secs(1) }
    }
}

/// Everybody who waits in a loop that only code which is not lone's could wake, and has not for a
/// while.
///
/// See [`OnStall`] for what that means, and for an example.
#[derive(Clone, Debug)]
pub struct Stalled {
    everybody: Everybody,
    held: Vec<Option<TaskId>>,
    after: Duration,
}

impl Stalled {
    pub(crate) fn new(
        everybody: Everybody,
        mut held: Vec<Option<TaskId>>,
        after: Duration,
    ) -> Stalled {
        held.sort_unstable();
        Stalled { everybody, held, after }
    }

    /// Main, if it waits, and then the tasks in the order of their numbers.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        self.everybody.list()
    }

    /// Whose wakers code that is not lone's holds; `None`: main's.
    #[must_use]
    pub fn held(&self) -> &[Option<TaskId>] {
        &self.held
    }

    /// The first cycle of those who await one another, if there is one.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<&Waiting>> {
        self.everybody.cycle()
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.held.iter().map(|who| self.everybody.name(*who)).collect();
        let names = if names.is_empty() { "somebody".to_owned() } else { names.join(", ") };
        write!(
            f,
            "stalled: everybody waits, and only code that is not lone's can wake anybody: it holds \
             wakers of {names}, and has used none for {:?}",
            self.after
        )?;
        self.everybody.write_all(f)
    }
}

/// For how long clones have been the only hope, and who was warned of.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    since: Option<Instant>,
    /// The last turn in which that was so.
    turn: u64,
    /// Whose wakers were held when it was last said. A number is never used again.
    said: Option<Vec<Num>>,
}

impl Quiet {
    /// In this turn clones are the only hope, and `polled` so many were polled in it. Returns how long
    /// may still be waited before it is said; zero: say it now.
    pub(crate) fn left(&mut self, turn: u64, polled: usize, after: Duration) -> Duration {
        let goes_on = polled == 0 && self.turn + 1 == turn;
        self.turn = turn;
        match self.since {
            Some(since) if goes_on => after.saturating_sub(since.elapsed()),
            _ => {
                self.since = Some(Instant::now());
                after
            }
        }
    }

    /// Whether it was said of these already.
    pub(crate) fn was_said(&self, held: &[Num]) -> bool {
        self.said.as_deref() == Some(held)
    }

    pub(crate) fn is_said(&mut self, held: Vec<Num>) {
        self.said = Some(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(3600);

    // SEM-22: the time goes on while nobody is polled, and begins anew when somebody is.
    #[test]
    fn time_goes_on_from_turn_to_turn_until_somebody_is_polled() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.left(7, 1, AFTER), AFTER, "it begins");
        std::thread::sleep(Duration::from_nanos(1));
        let left = quiet.left(8, 0, AFTER);
        assert!(left < AFTER, "a wake that nobody was polled for");
        assert!(quiet.left(9, 0, AFTER) <= left);
        assert_eq!(quiet.left(10, 2, AFTER), AFTER, "somebody was polled");
        assert!(quiet.left(11, 0, AFTER) < AFTER);
        assert_eq!(quiet.left(13, 0, AFTER), AFTER, "in turn 12 there was another hope");
        assert_eq!(quiet.left(14, 0, Duration::ZERO), Duration::ZERO, "it is over");
    }

    // SEM-22: said of the same ones once, also of nobody that is known.
    #[test]
    fn same_wakers_are_said_once() {
        let (one, other) = (Num::new(1, 2, 3), Num::new(1, 2, 4));
        let mut quiet = Quiet::default();
        assert!(!quiet.was_said(&[]));
        quiet.is_said(vec![one]);
        assert!(quiet.was_said(&[one]) && !quiet.was_said(&[other]) && !quiet.was_said(&[]));
        quiet.is_said(vec![one, other]);
        assert!(!quiet.was_said(&[one]));
    }
}
