//! Who is there, and who waits for whom? Lists, snapshots, tables and trees.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread;

use lone_executor::{JoinHandle, Snapshot, TaskId, Waiting, all_tasks, snapshot, spawn, yield_now};
use lone_sync::{Event, Mutex, ReturnWhen, Semaphore, gather, join, wait};

use crate::help::{Trace, executor, poll_once, run_until_idle};

/// The numbers of all tasks.
fn numbers() -> Vec<u64> {
    all_tasks().iter().map(|task| task.id.number()).collect()
}

/// What one of them awaits, in words.
fn awaits(snapshot: &Snapshot, task: Option<TaskId>) -> Vec<String> {
    let waiting = find(snapshot, task);
    waiting.awaits.iter().map(|awaited| awaited.on.to_owned()).collect()
}

fn find(snapshot: &Snapshot, task: Option<TaskId>) -> &Waiting {
    let found = snapshot.everybody().iter().find(|waiting| waiting.task == task);
    found.expect("it is in the list")
}

/// Those who await the end of a task.
fn awaiting(snapshot: &Snapshot, task: TaskId) -> Vec<Option<TaskId>> {
    snapshot.awaiting(task).map(|waiting| waiting.task).collect()
}

/// A future that never ends.
async fn for_ever() {
    Event::new().wait().await;
}

// ----- all_tasks -----------------------------------------------------------------------------------

// SEM-37
#[test]
fn all_tasks_lists_exactly_the_unfinished_ones_in_order() {
    assert_eq!(all_tasks(), [], "outside of a loop");
    executor().block_on(async {
        assert_eq!(all_tasks(), [], "main is not a task");
        let handles: Vec<_> = (0..4).map(|_| spawn(for_ever())).collect();
        let short = spawn(async {});
        assert_eq!(numbers(), [1, 2, 3, 4, 5]);
        yield_now().await;
        assert_eq!(numbers(), [1, 2, 3, 4], "5 has ended, though its handle is there");
        assert!(short.is_finished());
        handles[1].cancel("enough");
        let tasks = all_tasks();
        assert!(tasks[1].cancelled && !tasks[0].cancelled, "it was asked to stop");
        yield_now().await;
        assert_eq!(numbers(), [1, 3, 4], "and has");
        let again = spawn(async {}).named("again");
        let task = all_tasks().pop().expect("there is one");
        assert_eq!((task.id, task.name.as_deref()), (again.id(), Some("again")));
        assert_eq!(task.spawned, again.spawned_at());
    });
}

