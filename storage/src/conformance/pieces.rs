//! Writing, verifying and reading.

use std::collections::BTreeSet;

use tailwater_types::{BLOCK_LEN, Verdict};

use super::Subject;
use super::rig::{ALICE, Rig};
use super::torrent::{TestTorrent, digest};
use crate::Completion;

pub(super) async fn a_fresh_place_holds_nothing(subject: &Subject) {
    let rig = Rig::open(&(subject.make)(), TestTorrent::film(1)).await;
    assert!(rig.have.is_none());
    assert_eq!(rig.have.piece_count(), 8);
}

pub(super) async fn a_piece_that_is_written_and_verified_is_read_back(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(1)).await;
    // The last piece is short, and its last block too.
    for index in [7, 0, 3] {
        let piece = rig.torrent.piece(index);
        rig.store(piece).await;
        for (block, bytes) in rig.torrent.blocks(piece) {
            assert!(rig.read(block).await == Some(bytes), "{block:?} differs");
        }
    }
    assert_eq!(rig.read(rig.torrent.block(1, 0)).await, None);
    // All at once, in the order asked for, held or not.
    let blocks =
        [(3, 2), (1, 0), (7, 1), (0, 0)].map(|(piece, number)| rig.torrent.block(piece, number));
    let read = rig.storage.read(blocks.to_vec()).await;
    let told: Vec<_> = read.iter().map(|(block, _)| *block).collect();
    assert_eq!(told, blocks);
    let is_held: Vec<_> = read
        .into_iter()
        .map(|(_, held)| held.unwrap().is_some())
        .collect();
    assert_eq!(is_held, [true, false, true, true]);
}

pub(super) async fn a_wrong_piece_is_invalid_and_has_the_digests_of_its_blocks(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(2)).await;
    let piece = rig.torrent.piece(2);
    rig.space.reserve(piece).unwrap();
    let mut blocks = rig.torrent.blocks(piece);
    let (wrong, _) = blocks[1];
    blocks[1].1 = TestTorrent::wrong(wrong, 66);
    let expected: Vec<_> = blocks.iter().map(|(_, bytes)| digest(bytes)).collect();
    assert_eq!(rig.storage.write(ALICE, blocks).await.unwanted, []);
    let block_digests = expected.clone();
    assert_eq!(rig.verify(piece).await, Verdict::Invalid { block_digests });
    assert_eq!(rig.read(wrong).await, None, "an invalid piece was read");

    // It is fetched anew, as a torrent does.
    rig.space.release(piece);
    rig.store(piece).await;
    let now = rig.digests(piece).await;
    let changed: Vec<_> = (0..now.len())
        .filter(|&it| now[it] != expected[it])
        .collect();
    assert_eq!(changed, [1], "the digests tell which block was wrong");
}

pub(super) async fn a_valid_piece_has_digests(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(3)).await;
    let last = rig.torrent.piece(7);
    rig.store(last).await;
    let blocks = rig.torrent.blocks(last);
    let expected: Vec<_> = blocks.iter().map(|(_, bytes)| digest(bytes)).collect();
    assert_eq!(rig.digests(last).await, expected);
}

pub(super) async fn pieces_are_verified_together(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(4)).await;
    let pieces: Vec<_> = rig.torrent.geometry().pieces().collect();
    for &piece in &pieces {
        rig.fetch(piece).await;
    }
    assert!(rig.space.verify_together() >= 1);
    rig.storage.verify(pieces.clone()).unwrap();
    let mut told = BTreeSet::new();
    for _ in &pieces {
        match rig.next_completion().await {
            Completion::Verified { piece, verdict } => {
                assert_eq!(verdict, Verdict::Valid);
                assert!(told.insert(piece), "{piece:?} was judged twice");
            }
            other => panic!("{other:?} instead of a verdict"),
        }
    }
    rig.assert_holds_all().await;
}

pub(super) async fn what_is_not_verified_reads_as_none(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(5)).await;
    let (piece, block) = (rig.torrent.piece(4), rig.torrent.block(4, 0));
    assert_eq!(rig.read(block).await, None, "never fetched");
    rig.fetch(piece).await;
    assert_eq!(rig.read(block).await, None, "not verified");
    assert_eq!(rig.storage.read_one(block).await, Ok(None));
    rig.space.release(piece);
    assert_eq!(rig.read(block).await, None, "released");
}

pub(super) async fn odd_ranges_are_read(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(6)).await;
    let piece = rig.torrent.piece(1);
    rig.store(piece).await;
    let whole = rig.torrent.geometry().piece_len(piece);
    for (offset, len) in [
        (0, 1),
        (whole - 1, 1),
        (5, 100),
        // Over the border of two blocks, and of three.
        (BLOCK_LEN - 3, 7),
        (BLOCK_LEN - 1, BLOCK_LEN + 2),
        (0, whole),
    ] {
        let range = rig.torrent.geometry().block(1, offset, len).unwrap();
        assert!(
            rig.read(range).await == Some(rig.torrent.bytes(range)),
            "{range:?} differs"
        );
    }
}

pub(super) async fn a_reader_is_handed_one_buffer(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(7)).await;
    let piece = rig.torrent.piece(5);
    rig.store(piece).await;
    let grain = rig.storage.read_grain();
    assert!(grain > 0);
    let whole = rig.torrent.geometry().piece_len(piece);
    let mut offset = 11;
    while offset < whole {
        let len = (grain - offset % grain).min(whole - offset);
        let range = rig.torrent.geometry().block(5, offset, len).unwrap();
        let read = rig.storage.read_one(range).await.unwrap();
        assert!(read == Some(rig.torrent.bytes(range)), "{range:?} differs");
        offset += len;
    }
}

pub(super) async fn files_without_bytes_and_padding_are_no_matter(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::album(1)).await;
    rig.store_all().await;
    rig.assert_holds_all().await;
}

pub(super) async fn two_torrents_do_not_mix(subject: &Subject) {
    let factory = (subject.make)();
    let mut one = Rig::open(&factory, TestTorrent::film(8)).await;
    let mut other = Rig::open(&factory, TestTorrent::film(9)).await;
    one.store_all().await;
    other.store_all().await;
    one.storage.close().await;
    other.assert_holds_all().await;
}
