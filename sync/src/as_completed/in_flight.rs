//! Where do the futures lie that an `AsCompleted`, or a buffered stream, has begun, and what becomes of one that ends?
//!
//! ```text
//!   All     [ fut ][ gone ][ fut ]     one block; the child's index is the input's
//!   Places  [ 7: fut ][ gone ][ 9: fut ]   boxed one by one; the box of one that has ended is
//!                                          used again by a later input
//! ```
//!
//! Invariant: **no output is lost**: if the destructor of a future panics, its output is kept for
//! the next poll.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use lone_executor::Pinned;
use lone_executor::children::{Batch, Child};

pub(crate) struct InFlight<F: Future> {
    futures: Futures<F>,
    left: usize,
    /// An output whose future has panicked in its destructor.
    kept: Option<(usize, F::Output)>,
}

enum Futures<F> {
    /// All of them, from the start.
    All(Pinned<F>),
    /// By child.
    Places(Vec<Place<F>>),
}

struct Place<F> {
    /// Which input it is.
    input: usize,
    future: Pin<Box<Option<F>>>,
}

impl<F: Future> InFlight<F> {
    /// All of these.
    pub(crate) fn all(futures: impl IntoIterator<Item = F>) -> InFlight<F> {
        let futures: Pinned<F> = futures.into_iter().collect();
        InFlight { left: futures.len(), futures: Futures::All(futures), kept: None }
    }

    /// None so far.
    pub(crate) fn none() -> InFlight<F> {
        InFlight { left: 0, futures: Futures::Places(Vec::new()), kept: None }
    }

    /// How many have not ended.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Whether nothing is here, not even an output.
    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0 && self.kept.is_none()
    }

    /// The output that was kept.
    pub(crate) fn take_kept(&mut self) -> Option<(usize, F::Output)> {
        self.kept.take()
    }

    /// Puts `future`, the input of this number, at a child's place.
    pub(crate) fn put(&mut self, child: usize, input: usize, future: F) {
        let Futures::Places(places) = &mut self.futures else {
            unreachable!("where all futures are there from the start, there is no input");
        };
        if child < places.len() {
            places[child].input = input;
            places[child].future.set(Some(future));
        } else {
            // The children's indices have no gaps.
            places.push(Place { input, future: Box::pin(Some(future)) });
        }
        self.left += 1;
    }

    /// Polls one. Ready: it has ended, and is gone.
    ///
    /// # Panics
    ///
    /// Where it panics: it has ended, and the others are as they were.
    pub(crate) fn poll(
        &mut self,
        batch: &Batch<'_>,
        child: Child,
        cx: &Context<'_>,
    ) -> Poll<(usize, F::Output)> {
        let place = child.index();
        let Some((input, future)) = self.get(place) else {
            // The slots are new ones: the group has moved to another root.
            batch.end(child);
            return Poll::Pending;
        };
        let poll = || batch.poll(&child, |cx| future.poll(cx));
        let output = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        batch.end(child);
        self.left -= 1;
        let drop = || self.clear(place);
        match (output, catch_unwind(AssertUnwindSafe(drop))) {
            (Ok(output), Ok(())) => Poll::Ready((input, output)),
            (Ok(output), Err(panic)) => {
                self.kept = Some((input, output));
                cx.waker().wake_by_ref();
                resume_unwind(panic)
            }
            // The first panic is the one to tell; the rest of the batch has not been polled.
            (Err(panic), _) => {
                cx.waker().wake_by_ref();
                resume_unwind(panic)
            }
        }
    }

    fn get(&mut self, child: usize) -> Option<(usize, Pin<&mut F>)> {
        match &mut self.futures {
            Futures::All(futures) => Some((child, futures.get(child)?)),
            Futures::Places(places) => {
                let Place { input, future } = &mut places[child];
                Some((*input, future.as_mut().as_pin_mut()?))
            }
        }
    }

    fn clear(&mut self, child: usize) {
        match &mut self.futures {
            Futures::All(futures) => futures.clear(child),
            Futures::Places(places) => places[child].future.set(None),
        }
    }

    /// Those that have not ended, with the numbers of their inputs, in the order of these.
    pub(crate) fn into_rest(self) -> Vec<(usize, F)>
    where
        F: Unpin,
    {
        match self.futures {
            Futures::All(mut futures) => {
                (0..futures.len()).filter_map(|input| Some((input, futures.take(input)?))).collect()
            }
            Futures::Places(places) => {
                let rest = places.into_iter().filter_map(|Place { input, mut future }| {
                    Some((input, future.as_mut().get_mut().take()?))
                });
                let mut rest: Vec<(usize, F)> = rest.collect();
                rest.sort_unstable_by_key(|&(input, _)| input);
                rest
            }
        }
    }
}
