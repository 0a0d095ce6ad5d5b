//! What does a leaf future do with a wait list? It joins, waits, takes what it was granted, or leaves.

use std::cell::RefCell;
use std::panic::Location;
use std::task::{Context, Poll};

use lone_executor::trace::{self, Event, Who};
use lone_executor::{KeptWaker, budget};

use super::{Key, Parcel, WaitList};

/// A future's half: its place in a list, and the line of its `.await`.
///
/// A leaf holds one, and its `Drop` calls [`Place::leave`]. `cell` and `list` are always the
/// primitive's `RefCell` and the way from its content to the list: a borrow lasts as long as they
/// need it, and no longer.
#[derive(Debug)]
pub(crate) struct Place {
    key: Option<Key>,
    site: &'static Location<'static>,
}

/// What a future had when it was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<P> {
    /// It waited: its place has gone, here is what it had brought along.
    Waiting(P),
    /// It had been granted something: that is to be passed on.
    Granted(P),
}

impl Place {
    /// A place in no line yet, for a leaf made on the caller's line.
    #[track_caller]
    #[inline]
    pub(crate) fn new() -> Place {
        Place { key: None, site: Location::caller() }
    }

    /// Another place in no line, for the same line of code.
    pub(crate) fn again(&self) -> Place {
        Place { key: None, site: self.site }
    }

