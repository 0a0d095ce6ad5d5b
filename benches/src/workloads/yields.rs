//! What does a switch cost among 1, 2, 100 and 100,000 tasks?
//!
//! `yield1`, `yield2` and `yield100k` use the hand-written yield, the same on all; `yield1_rt` and
//! `yield100_rt` each runtime's own. The `100k` include the spawn and the join: a tenth of one a switch.

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};

use super::once::Once;

/// Tasks, and the yields of each, of `yield100k`.
pub const MANY: (u64, u64) = (100_000, 10);
const FEW: u64 = 20_000;

/// Spawns `tasks` that yield `yields` times each, and awaits them.
pub async fn by_hand<P: Peer>(tasks: u64, yields: u64) {
    let task = || async move {
        for _ in 0..yields {
            Once::default().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| P::spawn(task())).collect();
    for task in tasks {
        task.await;
    }
}

/// As [`by_hand`], by the runtime's own yield.
pub async fn by_runtime<P: Peer>(tasks: u64, yields: u64) {
    let task = || async move {
        for _ in 0..yields {
            P::yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| P::spawn(task())).collect();
    for task in tasks {
        task.await;
    }
}

fn hand<P: Peer>(effort: Effort, tasks: u64, yields: u64) -> Figures {
    let run = each_of(effort, tasks * yields, move || by_hand::<P>(tasks, yields));
    Figures::one("ns", in_task::<P, _>(run))
}

fn own<P: Peer>(effort: Effort, tasks: u64, yields: u64) -> Figures {
    let run = each_of(effort, tasks * yields, move || by_runtime::<P>(tasks, yields));
    Figures::one("ns", in_task::<P, _>(run))
}

pub fn yield1<P: Peer>(effort: Effort) -> Figures {
    hand::<P>(effort, 1, FEW)
}

pub fn yield2<P: Peer>(effort: Effort) -> Figures {
    hand::<P>(effort, 2, FEW / 2)
}

pub fn yield100k<P: Peer>(effort: Effort) -> Figures {
    hand::<P>(effort, MANY.0, MANY.1)
}

pub fn yield1_rt<P: Peer>(effort: Effort) -> Figures {
    own::<P>(effort, 1, FEW)
}

pub fn yield100_rt<P: Peer>(effort: Effort) -> Figures {
    own::<P>(effort, 100, FEW / 100)
}
