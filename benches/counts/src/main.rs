//! How many instructions does each hot path take, and has that grown?
//!
//! ```text
//!   check ──► for each path:  valgrind --tool=callgrind  lone-counts run PATH  n    and  2 n
//!                             (the second − the first) / n  =  instructions a unit
//!                             beside expected.txt: more than 2 % above fails
//! ```
//!
//! ```text
//! cargo run --release -p lone-counts            the table, beside what is expected
//! cargo run --release -p lone-counts -- check   the same; fails where one has grown by more than 2 %
//! cargo run --release -p lone-counts -- write   takes what was counted as what is expected from now on
//! ```
//!
//! A path that has no expected count, or a file that is not there, fails a check too: it would hold nothing.
//!
//! Instructions do not depend on the neighbours, as time does: the same program has the same count, on
//! a busy machine too. They do depend on the compiler; so `expected.txt` names the one that it was written
//! with, and `check` lets another one pass, and says so.
//!
//! Twice as many units less the units themselves: so the start and the end of the program do not count.

mod network;
mod paths;

use std::fs;
use std::process::{Command, ExitCode};

use paths::{PATHS, Path};

/// By how much a path may grow.
const TOLERANCE: f64 = 0.02;

const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/expected.txt");

/// Why there is no count.
type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => report(None).map(|_grown| true),
        ["check"] => report(None).map(|grown| grown == 0),
        ["write"] => report(Some(EXPECTED)).map(|_grown| true),
        ["run", name, units] => run(name, units).map(|()| true),
        _ => Err("usage: lone-counts [check | write]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lone-counts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, units: &str) -> Result<(), Failed> {
    let path = PATHS.iter().find(|path| path.name == name).ok_or("there is no such path")?;
    (path.run)(units.parse()?);
    Ok(())
}

/// Prints what was counted beside what is expected. Returns how many have grown too much.
#[expect(clippy::print_stdout, reason = "the table is this program's output")]
fn report(write_to: Option<&str>) -> Result<usize, Failed> {
    let compiler = compiler()?;
    let expected = Expected::read()?;
    let is_same = expected.compiler == compiler;
    if !is_same {
        println!("expected.txt was written with {}, and this is {compiler}:", expected.compiler);
        println!("its counts are shown, and none is held against them\n");
    }
    println!("{:<16} {:>12} {:>10} {:>8}", "path", "instructions", "expected", "");
    let (mut grown, mut text) = (0, format!("{compiler}\n"));
    for path in &PATHS {
        let counted = count(path)?;
        let before = expected.of(path.name);
        let growth = before.map_or(0.0, |before| counted / before - 1.0);
        let is_grown = is_same && growth > TOLERANCE;
        grown += usize::from(is_grown || before.is_none());
        let note = match before {
            None => "  is not expected",
            Some(_) if is_grown => "  has grown",
            Some(_) => "",
        };
        let before = before.map_or("-".to_owned(), |before| format!("{before:.1}"));
        println!("{:<16} {counted:>12.1} {before:>10} {:>+7.1}%{note}", path.name, growth * 100.0);
        text.push_str(&format!("{} {counted:.1}\n", path.name));
    }
    if let Some(file) = write_to {
        fs::write(file, text)?;
    }
    Ok(grown)
}

/// Instructions a unit.
fn count(path: &Path) -> Result<f64, Failed> {
    let (once, twice) = (collect(path, path.units)?, collect(path, 2 * path.units)?);
    Ok((twice as f64 - once as f64) / path.units as f64)
}

/// Instructions of the whole program.
fn collect(path: &Path, units: usize) -> Result<u64, Failed> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", path.name, &units.to_string()])
        .output()
        .map_err(|error| format!("cannot start valgrind, which has to be installed: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} has failed:\n{said}", path.name).into());
    }
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.ok_or("valgrind does not say how many it has collected")?;
    Ok(count.trim().parse()?)
}

/// The compiler by its version: "rustc 1.95.0".
fn compiler() -> Result<String, Failed> {
    let output = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(output.stdout)?;
    Ok(version.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

/// What was counted when the file was written.
struct Expected {
    compiler: String,
    counts: Vec<(String, f64)>,
}

impl Expected {
    fn read() -> Result<Expected, Failed> {
        // None at all: nothing is expected, which fails a check and no other call.
        let text = fs::read_to_string(EXPECTED).unwrap_or_else(|_| "nobody\n".to_owned());
        let mut lines = text.lines();
        let compiler = lines.next().ok_or("expected.txt is empty")?.to_owned();
        let counts = lines.map(|line| {
            let (name, count) = line.split_once(' ').ok_or("a line has a name and a count")?;
            Ok((name.to_owned(), count.parse()?))
        });
        Ok(Expected { compiler, counts: counts.collect::<Result<_, Failed>>()? })
    }

    fn of(&self, name: &str) -> Option<f64> {
        self.counts.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
    }
}
