//! What must hold of the items of a queue, whatever their order.

use std::rc::Rc;

use lone_sync::{Fifo, GetError, Lifo, Prioritized, QueueOf, QueueOrder, SmallestFirst};

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

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

pub(super) struct Items<O: Order> {
    queue: Rc<QueueOf<Item, O>>,
    items: Vec<Pair>,
    age: u32,
}

impl<O: Order> Items<O> {
    fn take(&mut self) -> Option<Pair> {
        O::next(&self.items).map(|at| self.items.remove(at))
    }

    fn give_back(&mut self, ledger: &mut Ledger<Pair>, item: Pair) {
        match ledger.first(0) {
            None => self.items.push(item),
            Some(first) => ledger.grant(first, item),
        }
    }
}

impl<O: Order> Model for Items<O> {
    const KINDS: usize = 1;
    /// A put of either priority.
    const OTHERS: usize = 2;
    type Got = Result<Item, GetError>;
    type Due = Pair;

    fn new() -> Items<O> {
        Items { queue: Rc::new(QueueOf::unbounded()), items: Vec::new(), age: 0 }
    }

    fn future(&mut self, _at: usize, _kind: usize) -> Option<Waiting<Result<Item, GetError>>> {
        let queue = self.queue.clone();
        Some(Box::pin(async move { queue.get().await }))
    }

    fn arrive(&mut self, _ledger: &mut Ledger<Pair>, _at: usize) -> Option<Pair> {
        self.take()
    }

    fn went_on(
        &mut self,
        _ledger: &mut Ledger<Pair>,
        _at: usize,
        due: Pair,
        got: &Result<Item, GetError>,
    ) {
        let got = got.as_ref().map(|got| (got.priority, got.item));
        assert_eq!(got, Ok(due), "not the item that it is to have");
    }

    fn gone(&mut self, ledger: &mut Ledger<Pair>, _at: usize, was: Was<Pair>) {
        let Was::Granted(mut item, rank) = was else {
            return;
        };
        if O::MOVES_UP {
            for (_, behind) in &mut ledger.granted[rank..] {
                std::mem::swap(behind, &mut item);
            }
        }
        self.give_back(ledger, item);
    }

    fn other(&mut self, ledger: &mut Ledger<Pair>, priority: usize) -> bool {
        if self.items.len() + ledger.granted.len() >= MOST {
            return false;
        }
        let item = (number(priority), self.age);
        self.age += 1;
        let put = self.queue.try_put(Prioritized::new(item.0, item.1));
        put.expect("it is open");
        self.give_back(ledger, item);
        true
    }

    fn check(&self, ledger: &Ledger<Pair>) {
        let now = self.queue.statistics();
        assert_eq!(now.len, self.items.len(), "items are not conserved");
        assert_eq!(now.unclaimed, ledger.granted.len(), "handed items are not conserved");
        assert_eq!(now.getters, ledger.line.len(), "not all who wait are counted");
    }

    fn outline(&self, ledger: &Ledger<Pair>) -> Vec<u32> {
        let granted = ledger.granted.iter().map(|(_, item)| item.1);
        let mut ages: Vec<u32> = granted.chain(self.items.iter().map(|item| item.1)).collect();
        ages.sort_unstable();
        let rank = |item: &Pair| {
            let rank = ages.binary_search(&item.1).expect("it is one of them");
            item.0 * 10 + number(rank)
        };
        let mut outline = ledger.outline(rank);
        outline.extend(self.items.iter().map(rank));
        outline
    }

    fn end(mut self) {
        while let Some(expected) = self.take() {
            let got = self.queue.try_get().ok().map(|got| (got.priority, got.item));
            assert_eq!(got, Some(expected), "not the item that is next");
        }
        let now = self.queue.statistics();
        assert_eq!((now.len, now.unclaimed, now.getters), (0, 0, 0), "something was left behind");
    }
}
