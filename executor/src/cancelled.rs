//! Why was something cancelled? A reason, where it came from, and who asked.

use std::borrow::Cow;
use std::fmt;

use crate::cleanup::CleanupErrors;
use crate::current::current_task;
use crate::task_id::TaskId;

/// Why somebody asked for a cancel, in words.
///
/// # Examples
///
/// ```
/// use lone::Reason;
///
/// let reason: Reason = "the client has gone".into();
/// assert_eq!(reason.to_string(), "the client has gone");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(Cow<'static, str>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for Reason {
    fn from(reason: &'static str) -> Reason {
        Reason(Cow::Borrowed(reason))
    }
}

impl From<String> for Reason {
    fn from(reason: String) -> Reason {
        Reason(Cow::Owned(reason))
    }
}

/// Where a cancel came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Somebody called `cancel`.
    Explicit,
    /// Its group stops: another child or the body has failed, or the group is dropped.
    Group,
    /// The loop is shutting down.
    Shutdown,
}

/// The error of what was cancelled: the first reason given, its source, the task that asked, and what
/// failed of its cleanups. Two are equal if the first three are.
///
/// asyncio: `CancelledError`, whose message is the reason.
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let task = lone::spawn(std::future::pending::<()>());
///     task.cancel("no longer needed");
///     let Err(lone::JoinError::Cancelled(cancelled)) = task.await else { panic!("it was cancelled") };
///     assert_eq!(cancelled.reason().to_string(), "no longer needed");
///     assert_eq!(cancelled.source(), lone::Source::Explicit);
/// });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cancelled(Box<Inner>);

#[derive(Clone)]
struct Inner {
    reason: Reason,
    source: Source,
    by: Option<TaskId>,
    cleanup: CleanupErrors,
}

impl PartialEq for Inner {
    fn eq(&self, other: &Inner) -> bool {
        (&self.reason, self.source, self.by) == (&other.reason, other.source, other.by)
    }
}

impl Eq for Inner {}

impl Cancelled {
    pub(crate) fn new(reason: Reason, source: Source, by: Option<TaskId>) -> Cancelled {
        let cleanup = CleanupErrors::default();
        Cancelled(Box::new(Inner { reason, source, by, cleanup }))
    }

    /// A cancel that the task which is running now asks for.
    #[must_use]
    pub fn by_current_task(why: impl Into<Reason>) -> Cancelled {
        Cancelled::new(why.into(), Source::Explicit, current_task())
    }

    /// The cancel of a child by its group.
    #[must_use]
    pub fn of_group(why: impl Into<Reason>) -> Cancelled {
        Cancelled::new(why.into(), Source::Group, current_task())
    }

    /// What failed of the cleanups is told with the cancel.
    pub(crate) fn attach(&mut self, errors: CleanupErrors) {
        self.0.cleanup = errors;
    }

    /// The same, with what failed of the cleanups: for scopes that tell their own cancel.
    #[must_use]
    pub fn with_cleanup_errors(mut self, errors: CleanupErrors) -> Cancelled {
        self.0.cleanup = errors;
        self
    }

    /// The first reason that was given.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Where the cancel came from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.0.source
    }

    /// The task that asked; `None`: main, or nobody on the loop.
    #[must_use]
    pub fn by(&self) -> Option<TaskId> {
        self.0.by
    }

    /// What failed of the cleanups that were awaited after the cancel.
    #[must_use]
    pub fn cleanup_errors(&self) -> &CleanupErrors {
        &self.0.cleanup
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("reason", &self.0.reason.0)
            .field("source", &self.0.source)
            .field("by", &self.0.by)
            .finish()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.0.reason)?;
        if let Some(task) = self.0.by {
            write!(f, " (by {task})")?;
        }
        if self.0.cleanup.is_empty() { Ok(()) } else { write!(f, "; its {}", self.0.cleanup) }
    }
}

impl std::error::Error for Cancelled {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cleanup.first()
    }
}
