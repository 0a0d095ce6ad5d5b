//! What tasks of the floor wait for: first come first served, one `Rc` for each wait, nothing else.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A ring; who waits at its ends stands in line.
#[derive(Clone)]
pub struct Channel(Rc<Ends>);

struct Ends {
    capacity: usize,
    ring: RefCell<VecDeque<u64>>,
    receiver: RefCell<Option<Waker>>,
    senders: RefCell<VecDeque<Waker>>,
}

impl Channel {
    pub(super) fn new(capacity: usize) -> Channel {
        Channel(Rc::new(Ends {
            capacity,
            ring: RefCell::new(VecDeque::with_capacity(capacity)),
            receiver: RefCell::default(),
            senders: RefCell::default(),
        }))
    }

    pub(super) fn send(&self, item: u64) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            let ends = &*self.0;
            let mut ring = ends.ring.borrow_mut();
            if ring.len() == ends.capacity {
                ends.senders.borrow_mut().push_back(cx.waker().clone());
                return Poll::Pending;
            }
            ring.push_back(item);
            wake(ends.receiver.take());
            Poll::Ready(())
        })
    }

    pub(super) fn receive(&self) -> impl Future<Output = u64> {
        poll_fn(|cx| {
            let ends = &*self.0;
            let Some(item) = ends.ring.borrow_mut().pop_front() else {
                *ends.receiver.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            };
            wake(ends.senders.borrow_mut().pop_front());
            Poll::Ready(item)
        })
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Hands a permit to the first in line.
pub struct Semaphore {
    free: Cell<usize>,
    line: RefCell<VecDeque<Rc<Waiter>>>,
}

struct Waiter {
    granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

pub(super) struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    pub(super) fn new(permits: usize) -> Semaphore {
        Semaphore { free: Cell::new(permits), line: RefCell::default() }
    }

    pub(super) fn acquire(&self) -> impl Future<Output = Permit<'_>> {
        let mut waiter: Option<Rc<Waiter>> = None;
        poll_fn(move |cx| {
            match &waiter {
                Some(waiter) if waiter.granted.get() => return Poll::Ready(Permit(self)),
                Some(waiter) => *waiter.waker.borrow_mut() = Some(cx.waker().clone()),
                None if self.free.get() > 0 => {
                    self.free.set(self.free.get() - 1);
                    return Poll::Ready(Permit(self));
                }
                None => waiter = Some(self.stand_in_line(cx)),
            }
            Poll::Pending
        })
    }

    fn stand_in_line(&self, cx: &Context<'_>) -> Rc<Waiter> {
        let waker = RefCell::new(Some(cx.waker().clone()));
        let waiter = Rc::new(Waiter { granted: Cell::new(false), waker });
        self.line.borrow_mut().push_back(waiter.clone());
        waiter
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        match self.0.line.borrow_mut().pop_front() {
            Some(waiter) => {
                waiter.granted.set(true);
                wake(waiter.waker.take());
            }
            None => self.0.free.set(self.0.free.get() + 1),
        }
    }
}

/// A flag and those who wait for it.
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    line: RefCell<Vec<Waker>>,
}

impl Event {
    pub(super) fn set(&self) {
        self.set.set(true);
        if !self.line.borrow().is_empty() {
            for waker in self.line.take() {
                waker.wake();
            }
        }
    }

    pub(super) fn clear(&self) {
        self.set.set(false);
    }

    pub(super) fn wait(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            if self.set.get() {
                return Poll::Ready(());
            }
            self.line.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
    }
}
