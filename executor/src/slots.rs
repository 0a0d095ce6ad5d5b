//! Who lives behind a number? The slots of one loop, and the ready queue of those to poll.
//!
//! ```text
//!  number ──► marks[slot]     4 bytes: QUEUED CHILD ┊ generation      all that a wake touches
//!             tenants[slot]   main, a root task, or a child           what a poll needs
//!
//!  ready queue   [2] enqueue at the back, [3] dequeue at the front: see `ready`
//!
//!  a child's wake walks up:   child ─► its group's ready list ─► the group's parent ─► …
//!                             until it meets what is queued already, or the ready queue
//! ```
//!
//! Invariants:
//! - **Queued once.** A slot stands in one queue at most; `QUEUED` says whether it does.
//! - **Stale is dead.** The generation is raised when a tenant ends, before its destructors run;
//!   whatever still carries the old number (a waker, a queue entry) means nobody.
//! - **Used up is retired.** A slot past [`LAST_GENERATION`] is never given out again.
//! - **A group ends with its root.** A group is listed under the root task whose poll linked it
//!   last, and its child slots are freed with that root at the latest (a group may be forgotten).
//!
//! Cost: a wake two loads, one store and a push; a slot given out or taken back O(1); nothing is
//! allocated once the vectors have grown to the most that was ever alive.

use slab::Slab;

use crate::cell::Task;
use crate::num::{GENERATION_MASK, LAST_GENERATION, MAX_SLOTS, Num};
use crate::ready::ReadyQueue;
use crate::trace::Who;

mod groups;
mod held;
mod places;
#[cfg(test)]
mod tests;

use groups::Group;
pub(crate) use groups::{Parent, Top};

/// A mark is a generation with these two above it: a root that is alive and not queued has exactly
/// its generation as its mark, so that one comparison tells (bench `yield1000`).
const QUEUED: u32 = 1 << 31;
const CHILD: u32 = 1 << 30;
const GENERATION: u32 = GENERATION_MASK;

/// "No group": the end of a root's list.
const NO_GROUP: u32 = u32::MAX;

/// Who lives in a slot.
enum Tenant {
    /// The future given to `block_on`, which lives on its caller's stack.
    Main { groups: u32 },
    /// A spawned task.
    Root { task: Task, groups: u32 },
    /// A child: `member` of `group`, whose future its parent owns.
    Child { group: u32, member: u32 },
    /// The generation is used up; the slot is never given out again.
    Retired,
}

/// What has come of taking the next of a batch.
pub(crate) enum Dequeued {
    Somebody(Num, Next),
    /// Whoever stood there has ended.
    Stale,
    /// Nobody is left in the batch.
    Over,
}

/// What the loop polls next.
pub(crate) enum Next {
    Main,
    Task(Task),
}

/// What a wake has done to the slot itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// It stands in the ready queue now.
    Queued,
    /// It is a child and counts as queued now: `walk_up` from here.
    Child,
    /// It stood in a queue already.
    Again,
    /// Its tenant has ended.
    Stale,
}

/// What is left of a tenant: the caller drops it after the borrow has ended.
#[derive(Default)]
#[must_use = "drop it after the borrow has ended"]
pub(crate) struct Leftover {
    task: Option<Task>,
    parents: Vec<Parent>,
}

impl Leftover {
    /// Drops it: no borrow is held.
    #[inline]
    pub(crate) fn drop_now(self) {
        drop(self.task);
        // As a rule there are none, and then nothing is called.
        if self.parents.capacity() > 0 {
            drop_parents(self.parents);
        }
    }
}

#[cold]
fn drop_parents(parents: Vec<Parent>) {
    drop(parents);
}

/// The slots, groups and ready queue of one loop.
pub(crate) struct Slots {
    loop_index: u16,
    /// Where generations begin: after the last one of this loop index's earlier tenant.
    first_generation: u32,
    highest_generation: u32,
    marks: Vec<u32>,
    tenants: Slab<Tenant>,
    tasks: usize,
    queue: ReadyQueue,
    /// How many clones of each slot's waker somebody else's code holds. Signed: a clone made elsewhere
    /// may be counted after its end, which has come here first.
    clones: Vec<i32>,
    /// How many of these are not zero.
    uneven: usize,
    groups: Slab<Group>,
    groups_made: u64,
}

impl Slots {
    pub(crate) fn new(loop_index: u16, first_generation: u32) -> Slots {
        Slots {
            loop_index,
            first_generation,
            highest_generation: first_generation,
            marks: Vec::new(),
            tenants: Slab::new(),
            tasks: 0,
            queue: ReadyQueue::new(),
            clones: Vec::new(),
            uneven: 0,
            groups: Slab::new(),
            groups_made: 0,
        }
    }

    // ----- slots -------------------------------------------------------------------------------

