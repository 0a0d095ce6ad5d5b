//! Waiting for many futures at once: `gather`, `try_gather` and `join!`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_util::future::{FutureExt, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lone_executor::{JoinError, JoinHandle, budget, spawn, yield_now};
use lone_sync::{Gather, gather, join, try_gather};

use crate::help::{Counter, Flag, SayOnDrop, Trace, executor, lock, run_until_idle};

/// Lets the others go first `times` times.
pub(crate) async fn yield_times(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Counts how often the future within is polled.
pub(crate) async fn counted<F: Future>(polls: Rc<Cell<usize>>, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

/// Polls `future` `polls` times at most, a turn each; `None`: it is not done by then.
pub(crate) async fn poll_times<F: Future + Unpin>(
    future: &mut F,
    polls: usize,
) -> Option<F::Output> {
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).expect("it panicked with a message")
}

// ----- what comes out ------------------------------------------------------------------------------

// SEM-89: argument order, whatever the order of completion.
#[test]
fn gather_of_children_that_end_in_any_order_returns_argument_order() {
    let trace = Trace::default();
    let outputs = executor().block_on(gather([3, 0, 2, 1].map(|yields| {
        let trace = trace.clone();
        async move {
            yield_times(yields).await;
            trace.say(yields.to_string());
            yields * 10
        }
    })));
    assert_eq!(outputs, [30, 0, 20, 10]);
    assert_eq!(trace.take(), "0 1 2 3");
}

// SEM-90: of nothing, it is ready at its first poll, and needs no loop for that.
#[test]
fn gather_of_nothing_is_ready_at_its_first_poll() {
    let mut nothing = gather(Vec::<std::future::Ready<u8>>::new());
    assert_eq!((&mut nothing).now_or_never(), Some(vec![]));
    let mut nothing = try_gather(Vec::<std::future::Ready<Result<u8, u8>>>::new());
    assert_eq!((&mut nothing).now_or_never(), Some(Ok(vec![])));
}

// SEM-91: all are started in the first poll, and the whole takes as many turns as the longest.
#[test]
fn gather_of_children_that_wait_takes_as_long_as_the_longest() {
    let (mut executor, trace) = (executor(), Trace::default());
    let task = executor.spawn(gather([2, 5, 3].map(|yields| {
        let trace = trace.clone();
        async move {
            trace.say(yields.to_string());
            yield_times(yields).await;
        }
    })));
    executor.turn(None).expect("the park works");
    assert_eq!(trace.take(), "2 5 3");
    for _ in 0..5 {
        assert!(!task.is_finished());
        executor.turn(None).expect("the park works");
    }
    assert!(task.is_finished());
}

// SEM-95: plain gather judges nothing: values and errors all come out, in their places.
#[test]
fn gather_of_results_with_an_error_waits_for_all_and_returns_them_all() {
    let outputs = executor().block_on(gather([0, 1, 2].map(async |n| {
        yield_times(3 - n).await;
        if n == 1 { Err("one") } else { Ok(n) }
    })));
    assert_eq!(outputs, [Ok(0), Err("one"), Ok(2)]);
}

// SEM-95, SEM-96: over handles, one that is cancelled by somebody else has its marker in its place,
// and its neighbours are not touched.
#[test]
fn gather_of_handles_of_which_one_is_cancelled_returns_it_as_cancelled() {
    executor().block_on(async {
        let tasks: Vec<JoinHandle<u8>> = vec![
            spawn(async {
                yield_times(3).await;
                1
            }),
            spawn(pending()),
            spawn(async { panic!("on purpose") }),
        ];
        tasks[1].cancel("by somebody else");
        let outcomes = gather(tasks).await;
        assert!(matches!(outcomes[0], Ok(1)));
        assert!(matches!(&outcomes[1], Err(JoinError::Cancelled(_))));
        assert!(matches!(&outcomes[2], Err(JoinError::Panicked(_))));
    });
}

// SEM-101: handles of tasks that have ended count as done: one poll, no suspension.
#[test]
fn gather_of_handles_that_have_finished_is_ready_at_its_first_poll() {
    executor().block_on(async {
        let tasks = [1, 2, 3].map(|n| spawn(async move { n }));
        yield_now().await;
        let outcomes = gather(tasks).now_or_never().expect("nothing to wait for");
        let outputs: Vec<i32> = outcomes.into_iter().flatten().collect();
        assert_eq!(outputs, [1, 2, 3]);
    });
}

// SEM-100: gathers nest; an output is found by its index on each level, and so is an error.
#[test]
fn gather_of_gathers_returns_outputs_by_level() {
    let outputs = executor().block_on(gather([0, 1].map(|row| {
        gather([0, 1, 2].map(move |column| async move {
            yield_times(column + row).await;
            if (row, column) == (1, 2) { Err("here") } else { Ok((row, column)) }
        }))
    })));
    assert_eq!(outputs[0], [Ok((0, 0)), Ok((0, 1)), Ok((0, 2))]);
    assert_eq!(outputs[1], [Ok((1, 0)), Ok((1, 1)), Err("here")]);
}

#[test]
fn gather_of_borrowing_children_leaves_what_they_borrow_to_its_owner() {
    let words = [String::from("a"), String::from("loop")];
    let lengths = executor().block_on(async {
        let total = Cell::new(0);
        let lengths = gather(words.iter().map(async |word| {
            yield_now().await;
            total.set(total.get() + word.len());
            word.len()
        }))
        .await;
        assert_eq!(total.get(), 5);
        lengths
    });
    assert_eq!((lengths, words.len()), (vec![1, 4], 2));
}

#[test]
#[should_panic(expected = "polled after it had returned its outputs")]
fn gather_polled_after_its_end_panics() {
    executor().block_on(async {
        let mut twice = gather([ready(1)]);
        assert_eq!((&mut twice).await, [1]);
        (&mut twice).await;
    });
}

#[test]
#[should_panic(expected = "where no loop is running on this thread")]
fn gather_polled_outside_of_a_loop_panics() {
    let _ = gather([ready(1)]).now_or_never();
}

// ----- who is polled -------------------------------------------------------------------------------

#[test]
fn gather_with_one_child_woken_polls_only_that_one() {
    let mut executor = executor();
    let flags: Vec<Flag> = (0..100).map(|_| Flag::default()).collect();
    let polls: Vec<Rc<Cell<usize>>> = (0..100).map(|_| Rc::default()).collect();
    let children = flags.clone().into_iter().zip(polls.clone());
    let children: Vec<_> =
        children.map(|(flag, polls)| counted(polls, async move { flag.wait().await })).collect();
    let mut task = executor.spawn(gather(children));
    run_until_idle(&mut executor);
    assert!(polls.iter().all(|polls| polls.get() == 1));
    flags[42].set();
    run_until_idle(&mut executor);
    let polled: Vec<usize> = polls.iter().map(|polls| polls.get()).collect();
    assert_eq!((polled[42], polled.iter().sum::<usize>()), (2, 101));
    flags.iter().for_each(Flag::set);
    run_until_idle(&mut executor);
    assert_eq!(polls.iter().map(|polls| polls.get()).sum::<usize>(), 200);
    assert_eq!(task.try_join().expect("all have ended").expect("well").len(), 100);
}

#[test]
fn gather_with_several_children_woken_polls_them_in_the_order_of_their_wakes() {
    let (mut executor, trace) = (executor(), Trace::default());
    let flags = [(); 3].map(|()| Flag::default());
    let children: Vec<_> = flags.iter().cloned().enumerate().collect();
    let children = children.into_iter().map({
        let trace = trace.clone();
        move |(index, flag)| {
            let trace = trace.clone();
            async move {
                flag.wait().await;
                trace.say(index.to_string());
            }
        }
    });
    let _task = executor.spawn(gather(children));
    run_until_idle(&mut executor);
    for index in [2, 0, 1] {
        flags[index].set();
    }
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "2 0 1");
}

