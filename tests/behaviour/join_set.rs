//! Tasks that belong together: `JoinSet`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lone_executor::{JoinError, TaskId, spawn, yield_now};
use lone_sync::{JoinSet, finally};
use proptest::prelude::*;

use crate::gather::{poll_times, yield_times};
use crate::help::{
    Flag, SayOnDrop, Trace, assert_one_report, executor, poll_once, record_reports, run_until_idle,
    take_reports,
};

/// The outputs of those that ended well.
fn outputs<T>(outcomes: Vec<(TaskId, Result<T, JoinError>)>) -> Vec<T> {
    outcomes.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect()
}

/// A set of tasks that end after so many turns, with that number.
fn set_of<const N: usize>(turns: [usize; N]) -> JoinSet<usize> {
    let mut set = JoinSet::new();
    for turns in turns {
        set.spawn(async move {
            yield_times(turns).await;
            turns
        });
    }
    set
}

// ----- joining -------------------------------------------------------------------------------------

// SEM-115: in the order in which they end, whoever was spawned first.
#[test]
fn tasks_of_a_set_are_joined_in_the_order_in_which_they_end() {
    executor().block_on(async {
        let mut set = set_of([4, 1, 3, 0]);
        assert_eq!((set.len(), set.is_empty()), (4, false));
        let mut seen = Vec::new();
        while let Some((_, outcome)) = set.join_next().await {
            seen.push(outcome.expect("it ends well"));
        }
        assert_eq!(seen, [0, 1, 3, 4]);
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
    });
}

// SEM-115: the same where they ended before anybody asked, and beside one that had ended before.
#[test]
fn tasks_that_end_while_nobody_joins_are_joined_in_that_order_too() {
    executor().block_on(async {
        let mut set = set_of([3, 1, 2, 0]);
        yield_times(2).await;
        let ended = spawn(async { 9 });
        yield_times(1).await;
        assert!(ended.peek().is_some());
        let id = ended.id();
        assert_eq!(set.insert(ended), id);
        set.insert(spawn(async { 10 }));
        yield_times(9).await;
        let outcomes = set.join_all().await;
        assert_eq!(outcomes[3].0, id, "it came in when three of them had ended");
        assert_eq!(outputs(outcomes), [0, 1, 2, 9, 3, 10]);
    });
}

#[test]
fn task_that_is_named_or_panics_is_joined_by_its_number_with_its_outcome() {
    record_reports();
    executor().block_on(async {
        let mut set = JoinSet::default();
        let wrong = set.insert(spawn(async { panic!("wrong") }).named("the wrong one"));
        let right = set.spawn(async {
            yield_now().await;
        });
        let (id, outcome) = set.join_next().await.expect("there are two");
        assert_eq!(id, wrong);
        let words = outcome.expect_err("it panicked").to_string();
        assert!(words.contains("wrong"), "{words}");
        let (id, outcome) = set.join_next().await.expect("there is one");
        assert_eq!((id, outcome.is_ok()), (right, true));
    });
    assert_eq!(take_reports(), [""; 0], "the panic was read");
}

#[test]
fn try_join_next_gives_who_has_ended_and_never_waits() {
    executor().block_on(async {
        let mut set = set_of([2, 0]);
        assert!(set.try_join_next().is_none(), "nobody has run yet");
        yield_times(1).await;
        assert!(matches!(set.try_join_next(), Some((_, Ok(0)))));
        assert!(set.try_join_next().is_none());
        assert_eq!(set.len(), 1);
        assert!(matches!(set.join_next().await, Some((_, Ok(2)))), "it is still awaited");
        assert!(set.try_join_next().is_none());
    });
}

// Between two turns: what comes in is joined, and who has ended can be had.
#[test]
fn set_used_between_two_turns_joins_what_it_is_given_there() {
    let mut executor = executor();
    let mut set = JoinSet::new();
    set.insert(executor.spawn(async { 1 }));
    run_until_idle(&mut executor);
    set.insert(executor.spawn(async { 2 }));
    assert!(matches!(set.try_join_next(), Some((_, Ok(1)))));
    assert!(set.try_join_next().is_none());
    set.insert(executor.spawn(pending()));
    let set = Rc::new(RefCell::new(set));
    let inner = set.clone();
    let joining = executor.spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let next = poll_fn(|cx| inner.borrow_mut().join_next().poll_unpin(cx)).await;
            seen.extend(next.and_then(|(_, outcome)| outcome.ok()));
        }
        seen
    });
    run_until_idle(&mut executor);
    assert!(!joining.is_finished());
    let three = executor.spawn(async { 3 });
    set.borrow_mut().insert(three);
    run_until_idle(&mut executor);
    assert!(joining.is_finished(), "what came in has woken it");
    assert!(matches!(joining.now_or_never(), Some(Ok(seen)) if seen == [2, 3]));
    assert_eq!(set.borrow().len(), 1);
}

