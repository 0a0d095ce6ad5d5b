//! Where does the loop say what nobody asked for? One sink: the logger, else standard error.
//!
//! A student without a logger still sees it. A logger counts as installed when it lets anything
//! through (`log::max_level()` is not `Off`).

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

/// Something has panicked, and nobody will read that: said once, here.
#[cold]
pub fn unread_panic(panic: &Panic) {
    say(Level::Error, "lone::task", &format!("{panic}; nobody has joined it"));
}
