use super::{Faulty, Payload, Rig, mixed, right};
use crate::torrent::Mark;
use crate::{Completion, StorageError};
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tailwater_metainfo::block_digest;
use tailwater_types::Verdict;

fn shuffled(seed: u64, payload: &Payload) -> Vec<tailwater_metainfo::BlockRef> {
    let mut blocks = payload.blocks();
    fastrand::Rng::with_seed(seed).shuffle(&mut blocks);
    blocks
}

async fn download(payload: Payload, seed: u64, batch: usize) -> Rig {
    let mut rig = Rig::new(payload).await;
    rig.torrent.prepare().await.unwrap();
    for blocks in shuffled(seed, &rig.payload).chunks(batch) {
        rig.write(blocks.iter().copied()).await;
    }
    rig.verify_all().await;
    rig
}

async fn assert_reads_back(rig: &Rig, seed: u64) {
    for blocks in [rig.payload.blocks(), shuffled(seed, &rig.payload)] {
        let read = rig.torrent.read(blocks.clone()).await;
        assert_eq!(read.len(), blocks.len());
        for (block, bytes) in blocks.into_iter().zip(read) {
            assert!(bytes.unwrap() == rig.payload.bytes(block), "{block:?}");
        }
    }
}

#[tokio::test]
async fn blocks_in_any_order_become_the_files() {
    for seed in 0..4 {
        let rig = download(mixed(), seed, 7).await;
        rig.payload.assert_saved(&rig.root());
        assert!(rig.torrent.verified().is_all());
        assert_reads_back(&rig, seed).await;
    }
}

#[tokio::test]
async fn blocks_that_follow_each_other_are_written_by_one_call() {
    let files = Faulty::default();
    let state = Arc::clone(&files.state);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    // 20 blocks; the first file ends in the middle of the tenth.
    let payload = Payload::new(
        &[("t/a", 155_648, false), ("t/b", 172_032, false)],
        65_536,
        1,
    );
    let mut rig = Rig::with(payload, Arc::new(files), &[], dir).await;
    rig.torrent.prepare().await.unwrap();
    let writes = || state.writes.swap(0, Ordering::Relaxed);
    let blocks = rig.payload.blocks();

    rig.write(blocks[..9].iter().copied()).await;
    rig.torrent.flush().await.unwrap();
    assert_eq!(writes(), 1);

    // One that is in both files goes to each.
    rig.write([blocks[9]]).await;
    rig.torrent.flush().await.unwrap();
    assert_eq!(writes(), 2);

    // A gap; and a block that is not wanted any more is another.
    let rest = [&blocks[10..12], &blocks[13..]].concat();
    let mine = rig.payload.with_bytes(rest);
    let claims = &rig.torrent.shared.claims;
    let marks = mine.iter().zip(0..).map(|((block, _), number)| {
        claims.open(block.piece(), 1);
        let attempt = u64::from(number != 4);
        let is_right = false;
        Mark { attempt, is_right }
    });
    let marks = marks.collect();
    rig.torrent.write_marked(mine, marks).await.unwrap();
    rig.torrent.flush().await.unwrap();
    assert_eq!(writes(), 3);

    rig.write([blocks[12], blocks[15]]).await;
    rig.verify_all().await;
    rig.payload.assert_saved(&rig.root());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_layout_round_trips(
        lengths in prop::collection::vec((prop_oneof![Just(0u64), 1u64..60_000], prop::bool::weighted(0.2)), 1..10),
        piece_length in prop_oneof![Just(16_384u32), Just(32_768), Just(20_000), 1_000u32..70_000],
        seed: u64,
        batch in 1usize..20,
    ) {
        const NAMES: [&str; 10] = ["a/0", "a/1", "b/2", "3", "4", "b/c/5", "6", "7", "8", "9"];
        prop_assume!(lengths.iter().any(|(length, _)| *length > 0));
        let files: Vec<_> = NAMES.iter().zip(lengths).map(|(name, (length, pad))| (*name, length, pad)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let rig = download(Payload::new(&files, piece_length, seed), seed, batch).await;
            rig.payload.assert_saved(&rig.root());
            assert_reads_back(&rig, seed).await;
        });
    }
}

#[tokio::test]
async fn a_wrong_block_is_found_by_its_digest() {
    let mut rig = Rig::new(mixed()).await;
    let piece = rig.payload.piece(2);
    let mut blocks = rig.payload.with_bytes(rig.payload.geometry.blocks(piece));
    let good: Vec<_> = blocks.iter().map(|(_, data)| block_digest(data)).collect();
    blocks[1].1 = Bytes::from(vec![0xee; blocks[1].1.len()]);
    rig.torrent.write(blocks).await.unwrap();

    let Completion::Verified {
        verdict: Verdict::Invalid { block_digests },
        ..
    } = rig.verify(2).await
    else {
        panic!("a wrong block passed");
    };
    let differ: Vec<_> = (0..good.len())
        .filter(|&at| block_digests[at] != good[at])
        .collect();
    assert_eq!(differ, [1]);
    let first = rig.payload.geometry.nth_block(piece, 0).unwrap();
    assert_eq!(rig.read(first).await, Err(StorageError::NotVerified(piece)));

    // Only the wrong block comes again.
    rig.write(rig.payload.geometry.nth_block(piece, 1)).await;
    assert_eq!(rig.verify(2).await, right(piece));
    rig.torrent.digests(piece).unwrap();
    let answer = Completion::Digests {
        piece,
        digests: Ok(good),
    };
    assert_eq!(rig.events.recv().await, Some(answer));
}

