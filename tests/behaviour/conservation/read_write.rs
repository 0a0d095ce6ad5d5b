//! What must hold of a lock for readers and writers: readers or one writer, nobody overtakes.

use std::rc::Rc;

use lone_sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::{Ledger, Model, Waiting, Was};

/// Kinds: reads; writes; writes, and goes on as a reader at once.
const READ: usize = 0;
const WRITE: usize = 1;
const DOWNGRADE: usize = 2;

/// Kept for its drop.
#[expect(dead_code, reason = "its drop is what counts")]
pub(super) enum Guard {
    Read(OwnedRwLockReadGuard<()>),
    Write(OwnedRwLockWriteGuard<()>),
}

pub(super) struct ReadWrite {
    lock: Rc<RwLock<()>>,
    readers: usize,
    has_writer: bool,
}

impl ReadWrite {
    fn may_enter(&self, kind: usize) -> bool {
        !self.has_writer && (kind == READ || self.readers == 0)
    }

    fn enter(&mut self, kind: usize) {
        if kind == READ {
            self.readers += 1;
        } else {
            self.has_writer = true;
        }
    }

    fn hand_over(&mut self, ledger: &mut Ledger<()>) {
        while let Some(first) = ledger.line.first().copied() {
            let kind = ledger.kinds[first];
            if !self.may_enter(kind) {
                return;
            }
            self.enter(kind);
            ledger.grant(first, ());
        }
    }
}

impl Model for ReadWrite {
    const KINDS: usize = 3;
    const OTHERS: usize = 0;
    const KEEPS: bool = true;
    type Got = Guard;
    type Due = ();

    fn new() -> ReadWrite {
        ReadWrite { lock: Rc::default(), readers: 0, has_writer: false }
    }

    fn future(&mut self, _at: usize, kind: usize) -> Option<Waiting<Guard>> {
        let lock = self.lock.clone();
        Some(match kind {
            READ => Box::pin(async move { Guard::Read(lock.read_owned().await) }),
            WRITE => Box::pin(async move { Guard::Write(lock.write_owned().await) }),
            _ => Box::pin(async move { Guard::Read(lock.write_owned().await.downgrade()) }),
        })
    }

    fn arrive(&mut self, ledger: &mut Ledger<()>, at: usize) -> Option<()> {
        let kind = ledger.kinds[at];
        let may = ledger.line.is_empty() && self.may_enter(kind);
        may.then(|| self.enter(kind))
    }

    fn went_on(&mut self, ledger: &mut Ledger<()>, at: usize, _due: (), _got: &Guard) {
        if ledger.kinds[at] == DOWNGRADE {
            ledger.kinds[at] = READ;
            (self.has_writer, self.readers) = (false, 1);
            self.hand_over(ledger);
        }
    }

    fn gone(&mut self, ledger: &mut Ledger<()>, at: usize, was: Was<()>) {
        match (was, ledger.kinds[at]) {
            (Was::Waiting, _) => {}
            (_, READ) => self.readers -= 1,
            _ => self.has_writer = false,
        }
        self.hand_over(ledger);
    }

    fn other(&mut self, _ledger: &mut Ledger<()>, _which: usize) -> bool {
        false
    }

    fn check(&self, ledger: &Ledger<()>) {
        let now = self.lock.statistics();
        assert_eq!((now.readers, now.has_writer), (self.readers, self.has_writer), "who is in");
        assert!(now.readers == 0 || !now.has_writer, "a writer is not alone");
        assert_eq!(now.waiters, ledger.line.len(), "not all who wait are counted");
        let may = |kind| ledger.line.is_empty() && self.may_enter(kind);
        assert_eq!(self.lock.try_read().is_some(), may(READ), "a try overtakes, or is refused");
        assert_eq!(self.lock.try_write().is_some(), may(WRITE), "a try overtakes, or is refused");
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        ledger.outline(|()| 0)
    }
}
