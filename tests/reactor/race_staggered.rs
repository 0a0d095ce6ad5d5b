//! One way after the other: `race_staggered`.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};
use lone::time::Instant;
use lone::{
    Builder, Event, Queue, RunError, Semaphore, Staggered, budget, finally, race_staggered, sleep,
    timeout, yield_now,
};

use crate::help::{
    ANY, Random, Trace, elapsed_ms, ms, panic_text, paused, poll_once, run, run_paused, std_pair,
};

/// Says when it is dropped.
struct SayOnDrop(Trace, String);

impl Drop for SayOnDrop {
    fn drop(&mut self) {
        self.0.say(format!("-{}", self.1));
    }
}

/// What an arm does after so many milliseconds.
#[derive(Clone, Copy)]
enum Plan {
    Succeeds(u64),
    Fails(u64),
}
use Plan::{Fails, Succeeds};

/// An arm that tells when it begins and when it is gone, with the milliseconds since `begin`.
async fn arm(trace: Trace, begin: Instant, index: usize, plan: Plan) -> Result<usize, String> {
    trace.say(format!("{index}@{}", elapsed_ms(begin)));
    let _guard = SayOnDrop(trace, index.to_string());
    match plan {
        Succeeds(after) => {
            sleep(ms(after)).await;
            Ok(index * 10)
        }
        Fails(after) => {
            sleep(ms(after)).await;
            Err(format!("{index} failed"))
        }
    }
}

type Outcome = Result<Staggered<usize, String>, Vec<String>>;

/// Runs a race of these arms, 100 ms apart: its outcome, what was told, and how long it took.
fn race(plans: &[Plan]) -> (Outcome, String, u64) {
    let mut runtime = paused();
    let trace = Trace::default();
    let (outcome, took) = runtime.block_on(async {
        let begin = Instant::now();
        let arms = plans.iter().enumerate();
        let arms = arms.map(|(index, plan)| arm(trace.clone(), begin, index, *plan));
        (race_staggered(ms(100), arms).await, elapsed_ms(begin))
    });
    let statistics = runtime.statistics();
    assert_eq!((statistics.timers, statistics.slots), (0, 0), "nothing is left");
    (outcome, trace.take(), took)
}

fn failed(index: usize) -> (usize, String) {
    (index, format!("{index} failed"))
}

// ----- who starts when, and who wins ---------------------------------------------------------------

// SEM-422: each starts the delay after the one before; the first success wins, the losers are gone,
// in order; and who has not started is never made.
#[test]
fn arms_that_are_slow_start_one_delay_apart_until_one_succeeds() {
    let plans = [Succeeds(500), Succeeds(500), Succeeds(50), Succeeds(0)];
    let (outcome, told, took) = race(&plans);
    let winner = outcome.expect("the third succeeds");
    assert_eq!((winner.index, winner.output, winner.errors), (2, 20, vec![]));
    assert_eq!(told, "0@0 1@100 2@200 -2 -0 -1");
    assert_eq!(took, 250);
}

// SEM-422: where the newest fails the next starts at once, and its delay counts from there.
#[test]
fn arm_that_fails_as_the_newest_has_the_next_start_at_once() {
    let plans = [Succeeds(500), Fails(30), Succeeds(500), Succeeds(70)];
    let (outcome, told, took) = race(&plans);
    let winner = outcome.expect("the last succeeds");
    assert_eq!((winner.index, winner.output, winner.errors), (3, 30, vec![failed(1)]));
    assert_eq!(told, "0@0 1@100 -1 2@130 3@230 -3 -0 -2");
    assert_eq!(took, 300);
}

// SEM-422: one that fails while a newer one runs hurries nobody.
#[test]
fn arm_that_fails_behind_a_newer_one_leaves_the_next_its_delay() {
    let (outcome, told, took) = race(&[Fails(120), Succeeds(500), Succeeds(10)]);
    let winner = outcome.expect("the last succeeds");
    assert_eq!((winner.index, winner.errors), (2, vec![failed(0)]));
    assert_eq!(told, "0@0 1@100 -0 2@200 -2 -1");
    assert_eq!(took, 210);
}

