//! What must hold of a queue with room for one item: puts, gets, joins and shutdowns together.

use std::collections::VecDeque;
use std::rc::Rc;

use lone_sync::Queue;

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

/// Kinds.
const GET: usize = 0;
const PUT: usize = 1;
const JOIN: usize = 2;

const CAPACITY: usize = 1;
/// How many items may be unfinished or wait to be let in.
const MOST: usize = 3;

/// What somebody goes on with; a refused put has its item back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Item(u32),
    Closed,
    In,
    Refused(u32),
    Done,
}

pub(super) struct Traffic {
    queue: Rc<Queue<u32>>,
    items: VecDeque<u32>,
    unfinished: usize,
    is_shut: bool,
    next: u32,
    /// The item of the put in each place.
    of: [u32; 5],
}

impl Traffic {
    fn put(&mut self, ledger: &mut Ledger<Outcome>, item: u32) {
        self.unfinished += 1;
        match ledger.first(GET) {
            None => self.items.push_back(item),
            Some(first) => ledger.grant(first, Outcome::Item(item)),
        }
    }

    /// Lets the first putter in, if there is room.
    fn admit(&mut self, ledger: &mut Ledger<Outcome>) {
        if let Some(first) = ledger.first(PUT)
            && self.items.len() < CAPACITY
            && !self.is_shut
        {
            self.unfinished += 1;
            self.items.push_back(self.of[first]);
            ledger.grant(first, Outcome::In);
        }
    }

    fn shut(&mut self, ledger: &mut Ledger<Outcome>) {
        self.is_shut = true;
        ledger.grant_all(GET, |_| Outcome::Closed);
        while let Some(first) = ledger.first(PUT) {
            ledger.grant(first, Outcome::Refused(self.of[first]));
        }
    }

    fn end_work(&self, ledger: &mut Ledger<Outcome>) {
        if self.unfinished == 0 {
            ledger.grant_all(JOIN, |_| Outcome::Done);
        }
    }
}

impl Model for Traffic {
    const KINDS: usize = 3;
    /// An item is done, shut down, shut down now.
    const OTHERS: usize = 3;
    type Got = Outcome;
    type Due = Outcome;

    fn new() -> Traffic {
        Traffic {
            queue: Rc::new(Queue::bounded(CAPACITY)),
            items: VecDeque::new(),
            unfinished: 0,
            is_shut: false,
            next: 0,
            of: [0; 5],
        }
    }

    fn future(&mut self, at: usize, kind: usize) -> Option<Waiting<Outcome>> {
        let queue = self.queue.clone();
        Some(match kind {
            GET => {
                Box::pin(async move { queue.get().await.map_or(Outcome::Closed, Outcome::Item) })
            }
            JOIN => Box::pin(async move {
                queue.join().await;
                Outcome::Done
            }),
            _ if self.unfinished + queue.waiting_putters() >= MOST => return None,
            _ => {
                let item = self.next;
                self.next += 1;
                self.of[at] = item;
                Box::pin(async move {
                    let refused = queue.put(item).await.err();
                    refused.map_or(Outcome::In, |error| Outcome::Refused(error.0))
                })
            }
        })
    }

    fn arrive(&mut self, ledger: &mut Ledger<Outcome>, at: usize) -> Option<Outcome> {
        match ledger.kinds[at] {
            GET => match self.items.pop_front() {
                Some(item) => {
                    self.admit(ledger);
                    Some(Outcome::Item(item))
                }
                None => self.is_shut.then_some(Outcome::Closed),
            },
            JOIN => (self.unfinished == 0).then_some(Outcome::Done),
            _ if self.is_shut => Some(Outcome::Refused(self.of[at])),
            _ if self.items.len() >= CAPACITY => None,
            _ => {
                self.put(ledger, self.of[at]);
                Some(Outcome::In)
            }
        }
    }

    fn went_on(&mut self, _ledger: &mut Ledger<Outcome>, _at: usize, due: Outcome, got: &Outcome) {
        // One that was refused looks for what was given back meanwhile.
        let given_back = (due == Outcome::Closed).then(|| self.items.pop_front()).flatten();
        assert_eq!(*got, given_back.map_or(due, Outcome::Item));
    }

    fn gone(&mut self, ledger: &mut Ledger<Outcome>, _at: usize, was: Was<Outcome>) {
        let Was::Granted(Outcome::Item(mut item), rank) = was else {
            return;
        };
        // Those behind it move up.
        for (_, behind) in &mut ledger.granted[rank..] {
            if let Outcome::Item(behind) = behind {
                std::mem::swap(behind, &mut item);
            }
        }
        match ledger.first(GET).filter(|_| !self.is_shut) {
            None => self.items.push_front(item),
            Some(first) => ledger.grant(first, Outcome::Item(item)),
        }
    }

    fn other(&mut self, ledger: &mut Ledger<Outcome>, which: usize) -> bool {
        match which {
            0 => {
                assert_eq!(self.queue.task_done().is_ok(), self.unfinished > 0);
                if self.unfinished == 0 {
                    return false;
                }
                self.unfinished -= 1;
                self.end_work(ledger);
            }
            1 => {
                self.queue.shutdown();
                self.shut(ledger);
            }
            _ => {
                assert_eq!(self.queue.shutdown_now(), self.items.make_contiguous(), "not all left");
                self.unfinished = self.unfinished.saturating_sub(self.items.len());
                self.items.clear();
                self.shut(ledger);
                self.end_work(ledger);
            }
        }
        true
    }

    fn check(&self, ledger: &Ledger<Outcome>) {
        let now = self.queue.statistics();
        let is_item = |due: &Outcome| matches!(due, Outcome::Item(_));
        let handed = ledger.granted.iter().filter(|(_, due)| is_item(due)).count();
        assert_eq!(now.len, self.items.len(), "items are not conserved");
        assert_eq!(now.unclaimed, handed, "handed items are not conserved");
        assert_eq!((now.unfinished, now.shut_down), (self.unfinished, self.is_shut));
        assert_eq!(now.getters, ledger.waiting(GET), "not all getters are counted");
        assert_eq!(now.putters, ledger.waiting(PUT), "not all putters are counted");
        assert_eq!(now.joiners, ledger.waiting(JOIN), "not all joiners are counted");
        assert!(now.getters == 0 || now.len == 0, "a getter waits beside an item");
    }

    /// Items are never out of the order of their age, so that their number says all.
    fn outline(&self, ledger: &Ledger<Outcome>) -> Vec<u32> {
        let mut outline = ledger.outline_by_kind(|due| match due {
            Outcome::Item(_) => 0,
            Outcome::Closed => 1,
            Outcome::In => 2,
            Outcome::Refused(_) => 3,
            Outcome::Done => 4,
        });
        outline.extend([self.items.len(), self.unfinished].map(number));
        outline.push(u32::from(self.is_shut));
        outline
    }

    fn end(self) {
        let left: VecDeque<u32> = std::iter::from_fn(|| self.queue.try_get().ok()).collect();
        assert_eq!(left, self.items, "what was left behind");
        let now = self.queue.statistics();
        assert_eq!((now.len, now.unclaimed, now.getters, now.putters), (0, 0, 0, 0));
    }
}
