//! Is a wake ever lost between threads? A million of them, and the task has to see them all.
//!
//! No test here can hang: the park gives up when nobody wakes it, and that is the failure.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lone_executor::Executor;
use lone_tests::bounded_park::{BoundedPark, PATIENCE};

const THREADS: usize = 4;

/// A debug build on two cores takes a second; under valgrind it takes longer, and may.
const LIMIT: Duration = Duration::from_secs(10);

/// What the threads count, and whom they wake after that.
#[derive(Default)]
struct Counter {
    seen: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Counter {
    /// The waker of the task that waits; blocks until there is one.
    fn waker(&self) -> Waker {
        let begin = Instant::now();
        loop {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(waker) = waker {
                return waker;
            }
            assert!(begin.elapsed() < PATIENCE, "the task was never polled");
            thread::yield_now();
        }
    }

    /// Waits until `all` have been counted: it is woken after each, and must see the last one.
    async fn wait_for(&self, all: usize) -> usize {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            waker.get_or_insert_with(|| cx.waker().clone());
            if self.seen.load(Ordering::SeqCst) == all { Poll::Ready(polls) } else { Poll::Pending }
        })
        .await
    }
}

fn threads(work: impl Fn(usize) + Clone + Send + 'static) -> Vec<JoinHandle<()>> {
    (0..THREADS)
        .map(|number| {
            let work = work.clone();
            thread::spawn(move || work(number))
        })
        .collect()
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a thread that wakes does not panic");
    }
}

fn executor() -> Executor<BoundedPark> {
    Executor::new(BoundedPark::new()).expect("a loop index is free")
}

// SEM-46, SEM-47: a million wakes as fast as they come.
#[test]
fn a_million_wakes_from_four_threads_lose_none() {
    const EACH: usize = 250_000;
    let begin = Instant::now();
    let counter = Arc::new(Counter::default());
    let shared = counter.clone();
    let threads = threads(move |_| {
        let waker = shared.waker();
        for n in 0..EACH {
            shared.seen.fetch_add(1, Ordering::SeqCst);
            // By reference and by value in turn.
            let clone = waker.clone();
            if n % 2 == 0 { waker.wake_by_ref() } else { clone.wake() }
        }
    });
    let polls = executor().block_on(counter.wait_for(THREADS * EACH));
    join(threads);
    assert!(polls <= THREADS * EACH + 1, "{polls} polls: more than there were wakes");
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}

/// Goes up by one when all threads have been answered.
#[derive(Default)]
struct Round {
    number: Mutex<usize>,
    changed: Condvar,
}

impl Round {
    fn begin(&self, number: usize) {
        *self.number.lock().unwrap_or_else(PoisonError::into_inner) = number;
        self.changed.notify_all();
    }

    fn wait_for(&self, number: usize) {
        let round = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(round, PATIENCE, |now| *now < number);
        let (_round, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "round {number} never began: a wake was lost");
    }
}

// SEM-46, SEM-47: rounds in which the loop runs dry and parks before the threads go on.
#[test]
fn wakes_of_a_loop_that_parks_in_between_lose_none() {
    const ROUNDS: usize = 2_000;
    let begin = Instant::now();
    let (counter, round) = (Arc::new(Counter::default()), Arc::new(Round::default()));
    let (shared, next) = (counter.clone(), round.clone());
    let threads = threads(move |_| {
        let waker = shared.waker();
        for number in 1..=ROUNDS {
            next.wait_for(number);
            shared.seen.fetch_add(1, Ordering::SeqCst);
            waker.wake_by_ref();
        }
    });
    let mut executor = executor();
    executor.block_on(async {
        for number in 1..=ROUNDS {
            // Whether the loop parks first or the threads are first is theirs to decide.
            round.begin(number);
            counter.wait_for(number * THREADS).await;
        }
    });
    join(threads);
    assert!(executor.park().waits() > 0, "it has parked");
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}

// SEM-46: four threads wake a hundred tasks each in turn; every task sees its own last wake.
#[test]
fn wakes_of_many_tasks_from_four_threads_lose_none() {
    const TASKS: usize = 100;
    const EACH: usize = 500;
    let begin = Instant::now();
    let counters: Arc<Vec<Counter>> = Arc::new((0..TASKS).map(|_| Counter::default()).collect());
    let shared = counters.clone();
    let threads = threads(move |_| {
        let wakers: Vec<Waker> = shared.iter().map(Counter::waker).collect();
        for _ in 0..EACH {
            for (counter, waker) in shared.iter().zip(&wakers) {
                counter.seen.fetch_add(1, Ordering::SeqCst);
                waker.wake_by_ref();
            }
        }
    });
    executor().block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let counters = counters.clone();
                lone_executor::spawn(async move { counters[task].wait_for(THREADS * EACH).await })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
    join(threads);
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}

