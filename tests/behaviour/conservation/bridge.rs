//! What must hold of a bridge at its loop's end, with the threads' end used by `try_` calls only.
//!
//! It grants a right and not an item: whoever comes first of those who were let go on has the first.

use std::collections::VecDeque;
use std::rc::Rc;

use lone_threads::bridge::{LoopGet, LoopPut, ThreadGet, ThreadPut, from_loop, to_loop};

use super::ledger::number;
use super::{Ledger, Model, Waiting, Was};

const CAPACITY: usize = 2;

pub(super) struct ToLoop {
    put: Option<ThreadPut<u32>>,
    get: Rc<LoopGet<u32>>,
    items: VecDeque<u32>,
    next: u32,
}

impl ToLoop {
    /// One of the items is nobody's: the first who waits may come for it.
    fn grant(&self, ledger: &mut Ledger<bool>) {
        if self.items.len() > ledger.granted.len()
            && let Some(first) = ledger.first(0)
        {
            ledger.grant(first, true);
        }
    }
}

impl Model for ToLoop {
    const KINDS: usize = 1;
    /// Put, drop the end that puts.
    const OTHERS: usize = 2;
    type Got = Option<u32>;
    /// Whether it comes for an item if there is one; else it hears of the end.
    type Due = bool;

    fn new() -> ToLoop {
        let (put, get) = to_loop(CAPACITY);
        ToLoop { put: Some(put), get: Rc::new(get), items: VecDeque::new(), next: 0 }
    }

    fn future(&mut self, _at: usize, _kind: usize) -> Option<Waiting<Option<u32>>> {
        let get = self.get.clone();
        Some(Box::pin(async move { get.next().await }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<bool>, _at: usize) -> Option<bool> {
        // What others were granted is not for who comes now, be it the end.
        let is_there = self.items.len() > ledger.granted.len();
        (is_there || self.put.is_none()).then_some(is_there)
    }

    fn went_on(&mut self, _ledger: &mut Ledger<bool>, _at: usize, due: bool, got: &Option<u32>) {
        let expected = if due { self.items.pop_front() } else { None };
        assert_eq!(*got, expected, "not the first item");
    }

    fn gone(&mut self, ledger: &mut Ledger<bool>, _at: usize, _was: Was<bool>) {
        self.grant(ledger);
    }

    fn other(&mut self, ledger: &mut Ledger<bool>, which: usize) -> bool {
        if which == 1 {
            ledger.grant_all(0, |_| true);
            return self.put.take().is_some();
        }
        let Some(put) = &self.put else {
            return false;
        };
        let is_in = put.try_put(self.next).is_ok();
        assert_eq!(is_in, self.items.len() < CAPACITY, "not as much room as there is");
        if is_in {
            self.items.push_back(self.next);
            self.next += 1;
            self.grant(ledger);
        }
        true
    }

    fn check(&self, _ledger: &Ledger<bool>) {
        assert_eq!(self.get.len(), self.items.len(), "items are not conserved");
        assert_eq!(self.get.is_closed(), self.put.is_none());
    }

    fn outline(&self, ledger: &Ledger<bool>) -> Vec<u32> {
        let mut outline = ledger.outline(|_| 0);
        outline.push(number(self.items.len()));
        outline.push(u32::from(self.put.is_some()));
        outline
    }

    fn end(mut self) {
        let left = std::iter::from_fn(|| self.get.try_get().ok());
        assert_eq!(left.collect::<VecDeque<_>>(), std::mem::take(&mut self.items));
    }
}

pub(super) struct FromLoop {
    put: Rc<LoopPut<u32>>,
    get: Option<ThreadGet<u32>>,
    items: VecDeque<u32>,
    next: u32,
    /// The item of the put in each place.
    of: [u32; 5],
}

impl FromLoop {
    fn has_room(&self, ledger: &Ledger<()>) -> bool {
        CAPACITY - self.items.len() > ledger.granted.len()
    }

    /// There is room that is nobody's: the first who waits may come for it.
    fn grant(&self, ledger: &mut Ledger<()>) {
        if self.has_room(ledger)
            && let Some(first) = ledger.first(0)
        {
            ledger.grant(first, ());
        }
    }
}

impl Model for FromLoop {
    const KINDS: usize = 1;
    /// Get, drop the end that gets.
    const OTHERS: usize = 2;
    /// Whether it is in; if not the item is back.
    type Got = Result<(), u32>;
    type Due = ();

    fn new() -> FromLoop {
        let (put, get) = from_loop(CAPACITY);
        let items = VecDeque::new();
        FromLoop { put: Rc::new(put), get: Some(get), items, next: 0, of: [0; 5] }
    }

    fn future(&mut self, at: usize, _kind: usize) -> Option<Waiting<Result<(), u32>>> {
        let (put, item) = (self.put.clone(), self.next);
        self.next += 1;
        self.of[at] = item;
        Some(Box::pin(async move { put.put(item).await.map_err(|error| error.0) }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<()>, _at: usize) -> Option<()> {
        (self.get.is_none() || self.has_room(ledger)).then_some(())
    }

    fn went_on(&mut self, _ledger: &mut Ledger<()>, at: usize, _due: (), got: &Result<(), u32>) {
        if self.get.is_none() {
            assert_eq!(*got, Err(self.of[at]), "its item is not given back");
            return;
        }
        assert_eq!(*got, Ok(()));
        self.items.push_back(self.of[at]);
    }

    fn gone(&mut self, ledger: &mut Ledger<()>, _at: usize, _was: Was<()>) {
        self.grant(ledger);
    }

    fn other(&mut self, ledger: &mut Ledger<()>, which: usize) -> bool {
        if which == 1 {
            ledger.grant_all(0, |_| ());
            return self.get.take().is_some();
        }
        let Some(get) = &self.get else {
            return false;
        };
        assert_eq!(get.try_get().ok(), self.items.pop_front(), "not the first item");
        self.grant(ledger);
        true
    }

    fn check(&self, _ledger: &Ledger<()>) {
        assert_eq!(self.put.len(), self.items.len(), "items are not conserved");
        assert_eq!(self.put.is_closed(), self.get.is_none());
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        let mut outline = ledger.outline(|()| 0);
        outline.push(number(self.items.len()));
        outline.push(u32::from(self.get.is_some()));
        outline
    }
}
