//! Does a thing cost the same among many as among few?
//!
//! `grow_switch`: a switch among 1e3 to 1e6 tasks, all of them ready. `grow_timer`: a timer inserted and
//! cancelled among 1e3 to 1e7 that are pending, with deadlines over an hour. What grows is the working set,
//! so the cache; a curve that rises more than that is the data structure's.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::figures::Figures;
use crate::measure::{Effort, cpu_of, each, median};
use crate::peer::{Peer, Timers, in_task};

use super::clock::Clock;
use super::once::Once;

pub const TASKS: [(&str, u64); 4] =
    [("1e3", 1_000), ("1e4", 10_000), ("1e5", 100_000), ("1e6", 1_000_000)];
pub const TIMERS: [(&str, usize); 5] =
    [("1e3", 1_000), ("1e4", 10_000), ("1e5", 100_000), ("1e6", 1_000_000), ("1e7", 10_000_000)];

/// CPU nanoseconds a switch, between the first round and the end of the last.
async fn switch_among<P: Peer>(tasks: u64, rounds: u64) -> f64 {
    let (count, clock) = (Rc::new(Cell::new(0)), Rc::new(Clock::default()));
    let end = tasks * (1 + rounds);
    let task = || {
        let (count, clock) = (count.clone(), clock.clone());
        async move {
            while count.get() < end {
                count.set(count.get() + 1);
                match count.get() {
                    now if now == tasks => clock.start(),
                    now if now == end => clock.stop(),
                    _ => {}
                }
                Once::default().await;
            }
        }
    };
    let handles: Vec<_> = (0..tasks).map(|_| P::spawn(task())).collect();
    for handle in handles {
        handle.await;
    }
    clock.cpu() as f64 / (tasks * rounds) as f64
}

pub fn switch<P: Peer>(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    for (key, tasks) in TASKS {
        let rounds = (effort.either(3_000_000, 1_000_000) / tasks).max(2);
        let mut samples: Vec<f64> =
            (0..3).map(|_| in_task::<P, _>(switch_among::<P>(tasks, rounds))).collect();
        figures = figures.and(key, median(&mut samples));
    }
    figures
}

/// Deadlines over an hour, in no order; none of them comes while this runs.
fn deadlines() -> impl FnMut() -> Duration {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        // Xorshift: any sequence that does not repeat will do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Duration::from_secs(600) + Duration::from_micros(state % 3_600_000_000)
    }
}

/// Polls each once. A budget of polls (64 here, 128 in lone and in tokio) must not be used up, or the timer
/// would not be registered.
async fn register<F: Future>(timers: &mut [Pin<Box<F>>]) {
    for few in timers.chunks_mut(64) {
        poll_fn(|cx| {
            for timer in few.iter_mut() {
                assert!(timer.as_mut().poll(cx).is_pending(), "it has ten minutes");
            }
            Poll::Ready(())
        })
        .await;
        Once::default().await;
    }
}

async fn among<P: Timers>(effort: Effort, pending: usize) -> f64 {
    const UNITS: u64 = 6_400;
    let mut next = deadlines();
    let mut timers: Vec<_> = (0..pending).map(|_| Box::pin(P::sleep(next()))).collect();
    register(&mut timers).await;
    let block = async || {
        cpu_of(async {
            for _ in 0..UNITS / 64 {
                poll_fn(|cx| {
                    for _ in 0..64 {
                        let timer = std::pin::pin!(P::sleep(next()));
                        black_box(timer.poll(cx).is_pending());
                    }
                    Poll::Ready(())
                })
                .await;
                Once::default().await;
            }
        })
        .await
    };
    each(effort, UNITS, block).await
}

pub fn timer<P: Timers>(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    let sizes = if effort.quick { &TIMERS[..4] } else { &TIMERS };
    for (key, pending) in sizes.iter().copied() {
        figures = figures.and(key, in_task::<P, _>(among::<P>(effort, pending)));
    }
    figures
}
