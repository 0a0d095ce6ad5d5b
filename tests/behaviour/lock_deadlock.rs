//! Deadlocks by locks: who holds what somebody waits for, since which line, and who is in the cycle.
//!
//! Each ends in a report within the turn in which nobody is ready any more, and by name.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;

use lone_executor::trace::Await;
use lone_executor::{
    Deadlock, HeldBy, JoinHandle, RunError, Statistics, TaskId, current_task, spawn, yield_now,
};
use lone_sync::{Event, Mutex, Semaphore, TaskGroup, finally, gather, join, race};

use crate::help::{Flag, Trace, executor, hold_for_ever, run_until_idle};
use crate::waiting::poll;

/// Runs `main`, which has to come to a deadlock; in so many turns.
#[track_caller]
fn verdict<F: Future>(main: F) -> (Deadlock, u64) {
    let mut executor = executor();
    match executor.try_block_on(main) {
        Err(RunError::Deadlock(report)) => {
            let Statistics { turns, .. } = executor.statistics();
            assert_eq!(executor.park().waits(), 0, "it has not waited");
            (*report, turns)
        }
        Err(error) => panic!("a deadlock, not: {error}"),
        Ok(_) => panic!("a deadlock, and main has ended"),
    }
}

/// The cycle of a report: main as 0, the tasks by number.
fn cycle(report: &Deadlock) -> Vec<u64> {
    let cycle = report.cycle().unwrap_or_default();
    cycle.iter().map(|waiting| waiting.task.map_or(0, TaskId::number)).collect()
}

/// All that somebody awaits: main is 0, then come the tasks in order.
fn awaits(report: &Deadlock, who: usize) -> &[Await] {
    &report.waiting()[who].awaits
}

/// Who holds the lock that he awaits as the last thing, and whether he has come for it.
fn holder(report: &Deadlock, who: usize) -> (HeldBy, bool) {
    let awaited = awaits(report, who).last().expect("it says what it awaits");
    let holder = awaited.holder.expect("somebody holds it");
    (holder.who, holder.unclaimed)
}

/// The place of a call on this line of this file.
fn at(line: u32, column: u32) -> String {
    format!("{}:{line}:{column}", file!())
}

/// Whether somebody was told at this line of this file.
fn is_at(site: &Location<'_>, line: u32) -> bool {
    (site.file(), site.line()) == (file!(), line)
}

fn mutex() -> Rc<Mutex<()>> {
    Rc::new(Mutex::new(()))
}

/// Where `takes_both` takes its first lock, and its second.
const FIRST: u32 = line!() + 5;
const SECOND: u32 = FIRST + 2;

/// Takes one lock, and a turn later the other.
async fn takes_both(first: Rc<Mutex<()>>, second: Rc<Mutex<()>>) {
    let _first = first.lock().await;
    yield_now().await;
    let _second = second.lock().await;
}

// ----- cycles --------------------------------------------------------------------------------------

// SEM-22, SEM-31: each holds what the other awaits; the text of it, whole.
#[test]
fn two_tasks_that_take_two_locks_crosswise_are_a_cycle() {
    let spawned = line!() + 4;
    let (report, turns) = verdict(async {
        let (a, b) = (mutex(), mutex());
        let (other, own) = (b.clone(), a.clone());
        let alice = spawn(takes_both(a, b)).named("alice");
        let bob = spawn(takes_both(other, own)).named("bob");
        drop(join!(alice, bob));
    });
    let (first, second) = (at(FIRST, 24), at(SECOND, 26));
    let (alice, bob) = (at(spawned, 21), at(spawned + 1, 19));
    let joined = at(spawned + 2, 14);
    assert_eq!(
        report.to_string(),
        format!(
            "deadlock: everybody waits, and nothing can wake anybody\n  \
             main awaits the end of Task-1 `alice`, and the end of Task-2 `bob`, and join! at {joined}\n  \
             Task-1 `alice`, spawned at {alice}, awaits a lock at {second}, \
             held by Task-2 `bob` since {first}\n  \
             Task-2 `bob`, spawned at {bob}, awaits a lock at {second}, \
             held by Task-1 `alice` since {first}\n  \
             in a cycle: Task-1 `alice` → Task-2 `bob` → Task-1 `alice`"
        )
    );
    assert_eq!(cycle(&report), [1, 2]);
    assert_eq!(turns, 3, "main spawns, each takes its first lock, each waits for its second");
}

