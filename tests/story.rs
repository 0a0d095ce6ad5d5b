//! Does the trace tell what happened: all of it, in this order, and of the right ones?
//!
//! Three ways to find out:
//! - Whole traces of small programs stand here as they are told. An `at` in them is followed by the
//!   code that begins at that place, so the place is proven as well.
//! - A reader who knows the rules of the loop, [`Reader`], goes through the traces of all lecture
//!   programs, and stops where one breaks a rule.
//! - `docs/how-an-await-works.md` shows [`program`] and its trace; both are compared with the real
//!   ones. To see the whole of that trace:
//!   `cargo test -p lone-tests --features trace --test story document -- --nocapture`
//!
//! All of it happens under a virtual clock, so that each duration is exact. Three things in a line
//! are not the same in each run, and are hidden: the size of a future, the place in the wheel (the
//! clock begins at the real time), and how many semaphores the process has made before.
#![expect(clippy::print_stdout, reason = "the document's trace is to be seen")]

// ANCHOR: program
use std::rc::Rc;
use std::time::Duration;

use lone::{Semaphore, sleep, spawn};

async fn session(permits: Rc<Semaphore>) {
    let _permit = permits.acquire().await;
    sleep(Duration::from_millis(100)).await;
}

async fn program() {
    let permits = Rc::new(Semaphore::new(1));
    let first = session(permits.clone());
    let second = session(permits);
    let a = spawn(first).named("a");
    let b = spawn(second).named("b");
    a.await.expect("a neither panics nor is cancelled");
    b.await.expect("b neither panics nor is cancelled");
}

fn main() {
    env_logger::init();
    lone::Builder::new().start_paused(true).run(program());
}
// ANCHOR_END: program

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::path::Path;
use std::sync::{Once, mpsc};
use std::task::Poll;

use lone::time::Instant;
use lone::{Mutex, gather, timeout, yield_now};

#[path = "../examples/lecture_21_tasks.rs"]
pub mod lecture_21_tasks;
#[path = "../examples/lecture_24_1_semaphore.rs"]
pub mod lecture_24_1_semaphore;
#[path = "../examples/lecture_24_2_race.rs"]
pub mod lecture_24_2_race;
#[path = "../examples/lecture_24_3_retry.rs"]
pub mod lecture_24_3_retry;
#[path = "../examples/lecture_24_4_queue.rs"]
pub mod lecture_24_4_queue;
#[path = "../examples/lecture_35_ingest.rs"]
pub mod lecture_35_ingest;

const SOURCE: &str = include_str!("story.rs");
const DOCUMENT: &str = include_str!("../docs/how-an-await-works.md");

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// ----- the recorder --------------------------------------------------------------------------------

/// One line of the log, and when it was told on the clock of the loop that runs here.
struct Line {
    target: String,
    text: String,
    at: Instant,
}

type Listener = Box<dyn FnMut(&str)>;

thread_local! {
    /// Tests run side by side: each thread records what its own loops tell.
    static TOLD: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, about: &log::Metadata<'_>) -> bool {
        about.target().starts_with("lone::")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        // Whether a timer cascades depends on the moment at which the virtual clock began.
        if text.contains(" sinks from level ") {
            return;
        }
        LISTENER.with_borrow_mut(|listener| {
            if let Some(listener) = listener {
                listener(&text);
            }
        });
        let line = Line { target: record.target().to_string(), text, at: Instant::now() };
        TOLD.with_borrow_mut(|told| told.push(line));
    }

    fn flush(&self) {}
}

/// Runs `program` on a loop made by `builder`; returns what was told meanwhile.
fn record_on(builder: lone::Builder, program: impl Future) -> Vec<Line> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Recorder).expect("no other logger is installed in this process");
        log::set_max_level(log::LevelFilter::Trace);
    });
    TOLD.take();
    builder.run(program);
    LISTENER.take();
    TOLD.take()
}

/// Runs `program` under the virtual clock; returns what was told meanwhile.
fn record(program: impl Future) -> Vec<Line> {
    record_on(lone::Builder::new().start_paused(true), program)
}

/// A logger that stumbles must not take the loop with it.
#[test]
fn logger_that_panics_at_a_tasks_end_loses_a_line_and_nothing_else() {
    LISTENER.set(Some(Box::new(|text: &str| {
        assert!(!text.contains("Task-1 has completed"), "as this test wants it to");
    })));
    let told = record(async {
        let task = lone::spawn(async { 7 });
        assert_eq!(task.await.expect("it ends well"), 7);
    });
    let has = |words: &str| told.iter().any(|line| line.text.contains(words));
    assert!(!has("Task-1 has completed"));
    assert!(has("Task-1: its slot is free again"));
    assert!(has("main has completed"));
}

// ----- lines that are the same in every run --------------------------------------------------------

/// `text` with whatever stands between `before` and `after` replaced by what `with` makes of it.
fn replaced(
    text: &str,
    before: &str,
    after: impl Fn(char) -> bool,
    mut with: impl FnMut(&str) -> String,
) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        let end = tail.find(&after).unwrap_or(tail.len());
        done.push_str(head);
        done.push_str(&with(&tail[..end]));
        rest = &tail[end..];
    }
    done + rest
}

/// Hides what is not the same in every run; semaphores are counted anew, from 1.
fn steady(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let mut semaphores = Vec::new();
    let steady_line = |line: &str| {
        let line = match line.rsplit_once(", ") {
            Some((head, size)) if size.ends_with(" bytes") || size.ends_with(" byte") => head,
            _ => line,
        };
        let line = line.split(" (level ").next().unwrap_or(line);
        replaced(
            line,
            "semaphore#",
            |c| !c.is_ascii_digit(),
            |number| {
                let known = semaphores.iter().position(|known| known == number);
                let index = known.unwrap_or_else(|| {
                    semaphores.push(number.to_string());
                    semaphores.len() - 1
                });
                (index + 1).to_string()
            },
        )
    };
    let mut steady_line = steady_line;
    lines.into_iter().map(|line| steady_line(line.as_ref()).trim().to_string()).collect()
}

