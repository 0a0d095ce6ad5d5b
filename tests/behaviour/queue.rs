//! Queues: handed over directly, in order, nothing lost, and an end that can be waited for.

mod schedule;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, budget, spawn, yield_now};
use lone_sync::{GetError, PutError, Queue, TaskDoneError, TryGetError, TryPutError};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{OnDrop, SayOnDrop, Trace, executor, poll_once, run_until_idle};
use crate::waiting::{Hooks, hooked, poll, poll_with, turn};

/// A task for each name that gets one item and says which.
fn getters<const N: usize>(
    executor: &mut Executor<BoundedPark>,
    queue: &Rc<Queue<i32>>,
    names: [&'static str; N],
    trace: &Trace,
) -> [JoinHandle<()>; N] {
    let handles = names.map(|name| {
        let (queue, trace) = (queue.clone(), trace.clone());
        executor.spawn(async move {
            match queue.get().await {
                Ok(item) => trace.say(format!("{name}{item}")),
                Err(GetError) => trace.say(format!("{name}-")),
            }
        })
    });
    turn(executor);
    handles
}

/// A queue that is full of `items`.
fn full(items: &[i32]) -> Queue<i32> {
    let queue = Queue::bounded(items.len());
    for item in items {
        queue.try_put(*item).expect("there is room");
    }
    queue
}

// SEM-269: first in, first out.
#[test]
fn items_come_out_in_the_order_in_which_they_were_put() {
    let queue = full(&[1, 2, 3]);
    let items: Vec<_> = (0..4).map(|_| queue.try_get()).collect();
    assert_eq!(items, [Ok(1), Ok(2), Ok(3), Err(TryGetError::Empty)]);
}

// SEM-270: as section 0b reads it.
#[test]
fn len_full_and_empty_are_exact_at_any_time() {
    let queue = Queue::bounded(2);
    let state = || (queue.len(), queue.is_empty(), queue.is_full());
    assert_eq!((state(), queue.capacity()), ((0, true, false), Some(2)));
    queue.try_put(1).expect("there is room");
    assert_eq!(state(), (1, false, false));
    queue.try_put(2).expect("there is room");
    assert_eq!(state(), (2, false, true));
    let mut third = queue.put(3);
    assert!(poll(&mut third).is_pending());
    assert_eq!(state(), (2, false, true), "one that waits is not in it");
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(state(), (2, false, true), "it was let in at once");

    let queue = Queue::unbounded();
    for item in 0..1000 {
        queue.try_put(item).expect("there is always room");
    }
    assert_eq!((queue.len(), queue.is_full(), queue.capacity()), (1000, false, None));
}

// SEM-270: a capacity of 0 is a mistake, and the message says what to do.
#[test]
#[should_panic(expected = "use `Queue::unbounded()`")]
fn bounded_queue_of_capacity_zero_panics() {
    let _ = Queue::<()>::bounded(0);
}

// SEM-271: the lecture's example: a producer of 0.05 s, two consumers of 0.08 s, five places.
#[test]
fn producer_and_two_consumers_process_all_items() {
    let main = async {
        let (queue, done) = (Rc::new(Queue::bounded(5)), Rc::new(RefCell::new(Vec::new())));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, done) = (queue.clone(), done.clone());
                spawn(async move {
                    while let Ok(item) = queue.get().await {
                        lone::sleep(Duration::from_millis(80)).await;
                        done.borrow_mut().push(item);
                        queue.task_done().expect("once for each item");
                    }
                })
            })
            .collect();
        for item in 0..10 {
            lone::sleep(Duration::from_millis(50)).await;
            queue.put(item).await.expect("it is open");
        }
        queue.join().await;
        queue.shutdown();
        for worker in workers {
            worker.await.expect("it ends well");
        }
        Rc::into_inner(done).expect("all others have gone").into_inner()
    };
    let done = lone::Builder::new().start_paused(true).run(main);
    assert_eq!(done, (0..10).collect::<Vec<_>>());
}

// SEM-272, C-39
#[test]
fn put_with_a_waiting_getter_hands_over_and_nobody_else_can_take_it() {
    let queue = Queue::bounded(1);
    let (mut first, mut second) = (queue.get(), queue.get());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    queue.try_put(1).expect("there is room");
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    assert_eq!((queue.len(), queue.waiting_getters()), (0, 1));
    let mut newcomer = queue.get();
    assert!(poll(&mut newcomer).is_pending());
    assert!(poll(&mut second).is_pending());
    assert_eq!(poll(&mut first), Poll::Ready(Ok(1)));
}

