//! What is asked of lone on the net, and is it so?
//!
//! Each limit is a ratio to somebody who is measured beside lone in the same run: for echoes and the
//! churn window by window, for memory and wakes in turn.

use std::io;

use super::session;
use super::{PEERS, Peer, Workload, measure};
use crate::measure::median;

/// One thing that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The workload's name.
    pub workload: &'static str,
    /// Beside whom.
    pub beside: Beside,
    /// The ratio, at most; of messages a second that of the other's to lone's.
    pub ratio: f64,
}

/// Beside whom lone is measured, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// This one, by the server's CPU time a unit.
    Peer(Peer),
    /// This one, by measurements in turn: of wakes, and where the connections of two servers are more than
    /// a client may have.
    InTurn(Peer),
    /// Whoever of the runtimes is best.
    Best,
    /// lone itself at another workload: how it grows.
    Lone(&'static str),
    /// The better tokio, by messages a second: at least so many times as many.
    Rate,
}

impl Beside {
    /// As a table says it before anybody has been measured.
    pub fn name(self) -> String {
        match self {
            Beside::Peer(peer) | Beside::InTurn(peer) => peer.name().to_owned(),
            Beside::Best => "best".to_owned(),
            Beside::Lone(workload) => workload.to_owned(),
            Beside::Rate => "tokio".to_owned(),
        }
    }
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
    limit("echo1x64spin", Beside::Rate, 1.0 / 2.5),
    limit("echo1x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo64x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo1000x64", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo10000x64", Beside::InTurn(Peer::TokioLocal), 1.0),
    limit("echo1x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo64x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("echo1000x16384", Beside::Peer(Peer::TokioLocal), 1.0),
    limit("xt_cross", Beside::InTurn(Peer::TokioLocal), 1.0),
    limit("xt_spin", Beside::InTurn(Peer::TokioLocal), 1.0),
];

/// What came of a limit.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Beside whom, by name: the best one, where that was asked.
    pub beside: &'static str,
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
        let (beside, ratio) = match self.beside {
            Beside::Peer(peer) => worst_duel(lone, &[peer], rounds, |duel| duel.cpu_ratio)?,
            Beside::Rate => {
                let tokios = [Peer::TokioLocalSet, Peer::TokioLocal];
                worst_duel(lone, &tokios, rounds, |duel| 1.0 / duel.rate_ratio)?
            }
            Beside::Lone(other) => {
                let duel = session::duel([lone, (find(other)?, Peer::Lone)], rounds)?;
                (other, duel.cpu_ratio)
            }
            Beside::InTurn(peer) => in_turn(self.workload, &[peer], rounds)?,
            Beside::Best if matches!(workload, Workload::Churn { .. }) => {
                worst_duel(lone, &runtimes(), rounds, |duel| duel.cpu_ratio)?
            }
            Beside::Best => in_turn(self.workload, &runtimes(), rounds)?,
        };
        Ok(Verdict { beside, ratio })
    }
}

/// Beside whom, and the ratio.
type Found = (&'static str, f64);

fn find(workload: &str) -> io::Result<Workload> {
    Workload::find(workload).ok_or_else(|| io::Error::other(format!("what is {workload}?")))
}

/// What has failed, by name.
fn of(peer: Peer) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::other(format!("{}: {error}", peer.name()))
}

fn runtimes() -> Vec<Peer> {
    let peers = PEERS.iter().map(|(_, peer)| *peer);
    peers.filter(|peer| *peer != Peer::Lone && !peer.is_raw()).collect()
}

/// The one beside whom lone looks worst, by a ratio that is better the less it is.
fn worst_duel(
    lone: (Workload, Peer),
    peers: &[Peer],
    rounds: usize,
    ratio_of: impl Fn(&session::Duel) -> f64,
) -> io::Result<Found> {
    let mut worst: Option<Found> = None;
    for peer in peers {
        let duel = session::duel([lone, (lone.0, *peer)], rounds).map_err(of(*peer))?;
        let ratio = ratio_of(&duel);
        if worst.is_none_or(|(_, worst)| ratio > worst) {
            worst = Some((peer.name(), ratio));
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
            let measured = measure(workload, peer.name());
            let measured = measured.unwrap_or_else(|| Err(io::Error::other("it cannot")));
            let measured = measured.map_err(of(*peer))?;
            values.push(measured[0].1);
        }
    }
    let mut medians = all.into_iter().map(|(peer, mut values)| (peer, median(&mut values)));
    let (_, lone) = medians.next().expect("lone is the first");
    let best = medians.min_by(|(_, one), (_, other)| one.total_cmp(other));
    let (peer, best) = best.ok_or_else(|| io::Error::other("nobody to compare with"))?;
    Ok((peer.name(), lone / best))
}
