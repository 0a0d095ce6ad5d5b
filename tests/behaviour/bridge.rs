//! Bridges: items between a loop and threads, both ways, with back pressure, and their ends.

use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lone::bridge::{GetError, PutError, TryGetError, TryPutError, from_loop, to_loop};
use lone_executor::{Executor, OnStall, RunError, Settings, spawn, yield_now};
use lone_sync::{Event, join};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{Flag, OnDrop, PATIENCE, executor, executor_with, poll_once};

const SHORT: Duration = Duration::from_millis(5);

fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread ends well")
}

/// Whether it was ready, and with what.
fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match poll_once(future).0 {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

// ----- both ways -----------------------------------------------------------------------------------

// SEM-423: items reach the loop in order, and the loop goes on beside it.
#[test]
fn items_of_a_thread_reach_the_loop_in_order() {
    let mut executor = executor();
    let (put, get) = to_loop(2);
    let thread = thread::spawn(move || (0..100).for_each(|n| put.put(n).expect("it is got")));
    let got = executor.block_on(async {
        let mut got = Vec::new();
        while let Some(item) = get.next().await {
            got.push(item);
        }
        got
    });
    assert_eq!(got, (0..100).collect::<Vec<_>>());
    joined(thread);
}

// SEM-423: the producer on the loop waits for a thread that is slower; others go on meanwhile.
#[test]
fn producer_on_the_loop_waits_for_a_slower_thread_and_other_tasks_run() {
    let mut executor = executor();
    let (put, get) = from_loop(2);
    let (let_go, is_let_go) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        is_let_go.recv_timeout(PATIENCE).expect("the loop lets it go");
        let mut got = Vec::new();
        while let Ok(item) = get.get() {
            got.push(item);
        }
        got
    });
    let put_before = executor.block_on(async {
        let counted = Rc::new(std::cell::Cell::new(0));
        let count = counted.clone();
        let producer = spawn(async move {
            for n in 0..10 {
                put.put(n).await.expect("the thread lives");
                count.set(n + 1);
            }
        });
        for _ in 0..1000 {
            yield_now().await;
        }
        let put_before = counted.get();
        let_go.send(()).expect("the thread waits for it");
        producer.await.expect("it ends well");
        put_before
    });
    assert_eq!(put_before, 2, "as many as there is room for");
    assert_eq!(joined(thread), (0..10).collect::<Vec<_>>());
}

// SEM-423: back pressure on the thread as well.
#[test]
fn thread_waits_in_put_until_the_loop_has_made_room() {
    let mut executor = executor();
    let (put, get) = to_loop(1);
    put.try_put(1).expect("there is room");
    assert_eq!(put.try_put(2), Err(TryPutError::Full(2)));
    assert_eq!((put.len(), get.len()), (1, 1));
    let thread = thread::spawn(move || put.put(2));
    let got = executor.block_on(async { [get.get().await, get.get().await, get.get().await] });
    assert_eq!(got, [Ok(1), Ok(2), Err(GetError)]);
    assert_eq!(joined(thread), Ok(()));
}

// ----- blocking ------------------------------------------------------------------------------------

// SEM-424: a limit gives the item back, or says that there was none.
#[test]
fn thread_gives_up_waiting_after_its_limit_and_has_its_item_back() {
    let (put, _get) = to_loop(1);
    put.put_timeout('a', SHORT).expect("there is room");
    assert_eq!(put.put_timeout('b', SHORT), Err(TryPutError::Full('b')));
    assert_eq!(put.len(), 1);

    let (put, get) = from_loop(1);
    assert_eq!(get.get_timeout(SHORT), Err(TryGetError::Empty));
    put.try_put('c').expect("there is room, and nobody stands in line any more");
    assert_eq!(get.get_timeout(Duration::MAX), Ok('c'));
    drop(put);
    assert_eq!(get.get_timeout(SHORT), Err(TryGetError::Closed));
}

// SEM-424: where a loop runs it is an error at once, with room and items or without.
#[test]
fn blocking_call_inside_a_running_loop_panics_with_what_to_do() {
    let (put, _get) = to_loop(1);
    let (items, get) = from_loop(1);
    items.try_put(1).expect("there is room");
    let calls: [Box<dyn FnOnce() + std::panic::UnwindSafe>; 2] = [
        Box::new(std::panic::AssertUnwindSafe(move || put.put(1).expect("refused before"))),
        Box::new(std::panic::AssertUnwindSafe(move || assert_eq!(get.get(), Ok(1)))),
    ];
    for call in calls {
        let panicked = std::panic::catch_unwind(|| executor().block_on(async { call() }));
        let payload = panicked.expect_err("it would block the loop");
        let text = payload.downcast_ref::<String>().expect("a message");
        assert!(text.contains("move the end to a thread of its own"), "{text}");
    }
}

