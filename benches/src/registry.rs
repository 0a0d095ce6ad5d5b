//! Which workloads are there, and which rows of the table do they give?

use crate::dispatch::Measure;
use crate::workloads::{
    channels, events, groups, growth, join_all, memory, precision, ring, semaphores, sleeps,
    spawn1, spawn10k, timeouts, yields,
};
use crate::{on_tasks, on_timers, on_tokio};

/// What is drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Tasks,
    Waiting,
    Time,
    Memory,
    Network,
    /// A curve over sizes, not bars: one chart for each workload.
    Growth,
}

/// Is less of it better, or more?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

/// A line of the table: one figure of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// The figure's key in what the measurement prints.
    pub key: &'static str,
    pub unit: &'static str,
    pub better: Better,
}

#[derive(Clone, Copy)]
pub struct Workload {
    /// As in the command line.
    pub name: &'static str,
    pub group: Group,
    pub rows: &'static [Row],
    pub measure: Measure,
}

/// A row of which less is better.
pub const fn less(name: &'static str, key: &'static str, unit: &'static str) -> Row {
    Row { name, key, unit, better: Better::Less }
}

/// A row of which more is better.
pub const fn more(name: &'static str, key: &'static str, unit: &'static str) -> Row {
    Row { name, key, unit, better: Better::More }
}

const fn workload(
    name: &'static str,
    group: Group,
    rows: &'static [Row],
    measure: Measure,
) -> Workload {
    Workload { name, group, rows, measure }
}

/// All workloads, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Workload> {
    let growth = GROWTH.iter().chain(GROWTH_OF_NETWORK);
    TASKS.iter().chain(WAITING).chain(TIME).chain(MEMORY).chain(NETWORK).chain(growth)
}

#[cfg(feature = "peers")]
use crate::network::WORKLOADS as NETWORK;
#[cfg(not(feature = "peers"))]
const NETWORK: &[Workload] = &[];
#[cfg(feature = "peers")]
const GROWTH_OF_NETWORK: &[Workload] = &[crate::network::GROWTH];
#[cfg(not(feature = "peers"))]
const GROWTH_OF_NETWORK: &[Workload] = &[];

const TASKS: &[Workload] = &[
    workload(
        "spawn10k",
        Group::Tasks,
        &[less("spawn10k", "ns", "ns/task")],
        on_tasks!(spawn10k::measure),
    ),
    workload(
        "spawn1",
        Group::Tasks,
        &[less("spawn1", "ns", "ns/task")],
        on_tasks!(spawn1::measure),
    ),
    workload(
        "yield100k",
        Group::Tasks,
        &[less("yield100k", "ns", "ns/switch")],
        on_tasks!(yields::yield100k),
    ),
    workload(
        "ring1000",
        Group::Tasks,
        &[less("ring1000", "ns", "ns/switch")],
        on_tasks!(ring::measure),
    ),
    workload(
        "yield1",
        Group::Tasks,
        &[less("yield1", "ns", "ns/switch")],
        on_tasks!(yields::yield1),
    ),
    workload(
        "yield2",
        Group::Tasks,
        &[less("yield2", "ns", "ns/switch")],
        on_tasks!(yields::yield2),
    ),
    workload(
        "yield1_rt",
        Group::Tasks,
        &[less("yield1_rt", "ns", "ns/switch")],
        on_tasks!(yields::yield1_rt),
    ),
    workload(
        "yield100_rt",
        Group::Tasks,
        &[less("yield100_rt", "ns", "ns/switch")],
        on_tasks!(yields::yield100_rt),
    ),
    workload(
        "join_yield",
        Group::Tasks,
        &[less("join_yield", "ns", "ns/future")],
        on_tasks!(join_all::join_yield),
    ),
    workload(
        "group10k",
        Group::Tasks,
        &[less("group10k", "ns", "ns/child")],
        on_tokio!(groups::measure),
    ),
];

