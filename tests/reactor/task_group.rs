//! Groups in time: sleeps, timeouts, sockets and shutdowns, under a clock that jumps.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use lone::time::Instant;
use lone::{
    AsyncClose, Failure, JoinError, Semaphore, TaskGroup, finally, interval, sleep, spawn, timeout,
    using,
};

use crate::help::{Trace, elapsed_ms, ms, pair, paused, run_paused, runtime};

type Group<'env> = TaskGroup<'env, &'static str>;
type Done = Result<(), &'static str>;

const WELL: Done = Ok(());

/// Takes so many milliseconds to be closed, and may fail.
struct Slow(u64, Done);

impl AsyncClose for Slow {
    type Error = &'static str;

    async fn close(self) -> Done {
        sleep(ms(self.0)).await;
        self.1
    }
}

/// Waits for ever, with something that is slow to close.
async fn holds(slow: Slow) -> Done {
    using(slow, async |_| pending::<Done>().await).await.map_err(|_| "not reached")?
}

async fn fails_at(at: u64, error: &'static str) -> Done {
    sleep(ms(at)).await;
    Err(error)
}

// SEM-173: side by side.
#[test]
fn group_takes_as_long_as_its_longest_child() {
    run_paused(async {
        let begin = Instant::now();
        let ends = RefCell::new(Vec::new());
        let ran = Group::run(async |group| {
            for at in [30, 10, 20] {
                let ends = &ends;
                drop(group.spawn(async move {
                    sleep(ms(at)).await;
                    ends.borrow_mut().push(elapsed_ms(begin));
                    WELL
                }));
            }
            sleep(ms(5)).await;
            WELL
        });
        assert!(matches!(ran.await, Ok(Some(()))));
        assert_eq!((ends.take(), elapsed_ms(begin)), (vec![10, 20, 30], 30));
    });
}

// SEM-177: the error comes when the last cleanup has ended, which run side by side; no timer is left.
#[test]
fn first_error_comes_out_when_the_slowest_cleanup_has_ended() {
    let mut runtime = paused();
    let took = runtime.block_on(async {
        let begin = Instant::now();
        let ran = Group::run(async |group| {
            drop(group.spawn(holds(Slow(20, WELL))));
            drop(group.spawn(holds(Slow(40, WELL))));
            drop(group.spawn(fails_at(3, "first")));
            sleep(ms(1000)).await;
            WELL
        });
        let error = ran.await.expect_err("one fails");
        assert_eq!(error.into_single().ok(), Some("first"));
        elapsed_ms(begin)
    });
    assert_eq!(took, 43);
    assert_eq!(runtime.statistics().timers, 0);
}

// SEM-178: who fails at the same moment is in it; who would have failed later is not.
#[test]
fn errors_of_one_moment_come_out_together() {
    run_paused(async {
        let ran = Group::run(async |group| {
            for (at, error) in [(7, "later"), (5, "a"), (5, "b")] {
                drop(group.spawn(fails_at(at, error)));
            }
            fails_at(5, "body").await
        });
        let error = ran.await.expect_err("three fail");
        let errors: Vec<&str> = error.iter().filter_map(Failure::error).copied().collect();
        assert_eq!(errors, ["a", "b", "body"]);
    });
}

// SEM-158: all are stopped and awaited, and then the time is over; a cleanup that fails is told with it.
#[test]
fn timeout_of_a_group_stops_and_awaits_its_children() {
    run_paused(async {
        for (closes, told) in [(WELL, 0), (Err("cannot close"), 2)] {
            let begin = Instant::now();
            let group = Group::run(async |group| {
                drop(group.spawn(holds(Slow(20, closes))));
                drop(group.spawn(holds(Slow(30, closes))));
                holds(Slow(10, WELL)).await
            });
            let elapsed = timeout(ms(100), group).await.expect_err("it is endless");
            assert_eq!(elapsed_ms(begin), 130, "they clean up side by side");
            let errors = elapsed.cleanup_errors();
            assert_eq!(errors.to_string().matches("cannot close").count(), told, "{errors}");
        }
    });
}

// SEM-158: a group that is ready beats the deadline; so does its error.
#[test]
fn group_that_fails_at_the_very_deadline_is_not_late() {
    run_paused(async {
        let failing = Group::run(async |_group| fails_at(5, "in time").await);
        let ran = timeout(ms(5), failing).await.expect("its timer was the first");
        assert_eq!(ran.expect_err("it fails").into_single().ok(), Some("in time"));
    });
}

