//! The state of a node in one of the two networks, IPv4 or IPv6 (BEP 32).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::pacing::Backoff;

use super::Family;
use super::config::{Config, NodeLimits};
use super::peers::PeerStore;
use super::random::Random;
use super::rtt::Rtt;
use super::vote::Vote;
use crate::{BUCKET_SIZE, NodeId, NodeInfo, RoutingTable};

/// Back-off between bootstrap attempts while no known node answers: a network that comes back is found within five
/// minutes.
pub(crate) const BOOTSTRAP_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(5), Duration::from_secs(5 * 60));

/// The most hints: nodes from the previous run, or named by a bootstrap node, which have not answered yet.
pub const MAX_HINTS: usize = 256;
/// The most addresses that wait to be pinged.
pub const MAX_GREETINGS: usize = 128;
/// The most addresses of bootstrap nodes that are remembered. Beyond it the one learnt longest ago goes: a name's addresses
/// change.
pub const MAX_BOOTSTRAP_ADDRS: usize = 64;
/// Head start of the nodes from the previous run over the bootstrap addresses.
const WARM_START: Duration = Duration::from_secs(2);

/// The node in one network: its id there, its table, its view of itself.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) family: Family,
    /// When it was created: due time of what has no time of its own, as it is always in the past.
    pub(super) created: Instant,
    pub(super) table: RoutingTable,
    pub(super) peers: PeerStore,
    pub(super) vote: Vote,
    pub(super) rtt: Rtt,
    /// Nodes that have not answered yet, but are likely to.
    pub(super) hints: Vec<NodeInfo>,
    /// Addresses that wait to be pinged.
    pub(super) greetings: VecDeque<(SocketAddr, Option<NodeId>)>,
    pub(super) bootstrap: VecDeque<SocketAddr>,
    pub(super) bootstrap_at: Option<Instant>,
    /// Between two attempts to find a first node.
    backoff: Backoff,
    /// The lookup of its own id, and one that refreshes.
    pub(super) own_lookup: Option<u64>,
    pub(super) refresh: Option<u64>,
    /// The next bucket to fill after the start; none is left from the table's last one on.
    pub(super) fill: usize,
    pub(super) has_neighbours: bool,
    /// When the table needs maintenance next; too early does no harm.
    pub(super) table_due: Option<Instant>,
}

impl Side {
    pub(super) fn new(now: Instant, family: Family, config: &Config, random: &mut Random) -> Self {
        let external = config.external[family.index()];
        let id = config.ids[family.index()].unwrap_or_else(|| random.id());
        let id = external.map_or(id, |ip| fitting(id, ip, random));
        let of_family = |node: &NodeInfo| Family::of(&node.addr) == family && node.id != id;
        let hints: Vec<_> = config
            .nodes
            .iter()
            .copied()
            .filter(of_family)
            .take(MAX_HINTS)
            .collect();
        let bootstrap = config.bootstrap.iter().copied();
        let bootstrap = bootstrap
            .filter(|addr| Family::of(addr) == family)
            .take(MAX_BOOTSTRAP_ADDRS)
            .collect();
        let head_start = if hints.is_empty() {
            Duration::ZERO
        } else {
            WARM_START
        };
        Self {
            family,
            created: now,
            table: RoutingTable::new(id, now),
            peers: PeerStore::new(&config.limits),
            vote: Vote::new(external),
            rtt: Rtt::default(),
            greetings: hints
                .iter()
                .map(|node| (node.addr, Some(node.id)))
                .take(MAX_GREETINGS)
                .collect(),
            hints,
            bootstrap,
            bootstrap_at: now.checked_add(head_start),
            backoff: BOOTSTRAP_BACKOFF,
            own_lookup: None,
            refresh: None,
            fill: usize::MAX,
            has_neighbours: false,
            table_due: Some(now),
        }
    }

    pub(super) const fn id(&self) -> NodeId {
        *self.table.own_id()
    }

