//! Under any schedule of put, get, drop and shutdown: is each item somewhere, once, and in order?
//!
//! A slow model beside the queue says what each step is to give.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Get, Put, PutError, Queue};

use crate::help::{Counter, poll_once};
use crate::waiting::{Chance, poll};

/// What stands in one of five places of the random schedule.
enum Place<'a> {
    Empty,
    Getting(Get<'a, u32>, Arc<Counter>),
    Putting(Put<'a, u32>, Arc<Counter>),
}

/// Who waits or was handed what, by the simplest means.
#[derive(Default)]
struct Model {
    capacity: usize,
    items: VecDeque<u32>,
    handed: VecDeque<u32>,
    /// Getters, in the order of the line: those that wait, and those that were handed something.
    getters: VecDeque<usize>,
    granted: VecDeque<usize>,
    putters: VecDeque<(usize, u32)>,
    /// What the next poll of a place gives: let in or refused.
    answers: [Option<Result<(), Option<u32>>>; 5],
    shut: bool,
    unfinished: usize,
}

impl Model {
    fn put(&mut self, item: u32) {
        self.unfinished += 1;
        match self.getters.pop_front() {
            Some(getter) => {
                self.granted.push_back(getter);
                self.handed.push_back(item);
            }
            None => self.items.push_back(item),
        }
    }

    fn get(&mut self) -> Option<u32> {
        let item = self.items.pop_front()?;
        if !self.shut
            && self.items.len() < self.capacity
            && let Some((putter, item)) = self.putters.pop_front()
        {
            self.unfinished += 1;
            self.items.push_back(item);
            self.answers[putter] = Some(Ok(()));
        }
        Some(item)
    }

    fn shut_down(&mut self) {
        self.shut = true;
        for getter in self.getters.drain(..) {
            self.answers[getter] = Some(Err(None));
        }
        for (putter, item) in self.putters.drain(..) {
            self.answers[putter] = Some(Err(Some(item)));
        }
    }

    fn drop_getter(&mut self, at: usize) {
        self.getters.retain(|getter| *getter != at);
        self.answers[at] = None;
        if self.granted.contains(&at) {
            self.granted.retain(|getter| *getter != at);
            match self.getters.pop_front() {
                Some(next) => self.granted.push_back(next),
                None => {
                    let youngest = self.handed.pop_back().expect("one for each granted getter");
                    self.items.push_front(youngest);
                }
            }
        }
    }
}

// SEM-272, SEM-273, SEM-274, SEM-276, SEM-277, SEM-283, SEM-284, SEM-287: any schedule conserves.
#[test]
fn items_are_conserved_and_ordered_under_any_schedule_of_put_get_drop_and_shutdown() {
    for seed in 0..4000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let capacity = 1 + chance.below(3);
    let queue = Queue::bounded(capacity);
    let mut model = Model { capacity, ..Model::default() };
    let (mut made, mut accounted) = (0_u32, Vec::new());
    let mut places: [Place<'_>; 5] = [const { Place::Empty }; 5];
    for _ in 0..60 {
        let at = chance.below(5);
        let place = std::mem::replace(&mut places[at], Place::Empty);
        places[at] = match place {
            Place::Empty => match chance.below(9) {
                0..4 => start_put(&queue, &mut model, at, &mut made, &mut accounted),
                4..7 => start_get(&queue, &mut model, at, &mut accounted),
                7 => {
                    let expected = model.unfinished.checked_sub(1);
                    assert_eq!(queue.task_done().is_ok(), expected.is_some());
                    model.unfinished = expected.unwrap_or(0);
                    Place::Empty
                }
                _ => {
                    shut_down(&queue, &mut model, chance, &mut accounted);
                    Place::Empty
                }
            },
            Place::Getting(get, _) if chance.below(3) == 0 => {
                drop(get);
                model.drop_getter(at);
                Place::Empty
            }
            Place::Getting(get, _) => poll_get(get, &mut model, at, &mut accounted),
            Place::Putting(put, _) if chance.below(3) == 0 => {
                drop(put);
                let waited = model.putters.iter().position(|(putter, _)| *putter == at);
                let lost = waited.and_then(|waited| model.putters.remove(waited));
                accounted.extend(lost.map(|(_, item)| item));
                if let Some(Err(item)) = model.answers[at].take() {
                    accounted.extend(item);
                }
                Place::Empty
            }
            Place::Putting(put, _) => poll_put(put, &mut model, at, &mut accounted),
        };
        check(&queue, &model, &places);
    }
    drop(places);
    accounted.extend(std::iter::from_fn(|| queue.try_get().ok()));
    // Those that were still in the places when these were dropped went with them.
    accounted.extend(model.putters.iter().map(|(_, item)| *item));
    accounted.extend(model.answers.iter().flatten().filter_map(|answer| answer.err().flatten()));
    accounted.sort_unstable();
    assert_eq!(accounted, (0..made).collect::<Vec<_>>(), "each item once");
    assert_eq!((queue.waiting_getters(), queue.waiting_putters()), (0, 0));
}

fn start_put<'a>(
    queue: &'a Queue<u32>,
    model: &mut Model,
    at: usize,
    made: &mut u32,
    accounted: &mut Vec<u32>,
) -> Place<'a> {
    let item = *made;
    *made += 1;
    let mut put = queue.put(item);
    let (polled, wakes) = poll_once(&mut put);
    let full = model.items.len() >= model.capacity;
    match polled {
        Poll::Ready(Err(PutError(back))) => {
            assert!(model.shut && back == item);
            accounted.push(item);
            Place::Empty
        }
        Poll::Ready(Ok(())) => {
            assert!(!model.shut && !full);
            model.put(item);
            Place::Empty
        }
        Poll::Pending => {
            assert!(!model.shut && full);
            model.putters.push_back((at, item));
            Place::Putting(put, wakes)
        }
    }
}

