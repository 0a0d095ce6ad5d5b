//! What does a timeout cost that never fires?
//!
//! `tmo_ready`: round a future that is ready at once. `tmo_pend`: round one that is pending once, so that
//! the timer is registered and cancelled.

use std::future::ready;
use std::hint::black_box;
use std::time::Duration;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Timers, in_task};

use super::once::Once;

const LONG: Duration = Duration::from_secs(10);
pub const UNITS: u64 = 10_000;

pub async fn round_ready<P: Timers>() {
    for n in 0..UNITS {
        black_box(P::timeout(LONG, ready(n)).await);
    }
}

pub async fn round_pending<P: Timers>() {
    for _ in 0..UNITS {
        black_box(P::timeout(LONG, Once::default()).await);
    }
}

pub fn tmo_ready<P: Timers>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, round_ready::<P>)))
}

pub fn tmo_pend<P: Timers>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, round_pending::<P>)))
}
