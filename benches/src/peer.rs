//! What does a workload ask of a runtime?
//!
//! A peer implements [`Peer`] with its own primitives where it has them; [`Timers`] if it has a clock. Every
//! function is static and every future opaque, so a workload compiles to what a user of that runtime
//! would write.

use std::future::Future;
use std::time::Duration;

/// A runtime on one thread: tasks, and what they wait for among themselves.
pub trait Peer: 'static {
    /// As in the command line and in the table.
    const NAME: &'static str;

    /// Runs `main` on a fresh runtime.
    fn run<F>(main: F) -> F::Output
    where
        F: Future + 'static,
        F::Output: 'static;

    /// A task whose end is awaited.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static;

    /// A task that nobody awaits.
    fn detach<F: Future<Output = ()> + 'static>(future: F);

    /// The runtime's own yield.
    fn yield_now() -> impl Future<Output = ()>;

    type Sender: Clone + 'static;
    type Receiver: 'static;

    /// A bounded channel with many senders.
    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &mut Self::Sender, item: u64) -> impl Future<Output = ()>;
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64>;

    type Semaphore: 'static;

    fn semaphore(permits: usize) -> Self::Semaphore;
    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = impl Sized>;

    type Event: 'static;

    fn event() -> Self::Event;
    /// Wakes all who wait; it is done once for each event.
    fn set(event: &Self::Event);
    fn wait(event: &Self::Event) -> impl Future<Output = ()>;
    /// One set while nobody waits, and one wait that does not wait; then as before.
    fn set_and_wait(event: &Self::Event) -> impl Future<Output = ()>;

    /// All of them at once, within the task that awaits it.
    fn join_all<F: Future>(
        futures: impl IntoIterator<Item = F>,
    ) -> impl Future<Output = Vec<F::Output>> {
        futures_util::future::join_all(futures)
    }
}

/// A runtime that has a clock.
pub trait Timers: Peer {
    fn sleep(duration: Duration) -> impl Future<Output = ()>;

    /// `None` when `duration` is over first.
    fn timeout<F: Future>(duration: Duration, future: F)
    -> impl Future<Output = Option<F::Output>>;
}

/// Runs `main` as a task, on a fresh runtime.
///
/// A main future that is not a task is dearer on some: each wake of it is a wake of the whole loop. What is
/// compared is tasks, so the test itself is one.
pub fn in_task<P, F>(main: F) -> F::Output
where
    P: Peer,
    F: Future + 'static,
    F::Output: 'static,
{
    P::run(async { P::spawn(main).await })
}