// SEM-422: all fail: all errors, in argument order, when the last has failed.
#[test]
fn arms_that_all_fail_give_all_their_errors_in_argument_order() {
    let (outcome, told, took) = race(&[Fails(250), Fails(20), Fails(10)]);
    let errors = outcome.expect_err("all fail");
    assert_eq!(errors, ["0 failed", "1 failed", "2 failed"]);
    assert_eq!(told, "0@0 1@100 -1 2@120 -2 -0");
    assert_eq!(took, 250);
}

// SEM-422: the errors beside a success come as they came about.
#[test]
fn winner_tells_who_had_failed_in_the_order_of_the_failures() {
    let (outcome, _, took) = race(&[Fails(150), Fails(20), Succeeds(60)]);
    let winner = outcome.expect("the last succeeds");
    assert_eq!((winner.index, winner.errors), (2, vec![failed(1), failed(0)]));
    assert_eq!(took, 180);
}

// SEM-422: arms that fail at their first poll cost no time, nor a turn.
#[test]
fn arms_that_fail_at_once_are_gone_through_in_one_poll() {
    run_paused(async {
        let begin = Instant::now();
        let arms = (0..5).map(async |n| if n == 4 { Ok(n) } else { Err(n) });
        let mut racing = Box::pin(race_staggered(ms(100), arms));
        let std::task::Poll::Ready(winner) = poll_once(&mut racing).await else {
            panic!("nobody waits");
        };
        let winner = winner.expect("the last succeeds");
        assert_eq!((winner.index, winner.output), (4, 4));
        assert_eq!(winner.errors, [(0, 0), (1, 1), (2, 2), (3, 3)]);
        assert_eq!(elapsed_ms(begin), 0);
    });
}

// SEM-422: with a delay for ever each starts when the one before has failed; with none all at once.
#[test]
fn delay_of_nothing_starts_all_at_once_and_one_for_ever_none_but_after_a_failure() {
    for (delay, expected) in
        [(Duration::ZERO, "0@0 1@0 2@0 -2 -0 -1"), (Duration::MAX, "0@0 -0 1@300 -1 2@500 -2")]
    {
        let trace = Trace::default();
        let winner = run_paused(async {
            let begin = Instant::now();
            let plans = [Fails(300), Fails(200), Succeeds(100)].into_iter().enumerate();
            let arms = plans.map(|(index, plan)| arm(trace.clone(), begin, index, plan));
            race_staggered(delay, arms).await
        });
        assert_eq!(winner.expect("the last succeeds").index, 2);
        assert_eq!(trace.take(), expected);
    }
}

// SEM-422: an arm is taken from the iterator when it starts, and not before the first poll.
#[test]
fn inputs_are_taken_one_by_one_as_they_start() {
    run_paused(async {
        let made = Rc::new(Cell::new(0));
        let arms = iter::repeat_with(|| {
            made.set(made.get() + 1);
            pending::<Result<(), ()>>()
        });
        let mut racing = Box::pin(race_staggered(ms(100), arms));
        assert_eq!(made.get(), 0);
        for started in 1..4 {
            assert!(timeout(ms(99), &mut racing).await.is_err());
            assert_eq!(made.get(), started);
            assert!(timeout(ms(1), &mut racing).await.is_err());
        }
    });
}

// SEM-415: of nothing: no success and no error, and no wait.
#[test]
fn race_without_arms_fails_with_no_errors_at_once() {
    let (outcome, _, took) = race(&[]);
    assert_eq!((outcome, took), (Err(vec![]), 0));
}

// SEM-414, RU-2: ready when the delay ends: the result wins, the first listed of several, and the
// next is not made.
#[test]
fn arms_ready_at_the_moment_of_the_next_start_win_before_it() {
    let (outcome, told, took) = race(&[Succeeds(200), Succeeds(100), Succeeds(0)]);
    assert_eq!((outcome.expect("well").index, took), (0, 200));
    assert_eq!(told, "0@0 1@100 -0 -1");
}

// ----- what is left --------------------------------------------------------------------------------

