//! Timeouts of bare futures: the body first, then the deadline.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lone::time::Instant;
use lone::{Elapsed, Timeout, interval, sleep, sleep_until, spawn, timeout, timeout_at, yield_now};

use crate::help::{
    Trace, elapsed_ms, ms, ns, panic_text, paused, poll_once, run, run_paused, runtime, secs, spin,
    turn, us,
};

/// Says when it is dropped.
struct SayOnDrop(Trace, &'static str);

impl Drop for SayOnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

// ----- in time, or not -----------------------------------------------------------------------------

// SEM-124: its output, be it an error, and the timer is gone.
#[test]
fn body_ending_in_time_gives_its_output_and_leaves_no_timer() {
    let mut runtime = paused();
    let body = async {
        sleep(ms(4)).await;
        Err::<(), _>("its own error")
    };
    let mut limited = Box::pin(timeout(ms(5), body));
    assert_eq!(runtime.block_on(&mut limited), Ok(Err("its own error")));
    assert_eq!(runtime.statistics().timers, 0, "also while the future is kept");
    assert_eq!(runtime.next_deadline(), None);
}

// SEM-125, SEM-87: a timeout that never comes is a plain await.
#[test]
fn body_without_a_real_limit_is_awaited_to_its_end() {
    run_paused(async {
        let begin = Instant::now();
        let days = async {
            sleep(secs(100 * 24 * 60 * 60)).await;
            42
        };
        assert_eq!(timeout(Duration::MAX, days).await, Ok(42));
        assert_eq!(timeout_at(Instant::FAR_FUTURE, sleep(ms(1))).await, Ok(()));
        assert_eq!(begin.elapsed(), secs(100 * 24 * 60 * 60) + ms(1));
    });
}

// SEM-126: at the deadline, to the nanosecond, and the body has gone when the error is there.
#[test]
fn body_that_takes_too_long_is_dropped_at_its_await_point() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        let guard = SayOnDrop(trace.clone(), "dropped");
        let body = async {
            let _guard = guard;
            trace.say("began");
            sleep(ms(6)).await;
            trace.say("went on");
        };
        assert!(timeout(ms(5), body).await.is_err());
        trace.say("elapsed");
        assert_eq!(trace.take(), "began dropped elapsed");
        assert_eq!(elapsed_ms(begin), 5);
    });
}

// SEM-126: counted from the first poll that has to wait, and not from the call.
#[test]
fn timeout_awaited_late_counts_from_its_first_poll() {
    run_paused(async {
        let begin = Instant::now();
        let limited = timeout(ms(10), pending::<()>());
        let at = timeout_at(begin + ms(30), pending::<()>());
        sleep(ms(7)).await;
        assert!(limited.await.is_err());
        assert_eq!(elapsed_ms(begin), 17);
        assert!(at.await.is_err());
        assert_eq!(elapsed_ms(begin), 30);
    });
}

// SEM-126: it is an error like any other, and turns into that of `io`.
#[test]
fn elapsed_says_so_and_turns_into_an_io_error() {
    run_paused(async {
        let attempt = async || -> io::Result<()> {
            timeout(ms(1), pending::<()>()).await?;
            Ok(())
        };
        let error = attempt().await.expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "the time is over");
        assert!(error.into_inner().is_some_and(|inner| inner.is::<Elapsed>()));
    });
}

// ----- a result beats the deadline -----------------------------------------------------------------

// SEM-128, C-57: its own timer came before, and the loop was blocked past both.
#[test]
fn body_and_deadline_both_past_when_a_blocked_loop_looks_give_the_value() {
    let mut runtime = runtime();
    let body = async {
        sleep(ms(30)).await;
        42
    };
    let task = runtime.spawn(timeout(ms(35), body));
    turn(&mut runtime);
    assert_eq!(runtime.statistics().timers, 2);
    spin(ms(40));
    assert_eq!(turn(&mut runtime).ready, 1);
    assert_eq!(runtime.block_on(task).expect("it ends well"), Ok(42));
}

// SEM-128, C-58: the deadline was registered first, so it rings first.
#[test]
fn body_ready_at_the_very_moment_of_the_deadline_gives_its_value() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let body = async {
            yield_now().await;
            sleep_until(deadline).await;
            42
        };
        assert_eq!(timeout_at(deadline, body).await, Ok(42));
        assert_eq!(Instant::now(), deadline);
    });
}

/// The outcome of awaiting, until 10 ms, a task that ends after 10 ms: registered before the
/// timeout, or after it.
fn joined_at_the_deadline(task_first: bool) -> Result<i32, Elapsed> {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let task = spawn(async move {
            if !task_first {
                yield_now().await;
            }
            sleep_until(deadline).await;
            42
        });
        if task_first {
            yield_now().await;
        }
        let joined = timeout_at(deadline, task).await;
        assert_eq!(Instant::now(), deadline);
        joined.map(|outcome| outcome.expect("it ends well"))
    })
}

// SEM-128: whoever makes the body ready is queued before the waiter.
#[test]
fn body_made_ready_by_a_task_in_front_gives_its_value_at_the_deadline() {
    assert_eq!(joined_at_the_deadline(true), Ok(42));
}

