//! How is something closed, awaits included, whatever becomes of the future that uses it?
//!
//! ```text
//!   using(resource, body) ─┬─ body ends ──────────► close, awaited here
//!                          │                          └─ dropped half way: goes on in the scope around
//!                          └─ dropped, or panics ──► close, adopted by the scope around
//!                             (unpolled, too)
//! ```
//!
//! A destructor cannot await, so [`Guard`] and [`Closing`] hand over to the scope around what is left
//! to do (see `lone_executor::cleanup`).
//!
//! Invariants:
//! - **Closed once**: the resource is in the guard until its close has begun; the running close is
//!   in the other guard until it has ended.
//! - **The body is a scope**: what it has dropped cleans up before the resource is closed.
//! - **Where it was**: a close that is dropped half way is handed over as it is, not begun again.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use lone_executor::cleanup::{BoxError, adopt};
use lone_reactor::io::{AsyncWrite, BufReader, BufWriter};

use crate::scoped::{Ended, Scoped};

/// Something that has to be closed with awaits: a transaction, a connection that says goodbye.
///
/// asyncio: the `__aexit__` of an asynchronous context manager, or `aclose()`.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// struct Transaction;
///
/// impl lone::AsyncClose for Transaction {
///     type Error = io::Error;
///
///     async fn close(self) -> io::Result<()> {
///         lone::yield_now().await; // tells the server to roll back, say
///         Ok(())
///     }
/// }
/// ```
///
/// Whoever drops it may have nothing of its surroundings any more, so a resource that borrows is none:
///
/// ```compile_fail,E0478
/// struct Transaction<'a>(&'a mut String);
///
/// impl lone::AsyncClose for Transaction<'_> {
///     type Error = std::convert::Infallible;
///
///     fn close(self) -> impl Future<Output = Result<(), Self::Error>> + 'static {
///         std::future::ready(Ok(()))
///     }
/// }
/// ```
pub trait AsyncClose: 'static {
    /// What may go wrong: any error, or [`Infallible`] for what cannot fail.
    type Error: Into<BoxError> + 'static;

    /// Closes it. It owns what it closes, for it may outlive the future that used it.
    fn close(self) -> impl Future<Output = Result<(), Self::Error>> + 'static;
}

/// What was written is sent, then the stream is closed.
impl<W: AsyncWrite + Unpin + 'static> AsyncClose for BufWriter<W> {
    type Error = io::Error;

    async fn close(mut self) -> io::Result<()> {
        BufWriter::close(&mut self).await
    }
}

/// For both directions, `BufReader<BufWriter<…>>`: what was written is sent, then the stream is closed.
impl<R: AsyncClose> AsyncClose for BufReader<R> {
    type Error = R::Error;

    fn close(self) -> impl Future<Output = Result<(), Self::Error>> + 'static {
        self.into_inner().close()
    }
}

/// Runs `body` with a resource that is closed in any case, with awaits.
///
/// When the body ends, the resource is closed before this returns, but after the cleanups of what the
/// body itself has dropped. When this future is dropped half way (cancelled, timed out, lost a race),
/// or unpolled, or the body panics, the close is *adopted*: the scope around, whoever has dropped it,
/// runs it to its end before it reports. Scopes are tasks, timeouts, groups, [`Scope`](crate::Scope)s,
/// main, and the bodies of `using`. Several within one another are closed innermost first.
///
/// Nobody can cancel a close; it may have a [`timeout`](crate::timeout()) of its own inside.
///
/// The body may borrow whatever it likes; the resource and its close own what they need. It is `Send`
/// where all three are.
///
/// asyncio: `async with resource:`.
///
/// # Errors
///
/// [`CloseError`] if the close has failed: it carries the error, and what the body has returned. A
/// close that was adopted tells its error to the scope: a cancelled task, say, has it in
/// [`Cancelled::cleanup_errors`](lone_executor::Cancelled::cleanup_errors).
///
/// # Panics
///
/// Where the body panics, after the close was handed over; and where the close panics.
///
/// # Cancellation
///
/// Dropped half way, it loses what the body had, and the close is adopted. Where no loop runs that
/// could await it, the resource is dropped instead, and that is said through the log.
///
/// # Cost
///
/// One allocation a close.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// struct Connection(&'static str);
///
/// impl lone::AsyncClose for Connection {
///     type Error = std::convert::Infallible;
///
///     async fn close(self) -> Result<(), Self::Error> {
///         lone::sleep(Duration::from_millis(1)).await;
///         println!("{} has said goodbye", self.0);
///         Ok(())
///     }
/// }
///
/// lone::run(async {
///     let length = lone::using(Connection("the first"), async |connection| connection.0.len()).await;
///     assert_eq!(length.expect("it closes well"), 9);
///
///     // The timeout returns when the connection has said goodbye.
///     let endless = lone::using(Connection("the second"), async |_| std::future::pending::<()>().await);
///     assert!(lone::timeout(Duration::from_millis(1), endless).await.is_err());
/// });
/// ```
#[track_caller]
pub fn using<R, T>(
    resource: R,
    body: impl AsyncFnOnce(&mut R) -> T,
) -> impl Future<Output = Result<T, CloseError<T, R::Error>>>
where
    R: AsyncClose,
{
    let site = Location::caller();
    // Made here, not in the first poll: a task may be cancelled before that.
    let guard = Guard(Some(resource));
    async move {
        // The order of these two is that in which they go where this is never polled.
        let (body, mut guard) = (body, guard);
        let output = {
            let body = body(guard.0.as_mut().expect("it is there until it is closed"));
            // A scope: what the body has dropped may need the resource until it has cleaned up.
            let mut scope = pin!(Scoped::new(body, "a using", site));
            match poll_fn(|cx| scope.as_mut().poll(cx)).await {
                Ended::Output(output) => output,
                Ended::Stopped(_) => unreachable!("nobody stops it"),
            }
        };
        let resource = guard.0.take().expect("the body has only borrowed it");
        match Closing(Some(Box::pin(resource.close()))).await {
            Ok(()) => Ok(output),
            Err(error) => Err(CloseError { output, error }),
        }
    }
}

