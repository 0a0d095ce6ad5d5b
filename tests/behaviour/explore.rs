//! Exploration: every order of ready tasks, once each, and an order that fails can be had again.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use lone::test::{Explore, Failure, Why, explore};
use lone::{Event, JoinHandle, Semaphore, sleep, spawn, yield_now};

use crate::help::{Trace, record_reports, take_reports};

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Tasks of so many yields each, which say their letter at every poll; main goes on with the last.
async fn tasks_of(yields: &[usize], trace: Trace) {
    let (left, all) = (Rc::new(Cell::new(yields.len())), Rc::new(Event::new()));
    for (letter, yields) in ["a", "b", "c", "d"].into_iter().zip(yields.iter().copied()) {
        let (trace, left, all) = (trace.clone(), left.clone(), all.clone());
        drop(spawn(async move {
            trace.say(letter);
            for _ in 0..yields {
                yield_now().await;
                trace.say(letter);
            }
            left.set(left.get() - 1);
            if left.get() == 0 {
                all.set();
            }
        }));
    }
    all.wait().await;
}

/// In how many orders so many polls each can be had: the multinomial coefficient.
fn orders(yields: &[usize]) -> usize {
    let (mut orders, mut polls) = (1, 0);
    for task in yields {
        for poll in 1..=task + 1 {
            polls += 1;
            orders = orders * polls / poll;
        }
    }
    orders
}

// ----- which orders --------------------------------------------------------------------------------

// SEM-429: combinatorics say how many there are.
#[test]
fn tasks_of_a_few_yields_are_run_in_each_order_once() {
    let cases: [&[usize]; 8] =
        [&[0], &[5], &[0, 0], &[1, 1], &[3, 3], &[0, 0, 0, 0], &[1, 1, 1], &[2, 0, 1]];
    for yields in cases {
        let (trace, mut seen) = (Trace::default(), HashSet::new());
        let explored = explore(|| {
            let before = trace.take();
            assert!(before.is_empty() || seen.insert(before));
            tasks_of(yields, trace.clone())
        });
        assert!(seen.insert(trace.take()));
        assert_eq!(explored.schedules, orders(yields), "{yields:?}");
        assert_eq!(seen.len(), explored.schedules, "{yields:?}");
        assert!(explored.exhaustive);
    }
    assert_eq!((orders(&[1, 1]), orders(&[3, 3]), orders(&[1, 1, 1])), (6, 70, 90));
}

// SEM-429: the order that everybody knows comes first.
#[test]
fn first_schedule_is_the_order_of_the_queue() {
    let trace = Trace::default();
    lone::run(tasks_of(&[1, 2, 0], trace.clone()));
    let fifo = trace.take();
    assert_eq!(fifo, "a b c a b b");
    Explore::new().schedules(1).random(0).run(|| tasks_of(&[1, 2, 0], trace.clone()));
    assert_eq!(trace.take(), fifo);
}

// SEM-429: main is one of those who are ready, and children keep the order of their task.
#[test]
fn main_is_interleaved_like_a_task_and_children_are_not() {
    let trace = Trace::default();
    let explored = explore(|| {
        let (trace, task) = (trace.clone(), trace.clone());
        async move {
            drop(spawn(async move { task.say("task") }));
            let child = |name| {
                let trace = trace.clone();
                async move {
                    yield_now().await;
                    trace.say(name);
                }
            };
            lone::gather(["1", "2", "3"].map(child)).await;
            trace.say("|");
        }
    });
    // Main's second poll comes before the task's, or after it; then main has ended.
    assert_eq!(explored.schedules, 2);
    assert_eq!(trace.take(), "task 1 2 3 | 1 2 3 |");
}

