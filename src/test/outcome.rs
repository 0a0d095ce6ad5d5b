//! What may an explored program return? Nothing, or a result whose error is a failure.

use std::fmt::Debug;

/// What a program that is explored returns: `()`, or `Result<(), E>`, where `Err` is a failure.
///
/// Sealed: it is for `lone` alone to implement.
pub trait Outcome: sealed::Outcome {}

impl Outcome for () {}

impl<E: Debug> Outcome for Result<(), E> {}

pub(super) mod sealed {
    use std::fmt::Debug;

    pub trait Outcome {
        /// The error, as it reads in a report.
        fn error(self) -> Option<String>;
    }

    impl Outcome for () {
        fn error(self) -> Option<String> {
            None
        }
    }

    impl<E: Debug> Outcome for Result<(), E> {
        fn error(self) -> Option<String> {
            self.err().map(|error| format!("{error:?}"))
        }
    }
}
