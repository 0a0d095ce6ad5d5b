//! `to_thread`: jobs on a bounded pool of threads, and what becomes of them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use lone::bridge;
use lone_executor::{
    Executor, JoinError, OnStall, RunError, Settings, is_running, spawn, yield_now,
};
use lone_sync::Event;
use lone_tests::bounded_park::BoundedPark;
use lone_threads::{Pool, is_job_cancelled, pool_statistics, to_thread};

use crate::help::{
    OnDrop, PATIENCE, assert_one_report, executor, executor_with, lock, poll_once, record_reports,
    take_reports,
};

/// A loop whose pool has so many threads, and a grace that no test reaches by itself.
fn with_threads(threads: usize) -> Executor<BoundedPark> {
    with_pool(lone_threads::Settings { threads, grace: Some(PATIENCE), ..Default::default() })
}

fn with_pool(settings: lone_threads::Settings) -> Executor<BoundedPark> {
    let executor = executor();
    executor.attach(Pool::new(settings));
    executor
}

/// A job that says when it has begun, and ends when it is let go.
struct Gate {
    begun: Receiver<ThreadId>,
    let_go: Sender<()>,
}

impl Gate {
    /// The gate, and what the job calls.
    fn new() -> (Gate, impl FnOnce() + Send + 'static) {
        let (begin, begun) = mpsc::channel();
        let (let_go, is_let_go) = mpsc::channel();
        let pass = move || {
            // Heard, or nobody wants to know.
            let _ = begin.send(thread::current().id());
            // Let go, or the test has ended.
            let _ = is_let_go.recv_timeout(PATIENCE);
        };
        (Gate { begun, let_go }, pass)
    }

    /// Blocks until the job has begun; says on which thread.
    fn begun(&self) -> ThreadId {
        self.begun.recv_timeout(PATIENCE).expect("the job begins")
    }

    fn let_go(&self) {
        self.let_go.send(()).expect("the job waits for it");
    }
}

/// What was said on the pool's only thread, which ran nothing else meanwhile.
async fn reports_of_thread() -> Vec<String> {
    to_thread(take_reports).await.expect("it does not panic")
}

// ----- running -------------------------------------------------------------------------------------

// SEM-294: once, elsewhere, with its value; the loop goes on.
#[test]
fn job_runs_on_a_named_thread_and_its_value_comes_back_while_the_loop_goes_on() {
    let mut executor = with_threads(2);
    let (gate, pass) = Gate::new();
    let home = thread::current().id();
    let (value, thread, name) = executor.block_on(async {
        let job = to_thread(move || {
            pass();
            assert!(!is_running(), "no loop runs there");
            (7, thread::current().id(), thread::current().name().map(str::to_owned))
        });
        spawn(async move {
            for _ in 0..1000 {
                yield_now().await;
            }
            gate.let_go();
        })
        .await
        .expect("it ends well");
        job.await.expect("it does not panic")
    });
    assert_eq!((value, name.as_deref()), (7, Some("lone-thread-1")));
    assert_ne!(thread, home);
}

// SEM-294: the panic of a job is its outcome, and is not reported.
#[test]
fn job_that_panics_gives_its_awaiter_the_panic() {
    record_reports();
    let mut executor = with_threads(1);
    executor.block_on(async {
        let outcome = to_thread(|| -> u32 { panic!("out of cheese") }).await;
        let Err(JoinError::Panicked(panic)) = outcome else { panic!("it panics: {outcome:?}") };
        assert_eq!(panic.message(), "out of cheese");
        assert!(panic.whose().contains("to_thread.rs:"), "{}", panic.whose());
        // The thread has survived it.
        assert_eq!(reports_of_thread().await, [""; 0]);
        assert_eq!(pool_statistics().expect("it is there").threads, 1);
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-294: handed over in the call; no poll is needed.
#[test]
fn job_begins_with_the_call_and_not_with_the_first_poll() {
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(pass);
        gate.begun();
        gate.let_go();
        job.await.expect("it does not panic");
    });
}

// SEM-295: as many at once as there are threads, and no more.
#[test]
fn ten_jobs_on_three_threads_run_three_at_a_time() {
    let mut executor = with_threads(3);
    let inside = Arc::new(Mutex::new((0, 0)));
    // Three have to meet here, three times; the tenth meets nobody.
    let three = Arc::new(Barrier::new(3));
    executor.block_on(async {
        let jobs: Vec<_> = (0..10)
            .map(|n| {
                let (inside, three) = (inside.clone(), three.clone());
                to_thread(move || {
                    {
                        let mut inside = lock(&inside);
                        inside.0 += 1;
                        inside.1 = inside.1.max(inside.0);
                    }
                    if n < 9 {
                        three.wait();
                    }
                    lock(&inside).0 -= 1;
                    n
                })
            })
            .collect();
        let pool = pool_statistics().expect("it is there");
        assert_eq!((pool.limit, pool.threads), (3, 3));
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.expect("it does not panic"), n);
        }
    });
    assert_eq!(lock(&inside).1, 3, "never more inside at once");
}

