//! How is a table of results laid out? As Markdown, with columns padded so that a terminal shows it too.

use crate::peers::{COLUMNS, is_real_peer};
use crate::results::Results;
use crate::targets::{Judged, judge};

/// All rows that were measured.
pub fn table(results: &Results) -> String {
    let peers: Vec<_> = COLUMNS.into_iter().filter(|peer| *peer != "lone").collect();
    let shown: Vec<_> = peers.into_iter().filter(|peer| is_measured(results, peer)).collect();
    let mut head = ["workload", "unit", "lone", "best peer", "ratio"].map(str::to_owned).to_vec();
    head.extend(["by hand", "limit", "verdict"].map(str::to_owned));
    head.extend(shown.iter().map(|peer| (*peer).to_owned()));
    let mut lines = vec![head];
    for (_, row) in results.rows() {
        let best = results.best(row.name, is_real_peer);
        let ratio = best.and_then(|best| results.ratio(row.name, "lone", best));
        let verdicts = judge(row.name, results);
        let limits: Vec<_> = verdicts.iter().map(|judged| judged.limit.clone()).collect();
        let words: Vec<_> = verdicts.iter().map(Judged::verdict).collect();
        let mut line = vec![
            row.name.to_owned(),
            row.unit.to_owned(),
            figure(results.of(row.name, "lone")),
            best.unwrap_or("-").to_owned(),
            as_ratio(ratio),
            as_ratio(by_hand(results, row.name)),
            limits.join("; "),
            words.join("; "),
        ];
        line.extend(shown.iter().map(|peer| figure(results.of(row.name, peer))));
        lines.push(line);
    }
    layout(&lines)
}

/// lone's ratio to what is written by hand, without a runtime.
fn by_hand(results: &Results, row: &'static str) -> Option<f64> {
    ["floor", "raw_mio"].into_iter().find_map(|limit| results.ratio(row, "lone", limit))
}

fn as_ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn is_measured(results: &Results, peer: &str) -> bool {
    results.rows().any(|(_, row)| results.of(row.name, peer).is_some())
}

/// Three digits that count.
pub fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn layout(lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if index == 0 {
            let rule = widths.iter().map(|width| "-".repeat(*width));
            text.push_str(&format!("| {} |\n", rule.collect::<Vec<_>>().join(" | ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{figure, table};
    use crate::figures::Figures;
    use crate::registry::all;
    use crate::results::Results;

    #[test]
    fn a_row_says_who_is_best_and_whether_the_limit_is_met() {
        let workload = all().find(|workload| workload.name == "spawn10k").expect("it is there");
        let mut results = Results::default();
        let mut add = |lone: f64| {
            for peer in workload.measure.peers {
                let ns = match *peer {
                    "lone" => lone,
                    "tokio_lrt" => 100.0,
                    "floor" => 50.0,
                    _ => 200.0,
                };
                results.add(workload, peer, Some(&Figures::one("ns", ns)));
            }
            table(&results)
        };
        let (met, missed) = (add(41.0), add(80.0));
        let row = met.lines().last().expect("it has a row");
        assert!(row.contains("tokio_lrt") && row.contains("met 0.41"), "{row}");
        assert!(row.contains(" 0.82 "), "{row}");
        assert!(missed.contains("missed 0.6"), "{missed}");
    }

    #[test]
    fn a_figure_has_three_digits() {
        let shown = [Some(1234.5), Some(12.345), Some(1.2345), None].map(figure);
        assert_eq!(shown, ["1234", "12.3", "1.23", "-"]);
    }
}