// SEM-23: threads that go on waking while loops end under their feet.
#[test]
fn wakes_racing_with_the_end_of_the_loop_do_nothing() {
    for _ in 0..200 {
        let counter = Arc::new(Counter::default());
        let shared = counter.clone();
        let threads = threads(move |_| {
            let waker = shared.waker();
            for _ in 0..50 {
                waker.wake_by_ref();
            }
        });
        let mut executor = executor();
        let task = counter.clone();
        drop(executor.spawn(async move { task.wait_for(1).await }));
        executor.turn(Some(Duration::ZERO)).expect("the park works");
        drop(executor);
        join(threads);
    }
}

// SEM-23, SEM-47: spawns from four threads are all run, and all their outcomes arrive.
#[test]
fn spawns_from_four_threads_are_all_run_and_answered() {
    const EACH: usize = 500;
    let mut executor = executor();
    let (remote, counter) = (executor.remote(), Arc::new(Counter::default()));
    let shared = counter.clone();
    let threads = threads(move |number| {
        let waker = shared.waker();
        for n in 0..EACH {
            let joined = remote.spawn(move || async move { number * EACH + n });
            let joined = joined.expect("the loop is alive").wait();
            assert_eq!(joined.expect("it ends well"), number * EACH + n);
        }
        shared.seen.fetch_add(1, Ordering::SeqCst);
        waker.wake();
    });
    executor.block_on(counter.wait_for(THREADS));
    join(threads);
}

// ----- bridges -------------------------------------------------------------------------------------

const ITEMS: usize = 100_000;

/// Asserts that each thread's items came in order, and that all came.
fn assert_all_in_order(got: &[(usize, usize)]) {
    let mut next = [0; THREADS];
    for (thread, n) in got {
        assert_eq!(*n, next[*thread], "of thread {thread}");
        next[*thread] += 1;
    }
    assert_eq!(next, [ITEMS / THREADS; THREADS]);
}

// SEM-425, SEM-426: 100,000 items from four threads: none is lost, and each thread's are in order.
#[test]
fn items_of_four_threads_reach_the_loop_in_the_order_of_each() {
    let (put, get) = lone::bridge::to_loop(8);
    let threads = threads(move |thread| {
        for n in 0..ITEMS / THREADS {
            put.put((thread, n)).expect("the loop gets all");
        }
    });
    let got = executor().block_on(async {
        let mut got = Vec::with_capacity(ITEMS);
        while let Some(item) = get.next().await {
            got.push(item);
        }
        got
    });
    assert_all_in_order(&got);
    join(threads);
}

// SEM-423, SEM-425: as many to four threads, from four tasks, which all wait for room.
#[test]
fn items_of_four_tasks_reach_four_threads_each_once() {
    let (put, get) = lone::bridge::from_loop(8);
    let (say, said) = std::sync::mpsc::channel();
    let threads = threads(move |_| {
        let mut got: Vec<(usize, usize)> = Vec::new();
        while let Ok(item) = get.get() {
            got.push(item);
        }
        for task in 0..THREADS {
            let of_task = got.iter().filter(|(by, _)| *by == task);
            assert!(of_task.is_sorted(), "first come, first served");
        }
        say.send(got).expect("the test waits for it");
    });
    executor().block_on(async {
        let put = std::rc::Rc::new(put);
        let tasks: Vec<_> = (0..THREADS)
            .map(|task| {
                let put = put.clone();
                lone_executor::spawn(async move {
                    for n in 0..ITEMS / THREADS {
                        put.put((task, n)).await.expect("the threads get all");
                    }
                })
            })
            .collect();
        drop(put);
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
    join(threads);
    let mut got: Vec<_> = said.try_iter().flatten().collect();
    got.sort_unstable();
    assert_all_in_order(&got);
}

// SEM-294, SEM-295: 10,000 jobs on four threads, some of them dropped, each runs once or never.
#[test]
fn ten_thousand_jobs_some_of_which_are_dropped_run_once_or_never() {
    const JOBS: usize = 10_000;
    let ran = Arc::new(AtomicUsize::new(0));
    let mut executor = executor();
    let settings = lone_threads::Settings { threads: THREADS, ..Default::default() };
    executor.attach(lone_threads::Pool::new(settings));
    let kept = executor.block_on(async {
        let jobs: Vec<_> = (0..JOBS)
            .map(|n| {
                let ran = ran.clone();
                lone_threads::to_thread(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                    n
                })
            })
            .collect();
        let mut kept = 0;
        for (n, job) in jobs.into_iter().enumerate() {
            if n % 3 != 0 {
                kept += 1;
                assert_eq!(job.await.expect("it does not panic"), n);
            }
        }
        kept
    });
    drop(executor);
    let ran = ran.load(Ordering::SeqCst);
    assert!((kept..=JOBS).contains(&ran), "{ran} of {JOBS} ran, of which {kept} were awaited");
}
