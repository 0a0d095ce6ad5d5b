//! How long does a wake from another thread take? A task asks, a thread answers with a wake, the
//! task asks again: a round trip.
//!
//! The task keeps its waker before it asks, and is pending after that: so each round is a wake, and
//! the loop sleeps between, unless the thread was quicker.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::session::WINDOWS;
use super::workload::Wake;
use super::{Metric, Peer, cpu};
use crate::measure::median;

const WINDOW: Duration = Duration::from_millis(150);
/// So many rounds between two looks at the time.
const BLOCK: u64 = 100;

#[derive(Default)]
struct Line {
    asked: AtomicU64,
    answered: AtomicU64,
    waker: AtomicWaker,
    ended: AtomicBool,
}

impl Line {
    /// The thread: answers until it is over.
    fn answer(&self, how: Wake) {
        let mut answered = 0;
        while !self.ended.load(Ordering::Relaxed) {
            if self.asked.load(Ordering::Acquire) > answered {
                answered += 1;
                self.answered.store(answered, Ordering::Release);
                self.waker.wake();
            } else if how == Wake::Spinning {
                std::hint::spin_loop();
            } else {
                thread::park();
            }
        }
    }

    /// The task: asks, and waits for the answer.
    async fn ask(&self, number: u64, thread: Option<&Thread>) {
        let mut asked = false;
        poll_fn(|cx| {
            if self.answered.load(Ordering::Acquire) >= number {
                return Poll::Ready(());
            }
            self.waker.register(cx.waker());
            if !asked {
                asked = true;
                self.asked.store(number, Ordering::Release);
                if let Some(thread) = thread {
                    thread.unpark();
                }
            } else if self.answered.load(Ordering::Acquire) >= number {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// How long a round trip takes, and what of the CPU.
pub(super) fn measure(peer: Peer, how: Wake) -> io::Result<Vec<Metric>> {
    cpu::pin(0)?;
    let line = Arc::new(Line::default());
    let answering = thread::spawn({
        let line = line.clone();
        move || {
            // A thread begins on the core of its maker.
            let pinned = cpu::pin(usize::from(how != Wake::SameCore));
            line.answer(how);
            pinned
        }
    });
    let thread = (how != Wake::Spinning).then(|| answering.thread().clone());
    let asking = line.clone();
    let mut times = peer.run_task(async move {
        let (mut number, mut times) = (0, Vec::new());
        // The first window is a warm-up like the others: the median takes care of it.
        for _ in 0..WINDOWS {
            let (begin, first) = (Instant::now(), number);
            while begin.elapsed() < WINDOW {
                for _ in 0..BLOCK {
                    number += 1;
                    asking.ask(number, thread.as_ref()).await;
                }
            }
            times.push(begin.elapsed().as_secs_f64() * 1e9 / (number - first) as f64);
        }
        times
    })?;
    line.ended.store(true, Ordering::Relaxed);
    answering.thread().unpark();
    answering.join().map_err(|_| io::Error::other("the thread has panicked"))??;
    Ok(vec![("rt_ns", median(&mut times))])
}
