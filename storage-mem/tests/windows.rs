//! Windows and pins protect exactly the pieces that they touch.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::ops::Range;
use std::time::Duration;

use common::{BLOCK, Content, window};
use tailwater_metainfo::PieceIndex;
use tailwater_storage_mem::{
    Config, Error, Eviction, MAX_READERS, MemoryStorage, PieceState, ReaderId, TorrentHandle,
    Window,
};

const ONE: ReaderId = ReaderId::new(1);
const OTHER: ReaderId = ReaderId::new(2);

fn streaming(blocks: u64) -> MemoryStorage {
    MemoryStorage::new(Config::new(blocks * BLOCK).with_eviction(Eviction::LeastRecentlyRequested))
}

/// A torrent of one-block pieces in a storage with room for all of them, which are there.
fn full(pieces: u32) -> (MemoryStorage, Content, TorrentHandle) {
    let storage = streaming(pieces.into());
    let content = Content::new(u64::from(pieces) * BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    for piece in 0..pieces {
        content.put(&storage, handle, piece);
    }
    (storage, content, handle)
}

/// Which pieces are protected.
fn protected(storage: &MemoryStorage, content: &Content, handle: TorrentHandle) -> Vec<u32> {
    let pieces = content.geometry.pieces();
    pieces
        .filter(|&piece| storage.is_protected(handle, piece).unwrap())
        .map(PieceIndex::get)
        .collect()
}

/// Which pieces go, in which order, when room is made for `blocks` blocks.
fn evicted(storage: &MemoryStorage, blocks: u64) -> Vec<u32> {
    let other = Content::new(blocks * BLOCK, u32::try_from(blocks * BLOCK).unwrap(), 9);
    let handle = other.add_to(storage);
    let reserved = storage.reserve(handle, other.piece(0)).unwrap();
    let pieces = reserved.evicted.iter();
    pieces.map(|evicted| evicted.piece.get()).collect()
}

#[test]
fn lookbehind_in_bytes() {
    let behind = 10 * BLOCK;
    for piece_blocks in [1, 2, 5] {
        let piece_length = piece_blocks * 16_384;
        let content = Content::new(40 * BLOCK, piece_length, 1);
        let storage = streaming(40);
        let handle = content.add_to(&storage);
        for piece in content.geometry.pieces() {
            content.put(&storage, handle, piece.get());
        }
        let cursor = 20 * BLOCK;
        storage
            .set_window(handle, ONE, &window(&content, cursor, 0, behind))
            .unwrap();

        let stats = storage.lookbehind_stats(handle, ONE).unwrap();
        assert_eq!(stats.protected * piece_blocks, 10, "10 blocks in any case");
        assert_eq!(stats.available, stats.protected);
        assert_eq!(stats.bytes, cursor, "the rest is there, too");

        // The room that is left when the piece at the cursor and the ten blocks before it must stay.
        let rest = 40 - 10 - u64::from(piece_blocks);
        evicted(&storage, rest);
        let stats = storage.lookbehind_stats(handle, ONE).unwrap();
        assert_eq!(stats.bytes, behind);
        assert_eq!(
            storage.is_lookbehind_available(handle, ONE, behind),
            Ok(true)
        );
        assert_eq!(
            storage.is_lookbehind_available(handle, ONE, behind + 1),
            Ok(false)
        );
    }
}

#[test]
fn evict_is_announced() {
    let storage = streaming(5);
    let contents = [1, 2].map(|salt| Content::new(6 * BLOCK, 16_384, salt));
    let handles = [0, 1].map(|torrent| contents[torrent].add_to(&storage));
    let state = |torrent: usize, piece| {
        let index = contents[torrent].piece(piece);
        storage.piece_state(handles[torrent], index).unwrap()
    };
    let mut there = std::collections::BTreeSet::new();
    for step in 0..24u32 {
        let (torrent, piece) = (usize::from(step % 3 == 0), step % 6);
        let evicted = contents[torrent].put(&storage, handles[torrent], piece);
        for gone in evicted {
            let torrent = handles.iter().position(|&handle| handle == gone.handle);
            let place = (torrent.unwrap(), gone.piece.get());
            assert!(there.remove(&place), "{place:?} was not there");
        }
        there.insert((torrent, piece));
        for place in (0..2).flat_map(|torrent| (0..6).map(move |piece| (torrent, piece))) {
            let is_there = state(place.0, place.1) == PieceState::Verified;
            assert_eq!(there.contains(&place), is_there, "{place:?} went silently");
        }
    }
    assert!(storage.stats().evictions > 6);
}

#[test]
fn a_window_protects_what_it_touches() {
    type Case = (u64, u64, u64, Range<u64>, &'static [u32]);

    let (storage, content, handle) = full(10);
    let at = |block: u64, byte: u64| block * BLOCK + byte;
    let cases: [Case; 10] = [
        (at(3, 0), BLOCK, 0, 0..at(10, 0), &[3]),
        (at(3, 1), BLOCK, 0, 0..at(10, 0), &[3, 4]),
        (at(3, 0), 1, 1, 0..at(10, 0), &[2, 3]),
        (at(3, 7), 0, 0, 0..at(10, 0), &[3]),
        (at(3, 0), u64::MAX, 0, 0..at(5, 1), &[3, 4, 5]),
        (at(3, 0), 0, u64::MAX, at(1, 16_383)..at(5, 0), &[1, 2, 3]),
        // Past the end of the file there is nothing to come, and much behind.
        (at(9, 0), 5, BLOCK, at(1, 0)..at(5, 0), &[4]),
        (u64::MAX, u64::MAX, 0, at(1, 0)..at(5, 0), &[]),
        (at(0, 5), BLOCK, BLOCK, at(2, 0)..at(5, 0), &[2]),
        (at(3, 0), BLOCK, BLOCK, at(3, 0)..at(3, 0), &[]),
    ];
    for (cursor, ahead, behind, bounds, expected) in cases {
        let window = Window {
            cursor,
            ahead,
            behind,
            bounds,
        };
        storage.set_window(handle, ONE, &window).unwrap();
        assert_eq!(
            protected(&storage, &content, handle),
            expected,
            "{window:?}"
        );
    }
}

#[test]
fn what_no_window_wants_any_more_goes_by_its_last_request() {
    let (storage, content, handle) = full(6);
    storage
        .set_window(handle, ONE, &window(&content, 0, 3 * BLOCK, 0))
        .unwrap();
    assert_eq!(evicted(&storage, 1), [3]);
    // 0 was read while it was protected, so 1 and 2 go before it.
    drop(storage.read(handle, content.block(0, 0)).unwrap());
    storage
        .set_window(handle, ONE, &window(&content, 4 * BLOCK, BLOCK, 0))
        .unwrap();
    assert_eq!(evicted(&storage, 3), [1, 2, 5]);
    assert_eq!(evicted(&storage, 1), [0]);
}

#[test]
fn several_readers_hold_a_piece_until_the_last_has_left() {
    let (storage, content, handle) = full(4);
    let wide = window(&content, 0, 3 * BLOCK, 0);
    storage.set_window(handle, ONE, &wide).unwrap();
    storage
        .set_window(handle, OTHER, &window(&content, BLOCK, BLOCK, 0))
        .unwrap();
    storage
        .set_pins(handle, std::slice::from_ref(&(2 * BLOCK..2 * BLOCK + 1)))
        .unwrap();
    assert_eq!(storage.readers(), 2);
    assert_eq!(protected(&storage, &content, handle), [0, 1, 2]);
    storage.remove_window(handle, ONE).unwrap();
    assert_eq!(protected(&storage, &content, handle), [1, 2]);
    storage.set_pins(handle, &[]).unwrap();
    assert_eq!(protected(&storage, &content, handle), [1]);
    assert_eq!(evicted(&storage, 3), [0, 2, 3]);
    storage.remove_window(handle, OTHER).unwrap();
    assert_eq!(evicted(&storage, 1), [1]);
    assert_eq!(storage.readers(), 0);
}

#[test]
fn pins_replace_the_earlier_ones() {
    let (storage, content, handle) = full(8);
    storage
        .set_pins(handle, &[0..1, 7 * BLOCK..8 * BLOCK, BLOCK - 1..BLOCK + 1])
        .unwrap();
    assert_eq!(protected(&storage, &content, handle), [0, 1, 7]);
    storage
        .set_pins(handle, &[3 * BLOCK..3 * BLOCK, 5 * BLOCK..6 * BLOCK])
        .unwrap();
    assert_eq!(protected(&storage, &content, handle), [5]);
    assert_eq!(evicted(&storage, 7), [0, 1, 2, 3, 4, 6, 7]);
}

#[test]
fn a_piece_that_comes_into_a_window_later_is_protected_too() {
    let storage = streaming(2);
    let content = Content::new(4 * BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    storage
        .set_window(handle, ONE, &window(&content, 0, BLOCK, 0))
        .unwrap();
    for piece in 0..4 {
        content.put(&storage, handle, piece);
    }
    let first = storage.piece_state(handle, content.piece(0));
    assert_eq!(first, Ok(PieceState::Verified));
}

#[test]
fn lookbehind_pieces_are_the_least_that_is_kept() {
    let (storage, content, handle) = full(10);
    let at = 6 * BLOCK + 5;
    let bounds = 3 * BLOCK..10 * BLOCK;
    let window = |behind| Window {
        cursor: at,
        ahead: 1,
        behind,
        bounds: bounds.clone(),
    };
    storage.set_window(handle, ONE, &window(0)).unwrap();
    for (pieces, behind, expected) in [
        (0, 0, vec![6]),
        (1, 0, vec![5, 6]),
        (2, 0, vec![4, 5, 6]),
        (2, 3 * BLOCK, vec![3, 4, 5, 6]),
        (u32::MAX, 0, vec![3, 4, 5, 6]),
        (1, BLOCK, vec![5, 6]),
    ] {
        storage.set_lookbehind_pieces(handle, pieces).unwrap();
        storage.set_window(handle, ONE, &window(behind)).unwrap();
        assert_eq!(protected(&storage, &content, handle), expected);
    }
}

#[test]
fn a_cleared_lookbehind_stays_cleared_until_a_seek_back() {
    let (storage, content, handle) = full(10);
    let set = |block: u64| {
        let window = window(&content, block * BLOCK, BLOCK, 3 * BLOCK);
        storage.set_window(handle, ONE, &window).unwrap();
        protected(&storage, &content, handle)
    };
    assert_eq!(set(5), [2, 3, 4, 5]);
    storage.clear_lookbehind(handle, ONE).unwrap();
    assert_eq!(protected(&storage, &content, handle), [5]);
    let stats = storage.lookbehind_stats(handle, ONE).unwrap();
    assert_eq!((stats.protected, stats.available), (0, 0));
    assert_eq!(
        stats.bytes,
        5 * BLOCK,
        "it is there until its room is needed"
    );
    assert_eq!(set(6), [5, 6]);
    assert_eq!(set(9), [6, 7, 8, 9]);
    assert_eq!(set(4), [1, 2, 3, 4]);
    assert_eq!(set(6), [3, 4, 5, 6]);
}

#[test]
fn a_gap_ends_what_a_rewind_finds() {
    let (storage, content, handle) = full(6);
    storage
        .set_window(handle, ONE, &window(&content, 5 * BLOCK + 10, 1, 4 * BLOCK))
        .unwrap();
    storage.evict(handle, content.piece(2)).unwrap();
    let stats = storage.lookbehind_stats(handle, ONE).unwrap();
    assert_eq!((stats.protected, stats.available), (5, 4));
    assert_eq!(stats.bytes, 2 * BLOCK + 10);
    for (bytes, expected) in [
        (0, true),
        (10, true),
        (2 * BLOCK + 10, true),
        (2 * BLOCK + 11, false),
    ] {
        let available = storage.is_lookbehind_available(handle, ONE, bytes);
        assert_eq!(available, Ok(expected), "{bytes} bytes");
    }
}

#[test]
fn of_the_long_idle_the_rare_survive() {
    let (storage, content, handle) = full(6);
    for (piece, peers) in [(0, 1), (1, 9), (2, 0), (3, 9), (4, 5)] {
        let piece = content.piece(piece);
        storage.set_availability(handle, piece, peers).unwrap();
    }
    let hours = |hours: u64| storage.set_time(Duration::from_secs(hours * 3_600));
    hours(0);
    hours(1);
    drop(storage.read(handle, content.block(5, 0)).unwrap());
    drop(storage.read(handle, content.block(1, 0)).unwrap());
    hours(2);
    // Since the first hour, 5 and 1 are not idle: they go last, whatever peers have.
    assert_eq!(evicted(&storage, 5), [3, 4, 0, 2, 1]);
}

#[test]
fn availability_counts_as_it_is_now() {
    let (storage, content, handle) = full(4);
    storage.set_time(Duration::from_secs(1));
    storage.set_time(Duration::from_secs(3 * 3_600));
    // A search ranks all of them.
    assert_eq!(evicted(&storage, 1), [0]);
    for (piece, peers) in [(1, 3), (2, 7), (3, 9), (2, 1)] {
        let piece = content.piece(piece);
        storage.set_availability(handle, piece, peers).unwrap();
    }
    assert_eq!(evicted(&storage, 3), [3, 1, 2]);
}

#[test]
fn an_idle_piece_that_is_read_is_idle_no_more() {
    let (storage, content, handle) = full(3);
    storage
        .set_availability(handle, content.piece(0), 9)
        .unwrap();
    storage.set_time(Duration::from_secs(1));
    storage.set_time(Duration::from_secs(3 * 3_600));
    // A search ranks them.
    assert_eq!(evicted(&storage, 1), [0]);
    drop(storage.read(handle, content.block(1, 0)).unwrap());
    storage
        .set_availability(handle, content.piece(1), 9)
        .unwrap();
    assert_eq!(evicted(&storage, 2), [2, 1]);
}

#[test]
fn windows_of_no_torrent_are_refused() {
    let (storage, content, handle) = full(2);
    let total = 2 * BLOCK;
    for (start, end) in [(0, total + 1), (total + 1, total + 2), (2, 1)] {
        let refused = Err(Error::NoSuchRange { start, end, total });
        let window = Window {
            bounds: start..end,
            ..window(&content, 0, 1, 0)
        };
        assert_eq!(storage.set_window(handle, ONE, &window), refused);
        assert_eq!(storage.set_pins(handle, &[0..1, start..end]), refused);
    }
    assert_eq!(protected(&storage, &content, handle), []);
    let unknown = Error::NoSuchReader { reader: 1 };
    assert_eq!(storage.remove_window(handle, ONE), Err(unknown));
    assert_eq!(storage.clear_lookbehind(handle, ONE), Err(unknown));
    assert_eq!(storage.lookbehind_stats(handle, ONE), Err(unknown));
    let available = storage.is_lookbehind_available(handle, ONE, 0);
    assert_eq!(available, Err(unknown));

    let window = window(&content, 0, 1, 0);
    for reader in 0..MAX_READERS as u64 {
        let reader = ReaderId::new(reader);
        storage.set_window(handle, reader, &window).unwrap();
    }
    let last = ReaderId::new(MAX_READERS as u64);
    let max = MAX_READERS;
    assert_eq!(
        storage.set_window(handle, last, &window),
        Err(Error::TooManyReaders { max })
    );
    // Those that are there can still be moved.
    storage.set_window(handle, ONE, &window).unwrap();
    storage.remove_torrent(handle).unwrap();
    assert_eq!(storage.readers(), 0);
    assert_eq!(
        storage.set_window(handle, ONE, &window),
        Err(Error::StaleHandle)
    );
}
