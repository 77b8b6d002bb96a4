//! Room in the budget goes to exactly one reservation, and only from unleased pieces.

use loom::thread;
use tailwater_metainfo::BLOCK_LEN;

use super::{Torrent, storage, used};
use crate::{Error, Eviction, Lease, MemoryStorage, PieceState, ReaderId, Window};

#[test]
fn loom_two_reserves_for_the_last_space() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        let other = storage.clone();
        let thread = thread::spawn(move || other.reserve(handle, torrent.piece(0)).is_ok());
        let mine = storage.reserve(handle, torrent.piece(1)).is_ok();
        assert!(mine ^ thread.join().unwrap());
        assert_eq!(used(&storage), 1);
    });
}

#[test]
fn loom_read_against_evict() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || other.read(handle, torrent.block(0, 0)));
        storage.evict(handle, torrent.piece(0)).unwrap();
        match thread.join().unwrap() {
            Ok(lease) => assert_eq!((&lease[..], used(&storage)), (&[7][..], 1)),
            Err(error) => assert_eq!(error, Error::NotVerified { piece: 0 }),
        }
        assert_eq!(used(&storage), 0);
    });
}

#[test]
fn loom_read_against_eviction_by_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || other.read(handle, torrent.block(0, 0)));
        let reserved = storage.reserve(handle, torrent.piece(1));
        // Never both: the bytes are there once.
        match (thread.join().unwrap(), reserved) {
            (Ok(lease), Err(Error::Full { .. })) => {
                assert_eq!(&lease[..], [7]);
                let state = storage.piece_state(handle, torrent.piece(0));
                assert_eq!(state, Ok(PieceState::Verified), "evicted without a word");
            }
            (Err(Error::NotVerified { .. }), Ok(reserved)) => assert_eq!(reserved.evicted.len(), 1),
            both => panic!("{both:?}"),
        }
        assert_eq!(used(&storage), 1);
    });
}

#[test]
fn loom_two_reserves_evict_one_piece_once() {
    loom::model(|| {
        let torrent = Torrent::new(3, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let reserve = move |storage: &MemoryStorage, piece| {
            let reserved = storage.reserve(handle, torrent.piece(piece));
            reserved.map_or(0, |reserved| reserved.evicted.len())
        };
        let thread = thread::spawn(move || reserve(&other, 1));
        let mine = reserve(&storage, 2);
        assert_eq!(mine + thread.join().unwrap(), 1);
        assert_eq!(storage.stats().evictions, 1);
    });
}

#[test]
fn loom_read_against_remove_and_slot_reuse() {
    loom::model(|| {
        let (old, new) = (Torrent::new(1, 1, 7), Torrent::new(1, 1, 9));
        let storage = storage(2, Eviction::Never);
        let handle = old.add(&storage);
        old.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || {
            let read = other.read(handle, old.block(0, 0));
            read.map(|lease| lease.to_vec())
        });
        storage.remove_torrent(handle).unwrap();
        let next = new.add(&storage);
        new.put(&storage, next, 0);
        match thread.join().unwrap() {
            Ok(bytes) => assert_eq!(bytes, [7]),
            Err(error) => assert_eq!(error, Error::StaleHandle),
        }
    });
}

#[test]
fn loom_lease_drop_against_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(2, BLOCK_LEN, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease: Lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        storage.evict(handle, torrent.piece(0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        let early = storage.reserve(handle, torrent.piece(1)).is_ok();
        thread.join().unwrap();
        let late = storage.reserve(handle, torrent.piece(1)).unwrap();
        assert_eq!(late.is_new, !early);
        assert_eq!(used(&storage), 1);
        assert_eq!(storage.stats().detached, 0);
    });
}

#[test]
fn loom_lease_drop_against_eviction_by_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        let reserved = storage.reserve(handle, torrent.piece(1));
        let old = storage.piece_state(handle, torrent.piece(0));
        match reserved {
            // A reservation that finds the piece unleased gets its memory.
            Ok(reserved) => assert_eq!((reserved.evicted.len(), old), (1, Ok(PieceState::Absent))),
            Err(_) => assert_eq!(old, Ok(PieceState::Verified), "evicted for nothing"),
        }
        thread.join().unwrap();
        assert_eq!(used(&storage), 1);
    });
}

#[test]
fn loom_window_move_against_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || other.reserve(handle, torrent.piece(1)).is_ok());
        let window = Window {
            cursor: 0,
            ahead: 1,
            behind: 0,
            bounds: 0..1,
        };
        storage
            .set_window(handle, ReaderId::new(1), &window)
            .unwrap();
        let protected = storage.piece_state(handle, torrent.piece(0));
        let is_evicted = thread.join().unwrap();
        let late = storage.piece_state(handle, torrent.piece(0));
        assert_eq!(protected, late, "what is protected stays");
        assert_eq!(is_evicted, late == Ok(PieceState::Absent));
    });
}

#[test]
fn loom_window_move_against_verify() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let block = torrent.block(0, 0);
        torrent.write(&storage, handle, block).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || other.verify(handle, torrent.piece(0)).unwrap());
        let window = Window {
            cursor: 0,
            ahead: 1,
            behind: 0,
            bounds: 0..1,
        };
        storage
            .set_window(handle, ReaderId::new(1), &window)
            .unwrap();
        let _ = thread.join().unwrap();
        let reserved = storage.reserve(handle, torrent.piece(1));
        assert!(matches!(reserved, Err(Error::Full { .. })), "{reserved:?}");
    });
}

#[test]
fn loom_two_leases_of_a_piece() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::LeastRecentlyRequested);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        let clone = lease.clone();
        let thread = thread::spawn(move || drop(clone));
        let reserved = storage.reserve(handle, torrent.piece(1));
        assert!(matches!(reserved, Err(Error::Full { .. })), "{reserved:?}");
        thread.join().unwrap();
        drop(lease);
        assert!(storage.reserve(handle, torrent.piece(1)).is_ok());
    });
}
