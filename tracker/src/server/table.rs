//! The peers of one torrent in one address family.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tailwater_types::PeerId;
use tailwater_types::address::AddressCounts;

#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) id: PeerId,
    pub(super) seed: bool,
    pub(super) expires: Instant,
}

/// Peers by address, in an order that only serves to pick them by number.
#[derive(Debug, Default)]
pub(super) struct PeerTable {
    peers: Vec<Peer>,
    places: HashMap<SocketAddr, usize>,
    seeds: usize,
    shares: AddressCounts,
}

impl PeerTable {
    pub(super) const fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) const fn seeds(&self) -> usize {
        self.seeds
    }

    /// How many peers the address has, on different ports, or with others of its /64.
    pub(super) fn of_address(&self, ip: IpAddr) -> usize {
        self.shares.of(ip)
    }

    pub(super) fn get(&self, address: SocketAddr) -> Option<&Peer> {
        self.places.get(&address).map(|place| &self.peers[*place])
    }

    /// Adds a peer or renews the one at its address.
    pub(super) fn insert(&mut self, peer: Peer) {
        self.seeds += usize::from(peer.seed);
        if let Some(&place) = self.places.get(&peer.address) {
            self.seeds -= usize::from(self.peers[place].seed);
            self.peers[place] = peer;
        } else {
            self.shares.add(peer.address.ip());
            self.places.insert(peer.address, self.peers.len());
            self.peers.push(peer);
        }
    }

    /// Whether there was one to remove.
    pub(super) fn remove(&mut self, address: SocketAddr) -> bool {
        let Some(place) = self.places.remove(&address) else {
            return false;
        };
        let removed = self.peers.swap_remove(place);
        self.shares.remove(address.ip());
        self.seeds -= usize::from(removed.seed);
        if let Some(moved) = self.peers.get(place) {
            self.places.insert(moved.address, place);
        }
        true
    }

    /// Removes expired peers, and returns their addresses.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<SocketAddr> {
        let expired = self.peers.iter().filter(|peer| peer.expires <= now);
        let expired: Vec<SocketAddr> = expired.map(|peer| peer.address).collect();
        for address in &expired {
            self.remove(*address);
        }
        expired
    }

    /// Up to `want` random peers other than `asker`, none of them expired.
    pub(super) fn sample(
        &self,
        rng: &mut fastrand::Rng,
        want: usize,
        asker: SocketAddr,
        now: Instant,
    ) -> Vec<Peer> {
        // One more than wanted, as the asker may be among them.
        let places = distinct(rng, self.peers.len(), want.saturating_add(1));
        let peers = places.into_iter().map(|place| self.peers[place]);
        peers
            .filter(|peer| peer.address != asker && peer.expires > now)
            .take(want)
            .collect()
    }
}

/// Up to `count` distinct numbers below `bound`: each subset is equally likely (Floyd's
/// algorithm), in a random order.
fn distinct(rng: &mut fastrand::Rng, bound: usize, count: usize) -> Vec<usize> {
    let count = count.min(bound);
    let mut seen = HashSet::with_capacity(count);
    let mut chosen = Vec::with_capacity(count);
    for last in bound - count..bound {
        let drawn = rng.usize(..=last);
        let number = if seen.contains(&drawn) { last } else { drawn };
        seen.insert(number);
        chosen.push(number);
    }
    rng.shuffle(&mut chosen);
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::origin::origin;

    fn peer(port: u16, seed: bool, expires: Instant) -> Peer {
        Peer {
            address: ([10, 0, 0, 1], port).into(),
            id: PeerId::new([0; 20]),
            seed,
            expires,
        }
    }

    #[test]
    fn a_sample_is_distinct_and_spares_the_asker() {
        let now = origin();
        let later = now + std::time::Duration::from_secs(1);
        let mut table = PeerTable::default();
        (1..=100).for_each(|port| table.insert(peer(port, false, later)));
        let mut rng = fastrand::Rng::with_seed(1);
        let mut seen = HashSet::new();
        for _ in 0..50 {
            let asker = peer(7, false, now).address;
            let sample = table.sample(&mut rng, 20, asker, now);
            let addresses: HashSet<_> = sample.iter().map(|peer| peer.address).collect();
            assert_eq!((sample.len(), addresses.len()), (20, 20));
            assert!(!addresses.contains(&asker));
            seen.extend(addresses);
        }
        assert_eq!(seen.len(), 99, "everybody's turn comes");
    }

    #[test]
    fn a_small_swarm_is_answered_whole() {
        let now = origin();
        let later = now + std::time::Duration::from_secs(1);
        let mut table = PeerTable::default();
        (1..=5).for_each(|port| table.insert(peer(port, false, later)));
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(
            table
                .sample(&mut rng, 50, peer(5, false, now).address, now)
                .len(),
            4
        );
        assert_eq!(
            table
                .sample(&mut rng, 5, peer(99, false, now).address, now)
                .len(),
            5
        );
        assert_eq!(
            table
                .sample(&mut rng, 0, peer(99, false, now).address, now)
                .len(),
            0
        );
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0u8..3, 1u16..8, any::<bool>(), 0u64..4), 0..60)) {
            let start = origin();
            let at = |seconds: u64| start + std::time::Duration::from_secs(seconds);
            let mut table = PeerTable::default();
            let mut model = BTreeMap::new();
            for (step, port, seed, second) in steps {
                let it = peer(port, seed, at(second));
                match step {
                    0 => {
                        table.insert(it);
                        model.insert(it.address, (seed, second));
                    }
                    1 => prop_assert_eq!(table.remove(it.address), model.remove(&it.address).is_some()),
                    _ => {
                        let before = model.len();
                        model.retain(|_, (_, expires)| *expires > second);
                        prop_assert_eq!(table.expire(at(second)).len(), before - model.len());
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.of_address(it.address.ip()), model.len());
                prop_assert_eq!(table.seeds(), model.values().filter(|(seed, _)| *seed).count());
                for (address, (seed, _)) in &model {
                    prop_assert_eq!(table.get(*address).map(|peer| peer.seed), Some(*seed));
                }
            }
        }
    }
}
