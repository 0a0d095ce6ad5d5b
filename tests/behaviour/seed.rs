//! Seeds: the order of ready tasks is shuffled, and the same seed gives the same run.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lone::{Builder, JoinHandle, sleep, spawn, yield_now};
use lone_executor::{Executor, LoopNumber, Park, Release, Settings, ThreadPark, Unpark};

use crate::help::{Trace, record_reports, take_reports};

/// Ten tasks that yield, sleep and spawn, and say so.
async fn program(trace: Trace) {
    let task = |n: u64| {
        let trace = trace.clone();
        spawn(async move {
            for round in 0..3 {
                trace.say(format!("{n}.{round}"));
                yield_now().await;
            }
            sleep(Duration::from_millis(n % 3)).await;
            trace.say(format!("{n} slept"));
            let inner = trace.clone();
            spawn(async move { inner.say(format!("{n} inner")) }).await.expect("it ends well");
        })
    };
    let tasks: Vec<JoinHandle<()>> = (0..10).map(task).collect();
    lone::gather(tasks).await;
}

fn trace_of(builder: Builder) -> String {
    let trace = Trace::default();
    builder.start_paused(true).run(program(trace.clone()));
    trace.take()
}

// SEM-401: the same, and another.
#[test]
fn same_seed_gives_the_same_trace_and_another_seed_another() {
    let fifo = trace_of(Builder::new());
    let traces: Vec<String> = (0..20).map(|seed| trace_of(Builder::new().seed(seed))).collect();
    let again: Vec<String> = (0..20).map(|seed| trace_of(Builder::new().seed(seed))).collect();
    assert_eq!(traces, again);
    let different: HashSet<&String> = traces.iter().chain([&fifo]).collect();
    assert_eq!(different.len(), 21, "and none is the order of the queue");
    let sorted = |trace: &str| {
        let mut said: Vec<String> = trace.split(' ').map(str::to_owned).collect();
        said.sort();
        said
    };
    assert!(traces.iter().all(|trace| sorted(trace) == sorted(&fifo)), "the same things happen");
}

// SEM-401, SEM-51: a turn is a turn, whatever the order in it.
#[test]
fn under_a_seed_everybody_runs_once_in_each_turn() {
    let rounds = Builder::new().seed(3).run(async {
        let rounds = Trace::default();
        let tasks = (0..20).map(|_| {
            let rounds = rounds.clone();
            spawn(async move {
                for round in 0..5 {
                    rounds.say(round.to_string());
                    yield_now().await;
                }
            })
        });
        lone::gather(tasks.collect::<Vec<_>>()).await;
        rounds.take()
    });
    let expected: Vec<String> =
        (0..5).flat_map(|round| std::iter::repeat_n(round.to_string(), 20)).collect();
    assert_eq!(rounds, expected.join(" "));
}

// SEM-401: as an option of the macro.
#[lone::test(start_paused, seed = 7)]
async fn test_with_a_seed_is_shuffled() {
    let trace = Trace::default();
    program(trace.clone()).await;
    let other = std::thread::spawn(|| trace_of(Builder::new().seed(7)));
    assert_eq!(trace.take(), other.join().expect("it ends well"));
}

// SEM-401: a run that fails says how it is had again.
#[test]
fn panic_under_a_seed_tells_the_seed() {
    record_reports();
    let fails: [fn(); 3] = [
        || Builder::new().seed(77).run(async { panic!("in main") }),
        || Builder::new().seed(77).run(async { lone::Event::new().wait().await }),
        || drop(Builder::new().seed(77).try_run(async { panic!("in main") })),
    ];
    for fail in fails {
        std::panic::catch_unwind(fail).expect_err("it panics");
        let said = take_reports();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("seed 77 led to this panic"), "{said:?}");
    }
    Builder::new().seed(77).run(async {});
    assert_eq!(take_reports(), [""; 0]);
}

/// A park on whose clock an hour passes between two readings.
struct Hours {
    park: ThreadPark,
    looks: Rc<Cell<usize>>,
    hours: Cell<u64>,
}

impl Park for Hours {
    fn park(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.looks.set(self.looks.get() + 1);
        self.park.park(limit)
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn unparker(&self) -> Arc<dyn Unpark> {
        self.park.unparker()
    }

    type Entered = ();

    fn enter(&self, _number: LoopNumber) {}

    fn can_wake(&self) -> bool {
        false
    }

    fn release(&mut self, _what: Release) {}

    fn reading(&self) -> Option<Duration> {
        self.hours.set(self.hours.get() + 1);
        Some(Duration::from_secs(self.hours.get() * 3600))
    }
}

// SEM-401, F23: the clock says when to look within a batch, but not under a seed.
#[test]
fn under_a_seed_the_count_of_polls_alone_decides_when_to_look() {
    let looks = |seed| {
        let looks = Rc::new(Cell::new(0));
        let park = Hours { park: ThreadPark::new(), looks: looks.clone(), hours: Cell::new(0) };
        let settings = Settings { seed, ..Settings::default() };
        let mut executor = Executor::with_settings(park, settings).expect("a loop index is free");
        executor.block_on(async {
            for _ in 0..6400 {
                yield_now().await;
            }
        });
        looks.get()
    };
    assert_eq!(looks(Some(1)), 100, "every 64 polls");
    assert!(looks(None) > 300, "{} looks: every 16 polls", looks(None));
}