// SEM-422: cancelled from outside at any moment all that have started are gone at once, in order,
// and what they have to clean up is awaited.
#[test]
fn race_given_up_at_any_moment_leaves_no_arm_and_no_timer() {
    for (after, expected) in [
        (1, "0@0 -0 closed@51"),
        (99, "0@0 -0 closed@149"),
        (101, "0@0 1@100 -0 -1 closed@151 closed@201"),
        (250, "0@0 1@100 -1 2@130 3@230 -0 -2 -3"),
    ] {
        let mut runtime = paused();
        let trace = Trace::default();
        runtime.block_on(async {
            let begin = Instant::now();
            let plans = [Succeeds(900), Fails(30), Succeeds(900), Succeeds(900)];
            let arms = plans.into_iter().enumerate().map(|(index, plan)| {
                let closing = trace.clone();
                // Only in the short runs, so that the long one is about arms.
                let closes = after < 200;
                finally(arm(trace.clone(), begin, index, plan), async move {
                    if closes {
                        sleep(ms(50)).await;
                        closing.say(format!("closed@{}", elapsed_ms(begin)));
                    }
                })
            });
            let given_up = timeout(ms(after), race_staggered(ms(100), arms)).await;
            assert!(given_up.is_err());
        });
        assert_eq!(trace.take(), expected, "after {after} ms");
        let statistics = runtime.statistics();
        assert_eq!((statistics.timers, statistics.slots), (0, 0), "after {after} ms");
    }
}

// SEM-416: a permit or an item that a loser was given in that turn goes on to others.
#[test]
fn arms_that_lose_what_they_had_been_given_pass_it_on() {
    run_paused(async {
        let (stop, permits, items) = (Event::new(), Semaphore::new(0), Queue::unbounded());
        let arms = (0..3).map(async |n| {
            match n {
                0 => stop.wait().await,
                1 => permits.acquire().await.forget(),
                _ => items.get().await.map_err(|_| ())?,
            }
            Ok::<_, ()>(n)
        });
        let mut racing = Box::pin(race_staggered(ms(1), arms));
        assert!(timeout(ms(10), &mut racing).await.is_err());
        assert_eq!((permits.waiters(), items.waiting_getters()), (1, 1));
        permits.add_permits(1);
        items.try_put(()).expect("there is room");
        stop.set();
        assert_eq!(racing.await.expect("it wins").index, 0);
        assert_eq!((permits.available(), permits.waiters()), (1, 0));
        assert_eq!((items.len(), items.waiting_getters()), (1, 0));
    });
}

// SEM-416: dropped at random moments, items that were given to arms are never lost.
#[test]
fn races_over_a_queue_given_up_at_any_moment_lose_no_item() {
    run_paused(async {
        let mut random = Random(7);
        let queue = Queue::bounded(1);
        let put = async {
            for item in 0..200 {
                sleep(ms(item % 3)).await;
                queue.put(item).await.expect("it is open");
            }
            queue.shutdown();
        };
        let get = async {
            let mut got = Vec::new();
            loop {
                let patience = ms(random.next() % 4);
                let arms = iter::repeat_with(|| queue.get()).take(3);
                match timeout(patience, race_staggered(ms(1), arms)).await {
                    Ok(Ok(winner)) => got.push(winner.output),
                    Ok(Err(_)) => return got,
                    Err(_) => yield_now().await,
                }
            }
        };
        let ((), got) = lone::join!(put, get);
        assert_eq!(got, (0..200).collect::<Vec<_>>());
    });
}

// SEM-418: an arm panics: the others are dropped, and the panic goes on; it is over.
#[test]
fn arm_that_panics_takes_the_others_with_it() {
    let mut runtime = paused();
    let trace = Trace::default();
    runtime.block_on(async {
        let begin = Instant::now();
        let arms = (0..3).map(|index| {
            let arm = arm(trace.clone(), begin, index, Succeeds(900));
            async move {
                if index == 1 {
                    sleep(ms(5)).await;
                    panic!("on purpose");
                }
                arm.await
            }
        });
        let mut racing = Box::pin(race_staggered(ms(100), arms));
        assert!(timeout(ms(104), &mut racing).await.is_err());
        sleep(ms(2)).await;
        for expected in ["on purpose", "after it had returned or panicked"] {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let poll = || drop(racing.as_mut().poll(&mut cx));
            let panic = catch_unwind(AssertUnwindSafe(poll)).expect_err("it panics");
            assert!(panic_text(&*panic).contains(expected), "{}", panic_text(&*panic));
            trace.say("caught");
        }
    });
    assert_eq!(trace.take(), "0@0 -0 caught caught");
    assert_eq!(runtime.statistics().timers, 0);
}

