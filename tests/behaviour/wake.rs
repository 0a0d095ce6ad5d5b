//! Wakes: one is enough, many are one, late ones are none.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lone_executor::{Executor, ThreadPark, number, spawn, yield_now};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    Flag, Group, OnDrop, PATIENCE, SharedFlag, Trace, WakerPlace, assert_one_report, executor,
    leave_waker, poll_once, record_reports, run_until_idle, waker_in, yield_waking,
};

/// A loop with a task for each name, each of which has left its waker and waits.
fn waiting<const N: usize>(
    names: [&'static str; N],
    trace: &Trace,
) -> (Executor<BoundedPark>, [Waker; N]) {
    let mut executor = executor();
    let wakers = names.map(|name| {
        let place = WakerPlace::default();
        drop(executor.spawn(leave_waker(place.clone(), trace.clone(), name)));
        run_until_idle(&mut executor);
        waker_in(&place)
    });
    trace.take();
    (executor, wakers)
}

// SEM-45: once, at the back, and it is not forgotten.
#[test]
fn wake_while_running_polls_exactly_once_more_behind_the_others() {
    let (mut executor, trace) = (executor(), Trace::default());
    for (name, wakes) in [("a", 1), ("b", 5), ("c", 0)] {
        let inner = trace.clone();
        drop(executor.spawn(async move {
            inner.say(format!("{name}1"));
            yield_waking(wakes).await;
            inner.say(format!("{name}2"));
        }));
    }
    assert_eq!(run_until_idle(&mut executor), 1, "c was never woken");
    assert_eq!(trace.take(), "a1 b1 c1 a2 b2");
}

// SEM-46: N wakes, one poll.
#[test]
fn wakes_before_the_next_poll_are_one_poll() {
    let trace = Trace::default();
    let (mut executor, [waker]) = waiting(["polled"], &trace);
    for _ in 0..5 {
        let clone = waker.clone();
        waker.wake_by_ref();
        clone.wake();
    }
    assert_eq!(trace.take(), "", "nobody is polled inside a wake");
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "polled");
}

// SEM-46: the order of the first wakes is the order of the polls.
#[test]
fn tasks_woken_are_polled_in_the_order_of_their_first_wakes() {
    let trace = Trace::default();
    let (mut executor, [a, b, c]) = waiting(["a", "b", "c"], &trace);
    let inner = [c.clone(), a.clone(), b.clone(), c.clone()];
    executor.block_on(async {
        inner.iter().for_each(Waker::wake_by_ref);
        yield_now().await;
    });
    assert_eq!(trace.take(), "c a b");
    let thread = std::thread::spawn(move || [b, c, a.clone(), a].map(Waker::wake));
    thread.join().expect("wakes do not panic");
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "b c a", "the inbox keeps the order of the pushes");
}

// SEM-46: after the end there is nobody to wake, and nobody else is hit.
#[test]
fn wake_after_completion_polls_nobody() {
    let (mut executor, trace) = (executor(), Trace::default());
    let place = WakerPlace::default();
    let left = place.clone();
    drop(executor.spawn(poll_fn(move |cx| {
        left.replace(Some(cx.waker().clone()));
        Poll::Ready(())
    })));
    run_until_idle(&mut executor);
    // The successor lives in the slot of the task that has ended.
    let successor = WakerPlace::default();
    drop(executor.spawn(leave_waker(successor.clone(), trace.clone(), "successor")));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "successor");
    let stale = waker_in(&place);
    assert!(!stale.will_wake(&waker_in(&successor)));
    executor.block_on(async {
        stale.wake_by_ref();
        yield_now().await;
    });
    stale.wake();
    assert_eq!(run_until_idle(&mut executor), 1);
    assert_eq!(trace.take(), "");
    waker_in(&successor).wake();
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "successor");
}

