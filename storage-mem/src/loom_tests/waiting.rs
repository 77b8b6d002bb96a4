//! No wake-up is lost: each change that makes room wakes the tasks that found none.

use std::sync::Arc;

use loom::thread;

use super::{Flag, Torrent, poll, storage};
use crate::{Error, Eviction, MemoryStorage, ReaderId, SpaceAvailable, TorrentHandle, Window};

const EVICTS: Eviction = Eviction::LeastRecentlyRequested;

/// Polls once and asks whether the waiter is done, or will be polled again.
fn is_served(waiter: &mut SpaceAvailable, woken: &Arc<Flag>) -> impl FnOnce() -> bool {
    let is_ready = poll(waiter, woken).is_ready();
    let woken = Arc::clone(woken);
    move || is_ready || woken.is_set()
}

/// One waiter for one block, while another thread makes the room.
fn waiter_against(
    eviction: Eviction,
    set_up: fn(Torrent, &MemoryStorage, TorrentHandle),
    make_room: fn(Torrent, &MemoryStorage, TorrentHandle),
) {
    loom::model(move || {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, eviction);
        let handle = torrent.add(&storage);
        set_up(torrent, &storage, handle);
        let other = storage.clone();
        let thread = thread::spawn(move || make_room(torrent, &other, handle));
        let woken = Arc::default();
        let mut waiter = storage.wait_for_space(1);
        let is_served = is_served(&mut waiter, &woken);
        thread.join().unwrap();
        assert!(is_served(), "there is room, and nobody said so");
        assert!(poll(&mut waiter, &woken).is_ready());
    });
}

fn reserve(torrent: Torrent, storage: &MemoryStorage, handle: TorrentHandle) {
    let _ = storage.reserve(handle, torrent.piece(0)).unwrap();
}

fn fill(torrent: Torrent, storage: &MemoryStorage, handle: TorrentHandle) {
    reserve(torrent, storage, handle);
    torrent.write(storage, handle, torrent.block(0, 0)).unwrap();
}

fn protect(torrent: Torrent, storage: &MemoryStorage, handle: TorrentHandle) {
    torrent.put(storage, handle, 0);
    let window = Window {
        cursor: 0,
        ahead: 1,
        behind: 0,
        bounds: 0..2,
    };
    storage
        .set_window(handle, ReaderId::new(1), &window)
        .unwrap();
}

#[test]
fn loom_waiter_against_release() {
    waiter_against(Eviction::Never, reserve, |torrent, storage, handle| {
        storage.release(handle, torrent.piece(0)).unwrap();
    });
}

#[test]
fn loom_waiter_against_remove() {
    waiter_against(Eviction::Never, reserve, |_, storage, handle| {
        storage.remove_torrent(handle).unwrap();
    });
}

#[test]
fn loom_waiter_against_verify() {
    waiter_against(EVICTS, fill, |torrent, storage, handle| {
        let _ = storage.verify(handle, torrent.piece(0)).unwrap();
    });
}

#[test]
fn loom_waiter_against_window_move() {
    waiter_against(EVICTS, protect, |_, storage, handle| {
        let window = Window {
            cursor: 1,
            ahead: 1,
            behind: 0,
            bounds: 0..2,
        };
        storage
            .set_window(handle, ReaderId::new(1), &window)
            .unwrap();
    });
}

#[test]
fn loom_waiter_against_lease_drop() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, EVICTS);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        let woken = Arc::default();
        let mut waiter = storage.wait_for_space(1);
        let is_served = is_served(&mut waiter, &woken);
        thread.join().unwrap();
        assert!(is_served(), "the piece may be evicted, and nobody said so");
        assert!(storage.reserve(handle, torrent.piece(1)).is_ok());
    });
}

#[test]
fn loom_waiter_against_drop_of_a_detached_lease() {
    loom::model(|| {
        let torrent = Torrent::new(2, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        torrent.put(&storage, handle, 0);
        let lease = storage.read(handle, torrent.block(0, 0)).unwrap();
        storage.evict(handle, torrent.piece(0)).unwrap();
        let thread = thread::spawn(move || drop(lease));
        let woken = Arc::default();
        let mut waiter = storage.wait_for_space(1);
        let is_served = is_served(&mut waiter, &woken);
        thread.join().unwrap();
        assert!(is_served());
        assert!(storage.reserve(handle, torrent.piece(1)).is_ok());
    });
}

#[test]
fn loom_waiter_against_close() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, EVICTS);
        let handle = torrent.add(&storage);
        reserve(torrent, &storage, handle);
        let other = storage.clone();
        let thread = thread::spawn(move || drop(other.close()));
        let woken = Arc::default();
        let mut waiter = storage.wait_for_space(1);
        let is_served = is_served(&mut waiter, &woken);
        thread.join().unwrap();
        assert!(is_served());
        let late = poll(&mut waiter, &woken);
        assert_eq!(late, std::task::Poll::Ready(Err(Error::Closed)));
    });
}

#[test]
fn loom_cancelled_waiter() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        reserve(torrent, &storage, handle);
        let (gone, woken) = (Arc::<Flag>::default(), Arc::default());
        let mut cancelled = storage.wait_for_space(1);
        let mut waiter = storage.wait_for_space(1);
        assert!(poll(&mut cancelled, &gone).is_pending());
        assert!(poll(&mut waiter, &woken).is_pending());
        let other = storage.clone();
        let thread = thread::spawn(move || other.release(handle, torrent.piece(0)));
        drop(cancelled);
        thread.join().unwrap().unwrap();
        // Its drop loses no other task's wake-up, and leaves nothing behind.
        assert!(woken.is_set());
        assert_eq!(Arc::strong_count(&gone), 1);
        assert!(poll(&mut waiter, &woken).is_ready());
    });
}

#[test]
fn loom_two_waiters() {
    loom::model(|| {
        let torrent = Torrent::new(1, 1, 7);
        let storage = storage(1, Eviction::Never);
        let handle = torrent.add(&storage);
        reserve(torrent, &storage, handle);
        let other = storage.clone();
        let thread = thread::spawn(move || {
            let woken = Arc::default();
            let mut waiter = other.wait_for_space(1);
            let is_ready = poll(&mut waiter, &woken).is_ready();
            (waiter, woken, is_ready)
        });
        let woken = Arc::default();
        let mut mine = storage.wait_for_space(1);
        assert!(poll(&mut mine, &woken).is_pending());
        storage.release(handle, torrent.piece(0)).unwrap();
        let (_theirs, their_flag, is_ready) = thread.join().unwrap();
        assert!(woken.is_set());
        assert!(is_ready || their_flag.is_set());
    });
}
