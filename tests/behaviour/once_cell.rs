//! Once cells: one makes the value, the others wait, and who gives up hands that on.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use lone_executor::{HeldBy, RunError, budget, yield_now};
use lone_sync::{OnceCell, SetError, join};

use crate::help::{Flag, OnDrop, Trace, executor, poll_once, run_until_idle};
use crate::waiting::{Chance, Hooks, hooked};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Asks for the value of `cell`: says its name when it begins to make it, which takes until `flag`.
fn asks<'a>(
    cell: &'a OnceCell<&'static str>,
    name: &'static str,
    flag: &'a Flag,
    trace: &'a Trace,
) -> Boxed<'a, &'a &'static str> {
    let init = async move || {
        trace.say(name);
        flag.wait().await;
        name
    };
    Box::pin(cell.get_or_init(init))
}

fn set_up() -> (OnceCell<&'static str>, Flag, Trace) {
    (OnceCell::new(), Flag::default(), Trace::default())
}

// The first one makes it, nobody else begins, and all have the same.
#[test]
fn value_is_made_by_the_first_who_asks_and_had_by_all() {
    let (cell, flag, trace) = set_up();
    let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| asks(&cell, name, &flag, &trace));
    assert!(poll(&mut b).is_pending() && poll(&mut a).is_pending() && poll(&mut c).is_pending());
    let statistics = cell.statistics();
    assert_eq!((statistics.waiters, statistics.is_initializing), (2, true));
    flag.set();
    assert!(poll(&mut a).is_pending(), "not made yet");
    for each in [&mut b, &mut a, &mut c] {
        assert_eq!(poll(each), Poll::Ready(&"b"));
    }
    assert_eq!((trace.take().as_str(), cell.get()), ("b", Some(&"b")));
    assert_eq!((cell.waiters(), cell.initializer()), (0, None));
    assert_eq!(poll(&mut asks(&cell, "d", &flag, &trace)), Poll::Ready(&"b"), "at once");
    assert_eq!(trace.take(), "");
}

// Dropped half way: the next one in line tries, with its own; the part on its way is passed on.
#[test]
fn initializer_dropped_half_way_lets_the_next_in_line_try() {
    let (cell, flag, trace) = set_up();
    let names = ["a", "b", "c", "d"];
    let [mut a, mut b, mut c, mut d] = names.map(|name| asks(&cell, name, &flag, &trace));
    for each in [&mut a, &mut b, &mut c, &mut d] {
        assert!(poll(each).is_pending());
    }
    drop(a);
    assert_eq!((cell.waiters(), cell.statistics().is_initializing), (2, true));
    drop(b);
    assert_eq!((cell.waiters(), trace.take().as_str()), (1, "a"), "b had not come for it");
    assert!(poll(&mut d).is_pending() && poll(&mut c).is_pending());
    assert_eq!(trace.take(), "c");
    flag.set();
    assert_eq!(poll(&mut c), Poll::Ready(&"c"));
    assert_eq!(poll(&mut d), Poll::Ready(&"c"));
    drop((c, d));
    assert_eq!((cell.waiters(), cell.initializer()), (0, None));
}

// Nobody is left: whoever comes later begins anew.
#[test]
fn initializer_dropped_alone_leaves_the_cell_as_new() {
    let (cell, flag, trace) = set_up();
    let mut a = asks(&cell, "a", &flag, &trace);
    assert!(poll(&mut a).is_pending());
    drop(a);
    assert_eq!((cell.statistics().is_initializing, cell.get()), (false, None));
    flag.set();
    assert_eq!(poll(&mut asks(&cell, "b", &flag, &trace)), Poll::Ready(&"b"));
}

// An error is its own; the next one tries.
#[test]
fn initializer_that_fails_has_its_error_and_the_next_one_tries() {
    let (mut executor, cell) = (executor(), OnceCell::new());
    let tries = async |outcome: Result<u8, &'static str>| {
        let made = cell.get_or_try_init(async || {
            yield_now().await;
            outcome
        });
        made.await.copied()
    };
    let outcomes =
        executor.block_on(async { join!(tries(Err("no")), tries(Err("nor this")), tries(Ok(3))) });
    assert_eq!(outcomes, (Err("no"), Err("nor this"), Ok(3)));
    assert_eq!(executor.block_on(tries(Err("late"))), Ok(3));
    assert_eq!((cell.waiters(), cell.initializer()), (0, None));
}

