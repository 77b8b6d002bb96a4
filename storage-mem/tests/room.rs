//! Room in the budget: waiting for it, and what memory it is.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};

use common::{BLOCK, Content, block_on, window};
use tailwater_storage_mem::{
    Config, Error, Eviction, MemoryStorage, ReaderId, SpaceAvailable, piece_memory,
};

fn streaming(blocks: u64) -> MemoryStorage {
    MemoryStorage::new(Config::new(blocks * BLOCK).with_eviction(Eviction::LeastRecentlyRequested))
}

#[test]
fn room_that_is_there_is_not_waited_for() {
    let storage = streaming(2);
    let content = Content::new(4 * BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    assert_eq!(block_on(storage.wait_for_space(2 * BLOCK)), Ok(()));
    content.put(&storage, handle, 0);
    content.put(&storage, handle, 1);
    // Both may be evicted.
    assert_eq!(block_on(storage.wait_for_space(2 * BLOCK)), Ok(()));
    assert_eq!(storage.stats().evictions, 0, "to wait is not to take");
}

#[test]
fn room_that_can_never_be_is_refused() {
    let storage = streaming(2);
    let (needed, free) = (3 * BLOCK, 2 * BLOCK);
    let waited = block_on(storage.wait_for_space(2 * BLOCK + 1));
    assert_eq!(waited, Err(Error::Full { needed, free }));
    let waited = block_on(storage.wait_for_space(u64::MAX));
    assert!(matches!(waited, Err(Error::Full { .. })));
}

/// Waits for room on another thread, and makes the room once that thread waits.
fn wait_while(waiting: SpaceAvailable, make_room: impl FnOnce()) -> Result<(), Error> {
    let (begin, begun) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        block_on(async move {
            let mut waiting = waiting;
            let mut begin = Some(begin);
            std::future::poll_fn(move |context| {
                let poll = Pin::new(&mut waiting).poll(context);
                if let Some(begin) = begin.take() {
                    begin.send(poll.is_pending()).unwrap();
                }
                poll
            })
            .await
        })
    });
    assert_eq!(begun.recv(), Ok(true), "there was room already");
    make_room();
    thread.join().unwrap()
}

