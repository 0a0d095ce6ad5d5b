//! Does the real executor poll in the same order as one that is too simple to be wrong?
//!
//! ```text
//!   proptest ──► Program ─┬──► Naive     ──► trace of polls, steps, drops, turn by turn ──┐
//!                         └──► Executor  ──► trace …                                      ├─ equal?
//! ```
//!
//! A script is what a task does, step by step: it yields, spawns, joins, sets and waits for flags,
//! wakes others, and ends. Nothing in it knows on which executor it runs; whatever it does it writes
//! to the trace.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lone_executor::{Executor, yield_now};
use lone_tests::bounded_park::BoundedPark;
use lone_tests::naive::{self, Naive};
use proptest::collection::vec;
use proptest::prelude::*;

/// How many flags a program has.
const FLAGS: usize = 4;

/// The most scripts that a program has, each of which is spawned once at most.
const TASKS: usize = 30;

/// How many turns a program may take: each task takes a bounded number of steps.
const TURNS: usize = 10_000;

#[derive(Clone, Debug)]
enum Step {
    /// Goes to the back of the queue, that often.
    Yield(u8),
    /// Wakes itself that often within one poll (none: it has to be woken), once.
    YieldWaking(u8),
    /// Spawns the program's next script as a child and keeps its handle.
    Spawn,
    /// Spawns it and drops the handle.
    Detach,
    /// Joins its oldest child that is not joined yet.
    JoinOldest,
    /// Joins its youngest.
    JoinYoungest,
    /// Wakes everybody who waits for the flag, in the order in which they came.
    Set(usize),
    /// Waits for the flag; ready at once if it is set.
    Wait(usize),
    /// Wakes a task by the waker of its last poll, alive or not, that often.
    Wake(usize, u8),
    /// Ends here.
    Finish,
}

type Script = Vec<Step>;

/// The first script is the program's first task; the others are spawned in their order.
type Program = Vec<Script>;

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_u8).prop_map(Step::Yield),
        3 => (0..4_u8).prop_map(Step::YieldWaking),
        8 => Just(Step::Spawn),
        3 => Just(Step::Detach),
        5 => Just(Step::JoinOldest),
        3 => Just(Step::JoinYoungest),
        4 => (0..FLAGS).prop_map(Step::Set),
        3 => (0..FLAGS).prop_map(Step::Wait),
        6 => (0..TASKS, 1..4_u8).prop_map(|(task, times)| Step::Wake(task, times)),
        1 => Just(Step::Finish),
    ]
}

fn any_program() -> impl Strategy<Value = Program> {
    vec(vec(any_step(), 0..10), 1..=TASKS).prop_map(|mut program| {
        // Without these most programs would end before they have begun.
        program[0].splice(0..0, std::iter::repeat_n(Step::Spawn, 5));
        program
    })
}

// ----- the two executors ----------------------------------------------------------------------------

/// What a script needs of an executor.
trait Spawner: Clone + 'static {
    type Handle: Future<Output = usize> + Unpin;

    fn spawn(&self, future: impl Future<Output = usize> + 'static) -> Self::Handle;
}

impl Spawner for Naive {
    type Handle = naive::JoinHandle<usize>;

    fn spawn(&self, future: impl Future<Output = usize> + 'static) -> Self::Handle {
        Naive::spawn(self, future)
    }
}

/// The loop that runs on this thread.
#[derive(Clone)]
struct Real;

struct RealHandle(lone_executor::JoinHandle<usize>);

impl Spawner for Real {
    type Handle = RealHandle;

    fn spawn(&self, future: impl Future<Output = usize> + 'static) -> RealHandle {
        RealHandle(lone_executor::spawn(future))
    }
}

impl Future for RealHandle {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let joined = Pin::new(&mut self.0).poll(cx);
        joined.map(|outcome| outcome.expect("a script neither panics nor is cancelled"))
    }
}

// ----- running a script -----------------------------------------------------------------------------

/// What the tasks of a program share.
struct World<S> {
    /// Taken away at the end: tasks that wait for ever would keep themselves alive.
    spawner: RefCell<Option<S>>,
    /// The scripts that are not spawned yet.
    scripts: RefCell<VecDeque<Script>>,
    trace: RefCell<Vec<String>>,
    flags: [Flag; FLAGS],
    /// By task: the waker of its last poll.
    wakers: RefCell<Vec<Option<Waker>>>,
    joins: Cell<usize>,
    waits: Cell<usize>,
}