    /// The nodes to begin a lookup with: those in the table and those from the previous run; if all in the table are
    /// bad, those too, as it may have been our own connection that failed.
    pub(super) fn seeds(&self, target: &NodeId) -> Vec<NodeInfo> {
        let mut seeds = self.table.closest(target, 2 * BUCKET_SIZE);
        let mut others = self.hints.clone();
        if seeds.is_empty() {
            others.extend(self.table.iter().map(crate::Entry::node));
        }
        others.sort_by_key(|node| node.id.distance(target));
        others.truncate(2 * BUCKET_SIZE);
        seeds.extend(others);
        seeds
    }

    /// Remembers a node that has not answered yet.
    pub(super) fn hint(&mut self, node: NodeInfo) {
        if self.hints.len() < MAX_HINTS && !self.hints.contains(&node) {
            self.hints.push(node);
        }
    }

    pub(super) fn greet(&mut self, addr: SocketAddr, id: Option<NodeId>) {
        if self.may_greet(&addr) {
            self.greetings.push_back((addr, id));
        }
    }

    /// Whether there is a place in the queue, and the address is not in it.
    pub(super) fn may_greet(&self, addr: &SocketAddr) -> bool {
        let mut waiting = self.greetings.iter();
        self.greetings.len() < MAX_GREETINGS && !waiting.any(|(other, _)| other == addr)
    }

    /// Too few nodes to find others by.
    pub(super) fn is_lonely(&self) -> bool {
        let mut live = self.table.iter().filter(|entry| !entry.is_bad());
        live.nth(BUCKET_SIZE / 2).is_none()
    }

    /// Whether the address is new.
    pub(super) fn add_bootstrap(&mut self, addr: SocketAddr) -> bool {
        if self.bootstrap.contains(&addr) {
            return false;
        }
        if self.bootstrap.len() == MAX_BOOTSTRAP_ADDRS {
            self.bootstrap.pop_front();
        }
        self.bootstrap.push_back(addr);
        true
    }

    /// Postpones the next attempt.
    pub(super) fn on_bootstrap(&mut self, now: Instant) {
        self.bootstrap_at = now.checked_add(self.backoff.next_pause());
    }

    pub(super) const fn on_neighbours(&mut self) {
        self.backoff.reset();
    }

    /// The table has changed: maintain it sooner than it had asked for.
    pub(super) fn table_changed(&mut self) {
        self.table_due = self.table.poll_timeout();
    }

    /// Changes to an id that is valid for `ip`.
    pub(super) fn move_to(&mut self, now: Instant, ip: IpAddr, random: &mut Random) -> bool {
        let id = fitting(self.id(), ip, random);
        if id == self.id() {
            return false;
        }
        self.table = self.table.rearranged(id, now);
        self.table_changed();
        true
    }

    pub(super) fn check_invariants(&self, limits: &NodeLimits) {
        self.table.check_invariants();
        self.peers.check_invariants();
        assert!(self.hints.len() <= MAX_HINTS && self.greetings.len() <= MAX_GREETINGS);
        assert!(self.bootstrap.len() <= MAX_BOOTSTRAP_ADDRS);
        let mut nodes = self.table.iter().chain(self.table.spares());
        assert!(
            nodes.all(|entry| Family::of(&entry.node().addr) == self.family),
            "family"
        );
        assert!(self.peers.torrents() <= limits.torrents, "torrents");
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes()
            + self.peers.heap_bytes()
            + self.hints.capacity() * size_of::<NodeInfo>()
            + self.greetings.capacity() * size_of::<(SocketAddr, Option<NodeId>)>()
    }
}

/// The id itself if it may be had at `ip`, else one made for it.
fn fitting(id: NodeId, ip: IpAddr, random: &mut Random) -> NodeId {
    if id.is_valid_for(ip) {
        return id;
    }
    NodeId::for_ip(ip, random.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_comes_back_is_found_within_five_minutes() {
        let mut backoff = BOOTSTRAP_BACKOFF;
        let pauses = [(); 8].map(|()| backoff.next_pause().as_secs());
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), Duration::from_secs(5));
    }
}
