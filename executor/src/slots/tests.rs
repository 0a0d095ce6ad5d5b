//! The slots, step by step.

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
