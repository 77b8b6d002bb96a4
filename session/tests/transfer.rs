//! Sessions that talk to each other over loopback: sockets, files, memory, trackers, shutdown.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what cannot go wrong in a test ends it; one test measures how long a limit holds a transfer up"
)]

mod support;

use std::time::Duration;

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::RemoveOptions;
use tailwater_session::{AddError, AddOptions, Phase, Session, StorageKind, TorrentError};
use tempfile::TempDir;

fn mixed_files() -> Vec<(&'static str, usize)> {
    vec![
        ("a/one.bin", 3_000_000),
        ("empty", 0),
        ("b/c/two.bin", 70_001),
        ("z", 1),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_travel_from_disk_to_disk_and_to_memory_and_on_from_there() {
    let share = Share::new(1, &mixed_files(), 65_536);
    let (origin, relay, end) = (session(), session(), session());
    seed(&origin, &share).await;

    let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
    let in_memory = relay.add(&share.metainfo, options).await.unwrap();
    within(in_memory.wait_complete()).await.unwrap();
    assert_eq!(
        in_memory.stats().downloaded,
        share.metainfo.info().geometry().total()
    );

    // The end knows only the relay, which holds everything in memory.
    let target = TempDir::new().unwrap();
    let options =
        AddOptions::new(StorageKind::Disk(target.path().into())).peers(relay.listen_addr());
    let on_disk = end.add(&share.metainfo, options).await.unwrap();
    within(on_disk.wait_complete()).await.unwrap();
    share.assert_same(target.path());

    for session in [&end, &relay, &origin] {
        within(session.close()).await;
    }
    assert_eq!(relay.memory_stats().used, 0, "{:?}", relay.memory_stats());
    assert_eq!(in_memory.status().phase, Phase::Closed);
    assert_eq!(on_disk.have().await, Err(TorrentError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_chosen_files_are_made() {
    let share = Share::new(2, &mixed_files(), 65_536);
    let (origin, end) = (session(), session());
    seed(&origin, &share).await;
    let target = TempDir::new().unwrap();
    let files = share.metainfo.info().files();
    let chosen = files
        .iter()
        .position(|file| file.path().as_str().ends_with("two.bin"))
        .unwrap();
    let options = AddOptions::new(StorageKind::Disk(target.path().into()))
        .files([chosen])
        .peers(origin.listen_addr());
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    within(end.close()).await;
    within(origin.close()).await;
    for (index, file) in files.iter().enumerate() {
        let made = file.path().under(target.path()).exists();
        assert_eq!(made, index == chosen, "{}", file.path().as_str());
    }
    assert!(torrent.stats().downloaded < 300_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_downloaded_is_not_downloaded_again() {
    let share = Share::new(3, &mixed_files(), 65_536);
    let origin = session();
    seed(&origin, &share).await;
    let (target, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let options =
        AddOptions::new(StorageKind::Disk(target.path().into())).peers(origin.listen_addr());
    let start = || {
        Session::builder()
            .listen(LOOPBACK)
            .state_dir(state.path())
            .start()
            .unwrap()
    };

    let first = start();
    let torrent = first.add(&share.metainfo, options.clone()).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    within(first.close()).await;

    // With resume data, and then without it as after a crash: the files are believed, or checked.
    for keep_state in [true, false] {
        if !keep_state {
            std::fs::remove_dir_all(state.path()).unwrap();
        }
        let again = start();
        let torrent = again.add(&share.metainfo, options.clone()).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        assert_eq!(torrent.stats().downloaded, 0);
        within(again.close()).await;
    }

    // Bytes changed behind our back are found, and only their piece is fetched.
    let file = target.path().join("share/a/one.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let again = start();
    let torrent = again.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    assert_eq!(torrent.stats().downloaded, 65_536);
    within(again.close()).await;
    share.assert_same(target.path());
    within(origin.close()).await;
}

#[tokio::test]
async fn a_torrent_that_does_not_fit_the_memory_is_refused_at_once() {
    let share = Share::new(4, &[("big", 3_000_000)], 65_536);
    let small = Session::builder()
        .listen(LOOPBACK)
        .memory_budget(1_000_000)
        .start()
        .unwrap();
    let refused = small
        .add(&share.metainfo, AddOptions::new(StorageKind::Memory))
        .await;
    let expected = AddError::TooLargeForMemory {
        // In whole blocks.
        needed: 184 * 16_384,
        budget: 1_000_000,
    };
    assert_eq!(refused.err(), Some(expected));
    // The name is free again, and a part of it fits.
    let options = AddOptions::new(StorageKind::Memory).files([]);
    assert!(small.add(&share.metainfo, options).await.is_ok());
    within(small.close()).await;
    assert_eq!(
        small
            .add(&share.metainfo, AddOptions::new(StorageKind::Memory))
            .await
            .err(),
        Some(AddError::Closed)
    );
}

#[tokio::test]
async fn a_torrent_is_in_a_session_once_and_can_come_back_after_it_left() {
    let share = Share::new(5, &[("file", 100_000)], 65_536);
    let session = session();
    let torrent = seed(&session, &share).await;
    let twice = session
        .add(&share.metainfo, AddOptions::new(StorageKind::Memory))
        .await;
    assert_eq!(twice.err(), Some(AddError::Duplicate(torrent.info_hash())));
    within(torrent.remove(RemoveOptions::default()))
        .await
        .unwrap();
    assert_eq!(torrent.peers().await, Err(TorrentError::Closed));
    seed(&session, &share).await;
    within(session.close()).await;
    within(session.close()).await;
}

#[tokio::test]
async fn a_download_folder_that_is_a_file_is_said_plainly() {
    let share = Share::new(6, &[("file", 100_000)], 65_536);
    let session = session();
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = AddOptions::new(StorageKind::Disk(file.path().into()));
    let error = session.add(&share.metainfo, options).await.err().unwrap();
    assert!(
        error.to_string().contains(&*file.path().to_string_lossy()),
        "{error}"
    );
    within(session.close()).await;
}

#[tokio::test]
async fn a_taken_port_is_said_plainly() {
    let first = session();
    let taken = first.listen_addr().unwrap();
    let refused = Session::builder().listen(taken).start().err().unwrap();
    assert!(
        refused.to_string().contains(&taken.to_string()),
        "{refused}"
    );
    // Without a wish, the next free one is taken.
    let any = [
        Session::builder().start().unwrap(),
        Session::builder().start().unwrap(),
    ];
    assert_ne!(any[0].listen_addr(), any[1].listen_addr());
    for session in any.iter().chain([&first]) {
        within(session.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_the_rate_down() {
    let share = Share::new(7, &[("file", 400_000)], 65_536);
    let origin = Session::builder()
        .listen(LOOPBACK)
        .upload_limit(1_000_000)
        .start()
        .unwrap();
    seed(&origin, &share).await;
    let end = session();
    let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    let start = std::time::Instant::now();
    within(torrent.wait_complete()).await.unwrap();
    // A lower bound on time cannot fail on a slow machine: 400 kB at 1 MB/s, less the burst of 100 ms.
    assert!(
        start.elapsed() > Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
    within(end.close()).await;
    within(origin.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_uploads_holds_no_download_up() {
    let share = Share::new(12, &[("file", 400_000)], 65_536);
    let origin = session();
    seed(&origin, &share).await;
    // A byte a second: what is not a block must pass all the same.
    let end = Session::builder()
        .listen(LOOPBACK)
        .upload_limit(1)
        .start()
        .unwrap();
    let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    within(end.close()).await;
    within(origin.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_isolated() {
    let share = Share::new(8, &mixed_files(), 65_536);
    let (origin, one, other) = (session(), session(), session());
    seed(&origin, &share).await;
    let options = || AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
    let mine = one.add(&share.metainfo, options()).await.unwrap();
    let yours = other.add(&share.metainfo, options()).await.unwrap();
    within(mine.wait_complete()).await.unwrap();
    within(yours.wait_complete()).await.unwrap();
    within(one.close()).await;
    assert_eq!(one.memory_stats().used, 0);
    assert!(other.memory_stats().used >= share.metainfo.info().geometry().total());
    assert_eq!(yours.status().phase, Phase::Complete);
    within(other.close()).await;
    within(origin.close()).await;
}

#[tokio::test]
async fn who_only_seeds_writes_nothing_and_says_what_is_missing() {
    let share = Share::new(9, &mixed_files(), 65_536);
    let file = share.dir.path().join("share/a/one.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let session = session();
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into())).seed_only(true);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    let error = within(torrent.wait_complete()).await.unwrap_err();
    let TorrentError::Incomplete { have } = error else {
        panic!("{error:?}");
    };
    assert_eq!(have.piece_count() - have.count(), 1);
    let reason = TorrentError::Incomplete { have };
    assert_eq!(within(torrent.peers()).await, Err(reason));
    within(session.close()).await;
    assert!(std::fs::read(&file).unwrap() == bytes);
}

/// Waits until no task is alive; a task that has ended may still be on its way out of the runtime's list.
async fn all_tasks_ended() {
    let metrics = tokio::runtime::Handle::current().metrics();
    while metrics.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_after_close() {
    let share = Share::new(10, &mixed_files(), 65_536);
    let origin = session();
    seed(&origin, &share).await;
    // A peer that accepts and never says a word, and one that is not there.
    let mute = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
    let absent = {
        let gone = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
        gone.local_addr().unwrap()
    };
    let end = session();
    let peers = [mute.local_addr().unwrap(), absent];
    let options = AddOptions::new(StorageKind::Memory)
        .peers(peers)
        .peers(origin.listen_addr());
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    // One that has only just begun when it ends.
    let unfinished = session();
    let options = AddOptions::new(StorageKind::Memory).peers(peers);
    let hopeless = unfinished.add(&share.metainfo, options).await.unwrap();
    let waiting = tokio::spawn(async move { hopeless.wait_complete().await });
    for session in [&end, &unfinished, &origin] {
        within(session.close()).await;
    }
    assert_eq!(within(waiting).await.unwrap(), Err(TorrentError::Closed));
    within(all_tasks_ended()).await;
    for session in [&end, &unfinished] {
        assert_eq!(session.memory_stats().used, 0);
    }
}
