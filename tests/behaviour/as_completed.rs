//! Outputs as they come: `as_completed` and its bounded form.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FusedStream, FuturesUnordered, Stream, StreamExt};
use lone_executor::{JoinHandle, spawn, yield_now};
use lone_sync::{AsCompleted, as_completed, as_completed_bounded};
use proptest::prelude::*;

use crate::gather::{counted, message, poll_times, yield_times};
use crate::help::{Flag, OnDrop, SayOnDrop, Trace, executor, poll_once, run_until_idle};

/// Ends after so many turns, with that number.
async fn after(yields: usize) -> usize {
    yield_times(yields).await;
    yields
}

/// Everything that is left.
async fn all<F: Future, I: Iterator<Item = F>>(
    outputs: &mut AsCompleted<F, I>,
) -> Vec<(usize, F::Output)> {
    let mut seen = Vec::new();
    while let Some(output) = outputs.next().await {
        seen.push(output);
    }
    seen
}

// ----- what comes out ------------------------------------------------------------------------------

// SEM-115, SEM-116: the order of completion; in the same turn, that in which they ended.
#[test]
fn outputs_come_in_the_order_of_completion_with_the_numbers_of_their_inputs() {
    let seen = executor().block_on(async {
        let mut outputs = as_completed([3, 0, 2, 0, 2].map(after));
        all(&mut outputs).await
    });
    assert_eq!(seen, [(1, 0), (3, 0), (2, 2), (4, 2), (0, 3)]);
}

// SEM-115: of tasks that end in one turn, in the order in which they do, not in that of the handles.
#[test]
fn tasks_that_end_in_one_turn_come_in_the_order_of_their_ends() {
    let seen = executor().block_on(async {
        let flag = Flag::default();
        let mut tasks: Vec<JoinHandle<usize>> = (0..4)
            .map(|n| {
                let flag = flag.clone();
                spawn(async move {
                    flag.wait().await;
                    n
                })
            })
            .collect();
        yield_now().await;
        tasks.reverse();
        let mut ends = as_completed(tasks);
        assert!(ends.next().now_or_never().is_none());
        flag.set();
        all(&mut ends).await
    });
    let seen: Vec<_> = seen.into_iter().map(|(n, end)| (n, end.expect("it ends well"))).collect();
    assert_eq!(seen, [(3, 0), (2, 1), (1, 2), (0, 3)]);
}

// SEM-115: those that had ended before come first, as they were given.
#[test]
fn tasks_that_had_ended_before_come_first_in_argument_order() {
    executor().block_on(async {
        let tasks = [2, 1, 5, 0].map(|yields| spawn(after(yields)));
        yield_times(4).await;
        let ends: Vec<usize> = as_completed(tasks).map(|(index, _)| index).collect().await;
        assert_eq!(ends, [0, 1, 3, 2]);
    });
}

// SEM-118: of nothing it ends at its first poll, needs no loop for that, and stays ended.
#[test]
fn as_completed_of_nothing_ends_at_once_and_stays_ended() {
    let mut nothing = as_completed(Vec::<std::future::Ready<u8>>::new());
    assert!(nothing.is_terminated());
    for _ in 0..3 {
        assert_eq!(nothing.next().now_or_never(), Some(None));
    }
    let mut nothing = as_completed_bounded(3, Vec::<std::future::Ready<u8>>::new());
    assert_eq!(nothing.next().now_or_never(), Some(None));
    assert!(nothing.is_terminated());
}

#[test]
fn as_completed_that_has_ended_stays_ended_and_knows_how_much_is_left() {
    executor().block_on(async {
        let mut outputs = as_completed([1, 0].map(after));
        assert_eq!(outputs.size_hint(), (2, Some(2)));
        assert_eq!(outputs.next().await, Some((1, 0)));
        assert_eq!(outputs.size_hint(), (1, Some(1)));
        assert_eq!(format!("{outputs:?}"), "AsCompleted(1 of 2 unfinished)");
        assert_eq!(outputs.next().await, Some((0, 1)));
        assert!(outputs.is_terminated());
        assert_eq!(outputs.next().await, None);
        assert_eq!(outputs.next().await, None);
    });
}

