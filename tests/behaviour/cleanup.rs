//! Cleanups that await: who adopts them, in which order they run, and what comes after them.
//!
//! | module | what of it |
//! |---|---|
//! | `adopted` | whoever drops, the innermost scope around awaits |
//! | `order` | innermost first, one after the other |
//! | `half_way` | a close that has begun goes on where it was |
//! | `errors` | what fails is told once, to the right one |
//! | `closing` | a task whose body has gone, and which awaits its cleanups |
//! | `owned` | handles that own their task, and joins from other threads |
//! | `limits` | no loop, the end of the grace, deadlocks |
//! | `elsewhere` | scopes that are kept, forgotten, moved, or dropped where their loop does not run |
//! | `with` | what `async with` promises: entered before the body, left after it, always |

mod adopted;
mod closing;
mod elsewhere;
mod errors;
mod half_way;
mod limits;
mod order;
mod owned;
mod with;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use lone_executor::yield_now;
use lone_sync::{AsyncClose, Scope, using};

use crate::help::Trace;

/// Says when its close begins and has ended; with so many awaits in between. One that is dropped
/// before that says so, too.
struct Resource {
    trace: Trace,
    name: &'static str,
    awaits: u32,
    open: bool,
}

impl Resource {
    fn new(trace: &Trace, name: &'static str) -> Resource {
        Resource { trace: trace.clone(), name, awaits: 2, open: true }
    }

    fn with_awaits(mut self, awaits: u32) -> Resource {
        self.awaits = awaits;
        self
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        if self.open {
            self.trace.say(format!("{}-lost", self.name));
        }
    }
}

impl AsyncClose for Resource {
    type Error = Infallible;

    async fn close(mut self) -> Result<(), Infallible> {
        self.trace.say(format!("{}-begins", self.name));
        for _ in 0..self.awaits {
            yield_now().await;
        }
        self.open = false;
        self.trace.say(format!("{}-closed", self.name));
        Ok(())
    }
}

/// Uses a resource, and waits for ever meanwhile.
async fn hold(trace: Trace, name: &'static str) {
    used(Resource::new(&trace, name), pending::<()>()).await;
}

/// Uses a resource meanwhile; `None`: its close has failed.
fn used<T>(
    resource: impl AsyncClose,
    meanwhile: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    let used = using(resource, async |_| meanwhile.await);
    async move { used.await.ok() }
}

/// Polls a foreign `select` of this and something that is ready: it drops this.
async fn drop_by_select(loser: impl Future) {
    use futures_util::future::{Either, select};

    let (loser, winner) = (Box::pin(loser), Box::pin(yield_now()));
    match select(loser, winner).await {
        Either::Left(_) => panic!("the other one is ready first"),
        // Here the loser is dropped, within the poll of whoever awaits this.
        Either::Right(((), loser)) => drop(loser),
    }
}

/// Runs `body` in a scope, and cancels that after so many turns; says so when it has reported.
async fn cancelled_after(turns: u32, trace: &Trace, name: &'static str, body: impl Future) {
    let scope = Scope::new();
    let cancel = scope.clone();
    let canceller = lone_executor::spawn(async move {
        for _ in 0..turns {
            yield_now().await;
        }
        assert!(cancel.cancel("enough"));
    });
    let run = scope.run(body).await;
    assert!(run.is_err(), "it was cancelled");
    trace.say(format!("{name}-reports"));
    canceller.await.expect("it ends well");
}

/// Where somebody may be woken from outside of every task.
#[derive(Clone, Default)]
struct Bell(Rc<RefCell<(bool, Vec<Waker>)>>);

impl Bell {
    fn ring(&self) {
        let wakers = {
            let mut bell = self.0.borrow_mut();
            bell.0 = true;
            std::mem::take(&mut bell.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for the bell; only its newest waker is kept.
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let new = cx.waker().clone();
        let mut bell = self.0.borrow_mut();
        if bell.0 {
            return Poll::Ready(());
        }
        let before = std::mem::replace(&mut bell.1, vec![new]);
        drop(bell);
        drop(before);
        Poll::Pending
    }
}

/// What a panic of `f` says.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it panics"),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => (*payload.downcast::<&str>().expect("text")).to_owned(),
        },
    }
}
