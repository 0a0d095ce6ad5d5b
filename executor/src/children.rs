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
//! A group may grow at any time, also while it is being polled: what is added is ready at once,
//! and wakes whoever polls the group.
//!
//! Invariants:
//! - **The parent is set again at every poll**, from the context of that poll: a group may move to
//!   another task, or sit inside a combinator that has wakers of its own.
//! - **Slots end with their root** at the latest. A group that was forgotten leaks its futures, not
//!   the loop's slots; one whose root has ended and that is polled again starts anew, every child
//!   counting as woken.
//! - **Plain data**: a `Children` holds numbers only, so it is `Send`; dropped elsewhere, or given
//!   another child elsewhere, it tells the loop through the inbox.
//! - **Places are used again**, but never within a batch: an index means the child that had it when
//!   the batch began, or nobody, until the batch is over.
//! - **No borrow is held** while a foreign waker is cloned, woken or dropped here; and all methods
//!   take `&self`, so that a child may add to the very group that is polling it.
//!
//! Cost: no allocation per child; a child's poll about 10 ns more than its own. A group has room
//! for the most children that were alive at once, or ended within one batch.

use std::cell::Cell;
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
    /// How many places there are: also those of children that the slots do not know of yet.
    size: Cell<usize>,
    home: Cell<Option<Home>>,
}

/// Where the slots are.
#[derive(Clone, Copy, Debug)]
struct Home {
    number: LoopNumber,
    group: u32,
    seq: u64,
}

impl Children {
    /// For `size` children to begin with. The slots are taken at the first [`Children::batch`].
    #[must_use]
    pub const fn new(size: usize) -> Children {
        Children { size: Cell::new(size), home: Cell::new(None) }
    }

    /// Adds a child and returns its index: the lowest one that was never used, or the one of a
    /// child that has ended. Put its future there before you return to the loop.
    ///
    /// It is ready at once: whoever polls the group is woken. During a batch it is left for the
    /// next one. Where there are no slots yet it only counts, for the first batch polls everybody.
    ///
    /// # Panics
    ///
    /// If the loop has no room for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::future::{Future, poll_fn};
    /// use std::pin::Pin;
    /// use std::task::Poll;
    /// use lone_executor::children::Children;
    ///
    /// type Futures = RefCell<Vec<Option<Pin<Box<dyn Future<Output = ()>>>>>>;
    ///
    /// fn add(children: &Children, futures: &Futures, future: impl Future<Output = ()> + 'static) {
    ///     let (index, mut futures) = (children.insert(), futures.borrow_mut());
    ///     if index == futures.len() {
    ///         futures.push(None);
    ///     }
    ///     futures[index] = Some(Box::pin(future));
    /// }
    ///
    /// let (children, futures) = (Children::new(0), Futures::default());
    /// for _ in 0..3 {
    ///     add(&children, &futures, lone::yield_now());
    /// }
    /// let mut left = 3;
    /// lone::run(poll_fn(|cx| {
    ///     let mut batch = children.batch(cx);
    ///     while let Some(child) = batch.next() {
    ///         // Taken out: the child may add others while it is polled.
    ///         let Some(mut future) = futures.borrow_mut()[child.index()].take() else {
    ///             batch.end(child);
    ///             continue;
    ///         };
    ///         if batch.poll(&child, |cx| future.as_mut().poll(cx)).is_ready() {
    ///             batch.end(child);
    ///             left -= 1;
    ///         } else {
    ///             futures.borrow_mut()[child.index()] = Some(future);
    ///         }
    ///     }
    ///     if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    /// }));
    /// ```
    pub fn insert(&self) -> usize {
        let Some(home) = self.home.get() else {
            return self.count();
        };
        let Home { number, group, seq } = home;
        let here = running(|core| (core.number() == number).then(|| core.to_rc()));
        let Some(core) = here.flatten() else {
            let index = self.count();
            if let Some(inbox) = registry::by_number(number) {
                // A loop that has ended has nobody to wake.
                let _ = inbox.push(Item::WakeGroup { group, seq });
            }
            return index;
        };
        if !home.is_at(&core) {
            // Its root has ended: the next batch begins with new slots.
            return self.count();
        }
        let added = core.slots.borrow_mut().insert_member(group, self.size.get());
        let child = self.added(&core, added);
        if let Some(foreign_parent) = core.wake_group(group, seq) {
            foreign_parent.wake();
        }
        child.index()
    }

    fn added(&self, core: &Core, added: Option<(u32, Num)>) -> Child {
        let Some((member, num)) = added else { no_room(self.size.get() + 1) };
        self.size.set(self.size.get().max(member as usize + 1));
        trace::emit(|| Event::AddedChild { child: core.who(num), by: core.polled() });
        Child { member, num }
    }

    /// Adds a child that the slots do not know of.
    fn count(&self) -> usize {
        let index = self.size.get();
        self.size.set(index + 1);
        index
    }

