//! What is left of a panic that a task's poll did not survive?

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The panic of a task, caught and given to whoever joins it.
///
/// # Examples
///
/// ```
/// let joined = lone::run(async { lone::spawn(async { panic!("out of {}", "cheese") }).await });
/// let Err(lone::JoinError::Panicked(panic)) = joined else { panic!("the task panicked") };
/// assert_eq!(panic.message(), "out of cheese");
/// ```
pub struct Panic(Box<Inner>);

/// Boxed, so that a `Result<T, JoinError>` in a task cell stays small.
struct Inner {
    /// Whose panic it is, as it reads in a sentence.
    whose: String,
    /// A payload is `Send`, and an error has to be `Sync` too.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    /// A panic that was caught: for those who build combinators. `whose` reads as in a sentence.
    #[cold]
    #[must_use]
    pub fn new(whose: String, payload: Box<dyn Any + Send>) -> Panic {
        Panic(Box::new(Inner { whose, payload: Mutex::new(payload) }))
    }

    /// Whose panic it is: ``Task-3 `crawler`, spawned at src/main.rs:7:5``.
    #[must_use]
    pub fn whose(&self) -> &str {
        &self.0.whose
    }

    /// The message of the panic, where it was a string, as that of `panic!` is.
    #[must_use]
    pub fn message(&self) -> String {
        let payload = self.0.payload.lock().unwrap_or_else(PoisonError::into_inner);
        let payload: &(dyn Any + Send) = &**payload;
        if let Some(message) = payload.downcast_ref::<&'static str>() {
            (*message).to_string()
        } else if let Some(message) = payload.downcast_ref::<String>() {
            message.clone()
        } else {
            "a panic whose payload is not a string".to_string()
        }
    }

    /// What `panic!` or `panic_any` was given.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the panic go on here, without a second message.
    ///
    /// # Panics
    ///
    /// Always.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("whose", &self.0.whose)
            .field("message", &self.message())
            .finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, panicked: {}", self.0.whose, self.message())
    }
}

impl std::error::Error for Panic {}
