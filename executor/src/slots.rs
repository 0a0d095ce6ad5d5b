//! Who lives behind a number? The slots of one loop, and the ready queue of those to poll.
//!
//! ```text
//!  number ──► slot        a mark (QUEUED CHILD ┊ generation), a link, a task: see `table`
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
//! - **Used up is retired.** A slot past `LAST_GENERATION` is never given out again.
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
mod table;
#[cfg(test)]
mod tests;

use groups::Group;
pub(crate) use groups::{Forgotten, Parent, Top};
use table::{Slot, Table};

/// A mark is written whole, never `|=`: that writes one byte of the four that the next poll reads, and
/// has that wait for it (bench `yield1`).
///
/// A mark is a generation with these two above it: a root that is alive and not queued has exactly
/// its generation as its mark, so that one comparison tells (bench `yield1000`).
const QUEUED: u32 = 1 << 31;
const CHILD: u32 = 1 << 30;
const GENERATION: u32 = GENERATION_MASK;

/// "No group": the end of a root's list.
const NO_GROUP: u32 = u32::MAX;

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

/// The slots, groups and ready queue of one loop.
pub(crate) struct Slots {
    table: Table,
    tasks: usize,
    queue: ReadyQueue,
    /// How many slots there are of whose wakers somebody else's code holds clones.
    uneven: usize,
    groups: Slab<Group>,
    groups_made: u64,
}

impl Slots {
    pub(crate) fn new(loop_index: u16, first_generation: u32) -> Slots {
        Slots {
            table: Table::new(loop_index, first_generation),
            tasks: 0,
            queue: ReadyQueue::new(),
            uneven: 0,
            groups: Slab::new(),
            groups_made: 0,
        }
    }

    // ----- slots -------------------------------------------------------------------------------

    /// Whether all 2^24 slots are taken or retired.
    pub(crate) fn is_full(&self) -> bool {
        self.table.is_full()
    }

    /// Gives a slot to the main future.
    pub(crate) fn insert_main(&mut self) -> Option<Num> {
        self.table.occupy().map(|(num, _slot)| num)
    }

    /// Gives a slot to the task that `make` makes, knowing its number, and queues it. [1] spawn,
    /// [2] enqueue. `None`, and nothing is made: all slots are taken or retired.
    #[inline]
    pub(crate) fn insert_root<R>(&mut self, make: impl FnOnce(Num) -> (Task, R)) -> Option<R> {
        let (num, slot) = self.table.occupy()?;
        let (task, made) = make(num);
        slot.task = Some(task);
        slot.mark = num.generation() | QUEUED;
        self.tasks += 1;
        self.queue.push(num);
        Some(made)
    }

    /// Whether `num` names who lives in its slot now.
    #[inline]
    pub(crate) fn is_live(&self, num: Num) -> bool {
        self.live(num).is_some()
    }

    /// The slot of whoever `num` names, if that one lives.
    #[inline]
    fn live(&self, num: Num) -> Option<&Slot> {
        self.table.get(num.slot()).filter(|slot| slot.mark & GENERATION == num.generation())
    }

    /// Makes every copy of `num` stale: called before the tenant's destructors run.
    #[inline]
    pub(crate) fn raise(&mut self, num: Num) {
        debug_assert!(self.is_live(num), "{num:?} was raised already");
        let generation = num.generation() + 1;
        self.table.of(num).mark = generation;
        if self.uneven > 0 {
            self.forget_clones(num);
        }
    }

    // ----- clones of wakers --------------------------------------------------------------------

    /// So many clones more of the waker of `num`, or fewer. A number that is stale counts for nobody.
    pub(crate) fn count_clones(&mut self, num: Num, change: i32) {
        if !self.count_clones_fast(num, change) && self.is_live(num) {
            self.table.make_room_for_clones();
            self.count_clones(num, change);
        }
    }

    /// The same where there is room to count them. `false`: nothing was done.
    ///
    /// It calls nothing, so that a clone needs no stack (bench `clone_wake`).
    #[inline]
    pub(crate) fn count_clones_fast(&mut self, num: Num, change: i32) -> bool {
        if !self.is_live(num) {
            return false;
        }
        let Some(clones) = self.table.clones(num) else { return false };
        self.uneven -= usize::from(*clones != 0);
        *clones += change;
        self.uneven += usize::from(*clones != 0);
        true
    }

    /// [6] wake by value, where nothing is out of the ordinary: a clone has gone with it. `false`: nothing
    /// was done.
    #[inline]
    pub(crate) fn wake_and_drop_fast(&mut self, num: Num) -> bool {
        self.table.clones(num).is_some() && self.wake_fast(num) && self.count_clones_fast(num, -1)
    }

    /// Whoever has clones of this number's waker can wake nobody any more.
    #[cold]
    fn forget_clones(&mut self, num: Num) {
        let clones = self.table.clones(num).map_or(0, std::mem::take);
        self.uneven -= usize::from(clones != 0);
    }

