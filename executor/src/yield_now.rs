//! How does a task let the others go first? By waking itself and returning Pending once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::route;
use crate::trace::Site;

/// Lets every task that is ready go first: this one goes to the back of the ready queue.
///
/// asyncio: `sleep(0)`.
///
/// # Cancellation
///
/// Strict: dropped half way, nothing has happened.
///
/// # Fairness
///
/// Everything that was queued before it runs first; two tasks that yield in a loop alternate.
///
/// # Cost
///
/// One turn in the queue: about 10 ns.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// let order = Rc::new(RefCell::new(Vec::new()));
/// lone::run(async {
///     let theirs = order.clone();
///     let other = lone::spawn(async move { theirs.borrow_mut().push("other") });
///     lone::yield_now().await;
///     order.borrow_mut().push("main");
///     other.await.expect("it neither panics nor is cancelled");
/// });
/// assert_eq!(*order.borrow(), ["other", "main"]);
/// ```
#[track_caller]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false, site: Site::caller() }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct YieldNow {
    yielded: bool,
    /// It is ready at once, so that no report asks where it waits; only a trace does.
    site: Site,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        route::wake_by_ref(cx.waker());
        self.site.awaits("its turn (yield_now)");
        Poll::Pending
    }
}
