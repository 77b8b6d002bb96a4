//! Downloads and seeds whose files another program touches.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::{
    AddOptions, FileChange, Phase, Session, StorageError, StorageKind, Torrent, TorrentError,
};
use tempfile::TempDir;

const LEN: usize = 200_000;

/// What is done to a file.
type Change = fn(&Path);

/// A download of two files, of which a part is there already, and no peer to fetch the rest from yet.
struct Leech {
    share: Share,
    dir: TempDir,
    session: Session,
    torrent: Torrent,
}

impl Leech {
    async fn new() -> Self {
        let share = Share::new(3, &[("a", LEN), ("b", LEN)], 32_768);
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("share")).unwrap();
        for name in ["share/a", "share/b"] {
            let mut bytes = fs::read(share.dir.path().join(name)).unwrap();
            bytes[LEN - 1] ^= 1;
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        let session = Session::builder()
            .listen(LOOPBACK)
            .state_dir(dir.path().join("state"))
            .start()
            .unwrap();
        let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
        let mut torrent = session.add(&share.metainfo, options).await.unwrap();
        while torrent.status().phase != Phase::Downloading {
            within(torrent.changed()).await.unwrap();
        }
        Self {
            share,
            dir,
            session,
            torrent,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("share").join(name)
    }

    /// Fetches the rest; closes everything.
    async fn end(&self) -> Result<(), TorrentError> {
        let seeder = session();
        let _seed = seed(&seeder, &self.share).await;
        let peers = vec![seeder.listen_addr().unwrap()];
        self.torrent.add_peers(peers).await.unwrap();
        let outcome = within(self.torrent.wait_complete()).await;
        within(self.session.close()).await;
        within(seeder.close()).await;
        outcome
    }

    fn resume_files(&self) -> usize {
        fs::read_dir(self.dir.path().join("state")).map_or(0, Iterator::count)
    }
}

fn changed(path: PathBuf, change: FileChange) -> Result<(), TorrentError> {
    Err(TorrentError::Storage(StorageError::FileChanged {
        path,
        change,
    }))
}

#[tokio::test]
async fn what_is_left_alone_completes_and_is_remembered() {
    let leech = Leech::new().await;
    assert_eq!(leech.end().await, Ok(()));
    leech.share.assert_same(leech.dir.path());
    assert_eq!(leech.resume_files(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_download_whose_file_is_deleted_or_cut_fails_and_nothing_vouches_for_it() {
    let cut = |path: &Path| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(10).unwrap();
    };
    let delete = |path: &Path| fs::remove_file(path).unwrap();
    let changes: [(Change, FileChange); 2] = [(delete, FileChange::Gone), (cut, FileChange::Cut)];
    for (change, expected) in changes {
        let leech = Leech::new().await;
        // The first file is open since the download began.
        change(&leech.path("a"));
        assert_eq!(leech.end().await, changed(leech.path("a"), expected));
        assert_eq!(leech.resume_files(), 0);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_download_whose_file_is_replaced_is_not_complete() {
    let leech = Leech::new().await;
    let path = leech.path("a");
    fs::rename(&path, leech.path("away")).unwrap();
    fs::copy(leech.path("away"), &path).unwrap();
    assert_eq!(leech.end().await, changed(path, FileChange::Replaced));
    assert_eq!(leech.resume_files(), 0);
}

#[tokio::test]
async fn what_another_program_left_behind_the_end_is_cut() {
    let leech = Leech::new().await;
    for name in ["a", "b"] {
        let file = fs::OpenOptions::new().write(true).open(leech.path(name));
        file.unwrap().set_len(LEN as u64 + 10).unwrap();
    }
    assert_eq!(leech.end().await, Ok(()));
    leech.share.assert_same(leech.dir.path());
}

#[tokio::test]
async fn what_was_there_already_is_cut_by_a_download_and_left_by_a_seed() {
    for is_seed in [false, true] {
        let share = Share::new(4, &[("a", LEN)], 32_768);
        let path = share.dir.path().join("share/a");
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(7);
        fs::write(&path, &bytes).unwrap();
        let session = session();
        let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()))
            .announce(false)
            .seed_only(is_seed);
        let torrent = session.add(&share.metainfo, options).await.unwrap();
        assert_eq!(within(torrent.wait_complete()).await, Ok(()));
        let left = LEN as u64 + u64::from(is_seed);
        assert_eq!(fs::metadata(&path).unwrap().len(), left);
        within(session.close()).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_seed_whose_file_is_deleted_fails_when_it_is_asked_for_it() {
    let leech = Leech::new().await;
    let seeder = session();
    let options = AddOptions::new(StorageKind::Disk(leech.share.dir.path().into()))
        .announce(false)
        .seed_only(true);
    let mut torrent = seeder.add(&leech.share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    let path = leech.share.dir.path().join("share/b");
    fs::remove_file(&path).unwrap();
    let peers = vec![seeder.listen_addr().unwrap()];
    leech.torrent.add_peers(peers).await.unwrap();
    let failed = loop {
        if let Phase::Failed(error) = within(torrent.changed()).await.unwrap().phase {
            break error;
        }
    };
    assert_eq!(Err(failed), changed(path, FileChange::Gone));
    within(leech.session.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn a_torrent_that_could_not_start_answers_every_question_with_the_reason() {
    let share = Share::new(5, &[("a", LEN)], 32_768);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("share/a");
    fs::create_dir(dir.path().join("share")).unwrap();
    fs::write(&path, [7; 1_000]).unwrap();
    let session = session();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    let reason = TorrentError::Storage(StorageError::Foreign { files: vec![path] });
    // While it looks at its files, and after.
    for _ in 0..2 {
        assert_eq!(within(torrent.have()).await, Err(reason.clone()));
        let outcome = within(torrent.wait_complete()).await;
        assert_eq!(outcome, Err(reason.clone()));
    }
    within(session.close()).await;
    assert_eq!(within(torrent.have()).await, Err(TorrentError::Closed));
}
