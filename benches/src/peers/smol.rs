//! smol: async-executor's `LocalExecutor`, async-io, async-channel, async-lock, event-listener.

use std::future::Future;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::Timer;
use futures_util::future::{Either, select};

use super::borrowed::{with_async_channel, with_async_lock, with_latch};
use crate::peer::{Peer, Timers};
use crate::workloads::once::Once;

thread_local! {
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

pub struct Smol;

impl Peer for Smol {
    const NAME: &'static str = "smol";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        EXECUTOR.with(|executor| async_io::block_on(executor.run(main)))
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        EXECUTOR.with(|executor| executor.spawn(future).detach());
    }

    /// As futures-lite's, which smol has no other than.
    fn yield_now() -> impl Future<Output = ()> {
        Once::default()
    }

    with_async_channel!();

    with_async_lock!();

    with_latch!();
}

impl Timers for Smol {
    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    /// smol has no timeout: the first of two, the inner one polled first. As the timer is built at its
    /// first poll, a future that is ready at once never pays for it.
    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        let future = std::pin::pin!(future);
        let timer = std::pin::pin!(Self::sleep(duration));
        match select(future, timer).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }
}
