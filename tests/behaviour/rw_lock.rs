//! Locks for readers and writers: in the order in which they ask, handed over, nothing lost.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use lone_executor::{HeldBy, RunError, budget, spawn, yield_now};
use lone_sync::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, ReadLock, ReadLockOwned, RwLock, RwLockReadGuard,
    RwLockWriteGuard, WriteLock, WriteLockOwned,
};

use crate::help::{Counter, OnDrop, executor, hold_for_ever, poll_once, run_until_idle};
use crate::waiting::{Chance, Hooks, hooked, poll, poll_with, turn};

/// Readers in, a writer in, who wait.
fn state<T>(lock: &RwLock<T>) -> (usize, bool, usize) {
    let statistics = lock.statistics();
    (statistics.readers, statistics.has_writer, statistics.waiters)
}

fn ready<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it may go in"),
    }
}

// Many read, or one writes.
#[test]
fn readers_are_in_together_and_a_writer_alone() {
    let lock = RwLock::new(1);
    let (first, second) = (ready(poll(&mut lock.read())), ready(poll(&mut lock.read())));
    assert_eq!((*first, *second, state(&lock)), (1, 1, (2, false, 0)));
    let mut writer = lock.write();
    let (polled, wakes) = poll_once(&mut writer);
    assert!(polled.is_pending());
    drop(first);
    assert_eq!((wakes.wakes(), state(&lock)), (0, (1, false, 1)));
    drop(second);
    assert_eq!((wakes.wakes(), state(&lock)), (1, (0, true, 0)), "handed over");
    assert!(lock.try_read().is_none() && lock.try_write().is_none());
    let mut guard = ready(poll(&mut writer));
    *guard += 1;
    assert!(poll(&mut lock.read()).is_pending());
    drop((guard, writer));
    assert_eq!(state(&lock), (0, false, 0));
    assert_eq!(lock.try_read().as_deref(), Some(&2));
}

// A reader that comes while a writer waits stands behind it; so no writer starves.
#[test]
fn reader_behind_a_waiting_writer_waits_though_others_read() {
    let lock = RwLock::new(0);
    let first = ready(poll(&mut lock.read()));
    let (mut writer, mut reader) = (lock.write(), lock.read());
    assert!(poll(&mut writer).is_pending() && poll(&mut reader).is_pending());
    assert!(lock.try_read().is_none(), "it would overtake");
    drop(first);
    assert!(poll(&mut reader).is_pending());
    drop(ready(poll(&mut writer)));
    drop(ready(poll(&mut reader)));
    assert_eq!(state(&lock), (0, false, 0));
}

// All readers at the front of the line go in, up to the next writer.
#[test]
fn writer_that_leaves_lets_the_readers_before_the_next_writer_in() {
    let lock = RwLock::new(0);
    let guard = lock.try_write();
    let (mut a, mut b, mut w, mut c) = (lock.read(), lock.read(), lock.write(), lock.read());
    assert!(poll(&mut a).is_pending() && poll(&mut b).is_pending());
    assert!(poll(&mut w).is_pending() && poll(&mut c).is_pending());
    drop(guard);
    assert_eq!(state(&lock), (2, false, 2));
    assert!(poll(&mut c).is_pending());
    let (a, b) = (ready(poll(&mut a)), ready(poll(&mut b)));
    drop(a);
    assert!(poll(&mut w).is_pending());
    drop(b);
    drop(ready(poll(&mut w)));
    drop(ready(poll(&mut c)));
}

// A writer that gives up frees the way for the readers behind it.
#[test]
fn waiting_writer_dropped_lets_the_readers_behind_it_in() {
    let lock = RwLock::new(0);
    let reads = lock.try_read();
    let (mut writer, mut reader) = (lock.write(), lock.read());
    assert!(poll(&mut writer).is_pending());
    let (polled, wakes) = poll_once(&mut reader);
    assert!(polled.is_pending());
    drop(writer);
    assert_eq!((wakes.wakes(), state(&lock)), (1, (2, false, 0)));
    drop(ready(poll(&mut reader)));
    drop(reads);
}

