//! The words of a trace: who, because of what, and what happened.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::awaits::Await;
use crate::task_id::TaskId;

/// Who is polled or woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who {
    /// The future given to `block_on` or `run`.
    Main,
    /// A spawned task.
    Task(TaskId),
    /// A child of a group.
    Child {
        /// Which child of its group, from 0.
        member: u32,
        /// The task that polls the group, or that the one which polls it belongs to; `None`: main.
        of: Option<TaskId>,
    },
    /// Somebody who has ended, or whom this loop does not know.
    Unknown,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Main => f.write_str("main"),
            Who::Task(id) => write!(f, "{id}"),
            Who::Child { member, of: Some(task) } => write!(f, "child {member} of {task}"),
            Who::Child { member, of: None } => write!(f, "child {member} of main"),
            Who::Unknown => f.write_str("somebody"),
        }
    }
}

/// Because of what somebody was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Whoever was being polled did it: set an event, released a permit, finished.
    Who(Who),
    /// A deadline has passed.
    Timer {
        /// Which timer of its loop.
        timer: u64,
    },
    /// A source has become ready.
    Source {
        /// Which source of its loop.
        source: u64,
    },
    /// It came in through the inbox: another thread, another loop, or between two turns.
    Inbox,
    /// The loop is shutting down.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Who(who) => write!(f, "{who}"),
            Cause::Timer { timer } => write!(f, "timer {timer}"),
            Cause::Source { source } => write!(f, "source {source}"),
            Cause::Inbox => f.write_str("the inbox"),
            Cause::Shutdown => f.write_str("the shutdown"),
        }
    }
}

/// What has happened. The tag of each is its station or beat: see the picture at the module.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields say what they are; each variant says what happened")]
pub enum Event {
    /// `[1]` A task was made.
    Spawn { task: TaskId, by: Who, site: &'static Location<'static>, size: usize },
    /// `[1]` A task was given a name.
    Named { task: TaskId, name: String },
    /// `[1]` A group of children was made.
    Children { count: usize, by: Who },
    /// `[1]` A child was added to a group that lives.
    AddedChild { child: Who, by: Who },
    /// `[2]` Somebody was put at the back of the ready queue.
    Enqueue { who: Who },
    /// `[3]` Somebody left the front of the ready queue.
    Dequeue { who: Who },
    /// `[4]` Somebody is polled.
    Poll { who: Who },
    /// `[5]` The poll returned Pending: what is awaited now.
    Pending { who: Who, awaits: Vec<Await> },
    /// `[6]` Somebody was woken; `again`: it stood in a queue already.
    Wake { who: Who, by: Cause, again: bool },
    /// `[7]` The body returned.
    Complete { who: Who },
    /// `[7]` The body panicked.
    Panicked { who: Who },
    /// `[7]` A cancel was asked for.
    Cancel { task: TaskId, by: Who, reason: String },
    /// `[7]` The body was dropped at its await point.
    Stopped { task: TaskId, reason: String },
    /// `[8]` Who waited for a task's end is told.
    Join { task: TaskId },
    /// `[9]` The slot is free again.
    Reap { task: TaskId },
    /// A turn of the loop begins.
    Turn { number: u64 },
    /// a: what came in from outside was taken in.
    Drain { items: usize },
    /// b: so many were ready when the turn began, and are polled now.
    Batch { ready: usize },
    /// c: nobody is ready; how long the loop may sleep.
    Ask { limit: Option<Duration> },
    /// d: the loop waits for events, at most so long; and so long it is to the next deadline, which
    /// ends the wait too.
    Park { limit: Option<Duration>, deadline: Option<Duration> },
    /// e: the wait is over.
    Unpark,
    /// e: a deadline has passed.
    Fire { timer: u64 },
    /// A timer was put into the wheel.
    Arm { timer: u64, who: Who, wait: Duration, level: u8, slot: u8 },
    /// A timer has sunk to a lower level of the wheel, as its deadline has come nearer.
    Cascade { timer: u64, from: (u8, u8), to: (u8, u8) },
    /// A timer was taken out before its deadline.
    Disarm { timer: u64 },
    /// A source was registered.
    Interest { source: u64, what: &'static str },
    /// e: a source has become ready.
    Readiness { source: u64, readable: bool, writable: bool },
    /// A source has gone.
    Deregister { source: u64 },
    /// Somebody stands in a wait list, at that place.
    Wait { object: String, who: Who, place: usize },
    /// A permit, item or notice was handed to somebody.
    Grant { object: String, who: Who },
    /// What the program itself says.
    Note { who: Who, text: String },
    /// Somebody has left a wait list without a grant.
    Leave { object: String, who: Who },
}

impl Event {
    /// The station or beat: `1` to `9`, `a` to `e`, or a space for what belongs to none.
    #[must_use]
    pub fn tag(&self) -> char {
        match self {
            Event::Spawn { .. }
            | Event::Named { .. }
            | Event::Children { .. }
            | Event::AddedChild { .. } => '1',
            Event::Enqueue { .. } => '2',
            Event::Dequeue { .. } => '3',
            Event::Poll { .. } => '4',
            Event::Pending { .. } | Event::Wait { .. } | Event::Leave { .. } => '5',
            Event::Wake { .. } | Event::Grant { .. } => '6',
            Event::Complete { .. }
            | Event::Panicked { .. }
            | Event::Cancel { .. }
            | Event::Stopped { .. } => '7',
            Event::Join { .. } => '8',
            Event::Reap { .. } => '9',
            Event::Turn { .. } => '─',
            Event::Drain { .. } => 'a',
            Event::Batch { .. } => 'b',
            Event::Ask { .. } => 'c',
            Event::Park { .. } => 'd',
            Event::Unpark | Event::Fire { .. } | Event::Readiness { .. } => 'e',
            Event::Arm { .. }
            | Event::Cascade { .. }
            | Event::Note { .. }
            | Event::Disarm { .. }
            | Event::Interest { .. }
            | Event::Deregister { .. } => ' ',
        }
    }

    /// The log target that it goes to.
    #[must_use]
    pub fn target(&self) -> &'static str {
        match self {
            Event::Arm { .. }
            | Event::Cascade { .. }
            | Event::Disarm { .. }
            | Event::Fire { .. } => "lone::timer",
            Event::Interest { .. }
            | Event::Readiness { .. }
            | Event::Deregister { .. }
            | Event::Park { .. }
            | Event::Unpark => "lone::reactor",
            Event::Wait { .. } | Event::Grant { .. } | Event::Leave { .. } => "lone::sync",
            _ => "lone::executor",
        }
    }
}
