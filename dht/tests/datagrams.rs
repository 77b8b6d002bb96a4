//! The driver without sockets: a network of channels behind the datagram trait.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tailwater_dht::{
    Announce, Config, DatagramBatch, Datagrams, Dht, Ending, Family, MAX_BATCH_LEN, NodeId,
};
use tailwater_types::InfoHash;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

const HASH: InfoHash = InfoHash::new([0x5a; 20]);

type Arrival = (SocketAddr, Vec<u8>);

/// Maps each address to its port.
#[derive(Clone, Default)]
struct Network(Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Arrival>>>>);

/// One end of the network.
struct Port {
    addr: SocketAddr,
    network: Network,
    inbox: AsyncMutex<mpsc::Receiver<Arrival>>,
}

impl Network {
    fn port(&self, number: u8) -> Port {
        let addr = SocketAddr::from(([10, 0, 0, number], 6881));
        let (sender, inbox) = mpsc::channel(1_000);
        self.0.lock().unwrap().insert(addr, sender);
        Port {
            addr,
            network: self.clone(),
            inbox: AsyncMutex::new(inbox),
        }
    }

    fn start(&self, number: u8, bootstrap: Option<SocketAddr>) -> Dht {
        let bootstrap = bootstrap.map(|addr| addr.to_string());
        Dht::start(self.port(number), Config::new([number; 32]), bootstrap).unwrap()
    }
}

impl Datagrams for Port {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        (family == Family::V4).then_some(self.addr)
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        let mut inbox = self.inbox.lock().await;
        let Some((from, payload)) = inbox.recv().await else {
            return std::future::pending().await;
        };
        batch.push(from, &payload);
        while !batch.is_full()
            && let Ok((from, payload)) = inbox.try_recv()
        {
            batch.push(from, &payload);
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        let inbox = self.network.0.lock().unwrap().get(&to).cloned();
        if let Some(inbox) = inbox {
            let _ = inbox.try_send((self.addr, payload.to_vec()));
        }
    }
}

#[tokio::test]
async fn nodes_find_each_others_peers_over_any_datagrams() {
    let network = Network::default();
    let first = network.start(1, None);
    let addr = first.local_addr(Family::V4);
    assert_eq!(addr, Some(SocketAddr::from(([10, 0, 0, 1], 6881))));
    assert_eq!(first.local_addr(Family::V6), None);
    let mut nodes = vec![first];
    for number in 2..=6 {
        let node = network.start(number, addr);
        let report = node.find_node(NodeId::new([number; 20])).await.unwrap();
        assert_eq!(report.ending, Ending::Complete);
        nodes.push(node);
    }
    let how = Announce {
        port: Some(4000),
        is_seed: true,
    };
    let announcing = nodes[1].announce(HASH, how).await.unwrap();
    assert!(announcing.finish().await.unwrap().stored > 0);
    let mut peers = nodes[4].get_peers(HASH).await.unwrap();
    let found = peers.next().await.expect("a node knows the peer");
    assert_eq!(found.peers, ["10.0.0.2:4000".parse().unwrap()]);
    for node in nodes {
        node.close().await;
    }
}

#[tokio::test]
async fn a_burst_of_more_than_a_batch_is_taken_whole() {
    let network = Network::default();
    let node = network.start(1, None);
    let addr = node.local_addr(Family::V4).unwrap();
    let other = network.port(2);
    for number in 0..2 * u8::try_from(MAX_BATCH_LEN).unwrap() {
        let id = [b'a' + number / 26, b'a' + number % 26];
        let mut ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:".to_vec();
        ping.extend_from_slice(&id);
        ping.extend_from_slice(b"1:y1:qe");
        other.send(addr, &ping).await;
    }
    // Behind the burst, in the order of arrival.
    assert!(network.start(3, None).ping(addr).await.unwrap().is_some());
    let traffic = node.stats().await.unwrap().traffic;
    let queries = traffic.queries_answered + traffic.ignored_queries;
    assert!(queries > 2 * u64::try_from(MAX_BATCH_LEN).unwrap());
    node.close().await;
}

#[tokio::test]
async fn without_a_network_there_is_no_node() {
    struct Nothing;
    impl Datagrams for Nothing {
        fn local_addr(&self, _: Family) -> Option<SocketAddr> {
            None
        }
        async fn receive(&self, _: &mut DatagramBatch) {
            std::future::pending::<()>().await;
        }
        async fn send(&self, _: SocketAddr, _: &[u8]) {}
    }
    let started = Dht::start(Nothing, Config::new([1; 32]), None);
    assert_eq!(started.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn close_returns_when_the_datagrams_are_dropped() {
    let network = Network::default();
    let node = network.start(1, None);
    let addr = node.local_addr(Family::V4).unwrap();
    let inbox = network.0.lock().unwrap().get(&addr).cloned().unwrap();
    assert!(!inbox.is_closed());
    node.close().await;
    assert!(inbox.is_closed());
}
