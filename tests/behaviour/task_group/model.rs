//! Random trees of groups, run to their ends, cancelled, or dropped half way, against a ledger.
//!
//! Whatever happens, at the end: every future was dropped once, every resource closed once, every
//! handle knows how its child has ended, no slot is left; and whatever was thrown (an error, a panic,
//! a cleanup that has failed) has come out exactly once: in the error, in the log, or with whoever
//! dropped the group.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use lone_executor::{Cancelled, JoinError, Panic, spawn};
use lone_sync::{AsyncClose, CloseError, Failure, GroupError, GroupHandle, TaskGroup, using};
use proptest::prelude::*;

use super::yields;
use crate::help::{executor, record_reports, take_reports};

// ----- scripts ----------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    Yield(usize),
    Spawn(Rc<Script>),
    /// A group within, whose body this is; its error is passed on.
    Inner(Rc<Script>),
    CancelGroup,
    /// The so-and-so-many-th child of all.
    CancelChild(usize),
    /// Awaits one for its value, if it has been spawned before: so there is no cycle.
    Join(usize),
    /// Also while it holds its resource.
    Panic,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Well,
    Error,
    Panic,
    Never,
}

/// What a child or a body does.
#[derive(Clone, Debug)]
struct Script {
    /// How long the close of its resource takes, if it has one, and whether that fails.
    resource: Option<(usize, bool)>,
    /// Whether its destructor panics when it is dropped half way.
    fragile: bool,
    steps: Vec<Step>,
    end: End,
}

fn scripts() -> impl Strategy<Value = Rc<Script>> {
    let end = prop_oneof![4 => Just(End::Well), 1 => Just(End::Error), 1 => Just(End::Panic), 1 => Just(End::Never)];
    let resource =
        prop_oneof![2 => Just(None), 1 => (0_usize..4, prop::bool::weighted(0.3)).prop_map(Some)];
    let step = prop_oneof![
        6 => (0_usize..4).prop_map(Step::Yield),
        1 => Just(Step::CancelGroup),
        1 => (0_usize..20).prop_map(Step::CancelChild),
        1 => (0_usize..20).prop_map(Step::Join),
        1 => Just(Step::Panic),
    ];
    let fragile = prop::bool::weighted(0.1);
    let leaf = (resource.clone(), fragile, prop::collection::vec(step.clone(), 0..4), end.clone())
        .prop_map(|(resource, fragile, steps, end)| {
            Rc::new(Script { resource, fragile, steps, end })
        });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let step = prop_oneof![
            3 => step.clone(),
            4 => inner.clone().prop_map(Step::Spawn),
            2 => inner.prop_map(Step::Inner),
        ];
        (
            resource.clone(),
            prop::bool::weighted(0.1),
            prop::collection::vec(step, 1..6),
            end.clone(),
        )
            .prop_map(|(resource, fragile, steps, end)| {
                Rc::new(Script { resource, fragile, steps, end })
            })
    })
}

// ----- the ledger ---------------------------------------------------------------------------------------

/// What was thrown: its text is found once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Thrown(usize);

