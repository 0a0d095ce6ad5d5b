//! The command line of the benches: see `README.md`.

use std::env;
use std::process::ExitCode;

use lone_benches::allocator::Counting;
use lone_benches::compare::{self, Options};
use lone_benches::measure::Effort;
use lone_benches::registry::all;
use lone_benches::{report, table};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "\
compare [workload…] [--rounds N] [--peers a,b] [--quick] [--report]
    measures the peers in turns and prints a table; over all workloads, or with --report, writes
    REPORT.md and plots/ beside the sources, too
measure <workload> <peer> [--quick]
    one measurement: a line of figures
limits [workload…] [--quick]
    the limits of the network, which two servers in turn are judged by
duel <workload> <peer> <peer> [windows]
    two servers of the network part in turn
list
    the workloads and their peers";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((word, rest)) if word == "compare" => run_compare(rest),
        Some((word, rest)) if word == "measure" => run_measure(rest),
        #[cfg(feature = "peers")]
        Some((word, rest)) if word == "serve" => run_serve(rest),
        #[cfg(feature = "peers")]
        Some((word, rest)) if word == "limits" => run_limits(rest),
        #[cfg(feature = "peers")]
        Some((word, rest)) if word == "duel" => run_duel(rest),
        Some((word, _)) if word == "list" => {
            list();
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is this program's output")]
fn run_compare(words: &[String]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let results = compare::run(&options, |workload| eprintln!("… {workload}"));
    println!("{}", table::table(&results));
    for failure in &results.failures {
        println!("failed: {failure}");
    }
    println!("{}", report::summary(&results));
    if options.report || options.is_complete() {
        report::write(&results, &options).map_err(|error| format!("the report: {error}"))?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn run_measure(words: &[String]) -> Result<(), String> {
    let [workload, peer, rest @ ..] = words else { return Err(USAGE.to_owned()) };
    let effort = Effort { quick: rest.iter().any(|word| word == "--quick") };
    let found = all().find(|candidate| candidate.name == workload);
    let found = found.ok_or_else(|| format!("no workload {workload:?}"))?;
    let figures = (found.measure.run)(peer, effort);
    println!("{}", figures.ok_or_else(|| format!("{workload} does not run on {peer:?}"))?);
    Ok(())
}

/// What `measure` and `duel` start for a workload of the network: a server, until it is killed.
#[cfg(feature = "peers")]
fn run_serve(words: &[String]) -> Result<(), String> {
    let [workload, peer] = words else { return Err(USAGE.to_owned()) };
    let Err(error) = lone_benches::net::serve(workload, peer);
    Err(format!("{workload} by {peer}: {error}"))
}

#[cfg(feature = "peers")]
#[expect(clippy::print_stdout, reason = "the verdicts are this program's output")]
fn run_limits(words: &[String]) -> Result<(), String> {
    let effort = Effort { quick: words.iter().any(|word| word == "--quick") };
    let names = lone_benches::network::WORKLOADS.iter().map(|workload| workload.name);
    let is_known = |word: &&String| *word == "--quick" || names.clone().any(|name| name == **word);
    if let Some(unknown) = words.iter().find(|word| !is_known(word)) {
        return Err(format!("no workload {unknown:?} of the network\n{USAGE}"));
    }
    let wanted = |name: &&str| {
        words.iter().all(|word| word == "--quick") || words.iter().any(|word| word == name)
    };
    for name in names.filter(wanted) {
        let (judged, failures) = lone_benches::network::judge(name, effort);
        for judged in judged {
            println!("{name:<16} {:<32} {}", judged.limit, judged.verdict());
        }
        failures.iter().for_each(|failure| println!("failed: {failure}"));
    }
    Ok(())
}

#[cfg(feature = "peers")]
#[expect(clippy::print_stdout, reason = "the ratios are this program's output")]
fn run_duel(words: &[String]) -> Result<(), String> {
    let [workload, one, other, windows @ ..] = words else { return Err(USAGE.to_owned()) };
    let windows = windows.first().and_then(|count| count.parse().ok()).unwrap_or(25);
    let metrics = lone_benches::net::duel(workload, [one, other], windows);
    for (name, value) in metrics.map_err(|error| error.to_string())? {
        println!("{name} {value:.4}");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the list is this program's output")]
fn list() {
    for workload in all() {
        println!("{:<14} {}", workload.name, workload.measure.peers.join(" "));
    }
}