// ----- who is polled -------------------------------------------------------------------------------

#[test]
fn child_that_was_not_woken_is_not_polled_for_the_outputs_of_others() {
    let polls = Rc::new(Cell::new(0));
    executor().block_on(async {
        let waiting = counted(polls.clone(), pending::<usize>()).boxed_local();
        let mut outputs: AsCompleted<_> = as_completed(
            std::iter::once(waiting).chain((0..100).map(|n| after(n % 7).boxed_local())),
        );
        for _ in 0..100 {
            assert!(outputs.next().await.is_some());
        }
    });
    assert_eq!(polls.get(), 1);
}

// SEM-121, F2: the loop is left, another task takes it up, and who was woken meanwhile is not lost.
#[test]
fn outputs_left_half_way_are_taken_up_again_by_another_task() {
    let seen = executor().block_on(async {
        let mut outputs = as_completed([0, 9, 1, 4, 0].map(after));
        assert_eq!(outputs.next().await, Some((0, 0)));
        let first = spawn(async move {
            let second = outputs.next().await;
            let third = outputs.next().await;
            (second, third, outputs)
        });
        let (second, third, mut outputs) = first.await.expect("it ends well");
        assert_eq!((second, third), (Some((4, 0)), Some((2, 1))));
        yield_times(10).await;
        all(&mut outputs).await
    });
    assert_eq!(seen, [(3, 4), (1, 9)]);
}

// F2: polled by foreign combinators, under wakers of theirs.
#[test]
fn as_completed_inside_foreign_combinators_is_woken_through_them() {
    let mut executor = executor();
    let (flag, waiting) = (Flag::default(), Flag::default());
    let (set, wait) = (flag.clone(), waiting.clone());
    let task = executor.spawn(async move {
        let groups = [wait, flag].map(|flag| {
            as_completed([flag.clone(), flag].map(|flag| async move { flag.wait().await }))
                .collect::<Vec<_>>()
        });
        groups.into_iter().collect::<FuturesUnordered<_>>().count().await
    });
    run_until_idle(&mut executor);
    set.set();
    run_until_idle(&mut executor);
    assert!(!task.is_finished());
    waiting.set();
    run_until_idle(&mut executor);
    assert!(task.is_finished());
}

// F16: it moves to another thread, and on.
#[test]
fn as_completed_begun_on_one_thread_ends_on_another() {
    let outputs = executor().block_on(async {
        let futures: Vec<BoxFuture<'static, u8>> = vec![ready(1).boxed(), pending().boxed()];
        let mut outputs = as_completed(futures.into_iter().chain([ready(3).boxed()]));
        assert_eq!(outputs.next().await, Some((0, 1)));
        outputs
    });
    let other = std::thread::spawn(move || {
        let mut outputs = outputs;
        executor().block_on(async {
            assert_eq!(outputs.next().await, Some((2, 3)));
            assert!(outputs.next().now_or_never().is_none());
        });
        outputs.into_rest().len()
    });
    assert_eq!(other.join().expect("it does not panic"), 1);
}

// F24: its slots end with the root that polled it; the next root begins with new ones.
#[test]
fn as_completed_moved_out_of_a_task_that_ended_goes_on_without_those_that_have() {
    let mut executor = executor();
    executor.block_on(async {
        let place = Rc::new(RefCell::new(None));
        let outputs = as_completed_bounded(4, [3, 0, 1, 2, 0].map(after));
        let inner = place.clone();
        let task = spawn(async move {
            let mut outputs = outputs;
            assert_eq!(outputs.next().await, Some((1, 0)));
            inner.replace(Some(outputs));
        });
        task.await.expect("it ends well");
        let mut outputs = place.take().expect("the task has left it there");
        let mut seen = all(&mut outputs).await;
        seen.sort_unstable();
        assert_eq!(seen, [(0, 3), (2, 1), (3, 2), (4, 0)]);
    });
    assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
}

