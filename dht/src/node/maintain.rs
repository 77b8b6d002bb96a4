//! Maintenance: a node finds its neighbours (bootstrap), refreshes its routing table, learns its external address.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::lookup::{Job, Lookup};
use super::queries::Purpose;
use super::{Event, Family, Node};
use crate::address::can_see;
use crate::{BUCKET_SIZE, Method, NodeId, NodeInfo, Response, Want};

/// Pings of new nodes in flight at a time, in both families together.
const MAX_HELLOS: usize = 8;
/// Bootstrap addresses that are asked at a time.
const MAX_BOOTSTRAP_ASKED: usize = 8;

impl Node {
    /// Does what is due.
    pub(super) fn poll_maintain(&mut self, now: Instant) {
        if self.maintain_at().is_some_and(|at| at <= now) {
            self.maintain(now);
        }
    }

    pub(super) fn maintain(&mut self, now: Instant) {
        for family in Family::ALL {
            if self.side(family).is_some() {
                self.greet(now, family);
                self.bootstrap(now, family);
                self.look_after_table(now, family);
            }
        }
    }

    pub(super) fn maintain_at(&self) -> Option<Instant> {
        let may_greet = self.queries.hellos() < MAX_HELLOS;
        let sides = self.sides.iter().flatten().flat_map(|side| {
            let is_waiting = may_greet && !side.greetings.is_empty();
            // While it refreshes the table waits with everything else: that brings what it needs.
            let table = side.table_due.filter(|_| side.refresh.is_none());
            let greet_at = is_waiting.then_some(side.created);
            [side.bootstrap_at, table, greet_at]
        });
        sides.flatten().min()
    }

    fn greet(&mut self, now: Instant, family: Family) {
        while self.queries.hellos() < MAX_HELLOS
            && let Some((addr, id)) = self.side_mut(family).and_then(|s| s.greetings.pop_front())
        {
            self.ask(now, (addr, id), Purpose::Hello, Method::Ping);
        }
    }

    /// Bootstraps: asks saved nodes and bootstrap addresses for neighbours.
    fn bootstrap(&mut self, now: Instant, family: Family) {
        let Some(side) = self.side_mut(family) else {
            return;
        };
        let is_due = side.bootstrap_at.is_some_and(|at| at <= now);
        let target = side.id();
        if is_due {
            side.on_bootstrap(now);
            if side.is_lonely() {
                side.has_neighbours = false;
                let addrs: Vec<_> = side.bootstrap.iter().copied().collect();
                // Not always the same, of many.
                let first = self.random.below(addrs.len());
                let (before, after) = addrs.split_at(first);
                for addr in after.iter().chain(before).take(MAX_BOOTSTRAP_ASKED) {
                    let method = Method::FindNode {
                        target,
                        want: self.want_all(),
                    };
                    self.ask(now, (*addr, None), Purpose::Bootstrap, method);
                }
            }
        }
        self.seek_neighbours(now, family);
    }

    /// Looks up the node's own id as soon as there is a node to ask (BEP 5).
    pub(super) fn seek_neighbours(&mut self, now: Instant, family: Family) {
        let is_cold = self.side(family).is_some_and(|side| {
            let knows_somebody = !side.hints.is_empty() || !side.table.is_empty();
            knows_somebody && !side.has_neighbours && side.own_lookup.is_none()
        });
        if is_cold {
            self.search_neighbours(now, family, &[]);
        }
    }

    /// While it bootstraps, a node of both networks asks each for nodes of the other too (BEP 32).
    fn want_all(&self) -> Want {
        let is_dual = self.sides.iter().all(Option::is_some);
        Want {
            v4: is_dual,
            v6: is_dual,
        }
    }

    fn search_neighbours(&mut self, now: Instant, family: Family, first: &[NodeInfo]) {
        let Some(side) = self.side_mut(family) else {
            return;
        };
        side.has_neighbours = true;
        let target = side.id();
        let want = self.want_all();
        let key = self.start_lookup(now, family, target, Job::Find { want }, None);
        if let Some(lookup) = self.lookups.get_mut(&key) {
            first.iter().for_each(|node| lookup.nodes.add(*node, 0));
            if let Some(side) = self.side_mut(family) {
                side.own_lookup = Some(key);
            }
        }
        self.drive(now, key);
    }