impl Thrown {
    /// As `panic!` does, but for the message on standard error: there are thousands.
    fn raise(self) -> ! {
        resume_unwind(Box::new(self.to_string()))
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

impl std::error::Error for Thrown {}

#[derive(Default)]
struct Ledger {
    thrown: Cell<usize>,
    /// What has come out, and how often.
    out: RefCell<BTreeMap<usize, usize>>,
    futures: Cell<[usize; 2]>,
    resources: Cell<[usize; 2]>,
    /// How the children have ended that have.
    ends: RefCell<BTreeMap<usize, Ended>>,
    polled: RefCell<BTreeMap<usize, bool>>,
    handles: RefCell<Vec<(usize, Option<GroupHandle<usize>>)>>,
    children: Cell<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Failed,
}

fn bump(pair: &Cell<[usize; 2]>, which: usize) {
    let mut counts = pair.get();
    counts[which] += 1;
    pair.set(counts);
}

impl Ledger {
    fn throw(&self) -> Thrown {
        let thrown = self.thrown.get();
        self.thrown.set(thrown + 1);
        Thrown(thrown)
    }

    fn came_out(&self, thrown: usize) {
        *self.out.borrow_mut().entry(thrown).or_default() += 1;
    }

    /// All that is named in a text has come out with it.
    fn told(&self, text: &str) {
        for part in text.split('<').skip(1) {
            let number = part.split('>').next().and_then(|number| number.parse().ok());
            self.came_out(number.expect("nobody else writes angles"));
        }
    }

    fn failed_with(&self, error: &GroupError<Thrown>) {
        for leaf in error {
            match leaf {
                Failure::Error(thrown) => self.came_out(thrown.0),
                Failure::Panicked(panic) => self.told(&panic.message()),
                Failure::Cleanup(cancelled) => self.told(&cancelled.cleanup_errors().to_string()),
                other => panic!("no leaf: {other:?}"),
            }
        }
    }
}

/// A child's own life: counted at both ends; it panics if that is asked for.
struct Life {
    ledger: Rc<Ledger>,
    fragile: bool,
    over: bool,
}

impl Life {
    fn new(ledger: &Rc<Ledger>, fragile: bool) -> Life {
        bump(&ledger.futures, 0);
        Life { ledger: ledger.clone(), fragile, over: false }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        bump(&self.ledger.futures, 1);
        if self.fragile && !self.over && !std::thread::panicking() {
            self.ledger.throw().raise();
        }
    }
}

struct Resource {
    ledger: Rc<Ledger>,
    yields: usize,
    fails: bool,
}

impl Resource {
    fn new(ledger: &Rc<Ledger>, (yields, fails): (usize, bool)) -> Resource {
        bump(&ledger.resources, 0);
        Resource { ledger: ledger.clone(), yields, fails }
    }
}

impl AsyncClose for Resource {
    type Error = Thrown;

    async fn close(self) -> Result<(), Thrown> {
        yields(self.yields).await;
        bump(&self.ledger.resources, 1);
        if self.fails { Err(self.ledger.throw()) } else { Ok(()) }
    }
}

/// What the body of a `using` has returned, which the documentation lets the `using` lose.
struct Held(Rc<Ledger>, Option<Failure<Thrown>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(Failure::Group(error)) = self.1.take() {
            self.0.failed_with(&error);
        }
    }
}

// ----- running them -----------------------------------------------------------------------------------------

type Group = TaskGroup<'static, Thrown>;
type Outcome = Result<usize, Failure<Thrown>>;
type Running = Pin<Box<dyn Future<Output = Outcome>>>;

/// Runs a script as child or body; `id` is a child's.
fn play(script: Rc<Script>, group: Group, ledger: Rc<Ledger>, id: Option<usize>) -> Running {
    let life = Life::new(&ledger, script.fragile);
    Box::pin(async move {
        // All of it: else only the flag would be captured.
        let mut life = life;
        if let Some(id) = id {
            ledger.polled.borrow_mut().insert(id, true);
        }
        let steps = take_steps(&script, &group, &ledger);
        let taken = match script.resource {
            None => steps.await,
            Some(resource) => {
                let held = async |_: &mut Resource| Held(ledger.clone(), steps.await.err());
                match using(Resource::new(&ledger, resource), held).await {
                    Ok(mut held) => held.1.take().map_or(Ok(()), Err),
                    Err(CloseError { mut output, error }) => match output.1.take() {
                        None => Err(Failure::Error(error)),
                        Some(failure) => {
                            // One of the two is returned: the other is dropped by this code here.
                            ledger.came_out(error.0);
                            Err(failure)
                        }
                    },
                }
            }
        };
        if matches!((&taken, script.end), (Ok(()), End::Never)) {
            pending::<()>().await;
        }
        life.over = true;
        let end = |end| {
            if let Some(id) = id {
                ledger.ends.borrow_mut().insert(id, end);
            }
        };
        end(Ended::Failed);
        taken?;
        match script.end {
            End::Well | End::Never => {
                end(Ended::Well);
                Ok(id.unwrap_or_default())
            }
            End::Error => Err(Failure::Error(ledger.throw())),
            End::Panic => ledger.throw().raise(),
        }
    })
}

async fn take_steps(
    script: &Script,
    group: &Group,
    ledger: &Rc<Ledger>,
) -> Result<(), Failure<Thrown>> {
    for step in &script.steps {
        match step {
            Step::Yield(count) => yields(*count).await,
            Step::Spawn(script) => add(script, group, ledger),
            Step::Inner(script) => {
                let (script, ledger) = (script.clone(), ledger.clone());
                let ran =
                    TaskGroup::run(async move |group| play(script, group, ledger, None).await);
                ran.await?;
            }
            Step::Panic => ledger.throw().raise(),
            Step::CancelGroup => {
                group.cancel("a step");
            }
            Step::CancelChild(which) => {
                if let Some((_, Some(handle))) = ledger.handles.borrow().get(*which) {
                    handle.cancel("a step");
                }
            }
            Step::Join(which) => {
                // Whoever joins takes the handle, so nobody waits for one that waits for him.
                let taken = ledger
                    .handles
                    .borrow_mut()
                    .get_mut(*which)
                    .map(|(id, handle)| (*id, handle.take()));
                if let Some((id, Some(mut handle))) = taken {
                    let limit = yields(5);
                    let joined = lone_sync::race([
                        Box::pin(async { Some((&mut handle).await) })
                            as Pin<Box<dyn Future<Output = _>>>,
                        Box::pin(async {
                            limit.await;
                            None
                        }),
                    ]);
                    match joined.await {
                        Some(outcome) => check_handle(ledger, id, outcome),
                        None => ledger.handles.borrow_mut()[*which].1 = Some(handle),
                    }
                }
            }
        }
    }
    Ok(())
}

fn add(script: &Rc<Script>, group: &Group, ledger: &Rc<Ledger>) {
    let id = ledger.children.get();
    ledger.children.set(id + 1);
    let handle = group.spawn(play(script.clone(), group.clone(), ledger.clone(), Some(id)));
    ledger.handles.borrow_mut().push((id, Some(handle)));
}

#[track_caller]
fn check_handle(ledger: &Ledger, id: usize, outcome: Result<usize, JoinError>) {
    let end = ledger.ends.borrow().get(&id).copied();
    match (&outcome, end) {
        (Ok(value), Some(Ended::Well)) => assert_eq!(*value, id),
        (Err(JoinError::Failed), Some(Ended::Failed)) => {}
        // Its destructor has panicked.
        (Err(JoinError::Failed | JoinError::Cancelled(_)), None) => {}
        (Err(JoinError::GroupClosed), None) => {
            assert!(
                !ledger.polled.borrow().contains_key(&id),
                "child {id} was refused, and polled"
            );
        }
        other => panic!("child {id} has ended so: {other:?}"),
    }
}

/// Where the run of the outermost group is given up, if it is.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It runs as a task; whoever never ends is stopped by its cancel, after so many turns.
    Cancel(usize),
    /// It is dropped after so many polls.
    Drop(usize),
    /// Its task is cancelled after so many turns.
    CancelTask(usize),
}

