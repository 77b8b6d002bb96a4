//! Closing the storage while other operations run.

use loom::thread;
use tailwater_metainfo::BLOCK_LEN;

use super::{Flag, Torrent, poll, storage};
use crate::{Error, Eviction};

#[test]
fn loom_lease_drop_after_close() {
    loom::model(|| {
        // A whole block, so that it is one which could be kept.
        let torrent = Torrent::new(1, BLOCK_LEN, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        assert!(poll(&mut storage.close(), &std::sync::Arc::default()).is_ready());
        thread.join().unwrap();
        assert_eq!(storage.stats().used, 0);
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
        let woken = std::sync::Arc::<Flag>::default();
        let mut closed = storage.close();
        let is_at_rest = poll(&mut closed, &woken).is_ready();
        if is_at_rest {
            // A write that still ran would hold its buffer.
            assert_eq!(storage.stats().used, 0);
        }
        let written = thread.join().unwrap();
        assert!(matches!(written, Ok(_) | Err(Error::Closed)));
        assert!(is_at_rest || woken.is_set());
        assert!(poll(&mut closed, &woken).is_ready());
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
        assert!(poll(&mut closed, &std::sync::Arc::default()).is_ready());
        assert_eq!(storage.stats().used, 0);
    });
}
