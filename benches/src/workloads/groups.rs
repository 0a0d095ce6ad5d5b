//! A group of 10,000 children that wait once each, awaited as a whole: a child.
//!
//! lone by its `TaskGroup`, tokio by its `JoinSet`.

use std::convert::Infallible;
use std::future::Future;

use tokio::task::JoinSet;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};
use crate::peers::lone::Lone;
use crate::peers::tokio::Tokio;

use super::once::Once;

pub const UNITS: u64 = 10_000;

pub trait Groups: Peer {
    /// Runs that many children, and awaits them all.
    fn group(children: u64) -> impl Future<Output = ()>;
}

impl Groups for Lone {
    async fn group(children: u64) {
        let ran = lone::TaskGroup::<Infallible>::run(async |group| {
            for _ in 0..children {
                drop(group.spawn(async {
                    Once::default().await;
                    Ok::<(), Infallible>(())
                }));
            }
            Ok::<(), Infallible>(())
        });
        ran.await.expect("nobody fails");
    }
}

impl<const LOCAL_SET: bool> Groups for Tokio<LOCAL_SET> {
    async fn group(children: u64) {
        let mut set = JoinSet::new();
        for _ in 0..children {
            set.spawn_local(Once::default());
        }
        while let Some(ended) = set.join_next().await {
            ended.expect("it ends well");
        }
    }
}

pub fn measure<P: Groups>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, UNITS, || P::group(UNITS))))
}
