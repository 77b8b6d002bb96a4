//! The statistics of a torrent, its peers and its suppliers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::peers::Peer;
use super::{ConnectionKind, Encrypted, Engine, Origin, Space, Transport};
use crate::peer::Direction;

/// A peer that has been connected for less than this may still be about to unchoke us.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// The statistics of a torrent at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Pieces held and verified.
    pub pieces_have: u32,
    /// Pieces in all.
    pub pieces_total: u32,
    /// Wanted pieces that are not held.
    pub pieces_wanted: u32,
    /// Pieces with some blocks requested or stored.
    pub pieces_partial: usize,
    /// Bytes of verified pieces.
    pub bytes_have: u64,
    /// Bytes of the whole torrent.
    pub bytes_total: u64,
    /// Bytes of wanted pieces that are not held.
    pub bytes_left: u64,
    /// Payload bytes received.
    pub downloaded: u64,
    /// Payload bytes sent.
    pub uploaded: u64,
    /// Payload bytes received in vain: twice, or of pieces that failed.
    pub wasted: u64,
    /// Payload bytes a second received now; 0 within 3 s after the last byte.
    pub down_rate: u64,
    /// Payload bytes a second sent now; 0 within 3 s after the last byte.
    pub up_rate: u64,
    /// The ETA: when everything wanted will be held, at the pace of the last 20 s or so, in whole seconds. `None` while
    /// nothing comes and before a second has been measured.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "eta_seconds", serialize_with = "seconds")
    )]
    pub eta: Option<Duration>,
    /// Something is wanted and peers have been connected for some seconds, but nothing comes.
    pub is_stalled: bool,
    /// Connected peers.
    pub peers: usize,
    /// Connected peers that have everything.
    pub seeds: usize,
    /// Connected peers that have had half a minute, with no interest on either side.
    pub idle_peers: usize,
    /// Connected peers over uTP (BEP 29); the others are connected over TCP.
    pub utp_peers: usize,
    /// Connected peers whose handshake was encrypted.
    pub encrypted_peers: usize,
    /// Connected peers with which everything is encrypted.
    pub rc4_peers: usize,
    /// Super-seeding (BEP 16) is in effect: new peers are told of pieces one by one.
    pub super_seeding: bool,
    /// Connections being made.
    pub connecting: usize,
    /// Addresses known.
    pub known_addrs: usize,
}

/// The transfer of a torrent at one moment: a part of [`Stats`], by [`Stats::transfer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TransferStats {
    /// Payload bytes a second received now.
    pub down_rate: u64,
    /// Payload bytes a second sent now.
    pub up_rate: u64,
    /// Payload bytes received.
    pub downloaded: u64,
    /// Payload bytes sent.
    pub uploaded: u64,
    /// Payload bytes received in vain.
    pub wasted: u64,
    /// Connected peers.
    pub peers: usize,
    /// Connected peers that have everything.
    pub seeds: usize,
    /// Connected peers over uTP (BEP 29); the others are connected over TCP.
    pub utp_peers: usize,
    /// Connected peers whose handshake was encrypted.
    pub encrypted_peers: usize,
    /// Connected peers with which everything is encrypted.
    pub rc4_peers: usize,
}

/// The statistics of a connected peer at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerStats {
    /// Its address.
    pub addr: SocketAddr,
    /// Where it accepts connections: one that connected to us may have told.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub dial_addr: Option<SocketAddr>,
    /// Its client, by its extension handshake or its peer id.
    pub client: Option<String>,
    /// Payload bytes received from it.
    pub downloaded: u64,
    /// Payload bytes sent to it.
    pub uploaded: u64,
    /// Payload bytes a second received from it now.
    pub down_rate: u64,
    /// Payload bytes a second sent to it now.
    pub up_rate: u64,
    /// Pieces it has.
    pub pieces: u32,
    /// Requests on their way to it, of 16 KiB each.
    pub requests: usize,
    /// The size of its pipeline: the most requests that it gets now.
    pub window: usize,
    /// How it is connected: the transport, and whether it is encrypted.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub kind: ConnectionKind,
    /// It connected to us.
    pub is_incoming: bool,
    /// We refuse its requests (BEP 3).
    pub am_choking: bool,
    /// We want something that it has (BEP 3).
    pub am_interested: bool,
    /// It refuses our requests (BEP 3).
    pub peer_choking: bool,
    /// It wants something that we have (BEP 3).
    pub peer_interested: bool,
}

#[cfg(feature = "serde")]
#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn seconds<S: serde::Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&time.map(|time| time.as_secs()), serializer)
}

/// The statistics of a supplier of blocks at one moment: a connected peer or a web seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SupplierStats {
    /// The address of the peer, or the web seed.
    pub origin: Origin,
    /// Payload bytes received from it.
    pub downloaded: u64,
    /// Payload bytes a second received from it now.
    pub down_rate: u64,
    /// Pieces it has.
    pub pieces: u32,
    /// Requests on their way to it, of 16 KiB each.
    pub requests: usize,
    /// The size of its pipeline: the most requests that it gets now.
    pub pipeline: usize,
}

