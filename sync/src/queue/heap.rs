//! Which item is the least, if comparing them is user code? A heap that sorts outside of the borrow.
//!
//! ```text
//!   entries:  [ a heap, but for its root perhaps │ put since, in any order ]
//!             0                                  sorted                    len
//!
//!   under the borrow:   push: at the end      pop: the root, and the last goes in its place
//!   out of the borrow:  settle: the root sinks, those behind `sorted` rise
//! ```
//!
//! Invariants:
//! - **Under the borrow nothing is compared**: push and pop only move entries.
//! - **Swaps only**: an `Ord` that panics leaves each entry in the vector; it is sorted anew then.
//! - **Out means out**: while the entries are being sorted nobody can take one. What is put
//!   meanwhile waits in a vector of its own, and is sorted in before the next one comes out.

use std::cell::RefCell;

use super::order::Store;

/// The items of a [`SmallestFirst`](super::SmallestFirst).
#[derive(Debug)]
pub struct Heap<T> {
    sorting: Sorting<T>,
    /// How many have been taken out to be sorted, and will be back.
    out: Option<usize>,
    /// The age of whoever enters next.
    age: u64,
}

/// An item, and when it came: of equal ones the older comes out first.
#[derive(Debug)]
pub struct Entry<T> {
    item: T,
    age: u64,
}

#[derive(Debug)]
struct Sorting<T> {
    entries: Vec<Entry<T>>,
    /// The first so many are a heap.
    sorted: usize,
    /// But for the root, which may be too great.
    loose_root: bool,
}

impl<T> Default for Sorting<T> {
    fn default() -> Sorting<T> {
        Sorting { entries: Vec::new(), sorted: 0, loose_root: false }
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Heap<T> {
        Heap { sorting: Sorting::default(), out: None, age: 0 }
    }
}

impl<T: Ord> Store<T> for Heap<T> {
    type Entry = Entry<T>;
    const MOVES_UP: bool = false;

    fn len(&self) -> usize {
        self.sorting.entries.len() + self.out.unwrap_or(0)
    }

    fn enter(&mut self, item: T) -> Entry<T> {
        let age = self.age;
        self.age += 1;
        Entry { item, age }
    }

    fn leave(entry: Entry<T>) -> T {
        entry.item
    }

    fn push(&mut self, entry: Entry<T>) {
        self.sorting.entries.push(entry);
    }

    fn give_back(&mut self, entry: Entry<T>) {
        self.sorting.entries.push(entry);
    }

    fn pop(&mut self) -> Option<Entry<T>> {
        debug_assert!(self.out.is_none() && self.sorting.is_settled(), "pop before settle");
        self.sorting.pop()
    }

    fn into_items(self) -> Vec<T> {
        let mut entries = self.sorting.entries;
        entries.sort_by(|a, b| a.item.cmp(&b.item).then(a.age.cmp(&b.age)));
        entries.into_iter().map(|entry| entry.item).collect()
    }

    fn settle<S>(cell: &RefCell<S>, heap: impl Fn(&mut S) -> &mut Heap<T>) {
        // Once, unless an `Ord` puts something in.
        loop {
            let mut out = {
                let mut state = cell.borrow_mut();
                let heap = heap(&mut state);
                if heap.out.is_none() && heap.sorting.is_settled() {
                    return;
                }
                let is_out = heap.out.is_some();
                if is_out {
                    drop(state);
                    panic!(
                        "an item was asked of a priority queue while that compares its items: an \
                         `Ord` must not get from the queue, nor shut it down at once"
                    );
                }
                heap.out = Some(heap.sorting.entries.len());
                std::mem::take(&mut heap.sorting)
            };
            let mut out = Out { cell, heap: &heap, sorting: std::mem::take(&mut out) };
            out.sorting.settle();
        }
    }
}

/// The entries while they are being sorted: dropping it puts them back, whatever happened.
struct Out<'a, S, T, H: Fn(&mut S) -> &mut Heap<T>> {
    cell: &'a RefCell<S>,
    heap: &'a H,
    sorting: Sorting<T>,
}

impl<S, T, H: Fn(&mut S) -> &mut Heap<T>> Drop for Out<'_, S, T, H> {
    fn drop(&mut self) {
        let mut state = self.cell.borrow_mut();
        let heap = (self.heap)(&mut state);
        heap.out = None;
        let mut late = std::mem::replace(&mut heap.sorting, std::mem::take(&mut self.sorting));
        heap.sorting.entries.append(&mut late.entries);
    }
}

impl<T> Sorting<T> {
    fn is_settled(&self) -> bool {
        self.sorted == self.entries.len() && !self.loose_root
    }

    /// Takes the root out. Nothing is compared.
    fn pop(&mut self) -> Option<Entry<T>> {
        if self.entries.is_empty() {
            return None;
        }
        self.sorted -= 1;
        self.loose_root = self.sorted > 1;
        Some(self.entries.swap_remove(0))
    }
}

impl<T: Ord> Sorting<T> {
    /// Makes a heap of all. If an `Ord` panics none of it counts as sorted.
    fn settle(&mut self) {
        let sorted = std::mem::take(&mut self.sorted);
        if std::mem::take(&mut self.loose_root) {
            self.sink(sorted);
        }
        for at in sorted..self.entries.len() {
            self.rise(at);
        }
        self.sorted = self.entries.len();
    }

    /// Whether the entry at `a` comes out before the one at `b`.
    fn before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.entries[a], &self.entries[b]);
        a.item.cmp(&b.item).then(a.age.cmp(&b.age)).is_lt()
    }

    /// The root goes down to its place among the first `end`.
    fn sink(&mut self, end: usize) {
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= end {
                return;
            }
            let least = if right < end && self.before(right, left) { right } else { left };
            if !self.before(least, at) {
                return;
            }
            self.entries.swap(at, least);
            at = least;
        }
    }

    /// The entry at `at` goes up to its place among those before it.
    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.before(at, parent) {
                return;
            }
            self.entries.swap(at, parent);
            at = parent;
        }
    }
}
