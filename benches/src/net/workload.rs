//! What is there to measure?

/// A workload of the network part, or of the wakes from another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// So many connections, each with one message of so many bytes under way.
    Echo {
        /// How many connections.
        connections: usize,
        /// How long a message is.
        bytes: usize,
        /// lone looks for work for a while before it sleeps; the others have nothing of the kind. The
        /// client sleeps.
        spins: bool,
    },
    /// Connect, one echo of 64 bytes, close: so many at a time.
    Churn {
        /// How many at a time.
        parallel: usize,
    },
    /// Connections that have had one echo, and are silent.
    Idle {
        /// How many.
        connections: usize,
    },
    /// A task asks a thread, which answers with a wake.
    Wake(Wake),
}

/// Where the thread is that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// On the loop's own core: what is measured is the way through the runtime.
    SameCore,
    /// On another core: what is measured is mostly how a core comes out of idle.
    OtherCore,
    /// On another core, looking all the time.
    Spinning,
}

const fn echo(connections: usize, bytes: usize) -> Workload {
    Workload::Echo { connections, bytes, spins: false }
}

/// All of them, by name.
pub const WORKLOADS: &[(&str, Workload)] = &[
    ("echo1x64", echo(1, 64)),
    ("echo64x64", echo(64, 64)),
    ("echo1000x64", echo(1_000, 64)),
    ("echo3000x64", echo(3_000, 64)),
    ("echo5000x64", echo(5_000, 64)),
    ("echo10000x64", echo(10_000, 64)),
    ("echo1x16384", echo(1, 16_384)),
    ("echo64x16384", echo(64, 16_384)),
    ("echo1000x16384", echo(1_000, 16_384)),
    ("echo1x64spin", Workload::Echo { connections: 1, bytes: 64, spins: true }),
    ("churn64", Workload::Churn { parallel: 64 }),
    ("idle8000", Workload::Idle { connections: 8_000 }),
    ("xt_same", Workload::Wake(Wake::SameCore)),
    ("xt_cross", Workload::Wake(Wake::OtherCore)),
    ("xt_spin", Workload::Wake(Wake::Spinning)),
];

impl Workload {
    /// The workload of this name.
    pub fn find(name: &str) -> Option<Workload> {
        WORKLOADS.iter().find(|(known, _)| *known == name).map(|(_, workload)| *workload)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = WORKLOADS.iter().find(|(_, workload)| *workload == self);
        named.expect("only those of the table are made").0
    }

    /// How large a connection's buffer is: the longest message, and a usual size at least.
    pub fn buffer(self) -> usize {
        match self {
            Workload::Echo { bytes, .. } => bytes.max(1024),
            _ => 1024,
        }
    }
}
