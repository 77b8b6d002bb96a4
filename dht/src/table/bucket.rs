//! A k-bucket: the nodes of one range of ids.

use std::mem;
use std::time::{Duration, Instant};

use super::entry::{Entry, Status};
use crate::{NodeId, NodeInfo};

/// The most nodes in a bucket: Kademlia's *k* (BEP 5).
pub const BUCKET_SIZE: usize = 8;
/// The most spares of a bucket: nodes that wait for a place in it.
pub const MAX_SPARES: usize = 8;
/// How long a bucket may stay unchanged before an id in its range is looked up (BEP 5).
pub const BUCKET_REFRESH: Duration = Duration::from_secs(15 * 60);

/// What the routing table did with a node that has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the table already, and good again.
    Updated,
    /// It is new in the table.
    Added,
    /// It has taken the place of this node, which was bad, or whose id BEP 42 does not let it have.
    Replaced(NodeInfo),
    /// Its bucket has no room: it waits until a node in it turns bad.
    Spared,
    /// It has the table's own id, or that of a node that has another address and is not bad; or there is a node of its
    /// address in the table, or of its network in the bucket.
    Refused,
}

/// The outcome of placing a node in a bucket.
pub(super) enum Placed {
    Done(Outcome),
    NeedsSplit,
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// At most [`BUCKET_SIZE`].
    nodes: Vec<Entry>,
    /// At most [`MAX_SPARES`], by their last answer, the most recent at the end. Empty unless the bucket is full of nodes
    /// that are not bad.
    spares: Vec<Entry>,
    /// When a node in it last answered, came or went, or a refresh began.
    changed: Instant,
}

