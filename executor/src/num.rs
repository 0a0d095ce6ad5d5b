//! What names a task to a waker? One 64-bit number.
//!
//! ```text
//!  63          48 47                    24 23                     0
//! ┌──────────────┬────────────────────────┬────────────────────────┐
//! │ loop index   │ slot                   │ generation             │
//! └──────────────┴────────────────────────┴────────────────────────┘
//! ```
//!
//! Invariants:
//! - **Never zero.** Generations begin at 1, so zero can stand for "nobody".
//! - **Never twice.** A slot raises its generation with every tenant and is retired when the
//!   generation is used up; a loop index that is used again begins where its last tenant stopped.
//!   So a number that is stale stays stale: it can wake nobody.

use std::num::NonZeroU64;

/// The highest generation that a tenant can have: its successor must still fit in 24 bits, to
/// say that the slot is retired.
pub(crate) const LAST_GENERATION: u32 = (1 << 24) - 2;

/// The bits of a number that are its generation.
pub(crate) const GENERATION_MASK: u32 = (1 << 24) - 1;

/// The most slots that a loop can have.
pub(crate) const MAX_SLOTS: usize = 1 << 24;

/// Loop index, slot and generation in 64 bits: the data pointer of a waker.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Num(NonZeroU64);

impl Num {
    /// Packs the three parts.
    pub(crate) fn new(loop_index: u16, slot: u32, generation: u32) -> Num {
        debug_assert!((slot as usize) < MAX_SLOTS, "slot {slot} does not fit in 24 bits");
        debug_assert!(
            (1..=LAST_GENERATION).contains(&generation),
            "generation {generation} is not in 1..={LAST_GENERATION}"
        );
        let bits = (u64::from(loop_index) << 48) | (u64::from(slot) << 24) | u64::from(generation);
        Num::from_bits(bits).expect("a generation is at least 1, so the number is not zero")
    }

    /// The number with these bits; `None` for zero, which names nobody.
    pub(crate) const fn from_bits(bits: u64) -> Option<Num> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Num(bits)),
            None => None,
        }
    }

    /// The bits as they stand in a waker's data pointer.
    pub(crate) const fn bits(self) -> u64 {
        self.0.get()
    }

    /// The same, as what they never are not.
    pub(crate) const fn non_zero(self) -> NonZeroU64 {
        self.0
    }

    /// Which loop of this process.
    pub(crate) const fn loop_index(self) -> u16 {
        (self.0.get() >> 48) as u16
    }

    /// Which slot of that loop.
    pub(crate) const fn slot(self) -> usize {
        (self.0.get() >> 24) as usize & (MAX_SLOTS - 1)
    }

    /// Which tenant of that slot.
    pub(crate) const fn generation(self) -> u32 {
        self.0.get() as u32 & GENERATION_MASK
    }
}

impl std::fmt::Debug for Num {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}#{}", self.loop_index(), self.slot(), self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_packed_unpacks_to_its_parts() {
        for (index, slot, generation) in
            [(0, 0, 1), (1, 2, 3), (u16::MAX, MAX_SLOTS as u32 - 1, LAST_GENERATION)]
        {
            let num = Num::new(index, slot, generation);
            assert_eq!(
                (num.loop_index(), num.slot(), num.generation()),
                (index, slot as usize, generation)
            );
            assert_eq!(Num::from_bits(num.bits()), Some(num));
        }
    }

    #[test]
    fn zero_bits_name_nobody() {
        assert_eq!(Num::from_bits(0), None);
    }
}
