//! What must hold of a broadcast: every receiver gets every item in order, or how many it has missed.

use lone_sync::broadcast::{Receiver, RecvError, Sender, channel};

use super::ledger::number;
use super::lent::{Home, Lent, home};
use super::{Ledger, Model, Waiting, Was};

const RECEIVERS: usize = 5;
const CAPACITY: usize = 2;
/// How far the slowest receiver may be behind.
const MOST: usize = 3;

pub(super) struct Everywhere {
    sender: Option<Sender<usize>>,
    receivers: [Home<Receiver<usize>>; RECEIVERS],
    /// How far each is behind.
    lags: [usize; RECEIVERS],
    /// Which one the future in each place has borrowed.
    who: [usize; RECEIVERS],
    sent: usize,
}

impl Everywhere {
    /// What a receiver reads next, and moves by. `None`: nothing yet.
    fn read(&mut self, who: usize) -> Option<Result<usize, RecvError>> {
        let lag = &mut self.lags[who];
        match *lag {
            0 if self.sender.is_none() => Some(Err(RecvError::Closed)),
            0 => None,
            1..=CAPACITY => {
                *lag -= 1;
                Some(Ok(self.sent - *lag - 1))
            }
            _ => {
                let missed = *lag - CAPACITY;
                *lag = CAPACITY;
                Some(Err(RecvError::Lagged(missed as u64)))
            }
        }
    }
}

impl Model for Everywhere {
    /// Kind n: one that is n behind receives.
    const KINDS: usize = MOST + 1;
    /// Send, drop the sender.
    const OTHERS: usize = 2;
    type Got = Result<usize, RecvError>;
    type Due = ();

    fn new() -> Everywhere {
        let (sender, receiver) = channel(CAPACITY);
        let receivers = std::array::from_fn(|_| home(receiver.resubscribe()));
        Everywhere {
            sender: Some(sender),
            receivers,
            lags: [0; RECEIVERS],
            who: [0; RECEIVERS],
            sent: 0,
        }
    }

    fn future(&mut self, at: usize, kind: usize) -> Option<Waiting<Self::Got>> {
        let is_free = |who: &usize| self.receivers[*who].borrow().is_some();
        let who = (0..RECEIVERS).find(|who| self.lags[*who] == kind && is_free(who))?;
        self.who[at] = who;
        let mut receiver = Lent::of(&self.receivers[who])?;
        Some(Box::pin(async move { receiver.get().recv().await }))
    }

    fn arrive(&mut self, _ledger: &mut Ledger<()>, at: usize) -> Option<()> {
        (self.lags[self.who[at]] > 0 || self.sender.is_none()).then_some(())
    }

    fn went_on(&mut self, _ledger: &mut Ledger<()>, at: usize, _due: (), got: &Self::Got) {
        assert_eq!(Some(*got), self.read(self.who[at]), "not the item that comes next");
    }

    fn gone(&mut self, _ledger: &mut Ledger<()>, _at: usize, _was: Was<()>) {}

    fn other(&mut self, ledger: &mut Ledger<()>, which: usize) -> bool {
        if which == 1 {
            let was_there = self.sender.take().is_some();
            (0..=MOST).for_each(|kind| ledger.grant_all(kind, |_| ()));
            return was_there;
        }
        if self.lags.contains(&MOST) {
            return false;
        }
        let Some(sender) = &self.sender else {
            return false;
        };
        sender.send(self.sent).expect("there are receivers");
        self.sent += 1;
        self.lags.iter_mut().for_each(|lag| *lag += 1);
        ledger.grant_all(0, |_| ());
        true
    }

    fn check(&self, ledger: &Ledger<()>) {
        let Some(sender) = &self.sender else {
            return;
        };
        let now = sender.statistics();
        let wanted = self.lags.iter().max().expect("there are receivers");
        assert_eq!(now.len, CAPACITY.min(*wanted), "an item stays longer than it is wanted");
        assert_eq!((now.sent, now.receivers), (self.sent as u64, RECEIVERS));
        assert_eq!(now.waiters, ledger.line.len(), "not all who wait are counted");
    }

    fn outline(&self, ledger: &Ledger<()>) -> Vec<u32> {
        let lag = |who: usize| number(self.lags[who]);
        let mut outline = ledger.outline(|()| 0);
        outline.extend(ledger.granted.iter().map(|(at, ())| lag(self.who[*at])));
        outline.push(u32::from(self.sender.is_some()));
        let free = (0..RECEIVERS).filter(|who| self.receivers[*who].borrow().is_some());
        let mut free: Vec<u32> = free.map(lag).collect();
        free.sort_unstable();
        outline.extend(free);
        outline
    }
}
