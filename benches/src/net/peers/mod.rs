//! How does each runtime serve? One file a peer, each with the server that its own documentation
//! would write: accept, a task a connection, a buffer a task, read, write all.

mod compio;
mod glommio;
mod lone;
mod monoio;
mod raw_mio;
mod smol;
mod tokio;

use std::convert::Infallible;
use std::io;

use super::Workload;
use crate::peer::{Peer as RuntimePeer, in_task};
use crate::peers as runtimes;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// lone.
    Lone,
    /// tokio, a current-thread runtime with a `LocalSet`.
    TokioLocalSet,
    /// tokio's `LocalRuntime`.
    TokioLocal,
    /// async-executor and async-io.
    Smol,
    /// monoio on io_uring.
    MonoioUring,
    /// monoio on epoll.
    MonoioLegacy,
    /// compio, on io_uring.
    Compio,
    /// glommio, on io_uring.
    Glommio,
    /// No runtime: a loop by hand on mio, with one buffer for all. A limit, not a peer.
    RawMio,
    /// The same, with a buffer for each connection.
    RawMioBuffers,
}

/// All of them, by name.
pub const PEERS: &[(&str, Peer)] = &[
    ("lone", Peer::Lone),
    ("raw_mio", Peer::RawMio),
    ("raw_mio_buffers", Peer::RawMioBuffers),
    ("tokio_ls", Peer::TokioLocalSet),
    ("tokio_lrt", Peer::TokioLocal),
    ("smol", Peer::Smol),
    ("monoio_uring", Peer::MonoioUring),
    ("monoio_legacy", Peer::MonoioLegacy),
    ("compio", Peer::Compio),
    ("glommio", Peer::Glommio),
];

impl Peer {
    /// The peer of this name.
    pub fn find(name: &str) -> Option<Peer> {
        PEERS.iter().find(|(known, _)| *known == name).map(|(_, peer)| *peer)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = PEERS.iter().find(|(_, peer)| *peer == self);
        named.expect("the table has them all").0
    }

    /// Whether there is anything to measure.
    pub fn runs(self, workload: Workload) -> bool {
        let spins = matches!(workload, Workload::Echo { spins: true, .. });
        // Without a runtime there is no task to wake.
        !self.is_raw() || !(spins || matches!(workload, Workload::Wake(_)))
    }

    /// Whether it is no runtime, but a limit.
    pub fn is_raw(self) -> bool {
        matches!(self, Peer::RawMio | Peer::RawMioBuffers)
    }

    /// Serves until the process is killed.
    pub(super) fn serve(self, workload: Workload) -> io::Result<Infallible> {
        let buffer = workload.buffer();
        match self {
            Peer::Lone => lone::serve(workload),
            Peer::TokioLocalSet => tokio::serve_local_set(buffer),
            Peer::TokioLocal => tokio::serve_local_runtime(buffer),
            Peer::Smol => smol::serve(buffer),
            Peer::MonoioUring => monoio::serve_uring(buffer),
            Peer::MonoioLegacy => monoio::serve_legacy(buffer),
            Peer::Compio => compio::serve(buffer),
            Peer::Glommio => glommio::serve(buffer),
            Peer::RawMio => raw_mio::serve(buffer, false),
            Peer::RawMioBuffers => raw_mio::serve(buffer, true),
        }
    }

    /// Runs a future as a task, on a loop of this peer's.
    pub(super) fn run_task<F>(self, future: F) -> io::Result<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        /// A task of `P`, for a loop of it with all that a server's has.
        async fn task<P: RuntimePeer, F>(future: F) -> F::Output
        where
            F: Future + 'static,
            F::Output: 'static,
        {
            P::spawn(future).await
        }
        match self {
            Peer::Lone => lone::block_on(task::<runtimes::lone::Lone, _>(future)),
            Peer::TokioLocalSet => {
                tokio::block_on_local_set(task::<runtimes::tokio::Tokio<true>, _>(future))
            }
            Peer::TokioLocal => {
                tokio::block_on_local_runtime(task::<runtimes::tokio::Tokio<false>, _>(future))
            }
            // Its tasks belong to the executor that spawns them.
            Peer::Smol => Ok(in_task::<runtimes::smol::Smol, _>(future)),
            Peer::MonoioUring => {
                monoio::block_on_uring(task::<runtimes::monoio::Monoio<true>, _>(future))
            }
            Peer::MonoioLegacy => {
                monoio::block_on_legacy(task::<runtimes::monoio::Monoio<false>, _>(future))
            }
            Peer::Compio => compio::block_on(task::<runtimes::compio::Compio, _>(future)),
            Peer::Glommio => glommio::block_on(task::<runtimes::glommio::Glommio, _>(future)),
            Peer::RawMio | Peer::RawMioBuffers => {
                Err(io::Error::other("there is no loop to run a task on"))
            }
        }
    }
}