// ----- closing -------------------------------------------------------------------------------------

// SEM-425: a thread that waits for an item hears of the loop's end, after what is left.
#[test]
fn thread_gets_what_is_left_and_then_hears_that_the_loop_has_ended() {
    let mut executor = executor();
    let (put, get) = from_loop(4);
    let (begin, begun) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut got = Vec::new();
        loop {
            match get.get() {
                Ok(item) => got.push(item),
                Err(GetError) => return got,
            }
            begin.send(()).expect("the test waits for it");
        }
    });
    executor.block_on(async {
        // Its task outlives main, and ends with the loop.
        drop(spawn(async move {
            put.put(1).await.expect("the thread lives");
            put.put(2).await.expect("the thread lives");
            crate::help::hold_for_ever(put).await;
        }));
        yield_now().await;
    });
    for _ in 0..2 {
        begun.recv_timeout(PATIENCE).expect("it gets both");
    }
    assert!(!thread.is_finished(), "it waits for a third");
    drop(executor);
    assert_eq!(joined(thread), [1, 2]);
}

// SEM-425: a thread that waits for room gets its item back, and may have the others.
#[test]
fn thread_that_waits_for_room_gets_its_item_back_when_the_loops_end_goes() {
    let (put, get) = to_loop(1);
    put.try_put(1).expect("there is room");
    assert_eq!(put.take_back(), [0; 0], "somebody may get it still");
    let (begin, begun) = mpsc::channel();
    let thread = thread::spawn(move || {
        begin.send(()).expect("the test waits for it");
        let refused = put.put(2);
        (refused, put.is_closed(), put.take_back(), put.put(3), put.try_put(4))
    });
    begun.recv_timeout(PATIENCE).expect("it begins");
    thread::sleep(SHORT); // most of the time it is in `put` by now
    drop(get);
    assert_eq!(
        joined(thread),
        (Err(PutError(2)), true, vec![1], Err(PutError(3)), Err(TryPutError::Closed(4)))
    );
}

// SEM-425: the same for those who wait on the loop.
#[test]
fn tasks_that_wait_at_a_bridge_hear_that_the_threads_have_gone() {
    let mut executor = executor();
    let (put, get) = to_loop::<u32>(1);
    let (full, stage) = from_loop(1);
    full.try_put(1).expect("there is room");
    let (announce, parked) = mpsc::channel();
    let threads = thread::spawn(move || {
        let _: () = parked.recv_timeout(PATIENCE).expect("both wait");
        drop((put, stage));
    });
    let (got, put_, back) = executor.block_on(async {
        let waiting = async {
            yield_now().await;
            announce.send(()).expect("the thread waits for it");
        };
        let (got, put, ()) = join!(get.get(), full.put(2), waiting);
        (got, put, full.take_back())
    });
    assert_eq!((got, put_, back), (Err(GetError), Err(PutError(2)), vec![1]));
    joined(threads);
}

// SEM-292, SEM-425: a side has gone when all of its ends have.
#[test]
fn bridge_closes_with_the_last_end_of_a_side() {
    let (put, get) = to_loop(2);
    let (another, also_get) = (put.clone(), get.clone());
    drop((put, get));
    another.try_put(1).expect("there is another end");
    drop(another);
    assert!(also_get.is_closed());
    assert_eq!(also_get.try_get(), Ok(1));
    assert_eq!(also_get.try_get(), Err(TryGetError::Closed));
}

