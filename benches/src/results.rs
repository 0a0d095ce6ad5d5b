//! What was measured: a figure for each row, peer and round, and what follows from them.

use std::collections::HashMap;

use crate::figures::Figures;
use crate::measure::median;
use crate::peers::COLUMNS;
use crate::registry::{Better, Row, Workload, all};
use crate::targets::Judged;

type Key = (&'static str, &'static str);

/// The figures of all rounds. A round in which a measurement failed has none for it.
#[derive(Default)]
pub struct Results {
    /// By row and peer: a figure for each round.
    figures: HashMap<Key, Vec<Option<f64>>>,
    /// The limits that were judged by measurements of their own.
    pub judged: Vec<Judged>,
    /// Whoever failed, and why: each once.
    pub failures: Vec<String>,
}

impl Results {
    pub fn add(&mut self, workload: &Workload, peer: &'static str, figures: Option<&Figures>) {
        for row in workload.rows {
            let figure = figures.and_then(|figures| figures.get(row.key));
            self.figures.entry((row.name, peer)).or_default().push(figure);
        }
    }

    pub fn fail(&mut self, message: String) {
        if !self.failures.contains(&message) {
            self.failures.push(message);
        }
    }

    /// The rows that have figures, in the order of the registry.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Workload, &'static Row)> {
        let rows = all().flat_map(|workload| workload.rows.iter().map(move |row| (workload, row)));
        rows.filter(|(_, row)| COLUMNS.iter().any(|peer| self.of(row.name, peer).is_some()))
    }

    /// The median over the rounds.
    pub fn of(&self, row: &'static str, peer: &str) -> Option<f64> {
        let rounds = self.rounds(row, peer)?;
        let mut figures: Vec<f64> = rounds.iter().copied().flatten().collect();
        (!figures.is_empty()).then(|| median(&mut figures))
    }

    fn rounds(&self, row: &'static str, peer: &str) -> Option<&[Option<f64>]> {
        let peer = COLUMNS.iter().find(|column| **column == peer)?;
        self.figures.get(&(row, *peer)).map(Vec::as_slice)
    }

    /// Whether each of these that can run the row's workload has a figure.
    pub fn has_all(&self, row: &'static str, among: fn(&str) -> bool) -> bool {
        let workload = all().find(|workload| workload.rows.iter().any(|known| known.name == row));
        let peers = workload.map_or(&[][..], |workload| workload.measure.peers);
        peers.iter().filter(|peer| among(peer)).all(|peer| self.of(row, peer).is_some())
    }

    /// The one of these with the best median.
    pub fn best(&self, row: &'static str, among: fn(&str) -> bool) -> Option<&'static str> {
        let better = direction(row);
        let figures = COLUMNS.iter().filter(|peer| among(peer));
        let figures = figures.filter_map(|peer| Some((*peer, self.of(row, peer)?)));
        let best = figures.min_by(|a, b| match better {
            Better::Less => a.1.total_cmp(&b.1),
            Better::More => b.1.total_cmp(&a.1),
        });
        best.map(|(peer, _)| peer)
    }

    /// How `one` stands to `other`: the median of the ratios of each round, less is better.
    pub fn ratio(&self, row: &'static str, one: &str, other: &str) -> Option<f64> {
        median_ratio(
            self.rounds(row, one)?,
            self.rounds(row, other)?,
            match direction(row) {
                Better::Less => |one, other| one / other,
                Better::More => |one, other| other / one,
            },
        )
    }

    /// How lone stands in `row` to itself in `other`: the median of the ratios of each round.
    pub fn growth(&self, row: &'static str, other: &'static str) -> Option<f64> {
        median_ratio(self.rounds(row, "lone")?, self.rounds(other, "lone")?, |one, other| {
            one / other
        })
    }
}

/// The median over those rounds that have both.
fn median_ratio(
    ones: &[Option<f64>],
    others: &[Option<f64>],
    ratio: impl Fn(f64, f64) -> f64,
) -> Option<f64> {
    let pairs = ones.iter().zip(others).filter_map(|(one, other)| (*one).zip(*other));
    let ratios = pairs.map(|(one, other)| ratio(one, other)).filter(|ratio| ratio.is_finite());
    let mut ratios: Vec<f64> = ratios.collect();
    (!ratios.is_empty()).then(|| median(&mut ratios))
}

fn direction(row: &'static str) -> Better {
    let mut rows = all().flat_map(|workload| workload.rows);
    rows.find(|candidate| candidate.name == row).map_or(Better::Less, |row| row.better)
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::figures::Figures;
    use crate::peers::is_real_peer;
    use crate::registry::all;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_and_the_best_is_a_runtime() {
        let workload = all().find(|workload| workload.name == "spawn1").expect("it is there");
        let mut results = Results::default();
        let rounds = [(1.0, 4.0, 9.0), (2.0, 4.0, 8.0), (9.0, 10.0, 20.0)];
        for (lone, tokio, smol) in rounds {
            results.add(workload, "lone", Some(&Figures::one("ns", lone)));
            results.add(workload, "tokio_lrt", Some(&Figures::one("ns", tokio)));
            results.add(workload, "smol", Some(&Figures::one("ns", smol)));
            results.add(workload, "floor", Some(&Figures::one("ns", 0.1)));
        }
        assert_eq!(results.of("spawn1", "lone"), Some(2.0));
        assert_eq!(results.best("spawn1", is_real_peer), Some("tokio_lrt"));
        assert_eq!(results.ratio("spawn1", "lone", "tokio_lrt"), Some(0.5));
    }

    #[test]
    fn a_round_that_failed_is_in_no_ratio() {
        let workload = all().find(|workload| workload.name == "spawn1").expect("it is there");
        let mut results = Results::default();
        for tokio in [None, Some(Figures::one("ns", 10.0))] {
            results.add(workload, "lone", Some(&Figures::one("ns", 5.0)));
            results.add(workload, "tokio_lrt", tokio.as_ref());
        }
        assert_eq!(results.ratio("spawn1", "lone", "tokio_lrt"), Some(0.5));
        assert_eq!(results.ratio("spawn1", "lone", "smol"), None);
    }
}
