//! The first success of many: `race_ok`.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::thread;

use futures_util::future::{FutureExt, LocalBoxFuture};
use lone_executor::{RunError, Settings, budget, yield_now};
use lone_sync::{Event, Queue, Semaphore, join, race_ok};

use crate::gather::{counted, message, poll_times, yield_times};
use crate::help::{Flag, SayOnDrop, Trace, executor, executor_with, run_until_idle};
use crate::waiting::Chance;

/// An arm that says when it is dropped, and succeeds or fails with its name after so many turns.
async fn arm(
    trace: Trace,
    name: &'static str,
    yields: usize,
    succeeds: bool,
) -> Result<&'static str, &'static str> {
    let _guard = SayOnDrop(trace, name);
    yield_times(yields).await;
    if succeeds { Ok(name) } else { Err(name) }
}

// SEM-421: errors stop nobody: the first success wins, and the losers are gone before it returns.
#[test]
fn race_ok_with_failures_before_the_first_success_returns_the_success() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let arms =
            [("a", 9, true), ("b", 1, false), ("c", 3, true), ("d", 2, false), ("e", 9, true)];
        let arms = arms.map(|(name, yields, succeeds)| arm(trace.clone(), name, yields, succeeds));
        let winner = race_ok(arms).await.expect("c succeeds");
        trace.say(format!("{winner} won"));
    });
    assert_eq!(trace.take(), "b d c a e c won");
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-421: all fail: all errors, in argument order and not in that of the failures.
#[test]
fn race_ok_with_failures_only_returns_all_errors_in_argument_order() {
    let mut executor = executor();
    let errors = executor.block_on(race_ok([3, 0, 2, 1].map(async |yields| {
        yield_times(yields).await;
        Err::<(), _>(yields)
    })));
    assert_eq!(errors, Err(vec![3, 0, 2, 1]));
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-414, SEM-421: several succeed in the same poll: the first listed wins, though it was woken
// last; those after it are not polled.
#[test]
fn race_ok_with_several_arms_woken_lets_the_first_listed_success_win() {
    let mut executor = executor();
    let flags = [(); 4].map(|()| Flag::default());
    let polls: [Rc<Cell<usize>>; 4] = Default::default();
    let mut task = executor.spawn({
        let (flags, polls) = (flags.clone(), polls.clone());
        async move {
            let arms = flags.iter().zip(polls).enumerate();
            race_ok(arms.map(|(index, (flag, polls))| {
                counted(polls, async move {
                    flag.wait().await;
                    if index == 1 { Err(index) } else { Ok(index) }
                })
            }))
            .await
        }
    });
    run_until_idle(&mut executor);
    for flag in [3, 2, 1] {
        flags[flag].set();
    }
    run_until_idle(&mut executor);
    assert_eq!(task.try_join().expect("no wake was lost").expect("well"), Ok(2));
    assert_eq!(polls.map(|polls| polls.get()), [1, 2, 2, 1]);
}

// SEM-415: no arms: it says so, and neither hangs nor makes up an outcome.
#[test]
#[should_panic(expected = "a race_ok without arms can neither succeed nor fail")]
fn race_ok_without_arms_panics() {
    drop(race_ok(Vec::<std::future::Ready<Result<(), ()>>>::new()));
}

// SEM-416: a loser that had been given its permit in the same turn gives it on.
#[test]
fn race_ok_lost_by_an_arm_that_had_been_granted_a_permit_gives_the_permit_on() {
    let mut executor = executor();
    let (semaphore, flag) = (Rc::new(Semaphore::new(0)), Flag::default());
    let racer = executor.spawn({
        let (semaphore, flag) = (semaphore.clone(), flag.clone());
        async move {
            let arms: [LocalBoxFuture<'_, Result<&str, ()>>; 2] = [
                Box::pin(flag.wait().map(|()| Ok("flag"))),
                Box::pin(semaphore.acquire().map(|_permit| Ok("permit"))),
            ];
            assert_eq!(race_ok(arms).await, Ok("flag"));
        }
    });
    let next = executor.spawn({
        let semaphore = semaphore.clone();
        async move { drop(semaphore.acquire().await) }
    });
    run_until_idle(&mut executor);
    semaphore.add_permits(1);
    flag.set();
    run_until_idle(&mut executor);
    assert!(racer.is_finished() && next.is_finished());
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
}

// SEM-417: arms that are borrowed live on; one that has failed is not polled again.
#[test]
fn race_ok_over_borrowed_arms_leaves_the_losers_to_their_owner() {
    executor().block_on(async {
        let child =
            |name, yields, succeeds| Box::pin(arm(Trace::default(), name, yields, succeeds));
        let (mut slow, mut failed, mut fast) =
            (child("slow", 4, true), child("failed", 1, false), child("fast", 2, true));
        assert_eq!(race_ok([&mut slow, &mut failed, &mut fast]).await, Ok("fast"));
        assert_eq!(slow.await, Ok("slow"));
    });
}

// SEM-418: an arm panics: the others are dropped, and the panic goes on.
#[test]
fn race_ok_with_an_arm_that_panics_drops_the_others_and_panics() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let arms = ["a", "b", "c", "d"].map(|name| {
            let arm = arm(trace.clone(), name, usize::from(name != "a") * 2, false);
            async move {
                if name == "c" {
                    yield_now().await;
                    panic!("on purpose");
                }
                arm.await
            }
        });
        let mut racing = race_ok(arms);
        let panic = AssertUnwindSafe(&mut racing).catch_unwind().await;
        assert_eq!(message(&*panic.expect_err("c panics")), "on purpose");
        trace.say("caught");
        let again = AssertUnwindSafe(&mut racing).catch_unwind().await;
        let again = message(&*again.expect_err("it is over"));
        assert!(again.contains("after it had returned or panicked"), "{again}");
    });
    assert_eq!(trace.take(), "a b d caught");
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-421: of those that wait only the one that was woken is polled.
#[test]
fn race_ok_with_one_arm_woken_polls_only_that_one() {
    let mut executor = executor();
    let flags = [(); 3].map(|()| Flag::default());
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    let mut task = executor.spawn({
        let (flags, polls) = (flags.clone(), polls.clone());
        async move {
            let arms = flags.into_iter().zip(polls);
            race_ok(arms.map(|(flag, polls)| {
                counted(polls, async move {
                    flag.wait().await;
                    Err::<(), _>("down")
                })
            }))
            .await
        }
    });
    for (flag, expected) in [(1, [1, 2, 1]), (2, [1, 2, 2]), (0, [2, 2, 2])] {
        run_until_idle(&mut executor);
        flags[flag].set();
        run_until_idle(&mut executor);
        assert_eq!(polls.each_ref().map(|polls| polls.get()), expected);
    }
    assert_eq!(task.try_join().expect("all have failed").expect("well"), Err(vec!["down"; 3]));
}

