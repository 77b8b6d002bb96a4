//! One question each, asked of every interleaving that loom finds.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p tailwater-storage-mem --release --lib loom`

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Geometry, PieceHash, PieceIndex};

use crate::{
    Closed, Config, Error, Eviction, Lease, MemoryStorage, PieceState, TorrentHandle, Verdict,
    Written,
};

/// Pieces of `piece_length` bytes that are all `byte`.
#[derive(Clone, Copy)]
struct Torrent {
    geometry: Geometry,
    byte: u8,
}

impl Torrent {
    fn new(pieces: u32, piece_length: u32, byte: u8) -> Self {
        let total = u64::from(pieces) * u64::from(piece_length);
        let geometry = Geometry::new(total, piece_length).unwrap();
        Self { geometry, byte }
    }

    fn add(self, storage: &MemoryStorage) -> TorrentHandle {
        let piece = vec![self.byte; self.geometry.piece_length() as usize];
        let hash = PieceHash::new(Sha1::digest(piece).into());
        let hashes = self.geometry.pieces().map(|_| hash).collect();
        storage.add_torrent(self.geometry, hashes).unwrap()
    }

    fn piece(self, index: u32) -> PieceIndex {
        self.geometry.piece(index).unwrap()
    }

    fn block(self, piece: u32, number: u32) -> BlockRef {
        self.geometry.nth_block(self.piece(piece), number).unwrap()
    }

    fn write(
        self,
        storage: &MemoryStorage,
        handle: TorrentHandle,
        block: BlockRef,
    ) -> Result<Written, Error> {
        storage.write_block(handle, block, &vec![self.byte; block.len() as usize])
    }

    fn put(self, storage: &MemoryStorage, handle: TorrentHandle, piece: u32) {
        let _ = storage.reserve(handle, self.piece(piece)).unwrap();
        for block in self.geometry.blocks(self.piece(piece)) {
            self.write(storage, handle, block).unwrap();
        }
        let verdict = storage.verify(handle, self.piece(piece));
        assert_eq!(verdict, Ok(Verdict::Valid));
    }
}

fn storage(budget: u64, eviction: Eviction) -> MemoryStorage {
    MemoryStorage::new(
        Config::new(budget)
            .with_eviction(eviction)
            .with_max_torrents(1),
    )
}

/// Whether the storage is at rest; the flag is set when it wakes up whoever waits.
fn poll(closed: &mut Closed, woken: &std::sync::Arc<Flag>) -> bool {
    let waker = Waker::from(std::sync::Arc::clone(woken));
    let closed = std::pin::Pin::new(closed);
    closed.poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

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
        assert_eq!(storage.stats().used, 1);
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
            Ok(lease) => assert_eq!((&lease[..], storage.stats().used), (&[7][..], 1)),
            Err(error) => assert_eq!(error, Error::NotVerified { piece: 0 }),
        }
        assert_eq!(storage.stats().used, 0);
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
        assert_eq!(storage.stats().used, 1);
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
        assert_eq!(mine, Ok(Written::Stored { piece_full: true }));
        assert_eq!(storage.verify(next, new.piece(0)), Ok(Verdict::Valid));
        assert_eq!(storage.stats().used, 1);
    });
}

#[test]
fn loom_lease_drop_after_close() {
    loom::model(|| {
        // A whole block, so that it is one which could be kept.
        let torrent = Torrent::new(1, BLOCK_LEN, 7);
        let storage = storage(u64::from(BLOCK_LEN), Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        assert!(poll(&mut storage.close(), &std::sync::Arc::default()));
        thread.join().unwrap();
        assert_eq!(storage.stats().used, 0);
    });
}

#[test]
fn loom_lease_drop_against_reserve() {
    loom::model(|| {
        let torrent = Torrent::new(2, BLOCK_LEN, 7);
        let storage = storage(u64::from(BLOCK_LEN), Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease: Lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        storage.evict(handle, torrent.piece(0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        let early = storage.reserve(handle, torrent.piece(1)).is_ok();
        thread.join().unwrap();
        let late = storage.reserve(handle, torrent.piece(1)).unwrap();
        assert_eq!(late.is_new, !early);
        assert_eq!(storage.stats().used, u64::from(BLOCK_LEN));
        assert_eq!(storage.stats().detached, 0);
    });
}

#[test]
fn loom_close_against_pending_write() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || torrent.write(&other, handle, torrent.block(0, 0)));
        let woken = std::sync::Arc::default();
        let mut closed = storage.close();
        let is_at_rest = poll(&mut closed, &woken);
        if is_at_rest {
            // A write that still ran would hold its buffer.
            assert_eq!(storage.stats().used, 0);
        }
        let written = thread.join().unwrap();
        assert!(matches!(written, Ok(_) | Err(Error::Closed)));
        assert!(is_at_rest || woken.0.load(Ordering::Relaxed));
        assert!(poll(&mut closed, &woken));
        assert_eq!(storage.stats().used, 0);
    });
}

#[test]
fn loom_two_closes() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let other = storage.clone();
        let thread = thread::spawn(move || drop(other.close()));
        let mut closed = storage.close();
        thread.join().unwrap();
        assert!(poll(&mut closed, &std::sync::Arc::default()));
        assert_eq!(storage.stats().used, 0);
    });
}

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
        let stored = Written::Stored { piece_full: true };
        assert!((mine == stored) ^ (theirs == stored));
        assert!((mine == Written::Duplicate) ^ (theirs == Written::Duplicate));
        assert_eq!(storage.verify(handle, torrent.piece(0)), Ok(Verdict::Valid));
    });
}

#[test]
fn loom_two_writes_fill_a_piece_once() {
    loom::model(|| {
        let torrent = Torrent::new(1, BLOCK_LEN + 1, 7);
        let storage = storage(u64::from(BLOCK_LEN) + 1, Eviction::Never);
        let handle = torrent.add(&storage);
        let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
        let other = storage.clone();
        let thread = thread::spawn(move || torrent.write(&other, handle, torrent.block(0, 1)));
        let mine = torrent
            .write(&storage, handle, torrent.block(0, 0))
            .unwrap();
        let theirs = thread.join().unwrap().unwrap();
        let full = Written::Stored { piece_full: true };
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
        let thread = thread::spawn(move || other.verify(handle, torrent.piece(0)).is_ok());
        let mine = storage.verify(handle, torrent.piece(0)).is_ok();
        assert!(mine ^ thread.join().unwrap());
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
        assert_eq!(storage.stats().used, u64::from(verified));
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
