//! Claims: which supplier's copy of a block counts.

use tailwater_types::Verdict;

use super::Subject;
use super::rig::{ALICE, BOB, Rig};
use super::torrent::TestTorrent;

pub(super) async fn the_first_copy_of_a_block_counts(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(11)).await;
    let (piece, block) = (rig.torrent.piece(0), rig.torrent.block(0, 1));
    rig.space.reserve(piece).unwrap();
    let good = rig.torrent.bytes(block);
    // The second copy of the same batch is as late as one of another supplier.
    let twice = vec![(block, good), (block, TestTorrent::wrong(block, 1))];
    assert_eq!(rig.storage.write(ALICE, twice).await.unwanted, [block]);
    let late = vec![(block, TestTorrent::wrong(block, 2))];
    assert_eq!(rig.storage.write(BOB, late).await.unwanted, [block]);
    assert!(rig.space.is_stored(block, ALICE));
    assert!(!rig.space.is_stored(block, BOB));
    let rest = rig.torrent.blocks(piece);
    let rest: Vec<_> = rest
        .into_iter()
        .filter(|(other, _)| *other != block)
        .collect();
    assert_eq!(rig.storage.write(BOB, rest).await.unwanted, []);
    assert_eq!(
        rig.verify(piece).await,
        Verdict::Valid,
        "a late copy was stored"
    );
}

pub(super) async fn a_piece_takes_blocks_only_while_it_is_fetched(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(12)).await;
    let (piece, block) = (rig.torrent.piece(3), rig.torrent.block(3, 0));
    let copy = || vec![(block, rig.torrent.bytes(block))];
    assert_eq!(
        rig.storage.write(ALICE, copy()).await.unwanted,
        [block],
        "not reserved"
    );
    rig.space.reserve(piece).unwrap();
    rig.space.release(piece);
    assert_eq!(
        rig.storage.write(ALICE, copy()).await.unwanted,
        [block],
        "released"
    );
    assert!(!rig.space.is_stored(block, ALICE));
}

pub(super) async fn what_one_attempt_wrote_counts_for_nothing_in_the_next(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(13)).await;
    let (piece, block) = (rig.torrent.piece(6), rig.torrent.block(6, 2));
    rig.space.reserve(piece).unwrap();
    let wrong = vec![(block, TestTorrent::wrong(block, 3))];
    assert_eq!(rig.storage.write(ALICE, wrong).await.unwanted, []);
    assert!(rig.space.is_stored(block, ALICE));
    rig.space.release(piece);
    rig.space.reserve(piece).unwrap();
    assert!(!rig.space.is_stored(block, ALICE), "of the attempt before");
    let blocks = rig.torrent.blocks(piece);
    assert_eq!(
        rig.storage.write(BOB, blocks).await.unwanted,
        [],
        "every block is wanted"
    );
    assert!(rig.space.is_stored(block, BOB));
    assert_eq!(
        rig.verify(piece).await,
        Verdict::Valid,
        "attempts are mixed"
    );
}

pub(super) async fn a_settled_piece_takes_no_more(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(14)).await;
    let (piece, block) = (rig.torrent.piece(2), rig.torrent.block(2, 0));
    rig.store(piece).await;
    let late = vec![(block, TestTorrent::wrong(block, 4))];
    assert_eq!(rig.storage.write(BOB, late).await.unwanted, [block]);
    assert!(rig.read(block).await == Some(rig.torrent.bytes(block)));
}

pub(super) async fn copies_of_several_suppliers_at_once_do_not_mix(subject: &Subject) {
    let mut rig = Rig::open(&(subject.make)(), TestTorrent::film(15)).await;
    let piece = rig.torrent.piece(1);
    rig.space.reserve(piece).unwrap();
    let good = rig.torrent.blocks(piece);
    let wrong = good
        .iter()
        .map(|(block, _)| (*block, TestTorrent::wrong(*block, 5)));
    // Both are on their way before one is awaited.
    let (first, second) = (
        rig.storage.write(ALICE, good.clone()),
        rig.storage.write(BOB, wrong.collect()),
    );
    let (first, second) = (first.await.unwanted, second.await.unwanted);
    for (block, _) in &good {
        let by = [ALICE, BOB].map(|supplier| rig.space.is_stored(*block, supplier));
        let refused = [&first, &second].map(|unwanted| unwanted.contains(block));
        assert_eq!(
            by,
            refused.map(|it| !it),
            "{block:?}: who is told, and who counts"
        );
        assert_ne!(by[0], by[1], "{block:?}: one of them counts");
    }
    let is_alices = good
        .iter()
        .all(|(block, _)| rig.space.is_stored(*block, ALICE));
    assert_eq!(rig.verify(piece).await.is_valid(), is_alices);
}
