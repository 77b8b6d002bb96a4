//! A torrent of known bytes, and the shortest way to put it in a storage.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Geometry, PieceHash, PieceIndex};
use tailwater_storage_mem::{Evicted, MemoryStorage, TorrentHandle, Verdict, Window};

/// A block, as the sum of lengths goes.
pub(crate) const BLOCK: u64 = BLOCK_LEN as u64;

/// A torrent whose bytes follow from `salt`.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) geometry: Geometry,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) hashes: Arc<[PieceHash]>,
}

impl Content {
    pub(crate) fn new(total: u64, piece_length: u32, salt: u8) -> Self {
        let geometry = Geometry::new(total, piece_length).unwrap();
        let bytes: Arc<[u8]> = (0..total)
            .map(|at| ((at % 251) ^ (at >> 12)).to_le_bytes()[0] ^ salt)
            .collect();
        let hashes = bytes
            .chunks(piece_length as usize)
            .map(|piece| PieceHash::new(Sha1::digest(piece).into()))
            .collect();
        Self {
            geometry,
            bytes,
            hashes,
        }
    }

    /// `pieces` pieces of two whole blocks each.
    pub(crate) fn pieces_of_two_blocks(pieces: u64, salt: u8) -> Self {
        Self::new(pieces * 2 * BLOCK, 2 * BLOCK_LEN, salt)
    }

    pub(crate) fn add_to(&self, storage: &MemoryStorage) -> TorrentHandle {
        storage
            .add_torrent(self.geometry.clone(), Arc::clone(&self.hashes))
            .unwrap()
    }

    pub(crate) fn piece(&self, index: u32) -> PieceIndex {
        self.geometry.piece(index).unwrap()
    }

    pub(crate) fn block(&self, piece: u32, number: u32) -> BlockRef {
        self.geometry.nth_block(self.piece(piece), number).unwrap()
    }

    pub(crate) fn data(&self, block: BlockRef) -> &[u8] {
        let start = self.geometry.block_start(block);
        let start = usize::try_from(start).unwrap();
        &self.bytes[start..start + block.len() as usize]
    }

    /// Writes all blocks of a reserved piece.
    pub(crate) fn fill(&self, storage: &MemoryStorage, handle: TorrentHandle, piece: u32) {
        for block in self.geometry.blocks(self.piece(piece)) {
            storage
                .write_block(handle, block, self.data(block))
                .unwrap();
        }
    }

    /// Reserves, fills and verifies a piece, and returns what was evicted for it.
    pub(crate) fn put(
        &self,
        storage: &MemoryStorage,
        handle: TorrentHandle,
        piece: u32,
    ) -> Vec<Evicted> {
        let reservation = storage.reserve(handle, self.piece(piece)).unwrap();
        self.fill(storage, handle, piece);
        let verdict = storage.verify(handle, self.piece(piece));
        assert_eq!(verdict, Ok(Verdict::Valid));
        reservation.evicted
    }
}

/// A window in bytes of the whole torrent.
pub(crate) fn window(content: &Content, cursor: u64, ahead: u64, behind: u64) -> Window {
    Window {
        cursor,
        ahead,
        behind,
        bounds: 0..content.geometry.end(),
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
