//! The verdict where there are a clock and sockets: what may still come, and what cannot any more.

use std::io::Write as _;
use std::net::Shutdown;
use std::panic::catch_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};
use lone::time::{Instant, interval, interval_at};
use lone::{
    Builder, Event, Jump, Queue, RunError, Runtime, gather, join, race, sleep, spawn, timeout,
    yield_now,
};

use crate::help::{
    ANY, PATIENCE, Watchdog, ms, outside_pair, pair, panic_text, paused, poll_once, run,
    run_paused, runtime, secs, spin, std_pair,
};

/// How long a thread gives the loop for a verdict that would be a false one.
const WHILE: Duration = Duration::from_millis(20);

/// Runs `main`, which has to come to a deadlock; returns the report.
#[track_caller]
fn verdict_on<F: Future>(runtime: &mut Runtime, main: F) -> String {
    let _watchdog = Watchdog::new();
    match runtime.try_block_on(main) {
        Err(RunError::Deadlock(report)) => report.to_string(),
        Err(error) => panic!("a deadlock, not: {error}"),
        Ok(_) => panic!("a deadlock, and main has ended"),
    }
}

/// The same on a loop of its own: once on the real clock, once on a virtual one.
#[track_caller]
fn verdict<F: Future>(main: impl Fn() -> F) {
    for mut runtime in [runtime(), paused()] {
        verdict_on(&mut runtime, main());
    }
}

/// Runs `main` on the real clock and on a virtual one: it has to end.
#[track_caller]
fn ends<F: Future>(main: impl Fn() -> F) {
    run(main());
    run_paused(main());
}

/// A thread that does something once `main` has gone on and has not come to a verdict for a while.
fn later(act: impl FnOnce() + Send + 'static) -> (mpsc::Sender<()>, Receiver<()>) {
    let (over, is_over) = mpsc::channel();
    let (acted, has_acted) = mpsc::channel();
    thread::spawn(move || {
        // The sender is dropped where the run ends before its time: then there is nothing to do.
        if is_over.recv_timeout(WHILE) == Err(mpsc::RecvTimeoutError::Timeout) {
            act();
            let _ = acted.send(());
        }
    });
    (over, has_acted)
}

// ----- time ----------------------------------------------------------------------------------------

// SEM-22: a timer will wake, whoever it is that waits for it.
#[test]
fn timer_set_is_no_verdict() {
    ends(|| async {
        let event = Rc::new(Event::new());
        let set = event.clone();
        drop(spawn(async move {
            sleep(ms(5)).await;
            set.set();
        }));
        event.wait().await;
    });
    ends(|| async { assert!(timeout(ms(5), Event::new().wait()).await.is_err()) });
}

// SEM-22, SEM-395: hours away on a virtual clock, and then nothing more.
#[test]
fn last_timer_having_fired_is_a_deadlock_then() {
    let mut runtime = paused();
    let begin = runtime.block_on(async { Instant::now() });
    drop(runtime.spawn(sleep(secs(3 * 60 * 60))));
    let report = verdict_on(&mut runtime, Event::new().wait());
    assert_eq!(runtime.block_on(async { begin.elapsed() }), secs(3 * 60 * 60));
    assert_eq!(runtime.statistics().tasks, 0);
    assert!(report.contains("main awaits an event at tests/reactor/deadlock.rs:"), "{report}");
    let mut runtime = crate::help::runtime();
    let begin = std::time::Instant::now();
    drop(runtime.spawn(sleep(ms(5))));
    verdict_on(&mut runtime, Event::new().wait());
    assert!(begin.elapsed() >= ms(5), "it was waited for");
}

// SEM-22: due already when the loop judges, and not yet fired.
#[test]
fn sleep_past_due_when_the_loop_judges_is_no_verdict() {
    run(async {
        let slept = spawn(sleep(ms(1)));
        yield_now().await;
        spin(ms(2));
        slept.await.expect("it ends well");
    });
    run(async { join!(sleep(ms(1)), async { spin(ms(2)) }) });
}

// SEM-22, SEM-85: taken back, it wakes nobody.
#[test]
fn sleep_given_up_is_a_deadlock() {
    verdict(|| async {
        let mut slept = pin!(sleep(secs(3600)));
        assert!(poll_once(&mut slept.as_mut()).await.is_pending());
        slept.set(sleep(secs(3600)));
        Event::new().wait().await;
    });
    verdict(|| async {
        assert_eq!(timeout(secs(3600), yield_now()).await, Ok(()));
        Event::new().wait().await;
    });
}