    /// Call it first in every poll of the group: sets whom the children wake, and returns the
    /// children to poll now: those that were woken since.
    ///
    /// Where the slots are new, at the first poll or when the root that held them has ended, that
    /// is every index that was ever used: be ready for one that you have ended already, and end it
    /// again.
    ///
    /// # Panics
    ///
    /// If no loop is running on this thread.
    pub fn batch(&self, cx: &Context<'_>) -> Batch<'_> {
        self.begin(|core, group| link(core, group, cx))
    }

    /// As [`Children::batch`], where nobody polls the group: until its next batch the wakes of its
    /// children are kept in their order, and go no further.
    ///
    /// # Panics
    ///
    /// If no loop is running on this thread.
    pub fn unwatched(&self) -> Batch<'_> {
        self.begin(|core, group| {
            let before = core.slots.borrow_mut().link(group, Some(Parent::Nobody), core.root());
            drop(before);
        })
    }

    fn begin(&self, link: impl FnOnce(&Core, u32)) -> Batch<'_> {
        let Some(core) = running(Core::to_rc) else {
            panic!(
                "a lone combinator was polled where no loop is running on this thread: await it \
                 inside lone::run(async {{ … }})"
            );
        };
        let Home { group, seq, .. } = match self.home.get() {
            Some(home) if home.is_at(&core) => home,
            _ => self.settle(&core),
        };
        link(&core, group);
        let begun = core.slots.borrow_mut().begin_members(group, self.size.get());
        let Some(mut left) = begun else { no_room(self.size.get()) };
        if awaits::is_asking() {
            left = core.slots.borrow_mut().make_all_ready(group);
        }
        Batch { core, group, seq, left, children: self }
    }

    /// Takes slots in the loop that runs here.
    #[cold]
    fn settle(&self, core: &Core) -> Home {
        self.release();
        let size = self.size.get();
        let made = core.slots.borrow_mut().insert_group(size);
        let Some((group, seq)) = made else { no_room(size) };
        let home = Home { number: core.number(), group, seq };
        self.home.set(Some(home));
        trace::emit(|| Event::Children { count: size, by: core.polled() });
        home
    }

    /// Gives the slots back, as a drop does: for a combinator that is kept after its end.
    pub fn release(&self) {
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

#[cold]
fn no_room(size: usize) -> ! {
    panic!(
        "a loop can have 16,777,216 tasks and children at once: this group of {size} does not fit \
         any more"
    )
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

thread_local! {
    static ORDER_WAS_KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Says that several children were ready at once and were polled in the order of their wakes: for
/// combinators whose children run as tasks do. An exploration has then not seen every order.
pub fn keep_order() {
    ORDER_WAS_KEPT.set(true);
}

/// Whether anybody on this thread has said [`keep_order`] since this was asked last.
#[must_use]
pub fn order_was_kept() -> bool {
    ORDER_WAS_KEPT.take()
}

/// The children to poll in this poll of their group.
pub struct Batch<'a> {
    core: Rc<Core>,
    group: u32,
    /// Should the group be polled by another loop within this batch, then the batch is over.
    seq: u64,
    left: usize,
    /// The slots are there as long as these are.
    children: &'a Children,
}

impl Batch<'_> {
    /// How many are left of it, at most.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next child to poll; `None`: the batch is done. Those that are woken or added meanwhile
    /// are left for the next poll of the group, which their wakes have asked for.
    #[expect(clippy::should_implement_trait, reason = "the children are polled between two calls")]
    #[inline]
    pub fn next(&mut self) -> Option<Child> {
        while self.left > 0 {
            self.left -= 1;
            let next = self.core.slots.borrow_mut().next_member(self.group, self.seq);
            if let Some((member, num)) = next {
                return Some(Child { member, num });
            }
        }
        None
    }

    /// Adds a child that belongs to this batch, for whoever has its future at hand: poll it at once.
    /// Unlike one of [`Children::insert`] it is not ready by itself, and wakes nobody.
    ///
    /// # Panics
    ///
    /// If the loop has no room for it, or if another loop has polled the group meanwhile.
    #[must_use = "poll it: nothing else has it polled"]
    pub fn add(&self) -> Child {
        let Batch { core, group, seq, children, .. } = self;
        assert!(
            core.slots.borrow().has_group(*group, *seq),
            "a group was polled by another loop while it was being polled: give it one place"
        );
        let added = core.slots.borrow_mut().add_member(*group, children.size.get());
        children.added(core, added)
    }

    /// Polls a child: `f` gets its context, and a budget of its own.
    pub fn poll<R>(&self, child: &Child, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.core.poll_child(child.num, f)
    }

    /// Ends a child: wakes for it mean nobody from here on. Call it before you drop its future.
    ///
    /// Its index may be used again when the next batch has begun.
    pub fn end(&self, child: Child) {
        trace::emit(|| Event::Complete { who: self.core.who(child.num) });
        self.core.slots.borrow_mut().end_member(self.group, self.seq, child.member, child.num);
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
    /// Which one: its place in the order in which the children were given; of one that was added,
    /// what [`Children::insert`] has returned.
    #[must_use]
    pub fn index(&self) -> usize {
        self.member as usize
    }
}
