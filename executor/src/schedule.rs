//! In which order do ready tasks run? First come, first served; or as a seed says, or a chooser.
//!
//! ```text
//!             ┌─ neither:  the batch as it is                       (not this file)
//!   ready ────┼─ a seed:   the batch, shuffled
//!             └─ a chooser: a batch of one, picked from all that are ready
//! ```
//!
//! Tests want other orders than that of the queue. A seed finds out whether a program leans on that
//! order, reproducibly. A chooser can have every order at await points that there is, for a turn
//! then polls one task only, and the others that are ready stay so: see `lone::test::explore`.
//!
//! Invariants:
//! - **Only counts decide.** Under a seed or a chooser no clock says when the park is looked at
//!   within a batch: what is ready when depends on the program alone.
//! - **Roots only.** The children of a group run within the poll of their root, in the order of
//!   their wakes: that order is what `gather` and `race` promise.
//! - **A chooser is asked without a borrow**: it is user code.
//!
//! Cost: nothing within a batch; without a seed and a chooser, one test a turn.

use std::borrow::Cow;
use std::io;

use crate::awaits::{self, Await};
use crate::core::Core;
use crate::num::Num;
use crate::random::Random;
use crate::trace::Who;

/// Decides who runs next: see [`Executor::choose_with`](crate::Executor::choose_with).
pub trait Choose {
    /// Which of those who are ready runs next: its place among them, from 0, the one that was
    /// woken first. A place beyond the last counts as the last.
    ///
    /// # Errors
    ///
    /// One ends the run: [`RunError::Io`](crate::RunError::Io).
    fn choose(&mut self, ready: &Ready<'_>) -> io::Result<usize>;

    /// Everybody waited and nobody could wake anybody; but when they were asked for what, by a poll
    /// without a wake, somebody went on. Its wake was lost, or made by another thread.
    ///
    /// # Errors
    ///
    /// As [`Choose::choose`]. By default the loop goes on.
    fn lost_wake(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Those who are ready, in the order of their wakes: one at least.
pub struct Ready<'a> {
    core: &'a Core,
    nums: &'a [Num],
    left: Left<'a>,
}

impl Ready<'_> {
    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.nums.len()
    }

    /// Who stands at this place: main or a task.
    #[must_use]
    pub fn who(&self, place: usize) -> Who {
        self.core.who(self.nums[place])
    }

    /// The name that the task at this place was given, if any.
    #[must_use]
    pub fn name(&self, place: usize) -> Option<Cow<'static, str>> {
        let slots = self.core.slots.borrow();
        slots.task(self.nums[place]).and_then(crate::cell::Task::name)
    }

    /// How the last turn has left the one that it has polled.
    #[must_use]
    pub fn left(&self) -> Left<'_> {
        self.left
    }
}

/// How a turn has left the one that it has polled.
#[derive(Clone, Copy, Debug)]
pub enum Left<'a> {
    /// No turn has polled anybody yet.
    Nobody,
    /// It has ended.
    Ended,
    /// It is ready again.
    Ready,
    /// It waits. For nothing: for a future that is not lone's.
    Waiting(&'a [Await]),
}

impl std::fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.count()).map(|place| self.who(place))).finish()
    }
}

/// Who decides in place of the queue.
pub(crate) enum Schedule {
    Seeded(Random),
    Chosen {
        chooser: Box<dyn Choose>,
        /// Who was chosen last.
        last: Option<Num>,
    },
}

impl Schedule {
    pub(crate) fn seeded(seed: u64) -> Schedule {
        Schedule::Seeded(Random::new(seed))
    }

    pub(crate) fn chosen(chooser: impl Choose + 'static) -> Schedule {
        Schedule::Chosen { chooser: Box::new(chooser), last: None }
    }

    /// See [`Choose::lost_wake`].
    pub(crate) fn lost_wake(&mut self) -> io::Result<()> {
        match self {
            Schedule::Seeded(_) => Ok(()),
            Schedule::Chosen { chooser, .. } => chooser.lost_wake(),
        }
    }

    /// b: the batch of this turn. Returns how many it has.
    #[cold]
    pub(crate) fn begin_batch(&mut self, core: &Core) -> io::Result<usize> {
        let batch = core.slots.borrow_mut().begin_batch();
        match self {
            Schedule::Seeded(random) => {
                core.slots.borrow_mut().arrange(|nums| random.shuffle(nums))
            }
            Schedule::Chosen { chooser, last } => return narrow(core, &mut **chooser, last),
        }
        Ok(batch)
    }
}

/// Leaves one in the batch that has just begun. Returns how many it has then: none, if nobody lives
/// of those who stood in it.
fn narrow(core: &Core, chooser: &mut dyn Choose, last: &mut Option<Num>) -> io::Result<usize> {
    let nums = core.slots.borrow_mut().queued();
    if nums.is_empty() {
        return Ok(0);
    }
    awaits::listen();
    let awaited = awaits::take_since(0);
    let left = match *last {
        None => Left::Nobody,
        Some(num) if !core.slots.borrow().is_live(num) => Left::Ended,
        Some(num) if awaited.is_empty() && nums.contains(&num) => Left::Ready,
        Some(_) => Left::Waiting(&awaited),
    };
    let place = chooser.choose(&Ready { core, nums: &nums, left })?.min(nums.len() - 1);
    *last = Some(nums[place]);
    core.slots.borrow_mut().narrow_batch(place);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_gives_every_order_about_as_often() {
        let mut random = Random::new(7);
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6000 {
            let mut nums = [1, 2, 3].map(|slot| Num::new(0, slot, 1));
            random.shuffle(&mut nums);
            *seen.entry(nums.map(Num::slot)).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|times| (800..1200).contains(times)), "{seen:?}");
    }
}
