//! How is one server measured, or two side by side? A server, its load, and windows of time: what
//! the server's CPU clock says at both ends of a window is divided by what came back within it.
//!
//! Two in one run take turns, a window each; the ratio is the median over the pairs. So both have
//! seen the same neighbours, which on a shared machine move a figure by more than what is asked for.

use std::io;
use std::time::{Duration, Instant};

use super::churn::Churn;
use super::load::Echo;
use super::server::Server;
use super::{Metric, Peer, Workload, cpu};
use crate::measure::median;

/// Before the first window: caches, buffers that the system grows, free lists.
const WARM_UP: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_millis(200);
/// Of one measurement.
pub(super) const WINDOWS: usize = 7;
/// Nobody waits longer than this for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Who asks.
pub(super) trait Load {
    /// Waits for answers, takes them in, asks again. Returns how many units have been done.
    fn turn(&mut self) -> io::Result<u64>;

    /// Takes in what was asked for and asks nothing: what is served is paid for in the window in which
    /// it counts. Returns how many units have been done.
    fn settle(&mut self) -> io::Result<u64>;

    /// Asks again.
    fn resume(&mut self) -> io::Result<()>;
}

/// A server and those who ask it.
struct Session {
    // The load first: its connections are closed before the server is killed.
    load: Box<dyn Load>,
    server: Server,
}

struct Window {
    cpu_us: f64,
    per_s: f64,
    units: u64,
}

impl Session {
    fn begin(workload: Workload, peer: Peer) -> io::Result<Session> {
        // Two servers' worth of connections end here.
        cpu::raise_descriptors()?;
        let server = Server::start(workload, peer)?;
        let load: Box<dyn Load> = match workload {
            Workload::Echo { connections, bytes, .. } => {
                Box::new(Echo::connect(&server, connections, bytes)?)
            }
            Workload::Churn { parallel } => Box::new(Churn::begin(&server, parallel)?),
            Workload::Idle { .. } | Workload::Wake(_) => {
                return Err(io::Error::other("there is no load to it"));
            }
        };
        let mut session = Session { load, server };
        session.window(WARM_UP)?;
        Ok(session)
    }

    fn window(&mut self, length: Duration) -> io::Result<Window> {
        let (before, begin, mut units) = (self.server.cpu.used()?, Instant::now(), 0);
        self.load.resume()?;
        while begin.elapsed() < length {
            units += self.load.turn()?;
        }
        units += self.load.settle()?;
        if units == 0 {
            return Err(io::Error::other("nothing came back within a window"));
        }
        let used = self.server.cpu.used()? - before;
        Ok(Window {
            cpu_us: used.as_secs_f64() * 1e6 / units as f64,
            per_s: units as f64 / begin.elapsed().as_secs_f64(),
            units,
        })
    }
}

/// What a unit of `workload` costs the server: medians over the windows.
pub(super) fn measure(workload: Workload, peer: Peer) -> io::Result<Vec<Metric>> {
    let mut session = Session::begin(workload, peer)?;
    let (user, mut units) = (session.server.cpu.user()?, 0);
    let (mut used, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..WINDOWS {
        let window = session.window(WINDOW)?;
        used.push(window.cpu_us);
        rates.push(window.per_s);
        units += window.units;
    }
    let user = (session.server.cpu.user()? - user) * 1e6 / units as f64;
    Ok(vec![("cpu_us", median(&mut used)), ("user_us", user), ("per_s", median(&mut rates))])
}

/// Two that are measured in turn: medians of each, and of the ratios of adjacent windows.
pub(super) struct Duel {
    pub(super) cpu_us: [f64; 2],
    pub(super) cpu_ratio: f64,
    pub(super) rate_ratio: f64,
}

/// Both in turn, so many windows each.
pub(super) fn duel(sides: [(Workload, Peer); 2], rounds: usize) -> io::Result<Duel> {
    let [one, other] = sides.map(|(workload, peer)| Session::begin(workload, peer));
    let (mut one, mut other) = (one?, other?);
    let (mut ones, mut others, mut ratios, mut rates) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds.max(1) {
        // Each begins every other time.
        let (a, b) = if round % 2 == 0 {
            let a = one.window(WINDOW / 2)?;
            (a, other.window(WINDOW / 2)?)
        } else {
            let b = other.window(WINDOW / 2)?;
            (one.window(WINDOW / 2)?, b)
        };
        ones.push(a.cpu_us);
        others.push(b.cpu_us);
        ratios.push(a.cpu_us / b.cpu_us);
        rates.push(a.per_s / b.per_s);
    }
    Ok(Duel {
        cpu_us: [median(&mut ones), median(&mut others)],
        cpu_ratio: median(&mut ratios),
        rate_ratio: median(&mut rates),
    })
}
