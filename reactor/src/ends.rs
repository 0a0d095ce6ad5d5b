//! For whom does a task wait at a socket? A virtual clock asks before it jumps.
//!
//! ```text
//!   stream local ↔ peer:  no stream peer ↔ local in this loop           outside: it may answer
//!                         its bytes have been sent, and not received    in flight: they will come
//!                         else                                          nobody: a task of ours
//!                                                                       has to go on first
//! ```
//!
//! Nobody can know whether an outside peer will answer. Within the loop all is known, for the
//! bytes are counted at both ends: what is sent and not yet received is on its way, whatever the
//! kernel shows at this moment (with busy processors it may be late by milliseconds).
//!
//! Kept under a virtual clock only. Cost: O(1); for a listener that is waited at, O(streams).

use std::collections::HashMap;
use std::net::SocketAddr;

/// What a source is to a virtual clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It waits for nobody in particular.
    Listener { local: SocketAddr },
    /// A stream that is being connected: the kernel will answer, or the peer's.
    Connecting { local: SocketAddr, peer: SocketAddr },
    /// A stream between these two.
    Stream { local: SocketAddr, peer: SocketAddr },
    /// The system does not say: it counts as a stream to the outside.
    Unknown,
}

/// For whom a task waits. A later one is the better reason to wait in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Awaited {
    /// For other tasks of the loop: the clock may jump.
    Nobody,
    /// For somebody who may answer.
    Outside,
    /// For what is on its way already.
    InFlight,
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
pub(crate) struct Entry {
    end: End,
    /// A listener of this loop has accepted it: its peer is a stream here, or was handed on.
    accepted: bool,
    /// How many bytes it has sent and received. The end of a stream counts as one.
    sent: u64,
    received: u64,
}

impl Ends {
    /// A new source, or what an old one has become.
    pub(crate) fn insert(&mut self, key: u32, end: End) {
        let end = end.canonical();
        let before = self.remove(key);
        match end {
            End::Listener { local } => self.listeners.push((key, local)),
            End::Connecting { local, peer } | End::Stream { local, peer } => {
                self.streams.insert((local, peer), key);
                if let Some(other) = self.streams.get(&(peer, local))
                    && let Some(other) = self.by_key.get_mut(other)
                {
                    other.accepted = true;
                }
            }
            End::Unknown => {}
        }
        let new = Entry { end, accepted: false, sent: 0, received: 0 };
        self.by_key.insert(key, Entry { end, ..before.unwrap_or(new) });
    }

    pub(crate) fn remove(&mut self, key: u32) -> Option<Entry> {
        let entry = self.by_key.remove(&key)?;
        match entry.end {
            End::Listener { .. } => self.listeners.retain(|(listener, _)| *listener != key),
            End::Connecting { local, peer } | End::Stream { local, peer } => {
                if self.streams.get(&(local, peer)) == Some(&key) {
                    self.streams.remove(&(local, peer));
                }
            }
            End::Unknown => {}
        }
        Some(entry)
    }

    /// A stream has sent so many bytes.
    pub(crate) fn sent(&mut self, key: u32, bytes: usize) {
        if let Some(entry) = self.by_key.get_mut(&key) {
            entry.sent += bytes as u64;
        }
    }

    /// A stream has received so many bytes.
    pub(crate) fn received(&mut self, key: u32, bytes: usize) {
        if let Some(entry) = self.by_key.get_mut(&key) {
            entry.received += bytes as u64;
        }
    }

    /// For whom those wait who wait at this source for bytes, for room, or for both.
    pub(crate) fn awaited(&self, key: u32, bytes: bool, room: bool) -> Awaited {
        let Some(me) = self.by_key.get(&key) else { return Awaited::Nobody };
        match me.end {
            End::Unknown | End::Connecting { .. } => Awaited::Outside,
            End::Listener { local } if self.has_been_called(local) => Awaited::InFlight,
            End::Listener { .. } => Awaited::Nobody,
            End::Stream { local, peer } => {
                let other = self.streams.get(&(peer, local)).and_then(|key| self.by_key.get(key));
                match other {
                    Some(other) if bytes && other.sent > me.received => Awaited::InFlight,
                    Some(other) if room && me.sent <= other.received => Awaited::InFlight,
                    Some(_) => Awaited::Nobody,
                    None if !me.accepted && self.listens(peer) => Awaited::Nobody,
                    None => Awaited::Outside,
                }
            }
        }
    }

