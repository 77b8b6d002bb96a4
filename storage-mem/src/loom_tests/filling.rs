//! Writing and verifying the same piece.

use loom::thread;
use tailwater_metainfo::BLOCK_LEN;

use super::{Torrent, storage, used};
use crate::{Config, Error, Eviction, MemoryStorage, PieceState, Verdict, Written};

#[test]
fn loom_two_writes_of_one_block() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || torrent.write(&other, handle, torrent.block(0, 0)));
        let mine = torrent
            .write(&storage, handle, torrent.block(0, 0))
            .unwrap();
        let theirs = thread.join().unwrap().unwrap();
        let stored = Written::Stored {
            is_right: false,
            piece_full: true,
        };
        assert!((mine == stored) ^ (theirs == stored));
        assert!((mine == Written::Duplicate) ^ (theirs == Written::Duplicate));
        assert_eq!(storage.verify(handle, torrent.piece(0)), Ok(Verdict::Valid));
    });
}

#[test]
fn loom_two_writes_fill_a_piece_once() {
    loom::model(|| {
        let torrent = Torrent::new(1, BLOCK_LEN + 1, 7);
        let storage = storage(2, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || torrent.write(&other, handle, torrent.block(0, 1)));
        let mine = torrent
            .write(&storage, handle, torrent.block(0, 0))
            .unwrap();
        let theirs = thread.join().unwrap().unwrap();
        let full = Written::Stored {
            is_right: false,
            piece_full: true,
        };
        assert!((mine == full) ^ (theirs == full));
        assert_eq!(storage.verify(handle, torrent.piece(0)), Ok(Verdict::Valid));
    });
}

#[test]
fn loom_two_verifies_of_one_piece() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        torrent
            .write(&storage, handle, torrent.block(0, 0))
            .unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || other.verify(handle, torrent.piece(0)));
        let mine = storage.verify(handle, torrent.piece(0));
        match (mine, thread.join().unwrap()) {
            (Ok(verdict), Err(error)) | (Err(error), Ok(verdict)) => {
                assert_eq!(verdict, Verdict::Valid);
                let late = Error::NotReserved { piece: 0 };
                assert!(error == late || error == Error::Verifying { piece: 0 });
            }
            both => panic!("{both:?}"),
        }
        assert_eq!(&storage.read(handle, torrent.block(0, 0)).unwrap()[..], [7]);
    });
}

#[test]
fn loom_verify_against_release() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        torrent
            .write(&storage, handle, torrent.block(0, 0))
            .unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || other.verify(handle, torrent.piece(0)));
        let released = storage.release(handle, torrent.piece(0)).is_ok();
        let verified = thread.join().unwrap() == Ok(Verdict::Valid);
        assert!(released ^ verified);
        assert_eq!(used(&storage), u64::from(verified));
    });
}

#[test]
fn loom_verify_against_release_and_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(2, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let block = torrent.block(0, 0);
        torrent.write(&storage, handle, block).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || other.verify(handle, torrent.piece(0)));
        let released = storage.release(handle, torrent.piece(0)).is_ok();
        let reserved = storage.reserve(handle, torrent.piece(0)).unwrap();
        assert_eq!(reserved.is_new, released);
        let verified = thread.join().unwrap();
        // The verdict on the old reservation says nothing of the new one.
        let expected = if released {
            assert_ne!(verified, Ok(Verdict::Valid));
            PieceState::Partial { missing: 1 }
        } else {
            PieceState::Verified
        };
        assert_eq!(storage.piece_state(handle, torrent.piece(0)), Ok(expected));
    });
}

#[test]
fn loom_write_against_remove_and_slot_reuse() {
    loom::model(|| {
        let (old, new) = (Torrent::new(1, 1, 7), Torrent::new(1, 1, 9));
        let storage = storage(2, Eviction::Never);
        let handle = old.add(&storage);
        let _ = storage.reserve(handle, old.piece(0)).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || old.write(&other, handle, old.block(0, 0)));
        storage.remove_torrent(handle).unwrap();
        let next = new.add(&storage);
        let _ = storage.reserve(next, new.piece(0)).unwrap();
        let written = thread.join().unwrap();
        assert!(matches!(written, Ok(_) | Err(Error::StaleHandle)));
        let mine = new.write(&storage, next, new.block(0, 0));
        assert_eq!(
            mine,
            Ok(Written::Stored {
                is_right: false,
                piece_full: true
            })
        );
        assert_eq!(storage.verify(next, new.piece(0)), Ok(Verdict::Valid));
        assert_eq!(used(&storage), 1);
    });
}

#[test]
fn loom_two_writes_share_a_slab() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        // A slab of both blocks: the second thread waits for it instead of mapping another.
        let storage = storage(2, Eviction::Never);
        let handle = torrent.add(&storage);
        for piece in 0..2 {
            let _ = storage.reserve(handle, torrent.piece(piece)).unwrap();
        }
        let other = storage.clone();
        let thread = thread::spawn(move || {
            torrent.write(&other, handle, torrent.block(0, 0)).unwrap();
        });
        torrent
            .write(&storage, handle, torrent.block(1, 0))
            .unwrap();
        thread.join().unwrap();
        assert_eq!(storage.stats().used, 2 * u64::from(BLOCK_LEN));
        assert_eq!(storage.stats().free_list, 0);
    });
}

#[test]
fn loom_write_against_a_slab_given_back() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let config = Config::new(u64::from(BLOCK_LEN)).with_free_list_bytes(0);
        let storage = MemoryStorage::new(config);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || other.evict(handle, torrent.piece(0)).unwrap());
        if storage.reserve(handle, torrent.piece(1)).is_ok() {
            // The old slab may still be mapped: the new one comes after it.
            torrent
                .write(&storage, handle, torrent.block(1, 0))
                .unwrap();
        }
        assert!(storage.stats().used <= u64::from(BLOCK_LEN));
        thread.join().unwrap();
    });
}