// A panic passes to who polls; the part to the next one, when the future goes.
#[test]
fn initializer_that_panics_lets_the_next_one_try() {
    let (cell, flag, trace) = set_up();
    for early in [false, true] {
        let panics = async move || -> &'static str {
            if !early {
                yield_now().await;
            }
            panic!("half way")
        };
        let mut first: Boxed<'_, &&'static str> = Box::pin(cell.get_or_init(panics));
        let mut polled = catch_unwind(AssertUnwindSafe(|| poll(&mut first).is_ready()));
        let mut second = asks(&cell, "second", &flag, &trace);
        assert!(poll(&mut second).is_pending());
        if !early {
            polled = catch_unwind(AssertUnwindSafe(|| poll(&mut first).is_ready()));
        }
        assert!(polled.is_err());
        drop(first);
        assert!(poll(&mut second).is_pending());
        assert_eq!(trace.take(), "second");
    }
}

// Its destructors find the cell still being made; only then has the next one its part.
#[test]
fn initializer_dropped_half_way_goes_before_the_next_one_begins() {
    let (cell, flag, trace) = set_up();
    let mut first: Boxed<'_, &&'static str> = Box::pin(cell.get_or_init(async || {
        let _seen = OnDrop::new(|| {
            let unclaimed = cell.initializer().map(|holder| holder.unclaimed);
            assert_eq!((unclaimed, cell.waiters()), (Some(false), 1));
            assert_eq!(cell.set("meanwhile"), Err(SetError::Initializing("meanwhile")));
        });
        std::future::pending().await
    }));
    assert!(poll(&mut first).is_pending());
    let mut second = asks(&cell, "second", &flag, &trace);
    assert!(poll(&mut second).is_pending());
    drop(first);
    assert_eq!(cell.initializer().map(|holder| holder.unclaimed), Some(true));
}

// In an empty cell that nobody is about; and out again.
#[test]
fn value_is_set_once_and_taken_out() {
    let mut cell: OnceCell<String> = OnceCell::default();
    assert!(cell.get().is_none() && cell.get_mut().is_none() && cell.take().is_none());
    cell.set("a".into()).expect("it is empty");
    let error = cell.set("b".into()).expect_err("it is set");
    assert_eq!(error.to_string(), "the cell has a value already");
    assert_eq!(format!("{error:?}"), "AlreadySet(..)");
    assert_eq!(error.into_value(), "b");
    cell.get_mut().expect("it is set").push('!');
    assert_eq!((cell.take().as_deref(), cell.get()), (Some("a!"), None));
    cell.set("c".into()).expect("it is empty again");
    assert_eq!(cell.into_inner().as_deref(), Some("c"));
    assert_eq!(OnceCell::from(7).into_inner(), Some(7));
}

// While somebody makes it, it is his to be set.
#[test]
fn set_while_the_value_is_being_made_gives_it_back() {
    let (cell, flag, trace) = set_up();
    let mut a = asks(&cell, "a", &flag, &trace);
    assert!(poll(&mut a).is_pending());
    assert_eq!(cell.set("set").map_err(SetError::into_value), Err("set"));
    flag.set();
    assert_eq!(poll(&mut a), Poll::Ready(&"a"));
}

// SEM-22, SEM-388: it says for what, where, and that it is oneself.
#[test]
fn initializer_that_asks_for_its_own_value_is_told_as_a_cycle() {
    let cell = OnceCell::new();
    let outcome = executor().try_block_on(async {
        let again = async || *cell.get_or_init(async || 1).await;
        *cell.get_or_init(again).await
    });
    let (inner, outer) = (line!() - 3, line!() - 2);
    let Err(RunError::Deadlock(report)) = outcome else { panic!("it waits for itself") };
    let text = report.to_string();
    let told = format!("awaits a value that is being made at {}:{inner}", file!());
    assert!(text.contains(&told), "{text}");
    assert!(text.contains(&format!("held by itself since {}:{outer}", file!())), "{text}");
    assert!(text.ends_with("in a cycle: main → main"), "{text}");
}

// Who makes it, and since which line, also of one who has not come yet.
#[test]
fn initializer_is_told_by_task_and_line() {
    let mut executor = executor();
    let cell = Rc::new(OnceCell::<u8>::new());
    let [first, second] = [0, 1].map(|_| {
        let cell = cell.clone();
        executor.spawn(async move {
            cell.get_or_init(std::future::pending).await;
        })
    });
    let line = line!() - 3;
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
        let holder = cell.initializer().expect("the first one");
        assert_eq!((holder.who, holder.unclaimed), (HeldBy::Task(first.id()), false));
        assert_eq!((holder.since.file(), holder.since.line()), (file!(), line));
        let told = format!("{cell:?}");
        assert!(
            told.starts_with("OnceCell { value: <not set>, initializer: Task(Task-1), since: ")
        );
        assert!(told.contains("waiters: 1 waiting, the first at "), "{told}");
        first.cancel("test");
        drop(first.await);
        let holder = cell.initializer().expect("the second one");
        assert_eq!(holder.who, HeldBy::Task(second.id()));
    });
    second.cancel("test");
    run_until_idle(&mut executor);
    assert_eq!(format!("{cell:?}"), "OnceCell { value: <not set>, waiters: 0 waiting }");
}