// SEM-429: sleeps end in their order, and only those that end together change places.
#[test]
fn clock_is_virtual_and_jumps_only_while_nobody_is_ready() {
    let ends = Trace::default();
    let explored = explore(|| {
        let ends = ends.clone();
        async move {
            let begin = lone::time::Instant::now();
            let sleeper = |(name, secs): (&'static str, u64)| {
                let ends = ends.clone();
                spawn(async move {
                    sleep(Duration::from_secs(secs)).await;
                    assert_eq!(begin.elapsed(), Duration::from_secs(secs));
                    ends.say(name);
                })
            };
            drop([("late", 7200), ("a", 3600), ("b", 3600)].map(sleeper));
            sleep(Duration::from_secs(7201)).await;
        }
    });
    assert!(explored.exhaustive);
    let said = ends.take();
    assert_eq!(
        said.matches("a b late").count() + said.matches("b a late").count(),
        explored.schedules
    );
    assert_eq!(said.matches("a b late").count(), said.matches("b a late").count());
}

// SEM-429: beyond the bound they are random, and the same for the same seed.
#[test]
fn too_many_orders_are_tried_at_random_after_the_first_ones() {
    let traces = |seed| {
        let (trace, mut all) = (Trace::default(), Vec::new());
        let explored = Explore::new().schedules(10).random(20).seed(seed).run(|| {
            all.push(trace.take());
            tasks_of(&[5, 5, 5], trace.clone())
        });
        assert_eq!((explored.schedules, explored.exhaustive), (30, false));
        all
    };
    let first = traces(1);
    assert_eq!(first, traces(1));
    let second = traces(2);
    assert_eq!(first[..11], second[..11], "the first ten, and what was before");
    assert_ne!(first[11..], second[11..]);
}

// SEM-429: no more time, no more schedules.
#[test]
fn exploration_ends_with_its_time() {
    let explored = Explore::new().time(Duration::ZERO).run(|| tasks_of(&[5, 5], Trace::default()));
    assert_eq!((explored.schedules, explored.exhaustive), (1, false));
}

// ----- bugs ----------------------------------------------------------------------------------------

/// Two withdrawals from an account that must not go below zero; the second comes later.
async fn bank(check_again: bool) {
    let balance = Rc::new(Cell::new(100));
    let withdraw = |name: &'static str, comes_after: usize| {
        let balance = balance.clone();
        spawn(async move {
            yields(comes_after).await;
            if balance.get() >= 80 {
                yield_now().await;
                if check_again && balance.get() < 80 {
                    return;
                }
                balance.set(balance.get() - 80);
            }
        })
        .named(name)
    };
    lone::gather([withdraw("alice", 0), withdraw("bob", 2)]).await;
    assert!(balance.get() >= 0, "the balance is {}", balance.get());
}

/// A condition made by hand. It looks at its flag, and only then stands in line.
#[derive(Default)]
struct Notice {
    given: Cell<bool>,
    waiter: RefCell<Option<(Waker, Rc<Cell<bool>>)>>,
}

impl Notice {
    async fn wait(&self, yields_before_it_stands_in_line: usize) {
        if self.given.get() {
            return;
        }
        yields(yields_before_it_stands_in_line).await;
        let woken = Rc::new(Cell::new(false));
        poll_fn(|cx| {
            if woken.get() {
                return Poll::Ready(());
            }
            self.waiter.replace(Some((cx.waker().clone(), woken.clone())));
            Poll::Pending
        })
        .await;
    }

    fn give(&self) {
        self.given.set(true);
        let waiter = self.waiter.take();
        if let Some((waiter, woken)) = waiter {
            woken.set(true);
            waiter.wake();
        }
    }
}

async fn notification(yields_before_it_stands_in_line: usize) {
    let notice = Rc::new(Notice::default());
    let (waits, gives) = (notice.clone(), notice);
    let waiter = spawn(async move { waits.wait(yields_before_it_stands_in_line).await });
    let giver = spawn(async move {
        yields(2).await;
        gives.give();
    });
    lone::gather([waiter.named("waiter"), giver.named("giver")]).await;
}