    /// Whether it has a node, be it waiting or granted.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.key.is_some()
    }

    /// The line of its `.await`.
    #[inline]
    pub(crate) fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// Joins the end of the line with `parcel`. Call [`Place::poll`] after the borrow has ended.
    pub(crate) fn join<P: Parcel>(&mut self, list: &mut WaitList<P>, parcel: P) {
        self.join_with(list, parcel, KeptWaker::NOBODY);
    }

    /// As [`Place::join`], for whoever polls. `true`: he is kept as well, so that there is nothing left to
    /// do but to call [`Place::wait`]. `false`: call [`Place::poll`].
    ///
    /// Only a waker of our own is kept here, which clones nothing: somebody else's is user code.
    #[must_use = "if he is not kept, poll it"]
    #[inline]
    pub(crate) fn join_and_keep<P: Parcel>(
        &mut self,
        list: &mut WaitList<P>,
        parcel: P,
        cx: &mut Context<'_>,
    ) -> bool {
        // A trace tells who waits, and from outside of the borrow.
        let ours = if cfg!(feature = "trace") { None } else { KeptWaker::ours(cx.waker()) };
        let kept = ours.is_some();
        self.join_with(list, parcel, ours.unwrap_or(KeptWaker::NOBODY));
        kept
    }

    /// Joins for somebody who is not being polled: `waker` is what he has left in another line.
    pub(crate) fn line_up<P: Parcel>(
        &mut self,
        list: &mut WaitList<P>,
        parcel: P,
        waker: KeptWaker,
    ) {
        let who = waker.who();
        self.join_with(list, parcel, waker);
        trace::emit(|| list.describe_wait(who));
    }

    #[inline]
    fn join_with<P: Parcel>(&mut self, list: &mut WaitList<P>, parcel: P, waker: KeptWaker) {
        debug_assert!(self.key.is_none(), "it stands in a line already");
        self.key = Some(list.join(parcel, waker, self.site));
    }

    /// [5] await: what there is to do and to say when a leaf waits.
    #[inline]
    pub(crate) fn wait<T>(&self, on: &'static str) -> Poll<T> {
        budget::give_back();
        trace::awaits(on, self.site);
        Poll::Pending
    }

    /// [5] await: ready with the parcel once it has been granted; then it has no place any more.
    ///
    /// Pending: the waker of `cx`, and no other, will be woken, and the budget was given back.
    #[inline]
    pub(crate) fn poll<S, P: Parcel>(
        &mut self,
        cx: &mut Context<'_>,
        on: &'static str,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Poll<P> {
        if let Some(parcel) = self.take_granted(list(&mut cell.borrow_mut())) {
            return Poll::Ready(parcel);
        }
        self.poll_again(cx, on, cell, list)
    }

    /// Out of line: who is polled as a rule has been granted what it waits for.
    #[inline(never)]
    fn poll_again<S, P: Parcel>(
        &mut self,
        cx: &mut Context<'_>,
        on: &'static str,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Poll<P> {
        if self.poll_unsaid(cx, cell, &list).is_pending() {
            trace::awaits(on, self.site);
            return Poll::Pending;
        }
        Poll::Ready(self.take(list(&mut cell.borrow_mut())))
    }

    /// As [`Place::poll`], for a leaf that says by itself what it awaits, and takes the parcel with
    /// [`Place::take`].
    #[inline]
    pub(crate) fn poll_unsaid<S, P: Parcel>(
        &self,
        cx: &mut Context<'_>,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Poll<()> {
        let key = self.key.as_ref().expect("it has joined the line");
        let (granted, kept) = {
            let mut state = cell.borrow_mut();
            let node = list(&mut state).node(key);
            (node.standing.is_granted(), node.waker.will_wake(cx.waker()))
        };
        if granted {
            return Poll::Ready(());
        }
        if !kept {
            // Keeping a foreign waker clones it, and dropping the one before is user code as well:
            // neither happens under a borrow, and either may have us granted meanwhile.
            let waker = KeptWaker::new(cx.waker());
            let who = waker.who();
            let before = list(&mut cell.borrow_mut()).attach(key, waker);
            if before.is_nobody() {
                trace::emit(|| list(&mut cell.borrow_mut()).describe_wait(who));
            }
            drop(before);
            if list(&mut cell.borrow_mut()).node(key).standing.is_granted() {
                return Poll::Ready(());
            }
        }
        budget::give_back();
        Poll::Pending
    }

    /// What it has brought along, or was granted.
    pub(crate) fn parcel<'a, P: Parcel>(&self, list: &'a mut WaitList<P>) -> &'a mut P {
        let key = self.key.as_ref().expect("it has joined the line");
        &mut list.node_mut(key).parcel
    }

    /// Whether it has been granted something.
    #[inline]
    pub(crate) fn is_granted<P: Parcel>(&self, list: &WaitList<P>) -> bool {
        self.key.as_ref().is_some_and(|key| list.node(key).standing.is_granted())
    }

    /// Shows `f` what has been granted to those behind this one, in order; it has been granted as well.
    pub(crate) fn for_each_granted_behind<P: Parcel>(
        &self,
        list: &mut WaitList<P>,
        f: impl FnMut(&mut P),
    ) {
        if let Some(key) = &self.key {
            list.for_each_granted_behind(key, f);
        }
    }

    /// Takes the parcel if it has been granted.
    #[inline]
    pub(crate) fn take_granted<P: Parcel>(&mut self, list: &mut WaitList<P>) -> Option<P> {
        if self.is_granted(list) { Some(self.take(list)) } else { None }
    }

    /// Takes what was granted: after [`Place::poll_unsaid`] was ready, and no user code has run since.
    #[inline]
    pub(crate) fn take<P: Parcel>(&mut self, list: &mut WaitList<P>) -> P {
        list.take(self.key.take().expect("it has been granted"))
    }

    /// Gives up the place, for the future is being dropped. `None`: it had none.
    #[inline(never)]
    pub(crate) fn leave<S, P: Parcel>(
        &mut self,
        cell: &RefCell<S>,
        list: impl Fn(&mut S) -> &mut WaitList<P>,
    ) -> Option<Left<P>> {
        let key = self.key.take()?;
        let (standing, parcel, waker, object) = {
            let mut state = cell.borrow_mut();
            let list = list(&mut state);
            let object = list.object.label();
            let node = list.remove(key);
            (node.standing, node.parcel.take(), node.waker.take(), object)
        };
        if standing.is_granted() {
            return Some(Left::Granted(parcel));
        }
        trace::emit(|| Event::Leave {
            object: object.name(),
            who: waker.who().unwrap_or(Who::Unknown),
        });
        Some(Left::Waiting(parcel))
    }
}
