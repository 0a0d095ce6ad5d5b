//! What must hold of permits, and of a lock, which is one permit.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use lone_sync::{Mutex, OwnedMutexGuard, OwnedPermit, Semaphore};

use super::{PLACES, Step, Subject};
use crate::help::{Counter, poll_once};

/// A type that gives permits out and takes them back.
pub(super) trait Gives: Sized {
    const KINDS: usize;
    const OTHERS: usize;
    type Held: 'static;

    /// With one permit.
    fn new() -> Self;
    async fn acquire(self: Rc<Self>, wanted: usize) -> Self::Held;
    fn can_try(&self) -> bool;
    fn free(&self) -> usize;
    fn waiters(&self) -> usize;
    fn resize(&self, total: usize);
}

impl Gives for Mutex<()> {
    const KINDS: usize = 1;
    const OTHERS: usize = 0;
    type Held = OwnedMutexGuard<()>;

    fn new() -> Mutex<()> {
        Mutex::new(())
    }

    async fn acquire(self: Rc<Self>, _wanted: usize) -> OwnedMutexGuard<()> {
        self.lock_owned().await
    }

    fn can_try(&self) -> bool {
        self.try_lock().is_some()
    }

    fn free(&self) -> usize {
        usize::from(!self.is_locked())
    }

    fn waiters(&self) -> usize {
        self.statistics().waiters
    }

    fn resize(&self, _total: usize) {}
}

impl Gives for Semaphore {
    const KINDS: usize = 2;
    const OTHERS: usize = 4;
    type Held = OwnedPermit;

    fn new() -> Semaphore {
        Semaphore::new(1)
    }

    async fn acquire(self: Rc<Self>, wanted: usize) -> OwnedPermit {
        self.acquire_many_owned(wanted).await
    }

    fn can_try(&self) -> bool {
        self.try_acquire().is_some()
    }

    fn free(&self) -> usize {
        self.available()
    }

    fn waiters(&self) -> usize {
        self.statistics().waiters
    }

    fn resize(&self, total: usize) {
        Semaphore::resize(self, total);
    }
}

enum Place<H> {
    Empty,
    Pending(Pin<Box<dyn Future<Output = H>>>, Arc<Counter>),
    Held(H),
}

/// The type, and who should be where.
pub(super) struct Permits<G: Gives> {
    given: Rc<G>,
    places: [Place<G::Held>; PLACES],
    wanted: [usize; PLACES],
    /// Places, in the order of the line.
    line: Vec<usize>,
    granted: Vec<usize>,
    total: usize,
    out: usize,
}

impl<G: Gives + 'static> Permits<G> {
    fn free(&self) -> usize {
        self.total.saturating_sub(self.out)
    }

    /// Whom a release lets go on.
    fn hand_over(&mut self) {
        while let Some(first) = self.line.first().copied() {
            if self.wanted[first] > self.free() {
                return;
            }
            self.out += self.wanted[first];
            self.granted.push(self.line.remove(0));
        }
    }

    fn start(&mut self, kind: usize) -> bool {
        let Some(at) = self.places.iter().position(|place| matches!(place, Place::Empty)) else {
            return false;
        };
        let wanted = kind + 1;
        let may = self.line.is_empty() && wanted <= self.free();
        let mut future: Pin<Box<dyn Future<Output = G::Held>>> =
            Box::pin(self.given.clone().acquire(wanted));
        self.wanted[at] = wanted;
        self.places[at] = match poll_once(&mut future) {
            (Poll::Ready(held), _) => {
                assert!(may, "it has overtaken those who wait, or there was nothing to be had");
                self.out += wanted;
                Place::Held(held)
            }
            (Poll::Pending, wakes) => {
                assert!(!may, "it waits, and might have gone on");
                self.line.push(at);
                Place::Pending(future, wakes)
            }
        };
        true
    }

    fn poll(&mut self, at: usize) -> bool {
        let Place::Pending(future, wakes) = &mut self.places[at] else {
            return false;
        };
        let granted = self.granted.iter().position(|place| *place == at);
        match poll_once(future) {
            (Poll::Ready(held), _) => {
                let granted = granted.expect("it went on though it was not its turn");
                self.granted.remove(granted);
                self.places[at] = Place::Held(held);
            }
            (Poll::Pending, newer) => {
                assert!(granted.is_none(), "it was handed something and waits on");
                *wakes = newer;
            }
        }
        true
    }

    fn drop(&mut self, at: usize) -> bool {
        let place = std::mem::replace(&mut self.places[at], Place::Empty);
        let waited = self.line.contains(&at);
        match place {
            Place::Empty => return false,
            Place::Pending(future, _) => drop(future),
            Place::Held(held) => drop(held),
        }
        self.line.retain(|place| *place != at);
        self.granted.retain(|place| *place != at);
        if !waited {
            self.out -= self.wanted[at];
        }
        self.hand_over();
        true
    }

    fn check(&self) {
        assert_eq!(self.given.free(), self.free(), "permits are not conserved");
        assert_eq!(self.given.waiters(), self.line.len(), "not all who wait are counted");
        let may = self.line.is_empty() && self.free() > 0;
        assert_eq!(self.given.can_try(), may, "a try overtakes, or is refused");
        for (at, place) in self.places.iter().enumerate() {
            if let Place::Pending(_, wakes) = place {
                let expected = usize::from(self.granted.contains(&at));
                assert_eq!(wakes.wakes(), expected, "woken exactly when it may go on");
            }
        }
    }
}

impl<G: Gives + 'static> Subject for Permits<G> {
    const KINDS: usize = G::KINDS;
    const OTHERS: usize = G::OTHERS;

    fn new() -> Permits<G> {
        Permits {
            given: Rc::new(G::new()),
            places: [const { Place::Empty }; PLACES],
            wanted: [0; PLACES],
            line: Vec::new(),
            granted: Vec::new(),
            total: 1,
            out: 0,
        }
    }

    fn step(&mut self, step: Step) -> bool {
        let done = match step {
            Step::Start(kind) => self.start(kind),
            Step::Poll(at) => self.poll(at),
            Step::Drop(at) => self.drop(at),
            Step::Other(total) => {
                self.given.resize(total);
                self.total = total;
                self.hand_over();
                true
            }
        };
        self.check();
        done
    }

    fn canonical(&self) -> Vec<u32> {
        let number = |n: usize| u32::try_from(n).expect("it is small");
        let wanted = |places: &[usize]| -> Vec<u32> {
            places.iter().map(|at| number(self.wanted[*at])).collect()
        };
        let held = (0..PLACES).filter(|at| matches!(self.places[*at], Place::Held(_)));
        let mut held = wanted(&held.collect::<Vec<_>>());
        held.sort_unstable();
        let (line, granted) = (wanted(&self.line), wanted(&self.granted));
        [vec![number(self.total)], line, vec![0], granted, vec![0], held].concat()
    }

    fn end(mut self) {
        for at in 0..PLACES {
            self.drop(at);
            self.check();
        }
        assert_eq!((self.out, self.given.waiters()), (0, 0), "something was left behind");
    }
}
