//! What is left of a run: `REPORT.md` and `plots/`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::compare::Options;
use crate::plots;
use crate::results::Results;
use crate::table::table;
use crate::targets::{Judged, judge};

/// Writes both beside the sources of this member.
///
/// # Errors
/// What the file system says.
pub fn write(results: &Results, options: &Options) -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plots = plots::draw(results, &here.join("plots")).map_err(io::Error::other)?;
    fs::write(here.join("REPORT.md"), text(results, options, &plots))
}

fn text(results: &Results, options: &Options, plots: &[String]) -> String {
    let mut text =
        String::from("# Report\n\nWritten by `compare`; `README.md` says what each column is.\n\n");
    let effort = if options.quick { ", quick" } else { "" };
    text += &format!(
        "{} rounds{effort}; {} cores, {}, {}.\n\n",
        options.rounds(),
        std::thread::available_parallelism().map_or(0, usize::from),
        kernel(),
        compiler(),
    );
    text += &format!("{} Each verdict is followed by the ratio it is about.\n\n", summary(results));
    text += &table(results);
    for failure in &results.failures {
        text += &format!("\nFailed: {failure}\n");
    }
    for plot in plots {
        text += &format!("\n![{plot}](plots/{plot})\n");
    }
    text
}

/// How many limits are met; which are missed, and which could not be judged.
pub fn summary(results: &Results) -> String {
    let verdicts = results.rows().flat_map(|(_, row)| judge(row.name, results));
    let (mut met, mut missed, mut unjudged) = (0, Vec::new(), Vec::new());
    for judged in verdicts {
        let Judged { row, limit, .. } = &judged;
        match judged.is_met {
            Some(true) => met += 1,
            Some(false) => {
                missed.push(format!("{row} {:.2} ({limit})", judged.ratio.unwrap_or(f64::NAN)))
            }
            None => unjudged.push(format!("{row} ({limit})")),
        }
    }
    let list = |what: &str, which: Vec<String>| match which.len() {
        0 => format!("none {what}"),
        count => format!("{count} {what}: {}", which.join(", ")),
    };
    format!("Limits: {met} met; {}; {}.", list("missed", missed), list("not judged", unjudged))
}

fn kernel() -> String {
    let name = rustix::system::uname();
    format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy())
}

fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output();
    said.ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or("rustc unknown".to_owned(), |version| version.trim().to_owned())
}