#[test]
fn whatever_makes_room_wakes_those_who_wait() {
    let storage = streaming(2);
    let content = Content::new(8 * BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    let reader = ReaderId::new(1);
    let piece = |index| content.piece(index);
    storage
        .set_window(handle, reader, &window(&content, 0, 2 * BLOCK, 0))
        .unwrap();
    content.put(&storage, handle, 0);
    content.put(&storage, handle, 1);

    let woken = wait_while(storage.wait_for_space(BLOCK), || {
        let window = window(&content, BLOCK, BLOCK, 0);
        storage.set_window(handle, reader, &window).unwrap();
    });
    assert_eq!(woken, Ok(()));
    let evicted = content.put(&storage, handle, 2);
    assert_eq!(evicted.len(), 1);

    let lease = storage.read(handle, content.block(2, 0)).unwrap();
    let woken = wait_while(storage.wait_for_space(BLOCK), || drop(lease));
    assert_eq!(woken, Ok(()));

    let _ = storage.reserve(handle, piece(3)).unwrap();
    let woken = wait_while(storage.wait_for_space(BLOCK), || {
        storage.release(handle, piece(3)).unwrap();
    });
    assert_eq!(woken, Ok(()));

    let _ = storage.reserve(handle, piece(4)).unwrap();
    content.fill(&storage, handle, 4);
    let woken = wait_while(storage.wait_for_space(BLOCK), || {
        let _ = storage.verify(handle, piece(4)).unwrap();
    });
    assert_eq!(woken, Ok(()));

    let _ = storage.reserve(handle, piece(5)).unwrap();
    let woken = wait_while(storage.wait_for_space(2 * BLOCK), || {
        storage.remove_torrent(handle).unwrap();
    });
    assert_eq!(woken, Ok(()));

    let handle = content.add_to(&storage);
    let _ = storage.reserve(handle, piece(0)).unwrap();
    let woken = wait_while(storage.wait_for_space(2 * BLOCK), || {
        block_on(storage.close());
    });
    assert_eq!(woken, Err(Error::Closed));
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing() {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    let storage = streaming(1);
    let content = Content::new(BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    let _ = storage.reserve(handle, content.piece(0)).unwrap();
    let nobody = Arc::new(Nobody);
    for _ in 0..3 {
        let waker = Waker::from(Arc::clone(&nobody));
        let mut waiting = storage.wait_for_space(1);
        let mut poll = || Pin::new(&mut waiting).poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        assert!(poll().is_pending());
    }
    assert_eq!(Arc::strong_count(&nobody), 1);
}

#[test]
fn a_storage_that_never_evicts_waits_for_what_is_free() {
    let storage = MemoryStorage::new(Config::new(BLOCK));
    let content = Content::new(2 * BLOCK, 16_384, 1);
    let handle = content.add_to(&storage);
    content.put(&storage, handle, 0);
    let woken = wait_while(storage.wait_for_space(1), || {
        storage.evict(handle, content.piece(0)).unwrap();
    });
    assert_eq!(woken, Ok(()));
}

#[test]
fn what_fits_by_whole_blocks_never_fails_for_fragments() {
    // Pieces of 1, 2 and 5 blocks, the last of each short, in a budget of 37 and a bit.
    let storage = MemoryStorage::new(Config::new(37 * BLOCK + 5_000));
    let contents = [
        Content::new(40 * 10_000, 10_000, 1),
        Content::new(40 * 20_000, 20_000, 2),
        Content::new(12 * 70_000, 70_000, 3),
    ];
    let handles: Vec<_> = contents.iter().map(|c| c.add_to(&storage)).collect();
    let mut leases = std::collections::VecDeque::new();
    let mut held = std::collections::VecDeque::new();
    let (mut reserved, mut refused) = (0, 0);
    for step in 0..600u32 {
        let torrent = (step % 7 % 3) as usize;
        let (content, handle) = (&contents[torrent], handles[torrent]);
        let piece = content.piece(step % content.geometry.piece_count());
        let needed = piece_memory(content.geometry.piece_len(piece));
        let stats = storage.stats();
        assert!(stats.used <= 37 * BLOCK);
        let free = 37 * BLOCK - (stats.used - stats.free_list);
        match storage.reserve(handle, piece) {
            Ok(reservation) if reservation.is_new => {
                content.fill(&storage, handle, piece.get());
                let _ = storage.verify(handle, piece).unwrap();
                // Leases keep blocks all over the slabs.
                let block = content.block(piece.get(), 0);
                leases.push_back(storage.read(handle, block).unwrap());
                held.push_back((handle, piece));
                reserved += 1;
            }
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, Error::Full { needed, free });
                assert!(needed > free, "it would have fitted");
                refused += 1;
                if let Some((handle, piece)) = held.pop_front() {
                    storage.evict(handle, piece).unwrap();
                }
                if step % 3 > 0 {
                    leases.remove(leases.len() / 3);
                }
            }
        }
    }
    assert!(reserved > 100 && refused > 100, "{reserved} {refused}");
}

#[test]
fn memory_that_is_not_kept_is_given_back() {
    let total = 640 * BLOCK;
    let content = Content::new(total, 64 * 16_384, 1);
    for (keep, left) in [(0, 0), (100 * BLOCK, 120 * BLOCK), (total, total)] {
        let storage = MemoryStorage::new(Config::new(total).with_free_list_bytes(keep));
        let handle = content.add_to(&storage);
        for piece in 0..10 {
            content.put(&storage, handle, piece);
        }
        assert_eq!(storage.stats().used, total);
        storage.remove_torrent(handle).unwrap();
        // Whole slabs of 40 blocks.
        assert_eq!(storage.stats().free_list, left);
        assert_eq!(storage.stats().used, left);
        block_on(storage.close());
        assert_eq!(storage.stats().used, 0);
    }
}

#[test]
fn a_lease_keeps_its_slab_and_no_more() {
    let total = 640 * BLOCK;
    let content = Content::new(total, 64 * 16_384, 1);
    let storage = MemoryStorage::new(Config::new(total));
    let handle = content.add_to(&storage);
    for piece in 0..10 {
        content.put(&storage, handle, piece);
    }
    let lease = storage.read(handle, content.block(5, 5)).unwrap();
    block_on(storage.close());
    let stats = storage.stats();
    assert_eq!((stats.detached, stats.used), (BLOCK, 40 * BLOCK));
    drop(lease);
    assert_eq!(storage.stats().used, 0);
}

#[test]
fn a_budget_of_less_than_a_block_holds_nothing() {
    let storage = streaming(0);
    let content = Content::new(10, 10, 1);
    let handle = content.add_to(&storage);
    let full = Error::Full {
        needed: BLOCK,
        free: 0,
    };
    assert_eq!(storage.reserve(handle, content.piece(0)), Err(full));
}