#[derive(Default)]
struct Flag {
    set: Cell<bool>,
    waiters: RefCell<Vec<Waker>>,
}

impl<S: Spawner> World<S> {
    fn new(spawner: S, program: &Program) -> Rc<World<S>> {
        Rc::new(World {
            spawner: RefCell::new(Some(spawner)),
            scripts: RefCell::new(program.iter().cloned().collect()),
            trace: RefCell::default(),
            flags: Default::default(),
            wakers: RefCell::default(),
            joins: Cell::new(0),
            waits: Cell::new(0),
        })
    }

    fn spawn(&self, task: impl Future<Output = usize> + 'static) -> S::Handle {
        let spawner = self.spawner.borrow().clone();
        spawner.expect("the program is running").spawn(task)
    }

    fn say(&self, what: String) {
        self.trace.borrow_mut().push(what);
    }

    /// A future for the next script that writes each poll and its end to the trace.
    fn next_task(self: &Rc<Self>) -> Option<impl Future<Output = usize> + 'static> {
        let script = self.scripts.borrow_mut().pop_front()?;
        let id = self.wakers.borrow().len();
        self.wakers.borrow_mut().push(None);
        let world = self.clone();
        let mut body = run(self.clone(), id, script);
        let dropped = SayOnDrop(self.clone(), id);
        Some(poll_fn(move |cx| {
            let _held_until_the_future_goes = &dropped;
            world.say(format!("{id} is polled"));
            // The waker that was there is dropped after the borrow has ended.
            let before = world.wakers.borrow_mut()[id].replace(cx.waker().clone());
            drop(before);
            body.as_mut().poll(cx)
        }))
    }
}

struct SayOnDrop<S: Spawner>(Rc<World<S>>, usize);

impl<S: Spawner> Drop for SayOnDrop<S> {
    fn drop(&mut self) {
        self.0.say(format!("{} is dropped", self.1));
    }
}

/// The body of task `id`; boxed, for it makes futures of its own type.
fn run<S: Spawner>(
    world: Rc<World<S>>,
    id: usize,
    script: Script,
) -> Pin<Box<dyn Future<Output = usize>>> {
    Box::pin(async move {
        let mut children = Vec::new();
        for (number, step) in script.into_iter().enumerate() {
            world.say(format!("{id} begins step {number}"));
            match step {
                Step::Yield(times) => {
                    for _ in 0..times {
                        yield_now().await;
                        world.say(format!("{id} goes on"));
                    }
                }
                Step::YieldWaking(times) => yield_waking(times).await,
                Step::Spawn => {
                    if let Some(task) = world.next_task() {
                        children.push(world.spawn(task));
                    }
                }
                Step::Detach => {
                    if let Some(task) = world.next_task() {
                        drop(world.spawn(task));
                    }
                }
                Step::JoinOldest if !children.is_empty() => {
                    join(&world, id, children.remove(0)).await;
                }
                Step::JoinYoungest => {
                    if let Some(child) = children.pop() {
                        join(&world, id, child).await;
                    }
                }
                Step::JoinOldest => {}
                Step::Set(flag) => set(&world.flags[flag]),
                Step::Wait(flag) => {
                    world.waits.set(world.waits.get() + 1);
                    wait(&world.flags[flag]).await;
                }
                Step::Wake(task, times) => wake(&world, task, times),
                Step::Finish => break,
            }
        }
        world.say(format!("{id} ends"));
        id
    })
}

async fn join<S: Spawner>(world: &World<S>, id: usize, child: S::Handle) {
    let child = child.await;
    world.joins.set(world.joins.get() + 1);
    world.say(format!("{id} has joined {child}"));
}

async fn yield_waking(times: u8) {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        (0..times).for_each(|_| cx.waker().wake_by_ref());
        Poll::Pending
    })
    .await;
}

fn set(flag: &Flag) {
    flag.set.set(true);
    let waiters = flag.waiters.take();
    waiters.into_iter().for_each(Waker::wake);
}

async fn wait(flag: &Flag) {
    poll_fn(|cx| {
        if flag.set.get() {
            return Poll::Ready(());
        }
        let mut waiters = flag.waiters.borrow_mut();
        if !waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
        Poll::Pending
    })
    .await;
}