// A reader that was let in, or a writer, and goes away lets the next one in.
#[test]
fn waiter_dropped_after_it_was_let_in_passes_it_on() {
    let lock = RwLock::new(0);
    let guard = lock.try_write();
    let (mut reader, mut first, mut second) = (lock.read(), lock.write(), lock.write());
    assert!(poll(&mut reader).is_pending());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(guard);
    assert_eq!(state(&lock), (1, false, 2));
    drop(reader);
    assert_eq!(state(&lock), (0, true, 1));
    drop(first);
    drop(ready(poll(&mut second)));
    drop(second);
    assert_eq!(state(&lock), (0, false, 0));
}

// Without letting a writer in between; readers at the front come along.
#[test]
fn writer_that_goes_on_as_a_reader_lets_readers_in_and_no_writer() {
    let lock = Rc::new(RwLock::new(0));
    for owned in [false, true] {
        let (mut a, mut w, mut b) = (lock.read(), lock.write(), lock.read());
        let waits = |a: &mut ReadLock<'_, i32>, w: &mut WriteLock<'_, i32>, b: &mut _| {
            assert!(poll(a).is_pending() && poll(w).is_pending() && poll(b).is_pending());
        };
        let readers = if owned {
            let mut guard = lock.clone().try_write_owned().expect("nobody is in");
            waits(&mut a, &mut w, &mut b);
            *guard += 1;
            (None, Some(guard.downgrade()))
        } else {
            let mut guard = lock.try_write().expect("nobody is in");
            waits(&mut a, &mut w, &mut b);
            *guard += 1;
            (Some(guard.downgrade()), None)
        };
        assert_eq!(state(&lock), (2, false, 2));
        assert_eq!(*ready(poll(&mut a)), 1 + i32::from(owned));
        assert!(poll(&mut w).is_pending());
        drop(readers);
        drop(ready(poll(&mut w)));
        drop(ready(poll(&mut b)));
        assert_eq!(state(&lock), (0, false, 0));
    }
    assert_eq!(Rc::into_inner(lock).map(RwLock::into_inner), Some(2));
}

// The value goes from guards that own their share to those that borrow, and back.
#[test]
fn value_goes_through_guards_of_all_four_kinds() {
    let lock = Rc::new(RwLock::new(String::new()));
    executor().block_on(async {
        lock.write().await.push('a');
        lock.clone().write_owned().await.push('b');
        let (owned, borrowed) = (lock.clone().read_owned().await, lock.read().await);
        assert_eq!((owned.as_str(), borrowed.as_str()), ("ab", "ab"));
        assert!(lock.clone().try_write_owned().is_none());
        let mut writer = lock.clone().write_owned();
        assert!(poll(&mut writer).is_pending());
        assert!(lock.clone().try_read_owned().is_none());
        drop(borrowed);
        drop(owned);
        writer.await.push('c');
        assert_eq!(lock.clone().try_read_owned().as_deref().map(String::as_str), Some("abc"));
    });
    assert_eq!(Rc::into_inner(lock).map(RwLock::into_inner).as_deref(), Some("abc"));
    let mut lock: RwLock<u8> = RwLock::default();
    *lock.get_mut() += 1;
    std::mem::forget(lock.try_read());
    *lock.get_mut() += 1;
    assert_eq!((lock.into_inner(), RwLock::from(3).into_inner()), (2, 3));
}

// A holder that is cancelled, and one that panics: no poisoning.
#[test]
fn guard_that_goes_with_its_task_lets_the_next_in() {
    let (mut executor, lock) = (executor(), Rc::new(RwLock::new(0)));
    for reads in [false, true] {
        let theirs = lock.clone();
        let holder = executor.spawn(async move {
            if reads {
                hold_for_ever(theirs.read().await).await;
            } else {
                hold_for_ever(theirs.write().await).await;
            }
        });
        turn(&mut executor);
        let theirs = lock.clone();
        drop(executor.spawn(async move { *theirs.write().await += 1 }));
        turn(&mut executor);
        assert_eq!(lock.waiters(), 1);
        holder.cancel("test");
        assert_eq!(run_until_idle(&mut executor), 0);
    }
    assert_eq!((state(&lock), *lock.try_read().expect("all have left")), ((0, false, 0), 2));
}

