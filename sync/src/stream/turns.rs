//! How does one stream poll several, each only when it was woken? They have child slots, and take turns.
//!
//! ```text
//!   woken ──► back of the line ──► front: polled ─┬─ an item ──► given; to the back again
//!                                                 ├─ waits ────► out of the line until it is woken
//!                                                 └─ ends ─────► its slot is given back, it is dropped
//! ```
//!
//! Invariants:
//! - **Fair**: one that has given an item stands behind all others that are ready.
//! - **In the line or waiting**: one that is neither would never be polled again.
//! - **A fresh slot replaces the old one**: where the slots are new (the group has moved to another
//!   root) every child comes again, and whoever stood in the line gets its new number.
//! - **Ended is ended**, also by a panic, which goes on at once; the others stay as they are.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll};

use lone_executor::children::{Child, Children};

/// The streams that take turns.
pub(super) trait Members {
    type Item;

    /// Polls one that has not ended.
    fn poll(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// Drops one that has ended.
    fn clear(&mut self, index: usize);
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turns {
    children: Children,
    /// Who is to be polled, first to last.
    line: VecDeque<usize>,
    members: Vec<Member>,
    /// How many have not ended.
    left: usize,
}

#[derive(Debug, Default)]
struct Member {
    /// Its slot, while it stands in the line.
    child: Option<Child>,
    ended: bool,
}

impl Turns {
    pub(super) fn new(size: usize) -> Turns {
        let members = (0..size).map(|_| Member::default()).collect();
        Turns { children: Children::new(size), line: VecDeque::new(), members, left: size }
    }

    /// How many have not ended.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The next item of any of them; `None` when all have ended.
    ///
    /// # Panics
    ///
    /// Where one of them does: it has ended.
    pub(super) fn poll<M: Members>(
        &mut self,
        mut streams: M,
        cx: &mut Context<'_>,
    ) -> Poll<Option<M::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Turns { children, line, members, left } = self;
        let mut batch = children.batch(cx);
        while let Some(child) = batch.next() {
            let index = child.index();
            if members[index].ended {
                batch.end(child);
            } else if members[index].child.replace(child).is_none() {
                line.push_back(index);
            }
        }
        while let Some(index) = line.pop_front() {
            let child = members[index].child.take().expect("it stands in the line");
            let poll = || batch.poll(&child, |cx| streams.poll(index, cx));
            let panic = match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Pending) => continue,
                Ok(Poll::Ready(Some(item))) => {
                    members[index].child = Some(child);
                    line.push_back(index);
                    return Poll::Ready(Some(item));
                }
                Ok(Poll::Ready(None)) => None,
                Err(panic) => Some(panic),
            };
            batch.end(child);
            members[index].ended = true;
            *left -= 1;
            let dropped = catch_unwind(AssertUnwindSafe(|| streams.clear(index)));
            // The first panic is the one to tell.
            if let Some(panic) = panic.or(dropped.err()) {
                // The others in the line have not been polled.
                cx.waker().wake_by_ref();
                resume_unwind(panic);
            }
        }
        if *left == 0 {
            children.release();
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