/// Replaces a place in this file, `tests/story.rs:<line>:<column>`, by what `with` makes of it.
fn with_places(line: &str, with: impl Fn(usize, usize) -> String) -> String {
    let file = concat!(file!(), ":");
    let number = |text: &str| text.parse::<usize>().expect("a place is a line and a column");
    let shown = replaced(
        line,
        file,
        |c| !c.is_ascii_digit() && c != ':',
        |place| {
            let (line, column) = place.split_once(':').expect("a place is a line and a column");
            with(number(line), number(column))
        },
    );
    shown.replace(file, "")
}

/// The code that begins at that place of this file, to the end of its line or to `.named(…)`.
fn code_at(line: usize, column: usize) -> String {
    let line = SOURCE.lines().nth(line - 1).expect("the place is in this file");
    let code = line[column - 1..].trim_end_matches([';', ',']);
    format!("«{}»", code.split(".named(").next().unwrap_or(code))
}

/// Compares a trace with what a test expects: a line each; `//` lines are comments.
#[track_caller]
fn assert_told(told: &[Line], expected: &str) {
    let told: Vec<String> = steady(told.iter().map(|line| &line.text))
        .iter()
        .map(|line| with_places(line, code_at))
        .collect();
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect();
    if let Some(n) = (0..told.len().max(expected.len()))
        .find(|&n| told.get(n).map(String::as_str) != expected.get(n).copied())
    {
        panic!(
            "line {n} differs\n  told:     {:?}\n  expected: {:?}\nthe whole trace:\n{}",
            told.get(n),
            expected.get(n),
            told.join("\n")
        );
    }
}

// ----- whole traces --------------------------------------------------------------------------------

async fn nap() {
    sleep(ms(300)).await;
}

