//! The API of a running session: its torrents, its limits, its events.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::RemoveOptions;
use tailwater_session::{
    AddOptions, Event, Events, Phase, Session, SettingError, StorageKind, Totals,
};
use tempfile::TempDir;

fn share(number: u64) -> Share {
    Share::new(number, &[("film", 400_000)], 32_768)
}

async fn next(events: &mut Events) -> Event {
    within(events.next()).await.unwrap()
}

#[tokio::test]
async fn torrents_are_listed_in_the_order_of_adding_until_they_end() {
    let (session, shares) = (session(), [1, 2, 3].map(share));
    let mut added = Vec::new();
    for share in &shares {
        added.push(seed(&session, share).await.info_hash());
    }
    let listed = |session: &Session| -> Vec<_> {
        let torrents = session.torrents();
        torrents
            .iter()
            .map(tailwater_session::Torrent::info_hash)
            .collect()
    };
    assert_eq!(listed(&session), added);
    let second = session.get(added[1]).unwrap();
    assert_eq!(second.metainfo(), &shares[1].metainfo);
    assert_eq!(session.stats().torrents, 3);
    assert_eq!(session.stats().complete, 3);
    within(second.remove(RemoveOptions::default()))
        .await
        .unwrap();
    assert_eq!(listed(&session), [added[0], added[2]]);
    assert!(session.get(added[1]).is_none());
    within(session.close()).await;
    assert!(session.torrents().is_empty());
}

#[tokio::test]
async fn what_torrents_transferred_counts_when_they_have_ended() {
    let (seeder, leecher, share) = (session(), session(), share(1));
    let _seed = seed(&seeder, &share).await;
    let peers = [seeder.listen_addr().unwrap()];
    let before = Totals {
        downloaded: 1_000,
        uploaded: 7,
    };
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let options = options.peers(peers).totals(before);
    let torrent = leecher.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    let status = torrent.status();
    assert_eq!(status.totals.downloaded, status.stats.downloaded + 1_000);
    within(torrent.remove(RemoveOptions::default()))
        .await
        .unwrap();
    let stats = leecher.stats();
    assert_eq!((stats.torrents, stats.downloaded), (0, 400_000));
    within(leecher.close()).await;
    within(seeder.close()).await;
    assert_eq!(seeder.stats().uploaded, 400_000);
}

#[tokio::test]
async fn limits_can_change_and_are_refused_rather_than_bent() {
    let (session, share) = (session(), share(1));
    let torrent = seed(&session, &share).await;
    let zero = |error: Result<(), SettingError>| matches!(error, Err(SettingError::Zero { .. }));

    assert_eq!(session.download_limit(), None);
    session.set_download_limit(Some(1_000_000)).unwrap();
    session.set_upload_limit(Some(500_000)).unwrap();
    assert!(zero(session.set_download_limit(Some(0))));
    assert!(zero(session.set_upload_limit(Some(0))));
    assert_eq!(session.download_limit(), Some(1_000_000));
    assert_eq!(session.upload_limit(), Some(500_000));

    torrent.set_download_limit(Some(10)).unwrap();
    assert!(zero(torrent.set_download_limit(Some(0))));
    assert!(zero(torrent.set_upload_limit(Some(0))));
    assert_eq!(
        (torrent.download_limit(), torrent.upload_limit()),
        (Some(10), None)
    );
    torrent.set_download_limit(None).unwrap();
    assert_eq!(torrent.download_limit(), None);

    session.set_max_connections(50).unwrap();
    assert!(zero(session.set_max_connections(0)));
    assert_eq!(session.max_connections(), 50);

    session.set_max_peers(20).unwrap();
    session.set_upload_slots(3).unwrap();
    assert_eq!((torrent.max_peers(), torrent.upload_slots()), (20, 3));
    torrent.set_max_peers(Some(5)).unwrap();
    torrent.set_upload_slots(Some(1)).unwrap();
    assert!(zero(session.set_max_peers(0)) && zero(session.set_upload_slots(0)));
    assert!(zero(torrent.set_max_peers(Some(0))) && zero(torrent.set_upload_slots(Some(0))));
    assert_eq!((torrent.max_peers(), torrent.upload_slots()), (5, 1));
    torrent.set_max_peers(None).unwrap();
    assert_eq!(torrent.max_peers(), 20);
    within(session.close()).await;
}

