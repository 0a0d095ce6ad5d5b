//! `Remote`: work for a loop from another thread.

use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use lone_executor::{Executor, JoinError, Remote, RemoteJoin, Source, current_task, yield_now};
use lone_tests::bounded_park::BoundedPark;

use crate::help::{
    OnDrop, PATIENCE, SharedFlag, assert_one_report, executor, record_reports, run_until_idle,
    take_reports,
};

/// Runs `f` on another thread while the loop runs here; returns what it returns.
fn beside<T: Send + 'static>(
    executor: &mut Executor<BoundedPark>,
    f: impl FnOnce(Remote) -> T + Send + 'static,
) -> T {
    let (remote, ended) = (executor.remote(), SharedFlag::default());
    let end = ended.clone();
    let thread = std::thread::spawn(move || {
        // Also when `f` panics, so that the test fails and does not hang.
        let _guard = OnDrop::new(move || end.set());
        f(remote)
    });
    executor.block_on(ended.wait());
    thread.join().expect("the other thread ends well")
}

// SEM-47: made, polled and dropped on the loop's thread, so it may hold an Rc.
// SEM-301: and the thread waits for it.
#[test]
fn future_spawned_from_another_thread_is_made_and_run_on_the_loops_thread() {
    let mut executor = executor();
    let home = std::thread::current().id();
    let (made, ran) = beside(&mut executor, move |remote| {
        let joined = remote.spawn(move || {
            let made = Rc::new(std::thread::current().id());
            async move {
                yield_now().await;
                assert!(current_task().is_some());
                (*made, std::thread::current().id())
            }
        });
        joined.expect("the loop is alive").wait().expect("it ends well")
    });
    assert_eq!((made, ran), (home, home));
}

// SEM-47: a loop that is parked without a limit is woken for it.
#[test]
fn spawn_from_another_thread_ends_the_park() {
    let (announce, parked) = mpsc::channel();
    let park = BoundedPark::announcing(announce);
    let mut executor = Executor::new(park).expect("a loop index is free");
    let seven = beside(&mut executor, move |remote| {
        parked.recv_timeout(PATIENCE).expect("the loop parks");
        let joined = remote.spawn(|| async { 7 }).expect("the loop is alive");
        joined.wait().expect("it ends well")
    });
    assert_eq!(seven, 7);
}

