//! Which loops does this process have? A list by loop index: how a number finds its inbox.
//!
//! Invariants:
//! - **A loop number is never used again** (48 bits, counted up): what leaf handles carry.
//! - **A loop index is**, for it has 16 bits only; but its next tenant's generations begin where
//!   the last one's stopped, and an index whose generations are used up is retired.
//!
//! Never on a same-thread path: only wakes and drops from elsewhere come here.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::inbox::{Inbox, Item};
use crate::num::Num;
use crate::park::{Release, Unpark};

const INDEX_BITS: u32 = 16;

/// The number of a loop: never used again in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoopNumber(u64);

impl LoopNumber {
    pub(crate) fn index(self) -> u16 {
        self.0 as u16
    }

    /// The bare number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

struct Registry {
    entries: Vec<Entry>,
    free: VecDeque<u16>,
    made: u64,
}

struct Entry {
    tenant: Option<(LoopNumber, Arc<Inbox>)>,
    /// Where the tenant's generations begin, or the next one's if there is none.
    base: u32,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { entries: Vec::new(), free: VecDeque::new(), made: 0 });

/// A poisoned lock is fine: nothing of ours panics while it is held.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loop's place in the list: its number, and where its slots' generations begin.
pub(crate) fn register(inbox: &Arc<Inbox>) -> io::Result<(LoopNumber, u32)> {
    let mut registry = registry();
    let index = match registry.free.pop_front() {
        Some(index) => index,
        None => {
            let Ok(index) = u16::try_from(registry.entries.len()) else {
                return Err(io::Error::other(
                    "65,536 loops are alive or retired in this process: end some first",
                ));
            };
            registry.entries.push(Entry { tenant: None, base: 1 });
            index
        }
    };
    registry.made += 1;
    let number = LoopNumber((registry.made << INDEX_BITS) | u64::from(index));
    let entry = &mut registry.entries[usize::from(index)];
    entry.tenant = Some((number, inbox.clone()));
    Ok((number, entry.base))
}

/// Takes a loop off the list. `next_base`: where its successor's generations begin; `None` retires
/// the index.
pub(crate) fn unregister(number: LoopNumber, next_base: Option<u32>) {
    let mut registry = registry();
    let index = number.index();
    let tenant = registry.entries[usize::from(index)].tenant.take();
    if let Some(base) = next_base {
        registry.entries[usize::from(index)].base = base;
        registry.free.push_back(index);
    }
    drop(registry);
    drop(tenant);
}

/// The inbox of the loop in which `num` may live: not that of a later loop with the same index, whose
/// generations begin above all of its predecessors'.
pub(crate) fn by_num(num: Num) -> Option<Arc<Inbox>> {
    let registry = registry();
    let entry = registry.entries.get(usize::from(num.loop_index()))?;
    let (_, inbox) = entry.tenant.as_ref()?;
    (num.generation() >= entry.base).then(|| inbox.clone())
}

/// The inbox of the loop with this number, while it lives.
pub(crate) fn by_number(number: LoopNumber) -> Option<Arc<Inbox>> {
    let registry = registry();
    let (tenant, inbox) = registry.entries.get(usize::from(number.index()))?.tenant.as_ref()?;
    (*tenant == number).then(|| inbox.clone())
}

/// For handles of a park's that are dropped where their loop does not run.
///
/// `None`: the loop has ended. It can release things and reach the park's outside part; it cannot
/// wake anybody.
#[must_use]
pub fn outside(number: LoopNumber) -> Option<Outside> {
    by_number(number).map(Outside)
}

/// What a handle that is dropped elsewhere may do with its loop.
pub struct Outside(Arc<Inbox>);

impl Outside {
    /// Tells the loop's park that a handle has gone.
    pub fn release(&self, what: Release) {
        // A loop that has ended meanwhile has freed everything by itself.
        let _ = self.0.push(Item::Release(what));
    }

    /// The part of the park that any thread may reach.
    #[must_use]
    pub fn unparker(&self) -> &Arc<dyn Unpark> {
        self.0.unparker()
    }
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}