fn run(script: &Rc<Script>, way: Way) -> Rc<Ledger> {
    record_reports();
    let ledger = Rc::new(Ledger::default());
    let mut executor = executor();
    let place: Rc<RefCell<Option<Group>>> = Rc::default();
    let make = || {
        let (script, ledger, place) = (script.clone(), ledger.clone(), place.clone());
        TaskGroup::run(async move |group: Group| {
            place.replace(Some(group.clone()));
            play(script, group, ledger, None).await
        })
    };
    let outcome = executor.block_on(async {
        match way {
            Way::Cancel(turns) => {
                let task = spawn(make());
                yields(turns + 1).await;
                place.take().expect("the body has begun").cancel("the end");
                Some(task.await)
            }
            Way::CancelTask(turns) => {
                let task = spawn(make());
                yields(turns).await;
                task.cancel("the end");
                Some(task.await)
            }
            Way::Drop(polls) => {
                let mut group = Box::pin(make());
                for _ in 0..polls {
                    let polled = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx))).await;
                    if let Poll::Ready(ran) = polled {
                        return Some(Ok(ran));
                    }
                    yields(1).await;
                }
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(group))) {
                    ledger.told(&Panic::new(String::new(), payload).message());
                }
                None
            }
        }
    });
    match &outcome {
        None | Some(Ok(Ok(_))) => {}
        Some(Ok(Err(error))) => ledger.failed_with(error),
        Some(Err(JoinError::Cancelled(why))) => tell(&ledger, why),
        Some(Err(JoinError::Panicked(panic))) => ledger.told(&panic.message()),
        Some(Err(other)) => panic!("{other}"),
    }
    assert_eq!(executor.statistics().slots, 0, "slots are left");
    assert_eq!(executor.statistics().groups, 0, "groups are left");
    ledger
}

