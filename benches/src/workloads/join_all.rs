//! One task awaits 10,000 futures at once, of which each waits once: a future.
//!
//! lone by its own `gather`, the others by `join_all` of the crate futures. `join_yield`: by the hand-written
//! yield; `join_sleep0`: by a sleep of no time at all.

use std::hint::black_box;
use std::time::Duration;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, Timers, in_task};

use super::once::Once;

pub const UNITS: u64 = 10_000;

pub async fn yields<P: Peer>() {
    black_box(P::join_all((0..UNITS).map(|_| Once::default())).await);
}

pub async fn sleeps<P: Timers>() {
    black_box(P::join_all((0..UNITS).map(|_| P::sleep(Duration::ZERO))).await);
}

pub fn join_yield<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, yields::<P>)))
}

pub fn join_sleep0<P: Timers>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, sleeps::<P>)))
}
