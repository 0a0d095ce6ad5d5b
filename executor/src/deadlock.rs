//! Who waits for what, and who has it, when nobody can be woken any more? The report of a deadlock.
//!
//! ```text
//!   Task-1 ── awaits the end of ──► Task-2        an edge: whoever has ended would let him go on
//!     ▲                               │
//!     └─── who holds it ◄── awaits a lock         another; a cycle may go along both
//! ```

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

    /// The first cycle of those who await one another, if there is one: each awaits the end of the
    /// next, or a lock that the next holds, and the last one the first.
    ///
    /// Main is in it only where it holds a lock. Somebody who waits for a lock of his own is a cycle
    /// by himself. Who awaits several things at once is in a cycle by any of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// let ran = lone::try_run(async {
    ///     let account = Rc::new(lone::Mutex::new(100));
    ///     let theirs = account.clone();
    ///     let _guard = account.lock().await;
    ///     let task = lone::spawn(async move { *theirs.lock().await += 1 }).named("deposit");
    ///     task.await.expect("it neither panics nor is cancelled"); // it waits for us
    /// });
    /// let Err(lone::RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    /// let cycle = report.cycle().expect("main and the task wait for one another");
    /// assert_eq!(cycle.len(), 2);
    /// assert_eq!((cycle[0].task, cycle[1].name.as_deref()), (None, Some("deposit")));
    /// assert!(report.to_string().contains("awaits a lock at "));
    /// assert!(report.to_string().contains(", held by main since "));
    /// ```
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<&Waiting>> {
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
                let Some(to) = self.would_let_go(awaited) else { continue };
                if let Some(place) = place_on_path[to] {
                    return Some(
                        path[place..].iter().map(|(who, _)| &self.waiting[*who]).collect(),
                    );
                }
                next = (!entered[to]).then_some(to);
            }
        }
        None
    }

    /// Where he stands in the list who would end what is awaited: the task itself, or who holds it.
    fn would_let_go(&self, awaited: &Await) -> Option<usize> {
        let by = awaited.holder.and_then(|holder| holder.who.root());
        self.find(awaited.task.map(Some).or(by)?)
    }

    /// Where somebody stands in the list, which is in order: main first.
    fn find(&self, who: Option<TaskId>) -> Option<usize> {
        self.waiting.binary_search_by_key(&who, |waiting| waiting.task).ok()
    }

    fn name(&self, who: Option<TaskId>) -> String {
        let Some(task) = who else { return "main".to_string() };
        match self.find(who).and_then(|at| self.waiting[at].name.as_ref()) {
            Some(name) => format!("{task} `{name}`"),
            None => task.to_string(),
        }
    }

    /// "a lock at src/main.rs:9:5, held by Task-1 since src/main.rs:4:9".
    fn write_await(
        &self,
        f: &mut fmt::Formatter<'_>,
        who: Option<TaskId>,
        what: &Await,
    ) -> fmt::Result {
        let Await { on, task, holder, site } = what;
        match task {
            None => write!(f, "{on} at {site}")?,
            Some(_) => write!(f, "{on} {}", self.name(*task))?,
        }
        let Some(holder) = holder else { return Ok(()) };
        let name = |by| if by == who { "itself".to_string() } else { self.name(by) };
        holder.write(f, name)
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: everybody waits, and nothing can wake anybody")?;
        for waiting in &self.waiting {
            write!(f, "\n  {}", self.name(waiting.task))?;
            if let Some(spawned) = waiting.spawned {
                write!(f, ", spawned at {spawned},")?;
            }
            f.write_str(" awaits ")?;
            if waiting.awaits.is_empty() {
                f.write_str("a future that is not lone's")?;
            }
            for (n, awaited) in waiting.awaits.iter().enumerate() {
                f.write_str(if n == 0 { "" } else { ", and " })?;
                self.write_await(f, waiting.task, awaited)?;
            }
        }
        if let Some(cycle) = self.cycle() {
            let names: Vec<String> = cycle.iter().map(|waiting| self.name(waiting.task)).collect();
            write!(f, "\n  in a cycle: {} → {}", names.join(" → "), names[0])?;
        }
        Ok(())
    }
}
