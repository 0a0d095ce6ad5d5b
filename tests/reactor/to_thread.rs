//! Jobs on threads and a virtual clock; the options of the pool; a system that refuses threads.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lone::time::{Instant, advance};
use lone::{
    Builder, JoinError, Jump, bridge, is_job_cancelled, join, pool_statistics, race, sleep, spawn,
    timeout, to_thread,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::help::{
    PATIENCE, Watchdog, elapsed_ms, ms, paused, run, run_in_own_process, run_paused, secs, spin,
};

/// How long a job gives the clock for a jump that would be a wrong one.
const WHILE: Duration = Duration::from_millis(20);

// ----- the clock -----------------------------------------------------------------------------------

// SEM-306: a sleep of an hour is not over before the job is.
#[test]
fn virtual_clock_stands_still_while_a_job_runs() {
    run_paused(async {
        let begin = Instant::now();
        let job = to_thread(|| thread::sleep(WHILE));
        let slept = async {
            sleep(secs(3600)).await;
            elapsed_ms(begin)
        };
        let worked = async {
            job.await.expect("it does not panic");
            elapsed_ms(begin)
        };
        assert_eq!(join!(slept, worked), (3_600_000, 0));
    });
}

// SEM-306: nor for one that is queued, or that nobody awaits any more; and then it goes on.
#[test]
fn virtual_clock_stands_still_for_queued_and_abandoned_jobs_and_then_jumps() {
    let _watchdog = Watchdog::new();
    Builder::new().jump(Jump::HoldOnIo).threads(1).run(async {
        let (say, said) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let again = say.clone();
        let abandoned = to_thread(move || {
            begin.send(()).expect("main waits for it");
            thread::sleep(WHILE);
            say.send("abandoned").expect("it is heard");
        });
        let _queued = to_thread(move || again.send("queued").expect("it is heard"));
        begun.recv_timeout(PATIENCE).expect("it begins");
        drop(abandoned);
        assert!(said.try_recv().is_err());
        sleep(secs(3600)).await;
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["abandoned", "queued"]);
    });
}

// SEM-306: what a job does takes no time, thousands of times: it never loses against a deadline.
#[test]
fn jobs_one_after_the_other_take_no_virtual_time() {
    run_paused(async {
        let begin = Instant::now();
        let ticking = async {
            for tick in 1.. {
                sleep(ms(1)).await;
                assert_eq!(elapsed_ms(begin), tick);
            }
        };
        let working = async {
            for n in 0..2000 {
                let before = elapsed_ms(begin);
                assert_eq!(to_thread(move || n).await.expect("it does not panic"), n);
                assert_eq!(
                    elapsed_ms(begin),
                    before,
                    "the clock has jumped over the end of job {n}"
                );
            }
        };
        race(vec![
            Box::pin(ticking) as std::pin::Pin<Box<dyn Future<Output = ()>>>,
            Box::pin(working),
        ])
        .await;
    });
}

// SEM-306: a timeout around a job is not over before the job is; on the real clock it may be.
#[test]
fn timeout_around_a_job_waits_for_it_on_a_virtual_clock_and_not_on_the_real_one() {
    run_paused(async {
        let outcome = timeout(ms(1), to_thread(|| thread::sleep(WHILE))).await;
        outcome.expect("the clock stood still").expect("it does not panic");
    });
    run(async {
        let endless = to_thread(|| {
            while !is_job_cancelled() {
                thread::sleep(ms(1));
            }
        });
        assert!(timeout(ms(5), endless).await.is_err(), "it was told that nobody wants it");
    });
}

// SEM-306, SEM-396: who moves the clock by hand moves it all the same.
#[test]
fn clock_is_moved_by_hand_though_a_job_runs() {
    run_paused(async {
        let begin = Instant::now();
        let (let_go, is_let_go) = mpsc::channel::<()>();
        let job = to_thread(move || is_let_go.recv_timeout(PATIENCE));
        advance(secs(60)).await;
        assert_eq!(elapsed_ms(begin), 60_000);
        drop(let_go);
        assert!(job.await.expect("it does not panic").is_err());
    });
}

