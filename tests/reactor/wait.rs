//! What is given up, and what is left, at a limit and at the end of the loop?

use std::time::Duration;

use lone::net::TcpListener;
use lone::{ReturnWhen, sleep, spawn, wait, yield_now};

use crate::help::{ANY, ms, paused, run_paused, secs};

// SEM-109: nothing is cancelled, no error: done and pending.
#[test]
fn wait_given_up_at_its_limit_returns_what_is_done_and_what_is_pending() {
    run_paused(async {
        let begin = lone::time::Instant::now();
        let slow = spawn(async { sleep(ms(30)).await });
        let fast = spawn(async { sleep(ms(10)).await });
        let ids = (slow.id(), fast.id());
        let waited = wait([slow, fast], ReturnWhen::AllCompleted).within(ms(20)).await;
        assert_eq!(begin.elapsed(), ms(20));
        assert_eq!(waited.pending[0].id(), ids.0);
        assert_eq!(waited.done[0].id(), ids.1);
        for handle in waited.pending {
            handle.await.expect("it was not cancelled");
        }
        assert_eq!(begin.elapsed(), ms(30));
    });
}

// SEM-110: one turn passes, then what is done is reported.
#[test]
fn wait_with_a_limit_of_zero_lets_those_that_are_ready_take_their_turn() {
    run_paused(async {
        let ready = spawn(async {});
        let endless = spawn(std::future::pending::<()>());
        let limit = Duration::ZERO;
        let waited = wait([endless, ready], ReturnWhen::AllCompleted).within(limit).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
    });
}

// SEM-111: at the very deadline the order of registration decides.
#[test]
fn task_that_ends_at_the_very_limit_is_done_if_its_timer_was_set_first() {
    run_paused(async {
        let first = spawn(async { sleep(ms(10)).await });
        yield_now().await;
        let waited = wait([first], ReturnWhen::AllCompleted).within(ms(10)).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (1, 0));
    });
}

#[test]
fn wait_that_is_over_in_time_leaves_no_timer_behind() {
    let mut runtime = paused();
    runtime.block_on(async {
        for _ in 0..100 {
            let task = spawn(async { sleep(ms(1)).await });
            let waited = wait([task], ReturnWhen::AllCompleted).within(ms(1000)).await;
            assert_eq!(waited.done.len(), 1);
        }
    });
    assert_eq!(runtime.statistics().timers, 0);
}

/// Binds a socket when it is dropped, as cleanup may, and panics if it is told to.
struct Cleanup {
    panics: bool,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let listener = TcpListener::bind(ANY).expect("the loop is still there");
        drop(listener);
        assert!(!self.panics, "a destructor, as this test wants it");
    }
}

// SEM-8: tasks, then timers and sockets, then the loop; each phase although the one before failed.
#[test]
fn shutdown_with_tasks_that_sleep_accept_and_panic_leaves_nothing_behind() {
    let mut runtime = paused();
    runtime.block_on(async {
        for panics in [true, false] {
            drop(spawn(async move {
                let _cleanup = Cleanup { panics };
                sleep(secs(100)).await;
            }));
        }
        drop(spawn(async {
            let listener = TcpListener::bind(ANY).expect("a port is free");
            drop(listener.accept().await);
        }));
        yield_now().await;
    });
    assert_eq!(runtime.statistics().tasks, 3);
    runtime.shutdown();
    let left = runtime.statistics();
    assert_eq!((left.tasks, left.slots, left.timers, left.sources), (0, 0, 0, 0));
}

// SEM-392: what a loop has to do can be read off it.
#[test]
fn statistics_count_tasks_children_timers_sockets_and_turns() {
    let mut runtime = paused();
    let before = runtime.statistics();
    assert_eq!((before.tasks, before.slots, before.timers, before.sources), (0, 0, 0, 0));
    let listener = runtime.block_on(async {
        drop(spawn(sleep(secs(1))));
        drop(spawn(lone::gather([sleep(secs(2)), sleep(secs(3))])));
        yield_now().await;
        yield_now().await;
        TcpListener::bind(ANY).expect("a port is free")
    });
    let during = runtime.statistics();
    assert_eq!((during.tasks, during.slots, during.groups), (2, 4, 1));
    assert_eq!((during.timers, during.sources, during.ready), (3, 1, 0));
    assert!(during.turns > before.turns);
    drop(listener);
    runtime.block_on(sleep(secs(4)));
    let after = runtime.statistics();
    assert_eq!((after.tasks, after.slots, after.timers, after.sources), (0, 0, 0, 0));
}
