//! What must hold of the items of a queue, whatever their order.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Fifo, GetError, Lifo, Prioritized, QueueOf, QueueOrder, SmallestFirst};

use super::{PLACES, Step, Subject};
use crate::help::{Counter, poll_once};

/// A priority and an age; the queue compares the priority only.
type Item = Prioritized<u32, u32>;
type Pair = (u32, u32);

/// How many items may be about at once.
const MOST: usize = 3;

/// What an order does, by the simplest means.
pub(super) trait Order: QueueOrder<Item> + 'static {
    /// Which of these is next.
    fn next(items: &[Pair]) -> Option<usize>;
    /// A getter that was handed an item goes: do those behind it move up?
    const MOVES_UP: bool = false;
}

fn least<K: Ord>(items: &[Pair], key: impl Fn(&Pair) -> K) -> Option<usize> {
    (0..items.len()).min_by_key(|at| key(&items[*at]))
}

impl Order for Fifo {
    fn next(items: &[Pair]) -> Option<usize> {
        least(items, |item| item.1)
    }
    const MOVES_UP: bool = true;
}

impl Order for Lifo {
    fn next(items: &[Pair]) -> Option<usize> {
        items.len().checked_sub(1)
    }
}

impl Order for SmallestFirst {
    fn next(items: &[Pair]) -> Option<usize> {
        least(items, |item| *item)
    }
}

type Getting = Pin<Box<dyn Future<Output = Result<Item, GetError>>>>;

pub(super) struct Items<O: Order> {
    queue: Rc<QueueOf<Item, O>>,
    places: [Option<(Getting, Arc<Counter>)>; PLACES],
    line: Vec<usize>,
    /// Places and what they were handed.
    granted: Vec<(usize, Pair)>,
    items: Vec<Pair>,
    age: u32,
}

impl<O: Order> Items<O> {
    fn take(&mut self) -> Option<Pair> {
        O::next(&self.items).map(|at| self.items.remove(at))
    }

    fn start(&mut self) -> bool {
        let Some(at) = self.places.iter().position(Option::is_none) else {
            return false;
        };
        let queue = self.queue.clone();
        let mut future: Getting = Box::pin(async move { queue.get().await });
        let expected = self.take();
        match poll_once(&mut future) {
            (Poll::Ready(got), _) => {
                let got = got.ok().map(|got| (got.priority, got.item));
                assert_eq!(got, expected, "not the item that is next");
            }
            (Poll::Pending, wakes) => {
                assert_eq!(expected, None, "it waits, and there is an item");
                self.line.push(at);
                self.places[at] = Some((future, wakes));
            }
        }
        true
    }

    fn poll(&mut self, at: usize) -> bool {
        let Some((future, wakes)) = &mut self.places[at] else {
            return false;
        };
        let granted = self.granted.iter().position(|(place, _)| *place == at);
        match poll_once(future) {
            (Poll::Ready(got), _) => {
                let granted = granted.expect("it went on though it was not its turn");
                let (_, expected) = self.granted.remove(granted);
                let got = got.ok().map(|got| (got.priority, got.item));
                assert_eq!(got, Some(expected), "not the item that it was handed");
                self.places[at] = None;
            }
            (Poll::Pending, newer) => {
                assert!(granted.is_none(), "it was handed an item and waits on");
                *wakes = newer;
            }
        }
        true
    }

    fn drop(&mut self, at: usize) -> bool {
        if self.places[at].take().is_none() {
            return false;
        }
        self.line.retain(|place| *place != at);
        let Some(rank) = self.granted.iter().position(|(place, _)| *place == at) else {
            return true;
        };
        if O::MOVES_UP {
            let items: Vec<_> = self.granted.iter().map(|(_, item)| *item).collect();
            self.granted.remove(rank);
            for (granted, item) in self.granted.iter_mut().zip(&items) {
                granted.1 = *item;
            }
            self.give_back(items[items.len() - 1]);
        } else {
            let (_, item) = self.granted.remove(rank);
            self.give_back(item);
        }
        true
    }

    fn give_back(&mut self, item: Pair) {
        if self.line.is_empty() {
            self.items.push(item);
        } else {
            self.granted.push((self.line.remove(0), item));
        }
    }

    fn check(&self) {
        let now = self.queue.statistics();
        assert_eq!(now.len, self.items.len(), "items are not conserved");
        assert_eq!(now.unclaimed, self.granted.len(), "handed items are not conserved");
        assert_eq!(now.getters, self.line.len(), "not all who wait are counted");
        for (at, place) in self.places.iter().enumerate() {
            if let Some((_, wakes)) = place {
                let granted = self.granted.iter().any(|(place, _)| *place == at);
                assert_eq!(wakes.wakes(), usize::from(granted), "woken exactly when it may go on");
            }
        }
    }
}

impl<O: Order> Subject for Items<O> {
    const KINDS: usize = 1;
    /// A put of either priority.
    const OTHERS: usize = 2;

    fn new() -> Items<O> {
        Items {
            queue: Rc::new(QueueOf::unbounded()),
            places: [const { None }; PLACES],
            line: Vec::new(),
            granted: Vec::new(),
            items: Vec::new(),
            age: 0,
        }
    }

    fn step(&mut self, step: Step) -> bool {
        let done = match step {
            Step::Start(_) => self.start(),
            Step::Poll(at) => self.poll(at),
            Step::Drop(at) => self.drop(at),
            Step::Other(_) if self.items.len() + self.granted.len() >= MOST => false,
            Step::Other(priority) => {
                let item = (u32::try_from(priority).expect("0 or 1"), self.age);
                self.age += 1;
                let put = self.queue.try_put(Prioritized::new(item.0, item.1));
                put.expect("it is open");
                self.give_back(item);
                true
            }
        };
        self.check();
        done
    }

    fn canonical(&self) -> Vec<u32> {
        let mut ages: Vec<u32> = self.granted.iter().map(|(_, item)| item.1).collect();
        ages.extend(self.items.iter().map(|item| item.1));
        ages.sort_unstable();
        let rank = |item: &Pair| {
            let rank = ages.binary_search(&item.1).expect("it is one of them");
            [item.0, u32::try_from(rank).expect("it is small")]
        };
        let granted = self.granted.iter().flat_map(|(_, item)| rank(item));
        let waiting = u32::try_from(self.line.len()).expect("it is small");
        let items = self.items.iter().flat_map(rank);
        [waiting].into_iter().chain(granted).chain([9]).chain(items).collect()
    }

    fn end(mut self) {
        for at in 0..PLACES {
            self.drop(at);
            self.check();
        }
        while let Some(expected) = self.take() {
            let got = self.queue.try_get().ok().map(|got| (got.priority, got.item));
            assert_eq!(got, Some(expected), "not the item that is next");
        }
        let now = self.queue.statistics();
        assert_eq!((now.len, now.unclaimed, now.getters), (0, 0, 0), "something was left behind");
    }
}