// SEM-22, F20: dropped on another thread it is taken back through the inbox.
#[test]
fn sleep_dropped_on_another_thread_is_a_deadlock_then() {
    verdict(|| async {
        let mut slept = Box::pin(sleep(secs(3600)));
        assert!(poll_once(&mut slept).await.is_pending());
        thread::spawn(move || drop(slept));
        Event::new().wait().await;
    });
}

// SEM-22: an interval has a timer only while a tick is awaited, or was given up half way.
#[test]
fn interval_that_nobody_awaits_is_a_deadlock() {
    verdict(|| async {
        let mut ticks = interval(ms(1));
        ticks.tick().await;
        Event::new().wait().await;
        drop(ticks);
    });
    let mut runtime = paused();
    let begin = runtime.block_on(async { Instant::now() });
    verdict_on(&mut runtime, async {
        let mut ticks = interval_at(begin + secs(60), secs(60));
        assert!(poll_once(&mut ticks.tick()).await.is_pending());
        Event::new().wait().await;
        drop(ticks);
    });
    assert_eq!(runtime.block_on(async { begin.elapsed() }), secs(60), "that tick was waited for");
}

// SEM-22: one who ticks keeps the others waiting, for it might do something for them.
#[test]
fn interval_that_is_awaited_is_no_verdict() {
    ends(|| async {
        let event = Rc::new(Event::new());
        let set = event.clone();
        drop(spawn(async move {
            let mut ticks = interval(ms(1));
            for _ in 0..5 {
                ticks.tick().await;
            }
            set.set();
        }));
        event.wait().await;
    });
}

// SEM-22: what is certain before everybody is asked has to be certain after it.
#[test]
fn sleep_begun_when_asked_is_no_deadlock() {
    ends(|| async {
        let mut polled = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
        sleep(ms(1)).await;
    });
}

// ----- sockets -------------------------------------------------------------------------------------

// SEM-22: somebody may connect.
#[test]
fn listener_that_accepts_is_no_verdict() {
    ends(|| async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (_over, connected) = later(move || {
            drop(std::net::TcpStream::connect(address).expect("somebody listens"));
        });
        // Nobody but the accept holds a verdict off.
        let accepting = spawn(async move { drop(listener.accept().await) });
        accepting.await.expect("it ends well");
        connected.recv_timeout(PATIENCE).expect("the loop had to wait for it");
    });
}

// SEM-22: the peer may write, or close.
#[test]
fn stream_that_reads_is_no_verdict() {
    ends(|| async {
        let (stream, mut peer) = outside_pair();
        let (_over, written) = later(move || peer.write_all(b"x").expect("it is open"));
        let mut buffer = [0];
        stream.read_exact(&mut buffer).await.expect("the peer writes");
        written.recv_timeout(PATIENCE).expect("the loop had to wait for it");
    });
    ends(|| async {
        let (stream, peer) = outside_pair();
        let (_over, _closed) = later(move || drop(peer));
        assert_eq!(stream.read(&mut [0]).await.expect("it was closed well"), 0);
    });
}

// SEM-22: the peer may make room.
#[test]
fn stream_that_writes_is_no_verdict() {
    run(async {
        let (stream, mut peer) = outside_pair();
        let (_over, _read) = later(move || {
            std::io::copy(&mut peer, &mut std::io::sink()).expect("it is read to its end");
        });
        stream.write_all(&vec![0; 16 << 20]).await.expect("the peer reads");
    });
}

// SEM-22: shut down from another thread, which may do no more than that.
#[test]
fn stream_shut_down_on_another_thread_wakes_its_reader() {
    run(async {
        let (stream, _peer) = outside_pair();
        let shared = std::sync::Arc::new(stream);
        let there = shared.clone();
        let (_over, _shut) = later(move || there.shutdown(Shutdown::Both).expect("it is open"));
        assert_eq!(shared.read(&mut [0]).await.expect("it was closed well"), 0);
    });
}

// SEM-22: the system will say how it ends.
#[test]
fn connect_under_way_is_no_verdict() {
    ends(|| async {
        let listener = std::net::TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        for _ in 0..20 {
            drop(TcpStream::connect(address).await.expect("somebody listens"));
        }
    });
    ends(|| async {
        let listener = std::net::TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        assert!(TcpStream::connect(address).await.is_err(), "refused");
    });
}