// SEM-22, SEM-388: three in a ring.
#[test]
fn three_tasks_that_take_three_locks_in_a_ring_are_a_cycle() {
    let (report, turns) = verdict(async {
        let [a, b, c] = [mutex(), mutex(), mutex()];
        for (first, second) in [(&a, &b), (&b, &c), (&c, &a)] {
            drop(spawn(takes_both(first.clone(), second.clone())));
        }
        pending::<()>().await;
    });
    assert_eq!((cycle(&report), turns), (vec![1, 2, 3], 3));
    for (who, next) in [(1, 2), (2, 3), (3, 1)] {
        let HeldBy::Task(held_by) = holder(&report, who).0 else { panic!("a task: {report}") };
        assert_eq!(held_by.number(), next);
        let awaited = awaits(&report, who)[0];
        assert_eq!((awaited.on, awaited.task), ("a lock", None));
        assert!(is_at(awaited.site, SECOND), "{report}");
        assert!(awaited.holder.is_some_and(|holder| is_at(holder.since, FIRST)), "{report}");
    }
    assert!(report.to_string().ends_with("in a cycle: Task-1 → Task-2 → Task-3 → Task-1"));
}

// SEM-388: long ones neither overflow the stack nor take for ever.
#[test]
fn thousand_locks_in_a_ring_are_told_in_no_time() {
    const MANY: usize = 1000;
    let (report, _) = verdict(async {
        let locks: Vec<_> = (0..MANY).map(|_| mutex()).collect();
        for (place, first) in locks.iter().enumerate() {
            drop(spawn(takes_both(first.clone(), locks[(place + 1) % MANY].clone())));
        }
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), (1..=1000).collect::<Vec<u64>>());
}

// SEM-22, C-10: the first guard is still there, and the second never comes.
#[test]
fn task_that_waits_for_its_own_lock_is_a_cycle_of_one() {
    let (report, turns) = verdict(async {
        let own = mutex();
        let task = spawn(takes_both(own.clone(), own)).named("twice");
        drop(task.await);
    });
    let (first, second) = (at(FIRST, 24), at(SECOND, 26));
    let text = report.to_string();
    assert!(text.contains(&format!("awaits a lock at {second}, held by itself since {first}")));
    assert!(text.ends_with("in a cycle: Task-1 `twice` → Task-1 `twice`"), "{text}");
    assert_eq!((cycle(&report), turns), (vec![1], 3));
}

// SEM-22: so is main.
#[test]
fn main_that_waits_for_its_own_lock_is_a_cycle_of_one() {
    let own = Mutex::new(0);
    let (report, turns) = verdict(async {
        let _guard = own.lock().await;
        let _again = own.lock().await;
    });
    assert_eq!((cycle(&report), holder(&report, 0)), (vec![0], (HeldBy::Main, false)));
    assert!(report.to_string().ends_with("in a cycle: main → main"), "{report}");
    assert_eq!(turns, 1);
}

// SEM-22, C-105: A waits for B's lock, B joins A.
#[test]
fn lock_and_join_make_one_cycle() {
    let spawned = line!() + 10;
    let (report, turns) = verdict(async {
        let (lock, of_alice) = (mutex(), Rc::new(RefCell::new(None::<JoinHandle<()>>)));
        let (bobs, joined) = (lock.clone(), of_alice.clone());
        let bob = async move {
            let _guard = bobs.lock().await;
            yield_now().await;
            let alice = joined.take().expect("main has put it there");
            drop(alice.await);
        };
        drop(spawn(bob).named("bob"));
        let alice = spawn(async move { drop(lock.lock().await) }).named("alice");
        of_alice.replace(Some(alice));
        pending::<()>().await;
    });
    let (bobs, alices) = (at(spawned - 5, 31), at(spawned + 1, 50));
    let (bob, alice) = (at(spawned, 14), at(spawned + 1, 21));
    assert_eq!(
        report.to_string(),
        format!(
            "deadlock: everybody waits, and nothing can wake anybody\n  \
             main awaits a future that is not lone's\n  \
             Task-1 `bob`, spawned at {bob}, awaits the end of Task-2 `alice`\n  \
             Task-2 `alice`, spawned at {alice}, awaits a lock at {alices}, \
             held by Task-1 `bob` since {bobs}\n  \
             in a cycle: Task-1 `bob` → Task-2 `alice` → Task-1 `bob`"
        )
    );
    assert_eq!((cycle(&report), turns), (vec![1, 2], 3));
}

