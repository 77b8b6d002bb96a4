//! The candidates that may be dialled now, in order: hosts take turns.
//!
//! The host with the fewest connections and attempts is next, whatever the number of its addresses, so that a thousand
//! ports of one host do not keep another waiting.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::torrent::membership::host::Host;
use crate::torrent::membership::source::PeerSource;

/// Ports below this belong to other services than peers; they are tried when nothing else is left.
const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;

/// The most connections with one host, by scope. One with an address on the internet, as in other clients; more on a
/// local network, where several hosts may be behind a router; any number with a loopback address, within the torrent's
/// limit.
const MAX_CONNECTIONS: [usize; 3] = [1, 8, usize::MAX];
/// The most dials under way to one host, by scope. A host that does not answer costs one of the torrent's 32 for 10 s.
const MAX_ATTEMPTS: [usize; 3] = [1, 4, 16];
/// The most candidates of one host, by scope: it has one port, and former ones until they are forgotten.
const MAX_ADDRS: [usize; 3] = [8, 64, 500];

impl Host {
    /// The most connections with this host.
    pub(crate) fn max_connections(self) -> usize {
        let [global, local, loopback] = MAX_CONNECTIONS;
        self.by_scope(global, local, loopback)
    }

    fn max_attempts(self) -> usize {
        let [global, local, loopback] = MAX_ATTEMPTS;
        self.by_scope(global, local, loopback)
    }

    /// The most candidates of this host.
    pub(crate) fn max_addrs(self) -> usize {
        let [global, local, loopback] = MAX_ADDRS;
        self.by_scope(global, local, loopback)
    }
}

pub(crate) const fn is_privileged(addr: &SocketAddr) -> bool {
    addr.port() < FIRST_UNPRIVILEGED_PORT
}

/// The owner of a turn: the host of an address or, if it was named by hand, the address itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Named(SocketAddr),
    Host(Host),
}

impl Owner {
    pub(crate) fn of(addr: SocketAddr, source: PeerSource) -> Self {
        match source.is_named() {
            true => Self::Named(addr),
            false => Self::Host(Host::of(addr.ip())),
        }
    }
}

/// The place of an address among the others of its owner. The priority (BEP 40) decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) is_last_resort: bool,
    pub(crate) failures: u32,
    pub(crate) source: PeerSource,
    pub(crate) priority: Reverse<u32>,
    pub(crate) addr: SocketAddr,
}

/// The load of an owner: the connections and dials that it has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    /// The number of connections and attempts.
    Open(usize),
    /// No more may be added.
    Full,
}

#[derive(Debug, Default)]
struct Queue {
    due: BTreeSet<Turn>,
    /// Addresses remembered, due or not.
    known: usize,
    attempts: usize,
    connections: usize,
}

impl Queue {
    fn load(&self, owner: Owner) -> Load {
        let Owner::Host(host) = owner else {
            return Load::Open(0);
        };
        let load = self.attempts + self.connections;
        match self.attempts >= host.max_attempts() || load >= host.max_connections() {
            true => Load::Full,
            false => Load::Open(load),
        }
    }

    fn is_empty(&self) -> bool {
        self.known + self.attempts + self.connections == 0 && self.due.is_empty()
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: BTreeMap<Owner, Queue>,
    /// The first turn of each owner that has any.
    order: BTreeSet<(Load, Turn, Owner)>,
}

impl Turns {
    /// The address to be tried next, if any may be.
    pub(crate) fn first(&self) -> Option<SocketAddr> {
        let (load, turn, _) = self.order.first()?;
        (*load != Load::Full).then_some(turn.addr)
    }

    /// The one that would be tried last.
    pub(crate) fn last(&self) -> Option<SocketAddr> {
        let (.., owner) = self.order.last()?;
        Some(self.queues.get(owner)?.due.last()?.addr)
    }

    pub(crate) fn insert(&mut self, turn: Turn) {
        self.change(Owner::of(turn.addr, turn.source), |queue| {
            queue.due.insert(turn);
        });
    }

    pub(crate) fn remove(&mut self, turn: &Turn) {
        self.change(Owner::of(turn.addr, turn.source), |queue| {
            queue.due.remove(turn);
        });
    }

    /// Takes all of them out.
    pub(crate) fn take_all(&mut self) -> Vec<Turn> {
        self.order.clear();
        let queues = self.queues.values_mut();
        queues
            .flat_map(|queue| std::mem::take(&mut queue.due))
            .collect()
    }

    /// Counts one more or less of an owner's addresses as remembered.
    pub(crate) fn count_known(&mut self, owner: Owner, is_more: bool) {
        self.change(owner, |queue| count(&mut queue.known, is_more));
    }

    /// Counts one more or less of an owner's addresses as being dialled.
    pub(crate) fn count_attempt(&mut self, owner: Owner, is_more: bool) {
        self.change(owner, |queue| count(&mut queue.attempts, is_more));
    }

    /// A host has one connection more or less.
    pub(crate) fn count_connection(&mut self, host: Host, is_more: bool) {
        self.change(Owner::Host(host), |queue| {
            count(&mut queue.connections, is_more);
        });
    }

    /// The connections that a host has.
    pub(crate) fn connections(&self, host: Host) -> usize {
        let queue = self.queues.get(&Owner::Host(host));
        queue.map_or(0, |queue| queue.connections)
    }

    /// The addresses of a host that are remembered.
    pub(crate) fn known(&self, host: Host) -> usize {
        let queue = self.queues.get(&Owner::Host(host));
        queue.map_or(0, |queue| queue.known)
    }

    /// Whether an owner may have one more connection or attempt.
    pub(crate) fn is_open(&self, owner: Owner) -> bool {
        let queue = self.queues.get(&owner);
        queue.is_none_or(|queue| queue.load(owner) != Load::Full)
    }

    fn change(&mut self, owner: Owner, change: impl FnOnce(&mut Queue)) {
        let queue = self.queues.entry(owner).or_default();
        let place = |queue: &Queue| {
            let first = queue.due.first();
            first.map(|turn| (queue.load(owner), *turn, owner))
        };
        let before = place(queue);
        change(queue);
        let after = place(queue);
        if queue.is_empty() {
            self.queues.remove(&owner);
        }
        if before != after {
            before.map(|place| self.order.remove(&place));
            self.order.extend(after);
        }
    }

    pub(crate) fn contains(&self, turn: &Turn) -> bool {
        let queue = self.queues.get(&Owner::of(turn.addr, turn.source));
        queue.is_some_and(|queue| queue.due.contains(turn))
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.due.len()).sum()
    }

    /// What must hold after every step; panics otherwise. `known` and `attempts` are counted anew by the caller.
    pub(crate) fn check_invariants(&self, counted: &BTreeMap<Owner, [usize; 2]>) {
        let queues = self.queues.iter();
        let order: BTreeSet<_> = queues
            .filter_map(|(owner, queue)| Some((queue.load(*owner), *queue.due.first()?, *owner)))
            .collect();
        assert_eq!(order, self.order, "order of hosts");
        for (owner, queue) in &self.queues {
            let found = [queue.known, queue.attempts];
            assert_eq!(counted.get(owner).copied().unwrap_or_default(), found);
            assert!(!queue.is_empty(), "{owner:?} has nothing");
        }
        assert!(counted.keys().all(|owner| self.queues.contains_key(owner)));
    }
}

const fn count(number: &mut usize, is_more: bool) {
    match is_more {
        true => *number += 1,
        false => *number = number.saturating_sub(1),
    }
}
