//! How does one future poll many others, each only when it was woken? It has child slots.
//!
//! ```text
//!   task ─── polls ──► group future ─── owns ──► child 0   child 1   child 2 …   (the futures)
//!     ▲                    │                        │         │         │
//!   slot ◄── parent ── Children ◄─── group ─────── slot      slot      slot      (the numbers)
//! ```
//!
//! A combinator over many (gather, wait, race) keeps its children's futures by itself and gives
//! each a slot here. A child's waker is a number as a task's is; its wake puts it on the group's
//! ready list and walks up to whoever polls the group.
//!
//! Invariants:
//! - **The parent is set again at every poll**, from the context of that poll: a group may move to
//!   another task, or sit inside a combinator that has wakers of its own.
//! - **Slots end with their root** at the latest. A group that was forgotten leaks its futures, not
//!   the loop's slots; one whose root has ended and that is polled again starts anew, every child
//!   counting as woken.
//! - **Plain data**: a `Children` holds numbers only, so it is `Send`; dropped elsewhere, it tells
//!   the loop through the inbox.
//!
//! Cost: no allocation per child; a child's poll about 10 ns more than its own.

use std::marker::PhantomData;
use std::rc::Rc;
use std::task::Context;

use crate::awaits;
use crate::core::Core;
use crate::inbox::Item;
use crate::num::Num;
use crate::registry::{self, LoopNumber};
use crate::slots::Parent;
use crate::trace::{self, Event};
use crate::waker::{number, running};

/// The child slots of one future.
#[derive(Debug)]
pub struct Children {
    size: usize,
    home: Option<Home>,
}

/// Where the slots are.
#[derive(Clone, Copy, Debug)]
struct Home {
    number: LoopNumber,
    group: u32,
    seq: u64,
}

impl Children {
    /// For `size` children. The slots are taken at the first [`Children::batch`].
    #[must_use]
    pub const fn new(size: usize) -> Children {
        Children { size, home: None }
    }

    /// Call it first in every poll of the group: sets whom the children wake, and returns the
    /// children to poll now: those that were woken since.
    ///
    /// Where the slots are new, at the first poll or when the root that held them has ended, that
    /// is all of them: be ready for one that you have ended already.
    ///
    /// # Panics
    ///
    /// If no loop is running on this thread.
    pub fn batch(&mut self, cx: &Context<'_>) -> Batch<'_> {
        let Some(core) = running(Core::to_rc) else {
            panic!(
                "a lone combinator was polled where no loop is running on this thread: await it \
                 inside lone::run(async {{ … }})"
            );
        };
        let group = match self.home {
            Some(home) if home.is_at(&core) => home.group,
            _ => self.settle(&core),
        };
        link(&core, group, cx);
        if awaits::is_asking() {
            core.slots.borrow_mut().make_all_ready(group);
        }
        let left = core.slots.borrow().ready_members(group);
        Batch { core, group, left, _children: PhantomData }
    }

    /// Takes slots in the loop that runs here.
    #[cold]
    fn settle(&mut self, core: &Core) -> u32 {
        self.release();
        let made = core.slots.borrow_mut().insert_group(self.size);
        let Some((group, seq)) = made else {
            panic!(
                "a loop can have 16,777,216 tasks and children at once: this group of {} does not \
                 fit any more",
                self.size
            );
        };
        self.home = Some(Home { number: core.number(), group, seq });
        trace::emit(|| Event::Children { count: self.size, by: core.polled() });
        group
    }

    /// Gives the slots back, wherever this is dropped.
    fn release(&mut self) {
        let Some(Home { number, group, seq }) = self.home.take() else {
            return;
        };
        let here = running(|core| (core.number() == number).then(|| core.to_rc()));
        if let Some(core) = here.flatten() {
            let parent = core.slots.borrow_mut().remove_group(group, seq);
            drop(parent);
        } else if let Some(inbox) = registry::by_number(number) {
            // A loop that has ended has no slots left to free.
            let _ = inbox.push(Item::ReleaseGroup { group, seq });
        }
    }
}

impl Home {
    fn is_at(&self, core: &Core) -> bool {
        self.number == core.number() && core.slots.borrow().has_group(self.group, self.seq)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.release();
    }
}

/// Sets whom the group wakes to whoever polls it now.
fn link(core: &Core, group: u32, cx: &Context<'_>) {
    let ours = number(cx.waker()).filter(|num| num.loop_index() == core.index());
    // Comparing and cloning a foreign waker is user code: it happens outside of the borrow.
    let same = match core.slots.borrow().parent(group) {
        Parent::Ours(parent) => ours == Some(*parent),
        Parent::Nobody | Parent::Foreign(_) => false,
    };
    let parent = (!same).then(|| match ours {
        Some(num) => Parent::Ours(num),
        None => Parent::Foreign(cx.waker().clone()),
    });
    let before = core.slots.borrow_mut().link(group, parent, core.root());
    drop(before);
}

/// The children to poll in this poll of their group.
pub struct Batch<'a> {
    core: Rc<Core>,
    group: u32,
    left: usize,
    /// The slots are there as long as the children are.
    _children: PhantomData<&'a mut Children>,
}

impl Batch<'_> {
    /// The next child to poll; `None`: the batch is done. Those that are woken meanwhile are left
    /// for the next poll of the group, which their wakes have asked for.
    #[expect(clippy::should_implement_trait, reason = "the children are polled between two calls")]
    pub fn next(&mut self) -> Option<Child> {
        while self.left > 0 {
            self.left -= 1;
            let next = self.core.slots.borrow_mut().next_member(self.group);
            if let Some((member, num)) = next {
                return Some(Child { member, num });
            }
        }
        None
    }

    /// Polls a child: `f` gets its context, and a budget of its own.
    pub fn poll<R>(&self, child: &Child, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.core.poll_child(child.num, f)
    }

    /// Ends a child: wakes for it mean nobody from here on. Call it before you drop its future.
    pub fn end(&self, child: Child) {
        trace::emit(|| Event::Complete { who: self.core.who(child.num) });
        self.core.slots.borrow_mut().end_member(self.group, child.member);
    }
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("left", &self.left).finish_non_exhaustive()
    }
}

/// One child of a batch.
#[derive(Debug)]
pub struct Child {
    member: u32,
    num: Num,
}

impl Child {
    /// Which one: its place in the order in which the children were given.
    #[must_use]
    pub fn index(&self) -> usize {
        self.member as usize
    }
}
