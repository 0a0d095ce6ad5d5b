//! What must hold of an event: a set reaches all who wait, and nobody else.

use std::rc::Rc;

use lone_sync::Event;

use super::{Ledger, Model, Waiting, Was};

pub(super) struct Waits {
    event: Rc<Event>,
    is_set: bool,
}

impl Model for Waits {
    const KINDS: usize = 1;
    /// Clear, set.
    const OTHERS: usize = 2;
    type Got = ();
    type Due = ();

    fn new() -> Waits {
        Waits { event: Rc::default(), is_set: false }
    }

    fn future(&mut self, _at: usize, _kind: usize) -> Option<Waiting<()>> {
        let event = self.event.clone();
        Some(Box::pin(async move { event.wait().await }))
    }

    fn arrive(&mut self, _ledger: &mut Ledger<()>, _at: usize) -> Option<()> {
        self.is_set.then_some(())
    }

    fn went_on(&mut self, _ledger: &mut Ledger<()>, _at: usize, _due: (), _got: &()) {}

    fn gone(&mut self, _ledger: &mut Ledger<()>, _at: usize, _was: Was<()>) {}

    fn other(&mut self, ledger: &mut Ledger<()>, which: usize) -> bool {
        self.is_set = which == 1;
        if self.is_set {
            self.event.set();
            ledger.grant_all(0, |_| ());
        } else {
            self.event.clear();
        }
        true
    }

    fn check(&self, ledger: &Ledger<()>) {
        let now = self.event.statistics();
        assert_eq!((now.set, now.waiters), (self.is_set, ledger.line.len()), "all are counted");
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        let mut outline = ledger.outline(|()| 0);
        outline.push(u32::from(self.is_set));
        outline
    }
}
