//! A torrent's files while it is in the session: hashed anew, moved to another folder, deleted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::{
    AddOptions, Event, Phase, ReaderOptions, Recheck, RemoveOptions, Session, StorageError,
    StorageKind, Torrent, TorrentError,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

const LEN: usize = 4 * 32_768;

fn share() -> Share {
    Share::new(9, &[("a", LEN), ("sub/b", LEN)], 32_768)
}

/// A folder with a copy of the share, and a session that seeds it and could download it.
struct Scene {
    share: Share,
    dir: TempDir,
    session: Session,
    torrent: Torrent,
}

impl Scene {
    async fn new() -> Self {
        let share = share();
        let dir = TempDir::new().unwrap();
        let old = dir.path().join("old");
        fs::create_dir_all(old.join("share/sub")).unwrap();
        for name in ["share/a", "share/sub/b"] {
            fs::copy(share.dir.path().join(name), old.join(name)).unwrap();
        }
        let session = start(dir.path());
        let options = AddOptions::new(StorageKind::Disk(old)).announce(false);
        let torrent = session.add(&share.metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        Self {
            share,
            dir,
            session,
            torrent,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn start(dir: &Path) -> Session {
    let session = Session::builder().listen(LOOPBACK);
    session.state_dir(dir.join("state")).start().unwrap()
}

async fn phase(torrent: &Torrent, wanted: Phase) {
    let mut torrent = torrent.clone();
    while torrent.status().phase != wanted {
        within(torrent.changed()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_on_the_disk_is_missing_after_a_recheck_and_fetched_again() {
    let scene = Scene::new().await;
    let mut events = scene.session.subscribe();
    let path = scene.path("old/share/a");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let Recheck::Checked { have } = within(scene.torrent.recheck()).await.unwrap() else {
        panic!("files can change");
    };
    assert_eq!((have.count(), have.piece_count()), (7, 8));
    let info_hash = scene.torrent.info_hash();
    let rechecked = Event::Rechecked {
        info_hash,
        have: 7,
        total: 8,
    };
    while within(events.next()).await.unwrap() != rechecked {}
    phase(&scene.torrent, Phase::Downloading).await;
    assert_eq!(scene.torrent.have().await.unwrap().count(), 7);

    let seeder = session();
    let _seed = seed(&seeder, &scene.share).await;
    let peer = seeder.listen_addr().unwrap();
    scene.torrent.add_peer(peer).await.unwrap();
    within(scene.torrent.wait_complete()).await.unwrap();
    scene.share.assert_same(&scene.path("old"));
    within(scene.session.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn a_torrent_whose_file_was_deleted_is_made_good_by_a_recheck() {
    let scene = Scene::new().await;
    fs::remove_file(scene.path("old/share/sub/b")).unwrap();
    within(scene.torrent.recheck()).await.unwrap();
    assert_eq!(scene.torrent.have().await.unwrap().count(), 4);
    let seeder = session();
    let _seed = seed(&seeder, &scene.share).await;
    let peer = seeder.listen_addr().unwrap();
    scene.torrent.add_peer(peer).await.unwrap();
    within(scene.torrent.wait_complete()).await.unwrap();
    scene.share.assert_same(&scene.path("old"));
    within(scene.session.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn peers_are_told_by_a_recheck_and_readers_wait_for_it() {
    let scene = Scene::new().await;
    let leecher = session();
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let options = options.peers([scene.session.listen_addr().unwrap()]);
    // It is connected for as long as the test runs.
    let options = options.download_limit(200_000);
    let leech = leecher.add(&scene.share.metainfo, options).await.unwrap();
    let mut reader = scene.torrent.reader(0, ReaderOptions::default()).unwrap();
    let mut read = vec![0; LEN];
    reader.read_exact(&mut read[..100]).await.unwrap();
    let (checked, rest) = tokio::join!(
        within(scene.torrent.recheck()),
        within(reader.read_exact(&mut read[100..])),
    );
    checked.unwrap();
    rest.unwrap();
    assert_eq!(read, fs::read(scene.path("old/share/a")).unwrap());
    within(leech.wait_complete()).await.unwrap();
    let stats = scene.torrent.stats();
    assert!(
        stats.uploaded >= 2 * LEN as u64,
        "what came before the check counts"
    );
    within(scene.session.close()).await;
    within(leecher.close()).await;
}

#[tokio::test]
async fn nothing_is_rechecked_or_moved_in_memory() {
    let (session, share) = (session(), share());
    let options = AddOptions::new(StorageKind::Memory).announce(false);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    assert_eq!(torrent.recheck().await, Ok(Recheck::Needless));
    let refused = within(torrent.move_storage("/nowhere")).await;
    let unsupported = |error: &TorrentError| {
        matches!(
            error,
            TorrentError::Storage(StorageError::Unsupported { .. })
        )
    };
    assert!(refused.as_ref().is_err_and(unsupported), "{refused:?}");
    // It goes on.
    phase(&torrent, Phase::Downloading).await;
    within(session.close()).await;
}

/// Moves the scene's files there, and finds them without a check in another run.
async fn moved_to(scene: Scene, to: &Path) {
    let mut events = scene.session.subscribe();
    fs::write(scene.path("old/share/stranger"), "mine").unwrap();
    within(scene.torrent.move_storage(to)).await.unwrap();
    let moved = Event::Moved {
        info_hash: scene.torrent.info_hash(),
        folder: to.to_owned(),
    };
    assert_eq!(within(events.next()).await.unwrap(), moved);
    phase(&scene.torrent, Phase::Complete).await;
    scene.share.assert_same(to);
    let left: Vec<_> = fs::read_dir(scene.path("old/share")).unwrap().collect();
    assert_eq!(left.len(), 1, "the stranger's file stays, and nothing else");
    let record = scene.torrent.record();
    assert_eq!(record, {
        let mut same = record.clone();
        same.storage = tailwater_session::StorageRecord::Folder(to.to_owned());
        same
    });
    within(scene.session.close()).await;

    let again = start(scene.dir.path());
    let torrent = again.add_record(&record).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    within(again.close()).await;
}

#[tokio::test]
async fn files_move_within_a_file_system() {
    let scene = Scene::new().await;
    let to = scene.path("deep/er/new");
    moved_to(scene, &to).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_move_to_another_file_system() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new().await;
    // Where there is none, there is nothing to test.
    let Ok(other) = TempDir::new_in("/dev/shm") else {
        return;
    };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(other.path()) == device(scene.dir.path()) {
        return;
    }
    moved_to(scene, &other.path().join("new")).await;
}

#[tokio::test]
async fn a_move_onto_what_is_there_changes_nothing() {
    let scene = Scene::new().await;
    let to = scene.path("new");
    fs::create_dir_all(to.join("share")).unwrap();
    fs::write(to.join("share/a"), "mine").unwrap();
    let refused = within(scene.torrent.move_storage(&to)).await;
    let foreign = StorageError::Foreign {
        files: vec![to.join("share/a")],
    };
    assert_eq!(refused, Err(TorrentError::Storage(foreign)));
    phase(&scene.torrent, Phase::Complete).await;
    scene.share.assert_same(&scene.path("old"));
    assert_eq!(fs::read(to.join("share/a")).unwrap(), b"mine");
    assert!(!to.join("share/sub").exists());
    within(scene.session.close()).await;
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_moved_to() {
    let (seeder, dir, share) = (session(), TempDir::new().unwrap(), share());
    let _seed = seed(&seeder, &share).await;
    let session = start(dir.path());
    let options = AddOptions::new(StorageKind::Disk(dir.path().join("old"))).announce(false);
    let options = options.part_names(true).download_limit(100_000);
    let options = options.peers([seeder.listen_addr().unwrap()]);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    let mut status = torrent.clone();
    while status.stats().pieces_have < 2 {
        within(status.changed()).await.unwrap();
    }
    within(torrent.move_storage(dir.path().join("new")))
        .await
        .unwrap();
    assert!(torrent.have().await.unwrap().count() >= 2);
    torrent.set_download_limit(None).unwrap();
    within(torrent.wait_complete()).await.unwrap();
    share.assert_same(&dir.path().join("new"));
    assert!(!dir.path().join("old/share").exists());
    within(session.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn removing_deletes_what_belongs_to_the_torrent_and_nothing_else() {
    let scene = Scene::new().await;
    let mut events = scene.session.subscribe();
    fs::write(scene.path("old/share/stranger"), "mine").unwrap();
    let options = RemoveOptions::default().delete_files(true);
    within(scene.torrent.remove(options)).await.unwrap();
    let info_hash = scene.torrent.info_hash();
    let removed = Event::Removed {
        info_hash,
        deleted_files: true,
    };
    assert_eq!(within(events.next()).await.unwrap(), removed);
    assert!(!scene.path("old/share/a").exists() && !scene.path("old/share/sub").exists());
    assert_eq!(fs::read(scene.path("old/share/stranger")).unwrap(), b"mine");
    assert!(scene.session.torrents().is_empty());
    let remembered = fs::read_dir(scene.path("state")).map_or(0, Iterator::count);
    assert_eq!(remembered, 0);
    within(scene.session.close()).await;
}

#[tokio::test]
async fn a_file_in_the_way_is_not_deleted_with_the_torrent_and_one_with_a_right_piece_is() {
    let (share, dir) = (share(), TempDir::new().unwrap());
    fs::create_dir_all(dir.path().join("share/sub")).unwrap();
    fs::copy(share.dir.path().join("share/a"), dir.path().join("share/a")).unwrap();
    let foreign = dir.path().join("share/sub/b");
    fs::write(&foreign, vec![1; LEN]).unwrap();
    // The second time, the torrent has run before, and its file was replaced while it was not looked at.
    for has_run in [false, true] {
        let session = start(dir.path());
        let add = || {
            let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
            session.add(&share.metainfo, options)
        };
        if has_run {
            for name in ["a", "sub/b"] {
                let name = format!("share/{name}");
                fs::copy(share.dir.path().join(&name), dir.path().join(&name)).unwrap();
            }
            let torrent = add().await.unwrap();
            within(torrent.wait_complete()).await.unwrap();
            let removed = torrent.remove(RemoveOptions::default());
            within(removed).await.unwrap();
            fs::remove_file(&foreign).unwrap();
            fs::write(&foreign, b"mine").unwrap();
        }
        let torrent = add().await.unwrap();
        let failed = within(torrent.wait_complete()).await;
        let files = vec![foreign.clone()];
        assert_eq!(
            failed,
            Err(StorageError::Foreign {
                files: files.clone()
            }
            .into())
        );
        let options = RemoveOptions::default().delete_files(true);
        let removed = within(torrent.remove(options)).await;
        assert_eq!(removed, Err(StorageError::Foreign { files }));
        assert!(foreign.exists(), "has run: {has_run}");
        assert!(!dir.path().join("share/a").exists());
        within(session.close()).await;
    }
}

#[tokio::test]
async fn an_unwanted_file_that_was_there_before_is_not_deleted() {
    let (seeder, dir, share) = (session(), TempDir::new().unwrap(), share());
    let _seed = seed(&seeder, &share).await;
    fs::create_dir_all(dir.path().join("share")).unwrap();
    fs::write(dir.path().join("share/a"), vec![1; LEN]).unwrap();
    let session = start(dir.path());
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let options = options.files([1]).peers([seeder.listen_addr().unwrap()]);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    let options = RemoveOptions::default().delete_files(true);
    within(torrent.remove(options)).await.unwrap();
    assert!(dir.path().join("share/a").exists());
    assert!(!dir.path().join("share/sub").exists());
    within(session.close()).await;
    within(seeder.close()).await;
}
