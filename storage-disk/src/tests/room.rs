//! Room on the disk.

use super::{Payload, Rig, StorageError, mixed};
use crate::operations::space::Rooms;
use std::sync::Arc;

/// A torrent that no disk holds. Its hashes are not looked at.
fn huge(rig: &Rig, len: u64) -> Payload {
    let mut payload = rig.payload.clone();
    payload.spans.truncate(1);
    payload.spans[0].length = len;
    let piece_length = tailwater_metainfo::limits::MAX_PIECE_LENGTH;
    payload.geometry = tailwater_metainfo::Geometry::new(len, piece_length).unwrap();
    let hash = tailwater_metainfo::PieceHash::new([0; 20]);
    payload.hashes = vec![hash; payload.geometry.piece_count() as usize].into();
    payload
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_made() {
    let rig = Rig::new(mixed()).await;
    let rooms = Arc::new(Rooms::default());
    // One that asks again is promised the same room, not more.
    for _ in 0..2 {
        assert_eq!(rig.torrent.claim_room(Arc::clone(&rooms)).await, Ok(()));
    }
    let len = 1 << 49;
    let large = Rig::new(huge(&rig, len)).await;
    let Err(StorageError::NoRoom {
        needed,
        promised,
        path,
        ..
    }) = large.torrent.claim_room(Arc::clone(&rooms)).await
    else {
        panic!("half a petabyte fits");
    };
    assert_eq!((needed, path), (len, large.root()));
    assert_eq!(promised, 440_002, "what the other one needs");
    assert!(!large.root().exists());

    // What is written needs no room, nor does a torrent that is closed.
    rig.payload.save(&rig.root());
    rig.torrent.check(|_, _| {}).await.unwrap();
    let promised = |error| match error {
        Err(StorageError::NoRoom { promised, .. }) => promised,
        other => panic!("{other:?}"),
    };
    let claimed = large.torrent.claim_room(Arc::clone(&rooms)).await;
    assert_eq!(promised(claimed), 0);
}
