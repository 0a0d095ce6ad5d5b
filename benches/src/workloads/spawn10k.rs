//! Spawn 10,000 trivial tasks, then await them all: a task.

use std::hint::black_box;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};

pub const UNITS: u64 = 10_000;

pub async fn block<P: Peer>() {
    let tasks: Vec<_> = (0..UNITS).map(|n| P::spawn(async move { n })).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await;
    }
    black_box(sum);
}

pub fn measure<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, block::<P>)))
}