#[test]
fn sleeping_task_is_woken_by_its_timer_and_wakes_its_joiner() {
    let told = record(async {
        let task = spawn(nap()).named("sleeper");
        task.await.expect("it neither panics nor is cancelled");
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        // It is queued, and main goes on.
        [1] main spawns Task-1 at «spawn(nap())»
        [2] Task-1 goes to the back of the ready queue
        [1] Task-1 is named `sleeper`
        [5] main now awaits the end of Task-1 `sleeper`, spawned at «spawn(nap())»
        ─── turn 2 ───
        [b] a batch of 1
        [3] Task-1 `sleeper` leaves the ready queue
        [4] Task-1 `sleeper` is polled
        timer 0 is armed for Task-1 `sleeper`, 300ms from now
        [5] Task-1 `sleeper` now awaits a sleep at «sleep(ms(300)).await»
        // A virtual clock does not park: it jumps.
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 0 is due
        [6] timer 0 wakes Task-1 `sleeper`
        [2] Task-1 `sleeper` goes to the back of the ready queue
        ─── turn 3 ───
        [b] a batch of 1
        [3] Task-1 `sleeper` leaves the ready queue
        [4] Task-1 `sleeper` is polled
        [7] Task-1 `sleeper` has completed
        [8] Task-1 `sleeper` has ended: whoever joins it is told
        [6] Task-1 `sleeper` wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1 `sleeper`: its slot is free again
        ─── turn 4 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

#[test]
fn second_of_two_tasks_waits_at_the_semaphore_until_the_first_hands_over() {
    let told = record(program());
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main spawns Task-1 at «spawn(first)»
        [2] Task-1 goes to the back of the ready queue
        [1] Task-1 is named `a`
        [1] main spawns Task-2 at «spawn(second)»
        [2] Task-2 goes to the back of the ready queue
        [1] Task-2 is named `b`
        [5] main now awaits the end of Task-1 `a`, spawned at «spawn(first)»
        ─── turn 2 ───
        [b] a batch of 2
        // The permit is there: `a` does not wait for it, and nothing is told.
        [3] Task-1 `a` leaves the ready queue
        [4] Task-1 `a` is polled
        timer 0 is armed for Task-1 `a`, 100ms from now
        [5] Task-1 `a` now awaits a sleep at «sleep(Duration::from_millis(100)).await»
        [3] Task-2 `b` leaves the ready queue
        [4] Task-2 `b` is polled
        [5] Task-2 `b` waits at semaphore#1, at place 1
        [5] Task-2 `b` now awaits a permit at «acquire().await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 0 is due
        [6] timer 0 wakes Task-1 `a`
        [2] Task-1 `a` goes to the back of the ready queue
        ─── turn 3 ───
        [b] a batch of 1
        [3] Task-1 `a` leaves the ready queue
        [4] Task-1 `a` is polled
        // The permit is dropped inside of `a`: so `a` wakes `b`, and has not ended yet.
        [6] semaphore#1 hands over to Task-2 `b`
        [6] Task-1 `a` wakes Task-2 `b`
        [2] Task-2 `b` goes to the back of the ready queue
        [7] Task-1 `a` has completed
        [8] Task-1 `a` has ended: whoever joins it is told
        [6] Task-1 `a` wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1 `a`: its slot is free again
        ─── turn 4 ───
        [b] a batch of 2
        [3] Task-2 `b` leaves the ready queue
        [4] Task-2 `b` is polled
        timer 1 is armed for Task-2 `b`, 100ms from now
        [5] Task-2 `b` now awaits a sleep at «sleep(Duration::from_millis(100)).await»
        [3] main leaves the ready queue
        [4] main is polled
        [5] main now awaits the end of Task-2 `b`, spawned at «spawn(second)»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 1 is due
        [6] timer 1 wakes Task-2 `b`
        [2] Task-2 `b` goes to the back of the ready queue
        ─── turn 5 ───
        [b] a batch of 1
        [3] Task-2 `b` leaves the ready queue
        [4] Task-2 `b` is polled
        // Nobody waits at the semaphore: it is handed to nobody.
        [7] Task-2 `b` has completed
        [8] Task-2 `b` has ended: whoever joins it is told
        [6] Task-2 `b` wakes main
        [2] main goes to the back of the ready queue
        [9] Task-2 `b`: its slot is free again
        ─── turn 6 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

// Who holds a lock is told with what is awaited; and that it was handed to somebody, if he has not come
// for it yet.
#[test]
fn waiters_for_a_lock_are_told_with_who_holds_it_and_since_where() {
    let told = record(async {
        let value = Rc::new(Mutex::new(0));
        let keep = async |value: Rc<Mutex<u32>>| {
            let mut guard = value.lock().await;
            nap().await;
            *guard += 1;
        };
        let a = spawn(keep(value.clone())).named("a");
        let b = spawn(keep(value.clone())).named("b");
        yield_now().await;
        a.await.expect("a neither panics nor is cancelled");
        let mut guard = value.lock().await;
        *guard += 1;
        b.await.expect("b neither panics nor is cancelled");
        assert_eq!(*guard, 3);
    });
    let of_locks = told.into_iter().filter(|line| line.text.contains("a lock")).collect::<Vec<_>>();
    assert_told(
        &of_locks,
        "
        [5] Task-2 `b` now awaits a lock at «lock().await», held by Task-1 `a` since «lock().await»
        [5] main now awaits a lock at «lock().await», held by Task-2 `b` since «lock().await»
        ",
    );
}

/// Tells in the trace when its destructor runs.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        log::trace!(target: "lone::test", "the guard runs");
    }
}

async fn guarded_nap() {
    let _guard = Guard;
    nap().await;
}

#[test]
fn cancelled_sleeper_is_stopped_in_the_next_batch_and_its_guard_runs_there() {
    let told = record(async {
        let sleeper = spawn(guarded_nap());
        sleep(ms(100)).await;
        assert!(sleeper.cancel("enough"));
        log::trace!(target: "lone::test", "cancel has returned");
        assert!(sleeper.await.is_err_and(|error| error.is_cancelled()));
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main spawns Task-1 at «spawn(guarded_nap())»
        [2] Task-1 goes to the back of the ready queue
        timer 0 is armed for main, 100ms from now
        [5] main now awaits a sleep at «sleep(ms(100)).await»
        ─── turn 2 ───
        [b] a batch of 1
        [3] Task-1 leaves the ready queue
        [4] Task-1 is polled
        timer 1 is armed for Task-1, 300ms from now
        [5] Task-1 now awaits a sleep at «sleep(ms(300)).await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 0 is due
        [6] timer 0 wakes main
        [2] main goes to the back of the ready queue
        ─── turn 3 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        // A cancel is a note and a wake. Nothing of the task runs inside of it.
        [7] main asks to cancel Task-1: enough
        [6] main wakes Task-1
        [2] Task-1 goes to the back of the ready queue
        cancel has returned
        [5] main now awaits the end of Task-1, spawned at «spawn(guarded_nap())»
        ─── turn 4 ───
        [b] a batch of 1
        [3] Task-1 leaves the ready queue
        // It is not polled: its body is dropped, the innermost future first.
        timer 1 is disarmed
        the guard runs
        [7] Task-1 was stopped, its body dropped; cancelled: enough
        [8] Task-1 has ended: whoever joins it is told
        [6] Task-1 wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1: its slot is free again
        ─── turn 5 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

#[test]
fn task_cancelled_before_its_first_poll_is_never_polled() {
    let told = record(async {
        let task = spawn(guarded_nap());
        task.cancel("not needed");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main spawns Task-1 at «spawn(guarded_nap())»
        [2] Task-1 goes to the back of the ready queue
        [7] main asks to cancel Task-1: not needed
        // It stands in the queue since it was spawned: a second wake changes nothing.
        [6] main wakes Task-1 again: it is queued already
        [5] main now awaits the end of Task-1, spawned at «spawn(guarded_nap())»
        ─── turn 2 ───
        [b] a batch of 1
        [3] Task-1 leaves the ready queue
        // No guard runs: the body has not begun, so there is none.
        [7] Task-1 was stopped, its body dropped; cancelled: not needed
        [8] Task-1 has ended: whoever joins it is told
        [6] Task-1 wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1: its slot is free again
        ─── turn 3 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

#[test]
fn gathered_child_that_is_woken_is_polled_and_the_other_is_not() {
    let told = record(async {
        gather([200, 100].map(async |millis| sleep(ms(millis)).await)).await;
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main makes a group of 2 children
        [4] child 0 of main is polled
        timer 0 is armed for child 0 of main, 200ms from now
        [5] child 0 of main now awaits a sleep at «sleep(ms(millis)).await)).await»
        [4] child 1 of main is polled
        timer 1 is armed for child 1 of main, 100ms from now
        [5] child 1 of main now awaits a sleep at «sleep(ms(millis)).await)).await»
        [5] main now awaits gather at «gather([200, 100].map(async |millis| sleep(ms(millis)).await)).await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 1 is due
        // Two queues: the child's group has one, the loop has the other.
        [6] timer 1 wakes child 1 of main
        [2] child 1 of main goes to the back of its group's queue
        [2] main goes to the back of the ready queue
        ─── turn 2 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [4] child 1 of main is polled
        [7] child 1 of main has completed
        [5] main now awaits gather at «gather([200, 100].map(async |millis| sleep(ms(millis)).await)).await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 0 is due
        [6] timer 0 wakes child 0 of main
        [2] child 0 of main goes to the back of its group's queue
        [2] main goes to the back of the ready queue
        ─── turn 3 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [4] child 0 of main is polled
        [7] child 0 of main has completed
        [7] main has completed
        ",
    );
}

#[test]
fn wake_from_another_thread_comes_in_through_the_inbox() {
    let told = record(async {
        // The other thread wakes main once the trace says that the loop is parked.
        let (parked, has_parked) = mpsc::channel();
        let listener = move |line: &str| {
            if line.starts_with("[d] parks") {
                parked.send(()).expect("the other thread listens");
            }
        };
        LISTENER.set(Some(Box::new(listener)));
        let (mut has_parked, mut thread) = (Some(has_parked), None);
        poll_fn(|cx| {
            let Some(has_parked) = has_parked.take() else { return Poll::Ready(()) };
            let waker = cx.waker().clone();
            thread = Some(std::thread::spawn(move || {
                has_parked.recv().expect("the loop parks");
                waker.wake();
            }));
            Poll::Pending
        })
        .await;
        thread.map(std::thread::JoinHandle::join);
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [5] main now awaits something that has no name here
        // No timer is set, so the virtual clock has nowhere to jump to, and the loop really waits.
        [c] nobody is ready: the loop may sleep until something happens
        [d] parks for 1s at most
        [e] awake again
        ─── turn 2 ───
        [a] the inbox had 1 item
        [6] the inbox wakes main
        [2] main goes to the back of the ready queue
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

async fn stumble() {
    let _guard = Guard;
    panic!("it stumbles, as this test wants it to");
}

#[test]
fn panic_of_a_task_ends_that_task_and_nobody_else() {
    let told = record(async {
        let task = spawn(stumble());
        assert!(task.await.is_err_and(|error| error.is_panic()));
        nap().await;
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main spawns Task-1 at «spawn(stumble())»
        [2] Task-1 goes to the back of the ready queue
        [5] main now awaits the end of Task-1, spawned at «spawn(stumble())»
        ─── turn 2 ───
        [b] a batch of 1
        [3] Task-1 leaves the ready queue
        [4] Task-1 is polled
        the guard runs
        [7] Task-1 has panicked
        [8] Task-1 has ended: whoever joins it is told
        [6] Task-1 wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1: its slot is free again
        ─── turn 3 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        timer 0 is armed for main, 300ms from now
        [5] main now awaits a sleep at «sleep(ms(300)).await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 0 is due
        [6] timer 0 wakes main
        [2] main goes to the back of the ready queue
        ─── turn 4 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

#[test]
fn timeout_that_has_elapsed_is_awaited_no_more() {
    let told = record(async {
        assert!(timeout(ms(100), nap()).await.is_err());
        sleep(ms(50)).await;
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        timer 0 is armed for main, 300ms from now
        timer 1 is armed for main, 100ms from now
        // Two timers stand for one await: whichever is due first ends it.
        [5] main now awaits a sleep at «sleep(ms(300)).await», \
            and a deadline at «timeout(ms(100), nap()).await.is_err())»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 1 is due
        [6] timer 1 wakes main
        [2] main goes to the back of the ready queue
        ─── turn 2 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        // The nap is dropped with the timeout, and main awaits one thing only.
        timer 0 is disarmed
        timer 2 is armed for main, 50ms from now
        [5] main now awaits a sleep at «sleep(ms(50)).await»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 2 is due
        [6] timer 2 wakes main
        [2] main goes to the back of the ready queue
        ─── turn 3 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

#[test]
fn select_is_awaited_with_its_arms_and_the_losers_no_more() {
    let told = record(async {
        lone::select! {
            () = nap() => {}
            () = sleep(ms(100)) => sleep(ms(50)).await,
        }
    });
    let awaits: Vec<_> = steady(told.iter().map(|line| &line.text))
        .into_iter()
        .filter(|line| line.starts_with("[5]"))
        .map(|line| with_places(&line, code_at))
        .collect();
    assert_eq!(
        awaits,
        [
            "[5] main now awaits a sleep at «sleep(ms(300)).await», and a sleep at «sleep(ms(100)) => \
             sleep(ms(50)).await», and select! at «lone::select! {»",
            "[5] main now awaits a sleep at «sleep(ms(50)).await»",
        ]
    );
}

#[test]
fn cancelled_task_ends_when_the_cleanup_that_it_has_left_has_run() {
    let told = record(async {
        let task = spawn(lone::finally(nap(), async { sleep(ms(50)).await }));
        lone::yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
    });
    assert_told(
        &told,
        "
        [2] main goes to the back of the ready queue
        ─── turn 1 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [1] main spawns Task-1 at «spawn(lone::finally(nap(), async { sleep(ms(50)).await }))»
        [2] Task-1 goes to the back of the ready queue
        [6] main wakes itself
        [2] main goes to the back of the ready queue
        [5] main now awaits its turn (yield_now) at «lone::yield_now().await»
        ─── turn 2 ───
        [b] a batch of 2
        [3] Task-1 leaves the ready queue
        [4] Task-1 is polled
        timer 0 is armed for Task-1, 300ms from now
        [5] Task-1 now awaits a sleep at «sleep(ms(300)).await»
        [3] main leaves the ready queue
        [4] main is polled
        [7] main asks to cancel Task-1: enough
        [6] main wakes Task-1
        [2] Task-1 goes to the back of the ready queue
        [5] main now awaits the end of Task-1, spawned at \
            «spawn(lone::finally(nap(), async { sleep(ms(50)).await }))»
        ─── turn 3 ───
        [b] a batch of 1
        [3] Task-1 leaves the ready queue
        timer 0 is disarmed
        [7] Task-1 was stopped, its body dropped; cancelled: enough
        // Its joiner is not told yet: what it has left is a task of its own.
        [1] Task-1 spawns Task-2 at «spawn(lone::finally(nap(), async { sleep(ms(50)).await }))»
        [1] Task-2 is named `cleanup of Task-1`
        [2] Task-2 `cleanup of Task-1` goes to the back of the ready queue
        ─── turn 4 ───
        [b] a batch of 1
        [3] Task-2 `cleanup of Task-1` leaves the ready queue
        [4] Task-2 `cleanup of Task-1` is polled
        timer 1 is armed for Task-2 `cleanup of Task-1`, 50ms from now
        [5] Task-2 `cleanup of Task-1` now awaits a sleep at «sleep(ms(50)).await }))»
        [c] nobody is ready: the loop may sleep until something happens
        [e] timer 1 is due
        [6] timer 1 wakes Task-2 `cleanup of Task-1`
        [2] Task-2 `cleanup of Task-1` goes to the back of the ready queue
        ─── turn 5 ───
        [b] a batch of 1
        [3] Task-2 `cleanup of Task-1` leaves the ready queue
        [4] Task-2 `cleanup of Task-1` is polled
        // Nothing is left: now it has ended.
        [8] Task-1 has ended: whoever joins it is told
        [6] Task-2 `cleanup of Task-1` wakes main
        [2] main goes to the back of the ready queue
        [9] Task-1: its slot is free again
        [7] Task-2 `cleanup of Task-1` has completed
        [9] Task-2 `cleanup of Task-1`: its slot is free again
        ─── turn 6 ───
        [b] a batch of 1
        [3] main leaves the ready queue
        [4] main is polled
        [7] main has completed
        ",
    );
}

// ----- the rules of the loop -----------------------------------------------------------------------

/// Main or a task, as far as a trace has been read.
#[derive(Default)]
struct Root {
    queued: bool,
    ended: bool,
    reaped: bool,
}

/// Goes through a trace line by line and knows what each of them has to follow from.
///
/// - *Queued once*: who stands in the ready queue is not put there again, and leaves it in order; a
///   batch is as long as the queue was.
/// - *Polled for a reason*: main or a task is polled, or stopped, when it has left the queue, once.
/// - *Queued for a reason*: by its spawn, by a wake in the line before, or by a child that was woken.
/// - *Woken again*: only who is queued; and nothing follows from it.
/// - *Causes are facts*: whoever wakes is running, a timer has become due in the line before, the
///   inbox is being drained.
/// - *Never early*: a timer becomes due at its deadline, to the nanosecond; equal deadlines in the
///   order in which they were armed.
/// - *One line, one order*: a hand-over goes to the first who waits, and wakes it.
/// - *Nothing is left*: at the end all tasks are reaped, no timer is armed, and nobody waits.
#[derive(Default)]
struct Reader {
    turn: u64,
    ready: VecDeque<String>,
    batch: VecDeque<String>,
    roots: HashMap<String, Root>,
    /// Who has left the queue, and whether it is polled by now.
    running: Option<(String, bool)>,
    main_ended_in_batch: bool,
    draining: bool,
    /// The children that are alive, and whether they stand in their group's queue.
    children: HashMap<String, bool>,
    polled_children: Vec<String>,
    /// Armed timers: their deadlines.
    timers: BTreeMap<u64, Instant>,
    armed: u64,
    last_due: Option<(Instant, u64)>,
    lines: HashMap<String, VecDeque<String>>,
    /// What must be told next, where that is known.
    next: Option<String>,
    before: String,
}

/// What a rule says: that it holds, or how it is broken.
type Rule = Result<(), String>;

fn rule(holds: bool, otherwise: impl FnOnce() -> String) -> Rule {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A line without the names of tasks, which say nothing that their numbers do not.
fn without_names(line: &str) -> String {
    let mut parts = line.split('`').step_by(2).peekable();
    let mut kept = String::new();
    while let Some(part) = parts.next() {
        kept.push_str(if parts.peek().is_some() { part.trim_end() } else { part });
    }
    kept.trim().to_string()
}

/// The task, or main, that polls whoever this is.
fn root_of(who: &str) -> &str {
    match who.strip_prefix("child ").and_then(|child| child.split_once(" of ")) {
        Some((_, root)) => root,
        None => who,
    }
}

fn is_child(who: &str) -> bool {
    root_of(who) != who
}

/// A duration as `Debug` writes it.
fn parse_duration(text: &str) -> Option<Duration> {
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (number, unit) = units.iter().find_map(|(unit, nanos)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some((number, nanos))
    })?;
    Some(Duration::from_nanos((number * unit).round() as u64))
}

impl Reader {
    /// Reads a whole trace; panics at the first line that breaks a rule.
    #[track_caller]
    fn read_all(told: &[Line]) -> Reader {
        let mut reader = Reader::default();
        for (n, line) in told.iter().enumerate() {
            if let Err(broken) = reader.read(line) {
                let from = n.saturating_sub(20);
                let excerpt: Vec<&str> = told[from..=n].iter().map(|l| l.text.as_str()).collect();
                panic!("line {n}: {broken}\n{}", excerpt.join("\n"));
            }
        }
        if let Err(broken) = reader.end() {
            panic!("at the end of {} lines: {broken}", told.len());
        }
        reader
    }

    fn read(&mut self, line: &Line) -> Rule {
        let text = without_names(&line.text);
        if let Some(next) = self.next.take() {
            rule(text.contains(&next), || format!("{next:?} should be told here"))?;
        }
        let tagged = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        let (tag, fact) = tagged.unwrap_or(("", &text));
        let told = match tag {
            "1" => self.made(fact),
            "2" => self.queued(fact),
            "3" => self.dequeued(fact),
            "4" => self.polled(fact),
            "5" => self.pending(fact),
            "6" => self.woken(fact),
            "7" => self.ended(fact),
            "8" | "9" => self.joined_or_reaped(tag, fact),
            "a" | "b" | "c" | "d" => self.beat(tag, fact),
            "e" => self.fired(fact, line.at),
            _ => self.timer_or_turn(fact, line.at),
        };
        let target = told?;
        rule(line.target == target, || format!("it went to {}, not to {target}", line.target))?;
        self.before = text;
        Ok(())
    }

    fn is_running(&self, who: &str) -> bool {
        let root = root_of(who);
        let polled = !is_child(who) || self.polled_children.last().is_some_and(|at| at == who);
        polled && self.running.as_ref().is_some_and(|(running, _)| running == root)
    }

    // [1]
    fn made(&mut self, fact: &str) -> Result<&'static str, String> {
        if let Some((by, task)) = fact.split_once(" spawns ") {
            rule(self.is_running(by), || format!("{by} is not running"))?;
            let task = task.split(' ').next().unwrap_or_default().to_string();
            self.next = Some(format!("[2] {task} goes to the back of the ready queue"));
            let old = self.roots.insert(task, Root::default());
            rule(old.is_none(), || "a task has the number of another".to_string())?;
        } else if let Some((by, size)) = fact.split_once(" makes a group of ") {
            rule(self.is_running(by), || format!("{by} is not running"))?;
            let size = size.split(' ').next().and_then(|size| size.parse().ok());
            let size: usize = size.ok_or("a group has a size")?;
            // All are to be polled at first. Losers of a race before have gone without a word.
            let root = root_of(by);
            self.children.retain(|child, _| root_of(child) != root);
            self.children.extend((0..size).map(|n| (format!("child {n} of {root}"), true)));
        } else {
            rule(fact.contains(" is named"), || "unknown".to_string())?;
        }
        Ok("lone::executor")
    }

    // [2]
    fn queued(&mut self, fact: &str) -> Result<&'static str, String> {
        let (who, queue) = fact.split_once(" goes to the back of ").ok_or("unknown")?;
        let woken = format!(" wakes {who}");
        let itself = format!("[6] {who} wakes itself");
        if is_child(who) {
            rule(queue == "its group's queue", || "a child has its group's queue".to_string())?;
            rule(self.before.ends_with(&woken), || "nobody has woken it".to_string())?;
            let queued = self.children.get_mut(who).ok_or("this child is not alive")?;
            rule(!std::mem::replace(queued, true), || "it is queued already".to_string())?;
            return Ok("lone::executor");
        }
        let of_child = format!(" of {who} goes to the back of its group's queue");
        let spawned = format!(" spawns {who} ");
        let first = self.before.is_empty() && who == "main";
        let before = &self.before;
        let why = first
            || before.contains(&spawned)
            || before.ends_with(&woken)
            || *before == itself
            || before.ends_with(&of_child);
        rule(why, || format!("after {before:?} nobody should be queued"))?;
        let root = self.roots.entry(who.to_string()).or_default();
        rule(!root.ended, || "it has ended".to_string())?;
        rule(!std::mem::replace(&mut root.queued, true), || "it is queued already".to_string())?;
        self.ready.push_back(who.to_string());
        Ok("lone::executor")
    }

    /// Who has ended leaves its entry behind, which stands for nobody.
    fn skip_ended(&mut self) {
        while self.batch.front().is_some_and(|who| self.roots[who].ended) {
            self.batch.pop_front();
        }
    }

    // [3]
    fn dequeued(&mut self, fact: &str) -> Result<&'static str, String> {
        let who = fact.strip_suffix(" leaves the ready queue").ok_or("unknown")?;
        rule(self.running.is_none(), || format!("{:?} is running", self.running))?;
        self.skip_ended();
        let first = self.batch.pop_front();
        rule(first.as_deref() == Some(who), || format!("the first of the batch is {first:?}"))?;
        let root = self.roots.get_mut(who).ok_or("unknown task")?;
        root.queued = false;
        self.running = Some((who.to_string(), false));
        Ok("lone::executor")
    }

    // [4]
    fn polled(&mut self, fact: &str) -> Result<&'static str, String> {
        let who = fact.strip_suffix(" is polled").ok_or("unknown")?;
        let (running, polled) = self.running.as_mut().ok_or("nobody has left the queue")?;
        rule(running == root_of(who), || format!("{running} has left the queue"))?;
        if is_child(who) {
            rule(*polled, || "its parent is not polled".to_string())?;
            let queued = self.children.get_mut(who).ok_or("this child is not alive")?;
            rule(std::mem::replace(queued, false), || "it was not woken".to_string())?;
            self.polled_children.push(who.to_string());
        } else {
            rule(!std::mem::replace(polled, true), || "it is polled already".to_string())?;
        }
        Ok("lone::executor")
    }

    // [5]
    fn pending(&mut self, fact: &str) -> Result<&'static str, String> {
        if let Some((who, _)) = fact.split_once(" now awaits ") {
            rule(self.is_running(who), || "it is not running".to_string())?;
            if is_child(who) {
                self.polled_children.pop();
            } else {
                let polled = self.running.take().is_some_and(|(_, polled)| polled);
                rule(polled && self.polled_children.is_empty(), || "unpolled".to_string())?;
            }
            return Ok("lone::executor");
        }
        if let Some((who, at)) = fact.split_once(" waits at ") {
            rule(self.is_running(who), || "it is not running".to_string())?;
            let (object, place) = at.split_once(", at place ").ok_or("unknown")?;
            let line = self.lines.entry(object.to_string()).or_default();
            line.push_back(who.to_string());
            rule(place == line.len().to_string(), || format!("{} stand there", line.len()))?;
            return Ok("lone::sync");
        }
        let (who, object) = fact.split_once(" leaves the line of ").ok_or("unknown")?;
        let object = object.strip_suffix(" with nothing").ok_or("unknown")?;
        let line = self.lines.entry(object.to_string()).or_default();
        let place = line.iter().position(|waiter| waiter == who);
        line.remove(place.ok_or("it does not stand there")?);
        Ok("lone::sync")
    }

    // [6]
    fn woken(&mut self, fact: &str) -> Result<&'static str, String> {
        if let Some((object, who)) = fact.split_once(" hands over to ") {
            let first = self.lines.entry(object.to_string()).or_default().pop_front();
            rule(first.as_deref() == Some(who), || format!("{first:?} is the first there"))?;
            self.next = Some(format!(" wakes {who}"));
            return Ok("lone::sync");
        }
        let (by, whom) = fact.split_once(" wakes ").ok_or("unknown")?;
        let (whom, again) = match whom.strip_suffix(" again: it is queued already") {
            Some(whom) => (whom, true),
            None => (whom, false),
        };
        let whom = if whom == "itself" { by } else { whom };
        let is_so = match by {
            "the inbox" => self.draining,
            "the shutdown" => self.roots["main"].ended,
            _ if by.starts_with("timer ") => self.before == format!("[e] {by} is due"),
            _ => self.is_running(by),
        };
        rule(is_so, || format!("{by} does not run, or is not due"))?;
        let queued = match is_child(whom) {
            true => *self.children.get(whom).ok_or("this child is not alive")?,
            false => self.roots.get(whom).ok_or("unknown task")?.queued,
        };
        rule(queued == again, || format!("is it queued already? {queued}"))?;
        if !again {
            self.next = Some(format!("[2] {whom} goes to the back of"));
        }
        Ok("lone::executor")
    }

    // [7]
    fn ended(&mut self, fact: &str) -> Result<&'static str, String> {
        if fact.contains(" asks to cancel ") {
            return Ok("lone::executor");
        }
        let how = [" has completed", " has panicked", " was stopped"];
        let (who, how) = how
            .into_iter()
            .find_map(|how| fact.split_once(how).map(|(who, _)| (who, how)))
            .ok_or("unknown")?;
        rule(self.is_running(who), || "it is not running".to_string())?;
        if is_child(who) {
            self.polled_children.pop();
            self.children.remove(who);
            return Ok("lone::executor");
        }
        let polled = self.running.as_ref().is_some_and(|(_, polled)| *polled);
        rule(polled != (how == " was stopped"), || format!("was it polled? {polled}"))?;
        let root = self.roots.get_mut(who).ok_or("unknown task")?;
        rule(!std::mem::replace(&mut root.ended, true), || "it has ended before".to_string())?;
        if who == "main" {
            self.running = None;
            self.main_ended_in_batch = true;
        }
        Ok("lone::executor")
    }

    // [8] and [9]
    fn joined_or_reaped(&mut self, tag: &str, fact: &str) -> Result<&'static str, String> {
        let who = fact.split([' ', ':']).next().unwrap_or_default();
        let root = self.roots.get_mut(who).ok_or("unknown task")?;
        rule(root.ended && !root.reaped, || "it has not ended, or is gone".to_string())?;
        if tag == "9" {
            root.reaped = true;
            self.running = None;
        }
        Ok("lone::executor")
    }

    // a, b, c, d
    fn beat(&mut self, tag: &str, fact: &str) -> Result<&'static str, String> {
        rule(self.running.is_none(), || format!("{:?} is running", self.running))?;
        self.draining = tag == "a";
        match tag {
            "b" => {
                if !std::mem::take(&mut self.main_ended_in_batch) {
                    self.skip_ended();
                    rule(self.batch.is_empty(), || format!("{:?} are left", self.batch))?;
                }
                self.batch.append(&mut self.ready);
                let size = fact.strip_prefix("a batch of ").ok_or("unknown")?;
                rule(size == self.batch.len().to_string(), || {
                    format!("{} are ready", self.batch.len())
                })?;
            }
            "c" => rule(self.ready.is_empty(), || format!("{:?} are ready", self.ready))?,
            "d" => return Ok("lone::reactor"),
            _ => {}
        }
        Ok("lone::executor")
    }

    // e
    fn fired(&mut self, fact: &str, at: Instant) -> Result<&'static str, String> {
        let Some(timer) = fact.strip_prefix("timer ").and_then(|f| f.strip_suffix(" is due"))
        else {
            return Ok("lone::reactor");
        };
        let timer: u64 = timer.parse().map_err(|_| "a timer has a number")?;
        let deadline = self.timers.remove(&timer).ok_or("it is not armed")?;
        rule(deadline == at, || format!("its deadline is at {deadline:?}, now is {at:?}"))?;
        let due = Some((deadline, timer));
        rule(self.last_due < due, || format!("{:?} was due before", self.last_due))?;
        self.last_due = due;
        Ok("lone::timer")
    }

    // Lines that belong to no station.
    fn timer_or_turn(&mut self, fact: &str, at: Instant) -> Result<&'static str, String> {
        if let Some(turn) = fact.strip_prefix("─── turn ").and_then(|f| f.strip_suffix(" ───"))
        {
            self.turn += 1;
            rule(turn == self.turn.to_string(), || format!("turn {} begins", self.turn))?;
            return Ok("lone::executor");
        }
        let timer = fact.strip_prefix("timer ").ok_or("unknown")?;
        if let Some(timer) = timer.strip_suffix(" is disarmed") {
            let timer: u64 = timer.parse().map_err(|_| "a timer has a number")?;
            self.timers.remove(&timer).ok_or("it is not armed")?;
            return Ok("lone::timer");
        }
        let (timer, what) = timer.split_once(" is armed for ").ok_or("unknown")?;
        let (who, wait) = what.split_once(", ").ok_or("unknown")?;
        rule(self.is_running(who), || format!("{who} is not running"))?;
        rule(timer == self.armed.to_string(), || format!("timer {} is next", self.armed))?;
        let wait = wait.split(" from now").next().and_then(parse_duration);
        self.timers.insert(self.armed, at + wait.ok_or("a timer has a duration")?);
        self.armed += 1;
        Ok("lone::timer")
    }

    fn end(&self) -> Rule {
        let alive = |(who, root): &(&String, &Root)| *who != "main" && !root.reaped;
        let left: Vec<_> = self.roots.iter().filter(alive).map(|(who, _)| who).collect();
        rule(left.is_empty(), || format!("{left:?} are not reaped"))?;
        rule(self.roots["main"].ended, || "main has not ended".to_string())?;
        rule(self.timers.is_empty(), || format!("{:?} are armed", self.timers))?;
        let waits = self.lines.values().find(|line| !line.is_empty());
        rule(waits.is_none(), || format!("{waits:?} wait"))
    }
}

