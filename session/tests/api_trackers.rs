//! The trackers of a torrent, while it runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use support::{LOOPBACK, Share, session, within};
use tailwater_metainfo::TorrentVersion;
use tailwater_session::RemoveOptions;
use tailwater_session::{
    AddOptions, Event, Session, StorageKind, Torrent, TrackerState, TrackersError,
};
use tailwater_tracker::{Server, ServerConfig};

async fn tracker() -> (Server, String) {
    let mut config = ServerConfig::default();
    config.http = Some(LOOPBACK);
    config.min_interval = Duration::from_millis(1);
    let server = Server::bind(config).await.unwrap();
    let url = format!("http://{}/announce", server.http_addr().unwrap());
    (server, url)
}

async fn add(session: &Session, trackers: &[&str]) -> Torrent {
    let share = Share::new(1, &[("film", 100_000)], 32_768);
    let tiers = trackers.iter().map(|url| vec![(*url).to_owned()]);
    let options = AddOptions::new(StorageKind::Memory).trackers(tiers.collect());
    session.add(&share.metainfo, options).await.unwrap()
}

/// Waits until a tracker has answered or failed.
async fn heard_of(session: &Session, wanted: &str, cause: impl FnOnce()) {
    let mut events = session.subscribe();
    cause();
    within(async {
        loop {
            match events.next().await.unwrap() {
                Event::TrackerAnswered { tracker, .. } | Event::TrackerFailed { tracker, .. }
                    if tracker == wanted =>
                {
                    return;
                }
                _ => {}
            }
        }
    })
    .await;
}

/// What is shown follows an event within a turn of the announcer.
async fn shown(
    torrent: &Torrent,
    url: &str,
    state: TrackerState,
) -> tailwater_session::TrackerStatus {
    within(async {
        loop {
            let mut trackers = torrent.trackers().into_iter();
            if let Some(found) = trackers.find(|it| it.url == url && it.state == state) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn trackers_say_how_they_do() {
    let (server, url) = tracker().await;
    let session = session();
    let nobody = "http://127.0.0.1:1/announce";
    let torrent = add(&session, &[nobody, &url]).await;
    let working = shown(&torrent, &url, TrackerState::Working).await;
    assert_eq!((working.tier, working.failures), (1, 0));
    assert_eq!((working.seeders, working.leechers), (Some(0), Some(1)));
    assert_eq!(working.peers, Some(0));
    assert!(working.last_announce.is_some() && working.next_announce.is_some());
    let failing = shown(&torrent, nobody, TrackerState::Failing).await;
    assert_eq!((failing.tier, failing.failures), (0, 1));
    assert!(failing.last_error.is_some() && failing.peers.is_none());
    within(session.close()).await;
    server.close().await;
}

#[tokio::test]
async fn a_hybrid_torrent_is_announced_under_both_names() {
    let (server, url) = tracker().await;
    let session = session();
    let share = Share::of(TorrentVersion::Hybrid, 1, &[("film", 100_000)], 32_768);
    let options = AddOptions::new(StorageKind::Memory).trackers(vec![vec![url.clone()]]);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    within(async {
        while server.stats().torrents < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.stats().peers, 2);
    assert_eq!(torrent.trackers().len(), 1);
    // Both are told when it ends.
    within(session.close()).await;
    assert_eq!(server.stats().peers, 0);
    server.close().await;
}

#[tokio::test]
async fn a_tracker_that_is_added_is_asked_and_one_that_is_replaced_is_told() {
    let ((first, first_url), (second, second_url)) = (tracker().await, tracker().await);
    let session = session();
    let torrent = add(&session, &[]).await;
    assert!(torrent.trackers().is_empty());
    heard_of(&session, &first_url, || {
        torrent.add_tracker(&first_url, None).unwrap();
    })
    .await;
    assert_eq!(first.stats().peers, 1);

    let tiers = vec![vec![second_url.clone()]];
    heard_of(&session, &second_url, || {
        torrent.replace_trackers(tiers.clone()).unwrap();
    })
    .await;
    assert_eq!(torrent.tracker_tiers(), tiers);
    assert_eq!(second.stats().peers, 1);
    within(async {
        while first.stats().peers > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(session.close()).await;
    assert_eq!(second.stats().peers, 0);
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn what_is_no_tracker_is_refused_and_nothing_is_changed() {
    let session = session();
    let torrent = add(&session, &["http://127.0.0.1:1/announce"]).await;
    let tiers = torrent.tracker_tiers();
    for url in [
        "",
        "film",
        "ftp://127.0.0.1/announce",
        "magnet:?xt=x",
        "udp:///announce",
    ] {
        let refused = torrent.add_tracker(url, None);
        assert!(
            matches!(refused, Err(TrackersError::Unusable { .. })),
            "{url}: {refused:?}"
        );
    }
    let again = torrent.add_tracker(&tiers[0][0], Some(0));
    assert!(
        matches!(again, Err(TrackersError::Duplicate { .. })),
        "{again:?}"
    );
    let many = (0..300).map(|port| vec![format!("udp://127.0.0.1:{port}")]);
    let many = torrent.replace_trackers(many.collect());
    assert_eq!(many, Err(TrackersError::TooMany { limit: 256 }));
    assert_eq!(torrent.tracker_tiers(), tiers);
    within(torrent.remove(RemoveOptions::default()))
        .await
        .unwrap();
    assert!(matches!(
        torrent.reannounce(),
        Err(tailwater_session::TorrentError::Closed)
    ));
    within(session.close()).await;
}

#[tokio::test]
async fn a_tracker_is_asked_again_on_demand() {
    let (server, url) = tracker().await;
    let session = session();
    let torrent = add(&session, &[&url]).await;
    shown(&torrent, &url, TrackerState::Working).await;
    let next = || torrent.trackers()[0].next_announce.unwrap();
    assert!(next() > Duration::from_secs(1_700));
    torrent.reannounce().unwrap();
    // As soon as the least interval that is kept towards any tracker allows.
    within(async {
        while next() > Duration::from_secs(600) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(session.close()).await;
    server.close().await;
}
