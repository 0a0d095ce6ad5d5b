//! What is a task called? By a number that is never used again, and a name where it was given one.

use std::borrow::Cow;
use std::fmt;

/// A name given to a task.
pub(crate) type TaskName = Cow<'static, str>;

/// The number of a task: counted up per loop, never used again, printed as `Task-7`.
///
/// asyncio: the default `Task.get_name()`.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let (first, second) = (lone::spawn(async {}).id(), lone::spawn(async {}).id());
///     assert_eq!(first.to_string(), "Task-1");
///     assert!(first < second);
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    pub(crate) const fn new(number: u64) -> TaskId {
        TaskId(number)
    }

    /// The bare number: 7 of `Task-7`.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task-{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