// SEM-272: the n-th getter has the n-th item, whoever comes first for it.
#[test]
fn items_handed_to_two_getters_stay_with_them_if_the_second_is_polled_first() {
    let queue = Queue::unbounded();
    let (mut first, mut second) = (queue.get(), queue.get());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    for item in [1, 2, 3] {
        queue.try_put(item).expect("it is open");
    }
    assert_eq!(queue.try_get(), Ok(3), "the others are taken");
    assert_eq!(poll(&mut second), Poll::Ready(Ok(2)));
    assert_eq!(poll(&mut first), Poll::Ready(Ok(1)));
}

// SEM-273, C-43
#[test]
fn get_from_a_full_queue_lets_the_first_putter_in_and_nobody_else() {
    let queue = full(&[1]);
    let mut putter = queue.put(2);
    assert!(poll(&mut putter).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
    assert!(matches!(queue.try_put(3), Err(TryPutError::Full(3))));
    assert_eq!((queue.waiting_putters(), queue.len()), (0, 1));
    assert!(poll(&mut putter).is_ready());
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-274, C-40
#[test]
fn getter_dropped_after_the_hand_over_passes_its_item_to_the_next() {
    let queue = Queue::unbounded();
    let (mut first, mut second) = (queue.get(), queue.get());
    assert!(poll(&mut first).is_pending());
    let (_, wakes) = poll_once(&mut second);
    queue.try_put(1).expect("it is open");
    assert_eq!(wakes.wakes(), 0);
    drop(first);
    assert_eq!(wakes.wakes(), 1);
    queue.try_put(2).expect("it is open");
    assert_eq!(poll(&mut second), Poll::Ready(Ok(1)));
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-274, C-41
#[test]
fn item_of_a_dropped_getter_goes_back_to_the_head() {
    let queue = Queue::bounded(1);
    let mut getter = queue.get();
    assert!(poll(&mut getter).is_pending());
    queue.try_put(1).expect("there is room");
    queue.try_put(2).expect("there is room: 1 was handed over");
    drop(getter);
    assert_eq!((queue.len(), queue.is_full()), (2, true));
    let mut putter = queue.put(3);
    assert!(poll(&mut putter).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
    assert!(poll(&mut putter).is_pending(), "there is one too many still");
    assert_eq!(queue.try_get(), Ok(2));
    assert!(poll(&mut putter).is_ready());
    assert_eq!(queue.try_get(), Ok(3));
}

// SEM-274: both, in either order.
#[test]
fn items_of_two_dropped_getters_are_not_reordered() {
    for first_first in [true, false] {
        let queue = Queue::unbounded();
        let (mut first, mut second) = (queue.get(), queue.get());
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        for item in [1, 2, 3] {
            queue.try_put(item).expect("it is open");
        }
        if first_first {
            drop(first);
            drop(second);
        } else {
            drop(second);
            drop(first);
        }
        let items: Vec<_> = std::iter::from_fn(|| queue.try_get().ok()).collect();
        assert_eq!(items, [1, 2, 3]);
    }
}

// SEM-275, C-42
#[test]
fn first_of_three_getters_cancelled_in_the_turn_of_two_puts_leaves_both_to_the_others() {
    let (mut executor, trace, queue) = (executor(), Trace::default(), Rc::new(Queue::unbounded()));
    let [first, ..] = getters(&mut executor, &queue, ["a", "b", "c"], &trace);
    queue.try_put(1).expect("it is open");
    queue.try_put(2).expect("it is open");
    first.cancel("test");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "b1 c2");
}

// SEM-276, C-44
#[test]
fn putter_let_in_and_then_dropped_leaves_its_item_in() {
    let queue = full(&[0]);
    let (mut first, mut second) = (queue.put(1), queue.put(2));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(queue.try_get(), Ok(0));
    drop(first);
    assert!(poll(&mut second).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
    assert!(poll(&mut second).is_ready());
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-276: its item goes with it.
#[test]
fn putter_dropped_before_it_was_let_in_takes_its_item_with_it() {
    let trace = Trace::default();
    let queue = Queue::bounded(1);
    assert!(queue.try_put(SayOnDrop(trace.clone(), "first")).is_ok());
    let mut waiting = queue.put(SayOnDrop(trace.clone(), "waiting"));
    assert!(poll(&mut waiting).is_pending());
    drop(waiting);
    assert_eq!((trace.take().as_str(), queue.waiting_putters()), ("waiting", 0));
    drop(queue.put(SayOnDrop(trace.clone(), "never polled")));
    assert_eq!(trace.take(), "never polled");
    drop(queue.try_get());
    assert_eq!((trace.take().as_str(), queue.len()), ("first", 0));
}

// SEM-277: nobody is left in the lines.
#[test]
fn cancelled_gets_and_puts_leave_no_waiters() {
    let queue = full(&[1]);
    let mut puts: Vec<_> = (0..10).map(|item| queue.put(item)).collect();
    puts.iter_mut().for_each(|put| assert!(poll(put).is_pending()));
    assert_eq!(queue.waiting_putters(), 10);
    drop(puts);
    assert_eq!(queue.try_get(), Ok(1));
    let mut gets: Vec<_> = (0..10).map(|_| queue.get()).collect();
    gets.iter_mut().for_each(|get| assert!(poll(get).is_pending()));
    assert_eq!(queue.waiting_getters(), 10);
    drop(gets);
    assert_eq!((queue.waiting_putters(), queue.waiting_getters()), (0, 0));
    queue.try_put(2).expect("there is room");
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-278: the item comes back in the error, and no error shows it.
#[test]
fn try_get_and_try_put_say_why_not_and_give_the_item_back() {
    /// Neither `Debug` nor `Clone`.
    struct Secret(i32);
    let queue = Queue::bounded(1);
    assert!(matches!(queue.try_get(), Err(TryGetError::Empty)));
    assert!(queue.try_put(Secret(1)).is_ok());
    let error = queue.try_put(Secret(2)).expect_err("it is full");
    assert!(error.is_full());
    assert_eq!(
        (format!("{error:?}"), error.to_string()),
        ("Full(..)".into(), "the queue is full".into())
    );
    assert_eq!(error.into_item().0, 2);
    queue.shutdown();
    let error = queue.try_put(Secret(3)).expect_err("it is shut down");
    assert!(matches!(error, TryPutError::Closed(Secret(3))));
    assert!(queue.try_get().is_ok_and(|item| item.0 == 1));
    assert!(matches!(queue.try_get(), Err(TryGetError::Closed)));
    let errors: [Box<dyn std::error::Error>; 3] =
        [Box::new(PutError(1)), Box::new(GetError), Box::new(TaskDoneError)];
    assert!(errors.iter().all(|error| !error.to_string().is_empty()));
    assert_eq!(format!("{:?}", PutError("secret")), "PutError(..)");
}

// SEM-279, C-56: a consumer of a queue that is never empty.
#[test]
fn consumer_of_a_queue_that_is_never_empty_lets_timers_fire() {
    let main = async {
        let queue = Queue::unbounded();
        queue.try_put(()).expect("it is open");
        let fired = Rc::new(Cell::new(false));
        let theirs = fired.clone();
        drop(spawn(async move {
            lone::sleep(Duration::from_millis(10)).await;
            theirs.set(true);
        }));
        let mut rounds = 0_u64;
        while !fired.get() {
            queue.get().await.expect("it is open");
            queue.put(()).await.expect("it is open");
            rounds += 1;
        }
        rounds
    };
    assert!(lone::Builder::new().run(main) > 0);
}

// SEM-280, C-50
#[test]
fn task_done_more_often_than_puts_is_an_error_and_changes_nothing() {
    let queue = Queue::unbounded();
    assert_eq!(queue.task_done(), Err(TaskDoneError));
    queue.try_put(1).expect("it is open");
    let mut join = queue.join();
    assert!(poll(&mut join).is_pending());
    assert_eq!(queue.task_done(), Ok(()));
    assert!(poll(&mut join).is_ready());
    assert_eq!(queue.task_done(), Err(TaskDoneError));
    queue.try_put(2).expect("it is open");
    let mut join = queue.join();
    assert!(poll(&mut join).is_pending(), "the next round is right as well");
    assert_eq!(queue.task_done(), Ok(()));
    assert!(poll(&mut join).is_ready());
}

// SEM-281: at once, or when the count reaches 0.
#[test]
fn join_returns_at_once_on_a_new_queue_and_otherwise_when_all_is_done() {
    let queue = Queue::unbounded();
    assert!(poll(&mut queue.join()).is_ready());
    for item in [1, 2] {
        queue.try_put(item).expect("it is open");
    }
    let (mut first, mut second) = (queue.join(), queue.join());
    let ((_, wakes), (_, others)) = (poll_once(&mut first), poll_once(&mut second));
    assert!(queue.try_get().is_ok() && queue.try_get().is_ok());
    queue.task_done().expect("two were put");
    assert_eq!((wakes.wakes(), others.wakes()), (0, 0));
    queue.task_done().expect("two were put");
    assert_eq!((wakes.wakes(), others.wakes()), (1, 1));
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
}

// SEM-282, C-49
#[test]
fn join_returns_though_an_item_is_put_in_the_turn_of_the_last_task_done() {
    let queue = Queue::unbounded();
    queue.try_put(1).expect("it is open");
    let mut join = queue.join();
    assert!(poll(&mut join).is_pending());
    queue.task_done().expect("one was put");
    queue.try_put(2).expect("it is open");
    assert!(poll(&mut queue.join()).is_pending(), "a new one waits");
    assert!(poll(&mut join).is_ready());
}

// SEM-283, C-51
#[test]
fn shutdown_refuses_putters_delivers_what_is_left_and_lets_join_wait_for_it() {
    let queue = full(&[1]);
    let (mut putter, mut join) = (queue.put(2), queue.join());
    assert!(poll(&mut putter).is_pending() && poll(&mut join).is_pending());
    queue.shutdown();
    assert!(queue.is_shutdown());
    assert!(matches!(poll(&mut putter), Poll::Ready(Err(PutError(2)))));
    assert!(matches!(poll(&mut queue.put(3)), Poll::Ready(Err(PutError(3)))));
    assert_eq!(poll(&mut queue.get()), Poll::Ready(Ok(1)));
    assert_eq!(poll(&mut queue.get()), Poll::Ready(Err(GetError)));
    assert!(poll(&mut join).is_pending());
    queue.task_done().expect("one was put");
    assert!(poll(&mut join).is_ready());
}

// SEM-283: those who wait for an item fail.
#[test]
fn shutdown_of_an_empty_queue_lets_all_waiting_getters_fail_in_order() {
    let (mut executor, trace, queue) = (executor(), Trace::default(), Rc::new(Queue::unbounded()));
    drop(getters(&mut executor, &queue, ["a", "b"], &trace));
    queue.shutdown();
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a- b-");
}

// SEM-284: the items come back, and count as done.
#[test]
fn shutdown_now_returns_the_items_and_lets_join_return() {
    let queue = full(&[1, 2]);
    let (mut putter, mut join) = (queue.put(3), queue.join());
    assert!(poll(&mut putter).is_pending() && poll(&mut join).is_pending());
    assert_eq!(queue.shutdown_now(), [1, 2]);
    assert!(poll(&mut join).is_ready());
    assert!(matches!(poll(&mut putter), Poll::Ready(Err(PutError(3)))));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
    assert_eq!(queue.task_done(), Err(TaskDoneError));
}

// SEM-285, C-52
#[test]
fn shutdown_now_with_an_item_in_work_lets_join_wait_for_that_one() {
    let queue = full(&[1, 2]);
    assert_eq!(queue.try_get(), Ok(1));
    let mut join = queue.join();
    assert!(poll(&mut join).is_pending());
    assert_eq!(queue.shutdown_now(), [2]);
    assert!(poll(&mut join).is_pending());
    queue.task_done().expect("it is in work");
    assert!(poll(&mut join).is_ready());
}

// SEM-286: again, and harder.
#[test]
fn shutdown_again_changes_nothing_and_may_be_made_immediate() {
    let queue = full(&[1, 2]);
    queue.shutdown();
    queue.shutdown();
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.shutdown_now(), [1, 2]);
    assert_eq!(queue.shutdown_now(), []);
}

// SEM-287, C-53: and the putter's side.
#[test]
fn item_handed_over_or_let_in_before_a_shutdown_stays_where_it_is() {
    let queue = Queue::bounded(1);
    let mut getter = queue.get();
    assert!(poll(&mut getter).is_pending());
    queue.try_put(1).expect("there is room");
    assert_eq!(queue.shutdown_now(), []);
    assert_eq!(poll(&mut getter), Poll::Ready(Ok(1)));

    let queue = full(&[1]);
    let mut putter = queue.put(2);
    assert!(poll(&mut putter).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
    queue.shutdown();
    assert!(matches!(poll(&mut putter), Poll::Ready(Ok(()))));
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-274, SEM-287: nothing is lost, not even then.
#[test]
fn item_that_a_dropped_getter_gives_back_after_a_shutdown_can_still_be_taken() {
    let queue = Queue::unbounded();
    let (mut first, mut second) = (queue.get(), queue.get());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    queue.try_put(1).expect("it is open");
    assert_eq!(queue.shutdown_now(), []);
    drop(first);
    assert_eq!(queue.len(), 1);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(1)), "refused, but not for nothing");
    assert_eq!(queue.shutdown_now(), []);
}

// SEM-288: the loop of a consumer.
#[test]
fn loop_over_get_ends_after_shutdown_and_drain() {
    let (mut executor, queue) = (executor(), full(&[1, 2, 3]));
    queue.shutdown();
    let got = executor.block_on(async {
        let mut got = Vec::new();
        while let Ok(item) = queue.get().await {
            got.push(item);
        }
        got
    });
    assert_eq!(got, [1, 2, 3]);
}

/// Three workers, one producer, the end told by sentinels.
fn sentinels(each_its_own: bool) -> (Vec<u32>, usize) {
    let mut executor = executor();
    executor.block_on(async {
        let queue = Rc::new(Queue::<Option<u32>>::bounded(1));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (queue, seen) = (queue.clone(), seen.clone());
                spawn(async move {
                    while let Some(item) = queue.get().await.expect("it is open") {
                        seen.borrow_mut().push(item);
                        yield_now().await;
                    }
                    if !each_its_own {
                        queue.put(None).await.expect("it is open");
                    }
                })
            })
            .collect();
        for item in 0..20 {
            queue.put(Some(item)).await.expect("it is open");
        }
        for _ in 0..if each_its_own { 3 } else { 1 } {
            queue.put(None).await.expect("it is open");
        }
        for worker in workers {
            worker.await.expect("it ends well");
        }
        let mut seen = seen.take();
        seen.sort_unstable();
        (seen, queue.len())
    })
}

// SEM-290, C-54
#[test]
fn sentinel_for_each_worker_or_put_back_by_each_ends_all_workers() {
    let all: Vec<u32> = (0..20).collect();
    assert_eq!(sentinels(true), (all.clone(), 0));
    assert_eq!(sentinels(false), (all, 1), "one sentinel is left, as in asyncio");
}

// SEM-293: in order.
#[test]
fn queue_dropped_with_items_drops_them_in_order() {
    let (trace, queue) = (Trace::default(), Queue::unbounded());
    for name in ["a", "b", "c"] {
        assert!(queue.try_put(SayOnDrop(trace.clone(), name)).is_ok());
    }
    drop(queue);
    assert_eq!(trace.take(), "a b c");
}

// SEM-274, SEM-416, C-45: gets given up in the very turn of the puts, a thousand times.
#[test]
fn gets_given_up_as_items_arrive_lose_none_and_reorder_none() {
    let (mut executor, queue) = (executor(), Rc::new(Queue::bounded(2)));
    let theirs = queue.clone();
    drop(executor.spawn(async move {
        for item in 0..1000 {
            theirs.put(item).await.expect("it is open");
            yield_now().await;
        }
        theirs.shutdown();
    }));
    let got = executor.block_on(async {
        let mut got = Vec::new();
        for round in 0_u32.. {
            let mut get = queue.get();
            // Now given up after one poll, now after two, as a deadline would.
            for _ in 0..=round % 2 {
                let polled = poll_fn(|cx| Poll::Ready(poll_with(&mut get, cx.waker()))).await;
                match polled {
                    Poll::Ready(Ok(item)) => got.push(item),
                    Poll::Ready(Err(GetError)) => return got,
                    Poll::Pending => {
                        yield_now().await;
                        continue;
                    }
                }
                break;
            }
        }
        got
    });
    assert_eq!(got, (0..1000).collect::<Vec<_>>());
}

// SEM-48, SEM-50: of a get and of a put.
#[test]
fn waiters_polled_again_keep_their_place_and_have_only_the_newest_waker_woken() {
    let queue = Queue::bounded(1);
    let (mut get, mut behind) = (queue.get(), queue.get());
    let (_, old) = poll_once(&mut get);
    assert!(poll(&mut behind).is_pending());
    let (_, new) = poll_once(&mut get);
    assert_eq!(queue.waiting_getters(), 2);
    queue.try_put(1).expect("there is room");
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    drop((get, behind));

    let (mut put, mut behind) = (queue.put(2), queue.put(3));
    let (_, old) = poll_once(&mut put);
    assert!(poll(&mut behind).is_pending());
    let (_, new) = poll_once(&mut put);
    assert_eq!(queue.waiting_putters(), 2);
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert_eq!(queue.try_get(), Ok(2));
}

// SEM-49: destructors of items that use the queue.
#[test]
fn item_whose_destructor_uses_the_queue_finds_it_whole() {
    struct Item(Rc<dyn Fn()>);
    impl Drop for Item {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let queue = Rc::new(Queue::bounded(1));
    let (theirs, used) = (Rc::downgrade(&queue), Rc::new(Cell::new(0)));
    let count = used.clone();
    let nothing = || Item(Rc::new(|| ()));
    let use_it: Rc<dyn Fn()> = Rc::new(move || {
        count.set(count.get() + 1);
        let queue = theirs.upgrade().expect("it lives as long as the test");
        let refused = queue.try_put(nothing());
        drop(refused);
        drop(queue.try_get());
        let _ = queue.task_done();
        drop(queue.shutdown_now());
        assert!(queue.is_shutdown());
    });
    let item = || Item(use_it.clone());

    // Given up while it waits for room; refused; left in a future that was never polled.
    assert!(queue.try_put(nothing()).is_ok());
    let mut waiting = queue.put(item());
    assert!(poll(&mut waiting).is_pending());
    drop(waiting);
    assert_eq!(used.get(), 1);
    drop(queue.try_put(item()));
    drop(queue.put(item()));
    assert_eq!(used.get(), 3);
}

// SEM-49: clone, wake and drop of a foreign waker.
#[test]
fn foreign_waker_that_calls_back_finds_a_whole_queue() {
    let queue = Rc::new(Queue::bounded(1));
    let called = Rc::new(Cell::new(0));
    let hook = || -> Option<Rc<dyn Fn()>> {
        let (queue, called) = (queue.clone(), called.clone());
        Some(Rc::new(move || {
            called.set(called.get() + 1);
            let mut get = queue.get();
            let _ = poll(&mut get);
            let mut put = queue.put(called.get());
            let _ = poll(&mut put);
            let _ = queue.task_done();
        }))
    };
    let hooks = Hooks::default;

    // Cloned in the poll of a get: what the hook puts in is there for it.
    let waker = hooked(Hooks { clone: hook(), ..hooks() });
    assert_eq!(poll_with(&mut queue.get(), &waker), Poll::Ready(Ok(1)));

    // Woken by a put, and by a get.
    let waker = hooked(Hooks { wake: hook(), ..hooks() });
    let mut get = queue.get();
    assert!(poll_with(&mut get, &waker).is_pending());
    queue.try_put(10).expect("there is room");
    assert_eq!(poll(&mut get), Poll::Ready(Ok(10)));
    assert_eq!((called.get(), queue.try_get()), (2, Ok(2)));
    queue.try_put(20).expect("there is room");
    let waker = hooked(Hooks { wake: hook(), ..hooks() });
    let mut put = queue.put(30);
    assert!(poll_with(&mut put, &waker).is_pending());
    assert_eq!(queue.try_get(), Ok(20));
    assert!(poll(&mut put).is_ready());
    assert_eq!((called.get(), queue.try_get()), (3, Ok(3)), "the hook has taken 30 out");

    // Dropped with its waiter, and refused at a shutdown.
    let waker = hooked(hooks());
    let mut get = queue.get();
    assert!(poll_with(&mut get, &waker).is_pending());
    let _other = hooked(Hooks { drop: hook(), wake: hook(), ..hooks() });
    drop(get);
    assert_eq!((called.get(), queue.try_get()), (4, Ok(4)));
    let mut get = queue.get();
    assert!(poll_with(&mut get, &waker).is_pending());
    queue.shutdown();
    assert_eq!((called.get(), poll(&mut get)), (5, Poll::Ready(Err(GetError))));
    assert_eq!((queue.waiting_getters(), queue.waiting_putters()), (0, 0));
}

// SEM-49, SEM-283: a shutdown that has begun lets no putter in any more.
#[test]
fn get_by_a_waker_that_a_shutdown_wakes_lets_no_putter_in() {
    let queue = Rc::new(full(&[1]));
    let theirs = queue.clone();
    let waker = hooked(Hooks {
        wake: Some(Rc::new(move || assert_eq!(theirs.try_get(), Ok(1)))),
        ..Hooks::default()
    });
    let (mut first, mut second) = (queue.put(2), queue.put(3));
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll(&mut second).is_pending());
    queue.shutdown();
    assert!(matches!(poll(&mut first), Poll::Ready(Err(PutError(2)))));
    assert!(matches!(poll(&mut second), Poll::Ready(Err(PutError(3)))));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
}

// SEM-49, SEM-274: an item that comes back in the middle of a shutdown is not lost.
#[test]
fn getter_dropped_by_a_waker_that_a_shutdown_wakes_gives_its_item_back() {
    // For ever, so that the hook may hold a get.
    let queue: &'static Queue<i32> = Box::leak(Box::new(Queue::unbounded()));
    let granted = Rc::new(RefCell::new(Some(queue.get())));
    assert!(poll(granted.borrow_mut().as_mut().expect("it is there")).is_pending());
    let theirs = granted.clone();
    let waker =
        hooked(Hooks { wake: Some(Rc::new(move || drop(theirs.take()))), ..Hooks::default() });
    let (mut second, mut third) = (queue.get(), queue.get());
    assert!(poll_with(&mut second, &waker).is_pending());
    assert!(poll(&mut third).is_pending());
    queue.try_put(1).expect("it is open");
    queue.shutdown();
    assert_eq!(queue.len(), 1);
    assert_eq!(poll(&mut third), Poll::Ready(Ok(1)));
    assert_eq!(poll(&mut second), Poll::Ready(Err(GetError)));
}

// SEM-49, C-97: puts and shutdown from destructors, at completion, cancel and shutdown.
#[test]
fn put_from_a_destructor_of_a_task_works_whenever_that_ends() {
    let (mut executor, trace, queue) = (executor(), Trace::default(), Rc::new(Queue::unbounded()));
    let put_on_drop = |item| {
        let queue = queue.clone();
        OnDrop::new(move || queue.try_put(item).expect("it is open"))
    };
    drop(getters(&mut executor, &queue, ["a", "b"], &trace));
    let completes = put_on_drop(1);
    drop(executor.spawn(async move { drop(completes) }));
    let cancelled = executor.spawn(crate::help::hold_for_ever(put_on_drop(2)));
    cancelled.cancel("test");
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(trace.take(), "a1 b2");
    drop(getters(&mut executor, &queue, ["never"], &trace));
    drop(executor.spawn(crate::help::hold_for_ever(put_on_drop(3))));
    drop(executor);
    assert_eq!((trace.take().as_str(), queue.waiting_getters()), ("", 0));
    assert_eq!(queue.try_get(), Ok(3));
}

// SEM-408: refused before any effect.
#[test]
fn get_and_put_beyond_the_budget_take_and_put_nothing() {
    let (mut executor, queue) = (executor(), full(&[1]));
    executor.block_on(poll_fn(|cx| {
        while budget::remaining() != Some(0) {
            assert!(poll_with(&mut queue.join(), cx.waker()).is_pending());
            if poll_with(&mut queue.put(0), cx.waker()).is_pending() {
                // Waiting is free: spend it with what does not wait.
                assert!(budget::take(cx).is_ready());
            }
        }
        let (mut get, mut put) = (queue.get(), queue.put(2));
        assert!(poll_with(&mut get, cx.waker()).is_pending());
        assert!(poll_with(&mut put, cx.waker()).is_pending());
        assert_eq!((queue.waiting_getters(), queue.waiting_putters()), (0, 0));
        assert_eq!(queue.len(), 1);
        Poll::Ready(())
    }));
}
