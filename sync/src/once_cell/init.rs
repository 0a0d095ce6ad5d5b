//! What does an initialisation do when it is polled, or dropped? It waits for its part, then plays it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::budget;
use pin_project_lite::pin_project;

use super::OnceCell;
use crate::wait_list::Place;

/// A place in line for the part, or the part.
struct Turn<'a, T> {
    cell: &'a OnceCell<T>,
    place: Place,
    has_part: bool,
}

impl<'a, T> Turn<'a, T> {
    /// Ready with the value, if there is one; without, it has the part.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<&'a T>> {
        ready!(budget::take(cx));
        // One who stands in line still looks there: he may have been granted, and then leaves it.
        if !self.place.is_taken()
            && let Some(value) = self.cell.get()
        {
            return Poll::Ready(Some(value));
        }
        self.has_part = ready!(self.cell.part.poll(&mut self.place, cx));
        Poll::Ready(if self.has_part { None } else { self.cell.get() })
    }

    fn complete(&mut self, value: T) -> &'a T {
        self.has_part = false;
        self.cell.complete(value)
    }
}

impl<T> Drop for Turn<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.has_part {
            self.cell.part.pass_on();
        } else if self.place.is_taken() {
            self.cell.part.abandon(&mut self.place);
        }
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_init`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrInit<'a, T, I, F> {
        // Dropped first: its destructors run while it is still the one who initialises.
        #[pin]
        future: Option<F>,
        init: Option<I>,
        turn: Turn<'a, T>,
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_try_init`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrTryInit<'a, T, I, F> {
        // Dropped first, as in `GetOrInit`.
        #[pin]
        future: Option<F>,
        init: Option<I>,
        turn: Turn<'a, T>,
    }
}

/// Why there is an `init` where the part has come.
const ONCE: &str = "an initialisation is not polled after it has ended";

impl<'a, T, I, F> GetOrInit<'a, T, I, F> {
    #[inline]
    pub(super) fn new(cell: &'a OnceCell<T>, place: Place, init: I) -> GetOrInit<'a, T, I, F> {
        GetOrInit { future: None, init: Some(init), turn: Turn { cell, place, has_part: false } }
    }
}

impl<'a, T, I, F> GetOrTryInit<'a, T, I, F> {
    #[inline]
    pub(super) fn new(cell: &'a OnceCell<T>, place: Place, init: I) -> GetOrTryInit<'a, T, I, F> {
        GetOrTryInit { future: None, init: Some(init), turn: Turn { cell, place, has_part: false } }
    }
}

impl<'a, T, I, F> Future for GetOrInit<'a, T, I, F>
where
    I: FnOnce() -> F,
    F: Future<Output = T>,
{
    type Output = &'a T;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let mut this = self.project();
        if !this.turn.has_part
            && let Some(value) = ready!(this.turn.poll(cx))
        {
            return Poll::Ready(value);
        }
        if let Some(init) = this.init.take() {
            this.future.set(Some(init()));
        }
        let value = ready!(this.future.as_mut().as_pin_mut().expect(ONCE).poll(cx));
        this.future.set(None);
        Poll::Ready(this.turn.complete(value))
    }
}

impl<'a, T, E, I, F> Future for GetOrTryInit<'a, T, I, F>
where
    I: FnOnce() -> F,
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    /// # Panics
    ///
    /// If it is polled again after it has ended.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        let mut this = self.project();
        if !this.turn.has_part
            && let Some(value) = ready!(this.turn.poll(cx))
        {
            return Poll::Ready(Ok(value));
        }
        if let Some(init) = this.init.take() {
            this.future.set(Some(init()));
        }
        let outcome = ready!(this.future.as_mut().as_pin_mut().expect(ONCE).poll(cx));
        this.future.set(None);
        Poll::Ready(match outcome {
            Ok(value) => Ok(this.turn.complete(value)),
            Err(error) => {
                this.turn.has_part = false;
                this.turn.cell.part.pass_on();
                Err(error)
            }
        })
    }
}

impl<T, I, F> fmt::Debug for GetOrInit<'_, T, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.turn.debug("GetOrInit", f)
    }
}

impl<T, I, F> fmt::Debug for GetOrTryInit<'_, T, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.turn.debug("GetOrTryInit", f)
    }
}

impl<T> Turn<'_, T> {
    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("place", &self.place)
            .field("has_part", &self.has_part)
            .finish_non_exhaustive()
    }
}
