//! How does a loop wait for the world? Beats d and e: one `epoll_wait`, then timers and sources
//! that are due wake their tasks.
//!
//! ```text
//!   park(limit):  next deadline ─► timerfd, re-armed only if it changed
//!                 d  mio poll (sockets, the inbox's eventfd, the timerfd)
//!                 e  edges ─► waiters        deadlines passed ─► timers       both only wake
//! ```
//!
//! Invariants:
//! - **One sleep is one park**: the wheel knows the true next deadline, and the timerfd has it to
//!   the nanosecond. (Where there is no timerfd, mio's timeout rounds up to the millisecond.) In a crowd
//!   many sleeps are one park: see `crowd`.
//! - **The descriptor tells all**: sockets, inbox and next deadline make the one epoll descriptor
//!   readable; `rest` sees to the deadline before a host waits for it in our place.
//! - **A virtual clock jumps last**: only when nothing is ready, the poll shows nothing, no job is under
//!   way on another thread, and nobody waits for bytes in flight or for an outside peer (see [`Jump`]
//!   and `ends`).
//! - **A clock that only somebody moves is no hope**: its timers wake nobody by themselves.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lone_executor::{LoopNumber, Park, Release, Unpark, trace};
use mio::{Events, Poll, Token};

use crate::clock::{Clock, Jump};
use crate::crowd::Crowd;
use crate::ends::Awaited;
use crate::local::{self, Entered, Local};
use crate::sources::{Edge, SourceId};
use crate::spin::Spin;
use crate::time::Instant;
use crate::timerfd::TimerFd;
use crate::wheel::TimerId;

/// The inbox's eventfd.
const INBOX: Token = Token(usize::MAX);
/// The timerfd.
const DEADLINE: Token = Token(usize::MAX - 1);

/// How long, in real time, a virtual clock waits for bytes that are on their way within the loop.
/// They come in a moment; this is for those that a duplicate of the descriptor has taken.
const FLIGHT: Duration = Duration::from_secs(1);

/// A limit that loops come to again and again, and to whose end hardly ever: until a stall is certain.
const LONG: Duration = Duration::from_millis(100);

/// Marks the key of a released source: a timer's has 32 bits.
pub(crate) const SOURCE_BIT: u64 = 1 << 63;

/// What can be set about a reactor.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many events one look takes in at most. Default 1024.
    pub events: usize,
    /// Deadlines within the same multiple of this share a wake-up; 0: each has its own. Default `None`: each
    /// has, but in a crowd (see `crowd`).
    pub timer_slack: Option<Duration>,
    /// For how long to look for events again and again before the thread sleeps. Default 0: not at all.
    pub spin: Duration,
    /// `Some`: the clock is virtual.
    pub virtual_clock: Option<Jump>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { events: 1024, timer_slack: None, spin: Duration::ZERO, virtual_clock: None }
    }
}

/// How a reactor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many timers are set.
    pub timers: usize,
    /// How many descriptors are registered.
    pub sources: usize,
    /// How often the loop has really waited.
    pub parks: u64,
}

/// The park of the lone runtime: mio, the timer wheel and a clock.
pub struct Reactor {
    local: Rc<Local>,
    poll: Poll,
    events: Events,
    timerfd: TimerFd,
    bell: Arc<Bell>,
    slack: Option<u64>,
    crowd: Crowd,
    spin: Spin,
    parks: u64,
    /// The last look took in as many events as it could: there may be more.
    more: bool,
    /// The last look was spared: there may be an edge that nobody has taken in.
    skipped: bool,
    /// The last reading that a long batch was measured by.
    read: Cell<Duration>,
}

/// The part of a reactor that any thread may reach.
pub(crate) struct Bell {
    waker: mio::Waker,
    /// With this any thread can take a descriptor out that it is about to close.
    pub(crate) registry: mio::Registry,
    pid: u32,
}

impl Bell {
    /// Whether this process is the one that made the reactor.
    pub(crate) fn is_own_process(&self) -> bool {
        self.pid == std::process::id()
    }
}

