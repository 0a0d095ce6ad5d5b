//! A token goes round 1,000 tasks, one of which is ready at a time: a switch.
//!
//! Each task keeps a waker in its place and waits for its turn: the place is written by hand and the same
//! on all, so this is wake and poll, and no channel.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::figures::Figures;
use crate::measure::{Effort, each};
use crate::peer::{Peer, in_task};

use super::clock::Clock;

pub const TASKS: usize = 1_000;
const ROUNDS: u64 = 20;
pub const UNITS: u64 = TASKS as u64 * ROUNDS;

#[derive(Default)]
struct Place {
    token: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Place {
    /// Waits for the token and takes it. The waker is kept from one time to the next, as long as it is that
    /// of whoever polls.
    async fn take(&self) {
        poll_fn(|cx| {
            if self.token.take() {
                return Poll::Ready(());
            }
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn give(&self) {
        self.token.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// The first round is not counted: then each place has its waker.
pub async fn block<P: Peer>() -> u64 {
    let places: Rc<[Place]> = (0..TASKS).map(|_| Place::default()).collect();
    let clock = Rc::new(Clock::default());
    let task = |index: usize| {
        let (places, clock) = (places.clone(), clock.clone());
        async move {
            for round in 0..=ROUNDS {
                places[index].take().await;
                if index == 0 && round == 1 {
                    clock.start();
                }
                places[(index + 1) % TASKS].give();
            }
            if index == TASKS - 1 {
                clock.stop();
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|index| P::spawn(task(index))).collect();
    places[0].give();
    for task in tasks {
        task.await;
    }
    clock.cpu()
}

pub fn measure<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each(effort, UNITS, block::<P>)))
}
