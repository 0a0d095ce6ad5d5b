//! The wheel against a slow model, and against its own invariants.
//!
//! The model is a `BTreeMap` ordered by (deadline, registration), which is the order that the
//! wheel promises. Both do the same operations; each answer must be the same.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::{LEVELS, Level, NONE, Place, SLOTS, TimerId, Wheel};

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
const YEAR: u64 = 365 * DAY;

/// What the random distances are drawn from, 0 up to these.
const SCALES: [u64; 10] = [1, 64, 4 * US, MS, 20 * MS, SECOND, MINUTE, DAY, 3 * YEAR, 400 * YEAR];

// ---- The model ----

#[derive(Default)]
struct Model {
    elapsed: u64,
    next_seq: u64,
    queue: BTreeMap<(u64, u64), u64>,
    deadlines: HashMap<u64, u64>,
}

impl Model {
    fn insert(&mut self, deadline: u64, item: u64) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        let deadline = deadline.max(self.elapsed);
        self.queue.insert((deadline, seq), item);
        self.deadlines.insert(seq, deadline);
        seq
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut u64> {
        self.queue.get_mut(&(*self.deadlines.get(&seq)?, seq))
    }

    fn remove(&mut self, seq: u64) -> Option<u64> {
        self.queue.remove(&(self.deadlines.remove(&seq)?, seq))
    }

    fn next_deadline(&self) -> Option<u64> {
        self.queue.keys().next().map(|&(deadline, _)| deadline)
    }

    fn pop_due(&mut self, now: u64) -> Option<(u64, u64, u64)> {
        let now = now.max(self.elapsed);
        match self.queue.first_entry() {
            Some(first) if first.key().0 <= now => {
                let ((deadline, seq), item) = first.remove_entry();
                self.deadlines.remove(&seq);
                self.elapsed = deadline;
                Some((seq, deadline, item))
            }
            _ => {
                self.elapsed = now;
                None
            }
        }
    }
}

// ---- Operations ----

/// An operation. Pairs are (index into `SCALES`, a number to reduce to that scale); a lone `usize`
/// chooses among the ids given out so far, stale ones included.
#[derive(Clone, Copy, Debug)]
enum Op {
    InsertAfter(usize, u64),
    InsertPast(u64),
    InsertLast,
    /// At the last tick before a digit of that level changes, or 1 or 2 ticks later.
    InsertEdge(u32, u64),
    /// With the deadline of an earlier timer.
    InsertTie(usize),
    RemoveAny(usize),
    RemoveRecent(usize),
    RemoveFirst,
    Replace(usize),
    NextDeadline,
    PopOne(usize, u64),
    PopAll(usize, u64),
    /// To the tick before the next deadline: nothing may fire.
    ApproachNext,
    /// To the next deadline: its timers fire, and no others.
    ReachNext,
    TurnBack(u64),
}

impl Op {
    /// Decodes random numbers; `far` limits how far time may move in one step.
    fn decode(kind: u8, scale: u8, number: u64, far: usize) -> Op {
        let (scale, which) = (usize::from(scale), number as usize);
        match kind % 32 {
            0..8 => Op::InsertAfter(scale % SCALES.len(), number),
            8 => Op::InsertPast(number),
            9 => Op::InsertLast,
            10..12 => Op::InsertEdge(number as u32 % LEVELS as u32, (number >> 8) % 3),
            12..15 => Op::InsertTie(which),
            15..17 => Op::RemoveAny(which),
            17..19 => Op::RemoveRecent(which),
            19..21 => Op::RemoveFirst,
            21 => Op::Replace(which),
            22..25 => Op::NextDeadline,
            25..27 => Op::PopOne(scale % far, number),
            27 => Op::PopAll(scale % far, number),
            28 => Op::ApproachNext,
            29..31 => Op::ReachNext,
            _ => Op::TurnBack(number),
        }
    }
}

/// The wheel and its model, side by side.
struct Pair {
    wheel: Wheel<u64>,
    model: Model,
    /// All ids given out, each with its number in the model and its deadline.
    ids: Vec<(TimerId, u64, u64)>,
    now: u64,
    fired: u64,
}

