//! glommio over io_uring, with its own channel, semaphore and timer; events of event-listener.
//!
//! Its rings want locked memory: the limit is raised as far as this process may.

use std::future::Future;
use std::time::Duration;

use glommio::channels::local_channel::{LocalReceiver, LocalSender, new_bounded};
use glommio::sync::Semaphore;
use glommio::{GlommioError, LocalExecutorBuilder, Placement};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::rc::Rc;

use super::borrowed::with_latch;
use crate::peer::{Peer, Timers};

pub struct Glommio;

fn raise_locked_memory() {
    let unlimited = Rlimit { current: None, maximum: None };
    if setrlimit(Resource::Memlock, unlimited).is_err() {
        let maximum = getrlimit(Resource::Memlock).maximum;
        // It stays as it is if this fails too; then the executor says what it lacks.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum });
    }
}

impl Peer for Glommio {
    const NAME: &'static str = "glommio";

    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        raise_locked_memory();
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        executor.expect("glommio has locked memory and io_uring").run(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        glommio::spawn_local(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        glommio::spawn_local(future).detach();
    }

    async fn yield_now() {
        glommio::executor().yield_now().await;
    }

    /// The sender is shared: glommio's own is of one task.
    type Sender = Rc<LocalSender<u64>>;
    type Receiver = LocalReceiver<u64>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let (sender, receiver) = new_bounded(capacity);
        (Rc::new(sender), receiver)
    }

    /// A sender that was woken may find the channel full again: then it waits anew.
    async fn send(sender: &mut Self::Sender, item: u64) {
        let mut item = item;
        while let Err(error) = sender.send(item).await {
            match error {
                GlommioError::WouldBlock(glommio::ResourceType::Channel(back)) => item = back,
                other => panic!("the channel is open: {other}"),
            }
        }
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("the channel is open")
    }

    type Semaphore = Semaphore;

    fn semaphore(permits: usize) -> Self::Semaphore {
        Semaphore::new(permits as u64)
    }

    async fn acquire(semaphore: &Self::Semaphore) -> impl Sized {
        semaphore.acquire_permit(1).await.expect("the semaphore is open")
    }

    with_latch!();
}

impl Timers for Glommio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        glommio::timer::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
        let future = async { Ok::<_, GlommioError<()>>(future.await) };
        glommio::timer::timeout(duration, future).await.ok()
    }
}
