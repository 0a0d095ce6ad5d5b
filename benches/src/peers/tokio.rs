//! tokio on one thread: `Tokio<true>` is the current-thread runtime with a `LocalSet`, `Tokio<false>` its
//! `LocalRuntime`. The primitives are tokio's.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::LocalSet;

use crate::peer::{Peer, Timers};

pub struct Tokio<const LOCAL_SET: bool>;

impl<const LOCAL_SET: bool> Peer for Tokio<LOCAL_SET> {
    const NAME: &'static str = if LOCAL_SET { "tokio_ls" } else { "tokio_lrt" };

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        if LOCAL_SET {
            let runtime = builder.build().expect("tokio has descriptors");
            LocalSet::new().block_on(&runtime, main)
        } else {
            let runtime = builder.build_local(LocalOptions::default());
            runtime.expect("tokio has descriptors").block_on(main)
        }
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let task = tokio::task::spawn_local(future);
        async move { task.await.expect("the task ends well") }
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(tokio::task::spawn_local(future));
    }

    fn yield_now() -> impl Future<Output = ()> {
        tokio::task::yield_now()
    }

    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
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

    type Event = Notify;

    fn event() -> Self::Event {
        Notify::new()
    }

    fn set(event: &Self::Event) {
        event.notify_waiters();
    }

    fn wait(event: &Self::Event) -> impl Future<Output = ()> {
        event.notified()
    }

    async fn set_and_wait(event: &Self::Event) {
        event.notify_one();
        event.notified().await;
    }
}

impl<const LOCAL_SET: bool> Timers for Tokio<LOCAL_SET> {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(duration, future).await.ok()
    }
}
