//! Rate limiter: token buckets on queries, and on answers to addresses that have not proved that they receive them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};

use super::config::NodeLimits;
use crate::address::is_local;

/// Burst of a query bucket, as time: it holds what the rate allows in this long.
const QUERY_BURST: Duration = Duration::from_secs(2);
/// Burst of a byte bucket, as time: it holds what the rate allows in this long.
const BYTE_BURST: Duration = Duration::from_secs(4);
/// Below this many addresses, idle ones are not removed.
const MIN_SWEEP: usize = 64;

/// Token buckets for each address, and for all addresses together.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: NodeLimits,
    /// Never iterated but to drop the idle ones, so that the order of the map cannot show.
    addresses: HashMap<(IpAddr, u16), Buckets>,
    /// The buckets that new addresses share while the map is full.
    overflow: Buckets,
    all: Buckets,
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    queries: TokenBucket,
    bytes: TokenBucket,
}

impl Limiter {
    pub(super) fn new(limits: NodeLimits) -> Self {
        Self {
            limits,
            addresses: HashMap::new(),
            overflow: Buckets::default(),
            all: Buckets::default(),
            sweep_at: MIN_SWEEP.min(limits.addresses),
        }
    }

    /// Whether a query of `from` is answered.
    pub(super) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        let limits = self.limits;
        let of_all = Rate::per_second(limits.queries.into(), QUERY_BURST);
        let of_one = Rate::per_second(limits.queries_per_address.into(), QUERY_BURST);
        // The address's own bucket first, so that a single noisy address does not drain the common one.
        self.buckets(now, from).queries.take(now, of_one, 1)
            && self.all.queries.take(now, of_all, 1)
    }

    /// Whether a long answer may go to `to`, which has not proved that it receives datagrams.
    pub(super) fn spend(&mut self, now: Instant, to: SocketAddr, bytes: usize) -> bool {
        let limits = self.limits;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let of_all = Rate::per_second(limits.unproven_bytes.into(), BYTE_BURST);
        let of_one = Rate::per_second(limits.unproven_bytes_per_address.into(), BYTE_BURST);
        self.buckets(now, to).bytes.take(now, of_one, bytes)
            && self.all.bytes.take(now, of_all, bytes)
    }

    fn buckets(&mut self, now: Instant, addr: SocketAddr) -> &mut Buckets {
        let key = key(addr);
        if self.addresses.len() >= self.sweep_at && !self.addresses.contains_key(&key) {
            self.addresses
                .retain(|_, buckets| !(buckets.queries.is_full(now) && buckets.bytes.is_full(now)));
            let doubled = self.addresses.len().saturating_mul(2);
            self.sweep_at = doubled.max(MIN_SWEEP).min(self.limits.addresses);
            if self.addresses.len() >= self.limits.addresses {
                return &mut self.overflow;
            }
        }
        self.addresses.entry(key).or_default()
    }

    pub(super) fn check_invariants(&self) {
        assert!(
            self.addresses.len() <= self.limits.addresses.max(1),
            "addresses"
        );
    }

    pub(super) fn heap_bytes(&self) -> usize {
        // Not the capacity: with entries removed it depends on how their hashes fell, and so would a simulation's report.
        let places = self.addresses.len().next_power_of_two();
        places * size_of::<((IpAddr, u16), Buckets)>()
    }
}

/// Neighbours in a /64 are one subscriber; those in a local network are told apart by their ports too.
fn key(addr: SocketAddr) -> (IpAddr, u16) {
    match addr.ip() {
        ip if is_local(ip) => (ip, addr.port()),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            (IpAddr::V6(network.into()), 0)
        }
        ip => (ip, 0),
    }
}
