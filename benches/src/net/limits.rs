//! What is asked of lone on the net, and is it so?
//!
//! Each limit is a ratio to somebody who is measured beside lone in the same run: for echoes and the
//! churn window by window, for memory and wakes in turn.

use std::io;

use super::session::{self, median};
use super::{PEERS, Peer, Workload, measure};

/// One thing that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The workload's name.
    pub workload: &'static str,
    /// Beside whom.
    pub beside: Beside,
    /// The ratio, at most; of the messages a second at least.
    pub ratio: f64,
}

/// Beside whom lone is measured, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// This one, by the server's CPU time a unit.
    Peer(Peer),
    /// This one, by the time of a round trip.
    Wakes(Peer),
    /// Whoever of the runtimes is best.
    Best,
    /// lone itself at another workload: how it grows.
    Lone(&'static str),
    /// This one, by messages a second: at least so many times as many.
    Rate(Peer),
}

const fn limit(workload: &'static str, beside: Beside, ratio: f64) -> Limit {
    Limit { workload, beside, ratio }
}

/// All that is asked.
pub const LIMITS: &[Limit] = &[
    limit("echo64x64", Beside::Peer(Peer::RawMio), 1.04),
    limit("echo1000x64", Beside::Peer(Peer::RawMio), 1.06),
    limit("echo64x16384", Beside::Peer(Peer::RawMio), 1.06),
    limit("churn64", Beside::Peer(Peer::RawMio), 1.10),
    limit("churn64", Beside::Best, 0.95),
    limit("idle8000", Beside::Best, 0.90),
    limit("xt_same", Beside::Best, 1.0),
    limit("echo10000x64", Beside::Lone("echo1000x64"), 1.25),
    limit("echo1x64spin", Beside::Rate(Peer::TokioLocal), 2.5),
    limit("echo1x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo64x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo1000x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo1x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo64x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo1000x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("xt_cross", Beside::Wakes(Peer::TokioLocal), 1.0),
    limit("xt_spin", Beside::Wakes(Peer::TokioLocal), 1.0),
];

/// What came of a limit.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Beside whom, by name: the best one, where that was asked.
    pub beside: &'static str,
    /// lone's figure, and the other's: CPU us a unit, bytes, or ns a round trip.
    pub figures: [f64; 2],
    /// What the limit is about.
    pub ratio: f64,
}

impl Limit {
    /// Measures, `rounds` windows each; memory and wakes a fifth as often.
    ///
    /// # Errors
    ///
    /// As [`measure`].
    pub fn judge(&self, rounds: usize) -> io::Result<Verdict> {
        let workload = find(self.workload)?;
        let lone = (workload, Peer::Lone);
        let (beside, figures, ratio) = match self.beside {
            Beside::Peer(peer) => {
                let duel = session::duel([lone, (workload, peer)], rounds)?;
                (peer.name(), duel.cpu_us, duel.cpu_ratio)
            }
            Beside::Rate(peer) => {
                let duel = session::duel([lone, (workload, peer)], rounds)?;
                (peer.name(), duel.cpu_us, duel.rate_ratio)
            }
            Beside::Lone(other) => {
                let duel = session::duel([lone, (find(other)?, Peer::Lone)], rounds)?;
                (other, duel.cpu_us, duel.cpu_ratio)
            }
            Beside::Wakes(peer) => in_turn(self.workload, &[peer], rounds)?,
            Beside::Best if matches!(workload, Workload::Churn { .. }) => best_duel(lone, rounds)?,
            Beside::Best => {
                let runtimes: Vec<Peer> = runtimes().collect();
                in_turn(self.workload, &runtimes, rounds)?
            }
        };
        Ok(Verdict { beside, figures, ratio })
    }
}

type Found = (&'static str, [f64; 2], f64);

fn find(workload: &str) -> io::Result<Workload> {
    Workload::find(workload).ok_or_else(|| io::Error::other(format!("what is {workload}?")))
}

fn runtimes() -> impl Iterator<Item = Peer> {
    PEERS.iter().map(|(_, peer)| *peer).filter(|peer| *peer != Peer::Lone && !peer.is_raw())
}

/// The one beside whom lone looks worst.
fn best_duel(lone: (Workload, Peer), rounds: usize) -> io::Result<Found> {
    let mut worst: Option<Found> = None;
    for peer in runtimes() {
        let duel = session::duel([lone, (lone.0, peer)], rounds)?;
        if worst.is_none_or(|(_, _, ratio)| duel.cpu_ratio > ratio) {
            worst = Some((peer.name(), duel.cpu_us, duel.cpu_ratio));
        }
    }
    worst.ok_or_else(|| io::Error::other("there are no runtimes"))
}

/// lone and all of `peers`, one after the other, and again; medians, and the best of the peers.
fn in_turn(workload: &str, peers: &[Peer], rounds: usize) -> io::Result<Found> {
    let mut all: Vec<(Peer, Vec<f64>)> =
        std::iter::once(Peer::Lone).chain(peers.iter().copied()).map(|p| (p, vec![])).collect();
    for _ in 0..(rounds / 5).max(1) {
        for (peer, values) in &mut all {
            let measured = measure(workload, peer.name())
                .ok_or_else(|| io::Error::other(format!("{} cannot", peer.name())))??;
            values.push(measured[0].1);
        }
    }
    let mut medians = all.into_iter().map(|(peer, values)| (peer, median(values)));
    let (_, lone) = medians.next().expect("lone is the first");
    let best = medians.min_by(|(_, one), (_, other)| one.total_cmp(other));
    let (peer, best) = best.ok_or_else(|| io::Error::other("nobody to compare with"))?;
    Ok((peer.name(), [lone, best], lone / best))
}