// F11: what is always ready gives way to others.
#[test]
fn ten_thousand_outputs_that_are_ready_at_once_let_other_tasks_take_their_turns() {
    let turns = Rc::new(Cell::new(0));
    let inner = turns.clone();
    executor().block_on(async {
        drop(spawn(async move {
            loop {
                yield_now().await;
                inner.set(inner.get() + 1);
            }
        }));
        assert_eq!(as_completed((0..10_000).map(ready)).count().await, 10_000);
    });
    assert!(turns.get() > 70, "it took {} turns", turns.get());
}

// ----- bounded -------------------------------------------------------------------------------------

// SEM-123: at most so many in flight, and the next is pulled when an output is asked for.
#[test]
fn bounded_outputs_pull_the_next_input_only_when_it_may_begin() {
    let trace = Trace::default();
    executor().block_on(async {
        let in_flight = Rc::new(Cell::new((0, 0)));
        let inputs = (0..5).map(|n| {
            trace.say(format!("pull{n}"));
            let (now, most) = in_flight.get();
            in_flight.set((now + 1, most.max(now + 1)));
            let ended = in_flight.clone();
            async move {
                yield_times(n + 1).await;
                ended.set((ended.get().0 - 1, ended.get().1));
                n
            }
        });
        let mut outputs = as_completed_bounded(2, inputs);
        assert_eq!(trace.take(), "", "nothing is pulled before somebody asks");
        while let Some((index, n)) = outputs.next().await {
            assert_eq!(index, n);
            trace.say(format!("got{n}"));
            // Nothing is pulled while the body of the loop does something else.
            yield_times(20).await;
        }
        assert_eq!(in_flight.get(), (0, 2));
    });
    assert_eq!(trace.take(), "pull0 pull1 got0 pull2 got1 pull3 got2 pull4 got3 got4");
}

// SEM-123: by_ref keeps what was not pulled.
#[test]
fn bounded_outputs_left_early_leave_the_other_inputs_in_their_iterator() {
    executor().block_on(async {
        let mut inputs = (0..100).map(ready);
        let mut outputs = as_completed_bounded(3, inputs.by_ref());
        assert_eq!(outputs.next().await, Some((0, 0)));
        assert_eq!(outputs.next().await, Some((1, 1)));
        assert!(outputs.into_rest().is_empty());
        assert_eq!(inputs.len(), 98);
    });
}

// SEM-123, SEM-194: a long iterator leaves no more than a few places.
#[test]
fn bounded_outputs_of_a_long_iterator_hold_as_many_slots_as_are_in_flight() {
    let mut executor = executor();
    let most = Rc::new(Cell::new(0));
    let task = executor.spawn({
        let most = most.clone();
        async move {
            let mut outputs = as_completed_bounded(8, (0..20_000).map(|n| after(n % 3)));
            let mut sum = 0;
            while let Some((index, output)) = outputs.next().await {
                assert_eq!(index % 3, output);
                sum += 1;
            }
            most.set(sum);
        }
    });
    while !task.is_finished() {
        executor.turn(None).expect("the park works");
        let slots = executor.statistics().slots;
        assert!(slots <= 9, "{slots} slots are taken");
    }
    assert_eq!(most.get(), 20_000);
}

#[test]
#[should_panic = "a limit of 0 would let no future begin"]
fn bounded_outputs_with_a_limit_of_zero_panic() {
    drop(as_completed_bounded(0, [ready(1)]));
}

// ----- giving up -----------------------------------------------------------------------------------

