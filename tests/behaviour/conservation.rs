//! Whatever is polled, dropped, released or put, in any order: is all of it somewhere, once?
//!
//! ```text
//!   a subject: five places for futures and what they got ── step ──► checked against what must hold
//!        ▲                                                                │
//!        └── replayed from the shortest way to a state not seen before ◄──┘  until there is none
//! ```
//!
//! One harness for locks, permits and items. A subject says what its steps are; everything else is said once, and
//! knows nothing of how a type is made:
//!
//! - **Conserved**: free + handed over + held is the total.
//! - **In order**: whoever is let go on is the first in line; only so many as there is something for.
//! - **No barging**: who comes while somebody waits, waits.
//! - **Nobody who could run waits**: the first in line wants more than there is.
//! - **Woken once**: exactly who may go on was woken, and a poll of it is ready; of the others pending.
//! - **Back to zero**: when all has been dropped nobody waits, and all is free.
//!
//! Every reachable state of up to five futures is tried with every step; a state is the line, in
//! order, who was handed something, and what is held and free. Longer runs are random.

mod items;
mod permits;

use std::collections::{HashSet, VecDeque};

use lone_sync::{Fifo, Lifo, Mutex, Semaphore, SmallestFirst};

use crate::waiting::Chance;
use items::Items;
use permits::Permits;

/// How many futures there may be.
const PLACES: usize = 5;

/// What can be done; the number is a place, or which of the subject's own steps.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new future of a kind in the first empty place, polled.
    Start(usize),
    /// A future polled again, with a new waker.
    Poll(usize),
    /// A future, or what it got, dropped.
    Drop(usize),
    /// Whatever else the subject can do.
    Other(usize),
}

/// One type, with a model of who is in line that checks it at each step.
trait Subject {
    /// How many kinds of futures, and how many other steps, there are.
    const KINDS: usize;
    const OTHERS: usize;

    fn new() -> Self;

    /// Does it, and panics if anything is not as it must be. `false`: it cannot be done now.
    fn step(&mut self, step: Step) -> bool;

    /// The state, the same for two that cannot be told apart from now on.
    fn canonical(&self) -> Vec<u32>;

    /// Drops all there is: nothing may be left behind.
    fn end(self);
}

fn steps<S: Subject>() -> impl Iterator<Item = Step> {
    let places = (0..PLACES).flat_map(|at| [Step::Poll(at), Step::Drop(at)]);
    let starts = (0..S::KINDS).map(Step::Start);
    starts.chain(places).chain((0..S::OTHERS).map(Step::Other))
}

/// A subject after these steps.
fn replay<S: Subject>(path: &[Step]) -> S {
    let mut subject = S::new();
    for step in path {
        assert!(subject.step(*step), "{step:?} of {path:?} could be done before");
    }
    subject
}

/// Tries each step in each state that can be reached; returns how many there are.
fn exhaust<S: Subject>() -> usize {
    let mut seen = HashSet::from([S::new().canonical()]);
    let mut frontier = VecDeque::from([Vec::new()]);
    while let Some(path) = frontier.pop_front() {
        for step in steps::<S>() {
            let mut subject: S = replay(&path);
            if !subject.step(step) {
                continue;
            }
            if seen.insert(subject.canonical()) {
                let mut path = path.clone();
                path.push(step);
                frontier.push_back(path);
            }
            subject.end();
        }
    }
    seen.len()
}

/// So many random runs of 200 steps.
fn wander<S: Subject>(runs: u64) {
    let all: Vec<Step> = steps::<S>().collect();
    for seed in 0..runs {
        let (mut chance, mut subject) = (Chance::new(seed), S::new());
        for _ in 0..200 {
            subject.step(all[chance.below(all.len())]);
        }
        subject.end();
    }
}

fn prove<S: Subject>(at_least: usize) {
    let states = exhaust::<S>();
    assert!(states >= at_least, "only {states} states: the steps do not reach what they should");
    wander::<S>(300);
}

// SEM-205, SEM-209, SEM-210: a lock has one holder, and goes to the first in line.
#[test]
fn lock_is_conserved_and_granted_in_order_in_every_reachable_state() {
    prove::<Permits<Mutex<()>>>(10);
}

// SEM-221, SEM-222, SEM-225, SEM-228, SEM-233: for one or two permits each, with resizes.
#[test]
fn permits_are_conserved_and_granted_in_order_in_every_reachable_state() {
    prove::<Permits<Semaphore>>(100);
}

// SEM-269, SEM-272, SEM-274, SEM-275, SEM-289: in each of the three orders.
#[test]
fn items_are_conserved_and_ordered_in_every_reachable_state_of_every_queue() {
    prove::<Items<Fifo>>(20);
    prove::<Items<Lifo>>(20);
    prove::<Items<SmallestFirst>>(20);
}
