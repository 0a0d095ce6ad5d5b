//! Who runs the cleanups of a scope? A task of its own, one after the other.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Weak;
use std::task::Poll;

use super::{Adopter, BoxError, Entry, Key};
use crate::core::Core;
use crate::panicked::Panic;

/// Runs the queue behind `key` to its end. `site`: the line of the scope that has adopted it.
pub(super) fn run(
    core: Weak<Core>,
    key: Key,
    site: &'static Location<'static>,
) -> impl Future<Output = ()> + 'static {
    // Made here, not in the first poll: a runner that is dropped before that ends as any other.
    let end = End { core, key, half_way: Cell::new(false) };
    async move {
        while let Some(entry) = end.with(|core| core.adopters.next(key)).flatten() {
            match entry {
                Entry::Cleanup(cleanup) => run_one(&end, site, cleanup).await,
                Entry::Queues(queues) => {
                    let _started = end.with(|core| {
                        queues.iter().for_each(|queue| core.start_adopter(*queue));
                    });
                    for queue in queues {
                        let mut adopter = Adopter { home: Some(queue) };
                        let errors = poll_fn(|cx| adopter.poll_empty(cx)).await;
                        end.record(errors);
                    }
                }
            }
        }
    }
}

/// Runs one cleanup, which is a scope as any: what it hands over is awaited before the next begins.
async fn run_one(
    end: &End,
    site: &'static Location<'static>,
    cleanup: Pin<Box<dyn Future<Output = Result<(), BoxError>>>>,
) {
    const WHAT: &str = "a cleanup";
    let mut cleanup = Some(cleanup);
    let mut nested = Adopter::new();
    end.half_way.set(true);
    let ended = poll_fn(|cx| {
        let Some(running) = cleanup.as_mut() else {
            unreachable!("it is polled until it has ended")
        };
        let polled =
            nested.run(WHAT, site, || catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))));
        polled.map_or_else(|payload| Poll::Ready(Err(payload)), |polled| polled.map(Ok))
    });
    let ended = ended.await;
    end.half_way.set(false);
    let dropped =
        nested.run(WHAT, site, || catch_unwind(AssertUnwindSafe(|| drop(cleanup.take()))));
    let errors = poll_fn(|cx| nested.poll_empty(cx)).await;
    match ended {
        Ok(outcome) => end.record(outcome.err()),
        Err(payload) => end.record([panicked(payload)]),
    }
    end.record(dropped.err().map(panicked));
    end.record(errors);
}

pub(super) fn panicked(payload: Box<dyn std::any::Any + Send>) -> BoxError {
    Box::new(Panic::new("a cleanup".to_owned(), payload))
}

/// The end of a runner, also of one that is dropped half way: its loop has given up.
struct End {
    core: Weak<Core>,
    key: Key,
    /// While a cleanup has begun and not ended.
    half_way: Cell<bool>,
}

impl End {
    fn with<R>(&self, f: impl FnOnce(&Core) -> R) -> Option<R> {
        self.core.upgrade().map(|core| f(&core))
    }

    fn record(&self, errors: impl IntoIterator<Item = BoxError>) {
        for error in errors {
            let _recorded = self.with(|core| core.adopters.failed(self.key, error));
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _told = self.with(|core| {
            if self.half_way.get() {
                let error = "a cleanup was dropped half way: the grace of the shutdown is over";
                core.adopters.failed(self.key, error.into());
            }
            // Nothing is left but where the runner was dropped at the end of that grace.
            core.give_up(self.key, "a cleanup was never begun: the grace of the shutdown is over");
            core.adopter_is_empty(self.key);
        });
    }
}
