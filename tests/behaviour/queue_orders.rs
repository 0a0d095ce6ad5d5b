//! Queues that give the least, or the newest, first: in what they differ from first in, first out.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::task::Poll;

use lone_sync::{LifoQueue, Prioritized, PriorityQueue, TryGetError, TryPutError};

use crate::waiting::{Chance, poll};

/// Compared by its first number only.
type Item = Prioritized<u32, u32>;

fn item(priority: u32, number: u32) -> Item {
    Prioritized::new(priority, number)
}

/// All that is left, as pairs.
fn drain(queue: &PriorityQueue<Item>) -> Vec<(u32, u32)> {
    std::iter::from_fn(|| queue.try_get().ok()).map(|got| (got.priority, got.item)).collect()
}

// SEM-269: smallest first, and newest first.
#[test]
fn items_come_out_smallest_first_or_newest_first() {
    let (smallest, newest) = (PriorityQueue::unbounded(), LifoQueue::unbounded());
    for n in [3, 1, 2] {
        smallest.try_put(n).expect("it is open");
        newest.try_put(n).expect("it is open");
    }
    let smallest: Vec<_> = (0..4).map(|_| smallest.try_get()).collect();
    assert_eq!(smallest, [Ok(1), Ok(2), Ok(3), Err(TryGetError::Empty)]);
    let newest: Vec<_> = (0..4).map(|_| newest.try_get()).collect();
    assert_eq!(newest, [Ok(2), Ok(1), Ok(3), Err(TryGetError::Empty)]);
}

// SEM-269: the model is a stable sort, whatever puts and gets lie between.
#[test]
fn priority_queue_under_any_puts_and_gets_gives_the_oldest_of_the_least() {
    for seed in 0..500 {
        let chance = &mut Chance::new(seed);
        let (queue, mut model) = (PriorityQueue::unbounded(), Vec::new());
        for number in 0..80 {
            if chance.below(5) < 3 {
                let priority = u32::try_from(chance.below(6)).expect("it is small");
                queue.try_put(item(priority, number)).expect("it is open");
                model.push((priority, number));
            } else {
                model.sort_unstable();
                let expected = (!model.is_empty()).then(|| model.remove(0));
                let got = queue.try_get().ok().map(|got| (got.priority, got.item));
                assert_eq!(got, expected, "seed {seed}");
            }
            assert_eq!(queue.len(), model.len());
        }
        model.sort_unstable();
        let left = queue.shutdown_now();
        let left: Vec<_> = left.iter().map(|left| (left.priority, left.item)).collect();
        assert_eq!(left, model, "seed {seed}");
    }
}

// SEM-289, C-47: and of the greatest first.
#[test]
fn hundred_items_of_equal_priority_come_out_in_the_order_of_their_puts() {
    let queue = PriorityQueue::unbounded();
    for number in 0..100 {
        queue.try_put(Reverse(item(7, number))).expect("it is open");
    }
    let numbers: Vec<_> = queue.shutdown_now().iter().map(|got| got.0.item).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

// SEM-274, C-46
#[test]
fn smallest_item_given_back_comes_after_a_smaller_one_and_before_its_younger_equals() {
    let queue = PriorityQueue::unbounded();
    let mut getter = queue.get();
    assert!(poll(&mut getter).is_pending());
    queue.try_put(item(5, 0)).expect("it is open");
    queue.try_put(item(5, 1)).expect("it is open");
    drop(getter);
    queue.try_put(item(1, 2)).expect("it is open");
    assert_eq!(drain(&queue), [(1, 2), (5, 0), (5, 1)]);
}

// SEM-274, C-48
#[test]
fn newest_item_given_back_is_on_top_again() {
    let queue = LifoQueue::unbounded();
    let mut getter = queue.get();
    assert!(poll(&mut getter).is_pending());
    queue.try_put("handed").expect("it is open");
    drop(getter);
    assert_eq!(queue.try_get(), Ok("handed"));
    assert!(queue.is_empty());
}

// SEM-274: of two that were handed one the second keeps its own, the third gets the first one's.
#[test]
fn getter_dropped_before_others_leaves_them_their_items_and_its_own_to_the_next() {
    let queue = LifoQueue::unbounded();
    let (mut first, mut second, mut third) = (queue.get(), queue.get(), queue.get());
    for getter in [&mut first, &mut second, &mut third] {
        assert!(poll(getter).is_pending());
    }
    queue.try_put(1).expect("it is open");
    queue.try_put(2).expect("it is open");
    assert_eq!(queue.statistics().unclaimed, 2);
    drop(first);
    assert_eq!(poll(&mut third), Poll::Ready(Ok(1)));
    assert_eq!(poll(&mut second), Poll::Ready(Ok(2)));
}

// SEM-273, SEM-278: backpressure is the same as ever.
#[test]
fn get_from_a_full_priority_queue_lets_the_first_putter_in_whatever_its_priority() {
    let queue = PriorityQueue::bounded(1);
    queue.try_put(5).expect("there is room");
    let (mut first, mut second) = (queue.put(9), queue.put(1));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(queue.try_get(), Ok(5));
    assert!(matches!(queue.try_put(0), Err(TryPutError::Full(0))));
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(9), Ok(1)));
    let now = queue.statistics();
    assert_eq!((now.len, now.unfinished, now.putters, now.capacity), (0, 3, 0, Some(1)));
}