    /// The number that the next tenant will have. `None`: all 2^24 slots are taken or retired.
    #[inline]
    fn vacancy(&mut self) -> Option<Num> {
        let slot = self.tenants.vacant_key();
        if slot >= MAX_SLOTS {
            return None;
        }
        if slot == self.marks.len() {
            self.marks.push(self.first_generation);
            self.clones.push(0);
        }
        Some(Num::new(self.loop_index, slot as u32, self.marks[slot] & GENERATION))
    }

    /// Whether all 2^24 slots are taken or retired.
    pub(crate) fn is_full(&self) -> bool {
        self.tenants.vacant_key() >= MAX_SLOTS
    }

    /// Gives a slot to the main future.
    pub(crate) fn insert_main(&mut self) -> Option<Num> {
        let num = self.vacancy()?;
        self.tenants.insert(Tenant::Main { groups: NO_GROUP });
        Some(num)
    }

    /// Gives a slot to the task that `make` makes, knowing its number, and queues it. [1] spawn,
    /// [2] enqueue. `None`, and nothing is made: all slots are taken or retired.
    #[inline]
    pub(crate) fn insert_root<R>(&mut self, make: impl FnOnce(Num) -> (Task, R)) -> Option<R> {
        let num = self.vacancy()?;
        let (task, made) = make(num);
        self.tenants.insert(Tenant::Root { task, groups: NO_GROUP });
        self.tasks += 1;
        self.marks[num.slot()] = num.generation() | QUEUED;
        self.queue.push(num);
        Some(made)
    }

    /// Whether `num` names who lives in its slot now.
    pub(crate) fn is_live(&self, num: Num) -> bool {
        self.marks.get(num.slot()).is_some_and(|mark| mark & GENERATION == num.generation())
    }

    /// Makes every copy of `num` stale: called before the tenant's destructors run.
    pub(crate) fn raise(&mut self, num: Num) {
        debug_assert!(self.is_live(num), "{num:?} was raised already");
        let generation = num.generation() + 1;
        self.highest_generation = self.highest_generation.max(generation);
        self.marks[num.slot()] = generation;
        // As a rule there are none: then the line in the cache is spared (bench `spawn10k`).
        if self.uneven > 0 && std::mem::take(&mut self.clones[num.slot()]) != 0 {
            self.uneven -= 1;
        }
    }

    // ----- clones of wakers --------------------------------------------------------------------

    /// Somebody else's code has cloned the waker of `num`.
    pub(crate) fn count_clone(&mut self, num: Num) {
        self.count(num, 1);
    }

    /// A clone has gone.
    pub(crate) fn uncount_clone(&mut self, num: Num) {
        self.count(num, -1);
    }

    /// A number that is stale counts for nobody.
    fn count(&mut self, num: Num, change: i32) {
        if !self.is_live(num) {
            return;
        }
        let clones = &mut self.clones[num.slot()];
        self.uneven -= usize::from(*clones != 0);
        *clones += change;
        self.uneven += usize::from(*clones != 0);
    }

    /// Whether somebody else's code holds a clone of the waker of anybody who lives. Certain only
    /// where nothing is in the inbox.
    pub(crate) fn are_clones_held(&self) -> bool {
        self.uneven > 0
    }

    // ----- tenants -----------------------------------------------------------------------------

    /// Gives back the slot of a tenant whose number has been raised. [9] reap
    ///
    /// The caller drops what is returned after the borrow has ended.
    #[inline]
    pub(crate) fn vacate(&mut self, num: Num) -> Leftover {
        let tenant = self.take_tenant(num);
        // A root without groups, as a rule: not a match over all four (bench `spawn10k`).
        if let Tenant::Root { task, groups: NO_GROUP } = tenant {
            self.tasks -= 1;
            return Leftover { task: Some(task), parents: Vec::new() };
        }
        self.vacate_other(tenant)
    }

    #[cold]
    fn vacate_other(&mut self, tenant: Tenant) -> Leftover {
        match tenant {
            Tenant::Root { task, groups } => {
                self.tasks -= 1;
                Leftover { parents: self.end_groups(groups), task: Some(task) }
            }
            Tenant::Main { groups } => Leftover { parents: self.end_groups(groups), task: None },
            Tenant::Child { .. } => Leftover::default(),
            Tenant::Retired => unreachable!("a retired slot has no tenant"),
        }
    }

    #[inline]
    fn take_tenant(&mut self, num: Num) -> Tenant {
        let slot = num.slot();
        debug_assert!(self.marks[slot] & GENERATION > num.generation(), "{num:?}: raise it first");
        if self.marks[slot] & GENERATION > LAST_GENERATION {
            std::mem::replace(&mut self.tenants[slot], Tenant::Retired)
        } else {
            self.tenants.remove(slot)
        }
    }

