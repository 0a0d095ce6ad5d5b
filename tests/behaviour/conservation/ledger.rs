//! Who is where, as it should be?

/// Where each future should be; a place is in one of the lists at most.
pub(super) struct Ledger<D> {
    /// Of which kind the future in each place is.
    pub(super) kinds: Vec<usize>,
    /// Who waits, in order.
    pub(super) line: Vec<usize>,
    /// Who may go on and has not come, with what, in order.
    pub(super) granted: Vec<(usize, D)>,
    /// Who has gone on, and is pending still.
    pub(super) resting: Vec<usize>,
    /// Whose result is kept.
    pub(super) held: Vec<usize>,
}

/// Where one was that has gone.
pub(super) enum Was<D> {
    Waiting,
    /// With what, and as which of those who were granted something.
    Granted(D, usize),
    Resting,
    Held,
}

fn take_out(list: &mut Vec<usize>, at: usize) -> bool {
    let before = list.len();
    list.retain(|place| *place != at);
    list.len() < before
}

pub(super) fn number(n: usize) -> u32 {
    u32::try_from(n).expect("it is small")
}

/// What parts one list from the next in an outline.
const END: u32 = 99;

impl<D> Ledger<D> {
    pub(super) fn new(places: usize) -> Ledger<D> {
        Ledger {
            kinds: vec![0; places],
            line: Vec::new(),
            granted: Vec::new(),
            resting: Vec::new(),
            held: Vec::new(),
        }
    }

    /// The first in line of this kind.
    pub(super) fn first(&self, kind: usize) -> Option<usize> {
        self.line.iter().copied().find(|at| self.kinds[*at] == kind)
    }

    /// How many of this kind wait.
    pub(super) fn waiting(&self, kind: usize) -> usize {
        self.line.iter().filter(|at| self.kinds[**at] == kind).count()
    }

    pub(super) fn is_granted(&self, at: usize) -> bool {
        self.granted.iter().any(|(place, _)| *place == at)
    }

    /// Lets one go on who waits or rests.
    pub(super) fn grant(&mut self, at: usize, due: D) {
        assert!(take_out(&mut self.line, at) || take_out(&mut self.resting, at));
        self.granted.push((at, due));
    }

    /// Lets all of a kind go on who wait, in order.
    pub(super) fn grant_all(&mut self, kind: usize, due: impl Fn(usize) -> D) {
        let mut index = 0;
        while let Some(at) = self.first(kind) {
            self.grant(at, due(index));
            index += 1;
        }
    }

    /// What it was granted, if it was.
    pub(super) fn claim(&mut self, at: usize) -> Option<D> {
        let rank = self.granted.iter().position(|(place, _)| *place == at)?;
        Some(self.granted.remove(rank).1)
    }

    /// Takes one out, wherever it is.
    pub(super) fn take_out(&mut self, at: usize) -> Was<D> {
        if let Some(rank) = self.granted.iter().position(|(place, _)| *place == at) {
            return Was::Granted(self.granted.remove(rank).1, rank);
        }
        if take_out(&mut self.line, at) {
            Was::Waiting
        } else if take_out(&mut self.resting, at) {
            Was::Resting
        } else {
            assert!(take_out(&mut self.held, at), "place {at} is in one of the lists");
            Was::Held
        }
    }

    /// The kinds of all lists, and what was granted as a number.
    pub(super) fn outline(&self, due: impl Fn(&D) -> u32) -> Vec<u32> {
        self.outline_of(&self.line, self.granted.iter().collect(), due)
    }

    /// The same for a type whose kinds stand in a line each: how they follow each other is no matter.
    pub(super) fn outline_by_kind(&self, due: impl Fn(&D) -> u32) -> Vec<u32> {
        let (mut line, mut granted) = (self.line.clone(), Vec::from_iter(&self.granted));
        line.sort_by_key(|at| self.kinds[*at]);
        granted.sort_by_key(|(at, _)| self.kinds[*at]);
        self.outline_of(&line, granted, due)
    }

    fn outline_of(
        &self,
        line: &[usize],
        granted: Vec<&(usize, D)>,
        due: impl Fn(&D) -> u32,
    ) -> Vec<u32> {
        let kind = |at: &usize| number(self.kinds[*at]);
        let mut held: Vec<u32> = self.held.iter().map(kind).collect();
        held.sort_unstable();
        let granted = granted.into_iter().flat_map(|(at, granted)| [kind(at), due(granted)]);
        let mut outline: Vec<u32> = line.iter().map(kind).chain([END]).chain(granted).collect();
        outline.push(END);
        outline.extend(self.resting.iter().map(kind).chain([END]).chain(held).chain([END]));
        outline
    }
}