// SEM-295: those who wait for a thread begin in the order of the calls.
#[test]
fn jobs_beyond_the_threads_begin_first_come_first_served() {
    let mut executor = with_threads(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let first = to_thread(pass);
        gate.begun();
        let jobs: Vec<_> = (0..20)
            .map(|n| {
                let order = order.clone();
                to_thread(move || lock(&order).push(n))
            })
            .collect();
        assert_eq!(pool_statistics().expect("it is there").queued, 20);
        gate.let_go();
        first.await.expect("it does not panic");
        for job in jobs.into_iter().rev() {
            job.await.expect("it does not panic");
        }
    });
    assert_eq!(*lock(&order), (0..20).collect::<Vec<_>>());
}

// SEM-295: no thread without a job for it, and none stays that has nothing to do.
#[test]
fn threads_come_with_the_jobs_are_used_again_and_end_when_idle() {
    let mut executor = with_pool(lone_threads::Settings {
        threads: 8,
        idle: Duration::from_millis(50),
        ..Default::default()
    });
    executor.block_on(async {
        assert_eq!(pool_statistics().expect("it was attached").threads, 0);
        for _ in 0..10 {
            to_thread(|| ()).await.expect("it does not panic");
        }
        let threads = pool_statistics().expect("it is there").threads;
        assert!(threads <= 2, "{threads} for jobs one after the other");
        let begin = std::time::Instant::now();
        while pool_statistics().expect("it is there").threads > 0 {
            assert!(begin.elapsed() < PATIENCE, "idle threads stay");
            yield_now().await;
        }
        assert_eq!(to_thread(|| 7).await.expect("it does not panic"), 7);
    });
}

// SEM-302: the limit can be seen; without options it is the default.
#[test]
fn pool_without_options_has_a_default_limit_that_can_be_seen() {
    let mut executor = executor();
    executor.block_on(async {
        assert_eq!(pool_statistics(), None, "nobody has asked for a thread");
        to_thread(|| ()).await.expect("it does not panic");
        let pool = pool_statistics().expect("it is there");
        assert_eq!((pool.limit, pool.threads), (lone_threads::Settings::default().threads, 1));
        assert!((5..=32).contains(&pool.limit));
    });
    assert_eq!(pool_statistics(), None, "no loop runs here");
}

// ----- dropping ------------------------------------------------------------------------------------

// SEM-297: taken out of the queue at once, with what it has captured; those behind it run.
#[test]
fn job_whose_future_is_dropped_before_it_began_never_runs() {
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let first = to_thread(pass);
        gate.begun();
        let captured = Arc::new(());
        let given = captured.clone();
        let unwanted = to_thread(move || -> Arc<()> { unreachable!("{given:?} never runs") });
        let next = to_thread(|| 2);
        drop(unwanted);
        assert_eq!(Arc::strong_count(&captured), 1);
        assert_eq!(pool_statistics().expect("it is there").queued, 1);
        gate.let_go();
        first.await.expect("it does not panic");
        assert_eq!(next.await.expect("it does not panic"), 2);
    });
}

