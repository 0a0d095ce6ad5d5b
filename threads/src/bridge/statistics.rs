//! How busy is a bridge now? A few numbers at one moment, to be logged or asserted.
//!
//! Threads go on meanwhile: what was true when it was asked may be so no more. Asking costs one lock,
//! and nothing is counted for it.

use std::fmt;

/// What `statistics` of every end of a bridge returns.
///
/// # Examples
///
/// ```
/// let (put, get) = lone::bridge::to_loop(2);
/// let second = put.clone();
/// put.try_put("one").expect("there is room for two");
///
/// let now = get.statistics();
/// assert_eq!((now.len, now.capacity, now.unclaimed), (1, 2, 0));
/// assert_eq!((now.getters, now.putters), (0, 0), "nobody waits");
/// assert_eq!((now.get_ends, now.put_ends), (1, 2));
/// # drop(second);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStatistics {
    /// How many items are in it.
    pub len: usize,
    /// For how many it has room.
    pub capacity: usize,
    /// How many have been let go on, to get or to put, and have not come for that.
    pub unclaimed: usize,
    /// How many wait for an item.
    pub getters: usize,
    /// How many wait for room.
    pub putters: usize,
    /// How many ends get; 0: nobody can any more.
    pub get_ends: usize,
    /// How many ends put; 0: nobody can any more.
    pub put_ends: usize,
}

impl BridgeStatistics {
    /// The `Debug` of an end: the items are not shown, for they are another thread's at any moment.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>, end: &str) -> fmt::Result {
        f.debug_struct(end)
            .field("len", &self.len)
            .field("capacity", &self.capacity)
            .field("getters", &self.getters)
            .field("putters", &self.putters)
            .field("get_ends", &self.get_ends)
            .field("put_ends", &self.put_ends)
            .finish()
    }
}
