//! The slots, step by step.

use super::*;

/// Gives a root's slot back, and ends what it has forgotten.
fn vacate(slots: &mut Slots, root: Num) {
    if let (_task, Some(forgotten)) = slots.vacate(root) {
        drop(slots.end_groups(forgotten));
    }
}

fn child_of(slots: &mut Slots, group: u32, member: u32) -> Num {
    slots.groups[group as usize].members.get(member).expect("the member is alive")
}

#[test]
fn a_slot_past_its_last_generation_is_never_given_out_again() {
    let mut slots = Slots::new(0, LAST_GENERATION - 1);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let num = slots.insert_main().expect("there is room");
        seen.push((num.slot(), num.generation()));
        slots.raise(num);
        vacate(&mut slots, num);
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
    vacate(&mut slots, old);
    let new = slots.insert_main().expect("there is room");
    assert_eq!(old.slot(), new.slot());
    assert_eq!(slots.wake(old), Woken::Stale);
    assert_eq!(slots.begin_batch(), 1);
    assert!(
        matches!(slots.next(|| false), Dequeued::Stale),
        "the entry left by the old tenant stands for nobody"
    );
    assert_eq!(slots.ready(), 0);
    assert_eq!(slots.wake(new), Woken::Queued);
    assert_eq!(slots.wake(new), Woken::Again);
}

#[test]
fn a_childs_wake_walks_up_to_the_root_and_stops_at_what_is_queued() {
    let mut slots = Slots::new(0, 1);
    let root = slots.insert_main().expect("there is room");
    let (group, seq) = slots.insert_group(2).expect("there is room");
    drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
    while slots.next_member(group, seq).is_some() {}
    let (first, second) = (child_of(&mut slots, group, 0), child_of(&mut slots, group, 1));
    assert_eq!(slots.wake(first), Woken::Child);
    assert!(matches!(slots.walk_up(first), Top::Root(at) if at == root));
    assert_eq!(slots.wake(first), Woken::Again);
    assert_eq!(slots.wake(second), Woken::Child);
    assert!(matches!(slots.walk_up(second), Top::Nowhere), "the root is queued already");
    assert_eq!(slots.ready(), 1, "the root is queued once");
    assert_eq!(slots.next_member(group, seq).map(|(member, _)| member), Some(0));
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
    vacate(&mut slots, root);
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
    vacate(&mut slots, root);
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
    vacate(&mut slots, root);
    assert_eq!(slots.occupied(), 0);
}

// ----- groups that grow ----------------------------------------------------------------------------

/// A main with a group of `size` members that wakes it.
fn main_with_group(size: usize) -> (Slots, Num, u32, u64) {
    let mut slots = Slots::new(0, 1);
    let root = slots.insert_main().expect("there is room");
    let (group, seq) = slots.insert_group(size).expect("there is room");
    drop(slots.link(group, Some(Parent::Ours(root)), Some(root)));
    (slots, root, group, seq)
}

fn begin(slots: &mut Slots, group: u32) -> usize {
    slots.begin_members(group, 0).expect("there is room")
}

fn insert(slots: &mut Slots, group: u32) -> (u32, Num) {
    slots.insert_member(group, 0).expect("there is room")
}

#[test]
fn a_member_added_is_ready_and_wakes_whoever_polls_the_group() {
    let (mut slots, root, group, seq) = main_with_group(1);
    let (member, num) = insert(&mut slots, group);
    assert_eq!(member, 1, "behind the one that is there");
    assert!(matches!(slots.wake_group(group, seq), Top::Root(at) if at == root));
    assert!(matches!(slots.wake_group(group, seq), Top::Nowhere), "it is queued already");
    assert_eq!(slots.wake(num), Woken::Again, "it was born ready");
    assert_eq!(begin(&mut slots, group), 2);
    assert_eq!(slots.next_member(group, seq).map(|next| next.0), Some(0));
    assert_eq!(slots.next_member(group, seq), Some((1, num)));
}

#[test]
fn a_group_within_a_group_that_grows_wakes_its_child_and_the_root() {
    let (mut slots, root, outer, outer_seq) = main_with_group(1);
    assert_eq!(begin(&mut slots, outer), 1);
    let (_, child) = slots.next_member(outer, outer_seq).expect("it is ready");
    let (inner, seq) = slots.insert_group(0).expect("there is room");
    drop(slots.link(inner, Some(Parent::Ours(child)), Some(root)));
    insert(&mut slots, inner);
    assert!(matches!(slots.wake_group(inner, seq), Top::Root(at) if at == root));
    assert_eq!(slots.next_member(outer, outer_seq), Some((0, child)));
    drop(slots.remove_group(inner, seq));
    assert!(matches!(slots.wake_group(inner, seq), Top::Nowhere), "it has ended");
}

