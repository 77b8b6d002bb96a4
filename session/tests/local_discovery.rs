//! Sessions that are not told of each other find each other by multicast (BEP 14), here on the loopback interface.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use std::ops::ControlFlow;

use support::{LOOPBACK, Share, seed, within};
use tailwater_metainfo::{Creator, Magnet, Metainfo};
use tailwater_session::{AddOptions, Session, StorageKind, Torrent};
use tempfile::TempDir;

fn neighbour() -> Session {
    let builder = Session::builder().listen(LOOPBACK);
    builder.local_discovery(true).start().unwrap()
}

async fn download(session: &Session, metainfo: &Metainfo, dir: &TempDir) -> Torrent {
    let options = AddOptions::new(StorageKind::Disk(dir.path().into()));
    session.add(metainfo, options).await.unwrap()
}

/// A share that no other program on this machine has, however many tests run.
fn share(is_private: bool) -> Share {
    let mut share = Share::new(fastrand::u64(..), &[("a", 100_000)], 16_384);
    let creator = Creator::new().piece_length(16_384).private(is_private);
    let created = creator
        .create(&share.dir.path().join("share"), |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    share.metainfo = created.metainfo;
    share
}

async fn assert_met_nobody(torrent: &Torrent) {
    assert!(torrent.peers().await.unwrap().is_empty());
    let stats = torrent.stats();
    assert_eq!(
        (stats.known_addrs, stats.downloaded, stats.uploaded),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_torrent_without_trackers_comes_from_a_neighbour() {
    let share = share(false);
    let (seeder, leecher) = (neighbour(), neighbour());
    let _seeding = seed(&seeder, &share).await;
    let dir = TempDir::new().unwrap();
    let torrent = download(&leecher, &share.metainfo, &dir).await;
    within(torrent.wait_complete()).await.unwrap();
    share.assert_same(dir.path());
    seeder.close().await;
    leecher.close().await;
}

#[tokio::test]
async fn a_magnet_link_without_anything_is_resolved_by_a_neighbour() {
    let share = share(false);
    let (seeder, leecher) = (neighbour(), neighbour());
    let _seeding = seed(&seeder, &share).await;
    let magnet = Magnet::new(share.metainfo.info().info_hashes());
    let mut fetch = leecher.fetch(&magnet);
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    seeder.close().await;
    leecher.close().await;
}

#[tokio::test]
async fn neighbours_keep_private_torrents_to_themselves() {
    let (private, witness) = (share(true), share(false));
    assert!(private.metainfo.info().is_private());
    let (seeder, leecher) = (neighbour(), neighbour());
    let secret = seed(&seeder, &private).await;
    let _seeding = seed(&seeder, &witness).await;
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let hungry = download(&leecher, &private.metainfo, &dirs[0]).await;
    let fed = download(&leecher, &witness.metainfo, &dirs[1]).await;
    // It was added last: a session that has found this one would have found the other.
    within(fed.wait_complete()).await.unwrap();
    assert_met_nobody(&hungry).await;
    assert_met_nobody(&secret).await;
    seeder.close().await;
    leecher.close().await;
}

#[tokio::test]
async fn it_is_off_unless_asked_for() {
    let share = share(false);
    let (seeder, witness) = (neighbour(), neighbour());
    let quiet = Session::builder().listen(LOOPBACK).start().unwrap();
    let _seeding = seed(&seeder, &share).await;
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let unfound = download(&quiet, &share.metainfo, &dirs[0]).await;
    let found = download(&witness, &share.metainfo, &dirs[1]).await;
    within(found.wait_complete()).await.unwrap();
    assert_met_nobody(&unfound).await;
    for session in [seeder, witness, quiet] {
        session.close().await;
    }
}