/// Ready at once; its destructor wakes whoever polled it.
struct WakesOnDrop(Option<Waker>);

impl Future for WakesOnDrop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(cx.waker().clone());
        Poll::Ready(())
    }
}

impl Drop for WakesOnDrop {
    fn drop(&mut self) {
        self.0.take().expect("it was polled").wake();
    }
}

// The slot goes before the future: a destructor that wakes its own child wakes nobody.
#[test]
fn child_that_wakes_itself_in_its_destructor_causes_no_poll() {
    let mut executor = executor();
    let polls = Rc::new(Cell::new(0));
    let other = Flag::default();
    let children: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
        Box::pin(WakesOnDrop(None)),
        Box::pin({
            let other = other.clone();
            async move { other.wait().await }
        }),
    ];
    let task = executor.spawn(counted(polls.clone(), gather(children)));
    run_until_idle(&mut executor);
    assert_eq!(polls.get(), 1);
    other.set();
    run_until_idle(&mut executor);
    assert_eq!((polls.get(), task.is_finished()), (2, true));
}

// A completed gather is one operation: a loop over gathers that never wait gives way, too.
#[test]
fn gathers_that_never_wait_in_a_loop_let_others_go_first() {
    let (rounds, seen) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    executor().block_on(async {
        let neighbour = spawn({
            let (rounds, seen) = (rounds.clone(), seen.clone());
            async move {
                while rounds.get() < 1280 {
                    seen.set(seen.get() + 1);
                    yield_now().await;
                }
            }
        });
        for _ in 0..1280 {
            gather([ready(()), ready(())]).await;
            rounds.set(rounds.get() + 1);
        }
        neighbour.await.expect("it ends well");
    });
    assert!((9..=11).contains(&seen.get()), "it ran {} times", seen.get());
}

