//! What must hold of a rate limiter: time brings tokens, and only the first in line takes any.

use std::rc::Rc;
use std::time::Duration;

use lone_sync::RateLimiter;

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

const BURST: u32 = 2;

/// What somebody may go on for.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// To take tokens as a newcomer.
    Now,
    /// To be the first in line.
    Lead,
    /// To take tokens as the first in line.
    Tokens,
}

/// A future of kind n wants n + 1 tokens.
pub(super) struct Tokens {
    limiter: Rc<RateLimiter>,
    level: u32,
    is_led: bool,
}

impl Tokens {
    fn pass_on(&mut self, ledger: &mut Ledger<Due>) {
        let first = ledger.line.first().copied();
        self.is_led = first.is_some();
        if let Some(first) = first {
            ledger.grant(first, Due::Lead);
        }
    }

    fn has(&self, ledger: &Ledger<Due>, at: usize) -> bool {
        self.level > number(ledger.kinds[at])
    }
}

impl Model for Tokens {
    const KINDS: usize = 2;
    const OTHERS: usize = 0;
    const CLOCK: bool = true;
    type Got = ();
    type Due = Due;

    fn new() -> Tokens {
        let limiter = RateLimiter::new(1, Duration::from_millis(1)).burst(BURST);
        Tokens { limiter: Rc::new(limiter), level: BURST, is_led: false }
    }

    fn future(&mut self, _at: usize, kind: usize) -> Option<Waiting<()>> {
        let limiter = self.limiter.clone();
        Some(Box::pin(async move { limiter.acquire_many(number(kind) + 1).await }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<Due>, at: usize) -> Option<Due> {
        if self.is_led {
            return None;
        }
        let has = self.has(ledger, at);
        self.is_led = !has;
        Some(if has { Due::Now } else { Due::Lead })
    }

    fn rests(&self, ledger: &Ledger<Due>, at: usize, _due: &Due) -> bool {
        !self.has(ledger, at)
    }

    fn time(&mut self, ledger: &mut Ledger<Due>) {
        self.level = BURST.min(self.level + 1);
        if let Some(leader) = ledger.resting.first().copied()
            && self.has(ledger, leader)
        {
            ledger.grant(leader, Due::Tokens);
        }
    }

    fn went_on(&mut self, ledger: &mut Ledger<Due>, at: usize, due: Due, _got: &()) {
        self.level -= number(ledger.kinds[at]) + 1;
        if !matches!(due, Due::Now) {
            self.pass_on(ledger);
        }
    }

    fn gone(&mut self, ledger: &mut Ledger<Due>, _at: usize, was: Was<Due>) {
        if !matches!(was, Was::Waiting) {
            self.pass_on(ledger);
        }
    }

    fn other(&mut self, _ledger: &mut Ledger<Due>, _which: usize) -> bool {
        false
    }

    fn check(&self, ledger: &Ledger<Due>) {
        let lead = ledger.resting.len() + ledger.granted.len();
        assert_eq!(lead, usize::from(self.is_led), "not one is first");
        assert_eq!(self.limiter.waiters(), lead + ledger.line.len(), "not all are counted");
        assert!(self.is_led || ledger.line.is_empty(), "nobody is first of those who wait");
    }

    fn outline(&self, ledger: &Ledger<Due>) -> Vec<u32> {
        let mut outline = ledger.outline(|_| 0);
        outline.push(self.level);
        outline
    }

    fn end(self) {
        assert_eq!(self.limiter.waiters(), 0, "something was left behind");
    }
}
