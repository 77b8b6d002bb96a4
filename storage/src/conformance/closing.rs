//! Closing a storage.

use super::Subject;
use super::rig::{ALICE, Rig};
use super::torrent::TestTorrent;

pub(super) async fn bytes_that_were_read_outlive_close(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(21)).await;
    let (piece, block) = (rig.torrent.piece(0), rig.torrent.block(0, 1));
    rig.store(piece).await;
    let (_, held) = rig.storage.read(vec![block]).await.remove(0);
    let parts = held.unwrap().unwrap();
    rig.storage.close().await;
    let Rig {
        torrent,
        storage,
        space,
        ..
    } = rig;
    drop((storage, space));
    let read: Vec<_> = parts.into_iter().collect();
    assert!(read.concat() == torrent.bytes(block));
}

pub(super) async fn after_close_nothing_is_taken_or_held(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(22)).await;
    let (held, begun) = (rig.torrent.piece(0), rig.torrent.piece(1));
    rig.store(held).await;
    rig.space.reserve(begun).unwrap();
    rig.storage.close().await;
    let block = rig.torrent.block(1, 0);
    let copy = vec![(block, rig.torrent.bytes(block))];
    assert_eq!(rig.storage.write(ALICE, copy).await.unwanted, [block]);
    // It says that it is closed, or has nothing.
    let read = rig.try_read(rig.torrent.block(0, 0)).await;
    assert!(matches!(read, Ok(None) | Err(_)), "{read:?} after close");
}

pub(super) async fn close_waits_for_writes_under_way(subject: &Subject) {
    let factory = (subject.make)();
    let mut rig = Rig::open(&factory, TestTorrent::film(23)).await;
    for piece in rig.torrent.geometry().pieces() {
        rig.fetch(piece).await;
    }
    rig.storage.close().await;
    // Nothing of the old one is at work in the place any longer: the torrent can be opened there again.
    let torrent = rig.torrent.clone();
    drop(rig);
    let mut again = Rig::open(&factory, torrent).await;
    for piece in again.torrent.geometry().pieces() {
        if !again.have.has(piece) {
            again.store(piece).await;
        }
    }
    again.assert_holds_all().await;
}

pub(super) async fn closing_twice_does_no_harm(subject: &Subject) {
    let rig = Rig::open(&(subject.make)(), TestTorrent::film(24)).await;
    rig.storage.close().await;
    rig.storage.close().await;
}