// SEM-293: what nobody has taken goes with the last end, in order.
#[test]
fn items_left_are_dropped_with_the_last_end_in_order() {
    let (put, get) = to_loop(2);
    let (say, said) = mpsc::channel();
    for n in 0..2 {
        let say = say.clone();
        let item = OnDrop::new(move || say.send(n).expect("it is heard"));
        assert!(put.try_put(item).is_ok());
    }
    drop(get);
    assert!(said.try_recv().is_err(), "the putter may take them back");
    drop(put);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
#[should_panic(expected = "1 is the smallest")]
fn bridge_without_room_panics() {
    drop(to_loop::<()>(0));
}

// ----- order ---------------------------------------------------------------------------------------

// SEM-272, SEM-274: an item is the first waiter's; dropped, he leaves it to the next, and nobody
// overtakes.
#[test]
fn item_belongs_to_the_first_who_waits_and_passes_on_when_he_is_dropped() {
    let (put, get) = to_loop(3);
    let (mut first, mut second) = (get.get(), get.get());
    assert_eq!((now(&mut first), now(&mut second)), (None, None));
    put.try_put('a').expect("there is room");
    assert_eq!(get.try_get(), Err(TryGetError::Empty), "it is the first one's");
    assert_eq!(now(&mut second), None);
    drop(first);
    assert_eq!(now(&mut second), Some(Ok('a')));
    drop(second);
    put.try_put('b').expect("there is room");
    assert_eq!(get.try_get(), Ok('b'), "nobody waits any more");
}

// SEM-273, SEM-276: room is the first waiter's; dropped, he leaves it to the next with his item.
#[test]
fn room_belongs_to_the_first_who_waits_and_passes_on_when_he_is_dropped() {
    let (put, get) = from_loop(1);
    put.try_put(1).expect("there is room");
    let (mut first, mut second) = (put.put(2), put.put(3));
    assert!(now(&mut first).is_none() && now(&mut second).is_none());
    assert_eq!(get.try_get(), Ok(1));
    assert_eq!(put.try_put(4), Err(TryPutError::Full(4)), "it is the first one's");
    drop(first);
    assert_eq!(now(&mut second), Some(Ok(())));
    assert_eq!(get.try_get(), Ok(3));
    assert_eq!(get.try_get(), Err(TryGetError::Empty));
}

// SEM-48: the last waker counts.
#[test]
fn get_polled_with_two_wakers_wakes_the_second() {
    let (put, get) = to_loop(1);
    let mut waiting = get.get();
    let (_, first) = poll_once(&mut waiting);
    let (_, second) = poll_once(&mut waiting);
    put.try_put(1).expect("there is room");
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

// SEM-425: both sides tell the same of both: items, room, ends, and who waits, until they are gone.
#[test]
fn statistics_and_debug_of_every_end_tell_what_stands_on_both_sides() {
    let (put, get) = from_loop(1);
    put.try_put("one").expect("there is room");
    let (mut first, mut second) = (put.put("two"), put.put("three"));
    assert!(now(&mut first).is_none() && now(&mut second).is_none());
    let full = get.statistics();
    assert_eq!((full.len, full.capacity, full.getters, full.putters), (1, 1, 0, 2));
    assert_eq!(full, put.statistics());

    assert_eq!(get.try_get(), Ok("one"));
    let granted = get.statistics();
    assert_eq!((granted.len, granted.putters, granted.unclaimed), (0, 1, 1), "the first may put");
    drop(first);
    assert_eq!(get.statistics().unclaimed, 1, "now the second may");
    assert_eq!(now(&mut second), Some(Ok(())));
    let put_twice = put.clone();
    assert_eq!(
        format!("{put:?}"),
        "LoopPut { len: 1, capacity: 1, getters: 0, putters: 0, get_ends: 1, put_ends: 2 }"
    );
    drop(put_twice);
    drop(second);
    drop(put);
    assert_eq!(
        format!("{get:?}"),
        "ThreadGet { len: 1, capacity: 1, getters: 0, putters: 0, get_ends: 1, put_ends: 0 }"
    );

    let (put, get) = to_loop::<u8>(3);
    let mut waits = get.get();
    assert!(now(&mut waits).is_none());
    assert_eq!((put.statistics().getters, put.statistics().unclaimed), (1, 0));
    put.try_put(7).expect("there is room");
    assert_eq!((put.statistics().getters, put.statistics().unclaimed), (0, 1));
    drop(waits);
    assert_eq!((get.statistics().len, get.statistics().unclaimed), (1, 0), "it has passed on");
    assert!(format!("{put:?}").starts_with("ThreadPut { len: 1, capacity: 3,"), "{put:?}");
    assert!(format!("{get:?}").starts_with("LoopGet { len: 1, capacity: 3,"), "{get:?}");
}

// SEM-407: a task at a bridge that is never empty gives way.
#[test]
fn task_that_never_waits_at_a_bridge_gives_way() {
    let mut executor = executor();
    let (put, get) = to_loop(1000);
    (0..1000).for_each(|n| put.try_put(n).expect("there is room"));
    drop(put);
    executor.block_on(async {
        let other = Flag::default();
        let seen = other.clone();
        drop(spawn(async move { seen.set() }));
        let mut waited = pin!(other.wait());
        let mut before = 0;
        while get.next().await.is_some() {
            let mut cx = Context::from_waker(Waker::noop());
            if waited.as_mut().poll(&mut cx).is_ready() {
                break;
            }
            before += 1;
        }
        assert!(before <= 128, "{before} operations before anybody else ran");
    });
}

// ----- waking --------------------------------------------------------------------------------------

// SEM-426: while the loop is busy a thousand puts do not touch its park.
#[test]
fn puts_to_a_busy_loop_wake_its_park_not_at_all() {
    const ITEMS: u32 = 1000;
    let mut executor = executor();
    let (put, get) = to_loop(ITEMS as usize);
    let before = executor.park().unparks();
    let sum = executor.block_on(async {
        let getter = spawn(async move {
            let mut sum = 0;
            while let Some(item) = get.next().await {
                sum += item;
            }
            sum
        });
        yield_now().await; // now it waits
        let thread = thread::spawn(move || (0..ITEMS).for_each(|n| put.try_put(n).expect("room")));
        joined(thread); // the loop is in the midst of this poll
        getter.await.expect("it ends well")
    });
    assert_eq!(sum, (0..ITEMS).sum::<u32>());
    assert_eq!(executor.park().unparks() - before, 0, "it was not parked");
}

// SEM-426: put while the loop is on its way to sleep, again and again: none is slept through.
#[test]
fn puts_to_a_loop_that_goes_to_sleep_are_never_lost() {
    const ROUNDS: u32 = 2000;
    let (announce, parked) = mpsc::channel();
    let mut executor = Executor::new(BoundedPark::announcing(announce)).expect("an index is free");
    let (put, get) = to_loop(1);
    let thread = thread::spawn(move || {
        for n in 0..ROUNDS {
            // The announcement comes right before the wait.
            parked.recv_timeout(PATIENCE).expect("the loop parks");
            put.put(n).expect("it is got");
        }
        drop(parked);
    });
    executor.block_on(async {
        for n in 0..ROUNDS {
            assert_eq!(get.get().await, Ok(n));
        }
    });
    joined(thread);
}

// SEM-427: a thread's end can wake whoever waits at the bridge: no verdict, until it is dropped.
#[test]
fn live_end_of_a_thread_is_no_verdict_for_who_waits_at_the_bridge() {
    let (announce, parked) = mpsc::channel();
    let mut executor = Executor::new(BoundedPark::announcing(announce)).expect("an index is free");
    let (put, get) = to_loop::<u32>(1);
    let thread = thread::spawn(move || {
        parked.recv_timeout(PATIENCE).expect("the loop parks");
        drop(put);
    });
    let ran = executor.try_block_on(async {
        let closed = get.get().await;
        assert_eq!(closed, Err(GetError));
        Event::new().wait().await;
    });
    assert!(matches!(ran, Err(RunError::Deadlock(_))), "{ran:?}");
    joined(thread);
}

// SEM-427, SEM-22: with nobody at the bridge its ends wake nobody: the verdict comes though they live.
#[test]
fn end_of_a_bridge_at_which_nobody_waits_is_no_hope() {
    let mut executor = executor();
    let (put, get) = to_loop::<u32>(1);
    let (end, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let _ = ended.recv_timeout(PATIENCE);
        put.put(1)
    });
    let ran = executor.try_block_on(async {
        // A wait that was given up is none.
        let mut waiting = get.get();
        std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut waiting).poll(cx)))
            .await
            .is_ready();
        drop(waiting);
        Event::new().wait().await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("a deadlock, not {ran:?}") };
    assert!(report.to_string().contains("main awaits"), "{report}");
    end.send(()).expect("the thread waits for it");
    assert_eq!(joined(thread), Ok(()), "there is room");
    drop(get);
}