// ----- polls, budgets, reports ---------------------------------------------------------------------

// SEM-422: of those that have started only the one that was woken is polled; and places of arms that
// have failed are used again without mixing them up.
#[test]
fn arm_that_is_woken_is_polled_alone() {
    run_paused(async {
        let polls = RefCell::new(vec![0; 4]);
        let arms = (0..4_usize).map(|index| {
            let mut waits = Box::pin(sleep(ms([1000, 10, 35, 900][index])));
            let polls = &polls;
            std::future::poll_fn(move |cx| {
                polls.borrow_mut()[index] += 1;
                waits.as_mut().poll(cx).map(|()| if index == 3 { Ok(index) } else { Err(index) })
            })
        });
        // 0 at 0 ms, 1 at 100, failed at 110: 2 in its place, failed at 145: 3 in its place.
        let winner = race_staggered(ms(100), arms).await.expect("the last succeeds");
        assert_eq!((winner.index, winner.errors), (3, vec![(1, 1), (2, 2), (0, 0)]));
        assert_eq!(polls.take(), [2; 4]);
    });
}

// SEM-407, SEM-410: no iterator keeps the loop to itself; waiting is free.
#[test]
fn inputs_without_end_that_fail_at_once_give_way_to_others() {
    Builder::new().start_paused(true).budget(4).run(async {
        let made = Rc::new(Cell::new(0));
        let arms = iter::repeat_with(|| {
            made.set(made.get() + 1);
            assert!(made.get() < 100, "it does not give way");
            std::future::ready(Err::<(), ()>(()))
        });
        let mut racing = Box::pin(race_staggered(ms(100), arms));
        for polls in 1..4 {
            assert!(poll_once(&mut racing).await.is_pending());
            assert_eq!(made.get(), polls * 4);
            yield_now().await;
        }
        let mut waits = Box::pin(race_staggered(ms(100), [pending::<Result<(), ()>>()]));
        assert!(poll_once(&mut waits).await.is_pending());
        assert_eq!(budget::remaining(), Some(4));
    });
}

// SEM-22: when the last has started nothing but the arms can end it: they are told, and then it.
#[test]
fn race_over_what_can_never_come_tells_its_arms() {
    let event = Event::new();
    let racing = race_staggered(
        ms(10),
        (0..3).map(async |n| {
            if n != 1 {
                event.wait().await;
            }
            Err::<(), _>(n)
        }),
    );
    let Err(RunError::Deadlock(report)) = Builder::new().start_paused(true).try_run(racing) else {
        panic!("nobody can set the event");
    };
    let on: Vec<_> = report.waiting()[0].awaits.iter().map(|awaited| awaited.on).collect();
    assert_eq!(on, ["an event", "an event", "race_staggered"]);
}

// SEM-422: what it is for: an address where nobody listens does not keep the next one waiting.
#[test]
fn connects_to_several_addresses_take_the_first_that_answers() {
    run(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        // A port that is taken, by somebody who does not listen.
        let (held, _other) = std_pair();
        let nobody = held.local_addr().expect("it is connected");
        let somebody = listener.local_addr().expect("it is bound");
        let connects = [nobody, nobody, somebody, nobody].map(TcpStream::connect);
        // Would the delay count, the test would last an hour.
        let winner = race_staggered(Duration::from_secs(3600), connects).await;
        let winner = winner.expect("somebody listens");
        assert_eq!(winner.output.peer_addr().expect("it is connected"), somebody);
        let refused: Vec<_> = winner.errors.iter().map(|(index, _)| *index).collect();
        assert_eq!((winner.index, refused), (2, vec![0, 1]));
    });
}