impl Pair {
    fn new(start: u64) -> Pair {
        let model = Model { elapsed: start, ..Model::default() };
        Pair { wheel: Wheel::new(start), model, ids: Vec::new(), now: start, fired: 0 }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::InsertAfter(scale, number) => self.insert(self.after(scale, number)),
            Op::InsertPast(number) => self.insert(self.now.saturating_sub(number % SECOND)),
            Op::InsertLast => self.insert(u64::MAX),
            Op::InsertEdge(level, beside) => {
                let lower_digits = (1_u64 << (6 * level)) - 1;
                self.insert((self.now | lower_digits).saturating_add(beside));
            }
            Op::InsertTie(which) => {
                if let Some((_, _, deadline)) = self.pick(which, usize::MAX) {
                    self.insert(deadline);
                }
            }
            Op::RemoveAny(which) => self.remove(which, usize::MAX),
            Op::RemoveRecent(which) => self.remove(which, 16),
            Op::RemoveFirst => {
                if let Some((&(_, seq), _)) = self.model.queue.first_key_value() {
                    self.remove_id(self.ids[seq as usize].0, seq);
                }
            }
            Op::Replace(which) => {
                if let Some((id, seq, _)) = self.pick(which, usize::MAX) {
                    let item = self.wheel.get_mut(id).map(|item| mem::replace(item, !seq));
                    let expected = self.model.get_mut(seq).map(|item| mem::replace(item, !seq));
                    assert_eq!(item, expected);
                }
            }
            Op::NextDeadline => {
                assert_eq!(self.wheel.next_deadline(), self.model.next_deadline());
            }
            Op::PopOne(scale, number) => {
                self.now = self.after(scale, number);
                self.pop();
            }
            Op::PopAll(scale, number) => self.pop_all(self.after(scale, number)),
            Op::ApproachNext => {
                self.pop_all(self.model.next_deadline().unwrap_or(0).saturating_sub(1));
            }
            Op::ReachNext => self.pop_all(self.model.next_deadline().unwrap_or(0)),
            Op::TurnBack(number) => {
                let now = self.now;
                self.now = now.saturating_sub(number % SECOND);
                self.pop();
                self.now = now;
            }
        }
        assert_eq!(self.wheel.len(), self.model.queue.len());
        assert_eq!(self.wheel.is_empty(), self.model.queue.is_empty());
        assert_eq!(self.wheel.elapsed, self.model.elapsed);
    }

    fn after(&self, scale: usize, number: u64) -> u64 {
        self.now.saturating_add(number % SCALES[scale])
    }

    /// One of the last `among` ids.
    fn pick(&self, which: usize, among: usize) -> Option<(TimerId, u64, u64)> {
        let among = among.min(self.ids.len());
        let from_the_end = which.checked_rem(among)?;
        Some(self.ids[self.ids.len() - 1 - from_the_end])
    }

    fn insert(&mut self, deadline: u64) {
        let item = self.ids.len() as u64;
        let id = self.wheel.insert(deadline, item);
        let seq = self.model.insert(deadline, item);
        self.ids.push((id, seq, deadline));
    }

    fn remove(&mut self, which: usize, among: usize) {
        if let Some((id, seq, _)) = self.pick(which, among) {
            self.remove_id(id, seq);
        }
    }

    fn remove_id(&mut self, id: TimerId, seq: u64) {
        let item = self.wheel.remove(id);
        assert_eq!(item, self.model.remove(seq));
        assert_eq!(self.wheel.get_mut(id), None);
        assert_eq!(self.wheel.place(id), None);
    }

    fn pop(&mut self) -> bool {
        let fired = self.wheel.pop_due(self.now);
        let expected = self.model.pop_due(self.now);
        let expected = expected.map(|(seq, at, item)| (self.ids[seq as usize].0, at, item));
        assert_eq!(fired, expected);
        self.fired += u64::from(fired.is_some());
        fired.is_some()
    }

    fn pop_all(&mut self, now: u64) {
        self.now = self.now.max(now);
        while self.pop() {}
    }

    /// Fires all there is.
    fn finish(&mut self) {
        self.pop_all(u64::MAX);
        assert!(self.wheel.is_empty());
    }
}