// SEM-22, C-105: main holds the lock, and joins who waits for it.
#[test]
fn main_that_joins_who_waits_for_its_lock_is_in_the_cycle() {
    let (report, turns) = verdict(async {
        let lock = mutex();
        let _guard = lock.clone().lock_owned().await;
        let inner = spawn(async move { drop(lock.lock().await) }).named("inner");
        let outer = spawn(async move { drop(inner.await) });
        drop(outer.await);
    });
    assert_eq!((cycle(&report), turns), (vec![0, 2, 1], 2));
    let text = report.to_string();
    assert!(text.contains(", held by main since "), "{text}");
    assert!(text.ends_with("in a cycle: main → Task-2 → Task-1 `inner` → main"), "{text}");
}

// SEM-22: whoever cancels and awaits a task holds the lock that the task's cleanup wants.
#[test]
fn canceller_that_holds_the_lock_of_the_cleanup_is_in_the_cycle() {
    let (report, _) = verdict(async {
        let lock = mutex();
        let _guard = lock.clone().lock_owned().await;
        let cleanup = async move { drop(lock.lock().await) };
        let task = spawn(finally(pending::<()>(), cleanup)).named("worker");
        yield_now().await;
        task.cancel("enough");
        drop(task.await);
    });
    assert_eq!(cycle(&report), [0, 1, 2], "main, the worker, its cleanup");
    let text = report.to_string();
    assert!(text.contains("  Task-2 `cleanup of Task-1 "), "{text}");
    assert!(text.contains(", held by main since "), "{text}");
}

// SEM-31: somebody who awaits several things is in a cycle by any of them.
#[test]
fn cycle_by_the_lock_of_one_of_several_children_is_found() {
    let (report, _) = verdict(async {
        let [a, b] = [mutex(), mutex()];
        let (of_a, of_b) = (b.clone(), a.clone());
        drop(spawn(async move {
            let event = Event::new();
            let both = async { takes_both(a, of_a).await };
            join!(event.wait(), both);
        }));
        drop(spawn(takes_both(b, of_b)));
        pending::<()>().await;
    });
    assert_eq!(cycle(&report), [1, 2]);
    let said: Vec<&str> = awaits(&report, 1).iter().map(|awaited| awaited.on).collect();
    assert_eq!(said, ["an event", "a lock", "join!"]);
}

// SEM-22: all wait for one who waits for something else: a holder is named, and no cycle.
#[test]
fn waiters_behind_one_holder_are_no_cycle() {
    let (report, _) = verdict(async {
        let lock = mutex();
        for _ in 0..3 {
            let lock = lock.clone();
            drop(spawn(async move { hold_for_ever(lock.lock().await).await }));
        }
        Event::new().wait().await;
    });
    assert!(report.cycle().is_none(), "{report}");
    for who in [2, 3] {
        let first = report.waiting()[1].task.expect("a task");
        assert_eq!(holder(&report, who), (HeldBy::Task(first), false));
    }
    assert!(!report.to_string().contains("cycle"), "{report}");
}

// SEM-22, SEM-217: main goes with the verdict, and with it its guard: whoever waits goes on.
#[test]
fn guard_of_main_is_dropped_with_the_verdict_and_the_next_is_let_in() {
    let (mut executor, trace) = (executor(), Trace::default());
    let lock = mutex();
    let (theirs, inner) = (lock.clone(), trace.clone());
    let ran = executor.try_block_on(async {
        let _guard = lock.lock().await;
        let task = spawn(async move {
            let _guard = theirs.lock().await;
            inner.say("in");
        });
        drop(task.await);
    });
    assert!(matches!(ran, Err(RunError::Deadlock(_))));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!((trace.take().as_str(), lock.is_locked()), ("in", false));
}

// ----- holders that are gone -----------------------------------------------------------------------

// SEM-22, C-9: a guard that was leaked is held by nobody who could let go.
#[test]
fn lock_whose_holder_has_ended_with_its_guard_leaked_is_told_so() {
    let taken = line!() + 4;
    let (report, turns) = verdict(async {
        let lock = mutex();
        let theirs = lock.clone();
        drop(spawn(async move { std::mem::forget(theirs.lock().await) }));
        yield_now().await;
        drop(lock.lock().await);
    });
    assert_eq!(
        report.to_string(),
        format!(
            "deadlock: everybody waits, and nothing can wake anybody\n  \
             main awaits a lock at {}, taken at {} by somebody who has ended",
            at(taken + 2, 19),
            at(taken, 57)
        )
    );
    assert_eq!((holder(&report, 0), turns), ((HeldBy::Ended, false), 2));
}

