use super::{Payload, Rig, mixed, right};
use crate::DiskTorrent;
use std::path::PathBuf;
use tailwater_metainfo::PieceIndex;

/// Index of `t/d` in the payload; of `t/deep/c`, which shares piece 2 with it.
const D: usize = 6;
const C: usize = 4;

fn parts(rig: &Rig) -> PathBuf {
    rig.root().join(format!(".{}.parts", "07".repeat(20)))
}

async fn rig(skipped: &[usize]) -> Rig {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    Rig::with(
        mixed(),
        std::sync::Arc::new(super::SystemFiles),
        skipped,
        dir,
    )
    .await
}

fn wanted(payload: &Payload) -> Vec<PieceIndex> {
    // `t/d` begins in piece 2; the pieces after it are its alone.
    (0..3).map(|index| payload.piece(index)).collect()
}

async fn download_wanted(rig: &mut Rig) {
    for piece in wanted(&rig.payload) {
        rig.write(rig.payload.geometry.blocks(piece)).await;
        assert_eq!(rig.verify(piece.get()).await, right(piece));
    }
}

#[tokio::test]
async fn a_skipped_file_does_not_appear_but_its_pieces_are_whole() {
    let mut rig = rig(&[D]).await;
    rig.torrent.prepare().await.unwrap();
    download_wanted(&mut rig).await;
    assert!(!rig.root().join("t/d").exists());
    assert!(parts(&rig).exists());
    let border = rig
        .payload
        .geometry
        .nth_block(rig.payload.piece(2), 2)
        .unwrap();
    assert_eq!(rig.read(border).await, Ok(rig.payload.bytes(border)));

    // The next run finds it again.
    let rig = rig.again(&[D]).await;
    assert_eq!(rig.torrent.check(|_, _| {}).await.unwrap().count(), 3);
    assert_eq!(rig.read(border).await, Ok(rig.payload.bytes(border)));
}

async fn assert_complete_after_wanting_all(mut rig: Rig) {
    rig.torrent.set_skipped(D, false).await.unwrap();
    assert!(!parts(&rig).exists());
    for index in 0..3 {
        assert!(rig.torrent.verified().has(rig.payload.piece(index)));
    }
    for index in 3..rig.payload.geometry.piece_count() {
        let piece = rig.payload.piece(index);
        rig.write(rig.payload.geometry.blocks(piece)).await;
        assert_eq!(rig.verify(index).await, right(piece));
    }
    rig.torrent.prepare().await.unwrap();
    rig.payload.assert_saved(&rig.root());
}

#[tokio::test]
async fn a_file_that_is_wanted_in_the_next_run_brings_its_bytes_along() {
    let mut rig = rig(&[D]).await;
    rig.torrent.prepare().await.unwrap();
    download_wanted(&mut rig).await;
    let data = super::resume::data_of(&rig).await;
    let rig = rig.again(&[]).await;
    assert_eq!(rig.torrent.adopt(&data).await, Ok(true));
    let border = rig
        .payload
        .geometry
        .nth_block(rig.payload.piece(2), 2)
        .unwrap();
    assert_eq!(rig.read(border).await, Ok(rig.payload.bytes(border)));
    rig.torrent.prepare().await.unwrap();
    assert_eq!(rig.read(border).await, Ok(rig.payload.bytes(border)));
    assert_complete_after_wanting_all(rig).await;
}

#[tokio::test]
async fn wanting_a_file_again_takes_its_bytes_out_of_the_parts_file() {
    let mut rig = rig(&[D]).await;
    download_wanted(&mut rig).await;
    assert_complete_after_wanting_all(rig).await;
}

#[tokio::test]
async fn wanting_a_file_again_keeps_pieces_that_are_only_begun() {
    let mut rig = rig(&[D]).await;
    let blocks = |torrent: &DiskTorrent, index| {
        let piece = torrent.geometry().piece(index).unwrap();
        torrent.geometry().blocks(piece).collect::<Vec<_>>()
    };
    for index in 0..2 {
        rig.write(blocks(&rig.torrent, index)).await;
        rig.verify(index).await;
    }
    let border = blocks(&rig.torrent, 2);
    rig.write([border[2], border[3]]).await;
    rig.torrent.flush().await.unwrap();
    rig.torrent.set_skipped(D, false).await.unwrap();
    rig.write([border[0], border[1]]).await;
    assert_eq!(rig.verify(2).await, right(rig.payload.piece(2)));
    assert_complete_after_wanting_all(rig).await;
}

#[tokio::test]
async fn skipping_a_file_that_exists_uses_it_as_it_is() {
    let mut rig = rig(&[]).await;
    rig.torrent.prepare().await.unwrap();
    rig.write(rig.payload.blocks()).await;
    rig.verify_all().await;
    rig.torrent.set_skipped(D, true).await.unwrap();
    rig.torrent.set_skipped(C, true).await.unwrap();
    let last = *rig.payload.blocks().last().unwrap();
    assert_eq!(rig.read(last).await, Ok(rig.payload.bytes(last)));
    let rig = rig.again(&[C, D]).await;
    assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
    assert!(!parts(&rig).exists());
}