#[test]
fn lecture_programs_keep_the_rules_of_the_loop() {
    let traces = [
        record(program()),
        record(lecture_21_tasks::program()),
        record(lecture_24_1_semaphore::program()),
        record(lecture_24_2_race::program()),
        record(lecture_24_3_retry::program()),
        record(lecture_24_4_queue::program()),
    ];
    for told in &traces {
        let reader = Reader::read_all(told);
        assert!(reader.turn > 3 && reader.armed > 0, "there was something to read");
    }
}

#[test]
fn ten_thousand_sensors_keep_the_rules_of_the_loop() {
    let told = record(lecture_35_ingest::program());
    let reader = Reader::read_all(&told);
    assert_eq!(reader.armed, 3 * (10 + 100 + 10_000), "each reading of a sensor is one sleep");
}

/// A reader that finds nothing is worth nothing: here is what it must find.
#[test]
fn reader_stops_at_a_trace_that_breaks_a_rule() {
    type Change = fn(&mut Vec<Line>, usize);
    let broken: [(&str, Change, &str); 7] = [
        ("[3] ", |told, at| drop(told.remove(at)), "nobody has left the queue"),
        ("[6] ", |told, at| drop(told.remove(at)), "nobody should be queued"),
        ("[2] Task-1", |told, at| drop(told.remove(at)), "should be told here"),
        ("[e] timer", |told, at| told[at].at -= ms(1), "its deadline is at"),
        ("[9] ", |told, at| drop(told.remove(at)), "is running"),
        ("[b] a batch of 2", |told, at| told[at].text.replace_range(15..16, "3"), "2 are ready"),
        ("[5] Task-2 `b` waits", |told, at| drop(told.remove(at)), "is the first there"),
    ];
    for (line, change, expected) in broken {
        let mut told = record(program());
        let at = told.iter().position(|told| told.text.starts_with(line));
        change(&mut told, at.unwrap_or_else(|| panic!("no line begins with {line:?}")));
        let mut reader = Reader::default();
        let found = told.iter().find_map(|line| reader.read(line).err());
        let found = found.unwrap_or_else(|| panic!("nothing was found without {line:?}"));
        assert!(found.contains(expected), "{line:?}: {found}");
    }
}

