//! Measures lone beside other runtimes.
#![expect(clippy::print_stdout, reason = "it tells what it has measured")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", workload, peer] => {
            let Err(error) = lone_benches::net::serve(workload, peer);
            eprintln!("{workload} {peer}: {error}");
            ExitCode::FAILURE
        }
        ["limits", rounds, ref names @ ..] => limits(rounds.parse().unwrap_or(25), names),
        ["duel", workload, one, other, rounds] => {
            match lone_benches::net::duel(workload, [one, other], rounds.parse().unwrap_or(15)) {
                Ok(metrics) => {
                    for (name, value) in metrics {
                        print!("{name} {value:.4} ");
                    }
                    println!();
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("{workload} {one} {other}: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        ["measure", workload, peer] => match lone_benches::net::measure(workload, peer) {
            Some(Ok(metrics)) => {
                for (name, value) in metrics {
                    print!("{name} {value:.4} ");
                }
                println!();
                ExitCode::SUCCESS
            }
            Some(Err(error)) => {
                eprintln!("{workload} {peer}: {error}");
                ExitCode::FAILURE
            }
            None => ExitCode::from(2),
        },
        _ => ExitCode::from(2),
    }
}

/// Judges the limits of these workloads, or all.
fn limits(rounds: usize, names: &[&str]) -> ExitCode {
    let mut all_kept = true;
    println!(
        "{:<16} {:>10} {:>10} {:>7} {:>7}  beside",
        "workload", "lone", "other", "ratio", "limit"
    );
    for limit in lone_benches::net::LIMITS {
        if !names.is_empty() && !names.contains(&limit.workload) {
            continue;
        }
        match limit.judge(rounds) {
            Ok(verdict) => {
                let [lone, other] = verdict.figures;
                let missed = if verdict.kept { "" } else { "  MISSED" };
                println!(
                    "{:<16} {lone:>10.2} {other:>10.2} {:>7.3} {:>7.2}  {}{missed}",
                    limit.workload, verdict.ratio, limit.ratio, verdict.beside
                );
                all_kept &= verdict.kept;
            }
            Err(error) => {
                println!("{:<16} {error}", limit.workload);
                all_kept = false;
            }
        }
    }
    if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
