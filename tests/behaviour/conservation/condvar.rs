//! What must hold of a condvar and its mutex: one holder, one line, and no notification lost.

use std::rc::Rc;

use lone_sync::{Condvar, Mutex, OwnedMutexGuard};

use super::{Ledger, Model, Waiting, Was};

/// Kinds: wants the lock; waits to be notified; was notified, and wants the lock for that.
const LOCK: usize = 0;
const WAIT: usize = 1;
const NOTIFIED: usize = 2;

pub(super) struct Notified {
    mutex: Rc<Mutex<()>>,
    condvar: Rc<Condvar>,
    is_locked: bool,
}

impl Notified {
    /// The lock is free: the first who wants it has it.
    fn let_go(&mut self, ledger: &mut Ledger<()>) {
        let wants = |at: &usize| ledger.kinds[*at] != WAIT;
        let first = ledger.line.iter().copied().find(wants);
        self.is_locked = first.is_some();
        if let Some(first) = first {
            ledger.grant(first, ());
        }
    }

    /// The first who waits stands in the mutex's line from now on. Returns whether one did.
    fn notify(&mut self, ledger: &mut Ledger<()>) -> bool {
        let Some(first) = ledger.first(WAIT) else {
            return false;
        };
        ledger.kinds[first] = NOTIFIED;
        ledger.line.retain(|at| *at != first);
        ledger.line.push(first);
        if !self.is_locked {
            self.let_go(ledger);
        }
        true
    }
}

impl Model for Notified {
    const KINDS: usize = 2;
    /// Notify one, notify all.
    const OTHERS: usize = 2;
    const KEEPS: bool = true;
    type Got = OwnedMutexGuard<()>;
    type Due = ();

    fn new() -> Notified {
        Notified { mutex: Rc::default(), condvar: Rc::default(), is_locked: false }
    }

    fn future(&mut self, _at: usize, kind: usize) -> Option<Waiting<OwnedMutexGuard<()>>> {
        let (mutex, condvar) = (self.mutex.clone(), self.condvar.clone());
        if kind == LOCK {
            return Some(Box::pin(mutex.lock_owned()));
        }
        let guard = mutex.try_lock_owned()?;
        self.is_locked = true;
        Some(Box::pin(async move { condvar.wait(guard).await }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<()>, at: usize) -> Option<()> {
        if ledger.kinds[at] == WAIT {
            self.let_go(ledger);
            return None;
        }
        let may = !self.is_locked;
        self.is_locked = true;
        may.then_some(())
    }

    fn went_on(&mut self, ledger: &mut Ledger<()>, at: usize, _due: (), _got: &Self::Got) {
        ledger.kinds[at] = LOCK;
    }

    fn gone(&mut self, ledger: &mut Ledger<()>, at: usize, was: Was<()>) {
        if !matches!(was, Was::Waiting) {
            self.let_go(ledger);
        }
        if ledger.kinds[at] == NOTIFIED {
            self.notify(ledger);
        }
    }

    fn other(&mut self, ledger: &mut Ledger<()>, which: usize) -> bool {
        if which == 0 {
            self.condvar.notify_one();
            self.notify(ledger);
        } else {
            self.condvar.notify_all();
            while self.notify(ledger) {}
        }
        true
    }

    fn check(&self, ledger: &Ledger<()>) {
        let now = self.condvar.statistics();
        let granted = ledger.granted.iter().filter(|(at, ())| ledger.kinds[*at] == NOTIFIED);
        assert_eq!(now.waiters, ledger.waiting(WAIT), "not all who wait are counted");
        assert_eq!(now.unclaimed, ledger.waiting(NOTIFIED) + granted.count(), "one is lost");
        let waiters = ledger.waiting(LOCK) + ledger.waiting(NOTIFIED);
        assert_eq!(self.mutex.statistics().waiters, waiters, "not in the mutex's line");
        assert_eq!(self.mutex.is_locked(), self.is_locked);
        assert_eq!(self.mutex.try_lock().is_none(), self.is_locked);
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        ledger.outline(|()| 0)
    }
}
