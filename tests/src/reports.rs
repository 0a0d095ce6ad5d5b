//! What has the loop reported on this thread? A logger that remembers it, for one test at a time.
//!
//! Tests of one binary run side by side, one to a thread: each reads its own. Nothing below level warn is
//! recorded.

use std::cell::{Cell, RefCell};
use std::sync::Once;

thread_local! {
    static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };

    /// Whether the logger panics on this thread.
    static FAILING: Cell<bool> = const { Cell::new(false) };
}

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        assert!(!FAILING.get(), "the logger fails");
        if self.enabled(record.metadata()) {
            let line = format!("{} {}: {}", record.level(), record.target(), record.args());
            // At thread exit nobody reads it any more.
            let _ = REPORTS.try_with(|reports| reports.borrow_mut().push(line));
        }
    }

    fn flush(&self) {}
}

/// From here on what the loop reports on this thread is recorded.
///
/// # Panics
///
/// If there is another logger.
pub fn record_reports() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Recorder).expect("no other module installs a logger");
        log::set_max_level(log::LevelFilter::Warn);
    });
    take_reports();
}

/// From here on the logger panics on this thread, or no longer.
pub fn let_the_logger_fail(failing: bool) {
    FAILING.set(failing);
}

/// What the loop has reported on this thread since the last call.
pub fn take_reports() -> Vec<String> {
    REPORTS.with(RefCell::take)
}

/// Asserts that there is one report since the last call and that it says all of `words`.
///
/// # Panics
///
/// If not.
#[track_caller]
pub fn assert_one_report(words: &[&str]) {
    let reports = take_reports();
    assert_eq!(reports.len(), 1, "one report, not {reports:#?}");
    for word in words {
        assert!(reports[0].contains(word), "{word:?} is in {:?}", reports[0]);
    }
}