impl Unpark for Bell {
    fn unpark(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!(target: "lone::reactor", "cannot write to the eventfd: {error}");
        }
    }
}

impl Reactor {
    /// A reactor with the default settings.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left: three are needed.
    pub fn new() -> io::Result<Reactor> {
        Reactor::with_settings(&Settings::default())
    }

    /// A reactor with these settings.
    ///
    /// # Errors
    ///
    /// As [`Reactor::new`].
    pub fn with_settings(settings: &Settings) -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let bell = Bell {
            waker: mio::Waker::new(poll.registry(), INBOX)?,
            registry: poll.registry().try_clone()?,
            pid: std::process::id(),
        };
        let timerfd = TimerFd::new(poll.registry(), DEADLINE)?;
        let clock = match settings.virtual_clock {
            None => Clock::Real,
            Some(jump) => Clock::paused(jump),
        };
        let begin = Duration::from_nanos(clock.now().as_nanos());
        Ok(Reactor {
            local: Rc::new(Local::new(clock, poll.registry().try_clone()?)),
            poll,
            // One more, for the inbox: else what tells of events that are left would be one itself.
            events: Events::with_capacity(settings.events.max(1).saturating_add(1)),
            timerfd,
            bell: Arc::new(bell),
            slack: settings.timer_slack.map(nanos),
            crowd: Crowd::default(),
            spin: Spin::new(nanos(settings.spin)),
            parks: 0,
            more: false,
            skipped: false,
            read: Cell::new(begin),
        })
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.local.timers.borrow_mut().next_deadline()
    }

    /// Now, on this reactor's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.local.clock().now()
    }

    /// How the reactor stands.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            timers: self.local.timers.borrow().len(),
            sources: self.local.sources.borrow().len(),
            parks: self.parks,
        }
    }

    /// Whether a look could find anything. Without sockets and timers it cannot: what comes in
    /// through the inbox the loop sees by itself. A loop of tasks alone is spared a system call
    /// every 64 polls, and a reading of the clock every 16 (bench `yield1000`: 3 of 10 ns).
    fn expects_something(&self) -> bool {
        self.local.sources.borrow().len() > 0 || !self.local.timers.borrow().is_empty()
    }

    /// On the real clock: until an event, the limit, or the next deadline.
    fn park_real(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            self.wait(limit)?;
        } else if !self.spin.is_on() {
            let next = self.next_deadline();
            let wait = self.until(next, limit)?;
            self.wait(wait)?;
        } else if !self.spin_real(limit)? {
            let next = self.next_deadline();
            let wait = self.until(next, limit)?;
            let begin = self.now();
            self.wait(wait)?;
            self.spin.has_parked(nanos(self.now() - begin));
        }
        self.fire();
        Ok(())
    }

    /// Looks again and again, as long as that is worth while. Returns whether the wait is over: something
    /// has come, a deadline has, or the limit.
    fn spin_real(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        let spin = Duration::from_nanos(self.spin.limit());
        if spin.is_zero() {
            return Ok(false);
        }
        let begin = self.now();
        let enough = begin + limit.map_or(spin, |limit| limit.min(spin));
        let next = self.next_deadline().unwrap_or(Instant::FAR_FUTURE);
        // Ends: time passes.
        loop {
            let seen = self.wait(Some(Duration::ZERO))?;
            let now = self.now();
            if seen || now >= next {
                self.spin.has_ended(true);
                return Ok(true);
            }
            if now >= enough {
                let is_limit = limit.is_some_and(|limit| limit <= spin);
                self.spin.has_ended(is_limit);
                return Ok(is_limit);
            }
        }
    }

    /// How long to poll for, so that the poll ends at `next` or at the limit.
    fn until(
        &mut self,
        next: Option<Instant>,
        limit: Option<Duration>,
    ) -> io::Result<Option<Duration>> {
        let Some(next) = next else { return self.within(limit) };
        let now = self.now();
        if next <= now {
            return Ok(Some(Duration::ZERO));
        }
        let next = self.wake_up(next, now);
        if limit.is_some_and(|limit| now + limit < next) {
            return Ok(limit);
        }
        if self.timerfd.arm(next, now)? {
            return Ok(limit);
        }
        Ok(Some(next.duration_since(now)))
    }

    /// How long to poll for where there is no deadline but a limit. A long one is left to the timerfd, which
    /// may ring too early, and is set again then: so it is not started and stopped with each wait (bench
    /// `xt_same`).
    fn within(&mut self, limit: Option<Duration>) -> io::Result<Option<Duration>> {
        let Some(long) = limit.filter(|limit| *limit >= LONG) else { return Ok(limit) };
        let now = self.now();
        let end = now + long;
        let is_set = self.timerfd.is_armed_by(end) || self.timerfd.arm(end, now)?;
        Ok(if is_set { None } else { limit })
    }

    /// When to wake up for a deadline: at the end of the slack in which it lies.
    fn wake_up(&self, deadline: Instant, now: Instant) -> Instant {
        match self.slack {
            None => {
                let nap = self.crowd.nap(self.local.timers.borrow().len());
                deadline.max(now + Duration::from_nanos(nap))
            }
            Some(0) => deadline,
            Some(slack) => Instant::from_nanos(
                deadline.as_nanos().checked_next_multiple_of(slack).unwrap_or(u64::MAX),
            ),
        }
    }

    /// On a virtual clock: nobody is ready, so it may jump to the next deadline, and to one only.
    fn park_virtual(&mut self, limit: Option<Duration>, jump: Jump) -> io::Result<()> {
        let seen = self.wait(Some(Duration::ZERO))?;
        if seen || limit == Some(Duration::ZERO) {
            self.fire();
            return Ok(());
        }
        let next = self.next_deadline().filter(|next| self.local.clock().reaches(*next));
        let Some(next) = next else {
            self.wait(limit)?;
            return Ok(());
        };
        let moved = self.local.clock().is_moved_to(next);
        // A job on another thread takes real time, whose end comes before the next deadline.
        if !moved && lone_executor::is_clock_held() {
            self.wait(limit)?;
            return Ok(());
        }
        let awaited = self.local.sources.borrow().awaited();
        if awaited != Awaited::Nobody {
            let quiet = match jump {
                // Somebody has asked for it: only what is on its way already comes first.
                _ if moved && awaited == Awaited::InFlight => Some(FLIGHT),
                _ if moved => Some(Duration::ZERO),
                Jump::HoldOnIo | Jump::Manual => None,
                Jump::AfterQuiet(quiet) if awaited == Awaited::InFlight => Some(quiet.max(FLIGHT)),
                Jump::AfterQuiet(quiet) => Some(quiet),
            };
            let wait = match (limit, quiet) {
                (Some(limit), Some(quiet)) => Some(limit.min(quiet)),
                (limit, quiet) => limit.or(quiet),
            };
            if self.wait(wait)? || quiet.is_none_or(|quiet| limit.is_some_and(|l| l < quiet)) {
                return Ok(());
            }
        }
        if let Clock::Virtual { now, .. } = self.local.clock() {
            now.set(next.max(now.get()));
        }
        self.fire();
        Ok(())
    }

    /// d: waits for events and lets them wake. Returns whether there was any.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let waits = timeout != Some(Duration::ZERO);
        self.parks += u64::from(waits);
        if waits {
            trace::emit(|| trace::Event::Park {
                limit: timeout,
                deadline: self.next_deadline().map(|next| next - self.now()),
            });
        }
        if let Err(error) = self.poll.poll(&mut self.events, timeout) {
            // A signal has come: the next turn waits again.
            return if error.kind() == io::ErrorKind::Interrupted { Ok(true) } else { Err(error) };
        }
        if waits {
            trace::emit(|| trace::Event::Unpark);
        }
        let mut seen = 0;
        for event in &self.events {
            seen += 1;
            match event.token() {
                INBOX => {}
                DEADLINE => self.timerfd.has_fired(),
                _ => edge(&self.local, event),
            }
        }
        self.more = seen == self.events.capacity();
        Ok(seen > 0)
    }

    /// e: wakes whoever waits for a deadline that has passed.
    fn fire(&mut self) {
        if self.local.timers.borrow().is_empty() {
            return;
        }
        let now = self.now();
        let mut fired = 0;
        loop {
            // One at a time, from the live wheel: a foreign waker may arm or drop timers.
            let due = {
                let _held = trace::hold();
                self.local.timers.borrow_mut().pop_due(now)
            };
            let Some((timer, waker)) = due else { break };
            fired += 1;
            trace::emit(|| trace::Event::Fire { timer });
            let _cause = trace::because(trace::Cause::Timer { timer });
            waker.wake_in_the_loop();
        }
        self.crowd.has_fired(fired, now.as_nanos());
    }
}

