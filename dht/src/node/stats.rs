//! Statistics of a node: its traffic and its state.

use std::net::IpAddr;

use super::{Family, Node};
use crate::NodeId;

/// Traffic counters of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Their bytes, headers not counted.
    pub bytes_received: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Their bytes, headers not counted.
    pub bytes_sent: u64,
    /// Queries that were asked.
    pub queries_sent: u64,
    /// Answers that came to them.
    pub answers_received: u64,
    /// Queries that were not answered in time.
    pub timeouts: u64,
    /// Queries that were answered, refusals included.
    pub queries_answered: u64,
    /// Queries that were not, as there were too many.
    pub ignored_queries: u64,
    /// Datagrams that were no messages.
    pub invalid: u64,
}

impl Traffic {
    pub(super) fn on_received(&mut self, bytes: usize) {
        self.datagrams_received += 1;
        self.bytes_received += u64::try_from(bytes).unwrap_or_default();
    }

    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.datagrams_sent += 1;
        self.bytes_sent += u64::try_from(bytes).unwrap_or_default();
    }
}

/// A summary of a node's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Its id in each family, IPv4 first.
    pub ids: [Option<NodeId>; 2],
    /// Where others agree that they see it.
    pub external_ips: [Option<IpAddr>; 2],
    /// Nodes in the table of each family.
    pub nodes: [usize; 2],
    /// Buckets that the table of each family has been split into.
    pub buckets: [usize; 2],
    /// Nodes that wait for a place in it.
    pub spares: [usize; 2],
    /// Torrents that it stores peers of.
    pub torrents: usize,
    /// Peers that it stores.
    pub peers: usize,
    /// Items that it stores.
    pub items: usize,
    /// Lookups under way, its own included.
    pub lookups: usize,
    /// Questions under way.
    pub queries: usize,
    /// What it has sent and received.
    pub traffic: Traffic,
}

impl Node {
    /// A summary of the node's state.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        let table = |family| self.table(family);
        let sides = || self.sides.iter().flatten();
        NodeStats {
            ids: Family::ALL.map(|family| self.own_id(family)),
            external_ips: Family::ALL.map(|family| self.side(family)?.vote.winner()),
            nodes: Family::ALL.map(|family| table(family).map_or(0, crate::RoutingTable::len)),
            buckets: Family::ALL
                .map(|family| table(family).map_or(0, crate::RoutingTable::bucket_count)),
            spares: Family::ALL
                .map(|family| table(family).map_or(0, |table| table.spares().count())),
            torrents: sides().map(|side| side.peers.torrents()).sum(),
            peers: sides().map(|side| side.peers.peers()).sum(),
            items: self.items.len(),
            lookups: self.lookups.len(),
            queries: self.queries.len(),
            traffic: self.traffic,
        }
    }

    /// The bytes of memory that it takes, without the allocator's share: what the elements of its collections weigh.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let sides = self.sides.iter().flatten();
        let lookups = self.lookups.values().map(super::Lookup::heap_bytes);
        size_of::<Self>()
            + sides.map(super::Side::heap_bytes).sum::<usize>()
            + lookups.sum::<usize>()
            + self.limiter.heap_bytes()
            + self.items.heap_bytes()
            + self.queries.heap_bytes()
            + self.transmits.capacity() * size_of::<super::Transmit>()
            + self.events.capacity() * size_of::<super::Event>()
    }
}
