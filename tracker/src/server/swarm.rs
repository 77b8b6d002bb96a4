//! The swarms: the tracker's state, without sockets or a clock.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::address::AddressCounts;
use tailwater_types::{InfoHash, PeerId};

use super::config::SwarmLimits;
use super::table::{Peer, PeerTable};
use crate::announce::{AnnounceRequest, AnnounceResponse, Event};
use crate::schedule::after;
use crate::scrape::{ScrapeResponse, ScrapeStats};

/// The answer to one announce.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwarmAnswer {
    /// The response for the peer.
    pub response: AnnounceResponse,
    /// The ids of the peers in `response.peers`, in their order.
    pub peer_ids: Vec<PeerId>,
}

/// The tracker has as many torrents as [`SwarmLimits::max_torrents`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tracker is full: it serves {limit} torrents")]
pub struct SwarmsFull {
    /// The limit.
    pub limit: usize,
}

/// The swarms of a tracker: a state machine.
///
/// A peer is an address and port. It is forgotten when it sends `stopped`, or when it has not announced for twice the
/// interval.
#[derive(Debug)]
pub struct Swarms {
    limits: SwarmLimits,
    interval: Duration,
    rng: fastrand::Rng,
    torrents: HashMap<InfoHash, Torrent>,
    peers: usize,
    /// The shares of addresses over all torrents.
    shares: AddressCounts,
    next_sweep: Option<Instant>,
}

#[derive(Debug, Default)]
struct Torrent {
    v4: PeerTable,
    v6: PeerTable,
    /// Forgotten with the last peer, so that an idle torrent takes no memory.
    completed: u32,
}

impl Torrent {
    const fn table(&mut self, address: IpAddr) -> &mut PeerTable {
        match address {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }

    const fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    fn stats(&self) -> ScrapeStats {
        let seeds = self.v4.seeds() + self.v6.seeds();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        ScrapeStats {
            seeders: count(seeds),
            leechers: count(self.len() - seeds),
            completed: self.completed,
        }
    }
}

impl Swarms {
    /// No torrents yet. Peers are told to announce every `interval`; `seed` picks which peers an answer names.
    #[must_use]
    pub fn new(interval: Duration, limits: SwarmLimits, seed: u64) -> Self {
        Self {
            limits,
            interval,
            rng: fastrand::Rng::with_seed(seed),
            torrents: HashMap::new(),
            peers: 0,
            shares: AddressCounts::new(),
            next_sweep: None,
        }
    }

    /// Handles an announce of a peer at `from`. With `both_families`, its answer has peers of the other address family
    /// too, as far as there is room.
    ///
    /// The peer's address is the one that the announce came from: an address inside the request would let any client
    /// send the swarm to a victim (BEP 7).
    ///
    /// # Errors
    ///
    /// [`SwarmsFull`] if the torrent is new and there is no room for it.
    pub fn handle_announce(
        &mut self,
        now: Instant,
        from: IpAddr,
        request: &AnnounceRequest,
        both_families: bool,
    ) -> Result<SwarmAnswer, SwarmsFull> {
        self.next_sweep.get_or_insert(after(now, self.interval));
        let from = from.to_canonical();
        let asker = SocketAddr::new(from, request.port);
        let stopped = request.event == Some(Event::Stopped);
        let limit = self.limits.max_torrents;
        if !stopped
            && self.torrents.len() >= limit
            && !self.torrents.contains_key(&request.info_hash)
        {
            return Err(SwarmsFull { limit });
        }
        let mut sample = Vec::new();
        let mut stats = ScrapeStats::default();
        if stopped {
            self.remove(request.info_hash, asker);
        } else {
            self.register(now, asker, request);
        }
        if let Some(torrent) = self.torrents.get_mut(&request.info_hash) {
            stats = torrent.stats();
            let want = if stopped {
                0
            } else {
                self.limits.answer_len(request.num_want)
            };
            sample = torrent.table(from).sample(&mut self.rng, want, asker, now);
            if both_families {
                let other = if from.is_ipv4() {
                    &torrent.v6
                } else {
                    &torrent.v4
                };
                sample.extend(other.sample(&mut self.rng, want - sample.len(), asker, now));
            }
        }
        let mut response = AnnounceResponse::new(self.interval);
        response.seeders = Some(stats.seeders);
        response.leechers = Some(stats.leechers);
        response.external_ip = Some(from);
        response.peers = sample.iter().map(|peer| peer.address).collect();
        Ok(SwarmAnswer {
            response,
            peer_ids: sample.iter().map(|peer| peer.id).collect(),
        })
    }

