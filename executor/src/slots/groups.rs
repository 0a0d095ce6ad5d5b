//! How do the children of one future stand in the slots? As a group: its members, whom it wakes,
//! and the root that ends it.
//!
//! ```text
//!   Group ─┬─ members  number of each child       the child's slot points back
//!          ├─ ready    those to poll, in the order of their wakes
//!          ├─ parent   whom a child's wake goes on to
//!          └─ root ◄─► root's list of groups      ended with it at the latest
//! ```
//!
//! A group may grow while it lives. Invariant: **one entry a place**: a place stands in `ready` once
//! at most. That of a member which has ended while it stood there has no successor before its
//! entry is taken; so an entry means its member, or nobody.

use std::collections::VecDeque;
use std::task::Waker;

use super::places::Places;
use super::{CHILD, NO_GROUP, QUEUED, Slot, Slots, Woken};
use crate::num::Num;

/// Where the walk up from a child has ended.
pub(crate) enum Top {
    /// At somebody who was queued already, or at nobody.
    Nowhere,
    /// At a root, which stands in the ready queue now.
    Root(Num),
    /// At somebody else's waker: wake it without a borrow.
    Foreign(Waker),
}

/// Whom a group wakes when one of its children has been woken.
pub(crate) enum Parent {
    Nobody,
    Ours(Num),
    Foreign(Waker),
}

/// Groups that are still listed under a root which has ended: the first of them.
#[derive(Debug)]
pub(crate) struct Forgotten(pub(super) u32);

/// The children of one future.
pub(super) struct Group {
    parent: Parent,
    pub(super) members: Places,
    /// The members to poll, in the order of their wakes.
    ready: VecDeque<u32>,
    /// Which group this is, for ever: the key in the slab is used again.
    seq: u64,
    /// The root task that ends this group at the latest, and its neighbours in that root's list.
    pub(super) root: Option<Num>,
    previous: u32,
    next: u32,
}

impl Slots {
    /// [6] wake of a child, where nothing is out of the ordinary: it is alive and not queued, and whoever
    /// polls its group is queued already, for a sibling. `false`: nothing was done, use [`Slots::wake`].
    ///
    /// It calls nothing: 80 of 650 instructions less a child that waits once (bench `join_yield`).
    #[inline]
    pub(crate) fn wake_child_fast(&mut self, num: Num) -> bool {
        let Slots { table, groups, .. } = self;
        let Some(slot) = table.get(num.slot()) else { return false };
        if slot.mark != num.generation() | CHILD {
            return false;
        }
        let Some(Group { parent: Parent::Ours(parent), ready, .. }) =
            groups.get_mut(slot.link as usize)
        else {
            return false;
        };
        let is_queued = |slot: &Slot| slot.mark & !CHILD == parent.generation() | QUEUED;
        if !table.get(parent.slot()).is_some_and(is_queued) || ready.len() == ready.capacity() {
            return false;
        }
        ready.push_back(table.member(num));
        table.of(num).mark = num.generation() | CHILD | QUEUED;
        true
    }

    /// Walks up from a child that has just been queued, until it meets what is queued already.
    #[cold]
    pub(crate) fn walk_up(&mut self, child: Num) -> Top {
        let group = self.enqueue(child);
        self.climb(group)
    }

    /// Walks up from a group to which something was added. Does nothing if it has ended.
    pub(crate) fn wake_group(&mut self, group: u32, seq: u64) -> Top {
        if self.has_group(group, seq) { self.climb(group) } else { Top::Nowhere }
    }

    /// Puts a child on its group's ready list; returns which group that is.
    ///
    /// Inlined, as `climb`: 18 of 350 instructions less a wake and poll, in a gather of 10,000.
    #[inline(always)]
    fn enqueue(&mut self, child: Num) -> u32 {
        let group = self.table.of(child).link;
        let member = self.table.member(child);
        self.groups[group as usize].ready.push_back(member);
        group
    }

    /// Wakes a group's parent, and goes on from there while that is a child.
    #[inline(always)]
    fn climb(&mut self, mut group: u32) -> Top {
        loop {
            let of = &mut self.groups[group as usize];
            match of.parent {
                Parent::Nobody => return Top::Nowhere,
                Parent::Foreign(_) => {
                    // It is taken, not cloned: that would be user code. Once woken it is not needed
                    // until the group is polled, which sets it again.
                    match std::mem::replace(&mut of.parent, Parent::Nobody) {
                        Parent::Foreign(waker) => return Top::Foreign(waker),
                        Parent::Ours(_) | Parent::Nobody => unreachable!("it was seen above"),
                    }
                }
                Parent::Ours(parent) => match self.wake(parent) {
                    Woken::Queued => return Top::Root(parent),
                    Woken::Child => group = self.enqueue(parent),
                    Woken::Again | Woken::Stale => return Top::Nowhere,
                },
            }
        }
    }

