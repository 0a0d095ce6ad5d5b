//! Whatever is polled, dropped, cancelled, released or put, in any order: is all of it somewhere, once?
//!
//! ```text
//!   a trial: places for futures, and a model of who is where ── step ──► both compared
//!        ▲                                                                  │
//!        └─── replayed from the shortest way to a state not seen before ◄───┘  until there is none
//! ```
//!
//! One harness for all that waits. A model says how its type should behave, and how much of that is its
//! own; everything else is said once, and knows nothing of how a type is made:
//!
//! - **Conserved**: what is free, handed over and held is all there is.
//! - **In order**: whoever is let go on is the first in line; only so many as there is something for.
//! - **No barging**: who comes while somebody waits, waits.
//! - **Nobody who could run waits**: each that waits does so because the model says that it has to.
//! - **Woken once**: exactly who may go on was woken, and a poll of it is ready; of the others pending.
//! - **Back to zero**: when all has been dropped nobody waits, and all is free.
//!
//! Every reachable state is tried with every step; a state is the line, in order, who was granted
//! something, and what the model adds. Longer runs are random.
//!
//! | file | question it answers |
//! |---|---|
//! | `ledger` | who is where, as it should be? |
//! | `polled` | what do up to five futures do that are polled and dropped by hand? |
//! | `tasks` | what do three do that are tasks of a loop, and are cancelled? |
//! | `lent` | how does a future borrow what is to be there again later? |
//! | the others | how should a type behave? |

mod barrier;
mod bridge;
mod broadcast;
mod condvar;
mod event;
mod items;
mod ledger;
mod lent;
mod once;
mod oneshot;
mod permits;
mod polled;
mod read_write;
mod tasks;
mod tokens;
mod traffic;
mod watch;

use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use std::pin::Pin;

use lone_sync::{Fifo, Lifo, Mutex, Semaphore, SmallestFirst};

use crate::waiting::Chance;
use ledger::{Ledger, Was};
use polled::Polled;
use tasks::Tasks;

/// What can be done; the number is a place, or which of the model's kinds or own steps.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new future of a kind in the first empty place, polled.
    Start(usize),
    /// A future polled again.
    Poll(usize),
    /// A future dropped or cancelled, or what it got dropped.
    Drop(usize),
    /// Whatever else can be done with the type.
    Other(usize),
    /// The loop's clock goes on by a millisecond, and all that is ready runs.
    Time,
}

type Waiting<T> = Pin<Box<dyn Future<Output = T>>>;

/// How one type should behave, by the simplest means, and an object of it to be compared.
trait Model: Sized + 'static {
    /// How many kinds of futures, and how many other steps, there are.
    const KINDS: usize;
    const OTHERS: usize;
    /// What a future got is kept in its place until that is dropped: a guard.
    const KEEPS: bool = false;
    /// Time brings something.
    const CLOCK: bool = false;
    /// What a future returns.
    type Got: 'static;
    /// What somebody was granted.
    type Due: Clone + 'static;

    fn new() -> Self;

    /// A future of a kind. `None`: there can be none now.
    fn future(&mut self, at: usize, kind: usize) -> Option<Waiting<Self::Got>>;

    /// One comes, with its first poll. `None`: it has to wait.
    fn arrive(&mut self, ledger: &mut Ledger<Self::Due>, at: usize) -> Option<Self::Due>;

    /// Whether the future is still pending when it has come for this.
    fn rests(&self, _ledger: &Ledger<Self::Due>, _at: usize, _due: &Self::Due) -> bool {
        false
    }

    /// A millisecond has passed.
    fn time(&mut self, _ledger: &mut Ledger<Self::Due>) {}

    /// It was ready, with this: was that right, and what does it change?
    fn went_on(
        &mut self,
        ledger: &mut Ledger<Self::Due>,
        at: usize,
        due: Self::Due,
        got: &Self::Got,
    );

    /// It was dropped; it is out of the ledger already.
    fn gone(&mut self, ledger: &mut Ledger<Self::Due>, at: usize, was: Was<Self::Due>);

    /// Another step. `false`: it cannot be done now.
    fn other(&mut self, ledger: &mut Ledger<Self::Due>, which: usize) -> bool;

    /// Compares all that can be asked for.
    fn check(&self, ledger: &Ledger<Self::Due>);

    /// The state, the same for two that cannot be told apart from now on.
    fn outline(&self, ledger: &Ledger<Self::Due>) -> Vec<u32>;

    /// No future is left: nothing may be left behind.
    fn end(self) {}
}

/// A model, its ledger, and futures that are driven in some way.
trait Trial {
    fn new() -> Self;

    fn steps() -> Vec<Step>;

    /// Does it, and panics if anything is not as it must be. `false`: it cannot be done now.
    fn step(&mut self, step: Step) -> bool;

    /// The state, the same for two that cannot be told apart from now on.
    fn canonical(&self) -> Vec<u32>;

    /// Drops all there is: nothing may be left behind.
    fn end(self);
}

fn steps<M: Model>(places: usize) -> Vec<Step> {
    let each = (0..places).flat_map(|at| [Step::Poll(at), Step::Drop(at)]);
    let starts = (0..M::KINDS).map(Step::Start);
    starts.chain(each).chain((0..M::OTHERS).map(Step::Other)).collect()
}

