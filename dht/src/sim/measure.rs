//! Measures the simulated network for the report.

use super::report::{Figures, Histogram, SimReport, percent};
use super::world::{Tenant, World};
use crate::{BUCKET_SIZE, Entry, Family, Node, NodeId};

/// How wide the bins of times are, in milliseconds.
const BIN_MS: u64 = 50;

impl World<'_> {
    pub(super) fn node(&self, host: usize) -> Option<&Node> {
        match &self.tenants[host] {
            Tenant::Node(node) => Some(node),
            _ => None,
        }
    }

    pub(super) fn truly_closest(&self, target: &NodeId, but: usize) -> Vec<NodeId> {
        let others = self.living.iter().filter(|host| **host != but);
        let ids = others.filter_map(|host| self.node(*host)?.own_id(Family::V4));
        let mut ids: Vec<_> = ids.map(|id| (id.distance(target), id)).collect();
        let nearest = BUCKET_SIZE.min(ids.len());
        if nearest < ids.len() {
            ids.select_nth_unstable(nearest);
        }
        ids.truncate(nearest);
        ids.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn check(&mut self, host: usize) {
        if let Some(node) = self.node(host) {
            node.check_invariants();
            self.tally.checked += 1;
        }
    }

    pub(super) fn report(mut self) -> SimReport {
        for host in self.living.clone() {
            self.check(host);
        }
        let tables = self.tables();
        let tally = &self.tally;
        let ever = u64::try_from(self.hosts.len().max(1)).unwrap_or(1);
        let seconds = u64::from(self.config.minutes.max(1)) * 60;
        SimReport {
            nodes: self.config.nodes,
            malicious_nodes: self.hostile.len(),
            nodes_ever: self.hosts.len(),
            seed: self.config.seed,
            minutes: self.config.minutes,
            announces: tally.stored.len(),
            stored_median: Figures::of(tally.stored.clone()).median,
            lookups: tally.lookups,
            found_percent: percent(tally.found, tally.lookups),
            hops_histogram: Histogram::of(1, &tally.hops),
            messages_histogram: Histogram::of(1, &tally.messages),
            first_peer_histogram: Histogram::of(BIN_MS, &tally.first_ms),
            end_histogram: Histogram::of(BIN_MS, &tally.end_ms),
            hops: Figures::of(tally.hops.clone()),
            messages: Figures::of(tally.messages.clone()),
            first_peer_ms: Figures::of(tally.first_ms.clone()),
            end_ms: Figures::of(tally.end_ms.clone()),
            closest_percent: percent(tally.closest.0, tally.closest.1),
            table_nodes: Figures::of(tables.sizes),
            table_alive_percent: percent(tables.alive, tables.entries),
            neighbours_known_percent: percent(tables.neighbours.0, tables.neighbours.1),
            checked_nodes: tally.checked,
            memory_bytes: Figures::of(tables.memory),
            sent_bytes_per_node: tally.sent_bytes / ever,
            datagrams: tally.datagrams,
            bytes_per_second: tally.sent_bytes / seconds,
            digest: format!("{:016x}", self.net.digest()),
        }
    }

    fn tables(&self) -> Tables {
        let mut tables = Tables::default();
        let ids = self
            .living
            .iter()
            .filter_map(|host| self.node(*host)?.own_id(Family::V4));
        let mut ids: Vec<_> = ids.collect();
        ids.extend(self.tenants.iter().filter_map(|tenant| match tenant {
            Tenant::Hostile(hostile) => Some(hostile.id),
            _ => None,
        }));
        ids.sort_unstable();
        let count = |number: usize| u64::try_from(number).unwrap_or_default();
        for (index, host) in self.living.iter().enumerate() {
            let Some((node, table)) = self
                .node(*host)
                .and_then(|n| Some((n, n.table(Family::V4)?)))
            else {
                continue;
            };
            tables.sizes.push(count(table.len()));
            tables.memory.push(count(node.memory_bytes()));
            let known: Vec<_> = table.iter().map(Entry::id).collect();
            tables.entries += known.len();
            let alive = known.iter().filter(|id| ids.binary_search(id).is_ok());
            tables.alive += alive.count();
            // A search of all for all would take longer than the simulation.
            if index.is_multiple_of(50) {
                let truth = self.truly_closest(table.own_id(), *host);
                let found = truth.iter().filter(|id| known.contains(id)).count();
                tables.neighbours.0 += found;
                tables.neighbours.1 += truth.len();
            }
        }
        tables
    }
}

#[derive(Default)]
struct Tables {
    sizes: Vec<u64>,
    memory: Vec<u64>,
    entries: usize,
    alive: usize,
    neighbours: (usize, usize),
}
