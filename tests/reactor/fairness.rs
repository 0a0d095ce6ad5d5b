//! Fairness: a batch that never ends does not keep I/O and timers waiting.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use lone::{Builder, Jump, Runtime, sleep, timeout, yield_now};

use crate::help::{
    Call, Watchdog, ms, outside_pair, poll_once, poll_with, run, secs, spin, turn, us,
};

/// Counts the polls of a loop, which are all made by tasks of the test.
#[derive(Clone, Default)]
struct Polls(Arc<AtomicUsize>);

impl Polls {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// This is another one; says which.
    fn one_more(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A waker that leaves the count at its wake in the second.
    fn waker(&self) -> (Waker, Arc<Mutex<Option<usize>>>) {
        let (polls, at) = (self.clone(), Arc::new(Mutex::new(None)));
        let woken = at.clone();
        let call = Call(move || {
            woken.lock().expect("nobody panics under it").get_or_insert(polls.count());
        });
        (Waker::from(Arc::new(call)), at)
    }
}

fn taken(at: &Mutex<Option<usize>>) -> Option<usize> {
    *at.lock().expect("nobody panics under it")
}

/// Polls `n` tasks for ever, each of which is ready again at once; counts them.
fn busy(runtime: &Runtime, n: usize, polls: &Polls, each: Duration) {
    for _ in 0..n {
        let polls = polls.clone();
        drop(runtime.spawn(async move {
            loop {
                polls.one_more();
                spin(each);
                yield_now().await;
            }
        }));
    }
}

fn builder() -> Builder {
    Builder::new().jump(Jump::HoldOnIo)
}

/// When the loop learns that a socket is readable that has become so in poll `written`; it has
/// `tasks` tasks, and looks after `interval` polls.
fn looked_at_after(written: usize, tasks: usize, interval: u32) -> usize {
    let _watchdog = Watchdog::new();
    let mut runtime = builder().event_interval(interval).build().expect("descriptors are free");
    let polls = Polls::default();
    let (waker, woken) = polls.waker();
    let counted = polls.clone();
    drop(runtime.spawn(async move {
        let (here, there) = outside_pair();
        let mut buffer = [0];
        let mut read = here.read(&mut buffer);
        assert!(poll_with(&mut read, &waker).is_pending());
        let mut there = Some(there);
        loop {
            let now = counted.one_more();
            if now >= written && there.is_some() {
                // It hangs up, which is an edge as good as any.
                drop(there.take());
            }
            yield_now().await;
        }
    }));
    busy(&runtime, tasks - 1, &polls, Duration::ZERO);
    for _ in 0..100 {
        turn(&mut runtime);
        if let Some(woken) = taken(&woken) {
            return woken;
        }
    }
    panic!("nobody has looked for {} polls", polls.count());
}

// F23, SEM-52: after 64 polls exactly, be the batch longer or shorter.
#[test]
fn sockets_are_looked_at_after_every_64_polls_of_an_endless_batch() {
    // The first task writes, in the polls 1, 1 + tasks, 1 + 2 tasks and so on.
    for (tasks, round) in [(1000_usize, 0), (10, 0), (10, 6), (10, 7), (64, 1), (100, 1), (1, 63)] {
        let written = 1 + tasks * round;
        let expected = written.next_multiple_of(64);
        assert_eq!(looked_at_after(written, tasks, 64), expected, "{tasks} tasks, poll {written}");
    }
}

// F23: the builder sets it.
#[test]
fn sockets_are_looked_at_after_as_many_polls_as_the_builder_says() {
    for interval in [1, 7, 61, 200] {
        let expected = 501_usize.next_multiple_of(interval as usize);
        assert_eq!(looked_at_after(501, 100, interval), expected);
    }
}

// F23: what a look wakes belongs to the next turn, behind all that is queued.
#[test]
fn reader_woken_within_a_batch_is_polled_in_the_next_turn() {
    let _watchdog = Watchdog::new();
    let mut runtime = builder().build().expect("descriptors are free");
    let polls = Polls::default();
    let served = Rc::new(Cell::new(0));
    let (counted, at) = (polls.clone(), served.clone());
    drop(runtime.spawn(async move {
        let (here, there) = outside_pair();
        let mut buffer = [0];
        let mut read = here.read(&mut buffer);
        counted.one_more();
        assert!(poll_once(&mut read).await.is_pending());
        drop(there);
        assert_eq!(read.await.expect("it is closed"), 0);
        at.set(counted.one_more());
        std::future::pending::<()>().await;
    }));
    busy(&runtime, 99, &polls, Duration::ZERO);
    turn(&mut runtime);
    assert_eq!((polls.count(), served.get()), (100, 0));
    turn(&mut runtime);
    // Woken after 64 polls, when 63 others were queued again already.
    assert_eq!(served.get(), 100 + 64);
}

/// How many polls pass from the one in which a timer of 500 us is set to its wake, on the real clock.
/// Each of them takes `each`; the timer is set in the 1001st poll of the loop.
fn timer_looked_at_after(each: Duration, builder: Builder) -> usize {
    let _watchdog = Watchdog::new();
    let mut runtime = builder.build().expect("descriptors are free");
    let polls = Polls::default();
    let (waker, woken) = polls.waker();
    let set = Rc::new(Cell::new(false));
    let (counted, set_now, woken_at) = (polls.clone(), set.clone(), woken.clone());
    drop(runtime.spawn(async move {
        for _ in 0..5 {
            counted.one_more();
            yield_now().await;
        }
        assert_eq!(counted.one_more(), 1001);
        let mut short = sleep(us(500));
        assert!(poll_with(&mut short, &waker).is_pending());
        // Woken already if it was past when it was polled: the machine stood still in between.
        while woken_at.lock().expect("nobody panics under it").take().is_some() {
            short = sleep(us(500));
            assert!(poll_with(&mut short, &waker).is_pending());
        }
        set_now.set(true);
        loop {
            yield_now().await;
            counted.one_more();
        }
    }));
    for _ in 0..199 {
        let (polls, set) = (polls.clone(), set.clone());
        drop(runtime.spawn(async move {
            loop {
                polls.one_more();
                // Until the timer is set they take no time.
                if set.get() {
                    spin(each);
                }
                yield_now().await;
            }
        }));
    }
    for _ in 0..20 {
        turn(&mut runtime);
        if let Some(woken) = taken(&woken) {
            return woken - 1001;
        }
    }
    panic!("the timer was not looked at for {} polls", polls.count() - 1001);
}

// F23: by time, if that is sooner: the clock is read every 16 polls.
#[test]
fn timers_are_looked_at_after_200_us_of_slow_polls() {
    let after = timer_looked_at_after(us(300), Builder::new());
    assert!(after <= 16, "{after} polls of 300 us");
}

// F23: by the count, if that is sooner: 16 times 64 polls are 1024.
#[test]
fn timers_are_looked_at_after_64_quick_polls() {
    let after = timer_looked_at_after(us(100), Builder::new().event_period(secs(3600)));
    assert_eq!(after, 1024 - 1001);
}

// F23: the builder sets both.
#[test]
fn timers_are_looked_at_as_often_as_the_builder_says() {
    let builder = || Builder::new().event_period(secs(3600));
    assert_eq!(timer_looked_at_after(us(100), builder().event_interval(100)), 1100 - 1001);
    assert_eq!(timer_looked_at_after(us(100), builder().event_interval(10)), 1010 - 1001);
    // A first look, after 1000 polls; from there on by time only.
    let after =
        timer_looked_at_after(us(100), Builder::new().event_period(ms(1)).event_interval(1000));
    assert!(after <= 32, "{after} polls of 100 us");
}

// F23, SEM-409: whatever the neighbours do, a timeout comes, and so does a message.
#[test]
fn timers_and_sockets_are_served_beside_tasks_that_never_wait() {
    run(async {
        for _ in 0..1000 {
            drop(lone::spawn(async {
                loop {
                    yield_now().await;
                }
            }));
        }
        let (here, there) = outside_pair();
        for _ in 0..20 {
            assert!(timeout(ms(1), here.read(&mut [0])).await.is_err());
        }
        drop(there);
        assert_eq!(here.read(&mut [0]).await.expect("it is closed"), 0);
    });
}

// F23: thousands of messages at once are taken in several looks, and none is forgotten.
#[test]
fn sockets_ready_in_greater_number_than_one_look_takes_are_all_served() {
    let _watchdog = Watchdog::new();
    builder().io_events(3).run(async {
        let (mut tasks, mut peers) = (Vec::new(), Vec::new());
        for n in 0..100_u8 {
            let (here, there) = outside_pair();
            peers.push(there);
            tasks.push(lone::spawn(async move {
                let mut byte = [0];
                here.read_exact(&mut byte).await.map(|()| byte[0] == n)
            }));
        }
        yield_now().await;
        for (n, mut peer) in (0..100_u8).zip(peers) {
            std::io::Write::write_all(&mut peer, &[n]).expect("somebody reads");
        }
        for task in tasks {
            assert!(task.await.expect("it ends well").expect("it was sent"));
        }
    });
}

// F23, across calls: a host whose mains never wait has its timers fire all the same.
#[test]
fn timer_fires_though_no_main_ever_waits_for_it() {
    fn run_until_fired<F: Future>(main: impl Fn() -> F) {
        let _watchdog = Watchdog::new();
        let mut runtime = Runtime::new().expect("there are descriptors");
        let timer = runtime.spawn(sleep(ms(1)));
        // It polls the task, which sets the timer.
        runtime.block_on(yield_now());
        while !timer.is_finished() {
            runtime.block_on(main());
        }
    }
    run_until_fired(yield_now);
    run_until_fired(|| async {});
}