/// A child that does one operation of the budget, and counts its polls.
async fn operation(polls: &Cell<usize>) {
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        budget::take(cx)
    })
    .await;
}

// F11: 10,000 children with an operation each take a poll each; no combinator is quadratic.
#[test]
fn ten_thousand_children_with_an_operation_each_take_a_linear_number_of_polls() {
    const CHILDREN: usize = 10_000;
    let polls = Cell::new(0);
    let children = || (0..CHILDREN).map(|_| operation(&polls));
    executor().block_on(gather(children()));
    assert_eq!(polls.replace(0), CHILDREN);
    executor().block_on(join_all(children()));
    let joined = polls.replace(0);
    assert!(joined < CHILDREN + CHILDREN / 10, "join_all: {joined} polls");
    let mut unordered: FuturesUnordered<_> = children().collect();
    executor().block_on(async { while unordered.next().await.is_some() {} });
    let streamed = polls.replace(0);
    assert!(streamed < CHILDREN + CHILDREN / 10, "FuturesUnordered: {streamed} polls");
}

// ----- dropped half way ----------------------------------------------------------------------------

// RU-1, at each suspension: every child is dropped once and at once, in argument order, and every
// slot is free again.
#[test]
fn gather_dropped_at_any_suspension_drops_its_children_at_once() {
    let mut executor = executor();
    for polls in 0..6 {
        let trace = Trace::default();
        executor.block_on(async {
            let mut group = Box::pin(gather(["a", "b", "c"].map(|name| {
                let guard = SayOnDrop(trace.clone(), name);
                async move {
                    let _guard = guard;
                    yield_times(match name {
                        "a" => 3,
                        "b" => 1,
                        _ => 4,
                    })
                    .await;
                }
            })));
            let ended = poll_times(&mut group, polls).await.is_some();
            assert_eq!(ended, polls == 5);
            drop(group);
        });
        let order = match polls {
            0 | 1 => "a b c",
            2 | 3 => "b a c",
            _ => "b a c",
        };
        assert_eq!(trace.take(), order, "after {polls} polls");
        let left = executor.statistics();
        assert_eq!((left.slots, left.groups), (0, 0), "after {polls} polls");
    }
}

// Dropped half way over borrowed handles, it detaches nobody: they can be gathered again.
#[test]
fn gather_of_borrowed_handles_dropped_half_way_leaves_them_usable() {
    executor().block_on(async {
        let mut tasks = [1, 2].map(|n| {
            spawn(async move {
                yield_times(3).await;
                n
            })
        });
        let mut first = gather(tasks.iter_mut());
        assert!(poll_times(&mut first, 2).await.is_none());
        drop(first);
        let outputs: Vec<i32> = gather(tasks).await.into_iter().flatten().collect();
        assert_eq!(outputs, [1, 2]);
    });
}

