//! lone: a single-threaded async runtime, with the concurrency tools that asyncio made popular.
//!
//! One thread, tasks without `Send`, exact timers, hand-off without races, errors that say what to do,
//! and a trace of every await.
//!
//! ```
//! use std::time::Duration;
//!
//! let greetings = lone::run(async {
//!     let slow = async {
//!         lone::sleep(Duration::from_millis(2)).await;
//!         "hello"
//!     };
//!     lone::join!(slow, async { "world" })
//! });
//! assert_eq!(greetings, ("hello", "world"));
//! ```
//!
//! | to … | use |
//! |---|---|
//! | run a program | [`run`], [`try_run`], [`main`](macro@main), [`Builder`], [`Runtime`] |
//! | start tasks and join them | [`spawn`], [`JoinHandle`], [`TaskGroup`], [`JoinSet`], [`wait`], [`cancel_all`](fn@cancel_all), [`race_tasks`] |
//! | wait for several futures | [`gather`], [`try_gather`], [`join!`], [`try_join!`], [`as_completed`](fn@as_completed) |
//! | wait for the first of several | [`select!`], [`race`], [`race_ok`], [`race_staggered`] |
//! | wait for a moment | [`sleep`](fn@sleep), [`timeout`], [`interval`], [`yield_now`], [`time`] |
//! | keep tasks in step | [`Mutex`], [`RwLock`], [`Condvar`], [`Semaphore`], [`Event`], [`Barrier`], [`OnceCell`], [`RateLimiter`] |
//! | send from task to task | [`Queue`], [`PriorityQueue`], [`LifoQueue`], [`oneshot`], [`watch`], [`broadcast`] |
//! | take values as they come | [`stream`], [`stream::generate`](stream::generate()), [`stream::StreamExt`] |
//! | clean up with awaits | [`using`], [`finally`], [`AsyncClose`], [`Scope`], [`shield`], [`timeout_scope`] |
//! | block, or compute for long | [`to_thread`], [`bridge`], [`is_job_cancelled`] |
//! | talk to others | [`net`], [`mod@io`], [`Remote`] |
//! | see who waits for whom | [`snapshot`](fn@snapshot), [`all_tasks`], [`Builder::debug`] |
//! | test | [`test`](macro@test), [`mod@test`], [`test::explore`](test::explore()), [`Builder::start_paused`] |
//!
//! Where a future is awaited, its task waits; where nobody can ever be woken again, [`try_run`] says
//! so: [`RunError::Deadlock`]. Where only code that is not lone's could still wake anybody, and does
//! not, it is said after a second: [`OnStall`].
//!
//! With feature `trace` every event of the loop is told to the `log` crate, at level trace and target
//! `lone`: install a logger before the loop runs.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The README's example is a test.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod builder;
mod run;
mod runtime;
pub mod test;

pub use builder::Builder;
pub use run::{run, try_run};
pub use runtime::{Runtime, Statistics};

pub use lone_executor::cleanup::{BoxError, CleanupErrors, adopt};
pub use lone_executor::trace::{Await, note};
pub use lone_executor::{
    CancelOnDrop, Cancelled, Closed, Deadlock, HeldBy, Holder, JoinError, JoinHandle, OnStall,
    Panic, Reason, Remote, RemoteJoin, RunError, Snapshot, Source, Stalled, TakeSnapshot, TaskId,
    TaskInfo, Tree, Turn, Waiting, YieldNow, all_tasks, budget, current_task, is_running, remote,
    snapshot, spawn, yield_now,
};
pub use lone_reactor::{Jump, io, net, time};
pub use lone_sync::*;
pub use lone_threads::{
    PoolStatistics, ToThread, bridge, is_job_cancelled, pool_statistics, to_thread,
};
pub use time::{interval, sleep, sleep_until};

/// An `async fn main` on lone. See [`Builder`] for the options that it takes as `key = value`.
///
/// # Examples
///
/// ```
/// #[lone::main(timer_slack = std::time::Duration::from_millis(1))]
/// async fn main() {
///     lone::yield_now().await;
/// }
/// ```
#[cfg(feature = "macros")]
pub use lone_macros::main;

/// An `async fn` as a test on lone. See [`Builder`] for the options that it takes as `key = value`.
///
/// A test that can never end fails at once, with the report of the deadlock; one that only code which is
/// not lone's could wake, after a second: unless [`on_stall`](Builder::on_stall) says otherwise.
///
/// # Examples
///
/// ```
/// #[lone::test(start_paused)]
/// async fn an_hour_passes() {
///     lone::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[cfg(feature = "macros")]
pub use lone_macros::test;

/// What the attribute macros expand to: no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use lone_sync::__private::*;

    use std::future::Future;
    use std::time::Duration;

    use crate::{Builder, OnStall};

    #[track_caller]
    pub fn run_main<F: Future>(builder: Builder, main: F) -> F::Output {
        builder.run(main)
    }

    #[track_caller]
    pub fn run_test<F: Future>(builder: Builder, test: F) -> F::Output {
        // A warning in a test that hangs would not be seen before somebody stops it.
        builder.on_stall_by_default(OnStall::Fail { after: Duration::from_secs(1) }).run(test)
    }
}
