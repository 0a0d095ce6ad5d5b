//! What do up to five futures do that are polled and dropped by hand, each with a waker that counts?

use std::sync::Arc;
use std::task::Poll;

use super::{Ledger, Model, Step, Trial, Waiting, steps};
use crate::help::{Counter, poll_once};

const PLACES: usize = 5;

/// A future, and how often it was woken since it was polled last.
type Counted<T> = (Waiting<T>, Arc<Counter>);

pub(super) struct Polled<M: Model> {
    model: M,
    ledger: Ledger<M::Due>,
    futures: [Option<Counted<M::Got>>; PLACES],
    got: [Option<M::Got>; PLACES],
}

impl<M: Model> Polled<M> {
    fn start(&mut self, kind: usize) -> bool {
        let is_empty = |at: &usize| self.futures[*at].is_none() && self.got[*at].is_none();
        let Some(at) = (0..PLACES).find(is_empty) else {
            return false;
        };
        let Some(mut future) = self.model.future(at, kind) else {
            return false;
        };
        self.ledger.kinds[at] = kind;
        let (polled, wakes) = poll_once(&mut future);
        self.futures[at] = Some((future, wakes));
        match self.model.arrive(&mut self.ledger, at) {
            None => {
                assert!(polled.is_pending(), "it has overtaken, or there was nothing to be had");
                self.ledger.line.push(at);
            }
            Some(due) => self.go_on(at, due, polled),
        }
        true
    }

    fn poll(&mut self, at: usize) -> bool {
        let Some((future, wakes)) = &mut self.futures[at] else {
            return false;
        };
        let polled = poll_once(future);
        *wakes = polled.1;
        match self.ledger.claim(at) {
            None => assert!(polled.0.is_pending(), "it went on though it was not its turn"),
            Some(due) => self.go_on(at, due, polled.0),
        }
        true
    }

    fn go_on(&mut self, at: usize, due: M::Due, polled: Poll<M::Got>) {
        if self.model.rests(&self.ledger, at, &due) {
            assert!(polled.is_pending(), "it ended too early");
            self.ledger.resting.push(at);
            return;
        }
        let Poll::Ready(got) = polled else {
            panic!("it waits, and might go on");
        };
        self.futures[at] = None;
        self.model.went_on(&mut self.ledger, at, due, &got);
        if M::KEEPS {
            self.got[at] = Some(got);
            self.ledger.held.push(at);
        }
    }

    fn drop(&mut self, at: usize) -> bool {
        if self.futures[at].is_none() && self.got[at].is_none() {
            return false;
        }
        drop((self.futures[at].take(), self.got[at].take()));
        let was = self.ledger.take_out(at);
        self.model.gone(&mut self.ledger, at, was);
        true
    }

    fn check(&self) {
        self.model.check(&self.ledger);
        for (at, future) in self.futures.iter().enumerate() {
            if let Some((_, wakes)) = future {
                let expected = usize::from(self.ledger.is_granted(at));
                assert_eq!(wakes.wakes(), expected, "woken exactly when it may go on");
            }
        }
    }
}

impl<M: Model> Trial for Polled<M> {
    fn new() -> Polled<M> {
        Polled {
            model: M::new(),
            ledger: Ledger::new(PLACES),
            futures: [const { None }; PLACES],
            got: [const { None }; PLACES],
        }
    }

    fn steps() -> Vec<Step> {
        steps::<M>(PLACES)
    }

    fn step(&mut self, step: Step) -> bool {
        let done = match step {
            Step::Start(kind) => self.start(kind),
            Step::Poll(at) => self.poll(at),
            Step::Drop(at) => self.drop(at),
            Step::Time => false,
            Step::Other(which) => self.model.other(&mut self.ledger, which),
        };
        self.check();
        done
    }

    fn canonical(&self) -> Vec<u32> {
        self.model.outline(&self.ledger)
    }

    fn end(mut self) {
        for at in 0..PLACES {
            self.drop(at);
            self.check();
        }
        self.model.end();
    }
}