#[test]
fn a_place_is_used_again_only_after_the_next_batch_has_begun() {
    let (mut slots, _, group, seq) = main_with_group(3);
    assert_eq!(begin(&mut slots, group), 3);
    for _ in 0..2 {
        let (member, num) = slots.next_member(group, seq).expect("it is ready");
        slots.end_member(group, seq, member, num);
    }
    assert_eq!(insert(&mut slots, group).0, 3, "the batch is not over");
    assert_eq!(begin(&mut slots, group), 2);
    let again = [insert(&mut slots, group).0, insert(&mut slots, group).0];
    assert_eq!(again, [1, 0], "the last one first");
    assert_eq!(insert(&mut slots, group).0, 4);
}

#[test]
fn a_member_that_ends_while_it_is_queued_has_no_successor_until_its_turn() {
    let (mut slots, _, group, seq) = main_with_group(1);
    assert_eq!(begin(&mut slots, group), 1);
    let (member, old) = slots.next_member(group, seq).expect("it is ready");
    // Woken in its own last poll: the entry stays in the queue.
    assert_eq!(slots.wake(old), Woken::Child);
    let _ = slots.walk_up(old);
    slots.end_member(group, seq, member, old);
    assert_eq!(begin(&mut slots, group), 1);
    assert_eq!(insert(&mut slots, group).0, 1, "the entry for the first place is still there");
    assert!(slots.next_member(group, seq).is_none(), "and means nobody");
    assert_eq!(slots.next_member(group, seq).map(|next| next.0), Some(1));
    begin(&mut slots, group);
    let (successor, new) = insert(&mut slots, group);
    assert_eq!(successor, member);
    slots.end_member(group, seq, member, old);
    assert!(slots.is_live(new), "who has ended cannot end its successor");
    assert_eq!(slots.next_member(group, seq), Some((successor, new)));
}

// SEM-194: the group forgets who has ended.
#[test]
fn a_million_short_members_leave_no_more_than_two_places() {
    let (mut slots, _, group, seq) = main_with_group(0);
    for _ in 0..1_000_000 {
        insert(&mut slots, group);
        begin(&mut slots, group);
        let (member, num) = slots.next_member(group, seq).expect("it was added");
        slots.end_member(group, seq, member, num);
    }
    let places = slots.groups[group as usize].members.len();
    assert_eq!((places, slots.table.len(), slots.occupied()), (2, 2, 1));
}

/// A group as slow and plain as can be.
#[derive(Default)]
struct Model {
    alive: Vec<(u32, Num)>,
    ready: std::collections::VecDeque<Num>,
    /// Places that ended since the last batch began.
    resting: Vec<u32>,
    most: usize,
}

impl Model {
    fn wake(&mut self, num: Num) {
        if self.alive.iter().any(|&(_, other)| other == num) && !self.ready.contains(&num) {
            self.ready.push_back(num);
        }
    }

    fn insert(&mut self, (member, num): (u32, Num)) {
        assert!(self.alive.iter().all(|&(other, _)| other != member), "the place is taken");
        assert!(!self.resting.contains(&member), "a successor within a batch");
        self.alive.push((member, num));
        self.ready.push_back(num);
        self.most = self.most.max(self.alive.len() + self.resting.len());
        assert!((member as usize) < 2 * self.most, "a free place was passed over");
    }

    /// What the next entry of the queue stands for.
    fn next(&mut self) -> Option<(u32, Num)> {
        let num = self.ready.pop_front()?;
        self.alive.iter().copied().find(|&(_, other)| other == num)
    }
}

// SEM-194, F24: whatever is added, woken and ended in whatever order.
#[test]
fn a_group_that_grows_does_what_a_plain_list_does() {
    for seed in 1..200_u64 {
        let mut state = seed;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let (mut slots, _, group, seq) = main_with_group(0);
        let (mut model, mut known) = (Model::default(), Vec::new());
        for _ in 0..400 {
            match random(8) {
                0 | 1 => {
                    let added = insert(&mut slots, group);
                    known.push(added);
                    model.insert(added);
                }
                2 | 3 if !known.is_empty() => {
                    let (_, num) = known[random(known.len())];
                    if slots.wake(num) == Woken::Child {
                        let _ = slots.walk_up(num);
                    }
                    model.wake(num);
                }
                4 if !known.is_empty() => {
                    // Whoever is meant has ended by now, or ends here, outside of its poll.
                    let (member, num) = known[random(known.len())];
                    slots.end_member(group, seq, member, num);
                    let before = model.alive.len();
                    model.alive.retain(|&(_, other)| other != num);
                    if model.alive.len() < before {
                        model.resting.push(member);
                    }
                }
                5 => {
                    assert_eq!(begin(&mut slots, group), model.ready.len(), "seed {seed}");
                    model.resting.clear();
                }
                _ => assert_eq!(slots.next_member(group, seq), model.next(), "seed {seed}"),
            }
            assert_eq!(slots.occupied(), 1 + model.alive.len(), "seed {seed}");
        }
        drop(slots.remove_group(group, seq));
        assert_eq!((slots.occupied(), slots.groups()), (1, 0), "seed {seed}");
    }
}