    /// The counts of those of the torrents that have peers.
    #[must_use]
    pub fn scrape(&self, info_hashes: &[InfoHash]) -> ScrapeResponse {
        let known = info_hashes
            .iter()
            .filter_map(|hash| Some((*hash, self.torrents.get(hash)?.stats())));
        ScrapeResponse::new(known.collect())
    }

    /// Time passed: forgets peers that were silent for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        for torrent in self.torrents.values_mut() {
            let expired = [torrent.v4.expire(now), torrent.v6.expire(now)].concat();
            self.peers -= expired.len();
            for address in expired {
                self.shares.remove(address.ip());
            }
        }
        self.torrents.retain(|_, torrent| torrent.len() > 0);
        self.next_sweep = (!self.torrents.is_empty()).then(|| after(now, self.interval));
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.next_sweep
    }

    /// Torrents that have peers.
    #[must_use]
    pub fn torrent_count(&self) -> usize {
        self.torrents.len()
    }

    /// Peers that have all of their torrent, over all torrents. Takes time proportional to the number of torrents.
    #[must_use]
    pub fn seeder_count(&self) -> usize {
        let torrents = self.torrents.values();
        torrents
            .map(|torrent| torrent.v4.seeds() + torrent.v6.seeds())
            .sum()
    }

    /// Torrents with their numbers, the first `most` of them by info-hash.
    #[must_use]
    pub fn list(&self, most: usize) -> Vec<(InfoHash, ScrapeStats)> {
        let mut hashes: Vec<_> = self.torrents.keys().copied().collect();
        hashes.sort_unstable();
        hashes.truncate(most);
        let stats = |hash: InfoHash| Some((hash, self.torrents.get(&hash)?.stats()));
        hashes.into_iter().filter_map(stats).collect()
    }

    /// Peers of all torrents.
    #[must_use]
    pub const fn peer_count(&self) -> usize {
        self.peers
    }

    fn register(&mut self, now: Instant, asker: SocketAddr, request: &AnnounceRequest) {
        // BEP 3 has no peer that cannot be connected to.
        if request.port == 0 {
            return;
        }
        let ip = asker.ip();
        let all_full = self.peers >= self.limits.max_peers
            || self.shares.of(ip) >= self.limits.peers_per_address.of(ip);
        let per_torrent = self.limits.max_peers_per_torrent;
        let of_address = self.limits.torrent_peers_per_address.of(ip);
        let known = self.torrents.get(&request.info_hash);
        if known.is_none() && (all_full || per_torrent == 0 || of_address == 0) {
            return;
        }
        let torrent = self.torrents.entry(request.info_hash).or_default();
        let table = torrent.table(ip);
        let before = table.get(asker).map(|peer| peer.seed);
        let is_full = all_full || table.len() >= per_torrent || table.of_address(ip) >= of_address;
        if before.is_none() && is_full {
            return;
        }
        let seed = request.left == 0;
        let expires = after(now, self.interval.saturating_mul(2));
        table.insert(Peer {
            address: asker,
            id: request.peer_id,
            seed,
            expires,
        });
        if before.is_none() {
            self.peers += 1;
            self.shares.add(ip);
        }
        // Only a peer that was known as incomplete can have completed.
        if request.event == Some(Event::Completed) && before == Some(false) && seed {
            torrent.completed = torrent.completed.saturating_add(1);
        }
    }

    fn remove(&mut self, info_hash: InfoHash, asker: SocketAddr) {
        let Some(torrent) = self.torrents.get_mut(&info_hash) else {
            return;
        };
        if torrent.table(asker.ip()).remove(asker) {
            self.peers -= 1;
            self.shares.remove(asker.ip());
        }
        if torrent.len() == 0 {
            self.torrents.remove(&info_hash);
        }
    }
}
