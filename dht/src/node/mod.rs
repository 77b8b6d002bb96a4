//! The node as a state machine: its inputs, its outputs, and the time of its next timer.

mod commands;
mod config;
mod event;
mod exchange;
mod items;
mod limiter;
mod lookup;
mod maintain;
mod own;
mod peers;
mod queries;
mod random;
mod rtt;
mod server;
mod shortlist;
mod side;
mod stats;
mod storing;
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
    SECOND_FAMILY_TIMEOUT,
};
pub use peers::PEER_LIFETIME;
pub use queries::{MAX_QUERIES, QUERY_TIMEOUT};
pub use server::MAX_AMPLIFICATION;
pub use shortlist::MAX_CANDIDATES;
#[cfg(feature = "tokio")]
pub(crate) use side::BOOTSTRAP_BACKOFF;
pub use side::{MAX_BOOTSTRAP_ADDRS, MAX_GREETINGS, MAX_HINTS};
pub use stats::{NodeStats, Traffic};
pub use tokens::TOKEN_ROTATION;
pub use vote::{MAX_VOTES, MIN_VOTES};

use commands::Request;
use items::ItemStore;
use limiter::Limiter;
use lookup::Lookup;
use queries::Queries;
use random::Random;
use side::Side;
use tokens::Tokens;

use crate::address::{canonical, is_usable};
use crate::{Body, Message, NodeId, NodeInfo, RoutingTable};

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
            limiter: Limiter::new(config.limits),
            items: ItemStore::new(config.limits.items, config.limits.items_per_address),
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
        // Keys are sorted as a rule, so the end of a datagram tells a query: one over the rate limit need not be
        // decoded.
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
            self.on_overdue(now, &overdue);
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
            // A burst must not hold its memory for ever.
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

    /// Its routing table in a network; `None` if it is not in that one.
    #[must_use]
    pub fn table(&self, family: Family) -> Option<&RoutingTable> {
        self.side(family).map(|side| &side.table)
    }

    /// Nodes for [`Config::with_nodes`] in the next run: those that have answered and not failed since, and those from
    /// the previous run that have not been tried yet.
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

    /// Asserts the invariants that hold after every step; tests and simulations call it.
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
        let of_owner = self
            .lookups
            .values()
            .filter(|lookup| lookup.request.is_some());
        assert!(of_owner.count() <= MAX_LOOKUPS, "too many lookups");
        assert!(
            self.transmits.len() <= MAX_TRANSMITS + MAX_QUERIES,
            "datagrams pile up"
        );
        for lookup in self.lookups.values() {
            let request = lookup.request;
            assert!(
                request.is_none_or(|id| self.requests.contains_key(&id)),
                "nobody's lookup"
            );
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
}
