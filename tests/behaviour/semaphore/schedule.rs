//! Under any schedule of acquire, poll, drop and release: is each permit somewhere, and once?
//!
//! A slow model beside the semaphore says what each step is to give.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Acquire, Permit, Semaphore};

use crate::help::{Counter, poll_once};
use crate::waiting::Chance;

/// What stands in one of five places of the random schedule.
enum Place<'a> {
    Empty,
    /// Waiting or handed over, as the model knows; with the counter of its newest waker.
    Pending(Acquire<'a>, usize, Arc<Counter>),
    Held(Permit<'a>),
}

/// The same by the simplest means.
struct Model {
    free: usize,
    total: usize,
    line: VecDeque<(usize, usize)>,
    granted: [bool; 5],
}

impl Model {
    fn hand_over(&mut self) {
        while let Some((place, wanted)) = self.line.front().copied() {
            if wanted > self.free {
                return;
            }
            self.free -= wanted;
            self.granted[place] = true;
            self.line.pop_front();
        }
    }

    fn release(&mut self, permits: usize) {
        self.free += permits;
        self.hand_over();
    }
}

// SEM-221, SEM-222, SEM-225, SEM-228: conservation under random schedules of poll, drop, release.
#[test]
fn permits_are_conserved_and_granted_in_order_under_any_schedule() {
    for seed in 0..3000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let permits = chance.below(4);
    let semaphore = Semaphore::new(permits);
    let mut model =
        Model { free: permits, total: permits, line: VecDeque::new(), granted: [false; 5] };
    let mut places: [Place<'_>; 5] = [const { Place::Empty }; 5];
    for _ in 0..60 {
        let at = chance.below(5);
        let place = std::mem::replace(&mut places[at], Place::Empty);
        places[at] = match (place, chance.below(3)) {
            (Place::Empty, 0) => {
                let free = model.line.is_empty() && model.free >= 1;
                assert_eq!(semaphore.try_acquire().is_some(), free);
                if model.total < 6 {
                    semaphore.add_permits(1);
                    model.total += 1;
                    model.release(1);
                }
                Place::Empty
            }
            (Place::Empty, _) => {
                let wanted = 1 + chance.below(3);
                let mut acquire = semaphore.acquire_many(wanted);
                let free = model.line.is_empty() && model.free >= wanted;
                match poll_once(&mut acquire) {
                    (Poll::Ready(permit), _) => {
                        assert!(free, "it should wait");
                        model.free -= wanted;
                        Place::Held(permit)
                    }
                    (Poll::Pending, wakes) => {
                        assert!(!free, "it should not wait");
                        model.line.push_back((at, wanted));
                        Place::Pending(acquire, wanted, wakes)
                    }
                }
            }
            (Place::Pending(acquire, wanted, _), 0) => {
                if std::mem::take(&mut model.granted[at]) {
                    drop(acquire);
                    model.release(wanted);
                } else {
                    drop(acquire);
                    model.line.retain(|(place, _)| *place != at);
                    model.hand_over();
                }
                Place::Empty
            }
            (Place::Pending(mut acquire, wanted, _), _) => match poll_once(&mut acquire) {
                (Poll::Ready(permit), _) => {
                    assert!(std::mem::take(&mut model.granted[at]));
                    Place::Held(permit)
                }
                (Poll::Pending, wakes) => {
                    assert!(!model.granted[at]);
                    Place::Pending(acquire, wanted, wakes)
                }
            },
            (Place::Held(permit), 0) => {
                model.total -= permit.permits();
                permit.forget();
                Place::Empty
            }
            (Place::Held(permit), _) => {
                let permits = permit.permits();
                drop(permit);
                model.release(permits);
                Place::Empty
            }
        };
        assert_eq!(semaphore.available(), model.free);
        assert_eq!(semaphore.waiters(), model.line.len());
        for (at, place) in places.iter().enumerate() {
            if let Place::Pending(_, _, wakes) = place {
                let granted = usize::from(model.granted[at]);
                assert_eq!(wakes.wakes(), granted, "woken once it could run, and once only");
            }
        }
    }
    drop(places);
    assert_eq!((semaphore.available(), semaphore.waiters()), (model.total, 0));
}
