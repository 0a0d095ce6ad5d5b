//! What must hold of permits, and of a lock, which is one permit.

use std::rc::Rc;

use lone_sync::{Mutex, OwnedMutexGuard, OwnedPermit, Semaphore};

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

/// A type that gives permits out and takes them back.
pub(super) trait Gives: Sized + 'static {
    const KINDS: usize;
    const OTHERS: usize;
    type Held: 'static;

    /// With one permit.
    fn new() -> Self;
    async fn acquire(self: Rc<Self>, wanted: usize) -> Self::Held;
    fn can_try(&self) -> bool;
    fn free(&self) -> usize;
    fn waiters(&self) -> usize;
    fn resize(&self, total: usize);
}

impl Gives for Mutex<()> {
    const KINDS: usize = 1;
    const OTHERS: usize = 0;
    type Held = OwnedMutexGuard<()>;

    fn new() -> Mutex<()> {
        Mutex::new(())
    }

    async fn acquire(self: Rc<Self>, _wanted: usize) -> OwnedMutexGuard<()> {
        self.lock_owned().await
    }

    fn can_try(&self) -> bool {
        self.try_lock().is_some()
    }

    fn free(&self) -> usize {
        usize::from(!self.is_locked())
    }

    fn waiters(&self) -> usize {
        self.statistics().waiters
    }

    fn resize(&self, _total: usize) {}
}

impl Gives for Semaphore {
    const KINDS: usize = 3;
    const OTHERS: usize = 4;
    type Held = OwnedPermit;

    fn new() -> Semaphore {
        Semaphore::new(1)
    }

    async fn acquire(self: Rc<Self>, wanted: usize) -> OwnedPermit {
        self.acquire_many_owned(wanted).await
    }

    fn can_try(&self) -> bool {
        self.try_acquire().is_some()
    }

    fn free(&self) -> usize {
        self.available()
    }

    fn waiters(&self) -> usize {
        self.statistics().waiters
    }

    fn resize(&self, total: usize) {
        Semaphore::resize(self, total);
    }
}

/// A future of kind n wants n permits, but for a lock, which is one; other step n makes them n in all.
pub(super) struct Permits<G> {
    given: Rc<G>,
    total: usize,
    out: usize,
}

impl<G: Gives> Permits<G> {
    fn wanted(kind: usize) -> usize {
        if G::KINDS == 1 { 1 } else { kind }
    }

    fn free(&self) -> usize {
        self.total.saturating_sub(self.out)
    }

    /// Whom a release lets go on.
    fn hand_over(&mut self, ledger: &mut Ledger<()>) {
        while let Some(first) = ledger.line.first().copied() {
            let wanted = Self::wanted(ledger.kinds[first]);
            if wanted > self.free() {
                return;
            }
            self.out += wanted;
            ledger.grant(first, ());
        }
    }
}

impl<G: Gives> Model for Permits<G> {
    const KINDS: usize = G::KINDS;
    const OTHERS: usize = G::OTHERS;
    const KEEPS: bool = true;
    type Got = G::Held;
    type Due = ();

    fn new() -> Permits<G> {
        Permits { given: Rc::new(G::new()), total: 1, out: 0 }
    }

    fn future(&mut self, _at: usize, kind: usize) -> Option<Waiting<G::Held>> {
        Some(Box::pin(self.given.clone().acquire(Self::wanted(kind))))
    }

    fn arrive(&mut self, ledger: &mut Ledger<()>, at: usize) -> Option<()> {
        let wanted = Self::wanted(ledger.kinds[at]);
        let may = ledger.line.is_empty() && wanted <= self.free();
        may.then(|| self.out += wanted)
    }

    fn went_on(&mut self, _ledger: &mut Ledger<()>, _at: usize, _due: (), _got: &G::Held) {}

    fn gone(&mut self, ledger: &mut Ledger<()>, at: usize, was: Was<()>) {
        if !matches!(was, Was::Waiting) {
            self.out -= Self::wanted(ledger.kinds[at]);
        }
        self.hand_over(ledger);
    }

    fn other(&mut self, ledger: &mut Ledger<()>, total: usize) -> bool {
        self.given.resize(total);
        self.total = total;
        self.hand_over(ledger);
        true
    }

    fn check(&self, ledger: &Ledger<()>) {
        assert_eq!(self.given.free(), self.free(), "permits are not conserved");
        assert_eq!(self.given.waiters(), ledger.line.len(), "not all who wait are counted");
        let may = ledger.line.is_empty() && self.free() > 0;
        assert_eq!(self.given.can_try(), may, "a try overtakes, or is refused");
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        let mut outline = ledger.outline(|()| 0);
        outline.push(number(self.total));
        outline
    }

    fn end(self) {
        assert_eq!((self.out, self.given.waiters()), (0, 0), "something was left behind");
    }
}
