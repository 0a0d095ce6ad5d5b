//! compio over io_uring, with async-channel, async-lock and event-listener.

use std::future::Future;
use std::time::Duration;

use compio::runtime::Runtime;

use super::borrowed::{with_async_channel, with_async_lock, with_latch};
use crate::peer::{Peer, Timers};
use crate::workloads::once::Once;

pub struct Compio;

impl Peer for Compio {
    const NAME: &'static str = "compio";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Runtime::new().expect("compio has descriptors").block_on(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let task = compio::runtime::spawn(future);
        async move { task.await.unwrap_or_else(|_| panic!("the task ends well")) }
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        compio::runtime::spawn(future).detach();
    }

    /// compio has none.
    fn yield_now() -> impl Future<Output = ()> {
        Once::default()
    }

    with_async_channel!();

    with_async_lock!();

    with_latch!();
}

impl Timers for Compio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        compio::time::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        compio::time::timeout(duration, future).await.ok()
    }
}