    /// A group with `size` members, all of them ready. `None`: there is no room for them.
    pub(crate) fn insert_group(&mut self, size: usize) -> Option<(u32, u64)> {
        self.groups_made += 1;
        let seq = self.groups_made;
        let key = self.groups.insert(Group {
            parent: Parent::Nobody,
            members: Places::with_capacity(size),
            ready: VecDeque::with_capacity(size),
            seq,
            root: None,
            previous: NO_GROUP,
            next: NO_GROUP,
        }) as u32;
        if !self.grow(key, size) {
            // It was never linked: its parent is nobody.
            let _ = self.remove_group(key, seq);
            return None;
        }
        Some((key, seq))
    }

    /// Adds members at new places until there are `size` places; they are ready at once. `false`:
    /// there is no room for them.
    fn grow(&mut self, group: u32, size: usize) -> bool {
        while self.groups[group as usize].members.len() < size {
            if self.add(group, Places::push, QUEUED).is_none() {
                return false;
            }
        }
        true
    }

    /// Adds a member to a group that has `size` places by now: at a free one, or at a new one. It
    /// is ready at once; the caller wakes the group. `None`: there is no room for it.
    pub(crate) fn insert_member(&mut self, group: u32, size: usize) -> Option<(u32, Num)> {
        if self.grow(group, size) { self.add(group, Places::insert, QUEUED) } else { None }
    }

    /// The same, but the member is not ready: the caller polls it.
    pub(crate) fn add_member(&mut self, group: u32, size: usize) -> Option<(u32, Num)> {
        if self.grow(group, size) { self.add(group, Places::insert, 0) } else { None }
    }

    fn add(
        &mut self,
        key: u32,
        place: fn(&mut Places, Num) -> u32,
        queued: u32,
    ) -> Option<(u32, Num)> {
        let (num, slot) = self.table.occupy()?;
        let group = &mut self.groups[key as usize];
        let member = place(&mut group.members, num);
        if queued != 0 {
            group.ready.push_back(member);
        }
        slot.mark = num.generation() | CHILD | queued;
        slot.link = key;
        self.table.set_member(num, member);
        Some((member, num))
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

    /// Makes every member ready: a report asks all of them what they await. Returns how many.
    pub(crate) fn make_all_ready(&mut self, group: u32) -> usize {
        let Slots { groups, table, .. } = self;
        let Group { members, ready, .. } = &mut groups[group as usize];
        for (member, num) in members.alive() {
            let slot = table.of(num);
            if slot.mark & QUEUED == 0 {
                slot.mark |= QUEUED;
                ready.push_back(member);
            }
        }
        ready.len()
    }

    /// A batch of a group that has `size` places by now begins: how many members are ready. `None`:
    /// there is no room for all of them.
    pub(crate) fn begin_members(&mut self, group: u32, size: usize) -> Option<usize> {
        if !self.grow(group, size) {
            return None;
        }
        let group = &mut self.groups[group as usize];
        group.members.begin_batch();
        Some(group.ready.len())
    }

    /// The next member to poll, with its number; `None` if its turn was of one that has ended.
    #[inline]
    pub(crate) fn next_member(&mut self, group: u32, seq: u64) -> Option<(u32, Num)> {
        let group = self.groups.get_mut(group as usize).filter(|group| group.seq == seq)?;
        let member = group.ready.pop_front()?;
        let Some(num) = group.members.get(member) else {
            group.members.rest(member);
            return None;
        };
        self.table.of(num).mark = num.generation() | CHILD;
        Some((member, num))
    }

    /// Ends a member: its number is stale from here on. Does nothing if it has ended already.
    pub(crate) fn end_member(&mut self, group: u32, seq: u64, member: u32, num: Num) {
        let group = self.groups.get_mut(group as usize).filter(|group| group.seq == seq);
        let Some(group) = group.filter(|group| group.members.get(member) == Some(num)) else {
            return;
        };
        group.members.clear(member);
        // *One entry a place*: else its turn comes when the entry is taken.
        if self.table.of(num).mark & QUEUED == 0 {
            group.members.rest(member);
        }
        self.end_child(num);
    }

    #[inline]
    fn end_child(&mut self, num: Num) {
        self.raise(num);
        // A child's future belongs to its parent: nothing of a child is left here.
        let _ = self.table.vacate(num);
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
        for (_, num) in group.members.alive() {
            self.end_child(num);
        }
        Some(group.parent)
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    fn list(&mut self, key: u32, root: Option<Num>) {
        let lives = |root: &Num| self.live(*root).is_some_and(|slot| slot.mark & CHILD == 0);
        let Some(root) = root.filter(lives) else {
            return;
        };
        let next = std::mem::replace(&mut self.table.of(root).link, key);
        let group = &mut self.groups[key as usize];
        (group.root, group.previous, group.next) = (Some(root), NO_GROUP, next);
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
        } else {
            // Also where the root's number has been raised: its destructors run, and it is vacated
            // after them. A root that has been vacated has no group left that names it.
            self.table.of(root).link = next;
        }
    }

    /// Ends groups that were forgotten. The caller drops whom they woke after the borrow has ended.
    #[must_use = "drop them after the borrow has ended"]
    pub(crate) fn end_groups(&mut self, Forgotten(mut key): Forgotten) -> Vec<Parent> {
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
