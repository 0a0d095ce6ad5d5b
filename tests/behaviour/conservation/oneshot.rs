//! What must hold of a channel for one value: received once, or given back, or its end heard of.

use lone_sync::oneshot::{Receiver, Sender, channel};

use super::lent::{Home, Lent, home};
use super::{Ledger, Model, Waiting, Was};

/// Kinds: receives, of a borrowed receiver; waits for its end, of a borrowed sender.
const RECEIVE: usize = 0;
const CLOSED: usize = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Value,
    NoSender,
    Closed,
}

pub(super) struct OneValue {
    sender: Home<Sender<u8>>,
    receiver: Home<Receiver<u8>>,
    is_sent: bool,
    has_sender: bool,
    is_closed: bool,
}

impl OneValue {
    fn end_of_sender(&mut self, ledger: &mut Ledger<Outcome>, outcome: Outcome) {
        self.has_sender = false;
        ledger.grant_all(RECEIVE, |_| outcome);
    }

    fn close(&mut self, ledger: &mut Ledger<Outcome>) {
        self.is_closed = true;
        ledger.grant_all(CLOSED, |_| Outcome::Closed);
    }
}

impl Model for OneValue {
    const KINDS: usize = 2;
    /// Send, drop the sender, close, try to receive, drop the receiver.
    const OTHERS: usize = 5;
    type Got = Outcome;
    type Due = Outcome;

    fn new() -> OneValue {
        let (sender, receiver) = channel();
        OneValue {
            sender: home(sender),
            receiver: home(receiver),
            is_sent: false,
            has_sender: true,
            is_closed: false,
        }
    }

    fn future(&mut self, _at: usize, kind: usize) -> Option<Waiting<Outcome>> {
        if kind == RECEIVE {
            let mut receiver = Lent::of(&self.receiver)?;
            return Some(Box::pin(async move {
                match receiver.get().await {
                    Ok(7) => Outcome::Value,
                    Ok(other) => panic!("{other} was never sent"),
                    Err(_) => Outcome::NoSender,
                }
            }));
        }
        let mut sender = Lent::of(&self.sender)?;
        Some(Box::pin(async move {
            sender.get().closed().await;
            Outcome::Closed
        }))
    }

    fn arrive(&mut self, ledger: &mut Ledger<Outcome>, at: usize) -> Option<Outcome> {
        match ledger.kinds[at] {
            CLOSED => self.is_closed.then_some(Outcome::Closed),
            _ if self.is_sent => Some(Outcome::Value),
            _ => (!self.has_sender || self.is_closed).then_some(Outcome::NoSender),
        }
    }

    fn went_on(&mut self, _ledger: &mut Ledger<Outcome>, _at: usize, due: Outcome, got: &Outcome) {
        assert_eq!(*got, due);
        if due == Outcome::Value {
            self.is_sent = false;
        }
    }

    fn gone(&mut self, _ledger: &mut Ledger<Outcome>, _at: usize, _was: Was<Outcome>) {}

    fn other(&mut self, ledger: &mut Ledger<Outcome>, which: usize) -> bool {
        if which < 2 {
            let Some(sender) = self.sender.take() else {
                return false;
            };
            if which == 0 {
                let sent = sender.send(7).is_ok();
                assert_eq!(sent, !self.is_closed, "it is lost unnoticed, or refused");
                self.is_sent = sent;
            } else {
                drop(sender);
            }
            let outcome = if self.is_sent { Outcome::Value } else { Outcome::NoSender };
            self.end_of_sender(ledger, outcome);
            return true;
        }
        let Some(mut receiver) = self.receiver.take() else {
            return false;
        };
        match which {
            2 => {
                receiver.close();
                self.close(ledger);
            }
            3 => {
                let got = receiver.try_recv().is_ok();
                assert_eq!(got, std::mem::take(&mut self.is_sent));
            }
            _ => {
                drop(receiver);
                self.is_sent = false;
                self.close(ledger);
                return true;
            }
        }
        *self.receiver.borrow_mut() = Some(receiver);
        true
    }

    fn check(&self, _ledger: &Ledger<Outcome>) {
        let receiver = self.receiver.borrow();
        let sender = self.sender.borrow();
        let now = receiver.as_ref().map(Receiver::statistics);
        let Some(now) = now.or_else(|| sender.as_ref().map(Sender::statistics)) else {
            return;
        };
        assert_eq!(now.is_sent, self.is_sent, "the value is lost, or there twice");
        assert_eq!((now.has_sender, now.is_closed), (self.has_sender, self.is_closed));
    }

    fn outline(&self, ledger: &Ledger<Outcome>) -> Vec<u32> {
        let mut outline = ledger.outline(|_| 0);
        let (sender, receiver) = (self.sender.borrow(), self.receiver.borrow());
        let flags = [self.is_sent, self.has_sender, self.is_closed];
        let homes = [sender.is_some(), receiver.is_some()];
        outline.extend(flags.iter().chain(&homes).map(|flag| u32::from(*flag)));
        outline
    }
}