// SEM-97: who cancels the gathering task cancels its children: they are dropped, innermost too,
// before the task counts as ended.
// SEM-100: the cancel reaches the leaves of gathers within gathers.
#[test]
fn cancel_of_a_gathering_task_drops_every_child_before_the_task_has_ended() {
    let trace = Trace::default();
    executor().block_on(async {
        let leaf = |name| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        };
        let task = spawn(gather([gather([leaf("a"), leaf("b")]), gather([leaf("c"), leaf("d")])]));
        yield_now().await;
        task.cancel("enough");
        let error = task.await.expect_err("it was cancelled");
        trace.say(error.to_string());
    });
    assert_eq!(trace.take(), "a b c d cancelled: enough");
}

// SEM-98: an explicit cancel wins, also when all children have what they waited for: the outputs
// are dropped.
#[test]
fn cancel_in_the_turn_in_which_all_children_are_ready_wins() {
    let trace = Trace::default();
    executor().block_on(async {
        let flag = Flag::default();
        let child = |name| {
            let (flag, output) = (flag.clone(), SayOnDrop(trace.clone(), name));
            async move {
                flag.wait().await;
                output
            }
        };
        let task = spawn(gather([child("a"), child("b")]));
        yield_now().await;
        flag.set();
        task.cancel("at the last moment");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    });
    assert_eq!(trace.take(), "a b");
}

// F24: the futures leak, the slots do not; late wakes do nothing.
#[test]
fn groups_forgotten_after_their_first_poll_give_their_slots_back_with_their_root() {
    let mut executor = executor();
    let flag = Flag::default();
    let before = executor.statistics();
    let polls = Rc::new(Cell::new(0));
    let task = executor.spawn({
        let (flag, polls) = (flag.clone(), polls.clone());
        async move {
            for _ in 0..1000 {
                let children = (0..10).map(|_| {
                    let flag = flag.clone();
                    counted(polls.clone(), async move { flag.wait().await })
                });
                let mut group = gather(children.collect::<Vec<_>>());
                let first = poll_fn(|cx| Poll::Ready(group.poll_unpin(cx))).await;
                assert!(first.is_pending());
                std::mem::forget(group);
            }
            yield_now().await;
        }
    });
    executor.turn(None).expect("the park works");
    let during = executor.statistics();
    assert_eq!((during.slots, during.groups), (10_001, 1000));
    run_until_idle(&mut executor);
    assert!(task.is_finished());
    let after = executor.statistics();
    assert_eq!((after.slots, after.groups), (before.slots, before.groups));
    flag.set();
    run_until_idle(&mut executor);
    assert_eq!(polls.get(), 10_000, "nobody is polled again");
}

// ----- moved ---------------------------------------------------------------------------------------

/// A task that has begun a gather, and the place where it leaves it.
type Begun<F> = (JoinHandle<()>, Rc<RefCell<Option<Pin<Box<Gather<F>>>>>>);

/// Polls a gather once within a task of its own, which goes on until `keep` is set. One of its
/// children has ended by then, the other waits for `flag`.
fn gather_begun_elsewhere(
    flag: &Flag,
    keep: Option<Flag>,
) -> Begun<impl Future<Output = u8> + use<>> {
    let place = Rc::new(RefCell::new(None));
    let (theirs, flag) = (place.clone(), flag.clone());
    let begun = spawn(async move {
        let child = |n: u8| {
            let flag = flag.clone();
            async move {
                if n > 0 {
                    flag.wait().await;
                }
                n
            }
        };
        let mut group = Box::pin(gather([child(0), child(1)]));
        let first = poll_fn(|cx| Poll::Ready(group.poll_unpin(cx))).await;
        assert!(first.is_pending(), "the child waits for the flag");
        theirs.replace(Some(group));
        if let Some(keep) = keep {
            keep.wait().await;
        }
    });
    (begun, place)
}