// SEM-37: whoever runs is unfinished until its destructors have run.
#[test]
fn all_tasks_lists_the_one_that_runs_until_its_outcome_is_there() {
    struct See(Rc<RefCell<Vec<Vec<u64>>>>);
    impl Drop for See {
        fn drop(&mut self) {
            self.0.borrow_mut().push(numbers());
        }
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut executor = executor();
    let see = See(seen.clone());
    drop(executor.spawn(async move {
        see.0.borrow_mut().push(numbers());
        yield_now().await;
    }));
    run_until_idle(&mut executor);
    assert_eq!(seen.take(), [[1], [1]], "while it runs, and while it is dropped");
}

// SEM-37: a joiner of somebody else's runs when the task has ended.
#[test]
fn all_tasks_does_not_list_the_one_whose_joiner_is_woken() {
    struct See(std::sync::Mutex<Vec<usize>>);
    impl Wake for See {
        fn wake(self: Arc<Self>) {
            self.0.lock().expect("nobody panics").push(all_tasks().len());
        }
    }
    let see = Arc::new(See(std::sync::Mutex::default()));
    executor().block_on(async {
        let mut task = spawn(yield_now());
        let waker = Waker::from(see.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(pin!(&mut task).poll(&mut cx).is_pending());
        while !task.is_finished() {
            yield_now().await;
        }
    });
    assert_eq!(*see.0.lock().expect("nobody panics"), [0]);
}

// ----- what everybody waits for --------------------------------------------------------------------

// SEM-385
#[test]
fn snapshot_has_main_and_the_tasks_with_what_each_awaits_on_which_line() {
    executor().block_on(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let waited = semaphore.clone();
        let line = line!() + 1;
        let waits = spawn(async move { drop(waited.acquire().await) }).named("waits");
        let joins = spawn(async move { waits.await.is_ok() });
        let foreign = spawn(pending::<()>());
        yield_now().await;
        let snapshot = snapshot().await;
        let everybody = snapshot.everybody();
        assert_eq!(everybody.len(), 4);
        assert_eq!(awaits(&snapshot, None), ["this snapshot"]);
        let waiting = &everybody[1];
        assert_eq!(waiting.name.as_deref(), Some("waits"));
        assert_eq!(waiting.spawned.map(|at| at.line()), Some(line));
        assert_eq!((waiting.awaits[0].on, waiting.awaits[0].site.line()), ("a permit", line));
        let joining = find(&snapshot, Some(joins.id()));
        assert_eq!(joining.awaits[0].task, waiting.task);
        assert!(find(&snapshot, Some(foreign.id())).awaits.is_empty());
        assert!(everybody.iter().all(|waiting| !waiting.ready && !waiting.cancelled));
        semaphore.add_permits(1);
        assert!(joins.await.expect("it ends well"), "and nothing has changed");
    });
}

// SEM-385, F28: as a table, of what each says when it is asked; nothing is kept meanwhile.
#[test]
fn snapshot_prints_a_line_each_with_columns() {
    let text = executor().block_on(async {
        let waits = spawn(for_ever()).named("waits");
        let joins = spawn(waits);
        let ready = spawn(yield_now());
        let stopped = spawn(pending::<()>());
        yield_now().await;
        stopped.cancel("enough");
        let text = join!(snapshot(), async { drop(ready) }).0.to_string();
        drop(joins);
        text
    });
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with(": 4 unfinished tasks; 2 of all are ready"), "{text}");
    assert!(lines[1].starts_with("  task            spawned at"), "{text}");
    assert!(lines[2].starts_with("  main            -    "), "{text}");
    assert!(
        lines[2].contains("  takes this snapshot at tests/behaviour/introspection.rs:"),
        "{text}"
    );
    assert!(lines[2].contains(", and awaits join! at tests/behaviour/"), "{text}");
    assert!(lines[3].starts_with("  Task-1 `waits`  tests/behaviour/introspection.rs:"), "{text}");
    assert!(lines[3].contains("  awaits an event at tests/behaviour/introspection.rs:"), "{text}");
    assert!(lines[4].ends_with("  awaits the end of Task-1 `waits`"), "{text}");
    assert!(lines[5].ends_with("  is ready"), "{text}");
    assert!(lines[6].ends_with("  is being cancelled, is ready"), "{text}");
    let column = |line: &str, what: &str| line.find(what).map(|at| line[..at].chars().count());
    assert_eq!(column(lines[2], "takes"), column(lines[3], "awaits"), "{text}");
    assert_eq!(lines[7], "who waits for whom:");
}

// SEM-385: who is ready takes its turn in its order, and is not asked.
#[test]
fn snapshot_polls_nobody_out_of_turn() {
    let trace = Trace::default();
    executor().block_on(async {
        let mut seen = Vec::new();
        for name in ["a", "b"] {
            let trace = trace.clone();
            drop(spawn(async move {
                for step in 1..=3 {
                    trace.say(format!("{name}{step}"));
                    yield_now().await;
                }
            }));
        }
        for _ in 0..3 {
            let snapshot = snapshot().await;
            seen.push(snapshot.everybody().iter().filter(|waiting| waiting.ready).count());
            trace.say("main");
        }
        assert_eq!(seen, [2, 2, 2]);
    });
    assert_eq!(trace.take(), "a1 b1 main a2 b2 main a3 b3 main");
}