    /// Whether somebody else's code holds a clone of the waker of anybody who lives. Certain only
    /// where nothing is in the inbox.
    pub(crate) fn are_clones_held(&self) -> bool {
        self.uneven > 0
    }

    // ----- tenants -----------------------------------------------------------------------------

    /// Gives back the slot of a root whose number has been raised. [9] reap
    ///
    /// The caller drops the task that is returned after the borrow has ended, and ends the groups that
    /// were forgotten, if there are any.
    #[inline]
    #[must_use = "drop the task after the borrow has ended, and end the groups"]
    pub(crate) fn vacate(&mut self, num: Num) -> (Option<Task>, Option<Forgotten>) {
        let (task, groups) = self.table.vacate(num);
        self.tasks -= usize::from(task.is_some());
        (task, (groups != NO_GROUP).then_some(Forgotten(groups)))
    }

    /// The tasks that are alive, for shutdown and reports.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> = self.table.iter().filter_map(|slot| slot.task.clone()).collect();
        tasks.sort_by_key(Task::id);
        tasks
    }

    /// How many tasks are alive.
    pub(crate) fn count_tasks(&self) -> usize {
        self.tasks
    }

    /// Who lives behind `num`, as traces name it; also a task whose end is under way.
    pub(crate) fn who(&self, num: Num) -> Who {
        if let Some(task) = self.task(num) {
            return Who::Task(task.id());
        }
        match self.live(num) {
            Some(slot) if slot.mark & CHILD == 0 => Who::Main,
            Some(slot) => {
                let root = self.groups[slot.link as usize].root;
                let of = root.and_then(|root| self.task(root)).map(Task::id);
                Who::Child { member: self.table.member(num), of }
            }
            None => Who::Unknown,
        }
    }

    /// The task behind `num`, also while its end is under way: a child's or main's own has none.
    pub(crate) fn task(&self, num: Num) -> Option<&Task> {
        let task = self.table.get(num.slot())?.task.as_ref();
        task.filter(|task| task.num() == num)
    }

    /// How many slots are occupied: main, tasks and children.
    pub(crate) fn occupied(&self) -> usize {
        self.table.occupied()
    }

    /// Where the next loop of this index has to begin; `None` if its generations are used up.
    pub(crate) fn next_base(&self) -> Option<u32> {
        let highest = self.table.highest_generation();
        (highest < LAST_GENERATION).then_some(highest + 1)
    }

    // ----- ready queue -------------------------------------------------------------------------

    /// [6] wake, [2] enqueue, where nothing is out of the ordinary: puts a root that is alive and
    /// not queued at the back of the ready queue. `false`: use [`Slots::wake`].
    ///
    /// It calls nothing, so that a wake needs no stack (bench `yield1000`).
    #[inline]
    pub(crate) fn wake_fast(&mut self, num: Num) -> bool {
        match self.table.get_mut(num.slot()) {
            Some(slot) if slot.mark == num.generation() && self.queue.push_fast(num) => {
                slot.mark = num.generation() | QUEUED;
                true
            }
            _ => false,
        }
    }

    /// [6] wake, [2] enqueue: puts a root at the back of the ready queue, unless it is there.
    pub(crate) fn wake(&mut self, num: Num) -> Woken {
        let Some(Slot { mark, .. }) = self.table.get_mut(num.slot()) else { return Woken::Stale };
        if *mark & GENERATION != num.generation() {
            return Woken::Stale;
        }
        if *mark & QUEUED != 0 {
            return Woken::Again;
        }
        let child = *mark & CHILD;
        *mark = num.generation() | child | QUEUED;
        if child != 0 {
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
        let Slots { queue, table, .. } = self;
        queue.arrange(|nums| {
            nums.retain(|num| table.of(*num).mark == num.generation() | QUEUED);
        });
        queue.iter().collect()
    }

    /// b: leaves the one at `place` in the batch that has just begun; the others stay ready, in order.
    pub(crate) fn narrow_batch(&mut self, place: usize) {
        self.queue.narrow_batch(place);
    }

    /// [3] dequeue: the next of the batch; where that is over and somebody is ready, and only then,
    /// `may_go_on` says whether another batch begins. An entry of a tenant that has ended is nobody's.
    #[inline]
    pub(crate) fn next(&mut self, may_go_on: impl FnOnce() -> bool) -> Dequeued {
        let mut next = self.queue.next();
        if next.is_none() && self.queue.len() > 0 && may_go_on() {
            self.queue.begin_batch();
            next = self.queue.next();
        }
        let Some(num) = next else { return Dequeued::Over };
        let Some(slot) = self.table.get_mut(num.slot()) else { return Dequeued::Stale };
        if slot.mark != num.generation() | QUEUED {
            return Dequeued::Stale;
        }
        slot.mark = num.generation();
        Dequeued::Somebody(num, slot.task.clone().map_or(Next::Main, Next::Task))
    }
}
