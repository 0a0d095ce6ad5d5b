//! What is left of a run: `REPORT.md` and `plots/`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::compare::Options;
use crate::plots;
use crate::results::Results;
use crate::table::table;
use crate::targets::judge;

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
    let (met, all) = score(results);
    let missing = unjudged(results);
    text += &format!(
        "Limits met: {met} of {all}. Each verdict is followed by the ratio it is about. Limits that could \
         not be judged, for there is no figure: {missing}.\n\n"
    );
    text += &table(results);
    for failure in &results.failures {
        text += &format!("\nFailed: {failure}\n");
    }
    for plot in plots {
        text += &format!("\n![{plot}](plots/{plot})\n");
    }
    text
}

/// How many limits are met, of those that could be judged.
pub fn score(results: &Results) -> (usize, usize) {
    let verdicts = results.rows().flat_map(|(_, row)| judge(row.name, results));
    let judged: Vec<bool> = verdicts.filter_map(|verdict| verdict.is_met).collect();
    (judged.iter().filter(|met| **met).count(), judged.len())
}

/// How many limits have no figure to be judged by.
pub fn unjudged(results: &Results) -> usize {
    let verdicts = results.rows().flat_map(|(_, row)| judge(row.name, results));
    verdicts.filter(|verdict| verdict.is_met.is_none()).count()
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
