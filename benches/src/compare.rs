//! How do the peers take turns?
//!
//! Workload by workload, round by round, peer by peer: so what is compared has been measured within seconds of
//! each other, and a busy neighbour moves all. Each round begins with another peer. Each measurement
//! is a child process, `measure <workload> <peer>`.

use std::env;
use std::process::Command;

use crate::figures::Figures;
#[cfg(feature = "peers")]
use crate::measure::Effort;
use crate::peers::COLUMNS;
#[cfg(feature = "peers")]
use crate::registry::Group;
use crate::registry::{Workload, all};
use crate::results::Results;

/// What to measure.
#[derive(Debug, Default)]
pub struct Options {
    /// By name; empty: all.
    pub workloads: Vec<String>,
    pub rounds: Option<usize>,
    /// By name; empty: all. lone is always there.
    pub peers: Vec<String>,
    pub quick: bool,
    pub report: bool,
}

impl Options {
    /// As `compare` takes them.
    ///
    /// # Errors
    /// A word that is none of them.
    pub fn parse(words: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--report" => options.report = true,
                "--rounds" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    options.rounds = Some(count.filter(|n| *n > 0).ok_or("--rounds N")?);
                }
                "--peers" => {
                    let list = words.next().ok_or("--peers a,b")?;
                    options.peers = list.split(',').map(str::to_owned).collect();
                    known(&options.peers, COLUMNS.iter().copied())?;
                }
                name => options.workloads.push(name.to_owned()),
            }
        }
        known(&options.workloads, all().map(|workload| workload.name))?;
        Ok(options)
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// Over all workloads and peers, and at length.
    pub fn is_complete(&self) -> bool {
        self.workloads.is_empty() && self.peers.is_empty() && !self.quick
    }

    fn wants_workload(&self, workload: &Workload) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| name == workload.name)
    }

    fn wants_peer(&self, peer: &str) -> bool {
        self.peers.is_empty() || peer == "lone" || self.peers.iter().any(|name| name == peer)
    }
}

fn known(words: &[String], mut names: impl Iterator<Item = &'static str>) -> Result<(), String> {
    let names: Vec<_> = names.by_ref().collect();
    match words.iter().find(|word| !names.contains(&word.as_str())) {
        Some(word) => Err(format!("{word:?} is none of: {}", names.join(" "))),
        None => Ok(()),
    }
}

/// Measures all that is wanted; tells `progress` each workload before it begins.
pub fn run(options: &Options, mut progress: impl FnMut(&str)) -> Results {
    let mut results = Results::default();
    for workload in all().filter(|workload| options.wants_workload(workload)) {
        progress(workload.name);
        let peers = workload.measure.peers.iter().copied();
        let peers: Vec<_> = peers.filter(|peer| options.wants_peer(peer)).collect();
        for round in 0..options.rounds() {
            let turns = (0..peers.len()).map(|turn| peers[(turn + round) % peers.len()]);
            for peer in turns {
                let measured = child(workload.name, peer, options.quick);
                results.add(workload, peer, measured.as_ref().ok());
                if let Err(message) = measured {
                    results.fail(format!("{} on {peer}: {message}", workload.name));
                }
            }
        }
        #[cfg(feature = "peers")]
        if workload.group == Group::Network && options.peers.is_empty() {
            judge_network(workload, options, &mut results);
        }
    }
    results
}

#[cfg(feature = "peers")]
fn judge_network(workload: &'static Workload, options: &Options, results: &mut Results) {
    let effort = Effort { quick: options.quick };
    // A duel puts its thread on one core, and stays there; whoever is measured after it would begin there, too.
    let duels = std::thread::spawn(move || crate::network::judge(workload.name, effort));
    match duels.join() {
        Ok((judged, failures)) => {
            results.judged.extend(judged);
            failures.into_iter().for_each(|failure| results.fail(failure));
        }
        Err(_) => results.fail(format!("the limits of {}: the duel panicked", workload.name)),
    }
}

/// One measurement in a process of its own.
fn child(workload: &str, peer: &str, quick: bool) -> Result<Figures, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["measure", workload, peer]);
    if quick {
        command.arg("--quick");
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures = printed.lines().last().unwrap_or_default().parse();
    match figures {
        Ok(figures) if output.status.success() => Ok(figures),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            Err(format!("{}: {}", output.status, last.unwrap_or("it said nothing")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_read_and_a_word_that_is_none_is_named() {
        let options =
            parse("spawn1 --rounds 3 --peers tokio_lrt,smol --quick").expect("they are right");
        assert_eq!(options.rounds(), 3);
        assert_eq!(options.workloads, ["spawn1"]);
        assert!(options.wants_peer("lone") && options.wants_peer("smol"));
        assert!(!options.wants_peer("compio") && !options.is_complete());
        let told = |line| parse(line).expect_err("a word of it is none");
        assert!(told("spawn1 --peers nobody").contains("nobody"));
        assert!(told("spawn2").contains("spawn2"));
        assert!(parse("--rounds 0").is_err());
    }
}