// F2: the parent is whoever polls it now: A has ended before B polls.
#[test]
fn gather_polled_in_a_task_that_ended_wakes_the_task_that_awaits_it() {
    let mut executor = executor();
    let flag = Flag::default();
    let mut task = executor.spawn({
        let flag = flag.clone();
        async move {
            let (begun, place) = gather_begun_elsewhere(&flag, None);
            begun.await.expect("it ends well");
            let group = place.take().expect("it was left here");
            group.await
        }
    });
    run_until_idle(&mut executor);
    flag.set();
    run_until_idle(&mut executor);
    let outputs = task.try_join().expect("no wake was lost").expect("it ends well");
    assert_eq!(outputs, [0, 1]);
    assert_eq!(executor.statistics().slots, 0);
}

// F2: A ends after B has polled: B's slots stay.
#[test]
fn gather_polled_in_a_task_that_ends_later_wakes_the_task_that_awaits_it() {
    let mut executor = executor();
    let (flag, keep) = (Flag::default(), Flag::default());
    let mut task = executor.spawn({
        let (flag, keep) = (flag.clone(), keep.clone());
        async move {
            let (begun, place) = gather_begun_elsewhere(&flag, Some(keep));
            drop(begun);
            yield_times(2).await;
            let group = place.take().expect("it was left here");
            group.await
        }
    });
    run_until_idle(&mut executor);
    keep.set();
    run_until_idle(&mut executor);
    assert_eq!(executor.statistics().tasks, 1, "A has ended");
    flag.set();
    run_until_idle(&mut executor);
    let outputs = task.try_join().expect("no wake was lost").expect("it ends well");
    assert_eq!(outputs, [0, 1]);
}

// F2: a combinator with wakers of its own is a parent like any other.
#[test]
fn gather_inside_futures_unordered_is_woken_through_it() {
    let mut executor = executor();
    let flags = [(); 4].map(|()| Flag::default());
    let mut task = executor.spawn({
        let flags = flags.clone();
        async move {
            let pairs = flags.chunks(2).enumerate().map(|(pair, flags)| {
                let children = flags.iter().map(|flag| flag.wait());
                gather(children).map(move |outputs| (pair, outputs.len()))
            });
            let mut unordered: FuturesUnordered<_> = pairs.collect();
            let mut ended = Vec::new();
            while let Some(pair) = unordered.next().await {
                ended.push(pair);
            }
            ended
        }
    });
    run_until_idle(&mut executor);
    for flag in [3, 0, 2, 1] {
        flags[flag].set();
        run_until_idle(&mut executor);
    }
    let ended = task.try_join().expect("no wake was lost").expect("it ends well");
    assert_eq!(ended, [(1, 2), (0, 2)]);
}

// F16: it is `Send` in earnest: begun on one loop, it ends on another one's thread.
#[test]
fn gather_begun_on_one_thread_ends_on_another() {
    let mut here = executor();
    let mut group = gather([1, 2, 3].map(async |n| {
        yield_times(n).await;
        n
    }));
    here.block_on(async { assert!(poll_times(&mut group, 2).await.is_none()) });
    let there = thread::spawn(move || executor().block_on(group));
    assert_eq!(there.join().expect("it ends well"), [1, 2, 3]);
    run_until_idle(&mut here);
    assert_eq!(here.statistics().slots, 0);
}

#[test]
fn gather_dropped_on_another_thread_gives_its_slots_back() {
    let mut here = executor();
    let place = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (theirs, flag) = (place.clone(), Flag::default());
    let keep = flag.clone();
    let task = here.spawn(async move {
        let mut group = gather([1, 2, 3].map(async |_| pending::<()>().await));
        assert!(poll_times(&mut group, 1).await.is_none());
        lock(&theirs).replace(group);
        keep.wait().await;
    });
    run_until_idle(&mut here);
    assert_eq!(here.statistics().slots, 4);
    let group = lock(&place).take().expect("it was left here");
    thread::spawn(move || drop(group)).join().expect("it ends well");
    run_until_idle(&mut here);
    assert_eq!((here.statistics().slots, task.is_finished()), (1, false));
    flag.set();
    run_until_idle(&mut here);
}

// ----- panics --------------------------------------------------------------------------------------

