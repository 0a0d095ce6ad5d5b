//! The loop as a guest: a host waits for its descriptor, and misses nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use lone::time::Instant;
use lone::{Builder, JoinHandle, Runtime, budget, interval, sleep, spawn, timeout, yield_now};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use crate::help::{
    PATIENCE, Trace, Watchdog, ms, ns, outside_pair, pair, panic_text, paused, poll_once,
    poll_with, run_until_idle, runtime, secs, spin, turn, us,
};

// ----- hosts ---------------------------------------------------------------------------------------

/// Who waits for a loop's descriptor.
enum Host {
    /// `poll`: it is told as long as there is something.
    Level,
    /// `epoll`, edge-triggered, as mio and tokio have it: it is told once.
    Edge(OwnedFd),
}

impl Host {
    fn both(runtime: &Runtime) -> [Host; 2] {
        let host = epoll::create(epoll::CreateFlags::CLOEXEC).expect("descriptors are free");
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&host, runtime, epoll::EventData::new_u64(0), flags)
            .expect("it can be waited for");
        [Host::Level, Host::Edge(host)]
    }

    /// Whether the descriptor of `runtime` becomes readable within so much time.
    fn is_told(&self, runtime: &Runtime, within: Duration) -> bool {
        let within = Timespec::try_from(within).expect("it is short");
        let told = match self {
            Host::Level => poll(&mut [PollFd::new(runtime, PollFlags::IN)], Some(&within)),
            Host::Edge(host) => {
                let mut events = Vec::with_capacity(1);
                epoll::wait(host, rustix::buffer::spare_capacity(&mut events), Some(&within))
            }
        };
        told.expect("the system lets us wait") > 0
    }

    /// Waits, and takes a turn each time that it is told, until `done`; returns how many turns.
    #[track_caller]
    fn drive(&self, runtime: &mut Runtime, mut done: impl FnMut() -> bool) -> usize {
        let mut turns = 0;
        while !done() {
            assert!(self.is_told(runtime, PATIENCE), "the host was not told after {turns} turns");
            turn(runtime);
            turns += 1;
        }
        turns
    }

    /// Takes turns until it is not told any more.
    #[track_caller]
    fn settle(&self, runtime: &mut Runtime) {
        for _ in 0..1000 {
            if !self.is_told(runtime, Duration::ZERO) {
                return;
            }
            turn(runtime);
        }
        panic!("the descriptor does not fall silent");
    }
}

/// Runs `test` once for each kind of host, each with a runtime of its own.
fn for_each_host(test: impl Fn(&Host, &mut Runtime)) {
    for n in 0..2 {
        let _watchdog = Watchdog::new();
        let mut runtime = runtime();
        let hosts = Host::both(&runtime);
        test(&hosts[n], &mut runtime);
    }
}

// ----- told when there is something ----------------------------------------------------------------

// F9: by the timerfd.
#[test]
fn host_is_told_of_a_deadline() {
    for_each_host(|host, runtime| {
        let begin = std::time::Instant::now();
        let task = runtime.spawn(async {
            for _ in 0..5 {
                sleep(ms(3)).await;
            }
        });
        let turns = host.drive(runtime, || task.is_finished());
        assert!(begin.elapsed() >= ms(15));
        assert!(turns <= 20, "{turns} turns for 5 sleeps");
    });
}

// F9: a deadline that passes just as the turn ends is not slept through.
#[test]
fn host_is_told_of_a_deadline_however_near() {
    for_each_host(|host, runtime| {
        for n in 0..4000 {
            let task = runtime.spawn(sleep(ns(n * 5)));
            host.drive(runtime, || task.is_finished());
        }
    });
}

// F9: one that is moved to an earlier or a later moment, or that another takes the place of.
#[test]
fn host_is_told_of_the_earliest_deadline_whatever_was_set_before() {
    for_each_host(|host, runtime| {
        let far = runtime.spawn(sleep(secs(1000)));
        host.settle(runtime);
        let near = runtime.spawn(sleep(ms(2)));
        host.drive(runtime, || near.is_finished());
        let nearer = runtime.spawn(async {
            let mut slept = sleep(secs(500));
            assert!(poll_once(&mut slept).await.is_pending());
            slept.reset(Instant::now() + ms(2));
            slept.await;
            assert!(timeout(ms(2), sleep(ms(3))).await.is_err());
        });
        host.drive(runtime, || nearer.is_finished());
        assert!(!far.is_finished());
    });
}

