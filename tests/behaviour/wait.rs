//! Watching tasks through their handles: `wait` and `cancel_all`.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lone_executor::{JoinError, JoinHandle, spawn, yield_now};
use lone_sync::{Joinable, ReturnWhen, Waited, cancel_all, wait};

use crate::gather::{poll_times, yield_times};
use crate::help::{
    Flag, SayOnDrop, Trace, executor, hold_for_ever, record_reports, run_until_idle, take_reports,
};

/// A task that ends with `n` after so many turns.
fn ends_after(turns: usize, n: u32) -> JoinHandle<u32> {
    spawn(async move {
        yield_times(turns).await;
        n
    })
}

/// The outputs of tasks that have ended well.
async fn outputs(done: Vec<JoinHandle<u32>>) -> Vec<u32> {
    let mut outputs = Vec::new();
    for handle in done {
        outputs.push(handle.await.expect("it ends well"));
    }
    outputs
}

// ----- when it returns -----------------------------------------------------------------------------

// SEM-102: of nothing, it says what to do instead of hanging.
#[test]
#[should_panic(expected = "ask `is_empty()` before you wait")]
fn wait_for_no_handle_panics() {
    drop(wait(Vec::<JoinHandle<()>>::new(), ReturnWhen::AllCompleted));
}

// SEM-103: what could be given twice cannot be: a handle is owned or borrowed once. So as many come
// out as went in.
#[test]
fn wait_for_handles_returns_each_once() {
    executor().block_on(async {
        let tasks = [ends_after(0, 1), ends_after(9, 2), ends_after(1, 3)];
        let ids = tasks.each_ref().map(JoinHandle::id);
        let Waited { done, pending } = wait(tasks, ReturnWhen::FirstCompleted).await;
        let mut found: Vec<_> = done.iter().chain(&pending).map(JoinHandle::id).collect();
        found.sort();
        assert_eq!(found, ids);
    });
}

/// One answer for a type that is not `Joinable`; two, hence a compile error, for one that is.
trait NotJoinable<Answer> {
    fn is_not_joinable() {}
}

impl<T> NotJoinable<()> for T {}
impl<T: Joinable> NotJoinable<u8> for T {}

// SEM-104: futures that are no handles do not compile: nor does this test, were it otherwise.
#[test]
fn future_that_is_no_handle_cannot_be_waited_for() {
    <std::future::Ready<()> as NotJoinable<_>>::is_not_joinable();
    <std::pin::Pin<Box<dyn Future<Output = ()>>> as NotJoinable<_>>::is_not_joinable();
}

// SEM-105: all means all, however they end; no failure comes out of the wait itself.
#[test]
fn wait_for_all_returns_when_all_have_ended_however_they_have() {
    executor().block_on(async {
        let tasks = [ends_after(4, 1), spawn(pending()), spawn(async { panic!("on purpose") })];
        tasks[1].cancel("enough");
        let Waited { mut done, pending } = wait(tasks, ReturnWhen::AllCompleted).await;
        assert!(pending.is_empty());
        let outcomes = [0, 1, 2].map(|index| done[index].try_join().expect("it has ended"));
        assert!(matches!(&outcomes[0], Err(JoinError::Cancelled(_))));
        assert!(matches!(&outcomes[1], Err(JoinError::Panicked(_))));
        assert!(matches!(&outcomes[2], Ok(1)));
    });
}

// SEM-106: the first that ends is enough, and the tasks that go on are pending, in argument order.
#[test]
fn wait_for_the_first_returns_when_one_has_ended() {
    executor().block_on(async {
        let tasks = [ends_after(9, 0), ends_after(2, 1), ends_after(8, 2)];
        let Waited { done, pending } = wait(tasks, ReturnWhen::FirstCompleted).await;
        assert_eq!(outputs(done).await, [1]);
        assert_eq!(outputs(pending).await, [0, 2]);
    });
}