/// Two tasks that take two locks, the second one later, and in the other order or in the same.
async fn locks(in_one_order: bool) {
    let locks = Rc::new([Semaphore::new(1), Semaphore::new(1)]);
    let take = |name: &'static str, [first, second]: [usize; 2], comes_after: usize| {
        let locks = locks.clone();
        spawn(async move {
            yields(comes_after).await;
            let _first = locks[first].acquire().await;
            yield_now().await;
            let _second = locks[second].acquire().await;
        })
        .named(name)
    };
    let other = if in_one_order { [0, 1] } else { [1, 0] };
    lone::gather([take("left", [0, 1], 0), take("right", other, 2)]).await;
}

/// The queue's order goes well, and another is found that does not: within a second.
fn found<F: Future<Output = ()>>(program: impl Fn() -> F) -> Failure {
    lone::Builder::new().start_paused(true).run(program());
    let begin = std::time::Instant::now();
    let failure = Explore::new().try_run(&program).expect_err("an order in which it fails");
    assert!(failure.schedules() < 1000, "{} schedules, {:?}", failure.schedules(), begin.elapsed());
    let again = Explore::new().replay(&failure.schedule()).try_run(&program);
    let again = again.expect_err("the same order fails again");
    assert_eq!((again.schedules(), again.steps()), (1, failure.steps()));
    failure
}

// SEM-429: check, then act.
#[test]
fn account_checked_before_an_await_and_used_after_it_is_found_overdrawn() {
    let failure = found(|| bank(false));
    let Why::Panicked(message) = failure.why() else { panic!("{failure}") };
    assert!(message.contains("the balance is -60"), "{message}");
    let who: Vec<String> = failure.steps().into_iter().map(|step| step.who).collect();
    assert_eq!(who.first().map(String::as_str), Some("main"));
    assert!(who.contains(&"Task-1 `alice`".to_owned()), "{who:?}");
    assert!(explore(|| bank(true)).exhaustive);
}

// SEM-429: the waker that is left over is nobody's hope, for there are no threads.
#[test]
fn notice_given_between_the_look_and_the_line_is_found_lost() {
    let failure = found(|| notification(1));
    let Why::Deadlock(report) = failure.why() else { panic!("{failure}") };
    assert!(report.to_string().contains("Task-1 `waiter`"), "{report}");
    assert!(explore(|| notification(0)).exhaustive);
}

// SEM-429: each has what the other wants.
#[test]
fn locks_taken_in_opposite_orders_are_found_deadlocked() {
    let failure = found(|| locks(false));
    let Why::Deadlock(report) = failure.why() else { panic!("{failure}") };
    assert_eq!(report.waiting().len(), 3, "{report}");
    let said = failure.to_string();
    assert!(said.contains("Task-2 `right`"), "{said}");
    if cfg!(not(feature = "trace")) {
        assert!(said.contains("awaits a permit at tests/behaviour/explore.rs:"), "{said}");
    }
    assert!(explore(|| locks(true)).exhaustive);
}

// ----- what counts as a failure --------------------------------------------------------------------

fn failure_of<F: Future<Output: lone::test::Outcome>>(program: impl FnMut() -> F) -> Failure {
    Explore::new().try_run(program).expect_err("it fails")
}

// SEM-429: an error is a failure, and said.
#[test]
fn error_that_main_returns_is_a_failure() {
    let failure = failure_of(|| async { Err::<(), _>("out of paper") });
    assert!(matches!(failure.why(), Why::Returned(error) if error == "\"out of paper\""));
    assert_eq!(failure.schedule(), "fifo");
    assert!(explore(|| async { Ok::<(), ()>(()) }).exhaustive);
}

