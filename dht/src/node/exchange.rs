//! Sends queries, and matches answers and timeouts to them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::queries::{Overdue, Pending, Purpose};
use super::{Event, Family, MAX_QUERIES, MAX_TRANSMITS, Node, Transmit};
use crate::address::canonical;
use crate::{Body, Message, Method, NodeId, NodeInfo, Outcome, Query, Response, TransactionId};

/// Extra time for a node to answer a request to store: it may have a signature to check, no other node can take its
/// place, and the count should be right.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

impl Node {
    /// Sends a query; returns whether it could.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        to: (SocketAddr, Option<NodeId>),
        purpose: Purpose,
        method: Method,
    ) -> bool {
        let family = Family::of(&to.0);
        let Some(side) = self.sides[family.index()].as_ref() else {
            return false;
        };
        // The owner does not take out the datagrams to send.
        if self.transmits.len() >= MAX_TRANSMITS + MAX_QUERIES {
            return false;
        }
        let known = to.1.map(|id| NodeInfo { id, addr: to.0 });
        let known = known.and_then(|node| side.table.get(&node)?.rtt());
        let mut patience = side.rtt.patience(known);
        if matches!(purpose, Purpose::Store(_)) {
            patience += STORE_PATIENCE;
        }
        let own_id = side.id();
        let noted = self
            .queries
            .insert(now, &mut self.random, to, purpose, patience);
        let Some(transaction_id) = noted else {
            return false;
        };
        let mut query = Query::new(own_id, method);
        query.read_only = self.config.is_read_only;
        self.traffic.queries_sent += 1;
        self.send(to.0, transaction_id, query.into());
        true
    }

    pub(super) fn send(&mut self, to: SocketAddr, transaction_id: TransactionId, body: Body) {
        let mut message = Message::new(transaction_id, body);
        message.version = self.config.version;
        self.transmit(to, message.encode());
    }

    pub(super) fn transmit(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.traffic.on_sent(payload.len());
        self.transmits.push_back(Transmit { to, payload });
    }

    pub(super) fn on_response(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message,
        response: &Response,
    ) {
        let Some(pending) = self.queries.answer(from, &message.transaction_id) else {
            return;
        };
        self.traffic.answers_received += 1;
        let node = NodeInfo {
            id: response.id,
            addr: from,
        };
        let family = Family::of(&from);
        let rtt = now.saturating_duration_since(pending.sent);
        let Some(side) = self.side_mut(family) else {
            return;
        };
        side.rtt.on_sample(rtt);
        let is_own = node.id == side.id();
        side.hints.retain(|hint| hint.addr != from);
        let outcome = side.table.on_response(now, node);
        side.table.on_rtt(&node, rtt);
        // Another answer of a known node only postpones the table's timers, unless the table had asked for the ping.
        if outcome != Outcome::Updated || pending.purpose == Purpose::Check {
            side.table_changed();
        }
        if let Some(expected) = pending.id
            && expected != node.id
        {
            let old = NodeInfo {
                id: expected,
                addr: from,
            };
            side.table.on_timeout(now, &old);
        }
        if let Some(seen) = message.external_addr {
            self.on_vote(now, from.ip(), canonical(seen).ip());
        }
        if is_own {
            // It has our own id: this node itself, reached by a detour, or a node that claims our id.
            self.on_no_answer(now, &pending);
            return;
        }
        self.on_answer(now, &pending, node, rtt, response);
    }

    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        pending: &Pending,
        node: NodeInfo,
        rtt: Duration,
        response: &Response,
    ) {
        match pending.purpose {
            Purpose::Lookup(key) => self.on_step(now, key, pending, node, response),
            Purpose::Store(key) => self.on_stored(now, key, pending, node),
            Purpose::Ping(request) => {
                let event = Event::Pong { request, node, rtt };
                self.events.push_back(event);
                self.finish_ping(request, rtt, true);
            }
            Purpose::Bootstrap => self.on_bootstrap_answer(now, node, response),
            Purpose::Hello => {
                let family = Family::of(&node.addr);
                self.seek_neighbours(now, family);
                self.feed_starved(now, family, &[node]);
            }
            Purpose::Check => {}
        }
    }

    pub(super) fn on_overdue(&mut self, now: Instant, overdue: &Overdue) {
        match overdue {
            Overdue::Slow(pending) => match pending.purpose {
                Purpose::Lookup(key) => self.on_step_slow(now, key, pending),
                Purpose::Store(key) => self.on_store_over(now, key),
                _ => {}
            },
            Overdue::Dead(pending) => {
                self.traffic.timeouts += 1;
                let family = Family::of(&pending.to);
                if let Some(side) = self.side_mut(family) {
                    side.hints.retain(|hint| hint.addr != pending.to);
                    if let Some(id) = pending.id {
                        let node = NodeInfo {
                            id,
                            addr: pending.to,
                        };
                        side.table.on_timeout(now, &node);
                        side.table_changed();
                    }
                }
                self.on_no_answer(now, pending);
            }
        }
    }

    pub(super) fn on_no_answer(&mut self, now: Instant, pending: &Pending) {
        match pending.purpose {
            Purpose::Lookup(key) => self.on_step_failed(now, key, pending),
            Purpose::Store(key) if !pending.is_slow => self.on_store_over(now, key),
            Purpose::Ping(request) => {
                let waited = now.saturating_duration_since(pending.sent);
                self.finish_ping(request, waited, false);
            }
            Purpose::Store(_) | Purpose::Hello | Purpose::Check | Purpose::Bootstrap => {}
        }
    }
}
