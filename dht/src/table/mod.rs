//! The routing table (BEP 5).

mod bucket;
mod entry;
mod spread;

use std::iter;
use std::time::{Duration, Instant};

pub use bucket::{BUCKET_REFRESH, BUCKET_SIZE, MAX_SPARES, Outcome};
use bucket::{Bucket, Placed};
pub use entry::{Entry, GOOD_FOR, MAX_FAILURES, Status};

use crate::{NODE_ID_BITS, NODE_ID_LEN, NodeId, NodeInfo};

/// The most buckets: one for each bit in which an id can first differ from the table's own.
pub const MAX_BUCKETS: usize = NODE_ID_BITS;

/// The nodes that a node knows, many near its own id and few far away (BEP 5).
///
/// Bucket *i* holds up to [`BUCKET_SIZE`] nodes whose ids share exactly *i* leading bits with the table's own id; the last
/// one, in whose range that id lies, holds those that share more too, and is split when it is full. Nodes for which there
/// is no room wait as spares, up to [`MAX_SPARES`] a bucket, until one in the bucket has turned bad.
///
/// The owner of many addresses must not own the table: it holds one node for each IP address, and a bucket holds one
/// for each network (/24, /64), spares included. Addresses of local networks are not limited. A node whose id is not
/// valid for its address (BEP 42) gives way to one whose id is.
///
/// Only nodes that have answered get in, and what the owner tells the table decides what they are: [`Status`] has the
/// rules. The table asks back: [`poll_ping`](Self::poll_ping) names nodes to ping, [`poll_refresh`](Self::poll_refresh)
/// ids to look up, [`poll_timeout`](Self::poll_timeout) when to poll again. One table is for one address family (BEP 32).
///
/// Any order of calls is safe. A `now` earlier than one before counts as that one or as later; nothing panics.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    own_id: NodeId,
    /// Between 1 and [`MAX_BUCKETS`].
    buckets: Vec<Bucket>,
}

impl RoutingTable {
    /// An empty table around `own_id`.
    #[must_use]
    pub fn new(own_id: NodeId, now: Instant) -> Self {
        Self {
            own_id,
            buckets: vec![Bucket::new(now)],
        }
    }

    /// The id around which it is arranged.
    #[must_use]
    pub const fn own_id(&self) -> &NodeId {
        &self.own_id
    }

    /// `node` has answered a query.
    ///
    /// An id keeps its address for as long as its node is not bad: a node with the same id at another address is
    /// refused.
    pub fn on_response(&mut self, now: Instant, node: NodeInfo) -> Outcome {
        if node.id == self.own_id || !self.make_way(&node) {
            return Outcome::Refused;
        }
        loop {
            let index = self.index(&node.id);
            let is_last = index + 1 == self.buckets.len();
            match self.buckets[index].place(now, node, is_last) {
                Placed::Done(outcome) => return outcome,
                // The loop ends: the last of `MAX_BUCKETS` has room for just one id other than our own, so it is never
                // full.
                Placed::NeedsSplit => self.split(index),
            }
        }
    }

    /// Whether `node`, which is not in the table, would get in if it answered, or become a spare where there are few.
    #[must_use]
    pub fn has_room(&self, node: &NodeInfo) -> bool {
        let index = self.index(&node.id);
        let bucket = &self.buckets[index];
        let is_secure = node.id.is_valid_for(node.addr.ip());
        node.id != self.own_id
            && (index + 1 == self.buckets.len() || bucket.has_room(is_secure))
            && !self.is_crowded(node, |entry| !entry.is_bad())
    }

    /// The entry of a node, in a bucket or as a spare.
    #[must_use]
    pub fn get(&self, node: &NodeInfo) -> Option<&Entry> {
        let bucket = &self.buckets[self.index(&node.id)];
        let mut entries = bucket.nodes().chain(bucket.spares());
        entries.find(|entry| entry.node() == *node)
    }

    /// `node` has answered after this long.
    pub fn on_rtt(&mut self, node: &NodeInfo, rtt: Duration) {
        if let Some(entry) = self.bucket_mut(&node.id).find_mut(node) {
            entry.set_rtt(rtt);
        }
    }

    /// A table around another id with the same nodes, as far as they find room.
    #[must_use]
    pub fn rearranged(&self, own_id: NodeId, now: Instant) -> Self {
        let mut table = Self::new(own_id, now);
        let mut entries: Vec<_> = self.iter().chain(self.spares()).collect();
        entries.retain(|entry| !entry.is_bad());
        entries.sort_by_key(|entry| entry.last_seen());
        for entry in entries {
            table.on_response(entry.last_seen(), entry.node());
            if let Some(rtt) = entry.rtt() {
                table.on_rtt(&entry.node(), rtt);
            }
        }
        table
    }

    /// `node` has sent a query (one without `ro`: see BEP 43). Returns whether the table knows it; if not, it may be worth
    /// a ping.
    pub fn on_query(&mut self, now: Instant, node: &NodeInfo) -> bool {
        self.bucket_mut(&node.id).on_query(now, node)
    }

    /// `node` has not answered a query in time.
    pub fn on_timeout(&mut self, now: Instant, node: &NodeInfo) {
        self.bucket_mut(&node.id).on_timeout(now, node);
    }

    /// The `n` nearest nodes that are not bad, nearest first: where to ask.
    #[must_use]
    pub fn closest(&self, target: &NodeId, n: usize) -> Vec<NodeInfo> {
        self.closest_of(target, n, |entry| !entry.is_bad())
    }

    /// The `n` nearest nodes that are good at `now`, nearest first: what to tell others (BEP 5).
    #[must_use]
    pub fn closest_good(&self, now: Instant, target: &NodeId, n: usize) -> Vec<NodeInfo> {
        self.closest_of(target, n, |entry| entry.status(now) == Status::Good)
    }