    pub(super) fn on_bootstrap_answer(&mut self, now: Instant, from: NodeInfo, answer: &Response) {
        let named = self.named_nodes(&from, answer);
        for family in Family::ALL {
            let of_family = |node: &&NodeInfo| Family::of(&node.addr) == family;
            let mut nodes: Vec<_> = named.iter().filter(of_family).copied().collect();
            if family == Family::of(&from.addr) {
                nodes.push(from);
            }
            let Some(side) = self.side_mut(family).filter(|_| !nodes.is_empty()) else {
                continue;
            };
            if let Some(key) = side.own_lookup {
                if let Some(lookup) = self.lookups.get_mut(&key) {
                    nodes.iter().for_each(|node| lookup.nodes.add(*node, 0));
                }
                self.drive(now, key);
            } else {
                self.search_neighbours(now, family, &nodes);
            }
            self.feed_starved(now, family, &nodes);
        }
    }

    /// A lookup of the node's own has ended.
    pub(super) fn on_own_lookup(&mut self, now: Instant, key: u64, lookup: &Lookup) {
        let family = lookup.family;
        let Some(side) = self.side_mut(family) else {
            return;
        };
        if side.own_lookup == Some(key) {
            side.own_lookup = None;
            if side.table.is_empty() {
                side.has_neighbours = false;
            } else {
                if !side.is_lonely() {
                    side.on_neighbours();
                }
                side.fill = 0;
                let nodes = side.table.len();
                self.events.push_back(Event::Bootstrapped { family, nodes });
            }
        }
        if let Some(side) = self.side_mut(family) {
            if side.refresh == Some(key) {
                side.refresh = None;
            }
            side.table_due = Some(now);
        }
    }

    /// Pings those in doubt, and looks up an id in a bucket that is empty after the start or has not changed for long.
    fn look_after_table(&mut self, now: Instant, family: Family) {
        let Some(side) = self.side_mut(family) else {
            return;
        };
        if side.table_due.is_none_or(|at| at > now) || side.refresh.is_some() {
            return;
        }
        while let Some(node) = self.side_mut(family).and_then(|s| s.table.poll_ping(now)) {
            let to = (node.addr, Some(node.id));
            if !self.ask(now, to, Purpose::Check, Method::Ping)
                && let Some(side) = self.side_mut(family)
            {
                side.table.on_timeout(now, &node);
            }
        }
        if let Some(target) = self.refresh_target(now, family) {
            let want = Want::default();
            let key = self.start_lookup(now, family, target, Job::Find { want }, None);
            // With no node to ask, it has ended already.
            let is_running = self.lookups.contains_key(&key);
            if let Some(side) = self.side_mut(family) {
                side.refresh = is_running.then_some(key);
            }
        }
        if let Some(side) = self.side_mut(family) {
            side.table_changed();
        }
    }

    fn refresh_target(&mut self, now: Instant, family: Family) -> Option<NodeId> {
        let random = self.random.bytes();
        let side = self.side_mut(family)?;
        while side.fill < side.table.bucket_count() - 1 {
            let index = side.fill;
            side.fill += 1;
            if side.table.bucket_len(index) < BUCKET_SIZE {
                return Some(side.table.id_in_bucket(index, random));
            }
        }
        side.fill = usize::MAX;
        side.table.poll_refresh(now, random)
    }

    /// A node that sends a query may be worth a place in the table.
    pub(super) fn on_asked_by(&mut self, now: Instant, node: &NodeInfo) {
        let Some(side) = self.side_mut(Family::of(&node.addr)) else {
            return;
        };
        let is_known = side.table.on_query(now, node);
        if !is_known && side.may_greet(&node.addr) && side.table.has_room(node) {
            side.greet(node.addr, Some(node.id));
        }
    }

    /// `voter` reports that it sees this node at the address `seen`.
    pub(super) fn on_vote(&mut self, now: Instant, voter: IpAddr, seen: IpAddr) {
        let family = Family::of(&SocketAddr::new(seen, 0));
        let is_possible = voter.is_ipv4() == seen.is_ipv4() && can_see(voter, seen);
        let Some(side) = self.sides[family.index()].as_mut().filter(|_| is_possible) else {
            return;
        };
        let Some(ip) = side.vote.on_vote(voter, seen) else {
            return;
        };
        let has_moved = side.move_to(now, ip, &mut self.random);
        let id = side.id();
        self.events.push_back(Event::ExternalIp { ip });
        if has_moved {
            self.events.push_back(Event::NewId { family, id });
            if let Some(key) = self
                .side_mut(family)
                .and_then(|side| side.own_lookup.take())
            {
                self.lookups.remove(&key);
            }
            self.search_neighbours(now, family, &[]);
        }
    }
}