// F9: by a socket, each time.
#[test]
fn host_is_told_of_sockets() {
    for_each_host(|host, runtime| {
        let (here, mut there) = runtime.block_on(async { outside_pair() });
        let received = Rc::new(Cell::new(0));
        let count = received.clone();
        drop(runtime.spawn(async move {
            let mut buffer = [0; 16];
            while here.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                count.set(count.get() + 1);
            }
        }));
        host.settle(runtime);
        for n in 1..=10 {
            there.write_all(&[n]).expect("somebody reads");
            host.drive(runtime, || received.get() == n);
            host.settle(runtime);
        }
    });
}

// F9: by another thread.
#[test]
fn host_is_told_of_other_threads() {
    for_each_host(|host, runtime| {
        host.settle(runtime);
        for _ in 0..10 {
            let (flag, finished) = (crate::help::SharedFlag::default(), Rc::new(Cell::new(false)));
            let (waits, end) = (flag.clone(), finished.clone());
            drop(runtime.spawn(async move {
                waits.wait().await;
                end.set(true);
            }));
            host.settle(runtime);
            let thread = std::thread::spawn(move || flag.set());
            host.drive(runtime, || finished.get());
            thread.join().expect("it ends well");
            host.settle(runtime);
        }
        let (remote, called) = (runtime.remote(), Arc::new(AtomicBool::new(false)));
        let calls = called.clone();
        let thread = std::thread::spawn(move || {
            let joined = remote.spawn(move || async move {
                calls.store(true, Ordering::SeqCst);
                42
            });
            joined.expect("the loop is alive").wait().expect("it ends well")
        });
        host.drive(runtime, || called.load(Ordering::SeqCst));
        host.settle(runtime);
        assert_eq!(thread.join().expect("it ends well"), 42);
    });
}

// F9: between two turns, by the host's own thread.
#[test]
fn host_is_told_of_what_it_does_itself_between_two_turns() {
    for_each_host(|host, runtime| {
        // It spawns.
        host.settle(runtime);
        let task = runtime.spawn(std::future::pending::<()>());
        assert!(host.is_told(runtime, Duration::ZERO));
        turn(runtime);
        host.settle(runtime);
        assert_eq!(runtime.statistics().ready, 0);
        // It cancels.
        assert!(task.cancel("enough"));
        host.drive(runtime, || task.is_finished());
        host.settle(runtime);
        // It wakes by a waker that it was left.
        let (place, woken) = (Rc::new(RefCell::new(None::<Waker>)), Rc::new(Cell::new(0)));
        let (left, count) = (place.clone(), woken.clone());
        drop(runtime.spawn(poll_fn(move |cx| {
            left.replace(Some(cx.waker().clone()));
            count.set(count.get() + 1);
            Poll::<()>::Pending
        })));
        host.settle(runtime);
        for n in 2..10 {
            let waker = place.borrow().clone().expect("it was left");
            waker.wake();
            host.drive(runtime, || woken.get() == n);
            host.settle(runtime);
        }
        // It drops a timer and a socket of the loop's: they are freed.
        let (mut slept, stream) = (sleep(secs(1000)), runtime.block_on(async { outside_pair().0 }));
        runtime.block_on(async { assert!(poll_once(&mut slept).await.is_pending()) });
        host.settle(runtime);
        drop((slept, stream));
        assert!(host.is_told(runtime, Duration::ZERO));
        turn(runtime);
        host.settle(runtime);
        assert_eq!((runtime.statistics().timers, runtime.statistics().sources), (0, 0));
    });
}

// F9: with tasks that are ready all the time, after each turn.
#[test]
fn host_is_told_as_long_as_tasks_are_ready() {
    for_each_host(|host, runtime| {
        let task = runtime.spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        let turns = host.drive(runtime, || task.is_finished());
        assert!((100..=102).contains(&turns), "{turns}");
    });
}

// F9: by more events than one look takes in, though the first ones concern nobody.
#[test]
fn host_is_told_of_events_that_are_left_after_a_look() {
    let _watchdog = Watchdog::new();
    let mut runtime = Builder::new().io_events(1).build().expect("descriptors are free");
    let hosts = Host::both(&runtime);
    let (_kept, mut peers): (Vec<_>, Vec<_>) =
        (0..20).map(|_| runtime.block_on(async { outside_pair() })).unzip();
    let (here, there) = runtime.block_on(async { outside_pair() });
    peers.push(there);
    let task = runtime.spawn(async move { here.read(&mut [0; 16]).await });
    hosts[1].settle(&mut runtime);
    // What the last one sends is the only thing that anybody waits for.
    for there in &mut peers {
        there.write_all(&[1]).expect("there is room");
    }
    hosts[1].drive(&mut runtime, || task.is_finished());
}

