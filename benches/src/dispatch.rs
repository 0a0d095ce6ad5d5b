//! Which peers can run a workload, and how is one of them chosen by name?
//!
//! A workload is a function generic over the peer. These macros compile it for each that can run it, and
//! make a [`Measure`]: the names, and a function that takes one.

use crate::figures::Figures;
use crate::measure::Effort;

/// A workload compiled for its peers.
#[derive(Clone, Copy)]
pub struct Measure {
    /// In the order of the table.
    pub peers: &'static [&'static str],
    /// `None`: no such peer here.
    pub run: fn(peer: &str, effort: Effort) -> Option<Figures>,
}

/// A [`Measure`] of a function over those peers, each a type; its trait gives its `NAME`.
#[macro_export]
macro_rules! measure_on {
    ($function:tt; $($(#[$attribute:meta])* $peer:ty),+ $(,)?) => {
        $crate::dispatch::Measure {
            peers: &[$($(#[$attribute])* <$peer as $crate::peer::Peer>::NAME),+],
            run: {
                fn run(
                    peer: &str,
                    effort: $crate::measure::Effort,
                ) -> Option<$crate::figures::Figures> {
                    $(
                        $(#[$attribute])*
                        if peer == <$peer as $crate::peer::Peer>::NAME {
                            return Some($crate::call_on!($function, $peer, effort));
                        }
                    )+
                    None
                }
                run
            },
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! call_on {
    (($($function:ident)::+), $peer:ty, $effort:expr) => { $($function)::+::<$peer>($effort) };
}

/// All peers with tasks.
#[macro_export]
macro_rules! on_tasks {
    ($($function:tt)+) => {
        $crate::measure_on! {
            ($($function)+);
            $crate::peers::lone::Lone,
            $crate::peers::tokio::Tokio<true>,
            $crate::peers::tokio::Tokio<false>,
            #[cfg(feature = "peers")] $crate::peers::smol::Smol,
            #[cfg(feature = "peers")] $crate::peers::futures::Futures,
            #[cfg(feature = "peers")] $crate::peers::monoio::Monoio<true>,
            #[cfg(feature = "peers")] $crate::peers::monoio::Monoio<false>,
            #[cfg(feature = "peers")] $crate::peers::compio::Compio,
            #[cfg(feature = "peers")] $crate::peers::glommio::Glommio,
            $crate::peers::floor::Floor,
        }
    };
}

/// All peers with a clock.
#[macro_export]
macro_rules! on_timers {
    ($($function:tt)+) => {
        $crate::measure_on! {
            ($($function)+);
            $crate::peers::lone::Lone,
            $crate::peers::tokio::Tokio<true>,
            $crate::peers::tokio::Tokio<false>,
            #[cfg(feature = "peers")] $crate::peers::smol::Smol,
            #[cfg(feature = "peers")] $crate::peers::futures::Futures,
            #[cfg(feature = "peers")] $crate::peers::monoio::Monoio<true>,
            #[cfg(feature = "peers")] $crate::peers::monoio::Monoio<false>,
            #[cfg(feature = "peers")] $crate::peers::compio::Compio,
            #[cfg(feature = "peers")] $crate::peers::glommio::Glommio,
        }
    };
}

/// lone and tokio.
#[macro_export]
macro_rules! on_tokio {
    ($($function:tt)+) => {
        $crate::measure_on! {
            ($($function)+);
            $crate::peers::lone::Lone,
            $crate::peers::tokio::Tokio<true>,
            $crate::peers::tokio::Tokio<false>,
        }
    };
}
