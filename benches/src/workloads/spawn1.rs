//! Spawn one trivial task and await it at once: a task.

use std::hint::black_box;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};

pub const UNITS: u64 = 5_000;

pub async fn block<P: Peer>() {
    for n in 0..UNITS {
        black_box(P::spawn(async move { n }).await);
    }
}

pub fn measure<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, block::<P>)))
}