// SEM-429, SEM-41: what nobody has read is told by the exploration, and by nobody else.
#[test]
fn panic_of_a_task_that_nobody_joins_is_a_failure() {
    record_reports();
    let failure = failure_of(|| async {
        drop(spawn(async { panic!("unseen") }).named("lost"));
        yield_now().await;
    });
    assert!(matches!(failure.why(), Why::TaskPanicked), "{failure}");
    assert_eq!(failure.panics().len(), 1);
    assert!(failure.panics()[0].contains("Task-1 `lost`"), "{failure}");
    assert!(failure.to_string().contains("unseen"), "{failure}");
    assert_eq!(take_reports(), [""; 0]);
    let joined = Explore::new().run(|| async {
        let seen: JoinHandle<()> = spawn(async { panic!("seen") });
        assert!(seen.await.is_err());
    });
    assert!(joined.exhaustive);
}

// SEM-429: a flag that is set without waking who waits for it; the queue's order never waits.
#[test]
fn wake_that_nobody_makes_is_a_failure_though_a_poll_would_heal_it() {
    let program = || async {
        let flag = Rc::new(Cell::new(false));
        let sets = flag.clone();
        drop(spawn(async move { sets.set(true) }));
        let waits = spawn(async move {
            poll_fn(|_| if flag.get() { Poll::Ready(()) } else { Poll::Pending }).await;
        });
        waits.await.expect("it ends well");
    };
    lone::run(program());
    let failure = failure_of(program);
    assert!(matches!(failure.why(), Why::LostWake), "{failure}");
    assert!(failure.to_string().contains("a wake was lost"), "{failure}");
}

// SEM-429: two that give way to each other for ever.
#[test]
fn program_that_never_ends_is_a_failure_with_the_bound() {
    let politely = |turns: usize| {
        Explore::new().turns(turns).try_run(|| async {
            let endless = [(); 2].map(|()| {
                spawn(async {
                    loop {
                        yield_now().await;
                    }
                })
            });
            lone::gather::<[JoinHandle<()>; 2]>(endless).await;
        })
    };
    let failure = politely(100).expect_err("it never ends");
    assert!(matches!(failure.why(), Why::Endless(100)), "{failure}");
    assert!(failure.to_string().contains("after 100 turns"), "{failure}");
    assert_eq!(failure.steps().iter().map(|step| step.times).sum::<usize>(), 100);
}

// SEM-429: a loop starves nobody for ever, so no schedule does.
#[test]
fn task_that_yields_until_another_has_run_is_no_livelock() {
    let explored = Explore::new().schedules(1000).random(100).turns(1000).run(|| async {
        let ready = Rc::new(Cell::new(false));
        let sets = ready.clone();
        let other = spawn(async move { sets.set(true) });
        while !ready.get() {
            yield_now().await;
        }
        other.await.expect("it ends well");
    });
    assert!(!explored.exhaustive, "it has been run for lack of patience");
}

// SEM-429: a program with a memory is found out, and not mistaken.
#[test]
fn program_that_is_not_the_same_every_time_is_told_so() {
    let mut runs = 0;
    let failure = failure_of(|| {
        runs += 1;
        let tasks = if runs < 3 { 3 } else { 2 };
        async move {
            let tasks: Vec<_> = (0..tasks).map(|_| spawn(async {})).collect();
            lone::gather(tasks).await;
        }
    });
    assert!(matches!(failure.why(), Why::Diverged(_)), "{failure}");
    assert_eq!(failure.schedules(), 3);
    let said = failure.to_string();
    assert!(said.contains("2 were ready, and 3 before"), "{said}");
    assert!(said.contains("real time"), "{said}");
}

// SEM-429: likewise a schedule of another program.
#[test]
fn schedule_that_does_not_fit_the_program_is_told_so() {
    for (schedule, what) in [
        ("7", "at choice 1, 2 were ready, and number 8 is to run"),
        ("0*9.1", "it ended after 2 choices, where 10 were to be made"),
    ] {
        let replayed =
            Explore::new().replay(schedule).try_run(|| tasks_of(&[1, 0], Trace::default()));
        let failure = replayed.expect_err("it does not fit");
        assert!(failure.to_string().contains(what), "{failure}");
    }
}

// ----- the report ----------------------------------------------------------------------------------

