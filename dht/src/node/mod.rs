//! The node: what comes in, what goes out, and when it wants to be called.

mod commands;
mod config;
mod event;
mod items;
mod limiter;
mod lookup;
mod maintain;
mod peers;
mod queries;
mod random;
mod rtt;
mod server;
mod shortlist;
mod side;
mod stats;
mod tokens;
mod vote;
mod walk;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

pub use config::{Config, Family, NodeLimits};
pub use event::{Ending, Event, Report, RequestId, Scrape, Transmit};
pub use items::ITEM_LIFETIME;
pub use lookup::{
    Announce, FIRST_NODE_TIMEOUT, LOOKUP_CONCURRENCY, MAX_LOOKUP_PEERS, MAX_LOOKUP_QUERIES,
};
pub use peers::PEER_LIFETIME;
pub use queries::{MAX_QUERIES, QUERY_TIMEOUT};
pub use server::MAX_AMPLIFICATION;
pub use shortlist::MAX_CANDIDATES;
pub use side::{MAX_GREETINGS, MAX_HINTS};
pub use stats::{NodeStats, Traffic};
pub use tokens::TOKEN_ROTATION;
pub use vote::{MAX_VOTES, MIN_VOTES};

use commands::Request;
use items::ItemStore;
use limiter::Limiter;
use lookup::Lookup;
use queries::{Overdue, Pending, Purpose, Queries};
use random::Random;
use side::Side;
use tokens::Tokens;

use crate::address::{canonical, is_usable};
use crate::{
    Body, MAX_DATAGRAM_LEN, Message, Method, NodeId, NodeInfo, Outcome, Query, Response, RoutingTable,
    TransactionId,
};

/// Lookups of the owner that may be under way at a time, counted for each family.
pub const MAX_LOOKUPS: usize = 128;
/// The most datagrams that wait for [`Node::poll_transmit`]; beyond it answers are dropped.
pub const MAX_TRANSMITS: usize = 4096;

/// A node of the distributed hash table, without socket, clock and thread.
///
/// Its owner hands in datagrams and the time, and takes out datagrams and events:
///
/// ```text
/// handle_datagram(now, from, bytes) ─┐          ┌─▶ poll_transmit() ─▶ to the socket
/// handle_timeout(now) ───────────────┼─▶ Node ──┼─▶ poll_event() ────▶ to the owner
/// get_peers(now, …), announce, … ────┘          └─▶ poll_timeout() ──▶ when to call handle_timeout
/// ```
///
/// After each call on the left, call those on the right until they have nothing more. Any order is safe, and any input;
/// a `now` earlier than one before counts as late, not as an error.
#[derive(Debug)]
pub struct Node {
    config: Config,
    random: Random,
    tokens: Tokens,
    limiter: Limiter,
    items: ItemStore,
    sides: [Option<Side>; 2],
    queries: Queries,
    lookups: BTreeMap<u64, Lookup>,
    requests: BTreeMap<RequestId, Request>,
    next_lookup: u64,
    next_request: u64,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    traffic: Traffic,
}

impl Node {
    /// A node that begins to look for others at once: poll it.
    #[must_use]
    pub fn new(now: Instant, config: Config) -> Self {
        let mut random = Random::new(&config.seed);
        let sides = Family::ALL.map(|family| {
            let is_wanted = config.families[family.index()];
            is_wanted.then(|| Side::new(now, family, &config, &mut random))
        });
        let mut node = Self {
            tokens: Tokens::new(now, &config.seed),
            limiter: Limiter::new(now, config.limits),
            items: ItemStore::new(config.limits.items),
            random,
            sides,
            config,
            queries: Queries::default(),
            lookups: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_lookup: 0,
            next_request: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            traffic: Traffic::default(),
        };
        node.maintain(now);
        node
    }