// ----- silent when there is nothing ----------------------------------------------------------------

// F9: the host can sleep.
#[test]
fn descriptor_is_silent_after_a_turn_that_leaves_nothing_to_do() {
    for_each_host(|host, runtime| {
        let far = runtime.spawn(sleep(secs(1000)));
        let (here, _there) = runtime.block_on(async { outside_pair() });
        let reader = runtime.spawn(async move { here.read(&mut [0]).await });
        host.settle(runtime);
        for _ in 0..3 {
            assert_eq!(turn(runtime).ready, 0);
            assert!(!host.is_told(runtime, Duration::ZERO));
        }
        assert!(!far.is_finished() && !reader.is_finished());
        assert_eq!((runtime.statistics().timers, runtime.statistics().sources), (1, 1));
    });
}

// F9, F31: a host takes a turn or two for a sleep, not many.
#[test]
fn deadline_costs_the_host_few_turns() {
    for_each_host(|host, runtime| {
        host.settle(runtime);
        let task = runtime.spawn(sleep(ms(50)));
        let turns = host.drive(runtime, || task.is_finished());
        assert!(turns <= 4, "{turns} turns");
    });
}

// F9: a turn waits as long as it may.
#[test]
fn turn_waits_for_as_long_as_it_may_and_ends_sooner_for_a_deadline() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    let begin = std::time::Instant::now();
    let task = runtime.spawn(sleep(ms(20)));
    turn(&mut runtime);
    turn(&mut runtime);
    runtime.turn(Some(ms(1))).expect("the system lets us wait");
    assert!(!task.is_finished() || begin.elapsed() >= ms(20));
    runtime.turn(Some(PATIENCE)).expect("the system lets us wait");
    assert!(begin.elapsed() >= ms(20) && begin.elapsed() < PATIENCE);
    turn(&mut runtime);
    assert!(task.is_finished());
}

// F9: the next deadline is that of the earliest timer, or there is none.
#[test]
fn next_deadline_is_that_of_the_earliest_sleep() {
    let mut runtime = paused();
    assert_eq!(runtime.next_deadline(), None);
    let begin = runtime.block_on(async { Instant::now() });
    for n in [30, 10, 20] {
        drop(runtime.spawn(sleep(ms(n))));
    }
    run_until_idle(&mut runtime);
    assert_eq!(runtime.next_deadline(), Some(begin + ms(10)));
    runtime.block_on(sleep(ms(15)));
    assert_eq!(runtime.next_deadline(), Some(begin + ms(20)));
    runtime.block_on(sleep(secs(1)));
    assert_eq!(runtime.next_deadline(), None);
}

// ----- several loops on a thread -------------------------------------------------------------------

