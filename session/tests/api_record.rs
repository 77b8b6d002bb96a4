//! Records of torrents: added again in another session, a torrent is as it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_metainfo::{FileIndex, Metainfo};
use tailwater_session::{
    AddError, AddOptions, Event, Phase, Priority, Session, StorageKind, StorageRecord,
    TorrentRecord, Totals,
};
use tempfile::TempDir;

const LEN: usize = 3 * 32_768;

fn with_state(dir: &Path) -> Session {
    let session = Session::builder().listen(LOOPBACK);
    session.state_dir(dir.join("state")).start().unwrap()
}

fn saved(record: &TorrentRecord) -> TorrentRecord {
    let json = serde_json::to_string(record).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[tokio::test]
async fn a_torrent_is_as_it_was_after_a_restart() {
    let share = Share::new(7, &[("a", LEN), ("b", LEN), ("c", LEN)], 32_768);
    let (seeder, dir) = (session(), TempDir::new().unwrap());
    let _seed = seed(&seeder, &share).await;
    let first = with_state(dir.path());
    let options = AddOptions::new(StorageKind::Disk(dir.path().into()))
        .files([0, 2])
        .sequential(true)
        .super_seeding(true)
        .upload_limit(1_000_000)
        .upload_slots(3)
        .trackers(vec![vec!["http://127.0.0.1:1/announce".to_owned()]])
        .totals(Totals {
            downloaded: 5,
            uploaded: 6,
        })
        .peers([seeder.listen_addr().unwrap()]);
    let torrent = first.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    torrent.set_max_peers(Some(9)).unwrap();
    torrent.set_download_limit(Some(77)).unwrap();
    torrent.add_tracker("udp://127.0.0.1:1", Some(0)).unwrap();
    let low = [(FileIndex::new(2), Priority::Low)];
    torrent.set_file_priorities(&low).await.unwrap();
    torrent.pause().await.unwrap();
    // Asked behind the pause, this is answered behind it.
    torrent.have().await.unwrap();
    let record = torrent.record();
    within(first.close()).await;
    within(seeder.close()).await;

    assert_eq!(record.storage, StorageRecord::Folder(dir.path().into()));
    assert_eq!(record.totals.downloaded, 2 * LEN as u64 + 5);
    assert!(record.super_seeding);
    let second = with_state(dir.path());
    let mut events = second.subscribe();
    let torrent = second.add_record(&saved(&record)).await.unwrap();
    assert_eq!(torrent.record(), record);
    assert_eq!(torrent.metainfo().info(), share.metainfo.info());
    assert!(torrent.is_sequential() && torrent.is_super_seeding());
    assert_eq!((torrent.max_peers(), torrent.upload_slots()), (9, 3));
    assert_eq!(
        (torrent.download_limit(), torrent.upload_limit()),
        (Some(77), Some(1_000_000))
    );
    assert_eq!(
        torrent.file_priorities(),
        [Priority::Normal, Priority::Skip, Priority::Low]
    );
    // What was there is there without being fetched or wanted again.
    let have = loop {
        if let Event::Started { have, .. } = within(events.next()).await.unwrap() {
            break have;
        }
    };
    assert_eq!(have, 6);
    torrent.have().await.unwrap();
    assert_eq!(torrent.status().phase, Phase::Paused);
    assert_eq!(torrent.status().totals, record.totals);
    within(torrent.resume()).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    let mut resumed = record;
    resumed.paused = false;
    assert_eq!(torrent.record(), resumed);
    within(second.close()).await;
}

#[tokio::test]
async fn a_record_keeps_what_stands_around_the_info_dictionary() {
    let share = Share::new(7, &[("a", LEN)], 32_768);
    let info = share.metainfo.info().raw();
    let around = [
        &b"d8:announce7:udp://a13:announce-listll7:udp://ael7:udp://bee7:comment4:film"[..],
        b"10:created by4:test13:creation datei1700000000e9:httpseedsl8:http://he4:info",
        info,
        b"5:nodesll9:127.0.0.1i6881eee8:url-listl8:http://wee",
    ];
    let metainfo = Metainfo::from_bytes(&around.concat()).unwrap();
    let (first, second) = (session(), session());
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let record = first.add(&metainfo, options).await.unwrap().record();
    let again = second.add_record(&saved(&record)).await.unwrap();
    assert_eq!(again.metainfo(), &metainfo);
    assert_eq!(again.record(), record);
    within(first.close()).await;
    within(second.close()).await;
}

#[tokio::test]
async fn a_record_of_a_magnet_link_is_added_when_its_metadata_has_come() {
    let share = Share::new(7, &[("a", LEN), ("b", LEN)], 32_768);
    let (seeder, leecher) = (session(), session());
    let hash = seed(&seeder, &share).await.info_hash();
    let peer = seeder.listen_addr().unwrap();
    let link = format!("magnet:?xt=urn:btih:{hash}&dn=share&x.pe={peer}")
        .parse()
        .unwrap();
    let options = AddOptions::new(StorageKind::Memory)
        .announce(false)
        .files([1]);
    let record = saved(&TorrentRecord::of_magnet(&link, &options));
    assert_eq!(
        (record.info_hash.as_str(), record.name.as_str()),
        (&*hash.to_string(), "share")
    );
    let torrent = within(leecher.add_record(&record)).await.unwrap();
    assert_eq!(
        torrent.file_priorities(),
        [Priority::Skip, Priority::Normal]
    );
    within(torrent.wait_complete()).await.unwrap();
    assert!(torrent.record().torrent_file.is_some());
    within(leecher.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn an_old_or_empty_record_is_no_panic() {
    let session = session();
    let record: TorrentRecord = serde_json::from_str("{}").unwrap();
    assert_eq!(record, TorrentRecord::default());
    let refused = session.add_record(&record).await.map(drop);
    assert!(
        matches!(refused, Err(AddError::Unreadable { .. })),
        "{refused:?}"
    );
    let record: TorrentRecord = serde_json::from_str(
        r#"{"torrent_file":"Zmlsbw==","storage":{"folder":"/x"},"file_priorities":{"4000000000":"high"}}"#,
    )
    .unwrap();
    let refused = session.add_record(&record).await.map(drop);
    assert!(
        matches!(refused, Err(AddError::NoTorrent { .. })),
        "{refused:?}"
    );
    within(session.close()).await;
}
