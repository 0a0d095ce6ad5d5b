//! What are the hot paths? Small programs, each so many times what is counted.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lone::{Event, Mutex, Queue, Semaphore, TaskGroup, gather, sleep, spawn, timeout, yield_now};

use crate::network;

/// One of them.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// How many are enough for a count without a rest.
    pub(crate) units: usize,
    pub(crate) run: fn(usize),
}

/// The names are those of the benches beside it, where there is one.
pub(crate) const PATHS: [Path; 20] = [
    Path { name: "spawn10k", units: 20_000, run: spawn_many },
    Path { name: "spawn1", units: 10_000, run: spawn_one },
    Path { name: "yield1", units: 20_000, run: |n| yields(1, n) },
    Path { name: "yield2", units: 20_000, run: |n| yields(2, n) },
    Path { name: "yield1000", units: 50_000, run: |n| yields(1_000, n) },
    Path { name: "clone_wake", units: 10_000, run: clone_and_wake },
    Path { name: "pingpong", units: 10_000, run: ping_pong },
    Path { name: "mpsc1", units: 20_000, run: through_a_queue },
    Path { name: "queue_free", units: 20_000, run: queue_without_waiting },
    Path { name: "sem_free", units: 20_000, run: semaphore_without_waiting },
    Path { name: "sem_cont", units: 20_000, run: semaphore_in_line },
    Path { name: "mutex_free", units: 20_000, run: mutex_without_waiting },
    Path { name: "event", units: 20_000, run: event_of_many },
    Path { name: "tmo_ready", units: 20_000, run: timeout_of_what_is_ready },
    Path { name: "tmo_pend", units: 10_000, run: timeout_that_never_comes },
    Path { name: "timer", units: 20_000, run: timer_set_and_dropped },
    Path { name: "gather", units: 20_000, run: gather_many },
    Path { name: "group", units: 10_000, run: group_of_many },
    Path { name: "message", units: 6_400, run: network::messages },
    Path { name: "connection", units: 1_280, run: network::connections },
];

/// Tasks at a time.
const MANY: usize = 10_000;

/// Pending at its first poll, with a wake; ready at its second.
#[derive(Default)]
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// As [`Once`], with a waker that is cloned and woken by value, as foreign code does.
#[derive(Default)]
struct Cloned(bool);

impl Future for Cloned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        black_box(cx.waker().clone()).wake();
        Poll::Pending
    }
}

/// In a fresh runtime.
pub(crate) fn run(main: impl Future<Output = ()>) {
    lone::Runtime::new().expect("there are descriptors").block_on(main);
}

/// Awaits them one after the other.
async fn join_all<T>(tasks: Vec<lone::JoinHandle<T>>) {
    for task in tasks {
        black_box(task.await.expect("it neither panics nor is cancelled"));
    }
}

fn spawn_many(units: usize) {
    run(async {
        for _ in 0..units / MANY {
            join_all((0..MANY).map(|n| spawn(async move { n })).collect()).await;
        }
    });
}

fn spawn_one(units: usize) {
    run(async {
        for n in 0..units {
            black_box(spawn(async move { n }).await.expect("it neither panics nor is cancelled"));
        }
    });
}

fn yields(tasks: usize, units: usize) {
    let each = units / tasks;
    run(async {
        let yielder = || async move {
            for _ in 0..each {
                Once::default().await;
            }
        };
        join_all((0..tasks).map(|_| spawn(yielder())).collect()).await;
    });
}

fn clone_and_wake(units: usize) {
    run(async {
        for _ in 0..units {
            Cloned::default().await;
        }
    });
}

fn ping_pong(units: usize) {
    run(async {
        let (there, back) = (Rc::new(Queue::bounded(1)), Rc::new(Queue::bounded(1)));
        let other = spawn({
            let (there, back) = (there.clone(), back.clone());
            async move {
                while let Ok(item) = there.get().await {
                    back.put(item).await.expect("it is open");
                }
            }
        });
        for item in 0..units {
            there.put(item).await.expect("it is open");
            black_box(back.get().await.expect("it is open"));
        }
        there.shutdown();
        other.await.expect("it neither panics nor is cancelled");
    });
}

fn through_a_queue(units: usize) {
    run(async {
        let queue = Rc::new(Queue::bounded(64));
        let producer = spawn({
            let queue = queue.clone();
            async move {
                for item in 0..units {
                    queue.put(item).await.expect("it is open");
                }
            }
        });
        for _ in 0..units {
            black_box(queue.get().await.expect("it is open"));
        }
        producer.await.expect("it neither panics nor is cancelled");
    });
}

fn queue_without_waiting(units: usize) {
    run(async {
        let queue = Queue::bounded(64);
        for item in 0..units {
            queue.put(item).await.expect("it is open");
            black_box(queue.get().await.expect("it is open"));
        }
    });
}

fn semaphore_without_waiting(units: usize) {
    run(async {
        let semaphore = Semaphore::new(10);
        for _ in 0..units {
            drop(black_box(semaphore.acquire().await));
        }
    });
}

fn semaphore_in_line(units: usize) {
    const TASKS: usize = 1_000;
    let each = units / TASKS;
    run(async {
        let semaphore = Rc::new(Semaphore::new(10));
        let acquirer = |semaphore: Rc<Semaphore>| async move {
            for _ in 0..each {
                let _permit = semaphore.acquire().await;
                yield_now().await;
            }
        };
        join_all((0..TASKS).map(|_| spawn(acquirer(semaphore.clone()))).collect()).await;
    });
}

fn mutex_without_waiting(units: usize) {
    run(async {
        let mutex = Mutex::new(0);
        for _ in 0..units {
            *mutex.lock().await += 1;
        }
        black_box(mutex.into_inner());
    });
}

fn event_of_many(units: usize) {
    run(async {
        for _ in 0..units / MANY {
            let event = Rc::new(Event::new());
            let waiter = |event: Rc<Event>| async move { event.wait().await };
            let tasks = (0..MANY).map(|_| spawn(waiter(event.clone()))).collect();
            yield_now().await;
            event.set();
            join_all(tasks).await;
        }
    });
}

const LONG: Duration = Duration::from_secs(10);

fn timeout_of_what_is_ready(units: usize) {
    run(async {
        for n in 0..units {
            black_box(timeout(LONG, async { black_box(n) }).await.expect("it is in time"));
        }
    });
}

fn timeout_that_never_comes(units: usize) {
    run(async {
        for _ in 0..units {
            timeout(LONG, Once::default()).await.expect("it is in time");
        }
    });
}

fn timer_set_and_dropped(units: usize) {
    run(std::future::poll_fn(|cx| {
        for _ in 0..units {
            let mut sleep = sleep(LONG);
            assert!(Pin::new(&mut sleep).poll(cx).is_pending(), "it is ten seconds long");
        }
        Poll::Ready(())
    }));
}

fn gather_many(units: usize) {
    run(async {
        for _ in 0..units / MANY {
            let child = |n| async move {
                Once::default().await;
                n
            };
            black_box(gather((0..MANY).map(child)).await);
        }
    });
}

fn group_of_many(units: usize) {
    run(async {
        let ran = TaskGroup::<Infallible>::run(async |group| {
            for _ in 0..units {
                drop(group.spawn(async {
                    Once::default().await;
                    Ok::<(), Infallible>(())
                }));
            }
            Ok::<(), Infallible>(())
        });
        ran.await.expect("nobody fails");
    });
}
