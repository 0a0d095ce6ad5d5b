//! How does an event read as a sentence? `[tag] who did what, where`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use super::{Await, Cause, Event, Who};
use crate::task_id::TaskId;
use crate::waker::running;

/// How much of what a future awaits stands in its line: some await thousands at once.
const LISTED: usize = 4;

thread_local! {
    /// The names of this thread's tasks, by loop: an event carries the number only.
    static NAMES: RefCell<HashMap<(u64, TaskId), String>> = RefCell::new(HashMap::new());
}

/// Which task of which loop: several loops of a thread count theirs from 1.
fn key(task: TaskId) -> (u64, TaskId) {
    (running(|core| core.number().get()).unwrap_or(0), task)
}

// At the thread's exit the names have gone, and their tasks are told by number.

fn remember(task: TaskId, name: &str) {
    let _ = NAMES.try_with(|names| names.borrow_mut().insert(key(task), name.to_owned()));
}

fn forget(task: TaskId) {
    let _ = NAMES.try_with(|names| names.borrow_mut().remove(&key(task)));
}

/// The line that tells `event`.
pub(super) fn line(event: &Event) -> String {
    let mut line = match event.tag() {
        '─' => String::new(),
        ' ' => "    ".to_string(),
        tag => format!("[{tag}] "),
    };
    let written = write_event(&mut line, event);
    debug_assert!(written.is_ok(), "writing to a string does not fail");
    line
}

fn write_event(to: &mut String, event: &Event) -> std::fmt::Result {
    match event {
        Event::Spawn { task, by, site, size } => {
            // A number begins anew with every loop of the thread: an old name is not this task's.
            forget(*task);
            write!(to, "{} spawns {task} at {site}, {}", name(*by), count(*size, "byte", "bytes"))
        }
        Event::Named { task, name } => {
            remember(*task, name);
            write!(to, "{task} is named `{name}`")
        }
        Event::Children { count: size, by } => {
            write!(to, "{} makes a group of {}", name(*by), count(*size, "child", "children"))
        }
        Event::AddedChild { child, by } => write!(to, "{} adds {}", name(*by), name(*child)),
        Event::Enqueue { who: who @ Who::Child { .. } } => {
            write!(to, "{} goes to the back of its group's queue", name(*who))
        }
        Event::Enqueue { who } => write!(to, "{} goes to the back of the ready queue", name(*who)),
        Event::Dequeue { who } => write!(to, "{} leaves the ready queue", name(*who)),
        Event::Poll { who } => write!(to, "{} is polled", name(*who)),
        Event::Pending { who, awaits } => write_awaits(to, *who, awaits),
        Event::Wake { who, by, again } => {
            // Two children may share a name, so that of a child only the name is told.
            let own = matches!(who, Who::Main | Who::Task(_)) && *by == Cause::Who(*who);
            let whom = if own { "itself".to_string() } else { name(*who) };
            let again = if *again { " again: it is queued already" } else { "" };
            write!(to, "{} wakes {whom}{again}", name_cause(*by))
        }
        Event::Complete { who } => write!(to, "{} has completed", name(*who)),
        Event::Panicked { who } => write!(to, "{} has panicked", name(*who)),
        Event::Cancel { task, by, reason } => {
            write!(to, "{} asks to cancel {}: {reason}", name(*by), name(Who::Task(*task)))
        }
        Event::Stopped { task, reason } => {
            // Not "at its await point": it may never have been polled.
            write!(to, "{} was stopped, its body dropped; {reason}", name(Who::Task(*task)))
        }
        Event::Join { task } => {
            write!(to, "{} has ended: whoever joins it is told", name(Who::Task(*task)))
        }
        Event::Reap { task } => {
            let text = format!("{}: its slot is free again", name(Who::Task(*task)));
            forget(*task);
            to.write_str(&text)
        }
        Event::Note { who, text } => write!(to, "{}: {text}", name(*who)),
        other => write_beat(to, other),
    }
}