// SEM-297: so too where its task is cancelled.
#[test]
fn task_cancelled_while_its_job_is_queued_takes_it_back() {
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let first = to_thread(pass);
        gate.begun();
        let (ran, has_run) = mpsc::channel();
        let task = spawn(async move { to_thread(move || ran.send(())).await.map(|_| ()) });
        yield_now().await;
        assert!(task.cancel("enough"));
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        gate.let_go();
        first.await.expect("it does not panic");
        assert!(has_run.recv_timeout(PATIENCE).is_err(), "its sender was dropped unused");
    });
}

// SEM-298: whoever awaited it ends at once; the job runs on, and its value is dropped over there.
#[test]
fn job_whose_future_is_dropped_while_it_runs_goes_on_and_drops_its_value_there() {
    let mut executor = with_threads(1);
    let (say, said) = mpsc::channel();
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            pass();
            OnDrop::new(move || say.send(thread::current().id()).expect("it is heard"))
        });
        let there = gate.begun();
        let task = spawn(async move { job.await.map(|_| ()) });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert!(said.try_recv().is_err(), "it runs");
        gate.let_go();
        assert_eq!(said.recv_timeout(PATIENCE), Ok(there));
    });
}

// SEM-298: a panic that nobody reads is reported, once; so is that of the value's destructor.
#[test]
fn panic_of_a_job_that_nobody_awaits_is_reported_once() {
    record_reports();
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            pass();
            panic!("nobody hears it");
        });
        gate.begun();
        drop(job);
        gate.let_go();
        let reports = reports_of_thread().await;
        assert_eq!(reports.len(), 1, "{reports:#?}");
        assert!(reports[0].contains("nobody hears it") && reports[0].contains("to_thread.rs:"));

        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            pass();
            OnDrop::new(|| panic!("the value's destructor"))
        });
        gate.begun();
        drop(job);
        gate.let_go();
        let reports = reports_of_thread().await;
        assert_eq!(reports.len(), 1, "{reports:#?}");
        assert!(reports[0].contains("the value's destructor"));
    });
    assert_eq!(take_reports(), [""; 0], "nothing on the loop's thread");
}

// SEM-298: an outcome that lies there unread goes with the future; a panic is reported then.
#[test]
fn panic_that_lies_there_unread_is_reported_with_its_future() {
    record_reports();
    let mut executor = with_threads(1);
    executor.block_on(async {
        let job = to_thread(|| panic!("read me"));
        // Behind it, on the same thread.
        assert_eq!(reports_of_thread().await, [""; 0], "somebody may still read it");
        assert!(job.is_finished());
        drop(job);
    });
    assert_one_report(&["read me"]);
}

// SEM-299: the task has ended when the job has.
#[test]
fn cancelled_task_waits_for_a_job_that_is_not_to_be_abandoned() {
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            pass();
            assert!(is_job_cancelled(), "it was told all the same");
        });
        gate.begun();
        let task = spawn(async move { job.do_not_abandon().await });
        yield_now().await;
        task.cancel("enough");
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(!task.is_finished(), "the job runs");
        gate.let_go();
        let Err(JoinError::Cancelled(cancelled)) = task.await else { panic!("it was cancelled") };
        assert!(cancelled.cleanup_errors().is_empty(), "{cancelled}");
    });
}

// SEM-299: its panic is among the errors of the cleanups; one that has not begun is taken back.
#[test]
fn panic_of_a_job_not_abandoned_is_told_with_the_cancel_and_a_queued_one_is_taken_back() {
    record_reports();
    let mut executor = with_threads(1);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            pass();
            panic!("half way");
        });
        gate.begun();
        let running = spawn(async move { job.do_not_abandon().await });
        let queued =
            spawn(async { to_thread(|| unreachable!("taken back")).do_not_abandon().await });
        yield_now().await;
        assert!(running.cancel("enough") && queued.cancel("enough"));
        assert!(queued.await.is_err_and(|error| error.is_cancelled()), "with nothing to wait for");
        gate.let_go();
        let Err(JoinError::Cancelled(cancelled)) = running.await else {
            panic!("it was cancelled")
        };
        assert!(cancelled.to_string().contains("half way"), "{cancelled}");
        assert_eq!(reports_of_thread().await, [""; 0], "it was delivered");
    });
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-300: each job has a flag of its own.
#[test]
fn job_can_ask_whether_its_future_was_dropped() {
    assert!(!is_job_cancelled(), "no job runs here");
    let mut executor = with_threads(2);
    executor.block_on(async {
        let (gate, pass) = Gate::new();
        let (say, said) = mpsc::channel();
        let unwanted = to_thread(move || {
            let before = is_job_cancelled();
            pass();
            say.send((before, is_job_cancelled())).expect("it is heard");
        });
        gate.begun();
        drop(unwanted);
        assert!(!to_thread(is_job_cancelled).await.expect("it does not panic"));
        gate.let_go();
        assert_eq!(said.recv_timeout(PATIENCE), Ok((false, true)));
    });
}

