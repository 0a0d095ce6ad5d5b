//! What does a mutex say of itself? Who holds it, since which line, and who waits.

use std::rc::Rc;

use lone_executor::{HeldBy, JoinHandle, spawn, yield_now};
use lone_sync::{Mutex, gather};

use crate::help::{Flag, Trace, executor, hold_for_ever, run_until_idle};
use crate::waiting::{poll, turn};

/// A task that takes the lock and keeps it.
fn keeper(mutex: &Rc<Mutex<u8>>) -> JoinHandle<()> {
    let mutex = mutex.clone();
    spawn(async move { hold_for_ever(mutex.lock().await).await })
}

/// Who holds it, and whether he has come for it.
fn holder(mutex: &Mutex<u8>) -> Option<(HeldBy, bool)> {
    mutex.holder().map(|holder| (holder.who, holder.unclaimed))
}

// SEM-216: a task, main, and nobody.
#[test]
fn holder_is_who_awaited_the_lock() {
    let mutex = Rc::new(Mutex::new(0));
    executor().block_on(async {
        assert_eq!(holder(&mutex), None);
        let guard = mutex.lock().await;
        assert_eq!(holder(&mutex), Some((HeldBy::Main, false)));
        drop(guard);
        let task = keeper(&mutex);
        yield_now().await;
        assert_eq!(holder(&mutex), Some((HeldBy::Task(task.id()), false)));
        task.cancel("test");
        drop(task.await);
        assert_eq!(holder(&mutex), None);
    });
}

// SEM-216: the line of the call that has become the guard.
#[test]
fn holder_is_told_with_the_line_of_its_lock() {
    let mutex = Rc::new(Mutex::new(0));
    let since = || mutex.holder().map(|holder| (holder.since.file(), holder.since.line()));
    let guard = mutex.try_lock();
    assert_eq!(since(), Some((file!(), line!() - 1)));
    drop(guard);
    let guard = mutex.clone().try_lock_owned();
    assert_eq!(since(), Some((file!(), line!() - 1)));
    let mut waiter = mutex.lock();
    let called = line!() - 1;
    assert!(poll(&mut waiter).is_pending());
    drop(guard);
    assert_eq!(since(), Some((file!(), called)), "handed over");
    let guard = poll(&mut waiter);
    assert_eq!(since(), Some((file!(), called)), "and taken");
    drop(guard);
    assert_eq!(since(), None);
}

// SEM-206, SEM-216: whoever was handed it is its holder, and unclaimed until he comes.
#[test]
fn lock_on_its_way_is_its_waiters_and_unclaimed() {
    let mutex = Rc::new(Mutex::new(0));
    executor().block_on(async {
        let guard = mutex.lock().await;
        let task = keeper(&mutex);
        yield_now().await;
        drop(guard);
        assert_eq!(holder(&mutex), Some((HeldBy::Task(task.id()), true)));
        yield_now().await;
        assert_eq!(holder(&mutex), Some((HeldBy::Task(task.id()), false)));
    });
}

// SEM-215: a guard that moves is still the one's who took it; once he has ended that is all one knows.
#[test]
fn guard_moved_to_another_task_is_still_told_as_the_first_ones() {
    let mutex = Rc::new(Mutex::new(0));
    executor().block_on(async {
        let (theirs, end) = (mutex.clone(), Flag::default());
        let ended = end.clone();
        let takes = spawn(async move {
            let guard = theirs.lock_owned().await;
            let moved = spawn(hold_for_ever(guard));
            ended.wait().await;
            [moved]
        });
        let id = takes.id();
        yield_now().await;
        yield_now().await;
        assert_eq!(holder(&mutex), Some((HeldBy::Task(id), false)));
        end.set();
        let [moved] = takes.await.expect("it ends well");
        assert_eq!(holder(&mutex), Some((HeldBy::Ended, false)));
        moved.cancel("test");
        drop(moved.await);
        assert_eq!(holder(&mutex), None);
    });
}

// SEM-216: a lock that has moved to another task, and waits there, is handed to that one.
#[test]
fn waiter_moved_to_another_task_is_told_as_that_ones() {
    let mutex = Rc::new(Mutex::new(0));
    executor().block_on(async {
        let guard = mutex.lock().await;
        let mut waiter = mutex.clone().lock_owned();
        assert!(poll(&mut waiter).is_pending());
        let task = spawn(async move { hold_for_ever(waiter.await).await });
        yield_now().await;
        drop(guard);
        assert_eq!(holder(&mutex), Some((HeldBy::Task(task.id()), true)));
    });
}

// SEM-216: a child of a gather counts as its task.
#[test]
fn lock_taken_by_a_child_is_held_by_its_task() {
    let mutex = Rc::new(Mutex::new(0));
    executor().block_on(async {
        let theirs = mutex.clone();
        let task = spawn(async move {
            gather(
                [theirs.lock(), theirs.lock()].map(async |lock| hold_for_ever(lock.await).await),
            )
            .await;
        });
        yield_now().await;
        assert_eq!(holder(&mutex), Some((HeldBy::Task(task.id()), false)));
        assert_eq!(mutex.waiters(), 1, "the other child");
    });
}

// SEM-216: outside of every loop, in another one, and in a run that is over.
#[test]
fn lock_of_somebody_whom_the_loop_does_not_know_is_told_as_such() {
    let mutex = Rc::new(Mutex::new(0));
    let guard = mutex.clone().try_lock_owned();
    assert_eq!(holder(&mutex), Some((HeldBy::Unknown, false)));
    drop(guard);
    let mut first = executor();
    let guard = first.block_on(mutex.clone().lock_owned());
    assert_eq!(holder(&mutex), Some((HeldBy::Unknown, false)), "asked outside of the loop");
    first.block_on(async { assert_eq!(holder(&mutex), Some((HeldBy::Ended, false))) });
    executor().block_on(async { assert_eq!(holder(&mutex), Some((HeldBy::Unknown, false))) });
    drop(guard);
}

// SEM-216: the value, or that it is locked; who holds it and who waits.
#[test]
fn debug_of_a_mutex_shows_the_value_or_its_holder() {
    let (mut executor, said) = (executor(), Trace::default());
    let mutex = Rc::new(Mutex::new(7));
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7, waiters: 0 waiting }");
    assert_eq!(format!("{:?}", mutex.try_lock()), "Some(7)");
    assert_eq!(format!("{:?}", mutex.clone().try_lock_owned()), "Some(7)");
    let (theirs, inner) = (mutex.clone(), said.clone());
    drop(executor.spawn(async move {
        let _guard = theirs.lock().await;
        let mut waiter = theirs.lock();
        assert!(poll(&mut waiter).is_pending());
        inner.say(format!("{theirs:?}"));
    }));
    let (taken, waits) = (line!() - 5, line!() - 4);
    turn(&mut executor);
    assert_eq!(run_until_idle(&mut executor), 0);
    let file = file!();
    assert_eq!(
        said.take(),
        format!(
            "Mutex {{ value: <locked>, holder: Task(Task-1), since: {file}:{taken}:29, \
             waiters: 1 waiting, the first at {file}:{waits}:33 }}"
        )
    );
}