/// The beats of a turn, and what the reactor and the wait lists tell.
fn write_beat(to: &mut String, event: &Event) -> std::fmt::Result {
    match event {
        Event::Turn { number } => write!(to, "─── turn {number} ───"),
        Event::Drain { items } => write!(to, "the inbox had {}", count(*items, "item", "items")),
        Event::Batch { ready } => write!(to, "a batch of {ready}"),
        Event::Ask { limit: Some(Duration::ZERO) } => {
            to.write_str("nobody is ready, but the loop may not sleep now")
        }
        Event::Ask { limit } => {
            write!(to, "nobody is ready: the loop may sleep {}", limit_of(*limit))
        }
        Event::Park { limit, deadline: None } => write!(to, "parks {}", limit_of(*limit)),
        Event::Park { limit, deadline: Some(deadline) } => {
            write!(to, "parks {}; a timer is due in {deadline:?}", limit_of(*limit))
        }
        Event::Unpark => to.write_str("awake again"),
        Event::Fire { timer } => write!(to, "timer {timer} is due"),
        Event::Arm { timer, who, wait, level, slot } => write!(
            to,
            "timer {timer} is armed for {}, {wait:?} from now (level {level}, slot {slot})",
            name(*who)
        ),
        Event::Cascade { timer, from, to: at } => write!(
            to,
            "timer {timer} sinks from level {}, slot {} to level {}, slot {}",
            from.0, from.1, at.0, at.1
        ),
        Event::Disarm { timer } => write!(to, "timer {timer} is disarmed"),
        Event::Interest { source, what } => write!(to, "source {source} is registered: {what}"),
        Event::Readiness { source, readable, writable } => {
            let what = match (readable, writable) {
                (true, true) => "readable and writable",
                (true, false) => "readable",
                (false, true) => "writable",
                (false, false) => "in error",
            };
            write!(to, "source {source} has become {what}")
        }
        Event::Deregister { source } => write!(to, "source {source} has gone"),
        Event::Wait { object, who, place } => {
            write!(to, "{} waits at {object}, at place {place}", name(*who))
        }
        Event::Grant { object, who } => write!(to, "{object} hands over to {}", name(*who)),
        Event::Leave { object, who } => {
            write!(to, "{} leaves the line of {object} with nothing", name(*who))
        }
        _ => unreachable!("the events of tasks are told by `write_event`"),
    }
}

fn write_awaits(to: &mut String, who: Who, awaits: &[Await]) -> std::fmt::Result {
    write!(to, "{} now awaits ", name(who))?;
    if awaits.is_empty() {
        // A future from elsewhere, a `RemoteJoin`, or one of ours that the budget has refused.
        return to.write_str("something that has no name here");
    }
    let same =
        |a: &Await, b: &Await| (a.on, a.task, a.holder, a.site) == (b.on, b.task, b.holder, b.site);
    let runs: Vec<&[Await]> = awaits.chunk_by(same).collect();
    for (n, run) in runs.iter().take(LISTED).enumerate() {
        let and = if n == 0 { "" } else { ", and " };
        let times = match run.len() {
            1 => String::new(),
            times => format!("{times} times "),
        };
        let Await { on, task, holder, site, .. } = run[0];
        match task {
            None => write!(to, "{and}{times}{on} at {site}")?,
            Some(task) => {
                write!(to, "{and}{times}{on} {}, spawned at {site}", name(Who::Task(task)))?;
            }
        }
        if let Some(holder) = holder {
            holder.write(to, |task| name(task.map_or(Who::Main, Who::Task)))?;
        }
    }
    if runs.len() > LISTED {
        write!(to, ", and {} more", runs.len() - LISTED)?;
    }
    Ok(())
}

fn name(who: Who) -> String {
    let id = match who {
        Who::Task(id) => id,
        Who::Child { member, of: Some(id) } => {
            return format!("child {member} of {}", name(Who::Task(id)));
        }
        other => return other.to_string(),
    };
    let named = NAMES.try_with(|names| names.borrow().get(&key(id)).cloned());
    match named.ok().flatten() {
        Some(name) => format!("{id} `{name}`"),
        None => id.to_string(),
    }
}

fn name_cause(cause: Cause) -> String {
    match cause {
        Cause::Who(who) => name(who),
        other => other.to_string(),
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn limit_of(limit: Option<Duration>) -> String {
    match limit {
        None => "until something happens".to_string(),
        Some(limit) => format!("for {limit:?} at most"),
    }
}