// SEM-50, SEM-385: an extra poll takes nobody's place.
#[test]
fn snapshot_leaves_the_order_of_those_who_wait_alone() {
    let trace = Trace::default();
    executor().block_on(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let tasks: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let (trace, semaphore) = (trace.clone(), semaphore.clone());
                spawn(async move {
                    drop(semaphore.acquire().await);
                    trace.say(name);
                })
            })
            .into_iter()
            .collect();
        yield_now().await;
        for _ in 0..3 {
            drop(snapshot().await);
        }
        assert_eq!(semaphore.waiters(), 3);
        semaphore.add_permits(1);
        gather(tasks).await;
    });
    assert_eq!(trace.take(), "a b c");
}

// SEM-385: a future that has lost its wake goes on when it is asked.
#[test]
fn task_that_goes_on_when_asked_is_listed_as_it_is_then() {
    fn lost() -> impl Future<Output = ()> {
        let mut polled = false;
        poll_fn(move |_| match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }
    executor().block_on(async {
        let ends = spawn(lost());
        let spawns = spawn(async {
            lost().await;
            drop(spawn(pending::<()>()));
            yield_now().await;
        });
        yield_now().await;
        let snapshot = snapshot().await;
        assert!(ends.is_finished());
        let tasks: Vec<_> =
            snapshot.everybody().iter().filter_map(|waiting| waiting.task).collect();
        assert_eq!(tasks.iter().map(|task| task.number()).collect::<Vec<_>>(), [2, 3]);
        assert!(find(&snapshot, Some(tasks[1])).ready, "it was spawned meanwhile");
        spawns.await.expect("it ends well");
    });
}

// SEM-385: main may be the one, and then its run ends; who has asked is answered in the next.
#[test]
fn snapshot_that_main_ends_under_is_taken_in_the_next_run() {
    let mut executor = executor();
    let asks = executor.spawn(async { snapshot().await.everybody().len() });
    let mut polled = false;
    executor.block_on(poll_fn(move |_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }));
    assert!(!asks.is_finished());
    let asked = executor.block_on(asks).expect("it ends well");
    assert_eq!(asked, 2, "main, and itself");
}

// SEM-385, F14: a guest has no main.
#[test]
fn snapshot_of_a_guest_has_only_tasks() {
    let mut executor = executor();
    let seen = executor.spawn(async { snapshot().await });
    drop(executor.spawn(for_ever()));
    run_until_idle(&mut executor);
    let mut seen = seen;
    let snapshot = seen.try_join().expect("it has ended").expect("it ends well");
    assert_eq!(snapshot.everybody().len(), 2);
    assert!(snapshot.everybody().iter().all(|waiting| waiting.task.is_some()));
}

// SEM-385: several want one in the same turn, and get the same.
#[test]
fn snapshots_of_one_turn_are_one_asking() {
    let polls = Rc::new(Cell::new(0));
    executor().block_on(async {
        let counted = polls.clone();
        drop(spawn(poll_fn(move |_| {
            counted.set(counted.get() + 1);
            Poll::<()>::Pending
        })));
        yield_now().await;
        assert_eq!(polls.get(), 1);
        let (first, second) = join!(snapshot(), snapshot());
        assert_eq!(first.turn(), second.turn());
        assert_eq!(polls.get(), 2);
        assert_eq!(awaits(&first, None), ["this snapshot", "this snapshot", "join!"]);
        // Nobody wants it any more.
        let mut given_up = Box::pin(snapshot());
        assert!(poll_once(&mut given_up).0.is_pending());
        drop(given_up);
        yield_now().await;
        yield_now().await;
        assert_eq!(polls.get(), 2);
    });
}

#[test]
#[should_panic(expected = "await it inside lone::run")]
fn snapshot_polled_outside_of_a_loop_panics() {
    let _ = poll_once(&mut Box::pin(snapshot()));
}

