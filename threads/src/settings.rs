//! What can be set about the pool of a loop, and what can be read off it?

use std::thread::available_parallelism;
use std::time::Duration;

/// What can be set about a pool.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many threads there may be. Default: one for each processor and 4 more, 32 at most; 0 counts
    /// as 1.
    pub threads: usize,
    /// How long a thread without a job stays. Default 10 s.
    pub idle: Duration,
    /// How long the end of the loop waits for jobs that run. `None`: for ever. Default 10 s.
    pub grace: Option<Duration>,
    /// For how long no job may begin, while one waits for a thread, until that is said. `None`, the
    /// default: it never is. In debug mode a second.
    pub starved_after: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        let processors = available_parallelism().map_or(1, usize::from);
        Settings {
            threads: (processors + 4).min(32),
            idle: Duration::from_secs(10),
            grace: Some(Duration::from_secs(10)),
            starved_after: None,
        }
    }
}

/// How a pool stands. A job that ends at this moment may still count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// How many threads there may be.
    pub limit: usize,
    /// How many there are.
    pub threads: usize,
    /// How many jobs run.
    pub running: usize,
    /// How many wait for a thread.
    pub queued: usize,
}
