//! What is a queue to whoever takes items one after the other? A stream, up to its shutdown.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};

use super::Queue;
use super::get::Get;
use crate::stream::Next;
use crate::wait_list::assert_not_send;

/// The stream of [`Queue::stream`]. It is fused: after its end it stays ended.
#[must_use = "streams do nothing unless you await their next item"]
pub struct QueueStream<'a, T> {
    get: Get<'a, T>,
    ended: bool,
}

impl<T> Queue<T> {
    /// The items as a stream: each is taken out when it is asked for; the end is that of
    /// [`get`](Queue::get), after a shutdown.
    ///
    /// Several streams and getters of one queue share its items, first come first served. For a
    /// stream that owns its queue, [`generate`](crate::stream::generate()) one over an
    /// [`Rc`](std::rc::Rc).
    ///
    /// asyncio has none: `while True: item = await queue.get()`, and `QueueShutDown`.
    ///
    /// # Cancellation
    ///
    /// `next` is strict: dropped half way, the stream keeps its place in the line, and an item that it
    /// is handed there until the next one is asked for. So do not keep one aside: drop it, and its
    /// item goes to the next who waits, or back to the head of the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use lone::Queue;
    /// use lone::stream::StreamExt;
    ///
    /// lone::run(async {
    ///     let queue = Queue::unbounded();
    ///     for item in 1..=3 {
    ///         queue.put(item).await.expect("it is open");
    ///     }
    ///     queue.shutdown();
    ///     let items: Vec<u32> = queue.stream().collect().await;
    ///     assert_eq!(items, [1, 2, 3]);
    /// });
    /// ```
    #[track_caller]
    pub fn stream(&self) -> QueueStream<'_, T> {
        QueueStream { get: self.get(), ended: false }
    }
}

impl<T> QueueStream<'_, T> {
    /// The next item; `None` when the queue is shut down and nothing is left in it.
    ///
    /// # Cancellation
    ///
    /// Strict: see [`Queue::stream`].
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is awaited, as every stream's")]
    pub fn next(&mut self) -> Next<'_, Self> {
        Next::new(self)
    }
}

impl<T> Stream for QueueStream<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // One that was ready has left the line, and joins it anew when it has to wait.
        let item = ready!(Pin::new(&mut self.get).poll(cx)).ok();
        self.ended = item.is_none();
        Poll::Ready(item)
    }
}

impl<T> FusedStream for QueueStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for QueueStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueStream").field("get", &self.get).field("ended", &self.ended).finish()
    }
}

assert_not_send!(QueueStream<'_, ()>);
