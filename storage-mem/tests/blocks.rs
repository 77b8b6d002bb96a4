//! Blocks in and out, and what is refused.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{BLOCK, Content};
use tailwater_metainfo::{Expected, MerkleHash, MerkleRoot, PieceHashes, hashed_together};
use tailwater_storage_mem::{Config, Error, Eviction, MemoryStorage, PieceState, Verdict, Written};

fn streaming(pieces_of_two_blocks: u64) -> MemoryStorage {
    MemoryStorage::new(
        Config::new(pieces_of_two_blocks * 2 * BLOCK)
            .with_eviction(Eviction::LeastRecentlyRequested),
    )
}

#[test]
fn a_wrong_piece_tells_which_block_was_wrong() {
    let content = Content::new(5 * BLOCK + 100, 6 * 16_384, 1);
    let storage = streaming(3);
    let handle = content.add_to(&storage);
    let piece = content.piece(0);
    let _ = storage.reserve(handle, piece).unwrap();
    for block in content.geometry.blocks(piece) {
        let mut data = content.data(block).to_vec();
        if block.number() == 2 {
            data[77] ^= 1;
        }
        storage.write_block(handle, block, &data).unwrap();
    }
    let Ok(Verdict::Invalid { block_digests }) = storage.verify(handle, piece) else {
        panic!("a wrong byte went unnoticed");
    };
    assert_eq!(
        storage.piece_state(handle, piece),
        Ok(PieceState::Partial { missing: 6 })
    );

    content.fill(&storage, handle, 0);
    assert_eq!(storage.verify(handle, piece), Ok(Verdict::Valid));
    let right = storage.block_digests(handle, piece).unwrap();
    let wrong: Vec<_> = (0..6).filter(|&n| block_digests[n] != right[n]).collect();
    assert_eq!(wrong, [2]);
}

#[test]
fn a_piece_of_a_hybrid_that_is_right_by_one_hash_alone_is_an_error_and_not_wrong() {
    let content = Content::new(2 * BLOCK, 2 * 16_384, 1);
    let storage = streaming(1);
    let piece = content.piece(0);
    let other = MerkleRoot {
        root: MerkleHash::new([1; 32]),
        height: 1,
        len: 2 * 16_384,
    };
    let (v1, v2) = (content.hashes[0], other);
    let hashes = PieceHashes::from_iter([Some(Expected::Both { v1, v2 })]);
    let handle = storage
        .add_torrent(content.geometry.clone(), hashes)
        .unwrap();
    let _ = storage.reserve(handle, piece).unwrap();
    content.fill(&storage, handle, 0);
    let disagree = Err(Error::HashesDisagree { piece: 0 });
    assert_eq!(storage.verify(handle, piece), disagree);
    assert_ne!(storage.piece_state(handle, piece), Ok(PieceState::Verified));
}

#[test]
fn the_last_block_to_come_fills_the_piece() {
    let content = Content::new(64 * BLOCK, 64 * 16_384, 1);
    let storage = MemoryStorage::new(Config::new(64 * BLOCK));
    let handle = content.add_to(&storage);
    let piece = content.piece(0);
    let _ = storage.reserve(handle, piece).unwrap();
    for number in (0..64).rev() {
        let block = content.block(0, number);
        let written = storage.write_block(handle, block, content.data(block));
        let piece_full = number == 0;
        assert_eq!(
            written,
            Ok(Written::Stored {
                is_right: false,
                piece_full
            })
        );
    }
    assert_eq!(storage.verify(handle, piece), Ok(Verdict::Valid));
}

