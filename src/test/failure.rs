//! What has gone wrong, in which order, and how is that order had again?

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use lone_executor::Deadlock;
use lone_executor::trace::{Await, Who};

use super::schedule::Schedule;
use super::walk::{LeftAs, Polled};

/// How many lines of an interleaving a report shows at its beginning, and at its end.
const LINES: (usize, usize) = (20, 40);

/// An order of ready tasks in which a program fails.
///
/// Its `Display` is the report: what failed, the interleaving, and what to write to have it again.
#[derive(Debug)]
pub struct Failure {
    pub(super) why: Why,
    pub(super) schedules: usize,
    pub(super) polled: Vec<Polled>,
    pub(super) schedule: Schedule,
    pub(super) panics: Vec<String>,
    pub(super) site: &'static Location<'static>,
}

/// What has gone wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Why {
    /// The program itself panicked, with this message.
    Panicked(String),
    /// The program itself returned this error.
    Returned(String),
    /// A task panicked, and nobody has read that: see [`Failure::panics`].
    TaskPanicked,
    /// Everybody waits, and nobody can wake anybody.
    Deadlock(Box<Deadlock>),
    /// Everybody waited, and somebody went on when it was polled without a wake: a future that has
    /// not kept the waker of its last poll, or somebody who has not woken it.
    LostWake,
    /// It has not ended within so many turns: a livelock, or a program that takes longer.
    Endless(usize),
    /// The program did something else than before in the same order: it depends on more than that.
    Diverged(String),
}

/// One poll of an interleaving, or several of the same task in a row with the same end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Who: main, or a task, as in ``Task-1 `alice` ``.
    pub who: String,
    /// How that has left it: "ends", "gives way", or what it waits for, and on which line.
    pub left: String,
    /// How often in a row.
    pub times: usize,
}

impl Failure {
    /// What has gone wrong.
    #[must_use]
    pub fn why(&self) -> &Why {
        &self.why
    }

    /// How many schedules have been tried, this one included.
    #[must_use]
    pub fn schedules(&self) -> usize {
        self.schedules
    }

    /// The schedule as a short text, for [`Explore::replay`](super::Explore::replay).
    #[must_use]
    pub fn schedule(&self) -> String {
        self.schedule.to_string()
    }

    /// The panics of tasks that nobody has read: whose, and the message.
    #[must_use]
    pub fn panics(&self) -> &[String] {
        &self.panics
    }

    /// Who was polled, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let mut names = HashMap::new();
        for polled in &self.polled {
            names.entry(polled.who).or_insert_with(|| polled.to_string());
        }
        let mut steps: Vec<Step> = Vec::new();
        for polled in &self.polled {
            let (who, left) = (polled.to_string(), polled.left.tell(&names));
            let step = Step { who, left, times: 1 };
            match steps.last_mut() {
                Some(last) if last.who == step.who && last.left == step.left => last.times += 1,
                _ => steps.push(step),
            }
        }
        steps
    }

    fn interleaving(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps();
        let width = steps.iter().map(|step| step.who.chars().count()).max().unwrap_or(0);
        let hidden = LINES.0..steps.len().saturating_sub(LINES.1).max(LINES.0);
        let mut next = 1;
        for (n, step) in steps.iter().enumerate() {
            let poll = next;
            next += step.times;
            if hidden.contains(&n) {
                if n == hidden.start {
                    write!(f, "\n        … {} lines …", hidden.len())?;
                }
                continue;
            }
            let times =
                if step.times > 1 { format!(" ({} times)", step.times) } else { String::new() };
            let Step { who, left, .. } = step;
            let line = format!("{poll:>6}  {who:width$}  {left}{times}");
            write!(f, "\n{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.who, &self.name) {
            (Who::Task(id), Some(name)) => write!(f, "{id} `{name}`"),
            (who, _) => who.fmt(f),
        }
    }
}

impl LeftAs {
    /// With the names that tasks were polled under.
    fn tell(&self, names: &HashMap<Who, String>) -> String {
        let awaits = match self {
            LeftAs::Unknown => return String::new(),
            LeftAs::Panicked => return "panics".to_owned(),
            LeftAs::Ended => return "ends".to_owned(),
            LeftAs::Ready => return "gives way".to_owned(),
            LeftAs::Waiting(awaits) => awaits,
        };
        if awaits.is_empty() {
            return "awaits a future that is not lone's".to_owned();
        }
        let tell = |Await { on, task, site, .. }: &Await| match task {
            None => format!("{on} at {site}"),
            Some(task) => match names.get(&Who::Task(*task)) {
                Some(name) => format!("{on} {name}"),
                None => format!("{on} {task}"),
            },
        };
        format!("awaits {}", awaits.iter().map(tell).collect::<Vec<_>>().join(", and "))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Panicked(message) => write!(f, "main panicked: {message}"),
            Why::Returned(error) => write!(f, "main returned Err: {error}"),
            Why::TaskPanicked => f.write_str("a task panicked, and nobody has joined it"),
            Why::Deadlock(deadlock) => deadlock.fmt(f),
            Why::LostWake => f.write_str(
                "a wake was lost: everybody waited, but somebody could go on when it was polled",
            ),
            Why::Endless(turns) => write!(
                f,
                "it has not ended after {turns} turns: a livelock, or Explore::turns has to be more"
            ),
            Why::Diverged(how) => write!(
                f,
                "the program is not the same in the same order: {how}. It has to be a function of \
                 the order of its tasks alone: no real time, threads, sockets, random numbers or \
                 order of a HashMap, and nothing left over from an earlier run"
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { why, schedules, schedule, site, .. } = self;
        write!(f, "{why}")?;
        for panic in &self.panics {
            write!(f, "\n  {panic}")?;
        }
        match schedules {
            1 => f.write_str("\nIn the first schedule that was tried")?,
            n => write!(f, "\nIn schedule {n}, after {} that went well", n - 1)?,
        }
        f.write_str("; poll by poll:")?;
        self.interleaving(f)?;
        write!(
            f,
            "\nTo have this one alone: Explore::new().replay(\"{schedule}\") at {site}, or \
             LONE_SCHEDULE={schedule} in the environment of this test alone"
        )
    }
}

impl std::error::Error for Failure {}
