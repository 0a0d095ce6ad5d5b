//! What do a task, a switch and a timeout cost, on lone and on tokio, with criterion's statistics?
//!
//! The workloads are those of `compare`, which sets all peers side by side; this is for following one of
//! them from change to change. Timed is the CPU time of the process.
//!
//! ```text
//! cargo bench -p lone-benches --bench tasks -- yield100k
//! ```

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use lone_benches::measure::cpu_now;
use lone_benches::peer::{Timers, in_task};
use lone_benches::peers::lone::Lone;
use lone_benches::peers::tokio::Tokio;
use lone_benches::workloads::{channels, join_all, semaphores, spawn1, spawn10k, timeouts, yields};

/// One workload on one peer: `block` is run as often as criterion wants.
fn bench<P: Timers>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    block: impl AsyncFn() + Copy + 'static,
) {
    group.bench_function(P::NAME, |bencher| {
        bencher.iter_custom(|blocks| {
            in_task::<P, _>(async move {
                let begin = cpu_now();
                for _ in 0..blocks {
                    block().await;
                }
                Duration::from_nanos(cpu_now() - begin)
            })
        });
    });
}

/// The same workload on lone and on tokio: a name, the units of a block, the block over a peer.
macro_rules! both {
    ($criterion:ident, $name:literal, $units:expr, $peer:ident => $block:expr) => {{
        let mut group = $criterion.benchmark_group($name);
        group.throughput(Throughput::Elements($units));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        {
            type $peer = Lone;
            bench::<$peer>(&mut group, async move || $block.await);
        }
        {
            type $peer = Tokio<false>;
            bench::<$peer>(&mut group, async move || $block.await);
        }
        group.finish();
    }};
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (tasks, times) = yields::MANY;
    let contended = semaphores::TASKS * semaphores::ACQUIRES;
    both!(criterion, "spawn10k", spawn10k::UNITS, P => spawn10k::block::<P>());
    both!(criterion, "spawn1", spawn1::UNITS, P => spawn1::block::<P>());
    both!(criterion, "yield100k", tasks * times, P => yields::by_hand::<P>(tasks, times));
    both!(criterion, "yield100_rt", 100 * 200, P => yields::by_runtime::<P>(100, 200));
    both!(criterion, "join_yield", join_all::UNITS, P => join_all::yields::<P>());
    both!(criterion, "pingpong", channels::ITEMS, P => channels::pingpong::<P>());
    both!(criterion, "mpsc8", channels::ITEMS, P => channels::mpsc::<P>(8));
    both!(criterion, "sem_free", semaphores::FREE, P => semaphores::free::<P>());
    both!(criterion, "sem_cont", contended, P => semaphores::contended::<P>());
    both!(criterion, "tmo_pend", timeouts::UNITS, P => timeouts::round_pending::<P>());
    criterion.final_summary();
}
