//! How busy is a primitive now? A few numbers of each, at one moment, to be logged or asserted.
//!
//! All of them are plain copies: asking costs a borrow and some loads, and nothing is counted for it.

/// What [`Mutex::statistics`](crate::Mutex::statistics) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MutexStatistics {
    /// Somebody holds it, or was handed it.
    pub locked: bool,
    /// How many wait for it.
    pub waiters: usize,
}

/// What [`Semaphore::statistics`](crate::Semaphore::statistics) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStatistics {
    /// How many permits there are to be.
    pub total: usize,
    /// How many are held, or were handed over; more than `total` after a `resize` to fewer.
    pub out: usize,
    /// How many futures were handed permits and have not come for them.
    pub unclaimed: usize,
    /// How many futures wait.
    pub waiters: usize,
}

/// What [`Event::statistics`](crate::Event::statistics) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStatistics {
    /// Whether it is set.
    pub set: bool,
    /// How many wait for it.
    pub waiters: usize,
}

/// What [`QueueOf::statistics`](crate::QueueOf::statistics) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// How many items are in it.
    pub len: usize,
    /// For how many it has room; `None`: without limit.
    pub capacity: Option<usize>,
    /// How many items were handed to getters that have not come for them.
    pub unclaimed: usize,
    /// How many items were let in and have not been reported done.
    pub unfinished: usize,
    /// How many wait for an item.
    pub getters: usize,
    /// How many wait for room.
    pub putters: usize,
    /// How many wait for all to be done.
    pub joiners: usize,
    /// Whether it has been shut down.
    pub shut_down: bool,
}

/// What [`RateLimiter::statistics`](crate::RateLimiter::statistics) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimiterStatistics {
    /// How many whole tokens are in the bucket.
    pub available: u32,
    /// For how many it has room.
    pub burst: u32,
    /// How many wait.
    pub waiters: usize,
}