// SEM-22, SEM-388: a writer, or a reader who is alone, is told as the holder.
#[test]
fn writer_that_waits_for_its_own_reader_is_told_as_a_cycle() {
    for reads in [false, true] {
        let lock = RwLock::new(0);
        let outcome = executor().try_block_on(async {
            if reads {
                let _guard = lock.read().await;
                drop(lock.write().await);
            } else {
                let _guard = lock.write().await;
                drop(lock.read().await);
            }
        });
        let since = line!() - if reads { 7 } else { 4 };
        let Err(RunError::Deadlock(report)) = outcome else { panic!("it waits for itself") };
        let text = report.to_string();
        let on = if reads { "a lock to write" } else { "a lock to read" };
        assert!(text.contains(&format!("main awaits {on} at {}:{}", file!(), since + 1)), "{text}");
        assert!(text.contains(&format!("held by itself since {}:{since}", file!())), "{text}");
    }
}

// Who is in, as far as that is noted.
#[test]
fn holder_is_the_writer_or_a_reader_who_is_alone() {
    let lock = Rc::new(RwLock::new(0));
    executor().block_on(async {
        let holder = || lock.holder().map(|holder| (holder.who, holder.unclaimed));
        let guard = lock.write().await;
        assert_eq!(holder(), Some((HeldBy::Main, false)));
        let theirs = lock.clone();
        let task = spawn(async move { hold_for_ever(theirs.read().await).await });
        yield_now().await;
        drop(guard);
        assert_eq!(holder(), Some((HeldBy::Task(task.id()), true)));
        yield_now().await;
        assert_eq!(holder(), Some((HeldBy::Task(task.id()), false)));
        drop(lock.read().await);
        assert_eq!(holder(), None, "two were in");
        task.cancel("test");
        drop(task.await);
        assert_eq!(holder(), None);
        let _guard = lock.read().await;
        assert_eq!(holder(), Some((HeldBy::Main, false)));
    });
}

struct Looks(Cell<Option<Rc<RwLock<Looks>>>>);

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lock = self.0.take().expect("it is printed once");
        write!(f, "write: {}", lock.try_write().is_some())
    }
}

// SEM-49: the value, or that it is locked; and while it is printed it is being read.
#[test]
fn debug_of_an_rw_lock_shows_the_value_or_who_has_it() {
    let lock = Rc::new(RwLock::new(Looks(Cell::default())));
    lock.try_read().expect("nobody is in").0.set(Some(lock.clone()));
    let told = format!("{lock:?}");
    assert_eq!(
        told,
        "RwLock { value: write: false, readers: 0, has_writer: false, waiters: 0 waiting }"
    );
    let guard = lock.try_write();
    let told = format!("{lock:?}");
    assert!(told.starts_with("RwLock { value: <locked>, readers: 0, has_writer: true, holder: "));
    drop(guard);
}

// SEM-48, SEM-50, C-99: no second place, and the newest waker.
#[test]
fn waiter_polled_again_keeps_its_place_and_has_its_newest_waker_woken() {
    let lock = RwLock::new(0);
    let guard = lock.try_write();
    let (mut first, mut second) = (lock.write(), lock.write());
    let (_, old) = poll_once(&mut first);
    assert!(poll(&mut second).is_pending());
    let (_, new) = poll_once(&mut first);
    assert_eq!(lock.waiters(), 2);
    drop(guard);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert!(poll(&mut second).is_pending());
}

