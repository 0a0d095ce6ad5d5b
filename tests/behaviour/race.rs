//! The first of many: `race`.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lone_executor::{spawn, yield_now};
use lone_sync::{Semaphore, race};

use crate::gather::{counted, message, poll_times, yield_times};
use crate::help::{Flag, SayOnDrop, Trace, executor, run_until_idle};

/// An arm that says when it is dropped, and returns its name after so many turns.
async fn arm(trace: Trace, name: &'static str, yields: usize) -> &'static str {
    let _guard = SayOnDrop(trace, name);
    yield_times(yields).await;
    name
}

// SEM-413: the first that is ready wins; the losers are gone, in order, before it returns.
#[test]
fn race_with_one_arm_ready_drops_the_others_before_it_returns() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let arms = [("a", 5), ("b", 2), ("c", 4)];
        let winner = race(arms.map(|(name, yields)| arm(trace.clone(), name, yields))).await;
        trace.say(format!("{winner} won"));
    });
    assert_eq!(trace.take(), "b a c b won");
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-414: several are ready in the same poll: the first listed wins, though it was woken last; the
// others are not polled, so no output is made and lost.
#[test]
fn race_with_several_arms_woken_lets_the_first_listed_win() {
    let mut executor = executor();
    let flags = [(); 4].map(|()| Flag::default());
    let polls: [Rc<Cell<usize>>; 4] = Default::default();
    let mut task = executor.spawn({
        let (flags, polls) = (flags.clone(), polls.clone());
        async move {
            let arms = flags.iter().zip(polls).enumerate();
            race(arms.map(|(index, (flag, polls))| {
                counted(polls, async move {
                    flag.wait().await;
                    index
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
    assert_eq!(task.try_join().expect("no wake was lost").expect("well"), 1);
    assert_eq!(polls.map(|polls| polls.get()), [1, 2, 1, 1]);
}

// SEM-414: ready at the first poll, the first listed wins; those after it are never polled.
#[test]
fn race_with_all_arms_ready_at_once_polls_the_first_one_only() {
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    let winner = executor().block_on(race(
        polls.clone().into_iter().enumerate().map(|(index, polls)| counted(polls, ready(index))),
    ));
    assert_eq!((winner, polls.map(|polls| polls.get())), (0, [1, 0, 0]));
}

// SEM-415: no arms: it says so, and does not hang.
#[test]
#[should_panic(expected = "a race without arms could never end")]
fn race_without_arms_panics() {
    drop(race(Vec::<std::future::Ready<()>>::new()));
}

// SEM-416: a loser that had been given its permit in the same turn gives it on.
#[test]
fn race_lost_by_an_arm_that_had_been_granted_a_permit_gives_the_permit_on() {
    let mut executor = executor();
    let (semaphore, flag) = (Rc::new(Semaphore::new(0)), Flag::default());
    let racer = executor.spawn({
        let (semaphore, flag) = (semaphore.clone(), flag.clone());
        async move {
            let arms: [Pin<Box<dyn Future<Output = &str>>>; 2] = [
                Box::pin(flag.wait().map(|()| "flag")),
                Box::pin(semaphore.acquire().map(|_permit| "permit")),
            ];
            assert_eq!(race(arms).await, "flag");
        }
    });
    let next = executor.spawn({
        let semaphore = semaphore.clone();
        async move { drop(semaphore.acquire().await) }
    });
    run_until_idle(&mut executor);
    assert_eq!(semaphore.waiters(), 2);
    semaphore.add_permits(1);
    flag.set();
    run_until_idle(&mut executor);
    assert!(racer.is_finished() && next.is_finished());
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
}

// SEM-417: arms that are borrowed live on, and go on where they were.
#[test]
fn race_over_borrowed_arms_leaves_the_losers_to_their_owner() {
    executor().block_on(async {
        let polls = Rc::new(Cell::new(0));
        let child = |name, yields| {
            Box::pin(counted(polls.clone(), async move {
                yield_times(yields).await;
                name
            }))
        };
        let (mut slow, mut fast) = (child("slow", 4), child("fast", 2));
        assert_eq!(race([&mut slow, &mut fast]).await, "fast");
        assert_eq!(slow.await, "slow");
        assert_eq!(polls.get(), 3 + 5, "no step was made twice");
    });
}

// SEM-418: an arm panics: the others are dropped, and the panic goes on.
#[test]
fn race_with_an_arm_that_panics_drops_the_others_and_panics() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let arms = ["a", "b", "c"].map(|name| {
            let arm = arm(trace.clone(), name, 2);
            async move {
                if name == "b" {
                    yield_now().await;
                    panic!("on purpose");
                }
                arm.await
            }
        });
        let mut racing = race(arms);
        let panic = AssertUnwindSafe(&mut racing).catch_unwind().await;
        assert_eq!(message(&*panic.expect_err("b panics")), "on purpose");
        trace.say("caught");
        let again = AssertUnwindSafe(&mut racing).catch_unwind().await;
        let again = message(&*again.expect_err("it is over"));
        assert!(again.contains("after it had returned or panicked"), "{again}");
    });
    assert_eq!(trace.take(), "a c caught");
    assert_eq!(executor.statistics().slots, 0);
}

#[test]
fn race_with_one_arm_woken_polls_only_that_one() {
    let mut executor = executor();
    let flags = [(); 3].map(|()| Flag::default());
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    let task = executor.spawn({
        let (flags, polls) = (flags.clone(), polls.clone());
        async move {
            let arms = flags.into_iter().zip(polls);
            race(arms.map(|(flag, polls)| {
                counted(polls, async move {
                    flag.wait().await;
                    yield_now().await;
                })
            }))
            .await;
        }
    });
    run_until_idle(&mut executor);
    flags[1].set();
    run_until_idle(&mut executor);
    assert_eq!(polls.map(|polls| polls.get()), [1, 3, 1]);
    assert!(task.is_finished());
}

#[test]
fn race_dropped_at_any_suspension_drops_its_arms_at_once() {
    let mut executor = executor();
    for polls in 0..4 {
        let trace = Trace::default();
        executor.block_on(async {
            let arms = ["a", "b", "c"].map(|name| {
                let guard = SayOnDrop(trace.clone(), name);
                async move {
                    let _guard = guard;
                    yield_times(9).await;
                }
            });
            let mut racing = race(arms);
            assert!(poll_times(&mut racing, polls).await.is_none());
            drop(racing);
            assert_eq!(trace.take(), "a b c", "after {polls} polls");
        });
        assert_eq!(executor.statistics().slots, 0);
    }
}

// F2: begun in a task that has ended, it wakes the one that awaits it.
#[test]
#[expect(clippy::async_yields_async, reason = "it is moved out to be awaited elsewhere")]
fn race_polled_in_a_task_that_ended_wakes_the_task_that_awaits_it() {
    let mut executor = executor();
    let flag = Flag::default();
    let mut task = executor.spawn({
        let flag = flag.clone();
        async move {
            let begun = spawn(async move {
                let arms: [Pin<Box<dyn Future<Output = u8>>>; 2] = [
                    Box::pin(pending()),
                    Box::pin(async move {
                        flag.wait().await;
                        1
                    }),
                ];
                let mut racing = race(arms);
                let first = poll_fn(|cx| Poll::Ready(racing.poll_unpin(cx))).await;
                assert!(first.is_pending());
                racing
            });
            begun.await.expect("it ends well").await
        }
    });
    run_until_idle(&mut executor);
    flag.set();
    run_until_idle(&mut executor);
    assert_eq!(task.try_join().expect("no wake was lost").expect("well"), 1);
}

// F2: a combinator with wakers of its own is a parent like any other.
#[test]
fn race_inside_futures_unordered_is_woken_through_it() {
    let trace = Trace::default();
    let order = executor().block_on(async {
        let races = [5, 3].map(|yields| {
            race([arm(trace.clone(), "slow", 9), arm(trace.clone(), "fast", yields)])
                .map(move |winner| (winner, yields))
        });
        races.into_iter().collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await
    });
    assert_eq!(order, [("fast", 3), ("fast", 5)]);
}

// F16: it is `Send` in earnest: begun on one loop, it ends on another one's thread.
#[test]
fn race_begun_on_one_thread_ends_on_another() {
    let mut here = executor();
    let mut racing = race([9, 3].map(async |n| {
        yield_times(n).await;
        n
    }));
    here.block_on(async { assert!(poll_times(&mut racing, 2).await.is_none()) });
    let there = thread::spawn(move || executor().block_on(racing));
    assert_eq!(there.join().expect("it ends well"), 3);
    run_until_idle(&mut here);
    assert_eq!(here.statistics().slots, 0);
}
