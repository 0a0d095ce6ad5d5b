//! compio over io_uring, with async-channel, async-lock and event-listener.

use std::future::Future;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_lock::Semaphore;
use compio::runtime::Runtime;

use super::latch::Latch;
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

    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(capacity)
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

    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = impl Sized> {
        semaphore.acquire()
    }

    type Event = Latch;

    fn event() -> Self::Event {
        Latch::default()
    }

    fn set(event: &Self::Event) {
        event.set();
    }

    fn wait(event: &Self::Event) -> impl Future<Output = ()> {
        event.wait()
    }

    fn set_and_wait(event: &Self::Event) -> impl Future<Output = ()> {
        event.set_and_wait()
    }
}

impl Timers for Compio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        compio::time::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        compio::time::timeout(duration, future).await.ok()
    }
}
