//! How is a value made once, with awaits, by whoever asks first? One initialises, the others wait.
//!
//! ```text
//!   get_or_init ─► nobody initialises: it does ── done ──► set: all who wait have the value
//!        │                    ▲           └── dropped, failed, panicked ─┐
//!        └─► in line ─────────┴──────── the first in line does, as of now ◄┘
//! ```
//!
//! Invariants:
//! - **One initialises**: be it that it was handed the part and has not come for it.
//! - **Nobody waits for nothing**: while somebody waits, somebody initialises.
//! - **The part is not lost**: whoever has it and goes away hands it to the first in line.
//! - **The initialiser is known**: who it is, and since which line; a deadlock's report says so.
//!
//! | file | question it answers |
//! |---|---|
//! | `init` | what does an initialisation do when it is polled, or dropped? |
//! | `part` | who initialises, and who waits for that? |

mod init;
mod part;

use std::cell;
use std::error::Error;
use std::fmt;
use std::future::{self, Future};

use lone_executor::Holder;

use crate::wait_list::{Place, assert_not_send};
use part::Part;

pub use init::{GetOrInit, GetOrTryInit};

/// A value that is made when it is first asked for, once, by a future.
///
/// All who ask meanwhile wait for the one who makes it. If that one is dropped half way, or fails, the
/// next one tries, with what *it* has brought along.
///
/// An initialiser that asks for the same value waits for itself: when nothing else can happen either,
/// the run ends with a [`Deadlock`](lone_executor::Deadlock) that says so.
///
/// It stays on its loop's thread, as a [`Semaphore`](crate::Semaphore) does.
///
/// asyncio: none; a `Lock` and an `if`, or a cached task.
///
/// # Fairness
///
/// Those who wait are let go in the order of their first polls, and try in that order.
///
/// # Cost
///
/// What is set is had for a budget's count and a look: about 2 ns, or with [`get`](OnceCell::get)
/// for the look alone. No allocation.
///
/// # Examples
///
/// ```
/// let config = lone::OnceCell::new();
/// let read = async || {
///     lone::yield_now().await; // a file, say
///     String::from("verbose")
/// };
/// lone::run(async {
///     let (first, second) = lone::join!(config.get_or_init(read), config.get_or_init(read));
///     assert!(std::ptr::eq(first, second));
///     assert_eq!(first, "verbose");
/// });
/// ```
pub struct OnceCell<T> {
    value: cell::OnceCell<T>,
    part: Part,
}

/// How it is with a [`OnceCell`] at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnceCellStatistics {
    /// How many wait for the one who initialises.
    pub waiters: usize,
    /// Whether somebody initialises.
    pub is_initializing: bool,
}

impl<T> OnceCell<T> {
    /// A cell without a value.
    #[must_use]
    pub fn new() -> OnceCell<T> {
        OnceCell { value: cell::OnceCell::new(), part: Part::new() }
    }

    /// The value, made by the future of `init` if there is none yet.
    ///
    /// `init` is called only if it is this one's part to make the value.
    ///
    /// # Cancellation
    ///
    /// As the future of `init`: dropped half way, that is dropped, and the next one who asks, or waits,
    /// begins anew. One that waits loses its place.
    #[track_caller]
    #[inline]
    pub fn get_or_init<I, F>(&self, init: I) -> GetOrInit<'_, T, I, F>
    where
        I: FnOnce() -> F,
        F: Future<Output = T>,
    {
        GetOrInit::new(self, Place::new(), init)
    }

    /// As [`get_or_init`](OnceCell::get_or_init), with a future that may fail.
    ///
    /// # Errors
    ///
    /// What the future failed with, for the one who has brought it along; the next one tries then.
    ///
    /// # Cancellation
    ///
    /// As [`get_or_init`](OnceCell::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// let port = lone::OnceCell::new();
    /// lone::run(async {
    ///     let failed = port.get_or_try_init(async || "no number".parse::<u16>()).await;
    ///     assert!(failed.is_err());
    ///     assert_eq!(port.get_or_try_init(async || "8080".parse::<u16>()).await, Ok(&8080));
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn get_or_try_init<E, I, F>(&self, init: I) -> GetOrTryInit<'_, T, I, F>
    where
        I: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(self, Place::new(), init)
    }

    /// The value, if there is one; never waits.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if there is one.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Puts a value in, where there is none and nobody makes one.
    ///
    /// # Errors
    ///
    /// [`SetError`], with the value that was not put in.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.part.is_taken() {
            return Err(SetError::Initializing(value));
        }
        self.value.set(value).map_err(SetError::AlreadySet)
    }

    /// Takes the value out; then it can be made anew.
    ///
    /// Who is `&mut` has the cell to himself: nobody waits.
    #[must_use = "this is the value: say so with `drop(…)`"]
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// The value, out of the cell.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Who makes the value, and since which line; `None`: nobody does.
    #[must_use]
    pub fn initializer(&self) -> Option<Holder> {
        self.part.holder()
    }

    /// How many wait for the one who makes the value.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.part.waiters()
    }

    /// How many wait, and whether somebody makes the value.
    #[must_use]
    pub fn statistics(&self) -> OnceCellStatistics {
        OnceCellStatistics { waiters: self.part.waiters(), is_initializing: self.part.is_taken() }
    }

    /// Puts the value in, for the one whose part it was.
    fn complete(&self, value: T) -> &T {
        // Nobody else could: `set` fails while somebody has the part.
        let value = self.value.get_or_init(|| value);
        self.part.complete();
        value
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        OnceCell { value: cell::OnceCell::from(value), part: Part::new() }
    }
}

/// The value, or `<not set>`; who makes it, and who waits.
impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cell = f.debug_struct("OnceCell");
        match self.get() {
            Some(value) => cell.field("value", value),
            None => cell.field("value", &format_args!("<not set>")),
        };
        if let Some(Holder { who, since, .. }) = self.initializer() {
            cell.field("initializer", &who).field("since", &format_args!("{since}"));
        }
        cell.field("waiters", &format_args!("{}", self.part.describe_waiters())).finish()
    }
}

/// Why [`OnceCell::set`] has not put the value in: here it is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError<T> {
    /// There is a value already.
    AlreadySet(T),
    /// Somebody makes one.
    Initializing(T),
}

impl<T> SetError<T> {
    /// The value that was not put in.
    #[must_use]
    pub fn into_value(self) -> T {
        match self {
            SetError::AlreadySet(value) | SetError::Initializing(value) => value,
        }
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadySet(_) => "AlreadySet(..)",
            SetError::Initializing(_) => "Initializing(..)",
        })
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadySet(_) => "the cell has a value already",
            SetError::Initializing(_) => "somebody is making the value of the cell",
        })
    }
}

impl<T> Error for SetError<T> {}

assert_not_send!(
    OnceCell<()>,
    GetOrInit<'_, (), fn(), future::Ready<()>>,
    GetOrTryInit<'_, (), fn(), future::Ready<()>>,
);