/// Walks the whole wheel and asserts its invariants by name.
fn check<T: Default>(wheel: &Wheel<T>) {
    let mut count = 0;
    for level in 0..LEVELS {
        let Level { occupied, stale } = wheel.grid.levels[level];
        for number in 0..SLOTS {
            let place = Place::new(level, number);
            let slot = &wheel.grid.slots[place.index()];
            let (mut least, mut prev, mut key) = (u64::MAX, NONE, slot.head);
            let mut last_of_deadline = HashMap::new();
            while key != NONE {
                let node = &wheel.nodes[key];
                let own = Place::of(node.deadline, wheel.elapsed);
                assert!(node.deadline >= wheel.elapsed, "Past");
                assert_eq!((own.level, own.slot), (place.level, place.slot), "Place");
                assert_eq!(node.prev, prev, "links");
                if let Some(earlier) = last_of_deadline.insert(node.deadline, node.seq) {
                    assert!(earlier < node.seq, "Ties");
                }
                least = least.min(node.deadline);
                count += 1;
                (prev, key) = (key, node.next);
            }
            assert_eq!(slot.tail, prev, "links");
            assert_eq!(occupied & place.bit() != 0, slot.head != NONE, "Bits");
            if stale & place.bit() == 0 {
                assert_eq!(slot.min, least, "Minimum");
            } else {
                assert!(slot.head != NONE && slot.min <= least, "Minimum, stale");
            }
        }
    }
    assert_eq!(count, wheel.len());
}

/// Marsaglia's xorshift64: fixed seeds, the same run everywhere.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

// ---- Against the model ----

#[test]
fn a_million_random_operations_answer_as_the_model_does() {
    let mut random = XorShift(0x9E37_79B9_7F4A_7C15);
    let (mut operations, mut fired, mut round) = (0, 0, 0);
    while operations < 1_000_000 {
        let start = match round % 5 {
            0 => 0,
            1 => random.next() % (10 * YEAR),
            2 => random.next(),
            3 => u64::MAX - random.next() % YEAR,
            // One tick before a digit's edge, at each level in turn.
            _ => (1 << (6 * (1 + round / 5 % 10))) - 1,
        };
        // Short steps of time let the wheel fill, long ones drain it.
        let far = 1 + random.next() as usize % SCALES.len();
        round += 1;
        let mut pair = Pair::new(start);
        for _ in 0..5_000 {
            let (bits, number) = (random.next(), random.next());
            pair.apply(Op::decode(bits as u8, (bits >> 8) as u8, number, far));
            operations += 1;
            if operations % 64 == 0 {
                check(&pair.wheel);
                if pair.now == u64::MAX {
                    break; // Nothing more to learn at the end of time.
                }
            }
        }
        pair.finish();
        check(&pair.wheel);
        fired += pair.fired;
    }
    assert!(fired > 100_000, "no teeth: {fired} fired");
}

