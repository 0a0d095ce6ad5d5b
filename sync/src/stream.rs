//! How does a task take values as they come? From a stream: a future that can be awaited again.
//!
//! ```text
//!   sources                     adapters (StreamExt)             ends (StreamExt)
//!   generate, try_generate ┐    map filter then take zip    ┌──► next, for_each, collect, fold
//!   iter, Queue::stream    ├──► chunks peekable timeout     ├──► aclose: dropped, cleanups awaited
//!   Interval, AsCompleted  ┘    throttle merge buffered … ──┘
//! ```
//!
//! A stream is a [`futures_core::Stream`], so those of other crates fit in, and these fit in there.
//! It does something only while somebody asks for its next item. asyncio: an asynchronous iterator;
//! `async for item in items:` is `while let Some(item) = items.next().await { … }`, and leaving that
//! loop by `break` leaves the stream as it is: drop it, or call its `aclose`.
//!
//! | file | question it answers |
//! |---|---|
//! | `generate`, `yielder` | how does an async block give items one by one? |
//! | `aclose` | how is a stream dropped, and what it leaves awaited? |
//! | `ext` | what can be done with a stream? |
//! | `item` | how much of the budget is an item? |
//! | `next`, `collect`, `peekable` | how are items taken? |
//! | `map`, `then`, `take` | how is each changed, or left out? |
//! | `chain`, `zip`, `chunks` | how are several put together? |
//! | `timed` | how long may an item take, and how soon may the next one come? |
//! | `merge`, `turns`, `buffered` | how are many awaited at the same time? |
//! | `iter` | what if all items are there already? |
//!
//! Invariants:
//! - **Asked, then done**: no source works ahead; what is ahead is what an adapter was told to hold.
//! - **`next` is strict**: what has been taken from a stream below and not been given stays in the
//!   adapter, so a `next` that is dropped loses nothing.
//! - **An operation an item**: a stream that is always ready gives way once the budget is spent.

mod aclose;
mod buffered;
mod chain;
mod chunks;
mod collect;
mod ext;
mod generate;
mod item;
mod iter;
mod map;
mod merge;
mod next;
mod peekable;
mod take;
mod then;
mod timed;
mod turns;
mod yielder;
mod zip;

pub use crate::queue::QueueStream;
pub use aclose::{Aclose, CloseStream, aclose};
pub use buffered::{BufferUnordered, Buffered};
pub use chain::Chain;
pub use chunks::Chunks;
pub use collect::Collect;
pub use ext::StreamExt;
#[doc(no_inline)]
pub use futures_core::stream::Stream;
pub use generate::{Generator, TryGenerator, generate, try_generate};
pub use iter::{Iter, iter};
pub use map::{Enumerate, Filter, FilterMap, Map};
pub use merge::{Merge, MergeAll, merge};
pub use next::{Next, TryNext};
pub use peekable::{Peek, Peekable};
pub use take::{Skip, Take, TakeWhile};
pub use then::Then;
pub use timed::{Throttle, Timeout};
pub use yielder::{Give, Yielder};
pub use zip::Zip;

/// Prints an adapter as its name and the stream below: closures print nothing.
macro_rules! debug_stream {
    ($($name:ident<S $(, $other:ident)*>),+ $(,)?) => {$(
        impl<S: std::fmt::Debug $(, $other)*> std::fmt::Debug for $name<S $(, $other)*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("stream", &self.stream).finish_non_exhaustive()
            }
        }
    )+};
}
use debug_stream;
