//! Data that outlives a storage.

use super::Subject;
use super::rig::Rig;
use super::torrent::TestTorrent;
use crate::{Access, Reply, Totals};

/// Saves and closes, as a session that ends.
async fn end(rig: &Rig) {
    let saved = rig.storage.save(Totals::default(), Reply::never()).await;
    saved.unwrap();
    rig.storage.close().await;
}

pub(super) async fn what_was_verified_is_found_again(subject: &Subject) {
    if !subject.keeps {
        return;
    }
    let torrents = [
        TestTorrent::film(31),
        TestTorrent::album(31),
        TestTorrent::aligned(31),
        TestTorrent::hybrid(31),
    ];
    for torrent in torrents {
        let factory = (subject.make)();
        let mut rig = Rig::open(&factory, torrent.clone()).await;
        rig.store_all().await;
        end(&rig).await;
        drop(rig);
        let seed = Rig::open_for(&factory, torrent, Access::Seed).await;
        assert!(seed.have.is_all(), "{} pieces of all", seed.have.count());
        seed.assert_holds_all().await;
        seed.storage.close().await;
    }
}

pub(super) async fn what_was_not_verified_is_not_found(subject: &Subject) {
    if !subject.keeps {
        return;
    }
    let factory = (subject.make)();
    let mut rig = Rig::open(&factory, TestTorrent::film(32)).await;
    let torrent = rig.torrent.clone();
    for index in [1, 7] {
        rig.store(torrent.piece(index)).await;
    }
    let wrong = torrent.piece(4);
    rig.space.reserve(wrong).unwrap();
    let blocks = torrent.geometry().blocks(wrong);
    let blocks = blocks.map(|block| (block, TestTorrent::wrong(block, 6)));
    let unwanted = rig
        .storage
        .write(super::rig::ALICE, blocks.collect())
        .await
        .unwanted;
    assert_eq!(unwanted, []);
    end(&rig).await;
    drop(rig);
    let mut again = Rig::open(&factory, torrent.clone()).await;
    let found = torrent
        .geometry()
        .pieces()
        .filter(|&piece| again.have.has(piece));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [torrent.piece(1), torrent.piece(7)]
    );
    for piece in torrent.geometry().pieces() {
        if !again.have.has(piece) {
            again.store(piece).await;
        }
    }
    again.assert_holds_all().await;
}
