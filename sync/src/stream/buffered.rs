//! How are the futures of a stream run side by side, so many at once? As `as_completed` does it.
//!
//! ```text
//!   stream of futures ──► in flight, a slot each ─┬─ buffer_unordered ──► outputs as they come
//!   (asked while there is room)                   └─ buffered ──► held ──► outputs in order
//! ```
//!
//! Invariants:
//! - **Never more than the limit**: what is in flight and what is held count alike.
//! - **Asked when there is room, and nothing to give**: no future is pulled ahead of that.
//! - **No output is lost**: one that is there stays here until it is given.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;
use lone_executor::children::Children;
use pin_project_lite::pin_project;

use super::item::{one_operation, poll_item};
use crate::as_completed::in_flight::InFlight;

pin_project! {
    /// The stream of [`StreamExt::buffer_unordered`](crate::stream::StreamExt::buffer_unordered).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct BufferUnordered<S: Stream>
    where
        S::Item: Future,
    {
        // The order of the fields is the order in which they are dropped: slots, then futures.
        children: Children,
        flight: InFlight<S::Item>,
        #[pin]
        stream: S,
        // The stream has ended.
        ended: bool,
        begun: usize,
        limit: usize,
    }
}

impl<S: Stream<Item: Future>> BufferUnordered<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: usize) -> BufferUnordered<S> {
        assert!(limit > 0, "a limit of 0 would let no future begin: allow one at least");
        BufferUnordered {
            children: Children::new(0),
            flight: InFlight::none(),
            stream,
            ended: false,
            begun: 0,
            limit,
        }
    }

    /// The next output and which of the futures it was of, with at most `room` of them in flight.
    fn poll_output(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Option<(usize, <S::Item as Future>::Output)>> {
        let mut this = self.project();
        let flight = this.flight;
        if let Some(output) = flight.take_kept() {
            return Poll::Ready(Some(output));
        }
        if !(flight.left() == 0 && *this.ended) {
            let batch = &mut this.children.batch(cx);
            while let Some(child) = batch.next() {
                if let Poll::Ready(output) = flight.poll(batch, child, cx) {
                    return Poll::Ready(Some(output));
                }
            }
            while !*this.ended && flight.left() < room {
                match poll_item(this.stream.as_mut(), cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => *this.ended = true,
                    Poll::Ready(Some(future)) => {
                        let child = batch.add();
                        flight.put(child.index(), *this.begun, future);
                        *this.begun += 1;
                        if let Poll::Ready(output) = flight.poll(batch, child, cx) {
                            return Poll::Ready(Some(output));
                        }
                    }
                }
            }
            if !(flight.left() == 0 && *this.ended) {
                return Poll::Pending;
            }
        }
        this.children.release();
        Poll::Ready(None)
    }
}

impl<S: Stream<Item: Future>> Stream for BufferUnordered<S> {
    type Item = <S::Item as Future>::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let room = self.limit;
        one_operation(cx, |cx| self.poll_output(cx, room))
            .map(|output| output.map(|(_, output)| output))
    }
}

impl<S: Stream<Item: Future>> fmt::Debug for BufferUnordered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BufferUnordered({} of at most {} in flight)", self.flight.left(), self.limit)
    }
}

pin_project! {
    /// The stream of [`StreamExt::buffered`](crate::stream::StreamExt::buffered).
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Buffered<S: Stream>
    where
        S::Item: Future,
    {
        #[pin]
        flight: BufferUnordered<S>,
        // By input, from `next` on: the outputs that are there, and gaps.
        held: VecDeque<Option<<S::Item as Future>::Output>>,
        // How many are there.
        holds: usize,
        // The input whose output is to be given next.
        next: usize,
    }
}

impl<S: Stream<Item: Future>> Buffered<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: usize) -> Buffered<S> {
        let flight = BufferUnordered::new(stream, limit);
        Buffered { flight, held: VecDeque::new(), holds: 0, next: 0 }
    }

    fn poll_in_order(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<<S::Item as Future>::Output>> {
        let mut this = self.project();
        loop {
            if let Some(Some(_)) = this.held.front() {
                *this.holds -= 1;
                *this.next += 1;
                return Poll::Ready(this.held.pop_front().flatten());
            }
            if this.flight.flight.is_empty() && this.held.pop_front().is_some() {
                // Nobody is in flight, and yet the next output is not there: its future has
                // panicked. Those after it still come.
                *this.next += 1;
                continue;
            }
            let room = this.flight.limit - *this.holds;
            let polled = this.flight.as_mut().poll_output(cx, room);
            let Some((input, output)) = ready!(polled) else { return Poll::Ready(None) };
            let place = input - *this.next;
            if this.held.len() <= place {
                this.held.resize_with(place + 1, || None);
            }
            this.held[place] = Some(output);
            *this.holds += 1;
        }
    }
}

impl<S: Stream<Item: Future>> Stream for Buffered<S> {
    type Item = <S::Item as Future>::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        one_operation(cx, |cx| self.poll_in_order(cx))
    }
}

impl<S: Stream<Item: Future>> fmt::Debug for Buffered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Buffered({} of at most {} in flight, {} held)",
            self.flight.flight.left(),
            self.flight.limit,
            self.holds
        )
    }
}
