//! Which order comes next? A walk over the tree of choices, depth first.
//!
//! ```text
//!   one run:   choice 0 of 2 ─► 1 of 3 ─► 0 of 2 ─► ends         branches: where more than one was ready
//!   the next:  choice 0 of 2 ─► 1 of 3 ─► 1 of 2 ─► then the first, again and again
//! ```
//!
//! Invariants:
//! - **Each order once**: a run differs from every earlier one in a branch.
//! - **The first run is FIFO**: the first who is ready is the one who was woken first.
//! - **Nobody starves**: after [`PATIENCE`] turns in which the first was passed over it runs, as no
//!   loop passes anybody over for ever. The walk is not exhaustive then.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use lone_executor::trace::{Await, Who};
use lone_executor::{Choose, Left, Random, Ready};

use super::failure::Why;
use super::schedule::Schedule;

/// How often in a row the first who is ready may be passed over. A task that yields until another
/// has done something would else keep that other out for ever, which is no fault of the program.
const PATIENCE: usize = 100;

/// A turn in which more than one was ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    place: usize,
    of: usize,
}

/// Who is to be chosen at the branches.
#[derive(Debug)]
pub(super) enum Plan {
    /// As in an earlier run, but for the last of these; then the first.
    Branches(Vec<Branch>),
    /// As somebody has written down; then the first.
    Places(Vec<usize>),
    Random {
        seed: u64,
        random: Random,
    },
}

impl Plan {
    pub(super) fn new(schedule: &Schedule) -> Plan {
        match schedule {
            Schedule::Places(places) => Plan::Places(places.clone()),
            Schedule::Seed(seed) => Plan::Random { seed: *seed, random: Random::new(*seed) },
        }
    }

    /// How many branches it says something about, if it is a finite number.
    fn len(&self) -> usize {
        match self {
            Plan::Branches(branches) => branches.len(),
            Plan::Places(places) => places.len(),
            Plan::Random { .. } => 0,
        }
    }
}

/// Who was polled, and how that has left it.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) who: Who,
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) left: LeftAs,
}

/// How a poll has left the one that was polled.
#[derive(Debug)]
pub(super) enum LeftAs {
    /// The run was over before anybody else could be polled.
    Unknown,
    Panicked,
    Ended,
    Ready,
    Waiting(Vec<Await>),
}

impl LeftAs {
    fn new(left: Left<'_>) -> LeftAs {
        match left {
            Left::Nobody => LeftAs::Unknown,
            Left::Ended => LeftAs::Ended,
            Left::Ready => LeftAs::Ready,
            Left::Waiting(awaits) => LeftAs::Waiting(awaits.to_vec()),
        }
    }
}

/// One run of the program.
#[derive(Debug)]
pub(super) struct Run {
    plan: Plan,
    /// How many turns it may have.
    turns: usize,
    /// How many it has had since it was stopped.
    turns_after: usize,
    pub(super) branches: Vec<Branch>,
    pub(super) polled: Vec<Polled>,
    /// How often in a row the first was passed over.
    passed_over: usize,
    /// Somebody was run because its patience was at its end.
    pub(super) forced: bool,
    /// Why the run was ended from here.
    pub(super) stopped: Option<Why>,
    /// Main has ended: what is left is cancelled in the order of the queue.
    pub(super) is_over: bool,
}

impl Run {
    pub(super) fn new(plan: Plan, turns: usize) -> Run {
        Run {
            plan,
            turns,
            turns_after: 0,
            branches: Vec::new(),
            polled: Vec::new(),
            passed_over: 0,
            forced: false,
            stopped: None,
            is_over: false,
        }
    }

    /// The schedule that it has followed.
    pub(super) fn schedule(&self) -> Schedule {
        match self.plan {
            Plan::Random { seed, .. } => Schedule::Seed(seed),
            _ => Schedule::Places(self.branches.iter().map(|branch| branch.place).collect()),
        }
    }