// SEM-389: on request from another thread, also while every task waits.
#[test]
fn snapshot_from_another_thread_shows_the_loop_that_waits() {
    let mut executor = executor();
    let remote = executor.remote();
    let event = Rc::new(Event::new());
    let waited = event.clone();
    let seen = thread::spawn(move || {
        let asked = remote.spawn(|| async { snapshot().await }).expect("the loop lives");
        let snapshot = asked.wait().expect("it neither panics nor is cancelled");
        let task = remote.spawn(|| async { EVENT.with(|event| event.set()) });
        task.expect("the loop lives").wait().expect("it ends well");
        snapshot
    });
    thread_local! {
        static EVENT: Rc<Event> = Rc::new(Event::new());
    }
    drop(executor.spawn(async move { waited.wait().await }).named("waits"));
    executor.block_on(async { EVENT.with(Rc::clone).wait().await });
    let snapshot = seen.join().expect("it ends well");
    assert_eq!(snapshot.everybody().len(), 3);
    assert_eq!(awaits(&snapshot, None), ["an event"]);
    let text = snapshot.to_string();
    assert!(text.contains("Task-1 `waits`"), "{text}");
    assert!(text.contains("takes this snapshot at tests/behaviour/introspection.rs:"), "{text}");
}

// ----- who awaits whom -----------------------------------------------------------------------------

// SEM-386: an edge for each who is awaited, however that is done.
#[test]
fn edges_are_there_for_joins_gathers_and_waits_and_go_with_them() {
    executor().block_on(async {
        let event = Rc::new(Event::new());
        let leaf = || {
            let event = event.clone();
            spawn(async move { event.wait().await })
        };
        let handles: Vec<JoinHandle<()>> = (0..5).map(|_| leaf()).collect();
        let ids: Vec<TaskId> = handles.iter().map(JoinHandle::id).collect();
        let mut handles = handles.into_iter();
        let mut next = || handles.next().expect("there are five");
        let (a, b, c, d, e) = (next(), next(), next(), next(), next());
        let joins = spawn(async move { a.await.is_ok() });
        let gathers = spawn(async move { gather([b, c]).await.len() });
        let waits = spawn(async move { wait([d, e], ReturnWhen::FirstCompleted).await.done.len() });
        yield_now().await;
        let first = snapshot().await;
        let by = [joins.id(), gathers.id(), gathers.id(), waits.id(), waits.id()];
        for (id, by) in ids.iter().zip(by) {
            assert_eq!(awaiting(&first, *id), [Some(by)]);
        }
        gathers.cancel("no more");
        yield_now().await;
        let second = snapshot().await;
        assert_eq!(awaiting(&second, ids[1]), [], "it has been dropped");
        assert_eq!(awaiting(&second, ids[0]), [Some(joins.id())]);
        event.set();
        assert!(joins.await.expect("it ends well"));
        waits.await.expect("it ends well");
        assert_eq!(awaiting(&snapshot().await, ids[0]), []);
    });
}

// SEM-385, SEM-389: as a tree; whom nobody awaits is at the top.
#[test]
fn tree_shows_below_each_whom_it_awaits() {
    let tree = executor().block_on(async {
        let leaves: Vec<_> = ["a", "b"].map(|name| spawn(for_ever()).named(name)).into();
        let group = spawn(async move { gather(leaves).await.len() }).named("group");
        drop(spawn(for_ever()).named("alone"));
        let last = spawn(for_ever());
        yield_now().await;
        // Main awaits two of them beside its snapshot.
        let (mut group, mut last, mut taken) = (group, last, pin!(snapshot()));
        let snapshot = poll_fn(|cx| {
            assert!(pin!(&mut group).poll(cx).is_pending());
            assert!(pin!(&mut last).poll(cx).is_pending());
            taken.as_mut().poll(cx)
        });
        snapshot.await.tree().to_string()
    });
    let expected = "
  main
  ├─ Task-3 `group`
  │  ├─ Task-1 `a`
  │  └─ Task-2 `b`
  └─ Task-5
  Task-4 `alone`";
    assert_eq!(tree, expected);
}

