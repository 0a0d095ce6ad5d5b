//! What must hold of a value that is made once: one makes it, and hands the part on if it does not.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use lone_sync::OnceCell;

use super::{Ledger, Model, Waiting, Was};

/// What somebody may go on for.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// It is to make the value.
    Part,
    /// The value that another one has made.
    Value,
    /// What it makes has come to an end: well, or not.
    End(bool),
}

/// How an initialisation is to end, once that has been said.
#[derive(Default)]
struct Verdict {
    well: Cell<Option<bool>>,
    waker: RefCell<Option<Waker>>,
    inside: Cell<usize>,
}

/// One who initialises.
struct Inside<'a>(&'a Cell<usize>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Verdict {
    fn say(&self, well: bool) {
        self.well.set(Some(well));
        let waker = self.waker.take().expect("somebody initialises");
        waker.wake();
    }

    /// What an initialiser does: it waits to be told.
    async fn initialise(self: Rc<Self>) -> Result<u8, u8> {
        self.inside.set(self.inside.get() + 1);
        let _inside = Inside(&self.inside);
        poll_fn(|cx| match self.well.take() {
            Some(true) => Poll::Ready(Ok(7)),
            Some(false) => Poll::Ready(Err(8)),
            None => {
                self.waker.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

pub(super) struct Once {
    cell: Rc<OnceCell<u8>>,
    verdict: Rc<Verdict>,
    has_value: bool,
    is_taken: bool,
}

impl Once {
    fn pass_on(&mut self, ledger: &mut Ledger<Due>) {
        self.verdict.well.take();
        let first = ledger.first(0);
        self.is_taken = first.is_some();
        if let Some(first) = first {
            ledger.grant(first, Due::Part);
        }
    }
}

impl Model for Once {
    const KINDS: usize = 1;
    /// The initialiser is to fail, or to succeed.
    const OTHERS: usize = 2;
    type Got = Result<u8, u8>;
    type Due = Due;

    fn new() -> Once {
        let (cell, verdict) = (Rc::default(), Rc::default());
        Once { cell, verdict, has_value: false, is_taken: false }
    }

    fn future(&mut self, _at: usize, _kind: usize) -> Option<Waiting<Result<u8, u8>>> {
        let (cell, verdict) = (self.cell.clone(), self.verdict.clone());
        Some(Box::pin(async move { cell.get_or_try_init(|| verdict.initialise()).await.copied() }))
    }

    fn arrive(&mut self, _ledger: &mut Ledger<Due>, _at: usize) -> Option<Due> {
        if self.has_value {
            return Some(Due::Value);
        }
        let is_free = !std::mem::replace(&mut self.is_taken, true);
        is_free.then_some(Due::Part)
    }

    fn rests(&self, _ledger: &Ledger<Due>, _at: usize, due: &Due) -> bool {
        matches!(due, Due::Part)
    }

    fn went_on(&mut self, ledger: &mut Ledger<Due>, _at: usize, due: Due, got: &Result<u8, u8>) {
        let fails = matches!(due, Due::End(false));
        assert_eq!(*got, if fails { Err(8) } else { Ok(7) });
        match due {
            Due::Part => unreachable!("it rests"),
            Due::Value => {}
            Due::End(true) => {
                (self.has_value, self.is_taken) = (true, false);
                ledger.grant_all(0, |_| Due::Value);
            }
            Due::End(false) => self.pass_on(ledger),
        }
    }

    fn gone(&mut self, ledger: &mut Ledger<Due>, _at: usize, was: Was<Due>) {
        match was {
            Was::Waiting | Was::Held | Was::Granted(Due::Value, _) => {}
            Was::Resting | Was::Granted(Due::Part | Due::End(_), _) => self.pass_on(ledger),
        }
    }

    fn other(&mut self, ledger: &mut Ledger<Due>, which: usize) -> bool {
        let Some(initialiser) = ledger.resting.first().copied() else {
            return false;
        };
        self.verdict.say(which == 1);
        ledger.grant(initialiser, Due::End(which == 1));
        true
    }

    fn check(&self, ledger: &Ledger<Due>) {
        assert_eq!(self.cell.get().is_some(), self.has_value);
        let now = self.cell.statistics();
        assert_eq!(now.is_initializing, self.is_taken, "the part is lost, or kept");
        assert_eq!(now.waiters, ledger.line.len(), "not all who wait are counted");
        let ending = ledger.granted.iter().filter(|(_, due)| matches!(due, Due::End(_))).count();
        let inside = ledger.resting.len() + ending;
        assert_eq!(self.verdict.inside.get(), inside, "not one initialises");
        assert!(inside <= 1 && (self.is_taken || ledger.line.is_empty()), "they wait for nobody");
    }

    fn outline(&self, ledger: &Ledger<Due>) -> Vec<u32> {
        let mut outline = ledger.outline(|due| match due {
            Due::Part => 0,
            Due::Value => 1,
            Due::End(well) => 2 + u32::from(*well),
        });
        outline.push(u32::from(self.has_value));
        outline
    }
}
