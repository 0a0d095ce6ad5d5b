//! What does it cost to wake 10,000 who wait for one event, and to set one that nobody waits for?
//!
//! `event`: from the set to the end of the last waiter; their registration is left out. `event_set`: one
//! set, and one wait that does not wait.

use std::rc::Rc;

use crate::figures::Figures;
use crate::measure::{Effort, cpu_of, each, each_of};
use crate::peer::{Peer, in_task};

use super::once::Once;

pub const WAITERS: u64 = 10_000;
const SETS: u64 = 20_000;

/// The CPU time from the set on.
pub async fn wake_all<P: Peer>() -> u64 {
    let event = Rc::new(P::event());
    let wait = || {
        let event = event.clone();
        async move { P::wait(&event).await }
    };
    let tasks: Vec<_> = (0..WAITERS).map(|_| P::spawn(wait())).collect();
    // Behind them all in the queue, so that they have been polled; twice, for main may stand elsewhere.
    for _ in 0..2 {
        P::spawn(Once::default()).await;
    }
    cpu_of(async move {
        P::set(&event);
        for task in tasks {
            task.await;
        }
    })
    .await
}

pub async fn set_free<P: Peer>() {
    let event = P::event();
    for _ in 0..SETS {
        P::set_and_wait(&event).await;
    }
}

pub fn event<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each(effort, WAITERS, wake_all::<P>)))
}

pub fn event_set<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, SETS, set_free::<P>)))
}