    /// A questionable node that occupies the place of a spare, the least recently seen first. Ping it, then tell the
    /// table with [`on_response`](Self::on_response) or [`on_timeout`](Self::on_timeout); until then its bucket names
    /// no other (BEP 5).
    #[must_use]
    pub fn poll_ping(&mut self, now: Instant) -> Option<NodeInfo> {
        self.buckets
            .iter_mut()
            .find_map(|bucket| bucket.poll_ping(now))
    }

    /// An id to look up, in the range of a bucket in which nothing has changed for [`BUCKET_REFRESH`] (BEP 5). `random`
    /// should differ from call to call; the bucket is not named again for as long.
    #[must_use]
    pub fn poll_refresh(&mut self, now: Instant, random: [u8; NODE_ID_LEN]) -> Option<NodeId> {
        let mut buckets = self.buckets.iter_mut();
        let index = buckets.position(|bucket| bucket.poll_refresh(now))?;
        Some(self.id_in_bucket(index, random))
    }

    /// An id in the range of bucket `index`, counted from the farthest; `random` chooses which.
    #[must_use]
    pub fn id_in_bucket(&self, index: usize, random: [u8; NODE_ID_LEN]) -> NodeId {
        let random = NodeId::new(random);
        if index + 1 >= self.buckets.len() {
            random.with_prefix(&self.own_id, self.buckets.len() - 1)
        } else {
            let sibling = self.own_id.with_flipped_bit(index);
            random.with_prefix(&sibling, index + 1)
        }
    }

    /// How many nodes there are in bucket `index`, counted from the farthest, bad ones included.
    #[must_use]
    pub fn bucket_len(&self, index: usize) -> usize {
        self.buckets
            .get(index)
            .map_or(0, |bucket| bucket.nodes().count())
    }

    /// The bytes of memory that its collections take.
    pub(crate) fn heap_bytes(&self) -> usize {
        let buckets = self.buckets.iter().map(Bucket::heap_bytes);
        buckets.sum::<usize>() + self.buckets.capacity() * size_of::<Bucket>()
    }

    /// When [`poll_ping`](Self::poll_ping) or [`poll_refresh`](Self::poll_refresh) will have something next, if nothing
    /// happens before. It may be in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.buckets.iter().filter_map(Bucket::poll_timeout).min()
    }

    /// The nodes in the buckets, without the spares, from far to near.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.buckets.iter().flat_map(Bucket::nodes)
    }

    /// The nodes that wait for a place.
    pub fn spares(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.buckets.iter().flat_map(Bucket::spares)
    }

    /// How many nodes there are in the buckets, bad ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many buckets there are: 1 in an empty table.
    #[must_use]
    pub fn bucket_count(&self) -> usize {
        self.buckets.len()
    }

    /// Asserts the invariants that hold after every step; tests and simulations call it.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        assert!((1..=MAX_BUCKETS).contains(&self.buckets.len()), "buckets");
        let last = self.buckets.len() - 1;
        for (index, bucket) in self.buckets.iter().enumerate() {
            bucket.check_invariants();
            let mut ids: Vec<_> = bucket
                .nodes()
                .chain(bucket.spares())
                .map(Entry::id)
                .collect();
            for id in &ids {
                assert_ne!(*id, self.own_id, "the own id");
                assert_eq!(self.index(id), index, "{id} is in the wrong bucket");
            }
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "an id is in bucket {index} twice");
            if index == last {
                assert_eq!(bucket.spares().count(), 0, "spares in the last bucket");
            }
        }
        self.check_spread();
    }

    fn index(&self, id: &NodeId) -> usize {
        self.own_id
            .common_prefix_len(id)
            .min(self.buckets.len() - 1)
    }

    fn bucket_mut(&mut self, id: &NodeId) -> &mut Bucket {
        let index = self.index(id);
        &mut self.buckets[index]
    }

    fn split(&mut self, last: usize) {
        let own_id = self.own_id;
        let near = self.buckets[last].split_off(|id| own_id.common_prefix_len(id) > last);
        self.buckets.push(near);
    }

    /// Goes outward in tiers, one bucket each, every one wholly farther from the target than those before: the bucket that
    /// holds the target's range; of the deeper ones first, from shallow to deep, those whose bit the target shares, then the
    /// last, then the others from deep to shallow; at last those above, from deep to shallow.
    fn closest_of(
        &self,
        target: &NodeId,
        n: usize,
        keep: impl Fn(&Entry) -> bool,
    ) -> Vec<NodeInfo> {
        let home = self.index(target);
        let last = self.buckets.len() - 1;
        // Nodes of bucket i differ from our own id in bit i: so does the target, or it does not.
        let parts = |index: &usize| self.own_id.bit(*index) != target.bit(*index);
        let near = (home + 1..last).filter(parts);
        let innermost = (home < last).then_some(last);
        let far = (home + 1..last).rev().filter(|index| !parts(index));
        let tiers = iter::once(home)
            .chain(near)
            .chain(innermost)
            .chain(far)
            .chain((0..home).rev());
        let mut closest: Vec<NodeInfo> = Vec::with_capacity(n.min(2 * BUCKET_SIZE) + BUCKET_SIZE);
        for tier in tiers {
            if closest.len() >= n {
                break;
            }
            let start = closest.len();
            let entries = self.buckets[tier].nodes();
            closest.extend(entries.filter(|entry| keep(entry)).map(Entry::node));
            closest[start..].sort_unstable_by_key(|node| node.id.distance(target));
        }
        closest.truncate(n);
        closest
    }
}