// SEM-148: timeouts of children within a group within a timeout.
#[test]
fn timeout_of_a_child_stops_that_child_only() {
    run_paused(async {
        let begin = Instant::now();
        let ran = Group::run(async |group| {
            let late = group.spawn(async {
                Ok::<_, &str>(timeout(ms(10), holds(Slow(5, WELL))).await.is_err())
            });
            let other = group.spawn(async {
                sleep(ms(50)).await;
                WELL
            });
            assert!(late.await.expect("it ends well"));
            assert_eq!(elapsed_ms(begin), 15);
            other.await.expect("it goes on");
            WELL
        });
        assert!(matches!(timeout(ms(100), ran).await, Ok(Ok(Some(())))));
        assert_eq!(elapsed_ms(begin), 50);
    });
}

// SEM-175: a server: a child that goes on adding children, until the group is cancelled.
#[test]
fn children_added_at_intervals_run_until_the_group_is_cancelled() {
    run_paused(async {
        let begin = Instant::now();
        let served = RefCell::new(Vec::new());
        let ran = Group::run(async |group| {
            let (server, served) = (group.clone(), &served);
            drop(group.spawn(async move {
                let mut every = interval(ms(10));
                for number in 0.. {
                    every.tick().await;
                    drop(server.spawn(async move {
                        sleep(ms(25)).await;
                        served.borrow_mut().push((number, elapsed_ms(begin)));
                        WELL
                    }));
                }
                WELL
            }));
            sleep(ms(60)).await;
            group.cancel("closing time");
            WELL
        });
        assert!(matches!(ran.await, Ok(Some(()))));
        let served = served.take();
        assert!(served.len() >= 3 && elapsed_ms(begin) == 60, "{served:?}");
        assert!(served.iter().is_sorted());
    });
}

// SEM-4: what is left when main ends is cancelled; a group among it cleans up.
#[test]
fn group_left_at_the_shutdown_is_dropped_and_cleaned_up() {
    let trace = Trace::default();
    let mut runtime = paused();
    let say = trace.clone();
    runtime.block_on(async {
        drop(spawn(async move {
            let late = say.clone();
            let ran = Group::run(async |group| {
                drop(group.spawn(finally(pending::<Done>(), async move {
                    sleep(ms(5)).await;
                    late.say("child-closed");
                })));
                WELL
            });
            ran.await.map(drop)
        }));
        sleep(ms(1)).await;
    });
    drop(runtime);
    assert_eq!(trace.take(), "child-closed");
}

// SEM-407, F11: a child whose operations are always ready gives way; timers and other tasks are served.
#[test]
fn child_that_never_has_to_wait_keeps_out_neither_siblings_nor_tasks() {
    run_paused(async {
        let (others, rounds) = (Rc::new(RefCell::new(0)), RefCell::new(0_u32));
        let count = others.clone();
        let other = spawn(async move {
            loop {
                lone::yield_now().await;
                *count.borrow_mut() += 1;
            }
        });
        let ran = Group::run(async |group| {
            let (semaphore, rounds) = (Semaphore::new(1), &rounds);
            drop(group.spawn(async move {
                loop {
                    drop(semaphore.acquire().await);
                    *rounds.borrow_mut() += 1;
                }
                #[expect(unreachable_code, reason = "the type of the child")]
                WELL
            }));
            for _ in 0..50 {
                lone::yield_now().await;
            }
            group.cancel("enough");
            WELL
        });
        assert!(matches!(ran.await, Ok(Some(()))));
        assert!(*rounds.borrow() >= 128, "it has run");
        assert!(*others.borrow() >= 40, "{} turns of another task", others.borrow());
        assert!(other.cancel("enough"));
    });
}

// SEM-52: children that wait for sockets, on the real clock.
#[test]
fn children_that_wait_for_sockets_are_woken() {
    use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut runtime = runtime();
    let heard = runtime.block_on(async {
        let (mut client, mut server) = pair().await;
        let ran = TaskGroup::<std::io::Error>::run(async |group| {
            let hears = group.spawn(async move {
                let mut heard = String::new();
                server.read_to_string(&mut heard).await?;
                Ok::<_, std::io::Error>(heard)
            });
            drop(group.spawn(async move {
                client.write_all(b"hello").await?;
                client.close().await
            }));
            Ok::<_, std::io::Error>(hears.await.expect("it ends well"))
        });
        ran.await.expect("nobody fails").expect("nobody cancels")
    });
    assert_eq!(heard, "hello");
}

// SEM-182: a task that is cancelled ends when its group has cleaned up; the time shows it.
#[test]
fn owner_that_is_cancelled_takes_as_long_as_the_cleanups() {
    run_paused(async {
        let begin = Instant::now();
        let owner = spawn(Group::run(async |group| {
            drop(group.spawn(holds(Slow(7, WELL))));
            drop(group.spawn(holds(Slow(9, Err("cannot close")))));
            WELL
        }));
        sleep(ms(1)).await;
        owner.cancel("enough");
        let Err(JoinError::Cancelled(why)) = owner.await else { panic!("it was cancelled") };
        assert_eq!(elapsed_ms(begin), 10);
        assert!(why.cleanup_errors().to_string().contains("cannot close"));
    });
}
