//! Another program writes to a torrent's files, or its files are in the way.

use super::{Rig, mixed, right};
use crate::{Completion, FileChange, ResumeData, StorageError};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Index 6; its pieces 3 to 6 are its alone.
const D: &str = "t/d";

/// Writes a byte, and makes sure that the time of change is another: the kernel's clock is coarse.
fn scribble(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"#", at).unwrap();
    let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(1);
    file.set_modified(later).unwrap();
}

async fn fetch(rig: &mut Rig, pieces: std::ops::Range<u32>) {
    for index in pieces {
        let piece = rig.payload.piece(index);
        rig.write(rig.payload.geometry.blocks(piece)).await;
        assert_eq!(rig.verify(index).await, right(piece));
    }
}

/// A download that has checked its folder and fetched all but the last piece.
async fn nearly_done() -> Rig {
    let mut rig = Rig::new(mixed()).await;
    rig.torrent.check(|_, _| {}).await.unwrap();
    rig.torrent.prepare().await.unwrap();
    let count = rig.payload.geometry.piece_count();
    fetch(&mut rig, 0..count - 1).await;
    rig
}

fn modified(path: &Path) -> StorageError {
    StorageError::FileChanged {
        path: path.to_path_buf(),
        change: FileChange::Modified,
    }
}

#[tokio::test]
async fn what_only_we_write_is_untouched() {
    let mut rig = nearly_done().await;
    assert!(rig.torrent.untouched_states().await.is_ok());
    let count = rig.payload.geometry.piece_count();
    fetch(&mut rig, count - 1..count).await;
    rig.torrent.finish().unwrap();
    assert_eq!(rig.events.recv().await, Some(Completion::Finished(Ok(()))));
    assert!(rig.torrent.untouched_states().await.is_ok());
    let data = super::resume::data_of(&rig).await;
    let rig = rig.again(&[]).await;
    assert_eq!(rig.torrent.adopt(&data).await, Ok(true));
    assert!(rig.torrent.untouched_states().await.is_ok());
}

#[tokio::test]
async fn a_file_that_another_program_wrote_to_is_not_vouched_for() {
    for is_last in [false, true] {
        let mut rig = nearly_done().await;
        let path = rig.root().join(D);
        scribble(&path, 70_000);
        if !is_last {
            // Our own write comes after it, and hides its time.
            let count = rig.payload.geometry.piece_count();
            fetch(&mut rig, count - 1..count).await;
        }
        for _ in 0..2 {
            assert_eq!(rig.torrent.untouched_states().await, Err(modified(&path)));
        }
    }
}

#[tokio::test]
async fn what_another_program_wrote_to_is_hashed_again_before_it_is_complete() {
    let mut rig = nearly_done().await;
    scribble(&rig.root().join(D), 70_000);
    let count = rig.payload.geometry.piece_count();
    fetch(&mut rig, count - 1..count).await;
    rig.torrent.finish().unwrap();
    let Some(Completion::Evicted { piece }) = rig.events.recv().await else {
        panic!("the wrong piece is not told");
    };
    assert_eq!(rig.events.recv().await, Some(Completion::Finished(Ok(()))));
    assert!(!rig.torrent.has(piece));
    assert_eq!(rig.torrent.verified().count(), count - 1);
    // Fetched again it is complete, and vouched for.
    fetch(&mut rig, piece.get()..piece.get() + 1).await;
    rig.torrent.finish().unwrap();
    assert_eq!(rig.events.recv().await, Some(Completion::Finished(Ok(()))));
    assert!(rig.torrent.untouched_states().await.is_ok());
    rig.payload.assert_saved(&rig.root());
}

#[tokio::test]
async fn what_is_written_during_a_check_is_hashed_again() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
    scribble(&rig.root().join("t/a"), 0);
    rig.torrent.recheck_touched().await.unwrap();
    assert!(!rig.torrent.has(rig.payload.piece(0)));
    assert!(rig.torrent.untouched_states().await.is_ok());
}