// SEM-385, SEM-388: a lock is an edge to who holds it; a cycle is told while others go on.
#[test]
fn snapshot_follows_locks_to_their_holders() {
    let snapshot = executor().block_on(async {
        let (left, right) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        for (name, first, second) in [("a", &left, &right), ("b", &right, &left)] {
            let (first, second) = (first.clone(), second.clone());
            let both = async move {
                let _first = first.lock().await;
                yield_now().await;
                let _second = second.lock().await;
            };
            drop(spawn(both).named(name));
        }
        yield_now().await;
        yield_now().await;
        snapshot().await
    });
    let ids: Vec<_> = snapshot.everybody().iter().map(|waiting| waiting.task).collect();
    assert_eq!(awaiting(&snapshot, ids[1].expect("a task")), [ids[2]]);
    assert_eq!(snapshot.awaiting(None).count(), 0, "nobody waits for main");
    let text = snapshot.to_string();
    assert!(
        text.contains(", held by Task-2 `b` since tests/behaviour/introspection.rs:"),
        "{text}"
    );
    assert!(text.ends_with("in a cycle: Task-1 `a` → Task-2 `b` → Task-1 `a`"), "{text}");
    let tree = "\n  main\n  Task-1 `a`\n  └─ Task-2 `b`\n     └─ Task-1 `a` (a cycle)";
    assert_eq!(snapshot.tree().to_string(), tree);
}

/// A place for a handle that is to come.
type Later = Rc<RefCell<Option<JoinHandle<()>>>>;

/// Awaits the task whose handle is in `later` by then.
async fn join_later(later: Later) {
    let handle = later.take().expect("it is there by now");
    handle.await.expect("it never ends");
}

// SEM-388: marked, listed, and no recursion.
#[test]
fn tree_marks_cycles_and_shows_each_of_them_once() {
    let snapshot = executor().block_on(async {
        let later = Later::default();
        let first = spawn(join_later(later.clone()));
        let second = spawn(async move { first.await.expect("it never ends") });
        let third = spawn(async move { second.await.expect("it never ends") }).named("third");
        later.replace(Some(third));
        yield_now().await;
        snapshot().await
    });
    let cycle: Vec<u64> = snapshot
        .cycle()
        .expect("there is one")
        .iter()
        .filter_map(|w| w.task)
        .map(TaskId::number)
        .collect();
    assert_eq!(cycle, [1, 3, 2]);
    let expected = "
  main
  Task-1
  └─ Task-3 `third`
     └─ Task-2
        └─ Task-1 (a cycle)";
    assert_eq!(snapshot.tree().to_string(), expected);
    let text = snapshot.to_string();
    assert!(text.ends_with("in a cycle: Task-1 → Task-3 `third` → Task-2 → Task-1"), "{text}");
}

// SEM-388: deeper than any stack would bear.
#[test]
fn tree_of_a_long_chain_is_printed_without_recursion_and_without_endless_indents() {
    const TASKS: usize = 100_000;
    let snapshot = executor().block_on(async {
        let mut last = spawn(for_ever());
        for _ in 1..TASKS {
            let before = last;
            last = spawn(async move { before.await.expect("it never ends") });
        }
        yield_now().await;
        let snapshot = snapshot().await;
        drop(last);
        snapshot
    });
    let tree = snapshot.tree().to_string();
    let lines: Vec<&str> = tree.lines().skip(1).collect();
    assert_eq!(lines.len(), TASKS + 1);
    assert_eq!(lines[1], "  Task-100000");
    let last = lines.last().expect("there are some");
    assert!(last.ends_with("└─ [99999 deep] Task-1"), "{last}");
    assert!(last.len() < 150, "{last}");
    assert!(snapshot.cycle().is_none());
}

// SEM-387: under each of those who await it.
#[test]
fn task_awaited_by_several_is_shown_under_each() {
    let tree = executor().block_on(async {
        let inner = spawn(for_ever()).named("inner");
        let middle = spawn(async move { drop(inner.await) }).named("middle");
        let id = middle.id();
        let shared = Rc::new(RefCell::new(middle));
        for name in ["first", "second"] {
            let shared = shared.clone();
            let both = poll_fn(move |cx| shared.borrow_mut().poll_finished(cx));
            drop(spawn(both).named(name));
        }
        yield_now().await;
        let snapshot = snapshot().await;
        assert_eq!(awaiting(&snapshot, id).len(), 2);
        snapshot.tree().to_string()
    });
    let expected = "
  main
  Task-3 `first`
  └─ Task-2 `middle`
     └─ Task-1 `inner`
  Task-4 `second`
  └─ Task-2 `middle` (see above)";
    assert_eq!(tree, expected);
}
