//! Who is there, and what does each of them wait for? The list that every report is made of.
//!
//! ```text
//!   ask (core/ask.rs) ──► Everybody ─┬─► Deadlock   nothing can wake anybody
//!                                    ├─► Stalled    only code that is not lone's can
//!                                    └─► Snapshot   somebody wants to know
//!
//!   Task-1 ── awaits the end of ──► Task-2        an edge: whoever has ended would let him go on
//!     ▲                               │
//!     └─── who holds it ◄── awaits a lock         another; a cycle may go along both
//! ```
//!
//! Invariants:
//! - **In order**: main, if there is one, and then the tasks by their numbers.
//! - **Each edge once**: a walk enters each of them once and looks at each await once, with a stack of
//!   its own; so neither a cycle nor a long chain does harm.

use std::fmt;
use std::panic::Location;

use crate::awaits::Await;
use crate::snapshot;
use crate::task_id::{TaskId, TaskName};

/// Somebody in a report: main or a task, and what it waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// Which task; `None`: main.
    pub task: Option<TaskId>,
    /// Its name, where it has been given one.
    pub name: Option<TaskName>,
    /// Where it was spawned.
    pub spawned: Option<&'static Location<'static>>,
    /// Whether a cancel has been asked for.
    pub cancelled: bool,
    /// Whether it waits for its turn only. In the report of a deadlock nobody is.
    pub ready: bool,
    /// What it waits for. Nothing, and not ready: a future that is not lone's.
    pub awaits: Vec<Await>,
}

/// Main, if there is one, and the tasks in the order of their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Everybody(Vec<Waiting>);

impl Everybody {
    pub(crate) fn new(list: Vec<Waiting>) -> Everybody {
        debug_assert!(list.is_sorted_by_key(|waiting| waiting.task), "main, then by number");
        Everybody(list)
    }

    pub(crate) fn list(&self) -> &[Waiting] {
        &self.0
    }

    /// Where somebody stands in the list.
    pub(crate) fn find(&self, who: Option<TaskId>) -> Option<usize> {
        self.0.binary_search_by_key(&who, |waiting| waiting.task).ok()
    }

    /// Where he stands in the list who would end what is awaited: the task itself, or who holds it.
    pub(crate) fn would_let_go(&self, awaited: &Await) -> Option<usize> {
        let by = awaited.holder.and_then(|holder| holder.who.root());
        self.find(awaited.task.map(Some).or(by)?)
    }

    /// The first cycle of those who await one another, if there is one.
    pub(crate) fn cycle(&self) -> Option<Vec<&Waiting>> {
        // Depth first: each is entered once, and each of its awaits looked at once.
        let mut entered = vec![false; self.0.len()];
        let mut place_on_path = vec![None; self.0.len()];
        for start in 0..self.0.len() {
            let mut path: Vec<(usize, std::slice::Iter<'_, Await>)> = Vec::new();
            let mut next = (!entered[start]).then_some(start);
            loop {
                if let Some(who) = next.take() {
                    entered[who] = true;
                    place_on_path[who] = Some(path.len());
                    path.push((who, self.0[who].awaits.iter()));
                }
                let Some((who, awaits)) = path.last_mut() else { break };
                let Some(awaited) = awaits.next() else {
                    place_on_path[*who] = None;
                    path.pop();
                    continue;
                };
                let Some(to) = self.would_let_go(awaited) else { continue };
                if let Some(place) = place_on_path[to] {
                    return Some(path[place..].iter().map(|(who, _)| &self.0[*who]).collect());
                }
                next = (!entered[to]).then_some(to);
            }
        }
        None
    }

    /// "main", or "Task-3 `crawler`".
    pub(crate) fn name(&self, who: Option<TaskId>) -> String {
        let Some(task) = who else { return "main".to_owned() };
        match self.find(who).and_then(|at| self.0[at].name.as_ref()) {
            Some(name) => format!("{task} `{name}`"),
            None => task.to_string(),
        }
    }

    /// "awaits a permit at src/main.rs:7:5, and the end of Task-3 `crawler`".
    pub(crate) fn write_awaits(&self, f: &mut dyn fmt::Write, of: &Waiting) -> fmt::Result {
        if of.awaits.is_empty() {
            let state = if of.ready { "is ready" } else { "awaits a future that is not lone's" };
            return f.write_str(state);
        }
        let mut before = "";
        for awaited in &of.awaits {
            let verb = if awaited.on == snapshot::ITSELF { "takes " } else { "awaits " };
            f.write_str(if before.is_empty() { "" } else { ", and " })?;
            f.write_str(if before == verb { "" } else { verb })?;
            before = verb;
            self.write_await(f, of.task, awaited)?;
        }
        Ok(())
    }

    /// "a lock at src/main.rs:9:5, held by Task-1 since src/main.rs:4:9".
    fn write_await(
        &self,
        f: &mut dyn fmt::Write,
        who: Option<TaskId>,
        what: &Await,
    ) -> fmt::Result {
        let Await { on, task, holder, site, child } = what;
        match task {
            None => write!(f, "{on} at {site}")?,
            Some(_) => write!(f, "{on} {}", self.name(*task))?,
        }
        if let Some(child) = child {
            write!(f, " in its child spawned at {child}")?;
        }
        let Some(holder) = holder else { return Ok(()) };
        let name = |by| if by == who { "itself".to_owned() } else { self.name(by) };
        holder.write(f, name)
    }

    /// A line for each of them, and one for the cycle that there is.
    pub(crate) fn write_all(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for waiting in &self.0 {
            write!(f, "\n  {}", self.name(waiting.task))?;
            if let Some(spawned) = waiting.spawned {
                write!(f, ", spawned at {spawned},")?;
            }
            f.write_str(" ")?;
            self.write_awaits(f, waiting)?;
        }
        self.write_cycle(f)
    }

    /// "Task-3 `crawler`, spawned at src/main.rs:7:5, is left as its loop shuts down, …".
    pub(crate) fn describe_left(&self, left: &Waiting) -> String {
        let spawned = left.spawned.map(|at| format!(", spawned at {at},")).unwrap_or_default();
        let name = self.name(left.task);
        let mut said = format!("{name}{spawned} is left as its loop shuts down: it ");
        // A string takes everything.
        let _ = self.write_awaits(&mut said, left);
        said
    }

    /// "in a cycle: Task-1 → Task-2 → Task-1", on a line of its own, if there is one.
    pub(crate) fn write_cycle(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cycle) = self.cycle() else { return Ok(()) };
        // Somebody who waits for several things may be let go on by another one of them.
        let certain = |waiting: &&Waiting| {
            waiting.awaits.iter().filter(|awaited| !awaited.is_combinator()).count() == 1
        };
        let perhaps = if cycle.iter().all(certain) { "" } else { "perhaps " };
        write!(f, "\n  {perhaps}in a cycle: ")?;
        for waiting in &cycle {
            write!(f, "{} → ", self.name(waiting.task))?;
        }
        f.write_str(&self.name(cycle[0].task))
    }
}
