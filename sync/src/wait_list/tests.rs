//! Does a wait list do what two queues would do?

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// The same by the simplest means: two queues of (when it joined, parcel).
#[derive(Default)]
struct Model {
    waiting: VecDeque<(u32, u32)>,
    granted: VecDeque<(u32, u32)>,
    joined: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Grant(u32),
    /// A round, in which so many join before the first grant, and so many are granted at most.
    Round(u8, u8),
    Remove(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u32>().prop_map(Step::Join),
        2 => any::<u32>().prop_map(Step::Grant),
        1 => (0..4u8, 1..9u8).prop_map(|(join, most)| Step::Round(join, most)),
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..200)
}

/// When they joined, and the parcels, of one kind of waiters, in order.
type Found = Vec<(u32, u32)>;

/// A node's parcel: when it joined, and what it has been handed.
type Noted = (u32, u32);

impl Parcel for Noted {
    fn take(&mut self) -> Noted {
        *self
    }
}

/// Those who were granted, and those who wait.
fn walk(list: &WaitList<Noted>) -> (Found, Found) {
    let (mut granted, mut waiting) = (Vec::new(), Vec::new());
    let (mut index, mut previous) = (list.first, NONE);
    while index != NONE {
        let node = &list.nodes[index];
        assert_eq!(node.previous, previous, "the links agree both ways");
        if waiting.is_empty() && !node.standing.is_granted() {
            assert_eq!(list.first_waiting, index, "the first who waits");
        }
        assert!(
            waiting.is_empty() || !node.standing.is_granted(),
            "who was granted stands before who waits"
        );
        let line = if node.standing.is_granted() { &mut granted } else { &mut waiting };
        line.push(node.parcel);
        (previous, index) = (index, node.next);
    }
    assert_eq!(list.last, previous);
    (granted, waiting)
}

fn join(list: &mut WaitList<Noted>, keys: &mut Vec<Key>, parcel: Noted) {
    keys.push(list.join(parcel, KeptWaker::NOBODY, Location::caller()));
}

proptest! {
    #[test]
    fn a_wait_list_does_what_two_queues_do(steps in steps()) {
        let mut list = WaitList::new(trace::Object::new("test"));
        let mut model = Model::default();
        let mut keys: Vec<Key> = Vec::new();
        for step in steps {
            match step {
                Step::Join(parcel) => {
                    model.joined += 1;
                    model.waiting.push_back((model.joined, parcel));
                    join(&mut list, &mut keys, (model.joined, parcel));
                }
                Step::Grant(parcel) => {
                    let handed = list.grant(|theirs| theirs.1 ^= parcel);
                    prop_assert_eq!(handed.is_some(), !model.waiting.is_empty());
                    if let Some((joined, theirs)) = model.waiting.pop_front() {
                        model.granted.push_back((joined, theirs ^ parcel));
                    }
                }
                Step::Round(newcomers, most) => {
                    let round = list.begin_round();
                    prop_assert_eq!(round.is_some(), !model.waiting.is_empty());
                    let Some(round) = round else { continue };
                    let of_it = model.waiting.len().min(usize::from(most));
                    for _ in 0..newcomers {
                        model.joined += 1;
                        model.waiting.push_back((model.joined, 0));
                        join(&mut list, &mut keys, (model.joined, 0));
                    }
                    let grants = (0..most).take_while(|_| {
                        list.is_first_in(round) && list.grant(|_| ()).is_some()
                    });
                    prop_assert_eq!(grants.count(), of_it);
                    model.granted.extend(model.waiting.drain(..of_it));
                }
                Step::Remove(which) => {
                    if keys.is_empty() {
                        continue;
                    }
                    let key = keys.swap_remove(which.index(keys.len()));
                    let joined = list.node(&key).parcel.0;
                    if list.node(&key).standing.is_granted() {
                        let mut behind = Vec::new();
                        list.for_each_granted_behind(&key, |parcel| behind.push(*parcel));
                        let theirs = model.granted.iter().skip_while(|node| node.0 <= joined);
                        prop_assert!(theirs.eq(&behind));
                    }
                    prop_assert_eq!(list.remove(key).parcel.0, joined);
                    model.waiting.retain(|node| node.0 != joined);
                    model.granted.retain(|node| node.0 != joined);
                }
            }
            prop_assert_eq!(list.first(), model.waiting.front());
            prop_assert_eq!(list.len(), model.waiting.len());
            prop_assert_eq!(list.unclaimed(), model.granted.len());
            let lines = (Vec::from(model.granted.clone()), Vec::from(model.waiting.clone()));
            prop_assert_eq!(walk(&list), lines);
        }
    }
}

#[test]
fn a_warm_list_reuses_its_nodes() {
    let mut list = WaitList::new(trace::Object::new("test"));
    for _ in 0..1000 {
        let keys: Vec<Key> =
            (0..8).map(|n| list.join(n, KeptWaker::NOBODY, Location::caller())).collect();
        for key in keys {
            let _ = list.remove(key);
        }
    }
    assert_eq!((list.len(), list.nodes.capacity()), (0, 8));
}

#[test]
fn rounds_come_round() {
    let mut list = WaitList::new(trace::Object::new("test"));
    list.round = Round((1 << 31) - 2);
    for _ in 0..5 {
        let _ = list.join((), KeptWaker::NOBODY, Location::caller());
        let round = list.begin_round().expect("somebody waits");
        let _ = list.join((), KeptWaker::NOBODY, Location::caller());
        // The one that the last round has left, and the first of this one's.
        let mut served = 0;
        while list.is_first_in(round) {
            let _ = list.grant(|()| ());
            served += 1;
        }
        assert_eq!((served, list.len()), (if round.0 == (1 << 31) - 2 { 1 } else { 2 }, 1));
    }
    assert_eq!(list.round, Round(3));
}

#[test]
fn a_node_is_as_large_as_its_doc_says() {
    assert_eq!(size_of::<Waiter<()>>(), 32);
    assert_eq!(size_of::<Place>(), 16);
}
