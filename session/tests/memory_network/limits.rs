//! Limits of one torrent that are changed while it runs, in both directions.

use std::net::SocketAddr;

use tailwater_session::memory_network::{MemoryHost, MemoryNetwork, MemoryStream};
use tailwater_session::torrent::Stats;
use tailwater_session::{AddOptions, Session, StorageKind, Torrent};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::peers::{greet, show_interest};
use crate::support::{Share, seed, within};
use crate::{close, session};

/// A transfer at the limits of the test is far from done when the test lifts them.
const LEN: usize = 48_000_000;
const SLOW: u64 = 100_000;
const FAST: u64 = 2_000_000;

/// Waits until the numbers of a torrent are as they should be.
async fn until(torrent: &Torrent, what: &str, holds: impl Fn(&Stats) -> bool) {
    let mut torrent = torrent.clone();
    let changing = async {
        while !holds(&torrent.stats()) {
            torrent.changed().await.unwrap();
        }
    };
    let changed = tokio::time::timeout(std::time::Duration::from_secs(30), changing).await;
    assert!(changed.is_ok(), "{what}: {:?}", torrent.stats());
}

/// A torrent that travels under a limit of its own, and another one of the same sessions.
struct Transfer {
    sessions: [Session; 2],
    share: Share,
    seeding: Torrent,
    leeching: Torrent,
}

impl Transfer {
    async fn start() -> Self {
        let share = Share::new(21, &[("film", LEN)], 262_144);
        let network = MemoryNetwork::default();
        let sessions = [1, 2].map(|host| session(&network, host));
        let [origin, end] = &sessions;
        let seeding = seed(origin, &share).await;
        seeding.set_upload_limit(Some(SLOW)).unwrap();
        let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
        let leeching = end.add(&share.metainfo, options).await.unwrap();
        until(&leeching, "connected", |stats| stats.peers == 1).await;
        Self {
            sessions,
            share,
            seeding,
            leeching,
        }
    }

    /// Another torrent of the same sessions is limited by neither.
    async fn another_one_passes(&self) {
        let other = Share::new(22, &[("other", 4_000_000)], 65_536);
        let [origin, end] = &self.sessions;
        seed(origin, &other).await;
        let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
        let torrent = end.add(&other.metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        let total = self.share.metainfo.info().geometry().total();
        assert!(self.leeching.stats().downloaded < total / 2);
    }

    async fn finish(self) {
        within(self.leeching.wait_complete()).await.unwrap();
        close(self.sessions).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrents_upload_goes_up_and_down_with_its_limit() {
    let transfer = Transfer::start().await;
    let seeding = &transfer.seeding;
    until(seeding, "slow", |stats| {
        (SLOW / 2..2 * SLOW).contains(&stats.up_rate)
    })
    .await;
    transfer.another_one_passes().await;
    seeding.set_upload_limit(Some(FAST)).unwrap();
    until(seeding, "fast", |stats| stats.up_rate > FAST / 2).await;
    seeding.set_upload_limit(Some(SLOW)).unwrap();
    until(seeding, "slow again", |stats| {
        (SLOW / 2..2 * SLOW).contains(&stats.up_rate)
    })
    .await;
    seeding.set_upload_limit(None).unwrap();
    transfer.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrents_download_goes_up_and_down_with_its_limit() {
    let transfer = Transfer::start().await;
    let leeching = &transfer.leeching;
    leeching.set_download_limit(Some(FAST)).unwrap();
    transfer.seeding.set_upload_limit(None).unwrap();
    until(leeching, "fast", |stats| {
        (FAST / 2..2 * FAST).contains(&stats.down_rate)
    })
    .await;
    leeching.set_download_limit(Some(SLOW)).unwrap();
    until(leeching, "slow", |stats| {
        (SLOW / 2..2 * SLOW).contains(&stats.down_rate)
    })
    .await;
    transfer.another_one_passes().await;
    leeching.set_download_limit(Some(FAST)).unwrap();
    until(leeching, "fast again", |stats| stats.down_rate > FAST / 2).await;
    leeching.set_download_limit(None).unwrap();
    transfer.finish().await;
}

/// Peers that shake hands with each caller, one a host, and stay until they are disconnected.
fn idlers(network: &MemoryNetwork, share: &Share, count: u8) -> (Vec<SocketAddr>, JoinSet<()>) {
    let mut tasks = JoinSet::new();
    let listen = |number: u8| {
        let host: MemoryHost = network.host([10, 1, number, 1]);
        let mut listener = host.listen(None).unwrap();
        let (addr, metainfo) = (listener.local_addr(), share.metainfo.clone());
        tasks.spawn(async move {
            while let Ok(mut stream) = listener.accept().await {
                if greet(&mut stream, &metainfo, number).await.is_ok() {
                    // Until it is disconnected.
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            }
        });
        addr
    };
    ((1..=count).map(listen).collect(), tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_above_a_torrents_limit_are_let_go_and_come_back_when_it_is_raised() {
    let share = Share::new(23, &[("film", 100_000)], 16_384);
    let network = MemoryNetwork::default();
    let (peers, _tasks) = idlers(&network, &share, 6);
    let end = session(&network, 2);
    let options = AddOptions::new(StorageKind::Memory).peers(peers);
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    for limit in [6, 2, 4, 1, 6] {
        torrent.set_max_peers(Some(limit)).unwrap();
        until(&torrent, "peers", |stats| stats.peers == limit).await;
    }
    // Without a limit of its own it has the session's.
    end.set_max_peers(3).unwrap();
    torrent.set_max_peers(None).unwrap();
    until(&torrent, "the session's limit", |stats| stats.peers == 3).await;
    close([end]).await;
}

/// Waits until so many peers are unchoked.
async fn until_unchoked(torrent: &Torrent, count: usize) {
    let dealt = async {
        loop {
            let peers = torrent.peers().await.unwrap();
            if peers.iter().filter(|peer| !peer.am_choking).count() == count {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(dealt).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_slots_close_and_open_with_a_torrents_limit() {
    let share = Share::new(24, &[("film", 100_000)], 16_384);
    let network = MemoryNetwork::default();
    let origin = session(&network, 1);
    let torrent = seed(&origin, &share).await;
    let mut callers: Vec<MemoryStream> = Vec::new();
    for number in 1..=6 {
        let host = network.host([10, 1, number, 1]);
        let mut stream = host.connect(origin.listen_addr().unwrap()).await.unwrap();
        within(greet(&mut stream, &share.metainfo, number))
            .await
            .unwrap();
        within(show_interest(&mut stream)).await;
        callers.push(stream);
    }
    until_unchoked(&torrent, 6).await;
    for slots in [1, 4, 2, 6] {
        torrent.set_upload_slots(Some(slots)).unwrap();
        until_unchoked(&torrent, slots).await;
    }
    // Without a number of its own it has the session's.
    origin.set_upload_slots(3).unwrap();
    torrent.set_upload_slots(None).unwrap();
    until_unchoked(&torrent, 3).await;
    close([origin]).await;
}