// ----- the loop ------------------------------------------------------------------------------------

// SEM-301: a job has something done on the loop's thread, and waits for it; errors come back.
#[test]
fn job_runs_a_future_on_its_loop_and_waits_for_it() {
    let mut executor = with_threads(1);
    let remote = executor.remote();
    let home = thread::current().id();
    let (ran_on, failed) = executor.block_on(async {
        let job = to_thread(move || {
            let ran_on = remote.spawn(|| async { thread::current().id() });
            let failed = remote.spawn(|| async { panic!("over here") });
            (ran_on.map(|join| join.wait()), failed.map(|join| join.wait()))
        });
        job.await.expect("it does not panic")
    });
    assert_eq!(ran_on.expect("the loop lives").expect("it ends well"), home);
    let failed: Result<(), _> = failed.expect("the loop lives");
    assert!(matches!(failed, Err(JoinError::Panicked(panic)) if panic.message() == "over here"));
}

// SEM-303: the only thread's job waits for one that waits for a thread: said once, with both lines.
#[test]
fn job_that_waits_for_a_job_on_a_full_pool_is_suspected_by_name() {
    record_reports();
    let starved_after = Some(Duration::from_millis(1));
    let settings = lone_threads::Settings { threads: 1, starved_after, ..Default::default() };
    let mut executor = with_pool(settings);
    let remote = executor.remote();
    let (tell, told) = mpsc::channel();
    executor.block_on(async {
        let inner = || async { to_thread(|| 7).await.is_ok() };
        let outer = to_thread(move || {
            let waits = remote.spawn(inner).expect("the loop lives");
            // It never would, were it not for the end of the loop.
            tell.send(waits.wait().is_ok()).expect("the test waits for it");
        });
        let begin = std::time::Instant::now();
        let mut reports = Vec::new();
        while reports.is_empty() && begin.elapsed() < PATIENCE {
            yield_now().await;
            reports = take_reports();
        }
        let [report] = &reports[..] else { panic!("one report, not {reports:#?}") };
        for words in ["WARN lone::threads: a job given", "and 1 wait in all", "all 1 threads"] {
            assert!(report.contains(words), "{words:?} is in {report}");
        }
        assert_eq!(report.matches("tests/behaviour/to_thread.rs:").count(), 2, "{report}");
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(take_reports().is_empty(), "once");
        drop(outer);
    });
    drop(executor);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(false), "the inner job was dropped unrun");
}

// SEM-301: after the loop has ended it hears so, and does not wait for what cannot come.
#[test]
fn job_that_outlives_its_loop_hears_that_the_loop_has_ended() {
    let mut executor = with_threads(1);
    let remote = executor.remote();
    let (job,) = executor.block_on(async {
        let (gate, pass) = Gate::new();
        let job = to_thread(move || {
            let endless = remote.spawn(std::future::pending::<()>).expect("the loop lives");
            pass();
            (endless.wait(), remote.spawn(|| async {}).map(|_| ()))
        });
        gate.begun();
        gate.let_go();
        (job,)
    });
    // It waits for the job; had that to wait for the loop in turn, the grace would pass.
    drop(executor);
    let (ended, refused) = crate::help::executor().block_on(job).expect("it does not panic");
    assert!(matches!(ended, Err(JoinError::Cancelled(_) | JoinError::LoopClosed)), "{ended:?}");
    assert!(refused.is_err());
}

