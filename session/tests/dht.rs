//! The DHT over loopback: sessions find each other without a tracker, and private torrents stay private.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use std::net::SocketAddr;
use std::ops::ControlFlow;

use support::{LOOPBACK, Share, within};
use tailwater_dht::{
    Dht, Ending, Family, Item, MutableItem, MutableTorrent, NodeId, Salt, SecretKey,
};
use tailwater_metainfo::{Creator, InfoHash, Magnet, Metainfo};
use tailwater_session::{AddOptions, DhtOptions, Session, StorageKind};

fn options(hub: Option<SocketAddr>) -> DhtOptions {
    DhtOptions::new().bootstrap(hub.map(|addr| addr.to_string()))
}

fn start(options: DhtOptions) -> Session {
    let builder = Session::builder().listen(LOOPBACK).dht(options);
    builder.start().unwrap()
}

/// A network to begin with: two nodes that store for others, and know of no torrent themselves.
struct Network {
    hub: Session,
    asker: Session,
    addr: SocketAddr,
}

impl Network {
    async fn new() -> Self {
        let hub = start(options(None));
        let addr = addr(&hub).await;
        let asker = start(options(Some(addr)));
        let found = node(&asker).await.find_node(NodeId::new([1; 20])).await;
        assert_eq!(found.unwrap().ending, Ending::Complete);
        Self { hub, asker, addr }
    }

    /// Another session that takes part.
    fn join(&self) -> Session {
        start(options(Some(self.addr)))
    }

    /// Waits until a torrent has been announced.
    async fn hears_of(&self, metainfo: &Metainfo) {
        within(peers(&node(&self.asker).await, hash(metainfo))).await;
    }

    async fn close(self, others: impl IntoIterator<Item = Session>) {
        for session in others.into_iter().chain([self.asker, self.hub]) {
            within(session.close()).await;
        }
    }
}

async fn node(session: &Session) -> Dht {
    within(session.dht()).await.unwrap()
}

async fn addr(session: &Session) -> SocketAddr {
    node(session).await.local_addr(Family::V4).unwrap()
}

/// The peers of the torrent by the DHT's word, asked until there are some.
async fn peers(dht: &Dht, info_hash: InfoHash) -> Vec<SocketAddr> {
    loop {
        let mut found = dht.get_peers(info_hash).await.unwrap();
        if let Some(found) = found.next().await {
            return found.peers;
        }
    }
}

fn hash(metainfo: &Metainfo) -> InfoHash {
    metainfo.info().info_hashes().v1.unwrap()
}

/// Seeds without trackers, which there are none of.
async fn seed(session: &Session, share: &Share) {
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()));
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
}

#[tokio::test]
async fn a_magnet_link_alone_is_enough() {
    let share = Share::new(1, &[("a", 300_000)], 16_384);
    let network = Network::new().await;
    let seeder = network.join();
    seed(&seeder, &share).await;
    network.hears_of(&share.metainfo).await;

    let leecher = network.join();
    let magnet = Magnet::new(share.metainfo.info().info_hashes());
    let mut fetch = leecher.fetch(&magnet);
    let metainfo = within(fetch.wait()).await.unwrap();
    let progress = fetch.progress();
    assert!(progress.dht_nodes.is_some_and(|nodes| nodes > 0));
    assert!(progress.dht_peers > 0);
    let memory = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
    let torrent = leecher.add(&metainfo, memory).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    network.close([leecher, seeder]).await;
}

#[tokio::test]
async fn a_torrent_finds_its_seeder_in_the_dht() {
    let share = Share::new(2, &[("a", 300_000)], 16_384);
    let network = Network::new().await;
    let seeder = network.join();
    seed(&seeder, &share).await;
    network.hears_of(&share.metainfo).await;
    let leecher = network.join();
    let memory = AddOptions::new(StorageKind::Memory);
    let torrent = leecher.add(&share.metainfo, memory).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    network.close([leecher, seeder]).await;
}

#[tokio::test]
async fn a_private_torrent_is_never_announced() {
    let public = Share::new(3, &[("a", 40_000)], 16_384);
    let mut private = Share::new(4, &[("a", 40_000)], 16_384);
    let creator = Creator::new().piece_length(16_384).private(true);
    let root = private.dir.path().join("share");
    let created = creator.create(&root, |_| ControlFlow::Continue(()));
    private.metainfo = created.unwrap().metainfo;
    assert!(private.metainfo.info().is_private());

    let network = Network::new().await;
    let seeder = network.join();
    // The private one first: what comes later is found, so it would have been.
    seed(&seeder, &private).await;
    seed(&seeder, &public).await;
    network.hears_of(&public.metainfo).await;
    let asking = node(&network.asker).await;
    let mut found = asking.get_peers(hash(&private.metainfo)).await.unwrap();
    assert_eq!(within(found.next()).await, None);
    network.close([seeder]).await;
}

