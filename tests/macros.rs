//! What do `#[lone::main]` and `#[lone::test]` make of an `async fn`?

use std::time::Duration;

use lone::time::Instant;

/// A program as its `main` would be.
mod program {
    #[lone::main(timer_slack = std::time::Duration::from_millis(1), budget = 7)]
    pub(crate) async fn main() -> Result<u32, std::num::ParseIntError> {
        lone::yield_now().await;
        let number: u32 = "42".parse()?;
        Ok(number)
    }
}

#[test]
fn main_with_options_and_a_result_runs_to_its_end() {
    assert_eq!(program::main(), Ok(42));
}

#[lone::test]
async fn test_runs_inside_a_loop() {
    assert!(lone::is_running());
    assert_eq!(lone::spawn(async { 1 }).await.expect("it ends well"), 1);
}

#[lone::test(start_paused)]
async fn test_with_a_bare_option_has_it_switched_on() {
    let begin = Instant::now();
    lone::sleep(Duration::from_secs(3600)).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(3600));
}

#[lone::test(start_paused = true, shutdown_grace = None)]
async fn test_with_a_result_may_use_the_question_mark() -> Result<(), lone::Elapsed> {
    lone::timeout(Duration::from_secs(1), async {}).await
}

#[lone::test]
#[should_panic(expected = "as this test wants it to")]
async fn test_that_panics_as_it_should_passes() {
    lone::yield_now().await;
    panic!("it stumbles, as this test wants it to");
}

// SEM-22: a test that can never end fails with the report.
#[lone::test]
#[should_panic(expected = "deadlock: everybody waits, and nothing can wake anybody")]
async fn test_that_can_never_end_fails_with_the_report() {
    lone::Event::new().wait().await;
}