#[test]
fn of_pieces_verified_together_each_has_its_own_verdict() {
    // More than a processor hashes at once, and a last one that is shorter.
    let content = Content::new(39 * 2 * BLOCK + 100, 2 * 16_384, 1);
    let storage = MemoryStorage::new(Config::new(40 * 2 * BLOCK));
    let handle = content.add_to(&storage);
    let (unreserved, unfilled, wrong) = (content.piece(3), content.piece(11), [5, 20, 21, 39]);
    for piece in content.geometry.pieces() {
        if piece == unreserved {
            continue;
        }
        let _ = storage.reserve(handle, piece).unwrap();
        for block in content.geometry.blocks(piece) {
            let mut data = content.data(block).to_vec();
            if piece == unfilled && block.number() == 1 {
                continue;
            }
            if wrong.contains(&piece.get()) && block.number() == 0 {
                data[99] ^= 1;
            }
            storage.write_block(handle, block, &data).unwrap();
        }
    }

    let mut pieces: Vec<_> = content.geometry.pieces().collect();
    pieces.push(content.piece(0));
    let mut verdicts: Vec<Vec<_>> = vec![Vec::new(); 40];
    storage.verify_many(handle, &pieces, |piece, verdict| {
        verdicts[piece.as_usize()].push(verdict);
    });

    for (piece, verdicts) in content.geometry.pieces().zip(&verdicts) {
        let number = piece.get();
        match &verdicts[..] {
            // It was named twice: only one of the two may have it.
            [Err(Error::Verifying { piece: 0 }), Ok(Verdict::Valid)] => assert_eq!(number, 0),
            [Err(Error::NotReserved { piece: 3 })] => assert_eq!(piece, unreserved),
            [
                Err(Error::Incomplete {
                    piece: 11,
                    missing: 1,
                }),
            ] => assert_eq!(piece, unfilled),
            [Ok(Verdict::Invalid { block_digests })] => {
                assert!(wrong.contains(&number));
                assert_eq!(block_digests.len(), content.geometry.blocks(piece).count());
                let state = storage.piece_state(handle, piece).unwrap();
                assert!(matches!(state, PieceState::Partial { missing: 1.. }));
            }
            [Ok(Verdict::Valid)] => {
                assert!(!wrong.contains(&number) && number > 0);
                let block = content.block(number, 0);
                let lease = storage.read(handle, block).unwrap();
                assert_eq!(&lease[..], content.data(block));
            }
            other => panic!("{piece}: {other:?}"),
        }
    }
}

#[test]
fn only_a_small_part_of_the_budget_waits_to_be_verified() {
    let content = Content::new(1000 * BLOCK, 16_384, 1);
    for (blocks, may_wait) in [(1, false), (127, false), (128, true), (1000, true)] {
        let storage = MemoryStorage::new(Config::new(blocks * BLOCK));
        let handle = content.add_to(&storage);
        let together = storage.verify_together(handle).unwrap();
        let most = if may_wait { hashed_together() } else { 1 };
        assert_eq!(together, most, "with a budget of {blocks} blocks");
    }
}

#[test]
fn a_range_across_blocks_is_several_leases() {
    let content = Content::new(4 * BLOCK, 4 * 16_384, 1);
    let storage = MemoryStorage::new(Config::new(4 * BLOCK));
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    for (offset, len, leases) in [
        (0, 65_536, 4),
        (16_383, 2, 2),
        (16_384, 16_384, 1),
        (100, 100, 1),
        (65_535, 1, 1),
        (1, 40_000, 3),
    ] {
        let range = content.geometry.block(0, offset, len).unwrap();
        let parts = storage.read_vectored(handle, range).unwrap();
        assert_eq!(parts.len(), leases);
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        assert_eq!(bytes, content.data(range));
        match storage.read(handle, range) {
            Ok(lease) => assert_eq!((&lease[..], leases), (content.data(range), 1)),
            Err(error) => {
                let piece = 0;
                assert!(leases > 1);
                assert_eq!(error, Error::SpansBlocks { piece, offset, len });
            }
        }
    }
}

#[test]
fn blocks_and_pieces_of_another_torrent_are_refused() {
    let content = Content::new(40_000, 20_000, 1);
    let larger = Content::new(400_000, 100_000, 2);
    let storage = MemoryStorage::new(Config::new(200_000));
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let _ = storage.reserve(handle, content.piece(1)).unwrap();

    let beyond = larger.block(1, 3);
    let (piece, offset, len) = (1, beyond.offset(), beyond.len());
    let no_block = Error::NoSuchBlock { piece, offset, len };
    assert_eq!(
        storage.write_block(handle, beyond, larger.data(beyond)),
        Err(no_block)
    );
    let beyond = larger.block(0, 3);
    assert!(matches!(
        storage.read(handle, beyond),
        Err(Error::NoSuchBlock { .. })
    ));
    let no_piece = Error::NoSuchPiece { piece: 3, count: 2 };
    assert_eq!(storage.reserve(handle, larger.piece(3)), Err(no_piece));
    assert_eq!(storage.is_protected(handle, larger.piece(3)), Err(no_piece));
    assert_eq!(
        storage.add_torrent(content.geometry, larger.hashes.clone()),
        Err(Error::HashCount {
            hashes: 4,
            pieces: 2
        })
    );
}

