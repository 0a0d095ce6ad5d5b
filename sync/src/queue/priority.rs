//! How does the most urgent item come out first? The least one is next, and of equals the oldest.

use std::cmp::Ordering;

use super::QueueOf;
use super::heap::Heap;
use super::order::Order;

/// A queue that gives the least item first, and of equal ones the oldest.
///
/// All else is as with a [`Queue`](crate::Queue): the same methods, errors and cancel grades. Who waits
/// is served in the order of the first polls, whatever the priorities. An item that was handed to a
/// getter that is then dropped goes to the next one who waits, or back to where it came from: a smaller
/// one that was put meanwhile comes before it, its younger equals come after it.
///
/// For the greatest first put [`Reverse`](std::cmp::Reverse) round the items; for items that cannot be
/// compared see [`Prioritized`].
///
/// asyncio: `PriorityQueue`, except that there equal priorities make it compare the items themselves.
///
/// # Panics
///
/// An [`Ord`] may use the queue in which it compares; but [`get`](QueueOf::get),
/// [`try_get`](QueueOf::try_get) and [`shutdown_now`](QueueOf::shutdown_now) panic there, for nobody
/// knows yet which item is next. A panic of an `Ord` goes to whoever is getting; no item is lost.
///
/// # Cost
///
/// O(1) for a put, O(log n) comparisons for a get, and as many for each item that was put since the one
/// before.
///
/// # Examples
///
/// ```
/// use lone::Prioritized;
///
/// lone::run(async {
///     let jobs = lone::PriorityQueue::unbounded();
///     for (priority, job) in [(2, "sweep"), (1, "pay"), (2, "mop")] {
///         jobs.put(Prioritized::new(priority, job)).await.expect("it is open");
///     }
///     assert_eq!(jobs.get().await.map(|job| job.item), Ok("pay"));
///     assert_eq!(jobs.get().await.map(|job| job.item), Ok("sweep"));
///     assert_eq!(jobs.get().await.map(|job| job.item), Ok("mop"));
/// });
/// ```
pub type PriorityQueue<T> = QueueOf<T, SmallestFirst>;

/// The least first, of equal ones the oldest: the order of a [`PriorityQueue`].
#[derive(Debug)]
pub enum SmallestFirst {}

impl<T: Ord> Order<T> for SmallestFirst {
    const TYPE: &'static str = "PriorityQueue";
    const NOUN: &'static str = "priority queue";
    type Store = Heap<T>;
}

/// An item with a priority, which alone is compared: for items that cannot be, or should not.
///
/// So two of them are equal where their priorities are, whatever the items.
///
/// asyncio: the data class with a field that is not compared, which the manual of its `PriorityQueue`
/// recommends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prioritized<P, T> {
    /// The least comes first.
    pub priority: P,
    /// What it is about.
    pub item: T,
}

impl<P, T> Prioritized<P, T> {
    /// `item`, to come out before those with a greater priority.
    #[must_use]
    pub const fn new(priority: P, item: T) -> Prioritized<P, T> {
        Prioritized { priority, item }
    }
}

impl<P: PartialEq, T> PartialEq for Prioritized<P, T> {
    fn eq(&self, other: &Prioritized<P, T>) -> bool {
        self.priority == other.priority
    }
}

impl<P: Eq, T> Eq for Prioritized<P, T> {}

impl<P: PartialOrd, T> PartialOrd for Prioritized<P, T> {
    fn partial_cmp(&self, other: &Prioritized<P, T>) -> Option<Ordering> {
        self.priority.partial_cmp(&other.priority)
    }
}

impl<P: Ord, T> Ord for Prioritized<P, T> {
    fn cmp(&self, other: &Prioritized<P, T>) -> Ordering {
        self.priority.cmp(&other.priority)
    }
}
