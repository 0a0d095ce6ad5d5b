//! What does the loop do when nobody can be woken, or when somebody wants to know? It asks everybody.
//!
//! Invariant: **judged after the last user code**. Asking polls everybody, and may change who is left;
//! so a verdict is given only if it still holds then.

use std::io;
use std::task::Context;

use super::Executor;
use crate::budget::Budget;
use crate::core::Asked;
use crate::deadlock::Deadlock;
use crate::everybody::Everybody;
use crate::num::Num;
use crate::park::Park;
use crate::run_error::RunError;
use crate::schedule::Schedule;
use crate::snapshot::Snapshot;

/// Main, as whoever asks and judges needs it.
pub(super) struct Main<'a> {
    pub(super) num: Option<Num>,
    pub(super) poll: &'a mut dyn FnMut(&mut Context<'_>) -> bool,
}

impl<P: Park> Executor<P> {
    /// Whether it is certain that nobody can wake anybody. Nobody is ready, and the inbox has been
    /// drained; what nobody has counted lives on this thread, which is here.
    pub(super) fn nobody_can_wake(&self) -> bool {
        if self.park.can_wake() {
            return false;
        }
        match self.schedule {
            // Whoever holds a clone or a `Remote` lives on this thread too, and waits.
            Some(Schedule::Chosen { .. }) => !self.core.inbox.is_pending(),
            _ => !self.core.slots.borrow().are_clones_held() && self.core.inbox.is_deserted(),
        }
    }

    /// Nobody can wake anybody: asks everybody what they wait for, and gives the verdict. Returns
    /// whether main has ended.
    #[cold]
    pub(super) fn judge(&mut self, budget: Budget, main: Main<'_>) -> Result<bool, RunError> {
        match self.ask(budget, main)? {
            Verdict::MainHasEnded => Ok(true),
            Verdict::ItGoesOn => Ok(false),
            Verdict::AsBefore(everybody) => {
                Err(RunError::Deadlock(Box::new(Deadlock::new(everybody))))
            }
        }
    }

    /// Asks everybody, in a loop in which nobody can wake anybody.
    fn ask(&mut self, budget: Budget, main: Main<'_>) -> io::Result<Verdict> {
        let asked = self.core.ask_everybody(budget, main.num, main.poll);
        if let (
            Some(schedule),
            Asked::MainHasEnded | Asked::Everybody { somebody_goes_on: true, .. },
        ) = (&mut self.schedule, &asked)
        {
            schedule.lost_wake()?;
        }
        let everybody = match asked {
            Asked::MainHasEnded => return Ok(Verdict::MainHasEnded),
            Asked::Everybody { somebody_goes_on: true, .. } => return Ok(Verdict::ItGoesOn),
            Asked::Everybody { everybody, .. } => everybody,
        };
        // Asking has run user code: what was certain has to be so still. A waker that it has cloned
        // and dropped elsewhere would else be asked about again and again.
        self.drain();
        if self.core.slots.borrow().ready() > 0 || !self.nobody_can_wake() {
            return Ok(Verdict::ItGoesOn);
        }
        Ok(Verdict::AsBefore(everybody))
    }

    // ----- what somebody wants to know ---------------------------------------------------------

    /// The end of a batch, where somebody wants a snapshot. Returns whether main has ended.
    #[cold]
    pub(super) fn attend(&mut self, budget: Budget, main: Main<'_>) -> bool {
        let core = self.core.clone();
        core.attention.set(false);
        let requests = core.requests.take();
        if requests.is_empty() {
            return false;
        }
        match core.ask_everybody(budget, main.num, main.poll) {
            Asked::MainHasEnded => {
                core.requests.put_back(requests);
                core.attention.set(true);
                true
            }
            Asked::Everybody { everybody, .. } => {
                for request in requests {
                    request.answer(Snapshot::new(everybody.clone(), self.turns));
                }
                false
            }
        }
    }
}

/// What has come of asking.
enum Verdict {
    MainHasEnded,
    /// Somebody is ready, or somebody else can wake him.
    ItGoesOn,
    /// Nothing has changed: this is who waits for what.
    AsBefore(Everybody),
}
