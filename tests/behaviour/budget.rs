//! The budget: how many operations a poll may do, and what a refusal looks like.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use lone_executor::budget::{self, DEFAULT_BUDGET};
use lone_executor::{Settings, spawn, yield_now};

use crate::help::{Counter, Group, Trace, executor, executor_with, run_until_idle};

/// One operation that can always go on: it asks the budget, and counts when it takes effect.
fn operate(done: &Rc<Cell<usize>>) -> impl Future<Output = ()> + 'static {
    let done = done.clone();
    poll_fn(move |cx| {
        ready!(budget::take(cx));
        done.set(done.get() + 1);
        Poll::Ready(())
    })
}

/// Polls one operation with a waker of its own: whether it took effect, and how often it woke.
fn try_operate() -> (bool, usize) {
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let done = Rc::default();
    let polled = pin!(operate(&done)).poll(&mut Context::from_waker(&waker));
    assert_eq!(polled.is_ready(), done.get() == 1, "refused before any effect");
    (polled.is_ready(), counter.wakes())
}

// SEM-407: after 128 operations it is the others' turn, whole order.
#[test]
fn task_whose_operations_are_always_ready_gives_way_after_128() {
    let (mut executor, trace) = (executor(), Trace::default());
    let done = Rc::new(Cell::new(0));
    let counted = done.clone();
    drop(executor.spawn(async move {
        for _ in 0..300 {
            operate(&counted).await;
        }
    }));
    let inner = trace.clone();
    drop(executor.spawn(async move {
        for _ in 0..4 {
            inner.say(done.get().to_string());
            yield_now().await;
        }
    }));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "128 256 300 300");
}

// SEM-407, F11: a neighbour runs 99 times within 12,800 operations.
#[test]
fn neighbour_of_a_task_that_never_waits_runs_once_for_each_budget() {
    let mut executor = executor();
    let (done, neighbour) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (counted, ended) = (done.clone(), Rc::new(Cell::new(false)));
    let end = ended.clone();
    drop(executor.spawn(async move {
        for _ in 0..12_800 {
            operate(&counted).await;
        }
        end.set(true);
    }));
    let runs = neighbour.clone();
    drop(executor.spawn(async move {
        while !ended.get() {
            runs.set(runs.get() + 1);
            yield_now().await;
        }
    }));
    run_until_idle(&mut executor);
    assert_eq!((done.get(), neighbour.get()), (12_800, 99));
}

// SEM-408, F11: before any effect, and woken at once.
#[test]
fn operation_refused_has_had_no_effect_and_has_woken_its_waker_at_once() {
    let settings = Settings { budget: 2, ..Settings::default() };
    executor_with(settings).block_on(async {
        assert_eq!([try_operate(), try_operate()], [(true, 0); 2]);
        assert_eq!(try_operate(), (false, 1));
        // Dropped there, nothing is lost: the same operation goes through in the next poll.
        yield_now().await;
        assert_eq!(try_operate(), (true, 0));
    });
}

// SEM-408: one poll of a task that awaits: the operation is done once, not twice, and not lost.
#[test]
fn operation_refused_is_done_exactly_once_in_the_next_poll() {
    let settings = Settings { budget: 3, ..Settings::default() };
    let (mut executor, done) = (executor_with(settings), Rc::new(Cell::new(0)));
    let counted = done.clone();
    drop(executor.spawn(async move {
        for _ in 0..10 {
            operate(&counted).await;
        }
    }));
    let mut after_each_turn = Vec::new();
    while executor.turn(None).expect("the park works").ready > 0 {
        after_each_turn.push(done.get());
    }
    assert_eq!((after_each_turn.as_slice(), done.get()), ([3, 6, 9].as_slice(), 10));
}

// F11: only a combinator asks again within one poll; after eight refusals it gets a new budget.
#[test]
fn poll_that_asks_on_after_eight_refusals_is_given_a_new_budget() {
    let settings = Settings { budget: 5, ..Settings::default() };
    let answers = executor_with(settings).block_on(async {
        (0..20).map(|_| if try_operate().0 { '+' } else { '-' }).collect::<String>()
    });
    assert_eq!(answers, "+++++--------+++++--");
}

// F11: what made tokio's join_all quadratic: refusals stay linear in the number of children.
#[test]
fn join_all_of_many_operations_is_refused_twice_for_each_budget() {
    let asked = Rc::new(Cell::new(0_usize));
    let (done, counted) = (Rc::new(Cell::new(0)), asked.clone());
    executor().block_on(futures_util::future::join_all((0..10_000).map(|_| {
        let (mut operation, counted) = (Box::pin(operate(&done)), counted.clone());
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            operation.as_mut().poll(cx)
        })
    })));
    let refusals = asked.get() - done.get();
    assert_eq!(done.get(), 10_000);
    assert_eq!(refusals, 10_000 / usize::from(DEFAULT_BUDGET) * 2);
}

