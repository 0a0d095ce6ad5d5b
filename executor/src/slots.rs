//! Who lives behind a number? The slots of one loop, and the ready queue of those to poll.
//!
//! ```text
//!  number ──► marks[slot]     4 bytes: QUEUED CHILD ┊ generation      all that a wake touches
//!             tenants[slot]   main, a root task, or a child           what a poll needs
//!
//!  ready  ◄── [2] enqueue at the back        batch ──► [3] dequeue at the front
//!    └────────── becomes the batch when a turn begins ────▲
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

use std::collections::VecDeque;
use std::task::Waker;

use slab::Slab;

use crate::cell::Task;
use crate::num::{LAST_GENERATION, MAX_SLOTS, Num};
use crate::trace::Who;

/// A mark is a generation with these two above it: a root that is alive and not queued has exactly
/// its generation as its mark, so that one comparison tells (bench `yield1000`).
const QUEUED: u32 = 1 << 31;
const CHILD: u32 = 1 << 30;
const GENERATION: u32 = (1 << 24) - 1;

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

/// Where the walk up from a child has ended.
pub(crate) enum Top {
    /// At somebody who was queued already, or at nobody.
    Nowhere,
    /// At a root, which stands in the ready queue now.
    Root(Num),
    /// At somebody else's waker: wake it without a borrow.
    Foreign(Waker),
}

/// What is left of a tenant: the caller drops it after the borrow has ended.
#[derive(Default)]
#[expect(dead_code, reason = "it is only dropped, at the right moment")]
#[must_use = "drop it after the borrow has ended"]
pub(crate) struct Leftover {
    task: Option<Task>,
    parents: Vec<Parent>,
}

/// Whom a group wakes when one of its children has been woken.
pub(crate) enum Parent {
    Nobody,
    Ours(Num),
    Foreign(Waker),
}

