//! Does a future come for what it is due? Debug mode watches what was granted or cancelled.
//!
//! ```text
//!   a permit is granted ──► watch ─┬─ taken, or the future is dropped ──► over
//!   to a future of Task-1          └─ Task-1 was polled, the future was not ──► said, once
//! ```
//!
//! A `select` that keeps a future aside may never poll it again, and then nobody else gets the permit
//! that it was granted: a lock that is never let go of, by code that looks innocent. So whoever hands
//! something to a future that is polled by its task has it watched, until the future takes it or is
//! dropped.
//!
//! Invariants:
//! - **The task has had its chance**: it was polled in a later turn than that of the grant, and two
//!   turns have passed since, or nobody is ready any more. A refused operation (see `budget`) wakes its
//!   task, so that it does not count.
//! - **Only here**: the table is the thread's, because what is granted is `!Send`; so a watch that
//!   outlives its loop is no other loop's.
//! - **No user code**: what has to be said is returned.
//!
//! Cost: none but [`Watch::begin`]'s test where the loop is not in debug mode.

use std::cell::RefCell;
use std::panic::Location;

use slab::Slab;

use crate::core::Core;
use crate::debug::Debug;
use crate::kept_waker::KeptWaker;
use crate::num::Num;
use crate::registry::LoopNumber;
use crate::waker::running;

/// So many turns a task may be polled without polling what is due to its future.
const PATIENCE: u64 = 2;

/// What a future is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// It was granted something by an object of this kind: "semaphore".
    Grant(&'static str),
    /// It was cancelled, and is to be dropped when its group is polled.
    Cancel,
    /// It is a group that was cancelled, and is to stop its children when it is polled.
    CancelOfGroup,
}

/// That something is watched, or (mostly) nothing: four bytes, for a node to keep.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "end it when the future was polled, or has gone"]
pub struct Watch(u32);

thread_local! {
    static WATCHED: RefCell<Slab<Watched>> = const { RefCell::new(Slab::new()) };
}

struct Watched {
    due: Due,
    site: &'static Location<'static>,
    home: LoopNumber,
    root: Num,
    turn: u64,
    said: bool,
}

impl Watch {
    /// Nothing is watched.
    pub const NOTHING: Watch = Watch(0);

    /// Watches that whoever `waker` wakes polls the future that was made at `site`, which is due
    /// something. Nothing is watched unless the running loop is in debug mode and the waker is its own.
    #[inline]
    pub fn begin(due: Due, waker: &KeptWaker, site: &'static Location<'static>) -> Watch {
        match running(|core| core.debug.is_some()) {
            Some(true) => Watch::begin_in_debug(due, waker, site),
            _ => Watch::NOTHING,
        }
    }

    #[cold]
    fn begin_in_debug(due: Due, waker: &KeptWaker, site: &'static Location<'static>) -> Watch {
        let watched = running(|core| {
            let num = waker.number().filter(|num| num.loop_index() == core.index())?;
            let root = core.slots.borrow().root_of(num)?;
            let turn = core.debug.as_ref()?.turn();
            Some(Watched { due, site, home: core.number(), root, turn, said: false })
        });
        let Some(watched) = watched.flatten() else { return Watch::NOTHING };
        let key = WATCHED.try_with(|all| all.borrow_mut().insert(watched));
        Watch(key.ok().and_then(|key| u32::try_from(key + 1).ok()).unwrap_or(0))
    }

    /// The future was polled and has taken what it was due, or it has gone.
    #[inline]
    pub fn end(&mut self) {
        if self.0 != 0 {
            self.end_in_debug();
        }
    }

    #[cold]
    fn end_in_debug(&mut self) {
        let key = std::mem::take(&mut self.0) as usize - 1;
        // At the thread's exit nobody watches any more.
        let _ = WATCHED.try_with(|all| all.borrow_mut().try_remove(key));
    }
}

/// Whether the loop that runs on this thread is in debug mode.
#[must_use]
pub fn is_on() -> bool {
    running(|core| core.debug.is_some()) == Some(true)
}

/// What was not fetched in time.
pub(crate) struct Overdue {
    due: Due,
    site: &'static Location<'static>,
    pub(crate) root: Num,
}

/// Those of this loop that are overdue now; each is returned once.
pub(crate) fn take_overdue(core: &Core, debug: &Debug) -> Vec<Overdue> {
    let is_idle = core.slots.borrow().ready() == 0;
    let is_overdue = |watched: &Watched| {
        watched.home == core.number()
            && !watched.said
            && (is_idle || debug.turn() - watched.turn > PATIENCE)
            && debug.polled(watched.root) > watched.turn
            && core.slots.borrow().is_live(watched.root)
    };
    let overdue = WATCHED.try_with(|all| {
        let mut all = all.borrow_mut();
        let overdue = all.iter_mut().filter(|(_, watched)| is_overdue(watched));
        let say = overdue.map(|(_, watched)| {
            watched.said = true;
            Overdue { due: watched.due, site: watched.site, root: watched.root }
        });
        say.collect()
    });
    overdue.unwrap_or_default()
}

impl Overdue {
    pub(crate) fn describe(&self, who: &str) -> String {
        let site = self.site;
        match self.due {
            Due::Grant(kind) => format!(
                "{who} was granted what it waits for at {site} ({kind}), and has run since without \
                 polling that future, which is kept aside: so nobody else can have it. Await that \
                 future, or drop it"
            ),
            Due::Cancel => format!(
                "{who} has run without polling the group of the child that was started at {site} and \
                 has been cancelled: the group is kept aside, so the child is still there. Await the \
                 group, or drop it"
            ),
            Due::CancelOfGroup => format!(
                "{who} has run without polling the group that was started at {site} and has been \
                 cancelled: it is kept aside, so its children are still there. Await it, or drop it"
            ),
        }
    }
}