// SEM-122: owned futures end with it, in argument order; handles detach their tasks.
#[test]
fn as_completed_dropped_half_way_drops_its_futures_and_detaches_its_handles() {
    let trace = Trace::default();
    let mut executor = executor();
    executor.block_on(async {
        let mut outputs = as_completed(["a", "b", "c"].map(|name| {
            let guard = SayOnDrop(trace.clone(), name);
            async move {
                let _guard = guard;
                yield_times(if name == "b" { 0 } else { 9 }).await;
            }
        }));
        assert!(matches!(outputs.next().await, Some((1, ()))));
        trace.say("next");
        drop(outputs);
        assert_eq!(trace.take(), "b next a c");

        let say = trace.clone();
        let task = spawn(async move {
            yield_times(3).await;
            say.say("went on");
        });
        let mut ends = as_completed([task]);
        assert!(ends.next().now_or_never().is_none());
        drop(ends);
        yield_times(5).await;
    });
    assert_eq!(trace.take(), "went on");
    assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
}

// SEM-122: what is borrowed stays with its owner.
#[test]
fn as_completed_over_borrowed_handles_leaves_the_unfinished_usable() {
    executor().block_on(async {
        let mut tasks = [2, 0].map(|yields| spawn(after(yields)));
        let mut ends = as_completed(tasks.iter_mut());
        assert!(matches!(ends.next().await, Some((1, Ok(0)))));
        drop(ends);
        assert!(matches!((&mut tasks[0]).await, Ok(2)));
    });
}

#[test]
fn rest_of_the_outputs_is_taken_out_in_the_order_of_the_inputs() {
    executor().block_on(async {
        let boxed = |yields| Box::pin(after(yields));
        let mut outputs = as_completed([5, 0, 3].map(boxed));
        assert_eq!(outputs.next().await, Some((1, 0)));
        let rest = outputs.into_rest();
        assert_eq!(rest.iter().map(|rest| rest.0).collect::<Vec<_>>(), [0, 2]);
        for (_, future) in rest {
            future.await;
        }
        // Places are used again: input 3 lies before input 2.
        let mut outputs = as_completed_bounded(2, [0, 9, 8, 7].map(boxed));
        assert_eq!(outputs.next().await, Some((0, 0)));
        assert!(outputs.next().now_or_never().is_none());
        let rest: Vec<usize> = outputs.into_rest().into_iter().map(|rest| rest.0).collect();
        assert_eq!(rest, [1, 2]);
    });
}

// SEM-121: whoever stops waiting for an output at whatever poll loses none.
#[test]
fn next_output_dropped_at_any_suspension_loses_nothing() {
    for polls in 0..8 {
        executor().block_on(async {
            let mut outputs = as_completed_bounded(2, [1, 3, 0, 2].map(after));
            let mut seen = Vec::new();
            seen.extend(poll_times(&mut outputs.next(), polls).await.flatten());
            seen.extend(poll_times(&mut outputs.next(), polls).await.flatten());
            seen.extend(all(&mut outputs).await);
            seen.sort_unstable();
            assert_eq!(seen, [(0, 1), (1, 3), (2, 0), (3, 2)], "after {polls} polls");
        });
    }
}

// ----- panics --------------------------------------------------------------------------------------

#[test]
fn child_that_panics_leaves_the_others_to_be_asked_for() {
    executor().block_on(async {
        let mut outputs = as_completed([0, 1, 2].map(async |n: usize| {
            yield_now().await;
            assert!(n != 1, "one has failed");
            n
        }));
        assert_eq!(outputs.next().await, Some((0, 0)));
        let caught = AssertUnwindSafe(outputs.next()).catch_unwind().await;
        let panic = caught.expect_err("the panic goes on");
        assert_eq!(message(&*panic), "one has failed");
        assert_eq!(all(&mut outputs).await, [(2, 2)]);
    });
}