impl Bucket {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            nodes: Vec::new(),
            spares: Vec::new(),
            changed: now,
        }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.nodes.iter()
    }

    pub(super) fn spares(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.spares.iter()
    }

    /// Whether a node that is not in the bucket, and that no rule excludes, would get more than a spare's place.
    pub(super) fn has_room(&self, is_secure: bool) -> bool {
        self.nodes.len() < BUCKET_SIZE
            || self.spares.len() < MAX_SPARES
            || self.nodes.iter().any(Entry::is_bad)
            || is_secure && self.nodes.iter().any(|entry| !entry.is_secure())
    }

    pub(super) fn find_mut(&mut self, node: &NodeInfo) -> Option<&mut Entry> {
        let mut known = self.nodes.iter_mut().chain(&mut self.spares);
        known.find(|entry| entry.node() == *node)
    }

    /// Takes out what `is_unwanted`; spares fill the places.
    pub(super) fn remove(&mut self, is_unwanted: impl Fn(&Entry) -> bool) {
        self.nodes.retain(|entry| !is_unwanted(entry));
        self.spares.retain(|entry| !is_unwanted(entry));
        while self.nodes.len() < BUCKET_SIZE
            && let Some(spare) = self.pop_spare()
        {
            self.nodes.push(spare);
        }
    }

    /// The most recent of those with a valid id, else of all.
    fn pop_spare(&mut self) -> Option<Entry> {
        let secure = self.spares.iter().rposition(Entry::is_secure);
        let index = secure.or_else(|| self.spares.len().checked_sub(1))?;
        Some(self.spares.remove(index))
    }

    pub(super) fn place(&mut self, now: Instant, node: NodeInfo, may_split: bool) -> Placed {
        let outcome = if let Some(known) = self.nodes.iter_mut().find(|e| e.id() == node.id) {
            if known.node() == node {
                known.on_response(now);
                Outcome::Updated
            } else if known.is_bad() {
                Outcome::Replaced(mem::replace(known, Entry::new(now, node)).node())
            } else {
                return Placed::Done(Outcome::Refused);
            }
        } else if self.nodes.len() < BUCKET_SIZE {
            self.nodes.push(Entry::new(now, node));
            Outcome::Added
        } else if let Some(bad) = self.nodes.iter_mut().find(|entry| entry.is_bad()) {
            Outcome::Replaced(mem::replace(bad, Entry::new(now, node)).node())
        } else if may_split {
            return Placed::NeedsSplit;
        } else if node.id.is_valid_for(node.addr.ip())
            && let Some(insecure) = self.nodes.iter_mut().find(|entry| !entry.is_secure())
        {
            let old = mem::replace(insecure, Entry::new(now, node)).node();
            self.spares.retain(|spare| spare.id() != node.id);
            Outcome::Replaced(old)
        } else {
            self.spare(now, node);
            return Placed::Done(Outcome::Spared);
        };
        self.touch(now);
        Placed::Done(outcome)
    }

    pub(super) fn on_query(&mut self, now: Instant, node: &NodeInfo) -> bool {
        self.find_mut(node)
            .map(|entry| entry.on_query(now))
            .is_some()
    }

    pub(super) fn on_timeout(&mut self, now: Instant, node: &NodeInfo) {
        // A spare is removed at its first timeout: another takes its place sooner than it would get a second query.
        self.spares.retain(|spare| spare.node() != *node);
        let Some(entry) = self.nodes.iter_mut().find(|entry| entry.node() == *node) else {
            return;
        };
        entry.on_timeout();
        if !entry.is_bad() {
            return;
        }
        let bad = entry.id();
        if let Some(spare) = self.pop_spare()
            && let Some(place) = self.nodes.iter_mut().find(|entry| entry.id() == bad)
        {
            *place = spare;
            self.touch(now);
        }
    }

    pub(super) fn poll_ping(&mut self, now: Instant) -> Option<NodeInfo> {
        if !self.may_ping() {
            return None;
        }
        let questionable = |entry: &&mut Entry| entry.status(now) == Status::Questionable;
        let nodes = self.nodes.iter_mut().filter(questionable);
        let oldest = nodes.min_by_key(|entry| entry.last_seen())?;
        oldest.on_ping();
        Some(oldest.node())
    }

    pub(super) fn poll_refresh(&mut self, now: Instant) -> bool {
        let stale = self.refresh_at().is_some_and(|deadline| deadline <= now);
        if stale {
            self.touch(now);
        }
        stale
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let nodes = self.nodes.iter().filter(|_| self.may_ping());
        let ping_at = nodes.filter_map(Entry::good_until).min();
        ping_at.into_iter().chain(self.refresh_at()).min()
    }

    /// Removes and returns the nodes that belong to the new, nearer bucket. A bucket that may be split has no spares.
    pub(super) fn split_off(&mut self, is_near: impl Fn(&NodeId) -> bool) -> Self {
        let nodes = mem::take(&mut self.nodes);
        let (near, far) = nodes.into_iter().partition(|entry| is_near(&entry.id()));
        self.nodes = far;
        Self {
            nodes: near,
            spares: Vec::new(),
            changed: self.changed,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.nodes.capacity() + self.spares.capacity()) * size_of::<Entry>()
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.nodes.len() <= BUCKET_SIZE, "too many nodes");
        assert!(self.spares.len() <= MAX_SPARES, "too many spares");
        let is_full = self.nodes.len() == BUCKET_SIZE && !self.nodes.iter().any(Entry::is_bad);
        assert!(
            is_full || self.spares.is_empty(),
            "a spare beside a free place"
        );
        let pinged = self.nodes.iter().filter(|entry| entry.is_pinged());
        assert!(pinged.count() <= 1, "two pings at once");
        let idle = |spare: &Entry| !spare.is_bad() && !spare.is_pinged();
        assert!(self.spares.iter().all(idle), "a spare that was pinged");
    }

    fn spare(&mut self, now: Instant, node: NodeInfo) {
        self.spares.retain(|spare| spare.id() != node.id);
        if self.spares.len() == MAX_SPARES {
            self.spares.remove(0);
        }
        self.spares.push(Entry::new(now, node));
    }

    /// Whether a place is wanted and no outcome is awaited.
    fn may_ping(&self) -> bool {
        !self.spares.is_empty() && !self.nodes.iter().any(Entry::is_pinged)
    }

    fn refresh_at(&self) -> Option<Instant> {
        self.changed.checked_add(BUCKET_REFRESH)
    }

    fn touch(&mut self, now: Instant) {
        self.changed = self.changed.max(now);
    }
}
