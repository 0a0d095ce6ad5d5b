//! How does anybody but the running loop reach a loop? Through its inbox.
//!
//! ```text
//!   other threads, other loops,       push ──► ┌ items ┐ ──► drain (beat a)
//!   handles dropped elsewhere         unpark ◄─┤ parked?│ ◄── prepare_to_park (beat c)
//!                                              └────────┘
//! ```
//!
//! Invariants (proven by the loom models at the end of this file):
//! - **Nothing is lost**: what is pushed before `close` is drained, in order of the pushes.
//! - **Nobody oversleeps**: either `prepare_to_park` sees the item and says "do not park", or the
//!   push sees `parked` and unparks. Both are read and written under the one lock.
//! - **One unpark a park**: the push that unparks takes `parked` back, so a thousand wakes cost one
//!   write to the eventfd.
//!
//! The flag `pending` beside the lock lets a loop that is busy look without locking: a plain load.
//! It may be late by a turn, never wrong for good: before it parks the loop looks under the lock.

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
use std::sync::{Arc, PoisonError};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use crate::num::Num;
use crate::park::{Release, Unpark};

/// What comes in from outside.
pub(crate) enum Item {
    /// [6] wake, from elsewhere.
    Wake(Num),
    /// A handle of the park's was dropped elsewhere.
    Release(Release),
    /// A group of children was dropped elsewhere.
    ReleaseGroup { group: u32, seq: u64 },
    /// A scope that had cleanups to await was dropped elsewhere.
    ReleaseAdopter { index: u32, seq: u64 },
    /// A child was added to a group elsewhere.
    WakeGroup { group: u32, seq: u64 },
    /// Runs on the loop's thread: a remote spawn.
    Call(Box<dyn FnOnce() + Send>),
    /// [6] wake by value, from elsewhere: a clone has gone with it.
    WakeAndDrop(Num),
    /// A clone of a waker was made elsewhere.
    Cloned(Num),
    /// A clone of a waker has gone elsewhere.
    Dropped(Num),
    /// Something has gone that could have put items here: judge again.
    Judge,
}

/// The way into one loop, from any thread.
pub(crate) struct Inbox {
    state: Mutex<State>,
    pending: AtomicBool,
    unpark: Arc<dyn Unpark>,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    parked: bool,
    closed: bool,
    /// How many handles there are that may put anything in.
    remotes: usize,
    /// How many jobs are done for the loop elsewhere.
    jobs: usize,
}

impl Inbox {
    pub(crate) fn new(unpark: Arc<dyn Unpark>) -> Inbox {
        // A loop that has not run yet counts as parked, as between two turns.
        let state = State { parked: true, ..State::default() };
        Inbox { state: Mutex::new(state), pending: AtomicBool::new(false), unpark }
    }

    /// A poisoned lock is fine: nothing of ours panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `item` in, and unparks the loop if it is parked. `Err`: the loop has ended.
    pub(crate) fn push(&self, item: Item) -> Result<(), Item> {
        let mut state = self.lock();
        if state.closed {
            return Err(item);
        }
        // One waker more gives a loop that is parked nothing to do.
        let news = !matches!(item, Item::Cloned(_));
        state.items.push(item);
        self.pending.store(true, Ordering::Release);
        let parked = news && std::mem::take(&mut state.parked);
        drop(state);
        if parked {
            self.unpark.unpark();
        }
        Ok(())
    }

    /// Unparks the loop if it is parked, with nothing to take in.
    pub(crate) fn unpark(&self) {
        let parked = std::mem::take(&mut self.lock().parked);
        if parked {
            self.unpark.unpark();
        }
    }

    /// Whether something may have come in: a plain load, for a loop that is busy.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// a: moves what has come in to the end of `items`; the loop counts as awake again.
    pub(crate) fn drain(&self, items: &mut Vec<Item>) {
        let mut state = self.lock();
        state.parked = false;
        self.pending.store(false, Ordering::Release);
        items.append(&mut state.items);
    }