// ----- the document --------------------------------------------------------------------------------

/// The fenced blocks of the document that are marked so, as lines.
fn blocks(mark: &str) -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if found == mark {
                blocks.push(block);
            }
        }
    }
    blocks
}

/// The text of this file between `// ANCHOR: name` and its end.
fn anchored(name: &str) -> Vec<&'static str> {
    let (begin, end) = (format!("// ANCHOR: {name}"), format!("// ANCHOR_END: {name}"));
    SOURCE.lines().skip_while(|line| *line != begin).skip(1).take_while(|l| *l != end).collect()
}

/// A trace of [`program`], with places as they are in a `src/main.rs` that has nothing else.
fn as_documented(told: &[Line]) -> Vec<String> {
    let first = SOURCE.lines().position(|line| line == "// ANCHOR: program").expect("it is there");
    let place = |line: usize, column: usize| format!("src/main.rs:{}:{column}", line - first - 1);
    told.iter().map(|line| with_places(&line.text, place)).collect()
}

#[test]
fn document_shows_this_very_program() {
    assert_eq!(blocks("rust"), [anchored("program")], "the document's program is another one");
}

#[test]
fn document_tells_the_whole_trace_in_order() {
    let told = as_documented(&record(program()));
    println!("{}", told.join("\n"));
    let blocks = blocks("text,story");
    assert!(blocks.len() > 5, "the document has only {} blocks of the trace", blocks.len());
    // A line `…` stands for whatever lies between; without it the next line follows at once.
    let (told, shown) = (steady(&told), steady(blocks.concat()));
    let mut at = 0;
    for (n, run) in shown.split(|line| line == "…").enumerate() {
        let rest = &told[at..];
        let skipped = match n {
            0 => 0,
            _ if run.is_empty() => rest.len(),
            _ => (0..rest.len()).find(|&n| rest[n..].starts_with(run)).unwrap_or(0),
        };
        for (n, line) in run.iter().enumerate() {
            let real = rest.get(skipped + n).map_or("(the end of the trace)", String::as_str);
            assert_eq!(real, line, "left: the trace; right: the document, line {n} of a run");
        }
        at += skipped + run.len();
    }
    assert_eq!(at, told.len(), "the document ends before the trace does: {:?}", told.get(at));
}