// SEM-427: nor is it a stall, however long the thread takes.
#[test]
fn slow_thread_at_the_other_end_is_no_stall() {
    let on_stall = OnStall::Fail { after: Duration::from_millis(1) };
    let mut executor = executor_with(Settings { on_stall, ..Settings::default() });
    let (put, get) = to_loop(1);
    let (also_put, stage) = from_loop(1);
    also_put.try_put(0).expect("there is room");
    let thread = thread::spawn(move || {
        thread::sleep(4 * SHORT);
        put.put(1).expect("main waits for it");
        thread::sleep(4 * SHORT);
        (stage.get().expect("it is there"), stage)
    });
    let got = executor.try_block_on(async { (get.get().await, also_put.put(2).await) });
    assert_eq!(got.expect("the thread has ends"), (Ok(1), Ok(())));
    assert_eq!(joined(thread).0, 0);
}

// SEM-427, F1: a task that waits by way of somebody else's waker counts as well.
#[test]
fn wait_through_a_foreign_waker_is_no_verdict_either() {
    let on_stall = OnStall::Fail { after: Duration::from_millis(1) };
    let mut executor = executor_with(Settings { on_stall, ..Settings::default() });
    let (put, get) = to_loop(1);
    let thread = thread::spawn(move || {
        thread::sleep(4 * SHORT);
        put.put(7)
    });
    let got = executor.try_block_on(async {
        use futures_util::stream::{FuturesUnordered, StreamExt as _};
        let mut all: FuturesUnordered<_> = [get.get()].into_iter().collect();
        all.next().await
    });
    assert_eq!(got.expect("the thread has an end"), Some(Ok(7)));
    assert_eq!(joined(thread), Ok(()));
}