#[tokio::test]
async fn peers_above_a_limit_that_is_lowered_are_let_go() {
    let (seeder, share) = (session(), share(1));
    let mut torrent = seed(&seeder, &share).await;
    let leechers = [session(), session()];
    for leecher in &leechers {
        let options = AddOptions::new(StorageKind::Memory).announce(false);
        let options = options.peers([seeder.listen_addr().unwrap()]);
        // It wants data for as long as the test runs.
        let options = options.download_limit(1_000);
        leecher.add(&share.metainfo, options).await.unwrap();
    }
    while torrent.status().stats.peers < 2 {
        within(torrent.changed()).await.unwrap();
    }
    seeder.set_max_peers(1).unwrap();
    while torrent.status().stats.peers > 1 {
        within(torrent.changed()).await.unwrap();
    }
    for session in leechers.iter().chain([&seeder]) {
        within(session.close()).await;
    }
}

#[tokio::test]
async fn a_limit_on_uploads_that_is_lifted_lets_a_download_through() {
    let (seeder, leecher, share) = (session(), session(), share(1));
    let torrent = seed(&seeder, &share).await;
    // The first block alone would take hours.
    torrent.set_upload_limit(Some(1)).unwrap();
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let options = options.peers([seeder.listen_addr().unwrap()]);
    let leech = leecher.add(&share.metainfo, options).await.unwrap();
    let mut status = leech.clone();
    while status.stats().peers == 0 {
        within(status.changed()).await.unwrap();
    }
    assert_eq!(leech.status().phase, Phase::Downloading);
    torrent.set_upload_limit(None).unwrap();
    // A connection that waits for its turn under the old limit is not woken: a new one is made.
    within(leecher.close()).await;
    let leecher = session();
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let options = options.peers([seeder.listen_addr().unwrap()]);
    let leech = leecher.add(&share.metainfo, options).await.unwrap();
    within(leech.wait_complete()).await.unwrap();
    within(leecher.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn each_step_of_a_torrent_is_an_event() {
    let (session, share) = (session(), share(1));
    let mut events = session.subscribe();
    let torrent = seed(&session, &share).await;
    let info_hash = torrent.info_hash();
    let name = share.metainfo.info().name().to_owned();
    assert_eq!(next(&mut events).await, Event::Added { info_hash, name });
    let (have, total) = (13, 13);
    let started = Event::Started {
        info_hash,
        have,
        total,
    };
    assert_eq!(next(&mut events).await, started);
    torrent.pause().await.unwrap();
    assert_eq!(next(&mut events).await, Event::Paused { info_hash });
    within(torrent.resume()).await.unwrap();
    assert_eq!(next(&mut events).await, Event::Resumed { info_hash });
    within(torrent.remove(RemoveOptions::default()))
        .await
        .unwrap();
    let removed = Event::Removed {
        info_hash,
        deleted_files: false,
    };
    assert_eq!(next(&mut events).await, removed);
    assert_eq!(next(&mut events).await, Event::Closed { info_hash });
    within(session.close()).await;
}

#[tokio::test]
async fn a_torrent_can_be_added_paused() {
    let (seeder, leecher, share) = (session(), session(), share(1));
    let _seed = seed(&seeder, &share).await;
    let dir = TempDir::new().unwrap();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let options = options.peers([seeder.listen_addr().unwrap()]).paused(true);
    let mut torrent = leecher.add(&share.metainfo, options).await.unwrap();
    while torrent.status().phase != Phase::Paused {
        within(torrent.changed()).await.unwrap();
    }
    assert_eq!(torrent.stats().downloaded, 0);
    within(torrent.resume()).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    share.assert_same(dir.path());
    within(leecher.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn a_subscriber_that_lags_is_told_how_many_events_it_missed() {
    let session = Session::builder().listen(LOOPBACK).start().unwrap();
    let share = Share::new(1, &[("film", 100)], 32_768);
    let torrent = seed(&session, &share).await;
    let mut events = session.subscribe();
    for _ in 0..700 {
        torrent.pause().await.unwrap();
        within(torrent.resume()).await.unwrap();
    }
    let Event::Missed { events: missed } = next(&mut events).await else {
        panic!("it missed some");
    };
    assert_eq!(missed, 1_400 - 1_024);
    assert!(matches!(next(&mut events).await, Event::Paused { .. }));
    within(session.close()).await;
}
