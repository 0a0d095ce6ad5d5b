//! How does a poll end to the nanosecond? By a timerfd inside it, where the system has one.
//!
//! mio's own timeout is rounded up to the millisecond: a sleep of 50 us would last 1.05 ms. The
//! timerfd is edge-triggered and never read: setting it anew makes a new edge.
//!
//! Invariant: **armed only if the deadline changed**; setting it costs 300 ns.

use std::io;

use crate::time::Instant;

#[cfg(target_os = "linux")]
pub(crate) use linux::TimerFd;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::TimerFd;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsRawFd, OwnedFd};

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use super::{Instant, io};

    pub(crate) struct TimerFd {
        fd: OwnedFd,
        armed: Option<Instant>,
    }

    impl TimerFd {
        pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<TimerFd> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
            Ok(TimerFd { fd, armed: None })
        }

        /// Makes an edge at `deadline`. Returns `true`: this system can.
        pub(crate) fn arm(&mut self, deadline: Instant, now: Instant) -> io::Result<bool> {
            if self.armed == Some(deadline) {
                return Ok(true);
            }
            let wait = deadline.duration_since(now);
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            let it_value = Timespec {
                // 584 years at most: it fits.
                tv_sec: wait.as_secs() as i64,
                tv_nsec: i64::from(wait.subsec_nanos()),
            };
            let spec = Itimerspec { it_interval: zero, it_value };
            timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &spec)?;
            self.armed = Some(deadline);
            Ok(true)
        }

        /// Whether there will be an edge at that moment or before.
        pub(crate) fn is_armed_by(&self, moment: Instant) -> bool {
            self.armed.is_some_and(|armed| armed <= moment)
        }

        /// The edge has come.
        pub(crate) fn has_fired(&mut self) {
            self.armed = None;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use mio::{Registry, Token};

    use super::{Instant, io};

    pub(crate) struct TimerFd;

    impl TimerFd {
        pub(crate) fn new(_registry: &Registry, _token: Token) -> io::Result<TimerFd> {
            Ok(TimerFd)
        }

        /// Returns `false`: this system cannot, so the poll needs a timeout.
        pub(crate) fn arm(&mut self, _deadline: Instant, _now: Instant) -> io::Result<bool> {
            Ok(false)
        }

        pub(crate) fn is_armed_by(&self, _moment: Instant) -> bool {
            false
        }

        pub(crate) fn has_fired(&mut self) {}
    }
}
