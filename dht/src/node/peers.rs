//! The store of peers that others have announced.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;
use tailwater_types::address::{AddressCounts, AddressGroup, AddressShare};

use super::config::NodeLimits;
use super::random::Random;
use crate::address::is_local;
use crate::{Samples, ScrapeFilters};

/// How long a peer is kept after its last announce. Clients announce every 15 minutes or more often.
pub const PEER_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// The `interval` of BEP 51, in seconds, before which an indexer should not ask this node again. Samples are drawn anew
/// for each query; the interval is there to slow down indexers.
const SAMPLE_INTERVAL_SECS: u16 = 600;
/// The most info-hashes in one answer.
const MAX_SAMPLES_SENT: usize = 20;

#[derive(Debug)]
pub(super) struct PeerStore {
    torrents: BTreeMap<InfoHash, Vec<Peer>>,
    count: usize,
    torrents_limit: usize,
    peers_limit: usize,
    per_torrent: usize,
    torrent_share: AddressShare,
    share: AddressShare,
    /// How many of the peers each address is.
    of_address: AddressCounts,
    expire_at: Option<Instant>,
}

/// A stored peer. One for each address, so that none is counted twice (BEP 33); in a local network one for each address
/// and port, as a machine there may run several.
#[derive(Clone, Copy, Debug)]
struct Peer {
    addr: SocketAddr,
    is_seed: bool,
    announced: Instant,
}

/// The place at which a peer is stored.
enum Place {
    Free,
    /// In the place of another of its torrent.
    Of(usize),
    Denied,
}

impl PeerStore {
    pub(super) fn new(limits: &NodeLimits) -> Self {
        Self {
            torrents: BTreeMap::new(),
            count: 0,
            torrents_limit: limits.torrents,
            peers_limit: limits.peers,
            per_torrent: limits.peers_per_torrent,
            torrent_share: limits.torrent_peers_per_address,
            share: limits.peers_per_address,
            of_address: AddressCounts::new(),
            expire_at: None,
        }
    }

    pub(super) fn announce(&mut self, now: Instant, hash: InfoHash, addr: SocketAddr, seed: bool) {
        match self.place(&hash, addr) {
            Place::Denied => return,
            Place::Free => {}
            Place::Of(at) => self.remove(&hash, at),
        }
        if !self.torrents.contains_key(&hash) && self.torrents.len() >= self.torrents_limit {
            self.drop_stalest();
        }
        let fresh = Peer {
            addr,
            is_seed: seed,
            announced: now,
        };
        // The most recent is at the end.
        self.torrents.entry(hash).or_default().push(fresh);
        self.count += 1;
        self.of_address.add(addr.ip());
        self.expire_at = self.expire_at.or_else(|| now.checked_add(PEER_LIFETIME));
    }

    /// Finds a place for a peer of a torrent.
    fn place(&self, hash: &InfoHash, addr: SocketAddr) -> Place {
        let peers = self.torrents.get(hash).map_or(&[][..], Vec::as_slice);
        let ip = addr.ip();
        let is_same = |peer: &Peer| match is_local(ip) {
            true => peer.addr == addr,
            false => peer.addr.ip() == ip,
        };
        if let Some(at) = peers.iter().position(is_same) {
            return Place::Of(at);
        }
        let group = AddressGroup::of(ip);
        let mut own = peers
            .iter()
            .enumerate()
            .filter(|(_, peer)| AddressGroup::of(peer.addr.ip()) == group);
        let oldest = own.next().map(|(at, _)| at);
        let own = usize::from(oldest.is_some()) + own.count();
        if own >= self.torrent_share.of(ip) {
            return oldest.map_or(Place::Denied, Place::Of);
        }
        if self.of_address.of(ip) >= self.share.of(ip) {
            return Place::Denied;
        }
        if peers.len() >= self.per_torrent {
            return if peers.is_empty() {
                Place::Denied
            } else {
                Place::Of(0)
            };
        }
        match self.count >= self.peers_limit || self.torrents_limit == 0 {
            true => Place::Denied,
            false => Place::Free,
        }
    }

    fn remove(&mut self, hash: &InfoHash, at: usize) {
        let Some(peers) = self.torrents.get_mut(hash) else {
            return;
        };
        let gone = peers.remove(at);
        if peers.is_empty() {
            self.torrents.remove(hash);
        }
        self.count -= 1;
        self.of_address.remove(gone.addr.ip());
    }