// SEM-306, SEM-423: a stage that waits for its loop does not hold the clock up, or both would wait
// for ever.
#[test]
fn virtual_clock_jumps_while_a_job_waits_at_a_bridge() {
    run_paused(async {
        let begin = Instant::now();
        let (put, to_stage) = bridge::from_loop(1);
        let (from_stage, get) = bridge::to_loop(1);
        let stage = to_thread(move || {
            let mut taken = 0;
            while let Ok(item) = to_stage.get() {
                spin(ms(1));
                from_stage.put(item * item).expect("main gets it");
                taken += 1;
            }
            taken
        });
        for n in 1..=50_u64 {
            sleep(secs(60)).await;
            put.put(n).await.expect("the stage lives");
            assert_eq!(get.get().await, Ok(n * n));
            assert_eq!(elapsed_ms(begin), n * 60_000, "the stage takes no time");
        }
        drop(put);
        assert_eq!(stage.await.expect("it does not panic"), 50);
        assert_eq!(elapsed_ms(begin), 50 * 60_000);
    });
}

// SEM-306, SEM-301: nor does one that waits for a task of its loop.
#[test]
fn virtual_clock_jumps_while_a_job_waits_for_a_remote_task() {
    run_paused(async {
        let begin = Instant::now();
        let remote = lone::remote();
        let job = to_thread(move || {
            for _ in 0..100 {
                let slept = remote.spawn(|| sleep(secs(60))).expect("the loop lives");
                slept.wait().expect("it ends well");
            }
        });
        job.await.expect("it does not panic");
        assert_eq!(elapsed_ms(begin), 100 * 60_000);
    });
}

// ----- the pool ------------------------------------------------------------------------------------

// SEM-302, SEM-295: the options of the builder are those of the pool.
#[test]
fn options_of_the_builder_are_those_of_the_pool() {
    let _watchdog = Watchdog::new();
    Builder::new().threads(0).thread_idle(ms(0)).thread_grace(None).run(async {
        to_thread(|| ()).await.expect("it does not panic");
        assert_eq!(pool_statistics().expect("it is there").limit, 1);
        let begin = std::time::Instant::now();
        while pool_statistics().expect("it is there").threads > 0 {
            assert!(begin.elapsed() < PATIENCE, "a thread without a job stays");
            sleep(ms(1)).await;
        }
    });
}

// SEM-21: two runtimes have a pool each; a job may run a loop of its own.
#[test]
fn job_may_run_a_loop_with_a_pool_of_its_own() {
    run(async {
        let inner = to_thread(|| {
            lone::run(async {
                sleep(ms(1)).await;
                let name = to_thread(|| thread::current().name().map(str::to_owned)).await;
                (name.expect("it does not panic"), pool_statistics().map(|pool| pool.threads))
            })
        });
        let (name, threads) = inner.await.expect("it does not panic");
        assert_eq!((name.as_deref(), threads), (Some("lone-thread-1"), Some(1)));
    });
}

// SEM-8: a cleanup that awaits a job has it, before the pool ends with its loop.
#[test]
fn cleanup_during_the_shutdown_may_use_the_pool() {
    let (say, said) = mpsc::channel();
    run(async {
        drop(spawn(lone::finally(std::future::pending::<()>(), async move {
            to_thread(move || say.send(()).expect("it is heard")).await.expect("it does not panic");
        })));
        sleep(ms(1)).await;
    });
    assert_eq!(said.try_recv(), Ok(()));
}

// SEM-294: where the system refuses even a first thread, that is an error; the loop goes on.
#[test]
fn system_that_refuses_threads_is_an_error() {
    run_in_own_process("to_thread::no_memory_for_a_thread_is_an_error");
}

#[test]
#[ignore = "limits its process: the one above runs it in a process of its own"]
fn no_memory_for_a_thread_is_an_error() {
    let mut runtime = paused();
    let outcome = runtime.block_on(async {
        let limit_memory = |current| {
            let before = getrlimit(Resource::As);
            setrlimit(Resource::As, Rlimit { current, ..before }).expect("the hard limit stays");
        };
        // Less than there is: what fits into the heap as it stands is still to be had, a stack is not.
        limit_memory(Some(1 << 20));
        let outcome = to_thread(|| 7).await;
        limit_memory(None);
        assert_eq!(pool_statistics().map(|pool| (pool.threads, pool.queued)), Some((0, 0)));
        let again = to_thread(|| 7).await;
        assert_eq!(again.expect("there is memory again"), 7);
        outcome
    });
    match outcome {
        Err(JoinError::NoThread(error)) => assert!(!error.to_string().is_empty()),
        other => panic!("there was no memory for a thread: {other:?}"),
    }
}