// The panic goes on; polled again, the gather goes on without that child, and says at the end that
// an output is missing.
#[test]
fn child_that_panics_goes_through_and_is_never_polled_again() {
    let mut executor = executor();
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    executor.block_on(async {
        let children = polls.clone().into_iter().enumerate();
        let mut group = gather(children.map(|(index, polls)| {
            counted(polls, async move {
                yield_times(index).await;
                assert!(index != 1, "on purpose");
            })
        }));
        let panic = AssertUnwindSafe(&mut group).catch_unwind().await;
        assert_eq!(message(&*panic.expect_err("child 1 panics")), "on purpose");
        let again = AssertUnwindSafe(&mut group).catch_unwind().await;
        let again = message(&*again.expect_err("an output is missing"));
        assert!(again.starts_with("future 1 of a gather panicked in an earlier poll"), "{again}");
    });
    assert_eq!(polls.map(|polls| polls.get()), [1, 2, 3]);
    assert_eq!(executor.statistics().slots, 0, "each slot was released once");
}

// The same for a gather that has new slots, all of which count as woken.
#[test]
#[expect(clippy::async_yields_async, reason = "it is moved out to be awaited elsewhere")]
fn child_that_panicked_is_not_polled_in_another_task_either() {
    let polls: [Rc<Cell<usize>>; 2] = Default::default();
    executor().block_on(async {
        let [first, second] = polls.clone();
        let children: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
            Box::pin(counted(first, async { panic!("on purpose") })),
            Box::pin(counted(second, yield_times(2))),
        ];
        let begun = spawn(async move {
            let mut group = gather(children);
            let panic = AssertUnwindSafe(&mut group).catch_unwind().await;
            assert!(panic.is_err());
            group
        });
        let group = begun.await.expect("it has caught the panic");
        let panic = AssertUnwindSafe(group).catch_unwind().await;
        assert!(panic.is_err(), "an output is missing");
    });
    assert_eq!(polls.map(|polls| polls.get()), [1, 3]);
}

// Those that were woken and come after the one that panics in the batch are not forgotten.
#[test]
fn children_woken_beside_one_that_panics_are_polled_by_the_next_poll() {
    let mut executor = executor();
    let flag = Flag::default();
    let child = |index: usize| {
        let flag = flag.clone();
        async move {
            flag.wait().await;
            assert!(index != 0, "on purpose");
        }
    };
    let mut group = gather([child(0), child(1)]);
    let mut panics = 0;
    let mut task = executor.spawn(poll_fn(move |cx| {
        // It gives up its turn after a panic, and does not wake itself.
        match std::panic::catch_unwind(AssertUnwindSafe(|| group.poll_unpin(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => unreachable!("an output is missing"),
            Err(_) if panics == 0 => {
                panics += 1;
                Poll::Pending
            }
            Err(panic) => Poll::Ready(message(&*panic)),
        }
    }));
    run_until_idle(&mut executor);
    flag.set();
    run_until_idle(&mut executor);
    let last = task.try_join().expect("no wake was lost").expect("it catches the panics");
    assert!(last.starts_with("future 0 of a gather panicked"), "{last}");
}

// ----- try_gather ----------------------------------------------------------------------------------

#[test]
fn try_gather_without_errors_returns_argument_order() {
    let outputs = executor().block_on(try_gather([2, 0, 1].map(async |yields| {
        yield_times(yields).await;
        Ok::<_, ()>(yields)
    })));
    assert_eq!(outputs, Ok(vec![2, 0, 1]));
}

// SEM-93: at the first error the others are dropped, and only then is it returned. Their async
// cleanup is not here yet.
#[test]
fn try_gather_with_an_error_drops_the_others_before_it_returns() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let children = [("a", 5), ("b", 1), ("c", 5), ("d", 0)];
        let outcome = try_gather(children.map(|(name, yields)| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                yield_times(yields).await;
                if name == "b" { Err(name) } else { Ok(name) }
            }
        }))
        .await;
        trace.say(format!("{outcome:?}"));
    });
    assert_eq!(trace.take(), "d b a c Err(\"b\")");
    assert_eq!(executor.statistics().slots, 0);
}