// F22: driven by turns, each gets on with its own.
#[test]
fn two_loops_of_one_thread_are_driven_alternately() {
    let _watchdog = Watchdog::new();
    let mut loops = [runtime(), runtime()];
    let tasks: Vec<_> = loops
        .iter_mut()
        .map(|runtime| {
            runtime.spawn(async {
                let (a, b) = pair().await;
                let mut ticks = interval(us(200));
                for n in 0..20_u8 {
                    ticks.tick().await;
                    a.write_all(&[n]).await.expect("the peer reads");
                    let mut read = [0];
                    b.read_exact(&mut read).await.expect("it was sent");
                    assert_eq!(read, [n]);
                    spawn(yield_now()).await.expect("it ends well");
                }
            })
        })
        .collect();
    loop {
        for runtime in &mut loops {
            turn(runtime);
        }
        if tasks.iter().all(|task| task.is_finished()) {
            break;
        }
        let [a, b] = &loops;
        let mut both = [PollFd::new(a, PollFlags::IN), PollFd::new(b, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).expect("it is short");
        assert!(poll(&mut both, Some(&patience)).expect("the system lets us wait") > 0);
    }
    for (runtime, task) in loops.iter_mut().zip(tasks) {
        runtime.block_on(task).expect("it ends well");
    }
}

// F22: wakes between loops of one thread go the long way, and arrive.
#[test]
fn task_woken_by_another_loop_of_its_thread_goes_on() {
    let _watchdog = Watchdog::new();
    let (mut a, mut b) = (runtime(), runtime());
    let hosts = Host::both(&a);
    let waits = a.spawn(std::future::pending::<()>());
    hosts[0].settle(&mut a);
    // A handle of a's, awaited and cancelled in b.
    b.block_on(async {
        assert!(waits.cancel("enough"));
        assert!(!waits.is_finished(), "a has not run");
    });
    hosts[0].drive(&mut a, || waits.is_finished());
    assert!(b.block_on(waits).is_err_and(|error| error.is_cancelled()));
}

// F22: handles of B in A's turn: an error or a panic that says so when polled, freed when dropped.
#[test]
fn handles_used_in_the_turn_of_another_loop_are_refused_and_those_dropped_are_freed() {
    let (mut a, mut b) = (paused(), paused());
    let mut slept = sleep(secs(1));
    let (stream, _there) = b.block_on(async {
        assert!(poll_with(&mut slept, Waker::noop()).is_pending());
        outside_pair()
    });
    assert_eq!((b.statistics().timers, b.statistics().sources), (1, 1));
    a.block_on(async {
        let error = stream.read(&mut [0]).await.expect_err("not here");
        assert!(error.to_string().contains("belongs to another loop"), "{error}");
        let error = stream.write(&[0]).await.expect_err("not here");
        assert!(error.to_string().contains("into_std() there and from_std() here"), "{error}");
        // In a task, so that its panic can be looked at.
        let polled = spawn(slept).await.expect_err("not here");
        assert!(polled.to_string().contains("outside of the loop on which it was set"), "{polled}");
        drop(stream);
    });
    turn(&mut b);
    assert_eq!((b.statistics().timers, b.statistics().sources), (0, 0));
    assert_eq!((a.statistics().timers, a.statistics().sources), (0, 0));
}

// F22: and the loop around is the running one again afterwards.
#[test]
fn turn_of_another_loop_inside_a_task_works_and_gives_back() {
    let _watchdog = Watchdog::new();
    let (mut a, mut b) = (paused(), runtime());
    let trace = Trace::default();
    let inner = trace.clone();
    let task = b.spawn(async move {
        inner.say("b began");
        sleep(us(100)).await;
        inner.say("b ended");
    });
    let said = trace.clone();
    a.block_on(async {
        let begin = Instant::now();
        let inner = said.clone();
        let outer = spawn(async move { inner.say("a ran") });
        while !task.is_finished() {
            b.turn(Some(PATIENCE)).expect("the system lets us wait");
        }
        said.say("a goes on");
        // Its clock, its timers, its tasks.
        assert_eq!(Instant::now(), begin);
        sleep(secs(1)).await;
        assert_eq!(begin.elapsed(), secs(1));
        outer.await.expect("it ends well");
        spawn(async {}).await.expect("it ends well");
    });
    assert_eq!(trace.take(), "b began b ended a goes on a ran");
    assert_eq!((a.statistics().timers, b.statistics().timers), (0, 0));
}

// F22: the budget of the task around is its own again, too.
#[test]
fn turn_of_another_loop_inside_a_task_leaves_its_budget_as_it_was() {
    let (mut a, mut b) = (paused(), paused());
    a.block_on(async {
        let mut ticks = interval(ns(1));
        ticks.tick().await;
        let before = budget::remaining();
        assert!(before.is_some());
        drop(b.spawn(yield_now()));
        turn(&mut b);
        assert_eq!(budget::remaining(), before);
    });
}

// F22: a panic in the inner loop's main gives back as well.
#[test]
fn turn_of_another_loop_that_panics_gives_back() {
    let (mut a, mut b) = (paused(), paused());
    let task: JoinHandle<()> = b.spawn(async { panic!("within b") });
    a.block_on(async {
        turn(&mut b);
        spawn(async {}).await.expect("a is the running loop");
        let panicked = task.await.expect_err("it has panicked");
        assert!(panicked.to_string().contains("within b"));
        let nested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            b.block_on(async {});
        }));
        let payload = nested.expect_err("a block_on inside a loop is refused");
        assert!(panic_text(&*payload).contains("running on this thread already"));
    });
}

// F9: for a host that waits by itself, until the next deadline.
#[test]
fn host_that_sleeps_until_the_next_deadline_finds_it_due() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    let task = runtime.spawn(async {
        for _ in 0..3 {
            sleep(us(300)).await;
        }
    });
    while !task.is_finished() {
        if turn(&mut runtime).ready == 0
            && let Some(next) = runtime.next_deadline()
        {
            spin(next - Instant::now());
        }
    }
}