// F24: the slots end with the task that asked last; nobody is lost with them.
#[test]
fn set_moved_out_of_a_task_that_ended_joins_all_that_are_left() {
    let mut executor = executor();
    executor.block_on(async {
        let place = Rc::new(RefCell::new(None));
        let inner = place.clone();
        let first = spawn(async move {
            let mut set = set_of([0, 2, 9]);
            assert!(matches!(set.join_next().await, Some((_, Ok(0)))));
            inner.replace(Some(set));
        });
        first.await.expect("it ends well");
        let mut set = place.take().expect("it was left there");
        yield_times(4).await;
        set.spawn(async { 100 });
        let mut outputs = outputs(set.join_all().await);
        outputs.sort_unstable();
        assert_eq!(outputs, [2, 9, 100]);
    });
    assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
}

// F2: under somebody else's waker.
#[test]
fn join_next_inside_futures_unordered_is_woken_through_it() {
    let mut executor = executor();
    let flag = Flag::default();
    let waiting = flag.clone();
    let task = executor.spawn(async move {
        let mut set = JoinSet::new();
        set.spawn(async move { waiting.wait().await });
        let next: FuturesUnordered<_> = [set.join_next()].into_iter().collect();
        next.count().await
    });
    run_until_idle(&mut executor);
    drop(executor.spawn(async move { flag.set() }));
    run_until_idle(&mut executor);
    assert!(task.is_finished());
}

// SEM-194: a set of long standing is as large as the most that were in it.
#[test]
fn set_through_which_many_tasks_go_keeps_no_slot_of_those_that_have_ended() {
    let mut executor = executor();
    executor.block_on(async {
        let mut set = JoinSet::new();
        for n in 0..100_000 {
            set.spawn(async move { n });
            if set.len() == 4 {
                let (_, outcome) = set.join_next().await.expect("there are four");
                assert_eq!(outcome.expect("it ends well"), n - 3);
            }
        }
        assert_eq!(set.len(), 3);
    });
    let slots = executor.statistics().slots;
    assert!(slots <= 4, "{slots} slots are taken");
}

// F11: each outcome is an operation.
#[test]
fn thousand_tasks_that_have_ended_are_joined_in_several_polls() {
    let turns = Rc::new(Cell::new(0));
    executor().block_on(async {
        let mut set = set_of([0; 1000]);
        yield_now().await;
        let inner = turns.clone();
        drop(spawn(async move {
            loop {
                yield_now().await;
                inner.set(inner.get() + 1);
            }
        }));
        while set.join_next().await.is_some() {}
    });
    assert!(turns.get() >= 6, "it took {} turns", turns.get());
}

#[test]
#[should_panic = "where no loop is running"]
fn join_next_polled_where_no_loop_runs_panics() {
    let executor = executor();
    let mut set = JoinSet::new();
    set.insert(executor.spawn(pending::<()>()));
    drop(poll_once(&mut set.join_next()));
}

// ----- ending --------------------------------------------------------------------------------------

// SEM-114: all are asked, all have ended when it returns, and who ended before keeps its outcome.
#[test]
fn shutdown_of_a_set_cancels_all_and_returns_when_they_have_ended() {
    let trace = Trace::default();
    record_reports();
    executor().block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async {});
        for name in ["a", "b"] {
            let guard = SayOnDrop(trace.clone(), name);
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        set.spawn(async { panic!("it panics before it can be cancelled") });
        yield_now().await;
        let outcomes = set.shutdown("the server is stopping").await;
        trace.say("shut");
        let words: Vec<String> = outcomes
            .into_iter()
            .map(|(_, outcome)| outcome.map_or_else(|error| error.to_string(), |()| "well".into()))
            .collect();
        assert_eq!(words[0], "well");
        assert!(words[1].contains("it panics"), "{words:?}");
        assert_eq!(words[2..], ["cancelled: the server is stopping"; 2]);
        assert!(set.is_empty());
        assert!(set.shutdown("again").await.is_empty());
    });
    assert_eq!(trace.take(), "a b shut");
    assert_eq!(take_reports(), [""; 0], "all outcomes were read");
}

#[test]
fn cancel_of_a_whole_set_asks_those_that_have_not_ended_and_keeps_them() {
    executor().block_on(async {
        let mut set = set_of([0, 9, 9]);
        yield_now().await;
        assert_eq!(set.cancel_all("enough"), 2);
        assert_eq!(set.cancel_all("more than enough"), 2, "they have not ended yet");
        assert_eq!(set.len(), 3);
        let outcomes = set.join_all().await;
        assert_eq!(outcomes.len(), 3);
        assert!(outcomes[1..].iter().all(|(_, outcome)| {
            outcome.as_ref().is_err_and(|error| error.to_string() == "cancelled: enough")
        }));
        assert_eq!(set.cancel_all("late"), 0);
    });
}

