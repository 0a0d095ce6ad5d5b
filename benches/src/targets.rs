//! What is lone to reach, and does it?
//!
//! A limit is a ratio: lone's figure over somebody's, turned round where more is better, so that less is
//! always better. It is met with 5 % to spare for noise.

use crate::peers::{is_fair_peer, is_real_peer, is_tokio};
use crate::results::Results;

/// Over whose figure?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The best of all runtimes.
    Best,
    /// The best of those whose semaphore is first come first served.
    Fair,
    /// The better of tokio's two.
    Tokio,
    /// That column.
    Peer(&'static str),
    /// lone's own figure in that row.
    Row(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub row: &'static str,
    pub over: Over,
    pub limit: f64,
}

/// What noise may add to a limit.
pub const NOISE: f64 = 1.05;

/// A limit, and where lone stands.
#[derive(Clone, Debug)]
pub struct Judged {
    pub row: &'static str,
    /// `0.40 best`, as in the table.
    pub limit: String,
    /// Less is better; `None` if not all that it goes by was measured.
    pub ratio: Option<f64>,
    pub is_met: Option<bool>,
}

impl Judged {
    pub fn new(row: &'static str, limit: f64, over: &str, ratio: Option<f64>) -> Judged {
        let over = if over == "tokio_lrt" { "tokio" } else { over };
        let is_met = ratio.map(|ratio| ratio <= limit * NOISE);
        Judged { row, limit: format!("{limit:.2} {over}"), ratio, is_met }
    }

    /// "met 0.41".
    pub fn verdict(&self) -> String {
        match (self.is_met, self.ratio) {
            (Some(true), Some(ratio)) => format!("met {ratio:.2}"),
            (Some(false), Some(ratio)) => format!("missed {ratio:.2}"),
            _ => "not judged".to_owned(),
        }
    }
}

/// The verdicts on a row.
pub fn judge(row: &'static str, results: &Results) -> Vec<Judged> {
    let targets = TARGETS.iter().filter(|target| target.row == row);
    let judged = targets.map(|target| verdict(*target, results));
    judged.chain(results.judged.iter().filter(|judged| judged.row == row).cloned()).collect()
}

fn verdict(target: Target, results: &Results) -> Judged {
    let (row, limit) = (target.row, target.limit);
    let beside = |who: &str| results.ratio(row, "lone", who);
    // Who is best is known if all of them were measured.
    let best = |among: fn(&str) -> bool| {
        if results.has_all(row, among) { results.best(row, among) } else { None }
    };
    match target.over {
        Over::Best => Judged::new(row, limit, "best", best(is_real_peer).and_then(beside)),
        Over::Fair => Judged::new(row, limit, "fair", best(is_fair_peer).and_then(beside)),
        Over::Tokio => {
            let better = best(is_tokio);
            let name = better.map_or("tokio".to_owned(), |better| format!("tokio ({better})"));
            Judged::new(row, limit, &name, better.and_then(beside))
        }
        Over::Peer(who) => Judged::new(row, limit, who, beside(who)),
        Over::Row(other) => Judged::new(row, limit, other, results.growth(row, other)),
    }
}

const fn best(row: &'static str, limit: f64) -> Target {
    Target { row, over: Over::Best, limit }
}

const fn tokio(row: &'static str, limit: f64) -> Target {
    Target { row, over: Over::Peer("tokio_lrt"), limit }
}

const fn grows(row: &'static str, than: &'static str, limit: f64) -> Target {
    Target { row, over: Over::Row(than), limit }
}

#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    best("spawn10k", 0.40),
    best("spawn1", 0.50),
    best("yield100k", 0.30),
    best("ring1000", 0.30),
    best("yield1", 0.25),
    best("yield2", 0.40),
    tokio("yield1_rt", 1.0),
    tokio("yield100_rt", 1.0),
    best("join_yield", 0.25),
    tokio("group10k", 1.0),
    best("pingpong", 0.35), tokio("pingpong", 0.35),
    best("mpsc1", 0.55),
    best("mpsc8", 0.55),
    tokio("queue_free", 0.25),
    best("sem_free", 0.65), tokio("sem_free", 0.25),
    best("sem_cont", 0.70), Target { row: "sem_cont", over: Over::Fair, limit: 0.45 }, tokio("sem_cont", 0.35),
    best("event", 0.35), tokio("event", 0.35),
    tokio("event_set", 0.25),
    best("tmo_ready", 1.5),
    best("tmo_pend", 0.45),
    tokio("join_sleep0", 1.0),
    Target { row: "sleeps_cpu", over: Over::Tokio, limit: 0.50 },
    tokio("sleeps_wall", 1.0),
    tokio("sleeps_late", 1.0),
    best("prec100us", 1.1), best("prec100us_p99", 1.1),
    best("prec1ms", 1.1), best("prec1ms_p99", 1.1),
    best("prec10ms", 1.1), best("prec10ms_p99", 1.1),
    best("mem_event_live", 1.0), best("mem_event_rss", 1.0),
    tokio("mem_event_allocs", 1.0), tokio("mem_pending_allocs", 1.0),
    tokio("mem_pending_live", 1.0), tokio("mem_pending_rss", 1.0),
    #[cfg(feature = "peers")]
    tokio("echo1x64_rate", 1.0),
    // Growth.
    grows("grow_switch_1e6", "grow_switch_1e3", 3.0),
    grows("grow_timer_1e7", "grow_timer_1e3", 3.0),
];