// SEM-93: the first error is the first in the order of polling, later ones do not come to pass.
#[test]
fn try_gather_with_two_errors_in_one_turn_returns_the_one_woken_first() {
    let mut executor = executor();
    let flags = [(); 2].map(|()| Flag::default());
    let mut task = executor.spawn({
        let flags = flags.clone();
        async move {
            let children = flags.iter().enumerate().map(async |(index, flag)| {
                flag.wait().await;
                Err::<(), _>(index)
            });
            try_gather(children).await
        }
    });
    run_until_idle(&mut executor);
    flags[1].set();
    flags[0].set();
    run_until_idle(&mut executor);
    let outcome = task.try_join().expect("it has ended").expect("well");
    assert_eq!(outcome, Err(1));
}

// SEM-94: over borrowed handles it returns the first error; the other tasks go on, and their
// outcomes can still be had.
#[test]
fn try_gather_of_handles_with_an_error_leaves_the_other_tasks_running() {
    executor().block_on(async {
        let mut tasks = [0, 1, 2].map(|n| {
            spawn(async move {
                yield_times(n).await;
                assert!(n != 0, "on purpose");
                n
            })
        });
        let error = try_gather(tasks.iter_mut()).await.expect_err("task 0 panics");
        assert!(error.is_panic());
        let [_, one, two] = tasks;
        assert!(!two.is_finished());
        assert_eq!((one.await.expect("well"), two.await.expect("well")), (1, 2));
    });
}

// SEM-96: the error of a task that somebody else cancelled is that it was cancelled.
#[test]
fn try_gather_of_handles_of_which_one_is_cancelled_fails_with_it() {
    executor().block_on(async {
        let mut tasks = [(); 2].map(|()| spawn(pending::<()>()));
        tasks[1].cancel("by somebody else");
        let error = try_gather(tasks.iter_mut()).await.expect_err("task 1 is cancelled");
        assert!(error.is_cancelled());
        assert!(!tasks[0].is_finished(), "its neighbour is not touched");
    });
}

// SEM-99: the error is out; a cancel after that finds nobody.
#[test]
fn cancel_after_try_gather_has_delivered_its_error_changes_nothing() {
    executor().block_on(async {
        let task = spawn(try_gather([ready(Err::<(), _>("first"))]));
        yield_now().await;
        assert!(!task.cancel("too late"));
        assert_eq!(task.await.expect("it was not cancelled"), Err("first"));
    });
}

// SEM-101: one that fails at its first poll leaves those after it unpolled; they are dropped.
#[test]
fn try_gather_with_a_failure_at_the_first_poll_drops_the_rest_unpolled() {
    let trace = Trace::default();
    let outcome = executor().block_on(try_gather(["a", "b", "c", "d"].map(|name| {
        let (trace, guard) = (trace.clone(), SayOnDrop(trace.clone(), name));
        async move {
            let _guard = guard;
            trace.say("polled");
            if name == "b" {
                return Err(name);
            }
            yield_now().await;
            Ok(())
        }
    })));
    assert_eq!(outcome, Err("b"));
    assert_eq!(trace.take(), "polled polled b a c d");
}

#[test]
fn try_gather_with_a_child_that_panics_drops_the_others_and_panics() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let mut group = try_gather(["a", "b", "c"].map(|name| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                yield_now().await;
                assert!(name != "b", "on purpose");
                pending::<Result<(), ()>>().await
            }
        }));
        let panic = AssertUnwindSafe(&mut group).catch_unwind().await;
        assert_eq!(message(&*panic.expect_err("b panics")), "on purpose");
        trace.say("caught");
        let again = AssertUnwindSafe(&mut group).catch_unwind().await;
        let again = message(&*again.expect_err("it is over"));
        assert!(again.contains("after it had returned or panicked"), "{again}");
    });
    assert_eq!(trace.take(), "b a c caught");
    assert_eq!(executor.statistics().slots, 0);
}

#[test]
fn try_gather_dropped_at_any_suspension_drops_its_children_at_once() {
    let mut executor = executor();
    for polls in 0..4 {
        let token = Rc::new(());
        executor.block_on(async {
            let mut group = try_gather([1, 2, 9].map(|yields| {
                let token = token.clone();
                async move {
                    yield_times(yields).await;
                    Ok::<_, ()>(token)
                }
            }));
            assert!(poll_times(&mut group, polls).await.is_none());
            drop(group);
            assert_eq!(Rc::strong_count(&token), 1, "after {polls} polls");
        });
        assert_eq!(executor.statistics().slots, 0);
    }
}

