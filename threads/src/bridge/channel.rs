//! Who waits, and who is next? The items of a bridge and its two lines, under one lock.
//!
//! A thread that blocks stands in line like a task: its waker wakes the thread. So there is one way to
//! wait, and one order. A task that waits gives its loop hope by that, for somebody on the other side
//! lives: the last of them to go wakes it.
//!
//! Invariants:
//! - **An item is in one place**: with its putter, in `items`, or with its getter. Whoever is dropped
//!   in between was granted a right, never handed an item: nothing has to be put back.
//! - **Room and items are granted there and then** (see `line`): each put grants an item, each get
//!   grants room, each grant that is given up is granted anew.
//! - **No user code under the lock**: wakers are cloned, woken and dropped, and items dropped, after it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use lone_executor::RemoteWaker;

use super::error::{GetError, PutError, TryGetError, TryPutError};
use super::line::Line;
use super::statistics::BridgeStatistics;

/// Both ends of a new channel.
#[track_caller]
pub(super) fn channel<T>(capacity: usize) -> (PutEnd<T>, GetEnd<T>) {
    assert!(
        capacity > 0,
        "a bridge with room for 0 items could never pass one on: 1 is the smallest"
    );
    let channel = Arc::new(Channel(Mutex::new(State {
        items: VecDeque::new(),
        capacity,
        getters: Line::new(),
        putters: Line::new(),
        get_ends: 1,
        put_ends: 1,
    })));
    (PutEnd(channel.clone()), GetEnd(channel))
}

struct Channel<T>(Mutex<State<T>>);

struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    getters: Line,
    putters: Line,
    get_ends: usize,
    put_ends: usize,
}

impl<T> Channel<T> {
    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn room(&self) -> usize {
        self.capacity - self.items.len()
    }

    fn statistics(&self) -> BridgeStatistics {
        BridgeStatistics {
            len: self.items.len(),
            capacity: self.capacity,
            unclaimed: self.getters.granted() + self.putters.granted(),
            getters: self.getters.waiters(),
            putters: self.putters.waiters(),
            get_ends: self.get_ends,
            put_ends: self.put_ends,
        }
    }

    /// There is room for it, and it is nobody else's. Returns who has the item now: wake him.
    fn insert(&mut self, item: T) -> Option<RemoteWaker> {
        self.items.push_back(item);
        self.getters.grant(self.items.len())
    }

    /// Takes the first item, and grants its room: wake whoever has that.
    fn remove(&mut self) -> Option<(T, Option<RemoteWaker>)> {
        let item = self.items.pop_front()?;
        Some((item, self.putters.grant(self.room())))
    }

    /// As somebody who has not waited.
    fn try_put(&mut self, item: T) -> Result<Option<RemoteWaker>, TryPutError<T>> {
        if self.get_ends == 0 {
            Err(TryPutError::Closed(item))
        } else if self.putters.has_for_newcomer(self.room()) {
            Ok(self.insert(item))
        } else {
            Err(TryPutError::Full(item))
        }
    }

    /// As somebody who has not waited.
    fn try_get(&mut self) -> Result<(T, Option<RemoteWaker>), TryGetError> {
        if self.getters.has_for_newcomer(self.items.len())
            && let Some(taken) = self.remove()
        {
            return Ok(taken);
        }
        Err(if self.put_ends == 0 { TryGetError::Closed } else { TryGetError::Empty })
    }

    /// One poll of a put. `None`: it has to wait, and its item is back in `item`.
    fn advance_put(
        &mut self,
        item: &mut Option<T>,
        ticket: &mut Option<u64>,
    ) -> Option<Result<Option<RemoteWaker>, PutError<T>>> {
        let granted = self.putters.claim(ticket);
        if ticket.is_some() {
            return None;
        }
        let own = item.take().expect("a put is not polled after it has ended");
        if granted && self.get_ends > 0 {
            return Some(Ok(self.insert(own)));
        }
        match self.try_put(own) {
            Ok(woken) => Some(Ok(woken)),
            Err(TryPutError::Closed(own)) => Some(Err(PutError(own))),
            Err(TryPutError::Full(own)) => {
                *item = Some(own);
                None
            }
        }
    }

    /// One poll of a get. `None`: it has to wait.
    fn advance_get(
        &mut self,
        ticket: &mut Option<u64>,
    ) -> Option<Result<(T, Option<RemoteWaker>), GetError>> {
        let granted = self.getters.claim(ticket);
        if ticket.is_some() {
            return None;
        }
        if granted {
            // Nothing: all who waited were let go on because no item will come.
            return Some(self.remove().ok_or(GetError));
        }
        match self.try_get() {
            Ok(taken) => Some(Ok(taken)),
            Err(TryGetError::Closed) => Some(Err(GetError)),
            Err(TryGetError::Empty) => None,
        }
    }
}

