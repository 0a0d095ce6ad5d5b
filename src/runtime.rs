//! What is a runtime? An executor over a reactor: one loop, to be run as often as one likes.

use std::future::Future;
use std::io;
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, Remote, RunError, Turn};
use lone_reactor::Reactor;

use crate::Builder;
use crate::time::Instant;

/// One event loop, which can be run several times, or turn by turn inside another loop.
///
/// For one run, [`run`](crate::run) is shorter. Dropping it shuts it down, as
/// [`Runtime::shutdown`] does.
///
/// asyncio: `Runner`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut runtime = lone::Runtime::new()?;
/// let task = runtime.block_on(async {
///     lone::spawn(async {
///         lone::sleep(Duration::from_millis(1)).await;
///         42
///     })
/// });
/// // The task has stayed, and goes on in the second run.
/// assert_eq!(runtime.block_on(task).expect("it ends well"), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// As a guest of another loop, which waits for its descriptor:
///
/// ```
/// use std::time::Duration;
///
/// let mut runtime = lone::Runtime::new()?;
/// let task = runtime.spawn(async { lone::sleep(Duration::from_millis(1)).await });
/// while !task.is_finished() {
///     // A host would poll `runtime.as_fd()` together with its own descriptors here, and then
///     // say `turn(Some(Duration::ZERO))`.
///     runtime.turn(None)?;
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    pub(crate) executor: Executor<Reactor>,
}

/// How a runtime stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many tasks are alive.
    pub tasks: usize,
    /// How many slots are occupied: by main, by tasks, by children, or retired for good.
    pub slots: usize,
    /// How many groups of children there are.
    pub groups: usize,
    /// How many are in the ready queue.
    pub ready: usize,
    /// How many timers are set.
    pub timers: usize,
    /// How many descriptors are registered.
    pub sources: usize,
    /// How many turns the loop has made.
    pub turns: u64,
    /// How often it has really waited.
    pub parks: u64,
}

impl Runtime {
    /// A runtime with the default options.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// The options, to be set before it is made.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `main` to its end, and with it whatever is ready. `main` may borrow from the caller;
    /// tasks that are left stay for the next call.
    ///
    /// # Panics
    ///
    /// If a loop is running on this thread, if this one was shut down, if everybody waits and nothing
    /// can wake anybody (with the report), if the system refuses to wait, and where `main` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut runtime = lone::Runtime::new()?;
    /// let mut count = 0;
    /// runtime.block_on(async { count += 1 });
    /// assert_eq!(count, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, main: F) -> F::Output {
        self.executor.block_on(main)
    }

    /// As [`Runtime::block_on`], with an error where that panics by itself.
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] if a loop is running on this thread, [`RunError::Closed`] after
    /// [`Runtime::shutdown`]: `main` is dropped unpolled. [`RunError::Deadlock`] if everybody waits
    /// and it is certain that nothing can wake anybody, [`RunError::Stalled`] if only code that is not
    /// lone's could, and [`Builder::on_stall`] says so: `main` is dropped where it waits.
    /// [`RunError::Io`] if the system refuses to wait.
    ///
    /// # Panics
    ///
    /// Where `main` panics.
    #[track_caller]
    pub fn try_block_on<F: Future>(&mut self, main: F) -> Result<F::Output, RunError> {
        self.executor.try_block_on(main)
    }

    /// Spawns a task from outside of the loop; it is first polled in the next turn.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.executor.spawn(future)
    }

    /// One turn, for a host that has a loop of its own. Waits for `max_wait` at most (`None`: until
    /// something happens) if nobody is ready.
    ///
    /// Afterwards the descriptor of [`AsFd`](std::os::fd::AsFd) is readable whenever there is work,
    /// deadlines included: the host polls it together with its own.
    ///
    /// # Errors
    ///
    /// What the system says about waiting; [`RunError::Closed`] within, after [`Runtime::shutdown`].
    pub fn turn(&mut self, max_wait: Option<Duration>) -> io::Result<Turn> {
        self.executor.turn(max_wait)
    }

    /// When the next timer is due, for a host that waits by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.executor.park().next_deadline()
    }

    /// A handle to this loop that may go to other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.executor.remote()
    }

    /// How the runtime stands.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let executor = self.executor.statistics();
        let reactor = self.executor.park().statistics();
        Statistics {
            tasks: executor.tasks,
            slots: executor.slots,
            groups: executor.groups,
            ready: executor.ready,
            timers: reactor.timers,
            sources: reactor.sources,
            turns: executor.turns,
            parks: reactor.parks,
        }
    }

    /// Cancels every task that is left and waits until all have ended, for the grace period at
    /// most; then names the stubborn ones, drops them, and closes the loop.
    pub fn shutdown(&mut self) {
        self.executor.shutdown();
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Runtime {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.executor.park().as_fd()
    }
}
