//! What does the loop do when nobody is ready? It asks who could still wake somebody, and judges.
//!
//! | who is left | what comes |
//! |---|---|
//! | nobody | a deadlock, as soon as everybody was asked |
//! | only clones of wakers in the hands of code that is not lone's | a stall, after a while (see `stall`) |
//! | a timer, a task that waits for a descriptor, a `Remote`, a job on a thread | the loop parks |
//!
//! Invariant: **judged after the last user code**. Asking polls everybody, and may change who is left;
//! so a verdict is given only if it still holds then.

use std::io;
use std::task::Context;
use std::time::Duration;

use log::Level;

use super::Executor;
use crate::budget::Budget;
use crate::core::Asked;
use crate::deadlock::Deadlock;
use crate::debug;
use crate::everybody::Everybody;
use crate::num::Num;
use crate::park::Park;
use crate::report;
use crate::run_error::RunError;
use crate::schedule::Schedule;
use crate::snapshot::Snapshot;
use crate::stall::{OnStall, Stalled};

/// Who could still wake somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// Nobody: that is certain.
    Nobody,
    /// Only code that is not lone's, which holds clones of wakers.
    Clones,
    Somebody,
}

/// Main, as whoever asks and judges needs it.
pub(super) struct Main<'a> {
    pub(super) num: Option<Num>,
    pub(super) poll: &'a mut dyn FnMut(&mut Context<'_>) -> bool,
}

impl<P: Park> Executor<P> {
    /// Who could still wake somebody. Nobody is ready, and the inbox has been drained; what nobody has
    /// counted lives on this thread, which is here.
    pub(super) fn hope(&self) -> Hope {
        if self.park.can_wake() {
            return Hope::Somebody;
        }
        if let Some(Schedule::Chosen { .. }) = self.schedule {
            // Whoever holds a clone or a `Remote` lives on this thread too, and waits; a job does not.
            let inbox = &self.core.inbox;
            let somebody = inbox.has_jobs() || inbox.is_pending();
            return if somebody { Hope::Somebody } else { Hope::Nobody };
        }
        if !self.core.inbox.is_deserted() {
            Hope::Somebody
        } else if self.core.slots.borrow().are_clones_held() {
            Hope::Clones
        } else {
            Hope::Nobody
        }
    }

    /// Nobody can wake anybody: asks everybody what they wait for, and gives the verdict. Returns
    /// whether main has ended.
    #[cold]
    pub(super) fn judge(&mut self, budget: Budget, main: Main<'_>) -> Result<bool, RunError> {
        match self.ask(budget, main, Hope::Nobody)? {
            Verdict::MainHasEnded => Ok(true),
            Verdict::ItGoesOn => Ok(false),
            Verdict::AsBefore(everybody) => {
                Err(RunError::Deadlock(Box::new(Deadlock::new(everybody))))
            }
        }
    }

    /// Asks everybody, in a loop whose only hope is this one.
    fn ask(&mut self, budget: Budget, main: Main<'_>, hope: Hope) -> io::Result<Verdict> {
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
        if self.core.slots.borrow().ready() > 0 || self.hope() != hope {
            return Ok(Verdict::ItGoesOn);
        }
        Ok(Verdict::AsBefore(everybody))
    }

    /// Only clones of wakers are left: waits for their holders, and says so where they let it wait for
    /// too long. `polled`: how many were polled in this turn. Returns whether main has ended.
    #[cold]
    pub(super) fn wait_for_clones(
        &mut self,
        polled: usize,
        budget: Budget,
        main: Main<'_>,
    ) -> Result<bool, RunError> {
        let Some(after) = self.settings.on_stall.after() else {
            self.look(None)?;
            return Ok(false);
        };
        let left = self.quiet.left(self.core.turns(), polled, after);
        if left > Duration::ZERO {
            self.look(Some(left))?;
            return Ok(false);
        }
        let held = self.core.slots.borrow().held();
        if self.quiet.was_said(&held) {
            self.look(None)?;
            return Ok(false);
        }
        match self.ask(budget, main, Hope::Clones)? {
            Verdict::MainHasEnded => Ok(true),
            Verdict::ItGoesOn => Ok(false),
            Verdict::AsBefore(everybody) => self.stalled(everybody, after).map(|()| false),
        }
    }

    /// A stall is certain now: nobody has used a waker for so long.
    fn stalled(&mut self, everybody: Everybody, after: Duration) -> Result<(), RunError> {
        let slots = self.core.slots.borrow();
        let held = slots.held();
        let tasks = held.iter().map(|root| slots.task_id(*root)).collect();
        drop(slots);
        let stalled = Stalled::new(everybody, tasks, after);
        if matches!(self.settings.on_stall, OnStall::Fail { .. }) {
            return Err(RunError::Stalled(Box::new(stalled)));
        }
        self.quiet.is_said(held);
        report::say(Level::Warn, "lone::executor", &stalled.to_string());
        Ok(())
    }

    // ----- what somebody wants to know ---------------------------------------------------------

    /// The end of a batch, where somebody wants a snapshot, or in debug mode. Returns whether main has
    /// ended.
    #[cold]
    pub(super) fn attend(&mut self, budget: Budget, main: Main<'_>) -> bool {
        let core = self.core.clone();
        core.attention.set(core.debug.is_some());
        if let Some(debug) = &core.debug {
            core.say_what_is_overdue(debug);
            debug.end_turn();
        }
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
                    request.answer(Snapshot::new(everybody.clone(), self.core.turns()));
                }
                false
            }
        }
    }

    /// Debug mode, and the loop is about to shut down: says who is left, and what they await.
    #[cold]
    pub(super) fn say_who_is_left(&self) {
        let budget = Budget::full(self.settings.budget);
        let asked = self.core.ask_everybody(budget, None, &mut |_| false);
        let Asked::Everybody { everybody, .. } = asked else { return };
        for left in everybody.list() {
            debug::say(&everybody.describe_left(left));
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
