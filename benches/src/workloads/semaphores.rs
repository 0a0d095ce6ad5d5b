//! What does a permit cost, taken and given back?
//!
//! `sem_free`: one task, nobody waits. `sem_cont`: 1,000 tasks take one of 10 permits 100 times each, with
//! a yield while they hold it: nearly every acquire waits.

use std::rc::Rc;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};

use super::once::Once;

pub const FREE: u64 = 20_000;
pub const TASKS: u64 = 1_000;
pub const ACQUIRES: u64 = 100;

pub async fn free<P: Peer>() {
    let semaphore = P::semaphore(10);
    for _ in 0..FREE {
        let permit = P::acquire(&semaphore).await;
        drop(permit);
    }
}

pub async fn contended<P: Peer>() {
    let semaphore = Rc::new(P::semaphore(10));
    let task = || {
        let semaphore = semaphore.clone();
        async move {
            for _ in 0..ACQUIRES {
                let permit = P::acquire(&semaphore).await;
                Once::default().await;
                drop(permit);
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|_| P::spawn(task())).collect();
    for task in tasks {
        task.await;
    }
}

pub fn sem_free<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, FREE, free::<P>)))
}

pub fn sem_cont<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, TASKS * ACQUIRES, contended::<P>)))
}