    /// c: whether the loop may park. If so it counts as parked until the next `drain`.
    pub(crate) fn prepare_to_park(&self) -> bool {
        let mut state = self.lock();
        state.parked = state.items.is_empty();
        state.parked
    }

    /// A handle that may put anything in was made.
    pub(crate) fn add_remote(&self) {
        self.lock().remotes += 1;
    }

    /// Such a handle has gone: the loop judges anew whether anybody can wake it.
    pub(crate) fn remove_remote(&self) {
        self.lock().remotes -= 1;
        // A loop that has ended judges nobody any more.
        let _ = self.push(Item::Judge);
    }

    /// The last of such a handle: puts `item` in, and the handle is gone.
    pub(crate) fn push_last(&self, item: Item) {
        let mut state = self.lock();
        state.remotes -= 1;
        if state.closed {
            return;
        }
        state.items.push(item);
        self.pending.store(true, Ordering::Release);
        let parked = std::mem::take(&mut state.parked);
        drop(state);
        if parked {
            self.unpark.unpark();
        }
    }

    /// Such a handle has gone, and the loop need not be told: it runs on this thread, or has other
    /// hope.
    pub(crate) fn forget_remote(&self) {
        self.lock().remotes -= 1;
    }

    /// Somebody elsewhere begins, or goes on, to do something for the loop.
    pub(crate) fn add_job(&self) {
        self.lock().jobs += 1;
    }

    /// It has been done, or waits for the loop: after the last one the loop judges anew, and its
    /// clock may jump.
    pub(crate) fn remove_job(&self) {
        let mut state = self.lock();
        state.jobs -= 1;
        let last = state.jobs == 0;
        drop(state);
        if last {
            // A loop that has ended judges nobody any more.
            let _ = self.push(Item::Judge);
        }
    }

    /// Whether anything is done for the loop elsewhere. Read before [`Inbox::is_pending`]: a job puts
    /// its wake in before it is removed.
    pub(crate) fn has_jobs(&self) -> bool {
        self.lock().jobs > 0
    }

    /// Whether a loop that counts as parked must not let time pass: a job is under way, or word of
    /// one has come in since. Both under one lock, as for [`Inbox::is_deserted`].
    pub(crate) fn holds_clock(&self) -> bool {
        let state = self.lock();
        state.jobs > 0 || !state.parked
    }

    /// Whether nothing is in, and nobody is left who could put anything in. Both under one lock: a
    /// handle that puts something in and goes is seen in one of the two.
    pub(crate) fn is_deserted(&self) -> bool {
        let state = self.lock();
        state.items.is_empty() && state.remotes == 0 && state.jobs == 0
    }

