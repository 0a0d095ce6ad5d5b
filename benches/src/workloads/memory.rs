//! How many bytes does a task hold that waits?
//!
//! `mem_event`: at one event; `mem_pending`: for what never comes (a peer that counts wakers frees such a
//! task at once). They are spawned a thousand at a time and polled before the next, so that no queue grows
//! with them. Live bytes are those the allocator was asked for, RSS is what the kernel gave.

use std::future::{Future, pending};
use std::rc::Rc;

use crate::allocator::{allocations, live_bytes};
use crate::figures::Figures;
use crate::measure::Effort;
use crate::peer::{Peer, in_task};

use super::once::Once;

const TASKS: usize = 100_000;
const AT_A_TIME: usize = 1_000;

/// Bytes of this process in memory.
pub fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells its own size");
    let pages = pages.split(' ').nth(1).and_then(|word| word.parse::<usize>().ok());
    pages.expect("the second word is a count") * rustix::param::page_size()
}

async fn spawn_batch<P: Peer, F: Future<Output = ()> + 'static>(task: impl Fn() -> F) {
    for _ in 0..AT_A_TIME {
        P::detach(task());
    }
    for _ in 0..2 {
        P::spawn(Once::default()).await;
    }
}

/// The first batch is not counted: it fills what a runtime keeps.
async fn of<P: Peer, F: Future<Output = ()> + 'static>(task: impl Fn() -> F) -> Figures {
    spawn_batch::<P, F>(&task).await;
    let (live, made, rss) = (live_bytes(), allocations(), resident());
    for _ in 0..TASKS / AT_A_TIME {
        spawn_batch::<P, F>(&task).await;
    }
    let a_task = |more: usize| more as f64 / TASKS as f64;
    Figures::one("live", a_task(live_bytes().wrapping_sub(live)))
        .and("rss", a_task(resident().saturating_sub(rss)))
        .and("allocations", a_task(allocations() - made))
}

pub fn mem_event<P: Peer>(_: Effort) -> Figures {
    in_task::<P, _>(async {
        let event = Rc::new(P::event());
        let figures = of::<P, _>(|| {
            let event = event.clone();
            async move { P::wait(&event).await }
        });
        let figures = figures.await;
        P::set(&event);
        figures
    })
}

pub fn mem_pending<P: Peer>(_: Effort) -> Figures {
    in_task::<P, _>(of::<P, _>(pending::<()>))
}
