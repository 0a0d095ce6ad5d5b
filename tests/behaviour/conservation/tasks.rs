//! What do three futures do that are tasks of a loop, and are cancelled, between a grant and its poll too?
//!
//! A poll is a turn of the loop: those that are ready at its beginning run, in order. A cancel is asked
//! for, and happens at the next turn; whatever comes before that may still be granted to that task.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use lone::{Builder, JoinHandle, Jump, Runtime};

use super::ledger::number;
use super::{Ledger, Model, Step, Trial, steps};

const PLACES: usize = 3;

pub(super) struct Tasks<M: Model> {
    model: M,
    ledger: Ledger<M::Due>,
    tasks: [Option<JoinHandle<()>>; PLACES],
    got: [Rc<RefCell<Option<M::Got>>>; PLACES],
    /// Who runs in the next turn, in order.
    ready: Vec<usize>,
    /// Who runs after those, for it was woken or cancelled while the loop did not run.
    outside: Vec<usize>,
    cancelled: [bool; PLACES],
    runtime: Runtime,
}

impl<M: Model> Tasks<M> {
    fn is_empty(&self, at: usize) -> bool {
        self.tasks[at].is_none() && self.got[at].borrow().is_none()
    }

    fn start(&mut self, kind: usize) -> bool {
        let Some(at) = (0..PLACES).find(|at| self.is_empty(*at)) else {
            return false;
        };
        let Some(future) = self.model.future(at, kind) else {
            return false;
        };
        self.ledger.kinds[at] = kind;
        let got = self.got[at].clone();
        self.tasks[at] = Some(self.runtime.spawn(async move {
            let result = future.await;
            got.replace(Some(result));
        }));
        self.ready.push(at);
        self.turn(Some(at));
        true
    }

    /// A turn; `new` was not polled before.
    fn turn(&mut self, new: Option<usize>) {
        self.runtime.turn(Some(Duration::ZERO)).expect("the park works");
        self.run_ready(new);
    }

    /// A millisecond passes: first all runs that is ready, then all that it brings.
    fn time(&mut self) {
        while self.runs_next().next().is_some() {
            self.turn(None);
        }
        self.runtime.block_on(async { lone::time::advance(Duration::from_millis(1)).await });
        while self.runtime.turn(Some(Duration::ZERO)).expect("the park works").ready > 0 {}
        self.model.time(&mut self.ledger);
        self.ready = self.woken(&VecDeque::new());
        while self.runs_next().next().is_some() {
            self.run_ready(None);
        }
    }

    /// What a turn is in the model.
    fn run_ready(&mut self, new: Option<usize>) {
        let mut now = VecDeque::from(std::mem::take(&mut self.ready));
        now.extend(std::mem::take(&mut self.outside));
        while let Some(at) = now.pop_front() {
            if self.cancelled[at] {
                self.cancelled[at] = false;
                let task = self.tasks[at].take().expect("it was cancelled");
                assert!(task.is_finished() && self.got[at].borrow().is_none(), "it went on");
                let was = self.ledger.take_out(at);
                self.model.gone(&mut self.ledger, at, was);
            } else if new == Some(at) {
                match self.model.arrive(&mut self.ledger, at) {
                    None => self.ledger.line.push(at),
                    Some(due) => self.go_on(at, due),
                }
            } else {
                let due = self.ledger.claim(at).expect("it was woken, for it may go on");
                self.go_on(at, due);
            }
            let woken = self.woken(&now);
            self.ready.extend(woken);
        }
    }

    fn go_on(&mut self, at: usize, due: M::Due) {
        if self.model.rests(&self.ledger, at, &due) {
            self.ledger.resting.push(at);
            return;
        }
        let task = self.tasks[at].take().expect("it is there until now");
        let got = self.got[at].take().expect("it might go on, and has");
        assert!(task.is_finished());
        self.model.went_on(&mut self.ledger, at, due, &got);
        if M::KEEPS {
            self.got[at].replace(Some(got));
            self.ledger.held.push(at);
        }
    }

