//! Pieces that come many at a time: they are read back and hashed side by side.

use super::{FaultState, Faulty, Payload, Rig, right};
use crate::Completion;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use tailwater_metainfo::PieceIndex;
use tailwater_metainfo::block_digest;
use tailwater_types::Verdict;

/// 50 pieces of four blocks, the last of them short, in two files with padding between. Each is more than an I/O thread
/// reads of it at once.
fn many() -> Payload {
    let files = [
        ("t/a", 1_400_000, false),
        ("t/.pad/18000", 18_000, true),
        ("t/b", 1_800_003, false),
    ];
    Payload::new(&files, 65_536, 3)
}

fn pieces(rig: &Rig, numbers: Range<u32>) -> Vec<PieceIndex> {
    numbers.map(|number| rig.payload.piece(number)).collect()
}

async fn write(rig: &Rig, numbers: Range<u32>) {
    let pieces = pieces(rig, numbers).into_iter();
    let geometry = rig.payload.geometry.clone();
    rig.write(pieces.flat_map(|piece| geometry.blocks(piece)))
        .await;
}

async fn verify(rig: &mut Rig, numbers: Range<u32>) -> BTreeMap<PieceIndex, Completion> {
    let pieces = pieces(rig, numbers);
    rig.torrent.verify(pieces.clone()).unwrap();
    let mut verdicts = BTreeMap::new();
    for _ in pieces {
        let verdict = rig.events.recv().await.unwrap();
        let (Completion::Verified { piece, .. } | Completion::VerifyFailed { piece, .. }) = verdict
        else {
            panic!("{verdict:?}");
        };
        assert_eq!(verdicts.insert(piece, verdict), None);
    }
    verdicts
}

async fn assert_right(rig: &mut Rig, numbers: Range<u32>) {
    for (piece, verdict) in verify(rig, numbers).await {
        assert_eq!(verdict, right(piece));
    }
}

/// The first pieces have come all at once.
async fn in_bulk() -> (Rig, Arc<FaultState>) {
    let files = Faulty::default();
    let state = Arc::clone(&files.state);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut rig = Rig::with(many(), Arc::new(files), &[], dir).await;
    rig.torrent.prepare().await.unwrap();
    write(&rig, 0..16).await;
    assert_right(&mut rig, 0..16).await;
    (rig, state)
}

#[tokio::test]
async fn each_piece_has_its_own_verdict() {
    let (mut rig, _) = in_bulk().await;
    let wrong = [17, 30, 49];
    write(&rig, 16..50).await;
    for number in wrong {
        let block = rig.payload.geometry.nth_block(rig.payload.piece(number), 0);
        let block = block.unwrap();
        let bad = Bytes::from(vec![0xee; block.len() as usize]);
        rig.torrent.write(vec![(block, bad)]).await.unwrap();
    }
    for (piece, verdict) in verify(&mut rig, 16..50).await {
        if !wrong.contains(&piece.get()) {
            assert_eq!(verdict, right(piece));
            continue;
        }
        let Completion::Verified {
            verdict: Verdict::Invalid { block_digests },
            ..
        } = verdict
        else {
            panic!("{verdict:?}");
        };
        let blocks = rig.payload.geometry.blocks(piece);
        let good = blocks.map(|block| block_digest(&rig.payload.bytes(block)));
        let differ = good.zip(block_digests).map(|(good, found)| good != found);
        let differ: Vec<_> = differ.collect();
        assert!(differ[0] && !differ[1..].contains(&true), "{piece}");
    }
    for number in wrong {
        let first = rig.payload.geometry.nth_block(rig.payload.piece(number), 0);
        rig.write(first).await;
        assert_right(&mut rig, number..number + 1).await;
    }
    rig.payload.assert_saved(&rig.root());
    assert!(rig.torrent.verified().is_all());
}

#[tokio::test]
async fn a_broken_disk_is_not_a_wrong_piece() {
    let (mut rig, state) = in_bulk().await;
    write(&rig, 16..32).await;
    *state.read_error.lock().unwrap() = Some(ErrorKind::Other);
    for verdict in verify(&mut rig, 16..32).await.into_values() {
        assert!(matches!(verdict, Completion::VerifyFailed { .. }));
    }
    *state.read_error.lock().unwrap() = None;
    assert_right(&mut rig, 16..32).await;
}

#[tokio::test]
async fn a_piece_may_begin_in_bulk_and_end_by_itself() {
    let (mut rig, _) = in_bulk().await;
    write(&rig, 16..18).await;
    let halves = pieces(&rig, 18..20);
    let geometry = rig.payload.geometry.clone();
    let blocks = halves.iter().map(|piece| geometry.blocks(*piece));
    rig.write(blocks.clone().flat_map(|blocks| blocks.take(2)))
        .await;
    // One piece alone: they no longer come in bulk.
    assert_right(&mut rig, 16..17).await;
    rig.write(blocks.flat_map(|blocks| blocks.skip(2))).await;
    write(&rig, 20..21).await;
    assert_right(&mut rig, 17..21).await;
}
