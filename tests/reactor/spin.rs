//! Does a loop that spins see what comes, and stop in time?

use std::time::Duration;

use lone::time::Instant;
use lone::{Builder, Runtime};

fn spinning(most: Duration) -> Runtime {
    Builder::new().spin(most).build().expect("there are descriptors")
}

#[test]
fn deadline_within_the_spin_is_met_without_a_park_and_never_early() {
    let mut runtime = spinning(Duration::from_secs(60));
    let short = Duration::from_micros(200);
    let slept = runtime.block_on(async {
        let begin = Instant::now();
        lone::sleep(short).await;
        begin.elapsed()
    });
    assert!(slept >= short, "{slept:?}");
    assert_eq!(runtime.statistics().parks, 0);
}

#[test]
fn wake_from_another_thread_ends_the_spin_without_a_park() {
    let mut runtime = spinning(Duration::from_secs(60));
    let remote = runtime.remote();
    runtime.block_on(async {
        let event = std::rc::Rc::new(lone::Event::new());
        EVENT.with(|cell| cell.replace(Some(event.clone())));
        let setter = std::thread::spawn(move || {
            let set = remote.spawn(|| async { EVENT.with(|cell| cell.take()).map(|e| e.set()) });
            set.expect("the loop lives").wait().expect("it neither panics nor is cancelled")
        });
        event.wait().await;
        lone::yield_now().await;
        drop(setter);
    });
    assert_eq!(runtime.statistics().parks, 0);
}

thread_local! {
    static EVENT: std::cell::RefCell<Option<std::rc::Rc<lone::Event>>> =
        const { std::cell::RefCell::new(None) };
}

#[test]
fn spin_in_vain_is_followed_by_parks_until_one_is_short() {
    let mut runtime = spinning(Duration::from_micros(10));
    // Each is longer than a spin, and than the four spins that a short park takes.
    for sleeps in 1..=3 {
        runtime.block_on(lone::sleep(Duration::from_millis(1)));
        // None, where this thread was kept from running for so long.
        assert!(runtime.statistics().parks <= sleeps, "one sleep is one park, spinning or not");
    }
    assert!(runtime.statistics().parks > 0, "it did not spin through all of them");
}

#[test]
fn host_that_waits_for_less_than_the_spin_has_its_turn_back_in_time() {
    let mut runtime = spinning(Duration::from_secs(60));
    let task = runtime.spawn(lone::sleep(Duration::from_secs(3600)));
    let begin = std::time::Instant::now();
    // Twice: the first turn polls the task, and does not wait.
    for _ in 0..2 {
        runtime.turn(Some(Duration::from_millis(2))).expect("the system waits");
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert_eq!(runtime.statistics().parks, 0);
    assert!(!task.is_finished());
}
