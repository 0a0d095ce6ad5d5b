//! How do the workloads of [`net`](crate::net) stand in the table?
//!
//! Their cells come from measurements of one server alone, as those of the others; their limits are judged
//! by [`net::LIMITS`](crate::net::LIMITS), which lets two servers take turns within one run: that is steadier by
//! ten times than two measurements a second apart.

use crate::dispatch::Measure;
use crate::figures::Figures;
use crate::measure::Effort;
use crate::net::{self, Beside, LIMITS};
use crate::registry::{Group, Row, Workload, less, more};
use crate::targets::Judged;

/// Everybody who serves, in the order of the table.
const SERVERS: &[&str] = &[
    "lone",
    "tokio_ls",
    "tokio_lrt",
    "smol",
    "monoio_uring",
    "monoio_legacy",
    "compio",
    "glommio",
    "raw_mio",
    "raw_mio_buffers",
];
/// Those with tasks that a thread can wake.
const LOOPS: &[&str] = &[
    "lone",
    "tokio_ls",
    "tokio_lrt",
    "smol",
    "monoio_uring",
    "monoio_legacy",
    "compio",
    "glommio",
];

/// A workload of `net` by its name, which is its first row's, too.
macro_rules! network {
    ($name:literal, $peers:expr, $rows:expr) => {
        Workload {
            name: $name,
            group: Group::Network,
            rows: {
                const ROWS: &[Row] = $rows;
                ROWS
            },
            measure: Measure { peers: $peers, run: |peer, _| measure($name, peer) },
        }
    };
}

/// What a message costs the server, and how many there are a second.
macro_rules! echo {
    ($name:literal) => {
        network!($name, SERVERS, &[less($name, "cpu_us", "CPU us/message")])
    };
}

pub const WORKLOADS: &[Workload] = &[
    network!(
        "echo1x64",
        SERVERS,
        &[
            less("echo1x64", "cpu_us", "CPU us/message"),
            more("echo1x64_rate", "per_s", "messages/s"),
        ]
    ),
    network!("echo1x64spin", LOOPS, &[more("echo1x64spin", "per_s", "messages/s")]),
    echo!("echo64x64"),
    echo!("echo1000x64"),
    echo!("echo10000x64"),
    echo!("echo1x16384"),
    echo!("echo64x16384"),
    echo!("echo1000x16384"),
    network!("churn64", SERVERS, &[less("churn64", "cpu_us", "CPU us/connection")]),
    network!("idle8000", SERVERS, &[less("idle8000", "rss_bytes", "RSS B/connection")]),
    network!("xt_same", LOOPS, &[less("xt_same", "rt_ns", "ns/round trip")]),
    network!("xt_cross", LOOPS, &[less("xt_cross", "rt_ns", "ns/round trip")]),
    network!("xt_spin", LOOPS, &[less("xt_spin", "rt_ns", "ns/round trip")]),
];

/// How a message's cost grows with the connections: the workload of each size, by the key of its row.
const CONNECTIONS: [(&str, &str); 4] = [
    ("1e3", "echo1000x64"),
    ("3e3", "echo3000x64"),
    ("5e3", "echo5000x64"),
    ("1e4", "echo10000x64"),
];

/// Drawn as a curve; its limit is that of `echo10000x64`, by windows in turn.
pub const GROWTH: Workload = Workload {
    name: "grow_connections",
    group: Group::Growth,
    rows: &[
        less("grow_connections_1e3", "1e3", "CPU us/message"),
        less("grow_connections_3e3", "3e3", "CPU us/message"),
        less("grow_connections_5e3", "5e3", "CPU us/message"),
        less("grow_connections_1e4", "1e4", "CPU us/message"),
    ],
    measure: Measure {
        peers: &["lone", "tokio_ls", "tokio_lrt", "raw_mio"],
        run: |peer, _| {
            let mut figures = Figures::default();
            for (key, workload) in CONNECTIONS {
                figures = figures.and(key, measure(workload, peer)?.get("cpu_us")?);
            }
            Some(figures)
        },
    },
};

fn measure(workload: &str, peer: &str) -> Option<Figures> {
    let metrics = net::measure(workload, peer)?;
    let metrics = metrics.unwrap_or_else(|error| panic!("{workload} by {peer}: {error}"));
    Some(metrics.into_iter().fold(Figures::default(), |all, (key, value)| all.and(key, value)))
}

/// Judges the limits of one workload. One that could not be measured has no ratio, and comes with what has
/// failed.
pub fn judge(workload: &'static str, effort: Effort) -> (Vec<Judged>, Vec<String>) {
    let (mut judged, mut failures) = (Vec::new(), Vec::new());
    for limit in LIMITS.iter().filter(|limit| limit.workload == workload) {
        let verdict = limit.judge(effort.either(25, 5));
        let (over, ratio) = match (&verdict, limit.beside) {
            (Ok(verdict), Beside::Best) => {
                (format!("best ({})", verdict.beside), Some(verdict.ratio))
            }
            (Ok(verdict), _) => (verdict.beside.to_owned(), Some(verdict.ratio)),
            (Err(_), beside) => (beside.name(), None),
        };
        judged.push(Judged::new(workload, limit.ratio, &over, ratio));
        if let Err(error) = verdict {
            failures.push(format!("the limit of {workload} over {over}: {error}"));
        }
    }
    (judged, failures)
}