fn start_get<'a>(
    queue: &'a Queue<u32>,
    model: &mut Model,
    at: usize,
    accounted: &mut Vec<u32>,
) -> Place<'a> {
    let mut get = queue.get();
    let (polled, wakes) = poll_once(&mut get);
    let expected = model.get();
    match polled {
        Poll::Ready(got) => {
            assert_eq!(got.ok(), expected);
            assert!(expected.is_some() || model.shut);
            accounted.extend(expected);
            Place::Empty
        }
        Poll::Pending => {
            assert!(expected.is_none() && !model.shut);
            model.getters.push_back(at);
            Place::Getting(get, wakes)
        }
    }
}

fn shut_down(queue: &Queue<u32>, model: &mut Model, chance: &mut Chance, accounted: &mut Vec<u32>) {
    match chance.below(6) {
        0 => {
            queue.shutdown();
            model.shut_down();
        }
        1 => {
            let items = queue.shutdown_now();
            assert_eq!(items, Vec::from(std::mem::take(&mut model.items)));
            model.unfinished = model.unfinished.saturating_sub(items.len());
            model.shut_down();
            accounted.extend(items);
        }
        _ => {}
    }
}

fn poll_get<'a>(
    mut get: Get<'a, u32>,
    model: &mut Model,
    at: usize,
    accounted: &mut Vec<u32>,
) -> Place<'a> {
    let (polled, wakes) = poll_once(&mut get);
    let rank = model.granted.iter().position(|getter| *getter == at);
    let refused = model.answers[at].take().is_some();
    match polled {
        Poll::Pending => {
            assert!(rank.is_none() && !refused);
            return Place::Getting(get, wakes);
        }
        Poll::Ready(got) => {
            let expected = match rank {
                Some(rank) => {
                    model.granted.remove(rank);
                    model.handed.remove(rank)
                }
                None => {
                    assert!(refused);
                    model.get()
                }
            };
            assert_eq!(got.ok(), expected);
            accounted.extend(expected);
        }
    }
    Place::Empty
}

fn poll_put<'a>(
    mut put: Put<'a, u32>,
    model: &mut Model,
    at: usize,
    accounted: &mut Vec<u32>,
) -> Place<'a> {
    let (polled, wakes) = poll_once(&mut put);
    let expected = model.answers[at].take();
    match polled {
        Poll::Pending => {
            assert!(expected.is_none());
            return Place::Putting(put, wakes);
        }
        Poll::Ready(Ok(())) => assert_eq!(expected, Some(Ok(()))),
        Poll::Ready(Err(PutError(item))) => {
            assert_eq!(expected, Some(Err(Some(item))));
            accounted.push(item);
        }
    }
    Place::Empty
}

fn check(queue: &Queue<u32>, model: &Model, places: &[Place<'_>]) {
    assert_eq!(queue.len(), model.items.len());
    assert_eq!(queue.is_full(), model.items.len() >= model.capacity);
    assert_eq!(queue.waiting_getters(), model.getters.len());
    assert_eq!(queue.waiting_putters(), model.putters.len());
    assert!(model.getters.is_empty() || model.items.is_empty());
    assert_eq!(poll(&mut queue.join()).is_ready(), model.unfinished == 0);
    for (at, place) in places.iter().enumerate() {
        let (wakes, can_run) = match place {
            Place::Empty => continue,
            Place::Getting(_, wakes) => (wakes, model.granted.contains(&at)),
            Place::Putting(_, wakes) => (wakes, false),
        };
        let can_run = can_run || model.answers[at].is_some();
        assert_eq!(wakes.wakes(), usize::from(can_run), "woken once it could run, and once only");
    }
}