// SEM-128: or behind it.
#[test]
fn body_made_ready_by_a_task_behind_is_too_late_at_the_deadline() {
    assert!(joined_at_the_deadline(false).is_err());
}

// ----- zero ----------------------------------------------------------------------------------------

// SEM-129: a limit of zero, or long past, and a body that need not wait.
#[test]
fn body_ready_at_its_first_poll_beats_a_deadline_that_is_past() {
    run_paused(async {
        let begin = Instant::now();
        sleep(secs(11)).await;
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert_eq!(timeout_at(begin, ready(2)).await, Ok(2));
        assert_eq!(timeout_at(begin, async { 3 }).await, Ok(3));
    });
}

// SEM-129, SEM-130: a handle is a future like any other; the task goes on if it is not ready.
#[test]
fn handle_of_a_finished_task_beats_a_deadline_of_zero() {
    run_paused(async {
        let mut task = spawn(async {
            yield_now().await;
            42
        });
        assert!(timeout(Duration::ZERO, &mut task).await.is_err());
        yield_now().await;
        yield_now().await;
        let joined = timeout(Duration::ZERO, task).await;
        assert_eq!(joined.expect("it has finished").expect("it ends well"), 42);
    });
}

// SEM-131: no more, and no less.
#[test]
fn body_under_a_deadline_of_zero_is_polled_exactly_once() {
    run_paused(async {
        let polls = Cell::new(0);
        let counted = poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        assert!(timeout(Duration::ZERO, counted).await.is_err());
        assert_eq!(polls.get(), 1);
        assert!(timeout(Duration::ZERO, yield_now()).await.is_err(), "one yield is too many");
        assert!(timeout(Duration::ZERO, sleep(Duration::ZERO)).await.is_err());
    });
}

// SEM-131: it does not even yield, so it sets no timer.
#[test]
fn timeout_of_zero_is_over_at_its_first_poll() {
    let mut runtime = paused();
    runtime.block_on(async {
        let mut limited = pin!(timeout(Duration::ZERO, pending::<()>()));
        assert!(poll_once(&mut limited).await.is_ready());
    });
    assert_eq!((runtime.statistics().timers, runtime.statistics().parks), (0, 0));
}

// SEM-129: the clock is not even read, so that no loop is needed.
#[test]
fn body_ready_at_its_first_poll_needs_no_loop() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut limited = pin!(timeout(secs(1), ready(42)));
    assert_eq!(limited.as_mut().poll(&mut cx), Poll::Ready(Ok(42)));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mut limited = pin!(timeout(secs(1), pending::<()>()));
        assert!(limited.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }));
    let payload = panic.expect_err("one that has to wait needs a loop");
    assert!(panic_text(&*payload).contains("await it inside lone::run"));
}

// ----- cancel, drop, nest --------------------------------------------------------------------------

// SEM-135, C-59: in one turn, the cancel from a task in front.
#[test]
fn task_cancelled_in_the_turn_of_its_deadline_is_cancelled() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let trace = Trace::default();
        let said = trace.clone();
        // Main's timer is registered before the deadline.
        let mut main = sleep_until(deadline);
        assert!(poll_once(&mut main).await.is_pending());
        let task = spawn(async move {
            said.say("began");
            assert!(timeout_at(deadline, pending::<()>()).await.is_err());
            said.say("elapsed");
        });
        main.await;
        assert!(task.cancel("enough"));
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(trace.take(), "began");
        assert_eq!(Instant::now(), deadline);
    });
}

// SEM-135: from a task behind, it comes too late for this await and in time for the next.
#[test]
fn task_cancelled_behind_its_deadline_is_cancelled_at_its_next_await() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let trace = Trace::default();
        let said = trace.clone();
        let task = spawn(async move {
            assert!(timeout_at(deadline, pending::<()>()).await.is_err());
            said.say("elapsed");
            pending::<()>().await;
        });
        yield_now().await;
        sleep_until(deadline).await;
        assert!(task.cancel("enough"));
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(trace.take(), "elapsed");
    });
}

// SEM-135, C-60: the inner task has ended in that turn as well, and its value stays readable.
#[test]
fn task_cancelled_in_the_turn_of_its_inner_value_leaves_that_readable() {
    run_paused(async {
        let deadline = Instant::now() + ms(10);
        let inner = Rc::new(std::cell::RefCell::new(spawn(async move {
            sleep_until(deadline).await;
            42
        })));
        yield_now().await;
        let mut main = sleep_until(deadline);
        assert!(poll_once(&mut main).await.is_pending());
        let joined = inner.clone();
        let outer = spawn(async move {
            let by_ref = poll_fn(|cx| {
                let mut inner = joined.borrow_mut();
                inner.poll_finished(cx)
            });
            timeout(secs(1), by_ref).await
        });
        main.await;
        assert!(inner.borrow().is_finished());
        assert!(outer.cancel("enough"));
        assert!(outer.await.is_err_and(|error| error.is_cancelled()));
        let value = inner.borrow_mut().try_join().expect("it has ended");
        assert_eq!(value.expect("it ends well"), 42);
    });
}