// SEM-22: within one loop, through the system: many ends, none of them forgotten.
#[test]
fn echo_within_one_loop_is_no_verdict() {
    ends(|| async {
        gather((0..10).map(async |_| {
            let (here, there) = pair().await;
            let echo = spawn(async move {
                let mut word = [0; 4];
                while there.read_exact(&mut word).await.is_ok() {
                    there.write_all(&word).await.expect("it is open");
                }
            });
            for _ in 0..10 {
                let mut word = [0; 4];
                here.write_all(b"word").await.expect("it is open");
                here.read_exact(&mut word).await.expect("it is answered");
            }
            drop(here);
            echo.await.expect("it ends well");
        }))
        .await;
    });
}

// SEM-22, F14: a socket that nobody waits for hides no deadlock.
#[test]
fn sockets_that_nobody_waits_for_are_a_deadlock() {
    verdict(|| async {
        let _listener = TcpListener::bind(ANY).expect("a port is free");
        Event::new().wait().await;
    });
    verdict(|| async {
        let (_here, mut there) = outside_pair();
        // Readable or not: nobody asks.
        there.write_all(b"x").expect("it is open");
        Queue::<()>::unbounded().get().await.expect("it is never shut down");
    });
}

// SEM-22, F14: counted per live waiter: whoever gave up waits no more.
#[test]
fn reads_and_accepts_given_up_are_a_deadlock() {
    verdict(|| async {
        let (stream, _peer) = outside_pair();
        assert!(poll_once(&mut stream.read(&mut [0])).await.is_pending());
        assert!(poll_once(&mut stream.read_exact(&mut [0])).await.is_pending());
        Event::new().wait().await;
    });
    verdict(|| async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        assert!(poll_once(&mut listener.accept()).await.is_pending());
        Event::new().wait().await;
    });
    // On the real clock only: this virtual one would not jump as long as the read waits.
    verdict_on(&mut runtime(), async {
        let (stream, _peer) = outside_pair();
        let mut buffer = [0];
        assert!(timeout(ms(1), stream.read(&mut buffer)).await.is_err());
        Event::new().wait().await;
    });
    verdict(|| async {
        let (stream, _peer) = outside_pair();
        let reader = spawn(async move { stream.read(&mut [0]).await.map(|_| ()) });
        yield_now().await;
        assert!(reader.cancel("it takes too long"));
        assert!(reader.await.is_err());
        Event::new().wait().await;
    });
}

// SEM-22, F14: the loser of a race is dropped, and with it its place.
#[test]
fn read_that_has_lost_a_race_is_a_deadlock() {
    verdict(|| async {
        let (stream, _peer) = outside_pair();
        let mut buffer = [0];
        let read = Box::pin(async { drop(stream.read(&mut buffer).await) });
        let wins: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(yield_now());
        race([read as std::pin::Pin<Box<dyn Future<Output = ()>>>, wins]).await;
        Event::new().wait().await;
    });
}

// SEM-22: one reader beside one who gave up still waits.
#[test]
fn read_beside_one_given_up_is_no_verdict() {
    ends(|| async {
        let (stream, mut peer) = outside_pair();
        let stream = Rc::new(stream);
        assert!(poll_once(&mut stream.read(&mut [0])).await.is_pending());
        let reading = stream.clone();
        let reader = spawn(async move { reading.read(&mut [0]).await });
        yield_now().await;
        assert!(poll_once(&mut stream.read(&mut [0])).await.is_pending());
        let (_over, _written) = later(move || peer.write_all(b"x").expect("it is open"));
        assert_eq!(reader.await.expect("it ends well").expect("the peer writes"), 1);
    });
}

// SEM-22, F20: closed with its reader, or its reader taken along to a thread.
#[test]
fn socket_dropped_on_another_thread_is_a_deadlock_then() {
    verdict(|| async {
        let (stream, _peer) = outside_pair();
        let stream = std::sync::Arc::new(stream);
        let reading = stream.clone();
        let mut read = Box::pin(async move { drop(reading.read(&mut [0]).await) });
        assert!(poll_once(&mut read).await.is_pending());
        thread::spawn(move || drop((read, stream)));
        Event::new().wait().await;
    });
}