impl Stats {
    /// The transfer alone: rates, totals and connected peers.
    #[must_use]
    pub const fn transfer(&self) -> TransferStats {
        TransferStats {
            down_rate: self.down_rate,
            up_rate: self.up_rate,
            downloaded: self.downloaded,
            uploaded: self.uploaded,
            wasted: self.wasted,
            peers: self.peers,
            seeds: self.seeds,
            utp_peers: self.utp_peers,
            encrypted_peers: self.encrypted_peers,
            rc4_peers: self.rc4_peers,
        }
    }

    /// Peers that are or may be of use, connected or not yet: idle ones are no reason to stop looking for others.
    #[must_use]
    pub const fn promising_peers(&self) -> usize {
        self.peers.saturating_sub(self.idle_peers) + self.connecting
    }
}

impl<S: Space> Engine<S> {
    /// The torrent as it is now. It costs a look at each peer, and none at the pieces.
    #[must_use]
    pub fn stats(&self, now: Instant) -> Stats {
        let count = |is_counted: &dyn Fn(ConnectionKind) -> bool| {
            let connected = self.peers.connected();
            connected.filter(|(_, peer)| is_counted(peer.kind)).count()
        };
        Stats {
            pieces_have: self.supply.pieces.have().count(),
            pieces_total: self.supply.geometry.piece_count(),
            pieces_wanted: self.supply.wanted,
            pieces_partial: self.supply.pieces.partial_count(),
            bytes_have: self.supply.pieces.verified_bytes(),
            bytes_total: self.supply.geometry.total(),
            bytes_left: self.supply.wanted_bytes,
            downloaded: self.traffic.down.total(),
            uploaded: self.traffic.up.total(),
            wasted: self.traffic.wasted,
            down_rate: self.traffic.down.shown(now),
            up_rate: self.traffic.up.shown(now),
            eta: match self.supply.wanted_bytes {
                0 => None,
                left => self.traffic.down.time_for(now, left),
            },
            is_stalled: self.is_stalled(now),
            peers: self.peers.connections(),
            seeds: self
                .peers
                .connected()
                .filter(|(_, peer)| peer.supply.bits.is_all())
                .count(),
            idle_peers: self.idle_peers(now),
            utp_peers: count(&|kind| kind.transport == Transport::Utp),
            encrypted_peers: count(&|kind| kind.encrypted != Encrypted::Nothing),
            rc4_peers: count(&|kind| kind.encrypted == Encrypted::Everything),
            super_seeding: self.is_super_seeding(),
            connecting: self.membership.candidates.connecting(),
            known_addrs: self.membership.candidates.known(),
        }
    }

    fn is_stalled(&self, now: Instant) -> bool {
        let since = self.peers.iter().map(|(_, peer)| peer.since).min();
        self.supply.wanted_bytes > 0
            && self.traffic.down.is_quiet(now)
            && since.is_some_and(|since| now.saturating_duration_since(since) >= STALLED_AFTER)
    }

    /// Payload bytes received and sent.
    #[must_use]
    pub const fn transferred(&self) -> (u64, u64) {
        (self.traffic.down.total(), self.traffic.up.total())
    }

    /// Everything that blocks come from, as it is now: connected peers and web seeds.
    #[must_use]
    pub fn supplier_stats(&self, now: Instant) -> Vec<SupplierStats> {
        let stats = |peer: &Peer| SupplierStats {
            origin: peer.origin(),
            downloaded: peer.supply.down.total(),
            down_rate: peer.supply.down.shown(now),
            pieces: peer.supply.bits.count(),
            requests: peer.supply.pending.len(),
            pipeline: peer.supply.pipeline.size(),
        };
        self.peers.iter().map(|(_, peer)| stats(peer)).collect()
    }

    /// The connected peers as they are now.
    #[must_use]
    pub fn peer_stats(&self, now: Instant) -> Vec<PeerStats> {
        self.peers
            .connected()
            .map(|(_, peer)| PeerStats {
                addr: peer.addr,
                dial_addr: peer.dial_addr,
                client: peer
                    .client
                    .clone()
                    .or_else(|| tailwater_wire::client_name(&peer.id)),
                downloaded: peer.supply.down.total(),
                uploaded: peer.up.total(),
                down_rate: peer.supply.down.shown(now),
                up_rate: peer.up.shown(now),
                pieces: peer.supply.bits.count(),
                requests: peer.supply.pending.len(),
                window: peer.supply.pipeline.size(),
                kind: peer.kind,
                is_incoming: peer.direction == Direction::Incoming,
                am_choking: peer.am_choking,
                am_interested: peer.am_interested,
                peer_choking: !peer.supply.serves,
                peer_interested: peer.peer_interested,
            })
            .collect()
    }
}
