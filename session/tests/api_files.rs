//! The files of a torrent: how much they are wanted, and how far they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{Share, seed, session, within};
use tailwater_metainfo::FileIndex;
use tailwater_session::{AddError, AddOptions, Phase, Priority, SettingError, StorageKind};
use tempfile::TempDir;

const LEN: usize = 3 * 32_768;

fn share() -> Share {
    Share::new(5, &[("a", LEN), ("b", LEN), ("c", LEN)], 32_768)
}

fn file(index: u32) -> FileIndex {
    FileIndex::new(index)
}

#[tokio::test]
async fn priorities_refuse_unknown_files_and_leave_unnamed_ones_alone() {
    let (seeder, leecher, share) = (session(), session(), share());
    let _seed = seed(&seeder, &share).await;
    let dir = TempDir::new().unwrap();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let options = options
        .files([1])
        .file_priorities([(file(2), Priority::High)]);
    let options = options.peers([seeder.listen_addr().unwrap()]);
    let torrent = leecher.add(&share.metainfo, options).await.unwrap();
    let [skip, normal, high] = [Priority::Skip, Priority::Normal, Priority::High];
    assert_eq!(torrent.file_priorities(), [skip, normal, high]);
    within(torrent.wait_complete()).await.unwrap();
    let have: Vec<_> = torrent
        .files()
        .await
        .unwrap()
        .iter()
        .map(|file| file.have)
        .collect();
    assert_eq!(have, [0, LEN as u64, LEN as u64]);

    let unknown = [(file(0), normal), (file(3), normal)];
    let refused = torrent.set_file_priorities(&unknown).await;
    assert_eq!(
        refused,
        Err(SettingError::NoSuchFile { index: 3, count: 3 })
    );
    assert_eq!(torrent.file_priorities(), [skip, normal, high]);
    assert_eq!(torrent.status().phase, Phase::Complete);

    torrent
        .set_file_priorities(&[(file(0), Priority::Low)])
        .await
        .unwrap();
    assert_eq!(torrent.file_priorities(), [Priority::Low, normal, high]);
    // Asked behind the change, this is answered behind it.
    torrent.have().await.unwrap();
    within(async {
        while torrent.files().await.unwrap()[0].have < LEN as u64 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(leecher.close()).await;
    share.assert_same(dir.path());
    within(seeder.close()).await;
}

#[tokio::test]
async fn files_say_where_they_are_and_how_far() {
    let (session, share) = (session(), share());
    let torrent = seed(&session, &share).await;
    let files = torrent.files().await.unwrap();
    let places: Vec<_> = files
        .iter()
        .map(|file| {
            (
                file.index,
                file.path.as_str(),
                file.first_piece,
                file.piece_count,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (0, "share/a", 0, 3),
            (1, "share/b", 3, 3),
            (2, "share/c", 6, 3)
        ]
    );
    assert!(
        files
            .iter()
            .all(|file| file.have == file.length && !file.is_pad)
    );
    within(session.close()).await;
}

#[tokio::test]
async fn a_torrent_is_not_added_with_priorities_of_files_that_it_lacks() {
    let (session, share) = (session(), share());
    let options = AddOptions::new(StorageKind::Memory).file_priorities([(file(9), Priority::Low)]);
    let refused = session.add(&share.metainfo, options).await.map(drop);
    assert_eq!(refused, Err(AddError::NoSuchFile { index: 9, count: 3 }));
    assert!(session.torrents().is_empty());
    within(session.close()).await;
}