// SEM-85: body and timer go with it.
#[test]
fn timeout_dropped_half_way_drops_the_body_and_leaves_no_timer() {
    let (mut runtime, trace) = (paused(), Trace::default());
    let guard = SayOnDrop(trace.clone(), "dropped");
    let mut limited = Box::pin(timeout(ms(5), async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    runtime.block_on(async {
        assert!(poll_once(&mut limited).await.is_pending());
        sleep(ms(4)).await;
    });
    assert_eq!((runtime.statistics().timers, trace.take().as_str()), (1, ""));
    runtime.block_on(async { drop(limited) });
    assert_eq!((runtime.statistics().timers, trace.take().as_str()), (0, "dropped"));
}

// SEM-148: the inner one reports, and the outer one can still come.
#[test]
fn inner_timeout_that_is_earlier_reports_and_the_outer_goes_on() {
    run_paused(async {
        let begin = Instant::now();
        let outer = timeout(ms(20), async {
            assert!(timeout(ms(10), pending::<()>()).await.is_err());
            assert_eq!(elapsed_ms(begin), 10);
            timeout(ms(100), pending::<()>()).await
        });
        assert_eq!(outer.await.map(drop).map_err(|elapsed| elapsed.to_string()), {
            Err("the time is over".to_owned())
        });
        assert_eq!(elapsed_ms(begin), 20);
    });
}

// SEM-148: three deep, the outermost first.
#[test]
fn outer_timeout_that_is_earlier_drops_the_inner_ones() {
    let mut runtime = paused();
    runtime.block_on(async {
        let begin = Instant::now();
        let nested = timeout(ms(5), timeout(ms(10), timeout(ms(20), sleep(ms(30)))));
        assert!(nested.await.is_err());
        assert_eq!(elapsed_ms(begin), 5);
    });
    assert_eq!(runtime.statistics().timers, 0);
}

// ----- many ----------------------------------------------------------------------------------------

// SEM-137: each attempt has a time of its own, and no other caller notices.
#[test]
fn attempts_of_a_retry_loop_each_have_a_fresh_deadline() {
    run_paused(async {
        let begin = Instant::now();
        // The third answer comes in time.
        let ask = |caller: u64, attempt: u64| sleep(ms(25 - 5 * caller - 10 * attempt));
        let retry = async |caller: u64| {
            for attempt in 0..5 {
                if timeout(ms(10), ask(caller, attempt)).await.is_ok() {
                    return (attempt, elapsed_ms(begin));
                }
            }
            panic!("no attempt was in time");
        };
        let (first, second, third) = lone::join!(retry(0), retry(1), retry(0));
        assert_eq!(first, (2, 25));
        assert_eq!(second, (1, 20));
        assert_eq!(third, first);
    });
}

// SEM-138: 10,000, one after the other and side by side.
#[test]
fn timeouts_that_end_early_leave_an_empty_wheel() {
    let mut runtime = paused();
    runtime.block_on(async {
        for _ in 0..5_000 {
            assert_eq!(timeout(secs(60), yield_now()).await, Ok(()));
        }
    });
    assert_eq!(runtime.statistics().timers, 0);
    let tasks: Vec<_> = (0..5_000).map(|_| runtime.spawn(timeout(secs(60), yield_now()))).collect();
    turn(&mut runtime);
    assert_eq!(runtime.statistics().timers, 5_000);
    runtime.block_on(async {
        for task in tasks {
            assert_eq!(task.await.expect("it ends well"), Ok(()));
        }
    });
    assert_eq!(runtime.statistics().timers, 0);
    assert_eq!(runtime.next_deadline(), None);
}

// SEM-409, SEM-410: a body that could always go on does not keep the deadline from being looked at.
#[test]
fn body_that_is_always_ready_is_stopped_by_its_deadline() {
    run(async {
        let begin = std::time::Instant::now();
        let busy = async {
            // A thousand million ticks a second: there is always one that was missed.
            let mut ticks = interval(ns(1));
            loop {
                ticks.tick().await;
            }
        };
        let stopped: Result<(), Elapsed> = timeout(ms(5), busy).await;
        assert!(stopped.is_err());
        assert!(begin.elapsed() >= ms(5));
        let yielding = async {
            loop {
                yield_now().await;
            }
        };
        let stopped: Result<(), Elapsed> = timeout(ms(5), yielding).await;
        assert!(stopped.is_err());
    });
}

// SEM-126: on the real clock, never early.
#[test]
fn timeouts_on_the_real_clock_never_end_early() {
    run(async {
        for n in 0..300 {
            let limit = us(n);
            let begin = std::time::Instant::now();
            assert!(timeout(limit, pending::<()>()).await.is_err());
            assert!(begin.elapsed() >= limit, "{:?} instead of {limit:?}", begin.elapsed());
        }
    });
}

// SEM-126: `Send` where its body is: a handler of another crate may hold it.
const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Timeout<std::future::Ready<()>>>();
};
