//! What do a task, a switch and a timeout cost, beside tokio's `LocalRuntime`?
//!
//! The two take turns: a block of iterations of one, then one of the other, within one run; so what
//! is compared has seen the same machine. The figures to look at are the ratios, which are printed
//! at the end and do not depend on criterion's own timing:
//!
//! ```text
//! cargo bench -p lone-benches --bench tasks              criterion's report, then the ratios
//! cargo bench -p lone-benches --bench tasks -- --ratios  the ratios only (20 s)
//! ```
//!
//! | workload | what it is |
//! |---|---|
//! | spawn10k | spawn 10,000 trivial tasks, then await them all: per task |
//! | yield1000 | 1,000 tasks that yield 100 times each, by each runtime's own `yield_now`: per switch |
//! | switch1000 | the same with a hand-written future that wakes itself at once: per switch |
//! | join10k | spawn 10,000 tasks that wait once, then await them all: per task |
//! | group10k | the same in a `TaskGroup`, beside tokio's `JoinSet`: per child |
//! | gather10k | the same in a `gather`, beside `join_all` of the crate futures on tokio: per child |
//! | timeout | make a timeout of 10 s round a future that is pending once, and drop it: each |

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

/// Pending at its first poll, with a wake; ready at its second. The same on both runtimes, and no
/// runtime's own yield.
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

const TASKS: u64 = 10_000;
const YIELDERS: u64 = 1_000;
const YIELDS: u64 = 100;
const TIMEOUTS: u64 = 10_000;
const LONG: Duration = Duration::from_secs(10);

/// A workload: its name, how many units one iteration has, and the iteration on both runtimes.
struct Workload {
    name: &'static str,
    units: u64,
    lone: fn(&mut lone::Runtime),
    tokio: fn(&tokio::runtime::LocalRuntime),
}

const WORKLOADS: [Workload; 7] = [
    Workload { name: "spawn10k", units: TASKS, lone: lone_spawn, tokio: tokio_spawn },
    Workload { name: "yield1000", units: YIELDERS * YIELDS, lone: lone_yield, tokio: tokio_yield },
    Workload {
        name: "switch1000",
        units: YIELDERS * YIELDS,
        lone: lone_switch,
        tokio: tokio_switch,
    },
    Workload { name: "join10k", units: TASKS, lone: lone_join, tokio: tokio_join },
    Workload { name: "group10k", units: TASKS, lone: lone_group, tokio: tokio_group },
    Workload { name: "gather10k", units: TASKS, lone: lone_gather, tokio: tokio_gather },
    Workload { name: "timeout", units: TIMEOUTS, lone: lone_timeout, tokio: tokio_timeout },
];

fn lone_spawn(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|n| lone::spawn(async move { n })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it ends well");
        }
        black_box(sum);
    });
}

fn tokio_spawn(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..TASKS).map(|n| tokio::task::spawn_local(async move { n })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it ends well");
        }
        black_box(sum);
    });
}

fn lone_yield(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        let yielder = || async {
            for _ in 0..YIELDS {
                lone::yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..YIELDERS).map(|_| lone::spawn(yielder())).collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
}

fn tokio_yield(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        let yielder = || async {
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..YIELDERS).map(|_| tokio::task::spawn_local(yielder())).collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
}

async fn switcher() {
    for _ in 0..YIELDS {
        Once::default().await;
    }
}

fn lone_switch(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..YIELDERS).map(|_| lone::spawn(switcher())).collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
}

fn tokio_switch(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..YIELDERS).map(|_| tokio::task::spawn_local(switcher())).collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
}

/// Waits once.
async fn once(n: u64) -> u64 {
    Once::default().await;
    n
}

fn lone_join(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|n| lone::spawn(once(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it ends well");
        }
        black_box(sum);
    });
}

fn tokio_join(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|n| tokio::task::spawn_local(once(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it ends well");
        }
        black_box(sum);
    });
}

fn lone_group(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        let sum = std::cell::Cell::new(0);
        let ran = lone::TaskGroup::<Infallible>::run(async |group| {
            for n in 0..TASKS {
                let sum = &sum;
                drop(group.spawn(async move {
                    sum.set(sum.get() + once(n).await);
                    Ok::<(), Infallible>(())
                }));
            }
            Ok::<(), Infallible>(())
        });
        ran.await.expect("nobody fails");
        black_box(sum.get());
    });
}

fn tokio_group(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        let mut set = tokio::task::JoinSet::new();
        for n in 0..TASKS {
            set.spawn_local(once(n));
        }
        let mut sum = 0;
        while let Some(ended) = set.join_next().await {
            sum += ended.expect("it ends well");
        }
        black_box(sum);
    });
}

fn lone_gather(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        black_box(lone::gather((0..TASKS).map(once)).await);
    });
}

fn tokio_gather(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        black_box(futures_util::future::join_all((0..TASKS).map(once)).await);
    });
}

fn lone_timeout(runtime: &mut lone::Runtime) {
    runtime.block_on(async {
        for _ in 0..TIMEOUTS {
            lone::timeout(LONG, Once::default()).await.expect("it is in time");
        }
    });
}

fn tokio_timeout(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
        for _ in 0..TIMEOUTS {
            tokio::time::timeout(LONG, Once::default()).await.expect("it is in time");
        }
    });
}

fn runtimes() -> (lone::Runtime, tokio::runtime::LocalRuntime) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("tokio has descriptors");
    (lone::Runtime::new().expect("lone has descriptors"), tokio)
}

fn with_criterion(criterion: &mut Criterion) {
    let (mut lone, tokio) = runtimes();
    for workload in &WORKLOADS {
        let mut group = criterion.benchmark_group(workload.name);
        group.throughput(Throughput::Elements(workload.units));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        group.bench_function("lone", |bencher| bencher.iter(|| (workload.lone)(&mut lone)));
        group.bench_function("tokio", |bencher| bencher.iter(|| (workload.tokio)(&tokio)));
        group.finish();
    }
}

/// The medians of both, in ns a unit, of blocks that take turns.
fn interleaved(workload: &Workload) -> (f64, f64) {
    const BLOCKS: usize = 31;
    const BLOCK: Duration = Duration::from_millis(100);
    let (mut lone, tokio) = runtimes();
    let block = |run: &mut dyn FnMut()| {
        let (begin, mut iterations) = (Instant::now(), 0);
        while begin.elapsed() < BLOCK {
            run();
            iterations += 1;
        }
        begin.elapsed().as_nanos() as f64 / (iterations * workload.units) as f64
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        ours.push(block(&mut || (workload.lone)(&mut lone)));
        theirs.push(block(&mut || (workload.tokio)(&tokio)));
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    (median(ours), median(theirs))
}

#[expect(clippy::print_stdout, reason = "the ratios are this program's output")]
fn main() {
    if !std::env::args().any(|argument| argument == "--ratios") {
        let mut criterion = Criterion::default().configure_from_args();
        with_criterion(&mut criterion);
        criterion.final_summary();
        if std::env::args().any(|argument| argument == "--test") {
            return;
        }
    }
    println!("{:<12} {:>10} {:>10} {:>8}", "workload", "lone ns", "tokio ns", "ratio");
    for workload in &WORKLOADS {
        let (ours, theirs) = interleaved(workload);
        let name = workload.name;
        println!("{name:<12} {ours:>10.1} {theirs:>10.1} {:>8.3}", ours / theirs);
    }
}