// SEM-8, SEM-304: the end of the loop waits for what runs, and drops what is queued.
#[test]
fn loop_ending_drops_queued_jobs_and_waits_for_the_running_one() {
    record_reports();
    let mut executor = with_threads(1);
    let (gate, pass) = Gate::new();
    let (say, said) = mpsc::channel();
    let (kept, queued) = executor.block_on(async {
        let running = to_thread(move || {
            pass();
            // It is told that nobody wants it any more.
            while !is_job_cancelled() {
                thread::yield_now();
            }
            say.send("ended").expect("it is heard");
            "value"
        });
        (running, to_thread(|| unreachable!("it never runs")))
    });
    gate.begun();
    gate.let_go();
    assert!(said.try_recv().is_err(), "it runs");
    drop(executor);
    assert_eq!(said.try_recv(), Ok("ended"));
    let mut other = crate::help::executor();
    assert_eq!(other.block_on(kept).expect("it has ended well"), "value");
    assert!(matches!(other.block_on(queued), Err(JoinError::LoopClosed)));
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-9, SEM-304: one that does not end is named after the grace, and left to itself.
#[test]
fn job_that_outlasts_the_grace_is_named_and_left_to_itself() {
    record_reports();
    let mut executor = with_pool(lone_threads::Settings {
        threads: 1,
        grace: Some(Duration::from_millis(20)),
        ..Default::default()
    });
    let (gate, pass) = Gate::new();
    executor.block_on(async {
        let job = to_thread(pass);
        gate.begun();
        drop(job);
    });
    drop(executor);
    assert_one_report(&["to_thread.rs:", "lone-thread-1", "grace"]);
    gate.let_go();
}

// SEM-304: a destructor that hands over a job while the loop closes gets an answer, not a thread.
#[test]
fn job_given_to_a_loop_that_closes_is_refused() {
    let (say, said) = mpsc::channel();
    let mut executor =
        executor_with(Settings { grace: Some(Duration::ZERO), ..Settings::default() });
    executor.block_on(async {
        let bomb = OnDrop::new(move || {
            let mut refused = to_thread(|| unreachable!("it never runs"));
            say.send(matches!(
                poll_once(&mut refused).0,
                std::task::Poll::Ready(Err::<(), _>(JoinError::LoopClosed))
            ))
            .expect("it is heard");
        });
        drop(spawn(crate::help::hold_for_ever(bomb)));
        yield_now().await;
    });
    drop(executor);
    assert_eq!(said.try_recv(), Ok(true));
}

// SEM-2: where no loop runs there is no pool.
#[test]
#[should_panic(expected = "call it inside lone::run")]
fn to_thread_outside_of_a_loop_panics_with_what_to_do() {
    drop(to_thread(|| ()));
}

// SEM-33: taken is taken.
#[test]
fn future_of_a_job_polled_after_its_end_says_so() {
    let mut executor = with_threads(1);
    executor.block_on(async {
        let mut job = to_thread(|| 7);
        assert_eq!((&mut job).await.expect("it does not panic"), 7);
        assert!(matches!((&mut job).await, Err(JoinError::Taken)));
    });
}

// SEM-47: a loop that is parked is woken by the end of a job; several in one park add up.
#[test]
fn end_of_a_job_wakes_a_parked_loop() {
    let (announce, parked) = mpsc::channel();
    let mut executor = Executor::new(BoundedPark::announcing(announce)).expect("an index is free");
    let seven = executor.block_on(async {
        to_thread(move || {
            parked.recv_timeout(PATIENCE).expect("the loop parks");
            7
        })
        .await
    });
    assert_eq!(seven.expect("it does not panic"), 7);
}

// ----- the verdict ---------------------------------------------------------------------------------

/// Two tasks that wait for each other's locks and ends: C-105.
async fn deadlocked() {
    let lock = Rc::new(lone_sync::Mutex::new(()));
    let theirs = lock.clone();
    let b = Rc::new(Cell::new(None));
    let to_join = b.clone();
    let a = spawn(async move {
        let _guard = lock.lock().await;
        yield_now().await;
        let b: lone_executor::JoinHandle<()> = to_join.take().expect("it was spawned");
        b.await.expect("it never ends");
    });
    b.set(Some(spawn(async move { drop(theirs.lock().await) })));
    a.await.expect("it never ends");
}

// SEM-305, SEM-22, C-105: with a job in flight no report; once the last has ended there is one.
#[test]
fn deadlock_is_no_verdict_while_a_job_runs_and_one_as_soon_as_it_has_ended() {
    let (announce, parked) = mpsc::channel();
    let mut executor = Executor::new(BoundedPark::announcing(announce)).expect("an index is free");
    let ended = Arc::new(Mutex::new(false));
    let end = ended.clone();
    let ran = executor.try_block_on(async {
        let _unread = to_thread(move || {
            // Without the job that would have been the verdict.
            parked.recv_timeout(PATIENCE).expect("the loop parks");
            *lock(&end) = true;
        });
        deadlocked().await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("a deadlock, not {ran:?}") };
    assert!(*lock(&ended));
    assert_eq!(report.cycle().map(|cycle| cycle.len()), Some(2), "{report}");
}

// SEM-305: a queued job counts as well; one that is taken back does not.
#[test]
fn job_taken_back_gives_no_more_hope() {
    let mut executor = with_threads(1);
    let (gate, pass) = Gate::new();
    let ran = executor.try_block_on(async {
        let first = to_thread(pass);
        gate.begun();
        let queued = to_thread(|| ());
        gate.let_go();
        first.await.expect("it does not panic");
        drop(queued);
        std::future::pending::<()>().await;
    });
    assert!(matches!(ran, Err(RunError::Deadlock(_))), "{ran:?}");
}

// SEM-305, SEM-427: a job that waits for its loop is no hope for it; once it goes on it is again.
#[test]
fn job_that_waits_for_its_loop_is_no_hope_for_others() {
    let mut executor = with_threads(1);
    let (put, get) = bridge::from_loop::<u32>(1);
    let ran = executor.try_block_on(async {
        let (gate, pass) = Gate::new();
        let _unread = to_thread(move || {
            pass();
            get.get()
        });
        gate.begun();
        gate.let_go();
        Event::new().wait().await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("a deadlock, not {ran:?}") };
    assert!(report.to_string().contains("main awaits"), "{report}");
    drop(put);
}

/// A loop with one thread, in which a stall is an error at once.
fn failing_at_once() -> Executor<BoundedPark> {
    let on_stall = OnStall::Fail { after: Duration::from_millis(1) };
    let executor = executor_with(Settings { on_stall, ..Settings::default() });
    executor.attach(Pool::new(lone_threads::Settings { threads: 1, ..Default::default() }));
    executor
}

// SEM-305: main waits for a job that waits for main: no verdict, for another thread may end the wait;
// but a stall, which names both lines.
#[test]
fn main_and_its_job_that_wait_for_each_other_are_a_stall() {
    let mut executor = failing_at_once();
    let (put, get) = bridge::from_loop::<u32>(1);
    let ran = executor.try_block_on(async {
        let job = to_thread(move || get.get());
        job.await.expect("it does not panic")
    });
    let Err(RunError::Stalled(report)) = ran else { panic!("it has stalled, not {ran:?}") };
    assert!(report.to_string().contains("main awaits a job on a thread at"), "{report}");
    drop(put);
}

// SEM-305: a job that takes long is none, and one that waits with a limit goes on by itself.
#[test]
fn long_job_and_one_that_waits_with_a_limit_are_no_stall() {
    let mut executor = failing_at_once();
    let (_put, get) = bridge::from_loop::<u32>(1);
    let ran = executor.try_block_on(async {
        let slept = to_thread(|| thread::sleep(Duration::from_millis(20))).await;
        slept.expect("it does not panic");
        to_thread(move || get.get_timeout(Duration::from_millis(20))).await
    });
    let got = ran.expect("both end by themselves").expect("it does not panic");
    assert_eq!(got, Err(bridge::TryGetError::Empty));
}