// SEM-22, SEM-215: moved to one who lives, it is told as the first one's, who has ended.
#[test]
fn lock_whose_guard_has_moved_is_told_as_taken_by_who_has_ended() {
    let (report, _) = verdict(async {
        let lock = mutex();
        let theirs = lock.clone();
        let takes = spawn(async move { [spawn(hold_for_ever(theirs.lock_owned().await))] });
        let [keeps] = takes.await.expect("it ends well");
        let waits = spawn(async move { drop(lock.lock().await) });
        drop(join!(keeps, waits));
    });
    let text = report.to_string();
    assert!(text.contains("by somebody who has ended"), "{text}");
    assert!(report.cycle().is_none(), "{text}");
}

// SEM-22: taken before the run, where no loop ran.
#[test]
fn lock_taken_outside_of_the_loop_is_told_so() {
    let lock = Mutex::new(());
    let _guard = lock.try_lock();
    let taken = line!() - 1;
    let (report, _) = verdict(async { drop(lock.lock().await) });
    assert_eq!(holder(&report, 0), (HeldBy::Unknown, false));
    let taken = format!(", taken at {} outside of this loop", at(taken, 23));
    assert!(report.to_string().contains(&taken), "{report}");
}

// F22: the numbers of another loop's tasks are not this one's.
#[test]
fn lock_held_by_a_task_of_another_loop_makes_no_cycle() {
    let lock = mutex();
    let mut other = executor();
    let theirs = lock.clone();
    drop(other.spawn(async move { hold_for_ever(theirs.lock().await).await }));
    run_until_idle(&mut other);
    let (report, _) = verdict(async {
        let task = spawn(async move { drop(lock.lock().await) });
        drop(task.await);
    });
    assert_eq!(holder(&report, 1), (HeldBy::Unknown, false));
    assert!(report.cycle().is_none(), "{report}");
}

// ----- handed over, and nobody comes ---------------------------------------------------------------

/// A task that takes the lock, tells so, and lets go when `end` is set.
fn holds_until(lock: &Rc<Mutex<()>>, end: &Flag) -> JoinHandle<()> {
    let (lock, end) = (lock.clone(), end.clone());
    spawn(async move {
        let _guard = lock.lock().await;
        end.wait().await;
    })
}

// SEM-22, C-104: the arm has lost, is kept, and is handed the lock: its own task waits behind it.
#[test]
fn lock_handed_to_an_arm_that_is_kept_and_not_polled_is_told_so() {
    let armed = line!() + 7;
    let (report, _) = verdict(async {
        let (lock, end) = (mutex(), Flag::default());
        drop(holds_until(&lock, &end));
        let stuck = async move {
            yield_now().await;
            let theirs = lock.clone();
            let mut arm = pin!(async { drop(theirs.lock().await) });
            let wins = pin!(async {
                yield_now().await;
                end.set();
            });
            race([arm.as_mut() as Pin<&mut dyn Future<Output = ()>>, wins]).await;
            let _guard = lock.lock().await;
            arm.await;
        };
        drop(spawn(stuck).named("stuck").await);
    });
    let (made, awaited) = (at(armed, 52), at(armed + 6, 31));
    let own = report.waiting()[1].task.expect("a task");
    assert_eq!(holder(&report, 1), (HeldBy::Task(own), true));
    let told = format!(
        "awaits a lock at {awaited}, handed to itself, \
         which has not polled its future of {made} since"
    );
    let text = report.to_string();
    assert!(text.contains(&told), "{text}");
    assert!(text.ends_with("in a cycle: Task-2 `stuck` → Task-2 `stuck`"), "{text}");
}

// SEM-22, C-104: somebody else waits behind a future that another task keeps; both are in the cycle.
#[test]
fn lock_handed_to_a_future_kept_by_another_task_is_told_as_that_ones() {
    let (report, _) = verdict(async {
        let (lock, end) = (mutex(), Flag::default());
        drop(holds_until(&lock, &end));
        yield_now().await;
        let (theirs, behind) = (lock.clone(), Rc::new(RefCell::new(None::<JoinHandle<()>>)));
        let joined = behind.clone();
        let keeper = spawn(async move {
            let mut kept = theirs.lock();
            assert!(poll(&mut kept).is_pending());
            let behind = joined.take().expect("main has put it there");
            drop(behind.await);
        });
        let waiter = spawn(async move { drop(lock.lock().await) }).named("waiter");
        behind.replace(Some(waiter));
        yield_now().await;
        end.set();
        drop(keeper.named("keeper").await);
    });
    let keeper = report.waiting()[1].task.expect("a task");
    assert_eq!((holder(&report, 2), cycle(&report)), ((HeldBy::Task(keeper), true), vec![2, 3]));
    let text = report.to_string();
    assert!(text.contains(", handed to Task-2 `keeper`, which has not polled its future of "));
    assert!(text.ends_with("in a cycle: Task-2 `keeper` → Task-3 `waiter` → Task-2 `keeper`"));
}