    fn drop(&mut self, at: usize) -> bool {
        let Some(task) = &self.tasks[at] else {
            let Some(got) = self.got[at].take() else {
                return false;
            };
            drop(got);
            let was = self.ledger.take_out(at);
            self.model.gone(&mut self.ledger, at, was);
            return true;
        };
        if std::mem::replace(&mut self.cancelled[at], true) {
            return false;
        }
        assert!(task.cancel("enough"), "it has not ended");
        if self.runs_next().all(|ready| ready != at) {
            self.outside.push(at);
        }
        true
    }

    /// Those who were granted something and do not run in this turn, nor are ready for the next.
    fn woken(&self, now: &VecDeque<usize>) -> Vec<usize> {
        let is_ready = |at: &usize| now.contains(at) || self.runs_next().any(|ready| ready == *at);
        let granted = self.ledger.granted.iter().map(|(at, _)| *at);
        granted.filter(|at| !is_ready(at)).collect()
    }

    /// Who runs in the next turn, in order.
    fn runs_next(&self) -> impl Iterator<Item = usize> {
        self.ready.iter().chain(&self.outside).copied()
    }

    fn check(&self) {
        self.model.check(&self.ledger);
        for at in 0..PLACES {
            let is_over = self.tasks[at].as_ref().is_some_and(JoinHandle::is_finished);
            assert!(!is_over, "it went on though it was not its turn");
        }
    }
}

impl<M: Model> Trial for Tasks<M> {
    fn new() -> Tasks<M> {
        Tasks {
            model: M::new(),
            ledger: Ledger::new(PLACES),
            tasks: [const { None }; PLACES],
            got: std::array::from_fn(|_| Rc::default()),
            ready: Vec::new(),
            outside: Vec::new(),
            cancelled: [false; PLACES],
            runtime: Builder::new().jump(Jump::Manual).build().expect("descriptors are free"),
        }
    }

    fn steps() -> Vec<Step> {
        let mut steps = steps::<M>(PLACES);
        steps.extend(M::CLOCK.then_some(Step::Time));
        steps
    }

    fn step(&mut self, step: Step) -> bool {
        let done = match step {
            Step::Start(kind) => self.start(kind),
            Step::Poll(0) if self.runs_next().next().is_some() => {
                self.turn(None);
                true
            }
            Step::Poll(_) => false,
            Step::Drop(at) => self.drop(at),
            Step::Time => {
                self.time();
                true
            }
            Step::Other(which) => self.model.other(&mut self.ledger, which),
        };
        let woken = self.woken(&VecDeque::new());
        self.outside.extend(woken);
        self.check();
        done
    }

    fn canonical(&self) -> Vec<u32> {
        let Ledger { kinds, line, granted, resting, .. } = &self.ledger;
        let mut canonical = self.model.outline(&self.ledger);
        let granted = granted.iter().map(|(at, _)| at);
        let all: Vec<usize> = line.iter().chain(granted).chain(resting).copied().collect();
        canonical.push(number(self.ready.len()));
        // As which one of its kind, for a model may leave out how kinds follow each other.
        canonical.extend(self.runs_next().flat_map(|ready| {
            let mut kin = all.iter().filter(|at| kinds[**at] == kinds[ready]);
            let place = kin.position(|at| *at == ready).expect("it is in one of the lists");
            [place, kinds[ready], usize::from(self.cancelled[ready])].map(number)
        }));
        canonical
    }

    fn end(mut self) {
        // What is handed on is dropped in its turn.
        for at in 0..PLACES {
            self.step(Step::Drop(at));
        }
        while self.step(Step::Poll(0)) {}
        for at in 0..PLACES {
            self.step(Step::Drop(at));
        }
        assert!((0..PLACES).all(|at| self.is_empty(at)), "somebody waits still");
        assert_eq!(self.runtime.statistics().tasks, 0, "a task is left behind");
        self.model.end();
    }
}
