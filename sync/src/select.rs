//! How does a task go on with whatever comes first, and do something else for each? `select!`.
//!
//! ```text
//!   select! {                        let enabled = condition;                      first all of them
//!     a = f, if condition => x,      let selected = select(                        then the futures
//!     b = g => y,              ──►       arm(f, accepts a?, arm(g, accepts b?, NoArm))
//!     else => z,                     ).await;                                      all dropped here
//!   }                                x if it is the first, y if it is the second, else z
//! ```
//!
//! Invariants:
//! - **Bodies stand where the macro stands**: not in a future of ours, and no future is left when
//!   one begins. So a body may return, break and await, and has what the futures had borrowed.
//! - **In order, each time**: every poll polls all that are on, from the same one on.
//! - **One operation**: a poll that finishes a select takes one from the budget of whoever polls
//!   it; its arms have budgets of their own.
//!
//! Cost: no allocation. A future is moved once, from its expression to its place; a wake of one
//! polls all.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lone_executor::{budget, random_below, trace};
use pin_project_lite::pin_project;

pub use self::arms::{AllOff, Arm, Arms, NoArm, Selected, arm};

mod arms;

/// Waits for the first of several futures, of whatever types, and goes on with its body.
///
/// ```text
/// select! {
///     pattern = future => body,                  an arm; after a body in braces no comma is needed
///     pattern = future, if condition => body,    one that can be off
///     else => body,                              where all arms are off; it stands last
/// }
/// ```
///
/// Awaits by itself, and has the value of the body that runs. In this order:
///
/// 1. All conditions are evaluated; then the futures of the arms that are on, no others.
/// 2. The futures are polled in the order written. The first that is ready and whose output
///    matches its pattern wins; those after it are not polled. Where the output does not match it
///    is dropped with its future, that arm is off, and the others go on.
/// 3. All futures are dropped, in the order written. One that shall survive is given as
///    `&mut future`. What they have to clean up (see [`using`](crate::using())) the scope around
///    awaits.
/// 4. The body of the winner runs, as part of the code around: it may use `?`, `return`, `break`,
///    `continue` and `.await`, and what the futures had borrowed.
///
/// With `select! { random; … }` the arm to begin with is drawn, once for each time, and after the
/// last comes the first. The loop draws, in the same way in each run, or by the seed that it was
/// built with.
///
/// An arm that is a [`JoinHandle`](lone_executor::JoinHandle) loses its handle only: the task goes
/// on. Give [`handle.cancel_on_drop()`](lone_executor::JoinHandle::cancel_on_drop) where the task
/// should end with it, or `&mut handle` to wait for it again.
///
/// For many futures of one type there is [`race`](crate::race()).
///
/// asyncio: `wait(…, return_when=FIRST_COMPLETED)`, and a look at which it was. tokio's `select!`
/// begins at random, this one does not; so `biased;` is not needed here.
///
/// # Panics
///
/// Where an arm panics: the others are dropped and the panic goes on. Where all arms are off and
/// there is no `else`.
///
/// # Cancellation
///
/// As its arms: dropped half way, it drops them at once, in the order written, and has nothing of
/// its own to lose.
///
/// A future that is borrowed and not polled any more keeps its place, and what it is given there. A
/// body that waits for the same thing would wait for ever, which the loop reports as a deadlock.
///
/// # Fairness
///
/// None among the arms: one that is always ready starves those written after it, time after time.
/// So what must not be missed is written first; or begin with `random;`. Each arm has a budget of
/// its own.
///
/// # Cost
///
/// No allocation; a wake of one polls all.
///
/// # Examples
///
/// A server that accepts until it is told to stop. It loses no connection, for an `accept` that is
/// dropped has taken none:
///
/// ```
/// use lone::Event;
/// use lone::net::{TcpListener, TcpStream};
///
/// async fn serve(listener: TcpListener, stop: &Event) -> std::io::Result<()> {
///     loop {
///         lone::select! {
///             _ = stop.wait() => return Ok(()), // written first: it wins where both are ready
///             accepted = listener.accept() => {
///                 let (stream, _peer) = accepted?;
///                 drop(lone::spawn(async move { stream.write_all(b"hello").await }));
///             }
///         }
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// lone::run(async {
///     let listener = TcpListener::bind(([127, 0, 0, 1], 0))?;
///     let address = listener.local_addr()?;
///     let stop = Event::new();
///     let client = async {
///         let mut word = [0; 5];
///         TcpStream::connect(address).await?.read_exact(&mut word).await?;
///         stop.set();
///         Ok(word)
///     };
///     let (served, word): (_, std::io::Result<_>) = lone::join!(serve(listener, &stop), client);
///     assert_eq!(&word?, b"hello");
///     served
/// })
/// # }
/// ```
///
/// Two queues until both are empty for good; an arm whose pattern does not match is off:
///
/// ```
/// lone::run(async {
///     let (urgent, usual) = (lone::Queue::unbounded(), lone::Queue::unbounded());
///     for n in 0..3 {
///         usual.try_put(n).expect("there is room");
///         urgent.try_put(10 * n).expect("there is room");
///     }
///     (urgent.shutdown(), usual.shutdown());
///
///     let mut items = Vec::new();
///     loop {
///         lone::select! {
///             Ok(item) = urgent.get() => items.push(item),
///             Ok(item) = usual.get(), if items.len() < 5 => items.push(item),
///             else => break,
///         }
///     }
///     assert_eq!(items, [0, 10, 20, 0, 1]);
/// });
/// ```
#[macro_export]
macro_rules! select {
    () => {
        ::core::compile_error!(
            "select! without an arm could never end: give it `pattern = future => body`"
        )
    };
    (random; $($arms:tt)*) => {
        $crate::__select!(@arms select_at_random [] $($arms)*)
    };
    (biased; $($arms:tt)*) => {
        ::core::compile_error!(
            "select! polls its arms in the order written unless it begins with `random;`: leave \
             out `biased;`"
        )
    };
    ($($arms:tt)*) => {
        $crate::__select!(@arms select [] $($arms)*)
    };
}

