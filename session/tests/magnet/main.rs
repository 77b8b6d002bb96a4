//! Metadata over loopback: a magnet link becomes a torrent, although some peers lie, reject or stall.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod hostile;
mod peers;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::ops::ControlFlow;

use peers::{Manner, Peers};
use sha2::{Digest, Sha256};
use support::{LOOPBACK, Share, seed, session, within};
use tailwater_metainfo::{Creator, HostPort, InfoHashV2, InfoHashes, Magnet, Metainfo};
use tailwater_session::{AddError, AddOptions, FetchError, Session, StorageKind};
use tailwater_tracker::{Server, ServerConfig};
use tempfile::TempDir;

/// Many small files with long names: metadata of several blocks.
fn share() -> Share {
    let names: Vec<_> = (0..600)
        .map(|number| format!("{number:03}-{}", "x".repeat(100)))
        .collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 40)).collect();
    let share = Share::new(1, &files, 16_384);
    assert!(share.metainfo.info().raw().len() > 4 * 16_384);
    share
}

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
    let share = share();
    let (seeder, leecher) = (session(), session());
    seed(&seeder, &share).await;
    let addr = seeder.listen_addr().unwrap();

    let mut fetch = leecher.fetch(&magnet(&share, &[addr]));
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    assert_eq!(fetch.peers(), [addr]);
    let progress = fetch.progress();
    assert_eq!(progress.blocks_have, progress.blocks_total);
    assert_eq!(progress.peers_with_metadata, 1);

    let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
    let torrent = leecher.add(&metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    for session in [&leecher, &seeder] {
        within(session.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracker_names_the_peers_and_hears_of_no_goodbye() {
    let share = share();
    let mut config = ServerConfig::default();
    config.http = Some(LOOPBACK);
    let tracker = Server::bind(config).await.unwrap();
    let url = format!("http://{}/announce", tracker.http_addr().unwrap());
    let announced = Metainfo::from_info(
        share.metainfo.info().clone(),
        vec![vec![url.clone()]],
        Vec::new(),
    );
    let (seeder, leecher) = (session(), session());
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()));
    let mut events = seeder.subscribe();
    let seeding = seeder.add(&announced, options).await.unwrap();
    within(seeding.wait_complete()).await.unwrap();
    let answered = async {
        while let Some(event) = events.next().await {
            if matches!(event, tailwater_session::Event::TrackerAnswered { .. }) {
                return;
            }
        }
    };
    within(answered).await;

    let mut link = magnet(&share, &[]);
    link.trackers.push(url.clone());
    link.trackers.push("http://127.0.0.1:1/announce".to_owned());
    link.web_seeds.push("http://127.0.0.1:1/files/".to_owned());
    let mut fetch = leecher.fetch(&link);
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(
        metainfo.trackers(),
        [[url.clone()], [link.trackers[1].clone()]]
    );
    assert_eq!(metainfo.web_seeds(), link.web_seeds);
    assert_eq!(fetch.progress().trackers_answered, 1);
    assert_eq!(fetch.progress().trackers, 2);
    // Its own announce is the torrent's: the tracker still knows both.
    let client = tailwater_tracker::Client::new(tailwater_tracker::ClientConfig::default());
    let scraped = client.scrape(&url, &[fetch.info_hash()]).await.unwrap();
    assert_eq!(scraped.get(&fetch.info_hash()).unwrap().leechers, 1);
    for session in [&leecher, &seeder] {
        within(session.close()).await;
    }
    tracker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_honest_peer_is_enough_among_liars_and_those_that_do_nothing() {
    use Manner::{Exaggerates, Honest, Lies, Mute, Rejects, Stalls};
    let share = share();
    let manners = [Lies, Lies, Rejects, Stalls, Exaggerates, Mute, Honest];
    let peers = Peers::new(&share, &manners).await;
    let leecher = session();
    let mut fetch = leecher.fetch(&magnet(&share, &peers.addrs));
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    let (last, bad) = peers.addrs.split_last().unwrap();
    let handed_on = fetch.peers();
    assert!(handed_on.contains(last));
    // Those that were found out by then are not handed on; the exaggerator always is.
    assert!(!handed_on.contains(&bad[4]));
    within(leecher.close()).await;
    drop(peers.tasks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_very_many_trackers_some_are_asked_and_all_are_kept() {
    let share = share();
    let leecher = session();
    let mut link = magnet(&share, &[]);
    let urls = (0..3_000).map(|number| format!("http://127.0.0.1:1/{number}"));
    link.trackers = urls.collect();
    let mut fetch = leecher.fetch(&link);
    let all_failed = async { while fetch.changed().await.unwrap().trackers_failed < 32 {} };
    within(all_failed).await;
    assert_eq!(fetch.progress().trackers, 32);
    let peers = Peers::new(&share, &[Manner::Honest]).await;
    fetch.add_peers(peers.addrs.clone()).await.unwrap();
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.trackers().len(), 3_000);
    within(leecher.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_torrent_goes_on_with_those_that_its_user_named() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("share"), [7; 50_000]).unwrap();
    let creator = Creator::new().private(true);
    let created = creator.create(&dir.path().join("share"), |_| ControlFlow::Continue(()));
    let metainfo = created.unwrap().metainfo;
    let share = Share { dir, metainfo };
    // The link names one that is connected and never answers, the user one that does.
    let (by_link, by_user) = (
        Peers::new(&share, &[Manner::Stalls]).await,
        Peers::new(&share, &[Manner::Honest]).await,
    );
    let leecher = session();
    let mut fetch = leecher.fetch(&magnet(&share, &by_link.addrs));
    fetch.add_peers(by_user.addrs.clone()).await.unwrap();
    assert!(within(fetch.wait()).await.unwrap().info().is_private());
    assert_eq!(fetch.peers(), by_user.addrs);
    within(leecher.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_calls_us_can_send_the_metadata() {
    let share = share();
    let (seeder, leecher) = (session(), session());
    let mut fetch = leecher.fetch(&magnet(&share, &[]));
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()))
        .announce(false)
        .peers(leecher.listen_addr());
    seeder.add(&share.metainfo, options).await.unwrap();
    within(fetch.wait()).await.unwrap();
    // It said where it listens.
    assert_eq!(fetch.peers(), [seeder.listen_addr().unwrap()]);
    for session in [&leecher, &seeder] {
        within(session.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_from_elsewhere_are_tried_too() {
    let share = share();
    let peers = Peers::new(&share, &[Manner::Honest]).await;
    let leecher = session();
    let mut fetch = leecher.fetch(&magnet(&share, &[]));
    fetch.add_peers(peers.addrs.clone()).await.unwrap();
    within(fetch.wait()).await.unwrap();
    assert_eq!(fetch.peers(), peers.addrs);
    within(leecher.close()).await;
}

fn with_state(dir: &TempDir) -> Session {
    let builder = Session::builder().listen(LOOPBACK).state_dir(dir.path());
    builder.start().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_saved_and_found_without_asking_anybody() {
    let share = share();
    let state = TempDir::new().unwrap();
    let peers = Peers::new(&share, &[Manner::Honest]).await;
    let leecher = with_state(&state);
    let link = magnet(&share, &peers.addrs);
    within(leecher.fetch(&link).wait()).await.unwrap();
    within(leecher.close()).await;
    drop(peers);

    let again = with_state(&state);
    let mut fetch = again.fetch(&link);
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    // The link's peers are where the download begins.
    assert_eq!(fetch.peers().len(), 1);
    within(again.close()).await;

    // It is a .torrent file.
    let hash = fetch.info_hash();
    let saved = std::fs::read(state.path().join(format!("{hash}.torrent"))).unwrap();
    assert_eq!(
        Metainfo::from_bytes(&saved).unwrap().info().raw(),
        metainfo.info().raw()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_metadata_is_fetched_anew() {
    let share = share();
    let state = TempDir::new().unwrap();
    let hash = share.metainfo.info().info_hashes().v1.unwrap();
    std::fs::write(state.path().join(format!("{hash}.torrent")), b"d4:infodee").unwrap();
    let peers = Peers::new(&share, &[Manner::Honest]).await;
    let leecher = with_state(&state);
    within(leecher.fetch(&magnet(&share, &peers.addrs)).wait())
        .await
        .unwrap();
    within(leecher.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_that_is_dropped_or_closed_leaves_nothing() {
    let share = share();
    let peers = Peers::new(&share, &[Manner::Stalls, Manner::Mute]).await;
    let leecher = session();
    let link = magnet(&share, &peers.addrs);
    let mut first = leecher.fetch(&link);
    // Both are connected, and neither will ever help.
    let connected = async { while first.changed().await.unwrap().peers_connected < 2 {} };
    within(connected).await;
    assert_eq!(
        within(leecher.fetch(&link).wait()).await,
        Err(FetchError::Duplicate(first.info_hash()))
    );
    let refused = leecher.add(&share.metainfo, AddOptions::new(StorageKind::Memory));
    let duplicate = AddError::Duplicate(first.info_hash());
    assert_eq!(within(refused).await.unwrap_err(), duplicate);
    drop(first);
    // Its name is free again at once, although its tasks have not ended, and stays the second's when they have.
    let mut second = leecher.fetch(&link);
    let connected = async { while second.changed().await.unwrap().peers_connected < 2 {} };
    within(connected).await;
    assert_eq!(
        within(leecher.fetch(&link).wait()).await,
        Err(FetchError::Duplicate(second.info_hash()))
    );
    within(leecher.close()).await;
    assert_eq!(within(second.wait()).await, Err(FetchError::Closed));
    assert_eq!(second.add_peers(Vec::new()).await, Err(FetchError::Closed));
    let mut late = leecher.fetch(&link);
    assert_eq!(within(late.wait()).await, Err(FetchError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_cannot_work_is_refused_at_once() {
    let share = share();
    let leecher = session();
    let v2 = InfoHashV2::new([7; 32]);
    let nothing = InfoHashes { v1: None, v2: None };
    let mut fetch = leecher.fetch(&Magnet::new(nothing));
    assert_eq!(within(fetch.wait()).await, Err(FetchError::NoHash));

    // The right v1 hash beside the v2 hash of another torrent.
    let peers = Peers::new(&share, &[Manner::Honest]).await;
    let mut link = magnet(&share, &peers.addrs);
    link.hashes.v2 = Some(v2);
    let mut fetch = leecher.fetch(&link);
    assert_eq!(within(fetch.wait()).await, Err(FetchError::TwoTorrents));

    // The metadata has the v2 hash of the link and is that of a v1 torrent.
    let v2 = InfoHashV2::new(Sha256::digest(share.metainfo.info().raw()).into());
    let peers = Peers::under(v2.truncated(), &share, &[Manner::Honest]).await;
    let mut link = magnet(&share, &peers.addrs);
    link.hashes = v2.into();
    let mut fetch = leecher.fetch(&link);
    assert_eq!(within(fetch.wait()).await, Err(FetchError::NotV2));
    within(leecher.close()).await;
}
