//! The virtual clock: it jumps when nothing else can happen, one deadline at a time.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};
use lone::time::Instant;
use lone::{Builder, Jump, join, sleep, sleep_until, spawn, timeout, yield_now};

use crate::help::{
    ANY, PATIENCE, Random, SharedFlag, Trace, Watchdog, elapsed_ms, ms, outside_pair, pair, paused,
    poll_once, run_paused, run_until_idle, secs, std_pair, turn,
};

// ----- jumping -------------------------------------------------------------------------------------

// SEM-394: a month, with something to do every minute.
#[test]
fn hours_of_sleeps_pass_in_no_time() {
    let begin = std::time::Instant::now();
    run_paused(async {
        let begin = Instant::now();
        for _ in 0..30 * 24 * 60 {
            sleep(secs(60)).await;
        }
        assert_eq!(begin.elapsed(), secs(30 * 24 * 60 * 60));
    });
    assert!(begin.elapsed() < PATIENCE);
}

// SEM-393: what a jump wakes runs at its own moment, and may set deadlines before the next.
#[test]
fn clock_jumps_one_deadline_at_a_time() {
    run_paused(async {
        let (trace, begin) = (Trace::default(), Instant::now());
        for n in 1..=3 {
            let trace = trace.clone();
            drop(spawn(async move {
                sleep(ms(10 * n)).await;
                trace.say(elapsed_ms(begin).to_string());
                sleep(ms(5)).await;
                trace.say(elapsed_ms(begin).to_string());
            }));
        }
        sleep(ms(100)).await;
        assert_eq!(trace.take(), "10 15 20 25 30 35");
    });
}

// SEM-393: a turn jumps once, and one that may not wait does not jump.
#[test]
fn turn_jumps_to_one_deadline_at_most_and_not_at_all_if_it_may_not_wait() {
    let mut runtime = paused();
    let begin = runtime.block_on(async { Instant::now() });
    for n in 1..=3 {
        drop(runtime.spawn(sleep(ms(10 * n))));
    }
    for _ in 0..5 {
        turn(&mut runtime);
    }
    let first = runtime.next_deadline().expect("they sleep");
    assert_eq!(runtime.statistics().timers, 3);
    assert_eq!(runtime.block_on(async { Instant::now() }), begin);
    assert_eq!(first, begin + ms(10));
    for left in (0..3).rev() {
        runtime.turn(None).expect("the system lets us look");
        assert_eq!(runtime.statistics().timers, left);
        turn(&mut runtime);
    }
    assert_eq!(runtime.block_on(async { elapsed_ms(begin) }), 30);
}

// SEM-393: it stands still while anything is ready.
#[test]
fn clock_stands_still_while_a_task_is_ready() {
    run_paused(async {
        let begin = Instant::now();
        let other = spawn(sleep(Duration::from_nanos(1)));
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!(Instant::now(), begin);
        assert!(!other.is_finished());
        other.await.expect("it ends well");
        assert_eq!(begin.elapsed(), Duration::from_nanos(1));
    });
}

