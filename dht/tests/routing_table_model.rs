//! The routing table against a model that keeps all nodes in one list and sorts, for any sequence of calls.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tailwater_dht::{
    BUCKET_REFRESH, BUCKET_SIZE, GOOD_FOR, MAX_FAILURES, MAX_SPARES, NodeId, NodeInfo, Outcome,
    RoutingTable,
};

const OWN: NodeId = NodeId::new([0xa5; 20]);

#[derive(Clone, Debug)]
enum Step {
    Response(NodeInfo),
    Query(NodeInfo),
    Timeout(NodeInfo),
    Ping,
    Refresh([u8; 20]),
    Wait(Duration),
    Closest(NodeId, usize),
}

#[derive(Clone, Debug)]
struct Known {
    node: NodeInfo,
    seen: Instant,
    failures: u8,
    pinged: bool,
}

impl Known {
    fn is_bad(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    fn is_good(&self, now: Instant) -> bool {
        !self.is_bad() && now < self.seen + GOOD_FOR
    }
}

/// `nodes` and `spares` are in the order in which they came; a node that takes another's place takes its place in the
/// list.
struct Model {
    nodes: Vec<Known>,
    spares: Vec<Known>,
    /// When each bucket changed.
    changed: Vec<Instant>,
}

impl Model {
    fn bucket(&self, id: &NodeId) -> usize {
        OWN.common_prefix_len(id).min(self.changed.len() - 1)
    }

    fn among<'a>(&self, list: &'a [Known], bucket: usize) -> Vec<(usize, &'a Known)> {
        let all = list.iter().enumerate();
        all.filter(|(_, known)| self.bucket(&known.node.id) == bucket)
            .collect()
    }

    fn response(&mut self, now: Instant, node: NodeInfo) -> Outcome {
        if node.id == OWN {
            return Outcome::Refused;
        }
        let fresh = Known {
            node,
            seen: now,
            failures: 0,
            pinged: false,
        };
        let bucket = self.bucket(&node.id);
        let members = self.among(&self.nodes, bucket);
        let namesake = members.iter().find(|(_, known)| known.node.id == node.id);
        let outcome = if let Some(&(at, known)) = namesake {
            let outcome = match known.node == node {
                true => Outcome::Updated,
                false if known.is_bad() => Outcome::Replaced(known.node),
                false => return Outcome::Refused,
            };
            self.nodes[at] = fresh;
            outcome
        } else if members.len() < BUCKET_SIZE {
            self.nodes.push(fresh);
            Outcome::Added
        } else if let Some(&(at, bad)) = members.iter().find(|(_, known)| known.is_bad()) {
            let outcome = Outcome::Replaced(bad.node);
            self.nodes[at] = fresh;
            outcome
        } else if bucket + 1 == self.changed.len() {
            self.changed.push(self.changed[bucket]);
            return self.response(now, node);
        } else {
            self.spares.retain(|spare| spare.node.id != node.id);
            let waiting = self.among(&self.spares, bucket);
            if waiting.len() == MAX_SPARES {
                let oldest = waiting[0].0;
                self.spares.remove(oldest);
            }
            self.spares.push(fresh);
            return Outcome::Spared;
        };
        self.changed[bucket] = now;
        outcome
    }

    fn query(&mut self, now: Instant, node: &NodeInfo) -> bool {
        let mut all = self.nodes.iter_mut().chain(&mut self.spares);
        let known = all.find(|known| known.node == *node);
        known.map(|known| known.seen = now).is_some()
    }

    fn timeout(&mut self, now: Instant, node: &NodeInfo) {
        self.spares.retain(|spare| spare.node != *node);
        let Some(at) = self.nodes.iter().position(|known| known.node == *node) else {
            return;
        };
        self.nodes[at].failures = self.nodes[at].failures.saturating_add(1);
        self.nodes[at].pinged = false;
        let bucket = self.bucket(&node.id);
        let spare = self.among(&self.spares, bucket).last().map(|(at, _)| *at);
        if let (true, Some(spare)) = (self.nodes[at].is_bad(), spare) {
            self.nodes[at] = self.spares.remove(spare);
            self.changed[bucket] = now;
        }
    }

    /// The places of the nodes that may be pinged sooner or later, for each bucket, the next at the beginning.
    fn pingable(&self) -> Vec<Vec<usize>> {
        let one = |bucket| {
            let mut members = self.among(&self.nodes, bucket);
            let waiting = !self.among(&self.spares, bucket).is_empty();
            if !waiting || members.iter().any(|(_, known)| known.pinged) {
                return Vec::new();
            }
            members.retain(|(_, known)| !known.is_bad());
            members.sort_by_key(|(_, known)| known.seen);
            members.iter().map(|(at, _)| *at).collect()
        };
        (0..self.changed.len()).map(one).collect()
    }

    fn ping(&mut self, now: Instant) -> Option<NodeInfo> {
        let mut candidates = self.pingable().into_iter().flatten();
        let at = candidates.find(|at| !self.nodes[*at].is_good(now))?;
        self.nodes[at].pinged = true;
        Some(self.nodes[at].node)
    }

