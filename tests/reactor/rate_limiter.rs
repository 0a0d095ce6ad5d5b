//! Rate limiters: when the n-th may go, to the nanosecond, in order, with nothing lost.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use lone::time::Instant;
use lone::{RateLimiter, sleep, spawn, timeout, yield_now};

const MS: Duration = Duration::from_millis(1);

#[lone::test(start_paused)]
async fn acquires_beyond_the_burst_go_one_interval_after_the_other() {
    let limiter = RateLimiter::per_second(10).burst(3);
    let start = Instant::now();
    let mut at = Vec::new();
    for _ in 0..6 {
        limiter.acquire().await;
        at.push(start.elapsed().as_millis());
    }
    assert_eq!(at, [0, 0, 0, 100, 200, 300]);
}

// thirds of a second are no whole number of nanoseconds.
#[lone::test(start_paused)]
async fn three_a_second_are_three_thousand_in_a_thousand_seconds_without_drift() {
    let limiter = RateLimiter::per_second(3).burst(1);
    let start = Instant::now();
    limiter.acquire().await;
    limiter.acquire().await;
    assert_eq!(start.elapsed(), Duration::from_nanos(333_333_334), "not before it is there");
    for _ in 2..=3000 {
        limiter.acquire().await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(1000));
}

#[lone::test(start_paused)]
async fn bucket_fills_up_to_its_burst_in_a_pause_and_no_further() {
    let limiter = RateLimiter::new(4, 4 * MS);
    assert!(limiter.try_acquire_many(4) && !limiter.try_acquire());
    sleep(2 * MS).await;
    assert_eq!(limiter.available(), 2);
    sleep(1000 * MS).await;
    let now = limiter.statistics();
    assert_eq!((now.available, now.burst, now.waiters), (4, 4, 0));
}

#[lone::test(start_paused)]
async fn waiters_go_in_the_order_of_their_polls_though_a_later_one_wants_fewer() {
    let limiter = Rc::new(RateLimiter::new(1, MS).burst(3));
    assert!(limiter.try_acquire_many(3));
    let (start, order) = (Instant::now(), Rc::new(RefCell::new(Vec::new())));
    let tasks: Vec<_> = [3, 1, 2]
        .map(|wanted| {
            let (limiter, order) = (limiter.clone(), order.clone());
            spawn(async move {
                limiter.acquire_many(wanted).await;
                order.borrow_mut().push((wanted, start.elapsed().as_millis()));
            })
        })
        .into();
    yield_now().await;
    assert_eq!(limiter.waiters(), 3);
    sleep(2 * MS).await;
    assert!(limiter.available() == 2 && !limiter.try_acquire(), "it would overtake");
    for task in tasks {
        task.await.expect("it ends well");
    }
    assert_eq!(*order.borrow(), [(3, 3), (1, 4), (2, 6)]);
}

// the first, and one in the middle.
#[lone::test(start_paused)]
async fn waiter_that_is_given_up_leaves_what_has_gathered_to_the_next() {
    let limiter = Rc::new(RateLimiter::new(1, 10 * MS).burst(2));
    assert!(limiter.try_acquire_many(2));
    let start = Instant::now();
    let first = spawn({
        let limiter = limiter.clone();
        async move { timeout(15 * MS, limiter.acquire_many(2)).await.is_err() }
    });
    let waiter = || {
        let limiter = limiter.clone();
        spawn(async move {
            limiter.acquire().await;
            start.elapsed().as_millis()
        })
    };
    let (second, third, fourth) = (waiter(), waiter(), waiter());
    yield_now().await;
    third.cancel("not needed");
    assert_eq!(second.await.expect("it ends well"), 15, "its token was there since 10 ms");
    assert!(first.await.expect("it ends well"));
    assert_eq!(fourth.await.expect("it ends well"), 20);
    assert_eq!((limiter.waiters(), limiter.available()), (0, 0));
}

// One timer for the first in line, and none once nobody waits.
#[test]
fn limiter_has_one_timer_while_somebody_waits_and_none_otherwise() {
    let limiter = Rc::new(RateLimiter::per_second(1));
    let mut runtime = lone::Builder::new().start_paused(true).build().expect("a loop");
    assert!(limiter.try_acquire());
    assert_eq!(runtime.statistics().timers, 0);
    runtime
        .block_on(async {
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let limiter = limiter.clone();
                    spawn(async move { limiter.acquire().await })
                })
                .collect();
            yield_now().await;
            assert_eq!(limiter.waiters(), 3);
            tasks
        })
        .into_iter()
        .for_each(|task| {
            let before = runtime.statistics().timers;
            task.cancel("changed its mind");
            for _ in 0..3 {
                runtime.turn(Some(Duration::ZERO)).expect("it turns");
            }
            assert_eq!((before, task.is_finished()), (1, true));
        });
    assert_eq!((runtime.statistics().timers, limiter.waiters()), (0, 0));
}

#[test]
#[should_panic(expected = "would never be there")]
fn more_tokens_than_there_is_room_for_are_a_mistake() {
    drop(RateLimiter::per_second(2).acquire_many(3));
}

#[test]
#[should_panic(expected = "a rate of 0 tokens")]
fn rate_of_zero_is_a_mistake() {
    let _ = RateLimiter::per_second(0);
}