// SEM-22, C-104: who has polled the future has ended, and the future was left with somebody.
#[test]
fn lock_handed_to_a_future_whose_task_has_ended_is_told_by_its_line() {
    let made = line!() + 6;
    let (report, _) = verdict(async {
        let lock = mutex();
        let guard = lock.clone().lock_owned().await;
        let theirs = lock.clone();
        let left = spawn(async move {
            let mut kept = theirs.lock_owned();
            assert!(poll(&mut kept).is_pending());
            [kept]
        });
        let _left = left.await.expect("it ends well");
        drop(guard);
        drop(lock.lock().await);
    });
    assert_eq!(holder(&report, 0), (HeldBy::Ended, true));
    let told = format!(", handed to a future of {}, which has not been polled since", at(made, 35));
    assert!(report.to_string().ends_with(&told), "{report}");
}

// SEM-22, C-104: a permit can be on its way for ever, too.
#[test]
fn permit_handed_to_a_future_that_is_not_polled_is_told_by_its_line() {
    let made = line!() + 4;
    let (report, _) = verdict(async {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().await;
        let mut kept = semaphore.acquire();
        assert!(poll(&mut kept).is_pending());
        drop(permit);
        drop(semaphore.acquire().await);
    });
    assert_eq!(
        report.to_string(),
        format!(
            "deadlock: everybody waits, and nothing can wake anybody\n  \
             main awaits a permit at {}, handed to a future of {}, which has not been polled since",
            at(made + 3, 24),
            at(made, 34)
        )
    );
}

// SEM-22: a permit that is merely held is nobody's: it may come back from anywhere.
#[test]
fn permit_held_has_no_holder_in_the_report() {
    let (report, _) = verdict(async {
        let semaphore = Semaphore::new(1);
        let _permit = semaphore.acquire().await;
        gather([semaphore.acquire(), semaphore.acquire()]).await;
    });
    let said = awaits(&report, 0).iter().map(|awaited| (awaited.on, awaited.holder));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [("a permit", None), ("a permit", None), ("gather", None)]
    );
    assert!(report.cycle().is_none(), "{report}");
}

// SEM-22: a lock that is on its way to somebody who will come is no deadlock.
#[test]
fn lock_on_its_way_is_no_deadlock() {
    let trace = Trace::default();
    executor().block_on(async {
        let lock = mutex();
        let guard = lock.clone().lock_owned().await;
        let (theirs, inner) = (lock.clone(), trace.clone());
        let waits = spawn(async move {
            let _guard = theirs.lock().await;
            inner.say(format!("{:?}", current_task()));
        });
        yield_now().await;
        drop(guard);
        drop(lock.lock().await);
        waits.await.expect("it ends well");
    });
    assert_eq!(trace.take(), "Some(Task-1)");
}

// SEM-31: who waits for several things may be let go on by another one: no cycle is claimed for sure.
#[test]
fn lock_held_by_a_sibling_that_waits_for_something_else_is_perhaps_a_cycle() {
    let (lock, never) = (Mutex::new(()), Event::new());
    let (report, _turns) = verdict(async {
        let holds = async {
            let _guard = lock.lock().await;
            never.wait().await;
        };
        let wants = async {
            yield_now().await;
            drop(lock.lock().await);
        };
        lone_sync::join!(holds, wants);
    });
    assert!(report.to_string().ends_with("perhaps in a cycle: main → main"), "{report}");
}

// SEM-22, SEM-385: children of a group are told apart by the lines on which they were spawned.
#[test]
fn children_of_a_group_in_a_deadlock_are_told_by_their_lines() {
    let (a, b) = (Mutex::new(()), Mutex::new(()));
    let (report, _turns) = verdict(async {
        let ran = TaskGroup::<()>::run(async |group| {
            for (first, second) in [(&a, &b), (&b, &a)] {
                drop(group.spawn(async move {
                    let _first = first.lock().await;
                    yield_now().await;
                    let _second = second.lock().await;
                    Ok::<_, ()>(())
                }));
            }
            Ok::<_, ()>(())
        });
        let _ran = ran.await;
    });
    let text = report.to_string();
    let told = text.matches(", held by itself since ").count();
    assert_eq!((told, text.matches(" in its child spawned at ").count()), (2, 2), "{text}");
}
