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
use std::fmt::{self, Write as _};
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
            Failure::Error(error) => boxed(error),
            Failure::Panicked(panic) => Some(panic),
            Failure::Cleanup(cancelled) => Some(cancelled),
            Failure::Group(group) => Some(group),
        }
    }
}

/// The error within, where `E` is a box of one.
fn boxed<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let error: &dyn Any = error;
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return Some(&**error);
    }
    error.downcast_ref::<Box<dyn Error>>().map(|error| &**error)
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

/// With it `?` takes both an `E` and the error of an inner group to a child that returns `Failure<E>`.
impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Failure<E> {
        Failure::Error(error)
    }
}

impl<E> From<GroupError<E>> for Failure<E> {
    fn from(group: GroupError<E>) -> Failure<E> {
        Failure::Group(group)
    }
}

/// What a child or body of a group of `E` may fail with: an `E`, the error of an inner group of `E`,
/// or either, as a [`Failure<E>`].
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

impl<E> IntoFailure<E> for Failure<E> {
    fn into_failure(self) -> Failure<E> {
        self
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
    pub(super) fn new(
        failures: Vec<Failure<E>>,
        site: &'static Location<'static>,
    ) -> GroupError<E> {
        debug_assert!(!failures.is_empty(), "a group error has one leaf at least");
        GroupError { failures, site }
    }

    /// Of a group that was dropped half way: nobody else will tell.
    pub(super) fn say_unread(
        of_children: Vec<Failure<E>>,
        of_the_body: Vec<Failure<E>>,
        site: &'static Location<'static>,
    ) {
        let say = |failures: &[Failure<E>], who: &str| {
            for leaf in Failures(vec![failures.iter()]) {
                // Of an error of the user's nothing is known, not even how it reads.
                let what = match leaf {
                    Failure::Panicked(panic) => panic.to_string(),
                    Failure::Cleanup(cancelled) => cancelled.to_string(),
                    Failure::Error(_) | Failure::Group(_) => format!("{who} has failed"),
                };
                let message =
                    format!("the task group at {site} was dropped half way; unread: {what}");
                report::say(Level::Error, "lone::task_group", &message);
            }
        };
        say(&of_children, "a child");
        say(&of_the_body, "its body");
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
        let group = |failures: Vec<Failure<E>>| {
            (!failures.is_empty()).then(|| GroupError::new(failures, self.site))
        };
        (group(yes), group(no))
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

/// A line for each failure, those of inner groups indented.
impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = if self.failures.len() == 1 { "failure" } else { "failures" };
        write!(f, "{} {failures} in the task group at {}", self.failures.len(), self.site)?;
        for failure in &self.failures {
            f.write_str("\n  - ")?;
            write!(Indented(f), "{failure}")?;
        }
        Ok(())
    }
}

/// Indents all lines but the first.
struct Indented<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Indented<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.0.write_str("\n    ")?;
            }
            self.0.write_str(line)?;
        }
        Ok(())
    }
}

/// The source is the first failure where that is any error at all: a boxed one, a panic, a failed
/// cleanup, an inner group. A returned error of another type is in [`Failure::error`].
impl<E: fmt::Debug + fmt::Display + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures.first().and_then(Failure::as_error)
    }
}