#[test]
fn any_short_sequence_of_operations_answers_as_the_model_does() {
    let config = ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let op = (any::<u8>(), any::<u8>(), any::<u64>());
    let op = op.prop_map(|(kind, scale, number)| Op::decode(kind, scale, number, SCALES.len()));
    let start = prop_oneof![Just(0), 0..10 * YEAR, any::<u64>()];
    let input = (start, prop::collection::vec(op, 1..200));
    let outcome = TestRunner::new_with_rng(config, rng).run(&input, |(start, ops)| {
        let mut pair = Pair::new(start);
        for op in ops {
            pair.apply(op);
            check(&pair.wheel);
        }
        pair.finish();
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

// ---- Order ----

/// Fires all that is due by `now`: deadlines and items, in order.
fn fire<T: Default>(wheel: &mut Wheel<T>, now: u64) -> Vec<(u64, T)> {
    let mut fired = Vec::new();
    while let Some((_, deadline, item)) = wheel.pop_due(now) {
        fired.push((deadline, item));
    }
    check(wheel);
    fired
}

#[test]
fn deadlines_within_a_millisecond_fire_by_deadline_not_by_registration() {
    let mut wheel = Wheel::new(0);
    for tenths in [9, 1, 5] {
        wheel.insert(tenths * MS / 10, tenths);
    }
    let expected = [(MS / 10, 1), (MS / 2, 5), (9 * MS / 10, 9)];
    assert_eq!(fire(&mut wheel, MS), expected);
}

#[test]
fn twenty_timers_of_one_instant_fire_in_order_of_registration() {
    let mut wheel = Wheel::new(7);
    for number in 0..20 {
        wheel.insert(SECOND, number);
    }
    assert_eq!(fire(&mut wheel, SECOND - 1), []);
    let expected: Vec<_> = (0..20).map(|number| (SECOND, number)).collect();
    assert_eq!(fire(&mut wheel, SECOND), expected);
}

#[test]
fn a_tie_registered_after_a_cascade_fires_behind_one_registered_before_it() {
    let deadline = 100 * YEAR;
    // The second is registered from ever closer by.
    for distance in [40 * YEAR, YEAR, DAY, MINUTE, SECOND, MS, 5 * US, 65, 64, 1] {
        let mut wheel = Wheel::new(0);
        wheel.insert(deadline, 'A');
        wheel.insert(deadline + 1, 'C');
        assert_eq!(wheel.pop_due(deadline - distance), None);
        wheel.insert(deadline, 'B');
        let expected = [(deadline, 'A'), (deadline, 'B'), (deadline + 1, 'C')];
        assert_eq!(fire(&mut wheel, u64::MAX), expected);
    }
}

#[test]
fn ties_registered_at_each_level_on_the_way_fire_in_order_of_registration() {
    let deadline = 0x0FED_CBA9_8765_4321;
    let mut wheel = Wheel::new(0);
    let (mut expected, mut levels) = (Vec::new(), Vec::new());
    for level in (0..LEVELS as u32).rev() {
        // `elapsed` agrees with the deadline in the digits above `level`, and has 0 in the others.
        let known = u64::MAX.checked_shl(6 * (level + 1)).unwrap_or(0);
        assert_eq!(wheel.pop_due(deadline & known), None);
        let id = wheel.insert(deadline, level);
        levels.extend(wheel.place(id).map(|(level, _)| level));
        expected.push((deadline, level));
    }
    assert_eq!(levels, [9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "level 10: the top digit is 0");
    assert_eq!(fire(&mut wheel, deadline), expected);
}

#[test]
fn a_timer_registered_for_the_instant_that_is_firing_fires_last_in_it() {
    let mut wheel = Wheel::new(0);
    wheel.insert(SECOND, 'A');
    wheel.insert(SECOND, 'B');
    assert!(matches!(wheel.pop_due(2 * SECOND), Some((_, SECOND, 'A'))));
    wheel.insert(SECOND, 'C');
    wheel.insert(SECOND + 1, 'E');
    wheel.insert(SECOND - 1, 'D');
    let expected = [(SECOND, 'B'), (SECOND, 'C'), (SECOND, 'D'), (SECOND + 1, 'E')];
    assert_eq!(fire(&mut wheel, 2 * SECOND), expected);
}

// ---- Moments ----

#[test]
fn the_tick_before_a_deadline_fires_nothing_at_any_distance() {
    for start in [0, 1, 63, 64, 12_345_678_901] {
        for shift in 0..64 {
            for distance in [1_u64 << shift, (1 << shift) + 1, (1_u64 << shift).wrapping_mul(3)] {
                let deadline = start + distance;
                let mut wheel = Wheel::new(start);
                wheel.insert(deadline, ());
                assert_eq!(wheel.pop_due(deadline - 1), None);
                assert_eq!(wheel.next_deadline(), Some(deadline));
                assert_eq!(fire(&mut wheel, deadline), [(deadline, ())]);
            }
        }
    }
}

#[test]
fn a_lone_sleep_asks_for_its_own_deadline_from_the_first_moment() {
    for deadline in [MS, SECOND, MINUTE, 500 * YEAR] {
        let mut wheel = Wheel::new(0);
        wheel.insert(deadline, ());
        assert_eq!(wheel.next_deadline(), Some(deadline), "one sleep is one park");
    }
}

#[test]
fn a_deadline_five_hundred_years_away_fires_then() {
    let mut wheel = Wheel::new(SECOND);
    wheel.insert(500 * YEAR, "late");
    wheel.insert(u64::MAX, "last");
    for years in 1..500 {
        assert_eq!(wheel.pop_due(years * YEAR), None);
        assert_eq!(wheel.next_deadline(), Some(500 * YEAR));
    }
    assert_eq!(fire(&mut wheel, 500 * YEAR), [(500 * YEAR, "late")]);
    assert_eq!(fire(&mut wheel, u64::MAX - 1), []);
    assert_eq!(fire(&mut wheel, u64::MAX), [(u64::MAX, "last")]);
    wheel.insert(u64::MAX, "after the end");
    assert_eq!(fire(&mut wheel, 0), [(u64::MAX, "after the end")]);
}

#[test]
fn deadlines_in_the_past_fire_at_once_in_order_of_registration() {
    let mut wheel = Wheel::new(SECOND);
    for (deadline, name) in [(5, 'A'), (SECOND, 'B'), (3, 'C'), (SECOND + 1, 'D'), (0, 'E')] {
        wheel.insert(deadline, name);
    }
    assert_eq!(wheel.next_deadline(), Some(SECOND), "past counts as now");
    let expected = [(SECOND, 'A'), (SECOND, 'B'), (SECOND, 'C'), (SECOND, 'E')];
    assert_eq!(fire(&mut wheel, SECOND), expected);
    assert_eq!(fire(&mut wheel, SECOND + 1), [(SECOND + 1, 'D')]);
}

#[test]
fn a_clock_that_turns_back_moves_nothing() {
    let mut wheel = Wheel::new(0);
    assert_eq!(wheel.pop_due(SECOND), None);
    wheel.insert(SECOND + 1, 'A');
    assert_eq!(wheel.pop_due(3), None);
    assert_eq!(wheel.elapsed, SECOND);
    assert_eq!(fire(&mut wheel, SECOND + 1), [(SECOND + 1, 'A')]);
}

// ---- Removal ----

#[test]
fn removing_the_earliest_uncovers_the_next_deadline() {
    let mut wheel = Wheel::new(0);
    let first = wheel.insert(2 * SECOND, 'A');
    wheel.insert(2 * SECOND + 9, 'B');
    let second = wheel.insert(2 * SECOND + 5, 'C');
    assert_eq!(wheel.remove(first), Some('A'));
    assert_eq!(wheel.next_deadline(), Some(2 * SECOND + 5));
    assert_eq!(wheel.remove(second), Some('C'));
    wheel.insert(2 * SECOND + 7, 'D');
    assert_eq!(wheel.next_deadline(), Some(2 * SECOND + 7));
    check(&wheel);
}

fn stale_slots<T: Default>(wheel: &Wheel<T>) -> u32 {
    wheel.grid.levels.iter().map(|level| level.stale.count_ones()).sum()
}

#[test]
fn a_stale_minimum_is_walked_for_once_or_replaced_by_an_insert_at_its_bound() {
    let mut wheel = Wheel::new(0);
    wheel.insert(2 * SECOND + 9, ());
    let early = wheel.insert(2 * SECOND, ());
    wheel.remove(early);
    assert_eq!(stale_slots(&wheel), 1);
    wheel.next_deadline();
    assert_eq!(stale_slots(&wheel), 0);

    let early = wheel.insert(2 * SECOND, ());
    wheel.remove(early);
    assert_eq!(stale_slots(&wheel), 1);
    wheel.insert(2 * SECOND + 1, ());
    assert_eq!(stale_slots(&wheel), 1, "something may lie between the bound and this one");
    wheel.insert(2 * SECOND, ());
    assert_eq!(stale_slots(&wheel), 0, "nothing can lie below this one");
    check(&wheel);
}

#[test]
fn removing_ties_one_by_one_never_makes_their_minimum_stale() {
    let mut wheel = Wheel::new(0);
    wheel.insert(30 * SECOND + 1, 0);
    let mut ids: Vec<_> = (0..1_000).map(|number| wheel.insert(30 * SECOND, number)).collect();
    wheel.insert(30 * SECOND + 2, 0);
    // From the front and from the back: the tie left over is a neighbour on either side.
    while ids.len() > 1 {
        let id = if ids.len() % 2 == 0 { ids.pop() } else { Some(ids.remove(0)) };
        id.and_then(|id| wheel.remove(id)).expect("it has not fired");
        assert_eq!(stale_slots(&wheel), 0);
    }
    wheel.remove(ids[0]);
    assert_eq!(wheel.next_deadline(), Some(30 * SECOND + 1));
}

#[test]
fn a_stale_id_does_not_name_the_successor_in_its_memory() {
    let mut wheel = Wheel::new(0);
    let removed = wheel.insert(SECOND, 'A');
    assert_eq!(wheel.remove(removed), Some('A'));
    let fired = wheel.insert(SECOND, 'B');
    assert_eq!(fire(&mut wheel, SECOND), [(SECOND, 'B')]);
    let live = wheel.insert(2 * SECOND, 'C');
    assert!(removed.key == live.key && fired.key == live.key, "the pool reuses the key");
    for stale in [removed, fired] {
        assert_eq!(wheel.get_mut(stale), None);
        assert_eq!(wheel.place(stale), None);
        assert_eq!(wheel.remove(stale), None);
    }
    assert_eq!(wheel.get_mut(live), Some(&mut 'C'));
}

#[test]
fn a_hundred_thousand_timers_inserted_and_removed_leave_no_trace() {
    let mut wheel = Wheel::new(0);
    let mut random = XorShift(1);
    let mut ids: Vec<_> = Vec::new();
    for _ in 0..100_000 {
        ids.push(wheel.insert(random.next() % SCALES[ids.len() % SCALES.len()], ()));
    }
    let capacity = wheel.nodes.capacity();
    // Not in order of registration: 61 does not divide 100,000.
    for turn in 0..ids.len() {
        assert_eq!(wheel.remove(ids[turn * 61 % ids.len()]), Some(()));
    }
    assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
    check(&wheel);
    for _ in 0..100_000 {
        wheel.insert(random.next(), ());
    }
    assert_eq!(wheel.nodes.capacity(), capacity, "no allocation after the warm-up");
}

// ---- Places ----

#[test]
fn timers_lie_where_the_picture_in_the_module_doc_shows_them() {
    let moment = |two: u64, one: u64, zero: u64| (two << 12) | (one << 6) | zero;
    let mut wheel = Wheel::new(moment(0, 1, 3));
    let digits = [(4, 0, 0), (4, 7, 9), (0, 2, 0), (0, 8, 5), (0, 1, 4)];
    let ids = digits.map(|(two, one, zero)| wheel.insert(moment(two, one, zero), ()));
    let places = ids.map(|id| wheel.place(id));
    assert_eq!(places, [Some((2, 4)), Some((2, 4)), Some((1, 2)), Some((1, 8)), Some((0, 4))]);

    assert_eq!(fire(&mut wheel, moment(0, 8, 5)).len(), 3);
    assert_eq!(wheel.next_deadline(), Some(moment(4, 0, 0)));
    assert_eq!(fire(&mut wheel, moment(4, 0, 0)).len(), 1);
    assert_eq!(wheel.place(ids[1]), Some((1, 7)));
}

#[test]
fn debug_output_names_time_timers_and_levels() {
    let mut wheel = Wheel::new(3);
    wheel.insert(4, ());
    wheel.insert(u64::MAX, ());
    let expected = "Wheel { elapsed: 3, timers: 2, occupied_levels: [0, 10], .. }";
    assert_eq!(format!("{wheel:?}"), expected);
}
