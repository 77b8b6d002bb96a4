//! Who may ask how much, and how much may be sent to whom who has not shown that it asked.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::config::NodeLimits;
use crate::address::is_local;

/// How many seconds' worth of queries may come at once.
const QUERY_BURST: u32 = 2;
/// How many seconds' worth of bytes may go at once.
const BYTE_BURST: u32 = 4;
/// Addresses below which it is not worth while to look for those that are idle.
const MIN_SWEEP: usize = 64;

/// A limiter for each address and one for all.
///
/// Each is a time: when what was used will have been paid for at the permitted rate. It may lie ahead by the burst.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: NodeLimits,
    /// Never iterated but to drop the idle ones, so that the order of the map cannot show.
    addresses: HashMap<(IpAddr, u16), Debt>,
    /// What newcomers share while all places are taken.
    overflow: Debt,
    all: Debt,
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Debt {
    queries: Instant,
    bytes: Instant,
}

impl Limiter {
    pub(super) fn new(now: Instant, limits: NodeLimits) -> Self {
        let none = Debt {
            queries: now,
            bytes: now,
        };
        Self {
            limits,
            addresses: HashMap::new(),
            overflow: none,
            all: none,
            sweep_at: MIN_SWEEP.min(limits.addresses),
        }
    }

    /// Whether a query of `from` is answered.
    pub(super) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        let limits = self.limits;
        let of_all = Rate::new(limits.queries, QUERY_BURST);
        let of_one = Rate::new(limits.queries_per_address, QUERY_BURST);
        // First the one, so that a single noisy address does not use up what is for all.
        of_one.pay(now, 1, &mut self.debt(now, from).queries)
            && of_all.pay(now, 1, &mut self.all.queries)
    }

    /// Whether a long answer goes to `to`, which has not shown that it is there.
    pub(super) fn spend(&mut self, now: Instant, to: SocketAddr, bytes: usize) -> bool {
        let limits = self.limits;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let of_all = Rate::new(limits.unproven_bytes, BYTE_BURST);
        let of_one = Rate::new(limits.unproven_bytes_per_address, BYTE_BURST);
        of_one.pay(now, bytes, &mut self.debt(now, to).bytes)
            && of_all.pay(now, bytes, &mut self.all.bytes)
    }

    fn debt(&mut self, now: Instant, addr: SocketAddr) -> &mut Debt {
        let key = key(addr);
        if self.addresses.len() >= self.sweep_at && !self.addresses.contains_key(&key) {
            self.addresses
                .retain(|_, debt| debt.queries > now || debt.bytes > now);
            let doubled = self.addresses.len().saturating_mul(2);
            self.sweep_at = doubled.max(MIN_SWEEP).min(self.limits.addresses);
            if self.addresses.len() >= self.limits.addresses {
                return &mut self.overflow;
            }
        }
        self.addresses.entry(key).or_insert(Debt {
            queries: now,
            bytes: now,
        })
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
        places * size_of::<((IpAddr, u16), Debt)>()
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

struct Rate {
    cost: Duration,
    burst: Duration,
}

impl Rate {
    fn new(per_second: u32, burst_secs: u32) -> Self {
        let cost = Duration::from_secs(1).checked_div(per_second);
        Self {
            // A rate of nothing permits nothing.
            cost: cost.unwrap_or(Duration::MAX),
            burst: Duration::from_secs(burst_secs.into()),
        }
    }

    fn pay(&self, now: Instant, amount: u32, paid_at: &mut Instant) -> bool {
        let cost = self.cost.checked_mul(amount);
        let begin = (*paid_at).max(now);
        let Some(end) = cost.and_then(|cost| begin.checked_add(cost)) else {
            return false;
        };
        let is_within = end.saturating_duration_since(now) <= self.burst;
        if is_within {
            *paid_at = end;
        }
        is_within
    }
}
