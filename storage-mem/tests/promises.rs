//! The failures that earlier memory storages are known for, one test each.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{BLOCK, Content, block_on, window};
use tailwater_storage_mem::{
    Config, Error, Evicted, Eviction, MemoryStorage, PieceState, ReaderId, Stats,
};

fn streaming(pieces_of_two_blocks: u64) -> MemoryStorage {
    MemoryStorage::new(
        Config::new(pieces_of_two_blocks * 2 * BLOCK)
            .with_eviction(Eviction::LeastRecentlyRequested),
    )
}

#[test]
fn read_outlives_write() {
    let content = Content::pieces_of_two_blocks(4, 1);
    let storage = streaming(2);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let block = content.block(0, 1);
    let lease = storage.read(handle, block).unwrap();

    storage.evict(handle, content.piece(0)).unwrap();
    let _ = storage.reserve(handle, content.piece(0)).unwrap();
    let other = vec![0xff; block.len() as usize];
    storage.write_block(handle, block, &other).unwrap();

    assert_eq!(&lease[..], content.data(block));
}

#[test]
fn read_outlives_evict() {
    let content = Content::pieces_of_two_blocks(6, 1);
    let storage = streaming(3);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let block = content.block(0, 0);
    let bytes = storage.read(handle, block).unwrap().into_bytes();

    storage.evict(handle, content.piece(0)).unwrap();
    for piece in 1..6 {
        content.put(&storage, handle, piece);
    }

    assert_eq!(&bytes[..], content.data(block));
    let piece = 0;
    assert_eq!(
        storage.read(handle, block).unwrap_err(),
        Error::NotVerified { piece }
    );
}

#[test]
fn lease_accounting() {
    type End = fn(&MemoryStorage, tailwater_storage_mem::TorrentHandle, &Content);
    let ends: [End; 3] = [
        |storage, handle, content| storage.evict(handle, content.piece(0)).unwrap(),
        |storage, handle, _| storage.remove_torrent(handle).unwrap(),
        |storage, _, _| block_on(storage.close()),
    ];
    for end in ends {
        let content = Content::pieces_of_two_blocks(1, 1);
        let storage = MemoryStorage::new(Config::new(2 * BLOCK).with_free_list_bytes(0));
        let handle = content.add_to(&storage);
        content.put(&storage, handle, 0);
        let lease = storage.read(handle, content.block(0, 0)).unwrap();
        let bytes = lease.clone().into_bytes();
        let slice = bytes.slice(5..10);
        assert_eq!(storage.stats().leased, BLOCK);
        assert_eq!(storage.stats().detached, 0);

        end(&storage, handle, &content);
        let only_the_leased_block = |stats: Stats| {
            assert_eq!(stats.detached, BLOCK);
            assert_eq!((stats.verified, stats.partial), (0, 0));
        };
        only_the_leased_block(storage.stats());

        drop(lease);
        drop(bytes);
        // A slice is a lease too.
        only_the_leased_block(storage.stats());
        drop(slice);
        assert_eq!(storage.stats().used, 0);
    }
}

#[test]
fn a_lease_outlives_the_last_handle_of_the_storage() {
    let content = Content::pieces_of_two_blocks(1, 1);
    let storage = streaming(1);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let block = content.block(0, 0);
    let lease = storage.read(handle, block).unwrap();
    drop(storage);
    assert_eq!(&lease[..], content.data(block));
}

#[test]
fn two_sessions_isolated() {
    let (one, other) = (streaming(2), streaming(2));
    let (film, song) = (
        Content::pieces_of_two_blocks(2, 1),
        Content::pieces_of_two_blocks(2, 2),
    );
    let in_one = film.add_to(&one);
    let in_other = song.add_to(&other);
    film.put(&one, in_one, 0);
    song.put(&other, in_other, 0);

    let block = film.block(0, 0);
    assert_eq!(other.read(in_one, block).unwrap_err(), Error::StaleHandle);
    assert_eq!(
        other.reserve(in_one, film.piece(1)),
        Err(Error::StaleHandle)
    );
    assert_eq!(other.remove_torrent(in_one), Err(Error::StaleHandle));

    block_on(one.close());
    assert_eq!(other.stats().used, 2 * BLOCK);
    assert_eq!(&other.read(in_other, block).unwrap()[..], song.data(block));
}

