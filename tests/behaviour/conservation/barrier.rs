//! What must hold of a barrier: so many living ones trip it, in their order, and rounds do not mix.

use std::rc::Rc;

use lone_sync::{Barrier, BarrierWaitResult, BrokenBarrier};

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

/// As which one it came, and whether it was the last. `None`: the barrier was broken.
type Due = Option<(usize, bool)>;

pub(super) struct Rounds<const PARTIES: usize> {
    barrier: Rc<Barrier>,
    is_broken: bool,
    trips: u64,
}

impl<const PARTIES: usize> Model for Rounds<PARTIES> {
    const KINDS: usize = 1;
    /// Reset, abort.
    const OTHERS: usize = 2;
    type Got = Result<BarrierWaitResult, BrokenBarrier>;
    type Due = Due;

    fn new() -> Rounds<PARTIES> {
        Rounds { barrier: Rc::new(Barrier::new(PARTIES)), is_broken: false, trips: 0 }
    }

    fn future(&mut self, _at: usize, _kind: usize) -> Option<Waiting<Self::Got>> {
        let barrier = self.barrier.clone();
        Some(Box::pin(async move { barrier.wait().await }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<Due>, _at: usize) -> Option<Due> {
        let before = ledger.line.len();
        if self.is_broken {
            return Some(None);
        }
        if before + 1 < PARTIES {
            return None;
        }
        self.trips += 1;
        ledger.grant_all(0, |index| Some((index, false)));
        Some(Some((before, true)))
    }

    fn went_on(&mut self, _ledger: &mut Ledger<Due>, _at: usize, due: Due, got: &Self::Got) {
        let got = got.as_ref().ok().map(|got| (got.index(), got.is_leader()));
        assert_eq!(got, due, "not its number in its round");
    }

    fn gone(&mut self, _ledger: &mut Ledger<Due>, _at: usize, _was: Was<Due>) {}

    fn other(&mut self, ledger: &mut Ledger<Due>, which: usize) -> bool {
        self.is_broken = which == 1;
        if self.is_broken {
            self.barrier.abort();
        } else {
            self.barrier.reset();
        }
        ledger.grant_all(0, |_| None);
        true
    }

    fn check(&self, ledger: &Ledger<Due>) {
        let now = self.barrier.statistics();
        assert_eq!(now.waiters, ledger.line.len(), "not the living are counted");
        assert_eq!(now.unclaimed, ledger.granted.len(), "not all who were let go are counted");
        assert_eq!(now.trips, self.trips);
        assert_eq!(self.barrier.is_broken(), self.is_broken);
    }

    fn outline(&self, ledger: &Ledger<Due>) -> Vec<u32> {
        let mut outline = ledger.outline(|due| due.map_or(0, |(index, _)| number(index) + 1));
        outline.push(u32::from(self.is_broken));
        outline
    }
}