    /// A datagram has come from `from`. Whatever it holds, this costs a bounded amount of time and memory.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let from = canonical(from);
        self.traffic.on_received(bytes.len());
        if self.side(Family::of(&from)).is_none() || !is_usable(from) {
            return;
        }
        // Keys are sorted as a rule, so that a query is known by its end: too many need not even be read.
        let is_query = bytes.ends_with(b"1:y1:qe");
        if is_query && !self.admit(now, from) {
            return;
        }
        match Message::decode(bytes) {
            Ok(message) => match message.body {
                Body::Query(query) => {
                    if is_query || self.admit(now, from) {
                        self.on_query(now, from, (message.transaction_id, bytes.len()), &query);
                    }
                }
                Body::Response(ref response) => {
                    self.on_response(now, from, &message, response);
                }
                Body::Error(error) => {
                    if let Some(pending) = self.queries.answer(from, &message.transaction_id) {
                        self.on_refusal(now, &pending, error);
                    }
                }
            },
            Err(error) => {
                self.traffic.invalid += 1;
                if let Some(id) = error.query
                    && (is_query || self.admit(now, from))
                {
                    self.refuse(from, id, error.kind.code(), &error.kind.to_string());
                }
            }
        }
        self.poll_maintain(now);
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) named. Too early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(overdue) = self.queries.poll_overdue(now) {
            self.on_overdue(now, overdue);
        }
        self.wake_starved(now);
        self.items.handle_timeout(now);
        for side in self.sides.iter_mut().flatten() {
            side.peers.handle_timeout(now);
        }
        self.poll_maintain(now);
    }

    /// The next datagram to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front();
        if transmit.is_none() && self.transmits.capacity() > 32 {
            // A burst must not be remembered for ever.
            self.transmits.shrink_to(4);
        }
        transmit
    }

    /// The next thing that has happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), unless something happens before. It may be in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lookups = self.lookups.values();
        let starved = lookups.filter(|lookup| lookup.nodes.is_empty());
        let starved = starved.filter_map(Lookup::give_up_at).min();
        let stores = self.sides.iter().flatten();
        let stores = stores.filter_map(|side| side.peers.poll_timeout()).min();
        let times = [
            self.queries.poll_timeout(),
            self.maintain_at(),
            self.items.poll_timeout(),
            stores,
            starved,
        ];
        times.into_iter().flatten().min()
    }

    /// Its id in a network; `None` if it is not in that one.
    #[must_use]
    pub fn own_id(&self, family: Family) -> Option<NodeId> {
        self.side(family).map(Side::id)
    }

    /// Whom it knows in a network; `None` if it is not in that one.
    #[must_use]
    pub fn table(&self, family: Family) -> Option<&RoutingTable> {
        self.side(family).map(|side| &side.table)
    }

    /// Nodes for [`Config::with_nodes`] the next time: those that have answered and not failed since, and those from the last
    /// time that have not been tried yet.
    #[must_use]
    pub fn saved_nodes(&self) -> Vec<NodeInfo> {
        let mut saved = Vec::new();
        for side in self.sides.iter().flatten() {
            let entries = side.table.iter().filter(|entry| !entry.is_bad());
            let mut entries: Vec<_> = entries.collect();
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.last_seen()));
            let known = entries.into_iter().map(crate::Entry::node);
            saved.extend(known.chain(side.hints.iter().copied()).take(MAX_HINTS));
        }
        saved
    }

    /// What must hold after every step; tests and simulations call it.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        for side in self.sides.iter().flatten() {
            side.check_invariants(&self.config.limits);
            for lookup in [side.own_lookup, side.refresh].into_iter().flatten() {
                assert!(self.lookups.contains_key(&lookup), "a lookup is missing");
            }
        }
        self.limiter.check_invariants();
        self.items.check_invariants();
        self.queries.check_invariants();
        self.lookups.values().for_each(Lookup::check_invariants);
        let of_owner = self.lookups.values().filter(|lookup| lookup.request.is_some());
        assert!(of_owner.count() <= MAX_LOOKUPS, "too many lookups");
        assert!(self.transmits.len() <= MAX_TRANSMITS + MAX_QUERIES, "datagrams pile up");
        for lookup in self.lookups.values() {
            let request = lookup.request;
            assert!(request.is_none_or(|id| self.requests.contains_key(&id)), "nobody's lookup");
        }
    }

    const fn side(&self, family: Family) -> Option<&Side> {
        self.sides[family.index()].as_ref()
    }

    const fn side_mut(&mut self, family: Family) -> Option<&mut Side> {
        self.sides[family.index()].as_mut()
    }

    fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        let is_admitted = !self.config.is_read_only && self.limiter.admit(now, from);
        self.traffic.ignored_queries += u64::from(!is_admitted);
        is_admitted
    }

    /// Asks; returns whether it could.
    fn ask(
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
        let known = to.1.map(|id| NodeInfo { id, addr: to.0 });
        let known = known.and_then(|node| side.table.get(&node)?.rtt());
        let patience = side.rtt.patience(known);
        let own_id = side.id();
        let noted = self.queries.insert(now, &mut self.random, to, purpose, patience);
        let Some(transaction_id) = noted else {
            return false;
        };
        let mut query = Query::new(own_id, method);
        query.read_only = self.config.is_read_only;
        self.traffic.queries_sent += 1;
        self.send(to.0, transaction_id, query.into());
        true
    }

    fn send(&mut self, to: SocketAddr, transaction_id: TransactionId, body: Body) {
        let mut message = Message::new(transaction_id, body);
        message.version = self.config.version;
        self.transmit(to, message.encode());
    }

    fn transmit(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.traffic.on_sent(payload.len());
        self.transmits.push_back(Transmit { to, payload });
    }

    fn on_response(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message,
        response: &Response,
    ) {
        debug_assert!(response.values.len() <= MAX_DATAGRAM_LEN);
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
        // That a node has answered again puts things off, unless the table had asked for it.
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
            // Ourselves, by a detour, or somebody who pretends to be.
            self.on_no_answer(now, &pending);
            return;
        }
        self.on_answer(now, &pending, node, rtt, response);
    }

    fn on_answer(
        &mut self,
        now: Instant,
        pending: &Pending,
        node: NodeInfo,
        rtt: std::time::Duration,
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
            Purpose::Hello => self.seek_neighbours(now, Family::of(&node.addr)),
            Purpose::Check => {}
        }
    }

    fn on_overdue(&mut self, now: Instant, overdue: Overdue) {
        match overdue {
            Overdue::Slow(pending) => match pending.purpose {
                Purpose::Lookup(key) => self.on_step_slow(now, key, &pending),
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
                self.on_no_answer(now, &pending);
            }
        }
    }

    fn on_no_answer(&mut self, now: Instant, pending: &Pending) {
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
