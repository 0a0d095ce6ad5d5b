//! The tour: every lecture program, one after the other, and a table of what each has shown.
//!
//! Run it: `cargo run --example tour`. It takes about eight seconds; the exit code is 1 if a program
//! did not show what it was to show. The limits are those of a busy machine: never too early, and
//! late by less than what would make another result of it.
#![expect(clippy::print_stdout, reason = "the tour is what it prints")]

#[path = "lecture_21_tasks.rs"]
pub mod lecture_21_tasks;
#[path = "lecture_24_1_semaphore.rs"]
pub mod lecture_24_1_semaphore;
#[path = "lecture_24_2_race.rs"]
pub mod lecture_24_2_race;
#[path = "lecture_24_3_retry.rs"]
pub mod lecture_24_3_retry;
#[path = "lecture_24_4_queue.rs"]
pub mod lecture_24_4_queue;
#[path = "lecture_35_ingest.rs"]
pub mod lecture_35_ingest;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Duration;

/// A stop of the tour.
struct Stop {
    program: &'static str,
    /// What it is to show.
    shows: &'static str,
    /// Runs it; says what it measured, and whether that is what it was to show.
    run: fn() -> (String, bool),
}

const STOPS: [Stop; 6] = [
    Stop {
        program: "lecture_21_tasks",
        shows: "three sleeps take the longest, 1.0 s; cancel cleans up",
        run: tasks,
    },
    Stop {
        program: "lecture_24_1_semaphore",
        shows: "9 sessions of 0.3 s, 3 at a time: 0.9 s",
        run: semaphore,
    },
    Stop {
        program: "lecture_24_2_race",
        shows: "the fastest of 3 wins at 0.1 s; the losers have ended",
        run: race,
    },
    Stop {
        program: "lecture_24_3_retry",
        shows: "3 attempts of 0.5 s, for 3 callers at once: 1.5 s",
        run: retry,
    },
    Stop {
        program: "lecture_24_4_queue",
        shows: "10 items used; a sentinel is left over, by shutdown none",
        run: queue,
    },
    Stop {
        program: "lecture_35_ingest",
        shows: "a cycle of 100 ms, for 10 and for 10,000 sensors",
        run: ingest,
    },
];

/// Whether `took` is `millis`, or late by less than half of that, or by less than 300 ms.
fn is_about(took: Duration, millis: u64) -> bool {
    let least = Duration::from_millis(millis);
    least <= took && took < least + (least / 2).max(Duration::from_millis(300))
}

fn secs(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn tasks() -> (String, bool) {
    let it = lone::run(lecture_21_tasks::program());
    let measured = format!(
        "{} for {}; {} done, {} pending; {}",
        secs(it.gathered),
        it.results.join(" "),
        it.done.len(),
        it.pending.len(),
        if it.cleaned_up { "cleaned up" } else { "not cleaned up" },
    );
    let in_order = it.results == ["A", "B", "C"] && it.ended == ["B", "C", "A"];
    let background = !it.spawn_ran_it && (2..=4).contains(&it.beats);
    let waited = is_about(it.waited, 500) && it.done == ["D", "E"] && it.pending == ["slow"];
    let cancelled = !it.cancel_ran_guard && it.cleaned_up;
    let ok = is_about(it.gathered, 1000) && in_order && background && waited && cancelled;
    (measured, ok)
}

fn semaphore() -> (String, bool) {
    let it = lone::run(lecture_24_1_semaphore::program());
    let measured = format!("{}, at most {} inside", secs(it.took), it.most_inside);
    (measured, is_about(it.took, 900) && it.most_inside == 3)
}

fn race() -> (String, bool) {
    let it = lone::run(lecture_24_2_race::program());
    let measured = format!(
        "{} won at {}; given up {}, {}",
        it.winner,
        secs(it.won_after),
        it.given_up_by_cancel.join(" "),
        it.given_up_by_race.join(" "),
    );
    let losers = ["eu", "asia"];
    let by_tasks = it.winner == "us" && it.given_up_by_cancel == losers;
    let by_race = it.race_winner == "us" && it.given_up_by_race == losers;
    let in_time = is_about(it.drained_after, 100) && is_about(it.race_took, 100);
    (measured, by_tasks && by_race && in_time)
}

fn retry() -> (String, bool) {
    let it = lone::run(lecture_24_3_retry::program());
    let calls: Vec<_> = it.calls.iter().map(|call| (call.attempts, call.answered)).collect();
    let attempts: Vec<_> = it.calls.iter().map(|call| call.attempts.to_string()).collect();
    let measured = format!("{}; attempts {}", secs(it.took), attempts.join(" "));
    let as_planned = calls == [(1, true), (3, true), (3, false)];
    (measured, is_about(it.took, 1500) && as_planned)
}

fn queue() -> (String, bool) {
    let it = lone::run(lecture_24_4_queue::program());
    let counts = |way: &lecture_24_4_queue::Way| {
        let all: usize = way.used.iter().map(Vec::len).sum();
        (all, way.left)
    };
    let (sentinel, shutdown) = (counts(&it.sentinel), counts(&it.shutdown));
    let measured = format!(
        "{}, {} used, {} left; {}, {} used, {} left",
        secs(it.sentinel.took),
        sentinel.0,
        sentinel.1,
        secs(it.shutdown.took),
        shutdown.0,
        shutdown.1
    );
    let in_time = is_about(it.sentinel.took, 580) && is_about(it.shutdown.took, 580);
    (measured, in_time && sentinel == (10, 1) && shutdown == (10, 0))
}

fn ingest() -> (String, bool) {
    let it = lone::run(lecture_35_ingest::program());
    let mut ok = true;
    let mut slowest = Vec::new();
    for run in &it.runs {
        ok &= run.processed == run.sensors * run.cycles.len();
        ok &= run.cycles.iter().all(|cycle| is_about(*cycle, 100));
        let cycle = run.cycles.iter().max().copied().unwrap_or_default();
        slowest.push(format!("{}: {:.0} ms", run.sensors, cycle.as_secs_f64() * 1e3));
    }
    (slowest.join(", "), ok)
}

fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let mut rows = vec![["program", "was to show", "measured", "ok?"].map(str::to_string)];
    let mut all_ok = true;
    for Stop { program, shows, run } in STOPS {
        println!("\n═══ {program}: {shows}\n");
        let (measured, ok) =
            catch_unwind(run).unwrap_or_else(|_panic| ("it panicked".to_string(), false));
        all_ok &= ok;
        let verdict = if ok { "ok" } else { "NO" };
        rows.push([program, shows, &measured, verdict].map(str::to_string));
    }
    println!("\n{}", table(&rows));
    if all_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows below each other, each column as wide as its widest cell; the first row is the head.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut lines = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_string());
        if n == 0 {
            lines.push(widths.map(|width| "─".repeat(width)).join("  "));
        }
    }
    lines.join("\n")
}