// ----- clocks and runs -----------------------------------------------------------------------------

// SEM-22, SEM-399: whichever rule a virtual clock jumps by.
#[test]
fn virtual_clocks_of_all_kinds_come_to_the_verdict() {
    for builder in [
        Builder::new().start_paused(true),
        Builder::new().jump(Jump::HoldOnIo),
        Builder::new().jump(Jump::AfterQuiet(Duration::ZERO)),
        Builder::new().jump(Jump::AfterQuiet(secs(3600))),
    ] {
        let mut runtime = builder.build().expect("descriptors are free");
        let report = verdict_on(&mut runtime, async {
            let _idle = outside_pair();
            sleep(secs(60)).await;
            Event::new().wait().await;
        });
        assert!(report.contains("main awaits an event"), "{report}");
    }
}

// SEM-22: the run ends with it as with any error: tasks are cancelled, and main's value is none.
#[test]
fn try_run_returns_the_report_and_shuts_down() {
    let _watchdog = Watchdog::new();
    let dropped = Rc::new(std::cell::Cell::new(0));
    let count = || {
        let dropped = dropped.clone();
        Count(dropped)
    };
    let ran = lone::try_run(async {
        let (in_task, _in_main) = (count(), count());
        drop(spawn(async move {
            let _in_task = in_task;
            Event::new().wait().await;
        }));
        Event::new().wait().await;
    });
    let Err(RunError::Deadlock(report)) = ran else { panic!("a deadlock, not {ran:?}") };
    assert_eq!((report.waiting().len(), dropped.get()), (2, 2));
    assert_eq!(lone::run(async { 7 }), 7);
}

struct Count(Rc<std::cell::Cell<usize>>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

// SEM-22: run panics with the report, on either clock.
#[test]
fn run_panics_with_the_report() {
    let _watchdog = Watchdog::new();
    let stuck = || async {
        let silent = spawn(async { Event::new().wait().await }).named("silent");
        silent.await.expect("it never ends");
    };
    let runs: [fn(_); 2] = [lone::run, |main| Builder::new().start_paused(true).run(main)];
    for run in runs {
        let panic = catch_unwind(move || run(stuck())).expect_err("a deadlock");
        let text = panic_text(&*panic);
        assert!(text.starts_with("deadlock: everybody waits, and nothing can wake anybody\n"));
        assert!(text.contains("\n  main awaits the end of Task-1 `silent`"), "{text}");
        assert!(
            text.contains("\n  Task-1 `silent`, spawned at tests/reactor/deadlock.rs:"),
            "{text}"
        );
    }
}

// SEM-22: a test that hangs fails, and says why.
#[lone::test(start_paused)]
#[should_panic(expected = "main awaits an event at tests/reactor/deadlock.rs:")]
async fn test_that_is_stuck_panics_with_the_report() {
    sleep(secs(60)).await;
    Event::new().wait().await;
}

// SEM-22, SEM-427: as long as a thread may spawn here it may come, on a virtual clock too.
#[test]
fn remote_on_a_thread_is_no_verdict_until_it_is_dropped() {
    for mut runtime in [runtime(), paused()] {
        let remote = runtime.remote();
        let (_over, dropped) = later(move || drop(remote));
        verdict_on(&mut runtime, Event::new().wait());
        dropped.recv_timeout(PATIENCE).expect("the loop had to wait for it");
    }
}

// SEM-22: a loop on each of many threads, each with its own verdict, sockets and timers between them.
#[test]
fn loops_side_by_side_judge_each_for_itself() {
    let _watchdog = Watchdog::new();
    let threads: Vec<_> = (0..4)
        .map(|n: u64| {
            thread::spawn(move || {
                for round in 0..50 {
                    if (n + round).is_multiple_of(2) {
                        verdict_on(&mut runtime(), async {
                            sleep(Duration::from_micros(round)).await;
                            Event::new().wait().await;
                        });
                    } else {
                        let (here, mut there) = std_pair();
                        let writer = thread::spawn(move || there.write_all(b"x"));
                        lone::run(async {
                            let here = TcpStream::from_std(here).expect("a loop runs");
                            here.read_exact(&mut [0]).await.expect("the peer writes");
                        });
                        writer.join().expect("it ends well").expect("it is open");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no false alarm");
    }
}
