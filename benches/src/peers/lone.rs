//! lone, with its own primitives.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use crate::peer::{Peer, Timers};

pub struct Lone;

impl Peer for Lone {
    const NAME: &'static str = "lone";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        lone::Runtime::new().expect("lone has descriptors").block_on(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let task = lone::spawn(future);
        async move { task.await.expect("the task ends well") }
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(lone::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> {
        lone::yield_now()
    }

    type Sender = Rc<lone::Queue<u64>>;
    type Receiver = Rc<lone::Queue<u64>>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let queue = Rc::new(lone::Queue::bounded(capacity));
        (queue.clone(), queue)
    }

    async fn send(sender: &mut Self::Sender, item: u64) {
        sender.put(item).await.expect("the queue is open");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("the queue is open")
    }

    type Semaphore = lone::Semaphore;

    fn semaphore(permits: usize) -> Self::Semaphore {
        lone::Semaphore::new(permits)
    }

    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = impl Sized> {
        semaphore.acquire()
    }

    type Event = lone::Event;

    fn event() -> Self::Event {
        lone::Event::new()
    }

    fn set(event: &Self::Event) {
        event.set();
    }

    fn wait(event: &Self::Event) -> impl Future<Output = ()> {
        event.wait()
    }

    async fn set_and_wait(event: &Self::Event) {
        event.set();
        event.wait().await;
        event.clear();
    }

    fn join_all<F: Future>(
        futures: impl IntoIterator<Item = F>,
    ) -> impl Future<Output = Vec<F::Output>> {
        lone::gather(futures)
    }
}

impl Timers for Lone {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        lone::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        lone::timeout(duration, future).await.ok()
    }
}