/// Runs `body`, then `cleanup`, in any case.
///
/// As [`using`], where there is no resource to hand to the body: when `body` has ended, `cleanup` is
/// awaited; when this is dropped half way, or unpolled, or the body panics, it is adopted by the scope
/// around. A cleanup that can fail is an [`AsyncClose`] of its own.
///
/// asyncio: `try: … finally: await …`.
///
/// # Panics
///
/// As [`using`].
///
/// # Cancellation
///
/// As [`using`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// lone::run(async {
///     let work = lone::spawn(lone::finally(std::future::pending::<()>(), async {
///         lone::sleep(Duration::from_millis(1)).await;
///         println!("cleaned up");
///     }));
///     lone::yield_now().await;
///     work.cancel("enough");
///     assert!(work.await.is_err(), "it has cleaned up by now");
/// });
/// ```
#[track_caller]
pub fn finally<T>(
    body: impl Future<Output = T>,
    cleanup: impl Future<Output = ()> + 'static,
) -> impl Future<Output = T> {
    struct Cleanup<C>(C);

    impl<C: Future<Output = ()> + 'static> AsyncClose for Cleanup<C> {
        type Error = Infallible;

        async fn close(self) -> Result<(), Infallible> {
            self.0.await;
            Ok(())
        }
    }

    let closed = using(Cleanup(cleanup), async |_| body.await);
    async move {
        match closed.await {
            Ok(output) => output,
            Err(CloseError { error, .. }) => match error {},
        }
    }
}

/// While the body runs: dropped, it has the resource closed by the scope around.
struct Guard<R: AsyncClose>(Option<R>);

impl<R: AsyncClose> Drop for Guard<R> {
    fn drop(&mut self) {
        if let Some(resource) = self.0.take() {
            adopt(async move { resource.close().await.map_err(Into::into) });
        }
    }
}

/// A close that has begun: dropped half way, it goes on where it was.
struct Closing<C, E>(Option<Pin<Box<C>>>)
where
    C: Future<Output = Result<(), E>> + 'static,
    E: Into<BoxError> + 'static;

impl<C, E> Future for Closing<C, E>
where
    C: Future<Output = Result<(), E>> + 'static,
    E: Into<BoxError> + 'static,
{
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        // Taken out while it is polled: one that panics is not polled again.
        let mut close = self.0.take().expect("it is awaited once");
        let polled = close.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(close);
        }
        polled
    }
}

impl<C, E> Drop for Closing<C, E>
where
    C: Future<Output = Result<(), E>> + 'static,
    E: Into<BoxError> + 'static,
{
    fn drop(&mut self) {
        if let Some(close) = self.0.take() {
            adopt(async move { close.await.map_err(Into::into) });
        }
    }
}

/// The body of a [`using`] has ended, and then the close has failed.
pub struct CloseError<T, E> {
    /// What the body has returned.
    pub output: T,
    /// Why the close has failed.
    pub error: E,
}

impl<T, E: fmt::Debug> fmt::Debug for CloseError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T, E: fmt::Display> fmt::Display for CloseError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body has ended, but the close after it has failed: {}", self.error)
    }
}

impl<T, E: std::error::Error + 'static> std::error::Error for CloseError<T, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A handler of another crate may use it: it is `Send` where resource, body and close are.
const _: fn() = || {
    fn assert_send<T: Send>(_: T) {}
    assert_send(finally(std::future::ready(()), std::future::ready(())));
};
