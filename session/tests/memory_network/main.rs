//! Whole sessions without a socket: connections and datagrams of a network in memory, whose streams accept and give as
//! many bytes at a time as the test says.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod encryption;
mod limits;
mod peers;
mod recheck;
#[path = "../support/mod.rs"]
mod support;
mod transports;
mod v2;

use std::net::SocketAddr;

use peers::{Leech, Liar, Seed, greet};
use support::{Share, seed, within};
use tailwater_metainfo::{HostPort, Magnet};
use tailwater_session::memory_network::{MemoryConfig, MemoryNetwork};
use tailwater_session::{
    AddOptions, DhtOptions, Encryption, Event, IpFilter, Session, StorageKind, Transports,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

const FILES: &[(&str, usize)] = &[("a/one.bin", 200_000), ("empty", 0), ("two.bin", 70_001)];

/// A session that dials in plain: the peers that a test plays speak nothing else.
fn session(network: &MemoryNetwork, host: u8) -> Session {
    let builder = Session::builder().memory_network(network.host([10, 0, 0, host]));
    let builder = builder.transports(Transports::Tcp);
    builder.encryption(Encryption::Allow).start().unwrap()
}

async fn close(sessions: impl IntoIterator<Item = Session>) {
    for session in sessions {
        within(session.close()).await;
    }
}

/// Streams of every kind: as a socket's, in odd pieces, and a byte at a time.
fn configs() -> [MemoryConfig; 3] {
    let config = MemoryConfig::default();
    [
        config.clone(),
        config.clone().seed(1).chunk(1..=5_000).capacity(20_000),
        config.seed(2).chunk(1..=1).capacity(1_000),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_travel_whatever_the_streams_accept_at_a_time() {
    for config in configs() {
        let share = Share::new(1, FILES, 32_768);
        let network = MemoryNetwork::new(config);
        let (origin, end) = (session(&network, 1), session(&network, 2));
        assert_eq!(origin.listen_addr(), Some(([10, 0, 0, 1], 6881).into()));
        seed(&origin, &share).await;
        let target = TempDir::new().unwrap();
        let options =
            AddOptions::new(StorageKind::Disk(target.path().into())).peers(origin.listen_addr());
        let torrent = end.add(&share.metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        close([end, origin]).await;
        share.assert_same(target.path());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leeches_have_all_of_a_seed_that_one_of_them_does_not_know() {
    let share = Share::new(2, FILES, 16_384);
    let network = MemoryNetwork::new(MemoryConfig::default().seed(3).chunk(1..=20_000));
    let sessions = [1, 2, 3].map(|host| session(&network, host));
    let [origin, first, second] = &sessions;
    seed(origin, &share).await;
    let mut torrents = Vec::new();
    // The second is told of the first alone.
    for (leech, known) in [(first, origin), (second, first)] {
        let options = AddOptions::new(StorageKind::Memory).peers(known.listen_addr());
        torrents.push(leech.add(&share.metainfo, options).await.unwrap());
    }
    for torrent in &torrents {
        within(torrent.wait_complete()).await.unwrap();
        let total = share.metainfo.info().geometry().total();
        assert!(torrent.stats().downloaded >= total);
    }
    close(sessions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leeches_of_a_seed_that_super_seeds_complete() {
    let share = Share::new(13, &[("film", 100 * 16_384)], 16_384);
    let network = MemoryNetwork::default();
    let sessions = [1, 2, 3].map(|host| session(&network, host));
    let [origin, first, second] = &sessions;
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into())).super_seeding(true);
    let mut seeding = origin.add(&share.metainfo, options).await.unwrap();
    within(seeding.wait_complete()).await.unwrap();
    while !seeding.stats().super_seeding {
        within(seeding.changed()).await.unwrap();
    }
    let mut torrents = Vec::new();
    for (leech, other) in [(first, second), (second, first)] {
        let peers = origin.listen_addr().into_iter().chain(other.listen_addr());
        let options = AddOptions::new(StorageKind::Memory).peers(peers);
        torrents.push(leech.add(&share.metainfo, options).await.unwrap());
    }
    for torrent in &torrents {
        within(torrent.wait_complete()).await.unwrap();
    }
    close(sessions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_link_becomes_a_torrent() {
    for config in configs() {
        let share = Share::new(3, FILES, 16_384);
        let network = MemoryNetwork::new(config);
        let (origin, end) = (session(&network, 1), session(&network, 2));
        seed(&origin, &share).await;
        let mut magnet = Magnet::new(share.metainfo.info().info_hashes());
        magnet.peers.push(HostPort::new("10.0.0.1", 6881).unwrap());
        let mut fetch = end.fetch(&magnet);
        let metainfo = within(fetch.wait()).await.unwrap();
        assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
        let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
        let torrent = end.add(&metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        close([end, origin]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_is_banned_and_what_it_sent_comes_from_another() {
    let share = Share::new(4, FILES, 65_536);
    let network = MemoryNetwork::new(MemoryConfig::default().seed(4).chunk(1..=20_000));
    let liar = Liar::start(&network.host([10, 0, 9, 9]), &share);
    let (origin, end) = (session(&network, 1), session(&network, 2));
    seed(&origin, &share).await;
    let mut events = end.subscribe();
    let target = TempDir::new().unwrap();
    let options = AddOptions::new(StorageKind::Disk(target.path().into())).peers([liar.addr]);
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    let banned = async {
        loop {
            if let Some(Event::Banned { origin, .. }) = events.next().await {
                return origin;
            }
        }
    };
    assert_eq!(within(banned).await, liar.addr.ip().into());
    torrent
        .add_peers(origin.listen_addr().into_iter().collect())
        .await
        .unwrap();
    within(torrent.wait_complete()).await.unwrap();
    close([end, origin]).await;
    share.assert_same(target.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_torrent_requests_nothing_and_goes_on_when_resumed() {
    let share = Share::new(5, &[("film", 40 * 16_384)], 16_384);
    let network = MemoryNetwork::default();
    let end = session(&network, 2);
    let options = AddOptions::new(StorageKind::Memory).paused(true);
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    // It answers once it lets callers in.
    assert!(torrent.have().await.unwrap().is_none());
    let host = network.host([10, 0, 9, 9]);
    let stream = host.connect(end.listen_addr().unwrap()).await.unwrap();
    let mut peer = within(Seed::greet(stream, &share)).await;
    peer.settle(&torrent).await;
    let known = torrent.peers().await.unwrap();
    assert_eq!((known[0].pieces, known[0].peer_choking), (40, false));
    assert_eq!(peer.requests, [], "it was added paused");

    torrent.resume().await.unwrap();
    within(peer.serve(3)).await;
    torrent.pause().await.unwrap();
    peer.settle(&torrent).await;
    assert_eq!(peer.requests, [], "the pause takes them back");
    peer.settle(&torrent).await;
    assert_eq!(peer.requests, [], "nothing is requested again");
    let known = torrent.peers().await.unwrap();
    assert_eq!(known[0].downloaded, 3 * 16_384);

    torrent.resume().await.unwrap();
    within(peer.serve(37)).await;
    within(torrent.wait_complete()).await.unwrap();
    close([end]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_waits_under_a_limit_goes_on_when_it_is_lifted() {
    let share = Share::new(8, &[("film", 100_000)], 16_384);
    let network = MemoryNetwork::default();
    let origin = session(&network, 1);
    // The watchdog bites before what passes in the first turn is paid for.
    origin.set_upload_limit(Some(1)).unwrap();
    seed(&origin, &share).await;
    let host = network.host([10, 0, 9, 9]);
    let stream = host.connect(origin.listen_addr().unwrap()).await.unwrap();
    let mut peer = within(Leech::greet(stream, &share)).await;
    within(peer.receive_a_part()).await;
    origin.set_upload_limit(None).unwrap();
    within(peer.receive_the_rest()).await;
    close([origin]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_waits_under_a_limit_goes_on_when_it_is_lifted() {
    let share = Share::new(9, &[("film", 40 * 16_384)], 16_384);
    let network = MemoryNetwork::default();
    let end = session(&network, 2);
    let options = AddOptions::new(StorageKind::Memory).download_limit(1);
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    // It answers once it lets callers in.
    assert!(torrent.have().await.unwrap().is_none());
    let host = network.host([10, 0, 9, 9]);
    let stream = host.connect(end.listen_addr().unwrap()).await.unwrap();
    let mut peer = within(Seed::greet(stream, &share)).await;
    within(peer.be_wanted()).await;
    torrent.set_download_limit(None).unwrap();
    within(peer.serve(40)).await;
    within(torrent.wait_complete()).await.unwrap();
    close([end]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_beyond_the_limit_of_connections_are_hung_up_on() {
    let share = Share::new(6, FILES, 16_384);
    let network = MemoryNetwork::default();
    let host = network.host([10, 0, 0, 1]);
    let builder = Session::builder().memory_network(host).max_connections(3);
    let ours = builder.start().unwrap();
    let addr = ours.listen_addr().unwrap();
    let torrent = seed(&ours, &share).await;
    let mut connected = Vec::new();
    for caller in 1..=3 {
        let host = network.host([10, 1, caller, 1]);
        let mut stream = host.connect(addr).await.unwrap();
        within(greet(&mut stream, &share.metainfo, caller))
            .await
            .unwrap();
        connected.push(stream);
    }
    let mut late = network.host([10, 1, 4, 1]).connect(addr).await.unwrap();
    assert!(within(greet(&mut late, &share.metainfo, 4)).await.is_err());
    // The torrent is told of a connection after its handshake.
    let known = async {
        while torrent.peers().await.unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    within(known).await;
    // A place that becomes free is for the next.
    connected.pop();
    let waiting = async {
        loop {
            let mut next = network.host([10, 1, 5, 1]).connect(addr).await.unwrap();
            if greet(&mut next, &share.metainfo, 5).await.is_ok() {
                return next;
            }
        }
    };
    connected.push(within(waiting).await);
    close([ours]).await;
    for mut stream in connected {
        // What was said before, then the end.
        within(stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_filtered_is_neither_dialled_nor_let_in() {
    let share = Share::new(10, FILES, 16_384);
    let network = MemoryNetwork::default();
    let filter = IpFilter::parse(b"10.1.0.0/16\n").unwrap();
    let builder = Session::builder().memory_network(network.host([10, 0, 0, 1]));
    let builder = builder
        .encryption(Encryption::Allow)
        .transports(Transports::Tcp);
    let ours = builder.ip_filter(filter).start().unwrap();
    let [filtered, allowed] = [[10, 1, 0, 9], [10, 2, 0, 9]].map(|ip| network.host(ip));
    let [mut dialled, mut other] = [&filtered, &allowed].map(|host| host.listen(None).unwrap());
    let peers = [dialled.local_addr(), other.local_addr()];
    let options = AddOptions::new(StorageKind::Memory).peers(peers);
    let torrent = ours.add(&share.metainfo, options).await.unwrap();
    within(torrent.have()).await.unwrap();
    // The other one is dialled, and after that, too, this one has not been.
    drop(within(other.accept()).await.unwrap());
    let is_dialled = tokio::select! {
        biased;
        _ = dialled.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!is_dialled);
    let addr = ours.listen_addr().unwrap();
    let mut caller = filtered.connect(addr).await.unwrap();
    assert!(
        within(greet(&mut caller, &share.metainfo, 1))
            .await
            .is_err()
    );
    let mut caller = allowed.connect(addr).await.unwrap();
    within(greet(&mut caller, &share.metainfo, 2))
        .await
        .unwrap();
    // Replaced while it runs.
    ours.set_ip_filter(IpFilter::parse(b"10.2.0.0-10.2.255.255\n").unwrap());
    let mut caller = allowed.connect(addr).await.unwrap();
    assert!(
        within(greet(&mut caller, &share.metainfo, 3))
            .await
            .is_err()
    );
    let mut caller = filtered.connect(addr).await.unwrap();
    within(greet(&mut caller, &share.metainfo, 4))
        .await
        .unwrap();
    close([ours]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_find_each_other_in_a_dht_without_sockets() {
    let share = Share::new(7, FILES, 16_384);
    let network = MemoryNetwork::default();
    let hub = SocketAddr::from(([10, 0, 0, 1], 6881));
    let start = |host: u8| {
        let known = (host > 1).then(|| hub.to_string());
        let builder = Session::builder().memory_network(network.host([10, 0, 0, host]));
        let builder = builder.dht(DhtOptions::new().bootstrap(known));
        builder.start().unwrap()
    };
    let sessions = [1, 2, 3].map(start);
    let [_, origin, end] = &sessions;
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()));
    let seeding = origin.add(&share.metainfo, options).await.unwrap();
    within(seeding.wait_complete()).await.unwrap();
    let dht = within(end.dht()).await.unwrap();
    let hash = share.metainfo.info().info_hashes().v1.unwrap();
    let announced = async { while dht.get_peers(hash).await.unwrap().next().await.is_none() {} };
    within(announced).await;
    let options = AddOptions::new(StorageKind::Memory);
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    close(sessions).await;
}

#[tokio::test]
async fn ports_are_given_back_when_a_session_closes() {
    let network = MemoryNetwork::default();
    for _ in 0..2 {
        let host = network.host([10, 0, 0, 1]);
        let builder = Session::builder().memory_network(host.clone());
        let first = builder.dht(DhtOptions::new()).start().unwrap();
        assert_eq!(first.listen_addr(), Some(([10, 0, 0, 1], 6881).into()));
        let second = Session::builder().memory_network(host).start().unwrap();
        assert_eq!(second.listen_addr(), Some(([10, 0, 0, 1], 6882).into()));
        close([first, second]).await;
    }
}