/// The children of one future.
struct Group {
    parent: Parent,
    /// The number of each member; `None` once it has ended.
    members: Vec<Option<Num>>,
    /// The members to poll, in the order of their wakes.
    ready: VecDeque<u32>,
    /// Which group this is, for ever: the key in the slab is used again.
    seq: u64,
    /// The root task that ends this group at the latest, and its neighbours in that root's list.
    root: Option<Num>,
    previous: u32,
    next: u32,
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
    /// Who was woken since the turn began.
    ready: Vec<Num>,
    /// Who was ready when the turn began, and how many of them have been taken.
    batch: Vec<Num>,
    at: usize,
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
            ready: Vec::new(),
            batch: Vec::new(),
            at: 0,
            groups: Slab::new(),
            groups_made: 0,
        }
    }

    // ----- slots -------------------------------------------------------------------------------

    /// The number that the next tenant will have. `None`: all 2^24 slots are taken or retired.
    fn vacancy(&mut self) -> Option<Num> {
        let slot = self.tenants.vacant_key();
        if slot >= MAX_SLOTS {
            return None;
        }
        if slot == self.marks.len() {
            self.marks.push(self.first_generation);
        }
        Some(Num::new(self.loop_index, slot as u32, self.marks[slot] & GENERATION))
    }

    /// Gives a slot to the main future.
    pub(crate) fn insert_main(&mut self) -> Option<Num> {
        let num = self.vacancy()?;
        self.tenants.insert(Tenant::Main { groups: NO_GROUP });
        Some(num)
    }

    /// Gives a slot to the task that `make` makes, knowing its number. [1] spawn
    pub(crate) fn insert_root<R>(
        &mut self,
        make: impl FnOnce(Num) -> (Task, R),
    ) -> Option<(Num, R)> {
        let num = self.vacancy()?;
        let (task, made) = make(num);
        self.tenants.insert(Tenant::Root { task, groups: NO_GROUP });
        self.tasks += 1;
        Some((num, made))
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
    }

    /// Gives back the slot of a tenant whose number has been raised. [9] reap
    ///
    /// The caller drops what is returned after the borrow has ended.
    pub(crate) fn vacate(&mut self, num: Num) -> Leftover {
        let slot = num.slot();
        debug_assert!(self.marks[slot] & GENERATION > num.generation(), "{num:?}: raise it first");
        let retired = self.marks[slot] & GENERATION > LAST_GENERATION;
        let tenant = if retired {
            std::mem::replace(&mut self.tenants[slot], Tenant::Retired)
        } else {
            self.tenants.remove(slot)
        };
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

    /// The task behind `num`: a child's or main's own has none.
    pub(crate) fn task(&self, num: Num) -> Option<&Task> {
        match self.tenants.get(num.slot()) {
            Some(Tenant::Root { task, .. }) if self.is_live(num) => Some(task),
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
            Some(mark) if *mark == num.generation() && self.ready.len() < self.ready.capacity() => {
                *mark |= QUEUED;
                self.ready.push(num);
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
        self.ready.push(num);
        Woken::Queued
    }

    /// Walks up from a child that has just been queued, until it meets what is queued already.
    #[cold]
    pub(crate) fn walk_up(&mut self, mut child: Num) -> Top {
        loop {
            let Tenant::Child { group, member } = self.tenants[child.slot()] else {
                unreachable!("a mark with CHILD belongs to a child");
            };
            let group = &mut self.groups[group as usize];
            group.ready.push_back(member);
            match group.parent {
                Parent::Nobody => return Top::Nowhere,
                Parent::Foreign(_) => {
                    // It is taken, not cloned: that would be user code. Once woken it is not needed
                    // until the group is polled, which sets it again.
                    match std::mem::replace(&mut group.parent, Parent::Nobody) {
                        Parent::Foreign(waker) => return Top::Foreign(waker),
                        Parent::Ours(_) | Parent::Nobody => unreachable!("it was seen above"),
                    }
                }
                Parent::Ours(parent) => match self.wake(parent) {
                    Woken::Queued => return Top::Root(parent),
                    Woken::Child => child = parent,
                    Woken::Again | Woken::Stale => return Top::Nowhere,
                },
            }
        }
    }

    /// How many slots are ready.
    #[inline]
    pub(crate) fn ready(&self) -> usize {
        self.ready.len() + self.batch.len() - self.at
    }

    /// b: what is ready now becomes the batch, behind what main's end may have left of the last
    /// one. Returns how many that is.
    #[inline]
    pub(crate) fn begin_batch(&mut self) -> usize {
        if self.at == self.batch.len() {
            self.batch.clear();
            std::mem::swap(&mut self.batch, &mut self.ready);
        } else {
            self.batch.drain(..self.at);
            self.batch.append(&mut self.ready);
        }
        self.at = 0;
        self.batch.len()
    }

    /// [3] dequeue: the next of the batch. An entry of a tenant that has ended is nobody's.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(Num, Next)> {
        let num = *self.batch.get(self.at)?;
        self.at += 1;
        let mark = self.marks.get_mut(num.slot())?;
        if *mark != num.generation() | QUEUED {
            return None;
        }
        *mark = num.generation();
        let tenant = &self.tenants[num.slot()];
        // Not a match over all four: that would be a jump table. Bench `yield1000`.
        if let Tenant::Root { task, .. } = tenant {
            return Some((num, Next::Task(task.clone())));
        }
        debug_assert!(matches!(tenant, Tenant::Main { .. }), "no child stands in the ready queue");
        Some((num, Next::Main))
    }

    // ----- groups ------------------------------------------------------------------------------

    /// A group with `size` members, all of them ready.
    pub(crate) fn insert_group(&mut self, size: usize) -> Option<(u32, u64)> {
        self.groups_made += 1;
        let seq = self.groups_made;
        let key = self.groups.insert(Group {
            parent: Parent::Nobody,
            members: Vec::with_capacity(size),
            ready: VecDeque::with_capacity(size),
            seq,
            root: None,
            previous: NO_GROUP,
            next: NO_GROUP,
        }) as u32;
        for _ in 0..size {
            if self.insert_member(key).is_none() {
                // It was never linked: its parent is nobody.
                let _ = self.remove_group(key, seq);
                return None;
            }
        }
        Some((key, seq))
    }

    /// Adds a member to a group; it is ready at once.
    pub(crate) fn insert_member(&mut self, group: u32) -> Option<u32> {
        let num = self.vacancy()?;
        let members = &mut self.groups[group as usize];
        let member = members.members.len() as u32;
        members.members.push(Some(num));
        members.ready.push_back(member);
        self.tenants.insert(Tenant::Child { group, member });
        self.marks[num.slot()] |= CHILD | QUEUED;
        Some(member)
    }

    /// Whether this group is still there: it may have ended with the root that polled it last.
    pub(crate) fn has_group(&self, group: u32, seq: u64) -> bool {
        self.groups.get(group as usize).is_some_and(|group| group.seq == seq)
    }

    /// Sets whom the group wakes, and the root under which it is listed.
    ///
    /// Returns the parent that it had if that was somebody else's waker, to be dropped unborrowed.
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn link(
        &mut self,
        group: u32,
        parent: Option<Parent>,
        root: Option<Num>,
    ) -> Option<Parent> {
        if self.groups[group as usize].root != root {
            self.unlist(group);
            self.list(group, root);
        }
        let parent = parent?;
        Some(std::mem::replace(&mut self.groups[group as usize].parent, parent))
    }

    /// Whom the group wakes.
    pub(crate) fn parent(&self, group: u32) -> &Parent {
        &self.groups[group as usize].parent
    }

    /// How many members are ready.
    pub(crate) fn ready_members(&self, group: u32) -> usize {
        self.groups[group as usize].ready.len()
    }

    /// The next member to poll, with its number; `None` if its turn was of one that has ended.
    pub(crate) fn next_member(&mut self, group: u32) -> Option<(u32, Num)> {
        let group = &mut self.groups[group as usize];
        let member = group.ready.pop_front()?;
        let num = group.members[member as usize]?;
        self.marks[num.slot()] &= !QUEUED;
        Some((member, num))
    }

    /// Ends a member: its number is stale from here on.
    pub(crate) fn end_member(&mut self, group: u32, member: u32) {
        if let Some(num) = self.groups[group as usize].members[member as usize].take() {
            self.raise(num);
            // A child's future belongs to its parent: nothing of a child is left here.
            let _ = self.vacate(num);
        }
    }

    /// Ends a group and the slots of its members. Does nothing if it has ended already.
    ///
    /// Returns the parent, to be dropped after the borrow has ended.
    #[must_use = "drop it after the borrow has ended"]
    pub(crate) fn remove_group(&mut self, key: u32, seq: u64) -> Option<Parent> {
        if !self.has_group(key, seq) {
            return None;
        }
        self.unlist(key);
        let group = self.groups.remove(key as usize);
        for num in group.members.into_iter().flatten() {
            self.raise(num);
            // A child's future belongs to its parent: nothing of a child is left here.
            let _ = self.vacate(num);
        }
        Some(group.parent)
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The head of `root`'s list. A number that has been raised still counts: a task's groups are
    /// dropped with its future, between the two.
    fn groups_of(&mut self, root: Num) -> Option<&mut u32> {
        match self.tenants.get_mut(root.slot()) {
            Some(Tenant::Main { groups } | Tenant::Root { groups, .. }) => Some(groups),
            _ => None,
        }
    }

    fn list(&mut self, key: u32, root: Option<Num>) {
        let root = root.filter(|&root| self.is_live(root));
        let Some(first) = root.and_then(|root| self.groups_of(root)) else {
            return;
        };
        let next = std::mem::replace(first, key);
        let group = &mut self.groups[key as usize];
        (group.root, group.previous, group.next) = (root, NO_GROUP, next);
        if next != NO_GROUP {
            self.groups[next as usize].previous = key;
        }
    }

    fn unlist(&mut self, key: u32) {
        let group = &mut self.groups[key as usize];
        let Some(root) = group.root.take() else {
            return;
        };
        let (previous, next) = (group.previous, group.next);
        if next != NO_GROUP {
            self.groups[next as usize].previous = previous;
        }
        if previous != NO_GROUP {
            self.groups[previous as usize].next = next;
        } else if let Some(Tenant::Main { groups } | Tenant::Root { groups, .. }) =
            self.tenants.get_mut(root.slot())
        {
            // Also where the root's number has been raised: its destructors run, and it is vacated
            // after them. A root that has been vacated has no group left that names it.
            *groups = next;
        }
    }

    /// Ends the groups that were forgotten: their root has ended and they are still listed.
    #[inline]
    fn end_groups(&mut self, first: u32) -> Vec<Parent> {
        if first == NO_GROUP { Vec::new() } else { self.end_list(first) }
    }

    #[cold]
    fn end_list(&mut self, mut key: u32) -> Vec<Parent> {
        let mut parents = Vec::new();
        while key != NO_GROUP {
            let group = &mut self.groups[key as usize];
            // The root's slot is gone: the list is walked here, not taken apart link by link.
            group.root = None;
            let (seq, next) = (group.seq, group.next);
            parents.extend(self.remove_group(key, seq));
            key = next;
        }
        parents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child_of(slots: &mut Slots, group: u32, member: u32) -> Num {
        slots.groups[group as usize].members[member as usize].expect("the member is alive")
    }

    #[test]
    fn a_slot_past_its_last_generation_is_never_given_out_again() {
        let mut slots = Slots::new(0, LAST_GENERATION - 1);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let num = slots.insert_main().expect("there is room");
            seen.push((num.slot(), num.generation()));
            slots.raise(num);
            drop(slots.vacate(num));
        }
        let (last, before) = (LAST_GENERATION, LAST_GENERATION - 1);
        assert_eq!(seen, [(0, before), (0, last), (1, before), (1, last)]);
        assert_eq!(slots.next_base(), None, "the loop index is used up as well");
    }

    #[test]
    fn a_wake_after_the_tenant_has_ended_is_stale_and_wakes_no_successor() {
        let mut slots = Slots::new(0, 1);
        let old = slots.insert_main().expect("there is room");
        slots.wake(old);
        slots.raise(old);
        drop(slots.vacate(old));
        let new = slots.insert_main().expect("there is room");
        assert_eq!(old.slot(), new.slot());
        assert_eq!(slots.wake(old), Woken::Stale);
        assert_eq!(slots.begin_batch(), 1);
        assert!(slots.next().is_none(), "the entry left by the old tenant stands for nobody");
        assert_eq!(slots.ready(), 0);
        assert_eq!(slots.wake(new), Woken::Queued);
        assert_eq!(slots.wake(new), Woken::Again);
    }

    #[test]
    fn a_childs_wake_walks_up_to_the_root_and_stops_at_what_is_queued() {
        let mut slots = Slots::new(0, 1);
        let root = slots.insert_main().expect("there is room");
        let (group, _) = slots.insert_group(2).expect("there is room");
        drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
        while slots.next_member(group).is_some() {}
        let (first, second) = (child_of(&mut slots, group, 0), child_of(&mut slots, group, 1));
        assert_eq!(slots.wake(first), Woken::Child);
        assert!(matches!(slots.walk_up(first), Top::Root(at) if at == root));
        assert_eq!(slots.wake(first), Woken::Again);
        assert_eq!(slots.wake(second), Woken::Child);
        assert!(matches!(slots.walk_up(second), Top::Nowhere), "the root is queued already");
        assert_eq!(slots.ready(), 1, "the root is queued once");
        assert_eq!(slots.next_member(group).map(|(member, _)| member), Some(0));
    }

    #[test]
    fn a_group_forgotten_ends_with_its_root() {
        let mut slots = Slots::new(0, 1);
        let root = slots.insert_main().expect("there is room");
        for _ in 0..1000 {
            let (group, _) = slots.insert_group(10).expect("there is room");
            drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
        }
        assert_eq!((slots.occupied(), slots.groups()), (10_001, 1000));
        slots.raise(root);
        drop(slots.vacate(root));
        assert_eq!((slots.occupied(), slots.groups()), (0, 0));
    }

    // F24: a task's groups are dropped with its future, after its number has been raised.
    #[test]
    fn a_group_removed_between_raise_and_vacate_is_no_longer_listed() {
        let mut slots = Slots::new(0, 1);
        let root = slots.insert_main().expect("there is room");
        let (group, seq) = slots.insert_group(2).expect("there is room");
        drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
        slots.raise(root);
        drop(slots.remove_group(group, seq));
        // Its key is used again by somebody else's group, which must not end with that root.
        let (other, other_seq) = slots.insert_group(1).expect("there is room");
        assert_eq!(other, group);
        drop(slots.vacate(root));
        assert!(slots.has_group(other, other_seq));
    }

    #[test]
    fn a_group_unlisted_from_the_middle_keeps_its_neighbours_listed() {
        let mut slots = Slots::new(0, 1);
        let root = slots.insert_main().expect("there is room");
        let made: Vec<_> = (0..3)
            .map(|_| {
                let (key, seq) = slots.insert_group(1).expect("there is room");
                drop(slots.link(key, None, Some(root)));
                (key, seq)
            })
            .collect();
        assert!(slots.remove_group(made[1].0, made[1].1).is_some());
        assert!(slots.remove_group(made[1].0, made[1].1).is_none(), "only once");
        assert_eq!(slots.occupied(), 3);
        slots.raise(root);
        drop(slots.vacate(root));
        assert_eq!(slots.occupied(), 0);
    }
}
