//! When is the time over for several together, and what is left then?

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FusedStream, Stream, StreamExt};
use lone::time::Instant;
use lone::{Elapsed, as_completed, as_completed_bounded, sleep, spawn, yield_now};

use crate::help::{ms, paused, run_paused};

/// Sleeps so many milliseconds, and returns them.
async fn after(milliseconds: u64) -> u64 {
    sleep(ms(milliseconds)).await;
    milliseconds
}

// SEM-119, C-82: the limit passes after one of two; the other task goes on and ends later.
#[test]
fn outputs_given_up_at_their_limit_leave_the_second_task_to_end_later() {
    run_paused(async {
        let begin = Instant::now();
        let mut tasks = [spawn(after(30)), spawn(after(10))];
        let mut ends = as_completed(tasks.iter_mut()).within(ms(20));
        assert!(matches!(ends.next().await, Some(Ok((1, Ok(10))))));
        assert_eq!(begin.elapsed(), ms(10));
        assert!(
            matches!(ends.next().await, Some(Err(error)) if error.to_string() == "the time is over")
        );
        assert_eq!(begin.elapsed(), ms(20));
        assert!(ends.next().await.is_none());
        assert!(ends.next().await.is_none(), "it stays ended");
        assert!(ends.is_terminated());
        drop(ends);
        assert!(matches!((&mut tasks[0]).await, Ok(30)));
        assert_eq!(begin.elapsed(), ms(30));
    });
}

// SEM-119, SEM-121: what is left can be taken up again without the limit, or taken out.
#[test]
fn outputs_given_up_at_their_limit_are_taken_up_again_without_it() {
    run_paused(async {
        let mut outputs = as_completed([50, 10, 30].map(after)).within(ms(20));
        assert_eq!(outputs.next().await, Some(Ok((1, 10))));
        assert!(outputs.next().await.is_some_and(|output| output.is_err()));
        let mut outputs = outputs.into_inner();
        assert_eq!(outputs.next().await, Some((2, 30)));
        let mut boxed = as_completed([Box::pin(after(5)), Box::pin(after(7))]).within(ms(1));
        assert!(boxed.next().await.is_some_and(|output| output.is_err()));
        let left = boxed.into_inner().into_rest();
        assert_eq!(left.iter().map(|rest| rest.0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(outputs.next().await, Some((0, 50)));
        assert_eq!(outputs.next().await, None);
    });
}

// SEM-120: all end earlier, and the timer is gone with the last output.
#[test]
fn outputs_that_are_all_there_in_time_leave_no_timer_behind() {
    let mut runtime = paused();
    let outputs = runtime.block_on(async {
        let mut outputs = as_completed([1, 2].map(after)).within(ms(1000));
        assert_eq!(outputs.next().await, Some(Ok((0, 1))));
        assert_eq!(outputs.next().await, Some(Ok((1, 2))));
        outputs
    });
    assert_eq!(runtime.statistics().timers, 0);
    runtime.block_on(async move {
        sleep(ms(2000)).await;
        let mut outputs = outputs;
        assert_eq!(outputs.next().await, None, "the limit has passed long after the last one");
    });
}

// SEM-120: nobody knows of this iterator whether it goes on, before it is asked.
#[test]
fn bounded_outputs_that_are_all_there_in_time_end_without_an_error() {
    let mut runtime = paused();
    runtime.block_on(async {
        let mut left = 2;
        let inputs = std::iter::from_fn(|| {
            left -= i32::from(left >= 0);
            (left >= 0).then(|| after(1))
        });
        let mut outputs = as_completed_bounded(2, inputs).within(ms(10));
        assert_eq!(outputs.next().await, Some(Ok((0, 1))));
        assert_eq!(outputs.next().await, Some(Ok((1, 1))));
        sleep(ms(20)).await;
        assert_eq!(outputs.next().await, None);
        assert!(outputs.is_terminated());
    });
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-119, SEM-123: after the limit no other future begins, although there is room.
#[test]
fn bounded_outputs_begin_nothing_after_their_limit() {
    run_paused(async {
        let pulled = Cell::new(0);
        let inputs = (0..10).map(|n| {
            pulled.set(pulled.get() + 1);
            after(10 * (n + 1))
        });
        let mut outputs = as_completed_bounded(2, inputs).within(ms(25));
        assert_eq!(outputs.next().await, Some(Ok((0, 10))));
        assert_eq!(outputs.next().await, Some(Ok((1, 20))));
        // Input 2 began at 10 ms and would end at 40.
        sleep(ms(50)).await;
        assert_eq!(pulled.get(), 3);
        // It had not been polled, so it is ready only at the poll that sees the limit: it is given.
        assert_eq!(outputs.next().await, Some(Ok((2, 30))));
        assert!(outputs.next().await.is_some_and(|output| output.is_err()));
        assert_eq!(outputs.next().await, None);
        assert_eq!(pulled.get(), 4, "one was pulled to know that there is one");
        assert_eq!(outputs.into_inner().next().await, Some((3, 40)), "and is not lost");
    });
}

// SEM-119: at the very limit the order of registration decides, and an output beats the limit.
#[test]
fn output_that_is_there_at_the_very_limit_is_given_first() {
    run_paused(async {
        let mut outputs = as_completed([10, 10].map(after)).within(ms(10));
        assert_eq!(outputs.next().await, Some(Ok((0, 10))));
        assert_eq!(outputs.next().await, Some(Ok((1, 10))));
        assert_eq!(outputs.next().await, None);
        let first = spawn(after(10));
        yield_now().await;
        let mut ends = as_completed([first]).within(ms(10));
        assert!(matches!(ends.next().await, Some(Ok((0, Ok(10))))));
    });
}

// SEM-119: with no time at all, what is ready is given.
#[test]
fn outputs_within_no_time_are_those_that_are_ready() {
    run_paused(async {
        let futures = [pending().boxed(), async { 7 }.boxed(), async { 8 }.boxed()];
        let mut outputs = as_completed(futures).within(Duration::ZERO);
        assert_eq!(outputs.size_hint(), (1, Some(4)));
        assert_eq!(outputs.next().await, Some(Ok((1, 7))));
        assert_eq!(outputs.next().await, Some(Ok((2, 8))));
        assert!(matches!(outputs.next().await, Some(Err(Elapsed { .. }))));
        assert_eq!(outputs.next().await, None);
        let mut nothing = as_completed(Vec::<std::future::Ready<u8>>::new()).within(Duration::ZERO);
        assert_eq!(nothing.next().await, None);
    });
}

// SEM-119: it counts from the first poll, and whoever drops the wait for one output loses no time.
#[test]
fn limit_counts_from_the_first_poll_however_often_one_stops_waiting() {
    run_paused(async {
        let mut outputs = as_completed([after(100)]).within(ms(30));
        sleep(ms(1000)).await;
        let begin = Instant::now();
        for _ in 0..2 {
            assert!(lone::timeout(ms(10), outputs.next()).await.is_err());
        }
        assert!(matches!(StreamExt::next(&mut outputs).await, Some(Err(_))));
        assert_eq!(begin.elapsed(), ms(30));
    });
}
