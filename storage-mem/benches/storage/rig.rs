//! The benchmark setup: a storage that holds half of its one torrent, and threads that start together.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use tailwater_metainfo::{BlockRef, Geometry, PieceHash, PieceIndex};
use tailwater_storage_mem::{Config, Eviction, MemoryStorage, TorrentHandle, Verdict};

pub(crate) const PIECE: u32 = 1024 * 1024;
pub(crate) const PIECES: u32 = 64;

pub(crate) struct Rig {
    pub(crate) storage: MemoryStorage,
    pub(crate) handle: TorrentHandle,
    pub(crate) geometry: Geometry,
    pub(crate) data: Vec<u8>,
}

impl Rig {
    /// All pieces are alike.
    pub(crate) fn new() -> Self {
        let data = vec![0x5a; PIECE as usize];
        let hash = PieceHash::new(Sha1::digest(&data).into());
        let hashes: Arc<[PieceHash]> = (0..PIECES).map(|_| hash).collect();
        let geometry = Geometry::new(u64::from(PIECE) * u64::from(PIECES), PIECE)
            .expect("the sizes are in range");
        let storage = MemoryStorage::new(
            Config::new(geometry.total() / 2)
                .with_free_list_bytes(geometry.total())
                .with_eviction(Eviction::LeastRecentlyRequested),
        );
        let handle = storage
            .add_torrent(geometry.clone(), hashes)
            .expect("there is room");
        Self {
            storage,
            handle,
            geometry,
            data,
        }
    }

    pub(crate) fn piece(&self, index: u32) -> PieceIndex {
        self.geometry
            .piece(index % PIECES)
            .expect("reduced to the number of pieces")
    }

    pub(crate) fn reserve(&self, piece: PieceIndex) {
        let reserved = self.storage.reserve(self.handle, piece);
        let _ = black_box(reserved).expect("others can be evicted");
    }

    pub(crate) fn release(&self, piece: PieceIndex) {
        self.storage
            .release(self.handle, piece)
            .expect("it is reserved");
    }

    pub(crate) fn write_block(&self, block: BlockRef) {
        let data = &self.data[..block.len() as usize];
        black_box(self.storage.write_block(self.handle, block, data)).expect("it is reserved");
    }

    pub(crate) fn fill(&self, piece: PieceIndex) {
        let blocks = self.geometry.blocks(piece);
        blocks.for_each(|block| self.write_block(block));
    }

    pub(crate) fn put(&self, piece: PieceIndex) {
        self.reserve(piece);
        self.fill(piece);
        let verdict = self.storage.verify(self.handle, piece);
        assert_eq!(verdict, Ok(Verdict::Valid));
    }
}

/// The time that the slowest thread takes, when all start together.
pub(crate) fn on_threads(threads: u32, work: impl Fn(u32) + Sync) -> Duration {
    let barrier = Barrier::new(threads as usize);
    let timed = |thread| {
        barrier.wait();
        let begin = Instant::now();
        work(thread);
        begin.elapsed()
    };
    std::thread::scope(|scope| {
        let timed = &timed;
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || timed(thread)))
            .collect();
        let mine = timed(0);
        let theirs = others.into_iter().filter_map(|other| other.join().ok());
        theirs.fold(mine, Duration::max)
    })
}
