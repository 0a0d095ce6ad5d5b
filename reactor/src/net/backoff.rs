//! What does an accept loop do when descriptors run out? It says so, waits, and tries again.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use log::Level;
use lone_executor::report;

use crate::local;
use crate::time::Alarm;

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// How long to wait before the next try: 5 ms, then twice as long each time, up to a second.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    alarm: Alarm,
    waiting: bool,
    last: Option<Duration>,
}

impl Backoff {
    /// Whether this error means that the system is short of something for the moment.
    pub(crate) fn is_shortage(error: &io::Error) -> bool {
        // ENFILE, EMFILE; ENOBUFS and ENOMEM on Linux. The kinds of std do not tell them apart.
        #[cfg(unix)]
        return matches!(error.raw_os_error(), Some(23 | 24))
            || (cfg!(target_os = "linux") && matches!(error.raw_os_error(), Some(12 | 105)));
        #[cfg(not(unix))]
        return error.kind() == io::ErrorKind::OutOfMemory;
    }

    /// The shortage has shown: says so once a second at most, and begins a wait.
    pub(crate) fn begin(&mut self, error: &io::Error) {
        let wait = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(wait);
        self.waiting = true;
        self.alarm.reset();
        // The loop remembers when it was said: a connection that is accepted in between ends this
        // backoff, but not the shortage.
        if local::with(|local| local.may_say_shortage(LONGEST)) == Some(true) {
            let message = format!("cannot accept: {error}; trying again in {wait:?}");
            report::say(Level::Warn, "lone::reactor", &message);
        }
    }

    /// Ready when it is time for the next try.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting {
            let wait = self.last.unwrap_or(FIRST);
            std::task::ready!(self.alarm.poll_with(|now| now + wait, cx));
            self.alarm.reset();
            self.waiting = false;
        }
        Poll::Ready(())
    }
}
