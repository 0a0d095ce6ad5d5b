//! The peers, one a file, behind the traits of [`peer`](crate::peer).

#[cfg(feature = "peers")]
mod borrowed;
#[cfg(feature = "peers")]
pub mod compio;
pub mod floor;
#[cfg(feature = "peers")]
pub mod futures;
#[cfg(feature = "peers")]
pub mod glommio;
pub mod lone;
#[cfg(feature = "peers")]
pub mod monoio;
#[cfg(feature = "peers")]
pub mod smol;
pub mod tokio;

/// The columns of the table, in its order; the last ones are limits written by hand, no runtimes.
pub const COLUMNS: [&str; 12] = [
    "lone",
    "tokio_ls",
    "tokio_lrt",
    "smol",
    "futures",
    "monoio_uring",
    "monoio_legacy",
    "compio",
    "glommio",
    "floor",
    "raw_mio",
    "raw_mio_buffers",
];

/// Is it a runtime that one could use instead of lone?
pub fn is_real_peer(name: &str) -> bool {
    !matches!(name, "lone" | "floor" | "raw_mio" | "raw_mio_buffers")
}

/// Is it one of tokio's two?
pub fn is_tokio(name: &str) -> bool {
    matches!(name, "tokio_ls" | "tokio_lrt")
}

/// Does its semaphore serve strictly first come first served? Those of async-lock let a newcomer barge in.
pub fn is_fair_peer(name: &str) -> bool {
    is_real_peer(name) && !matches!(name, "smol" | "futures" | "compio")
}
