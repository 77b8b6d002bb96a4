use super::{Rig, mixed};
use crate::StorageError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[tokio::test]
async fn existing_data_is_found() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let count = rig.payload.geometry.piece_count();
    let found = rig.torrent.check(move |done, all| {
        assert!(done <= all && all == count);
        counted.fetch_add(1, Ordering::Relaxed);
    });
    assert!(found.await.unwrap().is_all());
    assert_eq!(calls.load(Ordering::Relaxed), count);
    let block = rig.payload.blocks()[3];
    assert_eq!(rig.read(block).await, Ok(rig.payload.bytes(block)));
}

#[tokio::test]
async fn missing_short_and_damaged_files_are_told_apart_from_good_ones() {
    let rig = Rig::new(mixed()).await;
    assert!(
        rig.torrent.check(|_, _| {}).await.unwrap().is_none(),
        "nothing is there"
    );

    rig.payload.save(&rig.root());
    let files = rig.root().join("t");
    std::fs::remove_file(files.join("deep/er/b")).unwrap();
    let d = std::fs::OpenOptions::new()
        .write(true)
        .open(files.join("d"))
        .unwrap();
    // One byte of the last piece goes.
    d.set_len(300_000).unwrap();
    let mut a = std::fs::read(files.join("a")).unwrap();
    a[70_000] ^= 1;
    std::fs::write(files.join("a"), a).unwrap();
    let found = rig.torrent.check(|_, _| {}).await.unwrap();
    // Piece 1 holds the damage, piece 2 the missing byte.
    let geometry = rig.payload.geometry.clone();
    let bad: Vec<_> = geometry
        .pieces()
        .filter(|&piece| !found.has(piece))
        .collect();
    let last = geometry.piece_count() - 1;
    assert_eq!(bad, [1, 2, last].map(|index| rig.payload.piece(index)));
}

#[tokio::test]
async fn a_longer_file_is_not_cut() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    let path = rig.root().join("t/d");
    let mut longer = std::fs::read(&path).unwrap();
    longer.extend([9; 100]);
    std::fs::write(&path, &longer).unwrap();
    assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
    rig.torrent.prepare().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), longer);
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_file_is_an_error_that_names_it() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    let path = rig.root().join("t/a");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let found = rig.torrent.check(|_, _| {}).await;
    // How long a folder is depends on the file system: it is too short or it cannot be read.
    match found {
        Ok(found) => assert!(!found.has(rig.payload.piece(0))),
        Err(StorageError::Io { path: named, .. }) => assert_eq!(named, path),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_dropped_check_stops() {
    let rig = Rig::new(mixed()).await;
    rig.payload.save(&rig.root());
    drop(rig.torrent.check(|_, _| {}));
    // Closing waits for all jobs, so it would hang if one went on for ever.
    rig.torrent.close().await;
}
