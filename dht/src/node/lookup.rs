//! The state of one iterative lookup: which nodes to ask, what has been found, when it ends.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;

use super::shortlist::{Shortlist, State};
use super::{Family, RequestId};
use crate::{Item, ItemKey, Method, NodeId, NodeInfo, Want};

/// Queries of one lookup in flight at a time, without those that are slow (Kademlia's *α*).
pub const LOOKUP_CONCURRENCY: usize = 4;
/// The most queries of one lookup; then it ends with what it has.
pub const MAX_LOOKUP_QUERIES: u32 = 192;
/// The most peers that one lookup brings.
pub const MAX_LOOKUP_PEERS: usize = 2000;
/// How long a lookup waits for a first node to ask.
pub const FIRST_NODE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much longer it waits when the other family's part of the same request has ended: where that network works, this
/// one most likely does not exist.
pub const SECOND_FAMILY_TIMEOUT: Duration = Duration::from_secs(1);

/// The purpose of a lookup.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// To know the nodes themselves.
    Find { want: Want },
    /// Peers, and then perhaps to be one.
    Peers {
        announce: Option<Announce>,
        scrape: bool,
    },
    /// An item.
    Get { key: ItemKey },
    /// To store an item.
    Put { item: Box<Item>, cas: Option<i64> },
    /// Torrents.
    Sample,
}

/// How a peer is announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: BEP 5 and BEP 33 have these two.
pub struct Announce {
    /// Where it listens. `None`: where the node's datagrams come from, which a NAT decides (BEP 5's `implied_port`).
    pub port: Option<u16>,
    /// It has the whole torrent (BEP 33).
    pub is_seed: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    Walking,
    /// The nearest have been asked to store; this many have not answered.
    Storing(usize),
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) family: Family,
    pub(super) target: NodeId,
    pub(super) job: Job,
    /// The owner's request; `None` if the lookup is the node's own.
    pub(super) request: Option<RequestId>,
    pub(super) nodes: Shortlist,
    pub(super) stage: Stage,
    pub(super) started: Instant,
    pub(super) asked: u32,
    pub(super) answered: u32,
    pub(super) asked_to_store: u32,
    pub(super) stored: u32,
    /// Hops to the first that had what was wanted.
    pub(super) found_at: Option<u8>,
    /// What was wanted cannot get any better.
    pub(super) is_found: bool,
    give_up_at: Option<Instant>,
    in_flight: usize,
    seen: HashSet<SocketAddr>,
}

impl Lookup {
    pub(super) fn new(
        now: Instant,
        family: Family,
        target: NodeId,
        job: Job,
        request: Option<RequestId>,
    ) -> Self {
        Self {
            family,
            target,
            job,
            request,
            nodes: Shortlist::new(target),
            stage: Stage::Walking,
            started: now,
            asked: 0,
            answered: 0,
            asked_to_store: 0,
            stored: 0,
            found_at: None,
            is_found: false,
            give_up_at: now.checked_add(FIRST_NODE_TIMEOUT),
            in_flight: 0,
            seen: HashSet::new(),
        }
    }

    /// The query that each node on the way gets.
    pub(super) fn method(&self) -> Method {
        let (target, want) = (self.target, Want::default());
        match &self.job {
            Job::Find { want } => Method::FindNode {
                target,
                want: *want,
            },
            Job::Peers { scrape, .. } => Method::GetPeers {
                info_hash: InfoHash::new(*target.as_bytes()),
                want,
                no_seed: false,
                scrape: *scrape,
            },
            Job::Get { .. } | Job::Put { .. } => Method::Get {
                target,
                seq: None,
                want,
            },
            Job::Sample => Method::SampleInfohashes { target, want },
        }
    }

    pub(super) fn poll_ask(&mut self) -> Option<NodeInfo> {
        let may_ask = matches!(self.stage, Stage::Walking)
            && self.in_flight < LOOKUP_CONCURRENCY
            && self.asked < MAX_LOOKUP_QUERIES
            && !self.is_found;
        if !may_ask {
            return None;
        }
        let node = self.nodes.next()?;
        self.in_flight += 1;
        self.asked += 1;
        Some(node)
    }

    pub(super) fn on_slow(&mut self, node: &NodeInfo) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.mark(node, State::Slow);
    }

    /// `was_slow`: it has been told to [`on_slow`](Self::on_slow).
    pub(super) fn on_failed(&mut self, node: &NodeInfo, was_slow: bool) {
        self.in_flight = self.in_flight.saturating_sub(usize::from(!was_slow));
        self.mark(node, State::Failed);
    }

    /// Returns how many hops away the node is. A node that answers under another id takes the expected node's place.
    pub(super) fn on_answer(
        &mut self,
        asked: &NodeInfo,
        answering: &NodeInfo,
        was_slow: bool,
    ) -> u8 {
        self.in_flight = self.in_flight.saturating_sub(usize::from(!was_slow));
        self.answered += 1;
        if asked.id == answering.id {
            return self.mark(asked, State::Answered).saturating_add(1);
        }
        let depth = self.mark(asked, State::Failed);
        self.nodes.add_answered(*answering, depth);
        depth.saturating_add(1)
    }

    /// The peers that are new to it.
    pub(super) fn new_peers(&mut self, mut peers: Vec<SocketAddr>) -> Vec<SocketAddr> {
        peers.retain(|peer| self.seen.len() < MAX_LOOKUP_PEERS && self.seen.insert(*peer));
        peers
    }

    /// Whether it waits for the first node to ask.
    pub(super) fn is_starved(&self, now: Instant) -> bool {
        self.nodes.is_empty() && now < self.give_up_at.unwrap_or(now)
    }

    pub(super) const fn give_up_at(&self) -> Option<Instant> {
        self.give_up_at
    }

    pub(super) fn give_up_by(&mut self, at: Option<Instant>) {
        self.give_up_at = self.give_up_at.min(at);
    }

    pub(super) fn has_walked(&self, now: Instant) -> bool {
        let is_tired = self.asked >= MAX_LOOKUP_QUERIES && self.in_flight == 0;
        self.is_found || is_tired || self.nodes.is_settled() && !self.is_starved(now)
    }

    pub(super) fn hops(&self) -> u8 {
        let nearest = || self.nodes.closest().first().map(|known| known.depth + 1);
        self.found_at.or_else(nearest).unwrap_or_default()
    }

    /// Returns how deep it is. Nearer ones may have pushed it out of the list meanwhile.
    fn mark(&mut self, node: &NodeInfo, state: State) -> u8 {
        self.nodes.get_mut(node).map_or(0, |known| {
            known.state = state;
            known.depth
        })
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.in_flight <= LOOKUP_CONCURRENCY, "too many at once");
        assert!(self.asked <= MAX_LOOKUP_QUERIES + 16, "asks for ever");
        assert!(self.seen.len() <= MAX_LOOKUP_PEERS, "too many peers");
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let candidates = 2 * super::shortlist::MAX_CANDIDATES;
        candidates * size_of::<super::shortlist::Candidate>() / 2
            + self.seen.capacity() * size_of::<SocketAddr>()
    }
}
