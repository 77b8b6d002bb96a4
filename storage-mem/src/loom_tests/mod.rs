//! Model-checked tests: each checks one property over every interleaving that loom finds.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p tailwater-storage-mem --release --lib loom`

mod closing;
mod filling;
mod judging;
mod room;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Geometry, PieceHash, PieceHashes, PieceIndex};

use crate::{Config, Error, Eviction, MemoryStorage, TorrentHandle, Verdict, Written};

/// Pieces of `piece_length` bytes that are all `byte`.
#[derive(Clone, Copy)]
struct Torrent {
    pieces: u32,
    piece_length: u32,
    byte: u8,
}

impl Torrent {
    const fn new(pieces: u32, piece_length: u32, byte: u8) -> Self {
        Self {
            pieces,
            piece_length,
            byte,
        }
    }

    fn geometry(self) -> Geometry {
        let total = u64::from(self.pieces) * u64::from(self.piece_length);
        Geometry::new(total, self.piece_length).unwrap()
    }

    fn add(self, storage: &MemoryStorage) -> TorrentHandle {
        let piece = vec![self.byte; self.geometry().piece_length() as usize];
        let hash = PieceHash::new(Sha1::digest(piece).into());
        let hashes: PieceHashes = self.geometry().pieces().map(|_| hash).collect();
        storage.add_torrent(self.geometry(), hashes).unwrap()
    }

    fn piece(self, index: u32) -> PieceIndex {
        self.geometry().piece(index).unwrap()
    }

    fn block(self, piece: u32, number: u32) -> BlockRef {
        self.geometry()
            .nth_block(self.piece(piece), number)
            .unwrap()
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
        for block in self.geometry().blocks(self.piece(piece)) {
            self.write(storage, handle, block).unwrap();
        }
        let verdict = storage.verify(handle, self.piece(piece));
        assert_eq!(verdict, Ok(Verdict::Valid));
    }
}

/// A storage of `blocks` blocks.
fn storage(blocks: u64, eviction: Eviction) -> MemoryStorage {
    MemoryStorage::new(
        Config::new(blocks * u64::from(BLOCK_LEN))
            .with_eviction(eviction)
            .with_max_torrents(1),
    )
}

/// How many blocks are taken.
fn used(storage: &MemoryStorage) -> u64 {
    let stats = storage.stats();
    (stats.used - stats.free_list) / u64::from(BLOCK_LEN)
}

/// Polls a future once; the flag is set when the future wakes its task.
fn poll<F: Future + Unpin>(future: &mut F, woken: &std::sync::Arc<Flag>) -> Poll<F::Output> {
    let waker = Waker::from(std::sync::Arc::clone(woken));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
