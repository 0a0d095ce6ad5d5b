//! What comes out of a group when several fail? All of it, as a tree.
//!
//! ```text
//!   GroupError ─┬─ Failure::Error(e)
//!               ├─ Failure::Panicked(panic)
//!               ├─ Failure::Cleanup(cancelled)          stopped, and then its cleanup has failed
//!               └─ Failure::Group(GroupError ─┬─ …)     an inner group's
//! ```
//!
//! Invariant: **never empty**: a group error has one leaf at least, and splitting leaves none out.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;

use lone_executor::cleanup::BoxError;
use lone_executor::report::{self, Level};
use lone_executor::{Cancelled, Panic};

/// What went wrong with one child, or the body.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure<E> {
    /// It has returned an error.
    Error(E),
    /// It has panicked.
    Panicked(Panic),
    /// It was stopped, and what it had to clean up has failed then.
    Cleanup(Cancelled),
    /// It has returned the error of a group of its own.
    Group(GroupError<E>),
}

impl<E> Failure<E> {
    /// The error, if it is one that was returned.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match self {
            Failure::Error(error) => Some(error),
            Failure::Panicked(_) | Failure::Cleanup(_) | Failure::Group(_) => None,
        }
    }

    /// As any error; `None` for a returned one, whose type may be none: see [`Failure::error`].
    fn as_error(&self) -> Option<&(dyn Error + 'static)>
    where
        E: fmt::Debug + fmt::Display + 'static,
    {
        match self {
            Failure::Error(error) => {
                let error: &dyn Any = error;
                error.downcast_ref::<BoxError>().map(|error| &**error as &(dyn Error + 'static))
            }
            Failure::Panicked(panic) => Some(panic),
            Failure::Cleanup(cancelled) => Some(cancelled),
            Failure::Group(group) => Some(group),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(error) => error.fmt(f),
            Failure::Panicked(panic) => panic.fmt(f),
            Failure::Cleanup(cancelled) => cancelled.fmt(f),
            Failure::Group(group) => group.fmt(f),
        }
    }
}

/// What a child or body of a group of `E` may fail with: an `E`, or the error of an inner group of `E`.
pub trait IntoFailure<E> {
    /// As a failure of the group.
    fn into_failure(self) -> Failure<E>;
}

impl<E> IntoFailure<E> for E {
    fn into_failure(self) -> Failure<E> {
        Failure::Error(self)
    }
}

impl<E> IntoFailure<E> for GroupError<E> {
    fn into_failure(self) -> Failure<E> {
        Failure::Group(self)
    }
}

/// The failures of a [`TaskGroup`](super::TaskGroup): one at least, in the order in which they
/// occurred, the body's own last. Those of inner groups are branches.
///
/// A lone failure comes wrapped as well, so that the type is one; [`GroupError::into_single`] takes
/// it out.
///
/// asyncio: `ExceptionGroup`; `except*` is [`GroupError::split`].
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let ran = lone::TaskGroup::<String>::run(async |group| {
///         group.spawn(async { Err::<(), _>("no cheese".to_string()) });
///         group.spawn(async { Err::<(), _>("no bread".to_string()) });
///         Ok::<_, String>(())
///     });
///     let error = ran.await.expect_err("two have failed");
///     assert_eq!(error.iter().count(), 2);
///     let is_cheese = |failure: &lone::Failure<String>| {
///         failure.error().is_some_and(|error| error.contains("cheese"))
///     };
///     let (cheese, rest) = error.split(is_cheese);
///     assert_eq!(cheese.expect("one of them").into_single().ok(), Some("no cheese".to_string()));
///     println!("still to be handled: {}", rest.expect("the other one"));
/// });
/// ```
pub struct GroupError<E> {
    failures: Vec<Failure<E>>,
    site: &'static Location<'static>,
}

impl<E> GroupError<E> {
    /// `None`: nothing has failed.
    pub(super) fn new(
        failures: Vec<Failure<E>>,
        site: &'static Location<'static>,
    ) -> Option<GroupError<E>> {
        (!failures.is_empty()).then_some(GroupError { failures, site })
    }

    /// Of a group that was dropped half way: nobody else will tell.
    pub(super) fn say_unread(
        failures: Vec<Failure<E>>,
        of_the_body: Option<Failure<E>>,
        site: &'static Location<'static>,
    ) {
        for failure in failures.into_iter().chain(of_the_body) {
            let what = match &failure {
                Failure::Panicked(panic) => panic.to_string(),
                Failure::Cleanup(cancelled) => cancelled.to_string(),
                Failure::Error(_) | Failure::Group(_) => "a child has failed".to_owned(),
            };
            let message = format!("the task group at {site} was dropped half way; unread: {what}");
            report::say(Level::Error, "lone::task_group", &message);
        }
    }

    /// Where the group was run.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// What has failed, inner groups as one each.
    #[must_use]
    pub fn failures(&self) -> &[Failure<E>] {
        &self.failures
    }

    /// What has failed, inner groups as one each.
    #[must_use]
    pub fn into_failures(self) -> Vec<Failure<E>> {
        self.failures
    }

    /// The leaves of the tree, in order: no [`Failure::Group`] is among them.
    #[must_use]
    pub fn iter(&self) -> Failures<'_, E> {
        Failures(vec![self.failures.iter()])
    }

    /// Divides the leaves by `wanted`, and keeps the shape of the tree: those for which it is true,
    /// and the rest.
    #[must_use]
    pub fn split(
        self,
        mut wanted: impl FnMut(&Failure<E>) -> bool,
    ) -> (Option<GroupError<E>>, Option<GroupError<E>>) {
        self.divide(&mut wanted)
    }

    fn divide(
        self,
        wanted: &mut dyn FnMut(&Failure<E>) -> bool,
    ) -> (Option<GroupError<E>>, Option<GroupError<E>>) {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for failure in self.failures {
            match failure {
                Failure::Group(group) => {
                    let (inner_yes, inner_no) = group.divide(wanted);
                    yes.extend(inner_yes.map(Failure::Group));
                    no.extend(inner_no.map(Failure::Group));
                }
                leaf if wanted(&leaf) => yes.push(leaf),
                leaf => no.push(leaf),
            }
        }
        (GroupError::new(yes, self.site), GroupError::new(no, self.site))
    }

    /// The error, if it is the only leaf and was returned by a child or the body.
    ///
    /// # Errors
    ///
    /// The group error as it was, if there are others, or it is a panic or a failed cleanup.
    pub fn into_single(self) -> Result<E, GroupError<E>> {
        let mut leaves = self.iter();
        let single = matches!((leaves.next(), leaves.next()), (Some(Failure::Error(_)), None));
        drop(leaves);
        if !single {
            return Err(self);
        }
        let mut failures = self.failures;
        loop {
            match failures.pop() {
                Some(Failure::Group(group)) => failures = group.failures,
                Some(Failure::Error(error)) => return Ok(error),
                _ => unreachable!("it was seen to be the only leaf"),
            }
        }
    }

    /// Lets the first panic go on, if there is one; else returns the error as it was.
    ///
    /// # Panics
    ///
    /// With the payload of the first panic among the leaves; the other failures are lost.
    #[must_use]
    pub fn resume_panic(self) -> GroupError<E> {
        if !self.iter().any(|failure| matches!(failure, Failure::Panicked(_))) {
            return self;
        }
        let (panics, _rest) = self.split(|failure| matches!(failure, Failure::Panicked(_)));
        let mut failures = panics.map(GroupError::into_failures).unwrap_or_default();
        loop {
            match failures.swap_remove(0) {
                Failure::Group(group) => failures = group.failures,
                Failure::Panicked(panic) => panic.resume(),
                Failure::Error(_) | Failure::Cleanup(_) => unreachable!("only panics are left"),
            }
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result
    where
        E: fmt::Display,
    {
        let count = self.failures.len();
        let of = if count == 1 { "1 failure" } else { "failures" };
        if count == 1 {
            write!(f, "{of}")?;
        } else {
            write!(f, "{count} {of}")?;
        }
        write!(f, " in the task group at {}", self.site)?;
        for failure in &self.failures {
            write!(f, "\n{:1$}- ", "", 2 * depth + 2)?;
            match failure {
                Failure::Group(group) => group.write(f, depth + 1)?,
                leaf => fmt::Display::fmt(leaf, f)?,
            }
        }
        Ok(())
    }
}

impl<'a, E> IntoIterator for &'a GroupError<E> {
    type Item = &'a Failure<E>;
    type IntoIter = Failures<'a, E>;

    fn into_iter(self) -> Failures<'a, E> {
        self.iter()
    }
}

/// The leaves of a [`GroupError`], in order.
#[derive(Debug)]
pub struct Failures<'a, E>(Vec<std::slice::Iter<'a, Failure<E>>>);

impl<'a, E> Iterator for Failures<'a, E> {
    type Item = &'a Failure<E>;

    fn next(&mut self) -> Option<&'a Failure<E>> {
        loop {
            match self.0.last_mut()?.next() {
                None => {
                    self.0.pop();
                }
                Some(Failure::Group(group)) => self.0.push(group.failures.iter()),
                Some(leaf) => return Some(leaf),
            }
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupError").field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// The source is the first failure where that is any error at all: a boxed one, a panic, a failed
/// cleanup, an inner group. A returned error of another type is in [`Failure::error`].
impl<E: fmt::Debug + fmt::Display + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures.first().and_then(Failure::as_error)
    }
}
