//! monoio: `Monoio<true>` over io_uring, `Monoio<false>` its epoll driver. Channels and semaphores are
//! those of local-sync, events those of event-listener.

use std::future::Future;
use std::time::Duration;

use local_sync::mpsc::bounded::{Rx, Tx, channel};
use local_sync::semaphore::Semaphore;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::borrowed::with_latch;
use crate::peer::{Peer, Timers};
use crate::workloads::once::Once;

pub struct Monoio<const URING: bool>;

impl<const URING: bool> Peer for Monoio<URING> {
    const NAME: &'static str = if URING { "monoio_uring" } else { "monoio_legacy" };

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if URING {
            let runtime = RuntimeBuilder::<IoUringDriver>::new().enable_timer().build();
            runtime.expect("the kernel has io_uring").block_on(main)
        } else {
            let runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build();
            runtime.expect("monoio has descriptors").block_on(main)
        }
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(monoio::spawn(future));
    }

    /// monoio has none.
    fn yield_now() -> impl Future<Output = ()> {
        Once::default()
    }

    type Sender = Tx<u64>;
    type Receiver = Rx<u64>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        channel(capacity)
    }

    async fn send(sender: &mut Self::Sender, item: u64) {
        sender.send(item).await.expect("the channel is open");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("the channel is open")
    }

    type Semaphore = Semaphore;

    fn semaphore(permits: usize) -> Self::Semaphore {
        Semaphore::new(permits)
    }

    async fn acquire(semaphore: &Self::Semaphore) -> impl Sized {
        semaphore.acquire().await.expect("the semaphore is open")
    }

    with_latch!();
}

impl<const URING: bool> Timers for Monoio<URING> {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        monoio::time::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        monoio::time::timeout(duration, future).await.ok()
    }
}
