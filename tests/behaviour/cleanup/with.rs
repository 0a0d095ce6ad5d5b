//! What asyncio's `async with` promises, kept by `using`: entered before the body, left after it, always.
//!
//! To enter is to await what makes the resource, and then to call `using`.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;

use lone_executor::{spawn, yield_now};
use lone_sync::{AsyncClose, using};

use super::{Resource, drop_by_select, hold};
use crate::help::{SayOnDrop, Trace, executor};

/// Enters with awaits; says so before, and when it is in.
async fn enter(trace: &Trace, name: &'static str) -> Resource {
    trace.say(format!("{name}-enters"));
    yield_now().await;
    trace.say(format!("{name}-entered"));
    Resource::new(trace, name)
}

/// A body between two resources, the way it goes on told by `outcome`.
async fn within_two(trace: Trace, outcome: Result<u8, &'static str>) -> Result<u8, &'static str> {
    let a = enter(&trace, "a").await;
    let outer = using(a, async |_| {
        let b = enter(&trace, "b").await;
        let inner = using(b, async |_| {
            trace.say("body");
            outcome
        });
        inner.await.expect("it closes well")
    });
    outer.await.expect("it closes well")
}

const IN: &str = "a-enters a-entered b-enters b-entered";
const OUT: &str = "b-begins b-closed a-begins a-closed";

// SEM-334: in before the body, out after it, in reverse order, each awaited; what it returned comes out.
#[test]
fn body_that_ends_with_a_value_or_an_error_is_entered_before_and_left_after_in_reverse() {
    let trace = Trace::default();
    for outcome in [Ok(7), Err("the body")] {
        let came_out = executor().block_on(within_two(trace.clone(), outcome));
        assert_eq!(came_out, outcome);
        assert_eq!(trace.take(), format!("{IN} body {OUT}"));
    }
}

// SEM-334: and where it is cancelled: whoever joins it sees both closed.
#[test]
fn body_that_is_cancelled_is_left_in_reverse_before_its_task_has_ended() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let a = enter(&said, "a").await;
            let outer = using(a, async |_| {
                let b = enter(&said, "b").await;
                using(b, async |_| pending::<()>().await).await.expect("it closes well");
            });
            outer.await.expect("it closes well");
        });
        for _ in 0..4 {
            yield_now().await; // so that it is in both
        }
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        trace.say("joined");
    });
    assert_eq!(trace.take(), format!("{IN} {OUT} joined"));
}

/// A resource whose close fails.
struct Sour(Trace);

impl AsyncClose for Sour {
    type Error = std::io::Error;

    async fn close(self) -> std::io::Result<()> {
        yield_now().await;
        self.0.say("close-fails");
        Err(std::io::Error::other("the close"))
    }
}

// SEM-334: both fail: the close's error has the body's with it.
#[test]
fn close_that_fails_after_a_body_that_failed_brings_both_errors() {
    let trace = Trace::default();
    let both = executor().block_on(using(Sour(trace.clone()), async |_| Err::<u8, _>("the body")));
    let error = both.expect_err("the close fails");
    assert_eq!((error.output, error.error.to_string().as_str()), (Err("the body"), "the close"));
    assert_eq!(trace.take(), "close-fails");
}

// SEM-335: neither the body nor a close of what is not there; what is around is left all the same.
#[test]
fn enter_that_fails_runs_neither_the_body_nor_its_close() {
    let trace = Trace::default();
    let refused = executor().block_on(async {
        let a = enter(&trace, "a").await;
        let outer = using(a, async |_| {
            yield_now().await;
            let b: Resource = Err::<Resource, _>("refused")?;
            let inner = using(b, async |_| trace.say("body"));
            inner.await.expect("it closes well");
            Ok(())
        });
        outer.await.expect("it closes well")
    });
    assert_eq!(refused, Err("refused"));
    assert_eq!(trace.take(), "a-enters a-entered a-begins a-closed");
}

// SEM-336: what it had so far is dropped; nothing is closed that was not entered.
#[test]
fn cancel_while_it_enters_drops_what_it_had_and_closes_nothing() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let connect = async {
                let _half = SayOnDrop(said.clone(), "half-gone");
                said.say("enters");
                pending::<()>().await;
                Resource::new(&said, "r")
            };
            let r = connect.await;
            using(r, async |_| said.say("body")).await.expect("it closes well");
        });
        yield_now().await;
        task.cancel("enough");
        assert!(task.await.is_err());
        trace.say("joined");
    });
    assert_eq!(trace.take(), "enters half-gone joined");
}

/// Its close has a limit of its own: so many turns.
struct Impatient {
    trace: Trace,
    turns: Cell<u32>,
}

impl AsyncClose for Impatient {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        self.trace.say("close-begins");
        let limit = async {
            for _ in 0..self.turns.get() {
                yield_now().await;
            }
        };
        // Here `pending` loses against the limit: a farewell that is never answered.
        lone_sync::race([
            Box::pin(limit) as std::pin::Pin<Box<dyn Future<Output = ()>>>,
            Box::pin(hold(self.trace.clone(), "farewell")),
        ])
        .await;
        self.trace.say("close-gives-up");
        Ok(())
    }
}

// SEM-337, SEM-66: the cancel that ended the body does not reach the close; its own limit does.
#[test]
fn close_goes_on_after_the_cancel_that_ended_its_body_until_its_own_limit() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let r = Impatient { trace: said, turns: Cell::new(3) };
            using(r, async |_| pending::<()>().await).await.expect("it cannot fail");
        });
        yield_now().await;
        for _ in 0..3 {
            // The first ends the body; the others find the close, and change nothing.
            assert!(task.cancel("again"), "it has not ended");
            yield_now().await;
        }
        assert!(task.await.is_err());
        trace.say("joined");
    });
    let said = trace.take();
    assert!(said.starts_with("close-begins"), "{said}");
    assert!(said.contains("close-gives-up") && said.ends_with("joined"), "{said}");
    assert!(said.contains("farewell-closed"), "what the close had dropped has cleaned up: {said}");
}

// SEM-337: nor does a future that is dropped half way take its close along.
#[test]
fn close_of_a_future_that_lost_goes_on_before_its_task_ends() {
    let trace = Trace::default();
    executor().block_on(async {
        let said = trace.clone();
        let task = spawn(async move {
            let r = Impatient { trace: said.clone(), turns: Cell::new(3) };
            drop_by_select(using(r, async |_| pending::<()>().await)).await;
            said.say("body-ends");
        });
        task.await.expect("it ends well");
        trace.say("joined");
    });
    let said = trace.take();
    assert!(said.starts_with("body-ends close-begins"), "{said}");
    assert!(said.contains("close-gives-up") && said.ends_with("joined"), "{said}");
}