    /// Up to `most` peers, chosen at random each time; with `no_seed`, peers that are not seeds come first.
    pub(super) fn values(
        &self,
        random: &mut Random,
        hash: &InfoHash,
        most: usize,
        no_seed: bool,
    ) -> Vec<SocketAddr> {
        let Some(peers) = self.torrents.get(hash) else {
            return Vec::new();
        };
        let start = if peers.len() > most {
            random.below(peers.len())
        } else {
            0
        };
        let (before, after) = peers.split_at(start);
        let all = || after.iter().chain(before);
        if !no_seed {
            return all().take(most).map(|peer| peer.addr).collect();
        }
        let leeches = all().filter(|peer| !peer.is_seed);
        let seeds = all().filter(|peer| peer.is_seed);
        leeches
            .chain(seeds)
            .take(most)
            .map(|peer| peer.addr)
            .collect()
    }

    pub(super) fn filters(&self, hash: &InfoHash) -> Option<ScrapeFilters> {
        let peers = self.torrents.get(hash)?;
        let mut filters = ScrapeFilters::default();
        for peer in peers {
            let filter = if peer.is_seed {
                &mut filters.seeds
            } else {
                &mut filters.peers
            };
            filter.insert(peer.addr.ip());
        }
        Some(filters)
    }

    pub(super) fn samples(&self, random: &mut Random) -> Samples {
        let len = self.torrents.len();
        let start = if len > MAX_SAMPLES_SENT {
            random.below(len)
        } else {
            0
        };
        let from_start = self.torrents.keys().skip(start);
        let samples = from_start.chain(self.torrents.keys().take(start));
        Samples {
            interval_secs: SAMPLE_INTERVAL_SECS,
            stored: i64::try_from(len).unwrap_or(i64::MAX),
            info_hashes: samples.take(MAX_SAMPLES_SENT).copied().collect(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.expire_at.is_none_or(|at| at > now) {
            return;
        }
        let is_young = |peer: &Peer| now.saturating_duration_since(peer.announced) < PEER_LIFETIME;
        let of_address = &mut self.of_address;
        self.torrents.retain(|_, peers| {
            for gone in peers.iter().filter(|peer| !is_young(peer)) {
                of_address.remove(gone.addr.ip());
            }
            peers.retain(is_young);
            !peers.is_empty()
        });
        self.count = self.torrents.values().map(Vec::len).sum();
        let oldest = self.torrents.values().filter_map(|peers| peers.first());
        let oldest = oldest.map(|peer| peer.announced).min();
        self.expire_at = oldest.and_then(|announced| announced.checked_add(PEER_LIFETIME));
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.expire_at
    }

    pub(super) fn torrents(&self) -> usize {
        self.torrents.len()
    }

    pub(super) const fn peers(&self) -> usize {
        self.count
    }

    fn drop_stalest(&mut self) {
        let announced = |peers: &Vec<Peer>| peers.last().map(|peer| peer.announced);
        let stalest = self
            .torrents
            .iter()
            .min_by_key(|(_, peers)| announced(peers));
        let stalest = stalest.map(|(hash, _)| *hash);
        for gone in stalest
            .and_then(|hash| self.torrents.remove(&hash))
            .unwrap_or_default()
        {
            self.count -= 1;
            self.of_address.remove(gone.addr.ip());
        }
    }

    pub(super) fn check_invariants(&self) {
        let count: usize = self.torrents.values().map(Vec::len).sum();
        assert_eq!(count, self.count, "peers are counted");
        assert!(count <= self.peers_limit && self.torrents.len() <= self.torrents_limit);
        assert_eq!(self.of_address.total(), count, "shares are counted");
        for peers in self.torrents.values() {
            assert!(
                (1..=self.per_torrent).contains(&peers.len()),
                "peers of a torrent"
            );
        }
        assert!(count == 0 || self.expire_at.is_some(), "peers for ever");
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let peers: usize = self.torrents.values().map(Vec::capacity).sum();
        peers * size_of::<Peer>()
            + self.torrents.len() * 2 * size_of::<(InfoHash, Vec<Peer>)>()
            + self.of_address.groups() * 2 * size_of::<(AddressGroup, usize)>()
    }
}