// F11, SEM-407: one that never waits starves neither what it is joined with, nor the other tasks.
#[test]
fn busy_future_in_a_join_starves_neither_the_other_one_nor_other_tasks() {
    let stop = Rc::new(Cell::new(false));
    let busy = async || {
        let done = Rc::new(Cell::new(0));
        while !stop.get() {
            operate(&done).await;
            assert!(done.get() < 100_000, "nobody else has run meanwhile");
        }
        Ok::<_, ()>(())
    };
    executor().block_on(async {
        let other = async || {
            operate(&Rc::new(Cell::new(0))).await;
            stop.set(true);
            Ok::<_, ()>(())
        };
        let _joined = lone_sync::join!(busy(), other());
        stop.set(false);
        lone_sync::try_join!(busy(), other()).expect("neither fails");
        // A join that is ready at once, again and again: the task that stops it has its turn.
        stop.set(false);
        let stopper = stop.clone();
        drop(lone_executor::spawn(async move { stopper.set(true) }));
        for _ in 0..100_000 {
            if stop.get() {
                return;
            }
            lone_sync::join!(async {}, async {});
        }
        unreachable!("the other task has not run meanwhile");
    });
}

// F11: each child has a budget of its own, and the parent's is put back.
#[test]
fn child_polled_has_a_budget_of_its_own_and_the_parents_is_put_back() {
    let settings = Settings { budget: 10, ..Settings::default() };
    let done = Rc::new(Cell::new(0));
    executor_with(settings).block_on(async {
        for _ in 0..4 {
            operate(&done).await;
        }
        let children = (0..3).map(|_| {
            let done = done.clone();
            async move {
                assert_eq!(budget::remaining(), Some(10));
                for _ in 0..10 {
                    operate(&done).await;
                }
                assert_eq!(budget::remaining(), Some(0));
            }
        });
        Group::new(children).await;
        assert_eq!(budget::remaining(), Some(6), "the group was ready in one poll");
    });
    assert_eq!(done.get(), 34);
}

// F11, SEM-407: a child that is refused gives way to its siblings and to the loop.
#[test]
fn child_refused_is_polled_again_in_the_next_poll_of_its_group() {
    let settings = Settings { budget: 10, ..Settings::default() };
    let (mut executor, trace) = (executor_with(settings), Trace::default());
    let children = ["a", "b"].map(|name| {
        let (trace, done) = (trace.clone(), Rc::new(Cell::new(0)));
        async move {
            for _ in 0..25 {
                operate(&done).await;
                if done.get() % 10 == 0 || done.get() == 25 {
                    trace.say(format!("{name}{}", done.get()));
                }
            }
        }
    });
    drop(executor.spawn(Group::new(children)));
    let inner = trace.clone();
    drop(executor.spawn(async move {
        for _ in 0..3 {
            inner.say("neighbour");
            yield_now().await;
        }
    }));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "a10 b10 neighbour a20 b20 neighbour a25 b25 neighbour");
}

// SEM-410: what is Pending by itself costs nothing, so it starves nobody.
#[test]
fn polls_of_leaves_that_wait_cost_no_budget() {
    executor().block_on(async {
        let before = budget::remaining();
        assert_eq!(before, Some(DEFAULT_BUDGET));
        let mut task = spawn(pending::<()>());
        poll_fn(|cx| {
            for _ in 0..1000 {
                assert!(Pin::new(&mut task).poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        for _ in 0..1000 {
            assert!(budget::take(&mut Context::from_waker(Waker::noop())).is_ready());
            budget::give_back();
        }
        assert_eq!(budget::remaining(), before);
    });
}

// SEM-412: a foreign future that is always ready is not covered: nobody asks.
#[test]
fn foreign_futures_that_are_always_ready_are_not_refused() {
    executor().block_on(async {
        for _ in 0..1000 {
            std::future::ready(()).await;
        }
        assert_eq!(budget::remaining(), Some(DEFAULT_BUDGET));
    });
}

// SEM-407: the budget is the poll's: the next one begins with all of it.
#[test]
fn budget_spent_in_one_poll_is_full_in_the_next() {
    executor().block_on(async {
        while try_operate().0 {}
        assert_eq!(budget::remaining(), Some(0));
        yield_now().await;
        assert_eq!(budget::remaining(), Some(DEFAULT_BUDGET));
    });
}

// F11: where no loop of ours polls, nothing is refused, before and after.
#[test]
fn operations_outside_of_a_loop_are_never_refused() {
    let unlimited = || {
        assert_eq!(budget::remaining(), None);
        (0..100_000).all(|_| budget::take(&mut Context::from_waker(Waker::noop())).is_ready())
    };
    assert!(unlimited());
    executor().block_on(yield_now());
    assert!(unlimited());
}

// SEM-407: a budget of nothing would refuse everything for ever.
#[test]
fn budget_of_zero_counts_as_one() {
    let settings = Settings { budget: 0, event_interval: 0, ..Settings::default() };
    executor_with(settings).block_on(async {
        for _ in 0..100 {
            poll_fn(budget::take).await;
        }
    });
}