#[tokio::test]
async fn a_time_that_was_set_costs_a_check_and_nothing_else() {
    let mut rig = nearly_done().await;
    let file = fs::File::options().write(true).open(rig.root().join(D));
    file.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let count = rig.payload.geometry.piece_count();
    fetch(&mut rig, count - 1..count).await;
    rig.torrent.finish().unwrap();
    assert_eq!(rig.events.recv().await, Some(Completion::Finished(Ok(()))));
    assert!(rig.torrent.verified().is_all());
}

/// What is in the way of the download, and whether it may be overwritten.
async fn refused(rig: &Rig) -> Vec<String> {
    refused_after(rig, None).await
}

/// As [`refused`], with what an earlier run left.
async fn refused_after(rig: &Rig, earlier: Option<ResumeData>) -> Vec<String> {
    rig.torrent.check(|_, _| {}).await.unwrap();
    match rig
        .torrent
        .refuse_foreign(false, vec!["t/deep/c".into()], earlier)
        .await
    {
        Ok(()) => Vec::new(),
        Err(StorageError::Foreign { files }) => {
            let root = rig.root();
            let names = files.iter().map(|path| path.strip_prefix(&root).unwrap());
            names.map(|name| name.display().to_string()).collect()
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_file_without_a_right_piece_is_in_the_way() {
    let rig = Rig::new(mixed()).await;
    assert_eq!(refused(&rig).await, [""; 0]);
    rig.payload.save(&rig.root());
    assert_eq!(refused(&rig).await, [""; 0]);
    // One wrong piece of several.
    scribble(&rig.root().join(D), 70_000);
    assert_eq!(refused(&rig).await, [""; 0]);
    let other = vec![7; 10];
    fs::write(rig.root().join(D), &other).unwrap();
    fs::write(rig.root().join("t/a"), vec![8; 100_000]).unwrap();
    assert_eq!(refused(&rig).await, ["t/a", D]);
    // Preallocated, or empty.
    fs::write(rig.root().join("t/a"), vec![0; 100_000]).unwrap();
    fs::write(rig.root().join(D), b"").unwrap();
    assert_eq!(refused(&rig).await, [""; 0]);
    // Of a torrent that this one replaces.
    fs::write(rig.root().join("t/deep/c"), &other).unwrap();
    assert_eq!(refused(&rig).await, [""; 0]);
    // What is to be empty is not cut.
    fs::write(rig.root().join("t/empty-middle"), &other).unwrap();
    assert_eq!(refused(&rig).await, ["t/empty-middle"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_checked_is_ours_if_it_has_the_right_length() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    // The piece of `b` reaches into `c` and `d`.
    fs::remove_file(rig.root().join("t/deep/c")).unwrap();
    fs::write(rig.root().join("t/deep/er/b"), b"x").unwrap();
    assert_eq!(refused(&rig).await, [""; 0]);
    fs::write(rig.root().join("t/deep/er/b"), b"xy").unwrap();
    assert_eq!(refused(&rig).await, ["t/deep/er/b"]);
    // Not wanted, so not written.
    let rig = rig.again(&[3]).await;
    assert_eq!(refused(&rig).await, [""; 0]);
}

/// A torrent whose files are right, and are only read.
async fn seed() -> Rig {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
    rig.torrent.share_when_complete();
    rig
}

#[tokio::test]
async fn a_seed_sends_nothing_of_a_piece_that_another_program_changed() {
    let mut rig = seed().await;
    let blocks = |rig: &Rig, piece| {
        let blocks = rig.payload.geometry.blocks(rig.payload.piece(piece));
        blocks.collect::<Vec<_>>()
    };
    let before = rig.torrent.read(blocks(&rig, 4)).await;
    assert!(before.iter().all(Result::is_ok));
    let path = rig.root().join(D);
    // It lies in piece 4 of those that are the file's alone.
    let at = rig.payload.geometry.piece_start(rig.payload.piece(4)) - rig.payload.spans[6].offset;
    scribble(&path, at);
    // Others of the file are still right.
    let right = rig.torrent.read(blocks(&rig, 5)).await;
    assert!(right.iter().all(Result::is_ok), "{right:?}");
    let wrong = rig.torrent.read(blocks(&rig, 4)).await;
    assert!(
        wrong.iter().all(|read| *read == Err(modified(&path))),
        "{wrong:?}"
    );
    let told = rig.events.recv().await;
    let error = modified(&path);
    assert_eq!(told, Some(Completion::ReadFailed { error }));
}

#[tokio::test]
async fn a_seed_goes_on_with_a_file_whose_time_alone_was_set() {
    let rig = seed().await;
    let file = fs::File::options().write(true).open(rig.root().join(D));
    file.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for piece in 0..rig.payload.geometry.piece_count() {
        let blocks = rig.payload.geometry.blocks(rig.payload.piece(piece));
        let read = rig.torrent.read(blocks.collect()).await;
        assert!(read.iter().all(Result::is_ok), "{read:?}");
    }
    // What is remembered must not vouch for it unasked.
    assert!(rig.torrent.untouched_states().await.is_err());
}

#[tokio::test]
async fn a_finished_file_that_was_replaced_is_not_ours_any_more() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    rig.torrent.check(|_, _| {}).await.unwrap();
    let finished = super::resume::data_of(&rig).await;
    let earlier = || Some(finished.clone());
    assert_eq!(refused_after(&rig, earlier()).await, [""; 0]);
    // Some pieces are lost, and others are right.
    scribble(&rig.root().join(D), 70_000);
    assert_eq!(refused_after(&rig, earlier()).await, [""; 0]);
    // `b` shares its only piece with `c` and `d`: it is wrong too, but is what it was.
    fs::write(rig.root().join("t/a"), vec![8; 50_000]).unwrap();
    fs::write(rig.root().join(D), vec![7; 400_000]).unwrap();
    assert_eq!(refused_after(&rig, earlier()).await, ["t/a", D]);
    // Whether the device held the pieces is no matter.
    let unsynced = ResumeData {
        have: Vec::new(),
        unsynced: finished.have.clone(),
        ..finished.clone()
    };
    assert_eq!(refused_after(&rig, Some(unsynced)).await, ["t/a", D]);
    // What an empty file holds was never the torrent's.
    fs::write(rig.root().join("t/empty-last"), b"x").unwrap();
    assert_eq!(
        refused_after(&rig, earlier()).await,
        ["t/a", D, "t/empty-last"]
    );
}

#[tokio::test]
async fn what_a_run_that_was_killed_has_written_is_ours() {
    let mut rig = Rig::new(mixed()).await;
    rig.torrent.check(|_, _| {}).await.unwrap();
    rig.torrent.prepare().await.unwrap();
    let begun = super::resume::data_of(&rig).await;
    // Blocks of pieces that are not whole.
    let len = usize::try_from(rig.payload.spans[6].length).unwrap();
    fs::write(rig.root().join(D), vec![8; len]).unwrap();
    assert_eq!(refused_after(&rig, Some(begun)).await, [""; 0]);
    // Of the first two pieces one was saved as right: it stays so, whatever is written to the other.
    fetch(&mut rig, 0..1).await;
    let saved = super::resume::data_of(&rig).await;
    scribble(&rig.root().join("t/a"), 99_000);
    assert_eq!(refused_after(&rig, Some(saved.clone())).await, [""; 0]);
    let nothing_vouched = ResumeData {
        have: Vec::new(),
        files: Vec::new(),
        ..saved
    };
    fs::write(rig.root().join("t/a"), vec![8; 100_000]).unwrap();
    assert_eq!(
        refused_after(&rig, Some(nothing_vouched.clone())).await,
        [""; 0]
    );
    // Ours have their length from the first write on.
    fs::write(rig.root().join("t/a"), vec![8; 99_999]).unwrap();
    assert_eq!(refused_after(&rig, Some(nothing_vouched)).await, ["t/a"]);
}
