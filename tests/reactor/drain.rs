//! How long do children take that are dropped together? As long as the slowest of their cleanups.

use std::future::pending;
use std::pin::Pin;

use lone::time::Instant;
use lone::{
    JoinError, TryGatherError, cancel_all, finally, gather, join, race_tasks, sleep, spawn,
    timeout, try_gather, try_join,
};

use crate::help::{elapsed_ms, ms, run_paused};

/// Never ends by itself, and takes so many milliseconds to clean up.
async fn held<T>(cleanup: u64) -> T {
    // A sleep counts from its call: here from the start of the cleanup.
    finally(pending(), async move { sleep(ms(cleanup)).await }).await
}

/// Fails after so many milliseconds.
async fn fails(after: u64) -> Result<(), &'static str> {
    sleep(ms(after)).await;
    Err("failed")
}

// SEM-93, C-75: the second fails at 5 ms; the first takes 10 ms to clean up, the third, which fails in
// that, 20: the error comes at 25 ms, with what has failed.
#[test]
fn try_gather_with_an_error_returns_when_the_slowest_cleanup_has_ended() {
    run_paused(async {
        let begin = Instant::now();
        let children: [Pin<Box<dyn Future<Output = _>>>; 3] = [
            Box::pin(held(10)),
            Box::pin(fails(5)),
            Box::pin(finally(pending(), async {
                sleep(ms(20)).await;
                panic!("no farewell")
            })),
        ];
        let outcome = try_gather(children).attaching_cleanup_errors().await;
        let TryGatherError { error, cleanup_errors } = outcome.expect_err("one has failed");
        assert_eq!((elapsed_ms(begin), error, cleanup_errors.len()), (25, "failed", 1));
        assert!(cleanup_errors.to_string().contains("no farewell"));
    });
}

// SEM-93: as a try_gather.
#[test]
fn try_join_with_an_error_returns_when_the_slowest_cleanup_has_ended() {
    run_paused(async {
        let begin = Instant::now();
        let outcome: Result<((), (), u8), _> = try_join!(held(10), fails(5), held(20));
        assert_eq!((outcome, elapsed_ms(begin)), (Err("failed"), 25));
    });
}

// SEM-97, C-76: a task that gathers is cancelled, and its children take 10 ms to clean up: it ends 10 ms
// later, as cancelled. So do its relatives.
#[test]
fn cancel_of_a_task_that_waits_for_many_ends_it_after_one_cleanup() {
    run_paused(async {
        let tasks = [
            spawn(async { drop(gather([(); 3].map(|()| held::<()>(10))).await) }),
            spawn(async { drop(try_gather([(); 3].map(|()| held::<Result<(), ()>>(10))).await) }),
            spawn(async { _ = join!(held::<()>(10), held::<u8>(10), held::<()>(10)) }),
            spawn(async { _ = try_join!(held::<Result<(), ()>>(10), held::<Result<u8, _>>(10)) }),
            spawn(async { drop(race_tasks([(); 3].map(|()| spawn(held::<()>(10)))).await) }),
        ];
        sleep(ms(1)).await;
        let begin = Instant::now();
        for outcome in cancel_all(tasks).await {
            assert!(matches!(outcome, Err(JoinError::Cancelled(_))), "{outcome:?}");
        }
        assert_eq!(elapsed_ms(begin), 10);
    });
}

// SEM-127, SEM-97: a timeout around: its limit, and then the cleanups, side by side.
#[test]
fn timeout_of_a_gather_returns_when_the_slowest_cleanup_has_ended() {
    run_paused(async {
        let begin = Instant::now();
        assert!(timeout(ms(5), gather([10, 30, 20].map(held::<()>))).await.is_err());
        assert_eq!(elapsed_ms(begin), 35);
    });
}

// SEM-420: the first of three regions answers at 10 ms; the slowest of the others takes 20 to say goodbye.
#[test]
fn race_tasks_returns_when_the_slowest_loser_has_cleaned_up() {
    run_paused(async {
        let begin = Instant::now();
        let answers = async {
            sleep(ms(10)).await;
            "us"
        };
        let won = race_tasks([spawn(held(20)), spawn(answers), spawn(held(5))]).await;
        assert_eq!((won.index, won.outcome.ok(), elapsed_ms(begin)), (1, Some("us"), 30));
        assert!(
            won.losers.iter().all(|(_, loser)| loser.as_ref().is_err_and(JoinError::is_cancelled))
        );
    });
}