// SEM-106, C-78: a second one that ends before the waiter has its turn is done as well, and
// the order is that in which they ended.
#[test]
fn task_that_ends_between_the_first_and_the_waiters_turn_is_done_too() {
    let mut executor = executor();
    let flags = [(); 4].map(|()| Flag::default());
    let mut task = executor.spawn({
        let flags = flags.clone();
        async move {
            let tasks = [0, 1, 2, 3].map(|n: u32| {
                let flag = flags[n as usize].clone();
                spawn(async move {
                    flag.wait().await;
                    n
                })
            });
            let Waited { done, pending } = wait(tasks, ReturnWhen::FirstCompleted).await;
            assert_eq!(pending.len(), 1);
            outputs(done).await
        }
    });
    run_until_idle(&mut executor);
    for flag in [2, 3, 0] {
        flags[flag].set();
    }
    run_until_idle(&mut executor);
    let done = task.try_join().expect("one has ended").expect("well");
    assert_eq!(done, [2, 3, 0]);
}

// SEM-106, SEM-113: tasks that ended before come first, in argument order, without a suspension.
#[test]
fn wait_for_handles_that_have_finished_is_ready_at_its_first_poll() {
    executor().block_on(async {
        let tasks = [ends_after(1, 0), ends_after(9, 1), ends_after(0, 2)];
        yield_times(3).await;
        let waited = wait(tasks, ReturnWhen::FirstCompleted).now_or_never();
        let Waited { done, pending } = waited.expect("nothing to wait for");
        assert_eq!((outputs(done).await, pending.len()), (vec![0, 2], 1));
    });
}

// SEM-107, C-79: a cancelled one has not failed; without a failure it waits for all.
#[test]
fn wait_for_the_first_exception_without_one_waits_for_all() {
    executor().block_on(async {
        let tasks = [spawn(pending()), ends_after(5, 1)];
        tasks[0].cancel("not a failure");
        let Waited { done, pending } = wait(tasks, ReturnWhen::FirstException).await;
        assert_eq!((done.len(), pending.len()), (2, 0));
    });
}

// SEM-107: the first that panics is enough.
#[test]
fn wait_for_the_first_exception_returns_when_a_task_has_panicked() {
    executor().block_on(async {
        let panics = spawn(async {
            yield_times(3).await;
            panic!("on purpose")
        });
        let tasks = [ends_after(9, 0), ends_after(1, 1), panics];
        let Waited { mut done, pending } = wait(tasks, ReturnWhen::FirstException).await;
        assert_eq!((done.len(), pending.len()), (2, 1));
        let outcome = done[1].try_join().expect("it has ended");
        assert!(outcome.is_err_and(|error| error.is_panic()), "it is still there to be taken");
    });
}

// SEM-107: a task that returns an error has failed where the caller says so, and only there.
#[test]
fn wait_for_the_first_exception_counts_errors_where_it_is_told_to() {
    executor().block_on(async {
        let tasks = || {
            [(5, Ok(5)), (1, Err("wrong")), (9, Ok(9))].map(|(turns, outcome)| {
                spawn(async move {
                    yield_times(turns).await;
                    outcome
                })
            })
        };
        let counting = wait(tasks(), ReturnWhen::FirstException).counting_errors().await;
        assert_eq!((counting.done.len(), counting.pending.len()), (1, 2));
        let blind = wait(tasks(), ReturnWhen::FirstException).await;
        assert_eq!((blind.done.len(), blind.pending.len()), (3, 0));
    });
}

// SEM-108: one that had failed before the call ends the wait at once.
#[test]
fn wait_for_the_first_exception_after_it_is_ready_at_its_first_poll() {
    executor().block_on(async {
        let tasks = [spawn(pending()), spawn(async { panic!("on purpose") })];
        yield_times(2).await;
        let waited = wait(tasks, ReturnWhen::FirstException).now_or_never();
        let Waited { mut done, pending } = waited.expect("nothing to wait for");
        assert_eq!((done.len(), pending.len()), (1, 1));
        assert!(done[0].try_join().expect("it has ended").is_err());
    });
}

// ----- given up half way ---------------------------------------------------------------------------

// SEM-112: the wait goes, at whichever suspension; the tasks run on and the handles are good.
#[test]
fn wait_over_borrowed_handles_dropped_at_any_suspension_loses_nothing() {
    let mut executor = executor();
    for polls in 0..6 {
        executor.block_on(async {
            let mut tasks = [1, 2, 9].map(|n| ends_after(n as usize, n));
            let mut waiting = wait(tasks.iter_mut(), ReturnWhen::AllCompleted);
            assert!(poll_times(&mut waiting, polls).await.is_none());
            drop(waiting);
            assert_eq!(outputs(tasks.into()).await, [1, 2, 9], "after {polls} polls");
        });
        let left = executor.statistics();
        assert_eq!((left.slots, left.groups), (0, 0), "after {polls} polls");
    }
}