// SEM-429: what, who, and how to have it again.
#[test]
fn report_tells_the_failure_the_interleaving_and_the_line_that_replays_it() {
    let line = line!() + 1;
    let failed = Explore::new().try_run(|| async {
        let first = spawn(yields(3)).named("first");
        let second = spawn(async {}).named("second");
        first.await.expect("it ends well");
        assert!(second.is_finished(), "second has not run");
    });
    let failure = failed.expect_err("there is such an order");
    let said = failure.to_string();
    let schedule = failure.schedule();
    assert!(said.starts_with("main panicked: second has not run\nIn schedule "), "{said}");
    let order = [
        "     1  main            awaits the end of Task-1 `first`\n",
        "     2  Task-1 `first`  gives way (3 times)\n",
        "     5  Task-1 `first`  ends\n",
        "     6  main            panics\n",
    ];
    if cfg!(not(feature = "trace")) {
        assert!(said.contains(&order.concat()), "{said}");
    }
    let replay = format!(
        "Explore::new().replay(\"{schedule}\") at tests/behaviour/explore.rs:{line}:33, or \
         LONE_SCHEDULE={schedule} "
    );
    assert!(said.contains(&replay), "{said}");
}

// SEM-429: a long one shows its beginning and its end.
#[test]
fn report_of_a_long_interleaving_leaves_its_middle_out() {
    let failure = failure_of(|| async {
        let tasks = [(); 2].map(|()| spawn(yields(100)));
        assert!(lone::gather(tasks).await.is_empty(), "two have ended");
    });
    let said = failure.to_string();
    assert!(said.contains("… 144 lines …"), "{said}");
    assert!(said.lines().count() < 70, "{said}");
    assert!(said.contains("\n     1  main"), "{said}");
    assert!(said.contains("\n   204  main    panics"), "{said}");
}

// SEM-429: the panic of `explore` is the report.
#[test]
#[should_panic(
    expected = "To have this one alone: Explore::new().replay(\"fifo\") at tests/behaviour"
)]
fn explore_panics_with_the_report() {
    explore(|| async { Event::new().wait().await });
}

#[test]
#[should_panic(expected = "call it in a plain #[test], outside of async code")]
fn exploration_inside_a_loop_panics() {
    lone::run(async { explore(|| async {}) });
}

#[test]
#[should_panic(expected = "`first` is no schedule: copy it as the failure has printed it")]
fn replay_of_what_is_no_schedule_panics() {
    let _explore = Explore::new().replay("first");
}

// ----- the environment -----------------------------------------------------------------------------

/// Run by the test below, in a process of its own.
#[test]
#[ignore = "it is a part of the test below"]
fn explored_with_a_schedule_from_the_environment() {
    let trace = Trace::default();
    let explored = explore(|| tasks_of(&[0, 0, 0], trace.clone()));
    assert_eq!((explored.schedules, explored.exhaustive), (1, false));
    assert_eq!(trace.take(), "c b a");
}

// SEM-429: without a change to the program.
#[test]
fn schedule_in_the_environment_is_the_only_one_tried() {
    let output = std::process::Command::new(std::env::current_exe().expect("it has a path"))
        .args(["--exact", "explore::explored_with_a_schedule_from_the_environment", "--ignored"])
        .env("LONE_SCHEDULE", "2.1")
        .output()
        .expect("it can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

// SEM-429: the children of a group keep their order, and an exploration that has met several says so.
#[test]
fn children_of_a_group_that_are_ready_at_once_make_an_exploration_incomplete() {
    let of = |children: usize| {
        explore(move || async move {
            let ran = lone::TaskGroup::<()>::run(async |group| {
                for _ in 0..children {
                    drop(group.spawn(async {
                        yield_now().await;
                        Ok::<_, ()>(())
                    }));
                }
                Ok::<_, ()>(())
            });
            ran.await.map(|_| ())
        })
    };
    assert!(!of(2).exhaustive);
    assert!(of(0).exhaustive, "the body alone");
}