    /// Where the next run of the walk goes; `None`: every branch has been taken.
    pub(super) fn next(&self) -> Option<Plan> {
        let last = self.branches.iter().rposition(|branch| branch.place + 1 < branch.of)?;
        let mut branches = self.branches[..=last].to_vec();
        branches[last].place += 1;
        Some(Plan::Branches(branches))
    }

    /// The program has ended before it came to all of the branches that it was to come to.
    pub(super) fn has_fallen_short(&self) -> Option<Why> {
        let (came_to, planned) = (self.branches.len(), self.plan.len());
        (came_to < planned).then(|| {
            Why::Diverged(format!(
                "it ended after {came_to} choices, where {planned} were to be made"
            ))
        })
    }

    /// The run has ended, for this reason if it has failed: how has that left who was polled last?
    pub(super) fn close(&mut self, why: Option<&Why>) {
        let Some(last) = self.polled.last_mut() else { return };
        last.left = match why {
            None | Some(Why::Returned(_)) => LeftAs::Ended,
            Some(Why::Panicked(_)) => LeftAs::Panicked,
            Some(Why::Deadlock(deadlock)) => {
                let task = match last.who {
                    Who::Task(task) => Some(task),
                    _ => None,
                };
                match deadlock.waiting().iter().find(|waiting| waiting.task == task) {
                    Some(waiting) => LeftAs::Waiting(waiting.awaits.clone()),
                    None => LeftAs::Ended,
                }
            }
            Some(_) => return,
        };
    }

    /// Whom to run of so many.
    fn place(&mut self, of: usize) -> Result<usize, Why> {
        if of == 1 || self.passed_over == PATIENCE {
            self.forced |= of > 1;
            self.passed_over = 0;
            return Ok(0);
        }
        let at = self.branches.len();
        let place = match &mut self.plan {
            Plan::Random { random, .. } => random.below(of),
            Plan::Places(places) => places.get(at).copied().unwrap_or(0),
            Plan::Branches(branches) => match branches.get(at) {
                Some(branch) if branch.of != of => {
                    let before = branch.of;
                    return Err(diverged(at, &format!("{of} were ready, and {before} before")));
                }
                branch => branch.map_or(0, |branch| branch.place),
            },
        };
        if place >= of {
            let wanted = place + 1;
            return Err(diverged(at, &format!("{of} were ready, and number {wanted} is to run")));
        }
        self.branches.push(Branch { place, of });
        self.passed_over = if place == 0 { 0 } else { self.passed_over + 1 };
        Ok(place)
    }

    /// Whether it has been stopped from here, and main's cleanups may have as many turns again.
    fn winds_up(&mut self) -> bool {
        let stopped = self.stopped.is_some() && self.turns_after < self.turns;
        self.turns_after += usize::from(stopped);
        stopped
    }

    fn choose(&mut self, ready: &Ready<'_>) -> Result<usize, Why> {
        if let Some(last) = self.polled.last_mut() {
            last.left = LeftAs::new(ready.left());
        }
        if self.polled.len() == self.turns {
            return Err(Why::Endless(self.turns));
        }
        let place = self.place(ready.count())?;
        let (who, name) = (ready.who(place), ready.name(place));
        self.polled.push(Polled { who, name, left: LeftAs::Unknown });
        Ok(place)
    }
}

fn diverged(at: usize, what: &str) -> Why {
    Why::Diverged(format!("at choice {}, {what}", at + 1))
}

/// The run's end in the loop.
#[derive(Debug)]
pub(super) struct Chooser(pub(super) Rc<RefCell<Run>>);

impl Choose for Chooser {
    fn choose(&mut self, ready: &Ready<'_>) -> io::Result<usize> {
        let mut run = self.0.borrow_mut();
        if run.is_over || run.winds_up() {
            return Ok(0);
        }
        run.choose(ready).map_err(|why| {
            run.stopped.get_or_insert(why);
            io::Error::other("the schedule ends here")
        })
    }

    fn lost_wake(&mut self) -> io::Result<()> {
        let mut run = self.0.borrow_mut();
        if run.is_over || run.winds_up() {
            return Ok(());
        }
        run.stopped = Some(Why::LostWake);
        Err(io::Error::other("the schedule ends here"))
    }
}