// Its output was there before its destructor ran.
#[test]
fn child_whose_destructor_panics_has_its_output_given_by_the_next_poll() {
    let child = |n| {
        let mut guard = Some(OnDrop::new(move || assert!(n == 0, "a destructor")));
        poll_fn(move |_| {
            let _inside = &mut guard;
            Poll::Ready(n)
        })
    };
    executor().block_on(async {
        let mut outputs = as_completed([1, 0].map(child));
        let mut next = pin!(outputs.next());
        poll_fn(|cx| {
            let poll = catch_unwind(AssertUnwindSafe(|| next.as_mut().poll(cx)));
            let panic = poll.expect_err("the panic goes on");
            assert_eq!(message(&*panic), "a destructor");
            Poll::Ready(())
        })
        .await;
        assert_eq!(all(&mut outputs).await, [(0, 1), (1, 0)]);
    });
}

#[test]
#[should_panic = "where no loop is running"]
fn as_completed_polled_where_no_loop_runs_panics() {
    drop(poll_once(&mut as_completed([ready(1)]).next()));
}

// ----- schedules -----------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Lets a child end that has not.
    End(usize),
    /// Asks once for an output, and gives up if there is none.
    Ask,
    /// The same in a task of its own, which ends with that.
    AskElsewhere,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..12_usize).prop_map(Step::End),
        3 => Just(Step::Ask),
        1 => Just(Step::AskElsewhere),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // SEM-115, SEM-116, SEM-121, SEM-123: whatever ends, asks and gives up when: each output comes
    // once; those of children that are in flight come in the order of their ends.
    #[test]
    fn outputs_asked_for_at_any_time_come_once_and_in_order(steps in steps(), limit in 1..5_usize) {
        executor().block_on(async {
            let flags: Vec<Flag> = (0..12).map(|_| Flag::default()).collect();
            let inputs = flags.clone().into_iter().map(async |flag: Flag| flag.wait().await);
            let mut outputs = as_completed_bounded(limit, inputs);
            let (mut done, mut begun, mut seen) = ([false; 12], 0, Vec::new());
            // Who has ended since the last poll that gave nothing; `None`: the slots have ended with
            // a task since, and the order with them.
            let mut ended = Some(VecDeque::new());
            for step in steps {
                let next = match step {
                    Step::End(n) => {
                        if !std::mem::replace(&mut done[n], true) && n < begun {
                            ended.iter_mut().for_each(|ended| ended.push_back(n));
                        }
                        flags[n].set();
                        continue;
                    }
                    Step::Ask => poll_fn(|cx| Poll::Ready(outputs.next().poll_unpin(cx))).await,
                    Step::AskElsewhere => {
                        let asking = spawn(async move {
                            (poll_fn(|cx| Poll::Ready(outputs.next().poll_unpin(cx))).await, outputs)
                        });
                        let (next, back) = asking.await.expect("it ends well");
                        (outputs, ended) = (back, None);
                        next
                    }
                };
                match next {
                    Poll::Ready(Some((index, ()))) => {
                        assert!(done[index] && !seen.contains(&index));
                        let first = ended.as_mut().and_then(VecDeque::pop_front);
                        assert!(first.is_none_or(|first| first == index), "{index} for {first:?}");
                        begun = begun.max(index + 1);
                        seen.push(index);
                    }
                    Poll::Ready(None) => assert_eq!(seen.len(), 12),
                    Poll::Pending => {
                        begun = 12.min(seen.len() + limit);
                        assert!((0..begun).all(|n| !done[n] || seen.contains(&n)), "one was lost");
                        if matches!(step, Step::Ask) {
                            ended = Some(VecDeque::new());
                        }
                    }
                }
            }
            flags.iter().for_each(Flag::set);
            seen.extend(all(&mut outputs).await.into_iter().map(|(index, ())| index));
            seen.sort_unstable();
            assert_eq!(seen, (0..12).collect::<Vec<_>>());
        });
    }
}