// SEM-112: the waiter is cancelled, and what it borrowed stays with whoever owns it.
#[test]
fn cancel_of_a_waiting_task_leaves_the_tasks_running() {
    let trace = Trace::default();
    executor().block_on(async {
        let handles = Rc::new(RefCell::new([1, 2].map(|n| ends_after(5, n))));
        let waiter = spawn({
            let handles = handles.clone();
            #[expect(clippy::await_holding_refcell_ref, reason = "nobody else borrows meanwhile")]
            async move {
                wait(handles.borrow_mut().iter_mut(), ReturnWhen::AllCompleted).await;
            }
        });
        yield_times(2).await;
        waiter.cancel("enough");
        assert!(waiter.await.is_err_and(|error| error.is_cancelled()));
        let handles = Rc::into_inner(handles).expect("the waiter has gone").into_inner();
        assert_eq!(outputs(handles.into()).await, [1, 2]);
        trace.say("all");
    });
    assert_eq!(trace.take(), "all");
}

// SEM-112: over owned handles it detaches: the tasks run to their end.
#[test]
fn wait_over_owned_handles_dropped_half_way_detaches_the_tasks() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let tasks = ["a", "b"].map(|name| {
            let trace = trace.clone();
            spawn(async move {
                yield_times(3).await;
                trace.say(name);
            })
        });
        let mut waiting = wait(tasks, ReturnWhen::FirstCompleted);
        assert!(poll_times(&mut waiting, 1).await.is_none());
    });
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a b");
}

// SEM-113, C-80: a thousand waits that are given up leave nothing behind.
#[test]
fn wait_given_up_a_thousand_times_leaves_no_waiter_behind() {
    let mut executor = executor();
    let task = executor.spawn(async {
        let mut tasks = [(); 10].map(|()| spawn(pending::<()>()));
        for _ in 0..1000 {
            let mut waiting = wait(tasks.iter_mut(), ReturnWhen::FirstCompleted);
            assert!(poll_times(&mut waiting, 1).await.is_none());
        }
        pending::<()>().await;
        drop(tasks);
    });
    run_until_idle(&mut executor);
    let left = executor.statistics();
    assert_eq!((left.tasks, left.slots, left.groups), (11, 11, 0));
    drop(task);
}

// SEM-113: the loop of the lecture: wait for the first, take it, wait for the rest.
#[test]
fn waits_for_the_first_of_what_is_left_take_all_in_the_order_of_their_ends() {
    executor().block_on(async {
        let mut pending: Vec<_> = [3, 1, 5, 2, 4].map(|n| ends_after(4 * n as usize, n)).into();
        let mut taken = Vec::new();
        while !pending.is_empty() {
            let waited = wait(pending, ReturnWhen::FirstCompleted).await;
            taken.extend(outputs(waited.done).await);
            pending = waited.pending;
        }
        assert_eq!(taken, [1, 2, 3, 4, 5]);
    });
}

// ----- moved ---------------------------------------------------------------------------------------

// F2: who polls it last is woken, also after the root that polled it first has ended.
#[test]
#[expect(clippy::async_yields_async, reason = "it is moved out to be awaited elsewhere")]
fn wait_polled_in_a_task_that_ended_wakes_the_task_that_awaits_it() {
    let mut executor = executor();
    let flag = Flag::default();
    let mut task = executor.spawn({
        let flag = flag.clone();
        async move {
            let slow = spawn(async move {
                flag.wait().await;
                2
            });
            let tasks = [ends_after(0, 1), slow];
            yield_now().await;
            let begun = spawn(async move {
                let mut waiting = wait(tasks, ReturnWhen::AllCompleted);
                let first = poll_fn(|cx| Poll::Ready(waiting.poll_unpin(cx))).await;
                assert!(first.is_pending(), "one of them waits for the flag");
                waiting
            });
            let waited = begun.await.expect("it ends well").await;
            outputs(waited.done).await
        }
    });
    run_until_idle(&mut executor);
    flag.set();
    run_until_idle(&mut executor);
    assert_eq!(task.try_join().expect("no wake was lost").expect("well"), [1, 2]);
}