/// e: takes in an edge and wakes whoever waits for it.
fn edge(local: &Local, event: &mio::event::Event) {
    let Some(Edge { id, first, more }) = local.sources.borrow_mut().edge(event) else {
        return;
    };
    trace::emit(|| trace::Event::Readiness {
        source: id.generation,
        readable: event.is_readable(),
        writable: event.is_writable(),
    });
    let _cause = trace::because(trace::Cause::Source { source: id.generation });
    let mut next = first;
    while let Some(waiter) = next {
        waiter.wake_in_the_loop();
        next = if more { local.sources.borrow_mut().pop_ready(id) } else { None };
    }
}

/// In nanoseconds, as far as they go.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Park for Reactor {
    type Entered = Entered;

    fn park(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.skipped = limit == Some(Duration::ZERO) && !self.expects_something();
        if self.skipped {
            return Ok(());
        }
        match *self.local.clock() {
            Clock::Real => self.park_real(limit),
            Clock::Virtual { jump, .. } => self.park_virtual(limit, jump),
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.local.sources.borrow().awaited() != Awaited::InFlight {
            return self.park(Some(Duration::ZERO));
        }
        self.wait(Some(FLIGHT))?;
        self.fire();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        let next = match self.local.clock() {
            Clock::Real => self.next_deadline(),
            Clock::Virtual { .. } => None,
        };
        if self.skipped {
            // The inbox's edge, or a deadline's that was taken back: the host would be told again
            // and again. What has come in meanwhile is told by the loop as it leaves.
            self.wait(Some(Duration::ZERO))?;
        }
        let wait = self.until(next, None)?;
        // Due since the timers were looked at, or left in the system: there is no edge to come.
        if self.more || wait == Some(Duration::ZERO) {
            self.bell.unpark();
        }
        Ok(())
    }

    fn unparker(&self) -> Arc<dyn Unpark> {
        self.bell.clone()
    }

    fn enter(&self, number: LoopNumber) -> Entered {
        local::enter(&self.local, number)
    }

    fn can_wake(&self) -> bool {
        let clock = self.local.clock();
        let timers = if clock.is_manual() {
            self.next_deadline().is_some_and(|next| clock.reaches(next))
        } else {
            !self.local.timers.borrow().is_empty()
        };
        timers || self.local.sources.borrow().is_waited_for()
    }

    fn release(&mut self, what: Release) {
        let key = what.key as u32;
        if what.key & SOURCE_BIT != 0 {
            let id = SourceId { key, generation: what.generation };
            let source = self.local.sources.borrow_mut().remove(id);
            drop(source);
        } else {
            let id = TimerId::from_parts(key, what.generation);
            let _held = trace::hold();
            let waker = self.local.timers.borrow_mut().release(id);
            drop(waker);
        }
    }

    fn reading(&self) -> Option<Duration> {
        match self.local.clock() {
            Clock::Virtual { .. } => None,
            Clock::Real => {
                // With nothing to find the last one is good enough. It makes the next look come
                // early, should there be something then, and never late.
                if self.expects_something() {
                    self.read.set(Duration::from_nanos(self.now().as_nanos()));
                }
                Some(self.read.get())
            }
        }
    }
}

/// The descriptor that is readable when there is something to do: for a host that waits for it.
#[cfg(unix)]
impl std::os::fd::AsFd for Reactor {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

impl std::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor")
            .field("clock", self.local.clock())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
