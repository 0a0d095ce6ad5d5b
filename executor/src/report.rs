//! Where does the loop say what nobody asked for? One sink: the logger, else standard error.
//!
//! A student without a logger still sees it. A logger counts as installed when it lets anything
//! through (`log::max_level()` is not `Off`).

use std::cell::RefCell;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use log::Level;

use crate::panicked::Panic;

/// Says `message` to the logger under `target`, or on standard error where no logger is installed.
///
/// Never call it while a borrow of ours is held: a logger is user code.
pub fn say(level: Level, target: &str, message: &str) {
    if log::max_level() == log::LevelFilter::Off {
        say_plainly(target, message);
        return;
    }
    // A logger that panics must not unwind into the middle of a task's end.
    let log = || log::log!(target: target, level, "{message}");
    if catch_unwind(AssertUnwindSafe(log)).is_err() {
        say_plainly(target, &format!("{message} (and the logger has panicked)"));
    }
}

/// On standard error. Where nobody reads that any more, nobody is told; the loop goes on.
fn say_plainly(target: &str, message: &str) {
    let _ = writeln!(io::stderr(), "{target}: {message}");
}

thread_local! {
    /// The panics that a test wants to see, instead of having them said.
    static COLLECTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// From here on panics that nobody reads are collected on this thread, not said: for tests.
#[must_use = "they are collected until it is dropped"]
pub fn collect_panics() -> CollectPanics {
    CollectPanics { before: COLLECTED.replace(Some(Vec::new())) }
}

/// While it lives panics that nobody reads are collected on this thread.
#[derive(Debug)]
pub struct CollectPanics {
    before: Option<Vec<String>>,
}

impl CollectPanics {
    /// Whose panics, and what they said, since it was made or asked last.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        COLLECTED.with_borrow_mut(|panics| panics.as_mut().map(std::mem::take)).unwrap_or_default()
    }
}

impl Drop for CollectPanics {
    fn drop(&mut self) {
        let _ = COLLECTED.try_with(|panics| panics.replace(self.before.take()));
    }
}

/// A seed that has to be said if a panic drops this: it gives the run that failed again.
#[derive(Debug)]
pub struct SeedOnPanic(pub u64);

impl Drop for SeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = format!("seed {} led to this panic, and does so again", self.0);
            say(Level::Error, "lone::test", &message);
        }
    }
}

/// A task has ended with an error and its outcome is dropped unread: said once, here.
#[cold]
pub(crate) fn unread_error(whose: &str, error: &str) {
    let message = format!("{whose}, ended with an error: {error}; nobody has joined it");
    say(Level::Error, "lone::task", &message);
}

/// Something has panicked, and nobody will read that: said once, here.
#[cold]
pub fn unread_panic(panic: &Panic) {
    let text = panic.to_string();
    let collected = COLLECTED.try_with(|panics| match &mut *panics.borrow_mut() {
        Some(panics) => {
            panics.push(text);
            true
        }
        None => false,
    });
    if collected == Ok(true) {
        return;
    }
    say(Level::Error, "lone::task", &format!("{panic}; nobody has joined it"));
}
