//! What does lone cost, beside its peers, on the same machine in the same minute?
//!
//! ```text
//! main ──► compare ──► a child `measure <workload> <peer>` ──► registry ──► workloads::X::measure::<P>
//!             │                                                                └─ over the traits of peer.rs
//!             ▼
//!          results ──► targets (limits, verdicts) ──► table, report, plots
//! ```
//!
//! A workload is written once, over the traits of [`peer`], and compiled once for each peer: nothing in
//! it is boxed or looked up. Each measurement is a process of its own, so that no peer inherits another's
//! heap, threads or descriptors; the rounds of the peers take turns.
//!
//! `README.md` says how the figures are made and how they are read. Nothing else in the workspace depends
//! on the peers.

#![allow(missing_docs, reason = "a program in two halves: no part of the interface of lone")]
#![allow(missing_debug_implementations, reason = "as above")]

pub mod allocator;
pub mod compare;
pub mod dispatch;
pub mod figures;
pub mod measure;
#[cfg(feature = "peers")]
pub mod net;
#[cfg(feature = "peers")]
pub mod network;
pub mod peer;
pub mod peers;
pub mod plots;
pub mod registry;
pub mod report;
pub mod results;
pub mod table;
pub mod targets;
pub mod workloads;