// SEM-48, SEM-50, C-99: no second place, and the newest waker.
#[test]
fn waiter_polled_again_has_only_its_newest_waker_woken() {
    let cell = OnceCell::new();
    let mut first = Box::pin(cell.get_or_init(std::future::pending::<u8>));
    assert!(poll_once(&mut first).0.is_pending());
    let mut waiter = Box::pin(cell.get_or_init(std::future::pending::<u8>));
    let (_, old) = poll_once(&mut waiter);
    let (_, new) = poll_once(&mut waiter);
    assert_eq!(cell.waiters(), 1);
    drop(first);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

// SEM-49, F26: a waker that asks for the value out of its being set has it.
#[test]
fn foreign_waker_that_asks_finds_the_value() {
    let cell = Rc::new(OnceCell::new());
    let (theirs, found) = (cell.clone(), Rc::new(Cell::new(0)));
    let place = found.clone();
    let wake: Rc<dyn Fn()> = Rc::new(move || {
        let mut asks = pin!(theirs.get_or_init(std::future::pending));
        let polled = asks.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        place.set(polled.is_ready().then(|| theirs.get().copied()).flatten().unwrap_or(0));
    });
    let waker = hooked(Hooks { wake: Some(wake), ..Hooks::default() });
    let flag = Flag::default();
    let mut first: Boxed<'_, &u8> = Box::pin(cell.get_or_init(async || {
        flag.wait().await;
        7
    }));
    assert!(poll(&mut first).is_pending());
    let mut waiter = pin!(cell.get_or_init(std::future::pending));
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    flag.set();
    assert_eq!(poll(&mut first), Poll::Ready(&7));
    assert_eq!(found.get(), 7);
}

// SEM-407, SEM-408: also what is ready at once counts, and is refused before any effect.
#[test]
fn asking_beyond_the_budget_gives_way_and_begins_nothing() {
    executor().block_on(async {
        let (spent, cell) = (OnceCell::from(1), OnceCell::new());
        while budget::remaining() != Some(0) {
            spent.get_or_init(async || 2).await;
        }
        let mut refused = Box::pin(cell.get_or_init(async || 3));
        assert!(poll_once(&mut refused).0.is_pending());
        assert!(!cell.statistics().is_initializing);
        drop(refused);
        yield_now().await;
        assert_eq!(cell.get_or_init(async || 4).await, &4);
    });
}

// Whatever is polled, dropped or fails in which order: one makes it at a time, and nobody waits for
// nobody.
#[test]
fn part_is_one_ones_and_never_lost_under_any_schedule() {
    for seed in 0..2000 {
        random_schedule(&mut Chance::new(seed));
    }
}

fn random_schedule(chance: &mut Chance) {
    let cell = OnceCell::new();
    let (inside, made) = (Cell::new(0), RefCell::new(Vec::new()));
    let try_it = |at: usize, steps: usize, fails: bool| {
        let (cell, inside, made) = (&cell, &inside, &made);
        let init = async move || {
            assert_eq!(inside.replace(1), 0, "one at a time");
            let _out = OnDrop::new(|| inside.set(0));
            for _ in 0..steps {
                yield_now().await;
            }
            if fails {
                return Err(());
            }
            made.borrow_mut().push(at);
            Ok(at)
        };
        let future: Boxed<'_, Result<usize, ()>> =
            Box::pin(async move { cell.get_or_try_init(init).await.copied() });
        future
    };
    let mut places = [const { None }; 5];
    for _ in 0..40 {
        let at = chance.below(places.len());
        let place = places[at].take();
        let mut future = match (place, chance.below(5)) {
            (Some(_dropped), 0) => continue,
            (Some(future), _) => future,
            (None, chosen) => try_it(at, chosen, chance.below(2) == 0),
        };
        match poll(&mut future) {
            Poll::Ready(Ok(got)) => assert_eq!(made.borrow().as_slice(), [got]),
            Poll::Ready(Err(())) => assert!(cell.get().is_none()),
            Poll::Pending => places[at] = Some(future),
        }
        let statistics = cell.statistics();
        assert!(statistics.is_initializing || statistics.waiters == 0, "nobody makes it");
    }
    drop(places);
    let statistics = cell.statistics();
    assert_eq!((statistics.waiters, statistics.is_initializing, inside.get()), (0, false, 0));
    let polled = poll(&mut Box::pin(cell.get_or_try_init(async || Ok::<_, Infallible>(99))));
    assert!(polled.is_ready());
}