    /// From here on nothing gets in; returns what was not drained.
    pub(crate) fn close(&self) -> Vec<Item> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.items)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// What unparks the loop: the part of the park that any thread may reach.
    pub(crate) fn unparker(&self) -> &Arc<dyn Unpark> {
        &self.unpark
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Condvar;
    use loom::thread;

    /// A park that loom can follow.
    #[derive(Default)]
    struct Bell {
        rung: Mutex<bool>,
        rings: Condvar,
    }

    impl Unpark for Bell {
        fn unpark(&self) {
            *self.rung.lock().expect("no panic under the lock") = true;
            self.rings.notify_one();
        }
    }

    impl Bell {
        fn wait(&self) {
            let mut rung = self.rung.lock().expect("no panic under the lock");
            while !*rung {
                rung = self.rings.wait(rung).expect("no panic under the lock");
            }
            *rung = false;
        }
    }

    fn num(slot: u32) -> Num {
        Num::new(0, slot, 1)
    }

    fn slots(items: &[Item]) -> Vec<usize> {
        items
            .iter()
            .map(|item| match item {
                Item::Wake(num) => num.slot(),
                _ => unreachable!("only wakes are pushed here"),
            })
            .collect()
    }

    /// The loop of five beats, as far as the inbox sees it: ends once `wanted` wakes are in.
    fn run_loop(inbox: &Inbox, bell: &Bell, wanted: usize) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            if inbox.is_pending() {
                inbox.drain(&mut items);
            }
            if items.len() >= wanted {
                return items;
            }
            if inbox.prepare_to_park() {
                bell.wait();
            }
            inbox.drain(&mut items);
        }
    }

    #[test]
    fn a_wake_from_another_thread_is_never_slept_through() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = loom::sync::Arc::new(Inbox::new(bell.clone()));
            let wakers: Vec<_> = (0..2)
                .map(|slot| {
                    let inbox = inbox.clone();
                    thread::spawn(move || assert!(inbox.push(Item::Wake(num(slot))).is_ok()))
                })
                .collect();
            let mut seen = slots(&run_loop(&inbox, &bell, 2));
            seen.sort_unstable();
            assert_eq!(seen, [0, 1]);
            for waker in wakers {
                waker.join().expect("the waker ends well");
            }
        });
    }

    #[test]
    fn wakes_of_one_thread_arrive_in_order() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = loom::sync::Arc::new(Inbox::new(bell.clone()));
            let waker = {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    for slot in 0..3 {
                        assert!(inbox.push(Item::Wake(num(slot))).is_ok());
                    }
                })
            };
            assert_eq!(slots(&run_loop(&inbox, &bell, 3)), [0, 1, 2]);
            waker.join().expect("the waker ends well");
        });
    }

    #[test]
    fn a_handle_that_wakes_and_goes_is_never_judged_to_have_left_nothing() {
        loom::model(|| {
            let inbox = loom::sync::Arc::new(Inbox::new(Arc::new(Bell::default())));
            inbox.add_remote();
            let remote = {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    assert!(inbox.push(Item::Wake(num(3))).is_ok());
                    inbox.remove_remote();
                })
            };
            let mut items = Vec::new();
            inbox.drain(&mut items);
            let woken = items.iter().any(|item| matches!(item, Item::Wake(_)));
            assert!(woken || !inbox.is_deserted(), "a wake was on its way");
            remote.join().expect("the remote ends well");
        });
    }

    #[test]
    fn a_last_wake_is_never_judged_to_have_left_nothing_and_never_slept_through() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = loom::sync::Arc::new(Inbox::new(bell.clone()));
            inbox.add_remote();
            let remote = {
                let inbox = inbox.clone();
                thread::spawn(move || inbox.push_last(Item::Wake(num(3))))
            };
            assert!(!inbox.is_deserted(), "there, or on its way");
            assert_eq!(slots(&run_loop(&inbox, &bell, 1)), [3]);
            assert!(inbox.is_deserted());
            remote.join().expect("the remote ends well");
        });
    }

    #[test]
    fn a_job_that_wakes_and_ends_never_lets_the_clock_pass_its_wake() {
        loom::model(|| {
            let inbox = loom::sync::Arc::new(Inbox::new(Arc::new(Bell::default())));
            inbox.add_job();
            let job = {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    assert!(inbox.push(Item::Wake(num(3))).is_ok());
                    inbox.remove_job();
                })
            };
            let mut items = Vec::new();
            inbox.drain(&mut items);
            if inbox.prepare_to_park() {
                let woken = items.iter().any(|item| matches!(item, Item::Wake(_)));
                assert!(woken || inbox.holds_clock(), "a wake was on its way");
            }
            job.join().expect("the job ends well");
        });
    }

    #[test]
    fn what_is_pushed_while_the_loop_closes_is_drained_or_refused() {
        loom::model(|| {
            let inbox = loom::sync::Arc::new(Inbox::new(Arc::new(Bell::default())));
            let waker = {
                let inbox = inbox.clone();
                thread::spawn(move || inbox.push(Item::Wake(num(7))).is_ok())
            };
            let left = inbox.close().len();
            let taken = waker.join().expect("the waker ends well");
            assert_eq!(left, usize::from(taken), "in, or refused: never neither, never both");
            assert!(inbox.push(Item::Wake(num(8))).is_err());
        });
    }
}
