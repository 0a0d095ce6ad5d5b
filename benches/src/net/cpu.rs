//! What has a process used? Its CPU clock is read from outside, so that the server does nothing for
//! its own measurement, and has no thread more than its runtime makes.

use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// The clocks of one process.
pub(super) struct Cpu {
    pid: u32,
    clock: ClockId,
    tick: f64,
}

impl Cpu {
    pub(super) fn of(pid: u32) -> io::Result<Cpu> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?;
        let per_second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
        Ok(Cpu { pid, clock, tick: 1.0 / per_second as f64 })
    }

    /// The CPU time of all its threads, to the nanosecond.
    pub(super) fn used(&self) -> io::Result<Duration> {
        Ok(self.clock.now()?.into())
    }

    /// The user-mode part in seconds, in ticks of 10 ms: coarse.
    pub(super) fn user(&self) -> io::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The name, which may hold anything, ends at the last bracket; utime is field 14.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        let ticks = fields.and_then(|mut fields| fields.nth(11)?.parse::<f64>().ok());
        Ok(ticks.ok_or_else(|| io::Error::other("no utime in /proc"))? * self.tick)
    }

    /// How many bytes of it are in memory.
    pub(super) fn resident(&self) -> io::Result<f64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
        Ok(kib.ok_or_else(|| io::Error::other("no Rss in /proc"))? * 1024.0)
    }
}

/// The cores that this program may use; asked before anybody is pinned.
fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect()
    })
}

/// Puts this thread, and those it makes, on the `n`th of the cores that this program may use. With
/// fewer cores it stays where it is.
pub(super) fn pin(n: usize) -> io::Result<()> {
    if let Some(core) = cores().get(n) {
        let mut set = CpuSet::new();
        set.set(*core)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    Ok(())
}

/// Lets this thread run on all of them again: a child begins where its parent is.
pub(super) fn unpin() -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores() {
        set.set(*core)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Takes as many descriptors as the system gives. Returns how many.
pub(super) fn raise_descriptors() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