const WAITING: &[Workload] = &[
    workload(
        "pingpong",
        Group::Waiting,
        &[less("pingpong", "ns", "ns/round trip")],
        on_tasks!(channels::measure_pingpong),
    ),
    workload(
        "mpsc1",
        Group::Waiting,
        &[less("mpsc1", "ns", "ns/item")],
        on_tasks!(channels::mpsc1),
    ),
    workload(
        "mpsc8",
        Group::Waiting,
        &[less("mpsc8", "ns", "ns/item")],
        on_tasks!(channels::mpsc8),
    ),
    workload(
        "queue_free",
        Group::Waiting,
        &[less("queue_free", "ns", "ns/put+get")],
        on_tasks!(channels::measure_queue_free),
    ),
    workload(
        "sem_free",
        Group::Waiting,
        &[less("sem_free", "ns", "ns/acquire")],
        on_tasks!(semaphores::sem_free),
    ),
    workload(
        "sem_cont",
        Group::Waiting,
        &[less("sem_cont", "ns", "ns/acquire")],
        on_tasks!(semaphores::sem_cont),
    ),
    workload(
        "event",
        Group::Waiting,
        &[less("event", "ns", "ns/waiter")],
        on_tasks!(events::event),
    ),
    workload(
        "event_set",
        Group::Waiting,
        &[less("event_set", "ns", "ns/set+wait")],
        on_tasks!(events::event_set),
    ),
];

const TIME: &[Workload] = &[
    workload(
        "tmo_ready",
        Group::Time,
        &[less("tmo_ready", "ns", "ns/timeout")],
        on_timers!(timeouts::tmo_ready),
    ),
    workload(
        "tmo_pend",
        Group::Time,
        &[less("tmo_pend", "ns", "ns/timeout")],
        on_timers!(timeouts::tmo_pend),
    ),
    workload(
        "join_sleep0",
        Group::Time,
        &[less("join_sleep0", "ns", "ns/future")],
        on_timers!(join_all::join_sleep0),
    ),
    workload(
        "sleeps",
        Group::Time,
        &[
            less("sleeps_cpu", "cpu", "CPU ns/sleep"),
            less("sleeps_wall", "wall", "ms"),
            less("sleeps_late", "late", "ms mean"),
        ],
        on_timers!(sleeps::measure),
    ),
    workload(
        "prec",
        Group::Time,
        &[
            less("prec100us", "100us", "us over"),
            less("prec100us_p99", "100us_p99", "us over"),
            less("prec1ms", "1ms", "us over"),
            less("prec1ms_p99", "1ms_p99", "us over"),
            less("prec10ms", "10ms", "us over"),
            less("prec10ms_p99", "10ms_p99", "us over"),
        ],
        on_timers!(precision::measure),
    ),
];

const MEMORY: &[Workload] = &[
    workload(
        "mem_event",
        Group::Memory,
        &[
            less("mem_event_live", "live", "live B/task"),
            less("mem_event_rss", "rss", "RSS B/task"),
            less("mem_event_allocs", "allocations", "allocations/task"),
        ],
        on_tasks!(memory::mem_event),
    ),
    workload(
        "mem_pending",
        Group::Memory,
        &[
            less("mem_pending_live", "live", "live B/task"),
            less("mem_pending_rss", "rss", "RSS B/task"),
            less("mem_pending_allocs", "allocations", "allocations/task"),
        ],
        on_tasks!(memory::mem_pending),
    ),
];

const GROWTH: &[Workload] = &[
    workload(
        "grow_switch",
        Group::Growth,
        &[
            less("grow_switch_1e3", "1e3", "ns/switch"),
            less("grow_switch_1e4", "1e4", "ns/switch"),
            less("grow_switch_1e5", "1e5", "ns/switch"),
            less("grow_switch_1e6", "1e6", "ns/switch"),
        ],
        on_tokio!(growth::switch),
    ),
    workload(
        "grow_timer",
        Group::Growth,
        &[
            less("grow_timer_1e3", "1e3", "ns/timer"),
            less("grow_timer_1e4", "1e4", "ns/timer"),
            less("grow_timer_1e5", "1e5", "ns/timer"),
            less("grow_timer_1e6", "1e6", "ns/timer"),
            less("grow_timer_1e7", "1e7", "ns/timer"),
        ],
        on_tokio!(growth::timer),
    ),
];

#[cfg(test)]
mod tests {
    use super::all;
    use crate::measure::Effort;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let mut names: Vec<_> = all().flat_map(|workload| workload.rows).map(|r| r.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_measurement_gives_all_rows_of_its_workload() {
        let workload = all().find(|workload| workload.name == "sleeps").expect("it is there");
        let figures = (workload.measure.run)("lone", Effort { quick: true }).expect("it runs");
        for row in workload.rows {
            assert!(figures.get(row.key).is_some_and(|value| value > 0.0), "{}", row.name);
        }
        assert!((workload.measure.run)("nobody", Effort { quick: true }).is_none());
    }
}
