//! Who waits for what, when nobody can be woken any more? The report of a deadlock.

use std::fmt;
use std::panic::Location;

use crate::awaits::Await;
use crate::task_id::{TaskId, TaskName};

/// Everybody who waits in a loop in which nothing can happen any more.
///
/// It is certain: nobody is ready, no timer is set, no task waits for a descriptor, no
/// [`Remote`](crate::Remote) is left, and nobody outside of lone holds a clone of a waker.
///
/// # Examples
///
/// ```
/// let ran = lone::try_run(async {
///     let endless = lone::spawn(std::future::pending::<()>()).named("endless");
///     endless.await.expect("it neither panics nor is cancelled");
/// });
/// let Err(lone::RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
/// assert_eq!(report.waiting().len(), 2);
/// assert!(report.to_string().contains("main awaits the end of Task-1 `endless`"));
/// ```
#[derive(Clone, Debug)]
pub struct Deadlock {
    waiting: Vec<Waiting>,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// Which task; `None`: main.
    pub task: Option<TaskId>,
    /// Its name, where it has been given one.
    pub name: Option<TaskName>,
    /// Where it was spawned.
    pub spawned: Option<&'static Location<'static>>,
    /// What it waits for. Nothing: a future that is not lone's.
    pub awaits: Vec<Await>,
}

impl Deadlock {
    pub(crate) fn new(waiting: Vec<Waiting>) -> Deadlock {
        Deadlock { waiting }
    }

    /// Main, if it waits, and then the tasks in the order of their numbers.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// The first cycle of tasks that await one another's ends, if there is one.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<TaskId>> {
        // Depth first: each is entered once, and each of its awaits looked at once.
        let mut entered = vec![false; self.waiting.len()];
        let mut place_on_path = vec![None; self.waiting.len()];
        for start in 0..self.waiting.len() {
            let mut path: Vec<(usize, std::slice::Iter<'_, Await>)> = Vec::new();
            let mut next = (!entered[start]).then_some(start);
            loop {
                if let Some(who) = next.take() {
                    entered[who] = true;
                    place_on_path[who] = Some(path.len());
                    path.push((who, self.waiting[who].awaits.iter()));
                }
                let Some((who, awaits)) = path.last_mut() else { break };
                let Some(awaited) = awaits.next() else {
                    place_on_path[*who] = None;
                    path.pop();
                    continue;
                };
                let Some(to) = awaited.task.and_then(|task| self.find(task)) else { continue };
                if let Some(place) = place_on_path[to] {
                    return path[place..].iter().map(|(who, _)| self.waiting[*who].task).collect();
                }
                next = (!entered[to]).then_some(to);
            }
        }
        None
    }

    /// Where a task stands in the list, which is in order.
    fn find(&self, task: TaskId) -> Option<usize> {
        self.waiting.binary_search_by_key(&Some(task), |waiting| waiting.task).ok()
    }

    fn name(&self, task: TaskId) -> String {
        match self.find(task).and_then(|at| self.waiting[at].name.as_ref()) {
            Some(name) => format!("{task} `{name}`"),
            None => task.to_string(),
        }
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: everybody waits, and nothing can wake anybody")?;
        for waiting in &self.waiting {
            match waiting.task {
                None => f.write_str("\n  main")?,
                Some(task) => write!(f, "\n  {}", self.name(task))?,
            }
            if let Some(spawned) = waiting.spawned {
                write!(f, ", spawned at {spawned},")?;
            }
            f.write_str(" awaits ")?;
            if waiting.awaits.is_empty() {
                f.write_str("a future that is not lone's")?;
            }
            for (n, Await { on, task, site }) in waiting.awaits.iter().enumerate() {
                let and = if n == 0 { "" } else { ", and " };
                match task {
                    None => write!(f, "{and}{on} at {site}")?,
                    Some(task) => write!(f, "{and}{on} {}", self.name(*task))?,
                }
            }
        }
        if let Some(cycle) = self.cycle() {
            let names: Vec<String> = cycle.iter().map(|task| self.name(*task)).collect();
            write!(f, "\n  in a cycle: {} → {}", names.join(" → "), names[0])?;
        }
        Ok(())
    }
}
