//! How little can an executor cost? Not a runtime: the limit that runtimes are seen against.
//!
//! One block a task, `Rc<Task<F>>`, which is its own waker (one vtable for each type of future); a
//! `VecDeque` of those that are ready; no guard against panics, no clock, no I/O, no trace, no cancelling.
//!
//! - **Owner**: a waker is `Send`, the count in an `Rc` is not: each function of the vtable first compares
//!   the owner with the address of a thread-local, and aborts the process elsewhere. That is free, and makes
//!   it sound.
//! - **One poll**: the future is touched by [`Runnable::run`] alone, which only [`run_ready`] calls, and
//!   no poll calls that.

mod executor;
mod sync;

use std::future::Future;

use crate::peer::Peer;

pub struct Floor;

impl Peer for Floor {
    const NAME: &'static str = "floor";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        executor::run(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        executor::spawn(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(executor::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> {
        crate::workloads::once::Once::default()
    }

    type Sender = sync::Channel;
    type Receiver = sync::Channel;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let channel = sync::Channel::new(capacity);
        (channel.clone(), channel)
    }

    fn send(sender: &mut Self::Sender, item: u64) -> impl Future<Output = ()> {
        sender.send(item)
    }

    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> {
        receiver.receive()
    }

    type Semaphore = sync::Semaphore;

    fn semaphore(permits: usize) -> Self::Semaphore {
        sync::Semaphore::new(permits)
    }

    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = impl Sized> {
        semaphore.acquire()
    }

    type Event = sync::Event;

    fn event() -> Self::Event {
        sync::Event::default()
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
}
