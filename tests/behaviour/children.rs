//! Groups that grow: children that are added while their group is alive, from wherever.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use lone_executor::children::Children;
use lone_executor::{Executor, ThreadPark, spawn, yield_now};

use crate::help::{Flag, Trace, executor, run_until_idle};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// A group that anybody may add to; as a future it ends when all its children have.
#[derive(Clone)]
struct Growing(Rc<State>);

struct State {
    children: Children,
    futures: RefCell<Vec<Option<Boxed>>>,
    left: Cell<usize>,
    polls: Cell<usize>,
}

impl Growing {
    fn new() -> Growing {
        let (children, futures) = (Children::new(0), RefCell::default());
        Growing(Rc::new(State { children, futures, left: Cell::new(0), polls: Cell::new(0) }))
    }

    fn add(&self, future: impl Future<Output = ()> + 'static) -> usize {
        let index = self.0.children.insert();
        let mut futures = self.0.futures.borrow_mut();
        if index == futures.len() {
            futures.push(None);
        }
        assert!(futures[index].is_none(), "place {index} is taken");
        futures[index] = Some(Box::pin(future));
        self.0.left.set(self.0.left.get() + 1);
        index
    }

    fn places(&self) -> usize {
        self.0.futures.borrow().len()
    }

    /// How often children were polled.
    fn polls(&self) -> usize {
        self.0.polls.get()
    }
}

impl Future for Growing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &*self.0;
        let mut batch = state.children.batch(cx);
        while let Some(child) = batch.next() {
            let index = child.index();
            let Some(mut future) = state.futures.borrow_mut()[index].take() else {
                batch.end(child);
                continue;
            };
            state.polls.set(state.polls.get() + 1);
            if batch.poll(&child, |cx| future.as_mut().poll(cx)).is_ready() {
                batch.end(child);
                state.left.set(state.left.get() - 1);
            } else {
                state.futures.borrow_mut()[index] = Some(future);
            }
        }
        if state.left.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Says its number, and adds the next one to the group that is polling it.
fn chain(group: Growing, trace: Trace, number: usize, last: usize) -> Boxed {
    Box::pin(async move {
        trace.say(number.to_string());
        if number < last {
            group.add(chain(group.clone(), trace, number + 1, last));
        }
        yield_now().await;
    })
}

// SEM-175: what a child adds is polled in the next turn, and the group waits for it.
#[test]
fn child_that_adds_to_the_group_that_polls_it_has_the_new_one_awaited() {
    let (mut executor, trace, group) = (executor(), Trace::default(), Growing::new());
    group.add(chain(group.clone(), trace.clone(), 0, 5));
    let task = executor.spawn(group.clone());
    for turn in 0..6 {
        executor.turn(None).expect("the park works");
        assert_eq!(trace.take(), turn.to_string());
    }
    assert_eq!(run_until_idle(&mut executor), 0);
    assert!(task.is_finished());
    assert_eq!(group.polls(), 12, "each is polled when it is added, and when it was woken");
}

// SEM-194: ended ones are forgotten, whoever adds.
#[test]
fn children_that_end_and_add_others_use_the_places_of_those_before() {
    let (group, trace) = (Growing::new(), Trace::default());
    group.add(chain(group.clone(), trace.clone(), 0, 10_000));
    executor().block_on(group.clone());
    assert_eq!(trace.take().split(' ').count(), 10_001);
    assert!(group.places() <= 4, "there are {} places", group.places());
}

// SEM-175: from another task, the wake of the group comes with the new child.
#[test]
fn child_added_by_another_task_is_polled_and_nobody_else_is() {
    let (mut executor, trace, group) = (executor(), Trace::default(), Growing::new());
    group.add(pending());
    drop(executor.spawn(group.clone()));
    run_until_idle(&mut executor);
    let (inner, say) = (group.clone(), trace.clone());
    drop(executor.spawn(async move {
        inner.add(async move { say.say("added") });
    }));
    assert_eq!(run_until_idle(&mut executor), 1, "the group waits for its first child");
    assert_eq!(trace.take(), "added");
    assert_eq!(group.polls(), 2);
}

// SEM-175: between two turns, and where another loop runs, it goes through the inbox.
#[test]
fn child_added_where_its_loop_does_not_run_is_polled_in_the_next_turn() {
    let (mut executor, trace, group) = (executor(), Trace::default(), Growing::new());
    let adding = |name: &'static str| {
        let trace = trace.clone();
        group.add(async move {
            trace.say(name);
            pending::<()>().await;
        })
    };
    assert_eq!([adding("before"), adding("the first poll")], [0, 1]);
    drop(executor.spawn(group.clone()));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "before the first poll");
    assert_eq!(adding("between"), 2);
    Executor::new(ThreadPark::new()).expect("a loop index is free").block_on(async {
        assert_eq!(adding("two"), 3);
    });
    assert_eq!(adding("turns"), 4);
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "between two turns");
    let inner = group.clone();
    drop(executor.spawn(async move {
        assert_eq!(inner.add(async {}), 5, "the places that were counted elsewhere are theirs");
    }));
    run_until_idle(&mut executor);
    assert_eq!(group.polls(), 6, "nobody is polled without a reason");
}

// F2: the group hangs on somebody else's waker, which the new child wakes.
#[test]
fn child_added_to_a_group_inside_futures_unordered_is_polled_through_it() {
    let (mut executor, trace, group) = (executor(), Trace::default(), Growing::new());
    let flag = Flag::default();
    let waiting = flag.clone();
    group.add(async move { waiting.wait().await });
    let foreign: FuturesUnordered<_> = [group.clone()].into_iter().collect();
    let task = executor.spawn(foreign.collect::<Vec<()>>());
    run_until_idle(&mut executor);
    let (inner, say) = (group.clone(), trace.clone());
    drop(executor.spawn(async move {
        inner.add(async move { say.say("added") });
        assert_eq!(inner.add(async move { flag.set() }), 2);
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "added");
    assert!(task.is_finished());
}

// F24: what is added after the root has ended is polled by the next one, with all who are left.
#[test]
fn child_added_after_the_root_has_ended_is_polled_with_the_others_by_the_next() {
    let (mut executor, trace, group) = (executor(), Trace::default(), Growing::new());
    let say = |name: &'static str| {
        let trace = trace.clone();
        async move {
            trace.say(name);
            yield_now().await;
            trace.say(name);
        }
    };
    group.add(async {});
    group.add(say("old"));
    let mut moving = group.clone();
    executor.block_on(async {
        let once = spawn(poll_fn(move |cx| Poll::Ready(Pin::new(&mut moving).poll(cx))));
        assert!(once.await.expect("it was polled").is_pending());
        group.add(say("new"));
        group.clone().await;
    });
    assert_eq!(trace.take(), "old old new new");
}