#[tokio::test]
async fn peers_tell_each_other_of_their_nodes() {
    let share = Share::new(5, &[("a", 300_000)], 16_384);
    let seeder = start(options(None));
    seed(&seeder, &share).await;
    let leecher = start(options(None));
    let memory = AddOptions::new(StorageKind::Memory).peers(seeder.listen_addr());
    let torrent = leecher.add(&share.metainfo, memory).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    // No node was named but by the peers themselves (BEP 5, PORT).
    for session in [&leecher, &seeder] {
        let found = node(session).await.find_node(NodeId::new([7; 20])).await;
        assert_eq!(found.unwrap().ending, Ending::Complete);
    }
    for session in [leecher, seeder] {
        within(session.close()).await;
    }
}

#[tokio::test]
async fn a_torrent_file_names_nodes_to_begin_with() {
    let share = Share::new(9, &[("a", 40_000)], 16_384);
    let network = Network::new().await;
    let seeder = network.join();
    seed(&seeder, &share).await;
    network.hears_of(&share.metainfo).await;
    let (info, port) = (share.metainfo.info().raw(), network.addr.port());
    let nodes = format!("5:nodesll9:127.0.0.1i{port}eeee");
    let file = [b"d4:info", info, nodes.as_bytes()].concat();
    let metainfo = Metainfo::from_bytes(&file).unwrap();
    // Added at once, before its own node runs.
    let leecher = start(options(None));
    let memory = AddOptions::new(StorageKind::Memory);
    let torrent = leecher.add(&metainfo, memory).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    network.close([leecher, seeder]).await;
}

#[tokio::test]
async fn a_table_is_kept_from_one_start_to_the_next() {
    let share = Share::new(6, &[("a", 40_000)], 16_384);
    let folder = tempfile::TempDir::new().unwrap();
    let table = folder.path().join("dht.nodes");
    let network = Network::new().await;
    let seeder = network.join();
    seed(&seeder, &share).await;
    network.hears_of(&share.metainfo).await;

    let first = start(options(Some(network.addr)).table(&table));
    within(peers(&node(&first).await, hash(&share.metainfo))).await;
    let ids = node(&first).await.stats().await.unwrap().ids;
    within(first.close()).await;
    let written = std::fs::read(&table).unwrap();

    let second = start(options(None).table(&table).keep_table(false));
    within(peers(&node(&second).await, hash(&share.metainfo))).await;
    assert_eq!(node(&second).await.stats().await.unwrap().ids, ids);
    within(second.close()).await;
    assert_eq!(
        std::fs::read(&table).unwrap(),
        written,
        "it was to be read only"
    );
    network.close([seeder]).await;
}

#[tokio::test]
async fn a_broken_table_costs_nothing_but_time() {
    let share = Share::new(7, &[("a", 40_000)], 16_384);
    let folder = tempfile::TempDir::new().unwrap();
    let table = folder.path().join("dht.nodes");
    std::fs::write(&table, b"d3:id4").unwrap();
    let network = Network::new().await;
    let seeder = start(options(Some(network.addr)).table(&table));
    seed(&seeder, &share).await;
    network.hears_of(&share.metainfo).await;
    network.close([seeder]).await;
}

#[tokio::test]
async fn a_publication_is_followed_from_version_to_version() {
    let network = Network::new().await;
    let (publisher, reader) = (network.join(), network.join());
    let secret = SecretKey::from_seed(&[9; 32]);
    let salt = Salt::new(b"films").unwrap();
    let torrent = MutableTorrent {
        key: secret.public_key(),
        salt,
    };
    let put = async |version: i64, info_hash: InfoHash| {
        let value = MutableTorrent::value(&info_hash);
        let item = Item::Mutable(MutableItem::sign(&secret, salt, version, value));
        node(&publisher).await.put(item, None).await.unwrap();
    };
    let first = InfoHash::new([1; 20]);
    put(1, first).await;
    let mut follow = reader.follow(torrent);
    let found = within(follow.next()).await.unwrap();
    assert_eq!((found.version, found.info_hash), (1, first));
    // A follower that starts later finds the later one.
    let second = InfoHash::new([2; 20]);
    put(2, second).await;
    let found = within(reader.follow(torrent).next()).await.unwrap();
    assert_eq!((found.version, found.info_hash), (2, second));
    let closed = reader.clone();
    network.close([reader, publisher]).await;
    assert_eq!(within(follow.next()).await, None, "the session has closed");
    assert!(within(closed.dht()).await.is_none());
}