fn tell(ledger: &Ledger, why: &Cancelled) {
    if !why.cleanup_errors().is_empty() {
        ledger.told(&why.cleanup_errors().to_string());
    }
}

/// What holds at the end, whatever has happened.
fn check(ledger: &Rc<Ledger>) {
    // Of an error in a group that was dropped the log knows only that there was one.
    let mut nameless = 0;
    for report in take_reports() {
        if report.ends_with("has failed") {
            nameless += 1;
        }
        ledger.told(&report);
    }
    let out = ledger.out.borrow();
    assert!(out.values().all(|times| *times == 1), "something came out twice: {out:?}");
    assert_eq!(out.len() + nameless, ledger.thrown.get(), "of what was thrown: {out:?}");
    let [made, dropped] = ledger.futures.get();
    assert_eq!(made, dropped, "futures made and dropped");
    let [opened, closed] = ledger.resources.get();
    assert_eq!(opened, closed, "resources opened and closed");
    for (id, handle) in ledger.handles.take() {
        if let Some(mut handle) = handle {
            let outcome = handle.try_join().expect("every child has ended");
            check_handle(ledger, id, outcome);
        }
    }
    assert_eq!(Rc::strong_count(ledger), 1, "somebody is left");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    // SEM-173, SEM-178, SEM-189, SEM-200: run to the end, cancelled, or dropped.
    #[test]
    fn tree_of_groups_ends_with_everybody_and_every_error_accounted_for(
        script in scripts(),
        turns in 0_usize..40,
    ) {
        for way in [Way::Cancel(turns), Way::Cancel(200), Way::CancelTask(turns), Way::Drop(turns)] {
            check(&run(&script, way));
        }
    }
}

// SEM-200, SEM-65: at every suspension: each resource is closed once, each future dropped once.
#[test]
fn group_dropped_at_any_of_its_suspensions_closes_everything_once() {
    let plain = |steps, end, resource| Rc::new(Script { resource, fragile: false, steps, end });
    let leaf = |count, end| plain(vec![Step::Yield(count)], end, Some((2, false)));
    let inner = plain(
        vec![
            Step::Spawn(leaf(3, End::Well)),
            Step::Spawn(leaf(9, End::Never)),
            Step::Yield(4),
            Step::CancelGroup,
        ],
        End::Well,
        Some((3, true)),
    );
    let spawner = plain(
        vec![Step::Yield(2), Step::Spawn(leaf(1, End::Well)), Step::Yield(3), Step::Inner(inner)],
        End::Well,
        Some((1, false)),
    );
    let script = plain(
        vec![
            Step::Spawn(spawner),
            Step::Spawn(leaf(30, End::Error)),
            Step::Spawn(leaf(40, End::Never)),
            Step::CancelChild(2),
            Step::Yield(5),
        ],
        End::Well,
        Some((2, false)),
    );
    for polls in 0..60 {
        let ledger = run(&script, Way::Drop(polls));
        assert!(polls == 0 || ledger.resources.get()[0] > 0);
        check(&ledger);
    }
}
