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