    /// Which bucket is due.
    fn refresh(&mut self, now: Instant) -> Option<usize> {
        let mut changed = self.changed.iter();
        let stale = changed.position(|changed| *changed + BUCKET_REFRESH <= now)?;
        self.changed[stale] = now;
        Some(stale)
    }

    fn deadline(&self) -> Option<Instant> {
        let refreshes = self.changed.iter().map(|changed| *changed + BUCKET_REFRESH);
        let pings = self.pingable().into_iter().flatten();
        refreshes
            .chain(pings.map(|at| self.nodes[at].seen + GOOD_FOR))
            .min()
    }

    fn closest(&self, target: &NodeId, n: usize, keep: impl Fn(&Known) -> bool) -> Vec<NodeInfo> {
        let nodes = self.nodes.iter().filter(|known| keep(known));
        let mut nodes: Vec<NodeInfo> = nodes.map(|known| known.node).collect();
        nodes.sort_by_key(|node| node.id.distance(target));
        nodes.truncate(n);
        nodes
    }
}

/// Few enough that they come again, many of them far away, as in a real network.
fn ids() -> impl Strategy<Value = NodeId> {
    let shared =
        prop_oneof![8 => Just(0_usize), 4 => Just(1), 2 => 2..6_usize, 1 => 150..=160_usize];
    (shared, 0..28_u8).prop_map(|(shared, number)| {
        let mut bytes = *OWN.as_bytes();
        bytes[18] ^= number;
        NodeId::new(bytes)
            .with_prefix(&OWN, shared)
            .with_flipped_bit(shared)
    })
}

fn nodes() -> impl Strategy<Value = NodeInfo> {
    let ports = prop_oneof![9 => Just(6881_u16), 1 => Just(6882)];
    // Of a local network, so that only ids and ports matter, and each id's own.
    (ids(), ports).prop_map(|(id, port)| {
        let [_, b, c, d] = crc32c::crc32c(id.as_bytes()).to_be_bytes();
        NodeInfo {
            id,
            addr: ([10, b, c, d], port).into(),
        }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => nodes().prop_map(Step::Response),
        3 => nodes().prop_map(Step::Query),
        6 => nodes().prop_map(Step::Timeout),
        4 => Just(Step::Ping),
        2 => any::<[u8; 20]>().prop_map(Step::Refresh),
        3 => (0..400_u64).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        2 => (prop_oneof![ids(), any::<[u8; 20]>().prop_map(NodeId::new)], 0..24_usize)
            .prop_map(|(target, n)| Step::Closest(target, n)),
    ]
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

/// What is compared of nodes or spares, in an order that does not depend on how they are kept.
fn sorted(
    nodes: impl Iterator<Item = (NodeInfo, Instant, bool)>,
) -> Vec<(NodeInfo, Instant, bool)> {
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort_unstable();
    nodes
}

proptest! {
    // The sequences are long: as many cases as by default would take longer than all other tests together.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_of_calls_does_as_the_model(steps in prop::collection::vec(steps(), 0..400)) {
        let mut now = start();
        let mut table = RoutingTable::new(OWN, now);
        let mut model = Model { nodes: Vec::new(), spares: Vec::new(), changed: vec![now] };
        for step in steps {
            match step {
                Step::Response(node) => {
                    prop_assert_eq!(table.on_response(now, node), model.response(now, node));
                }
                Step::Query(node) => {
                    prop_assert_eq!(table.on_query(now, &node), model.query(now, &node));
                }
                Step::Timeout(node) => {
                    table.on_timeout(now, &node);
                    model.timeout(now, &node);
                }
                Step::Ping => prop_assert_eq!(table.poll_ping(now), model.ping(now)),
                Step::Refresh(random) => {
                    let target = table.poll_refresh(now, random);
                    prop_assert_eq!(target.map(|id| model.bucket(&id)), model.refresh(now));
                }
                Step::Wait(time) => now += time,
                Step::Closest(target, n) => {
                    let all = model.closest(&target, n, |known| !known.is_bad());
                    prop_assert_eq!(table.closest(&target, n), all);
                    let good = model.closest(&target, n, |known| known.is_good(now));
                    prop_assert_eq!(table.closest_good(now, &target, n), good);
                }
            }
            table.check_invariants();
            prop_assert_eq!(table.bucket_count(), model.changed.len());
            prop_assert_eq!(table.poll_timeout(), model.deadline());
            let ours = |entry: &tailwater_dht::Entry| (entry.node(), entry.last_seen(), entry.is_bad());
            let theirs = |known: &Known| (known.node, known.seen, known.is_bad());
            prop_assert_eq!(sorted(table.iter().map(ours)), sorted(model.nodes.iter().map(theirs)));
            prop_assert_eq!(sorted(table.spares().map(ours)), sorted(model.spares.iter().map(theirs)));
        }
    }
}
