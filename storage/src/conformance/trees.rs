//! Torrents with hash trees (BEP 52), whose files share no pieces.

use std::collections::BTreeSet;

use tailwater_types::{BLOCK_LEN, Verdict};

use super::Subject;
use super::rig::{ALICE, Rig};
use super::torrent::{TestTorrent, digest};
use crate::{Completion, StorageError};

fn torrents(seed: u8) -> [TestTorrent; 2] {
    [TestTorrent::aligned(seed), TestTorrent::hybrid(seed)]
}

pub(super) async fn files_that_share_no_pieces_are_stored(subject: &Subject) {
    for torrent in torrents(51) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        assert_eq!(rig.have.piece_count(), 12);
        // From the end, so that what comes before a gap is not there yet.
        for piece in rig.torrent.geometry().pieces().rev() {
            rig.store(piece).await;
        }
        rig.assert_holds_all().await;
    }
}

pub(super) async fn pieces_with_trees_are_verified_together(subject: &Subject) {
    for torrent in torrents(52) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        let pieces: BTreeSet<_> = rig.torrent.geometry().pieces().collect();
        for &piece in &pieces {
            rig.fetch(piece).await;
        }
        rig.storage
            .verify(pieces.iter().copied().collect())
            .unwrap();
        let mut told = BTreeSet::new();
        for _ in &pieces {
            match rig.next_completion().await {
                Completion::Verified { piece, verdict } => {
                    assert_eq!(verdict, Verdict::Valid, "{piece:?}");
                    told.insert(piece);
                }
                other => panic!("{other:?} instead of a verdict"),
            }
        }
        assert_eq!(told, pieces);
        rig.assert_holds_all().await;
    }
}

pub(super) async fn a_piece_that_its_tree_does_not_fit_is_invalid(subject: &Subject) {
    for torrent in torrents(53) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        // Full, with half a block, with a byte, and with a block and a half.
        for index in [0, 2, 3, 11] {
            let piece = rig.torrent.piece(index);
            rig.space.reserve(piece).unwrap();
            let mut blocks = rig.torrent.blocks(piece);
            let (first, right) = blocks[0].clone();
            // One bit of a byte that is no padding.
            let mut wrong = right.to_vec();
            wrong[0] ^= 1;
            blocks[0].1 = wrong.into();
            let refused = rig.storage.write(ALICE, blocks.clone()).await;
            assert_eq!(refused.unwanted, []);
            if refused.wrong == [first] {
                // A file of one block has its hash from the start.
                assert_eq!(rig.read(first).await, None, "a wrong block was read");
                rig.space.release(piece);
                rig.store(piece).await;
                continue;
            }
            let Verdict::Invalid { block_digests } = rig.verify(piece).await else {
                panic!("{piece:?} is wrong and valid");
            };
            assert_eq!(block_digests.len(), blocks.len());
            assert_eq!(block_digests[0], digest(&blocks[0].1));
            assert_eq!(rig.read(first).await, None, "an invalid piece was read");
            rig.space.release(piece);
            rig.store(piece).await;
            assert!(rig.read(first).await == Some(right));
        }
    }
}

pub(super) async fn odd_ranges_are_read_where_files_end(subject: &Subject) {
    for torrent in torrents(54) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        rig.store_all().await;
        let geometry = rig.torrent.geometry();
        for piece in geometry.pieces() {
            let whole = geometry.piece_len(piece);
            let ranges = [
                (0, 1),
                (whole - 1, 1),
                (whole / 3, whole - whole / 3),
                (0, whole),
                (BLOCK_LEN - 1, 2),
            ];
            for (offset, len) in ranges {
                // A short piece has not all of them.
                if let Ok(range) = geometry.block(piece.get(), offset, len) {
                    let read = rig.read(range).await;
                    assert!(read == Some(rig.torrent.bytes(range)), "{range:?} differs");
                }
            }
        }
        // What lies behind a gap follows nothing, even where both are asked for at once.
        let ranges = [2, 3, 4, 6, 7].map(|piece| rig.torrent.block(piece, 0));
        for (range, held) in rig.storage.read(ranges.to_vec()).await {
            let parts: Vec<_> = held.unwrap().unwrap().into_iter().collect();
            assert!(
                parts.concat() == rig.torrent.bytes(range),
                "{range:?} differs"
            );
        }
    }
}

pub(super) async fn a_piece_whose_hash_is_not_known_is_never_valid(subject: &Subject) {
    let torrent = TestTorrent::aligned(55).without_layers();
    let mut rig = Rig::open(&(subject.make)(), torrent).await;
    let (long, short) = (rig.torrent.piece(0), rig.torrent.piece(3));
    rig.fetch(long).await;
    rig.storage.verify(vec![long]).unwrap();
    match rig.next_completion().await {
        Completion::VerifyFailed { piece, error } => {
            assert_eq!((piece, error), (long, StorageError::HashUnknown(long)));
        }
        other => panic!("{other:?} instead of an error"),
    }
    assert_eq!(rig.read(rig.torrent.block(0, 0)).await, None);
    // A file of one piece has the root of its tree as the hash of that.
    rig.store(short).await;
}
