//! Measures how many queries a second a node with a full routing table answers, decoding and encoding included.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench may panic, and begins at any instant"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tailwater_dht::{
    BUCKET_SIZE, Body, Config, Family, Message, Method, Node, NodeId, NodeInfo, NodeLimits, Query,
    Response, Want,
};
use tailwater_types::InfoHash;

/// Buckets that are full in a table of the public network.
const BUCKETS: usize = 20;

fn limits() -> NodeLimits {
    let mut limits = NodeLimits::default();
    limits.queries = u32::MAX;
    limits.queries_per_address = u32::MAX;
    // Time stands still here, and short answers are not what is measured.
    limits.unproven_bytes = u32::MAX;
    limits.unproven_bytes_per_address = u32::MAX;
    limits
}

/// A node that knows `BUCKET_SIZE` others in each of `BUCKETS` buckets.
fn full_node(now: Instant) -> Node {
    let config = Config::new([7; 32]).with_limits(limits());
    let mut node = Node::new(now, config);
    let own_id = node.own_id(Family::V4).unwrap();
    for bucket in 0..BUCKETS {
        for number in 0..BUCKET_SIZE {
            let (high, low) = (u8::try_from(bucket).unwrap(), u8::try_from(number).unwrap());
            let addr = SocketAddr::from(([30 + low, high, 1 + low, 9], 6881));
            let random = [high.wrapping_mul(37) ^ low.wrapping_mul(91); 20];
            let id = NodeId::new(random);
            let id = id.with_prefix(&own_id, bucket + 1).with_flipped_bit(bucket);
            let id = id.with_prefix(&NodeId::new([low << 5; 20]), 0);
            introduce(
                &mut node,
                now,
                NodeInfo {
                    id: distinct(id, bucket, low),
                    addr,
                },
            );
        }
    }
    let known = node.table(Family::V4).unwrap().len();
    assert!(known >= (BUCKETS - 1) * BUCKET_SIZE, "{known} nodes");
    node
}

/// An id that differs from its neighbours in the bits right after the one that selects the bucket.
fn distinct(id: NodeId, bucket: usize, number: u8) -> NodeId {
    let mut distinct = id;
    for bit in 0..3 {
        if distinct.bit(bucket + 1 + bit) != (number >> bit & 1 == 1) {
            distinct = distinct.with_flipped_bit(bucket + 1 + bit);
        }
    }
    distinct
}

/// Makes a node known: it sends a query, is pinged, and answers.
fn introduce(node: &mut Node, now: Instant, other: NodeInfo) {
    let query = Message::new(1.into(), Query::new(other.id, Method::Ping).into());
    node.handle_datagram(now, other.addr, &query.encode());
    while let Some(transmit) = node.poll_transmit() {
        let message = Message::decode(&transmit.payload).unwrap();
        if matches!(message.body, Body::Query(_)) && transmit.to == other.addr {
            let answer = Message::new(message.transaction_id, Response::new(other.id).into());
            node.handle_datagram(now, other.addr, &answer.encode());
        }
    }
}

fn answers(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("answers");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(3));
    let asking = NodeId::new([0x33; 20]);
    let want = Want::default();
    // Far, in the middle, next to the node itself: what is looked up decides which buckets are searched.
    let own_id = full_node(now).own_id(Family::V4).unwrap();
    let targets: Vec<NodeId> = (0..64)
        .map(|number: u8| {
            let depth = usize::from(number) % (BUCKETS + 4);
            let random = NodeId::new([number.wrapping_mul(83); 20]);
            random.with_prefix(&own_id, depth).with_flipped_bit(depth)
        })
        .collect();
    let question =
        |method: Method| Message::new(7.into(), Query::new(asking, method).into()).encode();
    let sets: [(&str, Vec<Vec<u8>>); 3] = [
        ("ping", vec![question(Method::Ping)]),
        (
            "find_node",
            targets
                .iter()
                .map(|target| {
                    question(Method::FindNode {
                        target: *target,
                        want,
                    })
                })
                .collect(),
        ),
        (
            "get_peers",
            targets
                .iter()
                .map(|target| {
                    question(Method::GetPeers {
                        info_hash: InfoHash::new(*target.as_bytes()),
                        want,
                        no_seed: false,
                        scrape: false,
                    })
                })
                .collect(),
        ),
    ];
    for (name, questions) in sets {
        let mut node = full_node(now);
        let mut turn = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn += 1;
                // Many ask, so that the limiter has something to remember.
                let number = u16::try_from(turn % 500).unwrap();
                let [high, low] = number.to_be_bytes();
                let from = SocketAddr::from(([81, 7, high, low], 6881));
                node.handle_datagram(now, from, black_box(&questions[turn % questions.len()]));
                let mut answered = false;
                while let Some(transmit) = node.poll_transmit() {
                    answered |= transmit.to == from;
                    black_box(&transmit);
                }
                assert!(answered);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = answers
}
criterion_main!(benches);
