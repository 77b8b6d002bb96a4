//! Token buckets on queries, and on answers to addresses that have not shown that they receive them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::config::NodeLimits;
use crate::address::is_local;
use crate::pacing::{Rate, TokenBucket};

/// How many seconds' worth of queries may come at once.
const QUERY_BURST: u32 = 2;
/// How many seconds' worth of bytes may go at once.
const BYTE_BURST: u32 = 4;
/// Below this many addresses, idle ones are not looked for.
const MIN_SWEEP: usize = 64;

/// Token buckets for each address, and for all addresses together.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: NodeLimits,
    /// Never iterated but to drop the idle ones, so that the order of the map cannot show.
    addresses: HashMap<(IpAddr, u16), Buckets>,
    /// What newcomers share while all places are taken.
    overflow: Buckets,
    all: Buckets,
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Buckets {
    queries: TokenBucket,
    bytes: TokenBucket,
}

impl Buckets {
    const fn new(now: Instant) -> Self {
        Self {
            queries: TokenBucket::new(now),
            bytes: TokenBucket::new(now),
        }
    }
}

impl Limiter {
    pub(super) fn new(now: Instant, limits: NodeLimits) -> Self {
        Self {
            limits,
            addresses: HashMap::new(),
            overflow: Buckets::new(now),
            all: Buckets::new(now),
            sweep_at: MIN_SWEEP.min(limits.addresses),
        }
    }

    /// Whether a query of `from` is answered.
    pub(super) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        let limits = self.limits;
        let of_all = Rate::new(limits.queries, QUERY_BURST);
        let of_one = Rate::new(limits.queries_per_address, QUERY_BURST);
        // First the one, so that a single noisy address does not use up what is for all.
        self.buckets(now, from).queries.try_take(now, of_one, 1)
            && self.all.queries.try_take(now, of_all, 1)
    }

    /// Whether a long answer goes to `to`, which has not shown that it is there.
    pub(super) fn spend(&mut self, now: Instant, to: SocketAddr, bytes: usize) -> bool {
        let limits = self.limits;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let of_all = Rate::new(limits.unproven_bytes, BYTE_BURST);
        let of_one = Rate::new(limits.unproven_bytes_per_address, BYTE_BURST);
        self.buckets(now, to).bytes.try_take(now, of_one, bytes)
            && self.all.bytes.try_take(now, of_all, bytes)
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
        self.addresses.entry(key).or_insert(Buckets::new(now))
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