#[test]
fn config_per_session() {
    let content = Content::pieces_of_two_blocks(2, 1);
    let fixed = MemoryStorage::new(Config::new(2 * BLOCK));
    let evicting = streaming(1);
    for storage in [&fixed, &evicting] {
        let handle = content.add_to(storage);
        content.put(storage, handle, 0);
        let second = storage.reserve(handle, content.piece(1));
        assert_eq!(second.is_ok(), storage.config() == evicting.config());
    }
}

#[test]
fn handle_after_close() {
    let content = Content::pieces_of_two_blocks(2, 1);
    let storage = streaming(2);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let _ = storage.reserve(handle, content.piece(1)).unwrap();
    block_on(storage.close());
    block_on(storage.close());
    block_on(storage.closed());

    let (block, piece) = (content.block(0, 0), content.piece(0));
    let closed = Error::Closed;
    assert_eq!(storage.read(handle, block).unwrap_err(), closed);
    assert_eq!(storage.read_vectored(handle, block).unwrap_err(), closed);
    assert_eq!(
        storage.write_block(handle, block, content.data(block)),
        Err(closed)
    );
    assert_eq!(storage.reserve(handle, piece), Err(closed));
    assert_eq!(storage.verify(handle, piece), Err(closed));
    assert_eq!(storage.verify_together(handle), Err(closed));
    assert_eq!(storage.block_digests(handle, piece), Err(closed));
    assert_eq!(storage.release(handle, piece), Err(closed));
    assert_eq!(storage.evict(handle, piece), Err(closed));
    let reader = ReaderId::new(1);
    let window = window(&content, 0, 1, 0);
    assert_eq!(storage.set_window(handle, reader, &window), Err(closed));
    assert_eq!(storage.remove_window(handle, reader), Err(closed));
    assert_eq!(storage.set_pins(handle, &[]), Err(closed));
    assert_eq!(storage.set_lookbehind_pieces(handle, 1), Err(closed));
    let available = storage.is_lookbehind_available(handle, reader, 1);
    assert_eq!(available, Err(closed));
    assert_eq!(storage.lookbehind_stats(handle, reader), Err(closed));
    assert_eq!(storage.clear_lookbehind(handle, reader), Err(closed));
    assert_eq!(storage.set_availability(handle, piece, 1), Err(closed));
    assert_eq!(storage.is_protected(handle, piece), Err(closed));
    assert_eq!(block_on(storage.wait_for_space(1)), Err(closed));
    assert_eq!(storage.readers(), 0);
    assert_eq!(storage.piece_state(handle, piece), Err(closed));
    assert_eq!(storage.remove_torrent(handle), Err(closed));
    let again = storage.add_torrent(content.geometry, content.hashes.clone());
    assert_eq!(again, Err(closed));
    assert_eq!(storage.stats().used, 0);
}

#[test]
fn slot_reuse() {
    let (film, song) = (
        Content::pieces_of_two_blocks(2, 1),
        Content::pieces_of_two_blocks(2, 2),
    );
    let storage = MemoryStorage::new(Config::new(8 * BLOCK).with_max_torrents(1));
    let old = film.add_to(&storage);
    film.put(&storage, old, 0);
    let _ = storage.reserve(old, film.piece(1)).unwrap();
    let full = storage.add_torrent(song.geometry.clone(), song.hashes.clone());
    assert_eq!(full, Err(Error::TooManyTorrents { max: 1 }));

    storage.remove_torrent(old).unwrap();
    let new = song.add_to(&storage);
    song.put(&storage, new, 0);
    let _ = storage.reserve(new, song.piece(1)).unwrap();

    let (held, partial) = (film.block(0, 0), film.block(1, 0));
    let stale = Error::StaleHandle;
    assert_ne!(old, new);
    assert_eq!(storage.read(old, held).unwrap_err(), stale);
    assert_eq!(
        storage.write_block(old, partial, film.data(partial)),
        Err(stale)
    );
    assert_eq!(storage.evict(old, film.piece(0)), Err(stale));
    assert_eq!(storage.release(old, film.piece(1)), Err(stale));
    assert_eq!(storage.verify(old, film.piece(1)), Err(stale));
    assert_eq!(storage.remove_torrent(old), Err(stale));
    assert_eq!(&storage.read(new, held).unwrap()[..], song.data(held));
}

