//! Limits nodes by IP address and network, so that the owner of many addresses cannot fill the routing table.

use std::collections::HashMap;

use super::{Entry, RoutingTable};
use crate::NodeInfo;
use crate::address::{is_local, same_network};

impl RoutingTable {
    /// Removes what `node`, which has answered, proves to be gone or replaces: the node that had the same address and
    /// port before, and bad nodes of its IP address, or of its network in its bucket. Returns whether there are no
    /// others of those.
    pub(super) fn make_way(&mut self, node: &NodeInfo) -> bool {
        if self.get(node).is_some() {
            return true;
        }
        if self.is_crowded(node, |entry| !entry.is_bad()) {
            return false;
        }
        if self.is_crowded(node, |_| true) || self.is_taken(node) {
            let home = self.index(&node.id);
            for (index, bucket) in self.buckets.iter_mut().enumerate() {
                bucket.remove(|entry| {
                    let is_former = entry.node().addr == node.addr && entry.id() != node.id;
                    is_former || is_rival(entry, node, index == home)
                });
            }
        }
        true
    }

    /// Whether there is another node at the address and port of `node`.
    pub(super) fn is_taken(&self, node: &NodeInfo) -> bool {
        let mut entries = self.iter().chain(self.spares());
        entries.any(|entry| entry.node().addr == node.addr && entry.id() != node.id)
    }

    pub(super) fn is_crowded(&self, node: &NodeInfo, counts: impl Fn(&Entry) -> bool) -> bool {
        let home = self.index(&node.id);
        self.buckets.iter().enumerate().any(|(index, bucket)| {
            let mut entries = bucket.nodes().chain(bucket.spares());
            entries.any(|entry| counts(entry) && is_rival(entry, node, index == home))
        })
    }

    pub(super) fn check_spread(&self) {
        let mut seen = HashMap::new();
        for (index, bucket) in self.buckets.iter().enumerate() {
            let public = |entry: &&Entry| !is_local(entry.node().addr.ip());
            let entries: Vec<_> = bucket
                .nodes()
                .chain(bucket.spares())
                .filter(public)
                .collect();
            for (at, entry) in entries.iter().enumerate() {
                let ip = entry.node().addr.ip();
                let elsewhere = seen.insert(ip, index);
                assert_eq!(elsewhere, None, "{ip} is in the table twice");
                let mut others = entries[at + 1..].iter().map(|other| other.node().addr.ip());
                assert!(
                    !others.any(|other| same_network(ip, other)),
                    "two of one network"
                );
            }
        }
    }
}

/// Whether an entry and a node cannot both be in the table.
fn is_rival(entry: &Entry, node: &NodeInfo, same_bucket: bool) -> bool {
    let (theirs, ip) = (entry.node().addr.ip(), node.addr.ip());
    !is_local(ip)
        && entry.node().addr != node.addr
        && entry.id() != node.id
        && (theirs == ip || same_bucket && same_network(theirs, ip))
}