// ----- join! ---------------------------------------------------------------------------------------

#[test]
fn join_of_futures_of_different_types_returns_a_tuple() {
    let text = String::from("borrowed");
    let outputs = executor().block_on(async {
        let length = async {
            yield_times(2).await;
            text.len()
        };
        join!(length, ready("b"), async { yield_now().await }, spawn(async { 'd' }))
    });
    let (length, b, (), d) = outputs;
    assert_eq!((length, b, d.expect("it ends well")), (8, "b", 'd'));
}

#[test]
fn join_of_one_and_of_sixteen_returns_them_all() {
    executor().block_on(async {
        let (one,) = join!(ready(1));
        assert_eq!(one, 1);
        let n = async |n: u8| {
            yield_times(n.into()).await;
            n
        };
        let (.., last) = join!(
            n(15),
            n(14),
            n(13),
            n(12),
            n(11),
            n(10),
            n(9),
            n(8),
            n(7),
            n(6),
            n(5),
            n(4),
            n(3),
            n(2),
            n(1),
            n(0),
        );
        assert_eq!(last, 0);
    });
}

#[test]
fn join_polls_all_that_are_unfinished_in_order_and_drops_each_when_it_ends() {
    let trace = Trace::default();
    let child = |name: &'static str, dropped: &'static str, polls: usize| {
        let (trace, guard) = (trace.clone(), SayOnDrop(trace.clone(), dropped));
        async move {
            let _guard = guard;
            for poll in 1..=polls {
                trace.say(name);
                if poll < polls {
                    yield_now().await;
                }
            }
        }
    };
    executor().block_on(async {
        join!(child("a", "-a", 3), child("b", "-b", 1), child("c", "-c", 2));
    });
    assert_eq!(trace.take(), "a b -b c a c -c a -a");
}

#[test]
fn join_dropped_at_any_suspension_drops_its_futures_at_once() {
    for polls in 0..4 {
        let token = Rc::new(());
        executor().block_on(async {
            let child = async |yields: usize| {
                let held = token.clone();
                yield_times(yields).await;
                held
            };
            let mut joined = Box::pin(async { join!(child(1), child(2), child(9)) });
            assert!(poll_times(&mut joined, polls).await.is_none());
            drop(joined);
            assert_eq!(Rc::strong_count(&token), 1, "after {polls} polls");
        });
    }
}

#[test]
fn join_with_a_future_that_panics_drops_the_others() {
    let trace = Trace::default();
    let panic = executor().block_on(
        AssertUnwindSafe(async {
            let guard = SayOnDrop(trace.clone(), "other");
            let other = async move {
                let _guard = guard;
                pending::<()>().await;
            };
            join!(other, async { panic!("on purpose") })
        })
        .catch_unwind(),
    );
    assert_eq!(message(&*panic.expect_err("the second one panics")), "on purpose");
    assert_eq!(trace.take(), "other");
}

/// Ready at its first poll, and panics when it is dropped.
struct PanicsInDrop;

impl Future for PanicsInDrop {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("a destructor, as this test wants it");
    }
}

#[test]
fn child_whose_destructor_panics_does_not_hold_up_those_woken_with_it() {
    executor().block_on(async {
        let done = Rc::new(Cell::new(false));
        let theirs = done.clone();
        let second = async move { theirs.set(true) };
        let children: [Pin<Box<dyn Future<Output = ()>>>; 2] =
            [Box::pin(PanicsInDrop), Box::pin(second)];
        let mut gathering = gather(children);
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(counter.clone());
        let poll = || gathering.poll_unpin(&mut Context::from_waker(&waker)).is_pending();
        assert!(catch_unwind(AssertUnwindSafe(poll)).is_err(), "the panic goes on");
        assert!(!done.get());
        assert_eq!(counter.wakes(), 1, "the second child was woken, and is to have its turn");
        assert!(gathering.poll_unpin(&mut Context::from_waker(&waker)).is_ready());
        assert!(done.get());
    });
}
