//! Streams and time: intervals, limits, pauses, and a scope that is open while a generator stands still.

use futures_util::stream::{FusedStream, Stream};
use lone::stream::{StreamExt, generate, iter, merge};
use lone::time::Instant;
use lone::{sleep, timeout};

use crate::help::{ms, run_paused, secs};

// SEM-332: the deadline passes while the consumer is busy: that goes on, and the body is stopped when
// it is asked, at its next await.
#[test]
fn timeout_open_in_a_generator_stops_nothing_of_its_consumer() {
    run_paused(async {
        let begin = Instant::now();
        let mut items = generate(async |y| {
            let body = async {
                y.give("before").await;
                y.give("asked for too late, and there at once").await;
                sleep(secs(100)).await;
            };
            assert!(timeout(ms(10), body).await.is_err());
            y.give("after").await;
        });
        assert_eq!(items.next().await, Some("before"));
        sleep(ms(50)).await;
        assert_eq!(begin.elapsed(), ms(50), "the consumer's sleep was not cut");
        assert_eq!(items.next().await, Some("asked for too late, and there at once"));
        assert_eq!(items.next().await, Some("after"));
        assert_eq!(begin.elapsed(), ms(50));
        assert_eq!(items.next().await, None);
    });
}

// SEM-325: as long as the cleanup takes; a timeout round it leaves that to go on.
#[test]
fn aclose_takes_as_long_as_the_cleanup_and_may_be_given_up() {
    run_paused(async {
        let begin = Instant::now();
        let mut items = generate(async |y| {
            lone::finally(async { y.give(1).await }, sleep(ms(30))).await;
        });
        assert_eq!(items.next().await, Some(1));
        assert!(timeout(ms(10), items.aclose()).await.is_err());
        assert_eq!(begin.elapsed(), ms(10));
        items.aclose().await.expect("a sleep cannot fail");
        assert_eq!(begin.elapsed(), ms(30));
    });
}

#[test]
fn interval_as_a_stream_gives_the_moments_of_its_ticks() {
    run_paused(async {
        let begin = Instant::now();
        let mut ticks = lone::interval(ms(10));
        assert!(!ticks.is_terminated());
        assert_eq!(ticks.size_hint(), (usize::MAX, None));
        let moments: Vec<Instant> = (&mut ticks).take(3).collect().await;
        assert_eq!(moments, [begin, begin + ms(10), begin + ms(20)]);
        assert_eq!(begin.elapsed(), ms(20));
        assert_eq!(ticks.tick().await, begin + ms(30));
    });
}

#[test]
fn item_that_takes_too_long_comes_after_its_elapsed() {
    run_paused(async {
        let begin = Instant::now();
        let slow = generate(async |y| {
            for (pause, item) in [(5, 'a'), (25, 'b'), (10, 'c')] {
                sleep(ms(pause)).await;
                y.give(item).await;
            }
        });
        let mut items = slow.timeout(ms(10));
        let mut seen = Vec::new();
        while let Some(item) = items.next().await {
            seen.push((begin.elapsed(), item.ok()));
        }
        assert_eq!(
            seen,
            [
                (ms(5), Some('a')),
                (ms(15), None),
                (ms(25), None),
                (ms(30), Some('b')),
                // With its deadline: the item beats it.
                (ms(40), Some('c')),
            ]
        );
        assert!(items.next().await.is_none());
    });
}

#[test]
fn throttled_stream_is_asked_only_after_the_pause() {
    run_paused(async {
        let begin = Instant::now();
        let mut items = iter(0..3).throttle(ms(10));
        let mut seen = Vec::new();
        while let Some(item) = items.next().await {
            seen.push((begin.elapsed(), item));
            sleep(ms(4)).await;
        }
        assert_eq!(seen, [(ms(0), 0), (ms(10), 1), (ms(20), 2)]);
        assert_eq!(begin.elapsed(), ms(30));
    });
}

// Drop at every suspension: a `next` given up after each millisecond loses no item and no time.
#[test]
fn next_given_up_again_and_again_loses_no_item_of_timed_streams() {
    run_paused(async {
        let begin = Instant::now();
        let paced = |every: u64, from: u32| {
            generate(async move |y| {
                for item in from..from + 3 {
                    sleep(ms(every)).await;
                    y.give(item).await;
                }
            })
        };
        let mut items = merge([paced(3, 0), paced(5, 10)]).throttle(ms(2));
        let mut seen = Vec::new();
        loop {
            match timeout(ms(1), items.next()).await {
                Ok(Some(item)) => seen.push((begin.elapsed(), item)),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        let at = |pairs: [(u64, u32); 6]| pairs.map(|(at, item)| (ms(at), item));
        assert_eq!(seen, at([(3, 0), (5, 10), (8, 1), (12, 11), (14, 2), (19, 12)]));
    });
}
