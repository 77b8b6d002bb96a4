//! Metadata over loopback: a magnet link becomes a torrent, whoever lies, refuses or stalls.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use std::net::SocketAddr;

use support::{Share, seed, session, within};
use tailwater_metainfo::{HostPort, Magnet};
use tailwater_session::{AddOptions, StorageKind};

fn magnet(share: &Share, peers: &[SocketAddr]) -> Magnet {
    let mut magnet = Magnet::new(share.metainfo.info().info_hashes());
    for peer in peers {
        let named = HostPort::new(&peer.ip().to_string(), peer.port());
        magnet.peers.push(named.unwrap());
    }
    magnet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_names_a_seeder_downloads() {
    let share = Share::new(1, &[("a.bin", 300_000), ("b/c.bin", 70_000)], 16_384);
    let (seeder, leecher) = (session(), session());
    seed(&seeder, &share).await;
    let addr = seeder.listen_addr().unwrap();

    let mut fetch = leecher.fetch(&magnet(&share, &[addr]));
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    assert_eq!(fetch.peers(), [addr]);

    let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
    let torrent = leecher.add(&metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    for session in [&leecher, &seeder] {
        within(session.close()).await;
    }
}