fn wake<S>(world: &World<S>, task: usize, times: u8) {
    let wakers = world.wakers.borrow();
    let Some(waker) = wakers.get(task % wakers.len().max(1)).cloned().flatten() else {
        return;
    };
    drop(wakers);
    for _ in 1..times {
        waker.wake_by_ref();
    }
    waker.wake();
}

/// What a run has left: the trace of each turn, and how many tasks wait for ever.
#[derive(Debug, PartialEq)]
struct Outcome {
    turns: Vec<Vec<String>>,
    left: usize,
}

/// Ends a turn: one in which nobody was polled does not count (only dead entries were in the queue).
fn end_turn<S>(world: &World<S>, turns: &mut Vec<Vec<String>>) {
    let trace = world.trace.take();
    if !trace.is_empty() {
        turns.push(trace);
    }
    assert!(turns.len() < TURNS, "a program of a bounded number of steps ends");
}

/// The first script as a future.
fn first_task<S: Spawner>(world: &Rc<World<S>>) -> impl Future<Output = usize> + 'static {
    world.next_task().expect("a program has a first script")
}

fn run_naive(program: &Program) -> Outcome {
    let naive = Naive::new();
    let world = World::new(naive.clone(), program);
    drop(naive.spawn(first_task(&world)));
    let mut turns = Vec::new();
    while naive.turn() > 0 {
        end_turn(&world, &mut turns);
    }
    let left = naive.tasks();
    world.spawner.take();
    Outcome { turns, left }
}

/// The trace, and how many joins and waits there were.
fn run_real(program: &Program) -> (Outcome, [usize; 2]) {
    let mut executor = Executor::new(BoundedPark::new()).expect("a loop index is free");
    let world = World::new(Real, program);
    drop(executor.spawn(first_task(&world)));
    let mut turns = Vec::new();
    let left = loop {
        let turn = executor.turn(Some(Duration::ZERO)).expect("the park works");
        end_turn(&world, &mut turns);
        if turn.ready == 0 {
            break turn.tasks;
        }
    };
    (Outcome { turns, left }, [world.joins.get(), world.waits.get()])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // SEM-24, SEM-45, SEM-46, SEM-51: the same polls, steps and drops in the same turns.
    #[test]
    fn random_programs_run_turn_by_turn_in_the_same_order_as_on_the_naive_executor(
        program in any_program()
    ) {
        let naive = run_naive(&program);
        let (real, _) = run_real(&program);
        prop_assert_eq!(real, naive);
    }

    // SEM-10, SEM-24: main is one of them, and at its end the rest stands still.
    #[test]
    fn random_programs_run_by_block_on_in_the_same_order_as_on_the_naive_executor(
        program in any_program()
    ) {
        // Main that waits for ever would be a hang: only programs whose first task ends.
        let ends = run_naive(&program).turns.iter().flatten().any(|what| what == "0 ends");
        prop_assume!(ends);
        let naive = Naive::new();
        let world = World::new(naive.clone(), &program);
        naive.run(first_task(&world));
        let (expected, left) = (world.trace.take(), naive.tasks());
        world.spawner.take();

        let mut executor = Executor::new(BoundedPark::new()).expect("a loop index is free");
        let world = World::new(Real, &program);
        executor.block_on(first_task(&world));
        prop_assert_eq!(world.trace.take(), expected);
        prop_assert_eq!(executor.statistics().tasks, left);
    }
}

/// That the programs are worth running: they join, wait, wake and run many tasks.
#[test]
fn random_programs_do_what_they_are_meant_to_exercise() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut turns, mut joins, mut waits, mut most, mut left) = (0, 0, 0, 0, 0);
    for _ in 0..300 {
        let program = any_program().new_tree(&mut runner).expect("it can be made").current();
        let (outcome, [joined, waited]) = run_real(&program);
        turns += outcome.turns.len();
        joins += joined;
        waits += waited;
        left += outcome.left;
        let dropped = outcome.turns.iter().flatten().filter(|what| what.ends_with("is dropped"));
        most = most.max(dropped.count() + outcome.left);
    }
    assert!(
        turns > 1000 && joins > 300 && waits > 300 && left > 0 && most >= 20,
        "{turns} turns, {joins} joins, {waits} waits, {left} left, {most} tasks at most"
    );
}