// As `cancel_on_drop`: what is left ends in the next turn, and a panic that nobody has read is told.
#[test]
fn set_that_is_dropped_cancels_its_tasks_and_tells_what_nobody_has_read() {
    let trace = Trace::default();
    record_reports();
    let mut executor = executor();
    executor.block_on(async {
        let mut set = JoinSet::new();
        let guard = SayOnDrop(trace.clone(), "dropped");
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        set.insert(spawn(async { panic!("unread") }).named("careless"));
        yield_times(2).await;
        assert!(set.join_all().now_or_never().is_none(), "it takes no outcome half way");
        assert_eq!(take_reports(), [""; 0]);
        drop(set);
        assert_eq!(trace.take(), "", "a cancel is a request");
        yield_now().await;
        assert_eq!(trace.take(), "dropped");
    });
    assert_one_report(&["careless", "unread"]);
    assert_eq!((executor.statistics().slots, executor.statistics().groups), (0, 0));
}

// F4: the scope around the set is there for the cleanups of its tasks.
#[test]
fn set_that_is_dropped_with_its_task_has_its_tasks_end_before_that_has_ended() {
    let trace = Trace::default();
    executor().block_on(async {
        let inner = trace.clone();
        let owner = spawn(async move {
            let mut set = JoinSet::new();
            for name in ["a", "b"] {
                let say = inner.clone();
                set.spawn(finally(pending::<()>(), async move {
                    yield_times(3).await;
                    say.say(name);
                }));
            }
            pending::<()>().await;
        });
        yield_times(2).await;
        owner.cancel("enough");
        assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), "a b joined");
}

// SEM-112: whoever stops joining at whatever poll loses no outcome, and cancels nobody.
#[test]
fn joins_of_a_set_dropped_at_any_suspension_lose_nothing() {
    for polls in 0..7 {
        executor().block_on(async {
            let mut set = set_of([0, 2, 1, 4, 5]);
            let mut seen = Vec::new();
            let next = poll_times(&mut set.join_next(), polls).await.flatten();
            seen.extend(next.map(|(_, outcome)| outcome.expect("it ends well")));
            seen.extend(outputs(poll_times(&mut set.join_all(), polls).await.unwrap_or_default()));
            while let Some((_, outcome)) = set.join_next().await {
                seen.push(outcome.expect("it ends well"));
            }
            assert_eq!(seen, [0, 1, 2, 4, 5], "after {polls} polls");
        });
    }
}

#[test]
fn shutdown_dropped_before_its_first_poll_has_cancelled_nobody() {
    executor().block_on(async {
        let mut set = set_of([1]);
        drop(set.shutdown("never mind"));
        assert!(matches!(set.join_next().await, Some((_, Ok(1)))));
    });
}

#[test]
fn set_says_who_is_in_it() {
    executor().block_on(async {
        let mut set = set_of([0, 3]);
        yield_now().await;
        let id = set.spawn(async { 7 });
        let text = format!("{set:?}");
        assert!(text.contains(&format!("{id:?}")) && text.contains("ended: 1"), "{text}");
    });
}

// ----- schedules -----------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
enum Step {
    Spawn,
    End(usize),
    Cancel,
    Turn,
    Ask,
    TryAsk,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Spawn),
        3 => (0..16_usize).prop_map(Step::End),
        1 => Just(Step::Cancel),
        3 => Just(Step::Turn),
        2 => Just(Step::Ask),
        2 => Just(Step::TryAsk),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // SEM-112, SEM-115: whatever is spawned, ended, cancelled and asked for when: each outcome comes
    // once, in the order of the ends.
    #[test]
    fn outcomes_of_a_set_come_once_in_the_order_of_the_ends(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        executor().block_on(async {
            let ends = Rc::new(RefCell::new(Vec::new()));
            let (mut set, mut flags, mut seen) = (JoinSet::new(), Vec::new(), Vec::new());
            for step in steps {
                let joined = match step {
                    Step::Spawn => {
                        let (flag, ends, n) = (Flag::default(), ends.clone(), flags.len() as u64);
                        flags.push(flag.clone());
                        // It says that it has ended, also where it is cancelled.
                        let end = crate::help::OnDrop::new(move || ends.borrow_mut().push(n));
                        set.spawn(async move {
                            let _end = end;
                            flag.wait().await;
                            n
                        });
                        None
                    }
                    Step::End(n) => {
                        flags.get(n).into_iter().for_each(Flag::set);
                        None
                    }
                    Step::Cancel => {
                        set.cancel_all("all of them");
                        None
                    }
                    Step::Turn => {
                        yield_now().await;
                        None
                    }
                    Step::Ask => {
                        let next = poll_fn(|cx| Poll::Ready(set.join_next().poll_unpin(cx))).await;
                        match next {
                            Poll::Ready(next) => next,
                            Poll::Pending => None,
                        }
                    }
                    Step::TryAsk => set.try_join_next(),
                };
                seen.extend(joined.map(|(id, _)| id));
                assert_eq!(seen.len() + set.len(), flags.len());
            }
            set.cancel_all("the rest");
            seen.extend(set.join_all().await.into_iter().map(|(id, _)| id));
            // Nobody else spawns on this loop: its first task has number 1.
            let seen: Vec<u64> = seen.iter().map(|id| id.number() - 1).collect();
            assert_eq!(seen, ends.take());
        });
    }
}