#[test]
fn wait_inside_futures_unordered_is_woken_through_it() {
    executor().block_on(async {
        let waits = [5, 3].map(|turns: usize| {
            wait([ends_after(turns, 0), ends_after(1, 0)], ReturnWhen::AllCompleted)
                .map(move |waited| (turns, waited.done.len()))
        });
        let mut unordered: FuturesUnordered<_> = waits.into_iter().collect();
        assert_eq!(unordered.next().await, Some((3, 2)));
        assert_eq!(unordered.next().await, Some((5, 2)));
    });
}

// The wake of a task of another loop may still be in the inbox: it is done all the same.
#[test]
fn task_of_another_loop_that_has_ended_is_done_before_its_wake_has_come() {
    let (mut here, mut there) = (executor(), executor());
    let far = there.spawn(async { 2 });
    let near = here.spawn(async move {
        there.turn(Some(Duration::ZERO)).expect("the park works");
        1
    });
    let waited = here.block_on(wait([near, far], ReturnWhen::FirstCompleted));
    assert_eq!(waited.done.len(), 2);
}

#[test]
#[should_panic(expected = "polled after it had returned its handles")]
fn wait_polled_after_its_end_panics() {
    executor().block_on(async {
        let mut twice = wait([ends_after(0, 1)], ReturnWhen::AllCompleted);
        let _ = (&mut twice).await;
        let _ = (&mut twice).await;
    });
}

// ----- cancel_all ----------------------------------------------------------------------------------

// SEM-114: it asks all, and returns when all have ended, with their outcomes in argument order.
#[test]
fn cancel_all_returns_when_every_body_has_been_dropped() {
    let trace = Trace::default();
    executor().block_on(async {
        let tasks =
            ["a", "b", "c"].map(|name| spawn(hold_for_ever(SayOnDrop(trace.clone(), name))));
        yield_now().await;
        let outcomes = cancel_all(tasks).await;
        trace.say("returned");
        let reasons = outcomes.into_iter().map(|outcome| match outcome {
            Err(JoinError::Cancelled(why)) => why.reason().to_string(),
            other => panic!("it was cancelled, not {other:?}"),
        });
        assert_eq!(reasons.collect::<Vec<_>>(), ["cancel_all"; 3]);
    });
    assert_eq!(trace.take(), "a b c returned");
}

#[test]
fn cancel_all_with_a_reason_gives_it_to_each() {
    executor().block_on(async {
        let tasks = [(); 2].map(|()| spawn(pending::<()>()));
        let outcomes = cancel_all(tasks).because("the server is stopping").await;
        for outcome in outcomes {
            let error = outcome.expect_err("it was cancelled");
            assert_eq!(error.to_string(), "cancelled: the server is stopping");
        }
    });
}

// SEM-114: who had ended keeps his outcome, and a panic that is in the list is not reported again.
#[test]
fn cancel_all_of_tasks_that_have_ended_returns_their_outcomes() {
    record_reports();
    executor().block_on(async {
        let tasks = [spawn(async { 1 }), spawn(async { panic!("on purpose") }), spawn(pending())];
        yield_times(2).await;
        let outcomes = cancel_all(tasks).await;
        assert!(matches!(&outcomes[0], Ok(1)));
        assert!(matches!(&outcomes[1], Err(JoinError::Panicked(_))));
        assert!(matches!(&outcomes[2], Err(JoinError::Cancelled(_))));
    });
    assert_eq!(take_reports(), Vec::<String>::new());
}

#[test]
fn cancel_all_of_nothing_is_ready_at_its_first_poll() {
    let nothing = cancel_all(Vec::<JoinHandle<()>>::new()).now_or_never();
    assert!(nothing.expect("nothing to wait for").is_empty());
}

#[test]
fn cancel_all_dropped_before_its_first_poll_has_cancelled_nobody() {
    executor().block_on(async {
        let mut task = ends_after(3, 7);
        drop(cancel_all([&mut task]));
        assert_eq!(task.await.expect("it was not cancelled"), 7);
    });
}

#[test]
fn cancel_all_dropped_at_a_suspension_leaves_all_of_them_cancelled() {
    executor().block_on(async {
        let mut tasks = [(); 3].map(|()| spawn(pending::<()>()));
        let mut cancelling = cancel_all(tasks.iter_mut());
        let first = poll_fn(|cx| Poll::Ready(cancelling.poll_unpin(cx))).await;
        assert!(first.is_pending());
        drop(cancelling);
        for task in tasks {
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }
    });
}