// SEM-49, F26: clone, wake and drop of a foreign waker may each use the lock.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_lock() {
    let (lock, called) = (Rc::new(RwLock::new(0)), Rc::new(Cell::new(0)));
    let use_it = || {
        let (lock, called) = (lock.clone(), called.clone());
        let hook: Rc<dyn Fn()> = Rc::new(move || {
            called.set(called.get() + 1);
            assert!(lock.try_write().is_none());
            assert!(poll(&mut lock.write()).is_pending());
            assert!(format!("{lock:?}").starts_with("RwLock"));
        });
        Some(hook)
    };
    let waker = hooked(Hooks { clone: use_it(), wake: use_it(), drop: use_it() });
    let guard = lock.try_write();
    let mut waiter = lock.read();
    assert!(poll_with(&mut waiter, &waker).is_pending());
    assert!(poll(&mut waiter).is_pending(), "drops the foreign one");
    assert!(poll_with(&mut waiter, &waker).is_pending());
    drop(guard);
    assert_eq!(called.get(), 3);
    drop(ready(poll(&mut waiter)));
    assert_eq!(state(&lock), (0, false, 0));
}

// SEM-49: the destructor of what is replaced may ask for the lock.
#[test]
fn destructor_of_a_replaced_value_finds_its_lock_locked() {
    let lock: Rc<RwLock<Option<Box<dyn std::any::Any>>>> = Rc::default();
    let (theirs, found) = (lock.clone(), Rc::new(Cell::new(false)));
    let seen = found.clone();
    let asks = OnDrop::new(move || seen.set(theirs.try_read().is_none()));
    *lock.try_write().expect("nobody is in") = Some(Box::new(asks));
    *lock.try_write().expect("nobody is in") = None;
    assert!(found.get());
}

// SEM-407, SEM-408: refused before any effect.
#[test]
fn lock_beyond_the_budget_gives_way_and_takes_nothing() {
    executor().block_on(async {
        let lock = RwLock::new(0);
        while budget::remaining() != Some(0) {
            drop(lock.read().await);
        }
        assert!(poll(&mut lock.write()).is_pending());
        assert_eq!(state(&lock), (0, false, 0));
    });
}