/// What the text says in numbers.
#[test]
fn document_counts_polls_turns_and_sleeps_right() {
    let told = record(program());
    let count = |part: &str| told.iter().filter(|line| line.text.contains(part)).count();
    let (polls, turns, sleeps) = (count("is polled"), count("─── turn"), count("[c]"));
    let says = format!("It made {polls} polls in {turns} turns, and slept {sleeps} times.");
    assert!(DOCUMENT.replace('\n', " ").contains(&says), "the document should say: {says}");
    let took = told.last().expect("it has an end").at - told[0].at;
    assert_eq!(took, ms(200), "the document says so");
}

/// The lines of the real clock: the same but for the duration. A machine that is very busy may let
/// the deadline pass before the loop parks; then the run says nothing, and another is made.
#[cfg(target_os = "linux")]
#[test]
fn document_tells_how_the_loop_parks_on_the_real_clock() {
    let hidden = |line: &str| {
        let line = replaced(line, "a timer is due in ", |c| c == ' ', |_| "a while".to_string());
        line.trim().to_string()
    };
    let blocks = blocks("text,story-real");
    assert_eq!(blocks.len(), 1, "one block is of the real clock");
    let shown: Vec<String> = blocks[0].iter().map(|line| hidden(line)).collect();
    let mut told = Vec::new();
    for _attempt in 0..10 {
        let real = record_on(lone::Builder::new(), program());
        told = as_documented(&real).iter().map(|line| hidden(line)).collect();
        if told.windows(shown.len()).any(|run| run == shown) {
            return;
        }
    }
    panic!("not in the trace: {shown:#?}\nthe trace:\n{}", told.join("\n"));
}

/// `[`Core::spawn`](../executor/src/core.rs)`: the file is there, and has a `spawn`.
#[test]
fn document_points_at_files_and_functions_that_exist() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut links = 0;
    for (at, _) in DOCUMENT.match_indices("](..") {
        let (text, target) = (&DOCUMENT[..at], &DOCUMENT[at + 2..]);
        let target = &target[..target.find(')').expect("a link has an end")];
        let text = &text[text.rfind('[').expect("a link has a beginning") + 1..];
        let file = std::fs::read_to_string(docs.join(target));
        let file = file.unwrap_or_else(|error| panic!("{target}: {error}"));
        links += 1;
        let name = text.split('`').nth(1).expect("the name of a link is code");
        if name.contains('.') {
            assert!(target.ends_with(name), "{name} points to {target}");
            continue;
        }
        let name = name.rsplit("::").next().unwrap_or(name);
        let made = ["fn ", "struct "].map(|kind| format!("{kind}{name}"));
        let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let is_there = made.iter().any(|made| {
            file.match_indices(made).any(|(n, _)| is_end(file[n + made.len()..].chars().next()))
        });
        assert!(is_there, "{target} has no `{name}`");
    }
    assert!(links > 15, "the document points at the code; found {links} links");
}