/// The steps of [`select!`]: reads the arms one by one, then writes the whole.
///
/// `enabled` is another variable in each step, for names of a macro are its own. So the arms that
/// were read have one each.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // ----- what is read ------------------------------------------------------------------------

    (@arms $how:ident [$($read:tt)*]) => {
        $crate::__select!(@whole $how [$($read)*] $crate::__private::all_arms_are_off())
    };
    (@arms $how:ident [$($read:tt)*] else => $otherwise:expr $(,)?) => {
        $crate::__select!(@whole $how [$($read)*] $otherwise)
    };
    (@arms $how:ident [$($read:tt)*] else $($rest:tt)*) => {
        ::core::compile_error!("`else => body` is the last arm of a select!, and the only one of its kind")
    };
    // A body in braces is read as tokens: whoever asks for a block is also given what a macro of the
    // user's calls an `expr`, and stops there.
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => { $($body:tt)* }, $($rest:tt)*
    ) => {
        $crate::__select!(@arms $how
            [$($read)* { enabled [$($condition)?] [$pattern] [$future] [{ $($body)* }] }] $($rest)*)
    };
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => { $($body:tt)* } $($rest:tt)*
    ) => {
        $crate::__select!(@arms $how
            [$($read)* { enabled [$($condition)?] [$pattern] [$future] [{ $($body)* }] }] $($rest)*)
    };
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $body:expr, $($rest:tt)*
    ) => {
        $crate::__select!(@arms $how
            [$($read)* { enabled [$($condition)?] [$pattern] [$future] [$body] }] $($rest)*)
    };
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $body:expr
    ) => {
        $crate::__select!(@arms $how
            [$($read)* { enabled [$($condition)?] [$pattern] [$future] [$body] }])
    };
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $body:block $($rest:tt)*
    ) => {
        $crate::__select!(@arms $how
            [$($read)* { enabled [$($condition)?] [$pattern] [$future] [$body] }] $($rest)*)
    };

    // ----- what was meant ----------------------------------------------------------------------

    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? $(, $($rest:tt)*)?
    ) => {
        ::core::compile_error!("an arm of this select! has no body: write `pattern = future => body`")
    };
    (@arms $how:ident [$($read:tt)*] $pattern:pat => $($rest:tt)*) => {
        ::core::compile_error!(
            "an arm of this select! has no pattern, or no future: write `pattern = future => body`; \
             `_ = future => body` where the output does not matter"
        )
    };
    (@arms $how:ident [$($read:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $body:expr; $($rest:tt)*
    ) => {
        ::core::compile_error!("the arms of a select! are separated by commas, as those of a match")
    };
    (@arms $how:ident [$($read:tt)*] $($rest:tt)*) => {
        ::core::compile_error!(
            "the arms of a select! are `pattern = future => body`, `pattern = future, if condition \
             => body` and at the end `else => body`"
        )
    };

    // ----- what is written ---------------------------------------------------------------------

    (@whole $how:ident [] $otherwise:expr) => {
        ::core::compile_error!(
            "select! without an arm could never end: give it `pattern = future => body`"
        )
    };
    (@whole $how:ident
        [$({ $enabled:ident [$($condition:expr)?] $pattern:tt $future:tt $body:tt })+]
        $otherwise:expr
    ) => {{
        $($(let $enabled: bool = $condition;)?)+
        // A statement: it ends before a body begins, and with it all that the futures borrow.
        let selected = $crate::__private::$how($crate::__select!(
            @futures $({ $enabled [$($condition)?] $pattern $future })+
        )).await;
        $crate::__select!(@bodies selected [$otherwise] $({ $pattern $body })+)
    }};

    (@futures) => { $crate::__private::NoArm };
    (@futures
        { $enabled:ident [$($condition:expr)?] [$pattern:pat] [$future:expr] } $($rest:tt)*
    ) => {
        $crate::__private::arm(
            $crate::__select!(@future $enabled [$($condition)?] $future),
            |output| {
                #[allow(unused_mut)]
                let mut output = output;
                let mut matches = false;
                // The guard is asked before anything is bound by value, and never says yes.
                match output {
                    #[allow(unused_variables, unused_mut)]
                    $pattern if { matches = true; false } => ::core::unreachable!(),
                    output => matches.then_some(output),
                }
            },
            $crate::__select!(@futures $($rest)*),
        )
    };

    // `into_future` here, for the compiler then shows the expression that is no future.
    (@future $enabled:ident [] $future:expr) => {
        ::core::option::Option::Some(::core::future::IntoFuture::into_future($future))
    };
    (@future $enabled:ident [$condition:expr] $future:expr) => {
        if $enabled {
            ::core::option::Option::Some(::core::future::IntoFuture::into_future($future))
        } else {
            ::core::option::Option::None
        }
    };

    // Methods, for they move the whole: what a match leaves behind would still be borrowed in a body.
    (@bodies $selected:ident [$otherwise:expr]) => {{
        let $crate::__private::AllOff = $selected;
        $otherwise
    }};
    (@bodies $selected:ident [$otherwise:expr] { [$pattern:pat] [$body:expr] } $($rest:tt)*) => {
        if $selected.is_this() {
            #[allow(unused_mut)]
            let mut output = $selected.this();
            match output {
                $pattern => $body,
                #[allow(unreachable_patterns)]
                _ => ::core::unreachable!(),
            }
        } else {
            let selected = $selected.later();
            $crate::__select!(@bodies selected [$otherwise] $($rest)*)
        }
    };
}

#[doc(hidden)]
#[inline]
#[track_caller]
pub fn select<A: Arms>(arms: A) -> Select<A> {
    Select { arms, begin: 0, site: Location::caller() }
}

#[doc(hidden)]
#[track_caller]
pub fn select_at_random<A: Arms>(arms: A) -> Select<A> {
    Select { arms, begin: random_below(A::LEN), site: Location::caller() }
}

pin_project! {
    /// What a `select!` awaits: which arm has won.
    #[doc(hidden)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Select<A> {
        #[pin]
        arms: A,
        // The number of the arm that is polled first.
        begin: usize,
        site: &'static Location<'static>,
    }
}

impl<A: Arms> Future for Select<A> {
    type Output = A::Selected;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Selected> {
        ready!(budget::take(cx));
        let mut this = self.project();
        let said = trace::mark();
        let first = this.arms.as_mut().poll_some(cx, *this.begin, A::LEN);
        let selected = match first {
            Poll::Ready(Some(_)) => first,
            _ => match this.arms.poll_some(cx, 0, *this.begin) {
                Poll::Ready(None) => first,
                second => second,
            },
        };
        if selected.is_pending() {
            budget::give_back();
            trace::awaits("select!", this.site);
        } else {
            // Those that are pending are about to be dropped.
            said.forget();
        }
        selected.map(|selected| selected.unwrap_or_else(A::all_off))
    }
}

impl<A> fmt::Debug for Select<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("site", &self.site).finish_non_exhaustive()
    }
}

/// What a `select!` without `else` does where all arms are off.
#[doc(hidden)]
#[cold]
#[track_caller]
pub fn all_arms_are_off() -> ! {
    panic!(
        "all arms of a select! are off, by their conditions or because no output has matched: give \
         it `else => …` for that"
    )
}