// SEM-46, F8: an entry that a task left in the queue at its end stands for nobody.
#[test]
fn wake_while_running_and_then_ending_leaves_no_poll_for_the_successor() {
    let (mut executor, trace) = (executor(), Trace::default());
    let inner = trace.clone();
    drop(executor.spawn(poll_fn(move |cx| {
        cx.waker().wake_by_ref();
        let trace = inner.clone();
        // It takes the slot only after this task has ended, for the slot is still taken.
        let _guard = OnDrop::new(move || trace.say("ended"));
        Poll::Ready(())
    })));
    executor.turn(Some(Duration::ZERO)).expect("the park works");
    let place = WakerPlace::default();
    drop(executor.spawn(leave_waker(place, trace.clone(), "successor")));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "ended successor");
}

// SEM-47: the loop sleeps, without a limit, and is woken.
#[test]
fn wake_from_another_thread_ends_the_park() {
    let (announce, parked) = mpsc::channel();
    let park = BoundedPark::announcing(announce);
    let mut executor = Executor::new(park).expect("a loop index is free");
    let flag = SharedFlag::default();
    let set = flag.clone();
    let thread = std::thread::spawn(move || {
        parked.recv_timeout(PATIENCE).expect("the loop parks");
        set.set();
    });
    executor.block_on(flag.wait());
    thread.join().expect("it ends well");
    assert!(executor.park().waits() >= 1);
}

// SEM-46, SEM-47: a thousand wakes of a loop that is parked cost one unpark.
#[test]
fn wakes_of_a_parked_loop_unpark_it_once() {
    let trace = Trace::default();
    let (mut executor, wakers) = waiting(["a", "b"], &trace);
    let before = executor.park().unparks();
    let thread = std::thread::spawn(move || {
        for _ in 0..500 {
            wakers.iter().for_each(Waker::wake_by_ref);
        }
    });
    thread.join().expect("wakes do not panic");
    assert_eq!(executor.park().unparks(), before + 1);
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "a b");
}

// SEM-48: the newest waker, and only that one.
#[test]
fn handle_polled_with_a_second_waker_wakes_only_that_one() {
    executor().block_on(async {
        let mut task = spawn(yield_now());
        let (first, second) = (poll_once(&mut task).1, poll_once(&mut task).1);
        let (polled, third) = poll_once(&mut task);
        assert!(polled.is_pending());
        yield_now().await;
        yield_now().await;
        assert!(task.is_finished());
        assert_eq!([first, second, third].map(|waker| waker.wakes()), [0, 0, 1]);
    });
}

// SEM-48: between two tasks of one loop, too.
#[test]
fn handle_moved_to_another_task_wakes_the_new_one() {
    let (mut executor, trace) = (executor(), Trace::default());
    executor.block_on(async {
        let flag = Flag::default();
        let waits = flag.clone();
        let joined = Rc::new(RefCell::new(spawn(async move { waits.wait().await })));
        let poll = |name: &'static str| {
            let (joined, trace) = (joined.clone(), trace.clone());
            poll_fn(move |cx| {
                trace.say(name);
                let polled = Pin::new(&mut *joined.borrow_mut()).poll(cx);
                polled.map(|outcome| outcome.expect("it ends well"))
            })
        };
        drop(spawn(poll("first")));
        yield_now().await;
        drop(spawn(poll("second")));
        yield_now().await;
        assert_eq!(trace.take(), "first second");
        flag.set();
        yield_now().await;
        yield_now().await;
        assert_eq!(trace.take(), "second");
    });
}

