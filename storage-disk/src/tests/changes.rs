//! Another program deletes, replaces, cuts or lengthens files below a torrent.

use super::resume::data_of;
use super::{Rig, mixed, right};
use crate::{Completion, FileChange, ResumeData, StorageError};
use std::fs::{self, OpenOptions};
use std::path::Path;

/// Index of the largest file; its pieces 3 to 6 are its alone.
const D: &str = "t/d";

/// What is done to a file.
type Change = fn(&Path);

fn lengthen(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len + 1).unwrap();
}

fn shorten(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(70_000).unwrap();
}

#[cfg(unix)]
fn delete(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// The old file goes on under another name.
#[cfg(unix)]
fn replace(path: &Path) {
    let away = path.with_extension("away");
    fs::rename(path, &away).unwrap();
    fs::copy(&away, path).unwrap();
}

fn changed(rig: &Rig, change: FileChange) -> StorageError {
    StorageError::FileChanged {
        path: rig.root().join(D),
        change,
    }
}

/// A download of which only the last piece is lacking.
async fn nearly_done() -> Rig {
    let mut rig = Rig::new(mixed()).await;
    rig.torrent.prepare().await.unwrap();
    let last = rig.payload.geometry.piece_count() - 1;
    for index in 0..last {
        rig.write(rig.payload.geometry.blocks(rig.payload.piece(index)))
            .await;
        assert_eq!(rig.verify(index).await, right(rig.payload.piece(index)));
    }
    rig
}

async fn write_last(rig: &Rig) {
    let last = rig.payload.geometry.pieces().next_back().unwrap();
    rig.write(rig.payload.geometry.blocks(last)).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_deleted_or_cut_is_not_written_to() {
    let changes: [(Change, FileChange); 2] =
        [(delete, FileChange::Gone), (shorten, FileChange::Cut)];
    for (change, expected) in changes {
        let mut rig = nearly_done().await;
        change(&rig.root().join(D));
        write_last(&rig).await;
        let failed = rig.events.recv().await.unwrap();
        let Completion::WriteFailed { error, .. } = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(error, changed(&rig, expected));
        // Trying again does not bring back what was verified.
        assert_eq!(rig.torrent.resume().await, Err(error.clone()));
        assert_eq!(rig.torrent.check_unchanged().await, Err(error));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_gone_replaced_or_cut_is_noticed_at_the_end() {
    let changes: [(Change, FileChange); 3] = [
        (delete, FileChange::Gone),
        (replace, FileChange::Replaced),
        (shorten, FileChange::Cut),
    ];
    for (change, expected) in changes {
        let mut rig = nearly_done().await;
        write_last(&rig).await;
        let last = rig.payload.geometry.pieces().next_back().unwrap();
        assert_eq!(rig.verify(last.get()).await, right(last));
        change(&rig.root().join(D));
        rig.torrent.finish().unwrap();
        let expected = Completion::Finished(Err(changed(&rig, expected)));
        assert_eq!(rig.events.recv().await, Some(expected));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_written_is_noticed_when_resume_data_is_saved() {
    let rig = nearly_done().await;
    assert_eq!(rig.torrent.check_unchanged().await, Ok(()));
    replace(&rig.root().join(D));
    let error = changed(&rig, FileChange::Replaced);
    assert_eq!(rig.torrent.check_unchanged().await, Err(error));
}

#[tokio::test]
async fn a_file_that_was_longer_is_cut_when_it_is_whole() {
    for is_new in [true, false] {
        let mut rig = Rig::new(mixed()).await;
        if is_new {
            fs::create_dir_all(rig.root().join("t")).unwrap();
            fs::write(rig.root().join(D), vec![1; 400_000]).unwrap();
            rig.torrent.prepare().await.unwrap();
            rig.write(rig.payload.blocks()).await;
            rig.verify_all().await;
        } else {
            rig.payload.save(&rig.root());
            lengthen(&rig.root().join(D));
            assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
        }
        assert_eq!(rig.torrent.look_again().await, Ok(()));
        rig.payload.assert_saved(&rig.root());
    }
}

#[tokio::test]
async fn a_file_that_is_not_wanted_is_never_cut() {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let files = std::sync::Arc::new(super::SystemFiles);
    let payload = mixed();
    payload.save(&dir.path().join("down"));
    lengthen(&dir.path().join("down").join(D));
    let rig = Rig::with(payload, files, &[6], dir).await;
    rig.torrent.check(|_, _| {}).await.unwrap();
    assert_eq!(rig.torrent.look_again().await, Ok(()));
    assert_eq!(fs::metadata(rig.root().join(D)).unwrap().len(), 300_002);
}

#[tokio::test]
async fn a_short_file_that_was_checked_gets_its_length_when_it_is_written() {
    let mut rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    shorten(&rig.root().join(D));
    let have = rig.torrent.check(|_, _| {}).await.unwrap();
    assert!(!have.is_all() && !have.is_none());
    rig.torrent.prepare().await.unwrap();
    let missing = rig
        .payload
        .geometry
        .pieces()
        .filter(|&piece| !have.has(piece));
    let blocks = missing.flat_map(|piece| rig.payload.geometry.blocks(piece));
    rig.write(blocks.collect::<Vec<_>>()).await;
    rig.verify_all().await;
    assert_eq!(rig.torrent.look_again().await, Ok(()));
    rig.payload.assert_saved(&rig.root());
}

#[tokio::test]
async fn a_seed_whose_file_is_cut_or_deleted_says_so_once() {
    let changes: [(Change, FileChange); 2] = [
        (shorten, FileChange::Cut),
        #[cfg(unix)]
        (delete, FileChange::Gone),
        #[cfg(not(unix))]
        (shorten, FileChange::Cut),
    ];
    for (change, expected) in changes {
        let mut rig = Rig::new(mixed()).await;
        rig.payload.save(&rig.root());
        rig.torrent.check(|_, _| {}).await.unwrap();
        let block = *rig.payload.blocks().last().unwrap();
        assert!(rig.read(block).await.is_ok());
        change(&rig.root().join(D));
        let error = changed(&rig, expected);
        for _ in 0..2 {
            assert_eq!(rig.read(block).await, Err(error.clone()));
        }
        let told = rig.events.recv().await;
        assert_eq!(told, Some(Completion::ReadFailed { error }));
        assert!(rig.events.try_recv().is_err());
    }
}

#[tokio::test]
async fn resume_data_that_vouches_for_a_file_that_is_not_there_is_not_trusted() {
    let rig = nearly_done().await;
    let mut data: ResumeData = data_of(&rig).await;
    let rig = rig.again(&[]).await;
    fs::remove_file(rig.root().join(D)).unwrap();
    data.files[6] = None;
    assert_eq!(rig.torrent.adopt(&data).await, Ok(false));
    assert!(rig.torrent.verified().is_none());
}
