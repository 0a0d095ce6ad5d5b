//! What does a message, a connection, an idle connection and a wake from another thread cost?
//!
//! ```text
//!   measure ── spawns ──► serve      one peer, one core, killed when `measure` has its figures
//!      │  closed loop, loopback │
//!      └────────────────────────┘    the CPU clock of the server's process is read from outside
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `workload` | what is there to measure? |
//! | `server` | how does a server come and go? |
//! | `cpu` | what has a process used? |
//! | `session` | how is one server measured, or two side by side? |
//! | `load` | who asks, and how often? |
//! | `churn` | the same, with a connection for each message |
//! | `wakes` | how long does a wake from another thread take? |
//! | `limits` | what is asked of lone, and is it so? |
//! | `peers` | how does each runtime serve? |

mod churn;
mod cpu;
mod limits;
mod load;
mod peers;
mod server;
mod session;
mod wakes;
mod workload;

use std::io;

pub use limits::{Beside, LIMITS, Limit, Verdict};
pub use peers::{PEERS, Peer};
pub use workload::{WORKLOADS, Workload};

/// A figure: its name, with the unit in it, and its value.
pub type Metric = (&'static str, f64);

/// Measures `peer` at `workload`, in this process and a server's that it spawns and ends.
///
/// `None`: there is no such workload, or that peer cannot run it.
///
/// # Errors
///
/// What the system says: too few descriptors, a server that did not come up.
///
/// # Cost
///
/// Two seconds; the workloads with many connections up to ten.
pub fn measure(workload: &str, peer: &str) -> Option<io::Result<Vec<Metric>>> {
    let (workload, peer) = (Workload::find(workload)?, Peer::find(peer)?);
    if !peer.runs(workload) {
        return None;
    }
    Some(match workload {
        Workload::Echo { .. } | Workload::Churn { .. } => session::measure(workload, peer),
        Workload::Idle { connections } => load::idle(workload, peer, connections),
        Workload::Wake(how) => wakes::measure(peer, how),
    })
}

/// Measures two peers in turn, window by window, at an echo or the churn: their ratio is steadier
/// than two measurements are.
///
/// # Errors
///
/// As [`measure`]; or that there is no such workload or peer.
pub fn duel(workload: &str, peers: [&str; 2], rounds: usize) -> io::Result<Vec<Metric>> {
    let unknown = || io::Error::other("there is no such workload or peer");
    let workload = Workload::find(workload).ok_or_else(unknown)?;
    let [one, other] = peers.map(|peer| Peer::find(peer).ok_or_else(unknown));
    let duel = session::duel([(workload, one?), (workload, other?)], rounds)?;
    Ok(vec![
        ("cpu_us", duel.cpu_us[0]),
        ("other_cpu_us", duel.cpu_us[1]),
        ("cpu_ratio", duel.cpu_ratio),
        ("per_s_ratio", duel.rate_ratio),
    ])
}

/// Serves `workload` by `peer` in this process, until it is killed: for [`measure`].
///
/// # Errors
///
/// What the system says; or that there is no such workload or peer.
pub fn serve(workload: &str, peer: &str) -> io::Result<std::convert::Infallible> {
    let found = Workload::find(workload).zip(Peer::find(peer));
    let (workload, peer) =
        found.ok_or_else(|| io::Error::other(format!("what is {workload} by {peer}?")))?;
    server::serve(workload, peer)
}
