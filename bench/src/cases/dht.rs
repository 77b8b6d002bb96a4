//! The answers of a DHT node.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use tailwater_dht::{
    BUCKET_SIZE, Body, Config, Message, Method, Node, NodeId, NodeLimits, Query, Response, Want,
};
use tailwater_types::InfoHash;

use crate::Run;

const QUERIES: u8 = 64;

/// Answers 64 `find_node`.
pub(crate) fn find_node() -> Run {
    answers(|number| Method::FindNode {
        target: NodeId::new([number.wrapping_mul(83); 20]),
        want: Want::default(),
    })
}

/// Answers 64 `get_peers`.
pub(crate) fn get_peers() -> Run {
    answers(|number| Method::GetPeers {
        info_hash: InfoHash::new([number.wrapping_mul(83); 20]),
        no_seed: false,
        scrape: false,
        want: Want::default(),
    })
}

fn answers(method: impl Fn(u8) -> Method) -> Run {
    let now = Instant::now();
    let mut limits = NodeLimits::default();
    // Time stands still here, and short answers are not what is measured.
    limits.queries = u32::MAX;
    limits.queries_per_address = u32::MAX;
    limits.unproven_bytes = u32::MAX;
    limits.unproven_bytes_per_address = u32::MAX;
    let mut node = Node::new(now, Config::new([7; 32]).with_limits(limits));
    let mut random = fastrand::Rng::with_seed(1);
    for number in 0..20 * BUCKET_SIZE {
        let [high, low] = u16::try_from(number).unwrap_or(0).to_be_bytes();
        let id = NodeId::new(std::array::from_fn(|_| random.u8(..)));
        introduce(
            &mut node,
            now,
            id,
            SocketAddr::from(([30, high, low, 9], 6881)),
        );
    }
    let asking = NodeId::new([0x33; 20]);
    let queries: Vec<_> = (0..QUERIES)
        .map(|number| Message::new(7.into(), Query::new(asking, method(number)).into()).encode())
        .collect();
    let from = SocketAddr::from(([40, 1, 2, 3], 6881));
    Box::new(move || {
        let mut answered = 0;
        for query in &queries {
            node.handle_datagram(now, from, query);
            while let Some(transmit) = node.poll_transmit() {
                black_box(transmit);
                answered += 1;
            }
        }
        assert!(answered >= queries.len());
        Box::new(node)
    })
}

/// Makes a node known: it sends a query, is pinged, and answers.
fn introduce(node: &mut Node, now: Instant, id: NodeId, addr: SocketAddr) {
    let query = Message::new(1.into(), Query::new(id, Method::Ping).into());
    node.handle_datagram(now, addr, &query.encode());
    while let Some(transmit) = node.poll_transmit() {
        let message = Message::decode(&transmit.payload).expect("it is ours");
        if matches!(message.body, Body::Query(_)) && transmit.to == addr {
            let answer = Message::new(message.transaction_id, Response::new(id).into());
            node.handle_datagram(now, addr, &answer.encode());
        }
    }
}