// SEM-50: extra polls change nothing: one place in the queue, one wake.
#[test]
fn leaves_polled_more_often_than_woken_behave_as_if_polled_once() {
    executor().block_on(async {
        let mut task = spawn(yield_now());
        poll_fn(|cx| {
            for _ in 0..5 {
                assert!(Pin::new(&mut task).poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        task.await.expect("it ends well");
        // A yield that is polled early has had its turn: it never hangs and never wakes twice.
        let mut early = pin!(yield_now());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        assert!(early.as_mut().poll(&mut cx).is_ready());
    });
}

// SEM-49, F8: its own number is stale by then, so nobody is polled for it.
#[test]
fn wake_of_itself_from_a_destructor_at_the_end_is_stale() {
    let (mut executor, polls) = (executor(), Rc::new(Cell::new(0)));
    let (place, counted) = (WakerPlace::default(), polls.clone());
    let inner = place.clone();
    let guard = OnDrop::new(move || waker_in(&inner).wake());
    drop(executor.spawn(poll_fn(move |cx| {
        let _held_until_the_future_goes = &guard;
        counted.set(counted.get() + 1);
        place.replace(Some(cx.waker().clone()));
        Poll::Ready(())
    })));
    let turn = executor.turn(Some(Duration::ZERO)).expect("the park works");
    assert_eq!((turn.ready, turn.tasks), (0, 0));
    assert_eq!(polls.get(), 1);
}

// SEM-49: others are woken by it as by anybody.
#[test]
fn wake_of_another_from_a_destructor_polls_the_other_once() {
    let trace = Trace::default();
    let (mut executor, [waker]) = waiting(["other"], &trace);
    let inner = trace.clone();
    drop(executor.spawn(async move {
        let _guard = OnDrop::new(move || {
            inner.say("destructor");
            waker.wake();
        });
    }));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "destructor other");
}

// SEM-23, C-98: the last waker goes on another thread, and wakes there before it goes.
#[test]
fn waker_dropped_last_on_another_thread_after_its_loop_does_nothing() {
    let (executor, [waker]) = waiting(["polled"], &Trace::default());
    let (to_thread, from_here) = mpsc::channel::<Waker>();
    let thread = std::thread::spawn(move || {
        let waker = from_here.recv_timeout(PATIENCE).expect("it is sent");
        waker.wake_by_ref();
        let clone = waker.clone();
        drop(waker);
        clone.wake();
    });
    drop(executor);
    to_thread.send(waker).expect("the thread waits for it");
    thread.join().expect("nothing panics");
}

// F3: an index that is used again goes on with its generations, so what is stale stays stale.
#[test]
fn wakers_of_an_ended_loop_whose_index_is_used_again_wake_nobody() {
    let first = Executor::new(ThreadPark::new()).expect("a loop index is free");
    let stale = {
        let mut first = first;
        let place = WakerPlace::default();
        drop(first.spawn(leave_waker(place.clone(), Trace::default(), "first")));
        first.turn(Some(Duration::ZERO)).expect("the park works");
        waker_in(&place)
    };
    let polls = Rc::new(Cell::new(0));
    // More loops than there are indices: each begins at slot 0, where the first task lived.
    for made in 1..=70_000 {
        let mut executor = Executor::new(ThreadPark::new()).expect("an index comes free again");
        let counted = polls.clone();
        drop(executor.spawn(poll_fn(move |_| {
            counted.set(counted.get() + 1);
            Poll::<()>::Pending
        })));
        executor.turn(Some(Duration::ZERO)).expect("the park works");
        stale.wake_by_ref();
        let turn = executor.turn(Some(Duration::ZERO)).expect("the park works");
        assert_eq!((turn.ready, turn.tasks, polls.get()), (0, 1, made));
    }
    assert_eq!(executor().block_on(async { spawn(async { 7 }).await.ok() }), Some(7));
}

/// Not inlined: what it calls is compiled in this crate, far from the vtable.
#[inline(never)]
fn number_seen_here(waker: &Waker) -> Option<String> {
    number(waker).map(|num| format!("{num:?}"))
}

// F15: one static vtable: ours is recognised in every crate and on every thread.
#[test]
fn waker_sent_to_another_thread_and_back_is_recognised_as_ours() {
    let (executor, [waker]) = waiting(["polled"], &Trace::default());
    let here = number_seen_here(&waker).expect("it is ours");
    let thread = std::thread::spawn(move || {
        let clone = waker.clone();
        (number_seen_here(&clone), clone)
    });
    let (there, back) = thread.join().expect("it ends well");
    assert_eq!(there.as_ref(), Some(&here));
    assert_eq!(number_seen_here(&back).as_ref(), Some(&here));
    assert_eq!(number_seen_here(Waker::noop()), None);
    drop(executor);
    assert_eq!(number_seen_here(&back), Some(here), "also when its loop is gone");
}

// F15: by our leaves and joins in other crates' combinators as well.
#[test]
fn waker_of_a_foreign_combinator_is_not_ours_and_wakes_through_it() {
    executor().block_on(async {
        let tasks: futures_util::stream::FuturesUnordered<_> =
            (0..3).map(|n| spawn(async move { n })).collect();
        let mut outcomes: Vec<i32> = futures_util::StreamExt::collect::<Vec<_>>(tasks)
            .await
            .into_iter()
            .map(|outcome| outcome.expect("it ends well"))
            .collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, [0, 1, 2]);
    });
}

/// A foreign waker that reaches for the loop whenever it is woken, and when it is dropped.
struct Reaching(&'static str);

thread_local! {
    static REACHED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Reaching {
    fn reach(&self, moment: &str) {
        // A spawn takes every borrow that the loop has.
        drop(spawn(async {}));
        REACHED.with_borrow_mut(|reached| reached.push(format!("{}-{moment}", self.0)));
    }
}

impl Wake for Reaching {
    fn wake(self: Arc<Self>) {
        self.reach("woken");
    }
}

impl Drop for Reaching {
    fn drop(&mut self) {
        self.reach("dropped");
    }
}

fn reached() -> String {
    REACHED.take().join(" ")
}

// SEM-49, F26: a joiner's waker is user code, replaced, woken and dropped outside of every borrow.
#[test]
fn foreign_wakers_of_a_joiner_may_spawn_when_woken_and_when_dropped() {
    executor().block_on(async {
        let mut task = spawn(yield_now());
        for name in ["first", "second"] {
            let waker = Waker::from(Arc::new(Reaching(name)));
            let pending = Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending();
            assert!(pending);
        }
        assert_eq!(reached(), "first-dropped", "its place was taken");
        while !task.is_finished() {
            yield_now().await;
        }
        assert_eq!(reached(), "second-woken second-dropped");
        task.await.expect("it ends well");
    });
}

// SEM-49, F2, F26: so is the waker by which a group of children is polled.
#[test]
fn foreign_wakers_of_a_group_may_spawn_when_woken_and_when_dropped() {
    executor().block_on(async {
        let flag = Flag::default();
        let mut group = Group::new([flag.clone(), flag.clone()].map(|flag| async move {
            flag.wait().await;
        }));
        for name in ["first", "second"] {
            let waker = Waker::from(Arc::new(Reaching(name)));
            let pending = Pin::new(&mut group).poll(&mut Context::from_waker(&waker)).is_pending();
            assert!(pending);
        }
        assert_eq!(reached(), "first-dropped");
        flag.set();
        assert_eq!(reached(), "second-woken second-dropped", "once, for both children");
        group.await;
    });
}

/// A foreign waker that panics when it is woken.
struct Failing;

impl Wake for Failing {
    fn wake(self: Arc<Self>) {
        panic!("the waker fails");
    }
}

// F26, SEM-40: the loop wakes a joiner by a foreign waker that panics: nobody called who could be told.
#[test]
fn foreign_waker_of_a_joiner_panicking_is_reported_and_the_loop_goes_on() {
    record_reports();
    let (mut executor, trace) = (executor(), Trace::default());
    let mut task = executor.spawn(async { 7 });
    let waker = Waker::from(Arc::new(Failing));
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    let inner = trace.clone();
    drop(executor.spawn(async move { inner.say("next") }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_one_report(&["a waker that is not ours", "the waker fails"]);
    assert_eq!(trace.take(), "next");
    assert!(matches!(task.try_join(), Some(Ok(7))), "the outcome is there all the same");
}

// F26, F2: so it is where the inbox has a wake for a child whose group hangs on such a waker.
#[test]
fn foreign_waker_of_a_group_panicking_loses_no_wake_behind_it_in_the_inbox() {
    record_reports();
    let trace = Trace::default();
    let (mut executor, [behind]) = waiting(["behind"], &trace);
    let place = WakerPlace::default();
    let mut group = Group::new([leave_waker(place.clone(), trace.clone(), "child")]);
    // The group ends with the task that has polled it, so that one has to stay.
    drop(executor.spawn(poll_fn(move |_| {
        let waker = Waker::from(Arc::new(Failing));
        assert!(Pin::new(&mut group).poll(&mut Context::from_waker(&waker)).is_pending());
        Poll::<()>::Pending
    })));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "child");
    waker_in(&place).wake();
    behind.wake();
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "behind");
    assert_one_report(&["the waker fails"]);
}
