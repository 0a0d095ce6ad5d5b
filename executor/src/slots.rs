//! Who lives behind a number? The slots of one loop, and the ready queue of those to poll.
//!
//! ```text
//!  number ──► marks[slot]     4 bytes: generation ┊ QUEUED CHILD      all that a wake touches
//!             tenants[slot]   main, a root task, or a child           what a poll needs
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

const QUEUED: u32 = 1;
const CHILD: u32 = 2;
const FLAG_BITS: u32 = 8;

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

/// What a wake has done.
pub(crate) enum Woken {
    /// It stands in a queue now (a child's whole line up to the ready queue does).
    Queued,
    /// It stood in a queue already.
    Again,
    /// Its tenant has ended.
    Stale,
    /// Queued, and the line of groups ends at somebody else's waker: wake it without a borrow.
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
    ready: VecDeque<Num>,
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
            ready: VecDeque::new(),
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
            self.marks.push(self.first_generation << FLAG_BITS);
        }
        Some(Num::new(
            self.loop_index,
            slot as u32,
            self.marks[slot] >> FLAG_BITS,
        ))
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
        self.tenants.insert(Tenant::Root {
            task,
            groups: NO_GROUP,
        });
        self.tasks += 1;
        Some((num, made))
    }

    /// Whether `num` names who lives in its slot now.
    pub(crate) fn is_live(&self, num: Num) -> bool {
        self.marks
            .get(num.slot())
            .is_some_and(|mark| mark >> FLAG_BITS == num.generation())
    }

    /// Makes every copy of `num` stale: called before the tenant's destructors run.
    pub(crate) fn raise(&mut self, num: Num) {
        debug_assert!(self.is_live(num), "{num:?} was raised already");
        let generation = num.generation() + 1;
        self.highest_generation = self.highest_generation.max(generation);
        self.marks[num.slot()] = generation << FLAG_BITS;
    }

    /// Gives back the slot of a tenant whose number has been raised. [9] reap
    ///
    /// The caller drops what is returned after the borrow has ended.
    pub(crate) fn vacate(&mut self, num: Num) -> Leftover {
        let slot = num.slot();
        debug_assert!(
            self.marks[slot] >> FLAG_BITS > num.generation(),
            "{num:?}: raise it first"
        );
        let retired = self.marks[slot] >> FLAG_BITS > LAST_GENERATION;
        let tenant = if retired {
            std::mem::replace(&mut self.tenants[slot], Tenant::Retired)
        } else {
            self.tenants.remove(slot)
        };
        match tenant {
            Tenant::Root { task, groups } => {
                self.tasks -= 1;
                Leftover {
                    parents: self.end_groups(groups),
                    task: Some(task),
                }
            }
            Tenant::Main { groups } => Leftover {
                parents: self.end_groups(groups),
                task: None,
            },
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

    /// Who lives behind `num`, as traces name it.
    pub(crate) fn who(&self, num: Num) -> Who {
        match self.tenants.get(num.slot()) {
            Some(tenant) if self.is_live(num) => match tenant {
                Tenant::Main { .. } => Who::Main,
                Tenant::Root { task, .. } => Who::Task(task.id()),
                Tenant::Child { member, .. } => Who::Child {
                    member: *member,
                    slot: num.slot() as u32,
                },
                Tenant::Retired => Who::Unknown,
            },
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

    /// [6] wake, [2] enqueue: walks up from `num` until it meets what is queued already.
    #[inline]
    pub(crate) fn wake(&mut self, num: Num) -> Woken {
        match self.marks.get_mut(num.slot()) {
            Some(mark) if *mark >> FLAG_BITS == num.generation() => {
                if *mark & QUEUED != 0 {
                    return Woken::Again;
                }
                *mark |= QUEUED;
                if *mark & CHILD != 0 {
                    return self.wake_parent_of(num);
                }
                self.ready.push_back(num);
                Woken::Queued
            }
            _ => Woken::Stale,
        }
    }

    #[cold]
    fn wake_parent_of(&mut self, child: Num) -> Woken {
        let Tenant::Child { group, member } = self.tenants[child.slot()] else {
            unreachable!("a mark with CHILD belongs to a child");
        };
        let group = &mut self.groups[group as usize];
        group.ready.push_back(member);
        match &group.parent {
            Parent::Nobody => Woken::Queued,
            Parent::Foreign(waker) => Woken::Foreign(waker.clone()),
            Parent::Ours(parent) => {
                let parent = *parent;
                match self.wake(parent) {
                    Woken::Foreign(waker) => Woken::Foreign(waker),
                    _ => Woken::Queued,
                }
            }
        }
    }

    /// How many slots are ready: the length of the next batch.
    #[inline]
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// [3] dequeue: the next slot to poll. Entries of tenants that have ended are passed over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(Num, Next)> {
        let num = self.ready.pop_front()?;
        let mark = &mut self.marks[num.slot()];
        if *mark >> FLAG_BITS != num.generation() {
            return None;
        }
        *mark &= !QUEUED;
        match &self.tenants[num.slot()] {
            Tenant::Root { task, .. } => Some((num, Next::Task(task.clone()))),
            Tenant::Main { .. } => Some((num, Next::Main)),
            Tenant::Child { .. } | Tenant::Retired => {
                unreachable!("only main and root tasks stand in the ready queue")
            }
        }
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
        self.groups
            .get(group as usize)
            .is_some_and(|group| group.seq == seq)
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
        Some(std::mem::replace(
            &mut self.groups[group as usize].parent,
            parent,
        ))
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

    fn groups_of(&mut self, root: Num) -> Option<&mut u32> {
        if !self.is_live(root) {
            return None;
        }
        match self.tenants.get_mut(root.slot()) {
            Some(Tenant::Main { groups } | Tenant::Root { groups, .. }) => Some(groups),
            _ => None,
        }
    }

    fn list(&mut self, key: u32, root: Option<Num>) {
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
        } else if let Some(first) = self.groups_of(root) {
            *first = next;
        }
    }

    /// Ends the groups that were forgotten: their root has ended and they are still listed.
    fn end_groups(&mut self, mut key: u32) -> Vec<Parent> {
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
        assert!(matches!(slots.wake(old), Woken::Stale));
        assert!(
            slots.next().is_none(),
            "the entry left by the old tenant stands for nobody"
        );
        assert_eq!(slots.ready(), 0);
        assert!(matches!(slots.wake(new), Woken::Queued));
        assert!(matches!(slots.wake(new), Woken::Again));
    }

    #[test]
    fn a_childs_wake_walks_up_to_the_root_and_stops_at_what_is_queued() {
        let mut slots = Slots::new(0, 1);
        let root = slots.insert_main().expect("there is room");
        let (group, _) = slots.insert_group(2).expect("there is room");
        drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
        while slots.next_member(group).is_some() {}
        let (first, second) = (
            child_of(&mut slots, group, 0),
            child_of(&mut slots, group, 1),
        );
        assert!(matches!(slots.wake(first), Woken::Queued));
        assert!(matches!(slots.wake(first), Woken::Again));
        assert!(matches!(slots.wake(second), Woken::Queued));
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
        assert!(
            slots.remove_group(made[1].0, made[1].1).is_none(),
            "only once"
        );
        assert_eq!(slots.occupied(), 3);
        slots.raise(root);
        drop(slots.vacate(root));
        assert_eq!(slots.occupied(), 0);
    }
}
