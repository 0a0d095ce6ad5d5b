//! Under any schedule of wait, poll, drop, notify and unlock: one holder, in order, nothing is lost?
//!
//! A slow model beside the condvar and its mutex says what each step is to give.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Condvar, CondvarWait, Mutex, MutexGuard};

use crate::help::{Counter, poll_once};
use crate::waiting::{Chance, poll};

/// How many places the schedule has.
const PLACES: usize = 5;

enum Place<'a> {
    Empty,
    Held(MutexGuard<'a, usize>),
    /// With the counter of its newest waker.
    Waits(CondvarWait<'a, MutexGuard<'a, usize>>, Arc<Counter>),
}

/// The same by the simplest means: who has the lock, who stands in which line.
#[derive(Default)]
struct Model {
    holder: Option<usize>,
    lock: VecDeque<usize>,
    waits: VecDeque<usize>,
}

impl Model {
    fn release(&mut self) {
        self.holder = self.lock.pop_front();
    }

    fn notify(&mut self, count: usize) {
        for _ in 0..count {
            self.lock.extend(self.waits.pop_front());
        }
        if self.holder.is_none() {
            self.release();
        }
    }

    fn leave(&mut self, at: usize) {
        let notified = !self.waits.contains(&at);
        self.waits.retain(|place| *place != at);
        self.lock.retain(|place| *place != at);
        if self.holder == Some(at) {
            self.release();
        }
        if notified {
            self.notify(1);
        }
    }
}

// SEM-239, SEM-240, SEM-242, SEM-243, SEM-244: under random schedules.
#[test]
fn notifications_are_kept_in_order_under_any_schedule() {
    for seed in 0..3000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut model = Model::default();
    let mut places: [Place<'_>; PLACES] = [const { Place::Empty }; PLACES];
    for _ in 0..60 {
        if chance.below(4) == 0 {
            let count = chance.below(3);
            condvar.notify_many(count);
            model.notify(count);
        }
        let at = chance.below(PLACES);
        let place = std::mem::replace(&mut places[at], Place::Empty);
        places[at] = match (place, chance.below(3)) {
            (Place::Empty, _) => match mutex.try_lock() {
                Some(guard) => {
                    assert_eq!(model.holder, None);
                    model.holder = Some(at);
                    Place::Held(guard)
                }
                None => Place::Empty,
            },
            (Place::Held(guard), 0) => {
                drop(guard);
                model.release();
                Place::Empty
            }
            (Place::Held(guard), _) => {
                model.waits.push_back(at);
                model.release();
                poll_place(condvar.wait(guard), at, &model)
            }
            (Place::Waits(wait, _), 0) => {
                drop(wait);
                model.leave(at);
                Place::Empty
            }
            (Place::Waits(wait, _), _) => poll_place(wait, at, &model),
        };
        assert_eq!(
            (mutex.is_locked(), mutex.waiters(), condvar.waiters()),
            (model.holder.is_some(), model.lock.len(), model.waits.len())
        );
        for (at, place) in places.iter().enumerate() {
            if let Place::Waits(_, wakes) = place {
                let handed = usize::from(model.holder == Some(at));
                assert_eq!(wakes.wakes(), handed, "woken once it could run, and once only");
            }
        }
    }
    drop(places);
    assert_eq!((mutex.is_locked(), mutex.waiters(), condvar.waiters()), (false, 0, 0));
    assert_eq!(condvar.statistics().unclaimed, 0);
}

/// Polls the wait of a place: it is ready if the place has the lock, and not otherwise.
fn poll_place<'a>(
    mut wait: CondvarWait<'a, MutexGuard<'a, usize>>,
    at: usize,
    model: &Model,
) -> Place<'a> {
    match poll_once(&mut wait) {
        (Poll::Ready(guard), _) => {
            assert_eq!(model.holder, Some(at), "somebody else has it");
            Place::Held(guard)
        }
        (Poll::Pending, wakes) => {
            assert_ne!(model.holder, Some(at), "it was handed over");
            Place::Waits(wait, wakes)
        }
    }
}

// SEM-241, SEM-242, SEM-243: unpolled, waiting, in the mutex's line, handed the lock.
#[test]
fn wait_dropped_at_any_suspension_loses_nothing_for_the_others() {
    for which in 0..3 {
        for step in 0..4 {
            let (mutex, condvar) = (Mutex::new(()), Condvar::new());
            let mut waits: Vec<_> = (0..3)
                .map(|at| {
                    let mut wait = condvar.wait(mutex.try_lock().expect("it was let go"));
                    if (at, step) != (which, 0) {
                        assert!(poll(&mut wait).is_pending());
                        return Some(wait);
                    }
                    None
                })
                .collect();
            if step == 1 {
                waits[which] = None;
            }
            let guard = mutex.try_lock();
            // Two notifications, for the two who are left.
            condvar.notify_many(2);
            if step == 2 {
                waits[which] = None;
            }
            drop(guard);
            let mut got = Vec::new();
            for (at, place) in waits.iter_mut().enumerate() {
                if (at, step) == (which, 3) {
                    *place = None;
                }
                if let Some(wait) = place
                    && let Poll::Ready(guard) = poll(wait)
                {
                    got.push(at);
                    drop(guard);
                }
            }
            let others: Vec<usize> = (0..3).filter(|at| *at != which).collect();
            assert_eq!(got, others, "{which} dropped at step {step}");
            drop(waits);
            assert_eq!((mutex.is_locked(), mutex.waiters(), condvar.waiters()), (false, 0, 0));
        }
    }
}
