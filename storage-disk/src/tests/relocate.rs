use super::{Payload, Rig};
use crate::StorageError;

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
    let to = other.clone();
    let copied = rig
        .torrent
        .run(move |shared| shared.store.copy_to(&to, |_| true, &|_, _| {}));
    let Err(StorageError::Foreign { files }) = copied.await.unwrap() else {
        panic!("it is taken for another folder");
    };
    assert!(files.iter().all(|file| file.starts_with(&other)));
    rig.payload.assert_saved(&rig.root());
}
