//! The tokio driver over the loopback interface: a network of private addresses, without a flag.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::io::ErrorKind;
use std::net::SocketAddr;

use tailwater_dht::{
    Announce, Config, Dht, DhtClosed, Ending, Family, Item, ItemKey, ItemValue, MutableItem,
    NodeId, Salt, SecretKey, Sockets, load_table,
};
use tailwater_types::InfoHash;
use tokio::net::UdpSocket;

const HASH: InfoHash = InfoHash::new([0x5a; 20]);

async fn start(number: u8, bootstrap: Option<SocketAddr>) -> Dht {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let bootstrap = bootstrap.map(|addr| addr.to_string());
    Dht::start(socket, Config::new([number; 32]), bootstrap).unwrap()
}

/// `count` nodes that know each other.
async fn network(count: u8) -> Vec<Dht> {
    let mut nodes: Vec<Dht> = Vec::new();
    for number in 0..count {
        let first = nodes.first().and_then(|first| first.local_addr(Family::V4));
        let node = start(number, first).await;
        if first.is_some() {
            let report = node.find_node(NodeId::new([number; 20])).await.unwrap();
            assert_eq!(report.ending, Ending::Complete);
        }
        nodes.push(node);
    }
    nodes
}

async fn close(nodes: Vec<Dht>) {
    for node in nodes {
        node.close().await;
        assert_eq!(node.stats().await, Err(DhtClosed));
    }
}

#[tokio::test]
async fn what_one_announces_another_finds() {
    let nodes = network(6).await;
    let how = Announce {
        port: Some(4000),
        is_seed: true,
    };
    let report = nodes[1]
        .announce(HASH, how)
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert!(report.stored > 0);
    let mut peers = nodes[4].get_peers(HASH).await.unwrap();
    let found = peers.next().await.expect("somebody knows it");
    assert_eq!(found.peers, ["127.0.0.1:4000".parse().unwrap()]);
    while peers.next().await.is_some() {}
    assert_eq!(peers.finish().await.unwrap().ending, Ending::Complete);
    let scrape = nodes[3].scrape(HASH).await.unwrap();
    assert_eq!((scrape.seeds.round(), scrape.peers.round()), (1.0, 0.0));

    let mut samples = nodes[2].sample(HASH.into()).await.unwrap();
    let mut sampled = Vec::new();
    while let Some(batch) = samples.next().await {
        sampled.extend(batch.info_hashes);
    }
    assert!(sampled.contains(&HASH));
    close(nodes).await;
}

#[tokio::test]
async fn items_are_put_and_got() {
    let nodes = network(4).await;
    let value = ItemValue::from_text(b"Hello World!").unwrap();
    let item = Item::Immutable(value.clone());
    nodes[0].put(item.clone(), None).await.unwrap();
    assert_eq!(nodes[3].get(item.key()).await, Ok(Some(item)));

    let secret = SecretKey::from_seed(&[3; 32]);
    let mutable = MutableItem::sign(&secret, Salt::default(), 1, value);
    let mutable = Item::Mutable(mutable);
    nodes[1].put(mutable.clone(), None).await.unwrap();
    let key = ItemKey::Mutable {
        key: secret.public_key(),
        salt: Salt::default(),
    };
    assert_eq!(nodes[2].get(key).await, Ok(Some(mutable)));
    close(nodes).await;
}

#[tokio::test]
async fn a_node_starts_again_from_what_it_has_saved() {
    let nodes = network(4).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("dht.nodes");
    assert_eq!(load_table(&path).await.unwrap(), None);
    nodes[3].save_table(&path).await.unwrap();
    let saved = load_table(&path).await.unwrap().unwrap();
    assert_eq!(saved, nodes[3].saved().await.unwrap());
    assert!(saved.nodes.len() >= 3);
    let stats = nodes[3].stats().await.unwrap();
    assert_eq!(stats.nodes[0], saved.nodes.len());
    assert!(stats.traffic.queries_sent > 0);
    nodes[3].close().await;

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let id = saved.ids[0].unwrap();
    let config = Config::new([9; 32]).with_saved(saved);
    let again = Dht::start(socket, config, None).unwrap();
    let first = nodes[0].local_addr(Family::V4).unwrap();
    let pong = again.ping(first).await.unwrap().expect("it is there");
    assert_eq!(pong.node.addr, first);
    assert_eq!(again.find_node(id).await.unwrap().ending, Ending::Complete);
    assert_eq!(again.saved().await.unwrap().ids[0], Some(id));
    again.close().await;
    close(nodes).await;
}