/// A trial after these steps.
fn replay<T: Trial>(path: &[Step]) -> T {
    let mut trial = T::new();
    for step in path {
        assert!(trial.step(*step), "{step:?} of {path:?} could be done before");
    }
    trial
}

/// Says by which steps a trial has come to where it fails.
struct Way<'a>(&'a [Step], Step);

impl Drop for Way<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Written, not printed: it is said beside the panic's own message.
            let _ = writeln!(std::io::stderr(), "after {:?}: {:?}", self.0, self.1);
        }
    }
}

/// Tries each step in each state that can be reached; returns how many there are.
fn exhaust<T: Trial>() -> usize {
    let mut seen = HashSet::from([T::new().canonical()]);
    let mut frontier = VecDeque::from([Vec::new()]);
    while let Some(path) = frontier.pop_front() {
        let mut kept = None;
        for step in T::steps() {
            let mut trial: T = kept.take().unwrap_or_else(|| replay(&path));
            let _way = Way(&path, step);
            if !trial.step(step) {
                kept = Some(trial);
                continue;
            }
            if seen.insert(trial.canonical()) {
                let mut path = path.clone();
                path.push(step);
                frontier.push_back(path);
            }
            trial.end();
        }
        kept.into_iter().for_each(T::end);
    }
    seen.len()
}

/// So many random runs of 200 steps.
fn wander<T: Trial>(runs: u64) {
    let all = T::steps();
    for seed in 0..runs {
        let (mut chance, mut trial) = (Chance::new(seed), T::new());
        for _ in 0..200 {
            trial.step(all[chance.below(all.len())]);
        }
        trial.end();
    }
}

fn prove<T: Trial>(at_least: usize) {
    let states = exhaust::<T>();
    assert!(states >= at_least, "only {states} states: the steps do not reach what they should");
    wander::<T>(100);
}

/// Polled by hand, and as tasks; each has to have so many states.
fn prove_both<M: Model>(polled: usize, tasks: usize) {
    prove::<Polled<M>>(polled);
    prove::<Tasks<M>>(tasks);
}

// SEM-205, SEM-209, SEM-210, SEM-211: a lock has one holder, and goes to the first in line.
#[test]
fn lock_is_conserved_and_granted_in_order_in_every_reachable_state() {
    prove_both::<permits::Permits<Mutex<()>>>(11, 23);
}

// SEM-221, SEM-222, SEM-225, SEM-226, SEM-228, SEM-233: for one or two permits each, with resizes.
#[test]
fn permits_are_conserved_and_granted_in_order_in_every_reachable_state() {
    prove_both::<permits::Permits<Semaphore>>(1044, 2124);
}

// SEM-269, SEM-272, SEM-274, SEM-275, SEM-289: in each of the three orders.
#[test]
fn items_are_conserved_and_ordered_in_every_reachable_state_of_every_queue() {
    prove_both::<items::Items<Fifo>>(126, 594);
    prove_both::<items::Items<Lifo>>(354, 634);
    prove_both::<items::Items<SmallestFirst>>(354, 634);
}

// SEM-271, SEM-273, SEM-276, SEM-277, SEM-281, SEM-282, SEM-283, SEM-284, SEM-285, SEM-287
#[test]
fn puts_gets_and_joins_of_a_full_queue_are_as_they_must_be_in_every_reachable_state() {
    prove_both::<traffic::Traffic>(5631, 2199);
}

// SEM-250, SEM-251, SEM-252, SEM-254, SEM-256
#[test]
fn set_reaches_exactly_those_who_wait_in_every_reachable_state() {
    prove_both::<event::Waits>(27, 85);
}

// SEM-237, SEM-238, SEM-240, SEM-241, SEM-242, SEM-243, SEM-244
#[test]
fn notifications_and_their_lock_are_conserved_in_every_reachable_state() {
    prove_both::<condvar::Notified>(172, 200);
}

// SEM-260, SEM-261, SEM-262, SEM-263, SEM-264, SEM-265, SEM-266
#[test]
fn rounds_of_a_barrier_do_not_mix_in_every_reachable_state() {
    prove_both::<barrier::Rounds<3>>(340, 41);
    prove::<Polled<barrier::Rounds<5>>>(231);
}

#[test]
fn readers_or_one_writer_are_in_and_in_order_in_every_reachable_state() {
    prove_both::<read_write::ReadWrite>(663, 212);
}

#[test]
fn one_initialises_and_passes_its_part_on_in_every_reachable_state() {
    prove_both::<once::Once>(26, 97);
}

#[test]
fn one_value_is_received_once_or_its_end_heard_of_in_every_reachable_state() {
    prove_both::<oneshot::OneValue>(16, 30);
}

#[test]
fn every_item_of_a_broadcast_or_their_number_is_received_in_every_reachable_state() {
    prove_both::<broadcast::Everywhere>(1584, 1556);
}

#[test]
fn no_change_of_a_watch_is_missed_in_every_reachable_state() {
    prove_both::<watch::Changes>(691, 1818);
}

// SEM-423, SEM-425
#[test]
fn items_over_a_bridge_are_conserved_in_every_reachable_state() {
    prove::<Polled<bridge::ToLoop>>(36);
    prove::<Polled<bridge::FromLoop>>(36);
}

#[test]
fn tokens_are_conserved_and_taken_in_order_in_every_reachable_state() {
    prove::<Tasks<tokens::Tokens>>(271);
}
