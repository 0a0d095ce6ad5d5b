#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod run;
mod runtime;

pub use builder::Builder;
pub use run::{run, try_run};
pub use runtime::{Runtime, Statistics};

pub use lone_executor::{
    CancelOnDrop, Cancelled, Closed, JoinError, JoinHandle, Panic, Reason, Remote, RemoteJoin,
    RunError, Source, TaskId, Turn, YieldNow, budget, current_task, is_running, remote, spawn,
    yield_now,
};
pub use lone_reactor::{Jump, net, time};
pub use lone_sync::*;
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

    use crate::Builder;

    #[track_caller]
    pub fn run_main<F: Future>(builder: Builder, main: F) -> F::Output {
        builder.run(main)
    }

    #[track_caller]
    pub fn run_test<F: Future>(builder: Builder, test: F) -> F::Output {
        builder.run(test)
    }
}