#[test]
fn writes_off_the_grid_are_refused() {
    let content = Content::new(40_000, 40_000, 1);
    let storage = MemoryStorage::new(Config::new(3 * BLOCK));
    let handle = content.add_to(&storage);
    let _ = storage.reserve(handle, content.piece(0)).unwrap();
    for (offset, len) in [(1, 16_384), (0, 16_383), (32_768, 100), (0, 32_768)] {
        let block = content.geometry.block(0, offset, len).unwrap();
        let piece = 0;
        assert_eq!(
            storage.write_block(handle, block, content.data(block)),
            Err(Error::OffGrid { piece, offset, len })
        );
    }
    let block = content.block(0, 2);
    let length = Error::BlockLength {
        expected: 7_232,
        got: 3,
    };
    assert_eq!(storage.write_block(handle, block, b"abc"), Err(length));
    let stored = storage.write_block(handle, block, content.data(block));
    assert_eq!(
        stored,
        Ok(Written::Stored {
            is_right: false,
            piece_full: false
        })
    );
    let again = storage.write_block(handle, block, content.data(block));
    assert_eq!(again, Ok(Written::Duplicate));
    let piece = 0;
    assert_eq!(
        storage.verify(handle, content.piece(0)),
        Err(Error::Incomplete { piece, missing: 2 })
    );
}

#[test]
fn a_stream_in_its_stride_uses_the_same_buffers_again() {
    let content = Content::pieces_of_two_blocks(20, 1);
    let storage = streaming(2);
    let handle = content.add_to(&storage);
    let mut seen = std::collections::BTreeSet::new();
    for piece in 0..20 {
        content.put(&storage, handle, piece);
        for number in 0..2 {
            let lease = storage.read(handle, content.block(piece, number)).unwrap();
            seen.insert(lease.as_ptr());
        }
    }
    assert_eq!(seen.len(), 4, "the budget holds 4 blocks");
}

#[test]
fn kept_buffers_make_room_for_what_they_do_not_fit() {
    let content = Content::pieces_of_two_blocks(1, 1);
    let short = Content::new(10_000, 10_000, 2);
    let storage = MemoryStorage::new(Config::new(2 * BLOCK));
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    storage.remove_torrent(handle).unwrap();
    assert_eq!(storage.stats().free_list, 2 * BLOCK);

    let handle = short.add_to(&storage);
    short.put(&storage, handle, 0);
    // 10 000 bytes take a block of memory, too.
    assert_eq!(storage.stats().verified, BLOCK);
    assert_eq!(storage.stats().free_list, BLOCK);
    assert_eq!(storage.stats().used, 2 * BLOCK);
}

#[test]
fn a_block_meant_for_one_reservation_never_gets_into_another() {
    let content = Content::pieces_of_two_blocks(1, 1);
    let storage = streaming(1);
    let handle = content.add_to(&storage);
    let (piece, block) = (content.piece(0), content.block(0, 0));
    let first = storage.reserve(handle, piece).unwrap().id.unwrap();
    assert_eq!(storage.reserve(handle, piece).unwrap().id, Some(first));
    storage.release(handle, piece).unwrap();
    let second = storage.reserve(handle, piece).unwrap().id.unwrap();

    let write = |id| storage.write_block_into(handle, block, id, content.data(block));
    assert_eq!(write(first), Err(Error::NotReserved { piece: 0 }));
    let missing = storage.piece_state(handle, piece);
    assert_eq!(missing, Ok(PieceState::Partial { missing: 2 }));
    assert!(matches!(write(second), Ok(Written::Stored { .. })));
    let other = content.block(0, 1);
    storage
        .write_block(handle, other, content.data(other))
        .unwrap();
    assert_eq!(storage.verify(handle, piece), Ok(Verdict::Valid));
    assert_eq!(storage.reserve(handle, piece).unwrap().id, None);
    assert_eq!(write(second), Ok(Written::Duplicate));
}
