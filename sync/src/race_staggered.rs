//! How does one future try one way after the other, without waiting for the slow ones to fail?
//!
//! ```text
//!   arm 0  ●──────────────────────────────────✗        starts at once
//!   arm 1        ●────✗                                starts `delay` after arm 0 did
//!   arm 2             ●───────────────✓                starts when arm 1, the newest, has failed
//!   arm 3                   ●─────────┘ dropped        starts `delay` after arm 2 did
//!          ├delay┤    ├delay┤
//! ```
//!
//! Invariants:
//! - **Lazy**: an arm is taken from the iterator when it starts, and polled there and then.
//! - **A result beats the delay**: the arms are polled before the alarm is looked at.
//! - **One success**: at most one arm ever succeeds; the others are dropped where they stand, and
//!   no arm is left when it returns, or a panic leaves it.
//! - **Each start is one operation**, so that no iterator keeps the loop to itself.
//!
//! The arms are children of a group that grows (see `children`): each is polled only when it was
//! woken, with a budget of its own.
//!
//! Cost: an allocation and a timer an arm that starts; and for all but the first one poll more, for a
//! child that is added wakes whoever polls the group.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lone_executor::children::{Child, Children};
use lone_executor::{budget, trace};
use lone_reactor::time::{Alarm, Instant};

/// Starts the futures one after the other, `delay` apart; the first that succeeds wins.
///
/// Arm 0 starts at once; the next one `delay` after the newest has started, or as soon as the newest
/// fails. With [`Duration::MAX`] each starts when the one before has failed. An arm is taken from
/// `futures` only when it starts: with `iter.map(connect)` those behind the winner are never made.
/// What a loser has to clean up (see [`using`](crate::using())) the scope around awaits.
///
/// Where several succeed in the same poll the one listed first wins, always; those listed after it
/// are not polled. The losers are dropped, in the order of the list, before this returns.
///
/// asyncio: `staggered_race`, which is behind `happy_eyeballs_delay` of `create_connection`. For
/// connections 250 ms are usual.
///
/// # Errors
///
/// If all arms fail: all errors, in argument order. If there is no arm, that is none: a name may
/// have no address.
///
/// # Panics
///
/// Polled: where an arm or the iterator panics; the others are dropped and the panic goes on. If no
/// loop is running on this thread, or another one than at first; and after it has returned or
/// panicked.
///
/// # Cancellation
///
/// Loses data: dropped half way, it drops the arms at once, in the order of the list, and the
/// errors of those that have failed.
///
/// # Fairness
///
/// None among the arms: the first listed wins. Each has a budget of its own.
///
/// # Cost
///
/// An allocation and a timer an arm that starts; an arm is polled only when it was woken.
///
/// # Examples
///
/// A host with several addresses, the best of them first. Against real ones `connect` is
/// `lone::net::TcpStream::connect`.
///
/// ```
/// use std::time::Duration;
///
/// async fn connect(address: &str) -> Result<String, String> {
///     match address {
///         "new but far" => lone::sleep(Duration::from_secs(3)).await,
///         "broken" => return Err("refused".into()),
///         _ => lone::sleep(Duration::from_millis(20)).await,
///     }
///     Ok(format!("connected to {address}"))
/// }
///
/// let addresses = ["new but far", "broken", "old", "never tried"];
/// let winner = lone::Builder::new().start_paused(true).run(async {
///     lone::race_staggered(Duration::from_millis(250), addresses.into_iter().map(connect)).await
/// });
/// let winner = winner.expect("one of them answers");
/// assert_eq!((winner.index, &*winner.output), (2, "connected to old"));
/// assert_eq!(winner.errors, [(1, "refused".to_string())]);
/// ```
#[track_caller]
pub fn race_staggered<I, T, E>(delay: Duration, futures: I) -> RaceStaggered<I::IntoIter, E>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let arms = Arms {
        children: Children::new(0),
        arm_of: Vec::new(),
        started: Vec::new(),
        inputs: Some(futures.into_iter()),
        newest_runs_since: None,
    };
    RaceStaggered {
        delay,
        arms: Some(arms),
        errors: Vec::new(),
        alarm: Alarm::new(),
        woken: Vec::new(),
        site: Location::caller(),
    }
}

/// The winner of a [`race_staggered`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Staggered<T, E> {
    /// Which arm it was: its place in the order in which they were given.
    pub index: usize,
    /// What it has returned.
    pub output: T,
    /// The arms that had failed by then and their errors, in the order in which they failed.
    pub errors: Vec<(usize, E)>,
}

/// The future of [`race_staggered`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct RaceStaggered<I: Iterator, E> {
    delay: Duration,
    /// `None` once it has returned, or an arm has panicked.
    arms: Option<Arms<I>>,
    /// In the order in which the arms failed.
    errors: Vec<(usize, E)>,
    /// Rings when the next arm is to start.
    alarm: Alarm,
    /// Room to sort in; empty between two polls.
    woken: Vec<Child>,
    site: &'static Location<'static>,
}

/// The arms that have started, and those that may.
struct Arms<I: Iterator> {
    // The order of the fields is the order in which they are dropped: slots, then futures.
    children: Children,
    /// Which arm a child is; the place of one that has failed is used again.
    arm_of: Vec<usize>,
    /// A failed one is `None`.
    started: Vec<Option<Pin<Box<I::Item>>>>,
    /// `None` once it has come to its end.
    inputs: Option<I>,
    /// When the newest one started; `None`: it has failed, or there is none.
    newest_runs_since: Option<Instant>,
}