#[test]
fn close_waits_for_pending() {
    let content = Content::pieces_of_two_blocks(64, 1);
    for _ in 0..20 {
        let storage = MemoryStorage::new(Config::new(content.geometry.total()));
        let handle = content.add_to(&storage);
        for piece in content.geometry.pieces() {
            let _ = storage.reserve(handle, piece).unwrap();
        }
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (storage, content) = (&storage, &content);
                scope.spawn(move || {
                    for piece in (thread..64).step_by(2) {
                        for number in 0..2 {
                            let block = content.block(piece, number);
                            let data = content.data(block);
                            match storage.write_block(handle, block, data) {
                                Ok(_) => {}
                                Err(error) => return assert_eq!(error, Error::Closed),
                            }
                        }
                    }
                });
            }
            block_on(storage.close());
            // A write that was still running would hold its buffer.
            assert_eq!(storage.stats().used, 0);
        });
    }
}

#[test]
fn reads_refresh() {
    let content = Content::pieces_of_two_blocks(5, 1);
    let storage = streaming(3);
    let handle = content.add_to(&storage);
    for piece in 0..3 {
        content.put(&storage, handle, piece);
    }
    drop(storage.read(handle, content.block(0, 0)).unwrap());

    let evicted = |piece| {
        vec![Evicted {
            handle,
            piece: content.piece(piece),
        }]
    };
    assert_eq!(content.put(&storage, handle, 3), evicted(1));

    let lease = storage.read(handle, content.block(2, 0)).unwrap();
    drop(storage.read(handle, content.block(0, 0)).unwrap());
    drop(storage.read(handle, content.block(3, 0)).unwrap());
    assert_eq!(
        content.put(&storage, handle, 4),
        evicted(0),
        "piece 2 was read before piece 0, but is leased"
    );
    drop(lease);
}

#[test]
fn bound_holds_when_all_protected() {
    let content = Content::pieces_of_two_blocks(5, 1);
    let storage = streaming(4);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let window = window(&content, 0, 1, 0);
    storage
        .set_window(handle, ReaderId::new(1), &window)
        .unwrap();
    let _ = storage.reserve(handle, content.piece(1)).unwrap();
    content.put(&storage, handle, 2);
    let lease = storage.read(handle, content.block(2, 1)).unwrap();
    content.put(&storage, handle, 3);
    let detached = storage.read(handle, content.block(3, 1)).unwrap();
    storage.evict(handle, content.piece(3)).unwrap();

    let full = Error::Full {
        needed: 2 * BLOCK,
        free: BLOCK,
    };
    assert_eq!(storage.reserve(handle, content.piece(4)), Err(full));
    let stats = storage.stats();
    assert!(stats.used <= stats.budget);
    assert_eq!(stats.evictions, 0);
    assert_eq!(stats.verified_pieces, 2);

    drop(detached);
    assert!(storage.reserve(handle, content.piece(4)).is_ok());
    drop(lease);
}

#[test]
fn a_reservation_that_can_never_fit_evicts_nothing() {
    let content = Content::pieces_of_two_blocks(1, 1);
    let long = Content::new(8 * BLOCK, 8 * 16_384, 2);
    let storage = streaming(2);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let other = long.add_to(&storage);
    assert!(matches!(
        storage.reserve(other, long.piece(0)),
        Err(Error::Full { .. })
    ));
    assert_eq!(
        storage.piece_state(handle, content.piece(0)),
        Ok(PieceState::Verified)
    );
}
