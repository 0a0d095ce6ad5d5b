//! The crate futures: `LocalPool`, its mpsc, timers of futures-timer (a helper thread), else as smol.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use futures_channel::mpsc::{self, Receiver, Sender};
use futures_executor::{LocalPool, LocalSpawner};
use futures_timer::Delay;
use futures_util::future::{Either, select};
use futures_util::task::LocalSpawnExt;
use futures_util::{SinkExt, StreamExt};

use super::borrowed::{with_async_lock, with_latch};
use crate::peer::{Peer, Timers};
use crate::workloads::once::Once;

thread_local! {
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
}

fn with_spawner<T>(use_it: impl FnOnce(&LocalSpawner) -> T) -> T {
    SPAWNER.with_borrow(|spawner| use_it(spawner.as_ref().expect("a pool runs")))
}

pub struct Futures;

impl Peer for Futures {
    const NAME: &'static str = "futures";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut pool = LocalPool::new();
        SPAWNER.set(Some(pool.spawner()));
        pool.run_until(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        with_spawner(|spawner| spawner.spawn_local_with_handle(future)).expect("the pool lives")
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        with_spawner(|spawner| spawner.spawn_local(future)).expect("the pool lives");
    }

    /// futures has none.
    fn yield_now() -> impl Future<Output = ()> {
        Once::default()
    }

    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    /// Each sender has a place of its own beyond the capacity.
    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity - 1)
    }

    async fn send(sender: &mut Self::Sender, item: u64) {
        sender.send(item).await.expect("the channel is open");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.next().await.expect("the channel is open")
    }

    with_async_lock!();

    with_latch!();
}

impl Timers for Futures {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        Delay::new(duration)
    }

    /// The first of two; the timer is built at once, as `Delay` is.
    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        match select(std::pin::pin!(future), Delay::new(duration)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }
}