// SEM-24: from one thread in order.
#[test]
fn futures_spawned_from_one_thread_are_made_in_order() {
    let mut executor = executor();
    let (say, said) = mpsc::channel();
    let remote = executor.remote();
    let thread = std::thread::spawn(move || {
        for n in 0..5 {
            let say = say.clone();
            drop(remote.spawn(move || async move { say.send(n).expect("it is heard") }));
        }
    });
    thread.join().expect("it ends well");
    run_until_idle(&mut executor);
    run_until_idle(&mut executor);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

// SEM-40: the panic of the task reaches the thread that asked.
#[test]
fn remote_task_panicking_gives_its_joiner_the_panic() {
    record_reports();
    let mut executor = executor();
    let outcome = beside(&mut executor, |remote| {
        let joined = remote.spawn(|| async { panic!("over there") });
        joined.map(RemoteJoin::<()>::wait)
    });
    let Ok(Err(JoinError::Panicked(panic))) = outcome else {
        panic!("it has panicked: {outcome:?}");
    };
    assert_eq!(panic.message(), "over there");
    drop(executor);
    assert_eq!(take_reports(), [""; 0], "it was delivered");
}

// SEM-40: so does that of the closure which makes the future; the loop goes on.
#[test]
fn make_panicking_gives_its_joiner_the_panic_and_the_loop_goes_on() {
    let mut executor = executor();
    let outcome = beside(&mut executor, |remote| {
        fn make() -> std::future::Ready<()> {
            panic!("cannot make it")
        }
        let failed = remote.spawn(make).expect("the loop is alive").wait();
        let next = remote.spawn(|| async { 7 }).expect("the loop is alive");
        (failed, next.wait())
    });
    let (Err(JoinError::Panicked(panic)), Ok(7)) = outcome else {
        panic!("the first has panicked, the second not: {outcome:?}");
    };
    assert_eq!(panic.message(), "cannot make it");
}

// SEM-41: detached, both kinds of panic are reported once.
#[test]
fn panics_of_remote_tasks_that_nobody_joins_are_reported_once() {
    record_reports();
    let mut executor = executor();
    let remote = executor.remote();
    drop(remote.spawn(|| async { panic!("in the task") }));
    run_until_idle(&mut executor);
    assert_one_report(&["remote.rs:", "in the task"]);
    fn make() -> std::future::Ready<()> {
        panic!("in make")
    }
    let kept = remote.spawn(make).expect("the loop is alive");
    run_until_idle(&mut executor);
    assert_eq!(take_reports(), [""; 0], "somebody may still read it");
    drop(kept);
    assert_one_report(&["remote.rs:", "in make"]);
    drop(executor);
    assert_eq!(take_reports(), [""; 0]);
}

// SEM-53: cancelled from the other thread, while it waits.
#[test]
fn cancel_from_another_thread_stops_the_task() {
    let mut executor = executor();
    let (announce, begun) = mpsc::channel();
    let outcome = beside(&mut executor, move |remote| {
        let joined = remote.spawn(move || async move {
            announce.send(()).expect("it is heard");
            pending::<()>().await;
        });
        let joined = joined.expect("the loop is alive");
        begun.recv_timeout(PATIENCE).expect("it begins");
        assert!(joined.cancel("from over there"));
        joined.wait()
    });
    let Err(JoinError::Cancelled(why)) = outcome else {
        panic!("it was cancelled: {outcome:?}");
    };
    assert_eq!(why.reason().to_string(), "from over there");
    assert_eq!(why.source(), Source::Explicit);
    assert_eq!(run_until_idle(&mut executor), 0);
}

// SEM-55: before the loop has even seen it: what it was given goes, nothing is lost, it ends.
#[test]
fn cancel_before_the_loop_has_seen_the_task_ends_it() {
    let mut executor = executor();
    let remote = executor.remote();
    let joined = remote.spawn(pending::<()>).expect("the loop is alive");
    assert!(joined.cancel("at once") && !joined.is_finished());
    assert_eq!(run_until_idle(&mut executor), 0);
    assert!(joined.is_finished() && !joined.cancel("too late"));
    assert!(matches!(joined.wait(), Err(JoinError::Cancelled(_))));
}

// SEM-27: dropping the handle detaches.
#[test]
fn remote_handle_dropped_lets_the_task_run_to_its_end() {
    let mut executor = executor();
    let (say, said) = mpsc::channel();
    drop(executor.remote().spawn(move || async move {
        yield_now().await;
        say.send("ran").expect("it is heard");
    }));
    assert_eq!(run_until_idle(&mut executor), 0);
    assert_eq!(said.try_recv(), Ok("ran"));
}

// SEM-23: closed; what was given is dropped here.
// SEM-301: after the end it is refused.
#[test]
fn remote_used_after_its_loop_has_ended_says_closed_and_drops_what_it_was_given() {
    let executor = executor();
    let remote = executor.remote();
    assert!(!remote.is_closed());
    drop(executor);
    let token = Arc::new(());
    let given = token.clone();
    let refused = remote.clone().spawn(move || async move { drop(given) });
    let error = refused.map(|_| ()).expect_err("the loop has ended");
    assert_eq!(error.to_string(), "the loop has ended");
    assert!(remote.is_closed());
    assert_eq!(Arc::strong_count(&token), 1);
}

// SEM-23: with the task half way, the other thread hears of the end, and does not wait for ever.
#[test]
fn loop_ending_with_a_remote_task_half_way_ends_the_wait_for_it() {
    let mut executor = executor();
    let remote = executor.remote();
    let waiting = remote.spawn(pending::<()>).expect("the loop is alive");
    run_until_idle(&mut executor);
    let unseen = remote.spawn(pending::<()>).expect("the loop is alive");
    let threads = [waiting, unseen].map(|joined| std::thread::spawn(move || joined.wait()));
    drop(executor);
    let outcomes = threads.map(|thread| thread.join().expect("it ends well"));
    let [Err(JoinError::Cancelled(why)), Err(JoinError::LoopClosed | JoinError::Cancelled(_))] =
        outcomes
    else {
        panic!("cancelled, and closed: {outcomes:?}");
    };
    assert_eq!(why.source(), Source::Shutdown);
}

// SEM-4: an outcome that is there when the loop ends is not lost on its way.
#[test]
fn loop_ending_right_after_a_remote_task_has_ended_delivers_its_outcome() {
    let mut executor = executor();
    let remote = executor.remote();
    let joined = remote.spawn(|| async {
        yield_now().await;
        7
    });
    for _ in 0..2 {
        executor.turn(Some(Duration::ZERO)).expect("the park works");
    }
    drop(executor);
    let outcome = joined.expect("the loop was alive").wait();
    assert_eq!(outcome.expect("it had ended well"), 7);
}

// SEM-23, SEM-39: what is left in the inbox is dropped with the loop, panics and all.
#[test]
fn loop_ending_with_a_spawn_in_its_inbox_drops_it_and_survives_its_destructor() {
    record_reports();
    let executor = executor();
    let bomb = OnDrop::new(|| panic!("the closure's destructor fails"));
    let unseen = executor.remote().spawn(move || async move { drop(bomb) });
    let after = executor.remote().spawn(|| async {});
    drop(executor);
    assert_one_report(&["the closure's destructor fails"]);
    for joined in [unseen, after] {
        let joined = joined.expect("the loop was alive");
        assert!(matches!(joined.wait(), Err(JoinError::LoopClosed)));
    }
}

// SEM-2: it would block the loop that runs here, perhaps for ever.
#[test]
#[should_panic(expected = "`.await` it instead")]
fn wait_inside_a_running_loop_panics_with_what_to_do() {
    let other = executor();
    let joined = other.remote().spawn(|| async {}).expect("it is alive");
    executor().block_on(async { drop(joined.wait()) });
}

// SEM-48, SEM-23: awaited by a task of another loop, on another thread; then by nobody.
#[test]
fn remote_handle_awaited_in_another_loop_wakes_it() {
    let mut here = executor();
    let sum = beside(&mut here, |remote| {
        executor().block_on(async move {
            let mut sum = 0;
            for n in 1..=10 {
                let joined = remote.spawn(move || async move { n });
                sum += joined.expect("it is alive").await.expect("it ends well");
            }
            sum
        })
    });
    assert_eq!(sum, 55);
}

// SEM-33: taken is taken.
#[test]
fn remote_handle_polled_after_its_outcome_was_taken_says_so() {
    let mut executor = executor();
    let mut joined = executor.remote().spawn(|| async { 7 }).expect("it is alive");
    assert_eq!(executor.block_on(&mut joined).expect("it ends well"), 7);
    assert!(matches!(executor.block_on(&mut joined), Err(JoinError::Taken)));
    assert!(joined.is_finished() && !joined.cancel("too late"));
}
