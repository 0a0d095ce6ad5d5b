//! What went wrong in cleanups? Their errors and panics, collected by whoever adopted them.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use log::Level;

use crate::panicked::Panic;
use crate::report;

/// Any error that may go to another thread.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The errors of cleanups, in the order in which they occurred. Empty as a rule.
///
/// A cleanup that panicked is among them as a [`Panic`](crate::Panic).
///
/// # Examples
///
/// ```
/// lone::run(async {
///     let task = lone::spawn(async {
///         let body = std::future::pending::<()>();
///         lone::finally(body, async { panic!("no farewell") }).await
///     });
///     lone::yield_now().await;
///     task.cancel("enough");
///     let Err(lone::JoinError::Cancelled(cancelled)) = task.await else { panic!("it was cancelled") };
///     let errors = cancelled.cleanup_errors();
///     assert_eq!(errors.len(), 1);
///     assert!(errors.to_string().contains("no farewell"));
/// });
/// ```
#[derive(Clone, Default)]
pub struct CleanupErrors(Option<Arc<Vec<BoxError>>>);

impl CleanupErrors {
    pub(crate) fn new(errors: Vec<BoxError>) -> CleanupErrors {
        CleanupErrors((!errors.is_empty()).then(|| Arc::new(errors)))
    }

    /// Whether every cleanup has gone well.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// The errors, in the order in which they occurred.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(dyn Error + Send + Sync + 'static)> {
        self.0.as_deref().map(Vec::as_slice).unwrap_or_default().iter().map(|error| &**error)
    }

    /// Adds those of another scope, after these.
    pub fn append(&mut self, others: CleanupErrors) {
        match (self.0.take(), others.0) {
            (Some(these), Some(others)) => {
                let mut all = listed(these);
                all.extend(listed(others));
                *self = CleanupErrors::new(all);
            }
            (these, others) => self.0 = these.or(others),
        }
    }

    /// Tells them through the log: for scopes whose own outcome has no room for them. Says nothing
    /// where there are none. `whose` names the scope: "a timeout at src/main.rs:7:5".
    pub fn say_unread(self, whose: impl FnOnce() -> String) {
        if self.is_empty() {
            return;
        }
        // They are the user's: putting one into words may panic, and so may its destructor.
        let told = catch_unwind(AssertUnwindSafe(move || {
            report::say(Level::Error, "lone::cleanup", &format!("{}: {self}", whose()));
        }));
        if let Err(payload) = told {
            report::unread_panic(&Panic::new("the error of a cleanup".to_owned(), payload));
        }
    }

    /// As the outcome of a cleanup that has waited for others.
    pub(crate) fn into_result(self) -> Result<(), BoxError> {
        if self.is_empty() { Ok(()) } else { Err(Box::new(self)) }
    }

    /// The first, if there is one: the source of an error that carries them.
    #[must_use]
    pub fn first(&self) -> Option<&(dyn Error + 'static)> {
        self.iter().next().map(|error| error as &(dyn Error + 'static))
    }
}

/// The errors by themselves, or as one where somebody else holds them too.
fn listed(errors: Arc<Vec<BoxError>>) -> Vec<BoxError> {
    Arc::try_unwrap(errors).unwrap_or_else(|held| vec![Box::new(CleanupErrors(Some(held)))])
}

/// One by one, for whoever adds them to its own; as one error where a clone has them, too.
impl IntoIterator for CleanupErrors {
    type Item = BoxError;
    type IntoIter = std::vec::IntoIter<BoxError>;

    fn into_iter(self) -> std::vec::IntoIter<BoxError> {
        self.0.map(listed).unwrap_or_default().into_iter()
    }
}

impl fmt::Debug for CleanupErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Display for CleanupErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cleanup failed: ")?;
        for (n, error) in self.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Error for CleanupErrors {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().and_then(Error::source)
    }
}