enum Waits<'a> {
    Read(ReadLock<'a, u64>),
    Write(WriteLock<'a, u64>),
    ReadOwned(ReadLockOwned<u64>),
    WriteOwned(WriteLockOwned<u64>),
}

#[expect(dead_code, reason = "a read guard is only there to be dropped")]
enum In<'a> {
    Read(RwLockReadGuard<'a, u64>),
    Write(RwLockWriteGuard<'a, u64>),
    ReadOwned(OwnedRwLockReadGuard<u64>),
    WriteOwned(OwnedRwLockWriteGuard<u64>),
}

impl<'a> Waits<'a> {
    fn new(lock: &'a Rc<RwLock<u64>>, writes: bool, owned: bool) -> Waits<'a> {
        match (writes, owned) {
            (false, false) => Waits::Read(lock.read()),
            (true, false) => Waits::Write(lock.write()),
            (false, true) => Waits::ReadOwned(lock.clone().read_owned()),
            (true, true) => Waits::WriteOwned(lock.clone().write_owned()),
        }
    }

    /// Polls it once. A writer adds one to the value.
    fn poll(&mut self) -> (Poll<In<'a>>, Arc<Counter>) {
        fn add<G: std::ops::DerefMut<Target = u64>>(mut guard: G) -> G {
            *guard += 1;
            guard
        }
        match self {
            Waits::Read(lock) => {
                let (polled, wakes) = poll_once(lock);
                (polled.map(In::Read), wakes)
            }
            Waits::Write(lock) => {
                let (polled, wakes) = poll_once(lock);
                (polled.map(|guard| In::Write(add(guard))), wakes)
            }
            Waits::ReadOwned(lock) => {
                let (polled, wakes) = poll_once(lock);
                (polled.map(In::ReadOwned), wakes)
            }
            Waits::WriteOwned(lock) => {
                let (polled, wakes) = poll_once(lock);
                (polled.map(|guard| In::WriteOwned(add(guard))), wakes)
            }
        }
    }
}

enum Place<'a> {
    Empty,
    Pending(Waits<'a>, Arc<Counter>),
    Held(In<'a>),
}

/// The same by the simplest means: who is in to write or not, and who waits.
#[derive(Default)]
struct Model {
    inside: Vec<(usize, bool)>,
    line: VecDeque<(usize, bool)>,
    written: u64,
}

impl Model {
    fn admit(&mut self) {
        while let Some((at, writes)) = self.line.front().copied() {
            let writer = self.inside.iter().any(|(_, writes)| *writes);
            if writer || (writes && !self.inside.is_empty()) {
                return;
            }
            self.line.pop_front();
            self.inside.push((at, writes));
        }
    }

    fn leave(&mut self, at: usize) {
        self.inside.retain(|(place, _)| *place != at);
        self.line.retain(|(place, _)| *place != at);
        self.admit();
    }

    fn is_in(&self, at: usize) -> bool {
        self.inside.iter().any(|(place, _)| *place == at)
    }
}

// Under random schedules of lock, poll, drop, release and downgrade, with guards of all kinds.
#[test]
fn lock_goes_in_order_and_nothing_is_lost_under_any_schedule() {
    for seed in 0..3000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let lock = Rc::new(RwLock::new(0));
    let mut model = Model::default();
    let mut places = [const { Place::Empty }; 6];
    for _ in 0..60 {
        let at = chance.below(places.len());
        let place = std::mem::replace(&mut places[at], Place::Empty);
        places[at] = match (place, chance.below(4)) {
            (Place::Empty, 0) => {
                let writer = model.inside.iter().any(|(_, writes)| *writes);
                let reads = !writer && model.line.is_empty();
                assert_eq!(lock.try_read().is_some(), reads);
                assert_eq!(lock.try_write().is_some(), reads && model.inside.is_empty());
                Place::Empty
            }
            (Place::Empty, _) => {
                let (writes, owned) = (chance.below(2) == 0, chance.below(2) == 0);
                model.line.push_back((at, writes));
                model.admit();
                poll_place(Waits::new(&lock, writes, owned), at, &mut model)
            }
            (Place::Pending(waits, _), 0) => {
                drop(waits);
                model.leave(at);
                Place::Empty
            }
            (Place::Pending(waits, _), _) => poll_place(waits, at, &mut model),
            (Place::Held(In::Write(guard)), 0) => {
                Place::Held(In::Read(downgrade(&mut model, at, || guard.downgrade())))
            }
            (Place::Held(In::WriteOwned(guard)), 0) => {
                Place::Held(In::ReadOwned(downgrade(&mut model, at, || guard.downgrade())))
            }
            (Place::Held(guard), _) => {
                drop(guard);
                model.leave(at);
                Place::Empty
            }
        };
        let writer = model.inside.iter().any(|(_, writes)| *writes);
        let readers = if writer { 0 } else { model.inside.len() };
        assert_eq!(state(&lock), (readers, writer, model.line.len()));
        for (at, place) in places.iter().enumerate() {
            if let Place::Pending(_, wakes) = place {
                assert_eq!(wakes.wakes(), usize::from(model.is_in(at)), "woken once, with it");
            }
        }
    }
    drop(places);
    assert_eq!(state(&lock), (0, false, 0));
    assert_eq!(Rc::into_inner(lock).map(RwLock::into_inner), Some(model.written));
}

fn downgrade<G>(model: &mut Model, at: usize, downgrade: impl FnOnce() -> G) -> G {
    model.inside = vec![(at, false)];
    model.admit();
    downgrade()
}

/// Polls the lock of a place: it is ready if the place is in, and not otherwise.
fn poll_place<'a>(mut waits: Waits<'a>, at: usize, model: &mut Model) -> Place<'a> {
    match waits.poll() {
        (Poll::Ready(guard), _) => {
            assert!(model.is_in(at), "others are before it");
            model.written += u64::from(matches!(guard, In::Write(_) | In::WriteOwned(_)));
            Place::Held(guard)
        }
        (Poll::Pending, wakes) => {
            assert!(!model.is_in(at), "it was let in");
            Place::Pending(waits, wakes)
        }
    }
}
