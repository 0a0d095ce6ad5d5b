//! What does a runtime that has no primitives of its own take in their place? The usual crates'; each macro
//! is a part of an implementation of [`Peer`](crate::peer::Peer).

use std::cell::Cell;

use event_listener::Event;

#[derive(Default)]
pub struct Latch {
    set: Cell<bool>,
    event: Event,
}

impl Latch {
    pub fn set(&self) {
        self.set.set(true);
        self.event.notify(usize::MAX);
    }

    pub async fn wait(&self) {
        // One thread, so nobody sets the flag between the test and the listening.
        if !self.set.get() {
            self.event.listen().await;
        }
    }

    pub async fn set_and_wait(&self) {
        self.set();
        self.wait().await;
        self.set.set(false);
    }
}

/// Events: [`Latch`].
macro_rules! with_latch {
    () => {
        type Event = crate::peers::borrowed::Latch;

        fn event() -> Self::Event {
            Self::Event::default()
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
    };
}
pub(crate) use with_latch;

/// Semaphores: the crate async-lock.
macro_rules! with_async_lock {
    () => {
        type Semaphore = async_lock::Semaphore;

        fn semaphore(permits: usize) -> Self::Semaphore {
            Self::Semaphore::new(permits)
        }

        fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = impl Sized> {
            semaphore.acquire()
        }
    };
}
pub(crate) use with_async_lock;

/// Channels: the crate async-channel.
macro_rules! with_async_channel {
    () => {
        type Sender = async_channel::Sender<u64>;
        type Receiver = async_channel::Receiver<u64>;

        fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
            async_channel::bounded(capacity)
        }

        async fn send(sender: &mut Self::Sender, item: u64) {
            sender.send(item).await.expect("the channel is open");
        }

        async fn receive(receiver: &mut Self::Receiver) -> u64 {
            receiver.recv().await.expect("the channel is open")
        }
    };
}
pub(crate) use with_async_channel;