// The futures lie pinned in boxes of their own; nobody pins the iterator or an error.
impl<I: Iterator, E> Unpin for RaceStaggered<I, E> {}

impl<I, T, E> Future for RaceStaggered<I, E>
where
    I: Iterator<Item: Future<Output = Result<T, E>>>,
{
    type Output = Result<Staggered<T, E>, Vec<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(budget::take(cx));
        // Taken out: they stay only if this poll ends with Pending. A panic drops them as well.
        let Some(mut arms) = this.arms.take() else {
            panic!("a race_staggered was polled after it had returned or panicked: await it once");
        };
        let Poll::Ready(winner) = this.poll_arms(&mut arms, cx) else {
            this.arms = Some(arms);
            budget::give_back();
            trace::awaits("race_staggered", this.site);
            return Poll::Pending;
        };
        drop(arms);
        this.alarm.reset();
        let mut errors = std::mem::take(&mut this.errors);
        Poll::Ready(match winner {
            Some((index, output)) => Ok(Staggered { index, output, errors }),
            None => {
                errors.sort_unstable_by_key(|(index, _)| *index);
                Err(errors.into_iter().map(|(_, error)| error).collect())
            }
        })
    }
}

impl<I, T, E> RaceStaggered<I, E>
where
    I: Iterator<Item: Future<Output = Result<T, E>>>,
{
    /// Polls those that were woken, and starts those whose time has come. Ready with `None`: all
    /// have failed.
    fn poll_arms(&mut self, arms: &mut Arms<I>, cx: &mut Context<'_>) -> Poll<Option<(usize, T)>> {
        // One that starts before there are slots needs no poll of its own.
        let mut starts = usize::from(arms.started.is_empty() && arms.start());
        loop {
            let flow = arms.poll_woken(cx, &mut self.woken, &mut self.errors);
            if let ControlFlow::Break(winner) = flow {
                return Poll::Ready(Some(winner));
            }
            if !self.next_may_start(arms, cx) {
                break;
            }
            // The first start is paid with what the poll took.
            if starts > 0 && budget::take(cx).is_pending() {
                return Poll::Pending;
            }
            if !arms.start() {
                break;
            }
            starts += 1;
        }
        let left = arms.inputs.is_some() || arms.started.iter().any(Option::is_some);
        if left { Poll::Pending } else { Poll::Ready(None) }
    }

    /// Whether the newest has failed or its time is over. If not, the alarm is set.
    fn next_may_start(&mut self, arms: &Arms<I>, cx: &mut Context<'_>) -> bool {
        if arms.inputs.is_none() {
            return false;
        }
        let may_start = match arms.newest_runs_since {
            None => true,
            Some(since) => self.alarm.poll(since + self.delay, cx).is_ready(),
        };
        if may_start {
            self.alarm.reset();
        }
        may_start
    }
}

impl<I, T, E> Arms<I>
where
    I: Iterator<Item: Future<Output = Result<T, E>>>,
{
    /// Takes the next arm from the iterator, to be polled with those that are woken.
    fn start(&mut self) -> bool {
        let Some(arm) = self.inputs.as_mut().and_then(Iterator::next) else {
            // It is not asked again.
            self.inputs = None;
            return false;
        };
        self.newest_runs_since = Some(Instant::now());
        let place = self.children.insert();
        if place == self.arm_of.len() {
            self.arm_of.push(0);
        }
        self.arm_of[place] = self.started.len();
        self.started.push(Some(Box::pin(arm)));
        true
    }

    /// Polls those that were woken, in argument order and up to the first success; keeps the errors.
    fn poll_woken(
        &mut self,
        cx: &mut Context<'_>,
        woken: &mut Vec<Child>,
        errors: &mut Vec<(usize, E)>,
    ) -> ControlFlow<(usize, T)> {
        let mut batch = self.children.batch(cx);
        woken.extend(std::iter::from_fn(|| batch.next()));
        woken.sort_unstable_by_key(|child| self.arm_of[child.index()]);
        for child in woken.drain(..) {
            let index = self.arm_of[child.index()];
            let Some(arm) = &mut self.started[index] else {
                // It has failed: its slot is one of the new ones of another root.
                batch.end(child);
                continue;
            };
            let Poll::Ready(output) = batch.poll(&child, |cx| arm.as_mut().poll(cx)) else {
                continue;
            };
            batch.end(child);
            if index + 1 == self.started.len() {
                self.newest_runs_since = None;
            }
            let flow = match output {
                Ok(value) => ControlFlow::Break((index, value)),
                Err(error) => {
                    errors.push((index, error));
                    ControlFlow::Continue(())
                }
            };
            self.started[index] = None;
            flow?;
        }
        ControlFlow::Continue(())
    }
}

impl<I: Iterator, E> fmt::Debug for RaceStaggered<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(arms) = &self.arms else {
            return f.write_str("RaceStaggered(ended)");
        };
        f.debug_struct("RaceStaggered")
            .field("delay", &self.delay)
            .field("started", &arms.started.len())
            .field("failed", &self.errors.len())
            .finish_non_exhaustive()
    }
}

/// A race_staggered is `Send` where its iterator, its arms and their errors are.
const _: () = {
    const fn assert_send<T: Send>() {}
    const fn race_staggered_is_send<I: Iterator<Item: Send> + Send, E: Send>() {
        assert_send::<RaceStaggered<I, E>>();
    }
    let _ = race_staggered_is_send::<std::iter::Empty<()>, ()>;
};