/// Ten thousand sleeps in a hundred tasks that also wake, spawn and cancel each other.
fn random_trace(seed: u64) -> Vec<(u32, u128)> {
    run_paused(async move {
        let (begin, trace) = (Instant::now(), Rc::new(RefCell::new(Vec::new())));
        let tasks: Vec<_> = (0..100)
            .map(|task| {
                let (trace, mut random) = (trace.clone(), Random(seed ^ u64::from(task)));
                spawn(async move {
                    for _ in 0..100 {
                        // Few different lengths, so that there are many ties.
                        let length = Duration::from_nanos((random.next() % 50) * 20_000);
                        match random.next() % 4 {
                            0 => drop(timeout(length / 2, sleep(length)).await),
                            1 => drop(spawn(sleep(length)).await),
                            _ => sleep(length).await,
                        }
                        trace.borrow_mut().push((task, begin.elapsed().as_nanos()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
        trace.take()
    })
}

// SEM-393: the same program, the same schedule.
#[test]
fn random_sleeps_give_the_same_trace_on_every_run() {
    let first = random_trace(1);
    assert_eq!(first.len(), 10_000);
    assert!(first.is_sorted_by_key(|(_, at)| *at), "time does not run backwards");
    for _ in 0..3 {
        assert!(random_trace(1) == first, "another run, another trace");
    }
    assert!(random_trace(2) != first);
}

// SEM-400: a moment of a loop is not a moment of std, and turns into one only on purpose.
#[test]
fn moments_of_a_virtual_clock_are_no_moments_of_std() {
    assert_ne!(TypeId::of::<Instant>(), TypeId::of::<std::time::Instant>());
    run_paused(async {
        let (begin, real) = (Instant::now(), std::time::Instant::now());
        sleep(secs(1000)).await;
        assert_eq!(begin.elapsed(), secs(1000));
        assert!(real.elapsed() < secs(1000));
        let std = Instant::now().into_std().expect("it is within the range");
        assert_eq!(Instant::from(std), Instant::now());
        assert!(std > std::time::Instant::now());
    });
}

// SEM-393: each loop has its own.
#[test]
fn clocks_of_two_loops_are_independent() {
    let (mut a, mut b) = (paused(), paused());
    let begin = b.block_on(async { Instant::now() });
    a.block_on(sleep(secs(1000)));
    assert_eq!(b.block_on(async { Instant::now() }), begin);
    b.block_on(sleep(ms(1)));
    assert_eq!(b.block_on(async { elapsed_ms(begin) }), 1);
}

// ----- I/O within the loop -------------------------------------------------------------------------

async fn echo(stream: TcpStream) {
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => stream.write_all(&buffer[..n]).await.expect("the peer reads"),
        }
    }
}

// F10: a thousand round trips take no time at all, and none is jumped over.
#[test]
fn messages_within_the_loop_are_not_jumped_over() {
    run_paused(async {
        let (client, server) = pair().await;
        drop(spawn(echo(server)));
        let begin = Instant::now();
        for n in 0..1000_u32 {
            let asked = async {
                client.write_all(&n.to_le_bytes()).await?;
                let mut answer = [0; 4];
                client.read_exact(&mut answer).await?;
                assert_eq!(answer, n.to_le_bytes());
                Ok::<(), std::io::Error>(())
            };
            timeout(Duration::from_nanos(1), asked).await.expect("no time passes").expect("echo");
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
    });
}

// F10: in two writes, so that Nagle's algorithm holds the second back until the first is
// acknowledged: that is in flight as well.
#[test]
fn message_in_two_writes_within_the_loop_is_not_jumped_over() {
    run_paused(async {
        let (client, server) = pair().await;
        drop(spawn(async move {
            let mut head = [0; 4];
            let mut body = [0; 8];
            while server.read_exact(&mut head).await.is_ok() {
                server.read_exact(&mut body).await.expect("the body follows");
                server.write_all(&[1]).await.expect("the peer reads");
            }
        }));
        let begin = Instant::now();
        for _ in 0..200 {
            let asked = async {
                client.write_all(&[0; 4]).await?;
                yield_now().await;
                client.write_all(&[0; 8]).await?;
                client.read_exact(&mut [0]).await
            };
            timeout(ms(1), asked).await.expect("no time passes").expect("it is answered");
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
    });
}

// F10: as much as it takes to fill every buffer on the way.
#[test]
fn stream_of_bytes_within_the_loop_is_not_jumped_over() {
    run_paused(async {
        let (client, server) = pair().await;
        let begin = Instant::now();
        let bytes = vec![7; 8 << 20];
        let sends = async {
            for part in bytes.chunks(100_000) {
                timeout(ms(1), client.write_all(part)).await.expect("room").expect("a reader");
            }
            client.shutdown(std::net::Shutdown::Write).expect("it is connected");
        };
        let receives = async {
            let (mut buffer, mut received) = (vec![0; 50_000], 0);
            loop {
                match timeout(ms(1), server.read(&mut buffer))
                    .await
                    .expect("bytes")
                    .expect("a peer")
                {
                    0 => return received,
                    n => received += n,
                }
            }
        };
        let (_, received) = join!(sends, receives);
        assert_eq!(received, bytes.len());
        assert_eq!(begin.elapsed(), Duration::ZERO);
    });
}

// F10: a peer in the loop that thinks for an hour is waited for on the virtual clock.
#[test]
fn answer_that_takes_an_hour_within_the_loop_takes_no_time() {
    run_paused(async {
        let (client, server) = pair().await;
        drop(spawn(async move {
            let mut buffer = [0; 1];
            while server.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                sleep(secs(3600)).await;
                server.write_all(&buffer).await.expect("the peer reads");
            }
        }));
        let begin = Instant::now();
        for _ in 0..24 {
            client.write_all(&[1]).await.expect("the peer reads");
            client.read_exact(&mut [0]).await.expect("it is answered");
        }
        assert_eq!(begin.elapsed(), secs(24 * 3600));
    });
}

// F10: a connection that the loop's own listener has not taken yet has its peer in the loop, too.
#[test]
fn connection_not_yet_accepted_by_the_loop_does_not_hold_the_clock() {
    for bind in [ANY, "0.0.0.0:0".parse().expect("an address")] {
        run_paused(async {
            let listener = TcpListener::bind(bind).expect("a port is free");
            let mut address = ANY;
            address.set_port(listener.local_addr().expect("it is bound").port());
            let client = spawn(async move {
                let stream = TcpStream::connect(address).await?;
                stream.write_all(b"hello").await?;
                stream.read_exact(&mut [0; 5]).await
            });
            let begin = Instant::now();
            sleep(secs(1)).await;
            let (server, _) = listener.accept().await.expect("somebody connects");
            sleep(secs(1)).await;
            let mut buffer = [0; 5];
            server.read_exact(&mut buffer).await.expect("it was sent");
            server.write_all(&buffer).await.expect("the peer reads");
            client.await.expect("it ends well").expect("it is answered");
            assert_eq!(begin.elapsed(), secs(2));
        });
    }
}

// F10: a listener waits for nobody in particular.
#[test]
fn listener_that_waits_does_not_hold_the_clock() {
    run_paused(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let begin = Instant::now();
        assert!(timeout(secs(3600), listener.accept()).await.is_err());
        assert_eq!(begin.elapsed(), secs(3600));
    });
}

// ----- I/O with the outside ------------------------------------------------------------------------

/// What a task that gives its outside peer a second of virtual time gets; the peer answers after
/// `answers_after` of real time, or never.
fn asked_outside(jump: Jump, answers_after: Option<Duration>) -> (bool, Duration) {
    let _watchdog = Watchdog::new();
    Builder::new().jump(jump).run(async {
        let (here, mut there) = outside_pair();
        let thread = std::thread::spawn(move || {
            there.read_exact(&mut [0]).expect("it is asked");
            if let Some(after) = answers_after {
                std::thread::sleep(after);
                there.write_all(&[1]).expect("somebody reads");
            }
            // It hangs up when the loop has: not before, for that would be an answer.
            there.read(&mut [0]).map(drop).expect("it is closed");
        });
        let begin = Instant::now();
        here.write_all(&[1]).await.expect("the peer reads");
        let answered = timeout(secs(1), here.read(&mut [0])).await.is_ok();
        let waited = begin.elapsed();
        drop(here);
        thread.join().expect("the peer ends well");
        (answered, waited)
    })
}

// SEM-399: it never jumps while a task waits for an outside peer.
#[test]
fn peer_outside_holds_the_clock_if_that_is_asked_for() {
    let answer = asked_outside(Jump::HoldOnIo, Some(ms(5)));
    assert_eq!(answer, (true, Duration::ZERO));
}

// SEM-397, SEM-399: what comes within the quiet time wins.
#[test]
fn peer_outside_that_answers_within_the_quiet_time_wins() {
    let answer = asked_outside(Jump::AfterQuiet(PATIENCE), Some(ms(5)));
    assert_eq!(answer, (true, Duration::ZERO));
}

// SEM-397, SEM-399: after that the deadline does.
#[test]
fn peer_outside_that_is_quiet_for_longer_loses() {
    assert_eq!(Jump::default(), Jump::AfterQuiet(ms(20)));
    let begin = std::time::Instant::now();
    assert_eq!(asked_outside(Jump::default(), None), (false, secs(1)));
    assert!(begin.elapsed() >= ms(20), "{:?}", begin.elapsed());
}

// SEM-399: without a quiet time it jumps at once, as trio and tokio do.
#[test]
fn peer_outside_does_not_hold_the_clock_without_a_quiet_time() {
    assert_eq!(asked_outside(Jump::AfterQuiet(Duration::ZERO), None), (false, secs(1)));
}

// SEM-399: nobody waits for it any more, so it holds nothing.
#[test]
fn read_from_outside_given_up_does_not_hold_the_clock() {
    run_paused(async {
        let (here, _there) = outside_pair();
        let here = Rc::new(here);
        for _ in 0..3 {
            assert!(poll_once(&mut here.read(&mut [0])).await.is_pending());
        }
        let reader = here.clone();
        let task = spawn(async move { reader.read(&mut [0; 16]).await });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        let begin = Instant::now();
        sleep(secs(1)).await;
        assert_eq!(begin.elapsed(), secs(1));
    });
}

// SEM-399: a stream that went to a thread has become an outside peer.
#[test]
fn peer_handed_to_a_thread_holds_the_clock() {
    run_paused(async {
        let (here, there) = pair().await;
        let mut there = there.into_std().expect("it is ours");
        there.set_nonblocking(false).expect("the system can");
        let thread = std::thread::spawn(move || {
            std::thread::sleep(ms(5));
            there.write_all(&[1]).expect("somebody reads");
        });
        let begin = Instant::now();
        timeout(secs(1), here.read_exact(&mut [0])).await.expect("in time").expect("it is sent");
        assert_eq!(begin.elapsed(), Duration::ZERO);
        thread.join().expect("it ends well");
    });
}

// SEM-393: without a deadline there is nothing to jump to, and a thread's wake ends the wait.
#[test]
fn wake_from_another_thread_reaches_a_loop_on_a_virtual_clock() {
    run_paused(async {
        let (flag, begin) = (SharedFlag::default(), Instant::now());
        let set = flag.clone();
        let thread = std::thread::spawn(move || set.set());
        flag.wait().await;
        let remote = lone::remote();
        let spawned = std::thread::spawn(move || remote.spawn(|| async { 42 }));
        let joined = loop {
            if spawned.is_finished() {
                break spawned.join().expect("it ends well").expect("the loop is alive");
            }
            yield_now().await;
        };
        assert_eq!(joined.await.expect("it ends well"), 42);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        thread.join().expect("it ends well");
    });
}

// SEM-393: an outside peer that closes is an event like any other.
#[test]
fn peer_outside_that_hangs_up_ends_the_wait() {
    run_paused(async {
        let (here, there) = std_pair();
        let here = TcpStream::from_std(here).expect("a loop runs");
        let thread = std::thread::spawn(move || drop(there));
        let begin = Instant::now();
        assert_eq!(here.read(&mut [0]).await.expect("no error"), 0);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        thread.join().expect("it ends well");
    });
}

// F23: the count of polls decides alone, so a busy task changes no schedule.
#[test]
fn busy_tasks_do_not_change_the_trace_under_a_virtual_clock() {
    let trace = |busy: Duration| {
        let mut runtime = paused();
        let polls = Rc::new(Cell::new(0));
        let seen = Rc::new(RefCell::new(Vec::new()));
        for n in 0..100 {
            let (polls, seen) = (polls.clone(), seen.clone());
            drop(runtime.spawn(async move {
                let begin = Instant::now();
                for round in 0..3 {
                    crate::help::spin(busy);
                    polls.set(polls.get() + 1);
                    seen.borrow_mut().push((n, round, polls.get()));
                    sleep_until(begin + ms(n % 7 + round)).await;
                }
            }));
        }
        run_until_idle(&mut runtime);
        runtime.block_on(sleep(secs(1)));
        seen.take()
    };
    assert_eq!(trace(Duration::ZERO), trace(Duration::from_micros(100)));
}
