//! A block arrives while its own hash becomes known.

use loom::thread;
use tailwater_storage::conformance::TestTorrent;

use super::{storage, used};
use crate::{Eviction, PieceState, Written};

#[test]
fn loom_write_against_leaves_and_judge() {
    for is_right in [true, false] {
        let torrent = TestTorrent::aligned(7);
        let block = torrent.block(0, 0);
        let mut data = torrent.bytes(block).to_vec();
        data[3] ^= u8::from(!is_right);
        let mut model = loom::model::Builder::new();
        // All interleavings take minutes; those with two preemptions, a second.
        model.preemption_bound = Some(2);
        model.check(move || {
            // Each run learns the hashes anew.
            let torrent = TestTorrent::aligned(7);
            let piece = torrent.piece(0);
            let storage = storage(2, Eviction::Never);
            let hashes = torrent.hashes.clone();
            let handle = storage.add_torrent(torrent.geometry(), hashes).unwrap();
            let _ = storage.reserve(handle, piece).unwrap();
            let (other, data) = (storage.clone(), data.clone());
            let thread = thread::spawn(move || other.write_block(handle, block, &data).unwrap());
            // Loom does not see the lock of the leaves: here the write may run until it waits for one that it sees.
            let _ = storage.piece_state(handle, piece);
            torrent.learn_leaves(piece);
            let (_, judged) = storage.judge(handle, piece).unwrap();
            let written = thread.join().unwrap();
            // Whoever came last has judged it, and a wrong block is told of by one of them at least.
            let missing = match is_right {
                true => {
                    let is_read = storage.read_judged(handle, block).is_ok();
                    assert!(is_read, "{written:?}, {judged:?}");
                    1
                }
                false => {
                    assert!(written == Written::Wrong || judged.wrong == [0]);
                    assert!(storage.read_judged(handle, block).is_err());
                    2
                }
            };
            let state = storage.piece_state(handle, piece);
            assert_eq!(state, Ok(PieceState::Partial { missing }));
            storage.release(handle, piece).unwrap();
            assert_eq!(used(&storage), 0);
        });
    }
}
