//! Under any schedule of lock, poll, drop and release: one holder, in order, and nothing is lost?
//!
//! A slow model beside the mutex says what each step is to give.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Lock, LockOwned, Mutex, MutexGuard, OwnedMutexGuard};

use crate::help::{Counter, poll_once};
use crate::waiting::{Chance, poll};

/// How many places the schedule has.
const PLACES: usize = 5;

/// A lock of either kind, and its guard.
enum AnyLock<'a> {
    Borrowed(Lock<'a, u64>),
    Owned(LockOwned<u64>),
}

#[expect(dead_code, reason = "a guard is only there to be dropped")]
enum AnyGuard<'a> {
    Borrowed(MutexGuard<'a, u64>),
    Owned(OwnedMutexGuard<u64>),
}

impl<'a> AnyLock<'a> {
    fn new(mutex: &'a Rc<Mutex<u64>>, chance: &mut Chance) -> AnyLock<'a> {
        match chance.below(2) {
            0 => AnyLock::Borrowed(mutex.lock()),
            _ => AnyLock::Owned(mutex.clone().lock_owned()),
        }
    }

    /// Polls it once. Whoever gets in adds one to the value.
    fn poll(&mut self) -> (Poll<AnyGuard<'a>>, Arc<Counter>) {
        match self {
            AnyLock::Borrowed(lock) => {
                let (polled, wakes) = poll_once(lock);
                let count = |mut guard: MutexGuard<'a, u64>| {
                    *guard += 1;
                    AnyGuard::Borrowed(guard)
                };
                (polled.map(count), wakes)
            }
            AnyLock::Owned(lock) => {
                let (polled, wakes) = poll_once(lock);
                let count = |mut guard: OwnedMutexGuard<u64>| {
                    *guard += 1;
                    AnyGuard::Owned(guard)
                };
                (polled.map(count), wakes)
            }
        }
    }
}

/// What stands in one of the places.
enum Place<'a> {
    Empty,
    /// Waiting or handed over, as the model knows; with the counter of its newest waker.
    Pending(AnyLock<'a>, Arc<Counter>),
    Held(AnyGuard<'a>),
}

/// The same by the simplest means: which place has the lock, be it on its way, and who waits.
#[derive(Default)]
struct Model {
    holder: Option<usize>,
    line: VecDeque<usize>,
    entered: u64,
}

impl Model {
    fn release(&mut self) {
        self.holder = self.line.pop_front();
    }
}

// SEM-205, SEM-206, SEM-207, SEM-209, SEM-210: under random schedules, with guards of both kinds.
#[test]
fn lock_has_one_holder_and_goes_in_order_under_any_schedule() {
    for seed in 0..3000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let mutex = Rc::new(Mutex::new(0));
    let mut model = Model::default();
    let mut places: [Place<'_>; PLACES] = [const { Place::Empty }; PLACES];
    for _ in 0..60 {
        let at = chance.below(PLACES);
        let place = std::mem::replace(&mut places[at], Place::Empty);
        places[at] = match (place, chance.below(3)) {
            (Place::Empty, 0) => {
                assert_eq!(mutex.try_lock().is_some(), model.holder.is_none());
                assert_eq!(mutex.clone().try_lock_owned().is_some(), model.holder.is_none());
                Place::Empty
            }
            (Place::Empty, _) => {
                let lock = AnyLock::new(&mutex, chance);
                if model.holder.is_none() {
                    model.holder = Some(at);
                } else {
                    model.line.push_back(at);
                }
                poll_place(lock, at, &mut model)
            }
            (Place::Pending(lock, _), 0) => {
                drop(lock);
                model.line.retain(|place| *place != at);
                if model.holder == Some(at) {
                    model.release();
                }
                Place::Empty
            }
            (Place::Pending(lock, _), _) => poll_place(lock, at, &mut model),
            (Place::Held(guard), _) => {
                drop(guard);
                model.release();
                Place::Empty
            }
        };
        assert_eq!(
            (mutex.is_locked(), mutex.waiters()),
            (model.holder.is_some(), model.line.len())
        );
        for (at, place) in places.iter().enumerate() {
            if let Place::Pending(_, wakes) = place {
                let handed = usize::from(model.holder == Some(at));
                assert_eq!(wakes.wakes(), handed, "woken once it could run, and once only");
            }
        }
    }
    drop(places);
    assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
    assert_eq!(Rc::into_inner(mutex).map(Mutex::into_inner), Some(model.entered));
}

/// Polls the lock of a place: it is ready if the place has the lock, and not otherwise.
fn poll_place<'a>(mut lock: AnyLock<'a>, at: usize, model: &mut Model) -> Place<'a> {
    match lock.poll() {
        (Poll::Ready(guard), _) => {
            assert_eq!(model.holder, Some(at), "somebody else has it");
            model.entered += 1;
            Place::Held(guard)
        }
        (Poll::Pending, wakes) => {
            assert_ne!(model.holder, Some(at), "it was handed over");
            Place::Pending(lock, wakes)
        }
    }
}

/// Three who wait in line, and get in one after the other, each let go in the turn after. The one at
/// `which` is polled so often and then dropped: before the release of turn n at step 2n, or between
/// that and the polls at step 2n + 1. Returns who got in, in order.
fn drop_at(which: usize, polls: usize, step: usize) -> Vec<usize> {
    let mutex = Mutex::new(Vec::new());
    let mut held = mutex.try_lock();
    let mut locks = [0, 1, 2].map(|_| Some(mutex.lock()));
    for (at, lock) in locks.iter_mut().enumerate() {
        let times = if at == which { polls } else { 1 };
        for _ in 0..times {
            assert!(poll(lock.as_mut().expect("it is there")).is_pending());
        }
    }
    for turn in 0..4 {
        if step == 2 * turn {
            locks[which] = None;
        }
        drop(held.take());
        if step == 2 * turn + 1 {
            locks[which] = None;
        }
        for (at, lock) in locks.iter_mut().enumerate() {
            if let Some(Poll::Ready(mut guard)) = lock.as_mut().map(poll) {
                guard.push(at);
                *lock = None;
                held = Some(guard);
                break;
            }
        }
    }
    drop((held, locks));
    assert_eq!((mutex.is_locked(), mutex.waiters()), (false, 0));
    mutex.into_inner()
}

// SEM-209, SEM-210: unpolled, waiting, polled again, or handed the lock: whoever is left gets in.
#[test]
fn lock_dropped_at_any_suspension_loses_nothing_for_the_others() {
    for which in 0..3 {
        for polls in 0..3 {
            for step in 0..=2 * which + 1 {
                let others: Vec<usize> = (0..3).filter(|at| *at != which).collect();
                let got = drop_at(which, polls, step);
                assert_eq!(got, others, "{which} dropped after {polls} polls, at step {step}");
            }
        }
    }
}
