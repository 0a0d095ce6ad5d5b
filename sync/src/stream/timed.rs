//! How long may an item take, and how soon may the next one come? An alarm beside the stream.
//!
//! Invariants:
//! - **An item beats the limit**: the stream is polled first.
//! - **Nothing is dropped**: an item that comes too late comes with the next one asked for.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::Stream;
use lone_executor::trace;
use lone_reactor::time::{Alarm, Instant};
use pin_project_lite::pin_project;

use crate::timeout::Elapsed;

pin_project! {
    /// The stream of [`StreamExt::timeout`](crate::stream::StreamExt::timeout).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Timeout<S> {
        #[pin]
        stream: S,
        limit: Duration,
        alarm: Alarm,
        ended: bool,
        site: &'static Location<'static>,
    }
}

impl<S> Timeout<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: Duration) -> Timeout<S> {
        let site = Location::caller();
        Timeout { stream, limit, alarm: Alarm::new(), ended: false, site }
    }
}

impl<S: Stream> Stream for Timeout<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let said = trace::mark();
        if let Poll::Ready(item) = this.stream.poll_next(cx) {
            this.alarm.reset();
            *this.ended = item.is_none();
            return Poll::Ready(item.map(Ok));
        }
        let limit = *this.limit;
        if this.alarm.poll_with(|now| now + limit, cx).is_pending() {
            trace::awaits("a deadline", this.site);
            return Poll::Pending;
        }
        said.forget();
        this.alarm.reset();
        Poll::Ready(Some(Err(Elapsed::default())))
    }
}

pin_project! {
    /// The stream of [`StreamExt::throttle`](crate::stream::StreamExt::throttle).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you await their next item"]
    pub struct Throttle<S> {
        #[pin]
        stream: S,
        pause: Duration,
        alarm: Alarm,
        // Before this moment no item is asked for.
        not_before: Option<Instant>,
        site: &'static Location<'static>,
    }
}

impl<S> Throttle<S> {
    #[track_caller]
    pub(super) fn new(stream: S, pause: Duration) -> Throttle<S> {
        let site = Location::caller();
        Throttle { stream, pause, alarm: Alarm::new(), not_before: None, site }
    }
}

impl<S: Stream> Stream for Throttle<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if let Some(moment) = *this.not_before {
            let rung = this.alarm.poll(moment, cx);
            if rung.is_pending() {
                trace::awaits("a moment", this.site);
            }
            ready!(rung);
            this.alarm.reset();
            *this.not_before = None;
        }
        let item = ready!(this.stream.poll_next(cx));
        if item.is_some() {
            *this.not_before = Some(Instant::now() + *this.pause);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