    fn listens(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|(_, local)| is_at(*local, address))
    }

    /// Whether a stream of this loop is connected to the listener at `local`, to be accepted yet.
    fn has_been_called(&self, local: SocketAddr) -> bool {
        self.by_key.values().any(|entry| match entry.end {
            End::Stream { peer, .. } => !entry.accepted && is_at(local, peer),
            _ => false,
        })
    }
}

/// Whether who connects to `address` reaches the listener at `local`.
fn is_at(local: SocketAddr, address: SocketAddr) -> bool {
    local.port() == address.port() && (local.ip() == address.ip() || local.ip().is_unspecified())
}

impl End {
    /// A listener for both families shows the addresses of one in the form of the other.
    fn canonical(self) -> End {
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        match self {
            End::Listener { local } => End::Listener { local: canonical(local) },
            End::Connecting { local, peer } => {
                End::Connecting { local: canonical(local), peer: canonical(peer) }
            }
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
    use Awaited::{InFlight, Nobody, Outside};

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
        assert_eq!(ends.awaited(1, true, false), Outside);
        ends.insert(2, stream("127.0.0.1:80", "127.0.0.1:1000"));
        ends.insert(3, stream("127.0.0.1:80", "127.0.0.1:1001"));
        let awaited = [1, 2, 3].map(|key| ends.awaited(key, true, false));
        assert_eq!(awaited, [Nobody, Nobody, Outside]);
        ends.remove(2);
        assert_eq!(ends.awaited(1, true, false), Outside);
    }

    #[test]
    fn a_stream_yet_to_be_accepted_is_inside_and_one_handed_on_is_not() {
        let mut ends = Ends::default();
        let (local, peer) = (at("127.0.0.1:1000"), at("127.0.0.1:80"));
        ends.insert(0, End::Listener { local: at("[::]:80") });
        ends.insert(1, End::Connecting { local, peer });
        ends.insert(2, stream("127.0.0.1:1000", "127.0.0.1:81"));
        let awaited = |ends: &Ends| [0, 1, 2].map(|key| ends.awaited(key, true, false));
        assert_eq!(awaited(&ends), [Nobody, Outside, Outside], "the kernel will answer");
        ends.insert(1, End::Stream { local, peer });
        assert_eq!(awaited(&ends), [InFlight, Nobody, Outside], "an accept will find it");
        // Accepted, by its address in the other family; and handed on to a thread.
        ends.insert(3, stream("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:1000"));
        assert_eq!(awaited(&ends), [Nobody, Nobody, Outside]);
        ends.remove(3);
        assert_eq!(awaited(&ends), [Nobody, Outside, Outside]);
        // What it becomes does not take that back.
        ends.insert(1, End::Stream { local, peer });
        assert_eq!(awaited(&ends), [Nobody, Outside, Outside]);
    }

    #[test]
    fn bytes_sent_and_not_received_are_in_flight_and_so_is_the_room_that_they_leave() {
        let mut ends = Ends::default();
        ends.insert(1, stream("127.0.0.1:1000", "127.0.0.1:80"));
        ends.insert(2, stream("127.0.0.1:80", "127.0.0.1:1000"));
        ends.sent(1, 10);
        assert_eq!(ends.awaited(2, true, false), InFlight);
        assert_eq!(ends.awaited(1, false, true), Nobody, "the other has to read first");
        ends.received(2, 9);
        assert_eq!(ends.awaited(2, true, false), InFlight);
        ends.received(2, 1);
        assert_eq!(ends.awaited(2, true, false), Nobody);
        assert_eq!(ends.awaited(1, false, true), InFlight, "everything has been read");
        assert_eq!(ends.awaited(1, true, false), Nobody, "nothing was sent back");
    }
}