    /// The tasks that are alive, for shutdown and reports.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> = self
            .tenants
            .iter()
            .filter_map(|(_, tenant)| match tenant {
                Tenant::Root { task, .. } => Some(task.clone()),
                _ => None,
            })
            .collect();
        tasks.sort_by_key(Task::id);
        tasks
    }

    /// How many tasks are alive.
    pub(crate) fn count_tasks(&self) -> usize {
        self.tasks
    }

    /// Who lives behind `num`, as traces name it; also a task whose end is under way.
    pub(crate) fn who(&self, num: Num) -> Who {
        match self.tenants.get(num.slot()) {
            Some(Tenant::Root { task, .. }) if task.num() == num => Who::Task(task.id()),
            Some(Tenant::Main { .. }) if self.is_live(num) => Who::Main,
            Some(Tenant::Child { group, member }) if self.is_live(num) => {
                let root = self.groups[*group as usize].root;
                let of = root.and_then(|root| match self.tenants.get(root.slot()) {
                    Some(Tenant::Root { task, .. }) if task.num() == root => Some(task.id()),
                    _ => None,
                });
                Who::Child { member: *member, of }
            }
            _ => Who::Unknown,
        }
    }

    /// The task behind `num`, also while its end is under way: a child's or main's own has none.
    pub(crate) fn task(&self, num: Num) -> Option<&Task> {
        match self.tenants.get(num.slot()) {
            Some(Tenant::Root { task, .. }) if task.num() == num => Some(task),
            _ => None,
        }
    }

    /// How many slots are occupied: main, tasks and children.
    pub(crate) fn occupied(&self) -> usize {
        self.tenants.len()
    }

    /// Where the next loop of this index has to begin; `None` if its generations are used up.
    pub(crate) fn next_base(&self) -> Option<u32> {
        (self.highest_generation < LAST_GENERATION).then_some(self.highest_generation + 1)
    }

    // ----- ready queue -------------------------------------------------------------------------

    /// [6] wake, [2] enqueue, where nothing is out of the ordinary: puts a root that is alive and
    /// not queued at the back of the ready queue. `false`: use [`Slots::wake`].
    ///
    /// It calls nothing, so that a wake needs no stack (bench `yield1000`).
    #[inline]
    pub(crate) fn wake_fast(&mut self, num: Num) -> bool {
        match self.marks.get_mut(num.slot()) {
            Some(mark) if *mark == num.generation() && self.queue.push_fast(num) => {
                *mark |= QUEUED;
                true
            }
            _ => false,
        }
    }

    /// [6] wake, [2] enqueue: puts a root at the back of the ready queue, unless it is there.
    pub(crate) fn wake(&mut self, num: Num) -> Woken {
        let Some(mark) = self.marks.get_mut(num.slot()) else { return Woken::Stale };
        if *mark & GENERATION != num.generation() {
            return Woken::Stale;
        }
        if *mark & QUEUED != 0 {
            return Woken::Again;
        }
        *mark |= QUEUED;
        if *mark & CHILD != 0 {
            return Woken::Child;
        }
        self.queue.push(num);
        Woken::Queued
    }

    /// How many slots are ready.
    #[inline]
    pub(crate) fn ready(&self) -> usize {
        self.queue.len()
    }

    /// b: what is ready now becomes the batch. Returns how many that is.
    #[inline]
    pub(crate) fn begin_batch(&mut self) -> usize {
        self.queue.begin_batch()
    }

    /// b: puts the batch that has just begun in another order: see `schedule`.
    pub(crate) fn arrange(&mut self, order: impl FnOnce(&mut [Num])) {
        self.queue.arrange(|nums| order(nums));
    }

    /// b: who stands in the batch that has just begun, in order: without those who have ended.
    pub(crate) fn queued(&mut self) -> Vec<Num> {
        let Slots { queue, marks, .. } = self;
        queue.arrange(|nums| {
            nums.retain(|num| marks[num.slot()] == num.generation() | QUEUED);
        });
        queue.iter().collect()
    }

    /// b: leaves the one at `place` in the batch that has just begun; the others stay ready, in order.
    pub(crate) fn narrow_batch(&mut self, place: usize) {
        self.queue.narrow_batch(place);
    }

    /// [3] dequeue: the next of the batch. An entry of a tenant that has ended is nobody's.
    #[inline]
    pub(crate) fn next(&mut self) -> Dequeued {
        let Some(num) = self.queue.next() else { return Dequeued::Over };
        let Some(mark) = self.marks.get_mut(num.slot()) else { return Dequeued::Stale };
        if *mark != num.generation() | QUEUED {
            return Dequeued::Stale;
        }
        *mark = num.generation();
        let tenant = &self.tenants[num.slot()];
        // Not a match over all four: that would be a jump table. Bench `yield1000`.
        if let Tenant::Root { task, .. } = tenant {
            return Dequeued::Somebody(num, Next::Task(task.clone()));
        }
        debug_assert!(matches!(tenant, Tenant::Main { .. }), "no child stands in the ready queue");
        Dequeued::Somebody(num, Next::Main)
    }
}
