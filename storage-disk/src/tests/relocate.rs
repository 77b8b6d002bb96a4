use super::{Payload, Rig, key};
use crate::StorageError;
use std::fs;
use std::path::{Path, PathBuf};

/// Copies everything to a folder.
async fn copy_to(rig: &Rig, to: &Path) -> Result<(), StorageError> {
    let (to, info_hash) = (to.to_path_buf(), key(rig.dir.path()).info_hash);
    let copied = rig.torrent.run(move |shared| {
        let copied = shared.store.copy_to(&to, info_hash, |_| true, &|_, _| {});
        copied.map(drop)
    });
    copied.await.unwrap()
}

/// The files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .flat_map(|entry| match entry.path().is_dir() {
            true => files_below(&entry.path()),
            false => vec![entry.path()],
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_folder_that_is_this_one_by_another_way_is_not_moved_to() {
    let files = [("t/a", 100_000, false), ("t/deep/b", 40_000, false)];
    let mut rig = Rig::new(Payload::new(&files, 65_536, 1)).await;
    rig.write(rig.payload.blocks()).await;
    rig.verify_all().await;
    rig.torrent.flush().await.unwrap();

    // As a mount of the same folder at a second place: its files have one name each, which a move must not delete.
    let other = rig.dir.path().join("other");
    std::os::unix::fs::symlink(rig.root(), &other).unwrap();
    let Err(StorageError::Foreign { files }) = copy_to(&rig, &other).await else {
        panic!("it is taken for another folder");
    };
    assert!(files.iter().all(|file| file.starts_with(&other)));
    rig.payload.assert_saved(&rig.root());
}

#[tokio::test]
async fn a_move_that_was_cut_off_goes_on_with_what_is_there() {
    let files = [("t/a", 100_000, false), ("t/deep/b", 40_000, false)];
    let mut rig = Rig::new(Payload::new(&files, 65_536, 1)).await;
    rig.write(rig.payload.blocks()).await;
    rig.verify_all().await;
    rig.torrent.flush().await.unwrap();
    let other = rig.dir.path().join("other");
    let (a, b) = (other.join("t/a"), other.join("t/deep/b"));

    // A kill in the middle of the second file.
    let partial = format!(".{}.moving", key(rig.dir.path()).info_hash);
    fs::create_dir_all(other.join("t/deep")).unwrap();
    let mut bytes = fs::read(rig.root().join("t/a")).unwrap();
    fs::write(&a, &bytes).unwrap();
    fs::write(other.join("t/deep").join(partial), [1; 50_000]).unwrap();
    copy_to(&rig, &other).await.unwrap();
    rig.payload.assert_saved(&other);
    assert_eq!(files_below(&other), [a.clone(), b.clone()]);

    // The same length is not the same file.
    fs::remove_file(&b).unwrap();
    bytes[99_999] ^= 1;
    fs::write(&a, &bytes).unwrap();
    let Err(StorageError::Foreign { files }) = copy_to(&rig, &other).await else {
        panic!("another file is taken over");
    };
    assert_eq!(files, std::slice::from_ref(&a));
    assert_eq!(fs::read(&a).unwrap(), bytes);
    assert_eq!(files_below(&other), [a]);
}
