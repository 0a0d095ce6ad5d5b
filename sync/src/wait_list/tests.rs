//! Does a wait list do what two queues would do?

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// The same by the simplest means: two queues of (ticket, parcel).
#[derive(Default)]
struct Model {
    waiting: VecDeque<(u64, u32)>,
    granted: VecDeque<(u64, u32)>,
    joined: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Grant(u32),
    GrantBefore(u8),
    Remove(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u32>().prop_map(Step::Join),
        2 => any::<u32>().prop_map(Step::Grant),
        1 => any::<u8>().prop_map(Step::GrantBefore),
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..200)
}

/// Tickets and parcels of one kind of waiters, in order.
type Found = Vec<(u64, u32)>;

/// Those who were granted, and those who wait.
fn walk(list: &WaitList<u32>) -> (Found, Found) {
    let (mut granted, mut waiting) = (Vec::new(), Vec::new());
    let (mut index, mut previous) = (list.first, NONE);
    while index != NONE {
        let node = &list.nodes[index as usize];
        assert_eq!(node.previous, previous, "the links agree both ways");
        if waiting.is_empty() && !node.granted {
            assert_eq!(list.first_waiting, index, "the first who waits");
        }
        assert!(waiting.is_empty() || !node.granted, "who was granted stands before who waits");
        let line = if node.granted { &mut granted } else { &mut waiting };
        line.push((node.ticket.0.get(), node.parcel));
        (previous, index) = (index, node.next);
    }
    assert_eq!(list.last, previous);
    (granted, waiting)
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
                    keys.push(list.join(parcel, KeptWaker::NOBODY, Location::caller()));
                }
                Step::Grant(parcel) => {
                    let handed = list.grant(|theirs| *theirs ^= parcel);
                    prop_assert_eq!(handed.is_some(), !model.waiting.is_empty());
                    if let Some((ticket, theirs)) = model.waiting.pop_front() {
                        model.granted.push_back((ticket, theirs ^ parcel));
                    }
                }
                Step::GrantBefore(back) => {
                    let before = model.joined.saturating_sub(u64::from(back));
                    while list.first_ticket().is_some_and(|first| first.0.get() < before) {
                        prop_assert!(list.grant(|_| ()).is_some());
                    }
                    while model.waiting.front().is_some_and(|first| first.0 < before) {
                        model.granted.extend(model.waiting.pop_front());
                    }
                }
                Step::Remove(which) => {
                    if keys.is_empty() {
                        continue;
                    }
                    let key = keys.swap_remove(which.index(keys.len()));
                    let ticket = key.ticket.0.get();
                    if list.node(&key).granted {
                        let mut behind = Vec::new();
                        list.for_each_granted_behind(&key, |parcel| behind.push(*parcel));
                        let theirs = model.granted.iter().skip_while(|node| node.0 <= ticket);
                        prop_assert!(theirs.map(|node| node.1).eq(behind));
                    }
                    prop_assert_eq!(list.remove(&key).ticket, key.ticket);
                    model.waiting.retain(|node| node.0 != ticket);
                    model.granted.retain(|node| node.0 != ticket);
                }
            }
            prop_assert_eq!(list.first(), model.waiting.front().map(|node| &node.1));
            prop_assert_eq!(list.len(), model.waiting.len());
            prop_assert_eq!(list.next.0.get(), model.joined + 1);
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
            let _ = list.remove(&key);
        }
    }
    assert_eq!((list.len(), list.nodes.capacity()), (0, 8));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "a stale key of node 0")]
fn a_stale_key_is_noticed() {
    let mut list = WaitList::new(trace::Object::new("test"));
    let key = list.join((), KeptWaker::NOBODY, Location::caller());
    let stale = Key { index: key.index, ticket: key.ticket };
    let _ = list.remove(&key);
    let _ = list.join((), KeptWaker::NOBODY, Location::caller());
    list.node(&stale);
}

#[test]
fn a_node_is_as_large_as_its_doc_says() {
    assert_eq!(size_of::<Node<()>>(), 48);
    assert_eq!(size_of::<Place>(), 24);
}