#[cfg(test)]
mod tests {
    use super::{Judged, Over, TARGETS, judge};
    use crate::figures::Figures;
    use crate::registry::{Group, all};
    use crate::results::Results;

    #[test]
    fn every_target_is_about_a_row_of_the_table() {
        let rows: Vec<_> = all().flat_map(|workload| workload.rows).map(|row| row.name).collect();
        for target in TARGETS {
            assert!(rows.contains(&target.row), "{}", target.row);
            if let Over::Row(other) = target.over {
                assert!(rows.contains(&other), "{other}");
            }
        }
    }

    #[test]
    fn every_row_has_a_limit_but_for_the_curves() {
        #[cfg(feature = "peers")]
        let judged: Vec<_> = crate::net::LIMITS.iter().map(|limit| limit.workload).collect();
        #[cfg(not(feature = "peers"))]
        let judged: Vec<&str> = Vec::new();
        let rows = all().filter(|workload| workload.group != Group::Growth).flat_map(|w| w.rows);
        for row in rows {
            let has_target = TARGETS.iter().any(|target| target.row == row.name);
            assert!(has_target || judged.contains(&row.name), "{}", row.name);
        }
    }

    #[test]
    fn who_is_best_is_not_said_where_somebody_is_missing() {
        let workload = all().find(|workload| workload.name == "spawn1").expect("it is there");
        let mut results = Results::default();
        let mut add = |peer: &'static str| {
            results.add(workload, peer, Some(&Figures::one("ns", 10.0)));
            judge("spawn1", &results)[0].verdict()
        };
        let others = workload.measure.peers.iter().filter(|peer| **peer != "tokio_lrt");
        others.for_each(|peer| assert_eq!(add(peer), "not judged"));
        assert_eq!(add("tokio_lrt"), "missed 1.00");
    }

    #[test]
    fn a_limit_is_met_up_to_its_noise_and_unmeasured_is_no_verdict() {
        let is_met = |ratio| Judged::new("spawn1", 0.5, "best", ratio).is_met;
        assert_eq!([Some(0.52), Some(0.53), None].map(is_met), [Some(true), Some(false), None]);
    }

    #[test]
    fn a_growth_is_judged_by_lone_alone() {
        let workload = all().find(|workload| workload.name == "grow_switch").expect("it is there");
        let mut results = Results::default();
        results.add(workload, "lone", Some(&Figures::one("1e3", 10.0).and("1e6", 29.0)));
        let judged = judge("grow_switch_1e6", &results);
        assert_eq!(judged[0].ratio, Some(2.9));
        assert_eq!(judged[0].is_met, Some(true));
    }
}