#[tokio::test]
async fn a_node_of_both_networks_is_told_of_the_one_by_nodes_of_the_other() {
    let start = async |number: u8, bootstrap: Vec<String>| {
        let sockets = Sockets {
            v4: UdpSocket::bind("127.0.0.1:0").await.ok(),
            v6: UdpSocket::bind("[::1]:0").await.ok(),
        };
        // Not every machine has IPv6.
        sockets.v6.as_ref()?;
        Some(Dht::start(sockets, Config::new([number; 32]), bootstrap).unwrap())
    };
    let Some(first) = start(1, Vec::new()).await else {
        return;
    };
    let addrs = Family::ALL.map(|family| first.local_addr(family).unwrap().to_string());
    let second = start(2, addrs.to_vec()).await.unwrap();
    let ids = second.stats().await.unwrap().ids;
    second.find_node(ids[0].unwrap()).await.unwrap();
    // It is told of the first node's IPv4 address only.
    let third = start(3, vec![addrs[0].clone()]).await.unwrap();
    let report = third.find_node(ids[1].unwrap()).await.unwrap();
    let v6 = report.closest.iter().filter(|node| node.addr.is_ipv6());
    assert!(v6.count() > 0);
    assert!(!third.table(Family::V6).await.unwrap().is_empty());
    close(vec![first, second, third]).await;
}

#[tokio::test]
async fn close_returns_the_port_and_ends_what_waits() {
    let node = start(1, None).await;
    let addr = node.local_addr(Family::V4).unwrap();
    // No other node exists: this would wait for a first one.
    let peers = node.get_peers(HASH).await.unwrap();
    node.close().await;
    node.close().await;
    assert_eq!(peers.finish().await, Err(DhtClosed));
    UdpSocket::bind(addr).await.expect("the socket is closed");
}

#[tokio::test]
async fn the_last_handle_ends_the_node() {
    let node = start(1, Some("127.0.0.1:9".parse().unwrap())).await;
    let peers = node.get_peers(HASH).await.unwrap();
    drop(node);
    assert_eq!(peers.finish().await, Err(DhtClosed));
}

#[tokio::test]
async fn a_broken_table_is_told_from_none_and_a_node_that_knows_nobody_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dht.nodes");
    std::fs::write(&path, "d5:nodes").unwrap();
    let error = load_table(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let node = start(1, None).await;
    node.save_table(&path).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"d5:nodes");
    node.close().await;
    assert!(node.save_table(&path).await.is_err());
    // Nothing is left behind but the file itself.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn both_families_get_the_same_port() {
    let port = |socket: &Option<UdpSocket>| {
        let socket = socket.as_ref()?;
        Some(socket.local_addr().unwrap().port())
    };
    let first = Sockets::bind(None).unwrap();
    let second = Sockets::bind(None).unwrap();
    let v4 = port(&first.v4).expect("there is IPv4");
    assert!(port(&first.v6).is_none_or(|v6| v6 == v4));
    assert_ne!(port(&second.v4), Some(v4));

    let any = Sockets::bind(Some("[::]:0".parse().unwrap())).unwrap();
    let v4 = port(&any.v4).expect("there is IPv4");
    assert!(port(&any.v6).is_none_or(|v6| v6 == v4));
    let taken = Sockets::bind(Some(SocketAddr::from(([0; 16], v4))));
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);

    let only_v4 = Sockets::bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
    assert!(only_v4.v4.is_some() && only_v4.v6.is_none());
    if any.v6.is_some() {
        let only_v6 = Sockets::bind(Some("[::1]:0".parse().unwrap())).unwrap();
        assert!(only_v6.v4.is_none() && only_v6.v6.is_some());
    }
}