// SEM-421: dropped at any suspension: the arms go at once, in order, those that have failed before.
#[test]
fn race_ok_dropped_at_any_suspension_drops_its_arms_at_once() {
    let mut executor = executor();
    for polls in 0..5 {
        let trace = Trace::default();
        executor.block_on(async {
            let arms = [("a", 9), ("b", 2), ("c", 9)];
            let arms = arms.map(|(name, yields)| {
                let (guard, trace) = (SayOnDrop(trace.clone(), name), Trace::default());
                async move {
                    let _guard = guard;
                    arm(trace, name, yields, false).await
                }
            });
            let mut racing = race_ok(arms);
            assert!(poll_times(&mut racing, polls).await.is_none());
            trace.say("drop");
            drop(racing);
            let expected = if polls < 3 { "drop a b c" } else { "b drop a c" };
            assert_eq!(trace.take(), expected, "after {polls} polls");
        });
        assert_eq!(executor.statistics().slots, 0);
    }
}

// SEM-416: items that arrive while arms win, fail or are dropped come out once each.
#[test]
fn race_ok_over_queues_loses_no_item_whatever_the_schedule() {
    for seed in 0..100 {
        let chance = Rc::new(RefCell::new(Chance::new(seed)));
        let queues = [(); 3].map(|()| Rc::new(Queue::bounded(2)));
        let got: Rc<RefCell<Vec<u32>>> = Rc::default();
        let mut executor = executor();
        for (nth, queue) in (0..).zip(&queues) {
            let (queue, chance) = (queue.clone(), chance.clone());
            drop(executor.spawn(async move {
                for item in 0..20 {
                    let pause = chance.borrow_mut().below(3);
                    yield_times(pause).await;
                    queue.put(nth * 20 + item).await.expect("it is open");
                }
                queue.shutdown();
            }));
        }
        let taken = got.clone();
        drop(executor.spawn(async move {
            // Queues that are shut down fail; when all are, it is over.
            while let Ok(item) = race_ok(queues.iter().map(|queue| queue.get())).await {
                taken.borrow_mut().push(item);
            }
        }));
        assert_eq!(run_until_idle(&mut executor), 0, "seed {seed}");
        let mut got = got.take();
        got.sort_unstable();
        assert_eq!(got, (0..60).collect::<Vec<_>>(), "seed {seed}");
    }
}

// SEM-407, SEM-410: one operation a race, waiting is free, and refused it polls nobody.
#[test]
fn race_ok_takes_one_operation_and_polls_no_arm_when_it_is_refused() {
    let settings = Settings { budget: 1, ..Settings::default() };
    executor_with(settings).block_on(async {
        let polls: Rc<Cell<usize>> = Rc::default();
        assert!(race_ok([pending::<Result<(), ()>>()]).now_or_never().is_none());
        assert_eq!(budget::remaining(), Some(1));
        assert_eq!(race_ok([ready(Err::<(), _>(1))]).await, Err(vec![1]));
        assert_eq!(budget::remaining(), Some(0));
        let mut refused = race_ok([counted(polls.clone(), ready(Ok::<_, ()>(2)))]);
        assert!((&mut refused).now_or_never().is_none());
        assert_eq!(polls.get(), 0);
        assert_eq!(refused.await, Ok(2));
    });
}

// SEM-22: the leaves of the arms that are left are asked, and then it.
#[test]
fn race_ok_over_what_can_never_come_tells_the_arms_that_are_left() {
    let event = Event::new();
    let main = race_ok([true, false].map(async |waits| {
        if waits {
            event.wait().await;
        }
        Err::<(), _>(())
    }));
    let Err(RunError::Deadlock(report)) = executor().try_block_on(main) else {
        panic!("nobody can set the event");
    };
    let on: Vec<_> = report.waiting()[0].awaits.iter().map(|awaited| awaited.on).collect();
    assert_eq!(on, ["an event", "race_ok"]);
}

// F16: it is `Send` in earnest: begun on one loop, with a failure so far, it ends on another one's.
#[test]
fn race_ok_begun_on_one_thread_ends_on_another() {
    let mut here = executor();
    let mut racing = race_ok([1, 3, 4].map(async |n| {
        yield_times(n).await;
        Err::<(), _>(n)
    }));
    here.block_on(async { assert!(poll_times(&mut racing, 2).await.is_none()) });
    let there = thread::spawn(move || executor().block_on(async { join!(racing, yield_now()).0 }));
    assert_eq!(there.join().expect("it ends well"), Err(vec![1, 3, 4]));
    run_until_idle(&mut here);
    assert_eq!(here.statistics().slots, 0);
}
