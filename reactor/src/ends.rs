//! Does a task wait for a peer outside of its loop? A virtual clock asks: the kernel does not say
//! whether such a peer will answer, while a peer within the loop can be known to be idle.
//!
//! ```text
//!   stream local ↔ peer:   is a stream peer ↔ local here?                      inside
//!                          does a listener of ours hold it, not yet accepted?  inside
//!                          else                                                outside
//! ```
//!
//! Kept under a virtual clock only. Cost: O(1), and O(listeners) for a stream that is outside.

use std::collections::HashMap;
use std::net::SocketAddr;

/// What a source is to a virtual clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// It waits for nobody in particular.
    Listener { local: SocketAddr },
    /// A stream between these two, connected or being connected.
    Stream { local: SocketAddr, peer: SocketAddr },
    /// The system does not say: it counts as a stream to the outside.
    Unknown,
}

/// The ends of all sources of a loop.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    by_key: HashMap<u32, Entry>,
    /// Local and peer address of each stream.
    streams: HashMap<(SocketAddr, SocketAddr), u32>,
    listeners: Vec<(u32, SocketAddr)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    end: End,
    /// A listener of this loop has accepted it: its peer is a stream here, or was handed on.
    accepted: bool,
}

impl Ends {
    pub(crate) fn insert(&mut self, key: u32, end: End) {
        let accepted = self.remove(key);
        let end = end.canonical();
        match end {
            End::Listener { local } => self.listeners.push((key, local)),
            End::Stream { local, peer } => {
                self.streams.insert((local, peer), key);
                if let Some(other) = self.streams.get(&(peer, local))
                    && let Some(other) = self.by_key.get_mut(other)
                {
                    other.accepted = true;
                }
            }
            End::Unknown => {}
        }
        self.by_key.insert(key, Entry { end, accepted });
    }

    /// Returns whether it had been accepted.
    pub(crate) fn remove(&mut self, key: u32) -> bool {
        let Some(Entry { end, accepted }) = self.by_key.remove(&key) else { return false };
        match end {
            End::Listener { .. } => self.listeners.retain(|(listener, _)| *listener != key),
            End::Stream { local, peer } => {
                if self.streams.get(&(local, peer)) == Some(&key) {
                    self.streams.remove(&(local, peer));
                }
            }
            End::Unknown => {}
        }
        accepted
    }

    /// Whether whoever waits at this source waits for somebody outside of the loop.
    pub(crate) fn is_outside(&self, key: u32) -> bool {
        let Some(Entry { end, accepted }) = self.by_key.get(&key) else { return false };
        match *end {
            End::Listener { .. } => false,
            End::Unknown => true,
            End::Stream { local, peer } => {
                let here = self.streams.contains_key(&(peer, local));
                !(here || !accepted && self.listens(peer))
            }
        }
    }

    fn listens(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|(_, local)| {
            local.port() == address.port()
                && (local.ip() == address.ip() || local.ip().is_unspecified())
        })
    }
}

impl End {
    /// A listener for both families shows the addresses of one in the form of the other.
    fn canonical(self) -> End {
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        match self {
            End::Listener { local } => End::Listener { local: canonical(local) },
            End::Stream { local, peer } => {
                End::Stream { local: canonical(local), peer: canonical(peer) }
            }
            End::Unknown => End::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    fn stream(local: &str, peer: &str) -> End {
        End::Stream { local: at(local), peer: at(peer) }
    }

    #[test]
    fn a_stream_is_inside_while_its_peer_is_here_and_outside_afterwards() {
        let mut ends = Ends::default();
        ends.insert(1, stream("127.0.0.1:1000", "127.0.0.1:80"));
        assert!(ends.is_outside(1));
        ends.insert(2, stream("127.0.0.1:80", "127.0.0.1:1000"));
        ends.insert(3, stream("127.0.0.1:80", "127.0.0.1:1001"));
        assert_eq!([1, 2, 3].map(|key| ends.is_outside(key)), [false, false, true]);
        ends.remove(2);
        assert!(ends.is_outside(1));
    }

    #[test]
    fn a_stream_that_the_loop_has_yet_to_accept_is_inside_and_one_handed_on_is_not() {
        let mut ends = Ends::default();
        ends.insert(0, End::Listener { local: at("[::]:80") });
        ends.insert(1, stream("127.0.0.1:1000", "127.0.0.1:80"));
        ends.insert(2, stream("127.0.0.1:1000", "127.0.0.1:81"));
        assert_eq!([0, 1, 2].map(|key| ends.is_outside(key)), [false, false, true]);
        // Accepted, by its address in the other family; and handed on to a thread.
        ends.insert(3, stream("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:1000"));
        assert!(!ends.is_outside(1));
        ends.remove(3);
        assert!(ends.is_outside(1));
        // What it becomes when it is connected does not take that back.
        ends.insert(1, stream("127.0.0.1:1000", "127.0.0.1:80"));
        assert!(ends.is_outside(1));
    }
}