#[tokio::test]
async fn a_block_written_twice_counts_as_written_last() {
    for number in [0, 1, 3] {
        let mut rig = Rig::new(mixed()).await;
        let piece = rig.payload.piece(0);
        let blocks: Vec<_> = rig.payload.geometry.blocks(piece).collect();
        let bad = vec![(blocks[number], Bytes::from(vec![1; 16_384]))];

        rig.write(blocks.clone()).await;
        rig.torrent.write(bad.clone()).await.unwrap();
        assert!(matches!(
            rig.verify(0).await,
            Completion::Verified {
                verdict: Verdict::Invalid { .. },
                ..
            }
        ));

        rig.torrent.write(bad).await.unwrap();
        rig.write(blocks.clone()).await;
        rig.write([blocks[number]]).await;
        assert_eq!(rig.verify(0).await, right(piece));
    }
}

#[tokio::test]
async fn a_batch_may_hold_pieces_of_several_threads() {
    let files = [("a", 3_000_000, false), ("b", 7_000_000, false)];
    let rig = download(Payload::new(&files, 1024 * 1024, 1), 1, 13).await;
    rig.payload.assert_saved(&rig.root());
    assert_reads_back(&rig, 1).await;
}

#[tokio::test]
async fn a_verified_piece_is_never_overwritten() {
    let mut rig = Rig::new(mixed()).await;
    let piece = rig.payload.piece(0);
    let blocks: Vec<_> = rig.payload.geometry.blocks(piece).collect();
    rig.write(blocks.clone()).await;
    assert_eq!(rig.verify(0).await, right(piece));
    let bad = Bytes::from(vec![1; blocks[0].len() as usize]);
    rig.torrent.write(vec![(blocks[0], bad)]).await.unwrap();
    rig.torrent.flush().await.unwrap();
    assert_eq!(rig.read(blocks[0]).await, Ok(rig.payload.bytes(blocks[0])));
    assert_eq!(rig.verify(0).await, right(piece));
}

#[tokio::test]
async fn padding_counts_as_zeros_whatever_was_sent() {
    let mut rig = Rig::new(mixed()).await;
    // Piece 1 ends in padding that begins at byte 100 000 of the torrent.
    let piece = rig.payload.piece(1);
    let mut blocks = rig.payload.with_bytes(rig.payload.geometry.blocks(piece));
    let last = blocks.last_mut().unwrap();
    last.1 = Bytes::from(vec![0xff; last.1.len()]);
    rig.torrent.write(blocks).await.unwrap();
    assert_eq!(rig.verify(1).await, right(piece));
}

#[tokio::test]
async fn reads_that_are_refused_do_not_spoil_others() {
    let rig = download(mixed(), 1, 100).await;
    let geometry = rig.payload.geometry.clone();
    let odd = geometry.block(3, 5, 1_000).unwrap();
    let read = rig.torrent.read(vec![odd, odd]).await;
    assert_eq!(
        read,
        [Ok(rig.payload.bytes(odd)), Ok(rig.payload.bytes(odd))]
    );

    let long = Payload::new(&[("a", 600_000, false)], 600_000, 1);
    let rig = download(long, 1, 100).await;
    let geometry = rig.payload.geometry.clone();
    let fits = geometry.block(0, 7, 262_144).unwrap();
    let too_long = geometry.block(0, 0, 262_145).unwrap();
    let refused = StorageError::ReadTooLong {
        len: 262_145,
        max: 262_144,
    };
    let read = rig.torrent.read(vec![fits, too_long, fits]).await;
    assert_eq!(read[0], Ok(rig.payload.bytes(fits)));
    assert_eq!(read[1], Err(refused));
    assert_eq!(read[2], Ok(rig.payload.bytes(fits)));
}

#[tokio::test]
async fn data_of_the_wrong_length_is_refused() {
    let rig = Rig::new(mixed()).await;
    let block = rig.payload.blocks()[0];
    let data = rig.payload.data.slice(..10);
    let refused = StorageError::WrongLength {
        expected: block.len(),
        found: 10,
    };
    assert_eq!(rig.torrent.write(vec![(block, data)]).await, Err(refused));
}

#[tokio::test]
async fn files_have_their_full_length_from_the_first_write() {
    let rig = Rig::new(mixed()).await;
    rig.torrent.prepare().await.unwrap();
    assert_eq!(
        std::fs::metadata(rig.root().join("t/empty-last"))
            .unwrap()
            .len(),
        0
    );
    // Somewhere in the middle of `t/d`.
    rig.write(rig.payload.geometry.nth_block(rig.payload.piece(4), 0))
        .await;
    rig.torrent.sync().await.unwrap();
    assert_eq!(
        std::fs::metadata(rig.root().join("t/d")).unwrap().len(),
        300_001
    );
    assert!(!rig.root().join("t/deep/c").exists());
}