/// The right to put, and one of those who count as the putting side.
pub(super) struct PutEnd<T>(Arc<Channel<T>>);

impl<T> PutEnd<T> {
    pub(super) fn poll(
        &self,
        item: &mut Option<T>,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PutError<T>>> {
        // Cloning a waker may run user code: that is done with the lock let go.
        let mut kept = None;
        loop {
            let mut state = self.0.lock();
            if let Some(put) = state.advance_put(item, ticket) {
                drop(state);
                return Poll::Ready(put.map(wake));
            }
            if state.putters.waits_with(*ticket, cx.waker()) {
                return Poll::Pending;
            }
            if let Some(waker) = kept.take() {
                let before = state.putters.wait(ticket, waker);
                drop(state);
                drop(before);
                return Poll::Pending;
            }
            drop(state);
            kept = Some(RemoteWaker::new(cx.waker()));
        }
    }

    /// Gives up a place in line.
    pub(super) fn leave(&self, ticket: u64) {
        let mut state = self.0.lock();
        let room = state.room();
        let gone = state.putters.leave(ticket, room);
        drop(state);
        gone.finish();
    }

    pub(super) fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let put = self.0.lock().try_put(item);
        put.map(wake)
    }

    /// What nobody can get any more.
    pub(super) fn take_back(&self) -> Vec<T> {
        let mut state = self.0.lock();
        if state.get_ends > 0 { Vec::new() } else { std::mem::take(&mut state.items).into() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().get_ends == 0
    }

    pub(super) fn len(&self) -> usize {
        self.statistics().len
    }

    pub(super) fn statistics(&self) -> BridgeStatistics {
        self.0.lock().statistics()
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let state = self.0.lock();
        state.getters.check(state.items.len());
        state.putters.check(state.room());
    }
}

impl<T> Clone for PutEnd<T> {
    fn clone(&self) -> PutEnd<T> {
        self.0.lock().put_ends += 1;
        PutEnd(self.0.clone())
    }
}

impl<T> Drop for PutEnd<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.put_ends -= 1;
        let woken = if state.put_ends == 0 { state.getters.grant_all() } else { Vec::new() };
        drop(state);
        woken.into_iter().for_each(RemoteWaker::wake);
    }
}

/// The right to get, and one of those who count as the getting side.
pub(super) struct GetEnd<T>(Arc<Channel<T>>);

impl<T> GetEnd<T> {
    pub(super) fn poll(
        &self,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, GetError>> {
        // As in a put.
        let mut kept = None;
        loop {
            let mut state = self.0.lock();
            if let Some(got) = state.advance_get(ticket) {
                drop(state);
                return Poll::Ready(got.map(hand));
            }
            if state.getters.waits_with(*ticket, cx.waker()) {
                return Poll::Pending;
            }
            if let Some(waker) = kept.take() {
                let before = state.getters.wait(ticket, waker);
                drop(state);
                drop(before);
                return Poll::Pending;
            }
            drop(state);
            kept = Some(RemoteWaker::new(cx.waker()));
        }
    }

    /// Gives up a place in line.
    pub(super) fn leave(&self, ticket: u64) {
        let mut state = self.0.lock();
        let items = state.items.len();
        let gone = state.getters.leave(ticket, items);
        drop(state);
        gone.finish();
    }

    pub(super) fn try_get(&self) -> Result<T, TryGetError> {
        let got = self.0.lock().try_get();
        got.map(hand)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().put_ends == 0
    }

    pub(super) fn len(&self) -> usize {
        self.statistics().len
    }

    pub(super) fn statistics(&self) -> BridgeStatistics {
        self.0.lock().statistics()
    }
}

impl<T> Clone for GetEnd<T> {
    fn clone(&self) -> GetEnd<T> {
        self.0.lock().get_ends += 1;
        GetEnd(self.0.clone())
    }
}

impl<T> Drop for GetEnd<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.get_ends -= 1;
        let woken = if state.get_ends == 0 { state.putters.grant_all() } else { Vec::new() };
        drop(state);
        woken.into_iter().for_each(RemoteWaker::wake);
    }
}

/// With the lock let go.
fn wake(woken: Option<RemoteWaker>) {
    if let Some(waker) = woken {
        waker.wake();
    }
}

/// With the lock let go.
fn hand<T>((item, woken): (T, Option<RemoteWaker>)) -> T {
    wake(woken);
    item
}
