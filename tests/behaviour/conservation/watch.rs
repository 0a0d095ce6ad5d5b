//! What must hold of a watched value: no change is missed, and each side hears of the other's end.

use std::rc::Rc;

use lone_sync::watch::{Receiver, Sender, channel};

use super::lent::{Home, Lent, home};
use super::{Ledger, Model, Waiting, Was};

const RECEIVERS: usize = 4;

/// Kinds: a receiver that has seen the value waits for another; one that has not; the sender waits.
const SEEN: usize = 0;
const CLOSED: usize = 2;

pub(super) struct Changes {
    sender: Option<Rc<Sender<u64>>>,
    receivers: [Home<Receiver<u64>>; RECEIVERS],
    seen: [bool; RECEIVERS],
    gone: [bool; RECEIVERS],
    /// Which receiver the future in each place has borrowed.
    who: [usize; 5],
    version: u64,
}

impl Changes {
    fn is_free(&self, who: usize) -> bool {
        self.receivers[who].borrow().is_some()
    }

    fn living(&self) -> usize {
        self.gone.iter().filter(|gone| !**gone).count()
    }

    fn tell(&self, ledger: &mut Ledger<()>) {
        ledger.grant_all(SEEN, |_| ());
    }
}

impl Model for Changes {
    const KINDS: usize = 3;
    /// Send, drop the sender, drop a receiver that has seen the value, or has not.
    const OTHERS: usize = 4;
    /// Whether it was a change, or the end.
    type Got = bool;
    type Due = ();

    fn new() -> Changes {
        let (sender, receiver) = channel(0);
        Changes {
            sender: Some(Rc::new(sender)),
            receivers: std::array::from_fn(|_| home(receiver.clone())),
            seen: [true; RECEIVERS],
            gone: [false; RECEIVERS],
            who: [0; 5],
            version: 0,
        }
    }

    fn future(&mut self, at: usize, kind: usize) -> Option<Waiting<bool>> {
        if kind == CLOSED {
            let sender = self.sender.clone()?;
            return Some(Box::pin(async move {
                sender.closed().await;
                true
            }));
        }
        let seen = kind == SEEN;
        let who = (0..RECEIVERS).find(|who| self.seen[*who] == seen && self.is_free(*who))?;
        self.who[at] = who;
        let mut receiver = Lent::of(&self.receivers[who])?;
        Some(Box::pin(async move { receiver.get().changed().await.is_ok() }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<()>, at: usize) -> Option<()> {
        let may = match ledger.kinds[at] {
            CLOSED => self.living() == 0,
            _ => !self.seen[self.who[at]] || self.sender.is_none(),
        };
        may.then_some(())
    }

    fn went_on(&mut self, ledger: &mut Ledger<()>, at: usize, _due: (), got: &bool) {
        if ledger.kinds[at] != CLOSED {
            let seen = std::mem::replace(&mut self.seen[self.who[at]], true);
            assert_eq!(*got, !seen, "it has missed a change, or seen one twice");
        }
    }

    fn gone(&mut self, _ledger: &mut Ledger<()>, _at: usize, _was: Was<()>) {}

    fn other(&mut self, ledger: &mut Ledger<()>, which: usize) -> bool {
        match which {
            0 => {
                let Some(sender) = &self.sender else {
                    return false;
                };
                let living = self.living() > 0;
                assert_eq!(sender.send(self.version + 1).is_ok(), living, "unnoticed, or refused");
                if living {
                    self.version += 1;
                    self.seen = [false; RECEIVERS];
                    self.tell(ledger);
                }
                true
            }
            1 => {
                // Those who wait for the end of the receivers have a share in it.
                if self.sender.as_ref().is_none_or(|sender| Rc::strong_count(sender) > 1) {
                    return false;
                }
                self.sender = None;
                self.tell(ledger);
                true
            }
            _ => {
                let free = |who: &usize| self.seen[*who] == (which == 2) && self.is_free(*who);
                let Some(who) = (0..RECEIVERS).find(free) else {
                    return false;
                };
                drop(self.receivers[who].take());
                self.gone[who] = true;
                if self.living() == 0 {
                    ledger.grant_all(CLOSED, |_| ());
                }
                true
            }
        }
    }

    fn check(&self, ledger: &Ledger<()>) {
        let Some(sender) = &self.sender else {
            return;
        };
        let now = sender.statistics();
        assert_eq!((now.version, now.receivers), (self.version, self.living()));
        assert_eq!(now.waiters, ledger.waiting(SEEN), "not all who wait are counted");
        assert_eq!(*sender.borrow(), self.version);
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        let mut outline = ledger.outline(|()| 0);
        outline.extend(ledger.granted.iter().map(|(at, ())| u32::from(self.seen[self.who[*at]])));
        outline.push(u32::from(self.sender.is_some()));
        let free = (0..RECEIVERS).filter(|who| self.is_free(*who));
        let mut free: Vec<u32> = free.map(|who| u32::from(self.seen[who])).collect();
        free.sort_unstable();
        outline.extend(free);
        outline
    }
}
