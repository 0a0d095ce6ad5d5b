//! What can be set about a loop, and what can be read off it?

use std::time::Duration;

use crate::budget::DEFAULT_BUDGET;
use crate::stall::OnStall;

/// What can be set about a loop's fairness, order and end, and about what it says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// After how many polls the park is looked at within a batch. Default 64; 0 counts as 1.
    pub event_interval: u32,
    /// After how much time it is looked at, if that is sooner (read every 16 polls). Default 200 us.
    pub event_period: Duration,
    /// How many operations of ours one poll may do. Default 128; 0 counts as 1.
    pub budget: u16,
    /// How long shutdown waits for the tasks that it has cancelled. `None`: for ever. Default 5 s.
    pub grace: Option<Duration>,
    /// `Some`: each batch is shuffled, the same way for the same seed, and `event_period` does not
    /// count; and [`random_below`](crate::random_below) begins with it. Default `None`: first come,
    /// first served.
    pub seed: Option<u64>,
    /// What to do when only code that is not lone's can wake anybody, and does not. Default: warn
    /// after 1 s of real time.
    pub on_stall: OnStall,
    /// Debug mode: says which polls are slow, which grants nobody comes for, and which tasks are left
    /// at the shutdown. Default off.
    pub debug: bool,
    /// From which duration on, in real time, a poll counts as slow in debug mode. Default 100 ms.
    pub slow_poll: Duration,
}

impl Settings {
    /// With what would make a loop stand still raised to the least that does not.
    pub(crate) fn clamped(mut self) -> Settings {
        self.event_interval = self.event_interval.max(1);
        self.budget = self.budget.clamp(1, u16::MAX - 1);
        if self.seed.is_some() {
            self.event_period = Duration::MAX;
        }
        self
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            event_interval: 64,
            event_period: Duration::from_micros(200),
            budget: DEFAULT_BUDGET,
            grace: Some(Duration::from_secs(5)),
            seed: None,
            on_stall: OnStall::default(),
            debug: false,
            slow_poll: Duration::from_millis(100),
        }
    }
}

/// What one [`Executor::turn`](crate::Executor::turn) has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How many tasks are ready for the next turn. If there are any, the park has been unparked.
    pub ready: usize,
    /// How many tasks are alive.
    pub tasks: usize,
}

/// How a loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many tasks are alive.
    pub tasks: usize,
    /// How many slots are occupied: by main, by tasks, by children, or retired for good.
    pub slots: usize,
    /// How many groups of children there are.
    pub groups: usize,
    /// How many are in the ready queue.
    pub ready: usize,
    /// How many turns the loop has made.
    pub turns: u64,
}