/// Compared by its number; `cmp` runs a hook, once, with the queue.
struct Hooked {
    number: u32,
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: RefCell<Weak<PriorityQueue<Hooked>>>,
    hook: Cell<Option<Hook>>,
}

/// What an `Ord` does besides.
type Hook = fn(&PriorityQueue<Hooked>, &Rc<Shared>);

impl PartialEq for Hooked {
    fn eq(&self, other: &Hooked) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Hooked {}

impl PartialOrd for Hooked {
    fn partial_cmp(&self, other: &Hooked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hooked {
    fn cmp(&self, other: &Hooked) -> Ordering {
        if let Some(hook) = self.shared.hook.take() {
            let queue = self.shared.queue.borrow().upgrade();
            hook(&queue.expect("it lives"), &self.shared);
        }
        self.number.cmp(&other.number)
    }
}

/// A queue with 3, 1 and 2, whose items run the hook when they are compared.
fn hooked(
    hook: fn(&PriorityQueue<Hooked>, &Rc<Shared>),
) -> (Rc<PriorityQueue<Hooked>>, Rc<Shared>) {
    let (queue, shared) = (Rc::new(PriorityQueue::unbounded()), Rc::new(Shared::default()));
    *shared.queue.borrow_mut() = Rc::downgrade(&queue);
    for number in [3, 1, 2] {
        queue.try_put(Hooked { number, shared: shared.clone() }).expect("it is open");
    }
    shared.hook.set(Some(hook));
    (queue, shared)
}

fn numbers(queue: &PriorityQueue<Hooked>) -> Vec<u32> {
    std::iter::from_fn(|| queue.try_get().ok()).map(|got| got.number).collect()
}

// F26: an `Ord` finds a whole queue.
#[test]
fn ord_that_puts_into_its_own_queue_has_its_item_sorted_in() {
    let (queue, _shared) = hooked(|queue, shared| {
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.statistics().len, 3);
        queue.try_put(Hooked { number: 0, shared: shared.clone() }).expect("it is open");
        assert_eq!(queue.len(), 4);
    });
    assert_eq!(numbers(&queue), [0, 1, 2, 3]);
}

// F26: re-entrance is an error that says so, and costs no item.
#[test]
fn ord_that_gets_from_its_own_queue_panics_and_all_items_stay() {
    for hook in [
        (|queue, _| drop(queue.try_get())) as Hook,
        |queue, _| drop(poll(&mut queue.get())),
        |queue, _| drop(queue.shutdown_now()),
    ] {
        let (queue, _shared) = hooked(hook);
        let panic =
            catch_unwind(AssertUnwindSafe(|| queue.try_get().is_ok())).expect_err("it panics");
        let message = panic.downcast_ref::<&str>().expect("a literal");
        assert!(message.contains("while that compares its items"), "{message}");
        assert_eq!(queue.len(), 3);
        assert_eq!(numbers(&queue), [1, 2, 3]);
    }
}

// F26: an `Ord` that panics, at each of its calls.
#[test]
fn panic_in_ord_loses_no_item_and_the_next_get_sorts_anew() {
    let (queue, shared) = hooked(|_, _| ());
    for number in [5, 4, 0, 6] {
        assert!(queue.try_get().is_ok());
        queue.try_put(Hooked { number, shared: shared.clone() }).expect("it is open");
        shared.hook.set(Some(|_, _| panic!("cannot compare")));
        assert!(catch_unwind(AssertUnwindSafe(|| queue.try_get().is_ok())).is_err());
        assert_eq!(queue.len(), 3);
    }
    let mut left = numbers(&queue);
    assert!(left.is_sorted(), "{left:?}");
    left.dedup();
    assert_eq!(left.len(), 3);
}

// SEM-269: the same numbers in `Debug`, under the queue's own name.
#[test]
fn debug_of_a_queue_names_its_order() {
    assert!(format!("{:?}", PriorityQueue::<u8>::bounded(1)).starts_with("PriorityQueue { len: 0"));
    assert!(format!("{:?}", LifoQueue::<u8>::bounded(1)).starts_with("LifoQueue { len: 0"));
}
